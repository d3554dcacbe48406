# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads on the host what a plan has to know about the migrations of a Laravel application."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host import load
from ansible_collections.ops.runbook.plugins.module_utils.laravel import vendor_store
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations import compare, trial
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations.compare import (
    Commit,
    Known,
    Present,
    Target,
)
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor import live_key
from ansible_collections.ops.runbook.plugins.module_utils.migrations import verdict
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Comparison, Undoing

#: Seconds in which all migrations of a plan are tried; what is left then is named as not tried.
_ALL_SECONDS = 60.0


@dataclass(frozen=True)
class Schema:
    """Migrations as found. ups: the result of trying each migration of a deploy, by name, see trial.py.

    pending: migrations of the present release that the database lacks. unasked: questions without an answer, as
    sentences.
    ran: the methods that were run to see their SQL. elsewhere: see Known of compare.py.
    """

    comparison: Comparison
    undoing: Undoing
    ups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    transactional: bool = False
    ran: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def also(self) -> list[list[Any]]:
        """Code of a release that this plan has run: a person who may plan has run it, with these rights."""
        if not self.ran:
            return []
        text = "without their queries, with the rights of this user and the settings in .env"
        return [["plan ran", [f"{', '.join(self.ran)}: {text}"]]]


def unbooted(answer: Mapping[str, Any]) -> str:
    """Why the framework said nothing: it does not boot, or not in time; empty where it did."""
    if answer.get("boot_error"):
        return f"the present release does not boot: {answer['boot_error']}"
    return f"the present release could not be asked: {answer['unanswered']}" if answer.get("unanswered") else ""


