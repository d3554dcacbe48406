# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps and refusals of a change of release of a Laravel service. Pure: facts in, plan out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.laravel import reload as laravel_reload
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan
from ansible_collections.ops.runbook.plugins.module_utils.migrations.plan import Migrations
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Comparison, Undoing
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import MigrationsRecord
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import LaravelPlan

#: The framework's caches of a release.
CACHES = ["config:cache", "route:cache", "view:cache"]

_DOWN, _UP = "migrate_down:", "migrate_up:"


@dataclass(frozen=True)
class Facts:
    """Facts that were read on the host before a release is switched.

    source and target: {id, name}. transactional: a failed migration leaves nothing behind.
    reload: a unit that must be reloaded, or empty. ups: the SQL of migrations that a deploy would run.
    in_releases: each release has a folder of its own. made: the target's folder is whole. warm: its caches were built
    with the present settings. migrate_here: migrations are run and undone on this host.
    room: what will be made, see Room. realpath_root: the web server passes the real path of the code.
    pending and unasked: see Migrations of migrations/plan.py. elsewhere: see Known of migrations/compare.py.
    reload_commands: run after the switch. settings_changed: the caches were built with another .env.
    doubted: no operation has verified the release that is there, so vendor/, caches and processes may be of another.
    broken: the release that is there does not boot.
    """

    procedure: str
    source: Mapping[str, str]
    target: Mapping[str, str]
    migrations: str
    comparison: Comparison
    undoing: Undoing
    transactional: bool = False
    changes: Sequence[str] = ()
    in_the_way: Sequence[str] = ()
    discard: bool = False
    reload: str = ""
    extra_commands: Sequence[Sequence[str]] = ()
    reload_commands: Sequence[Sequence[str]] = ()
    settings_changed: bool = False
    doubted: bool = False
    broken: bool = False
    row_counts: Mapping[str, str] = field(default_factory=dict)
    ups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    in_releases: bool = False
    made: bool = False
    warm: bool = True
    migrate_here: bool = True
    room: Room | None = None
    realpath_root: bool = False
    pending: Sequence[str] = ()
    unasked: Sequence[str] = ()
    elsewhere: Sequence[str] = ()

    @property
    def anew(self) -> bool:
        """True if the release stays, and what was made for it is made anew."""
        return self.settings_changed or self.doubted or self.broken

    @property
    def schema(self) -> Migrations:
        """The same, as far as migrations are concerned."""
        return Migrations(
            system="laravel",
            procedure=self.procedure,
            mode=self.migrations,
            target=label(self.target),
            typed=self.target["id"][:10],
            comparison=self.comparison,
            undoing=self.undoing,
            here=self.migrate_here,
            ups=self.ups,
            row_counts=self.row_counts,
            pending=self.pending,
            unasked=self.unasked,
        )

    @property
    def runs(self) -> Sequence[str]:
        """Migrations that this operation runs, oldest first."""
        return self.schema.runs

    @property
    def undoes(self) -> Sequence[str]:
        """Migrations that this operation undoes, newest first."""
        return self.schema.undoes


# -- steps ---------------------------------------------------------------------------------------


def steps(facts: Facts) -> list[Step]:
    """The way forward, in the runbook's order, with what the runbook forgets."""
    if facts.source["id"] == facts.target["id"]:
        # Of the release itself nothing is to be done; what an earlier deploy left pending is.
        return [
            *(_made_anew(facts) if facts.anew else []),
            *(_migrate(facts) if facts.runs else []),
        ]
    target = dict(facts.target)
    result: list[Step] = []
    if facts.procedure == "deploy":
        result.append(Step("keep", "keep what a rollback to the present release needs", data={"release": target}))
    return result + (_switched(facts) if facts.in_releases else _in_place(facts))


def undo(facts: Facts) -> list[Step]:
    """The way back to where the operation came from, from any point of the way forward."""
    if facts.source["id"] == facts.target["id"]:
        return _former_caches(facts) if facts.anew else []
    return _switched_back(facts) if facts.in_releases else _in_place_again(facts)


# The release stays, and what was cached of another .env, or made for another release, is made anew.


def _made_anew(facts: Facts) -> list[Step]:
    keep = Step("keep_caches", "keep the present caches for the way back")
    if not facts.in_releases:
        # Steps that build a part of a release which was verified have nothing to build.
        whole = facts.doubted or facts.broken
        made = _code(facts.target)[1:] if whole else []
        return [keep, *made, *_rebuild(facts if whole else replace(facts, extra_commands=()), facts.target)]
    data = {"commands": CACHES, "in": facts.target["id"]}
    caches = Step("caches", f"artisan {', '.join(CACHES)}, with the present .env", data=data)
    vendor = [_vendor(facts.target)] if facts.broken else []
    return [keep, *vendor, caches, _switch(facts.target), *_change_over(facts, facts.target, known=False)]


def _former_caches(facts: Facts) -> list[Step]:
    back = Step("put_back_caches", "put the former caches back", data={"after": "keep_caches"})
    return [back, _restart(facts.source), *_change_over(facts, facts.source, known=False)]


