# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader of the facts from which a change of release is planned. It changes nothing on the host.

The decision is in planning/decide.py, and asks for one fact after the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import write_rights
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room, room_in
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import Unread, decided, known
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Resolved
from ansible_collections.ops.runbook.plugins.module_utils.laravel import (
    health,
    php_fpm,
    probe,
    release_folders,
    settings,
    vendor_store,
)
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations.schema import Schema, SchemaReader
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.decide import decide, name_of
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.facts import Facts, Link, Made, Picture, Wish
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import Mark
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor import in_git, live_key, unwritable
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import LaravelPlan


class ReleasePlanner:
    """Plans a deploy, a rollback, or an adoption."""

    def __init__(self, service: LaravelService, ledger: Answers) -> None:
        self.service, self.ledger = service, ledger
        self.past = ledger.history()
        # The branch that was named; empty for a tag or a commit.
        self.branch = ""

    def plan(self, wish: Wish, head: str) -> LaravelPlan:
        """The plan as the journal keeps it. Raises Problem."""
        plan, facts = self._decided(wish, head, partial(decide, wish, self.service.description, self.past))
        self.branch = facts.resolved.branch if isinstance(facts.resolved, Resolved) else ""
        return plan

    def adopt(self, head: str, set_aside: bool) -> LaravelPlan:
        """The plan that records what runs now as a release. Raises Problem.

        set_aside: a damaged ledger is kept under another name.
        """
        # Imported by who adopts: every import is compiled anew on every host.
        from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.adopt import adopt

        wanted = partial(adopt, self.service.description, self.ledger, self.past, set_aside)
        return self._decided(Wish("adopt", "", ""), head, wanted)[0]

    def _decided(self, wish: Wish, head: str, wanted: Callable[[Facts], LaravelPlan]) -> tuple[LaravelPlan, Facts]:
        with ThreadPoolExecutor(max_workers=2) as pool:
            reader = FactReader(self.service, wish, pool)
            return decided(wanted, Facts(head, self.service.user, self.service.app), reader.read)

    def release_name(self, commit: str) -> str:
        """The name that the ledger or a tag has for a commit; empty where neither has one."""
        facts = Facts(commit, "", "")
        return decided(
            lambda found: name_of(self.past, found, commit),
            facts,
            lambda _facts, _question: {commit: first_tag(self.service, commit)},
        )[0]


def first_tag(service: LaravelService, commit: str) -> str:
    """The first tag at a commit; empty without one."""
    return next(iter(service.checkout.tags_at(commit)), "")


