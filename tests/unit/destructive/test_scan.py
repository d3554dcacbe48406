# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destructive commands in the files of a checkout: found with their line, waived, or rightly passed over."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.destructive.json_files import JSON_KINDS
from ansible_collections.ops.runbook.plugins.module_utils.destructive.scan import (
    COMPOSER_INSTALL_EVENTS,
    KINDS,
    DestructiveScanError,
    kind_of,
    scan_checkout,
    scan_composer_scripts,
    scan_text,
)


def found(text: str, kind: str) -> list[tuple[int, str]]:
    return [(item.line, item.rule.id) for item in scan_text(text, kind) if not item.waived]


FRESH = "laravel-migrate-fresh"
WIPE = "laravel-db-wipe"

WORKFLOW = """\
name: php artisan migrate:fresh
on: [push]
jobs:
  test:
    runs-on: self-hosted
    steps:
      - name: Run php artisan migrate:fresh
        run: php artisan migrate:fresh  # ops-runbook: disposable
      - run: echo "php artisan migrate:fresh"
      - run: |
          cp .env.example .env
          # php artisan db:wipe
          php artisan db:wipe --force
          php artisan migrate --force
      - run: >-
          docker compose
          down -v
      - name: Deploy
        if: github.ref == 'refs/heads/main'
        env:
          SCRIPT: "php artisan migrate:fresh"
        run: ssh deploy@host "cd app && php artisan migrate:refresh"
      # run: php artisan migrate:fresh
      - uses: appleboy/ssh-action@v1
        with:
          script: |
            cd /var/www/app

            # ops-runbook: disposable
            php artisan migrate:fresh
            php artisan migrate:reset
"""


def test_a_workflow_is_read_by_its_steps() -> None:
    assert found(WORKFLOW, "yaml") == [
        (13, WIPE),
        (16, "compose-down-volumes"),
        (21, FRESH),
        (22, "laravel-migrate-refresh"),
        (31, "laravel-migrate-reset"),
    ]
    assert [item.line for item in scan_text(WORKFLOW, "yaml") if item.waived] == [8, 30]


COMPOSE = """\
services:
  app:
    image: app
    command: ["php", "artisan", "migrate:fresh"]
    environment:
      - APP_ENV=production
  worker:
    command:
      - php
      - artisan
      - db:wipe
  cache:
    entrypoint: redis-cli flushall
  quiet:
    command:
      - php
      - artisan
      - queue:work
    volumes:
      - db:/data
"""


def test_a_compose_file_is_read_by_its_commands() -> None:
    assert found(COMPOSE, "yaml") == [(4, FRESH), (9, WIPE), (13, "redis-flush")]


GITLAB = """\
deploy:
  stage: deploy
  script:
    - composer install
    - 'php artisan migrate:fresh --force'
    - echo php artisan migrate:fresh
    - |
      set -e
      dropdb app
  after_script: ["php artisan db:wipe"]
"""


def test_a_gitlab_pipeline_is_read_by_its_scripts() -> None:
    assert found(GITLAB, "yaml") == [(5, FRESH), (9, "drop-database"), (10, WIPE)]


KERNEL = """\
<?php
use Illuminate\\Database\\Console\\Migrations\\FreshCommand;
class Kernel {
    /** Never: Artisan::call('migrate:fresh') */
    protected function schedule(Schedule $schedule) {
        // $schedule->command('db:wipe')->daily();
        # Artisan::call('db:wipe');
        $schedule->command('db:wipe --force')->daily();
        $schedule->command('inspire')->description('not php artisan migrate:fresh');
        $schedule->exec('php artisan migrate:refresh')->weekly();
        Artisan::call('migrate:fresh', ['--seed' => true]);
        Artisan::call('migrate:rollback', ['--step' => 1]);
        Artisan::call('migrate:rollback');
        Artisan::queue("migrate:reset");
        $this->info('php artisan migrate:fresh');
        echo 'php artisan migrate:fresh';
        Schedule::command(FreshCommand::class)->daily();
        FreshCommand::prohibit();
        DB::statement('DROP TABLE users');
        DB::statement('SELECT 1');
        new Process(['php', 'artisan', 'migrate:fresh']);
        foreach (['migrate:fresh', 'db:seed'] as $command) { run_it($command); }
        Schema::dropAllTables(); // ops-runbook: disposable
        $schedule->command('backup:run')->daily();
    }
}
Artisan::command('migrate:fresh', function () { return 1; });
"""