def _restart(release: Mapping[str, str]) -> Step:
    return Step("restart", "artisan queue:restart", data={"commands": ["queue:restart"], "in": release["id"]})


def _migrate_down(facts: Facts) -> list[Step]:
    return [
        Step(
            f"{_DOWN}{name}",
            f"undo migration {name}, from the newer code",
            repeatable=facts.transactional,
            data={"migration": name, "in": facts.source["id"], **migration_plan.cut(facts.transactional)},
        )
        for name in facts.undoes
    ]


def _migrate_up(facts: Facts) -> list[Step]:
    return [
        Step(
            f"{_UP}{name}",
            f"run migration {name} again",
            repeatable=facts.transactional,
            data={
                "migration": name,
                "after": f"{_DOWN}{name}",
                "in": facts.source["id"],
                **migration_plan.cut(facts.transactional),
            },
        )
        for name in reversed(facts.undoes)
    ]


def _migrate(facts: Facts) -> list[Step]:
    if not facts.schema.migrates:
        return []
    # A migration that only the target's migrator can find (a package, a module) is pending too, so it is always run.
    told = not facts.unasked and not facts.elsewhere and facts.comparison.verdict != "unknown"
    surely_none = told and not facts.runs
    amount = (
        f"{len(facts.runs)} pending" if facts.runs else "none pending" if surely_none else "none known to be pending"
    )
    return [
        Step(
            "migrate",
            f"artisan migrate --force ({amount})",
            repeatable=facts.transactional or surely_none,
            data={
                "migrations": list(facts.runs),
                "in": facts.target["id"],
                **migration_plan.cut(facts.transactional or surely_none),
            },
        )
    ]


def _extra(facts: Facts) -> list[Step]:
    return [
        Step(f"extra:{index}", " ".join(command), data={"command": list(command), "in": facts.target["id"]})
        for index, command in enumerate(facts.extra_commands, start=1)
    ]


# In place: the checkout that is served is changed.


def _in_place(facts: Facts) -> list[Step]:
    result: list[Step] = []
    if facts.changes or facts.in_the_way:
        result.append(
            Step(
                "save_changes",
                "save uncommitted changes beside the ledger",
                data={"files": list(facts.in_the_way)},
            )
        )
    result += [*_migrate_down(facts), *_code(facts.target)]
    if facts.schema.migrates:
        # Migrations must not run with the settings of the release before.
        result += [Step("clear", "artisan optimize:clear"), *_migrate(facts)]
    return result + _rebuild(facts, facts.target)


def _in_place_again(facts: Facts) -> list[Step]:
    result = _code(facts.source)
    if facts.undoes:
        result += [Step("clear", "artisan optimize:clear"), *_migrate_up(facts)]
    return result + _rebuild(facts, facts.source)


def _code(release: Mapping[str, str]) -> list[Step]:
    return [
        Step("code", f"git reset --hard {label(release)}", data={"commit": release["id"]}),
        Step("vendor", "bring vendor/ to composer.lock", data={"commit": release["id"]}),
    ]


def _rebuild(facts: Facts, release: Mapping[str, str]) -> list[Step]:
    # Workers under Supervisor or Horizon need the signal as much as one unit, and without any it costs nothing.
    commands = ["optimize:clear", *CACHES, "queue:restart"]
    result = [Step("caches", f"artisan {', '.join(commands)}", data={"commands": commands}), *_extra(facts)]
    result += laravel_reload.steps(facts.reload_commands, release["id"])
    if facts.reload:
        # The runbook leaves this out; with OPcache the old code would go on being served.
        result.append(Step("reload_php", f"reload {facts.reload}", data={"unit": facts.reload}))
    return result


# Releases: the next one is made beside the one that is served, and then a link is switched.


def _switched(facts: Facts) -> list[Step]:
    target = facts.target
    result: list[Step] = []
    if not facts.made:
        result += [
            Step("release", f"check out {label(target)} into a folder of its own", data={"commit": target["id"]}),
            _vendor(target),
        ]
    if not facts.made or not facts.warm:
        result.append(Step("caches", f"artisan {', '.join(CACHES)}", data={"commands": CACHES, "in": target["id"]}))
    if not facts.made:
        result += [*_extra(facts), Step("seal", "mark the release as whole", data={"commit": target["id"]})]
    result += [*_migrate_down(facts), *_migrate(facts), _switch(target)]
    # Files built anew under a name that php-fpm may know already must not be served from its memory; and without a
    # reload now and then OPcache would fill up with releases that nobody serves.
    return result + _change_over(facts, target, known=facts.made and facts.warm and facts.procedure == "rollback")


def _switched_back(facts: Facts) -> list[Step]:
    # The commands of a switch need a release that boots.
    vendor = [_vendor(facts.source, missing_only=True)] if facts.broken else []
    return [*vendor, *_migrate_up(facts), _switch(facts.source), *_change_over(facts, facts.source, known=True)]


