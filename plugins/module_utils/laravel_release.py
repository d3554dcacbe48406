# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to a Laravel service, in which order, and when it is refused. Pure: facts in, plan out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.migration_verdict import Comparison, Undoing
from ansible_collections.ops.runbook.plugins.module_utils.opening import Refusal

#: Allowed values of the operator input `migrations`, by procedure; the first is the default.
MIGRATIONS = {"rollback": ("refuse", "keep", "down"), "deploy": ("run", "skip", "keep")}

#: What the framework caches of a release.
CACHES = ["config:cache", "route:cache", "view:cache"]

_DOWN, _UP = "migrate_down:", "migrate_up:"


@dataclass(frozen=True)
class Facts:
    """What was read on the host before a release is switched.

    source and target: {id, name}. transactional: a failed migration leaves nothing behind.
    reload: a unit that must be reloaded, or empty. ups: the SQL of migrations that a deploy would run.
    in_releases: each release has a folder of its own. made: the target's folder is whole. warm: its caches were built
    with the present settings. migrate_here: migrations are run and undone on this host.
    room: what will be made, see Room. realpath_root: the web server passes the real path of the code.
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
    queue_restart: bool = True
    extra_commands: Sequence[Sequence[str]] = ()
    row_counts: Mapping[str, str] = field(default_factory=dict)
    ups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    in_releases: bool = False
    made: bool = False
    warm: bool = True
    migrate_here: bool = True
    room: Room | None = None
    realpath_root: bool = False

    @property
    def runs(self) -> Sequence[str]:
        """Migrations that this operation runs, oldest first."""
        wanted = self.procedure == "deploy" and self.migrations != "skip" and self.migrate_here
        return self.comparison.behind if wanted else ()

    @property
    def undoes(self) -> Sequence[str]:
        """Migrations that this operation undoes, newest first."""
        wanted = self.procedure == "rollback" and self.migrations == "down" and self.migrate_here
        return self.comparison.ahead if wanted else ()


@dataclass(frozen=True)
class Room:
    """The disk under a folder: bytes and files that will be made, are free, and must stay free (bytes)."""

    folder: str
    bytes: int
    files: int
    free_bytes: int
    free_files: int
    reserve: int


# -- steps ---------------------------------------------------------------------------------------


def steps(facts: Facts) -> list[Step]:
    """The way forward, in the runbook's order, with what the runbook forgets."""
    if facts.source["id"] == facts.target["id"]:
        return []
    target = dict(facts.target)
    result: list[Step] = []
    if facts.procedure == "deploy":
        result.append(Step("keep", "keep what a rollback to the present release needs", data={"release": target}))
    return result + (_switched(facts) if facts.in_releases else _in_place(facts))


def undo(facts: Facts) -> list[Step]:
    """The way back to where the operation came from, from any point of the way forward."""
    if facts.source["id"] == facts.target["id"]:
        return []
    return _switched_back(facts) if facts.in_releases else _in_place_again(facts)


def _migrate_down(facts: Facts) -> list[Step]:
    return [
        Step(
            f"{_DOWN}{name}",
            f"undo migration {name}, from the newer code",
            repeatable=facts.transactional,
            data={"migration": name, "in": facts.source["id"]},
        )
        for name in facts.undoes
    ]


def _migrate_up(facts: Facts) -> list[Step]:
    return [
        Step(
            f"{_UP}{name}",
            f"run migration {name} again",
            repeatable=facts.transactional,
            data={"migration": name, "after": f"{_DOWN}{name}", "in": facts.source["id"]},
        )
        for name in reversed(facts.undoes)
    ]


