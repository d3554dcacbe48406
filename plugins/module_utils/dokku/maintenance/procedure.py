# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The weekly, monthly or quarterly maintenance of an app's host, as a procedure of dokku_operation.

Each item is a step. One that fails is written down, and the others are done all the same; but the run is green only if
none failed. What was done in the present week, month or quarter is not done again, unless that is asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku import health, release
from ansible_collections.ops.runbook.plugins.module_utils.dokku import holds as dokku_holds
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import items
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance.settings import Settings
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance.work import Work
from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, FORWARD, Step, step_from
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import StepRecord


def plan(context: Context) -> DokkuPlan:
    """The due items, and the work of each."""
    inputs, service = context.inputs, context.service
    cadence = _cadence(str(inputs.get("cadence") or ""))
    service.must_exist()
    left_out = _left_out(inputs.get("maintenance_without") or ())
    now = datetime.fromtimestamp(clock.now().utc, timezone.utc)
    settings = Settings.of(inputs, service.description)
    mark = _mark(settings, left_out)
    before = {} if inputs.get("again") else items.settled(context.guard.ledger().of(items.keys(now)), now, mark)
    work = Work(context, settings, "")
    due = [item for item in items.items_of(cadence) if item.id not in before]
    steps, also = [], []
    backups = {item.id: _backup(context, item.id) for item in due if item.id in _BACKUPS and item.id not in left_out}
    for item in due:
        data: dict[str, Any] = {"settings": settings.document(), "mark": mark}
        if item.id in left_out:
            data["left_out"] = True
        if item.id in backups:
            data |= backups[item.id]
        steps.append(Step(item.id, item.title, data=data).to_dict())
    for title, lines in _preview(work, [item.id for item in due if item.id not in left_out], backups):
        also.append([title, lines])
    done = [f"{name}: {note['text']} ({note['when'][:16]}, {note['operation']})" for name, note in _of(cadence, before)]
    if done:
        also.append(["done", [*done, "again=true does these once more"]])
    also.append(["by hand", list(items.checklist(cadence))])
    present = _present(context)
    return {
        "from": present,
        "to": present,
        "chosen": f"cadence={cadence}: {len(steps)} of {len(items.items_of(cadence))} items are due",
        "proven": "no release is changed",
        "steps": steps,
        # Cleaned, renewed or archived things are not taken back; a way back changes nothing.
        "undo": [],
        "anew": release.anew(present),
        "also": also,
        "warnings": [],
        "facts": {"cadence": cadence},
        "cadence": cadence,
        "before": dict(_of(cadence, before)),
        "checklist": list(items.checklist(cadence)),
    }


def steps(context: Context, plan: DokkuPlan) -> Mapping[str, Callable[[Step], object]]:
    """The function of each item. It never raises: an error is the item's outcome."""
    return {item.id: _guarded(context, plan) for item in items.ITEMS}


def verify(context: Context, plan: DokkuPlan, direction: str) -> dict[str, Any]:
    """Checks that every item went well, and that the app is as healthy as it has to be."""
    found = health.verify(context.service, context.gate)
    progress = context.guard.progress()
    entries = items.entries(plan["cadence"], plan["before"], progress.notes if progress else {})
    ok, reason = (True, "") if direction == BACK else items.verdict(entries)
    note = "; ".join(text for text in (items.summary(entries), str(found.get("note") or "")) if text)
    return {
        **blame.beside(found, [] if ok else [reason]),
        "note": note,
        "items": entries,
    }


def _cadence(asked: str) -> str:
    if asked not in items.CADENCES:
        ways = tuple((f"cadence={one}", f"does the {one} maintenance") for one in items.CADENCES)
        raise Problem("cadence_unknown", f"cadence is '{asked}', and says no maintenance", ways)
    return asked


def _left_out(asked: Any) -> frozenset[str]:
    """The items that the inventory leaves out. Raises Problem for one that there is not."""
    words = asked.split(",") if isinstance(asked, str) else [str(word) for word in asked]
    named = {word.strip() for word in words if word.strip()}
    known = {item.id for item in items.ITEMS}
    if named - known:
        way = ("dokku_maintenance_without", f"in the inventory, a list of: {', '.join(sorted(known))}")
        text = f"{', '.join(sorted(named - known))} is not an item of the maintenance"
        raise Problem("item_unknown", text, (way,))
    return frozenset(named)


