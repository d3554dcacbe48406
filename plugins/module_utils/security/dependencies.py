# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of the audits of composer, npm and pip on a checkout, and proof that they looked up every package.

No exit code is believed. Measured: `npm audit --offline` ends with 0 and "0 vulnerabilities" and has asked nobody.
pip-audit ends with 0 and lists as skipped what it could not look up; composer warns of advisories that it could not
load. An audit is clean only where its report says that all of the locked packages were looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt

CLEAN, VULNERABLE, UNKNOWN = "clean", "vulnerable", "unknown"
SEVERITIES = ("critical", "high", "medium", "low", "unknown")


@dataclass(frozen=True)
class Advisory:
    """One hole of one package. fixed: the versions without it, empty where none is known."""

    package: str
    identifier: str
    severity: str
    title: str
    affected: str = ""
    fixed: str = ""


@dataclass(frozen=True)
class Audit:
    """The result of one tool. packages: how many the lock file has. why: the cause of an unknown result."""

    tool: str
    file: str
    state: str
    packages: int
    advisories: tuple[Advisory, ...] = ()
    notes: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Report:
    """The output of a tool, as its parser read it. looked_up: packages it asked about, None if it does not say."""

    advisories: tuple[Advisory, ...] = ()
    looked_up: int | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tool:
    """A tool: the lock file that calls for it, its arguments, how packages are counted and how its report is read."""

    name: str
    file: str
    arguments: tuple[str, ...]
    count: Callable[[str], int]
    parse: Callable[[Any, str], Report]
    # Exit codes of an audit that was carried out; others are a failure of the tool.
    codes: tuple[int, ...] = (0, 1)
    environment: Mapping[str, str] = field(default_factory=dict)


def severity(text: Any) -> str:
    """A severity by the name that all tools share."""
    found = str(text or "").lower()
    found = {"moderate": "medium", "info": "low", "important": "high"}.get(found, found)
    return found if found in SEVERITIES else "unknown"


def judged(tool: Tool, locked: str, code: int, output: str, errors: str) -> Audit:
    """The verdict on what a tool printed. Pure."""
    try:
        packages = tool.count(locked)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Audit(tool.name, tool.file, UNKNOWN, 0, why=f"{tool.file} can't be read: {error}")
    try:
        body = foreign_json.loads(output)
        report = tool.parse(body, errors)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Audit(tool.name, tool.file, UNKNOWN, packages, why=f"it ended with {code} and no report: {_end(errors)}")
    problems = list(report.problems)
    if code not in tool.codes:
        problems.append(f"it ended with {code}: {_end(errors)}")
    if report.looked_up is not None and report.looked_up < packages:
        problems.append(f"it looked up {report.looked_up} of {packages} packages")
    state = VULNERABLE if report.advisories else UNKNOWN if problems else CLEAN
    return Audit(tool.name, tool.file, state, packages, report.advisories, report.notes, "; ".join(problems))


def _end(errors: str) -> str:
    return excerpt(errors, first=2, last=3, nothing="it said nothing")


# composer


def count_composer(locked: str) -> int:
    body = foreign_json.loads(locked)
    return len(body["packages"]) + len(body.get("packages-dev") or ())


def parse_composer(body: Any, errors: str) -> Report:
    found = [
        Advisory(
            package=str(one.get("packageName") or package),
            identifier=str(one.get("cve") or one.get("advisoryId") or "?"),
            severity=severity(one.get("severity")),
            title=str(one.get("title") or ""),
            affected=str(one.get("affectedVersions") or ""),
        )
        for package, listed in _mapping(body["advisories"]).items()
        for one in (listed.values() if isinstance(listed, Mapping) else listed)
    ]
    ignored = sum(len(listed) for listed in _mapping(body.get("ignored-advisories")).values())
    notes = [f"abandoned: {package}" for package in _mapping(body.get("abandoned"))]
    if ignored:
        notes.append(f"{ignored} advisories are ignored by composer.json")
    doubts = ("could not be fully loaded", "could not be loaded", "network disabled", "COMPOSER_DISABLE_NETWORK")
    problems = [line.strip() for line in errors.splitlines() if any(doubt in line for doubt in doubts)]
    return Report(tuple(found), None, tuple(notes), tuple(problems))


