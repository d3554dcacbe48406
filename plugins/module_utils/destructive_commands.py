# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commands destroy data: the rules, and the judgement of one command or one shell script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Callable

from ansible_collections.ops.runbook.plugins.module_utils.shell_commands import Command, ShellReader

DEPTH = 8


@dataclass(frozen=True)
class Rule:
    """A kind of command that destroys data: its id, why it does, and what to do instead."""

    id: str
    why: str
    instead: str


_CONTROLLED = "go back by controlled steps: php artisan migrate:rollback --step=1, after reading its --pretend"
_BACKUP = "take a backup, prove it by a restore, and do it by hand in a maintenance window"

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule(
            "laravel-migrate-fresh",
            "drops every table, with all data, and migrates an empty database",
            "php artisan migrate --force",
        ),
        Rule(
            "laravel-migrate-refresh",
            "rolls migrations back and runs them again: the tables come back empty",
            "php artisan migrate --force; " + _CONTROLLED,
        ),
        Rule("laravel-migrate-reset", "rolls back every migration: all tables go, with all data", _CONTROLLED),
        Rule(
            "laravel-migrate-rollback",
            "rolls back the whole last batch, which may be many migrations and drop many tables",
            _CONTROLLED,
        ),
        Rule(
            "laravel-db-wipe",
            "drops every table, view and type, with all data",
            "php artisan migrate --force",
        ),
        Rule(
            "laravel-queue-clear",
            "deletes jobs that were accepted and not yet done",
            "php artisan queue:restart; for failed jobs queue:retry or queue:forget with an id",
        ),
        Rule(
            "laravel-key-generate",
            "replaces the application key: what was encrypted with the old one can no longer be read",
            "rotate the key with APP_PREVIOUS_KEYS holding the old one",
        ),
        Rule(
            "alembic-downgrade-base",
            "steps every migration down to an empty schema, with all data",
            "alembic downgrade to the revision of the target release, from the newer code",
        ),
        Rule("django-flush", "empties or drops every table", "python manage.py migrate"),
        Rule("prisma-migrate-reset", "drops the database and creates it anew, empty", "prisma migrate deploy"),
        Rule(
            "prisma-db-push",
            "changes the schema without a migration and accepts that columns and tables go with their data",
            "prisma migrate deploy",
        ),
        Rule(
            "node-orm-drop",
            "drops the database, its schema, or undoes every migration",
            "run the forward migrations; step back one migration at a time",
        ),
        Rule(
            "rails-db-drop",
            "drops or reloads the database: all rows go",
            "rails db:migrate; step back with rails db:rollback STEP=1",
        ),
        Rule("drop-database", "drops a whole database or cluster", _BACKUP),
        Rule("sql-drop", "drops a database, schema or table with its data", "write a reviewed migration"),
        Rule("sql-truncate", "empties a table", "delete what is meant by a reviewed migration with a WHERE"),
        Rule("sql-delete-all", "deletes every row of a table: there is no WHERE", "name the rows with a WHERE"),
        Rule(
            "compose-down-volumes",
            "removes the volumes of the project: databases and uploads are in them",
            "docker compose down, or up -d --remove-orphans; volumes stay",
        ),
        Rule(
            "docker-volume-remove",
            "removes volumes, with the databases and uploads in them",
            "docker image prune for disk space; " + _BACKUP,
        ),
        Rule(
            "redis-flush",
            "empties Redis: queued jobs, sessions and locks go with the cache",
            "php artisan cache:clear, or delete the keys of one prefix",
        ),
        Rule(
            "remove-data",
            "removes a directory that holds data (uploads, a database's files, backups)",
            "name the cache or build directory that is meant, such as storage/framework/cache",
        ),
        Rule(
            "git-clean-ignored",
            "removes ignored files: .env, uploads in storage, SQLite databases",
            "git status first; git clean -fd without -x, or with -e .env -e storage",
        ),
        Rule("dokku-destroy", "destroys an app, a service or a volume with its data", _BACKUP),
    )
}


def argv_problem(argv: Sequence[str]) -> Rule | None:
    """The rule that this command breaks. Sees through sudo, env, sh -c, docker exec, ssh and the like."""
    rule = judge(list(argv), 0)
    return RULES[rule] if rule else None