def pending(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """Migrations of the release that was asked, which its database lacks; by what its own migrator names."""
    database = answer.get("database") or {}
    if unbooted(answer) or database.get("applied") is None:
        return ()
    return tuple(sorted(set(database.get("files") or {}) - set(database["applied"])))


def warnings(schema: Schema, source: str) -> list[str]:
    """Warnings about the migrations before they run. source: the present release, for people."""
    found = []
    for name, up in schema.ups.items():
        if up["kind"] == "error":
            found.append(f"migration {name} fails when it is only tried: {up['error']}")
        if up["kind"] == "untried":
            found.append(f"migration {name} was not tried, so its SQL is not known: {up['error']}")
        for loss in verdict.losses(up.get("sql") or ()):
            found.append(f"migration {name} destroys {loss.text}: going back to {source} can't restore it")
    for name, why in schema.undoing.untried.items():
        found.append(f"down() of migration {name} was not tried, so what it destroys is not known: {why}")
    return found


class SchemaReader:
    """Reads the schema positions of one plan. deploy: whether what the target brings would be run."""

    def __init__(self, service: LaravelService, target: str, answer: Mapping[str, Any]) -> None:
        self.service, self.target, self.answer = service, target, answer
        self.database: Mapping[str, Any] = answer.get("database") or {}
        self.php = str(answer["php"])
        self._tree = self._vendor_tree()

    def read(self, procedure: str, mode: str) -> Schema:
        """Everything, with each migration tried that would be run or undone."""
        known = self._known()
        comparison = verdict.compare(known.position)
        why = unbooted(self.answer)
        downs: dict[str, Mapping[str, Any]] = {}
        ups: dict[str, Mapping[str, Any]] = {}
        if procedure == "rollback" and why:
            downs = {name: {"kind": "error", "error": why} for name in comparison.ahead}
        elif procedure == "rollback":
            files = self.database.get("files") or {}
            downs = self._tried({name: self._file(files[name]) for name in comparison.ahead if name in files}, "down")
        elif mode != "skip" and why:
            ups = {name: {"kind": "untried", "error": why} for name in comparison.behind}
        elif mode != "skip":
            ups = self._ups(comparison, known)
        return Schema(
            comparison=comparison,
            undoing=verdict.undoing(comparison, downs),
            ups=ups,
            pending=pending(self.answer),
            unasked=(*([f"{why}: of its packages and modules only files are known"] if why else ()), *known.unasked),
            transactional=bool(self.database.get("transactional")),
            elsewhere=known.elsewhere,
            ran=tuple(
                f"{method}() of {name}"
                for method, found in (("up", ups), ("down", downs))
                for name, one in found.items()
                if one.get("ran")
            ),
        )

    # -- which migrations -------------------------------------------------------------------------

    def _known(self) -> Known:
        service, applied = self.service, self.database.get("applied")
        head = self._commit("HEAD")
        booted = not unbooted(self.answer)
        files: dict[str, str] = dict(self.database.get("files") or {})
        folders: list[str] = list(self.database.get("folders") or [compare.FOLDER])
        searched = True
        if not booted:
            files, searched = self._search(head, applied or ())
            folders += [os.path.dirname(path) for path in files.values()]
        present = Present(
            commit=head,
            files=files,
            folders=folders,
            booted=booted,
            searched=searched,
            in_place=not service.description.in_releases,
        )
        target = Target(self._commit(self.target), self._below if self._tree else None)
        return compare.known(applied, service.redact(str(self.database.get("error", ""))), present, target)

    def _commit(self, commit: str) -> Commit:
        checkout = self.service.checkout
        files, submodules = compare.listed(checkout.tree(commit))
        return Commit(files, submodules, checkout.show(commit, "composer.lock"))

    def _search(self, head: Commit, applied: Sequence[str]) -> tuple[dict[str, str], bool]:
        """The files of a release that does not boot: its own folder's, and those of what the database has, by name."""
        found = {}
        for name in compare.in_working_tree(self.service.app):
            found[name] = f"{compare.FOLDER}/{name}.php"
        wanted = {f"{name}.php": name for name in applied if name not in found}
        for path in sorted(head.files):
            if os.path.basename(path) in wanted:
                found.setdefault(wanted[os.path.basename(path)], path)
        vendor = self.service.file("vendor")
        for path in _files_below(vendor) if wanted else ():
            if os.path.basename(path) in wanted:
                found.setdefault(wanted[os.path.basename(path)], f"vendor/{path}")
        return found, os.path.isdir(vendor)

    def _vendor_tree(self) -> str:
        """The vendor tree of the target, where it is on this host; empty where it is not, or is the live one."""
        service, store = self.service, self.service.store
        lock = service.checkout.show(self.target, "composer.lock")
        wanted = vendor_store.key(lock, self.php)
        if service.description.in_releases and store.whole(self.target) is not None:
            return os.path.join(store.folder(self.target), "vendor")
        if not wanted or wanted == live_key(service, self.php):
            return ""
        return service.vendor.tree(wanted)

    def _below(self, folder: str) -> list[str]:
        """The files below a folder of the target's vendor tree, as paths of the application."""
        inside = folder.partition("/")[2]
        return [os.path.normpath(f"{folder}/{path}") for path in _files_below(os.path.join(self._tree, inside))]

    # -- what they do -----------------------------------------------------------------------------

    def _file(self, path: str) -> str:
        return os.path.join(self.service.app, path)

    def _ups(self, comparison: Comparison, known: Known) -> dict[str, Mapping[str, Any]]:
        """Each migration that the target brings, tried with the present application around it."""
        with tempfile.TemporaryDirectory(prefix="ops-runbook-") as scratch:
            files: dict[str, str] = {}
            for name in comparison.behind:
                where, path = known.places.get(name, ("", ""))
                if where == "git":
                    files[name] = os.path.join(scratch, f"{name}.php")
                    with open(files[name], "w", encoding="utf-8") as handle:
                        handle.write(self.service.checkout.show(self.target, path) or "<?php")
                elif where == "vendor":
                    files[name] = os.path.join(self._tree, path.partition("/")[2])
                elif where:
                    files[name] = self._file(path)
            return self._tried(files, "up")

    def _tried(self, files: Mapping[str, str], method: str) -> dict[str, Mapping[str, Any]]:
        service, limit = self.service, _ALL_SECONDS * load.busy()
        ends = time.monotonic() + limit

        def attempt(file: str) -> Mapping[str, Any]:
            left = ends - time.monotonic()
            if left <= 1:
                return {"kind": "untried", "sql": [], "error": f"the {limit:.0f} s for all of them were over"}
            return trial.attempt(service.commands, service.description.php, file, method, left)

        # Each has a PHP process of its own, and a small host has two cores.
        with ThreadPoolExecutor(max_workers=2) as pool:
            return dict(zip(files, pool.map(attempt, files.values())))


def _files_below(folder: str) -> list[str]:
    """Files with the ending .php, relative to the folder; links are not followed."""
    found: list[str] = []
    for place, _, names in os.walk(folder):
        inside = os.path.relpath(place, folder)
        found += [name if inside == "." else f"{inside}/{name}" for name in names if name.endswith(".php")]
    return sorted(found)
