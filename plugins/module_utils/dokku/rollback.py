# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedure `rollback` of a Dokku app: code and configuration of a recorded release are put back.

Inputs: to, migrations (refuse or keep), emergency, keep (names of variables that stay as they are), restore (scale,
domains). The content of databases is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku import health, nginx_check, release_steps
from ansible_collections.ops.runbook.plugins.module_utils.dokku import migrations as dokku_migrations
from ansible_collections.ops.runbook.plugins.module_utils.dokku import release as dokku_release
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.release import Choice, Release, Situation
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import MigrationsRecord

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESTORES = ("scale", "domains")

#: In an emergency the gate says soon how things are; nothing waits for it.
_SHORT_GATE = 15.0


@dataclass(frozen=True)
class Wish:
    """The operator's request."""

    to: str
    migrations: str = "refuse"
    emergency: bool = False
    keep: tuple[str, ...] = ()
    restore: tuple[str, ...] = ()

    @property
    def options(self) -> list[str]:
        """The same for `dokku releases:rollback`."""
        kept = [word for key in self.keep for word in ("--keep", key)]
        return [*kept, *(f"--restore-{what}" for what in self.restore)]


def wish_of(inputs: Mapping[str, Any]) -> Wish:
    """The operator's inputs. Raises Problem."""
    keep, restore = names(inputs.get("keep")), names(inputs.get("restore"))
    wrong = next((key for key in keep if not _KEY.fullmatch(key)), "")
    if wrong:
        raise Problem("bad_key", f"keep={wrong} is not a name of a variable", (("keep=<NAME>,<NAME>", ""),))
    unknown = next((what for what in restore if what not in _RESTORES), "")
    if unknown:
        text = f"restore={unknown} can't be put back; {' and '.join(_RESTORES)} can"
        raise Problem("bad_restore", text, ((f"restore={','.join(_RESTORES)}", "puts these two back"),))
    return Wish(
        to=str(inputs.get("to") or "previous"),
        migrations=str(inputs.get("migrations") or "refuse"),
        emergency=bool(inputs.get("emergency")),
        keep=keep,
        restore=restore,
    )


def names(given: Any) -> tuple[str, ...]:
    """Names as a person types them, with commas between them, or as a survey has them, a list."""
    found = given.split(",") if isinstance(given, str) else given or ()
    return tuple(dict.fromkeys(str(name).strip() for name in found if str(name).strip()))


def plan(context: Context) -> DokkuPlan:
    """The plan. Raises Problem or DokkuError."""
    wish = wish_of(context.inputs)
    service = context.service
    service.must_have_a_name()
    parts = ("releases", "report", "ps", "nginx", *(() if wish.emergency else ("builds",)))
    situation = health.situation(service, *parts)
    choice = dokku_release.choose(wish.to, situation)
    # In an emergency what seems to go on may be what hangs; Dokku's own lock decides then.
    refusal = None if wish.emergency else dokku_release.refuse_running(situation)
    if isinstance(choice, Problem):
        raise choice
    if refusal is not None:
        raise refusal
    target, present = dokku_release.record(choice.release, situation), dokku_release.present(situation)
    there = is_there(choice.release, situation)
    shown = {} if wish.emergency and not there else _looked_ahead(context, wish, choice.release.number)
    down = services_down(shown, service.app)
    if down is not None:
        raise down
    if there and nothing_changes(shown, wish.restore):
        return _unchanged(target, choice)
    broken = situation.nginx
    if broken is not None and not wish.emergency:
        anyway = ("emergency=true", "rolls back all the same, and fails at its end where nginx still refuses")
        raise nginx_check.refusal(broken, service.app, (anyway,))
    migrations, warned = _migrations(context, wish, choice, target)
    warned += [nginx_check.warning(broken)] if broken is not None else []
    # Nobody reads in an emergency what stays as it is, and only a newer plugin can leave that out.
    brief = ["--brief"] if wish.emergency and service.tells_state else []
    data = {
        "number": choice.release.number,
        "options": [*wish.options, *brief],
        "newest": situation.releases[0].number,
    }
    step = Step("rollback", f"dokku releases:rollback {service.app} {choice.release.number}", data=data)
    return {
        "from": present,
        "to": target,
        "chosen": choice.chosen,
        "proven": f"its image is on this host ({choice.release.state}), recorded {choice.release.recorded_at} "
        f"by {choice.release.by}",
        "steps": [one.to_dict() for one in [*release_steps.record_step(situation), step]],
        "undo": [release_steps.back_step("rollback", situation).to_dict()],
        "afterwards": [] if wish.emergency else [one.to_dict() for one in release_steps.afterwards(context, situation)],
        "migrations": migrations,
        "emergency": wish.emergency,
        "facts": {"release": choice.release.number, **({"emergency": True} if wish.emergency else {})},
        "also": [*config_lines(shown, wish.keep), *_ran(context, wish)],
        "diffstat": diff_lines(shown),
        "warnings": [*warned, *_situation_warnings(choice.release, situation), *drift_lines(shown, wish.restore)],
    }