def _mark(settings: Settings, left_out: frozenset[str]) -> str:
    """A sign for what the inventory says of the maintenance."""
    document = json.dumps([settings.document(), sorted(left_out)], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()[:12]


def _of(cadence: str, before: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    return [(item.id, before[item.id]) for item in items.items_of(cadence) if item.id in before]


def _present(context: Context) -> dict[str, Any]:
    """The running release; the maintenance continues if it is not known."""
    found = None
    with contextlib.suppress(DokkuError):
        found = release.present(health.situation(context.service, "releases", "report", "ps"))
    return found or {"id": "unknown", "name": "not recorded", "number": None, "revision": "", "image": ""}


# -- what it would do ----------------------------------------------------------------------------


def _preview(work: Work, due: Sequence[str], backups: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """The work of the items, as far as it is worth a look before they do it."""
    found: list[tuple[str, list[str]]] = []
    looks: dict[str, Callable[[], list[str]]] = {
        "holds": lambda: [_holds_line(one) for one in work.all_holds()],
        "certificates": work.certificate_lines,
        "logs": work.log_lines,
    }
    titles = {"certificates": "renewals", "full_backup": "backup"}
    for name, look in looks.items():
        if name in due:
            try:
                lines = look()
            except (DokkuError, OSError, ValueError, KeyError) as error:
                lines = [f"not known: {error}"]
            found.append((titles.get(name, name), lines or ["nothing"]))
    for name, backup in backups.items():
        inner = backup.get("backup_plan")
        lines = [str(step["title"]) for step in inner["steps"]] if inner else []
        lines += [f"can't be made: {backup['refused']}"] if "refused" in backup else []
        lines += [str(backup["nothing"])] if "nothing" in backup else []
        found.append((titles.get(name, name), lines))
    return found


def _holds_line(holds: dokku_holds.Holds) -> str:
    again, kept = dokku_holds.to_hold(holds), len(holds.expected) - len(holds.gone)
    text = f"{holds.app}: {kept} of {len(holds.expected)} kept releases are on the host"
    if again:
        text += f"; not held, and would be again: {', '.join(map(str, again))}"
    return text + (f"; gone for good: {', '.join(map(str, holds.gone))}" if holds.gone else "")


# -- backups, by the procedure of their own --------------------------------------------------------

#: Parts that the backup procedure makes for an item; all of them if none are named.
_BACKUPS: dict[str, str] = {"backup": "database", "full_backup": ""}


def _backup(context: Context, item: str) -> dict[str, Any]:
    """The plan of a backup, or why there can be none."""
    inputs = {**context.inputs, "parts": _BACKUPS[item]}
    if item == "backup" and not context.service.description.databases:
        return {"nothing": "no database is described (dokku_databases)"}
    try:
        planned = make.plan(replace(context, inputs=inputs))
        if [raw["id"] for raw in planned["steps"]] == ["seal"]:
            # A plan with only the "seal" step would produce an empty backup, so it counts as refused.
            return {"refused": "; ".join(["there is nothing to back up", *planned.get("warnings", ())])}
        return {"backup_plan": planned}
    except Problem as refused:
        ways = "; ".join(f"{way}: {effect}" for way, effect in refused.ways[:2])
        return {"refused": f"{refused.text}{f' ({ways})' if ways else ''}"}
    except (DokkuError, OSError) as error:
        return {"refused": str(error)}


def _make_backup(context: Context, step: Step, outer: Mapping[str, Any]) -> items.Outcome:
    """Make the backup that was planned, step by step; one that fails leaves nothing half-made behind."""
    if "nothing" in step.data:
        return items.Outcome(items.SKIPPED, str(step.data["nothing"]))
    if "refused" in step.data:
        return items.Outcome(items.FAILED, str(step.data["refused"]))
    planned: DokkuPlan = step.data["backup_plan"]
    inner: DokkuPlan = {**planned, "saved_as": outer["saved_as"], "procedure": "backup"}
    acts = make.steps(context, inner)

    def act(raw: StepRecord) -> object:
        return procedure.do(acts, step_from(raw))

    try:
        for raw in inner["steps"]:
            act(raw)
        found = make.verify(context, inner, FORWARD)
        if not found["ok"]:
            raise OSError(str(found["reason"]))
    except Exception as error:
        for raw in inner["undo"]:
            with contextlib.suppress(Exception):
                act(raw)
        return items.Outcome(items.FAILED, context.service.redact(f"it was taken back: {error}"))
    details = []
    for raw in inner.get("afterwards") or []:
        try:
            act(raw)
        except Exception as error:
            details.append(context.service.redact(f"{raw['title']}: {error}"))
    text = f"backup {inner['saved_as']}: {len(inner['steps'])} steps, verified"
    return items.Outcome(items.DONE, text, (*map(str, inner.get("warnings") or ()), *details), bool(details))


# -- doing -----------------------------------------------------------------------------------------


def _guarded(context: Context, plan: DokkuPlan) -> Callable[[Step], object]:
    def do(step: Step) -> object:
        if step.data.get("left_out"):
            text = "left out by the inventory (dokku_maintenance_without)"
            return {**items.Outcome(items.SKIPPED, text).note(), "mark": step.data["mark"]}
        work = Work(context, Settings(**step.data["settings"]), str(plan["cadence"]))
        try:
            outcome = _make_backup(context, step, plan) if step.id in _BACKUPS else work.do(step.id)
        except Exception as error:
            outcome = items.Outcome(items.FAILED, f"{error}" or type(error).__name__)
        note = {key: _redacted(context, value) for key, value in outcome.note().items()}
        return {**note, "mark": step.data["mark"]}

    return do


def _redacted(context: Context, value: Any) -> Any:
    if isinstance(value, str):
        return context.service.redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(context, one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(context, one) for one in value]
    return value
