# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of a script that run something, words that only print, and words of sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

RESERVED = frozenset(
    "if then else elif do while until ! { } time @php export local declare readonly typeset call & start".split()
)
SHELLS = frozenset("sh bash dash ash zsh ksh fish eval cmd powershell pwsh iex Invoke-Expression".split())
EVALUATORS = frozenset(("eval", "iex", "Invoke-Expression"))
#: Their arguments are text. The log-like names are functions that scripts define for themselves.
PRINTERS = frozenset(("echo", "printf", "print", "Write-Output"))
READERS = frozenset("grep egrep fgrep rg ag ack sed awk gawk perl man which type findstr".split())
_QUIET = (
    PRINTERS
    | READERS
    | frozenset(
        "case cat cd cp debug die error exit fail for foreach head help info less log ls select "
        "mkdir msg mv note notice return say success tail tee test true false unset usage warn warning [ [[ : @putenv "
        "unalias dialog whiptail zenity notify-send osascript logger wall tput read echo. rem REM Rem :: Write-Host "
        "Write-Warning Write-Error Write-Verbose Write-Information throw Read-Host confirm prompt ask title "
        "ifeq ifneq ifdef ifndef endif include define endef .PHONY complete compgen in".split()
    )
)
_SPEAKS = re.compile(
    r"(?:\A|_)(?:log|print|echo|info|warn\w{0,3}|err(?:or)?|msg|message|say|note|notice|debug|fail|die|abort|usage|help|"
    r"banner|heading|title|success|fatal|comment|announce)(?:\Z|_)"
)
#: Programs that run the command which follows in their arguments.
CARRIERS = frozenset(
    "bundle bunx bun builtin busybox chroot chpst command concurrently cron daemonize ddev docker docker-compose dokku "
    "doas dotenv dotenvx env exec flock gosu heroku ionice kubectl lando nerdctl nice nohup npm npx nsenter parallel "
    "pipenv pnpm podman podman-compose poetry runuser sail script setpriv setsid ssh start-stop-daemon stdbuf su "
    "su-exec sudo systemd-run timeout uv uvx wait-for-it watch xargs yarn php python python2 python3 ruby node find "
    "gcloud aws az fly flyctl railway render vapor platform upsun symfony ansible screen tmux oc k doppler infisical "
    "op vault chamber sops dumb-init tini gum cross-env env-cmd retry finch time hatch pdm rye mise asdf direnv nix "
    "nix-shell devbox nomad cap vagrant wrangler".split()
)
#: Programs whose arguments are never a command, and whose words say nothing of data.
ORDINARY = frozenset(
    "wg-quick ifconfig ip iptables ufw vim vi nano emacs code wget tar zip unzip gzip gunzip chmod chown chgrp ln "
    "touch date sleep kill pkill killall ps top htop systemctl service journalctl apt apt-get yum dnf apk brew pip "
    "pip3 gem nvm rbenv rustup createdb createuser pg_dump pg_dumpall mysqldump mariadb-dump mongodump openssl gpg "
    "ssh-keygen ssh-keyscan ssh-add scp sftp diff cmp sort uniq wc cut tr jq yq xmllint basename dirname realpath "
    "readlink mktemp stat du df free uname whoami id hostname seq pytest tox nox phpunit pest rspec jest vitest "
    "mocha playwright cypress codecept behat phpstan pint eslint prettier ruff mypy rubocop credo tsc vite webpack "
    "source . shellcheck hadolint actionlint helm kustomize certbot nginx caddy php-fpm apachectl crontab useradd "
    "usermod groupadd passwd less more column bc expr dig nslookup ping nc telnet".split()
)
SQL_CLIENTS = (
    "psql mysql mariadb sqlite3 mycli pgcli mongo mongosh cockroach clickhouse-client clickhouse cqlsh sqlcmd duckdb "
    "influx usql sqlplus isql bq litecli pgsql"
).split()
#: Options whose value is a statement, also of tools that are not clients of a database.
SQL_OPTIONS = frozenset(
    "-c -e --eval --execute --query --command --sql -Q -q -execute --statement --executable -C --exec".split()
)
SCRIPT_RUNNERS = frozenset(("npm", "yarn", "pnpm", "bun", "composer", "make", "just", "task"))
#: Names that people give to scripts of their own too; the script itself is read where it is defined.
_SCRIPT_NAMES = frozenset("db:reset db:schema:load db:seed:replant db:drop db:purge schema:drop".split())


#: Programs that are given code in an argument, and the option before it.
INLINE_CODE = {
    "php": ("-r",),
    "python": ("-c",),
    "node": ("-e", "--eval", "-p"),
    "bun": ("-e",),
    "deno": ("eval",),
    "ruby": ("-e",),
    "perl": ("-e",),
    "rails": ("runner", "r", "dbconsole", "db"),
    "manage.py": ("-c", "--command", "dbshell"),
}


def program_of(word: str) -> str:
    """C(/usr/bin/php8.3) is php, C(./vendor/bin/sail) is sail, C(prisma@5) is prisma."""
    name = word.rstrip("/").rpartition("/")[2].rpartition("\\")[2]
    name = re.sub(r"@[\w.^~-]+\Z", "", name) if not name.startswith("@") else name
    name = re.sub(r"\.(phar|exe)\Z", "", name)
    return "php" if re.match(r"php[\d.]+\Z", name) else "python" if re.match(r"python[\d.]+\Z", name) else name


def is_quiet(name: str) -> bool:
    """True if a program, or a function by its name, only prints or reads."""
    return name in _QUIET or _SPEAKS.search(name[:80]) is not None


def is_reference(word: str) -> bool:
    """True if a word is the value of a variable or of a template."""
    return word[:1] == "$" or word[:2] == "{{" or word[:1] == "%" and word[-1:] == "%" and len(word) > 2


def is_script_name(arguments: Sequence[str], position: int) -> bool:
    """True if an argument of npm, yarn and the like is the name of a script."""
    before = [word for word in arguments[:position] if not word.startswith("-")]
    return before in ([], ["run"], ["run-script"]) and arguments[position] in _SCRIPT_NAMES


_SENTENCE = frozenset(
    "never don't dont do-not not the an is are was were be will would should must cannot can't please instead because "
    "which removes drops deletes forbidden prohibited refused refuses refusing dangerous avoid your you this that "
    "these those before after allowed disabled detected found".split()
)


def is_prose(words: Sequence[str]) -> bool:
    """True if the words of a quoted text are a sentence and not a command."""
    if any(word.strip(".,:;!?()`'\"").lower() in _SENTENCE for word in words):
        return True
    first = words[0]
    return re.fullmatch(r"[A-Z][a-z]{1,20}:?", first) is not None and len(words) > 2


#: A text without any of these words has no finding: most files of an application are ruled out at once.
HINT = re.compile(
    r"migrat|wipe|drop|reset|flush|down|volume|prune|delete|destroy|truncate|purge|clear|\brm\b|remove|unlink|shred|"
    r"clean|empty|schema|restore|rmdir|\brd\b|\bdel\b|rsync|fresh|refresh|setup|forget|disable|mkfs|wipefs|\bdd\b|"
    r"sync|install|key:generate|data-loss|absent|rollback|d:[dms]:|fixtures|drush|push|replace|"
    r"structure|replant|database update|\brb\b|format",
    re.I,
)
