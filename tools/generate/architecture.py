"""Writes the picture of docs/develop/architecture.md: the packages by floors, and what each package imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.floors import described, floors
from tools.generate.marks import between
from tools.generate.service_options import ROOT

RULES = ROOT / "plugins/module_utils"
PREFIX = "ansible_collections.ops.runbook.plugins.module_utils."
PAGE = ROOT / "docs/develop/architecture.md"

#: The purpose of each package of the core. A system has its own in the meta/system.yml of its role.
CORE = {
    "secrets": "finds and masks secrets, by value, by name and by shape",
    "text": "text from outside: bounded, shortened, read as JSON, made fit for a screen; how a way forward is written",
    "destructive": "which commands destroy data, in which kinds of files",
    "host": "a process on a machine: commands, files that survive a power cut, folders of others, git, systemd, time",
    "health": "asks an endpoint, judges the answer, waits for it; what a failure is about; rows of a status",
    "docker": "references of images, the engine's socket, a registry and its logins",
    "desired_state": "what a thing is to be, the acts that make it so, read back; the end of the modules that do this",
    "guard": "lease, journal, ledger, refusals; opens, plans and carries out an operation; finds the previous release",
    "migrations": "which migrations a database has beyond the code or lacks, and what going back may do about them",
    "hotfix": "the merges that are due for a hotfix that went live from its own branch",
    "backup": "manifest, store, sealing, retention, proof of a dump",
    "sshd": "which keys let whom in, read as sshd reads them",
    "console": "the controller's side of a run: decisions over all hosts, inputs, the catalogue of procedures, screens",
    "ssh_keys": "the rotation of the key that CI deploys with",
    "security": "known holes of dependencies, open advisories, the weekly verdict",
    "awx": "job templates, surveys and schedules of AWX",
}


def arrows() -> dict[str, set[str]]:
    """The packages that each package imports."""
    found: dict[str, set[str]] = {}
    for path in RULES.rglob("*.py"):
        package = path.relative_to(RULES).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
                found.setdefault(package, set()).add((node.module or "").removeprefix(PREFIX).partition(".")[0])
    return {package: others - {package} for package, others in found.items()}


def picture() -> Iterator[str]:
    """The table between the marks of the page."""
    found, order, titles = arrows(), [name for floor in floors() for name in floor], {**CORE, **described()}
    yield from ["| floor | package | what it is for | imports |", "|---|---|---|---|"]
    for number, floor in zip(range(len(floors()), 0, -1), floors()):
        for name in floor:
            needs = ", ".join(one for one in order if one in found.get(name, ()))
            yield f"| {number} | `{name}` | {titles[name]} | {needs or '-'} |"


def files() -> Iterator[tuple[Path, str]]:
    """The page, with the picture as the code is now."""
    marks = "<!-- the packages: written by `make generate` -->", "<!-- the end of the packages -->"
    yield PAGE, between(*marks, picture(), PAGE.read_text(encoding="utf-8"))
