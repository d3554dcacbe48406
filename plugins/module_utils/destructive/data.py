# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that remove data itself: statements of a database, and what removes or replaces files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from ansible_collections.ops.runbook.plugins.module_utils.destructive.names import LASTING, Names

_SQL = (
    (
        re.compile(
            r"\bdrop\s+(database|schema|table|keyspace)\b|\bdrop\s+owned\s+by\s+\w{1,80}\s+cascade\b|\.dropDatabase\s*\(|\bdropAllTables\s*\(|"
            r"\bgetCollection\([^()]{0,80}\)\.drop\(|\bdb\.\w{1,60}\.drop\(\s*\)",
            re.I,
        ),
        "sql-drop",
    ),
    (re.compile(r"\btruncate\s+(table\s+)?[\"`\w$]|->truncate\(\)|::truncate\(\)", re.I), "sql-truncate"),
    (
        re.compile(
            r"\bdelete\s+from\s+[\w.\"`$]+\s*(;|['\"]|\Z)|\.(deleteMany|remove)\(\s*(\{\s*\})?\s*\)|"
            r"\.(delete_all|destroy_all)\b|\bobjects\.all\(\)\.delete\(",
            re.I,
        ),
        "sql-delete-all",
    ),
)
_HINT = re.compile(r"drop|truncate|delete|remove|destroy_all", re.I)
_SQL_COMMENT = re.compile(r"--\s[^\n]*")


def sql_in(text: str) -> str | None:
    """The rule that a statement of a text breaks."""
    if not _HINT.search(text):
        return None
    plain = _SQL_COMMENT.sub(" ", _without_comments(text))
    return next((rule for pattern, rule in _SQL if pattern.search(plain)), None)


def _without_comments(text: str) -> str:
    parts = []
    at = text.find("/*")
    start = 0
    while at >= 0:
        end = text.find("*/", at + 2)
        parts.append(text[start:at])
        if end < 0:
            return " ".join(parts)
        start = end + 2
        at = text.find("/*", start)
    return " ".join([*parts, text[start:]])


def option(words: Sequence[str], *names: str) -> str | None:
    """The value of a long option; '' if it has no value, None if the option is absent."""
    for position, word in enumerate(words):
        for name in names:
            if word == name:
                following = words[position + 1] if position + 1 < len(words) else ""
                return "" if following.startswith("-") else following
            if word.startswith(name + "="):
                return word[len(name) + 1 :]
    return None


def flag(words: Sequence[str], letter: str, *names: str) -> bool:
    """A switch, alone, among other letters, or long."""
    for word in words:
        if word == "--":
            return False
        if word in names or word[:1] == "-" and letter in word and re.match(r"-[A-Za-z]*\Z", word):
            return True
    return False


def positional(words: Sequence[str], with_value: Iterable[str] = ()) -> list[str]:
    """The words that are neither options nor the values of those options that take one."""
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


_ENGINE_FILES = re.compile(
    r"(/var/lib/(mysql|mariadb|postgresql|pgsql|redis|mongodb|docker|containerd)(/|\Z)|/var/lib/dokku(/(data|services)(/|\Z)|/?\*?\Z)|"
    r"/home/dokku(/|\Z)|"
    r"(^|/)(\$\{?PGDATA\}?|\.?pgdata|(postgres|postgresql|pg|mysql|mariadb|redis|mongo|mongodb|db|sqlite|minio)"
    r"[-_]?(data|volume))(/|\Z))",
    re.I,
)
_TOO_HIGH = re.compile(
    r"(/|/\*|~/?\*?|\$\{?HOME\}?/?\*?|/home/[\w.-]+/?\*?|/(var|srv|home|opt|etc|usr|root|var/www|var/www/html|"
    r"var/lib|var/backups?)/?\*?)\Z"
)
_DATA = re.compile(
    r"(\A|/)(storage(/app(/.*)?|/\*)?|(data|uploads?|backups?|database|media|user-?files|user-?content|attachments)"
    r"(/\*)?)/?\Z|(\A|/)wp-content/uploads(/|\Z)|\A/(var/)?backups?/|(\A|/)uploads/\*?\Z",
    re.I,
)
_APPLICATION = re.compile(r"/(var/www|srv)/[\w.${}-]+(/current|/public_html|/html)?/?\*?\Z")
_DATABASE_FILE = re.compile(r".{0,200}\.(sqlite3?|db3?|mdb)(-wal|-shm)?\Z", re.I)
_DISPOSABLE = re.compile(
    r"(\A|/)(\.?cache|te?mp|tests?|testing|coverage|build|dist|out|logs?|node_modules|vendor|framework|fixtures)"
    r"(/|\Z)|release|\btest|\bTMP|\bTEMP|tmp\b|/usr/share/|/var/lib/apt|/root/\.|/tmp/",
    re.I,
)
_PUBLIC_LINK = re.compile(r"(\A|/)public/storage\Z")