def _ran(context: Context, wish: Wish) -> list[list[Any]]:
    """Code of the app that this plan has run: a person who may plan has run it, with the app's settings."""
    service = context.service
    command = " ".join(service.description.migrations_command)
    return [["plan ran", [f"{command} in {service.app}, with its settings"]]] if command and not wish.emergency else []


def is_there(release: Release, situation: Situation) -> bool:
    """True if the code of that release is live, and a restart would not change that; else a rollback mends it."""
    live = situation.live
    if live is None or release.number not in (live.number, live.rollback_to):
        return False
    well = not dokku_release.process_problems(situation.ps)
    return situation.restart_is_safe and not situation.pending_rollback and well


def services_down(shown: Mapping[str, Any], app: str) -> Problem | None:
    """Why no container of the app could start: a service that it is linked to does not run."""
    down = [str(one) for one in shown.get("services_down") or []]
    if not down:
        return None
    # Dokku's plugins name a container dokku.<plugin>.<service>.
    ways = []
    for plugin, _, name in (one.removeprefix("dokku.").partition(".") for one in down):
        ways.append((f"dokku {plugin}:start {name}", "on the host, starts it"))
    text = f"{' and '.join(down)}, to which {app} is linked, does not run: no container of {app} could start"
    return Problem("service_down", text, tuple(ways))


def nothing_changes(shown: Mapping[str, Any], restore: Sequence[str]) -> bool:
    """True if what the plugin would do is nothing: no variable, no file, and nothing of what is to be put back."""
    drift = [entry for entry in shown.get("drift") or [] if entry["what"] in restore]
    return not any((shown.get("config") or {}).values()) and not shown.get("files") and not drift


def _unchanged(target: Mapping[str, Any], choice: Choice) -> DokkuPlan:
    return {
        "from": target,
        "to": target,
        "chosen": choice.chosen,
        "proven": "it is the release that is live",
        "steps": [],
        "undo": [],
        "warnings": [],
    }


def _migrations(
    context: Context, wish: Wish, choice: Choice, target: Mapping[str, Any]
) -> tuple[MigrationsRecord | None, list[str]]:
    """The record of the verdict, and what to say of it. Raises Problem."""
    number = str(choice.release.number)
    if not context.service.description.migrations_command:
        return None, []
    if wish.emergency:
        text = "emergency=true: nobody looked at the database, and its content stays as it is"
        return dokku_migrations.skipped("keep", text, str(target["name"]), number), [text]
    status, error = release_steps.migration_status(context)
    known = dokku_migrations.known_by(
        context.guard.ledger().of([(ledger_keys.MIGRATIONS, str(target["id"]))]), str(target["id"])
    )
    judged = dokku_migrations.judge(
        context.service.app, status, error, known, str(target["name"]), number, wish.migrations
    )
    refusal = migration_plan.refuse(judged)
    if refusal is not None:
        raise refusal
    return migration_plan.record(judged), []