def _vendor(release: Mapping[str, str], missing_only: bool = False) -> Step:
    title = "make vendor/ as composer.lock asks for"
    if missing_only:
        return Step("vendor", f"{title}, if it is missing", data={"commit": release["id"], "missing_only": True})
    return Step("vendor", title, data={"commit": release["id"]})


def _switch(release: Mapping[str, str]) -> Step:
    commands = ["cache:clear", "queue:restart"]
    return Step(
        "switch",
        f"switch to {label(release)}; artisan {', '.join(commands)}",
        data={"commit": release["id"], "commands": commands},
    )


def _change_over(facts: Facts, release: Mapping[str, str], known: bool) -> list[Step]:
    """Let what runs take the release up. known: it was served before, and is as it was then."""
    result = laravel_reload.steps(facts.reload_commands, release["id"])
    if not facts.reload:
        return result
    # A path through a link is remembered by each worker of php-fpm for itself (realpath_cache_ttl, 120 s), so asking
    # the site proves nothing about the next answer. The real path is another path with each release.
    stale_only = known and facts.realpath_root
    title = f"reload {facts.reload}" + (", only if it still serves the other release" if stale_only else "")
    return [*result, Step("reload_php", title, data={"unit": facts.reload, "stale_only": stale_only})]


def label(release: Mapping[str, Any] | None) -> str:
    """A release for people: its name and the beginning of its commit."""
    if not release or not release.get("id"):
        return "unknown"
    commit = str(release["id"])[:10]
    return f"{release['name']} ({commit})" if release.get("name") else commit


# -- refusals ------------------------------------------------------------------------------------


def refuse_local_changes(facts: Facts) -> Problem | None:
    """A hard reset would destroy what is not committed."""
    found = [*facts.changes, *(f"?? {name}" for name in facts.in_the_way)]
    if facts.discard:
        return None
    text = f"{len(found)} files on this host differ from {label(facts.source)} and would be lost"
    way = "saves them beside the ledger first (a patch, and copies of untracked files), then discards them"
    return local_changes(found, text, (("discard_local_changes=true", way),))


def local_changes(found: Sequence[str], text: str, ways: tuple[tuple[str, str], ...]) -> Problem | None:
    """The refusal over files that differ from their commit; None without any."""
    if not found:
        return None
    more = (f"... and {len(found) - 40} more",) if len(found) > 40 else ()
    return Problem("local_changes", text, ways, (*found[:40], *more))


def commit_ways(app: str, in_releases: bool, links: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The ways in which a checkout becomes what one commit has. in_releases: its folder is of that commit for good.

    links: folders of the commit that are links on this host, and that git would replace.
    """
    git = f"git -C {shlex.quote(app)}"
    but = [f":(exclude){path}" for path in links]
    discard = (f"{git} checkout HEAD -- {shlex.join(['.', *but])}", "on the host, throws the changes away")
    if in_releases:
        return (
            discard,
            ("laravel_deploy to=<commit or tag>", "serves a release that has the changes, once the repository has it"),
        )
    return (
        (
            # A host has no author of its own.
            f"{git} -c user.name=operator -c user.email=operator@localhost commit -a -m 'As it runs on the host'",
            "on the host, makes what runs a commit",
        ),
        discard,
    )


def refuse_room(facts: Facts) -> Problem | None:
    """A disk that fills up halfway leaves half a release, and stops the service's own writing too."""
    return None if facts.room is None else room_problem(facts.room, facts.target)


def room_problem(room: Room, target: Mapping[str, str]) -> Problem | None:
    """The reason why a disk has no room for a release; None where it has."""
    return disk_room.refuse(
        room,
        label(target),
        (
            (f"df -h {shlex.quote(room.folder)}", "on the host, shows the disk; laravel_status shows what fills it"),
            ("laravel_keep_releases=2", "keeps fewer releases; those beyond are removed by the next deploy"),
            ("laravel_disk_reserve=0", "uses the last of it"),
        ),
    )


def refuse_migrations(facts: Facts) -> Problem | None:
    """The migration verdict, before the code moves."""
    return migration_plan.refuse(facts.schema)


#: Sources of a release's vendor tree, by the forecast of a plan.
_VENDOR = {
    "same": "unchanged, Composer is not needed",
    "kept": "from the tree kept on this host, Composer is not needed",
    "composer": "composer install",
    "git": "a part of the commit, Composer is left alone",
    "made": "a part of the release, which is on this host already",
}


def also(plan: LaravelPlan) -> list[list[Any]]:
    """A plan's own facts for the screen, as titles with their lines: see `also` of a plan."""
    vendor, changes = plan.get("vendor"), plan.get("local_changes")
    return [
        *([["vendor", [_VENDOR[vendor]]]] if vendor else []),
        *(
            [["down", ["the application is in maintenance mode, and stays in it"]]]
            if plan.get("maintenance") and plan["procedure"] != "maintenance"
            else []
        ),
        *([["discards", [f"{len(changes)} changed files, saved beside the ledger first"]]] if changes else []),
    ]


def migrations_record(facts: Facts) -> MigrationsRecord:
    """The record of migrations in the plan and in the ledger."""
    return migration_plan.record(facts.schema)
