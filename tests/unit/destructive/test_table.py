# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of commands and files that destroy data, and of those that only look like it.

data/destructive/ has it: commands_destroy.txt and commands_keep.txt by line, files.json by path, verdicts.json as
people reported them. A new case is a new line there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console.health_report import safety_lines
from ansible_collections.ops.runbook.plugins.module_utils.destructive.kinds import kind_of
from ansible_collections.ops.runbook.plugins.module_utils.destructive.scan import KINDS, RULES, scan_checkout, scan_text
from ansible_collections.ops.runbook.plugins.module_utils.destructive.tools import TOOLS, UNMISTAKABLE
from ansible_collections.ops.runbook.plugins.module_utils.destructive.words import HINT

DATA = Path(__file__).parents[1] / "data/destructive"


def commands(name: str) -> list[str]:
    return [line for line in (DATA / name).read_text().splitlines() if line and not line.startswith("# ")]


DESTROY = commands("commands_destroy.txt")
KEEP = commands("commands_keep.txt")
FILES: list[dict[str, Any]] = json.loads((DATA / "files.json").read_text())
VERDICTS: list[dict[str, Any]] = json.loads((DATA / "verdicts.json").read_text())


def found(text: str, kind: str = "shell") -> list[tuple[int, str]]:
    return [(one.line, one.rule.id) for one in scan_text(text, kind)]


def test_the_table_is_large_enough_to_say_something() -> None:
    assert len(DESTROY) >= 300 and len(KEEP) >= 300 and len({*DESTROY, *KEEP}) == len(DESTROY) + len(KEEP)
    assert sum(bool(one["destroys"]) for one in FILES) >= 80 <= sum(not one["destroys"] for one in FILES)


@pytest.mark.parametrize("command", DESTROY)
def test_a_command_that_destroys_data_is_found(command: str) -> None:
    assert found(command)


@pytest.mark.parametrize("command", KEEP)
def test_a_command_that_keeps_data_is_no_finding(command: str) -> None:
    assert found(command) == []


@pytest.mark.parametrize("case", VERDICTS, ids=lambda case: case["text"][:40])
def test_a_reported_command_or_file_is_judged_rightly(case: dict[str, Any]) -> None:
    assert bool(found(case["text"], case["kind"])) is case["destructive"]