def test_a_scheduler_is_read_by_its_calls() -> None:
    assert found(KERNEL, "php") == [
        (8, WIPE),
        (10, "laravel-migrate-refresh"),
        (11, FRESH),
        (13, "laravel-migrate-rollback"),
        (14, "laravel-migrate-reset"),
        (17, FRESH),
        (19, "sql-drop"),
        (21, FRESH),
        (22, FRESH),
    ]
    assert [item.line for item in scan_text(KERNEL, "php") if item.waived] == [23]


TEXTS = [
    ("shell", "#!/bin/sh\nset -e\n\nphp artisan \\\n  migrate:fresh\n", [(4, FRESH)]),
    ("shell", 'ssh host "\n  cd app\n  php artisan db:wipe\n"\n', [(3, WIPE)]),
    ("shell", "psql <<EOF\nSELECT 1;\nDROP TABLE users;\nEOF\necho done\n", [(3, "sql-drop")]),
    ("shell", "fresh() {\n  php artisan migrate:fresh\n}\n", [(2, FRESH)]),
    ("shell", "rm -rf storage/logs/*\nrm -rf storage\n", [(2, "remove-data")]),
    ("shell", "0 3 * * * cd /app && php artisan db:wipe\n", [(1, WIPE)]),
    ("shell", "php artisan db:wipe\r\n", [(1, WIPE)]),
    ("makefile", "fresh: up\n\t@php artisan migrate:fresh\n\n# php artisan db:wipe\n", [(2, FRESH)]),
    ("makefile", "CMD := php artisan db:wipe\nhelp:\n\t@echo 'php artisan db:wipe'\n", [(1, WIPE)]),
    ("makefile", "reset: ; $(DC) exec app php artisan db:wipe\n", [(1, WIPE)]),
    ("procfile", "web: php-fpm\nrelease: php artisan migrate:fresh --force\n", [(2, FRESH)]),
    ("dockerfile", 'FROM php\nRUN rm -rf storage\nCMD ["php", "artisan", "migrate:fresh"]\n', [(3, FRESH)]),
    (
        "dockerfile",
        "FROM php\n# CMD php artisan db:wipe\nENTRYPOINT php artisan db:wipe && php-fpm\n",
        [(3, WIPE)],
    ),
    ("dockerfile", "FROM php\nRUN a \\\n # note\n && php artisan db:wipe\n", [(4, WIPE)]),
    ("unit", "[Service]\nExecStartPre=-/usr/bin/php artisan migrate:fresh\n", [(2, FRESH)]),
    ("unit", "[program:x]\ncommand=php artisan db:wipe\n", [(2, WIPE)]),
    (
        "blade",
        "@servers(['web' => 'x'])\n@task('a')\n  cd app\n  php artisan db:wipe\n"
        "  {{-- php artisan db:wipe --}}\n@endtask\n",
        [(4, WIPE)],
    ),
    (
        "blade",
        "@setup\n  $c = 'php artisan db:wipe';\n@endsetup\n@task('a')\n  {{ $c }}\n@endtask\n",
        [(2, WIPE)],
    ),
    (
        "php",
        "<?php\ntask('x', function () {\n  run('{{bin/php}} {{release_path}}/artisan db:wipe');\n});\n",
        [(3, WIPE)],
    ),
    ("php", "<?php\nafter('deploy:symlink', 'artisan:migrate:fresh');\n", [(2, FRESH)]),
    ("php", "<?php\n$schedule->command(\n    'db:wipe'\n);\n", [(3, WIPE)]),
    ("php", "<?php\nreturn ['migrate:fresh' => 'forbidden'];\n", []),
    ("php", "<?php\n$x = 'it\\'s'; Artisan::call('db:wipe');\n", [(2, WIPE)]),
    (
        "python",
        'import x\n"""php artisan db:wipe"""\nsubprocess.run(["alembic", "downgrade", "base"])\n',
        [(3, "alembic-downgrade-base")],
    ),
    ("python", "# dropdb app\nprint('dropdb app')\nos.system('dropdb app')\n", [(3, "drop-database")]),
    (
        "javascript",
        "// prisma migrate reset\nexecSync('npx prisma migrate reset --force');\n",
        [(2, "prisma-migrate-reset")],
    ),
    ("javascript", "console.log('npx prisma migrate reset');\n", []),
    ("ruby", "# rake db:drop\nsystem('rake db:drop')\n", [(2, "rails-db-drop")]),
    (
        "app",
        '{"scripts": {"dokku": {"predeploy": "php artisan migrate",\n"postdeploy": "php artisan db:wipe"}}}',
        [(2, WIPE)],
    ),
    ("app", '{"cron": [\n{"command": "php artisan db:wipe", "schedule": "@daily"}]}', [(2, WIPE)]),
    (
        "package",
        '{"scripts": {\n"build": "vite",\n"reset": "prisma migrate reset"}}',
        [(3, "prisma-migrate-reset")],
    ),
]