_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)\Z", re.DOTALL)
_RESERVED = frozenset(("if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "time", "@php"))
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "eval"))
# Their arguments are text. The log-like names are functions that scripts define for themselves.
_PRINTERS = frozenset(("echo", "printf", "print"))
_READERS = frozenset(("grep", "egrep", "fgrep", "rg", "ag", "sed", "awk", "man", "which", "type"))
_QUIET = (
    _PRINTERS
    | _READERS
    | frozenset(
        "alias case cat cd cp debug die error exit fail for function head help info less log ls "
        "mkdir msg mv note notice "
        "return say success tail tee test trap true false unset usage warn warning [ [[ : @putenv "
        "unalias".split()
    )
)
# Programs that run the command which follows in their arguments.
_CARRIERS = frozenset(
    "bundle bunx builtin busybox chroot chpst command concurrently cron daemonize ddev docker "
    "docker-compose dokku doas "
    "dotenv env exec flock gosu heroku ionice kubectl lando nerdctl nice nohup npm npx nsenter "
    "parallel pipenv pnpm "
    "podman podman-compose poetry runuser sail script setpriv setsid ssh start-stop-daemon stdbuf su "
    "su-exec sudo "
    "systemd-run timeout uv uvx wait-for-it watch xargs yarn php python python2 python3 ruby node".split()
)
_SQL_CLIENTS = ("psql", "mysql", "mariadb", "sqlite3", "mycli", "pgcli", "mongo", "mongosh")


def program_of(word: str) -> str:
    """C(/usr/bin/php8.3) is php, C(./vendor/bin/sail) is sail, C(prisma@5) is prisma."""
    name = word.rstrip("/").rpartition("/")[2].rpartition("\\")[2]
    name = re.sub(r"@[\w.^~-]+\Z", "", name) if not name.startswith("@") else name
    name = re.sub(r"\.(phar|exe)\Z", "", name)
    return "php" if re.match(r"php[\d.]+\Z", name) else "python" if re.match(r"python[\d.]+\Z", name) else name


def judge(words: Sequence[str], depth: int) -> str | None:
    if depth > DEPTH:
        return None
    rest = list(words)
    while rest:
        assignment = _ASSIGNMENT.match(rest[0])
        if assignment:
            found = judge_text(assignment.group(2), depth)
            if found:
                return found
        elif rest[0] not in _RESERVED and rest[0] not in ("export", "local", "declare", "readonly"):
            break
        rest.pop(0)
    if not rest:
        return None
    name, arguments = program_of(rest[0]), rest[1:]
    if name in _QUIET:
        return None
    if name in _SHELLS:
        return _judge_shell(name, arguments, depth)
    matcher = _PROGRAMS.get(name) or _PROGRAMS.get(name.lower() if name.isupper() else "")
    if matcher is not None:
        found = matcher(arguments)
        if found or name not in _CARRIERS:
            return found
    return _judge_carried(name, arguments, depth)


def _judge_shell(name: str, arguments: Sequence[str], depth: int) -> str | None:
    if name == "eval":
        return judge_script(" ".join(arguments), depth)
    for position, word in enumerate(arguments):
        if re.match(r"-[a-z]*c[a-z]*\Z", word) and position + 1 < len(arguments):
            return judge_script(arguments[position + 1], depth)
        option_value = position > 0 and re.match(r"[-+][a-z]*[oO]\Z", arguments[position - 1])
        if not option_value and not word.startswith(("-", "+")):
            break
    return None


def _judge_carried(name: str, arguments: Sequence[str], depth: int) -> str | None:
    known_carrier = name in _CARRIERS
    for position, word in enumerate(arguments):
        found = judge_text(word, depth)
        if found:
            return found
        if name == "ssh" and word.startswith("dokku@"):
            found = _dokku(" ".join(arguments[position + 1 :]).split())
            if found:
                return found
        inner = program_of(word)
        message = inner == "git" and arguments[position + 1 : position + 2] in (["commit"], ["tag"], ["log"])
        if inner in _PRINTERS or inner in _READERS or message:
            return None
        # Words such as `rm` and `git` are also arguments; only behind a known carrier are they commands.
        if inner in _SHELLS or (inner in _PROGRAMS and (known_carrier or inner not in _COMMON_WORDS)):
            found = judge(arguments[position:], depth + 1)
            if found:
                return found
    return None


def judge_text(word: str, depth: int) -> str | None:
    return judge_script(word, depth) if re.search(r"\s", word.strip()) else None


def judge_script(text: str, depth: int) -> str | None:
    for _line, rule in script_findings(text, 1, depth + 1):
        return rule
    return None