@pytest.mark.parametrize("case", FILES, ids=lambda case: case["path"])
def test_a_file_of_a_checkout_is_read_by_its_kind(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / case["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(case["text"]), newline="")
    scan = scan_checkout(str(tmp_path))
    assert [(one.file, one.finding.line) for one in scan.findings] == [
        (case["path"], line) for line in case["destroys"]
    ]
    assert not scan.unread


def test_no_file_with_a_case_is_passed_over_unread() -> None:
    """A file in which no hint stands is not read further."""
    found_in_text = [*DESTROY, *(one["text"] for one in VERDICTS if one["destructive"])]
    assert [text for text in found_in_text if not HINT.search(text)] == []


def test_every_rule_has_a_case() -> None:
    assert {rule for command in DESTROY for _line, rule in found(command)} == set(RULES)


#: Ways in which scripts call a program by another name.
NAMELESS = {
    "a variable": "$tool {}",
    "a variable in braces": "${{TOOL:-x}} {}",
    "a list": '"${{tool[@]}}" {}',
    "a variable with a path": '"$BIN"/tool {}',
    "sudo and a variable": "sudo -u deploy $TOOL {}",
    "a remote variable": '$SSH_CMD "cd app && $TOOL {}"',
    "a container": "docker compose exec -T app $TOOL {}",
    "a trap": "trap '$TOOL {}' EXIT",
    "xargs": "echo x | xargs $TOOL {}",
    "a shell": "bash -lc '$TOOL {}'",
    "a heredoc": "ssh host.example.com <<EOT\n$TOOL {}\nEOT",
    "a substitution": 'out="$($TOOL {})"',
    "a condition": 'if [ "$1" = x ]; then $TOOL {}; fi',
    "a wrapper": "retry 3 run-tool {}",
}
#: Options that make the words behind them mean what they say.
BEHIND = [
    *UNMISTAKABLE,
    "down -v",
    "down --volumes --remove-orphans",
    "volume rm x",
    "volume prune -f",
    "migrate reset --force",
    "db push --accept-data-loss",
    "downgrade base",
    "flush --noinput",
    "destroy -auto-approve",
    "delete pvc x",
    "database drop --force",
]


@pytest.mark.parametrize("form", [name for name in NAMELESS if name != "a wrapper"])
def test_words_that_say_enough_count_whatever_the_program_is_called(form: str) -> None:
    assert [words for words in BEHIND if not found(NAMELESS[form].format(words))] == []


def test_a_wrapper_hides_no_word_that_says_enough() -> None:
    assert [words for words in UNMISTAKABLE if not found(NAMELESS["a wrapper"].format(words))] == []


@pytest.mark.parametrize("form", NAMELESS)
@pytest.mark.parametrize(
    "words", ["migrate --force", "down", "volume ls", "up -d", "db push", "upgrade head", "flush-cache"]
)
def test_other_words_do_not(form: str, words: str) -> None:
    assert found(NAMELESS[form].format(words)) == []


#: One command, written in each kind of file that holds commands: with a variable where the kind has them.
WRITTEN = {
    "shell": "A='php artisan'\n$A migrate:fresh\n",
    "yaml": "env:\n  A: php artisan\nrun: $A migrate:fresh\n",
    "dockerfile": "FROM x\nENV A='php artisan'\nCMD $A migrate:fresh\n",
    "makefile": "A := php artisan\nx:\n\t$(A) migrate:fresh\n",
    "justfile": "a := 'php artisan'\nx:\n    {{a}} migrate:fresh\n",
    "procfile": "release: $A migrate:fresh\n",
    "unit": "[Service]\nExecStart=/usr/bin/php artisan migrate:fresh\n",
    "blade": "@task('x')\n  {{ $a }} migrate:fresh\n@endtask\n",
    "toml": "[deploy]\nrelease = '$A migrate:fresh'\n",
    "batch": "set A=php artisan\r\n%A% migrate:fresh\r\n",
    "powershell": "$A = 'artisan'\nphp $A migrate:fresh\n",
    "text": 'x {\n  command = "php artisan migrate:fresh"\n}\n',
    "php": "<?php\nArtisan::call('migrate:fresh');\n",
    "javascript": "execSync('php artisan migrate:fresh');\n",
    "python": "os.system('php artisan migrate:fresh')\n",
    "ruby": "system('php artisan migrate:fresh')\n",
    "groovy": "sh 'php artisan migrate:fresh'\n",
    "composer": '{"scripts": {"x": "@php artisan migrate:fresh"}}',
    "package": '{"scripts": {"x": "php artisan migrate:fresh"}}',
    "app": '{"scripts": {"x": "php artisan migrate:fresh"}}',
    "json": '{"deploy": {"startCommand": "php artisan migrate:fresh"}}',
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_read_for_them(kind: str) -> None:
    assert [rule for _line, rule in found(WRITTEN[kind], kind)] == ["laravel-migrate-fresh"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_may_speak_of_them(kind: str) -> None:
    spoken = {
        **dict.fromkeys(KINDS, "# never php artisan migrate:fresh\n# php artisan db:wipe\n"),
        **dict.fromkeys(("php", "javascript", "groovy"), "// php artisan migrate:fresh\n/* php artisan db:wipe */\n"),
        **dict.fromkeys(("composer", "package", "app", "json"), '{"description": "php artisan migrate:fresh"}'),
        "blade": "{{-- php artisan migrate:fresh --}}\n",
        "batch": "rem php artisan migrate:fresh\r\n:: php artisan db:wipe\r\n",
    }
    assert found(spoken[kind], kind) == []


PLATFORM_FILES = (
    "railway.json railway.toml vapor.yml deploy.yaml deploy.php justfile fly.toml render.yaml nixpacks.toml Procfile "
    "app.json heroku.yml Jenkinsfile buildspec.yml appspec.yml cloudbuild.yaml .drone.yml .woodpecker.yml Rakefile "
    "Taskfile.yml Taskfile.dist.yml k8s/job.yaml charts/x/templates/job.yaml deploy.bat deploy.cmd deploy.ps1 "
    "package.json composer.json .github/workflows/x.yml .gitlab-ci.yml .circleci/config.yml bitbucket-pipelines.yml "
    "azure-pipelines.yml .travis.yml .semaphore/semaphore.yml playbooks/x.yml Envoy.blade.php routes/web.php "
    "app/Console/Commands/X.php config/deploy.rb .platform.app.yaml skaffold.yaml Vagrantfile infra/main.tf Earthfile "
    "compose.yml Dockerfile Makefile crontab .devcontainer/devcontainer.json captain-definition .lando.yml "
    "mise.toml pyproject.toml .husky/post-merge scripts/deploy bin/release"
).split()


@pytest.mark.parametrize("path", PLATFORM_FILES)
def test_the_files_of_the_common_platforms_are_read(path: str) -> None:
    assert kind_of(path, "" if "." in path.rpartition("/")[2] else "#!/bin/sh\n") in KINDS


def test_unread_files_are_counted_by_their_ending(tmp_path: Path) -> None:
    for name in ("deploy.sh", "a.md", "b.md", "c.png", "docs/x.rst", "LICENSE", "docker-compose.test.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("php artisan migrate --force\n")
    scan = scan_checkout(str(tmp_path))
    assert scan.clean and scan.kinds == {"shell": 1}
    assert scan.left_out == {".md": 2, ".png": 1, ".rst": 1, "LICENSE": 1, ".yml": 1}
    outcome = {"files": scan.files, "findings": [], "waived": [], "unread": [], "kinds": scan.kinds}
    assert safety_lines({"x": {**outcome, "left_out": scan.left_out}})[-2:] == [
        "1 file read: no destructive command found in it",
        "    read: 1 shell; not read: 2 .md, 1 .png, 1 .rst, 1 .yml, 1 LICENSE",
    ]


HOSTILE_NAME = "deploy\x1b]0;pwned\x07\x1b[2J\x1b[1;1HALL CLEAN.sh"
SECRETS = """\
mysql -p"CANARY" -e "drop database x"
sshpass -p CANARY ssh host.example.com 'php artisan migrate:fresh'
curl -u u:CANARY https://example.com/x && php artisan db:wipe
curl -H "Authorization: Bearer CANARY" https://example.com/ && php artisan db:wipe
redis-cli -aCANARY flushall
mysql --password="CAN CANARY" -e "drop database x"
psql postgres://u:CAN@CANARY@h/db -c 'drop table users'
"""


def test_neither_a_password_nor_a_control_character_leaves_the_check(tmp_path: Path) -> None:
    (tmp_path / HOSTILE_NAME).write_text(SECRETS)
    (tmp_path / "package.json").write_text(json.dumps({"scripts": {"a\x1b[2J": "redis-cli -a CANARY flushall"}}))
    scan = scan_checkout(str(tmp_path))
    shown = [one.to_dict() for one in scan.findings]
    assert len(shown) == 8 and all(str(value).isprintable() for one in shown for value in one.values())
    assert "CANARY" not in str(shown) and "CAN@" not in str(shown)


#: What is opened and never closed, and what is long in each of the forms that are read.
UNITS = (
    "$(", '"$(', "{{ a", "${", "'", '"', "<<E\n", '"\\"', "/*", "#\n", "a: b\n", "- a\n", "a=b ", "a=b\n", "\\\n", "( ",
    "{ ", '"""', "rm -rf $A ", "A=$A$A\n", "$x $x ", "sudo docker exec ", "RUN a \\\n", "@setup", "{{--", "<#",
    "a | b ", "'a',", '["a","b"],', "ssh 'a b' ", "Artisan::call('migrate:fresh', ['--a' => true, ", "a|", "x=(\n",
    "cat <<E\nE\n", "    - run: docker compose down -v\n", "for x in a b c; do\n",
)  # fmt: skip


@pytest.mark.parametrize("kinds", [KINDS[at::4] for at in range(4)], ids=lambda kinds: kinds[0])
def test_any_kind_of_file_is_read_in_a_time_that_grows_with_its_length(kinds: tuple[str, ...]) -> None:
    program = (
        "import json, resource; resource.setrlimit(resource.RLIMIT_CPU, (30, 30))\n"
        "from ansible_collections.ops.runbook.plugins.module_utils.destructive.scan import "
        "DestructiveScanError, scan_text\n"
        f"for kind in {kinds!r}:\n"
        f"    for unit in {UNITS!r}:\n"
        "        text = unit * (12288 // len(unit))\n"
        "        in_json = kind in ('composer', 'package', 'app', 'json')\n"
        "        scan_text(json.dumps({'scripts': {'a': text}}) if in_json else text, kind, 'x.y')\n"
    )
    root = Path(__file__).resolve().parents[3] / "collections"
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


def test_every_tool_of_the_table_is_in_a_case() -> None:
    """A pattern that nobody tried may be one that never fits."""
    text = "\n".join(DESTROY)
    spare = {"quart", "golang-migrate", "tern", "mcli", "sls", "cdktf", "docdb"}
    tried = {name for name in TOOLS if name in text or name.rpartition(".")[0] in text}
    assert len(set(TOOLS) - tried - spare) < 40, sorted(set(TOOLS) - tried - spare)