def _is_data(path: str, whole: bool) -> bool:
    """True if a path holds data. whole: with everything below it."""
    path = path.strip("\"'")
    path = posixpath.normpath(path) if "/../" in path else path
    if whole and _TOO_HIGH.match(path):
        return True
    # Laravel's public/storage is a link to storage/app/public; without a slash only the link goes.
    if _DISPOSABLE.search(path) or _PUBLIC_LINK.search(path):
        return False
    if _DATABASE_FILE.fullmatch(path):
        return True
    return whole and bool(_ENGINE_FILES.search(path) or _DATA.search(path) or _APPLICATION.match(path))


def rm(arguments: Sequence[str]) -> str | None:
    """rm, unlink, shred: folders of data with -r, database files and backups also one by one."""
    whole = flag(arguments, "r", "--recursive") or flag(arguments, "R")
    for path in positional(arguments):
        if _is_data(path, whole) or re.match(r"/(var/)?backups?/[^/]*[*?]", path):
            return "remove-data"
    return None


def truncate(arguments: Sequence[str]) -> str | None:
    """truncate(1) of a database file, or TRUNCATE without a client before it."""
    if option(arguments, "-s", "--size") is None and not any(word.startswith("-s") for word in arguments):
        return sql_in(" ".join(("TRUNCATE", *arguments)))
    return "remove-data" if any(_is_data(path, False) for path in positional(arguments, ("-s", "--size"))) else None


def find(arguments: Sequence[str]) -> str | None:
    """find with -delete or -exec rm, over a folder of data and without a condition on the age of files."""
    places: list[str] = []
    for word in arguments:
        if word.startswith(("-", "(", "!")):
            break
        places.append(word)
    removes = "-delete" in arguments
    for position, word in enumerate(arguments[:-1]):
        if word in ("-exec", "-execdir", "-ok") and arguments[position + 1].rpartition("/")[2] == "rm":
            removes = True
    aged = {"-mtime", "-mmin", "-ctime", "-atime", "-newer", "-amin", "-cmin", "-empty", "-xtype"} & {*arguments}
    if not removes or aged:
        return None
    named = [value for word, value in zip(arguments, arguments[1:]) if word in ("-name", "-iname", "-path")]
    databases = any(_DATABASE_FILE.fullmatch(name) for name in named) and not any(map(_DISPOSABLE.search, places))
    return "remove-data" if databases or any(_is_data(place, True) for place in places) else None


_SOURCE_OF_ALL = re.compile(
    r"(\.|\./|\$\{?PWD\}?/?|\$\(pwd\)/?|\$\{?\{? ?github\.workspace ?\}?\}?/?|\S*empty\S*)\Z", re.I
)


_SPARED = re.compile(r"(\A|[/=*])(storage|uploads|media|\.env|data)\b|\A--(exclude-from|filter|files-from)")


def rsync(arguments: Sequence[str]) -> str | None:
    """rsync --delete of a whole checkout onto an application, or onto a folder of data."""
    if not any(re.match(r"--del(ete)?(-(before|during|delay|after|excluded))?\Z", word) for word in arguments):
        return None
    if flag(arguments, "n", "--dry-run"):
        return None
    places = positional(arguments, ("-e", "--rsh", "--exclude", "--include", "--filter", "-f", "--rsync-path"))
    if len(places) < 2 or any(_SPARED.search(word) for word in arguments if word not in places):
        return None
    target = places[-1].rpartition(":")[2]
    if any(_SOURCE_OF_ALL.match(source) for source in places[:-1]) and not _DISPOSABLE.search(target):
        return "sync-delete"
    return None


