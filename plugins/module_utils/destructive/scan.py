# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that decides which commands destroy data.

C(argv_problem) judges a command that is about to run. C(scan_text), C(scan_composer_scripts) and
C(scan_checkout) look for such commands in the files of a repository. A line of a file that is
certainly a comment, documentation or an echo is not a finding; an uncertain one is, and a person waives it with the
comment C(ops-runbook: disposable) on the line or on a comment line directly above.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.ops.runbook.plugins.module_utils.destructive.code import LANGUAGES, code_findings
from ansible_collections.ops.runbook.plugins.module_utils.destructive.commands import argv_problem, script_findings
from ansible_collections.ops.runbook.plugins.module_utils.destructive.formats import (
    batch_lines,
    blade_lines,
    dockerfile_lines,
    justfile_lines,
    makefile_lines,
    powershell_lines,
    procfile_lines,
    text_lines,
    toml_lines,
    unit_lines,
)
from ansible_collections.ops.runbook.plugins.module_utils.destructive.json_files import (
    JSON_KINDS,
    NotJson,
    json_findings,
    json_object,
    reached,
)
from ansible_collections.ops.runbook.plugins.module_utils.destructive.kinds import (
    SKIPPED_DIRECTORIES,
    ending_of,
    is_application,
    is_of_tests,
    kind_of,
)
from ansible_collections.ops.runbook.plugins.module_utils.destructive.pipeline import Jobs, is_pipeline
from ansible_collections.ops.runbook.plugins.module_utils.destructive.rules import RULES, Rule
from ansible_collections.ops.runbook.plugins.module_utils.destructive.words import HINT
from ansible_collections.ops.runbook.plugins.module_utils.destructive.yaml_files import tree, yaml_lines
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import mask_named
from ansible_collections.ops.runbook.plugins.module_utils.text.bounded import cut_line
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

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

FILE_LIMIT = 1024 * 1024
#: Events that `composer install` runs by itself, in its order.
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
    """A checkout that cannot be scanned."""


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
            "file": shown(self.file),
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
        return {"file": shown(self.file), "why": shown(self.why)}


@dataclass(frozen=True)
class Scan:
    """Findings of a checkout. Clean: files were read, nothing was found, and nothing was left unread.

    kinds: how many files of each kind were read. left_out: how many files of each ending were not read, because they
    hold no commands (documentation, pictures, locks), or because their form is not known.
    """

    files: list[str] = field(default_factory=list)
    findings: list[FileFinding] = field(default_factory=list)
    waived: list[FileFinding] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return bool(self.files) and not self.findings and not self.unread


_SCANNERS: dict[str, Callable[[str], Iterator[tuple[int, str]]]] = {
    "shell": lambda text: script_findings(text, 1, 0),
    "dockerfile": dockerfile_lines,
    "makefile": makefile_lines,
    "justfile": justfile_lines,
    "procfile": procfile_lines,
    "unit": unit_lines,
    "blade": blade_lines,
    "toml": toml_lines,
    "batch": batch_lines,
    "powershell": powershell_lines,
    "text": text_lines,
}
KINDS = ("shell", "yaml", *(kind for kind in _SCANNERS if kind != "shell"), *LANGUAGES, *JSON_KINDS)


def scan_text(text: str, kind: str, path: str = "") -> list[Finding]:
    """The destructive commands of a text, by line. C(kind) is one of C(KINDS), C(path) its place in the checkout."""
    if kind in JSON_KINDS:
        return _scan_json(text, kind)
    if kind not in KINDS:
        raise DestructiveScanError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = plain.split("\n")
    found = sorted(set(_lines_found(plain, lines, kind, path)))
    return [
        Finding(line, RULES[rule], excerpt_of(_line_at(lines, line)), waived=_waived(lines, line))
        for line, rule in found
    ]