def _option(words: Sequence[str], *names: str) -> str | None:
    """The value of a long option, '' where it has none, None where it is absent."""
    for position, word in enumerate(words):
        for name in names:
            if word == name:
                following = words[position + 1] if position + 1 < len(words) else ""
                return "" if following.startswith("-") else following
            if word.startswith(name + "="):
                return word[len(name) + 1 :]
    return None


def _flag(words: Sequence[str], letter: str, *names: str) -> bool:
    """A switch, alone, among other letters, or long."""
    for word in words:
        if word == "--":
            return False
        if re.match(rf"-[A-Za-z]*{letter}[A-Za-z]*\Z", word) or word in names:
            return True
    return False


def _positional(words: Sequence[str], with_value: Iterable[str] = ()) -> list[str]:
    valued = frozenset(with_value)
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in valued:
            skip = True
        elif not word.startswith("-"):
            found.append(word)
    return found


ARTISAN = {
    "migrate:fresh": "laravel-migrate-fresh",
    "migrate:refresh": "laravel-migrate-refresh",
    "migrate:reset": "laravel-migrate-reset",
    "migrate:rollback": "laravel-migrate-rollback",
    "db:wipe": "laravel-db-wipe",
    "queue:clear": "laravel-queue-clear",
    "queue:flush": "laravel-queue-clear",
    "horizon:clear": "laravel-queue-clear",
    "key:generate": "laravel-key-generate",
}


def artisan_problem(arguments: Sequence[str]) -> str | None:
    positional = _positional(arguments, ("--env",))
    if not positional or _option(arguments, "--help") is not None or "-h" in arguments:
        return None
    if program_of(positional[0]) == "tinker":
        return next(filter(None, (sql_in(word) for word in arguments)), None)
    rule = _artisan_rule(positional[0])
    if rule in ("laravel-migrate-reset", "laravel-migrate-rollback") and _option(arguments, "--pretend") is not None:
        return None
    if rule == "laravel-migrate-rollback":
        if _option(arguments, "--path", "--batch"):
            return None
        return None if _option(arguments, "--step") not in (None, "", "0") else rule
    if rule == "laravel-key-generate":
        return rule if _option(arguments, "--force") is not None else None
    return rule


def _artisan_rule(name: str) -> str | None:
    """Symfony's console takes abbreviations: migrate:fr, db:w."""
    if name in ARTISAN:
        return ARTISAN[name]
    parts = name.split(":")
    if len(parts) != 2 or not all(parts) or name in ("queue:f", "queue:c", "key:g"):
        return None
    for command, rule in ARTISAN.items():
        if all(whole.startswith(part) for part, whole in zip(parts, command.split(":"))):
            return rule
    return None


def _alembic(arguments: Sequence[str]) -> str | None:
    words = _positional(arguments, ("-c", "--config", "-n", "--name", "-x", "--tag"))
    if "downgrade" not in words or "--sql" in arguments:
        return None
    return "alembic-downgrade-base" if "base" in words[words.index("downgrade") + 1 :] else None


def _django(arguments: Sequence[str]) -> str | None:
    words = _positional(arguments, ("--settings", "--database"))
    if words[:1] in (["flush"], ["reset_db"]):
        return "django-flush"
    return "django-flush" if words[:1] == ["migrate"] and "zero" in words[1:] else None


def _prisma(arguments: Sequence[str]) -> str | None:
    words = _positional(arguments, ("--schema", "--config"))
    if words[:2] == ["migrate", "reset"]:
        return "prisma-migrate-reset"
    lossy = {"--force-reset", "--accept-data-loss"} & set(arguments)
    return "prisma-db-push" if words[:2] == ["db", "push"] and lossy else None


def _node_orm(arguments: Sequence[str]) -> str | None:
    words = set(_positional(arguments))
    if words & {"db:drop", "db:migrate:undo:all", "schema:drop"}:
        return "node-orm-drop"
    return "node-orm-drop" if "migrate:rollback" in words and "--all" in arguments else None


_RAILS = frozenset(
    (
        "db:drop db:drop:all db:reset db:migrate:reset db:purge db:purge:all db:truncate_all db:schema:load "
        "db:structure:load db:setup db:seed:replant"
    ).split()
)


def _rails(arguments: Sequence[str]) -> str | None:
    return "rails-db-drop" if _RAILS & set(arguments) else None


def _drop_database(arguments: Sequence[str]) -> str | None:
    return None if {"--help", "--version", "-?", "-V"} & set(arguments) else "drop-database"


def _mysqladmin(arguments: Sequence[str]) -> str | None:
    return "drop-database" if "drop" in arguments else None


