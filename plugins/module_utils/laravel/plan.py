# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning a change of release: read on the host, decided by the pure rules, nothing changed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import release_choice, write_rights
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room, room_in
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import CheckoutProblem, Resolved
from ansible_collections.ops.runbook.plugins.module_utils.laravel import (
    health,
    php_fpm,
    probe,
    release_folders,
    reload,
    settings,
    vendor_store,
)
from ansible_collections.ops.runbook.plugins.module_utils.laravel import release as laravel_release
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations import schema as laravel_schema
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations.schema import Schema, SchemaReader
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release import Facts, label
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import Mark
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor import in_git, live_key, unwritable
from ansible_collections.ops.runbook.plugins.module_utils.migrations import verdict


@dataclass(frozen=True)
class Wish:
    """What the operator asked of a release procedure."""

    procedure: str
    to: str
    migrations: str
    discard: bool = False
    migrate_here: bool = True


class ReleasePlanner:
    """Plans a deploy or a rollback."""

    def __init__(self, service: LaravelService, ledger: Answers) -> None:
        self.service = service
        self.past = ledger.history()
        # Why each newer release is not the one that `previous` means.
        self.over: list[str] = []
        # The branch that was named; empty for a tag or a commit.
        self.branch = ""

    def plan(self, wish: Wish, head: str) -> dict[str, Any]:
        """The plan as the journal keeps it. Raises Refused."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            # PHP and sudo take most of the time, and nothing that git reads waits for them.
            right = pool.submit(self.service.must_reload)
            idle = pool.submit(self._idle)
            self._refuse_full_disk(wish)
            target, chosen = self._choose(wish, head)
            source = {"id": head, "name": self.release_name(head)}
            goal = {"id": target.commit, "name": target.name or self.release_name(target.commit)}
            if head == target.commit:
                right.result()
                return self._unchanged(wish, source, chosen)
            # The framework boots while git is asked.
            asked = pool.submit(self._ask)
            self._refuse_unsafe_release(head, goal)
            self._refuse_behind_links(head, goal)
            picture = self._picture(wish, head, target.commit)
            abrupt = self._abrupt_reload()
            right.result()
            answer = asked.result()
        vendor = self._vendor_forecast(target.commit, str(answer["php"]))
        self._refuse_held(head, target.commit, vendor, picture["changes"])
        schema = SchemaReader(self.service, target.commit, answer).read(wish.procedure, wish.migrations)
        facts = self._facts(wish, source, goal, answer, picture, vendor, schema)
        for refusal in (
            laravel_release.refuse_local_changes(facts),
            laravel_release.refuse_room(facts) or self._refuse_code_room(wish, head, goal),
            laravel_release.refuse_migrations(self._counted(facts) if wish.procedure == "rollback" else facts),
        ):
            if refusal is not None:
                raise Refused(refusal)
        if wish.migrations == "down":
            facts = self._counted(facts)
        steps = laravel_release.steps(facts)
        return {
            "procedure": wish.procedure,
            "asked": wish.to,
            "from": source,
            "to": goal,
            "chosen": chosen,
            "proven": target.how,
            "steps": [step.to_dict() for step in steps],
            "undo": [step.to_dict() for step in laravel_release.undo(facts)],
            "migrations": laravel_release.migrations_record(facts),
            "also": [*([["passes over", self.over]] if self.over else []), *schema.also],
            "vendor": vendor,
            "php": str(answer["php"]),
            "transactional": facts.transactional,
            "local_changes": [*facts.changes, *facts.in_the_way],
            "commits": picture["commits"],
            "diffstat": picture["diffstat"],
            "maintenance": bool(answer.get("down")),
            "maintenance_driver": str(answer.get("maintenance_driver") or ""),
            "warnings": [
                *self._warnings(facts, answer, schema),
                *([abrupt] if abrupt and any(step.id == "reload_php" for step in steps) else []),
                *settings.read(self.service).warnings(),
                *self._edited(facts, picture["changes"]),
                *reload.warnings(facts.extra_commands, facts.reload_commands, facts.reload, facts.in_releases),
                *idle.result(),
                *self._low_disk(wish),
            ],
        }

    # -- the surroundings ------------------------------------------------------------------------

    def _idle(self) -> list[str]:
        """What does not run now, whatever the release. The gate passes over it, so that it is no fault of the release.

        A refusal would keep a release away that mends a worker, and a rollback at night.
        """
        return [f"{text}: it was so before, so the gate passes over it" for text in health.idle(self.service)]

    def _refuse_full_disk(self, wish: Wish) -> None:
        """Before a fetch fills the disk to its end. A rollback brings nothing, and frees what it can."""
        description = self.service.description
        room = room_in(description.path, 0, 0, description.disk_reserve)
        refusal = laravel_release.room_problem(room, {"id": wish.to}) if wish.procedure == "deploy" else None
        if refusal is not None:
            raise Refused(refusal)

    def _refuse_code_room(self, wish: Wish, head: str, goal: Mapping[str, str]) -> Refusal | None:
        """In place, what differs between two commits is written anew."""
        description = self.service.description
        if description.in_releases:
            return None
        size, files = self.service.checkout.size_of_change(head, goal["id"])
        reserve = description.disk_reserve if wish.procedure == "deploy" else 0
        return laravel_release.room_problem(room_in(description.path, size, files, reserve), goal)

    def _low_disk(self, wish: Wish) -> list[str]:
        description = self.service.description
        room = room_in(description.path, 0, 0, description.disk_reserve)
        refusal = laravel_release.room_problem(room, {"id": wish.to})
        return [refusal.text] if refusal is not None and wish.procedure != "deploy" else []

    def _refuse_held(self, head: str, target: str, vendor: str, changes: Sequence[str]) -> None:
        """Somebody typed `sudo git pull` or `sudo composer install`: git or Composer would fail halfway."""
        service = self.service
        if service.description.in_releases:
            folder = os.path.dirname(service.app)
            self.service.must_write([] if os.access(folder, os.W_OK | os.X_OK) else [folder], "releases are made there")
            return
        names = [name for _letter, name in service.checkout.changed_names(head, target)]
        names += [change[3:] for change in changes]
        held = write_rights.held_folders(service.app, names)
        held += unwritable(service.vendor.live, vendor in ("composer", "kept"))
        self.service.must_write(held, "the release could not be switched there, nor switched back")

    def _picture(self, wish: Wish, head: str, target: str) -> dict[str, list[str]]:
        """What git says about the way between the two releases."""
        checkout = self.service.checkout
        way = f"{head}..{target}" if wish.procedure == "deploy" else f"{target}..{head}"
        return {
            "changes": checkout.changes(),
            # What is in nobody's way needs no look: a release has a folder of its own.
            "in_the_way": [] if self.service.description.in_releases else checkout.in_the_way(head, target),
            "commits": checkout.text("log", "--oneline", "--no-decorate", "-n", "15", way).splitlines(),
            "diffstat": checkout.text("diff", "--stat=100", head, target).splitlines(),
        }

    # -- the target ------------------------------------------------------------------------------

    def _choose(self, wish: Wish, head: str) -> tuple[Resolved, str]:
        if wish.to == "previous":
            return self._previous(head)
        try:
            found = self.service.checkout.resolve(wish.to, fresh=wish.procedure == "deploy")
        except CheckoutProblem as problem:
            raise Refused(Refusal(problem.code, str(problem), problem.ways, problem.details)) from problem
        self.branch = found.branch
        return found, f"to={wish.to}: {found.how}"

    def _previous(self, head: str) -> tuple[Resolved, str]:
        try:
            release = release_choice.previous(self.past, head)
        except release_choice.NoRelease as none:
            ways: tuple[tuple[str, str], ...] = (("to=<commit or tag>", "names the release to go to"),)
            if none.code in ("no_ledger", "drift"):
                ways += (("laravel_adopt", "records the present state, if it is good, as a release"),)
            raise Refused(Refusal(none.code, str(none), ways, (*none.details, *self._recent()))) from none
        if not self.service.checkout.has(release.id):
            raise Refused(
                Refusal(
                    "release_gone",
                    f"the previous release {release.id[:10]} is no longer in this checkout",
                    (("to=<commit or tag>", "names another release"),),
                )
            )
        self.over = release_choice.passed_over(self.past, head, release)
        chosen = f"previous: the newest good release before {head[:10]}, from operation {release.operation}"
        return Resolved(release.id, release.name, "commit, present on this host"), chosen

    def _recent(self) -> list[str]:
        log = self.service.checkout.run("log", "--oneline", "-n", "5", "HEAD~1", check=False).stdout.splitlines()
        return ["the commits before this one:", *log] if log else []

    def release_name(self, commit: str) -> str:
        recorded = self.past.find(commit)
        if recorded and recorded.name:
            return recorded.name
        tags = self.service.checkout.tags_at(commit)
        return tags[0] if tags else ""

    def _unchanged(self, wish: Wish, source: dict[str, str], chosen: str) -> dict[str, Any]:
        """The release runs already.

        A deploy to it builds the caches anew where .env was edited since, and runs migrations that were left pending.
        """
        answer = self._ask()
        waiting = laravel_schema.pending(answer) if wish.procedure == "deploy" else ()
        schema = Schema(verdict.Comparison("same"), verdict.Undoing((), {}, {}, ()))
        if waiting:
            schema = SchemaReader(self.service, source["id"], answer).read(wish.procedure, wish.migrations)
            schema = replace(schema, comparison=replace(schema.comparison, verdict="behind", behind=waiting))
        description, caches = self.service.description, settings.read(self.service)
        facts = Facts(
            procedure=wish.procedure,
            source=source,
            target=source,
            migrations=wish.migrations,
            comparison=schema.comparison,
            undoing=schema.undoing,
            transactional=schema.transactional,
            ups={name: up.get("sql") or [] for name, up in schema.ups.items()},
            pending=schema.pending,
            migrate_here=wish.migrate_here,
            reload=description.php_fpm_unit,
            reload_commands=description.reload_commands,
            in_releases=description.in_releases,
            realpath_root=description.realpath_root,
            settings_changed=wish.procedure == "deploy" and caches.outdated,
        )
        steps = laravel_release.steps(facts)
        return {
            "procedure": wish.procedure,
            "asked": wish.to,
            "from": source,
            "to": source,
            "chosen": chosen,
            "proven": "it is the release that runs now",
            "steps": [step.to_dict() for step in steps],
            "undo": [step.to_dict() for step in laravel_release.undo(facts)],
            "migrations": laravel_release.migrations_record(facts) if waiting else None,
            "php": str(answer["php"]),
            "transactional": facts.transactional,
            "also": schema.also,
            "maintenance": bool(answer.get("down")),
            "maintenance_driver": str(answer.get("maintenance_driver") or ""),
            "warnings": [
                *(["the config cache is older than .env: the caches are built anew"] if facts.settings_changed else []),
                *caches.warnings(),
                *laravel_schema.warnings(schema, label(source)),
            ],
        }

    def _refuse_unsafe_release(self, head: str, goal: dict[str, str]) -> None:
        checkout = self.service.checkout
        for commit in (head, goal["id"]):
            if checkout.files(commit, ".env"):
                raise Refused(
                    Refusal(
                        "env_tracked",
                        f"commit {commit[:10]} tracks a file .env: switching would overwrite or remove "
                        "the settings of this host",
                        (
                            (
                                "to=<another release>",
                                "without .env; remove it from the repository: git rm --cached .env",
                            ),
                        ),
                    )
                )
        manifest = checkout.show(goal["id"], "composer.json")
        if manifest is None or self.service.description.data_disposable:
            return
        # Read where it is asked for: most plans run no Composer, and every import is compiled anew on every host.
        from ansible_collections.ops.runbook.plugins.module_utils.destructive import scan as destructive

        # A waiver says that a check may pass over a line; Composer would still run it here.
        findings = destructive.scan_composer_scripts(manifest, destructive.COMPOSER_INSTALL_EVENTS)
        if findings:
            raise Refused(
                Refusal(
                    "destructive_scripts",
                    f"composer.json of {label(goal)} runs commands that destroy data",
                    (
                        ("to=<another release>", "without them"),
                        (
                            "the variable laravel_data_disposable: true",
                            "in the inventory, for a service whose data may be lost",
                        ),
                    ),
                    tuple(
                        f"composer.json:{finding.line}: {finding.excerpt}: {finding.rule.why}" for finding in findings
                    ),
                )
            )

    def _refuse_behind_links(self, head: str, goal: dict[str, str]) -> None:
        """A link in the checkout stays; a release with other files behind it would not be brought whole."""
        if self.service.description.in_releases:
            return
        for link, files in self.service.checkout.behind_links(head, goal["id"]).items():
            place = self.service.file(link)
            lies = os.path.realpath(place)
            here, there = shlex.quote(place), shlex.quote(lies)
            mount = f"rm {here} && mkdir {here} && mount --bind {there} {here}"
            raise Refused(
                Refusal(
                    "behind_link",
                    f"{place} is a link to {lies}, and {len(files)} files of {label(goal)} below it differ from those "
                    "of the present release: git would replace the link, and what lies there would be out of sight",
                    (
                        (f"sudo sh -c {shlex.quote(mount)}", "on the host, puts a mount in the place of the link"),
                        (
                            f"git rm -r --cached {shlex.quote(link)}",
                            "in the repository, where its files are data of a host",
                        ),
                    ),
                    tuple(files[:40]),
                )
            )

    # -- migrations ------------------------------------------------------------------------------

    def _ask(self) -> dict[str, Any]:
        """One PHP process: where the database stands, and what the present release brings."""
        try:
            return probe.ask(self.service.commands, self.service.description.php, {"migrations": True})
        except probe.ProbeFailed as error:
            raise Refused(
                Refusal(
                    "php_failed",
                    f"{' '.join(self.service.description.php)} can't be used: {error}",
                    (("laravel_php=<path>", "names the php of this service"),),
                )
            ) from error

    def _facts(
        self,
        wish: Wish,
        source: dict[str, str],
        goal: dict[str, str],
        answer: Mapping[str, Any],
        picture: Mapping[str, list[str]],
        vendor: str,
        schema: Schema,
    ) -> Facts:
        description = self.service.description
        mark = self._made(goal["id"], str(answer["php"]))
        return Facts(
            procedure=wish.procedure,
            source=source,
            target=goal,
            migrations=wish.migrations,
            comparison=schema.comparison,
            undoing=schema.undoing,
            transactional=schema.transactional,
            # A release that is left keeps what was edited in it.
            changes=[] if description.in_releases else picture["changes"],
            in_the_way=picture["in_the_way"],
            discard=wish.discard,
            reload=description.php_fpm_unit,
            extra_commands=description.extra_commands,
            reload_commands=description.reload_commands,
            ups={name: up.get("sql") or [] for name, up in schema.ups.items()},
            pending=schema.pending,
            unasked=schema.unasked,
            elsewhere=schema.elsewhere,
            in_releases=description.in_releases,
            made=mark is not None,
            warm=mark is not None and release_folders.same_settings(mark.settings, self.service.settings()),
            migrate_here=wish.migrate_here,
            room=self._room(vendor),
            realpath_root=description.realpath_root,
        )

    def _made(self, commit: str, php: str) -> Mark | None:
        """The mark of the target's release, if it can be served as it is."""
        mark = self.service.store.whole(commit) if self.service.description.in_releases else None
        return mark if mark is not None and vendor_store.minor(mark.php) == vendor_store.minor(php) else None

    def _room(self, vendor: str) -> Room | None:
        """The disk that what is about to be made needs; None where nothing is made."""
        service, description = self.service, self.service.description
        if vendor == "made" or (vendor != "composer" and not description.in_releases):
            return None
        folders: tuple[str, ...] = (description.path,)
        if not description.in_releases:
            # What is replaced is kept beside the ledger.
            size, files = release_folders.size_of(service.vendor.live)
            folders = (description.path, service.state_dir)
        else:
            mark = service.store.mark(service.app)
            size, files = (mark.size, mark.files) if mark else release_folders.size_of(service.app)
        return min((room_in(folder, size, files, description.disk_reserve) for folder in folders), key=_spare)

    def _abrupt_reload(self) -> str:
        """Why a reload of php-fpm would cut off requests; empty where it lets them end, or that can't be told."""
        unit = self.service.description.php_fpm_unit
        found = php_fpm.control_timeout(self.service.commands, unit) if unit else None
        if found is None or found.seconds > 0:
            return ""
        return (
            f"requests in flight are cut off when {unit} reloads: process_control_timeout is 0 in {found.file}; "
            "10s lets them end"
        )

    def _edited(self, facts: Facts, changes: Sequence[str]) -> list[str]:
        if not facts.in_releases or not changes:
            return []
        names = ", ".join(change[3:] for change in changes[:5]) + (", ..." if len(changes) > 5 else "")
        return [
            f"{len(changes)} files of the present release were edited on this host ({names}): "
            f"they stay in {self.service.app}, and {label(facts.target)} has none of it"
        ]

    def _counted(self, facts: Facts) -> Facts:
        """Say how many rows each loss concerns; what can't be counted is left out."""
        lost = facts.undoing.losses
        if not lost or facts.undoing.irreversible:
            return facts
        request = {"count": [{"table": loss.table, "column": loss.column} for loss in lost]}
        answer = probe.ask(self.service.commands, self.service.description.php, request)
        counts: dict[str, str] = {}
        for loss, count in zip(lost, answer.get("counts") or []):
            if isinstance(count, int):
                counts[loss.text] = "more than 10000 rows" if count > 10000 else f"{count} rows"
        return replace(facts, row_counts=counts)

    # -- the rest of the picture -----------------------------------------------------------------

    def _vendor_key(self, commit: str, php: str) -> str:
        return vendor_store.key(self.service.checkout.show(commit, "composer.lock"), php)

    def _vendor_forecast(self, target: str, php: str) -> str:
        """made, git, same, kept or composer: where the target's vendor tree will come from."""
        if self._made(target, php) is not None:
            return "made"
        if in_git(self.service, target):
            return "git"
        wanted = self._vendor_key(target, php)
        live = live_key(self.service, php)
        if wanted and wanted == live:
            return "same"
        return "kept" if self.service.vendor.has(wanted) else "composer"

    def _warnings(self, facts: Facts, answer: Mapping[str, Any], schema: Schema) -> list[str]:
        warnings: list[str] = []
        if not self.past.order:
            warnings.append(
                "this host has no ledger yet: the release it runs was never verified here; "
                "run laravel_adopt first, so that `previous` can go back to it"
            )
        elif self.past.left is not None and self.past.left != facts.source["id"]:
            warnings.append(
                f"the ledger left this host at {self.past.left[:10]}, but it is at {facts.source['id'][:10]}"
            )
        recorded = self.past.find(facts.target["id"])
        if recorded is not None and not recorded.good:
            warnings.append(f"{label(facts.target)} is not a good release: {recorded.why}")
        if laravel_schema.unbooted(answer):
            warnings.append(laravel_schema.unbooted(answer))
        warnings += laravel_schema.warnings(schema, label(facts.source))
        if answer.get("debug") and answer.get("environment") == "production":
            warnings.append("APP_DEBUG is on in production: errors show secrets to visitors")
        return warnings


def _spare(room: Room) -> int:
    return room.free_bytes - room.bytes