def _looked_ahead(context: Context, wish: Wish, number: int) -> dict[str, Any]:
    """The plugin's own forecast, by names: the same code says it that does it."""
    app = context.service.app
    found = context.service.dokku.json("releases:rollback", app, str(number), "--dry-run", *wish.options)
    return dict(found)


def config_lines(shown: Mapping[str, Any], keep: Sequence[str]) -> list[list[Any]]:
    """The variables that change, by name."""
    config = shown.get("config") or {}
    titles = {"back": "put back", "dropped": "dropped", "changed": "changed"}
    lines = [f"{titles[what]}: {' '.join(config[what])}" for what in titles if config.get(what)]
    lines += [f"kept as now: {' '.join(keep)}"] if keep else []
    files = [f"{name} of that release is put back" for name in shown.get("files") or []]
    return [[title, found] for title, found in (("config", lines), ("files", files)) if found]


def diff_lines(shown: Mapping[str, Any]) -> list[str]:
    """The same as a difference, names only."""
    config = shown.get("config") or {}
    signs = (("back", "+"), ("dropped", "-"), ("changed", "~"))
    return [f"{sign} {key}" for what, sign in signs for key in config.get(what) or []]


def drift_lines(shown: Mapping[str, Any], restore: Sequence[str]) -> list[str]:
    """Settings that stay as they are, though the release was recorded with others."""
    lines = []
    for entry in shown.get("drift") or []:
        what = str(entry["what"])
        if what in restore:
            continue
        way = f" (restore={what} puts it back)" if what in _RESTORES else ""
        now, recorded = str(entry["now"])[:80], str(entry["recorded"])[:80]
        lines.append(f"{what} stays {now or 'empty'}; it was {recorded or 'empty'}{way}")
    return lines


def _situation_warnings(release: Release, situation: Situation) -> list[str]:
    lines = []
    if release.left:
        lines.append(f"release {release.number} was left by a rollback: somebody found it not good")
    if situation.pending_rollback:
        lines.append(f"a rollback to release {situation.pending_rollback} was begun and did not end")
    if not situation.restart_is_safe:
        gone = not situation.report.get("latest-image")
        what = "gone, so that a restart would fail" if gone else "not what is live, as a failed deploy leaves it"
        lines.append(f"dokku/{situation.app}:latest is {what}; this mends it")
    return lines


# -- apply and verify ------------------------------------------------------------------------------


class RollbackSteps(release_steps.Change):
    """The steps of a rollback."""

    def rollback(self, step: Step) -> object:
        if self.was_begun(step):
            found = health.situation(self.service, "releases", "report", "ps")
            done = rolled_back(found, int(step.data["number"]), int(step.data["newest"]))
            if done is not None:
                return {"release": done.number, "rollback_to": step.data["number"], **self.clear_strays(found)}
        return self.rollback_to(int(step.data["number"]), self.reason(), tuple(step.data["options"]))


def rolled_back(found: Situation, number: int, newest: int) -> Release | None:
    """The release that this rollback recorded, where it had ended before its journal said so."""
    live = found.live
    if live is None or live.rollback_to != number or live.number <= newest:
        return None
    return live if found.restart_is_safe and not found.pending_rollback else None


def steps(context: Context, plan: DokkuPlan) -> Mapping[str, Callable[[Step], object]]:
    """The function of each step."""
    change = RollbackSteps(context, plan)
    return {
        "record": change.record,
        "rollback": change.rollback,
        "back": change.back,
        "stop": change.stop,
        "retention": change.retention,
        "migrations": change.migrations,
    }


def verify(context: Context, plan: DokkuPlan, direction: str) -> dict[str, Any]:
    """Checks that the wanted release is live and healthy."""
    gate = context.gate
    if plan.get("emergency"):
        gate = GateSettings(gate.checks, min(gate.deadline, _SHORT_GATE), gate.interval, 1)
    wanted = plan["from"] if direction == "back" else plan["to"]
    try:
        return health.verify(
            context.service,
            gate,
            health.live_problems(plan, direction),
            revision=health.reported(wanted),
            before=plan.get("just_before"),
        )
    except DokkuError as error:
        return blame.answer(str(error))