def _sql_client(arguments: Sequence[str]) -> str | None:
    return next(filter(None, (sql_in(word) for word in arguments)), None)


def _sql_statement(verb: str) -> Callable[[Sequence[str]], str | None]:
    """A line of a here-document that goes to a database."""

    def judge(arguments: Sequence[str]) -> str | None:
        return sql_in(" ".join((verb, *arguments)) + ";")

    return judge


_SQL = (
    (
        re.compile(r"\bdrop\s+(database|schema|table)\b|\.dropDatabase\s*\(|\bdropAllTables\s*\(", re.I),
        "sql-drop",
    ),
    (re.compile(r"\btruncate\s+(table\s+)?[\"`\w]", re.I), "sql-truncate"),
    (re.compile(r"\bdelete\s+from\s+[\w.\"`]+\s*(;|['\"]|\Z)", re.I), "sql-delete-all"),
)


def sql_in(text: str) -> str | None:
    plain = re.sub(r"/\*.*?\*/|--\s[^\n]*", " ", text, flags=re.DOTALL)
    return next((rule for pattern, rule in _SQL if pattern.search(plain)), None)


_COMPOSE_VALUES = (
    "-f --file -p --project-name --profile --env-file --project-directory --ansi --progress "
    "--parallel -H --host "
    "-c --context -l --log-level --config"
).split()


def _compose(arguments: Sequence[str]) -> str | None:
    words = _positional(arguments, _COMPOSE_VALUES)
    if words[:1] != ["down"]:
        return None
    after = arguments[list(arguments).index("down") + 1 :]
    return "compose-down-volumes" if _flag(after, "v", "--volumes", "--volumes=true", "-v=true") else None


def _docker(arguments: Sequence[str]) -> str | None:
    words = _positional(arguments, ("-H", "--host", "-c", "--context", "-l", "--log-level", "--config"))
    if words[:1] == ["compose"]:
        return _compose(arguments[list(arguments).index("compose") + 1 :])
    if words[:1] == ["volume"] and words[1:2] in (["rm"], ["remove"], ["prune"]):
        return "docker-volume-remove"
    if words[:2] == ["system", "prune"] and "--volumes" in arguments:
        return "docker-volume-remove"
    return None


def _redis(arguments: Sequence[str]) -> str | None:
    words = {part for word in arguments for part in word.lower().split()}
    return "redis-flush" if words & {"flushall", "flushdb"} else None


_ENGINE_FILES = re.compile(
    r"(/var/lib/(mysql|mariadb|postgresql|pgsql|redis|mongodb|docker|dokku|containerd)(/|\Z)|"
    r"/home/dokku(/|\Z)|"
    r"(^|/)(\$\{?PGDATA\}?|pgdata|(postgres|pg|mysql|mariadb|redis|mongo|db)[-_]?data)(/|\Z))",
    re.I,
)
_TOO_HIGH = re.compile(r"(/|/\*|~/?\*?|\$\{?HOME\}?/?\*?|/(var|srv|home|opt|etc|usr|var/www|var/lib)/?\*?)\Z")
_DATA = re.compile(r"(\A|/)(storage(/app(/.*)?|/\*)?|(data|uploads|backups?|database)(/\*)?)/?\Z", re.I)
_DISPOSABLE = re.compile(
    r"(\A|/)(\.?cache|te?mp|tests?|testing|coverage|build|dist|logs?|node_modules|vendor|framework|fixtures)"
    r"(/|\Z)|release",
    re.I,
)


def _rm(arguments: Sequence[str]) -> str | None:
    if not _flag(arguments, "r", "--recursive") and not _flag(arguments, "R"):
        return None
    for path in _positional(arguments):
        if _TOO_HIGH.match(path):
            return "remove-data"
        # Laravel's public/storage is a link to storage/app/public; without a slash only the link goes.
        if _DISPOSABLE.search(path) or re.search(r"(\A|/)public/storage\Z", path):
            continue
        if _ENGINE_FILES.search(path) or _DATA.search(path):
            return "remove-data"
    return None


def _git(arguments: Sequence[str]) -> str | None:
    words = _positional(arguments, ("-C", "-c", "--git-dir", "--work-tree"))
    if words[:1] != ["clean"]:
        return None
    after = list(arguments[list(arguments).index("clean") + 1 :])
    kept = [value for word, value in zip(after, after[1:]) if word in ("-e", "--exclude")]
    kept += [word.partition("=")[2] for word in after if word.startswith("--exclude=")]
    kept += [word[2:] for word in after if re.match(r"-e.", word)]
    switches = [word for word in after if word not in kept and not re.match(r"-e", word)]
    if _flag(switches, "n", "--dry-run") or not (_flag(switches, "x") or _flag(switches, "X")):
        return None
    if not _flag(switches, "f", "--force"):
        return None
    spared = {".env", "storage"} <= {item.strip("/*") for item in kept}
    return None if spared else "git-clean-ignored"


