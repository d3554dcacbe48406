# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that decides which commands destroy data.

C(argv_problem) judges a command that is about to run. C(scan_text), C(scan_composer_scripts) and
C(scan_checkout) look for such commands in the files of a repository. In a file, what is certainly a comment,
documentation or an echo is no finding; what is uncertain is one, and a person waives it with the comment
C(ops-runbook: disposable) on the line or on a comment line directly above.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Callable

from ansible_collections.ops.runbook.plugins.module_utils import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.bounded import cut_line
from ansible_collections.ops.runbook.plugins.module_utils.destructive_code import code_findings
from ansible_collections.ops.runbook.plugins.module_utils.destructive_commands import (
    RULES,
    Rule,
    argv_problem,
    judge,
    judge_text,
    program_of,
    script_findings,
)
from ansible_collections.ops.runbook.plugins.module_utils.redact import mask_named
from ansible_collections.ops.runbook.plugins.module_utils.screen_text import shown

__all__ = [
    "COMPOSER_INSTALL_EVENTS",
    "KINDS",
    "RULES",
    "DestructiveScanError",
    "FileFinding",
    "Finding",
    "Rule",
    "Scan",
    "Unread",
    "argv_problem",
    "kind_of",
    "scan_checkout",
    "scan_composer_scripts",
    "scan_text",
]

WAIVER = "ops-runbook: disposable"
FILE_LIMIT = 1024 * 1024
SKIPPED_DIRECTORIES = frozenset(
    (".git", "vendor", "node_modules", "tests", "test", "__tests__", ".venv", "venv", "__pycache__")
)
#: What `composer install` runs by itself, in its order.
COMPOSER_INSTALL_EVENTS = (
    "pre-install-cmd",
    "pre-operations-exec",
    "pre-package-install",
    "post-package-install",
    "pre-package-update",
    "post-package-update",
    "pre-package-uninstall",
    "post-package-uninstall",
    "pre-autoload-dump",
    "post-autoload-dump",
    "post-install-cmd",
)


class DestructiveScanError(ValueError):
    """A checkout that cannot be read as one."""


@dataclass(frozen=True)
class Finding:
    """A destructive command in a text. C(where) names the script of a JSON file; elsewhere it is empty."""

    line: int
    rule: Rule
    excerpt: str
    waived: bool = False
    where: str = ""


@dataclass(frozen=True)
class FileFinding:
    """A finding and the file it is in, relative to the checkout."""

    file: str
    finding: Finding

    def to_dict(self) -> dict[str, Any]:
        found = self.finding
        return {
            "file": self.file,
            "line": found.line,
            "rule": found.rule.id,
            "why": found.rule.why,
            "instead": found.rule.instead,
            "excerpt": found.excerpt,
            "where": found.where,
        }


@dataclass(frozen=True)
class Unread:
    """A file that should have been scanned and could not be."""

    file: str
    why: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Scan:
    """What a checkout holds. Clean means: something read, nothing found, nothing left unread."""

    files: list[str] = field(default_factory=list)
    findings: list[FileFinding] = field(default_factory=list)
    waived: list[FileFinding] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return bool(self.files) and not self.findings and not self.unread


def _shell_lines(text: str) -> Iterator[tuple[int, str]]:
    return script_findings(text, 1, 0)


def _yaml_lines(text: str) -> Iterator[tuple[int, str]]:
    """Every value that can be a command. YAML proper would need a library that a host may not have."""
    lines = text.split("\n")
    at = 0
    group: list[tuple[int, str]] = []
    group_indent = -1
    while at < len(lines):
        line = at + 1
        raw = lines[at]
        at += 1
        match = re.match(r"(\s*)((?:-\s+)*)(?:([\w.\"'/@-]+)\s*:(?=\s|\Z))?\s*(.*)\Z", raw)
        if not match or not raw.strip() or raw.lstrip().startswith("#"):
            continue
        dashes, key, value = match.group(2), (match.group(3) or "").strip("\"'"), _yaml_plain(match.group(4))
        indent = len(match.group(1)) + len(dashes)
        item = bool(dashes) and not key
        if group and not (item and indent > group_indent):
            yield from _argv_group(group)
            group, group_indent = [], -1
        if key in ("command", "entrypoint", "args", "test") and not value:
            group_indent = len(match.group(1))
            group = [(line, "")]
            continue
        block = re.match(r"([|>])[-+\d]*\Z", value)
        body: list[str] = []
        own_indent = len(match.group(1)) + (len(dashes) if key else 0)
        while at < len(lines) and (block or value) and _continues(lines[at], own_indent, bool(block), item):
            body.append(lines[at])
            at += 1
        if key in ("name", "description", "title", "summary", "if", "uses", "image"):
            continue
        if block:
            joint = "\n" if block.group(1) == "|" else " \\\n"
            yield from script_findings(joint.join(body), line + 1, 0)
            continue
        if group:
            group.append((line, _yaml_scalar(value)))
        text_value = " \\\n".join([_yaml_scalar(value), *(_yaml_plain(part.strip()) for part in body)])
        words = _flow_words(value)
        rule = _flow_rule(words)
        if rule:
            yield line, rule
        elif not words:
            yield from script_findings(text_value, line, 0)
    if group:
        yield from _argv_group(group)