def _lines_found(text: str, lines: Sequence[str], kind: str, path: str) -> Iterator[tuple[int, str]]:
    if kind == "yaml":
        root = tree(lines)
        jobs = Jobs(root, lines) if is_pipeline(root) else None
        for line, rule in yaml_lines(root):
            if jobs is None or not jobs.have_own_data(line, rule):
                yield line, rule
    elif kind in LANGUAGES:
        yield from code_findings(text, kind, is_application(path))
    else:
        yield from _SCANNERS[kind](text)


def _line_at(lines: Sequence[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""


_COMMENT_LINE = re.compile(r"\s*(#|//|/\*|\*|\{\{--|--|;|<!--|::|rem\b)", re.I)


def _waived(lines: Sequence[str], number: int) -> bool:
    """True if the line, or a comment line above, waives it. A waiver beside a command is only that command's."""
    above = _line_at(lines, number - 1)
    return _says_waiver(_line_at(lines, number)) or (bool(_COMMENT_LINE.match(above)) and _says_waiver(above))


def _says_waiver(line: str) -> bool:
    return re.search(r"(#|//|/\*|\*|\{\{--|--|;|::|\brem)\s*ops-runbook:\s*disposable\b", line, re.I) is not None


def excerpt_of(line: str) -> str:
    """One line, short, with passwords masked."""
    line = cut_line(line)
    text = mask_named(" ".join(shown(line).split()))
    return text if len(text) <= 160 else text[:157] + "..."


def scan_composer_scripts(composer_json_text: str, events: Sequence[str] | None = None) -> list[Finding]:
    """The destructive commands among the scripts of a composer.json.

    With C(events) (for example C(COMPOSER_INSTALL_EVENTS)) only scripts that these events reach, directly or
    through C(@name). Raises DestructiveScanError if the text is not a composer.json.
    """
    findings = _scan_json(composer_json_text, "composer")
    if events is None:
        return findings
    scripts = json_object(composer_json_text).get("scripts")
    names = reached(scripts if isinstance(scripts, dict) else {}, events)
    return [finding for finding in findings if finding.where in names]


def _scan_json(text: str, kind: str) -> list[Finding]:
    try:
        return [
            Finding(found.line, RULES[found.rule], excerpt_of(found.command), found.waived, shown(found.where))
            for found in json_findings(text, kind)
        ]
    except NotJson as error:
        raise DestructiveScanError(str(error)) from None


def scan_checkout(path: str) -> Scan:
    """Scan the files that build, test, deploy and schedule an application. Links are not followed."""
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
            if is_of_tests(relative) or "." in name.lstrip(".") and kind_of(relative) is None:
                _leave_out(scan, relative)
                continue
            _scan_file(full, relative, scan)
    return scan


def _leave_out(scan: Scan, relative: str) -> None:
    ending = shown(ending_of(relative))
    scan.left_out[ending] = scan.left_out.get(ending, 0) + 1


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
        _leave_out(scan, relative)
        return
    text = data.decode("utf-8", "replace")
    kind = kind_of(relative, text[:256])
    if kind is None:
        _leave_out(scan, relative)
        return
    if len(data) > FILE_LIMIT:
        _too_large(scan, relative, kind)
        return
    try:
        found = scan_text(text, kind, relative) if HINT.search(text) or kind in JSON_KINDS[:3] else []
    except DestructiveScanError as error:
        if kind == "json":
            _leave_out(scan, relative)
        else:
            scan.unread.append(Unread(relative, str(error)))
        return
    scan.files.append(relative)
    scan.kinds[kind] = scan.kinds.get(kind, 0) + 1
    for finding in found:
        (scan.waived if finding.waived else scan.findings).append(FileFinding(relative, finding))


def _too_large(scan: Scan, relative: str, kind: str) -> None:
    """Note a deployment file that is too large to read. Skip a large program or document: it is data or generated."""
    if kind in ("json", "text") or kind in LANGUAGES and is_application(relative):
        _leave_out(scan, relative)
    else:
        scan.unread.append(Unread(relative, f"larger than {FILE_LIMIT // 1024} KiB"))
