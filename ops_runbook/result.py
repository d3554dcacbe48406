# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a run, from the events of ansible-runner: a document, an exit code with a meaning, a JUnit report."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ansible_collections.ops.runbook.plugins.module_utils.console import report
from ansible_collections.ops.runbook.plugins.module_utils.console.watch import PHASES, Watch, phase_of
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import NO_PLAN
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import paragraph, told
from ansible_collections.ops.runbook.plugins.module_utils.text.ways import typed

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Outcome, Planned

SCHEMA = 1


class Ending(enum.IntEnum):
    """How a run ended, as the exit code of the command."""

    VERIFIED = 0
    FOUND = 1
    USAGE = 2
    REFUSED = 3
    REVERTED = 4
    FAILED = 5
    UNREACHABLE = 6
    INTERRUPTED = 7

    @property
    def meaning(self) -> str:
        return MEANINGS[self]


MEANINGS = {
    Ending.VERIFIED: "verified",
    Ending.FOUND: "a procedure that only looks has found something wrong",
    Ending.USAGE: "wrong usage; nothing was contacted",
    Ending.REFUSED: "refused; nothing was changed",
    Ending.REVERTED: "failed and reverted",
    Ending.FAILED: "failed and not reverted",
    Ending.UNREACHABLE: "a host could not be reached",
    Ending.INTERRUPTED: "interrupted",
}

#: Actions that work on the controller alone; as long as no other one ran, nothing was contacted.
HERE = frozenset(
    {
        "ops.runbook.refuse",
        *(
            f"{prefix}{name}"
            for prefix in ("", "ansible.builtin.")
            for name in (
                *("assert", "debug", "fail", "meta", "set_fact", "set_stats", "validate_argument_spec"),
                *("import_role", "import_tasks", "include_role", "include_tasks", "include_vars"),
            )
        ),
    }
)
#: How a module of this collection names an input that it can't work with.
BAD_INPUT = "bad_input"

#: The most urgent ending comes first: of several hosts the run ends as the first of these that one of them has.
GRAVITY = (Ending.FAILED, Ending.INTERRUPTED, Ending.UNREACHABLE, Ending.REVERTED, Ending.REFUSED, Ending.VERIFIED)

_OF_OUTCOME = {
    "succeeded": Ending.VERIFIED,
    "unchanged": Ending.VERIFIED,
    "reverted": Ending.REVERTED,
    "refused": Ending.REFUSED,
    "untouched": Ending.REFUSED,
    "interrupted": Ending.INTERRUPTED,
    "unreachable": Ending.UNREACHABLE,
    "unknown": Ending.INTERRUPTED,
}


@dataclass
class Events:
    """A run, gathered during its course.

    said: what the procedure printed. causes: why it failed, by host. errors: Ansible's messages about the run as a
    whole.
    contacted: a host other than the controller was asked. misused: a module refused an input.
    """

    watch: Watch = field(default_factory=Watch)
    said: list[str] = field(default_factory=list)
    causes: dict[str, str] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    hosts: list[str] = field(default_factory=list)
    phase: str = ""
    begun: bool = False
    contacted: bool = False
    misused: bool = False
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(self, event: Mapping[str, Any]) -> None:
        kind, data = event.get("event", ""), event.get("event_data") or {}
        phase, host = phase_of(str(data.get("task_path") or "")), str(data.get("host") or "")
        if kind in ("playbook_on_task_start", "runner_on_start"):
            self.phase = PHASES.get(phase, self.phase)
            self.begun = self.begun or (kind == "runner_on_start" and phase == "apply")
            if host and host not in self.hosts:
                self.hosts.append(host)
        elif kind in ("warning", "deprecated"):
            self.warnings.append(str(event.get("stdout", "")))
        elif kind == "error":
            self.errors.append(str(event.get("stdout", "")).removeprefix("[ERROR]: "))
        if kind not in ("runner_on_ok", "runner_on_failed", "runner_on_unreachable"):
            return
        result: dict[str, Any] = dict(data.get("res") or {})
        action = str(data.get("resolved_action") or data.get("task_action") or "")
        if kind == "runner_on_unreachable":
            result["unreachable"] = True
            self.unreachable.add(host)
        # If the screen comes first, the failure of a module is not that of its task.
        misused = result.get("code") == BAD_INPUT
        self.misused = self.misused or misused
        self.contacted = self.contacted or action not in HERE and not misused
        kept = self.watch.take(phase, action, host, result)
        if kind == "runner_on_ok" and action.endswith("debug") and phase not in ("open", "close"):
            said = told(result.get("msg"))
            self.said += [str(said)] if said else []
        elif kind == "runner_on_unreachable" and not kept:
            self.causes[host] = f"it can't be reached: {told(result.get('msg', ''))}"
        elif kind == "runner_on_failed" and not data.get("ignore_errors") and kept in ("", "operation_named"):
            self.causes[host] = cause(result)


def cause(result: Mapping[str, Any]) -> str:
    """Why a task failed; of a loop, each of its causes once."""
    items = [cause(item) for item in result.get("results") or [] if isinstance(item, Mapping) and item.get("failed")]
    return "\n".join(dict.fromkeys(items)) or str(
        told(result.get("msg")) or result.get("censored") or "no reason was given"
    )