def _migrate(facts: Facts) -> list[Step]:
    if not facts.runs:
        return []
    return [
        Step(
            "migrate",
            f"artisan migrate --force ({len(facts.runs)} pending)",
            repeatable=facts.transactional,
            data={"migrations": list(facts.runs), "in": facts.target["id"]},
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
    if facts.runs:
        # Migrations must not run with the settings of the release before.
        result += [Step("clear", "artisan optimize:clear"), *_migrate(facts)]
    return result + _rebuild(facts)


def _in_place_again(facts: Facts) -> list[Step]:
    result = _code(facts.source)
    if facts.undoes:
        result += [Step("clear", "artisan optimize:clear"), *_migrate_up(facts)]
    return result + _rebuild(facts)


def _code(release: Mapping[str, str]) -> list[Step]:
    return [
        Step("code", f"git reset --hard {label(release)}", data={"commit": release["id"]}),
        Step("vendor", "bring vendor/ to composer.lock", data={"commit": release["id"]}),
    ]


def _rebuild(facts: Facts) -> list[Step]:
    commands = ["optimize:clear", *CACHES]
    if facts.queue_restart:
        commands.append("queue:restart")
    result = [Step("caches", f"artisan {', '.join(commands)}", data={"commands": commands}), *_extra(facts)]
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
            Step("vendor", "make vendor/ as composer.lock asks for", data={"commit": target["id"]}),
        ]
    if not facts.made or not facts.warm:
        result.append(Step("caches", f"artisan {', '.join(CACHES)}", data={"commands": CACHES, "in": target["id"]}))
    if not facts.made:
        result += [*_extra(facts), Step("seal", "mark the release as whole", data={"commit": target["id"]})]
    result += [*_migrate_down(facts), *_migrate(facts), _switch(facts, target)]
    # What was built anew under a name that php-fpm may know already must not be served from its memory; and without a
    # reload now and then OPcache would fill up with releases that nobody serves.
    return result + _change_over(facts, known=facts.made and facts.warm and facts.procedure == "rollback")


def _switched_back(facts: Facts) -> list[Step]:
    return [*_migrate_up(facts), _switch(facts, facts.source), *_change_over(facts, known=True)]


def _switch(facts: Facts, release: Mapping[str, str]) -> Step:
    commands = ["cache:clear", *(["queue:restart"] if facts.queue_restart else [])]
    return Step(
        "switch",
        f"switch to {label(release)}; artisan {', '.join(commands)}",
        data={"commit": release["id"], "commands": commands},
    )


def _change_over(facts: Facts, known: bool) -> list[Step]:
    """Let php-fpm serve the release. known: it was served before, and is as it was then."""
    if not facts.reload:
        return []
    # A path through a link is remembered by each worker of php-fpm for itself (realpath_cache_ttl, 120 s), so asking
    # the site proves nothing about the next answer. The real path is another path with each release.
    stale_only = known and facts.realpath_root
    title = f"reload {facts.reload}" + (", only if it still serves the other release" if stale_only else "")
    return [Step("reload_php", title, data={"unit": facts.reload, "stale_only": stale_only})]


def label(release: Mapping[str, Any] | None) -> str:
    """A release for people: its name and the beginning of its commit."""
    if not release or not release.get("id"):
        return "unknown"
    commit = str(release["id"])[:10]
    return f"{release['name']} ({commit})" if release.get("name") else commit


# -- refusals ------------------------------------------------------------------------------------


def refuse_local_changes(facts: Facts) -> Refusal | None:
    """A hard reset would destroy what is not committed."""
    found = [*facts.changes, *(f"?? {name}" for name in facts.in_the_way)]
    if facts.discard:
        return None
    text = f"{len(found)} files on this host differ from {label(facts.source)} and would be lost"
    way = "saves them beside the ledger first (a patch, and copies of untracked files), then discards them"
    return local_changes(found, text, (("discard_local_changes=true", way),))


def local_changes(found: Sequence[str], text: str, ways: tuple[tuple[str, str], ...]) -> Refusal | None:
    """The refusal over files that are not as their commit has them; None where there are none."""
    if not found:
        return None
    more = (f"... and {len(found) - 40} more",) if len(found) > 40 else ()
    return Refusal("local_changes", text, ways, (*found[:40], *more))


def refuse_room(facts: Facts) -> Refusal | None:
    """A disk that fills up halfway leaves half a release, and stops the service's own writing too."""
    return None if facts.room is None else room_problem(facts.room, facts.target)


def room_problem(room: Room, target: Mapping[str, str]) -> Refusal | None:
    """Why a disk has no room for a release; None where it has."""
    reserve = room.reserve * _MIB
    if room.free_bytes >= room.bytes + reserve and (room.free_files >= room.files or not room.free_files):
        return None
    short = room.free_bytes < room.bytes + reserve
    text = (
        f"{_mib(room.bytes)} are needed and {_mib(reserve)} are to stay free, but only {_mib(room.free_bytes)} are free"
        if short
        else f"{room.files} files are needed, but the disk has room for {room.free_files}"
    )
    return Refusal(
        "disk_space",
        f"the disk of {room.folder} is too full to make {label(target)}: {text}",
        (
            (f"df -h {room.folder}", "on the host, shows the disk; laravel_status shows what fills it"),
            ("laravel_keep_releases=2", "keeps fewer releases; those beyond are removed by the next deploy"),
            ("laravel_disk_reserve=0", "uses the last of it"),
        ),
    )


_MIB = 1024 * 1024


def _mib(size: int) -> str:
    return f"{-(-size // _MIB)} MiB"


def refuse_migrations(facts: Facts) -> Refusal | None:
    """The migration verdict, before the code moves."""
    comparison, mode = facts.comparison, facts.migrations
    if facts.procedure == "deploy":
        return _refuse_deploy(facts)
    if mode == "keep" or comparison.verdict == "same":
        return None
    if comparison.verdict == "unknown":
        return Refusal(
            "migrations_unknown",
            f"where the database stands can't be told: {comparison.error}",
            (("migrations=keep", f"you assert that {label(facts.target)} works with the database as it is"),),
            tuple(f"the target does not know: {name}" for name in comparison.ahead),
        )
    if comparison.verdict == "behind":
        return Refusal(
            "migrations_behind",
            f"{label(facts.target)} expects {len(comparison.behind)} migrations that the database does not have, "
            "and a rollback runs none",
            (
                (f"laravel_deploy with to={facts.target['id'][:10]}", "goes there and runs them"),
                ("migrations=keep", f"you assert that {label(facts.target)} works without them"),
            ),
            tuple(f"not in the database: {name}" for name in comparison.behind),
        )
    if mode == "down":
        return _refuse_down(facts)
    ways = [
        (
            "migrations=keep",
            f"you assert that {label(facts.target)} works with the newer schema; no data is lost",
        )
    ]
    if not facts.undoing.irreversible and comparison.verdict == "ahead":
        cost = ", ".join(_cost(facts)) or "no table and no column is dropped"
        ways.append(("migrations=down", f"undoes them from the newer code, before the switch; destroys: {cost}"))
    return Refusal(
        "migrations_ahead",
        f"the database has {len(comparison.ahead)} migrations that {label(facts.target)} does not know",
        tuple(ways),
        tuple(_describe_downs(facts)),
    )


def _refuse_down(facts: Facts) -> Refusal | None:
    keep = (("migrations=keep", f"you assert that {label(facts.target)} works with the newer schema"),)
    if facts.comparison.verdict == "diverged":
        return Refusal(
            "migrations_diverged",
            "the database has migrations that the target does not know, and lacks some that it expects",
            keep,
            tuple(f"not in the database: {name}" for name in facts.comparison.behind),
        )
    if facts.undoing.irreversible:
        return Refusal(
            "migrations_irreversible",
            f"{len(facts.undoing.irreversible)} of {len(facts.comparison.ahead)} migrations can't be undone",
            keep,
            tuple(f"{name}: {why}" for name, why in facts.undoing.irreversible.items()),
        )
    return None


def _refuse_deploy(facts: Facts) -> Refusal | None:
    comparison = facts.comparison
    if facts.migrations == "keep":
        return None
    if comparison.verdict == "unknown" and facts.migrations != "skip":
        return Refusal(
            "migrations_unknown",
            f"where the database stands can't be told: {comparison.error}",
            (
                ("migrations=skip", "deploys without running migrations"),
                (
                    "migrations=keep",
                    f"you assert that {label(facts.target)} works with the database as it is",
                ),
            ),
        )
    if comparison.ahead:
        return Refusal(
            "migrations_ahead",
            f"the database has {len(comparison.ahead)} migrations that {label(facts.target)} does not know",
            (
                ("migrations=keep", f"you assert that {label(facts.target)} works with the newer schema"),
                (
                    f"laravel_rollback with to={facts.target['id'][:10]}",
                    "can undo them, and shows what that costs",
                ),
            ),
            tuple(comparison.ahead),
        )
    return None


def _cost(facts: Facts) -> list[str]:
    return [
        f"{loss.text} ({facts.row_counts[loss.text]})" if loss.text in facts.row_counts else loss.text
        for loss in facts.undoing.losses
    ]


def _describe_downs(facts: Facts) -> list[str]:
    lines: list[str] = []
    for name in facts.comparison.ahead:
        why = facts.undoing.irreversible.get(name)
        lines.append(f"{name}: can't be undone: {why}" if why else f"{name}:")
        lines += [f"  {statement}" for statement in facts.undoing.sql.get(name, ())]
    return lines


def migrations_record(facts: Facts) -> dict[str, Any]:
    """What the plan and the ledger say about migrations."""
    comparison = facts.comparison
    sql: dict[str, list[str]] = {}
    if facts.undoes:
        sql = {name: list(statements) for name, statements in facts.undoing.sql.items()}
    elif facts.runs:
        sql = {name: list(statements) for name, statements in facts.ups.items()}
    return {
        "mode": facts.migrations,
        "verdict": comparison.verdict,
        "ahead": list(comparison.ahead),
        "behind": list(comparison.behind),
        "run": list(facts.runs),
        "down": list(facts.undoes),
        "here": facts.migrate_here,
        "sql": sql,
        "losses": _cost(facts) if facts.undoes else [],
    }