class FactReader:
    """Reads the facts of a plan, each when it is asked for. pool: begins early what takes long."""

    def __init__(self, service: LaravelService, wish: Wish, pool: ThreadPoolExecutor) -> None:
        self.service, self.wish, self._pool = service, wish, pool
        # PHP and sudo take most of the time, and nothing that git reads waits for them.
        self._right = pool.submit(service.must_reload)
        self._idle = pool.submit(health.idle, service)
        self._asked: Future[dict[str, Any]] | None = None
        self._reads: dict[str, Callable[[Facts, Unread], Any]] = {
            "disk": lambda facts, question: self._room_in(service.description.path),
            "resolved": self._resolved,
            "here": self._here,
            "before": self._before,
            "tags": lambda facts, question: {key: first_tag(service, key) for key in question.keys},
            "tracks_env": lambda facts, question: {
                key: bool(service.checkout.files(key, ".env")) for key in question.keys
            },
            "scripts": lambda facts, question: self._scripts(),
            "links": self._links,
            "picture": self._picture,
            "edited": lambda facts, question: tuple(service.checkout.changes()),
            "linked": lambda facts, question: tuple(service.checkout.links("HEAD")),
            "cut_off": lambda facts, question: self._cut_off(),
            "may_reload": lambda facts, question: self._right.result() is None,
            "answer": lambda facts, question: (self._asked or pool.submit(self._ask)).result(),
            "vendor": self._vendor,
            "held": self._held,
            "schema": self._schema,
            "made": self._made,
            "room": self._room,
            "code_room": self._code_room,
            "counts": self._counts,
            "caches": lambda facts, question: settings.read(service),
            "idle": lambda facts, question: tuple(self._idle.result()),
        }
        # The commit of the target, once it is known.
        self.target = ""

    def read(self, facts: Facts, question: Unread) -> Any:
        """One fact of the host; see Facts."""
        return self._reads[question.name](facts, question)

    # -- the target ------------------------------------------------------------------------------

    def _goes_to(self, facts: Facts, commit: str) -> None:
        """Remember the target; the framework boots while git is asked about it."""
        self.target = commit
        if commit != facts.head:
            self._asked = self._pool.submit(self._ask)

    def _resolved(self, facts: Facts, _question: Unread) -> Resolved | Problem:
        try:
            found = self.service.checkout.resolve(self.wish.to, fresh=self.wish.procedure == "deploy")
        except Problem as problem:
            return problem
        self._goes_to(facts, found.commit)
        return found

    def _here(self, facts: Facts, question: Unread) -> dict[str, bool]:
        (commit,) = question.keys
        found = self.service.checkout.has(commit)
        if found:
            self._goes_to(facts, commit)
        return {commit: found}

    def _before(self, _facts: Facts, _question: Unread) -> tuple[str, ...]:
        found = self.service.checkout.run("log", "--oneline", "-n", "5", "HEAD~1", check=False)
        return tuple(found.stdout.splitlines())

    # -- the two releases ------------------------------------------------------------------------

    def _scripts(self) -> tuple[str, ...]:
        manifest = self.service.checkout.show(self.target, "composer.json")
        if manifest is None:
            return ()
        # Read where it is asked for: most plans run no Composer, and every import is compiled anew on every host.
        from ansible_collections.ops.runbook.plugins.module_utils.destructive import scan as destructive

        findings = destructive.scan_composer_scripts(manifest, destructive.COMPOSER_INSTALL_EVENTS)
        return tuple(f"composer.json:{finding.line}: {finding.excerpt}: {finding.rule.why}" for finding in findings)

    def _links(self, facts: Facts, _question: Unread) -> dict[str, Link]:
        found = self.service.checkout.behind_links(facts.head, self.target)
        places = {name: self.service.file(name) for name in found}
        return {name: Link(places[name], os.path.realpath(places[name]), tuple(found[name])) for name in found}

    def _picture(self, facts: Facts, _question: Unread) -> Picture:
        checkout, head = self.service.checkout, facts.head
        way = f"{head}..{self.target}" if self.wish.procedure == "deploy" else f"{self.target}..{head}"
        in_releases = self.service.description.in_releases
        return Picture(
            changes=tuple(checkout.changes()),
            # A release has a folder of its own, so no files are in its way.
            in_the_way=() if in_releases else tuple(checkout.in_the_way(head, self.target)),
            commits=tuple(checkout.text("log", "--oneline", "--no-decorate", "-n", "15", way).splitlines()),
            diffstat=tuple(checkout.text("diff", "--stat=100", head, self.target).splitlines()),
        )

    def _vendor(self, facts: Facts, _question: Unread) -> str:
        """The source of the vendor tree of the target: made, git, same, kept or composer."""
        php = _php(facts)
        if self._mark(php) is not None:
            return "made"
        if in_git(self.service, self.target):
            return "git"
        wanted = vendor_store.key(self.service.checkout.show(self.target, "composer.lock"), php)
        live = live_key(self.service, php)
        if wanted and wanted == live:
            return "same"
        return "kept" if self.service.vendor.has(wanted) else "composer"

    def _mark(self, php: str) -> Mark | None:
        """The mark of the target's release, if it can be served as it is."""
        mark = self.service.store.whole(self.target) if self.service.description.in_releases else None
        return mark if mark is not None and vendor_store.minor(mark.php) == vendor_store.minor(php) else None

    def _made(self, facts: Facts, _question: Unread) -> Made:
        mark = self._mark(_php(facts))
        if mark is None:
            return Made()
        there = self.service.at(self.service.store.folder(self.target))
        there.must_be_whole(there.checkout.head())
        return Made(True, release_folders.same_settings(mark.settings, self.service.settings()))

    # -- the application -------------------------------------------------------------------------

    def _ask(self) -> dict[str, Any]:
        """Ask for the database's migrations and those of the present release, in one PHP process."""
        try:
            return probe.ask(self.service.commands, self.service.description.php, {"migrations": True})
        except probe.ProbeFailed as error:
            return {"failed": str(error)}

    def _schema(self, facts: Facts, _question: Unread) -> Schema:
        reader = SchemaReader(self.service, self.target, known(facts.answer, "answer"))
        return reader.read(self.wish.procedure, self.wish.migrations)

    def _counts(self, facts: Facts, _question: Unread) -> list[Any]:
        lost = known(facts.schema, "schema").undoing.losses
        request = {"count": [{"table": loss.table, "column": loss.column} for loss in lost]}
        answer = probe.ask(self.service.commands, self.service.description.php, request)
        return list(answer.get("counts") or [])

    # -- the host --------------------------------------------------------------------------------

    def _cut_off(self) -> str:
        """The file of php-fpm by which a reload cuts requests off; empty where it lets them end, or can't be read."""
        unit = self.service.description.php_fpm_unit
        found = php_fpm.control_timeout(self.service.commands, unit) if unit else None
        return found.file if found is not None and found.seconds <= 0 else ""

    def _held(self, facts: Facts, _question: Unread) -> tuple[str, ...]:
        """Folders that another user holds.

        Somebody typed `sudo git pull` or `sudo composer install`: git or Composer would fail halfway.
        """
        service = self.service
        if service.description.in_releases:
            folder = os.path.dirname(service.app)
            return () if os.access(folder, os.W_OK | os.X_OK) else (folder,)
        names = [name for _letter, name in service.checkout.changed_names(facts.head, self.target)]
        names += [change[3:] for change in known(facts.picture, "picture").changes]
        held = write_rights.held_folders(service.app, names)
        return (*held, *unwritable(service.vendor.live, facts.vendor in ("composer", "kept")))

    def _room_in(self, *folders: str, size: int = 0, files: int = 0) -> Room:
        """The disk of these folders with the least to spare for what will be made."""
        reserve = self.service.description.disk_reserve
        return min((room_in(folder, size, files, reserve) for folder in folders), key=_spare)

    def _room(self, _facts: Facts, _question: Unread) -> Room:
        service, description = self.service, self.service.description
        if not description.in_releases:
            # Replaced files are kept beside the ledger.
            size, files = release_folders.size_of(service.vendor.live)
            return self._room_in(description.path, service.state_dir, size=size, files=files)
        mark = service.store.mark(service.app)
        size, files = (mark.size, mark.files) if mark else release_folders.size_of(service.app)
        return self._room_in(description.path, size=size, files=files)

    def _code_room(self, facts: Facts, _question: Unread) -> Room:
        description = self.service.description
        size, files = self.service.checkout.size_of_change(facts.head, self.target)
        reserve = description.disk_reserve if self.wish.procedure == "deploy" else 0
        return room_in(description.path, size, files, reserve)


def _spare(room: Room) -> int:
    return room.free_bytes - room.bytes


def _php(facts: Facts) -> str:
    answer: Mapping[str, Any] = known(facts.answer, "answer")
    return str(answer["php"])