def _mapping(value: Any) -> Mapping[str, Any]:
    """PHP writes an empty mapping as a list."""
    return value if isinstance(value, Mapping) else {}


# npm


def count_npm(locked: str) -> int:
    body = foreign_json.loads(locked)
    entries = _mapping(body.get("packages")) or _mapping(body["dependencies"] if "packages" not in body else {})
    # A link is a package of the checkout itself, and a bundled one comes with another.
    return sum(1 for path, one in entries.items() if path and not one.get("link"))


def parse_npm(body: Any, _errors: str) -> Report:
    if "auditReportVersion" not in body:
        said = body.get("message") or (body.get("error") or {}).get("summary") or "no report"
        return Report(problems=(f"the registry did not answer: {said}",))
    found = [
        Advisory(
            package=str(via.get("name") or name),
            identifier=str(via.get("url") or via.get("source") or "?").rpartition("/")[2],
            severity=severity(via.get("severity")),
            title=str(via.get("title") or ""),
            affected=str(via.get("range") or ""),
            fixed=_npm_fix(one.get("fixAvailable")),
        )
        for name, one in body["vulnerabilities"].items()
        for via in one.get("via") or ()
        # A text names the package that brings the hole in, which has a line of its own.
        if isinstance(via, Mapping)
    ]
    total = int(body["metadata"]["vulnerabilities"]["total"])
    problems = ("it counts holes and names none",) if total and not found else ()
    return Report(tuple(found), None, (), problems)


def _npm_fix(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"{found.get('name')} {found.get('version')}"
    return "npm audit fix" if found else ""


# pip


def count_pip(locked: str) -> int:
    lines = [line.strip() for line in locked.replace("\\\n", " ").splitlines()]
    return sum(1 for line in lines if line and not line.startswith(("#", "-")))


def parse_pip(body: Any, _errors: str) -> Report:
    listed = body["dependencies"]
    found = [
        Advisory(
            package=f"{one['name']} {one.get('version', '')}".strip(),
            identifier=next((name for name in hole.get("aliases") or () if name.startswith("CVE-")), str(hole["id"])),
            severity="unknown",
            title=" ".join(str(hole.get("description") or "").split())[:100],
            fixed=", ".join(hole.get("fix_versions") or ()),
        )
        for one in listed
        for hole in one.get("vulns") or ()
    ]
    skipped = [f"{one['name']} was skipped: {one['skip_reason']}" for one in listed if "skip_reason" in one]
    return Report(tuple(found), len(listed), (), tuple(skipped))


TOOLS = (
    Tool(
        "composer",
        "composer.lock",
        ("audit", "--locked", "--format=json", "--no-interaction", "--no-plugins", "--no-scripts"),
        count_composer,
        parse_composer,
        # Bits: 1 for holes, 2 for abandoned packages.
        codes=(0, 1, 2, 3),
        environment={"COMPOSER_DISABLE_NETWORK": "0", "COMPOSER_ALLOW_SUPERUSER": "1"},
    ),
    Tool(
        "npm",
        "package-lock.json",
        # An .npmrc of the checkout may say offline, or leave kinds of packages out.
        (
            "audit",
            "--json",
            "--package-lock-only",
            "--offline=false",
            "--prefer-offline=false",
            "--include=prod",
            "--include=dev",
            "--include=optional",
            "--include=peer",
        ),
        count_npm,
        parse_npm,
    ),
    Tool(
        "pip-audit",
        "requirements.txt",
        # The packages that the file names are looked up; none is installed, which would run their code.
        (
            "--requirement",
            "requirements.txt",
            "--format",
            "json",
            "--progress-spinner",
            "off",
            "--disable-pip",
            "--no-deps",
        ),
        count_pip,
        parse_pip,
    ),
)


def counted(audits: Sequence[Audit]) -> dict[str, int]:
    """Advisories by their severity, over all tools."""
    found = dict.fromkeys(SEVERITIES, 0)
    for audit in audits:
        for advisory in audit.advisories:
            found[advisory.severity] += 1
    return found