def _dokku(arguments: Sequence[str]) -> str | None:
    for word in _positional(arguments, ("--app",))[:1]:
        if re.match(r"[a-z][a-z0-9-]*:destroy\Z", word) and word != "network:destroy":
            return "dokku-destroy"
    return None


Matcher = Callable[[Sequence[str]], "str | None"]
_PROGRAMS: dict[str, Matcher] = {
    "artisan": artisan_problem,
    "sail": artisan_problem,
    "alembic": _alembic,
    "manage.py": _django,
    "django-admin": _django,
    "prisma": _prisma,
    "sequelize": _node_orm,
    "sequelize-cli": _node_orm,
    "knex": _node_orm,
    "typeorm": _node_orm,
    "rails": _rails,
    "rake": _rails,
    "dropdb": _drop_database,
    "pg_dropcluster": _drop_database,
    "mysqladmin": _mysqladmin,
    "docker": _docker,
    "podman": _docker,
    "nerdctl": _docker,
    "docker-compose": _compose,
    "podman-compose": _compose,
    "redis-cli": _redis,
    "valkey-cli": _redis,
    "rm": _rm,
    "git": _git,
    "dokku": _dokku,
    "flask": lambda arguments: _alembic(arguments[1:]) if arguments[:1] == ["db"] else None,
    "drop": _sql_statement("DROP"),
    "truncate": lambda arguments: sql_in(" ".join(("TRUNCATE", *arguments))) if arguments[:1] != ["-s"] else None,
    "delete": _sql_statement("DELETE"),
    **dict.fromkeys(_SQL_CLIENTS, _sql_client),
}
_COMMON_WORDS = frozenset(("rm", "git", "docker", "flask", "drop", "truncate", "delete", "rake", "rails", "mongo"))


def script_findings(text: str, line: int, depth: int) -> Iterator[tuple[int, str]]:
    """Line and rule of every destructive command of a shell script."""
    if depth > DEPTH:
        return
    commands = ShellReader(text, line).read()
    for position, command in enumerate(commands):
        for start, script in command.nested:
            yield from script_findings(script, start, depth + 1)
        receiver = commands[position + 1] if command.piped and position + 1 < len(commands) else None
        yield from _command_findings(command, receiver, depth)


def _command_findings(command: Command, receiver: Command | None, depth: int) -> Iterator[tuple[int, str]]:
    rule = judge(command.words, depth)
    if rule:
        yield command.lines[0] + _line_inside(command, rule, depth), rule
        return
    head = program_of(command.words[0]) if command.words else ""
    if receiver is not None and head in _PRINTERS | {"cat"}:
        yield from _fed(receiver, " ".join(command.words[1:]), command.line, depth)
    for start, body in command.documents:
        reader = receiver if receiver is not None else command
        if head in ("cat", "tee", "") and receiver is None and not (command.redirected or head == "tee"):
            continue
        if head in ("cat", "tee") and receiver is None:
            yield from script_findings(body, start, depth + 1)
        else:
            yield from _fed(reader, body, start, depth)


def _line_inside(command: Command, rule: str, depth: int) -> int:
    """How far below the command's first line a script in quotes breaks the rule."""
    for word, line in zip(command.words, command.lines):
        if "\n" in word:
            for found_line, found in script_findings(word, line, depth + 1):
                if found == rule:
                    return found_line - command.lines[0]
    return 0


def _fed(receiver: Command, text: str, line: int, depth: int) -> Iterator[tuple[int, str]]:
    """What a program is given on its standard input."""
    programs = {program_of(word) for word in receiver.words}
    if programs & set(_SQL_CLIENTS):
        for offset, part in enumerate(text.split("\n")):
            rule = sql_in(part)
            if rule:
                yield line + offset, rule
    elif programs & {"redis-cli", "valkey-cli"}:
        for offset, part in enumerate(text.split("\n")):
            if _redis([part]):
                yield line + offset, "redis-flush"
    elif programs & (_SHELLS | {"ssh", "at", "batch", "docker", "kubectl", "sudo", "su", "crontab"}):
        yield from script_findings(text, line, depth + 1)