def ending(events: Events, code: int, stopped: bool, check: bool) -> Ending:
    """The ending of a run. code: of ansible-playbook. stopped: the run was asked to end."""
    watch = events.watch
    found = _ending(events, code, check)
    if stopped and found is not Ending.VERIFIED:
        return Ending.INTERRUPTED
    if found is Ending.REFUSED and watch.decision.get("code") == "stopped":
        return Ending.INTERRUPTED
    return found


def _ending(events: Events, code: int, check: bool) -> Ending:
    watch = events.watch
    if watch.decision.get("refused"):
        lost = [result for result in watch.planned.values() if result.get("unreachable")]
        said = [result for result in watch.planned.values() if result.get("refusal")]
        return Ending.UNREACHABLE if lost and not said else Ending.REFUSED
    if watch.decision and check:
        return Ending.VERIFIED if code == 0 else Ending.REFUSED
    if watch.decision.get("go"):
        return _of_outcomes(events, code)
    if watch.operation:
        # It was named without a decision: a host was lost, its plan broke off, or an input was wrong.
        if any(result.get("unreachable") for result in watch.planned.values()):
            return Ending.UNREACHABLE
        planning = any(watch.planned.values())
        return Ending.REFUSED if planning else Ending.INTERRUPTED if not events.causes else Ending.USAGE
    if not events.hosts:
        # Green over nothing is not green: no task ran on any host.
        return Ending.USAGE
    if code == 0:
        return Ending.VERIFIED
    if events.unreachable:
        return Ending.UNREACHABLE
    named = any("operation_named" in known for known in watch.known.values())
    return Ending.USAGE if named or events.misused or not events.contacted else Ending.FOUND


def _of_outcomes(events: Events, code: int) -> Ending:
    outcomes = events.watch.outcomes
    found = []
    for result in outcomes.values():
        outcome = report.outcome_of(result)
        undone = outcome == "reverted" and (result.get("planned") or {}).get("direction") == "back"
        settled = result.get("settled", True)
        kind = Ending.VERIFIED if undone else _OF_OUTCOME.get(outcome, Ending.FAILED)
        found.append(kind if settled else max(kind, Ending.FAILED))
    worst = next(kind for kind in GRAVITY if kind in found)
    # Every host is well, and yet the run is not: something after the operation failed, such as fetching a backup.
    return Ending.FAILED if worst is Ending.VERIFIED and code else worst


def document(events: Events, run: Mapping[str, Any], how: Ending) -> dict[str, Any]:
    """One document for a program. run: what was asked for, and when."""
    watch = events.watch
    outcomes = watch.outcomes
    names = list(dict.fromkeys([*events.hosts, *outcomes]))
    return {
        "schema": SCHEMA,
        **run,
        "exit_code": int(how),
        "meaning": how.meaning,
        "operation": watch.operation or None,
        "refusal": watch.decision.get("together") or None,
        "hosts": {name: _host(outcomes.get(name) or {}, events, name) for name in names},
        "said": events.said,
        "error": "\n".join(events.errors) if events.errors and not names else None,
        "warnings": events.warnings,
    }


def _host(result: Outcome, events: Events, name: str) -> dict[str, Any]:
    planned: Planned = result.get("planned") or {}
    plan, record = planned.get("plan") or NO_PLAN, result.get("record") or {}
    changed = bool(events.watch.decision.get("go"))
    if changed and planned:
        outcome: str | None = report.outcome_of(result)
    elif planned.get("refusal"):
        outcome = "refused"
    else:
        outcome = "unreachable" if planned.get("unreachable") or name in events.unreachable else None
    said = told(planned.get("msg")) or told(result.get("msg"))
    return {
        "outcome": outcome,
        "from": record.get("from") or plan.get("from"),
        "to": record.get("to") or plan.get("to"),
        "left": record.get("left"),
        "seconds": round(sum(step["seconds"] for step in record.get("steps") or []), 3) if record else None,
        "request_ids": report.request_ids(result),
        "ledger_id": record.get("id"),
        "refusal": planned.get("refusal"),
        "error": result.get("error") or events.causes.get(name) or said or None,
        "chosen": plan.get("chosen") or None,
        "migrations": plan.get("migrations"),
        "steps": [step["title"] for step in plan.get("steps") or []],
        "settled": result.get("settled"),
    }


def junit(found: Mapping[str, Any]) -> str:
    """The document as a report that CI systems show: one case for each host."""
    hosts: Mapping[str, Any] = found["hosts"] or {"-": {}}
    bad = found["exit_code"] != 0
    suite = ElementTree.Element("testsuite", name=f"ops.runbook.{found['procedure']}", timestamp=str(found["started"]))
    troubled = [name for name in hosts if bad and hosts[name].get("outcome") not in ("succeeded", "unchanged")]
    # A refusal of all hosts together is the fault of none, and yet the run is red.
    troubled = troubled or (list(hosts) if bad else [])
    for name, host in hosts.items():
        case = ElementTree.SubElement(
            suite, "testcase", classname=str(found["procedure"]), name=name, time=str(host.get("seconds") or 0)
        )
        if name in troubled:
            refusal = host.get("refusal") or found.get("refusal") or {}
            text = host.get("error") or refusal.get("text") or found["meaning"]
            ways = [f"{typed(way['input'], way['effect'], True)}  {way['effect']}" for way in refusal.get("ways") or []]
            failure = ElementTree.SubElement(case, "failure", message=paragraph(str(text)), type=found["meaning"])
            failure.text = paragraph("\n".join([str(text), *ways]))
    suite.set("tests", str(len(hosts)))
    suite.set("failures", str(len(troubled)))
    suite.set("time", str(found["seconds"]))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"
