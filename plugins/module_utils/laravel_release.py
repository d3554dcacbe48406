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

_DOWN, _UP = "migrate_down:", "migrate_up:"


@dataclass(frozen=True)
class Facts:
    """What was read on the host before a release is switched.

    source and target: {id, name}. transactional: a failed migration leaves nothing behind.
    reload: a unit that must be reloaded, or empty. ups: the SQL of migrations that a deploy would run.
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


# -- steps ---------------------------------------------------------------------------------------


def steps(facts: Facts) -> list[Step]:
    """The way forward, in the runbook's order, with what the runbook forgets."""
    if facts.source["id"] == facts.target["id"]:
        return []
    target = dict(facts.target)
    result: list[Step] = []
    if facts.procedure == "deploy":
        result.append(Step("keep", "keep what a rollback to the present release needs", data={"release": target}))
    if facts.changes or facts.in_the_way:
        result.append(
            Step(
                "save_changes",
                "save uncommitted changes beside the ledger",
                data={"files": list(facts.in_the_way)},
            )
        )
    if facts.procedure == "rollback" and facts.migrations == "down":
        result += [
            Step(
                f"{_DOWN}{name}",
                f"undo migration {name}, from the newer code",
                repeatable=facts.transactional,
                data={"migration": name},
            )
            for name in facts.comparison.ahead
        ]
    result.append(Step("code", f"git reset --hard {label(target)}", data={"commit": target["id"]}))
    result.append(Step("vendor", "bring vendor/ to composer.lock", data={"commit": target["id"]}))
    if facts.procedure == "deploy" and facts.migrations != "skip" and facts.comparison.behind:
        # Migrations must not run with the settings of the release before.
        result.append(Step("clear", "artisan optimize:clear"))
        result.append(
            Step(
                "migrate",
                f"artisan migrate --force ({len(facts.comparison.behind)} pending)",
                repeatable=facts.transactional,
                data={"migrations": list(facts.comparison.behind)},
            )
        )
    return result + _rebuild(facts)


def undo(facts: Facts) -> list[Step]:
    """The way back to where the operation came from, from any point of the way forward."""
    if facts.source["id"] == facts.target["id"]:
        return []
    source = dict(facts.source)
    result = [
        Step("code", f"git reset --hard {label(source)}", data={"commit": source["id"]}),
        Step("vendor", "bring vendor/ to composer.lock", data={"commit": source["id"]}),
    ]
    if facts.procedure == "rollback" and facts.migrations == "down":
        result.append(Step("clear", "artisan optimize:clear"))
        result += [
            Step(
                f"{_UP}{name}",
                f"run migration {name} again",
                repeatable=facts.transactional,
                data={"migration": name, "after": f"{_DOWN}{name}"},
            )
            for name in reversed(facts.comparison.ahead)
        ]
    return result + _rebuild(facts)


def _rebuild(facts: Facts) -> list[Step]:
    commands = ["optimize:clear", "config:cache", "route:cache", "view:cache"]
    if facts.queue_restart:
        commands.append("queue:restart")
    result = [Step("caches", f"artisan {', '.join(commands)}", data={"commands": commands})]
    result += [
        Step(f"extra:{index}", " ".join(command), data={"command": list(command)})
        for index, command in enumerate(facts.extra_commands, start=1)
    ]
    if facts.reload:
        # The runbook leaves this out; with OPcache the old code would go on being served.
        result.append(Step("reload_php", f"reload {facts.reload}", data={"unit": facts.reload}))
    return result


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
    if not found or facts.discard:
        return None
    return Refusal(
        "local_changes",
        f"{len(found)} files on this host differ from {label(facts.source)} and would be lost",
        (
            (
                "discard_local_changes=true",
                "saves them beside the ledger first (a patch, and copies of untracked files), then discards them",
            ),
        ),
        tuple(found[:40]) + ((f"... and {len(found) - 40} more",) if len(found) > 40 else ()),
    )


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
    runs = facts.procedure == "deploy" and facts.migrations != "skip"
    steps_down = facts.procedure == "rollback" and facts.migrations == "down"
    sql: dict[str, list[str]] = {}
    if steps_down:
        sql = {name: list(statements) for name, statements in facts.undoing.sql.items()}
    elif runs:
        sql = {name: list(statements) for name, statements in facts.ups.items()}
    return {
        "mode": facts.migrations,
        "verdict": comparison.verdict,
        "ahead": list(comparison.ahead),
        "behind": list(comparison.behind),
        "run": list(comparison.behind) if runs else [],
        "down": list(comparison.ahead) if steps_down else [],
        "sql": sql,
        "losses": _cost(facts) if steps_down else [],
    }