@pytest.mark.parametrize(("kind", "text", "expected"), TEXTS)
def test_text_is_read_in_its_own_language(kind: str, text: str, expected: list[tuple[int, str]]) -> None:
    assert found(text, kind) == expected


@pytest.mark.parametrize(
    ("text", "waived"),
    [
        ("php artisan db:wipe # ops-runbook: disposable\n", True),
        ("# ops-runbook: disposable\nphp artisan db:wipe\n", True),
        ("# a test database; ops-runbook: disposable\nphp artisan db:wipe\n", True),
        ("ls # ops-runbook: disposable\nphp artisan db:wipe\n", False),
        ("# ops-runbook: disposable\n\nphp artisan db:wipe\n", False),
        ("php artisan db:wipe # disposable\n", False),
        ("php artisan db:wipe 'ops-runbook: disposable'\n", False),
    ],
)
def test_a_waiver_covers_one_command(text: str, waived: bool) -> None:
    assert [item.waived for item in scan_text(text, "shell")] == [waived]


@pytest.mark.parametrize(
    "line",
    [
        'mysql -p"CANARY" -e "drop database x"',
        "mysql -p'CANARY' -e 'drop database x'",
        "sshpass -p CANARY ssh deploy@h 'php artisan migrate:fresh'",
        "curl -u u:CANARY https://example.com/x && php artisan db:wipe",
        "curl -H 'Authorization: Bearer CANARY' https://example.com/ && php artisan db:wipe",
        "redis-cli -aCANARY flushall",
        'mysql --password="CAN CANARY" -e "drop database x"',
        "psql postgres://u:CAN@CANARY@h/db -c 'drop table users'",
    ],
)
def test_an_excerpt_shows_no_password_of_a_command(line: str) -> None:
    found = scan_text(line + "\n", "shell")
    assert found and "CANARY" not in str(found) and "CAN" not in found[0].excerpt, found


def test_an_excerpt_shows_no_password() -> None:
    text = (
        "PGPASSWORD=hunter2 psql postgres://app:hunter2@db/app -c 'DROP TABLE users'\n"
        "mysql -phunter2 -e 'DROP TABLE x'\n"
    )
    excerpts = [item.excerpt for item in scan_text(text, "shell")]
    assert len(excerpts) == 2 and "hunter2" not in str(excerpts) and "DROP TABLE users" in excerpts[0]