def git(arguments: Sequence[str]) -> str | None:
    """git clean with -x: ignored files are .env and the files that the application writes."""
    words = positional(arguments, ("-C", "-c", "--git-dir", "--work-tree"))
    if words[:1] != ["clean"]:
        return None
    after = list(arguments[list(arguments).index("clean") + 1 :])
    kept = [value for word, value in zip(after, after[1:]) if word in ("-e", "--exclude")]
    kept += [word.partition("=")[2] for word in after if word.startswith("--exclude=")]
    kept += [word[2:] for word in after if re.match(r"-e.", word)]
    switches = [word for word in after if word not in kept and not re.match(r"-e", word)]
    if flag(switches, "n", "--dry-run") or not (flag(switches, "x") or flag(switches, "X")):
        return None
    if not flag(switches, "f", "--force"):
        return None
    spared = {".env", "storage"} <= {item.strip("/*") for item in kept}
    return None if spared else "git-clean-ignored"


_SEARCH_ENGINE = re.compile(r"(:9200|:9201|\bES_|\bELASTIC|\bOPENSEARCH|elastic|opensearch)", re.I)


def curl(arguments: Sequence[str]) -> str | None:
    """A DELETE of an index at a search engine."""
    deletes = any(
        word == "-XDELETE"
        or word == "--request=DELETE"
        or word == "DELETE"
        and position
        and arguments[position - 1] in ("-X", "--request")
        for position, word in enumerate(arguments)
    )
    if not deletes:
        return None
    return "store-delete" if any(_SEARCH_ENGINE.search(word) for word in arguments) else None


def redis(arguments: Sequence[str]) -> str | None:
    """FLUSHALL and FLUSHDB."""
    words = {part for word in arguments for part in word.lower().split()}
    return "redis-flush" if words & {"flushall", "flushdb"} else None


_TEST_NAME = r"(?:\w*_)?(?:tests?|testing|ci)(?:_\w*)?"
_TEST_DATABASE = re.compile(
    rf"(?i)\b(?:drop|truncate)\s+(?:database|schema)\s+(?:if\s+exists\s+)?[`\"']?{_TEST_NAME}[`\"']?\s*(?:;|\W|\Z)"
)


def of_tests(words: Sequence[str]) -> bool:
    """True if a command says that its data belongs to tests: by an environment, a database or a Compose file."""
    text = " ".join(words)
    if _TEST_ENVIRONMENT.search(text) or _TEST_DATABASE.search(text):
        return True
    if words and re.search(r"(\A|/)(dropdb|mysqladmin|mariadb-admin)\Z", words[0]):
        return bool(re.fullmatch(_TEST_NAME, words[-1]))
    return bool(_TEST_COMPOSE.search(text))


_ENVIRONMENTS = ("APP_ENV", "RAILS_ENV", "RACK_ENV", "NODE_ENV", "MIX_ENV", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME")


def in_tests(names: Names) -> bool:
    """True if a script has set a test environment for all its commands, and no other one."""
    for name in _ENVIRONMENTS:
        values = names.get(LASTING + name, ())
        if values and all(re.search(r"(?<![a-z])(tests?|testing|ci|e2e)(?![a-z])", value) for value in values):
            return True
    return False


_TEST_ENVIRONMENT = re.compile(
    r"""(?x)(?:\A|[\s"'])(?:(?:APP|RAILS|NODE|RACK|MIX|FLASK|DJANGO|SYMFONY|HANAMI)_ENV|ENV|ENVIRONMENT)=["']?
    (?:test|testing|ci)\b(?![-.])
    |(?:\A|\s)(?:--env|--environment|-e)[= ]["']?(?:test|testing|ci|dusk\.\w{1,20})(?=["'\s]|\Z)
    |(?:\A|\s)--database[= ]["']?(?:test|testing|sqlite_testing|ci)(?=["'\s]|\Z)
    |\$\{?(?:\w{1,40}_)?TEST(?:_\w{1,40})?\b
    |(?:\A|\s)DB_DATABASE=["']?:memory:
    """
)
_TEST_COMPOSE = re.compile(
    r"(?:\A|\s)(?:-f|--file|-p|--project-name)(?:=|\s)\S{0,200}?"
    r"(?<![a-z])(?:tests?|testing|ci|e2e|integration)(?![a-z])"
)