def _continues(raw: str, indent: int, block: bool, item: bool) -> bool:
    if not raw.strip():
        return block
    deeper = len(raw) - len(raw.lstrip()) > indent
    if block or not deeper:
        return deeper
    return re.match(r"\s*(-\s|#|[\w.\"'/-]+\s*:(\s|\Z))", raw) is None


def _argv_group(group: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    words = [word for _line, word in group[1:]]
    rule = judge(words, 0) if len(words) > 1 else None
    if rule and not any(judge_text(word, 0) == rule for word in words):
        yield group[1][0], rule


def _yaml_plain(value: str) -> str:
    """Without a trailing comment. A # inside quotes is none."""
    if value[:1] in ('"', "'"):
        end = re.match(r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*')\s*(#.*)?\Z", value)
        return end.group(1) if end else value
    return re.sub(r"(\A|\s)#.*\Z", "", value).strip()


def _yaml_scalar(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(foreign_json.loads(value))
        except ValueError:
            return value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    return value


def _flow_rule(words: Sequence[str]) -> str | None:
    """One command as a list of its words, or a list of commands."""
    return judge(words, 0) or next(filter(None, (judge_text(word, 0) for word in words)), None)


def _flow_words(value: str) -> list[str]:
    """The words of C(["php", "artisan"])."""
    if not (value.startswith("[") and value.endswith("]")):
        return []
    # A mark without its end ends with the value; else each would be looked for to the end anew.
    quoted = re.findall(r"(?s)\"([^\"\\]*(?:\\.[^\"\\]*)*)\\?(?:\"|\Z)|'([^']*)(?:'|\Z)|([^\s,\[\]\"']+)", value)
    return [one or two or three for one, two, three in quoted]


def _dockerfile_lines(text: str) -> Iterator[tuple[int, str]]:
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        start = at
        match = re.match(r"\s*(?:ONBUILD\s+)?(RUN|CMD|ENTRYPOINT|HEALTHCHECK)\s+(.*)\Z", lines[at], re.I)
        at += 1
        if not match:
            continue
        instruction, body = match.group(1).upper(), [match.group(2)]
        while body[-1].rstrip().endswith("\\") and at < len(lines):
            # A comment line inside a continued instruction does not end it.
            body.append("\\" if lines[at].lstrip().startswith("#") else lines[at])
            at += 1
        mark = re.search(r"<<-?[\"']?(\w+)", body[0])
        while mark and at < len(lines):
            body.append(lines[at])
            at += 1
            if lines[at - 1].strip() == mark.group(1):
                break
        script = "\n".join(body)
        if mark and re.match(r"\s*(--\S+\s+)*<<", script):
            body[0], body[-1] = "", ""
            script = "\n".join(body)
        script = re.sub(r"\A\s*(--\S+\s+)+", "", script)
        if instruction == "HEALTHCHECK":
            script = re.sub(r"\A\s*CMD\s+", "", script, flags=re.I)
        words = _flow_words(script.replace("\\\n", " ").strip())
        rule = _flow_rule(words)
        found = [(start + 1, rule)] if rule else [] if words else list(script_findings(script, start + 1, 0))
        # A build works on the image's own layers: files removed there are nobody's data.
        harmless = ("remove-data", "git-clean-ignored") if instruction == "RUN" else ()
        yield from ((line, name) for line, name in found if name not in harmless)


def _makefile_lines(text: str) -> Iterator[tuple[int, str]]:
    prepared: list[str] = []
    continued = False
    for raw in text.split("\n"):
        line = raw.replace("$$", "$")
        if not continued:
            if line.startswith("\t"):
                line = re.sub(r"\A\s*[@+-]+\s*", "", line)
            elif re.match(r"\s*#", line):
                line = ""
            else:
                match = re.match(r"\s*(?:export\s+|override\s+)*([\w.-]+)\s*(?:::?|\?|\+|!)?=\s*(.*)\Z", line)
                rule = re.match(r"[^\s:=#][^:=#]*::?[^=;#]*(?:;(.*))?\Z", line)
                line = match.group(2) if match else (rule.group(1) or "") if rule else line
        continued = raw.endswith("\\")
        prepared.append(line)
    return script_findings("\n".join(prepared), 1, 0)


def _procfile_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(text.split("\n"), 1):
        match = re.match(r"\s*[\w.-]+\s*:\s*(.*)\Z", raw)
        if match and not raw.lstrip().startswith("#"):
            yield from script_findings(match.group(1), number, 0)


def _unit_lines(text: str) -> Iterator[tuple[int, str]]:
    """systemd units and supervisor programs."""
    for number, raw in enumerate(text.split("\n"), 1):
        match = re.match(r"\s*(Exec\w+|command)\s*=\s*[-@:+!]*(.*)\Z", raw)
        if match:
            yield from script_findings(match.group(2), number, 0)


def _blade_lines(text: str) -> Iterator[tuple[int, str]]:
    """Laravel Envoy: shell between directives."""

    def blank(match: re.Match[str]) -> str:
        return "\n" * match.group(0).count("\n")

    plain = re.sub(r"\{\{--.*?--\}\}", blank, text, flags=re.DOTALL)
    for setup in re.finditer(r"@setup(.*?)@endsetup", plain, re.DOTALL):
        offset = plain.count("\n", 0, setup.start())
        yield from ((line + offset, rule) for line, rule in code_findings(setup.group(1), "php"))
    plain = re.sub(r"@setup.*?@endsetup", blank, plain, flags=re.DOTALL)
    plain = re.sub(r"^[ \t]*@\w[^\n]*", "", plain, flags=re.MULTILINE)
    yield from script_findings(plain, 1, 0)


_SCANNERS: dict[str, Callable[[str], Iterator[tuple[int, str]]]] = {
    "shell": _shell_lines,
    "yaml": _yaml_lines,
    "dockerfile": _dockerfile_lines,
    "makefile": _makefile_lines,
    "procfile": _procfile_lines,
    "unit": _unit_lines,
    "blade": _blade_lines,
    "php": lambda text: code_findings(text, "php"),
    "javascript": lambda text: code_findings(text, "javascript"),
    "python": lambda text: code_findings(text, "python"),
    "ruby": lambda text: code_findings(text, "ruby"),
}
_JSON_KINDS = ("composer", "package", "app")
KINDS = (*_SCANNERS, *_JSON_KINDS)


def scan_text(text: str, kind: str) -> list[Finding]:
    """The destructive commands of a text, by line. C(kind) is one of C(KINDS)."""
    if kind in _JSON_KINDS:
        return _scan_json(text, kind)
    if kind not in _SCANNERS:
        raise DestructiveScanError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = plain.split("\n")
    found = sorted(set(_SCANNERS[kind](plain)))
    return [
        Finding(line, RULES[rule], excerpt_of(_line_at(lines, line)), waived=_waived(lines, line))
        for line, rule in found
    ]


def _line_at(lines: Sequence[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""


_COMMENT_LINE = re.compile(r"\s*(#|//|/\*|\*|\{\{--|--|;|<!--)")


def _waived(lines: Sequence[str], number: int) -> bool:
    """On the line, or on a comment line directly above: a waiver beside a command is only that command's."""
    above = _line_at(lines, number - 1)
    return _says_waiver(_line_at(lines, number)) or (bool(_COMMENT_LINE.match(above)) and _says_waiver(above))


def _says_waiver(line: str) -> bool:
    return re.search(r"(#|//|/\*|\*|\{\{--|--|;)\s*ops-runbook:\s*disposable\b", line) is not None


def excerpt_of(line: str) -> str:
    """One line, short, without what looks like a password."""
    line = cut_line(line)
    text = mask_named(" ".join(shown(line).split()))
    return text if len(text) <= 160 else text[:157] + "..."


def scan_composer_scripts(composer_json_text: str, events: Sequence[str] | None = None) -> list[Finding]:
    """The destructive commands among the scripts of a composer.json.

    With C(events) (for example C(COMPOSER_INSTALL_EVENTS)) only scripts that these events reach, directly or
    through C(@name). Raises DestructiveScanError where the text is no composer.json.
    """
    findings = _scan_json(composer_json_text, "composer")
    if events is None:
        return findings
    scripts = foreign_json.loads(composer_json_text.lstrip("\ufeff")).get("scripts")
    reached = _reached(scripts if isinstance(scripts, dict) else {}, events)
    return [finding for finding in findings if finding.where in reached]


def _reached(scripts: dict[str, Any], events: Sequence[str]) -> set[str]:
    reached: set[str] = set()
    waiting = [name for name in events if name in scripts]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for _path, command in _strings(scripts[name], ""):
            match = re.match(r"@(?:composer\s+(?:run-script|run)\s+)?([\w:.-]+)", command.strip())
            if match and match.group(1) in scripts:
                waiting.append(match.group(1))
    return reached


def _scan_json(text: str, kind: str) -> list[Finding]:
    try:
        document = foreign_json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise DestructiveScanError(f"it is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise DestructiveScanError("it is not a JSON object")
    extra = document.get("extra") if kind == "composer" else document
    settings = extra.get("ops-runbook") if isinstance(extra, dict) else None
    disposable = settings.get("disposable", []) if isinstance(settings, dict) else []
    places = _StringPlaces(text)
    findings = []
    for where, command in _json_commands(document, kind):
        line = places.take(command)
        rules = dict.fromkeys(rule for _line, rule in script_findings(command, 1, 0))
        findings += [
            Finding(line, RULES[rule], excerpt_of(command), waived=where in disposable, where=where) for rule in rules
        ]
    return findings


def _json_commands(document: dict[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    if kind == "app":
        yield from _app_commands(document)
        return
    scripts = document.get("scripts")
    if not isinstance(scripts, dict):
        return
    for name, value in scripts.items():
        for _path, command in _strings(value, name):
            yield name, command


def _app_commands(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """app.json of Dokku and Heroku: all below `scripts`, the `command` of each cron entry."""
    if isinstance(node, dict):
        for key, value in node.items():
            below = f"{path}.{key}" if path else str(key)
            if key == "scripts":
                yield from _strings(value, below)
            elif key in ("command", "args") and isinstance(value, str):
                yield below, value
            else:
                yield from _app_commands(value, below)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _app_commands(value, f"{path}.{index}")


def _strings(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value, path)


class _StringPlaces:
    """On which line a JSON string stands; each occurrence is given out once, in order."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, list[int]] = {}
        for match in re.finditer(r'(?s)("[^"\\]*(?:\\.[^"\\]*)*\\?(?:"|\Z))(\s*:)?', text):
            if match.group(2):
                continue
            try:
                value = foreign_json.loads(match.group(1))
            except ValueError:
                continue
            self._lines.setdefault(value, []).append(text.count("\n", 0, match.start()) + 1)

    def take(self, value: str) -> int:
        lines = self._lines.get(value)
        if not lines:
            return 1
        return lines.pop(0) if len(lines) > 1 else lines[0]


_BY_NAME = {
    "composer.json": "composer",
    "package.json": "package",
    "app.json": "app",
    "deploy.php": "php",
    "Envoy.blade.php": "blade",
    "Makefile": "makefile",
    "makefile": "makefile",
    "GNUmakefile": "makefile",
    "Procfile": "procfile",
    "crontab": "shell",
    "bitbucket-pipelines.yml": "yaml",
    "azure-pipelines.yml": "yaml",
    ".travis.yml": "yaml",
    "supervisord.conf": "unit",
}
_BY_PATTERN = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"(.*/)?\.github/(workflows/[^/]+|actions/(.*/)?action)\.ya?ml\Z", "yaml"),
        (r"(.*/)?\.gitlab-ci[^/]*\.ya?ml\Z", "yaml"),
        (r"(.*/)?\.gitlab/ci/.*\.ya?ml\Z", "yaml"),
        (r"(.*/)?\.circleci/config\.ya?ml\Z", "yaml"),
        (r"(.*/)?(docker-)?compose[^/]*\.ya?ml\Z", "yaml"),
        (r"(.*/)?Taskfile\.ya?ml\Z", "yaml"),
        (r"(.*/)?(Dockerfile[^/]*|[^/]+\.[Dd]ockerfile|Containerfile)\Z", "dockerfile"),
        (r"(.*/)?Procfile\.[^/]+\Z", "procfile"),
        (r"(.*/)?[^/]+\.(mk)\Z", "makefile"),
        (r"(.*/)?[^/]+\.(sh|bash|zsh|ksh|cron)\Z", "shell"),
        (r"(.*/)?[^/]+\.service\Z", "unit"),
        (r"(.*/)?supervisor[^/]*/[^/]+\.(conf|ini)\Z", "unit"),
        (r"(.*/)?app/Console/Kernel\.php\Z", "php"),
        (r"(.*/)?routes/console\.php\Z", "php"),
        (r"(.*/)?bootstrap/app\.php\Z", "php"),
        (r"(.*/)?(bin|scripts?|deploy|ops)/[^/]+\.php\Z", "php"),
        (r"(.*/)?(bin|scripts?|deploy|ops)/[^/]+\.[cm]?[jt]s\Z", "javascript"),
        (r"(.*/)?(bin|scripts?|deploy|ops)/[^/]+\.py\Z", "python"),
        (r"(.*/)?(bin|scripts?|deploy|ops)/[^/]+\.rb\Z", "ruby"),
    )
)
_INTERPRETERS = {
    "sh": "shell",
    "bash": "shell",
    "dash": "shell",
    "ash": "shell",
    "zsh": "shell",
    "ksh": "shell",
    "php": "php",
    "node": "javascript",
    "python": "python",
    "ruby": "ruby",
}


def kind_of(path: str, start: str = "") -> str | None:
    """How a file of a checkout is read: by its path (with C(/)) and, without a suffix, its first line."""
    name = path.rpartition("/")[2]
    if name in _BY_NAME:
        return _BY_NAME[name]
    for pattern, kind in _BY_PATTERN:
        if pattern.match(path):
            return kind
    if "." in name.lstrip("."):
        return None
    if start.startswith("#!"):
        first = start.splitlines()[0][2:].split()
        words = [word for word in first if not word.startswith("-")]
        if words and program_of(words[0]) == "env":
            words = words[1:]
        program = program_of(words[0]) if words else ""
        return _INTERPRETERS.get(program.rstrip("0123456789."))
    return "shell" if re.match(r"(.*/)?(bin|scripts?)/[^/]+\Z", path) and start else None


def scan_checkout(path: str) -> Scan:
    """Scan what builds, tests, deploys and schedules an application. Links are not followed."""
    if not os.path.exists(path):
        raise DestructiveScanError(f"{path} does not exist")
    if not os.path.isdir(path):
        raise DestructiveScanError(f"{path} is not a directory; give the root of a checkout")
    if not os.access(path, os.R_OK | os.X_OK):
        raise DestructiveScanError(f"{path} may not be read by this user")
    scan = Scan()

    def unreadable(error: OSError) -> None:
        where = os.path.relpath(error.filename or path, path)
        scan.unread.append(Unread(where.replace(os.sep, "/") + "/", error.strerror or "cannot be listed"))

    for folder, folders, names in os.walk(path, onerror=unreadable):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_DIRECTORIES)
        for name in sorted(names):
            full = os.path.join(folder, name)
            relative = os.path.relpath(full, path).replace(os.sep, "/")
            if "." in name.lstrip(".") and kind_of(relative) is None:
                continue
            _scan_file(full, relative, scan)
    return scan


def _scan_file(full: str, relative: str, scan: Scan) -> None:
    try:
        if not stat.S_ISREG(os.lstat(full).st_mode):
            return
        with open(full, "rb") as stream:
            data = stream.read(FILE_LIMIT + 1)
    except OSError as error:
        scan.unread.append(Unread(relative, (error.strerror or "cannot be read").lower()))
        return
    if b"\0" in data[:8192]:
        return
    text = data.decode("utf-8", "replace")
    kind = kind_of(relative, text[:256])
    if kind is None:
        return
    if len(data) > FILE_LIMIT:
        scan.unread.append(Unread(relative, f"larger than {FILE_LIMIT // 1024} KiB"))
        return
    try:
        found = scan_text(text, kind)
    except DestructiveScanError as error:
        scan.unread.append(Unread(relative, str(error)))
        return
    scan.files.append(relative)
    for finding in found:
        (scan.waived if finding.waived else scan.findings).append(FileFinding(relative, finding))