COMPOSER = {
    "scripts": {
        "post-install-cmd": ["@php artisan package:discover", "@reset"],
        "post-autoload-dump": "Illuminate\\Foundation\\ComposerScripts::postAutoloadDump",
        "reset": ["@php artisan migrate:fresh --seed"],
        "wipe": "@php artisan db:wipe",
        "test": ["@php artisan db:wipe"],
        "echo": "echo php artisan db:wipe",
    },
    "scripts-descriptions": {"reset": "runs php artisan migrate:fresh"},
    "extra": {"ops-runbook": {"disposable": ["test"]}},
}


def test_composer_scripts_are_named_and_waived_by_name() -> None:
    text = json.dumps(COMPOSER, indent=2)
    lines = text.splitlines()
    findings = scan_composer_scripts(text)
    assert [(item.where, item.rule.id, item.waived) for item in findings] == [
        ("reset", FRESH, False),
        ("wipe", WIPE, False),
        ("test", WIPE, True),
    ]
    assert [lines[item.line - 1].strip() for item in findings] == [
        '"@php artisan migrate:fresh --seed"',
        '"wipe": "@php artisan db:wipe",',
        '"@php artisan db:wipe"',
    ]


def test_composer_events_reach_through_references() -> None:
    findings = scan_composer_scripts(json.dumps(COMPOSER), COMPOSER_INSTALL_EVENTS)
    assert [item.where for item in findings] == ["reset"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_an_invalid_composer_json_is_an_error(text: str) -> None:
    with pytest.raises(DestructiveScanError):
        scan_composer_scripts(text)


@pytest.mark.parametrize("text", ["{}", '{"scripts": null}', '{"scripts": []}', '{"scripts": {"a": 1}, "extra": []}'])
def test_a_composer_json_without_scripts_is_clean(text: str) -> None:
    assert scan_composer_scripts(text, COMPOSER_INSTALL_EVENTS) == []


@given(
    kind=st.sampled_from([kind for kind in KINDS if kind not in JSON_KINDS]),
    text=st.text(alphabet="ab:- \"'`$(){}[]|;&<>#\\\n\t=@/*", max_size=80),
)
def test_any_text_is_read_without_an_error(kind: str, text: str) -> None:
    scan_text(text, kind)


@given(st.lists(st.sampled_from(["ls", "# note", "", "php artisan migrate --force", "cd /srv/app"]), max_size=8))
def test_the_line_is_where_the_command_stands(before: list[str]) -> None:
    text = "\n".join([*before, "php artisan db:wipe", "ls"])
    assert found(text, "shell") == [(len(before) + 1, WIPE)]


@pytest.mark.parametrize(
    ("path", "start", "kind"),
    [
        (".github/workflows/ci.yml", "", "yaml"),
        ("api/.github/workflows/ci.yaml", "", "yaml"),
        (".github/dependabot.yml", "", None),
        ("docker-compose.prod.yml", "", "yaml"),
        ("compose.yaml", "", "yaml"),
        ("config/app.yml", "", "yaml"),
        ("docs/app.yml", "", None),
        ("lang/de/app.php", "", None),
        ("railway.json", "", "json"),
        ("fly.toml", "", "toml"),
        ("justfile", "", "justfile"),
        ("Jenkinsfile.deploy", "", "groovy"),
        ("lib/tasks/x.rake", "", "ruby"),
        ("deploy.cmd", "", "batch"),
        ("deploy.ps1", "", "powershell"),
        ("infra/main.tf", "", "text"),
        ("database/migrations/2026_01_01_000000_x.php", "", None),
        ("composer.lock", "", None),
        ("CHANGELOG.md", "", None),
        ("Dockerfile.prod", "", "dockerfile"),
        ("deploy.php", "", "php"),
        ("app/Models/User.php", "", "php"),
        ("app/Console/Kernel.php", "", "php"),
        ("routes/console.php", "", "php"),
        ("bootstrap/app.php", "", "php"),
        ("bin/deploy", "echo", "shell"),
        ("bin/console", "#!/usr/bin/env php\n", "php"),
        ("docker/entrypoint", "#!/bin/sh -e\n", "shell"),
        ("artisan", "#!/usr/bin/env php\n", "php"),
        ("README", "php artisan migrate:fresh", None),
        ("docs/deploy.md", "", None),
        ("Envoy.blade.php", "", "blade"),
        ("scripts/seed.ts", "", "javascript"),
        ("scripts/x.py", "", "python"),
    ],
)
def test_a_file_is_chosen_by_its_path(path: str, start: str, kind: str | None) -> None:
    assert kind_of(path, start) == kind


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_checkout_is_scanned_whole_and_nothing_else(tmp_path: Path) -> None:
    wipe = "php artisan db:wipe\n"
    for name in (
        "vendor/x/deploy.sh",
        "node_modules/x.sh",
        "tests/reset.sh",
        ".git/hooks/post-merge",
        "README.md",
    ):
        write(tmp_path, name, "#!/bin/sh\n" + wipe)
    write(tmp_path, "deploy.sh", wipe)
    write(tmp_path, "bin/clean", wipe)
    write(tmp_path, "composer.json", json.dumps({"scripts": {"x": "@php artisan db:wipe"}}))
    write(
        tmp_path,
        ".github/workflows/ci.yml",
        "steps:\n  - run: php artisan db:wipe # ops-runbook: disposable\n",
    )
    write(tmp_path, "routes/console.php", "<?php Schedule::command('inspire');\n")
    (tmp_path / "bin/binary").write_bytes(b"\x7fELF\0php artisan db:wipe")
    os.mkfifo(tmp_path / "bin/pipe")
    (tmp_path / "loop.sh").symlink_to("deploy.sh")
    (tmp_path / "bin/around").symlink_to(tmp_path)

    scan = scan_checkout(str(tmp_path))

    assert [(item.file, item.finding.line) for item in scan.findings] == [
        ("composer.json", 1),
        ("deploy.sh", 1),
        ("bin/clean", 1),
    ]
    assert [item.file for item in scan.waived] == [".github/workflows/ci.yml"]
    assert sorted(scan.files) == [
        ".github/workflows/ci.yml",
        "bin/clean",
        "composer.json",
        "deploy.sh",
        "routes/console.php",
    ]
    assert not scan.clean and not scan.unread


def test_an_unreadable_file_is_not_called_clean(tmp_path: Path) -> None:
    write(tmp_path, "composer.json", "{ broken")
    write(tmp_path, "big.sh", "ls\n" * 400_000)
    scan = scan_checkout(str(tmp_path))
    assert sorted(item.file for item in scan.unread) == ["big.sh", "composer.json"]
    assert not scan.findings and not scan.clean


def test_an_ordinary_laravel_checkout_is_clean(tmp_path: Path) -> None:
    scripts = {
        "post-autoload-dump": [
            "Illuminate\\Foundation\\ComposerScripts::postAutoloadDump",
            "@php artisan package:discover",
        ],
        "post-root-package-install": ["@php -r \"file_exists('.env') || copy('.env.example', '.env');\""],
        "post-create-project-cmd": [
            "@php artisan key:generate --ansi",
            "@php artisan migrate --graceful --ansi",
        ],
        "dev": ['npx concurrently "php artisan serve" "php artisan queue:listen --tries=1" --names=server,queue'],
        "test": ["@php artisan config:clear --ansi", "@php artisan test"],
    }
    write(tmp_path, "composer.json", json.dumps({"scripts": scripts}))
    write(tmp_path, "artisan", "#!/usr/bin/env php\n<?php\nexit((new App)->handleCommand(new ArgvInput));\n")
    write(
        tmp_path,
        "deploy.sh",
        "git pull\ncomposer install --no-dev\nphp artisan migrate --force\nphp artisan optimize\n",
    )
    scan = scan_checkout(str(tmp_path))
    assert scan.clean and sorted(scan.files) == ["artisan", "composer.json", "deploy.sh"]


@pytest.mark.parametrize(("name", "message"), [("nowhere", "does not exist"), ("file", "is not a directory")])
def test_a_path_that_is_no_checkout_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DestructiveScanError, match=message):
        scan_checkout(str(tmp_path / name))


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(DestructiveScanError, match="shell, yaml"):
        scan_text("", "cobol")
