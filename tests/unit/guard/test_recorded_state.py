"""State folders that an earlier version wrote on real hosts are read, resumed and undone by this one.

Each folder of data/recorded was taken from a host while an operation was at work there. Its `expected.json` says what
the version of 30 November 2026 made of it: the verdict, and for each way forward the steps that it ran and what the
ledger had then. The name of the controller was replaced, and the hashes of the ledger were made anew.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console import report, screen
from ansible_collections.ops.runbook.plugins.module_utils.guard import journal, ledger, state_owner
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request

RECORDED = sorted((Path(__file__).parents[1] / "data/recorded").iterdir())
EXPECTED: dict[str, dict[str, Any]] = {path.name: json.loads((path / "expected.json").read_text()) for path in RECORDED}
WAYS = [(path, way) for path in RECORDED for way in EXPECTED[path.name]["follow"]]


def named(found: object) -> str:
    return found.name if isinstance(found, Path) else str(found)


def outcomes(book: Any) -> list[list[str]]:
    return [[record["id"], record["procedure"], record["outcome"]] for record in book.records]


def follow(guard: Guard, way: str) -> dict[str, Any]:
    """Type a way forward: the steps that it runs, and what the ledger has then."""
    progress = guard.progress()
    assert progress is not None
    opened, ran = progress.opened, []
    request = Request(
        "20261231T000000Z-later",
        opened["service"],
        opened["procedure"],
        environment=opened["environment"],
        actor={"user": "ada", "controller": "bastion.example.com"},
        subject=subject(guard),
        interrupted=way,
        lock_takeover=opened["operation"],
    )
    opening = guard.open(request)
    guard.write({"event": "phase_end", "phase": "plan"})
    guard.leave()
    if opening.direction is not None:

        def note(step: Step) -> None:
            ran.append(step.id)

        with guard.phase(request.operation, "apply", opening.direction) as carried:
            guard.run_steps(carried, opening.direction, note)
        with guard.phase(request.operation, "verify"):
            guard.write({"event": "verified", "result": {"ok": True, "reason": ""}})
        guard.close(request.operation)
    book = guard.ledger(verify=True)
    return {"ran": ran, "outcomes": outcomes(book), "problems": list(book.problems)}


def subject(guard: Guard) -> state_owner.Subject:
    owner = state_owner.parse(Path(guard.path(state_owner.NAME)).read_bytes())
    assert owner is not None
    return state_owner.Subject(owner.system, owner.place, owner.environment)


def test_every_system_that_keeps_a_journal_was_recorded() -> None:
    assert {path.name.partition("-")[0] for path in RECORDED} == {"laravel", "compose", "dokku", "ssh_key"}
    assert {EXPECTED[path.name]["direction"] for path in RECORDED} == {"forward", "back"}


@pytest.mark.parametrize("path", RECORDED, ids=named)
def test_a_recorded_journal_has_the_same_verdict(path: Path) -> None:
    expected = EXPECTED[path.name]
    progress = journal.fold(journal.parse((path / "journal.jsonl").read_bytes()))
    assert progress is not None
    verdict = journal.classify(progress)
    assert (verdict.kind, list(verdict.ways)) == (expected["kind"], expected["ways"])
    found = (progress.operation, list(progress.done), list(progress.undone), progress.begun, progress.direction)
    assert found == tuple(expected[name] for name in ("operation", "done", "undone", "begun", "direction"))


@pytest.mark.parametrize(("path", "way"), WAYS, ids=named)
def test_a_recorded_operation_is_carried_on_as_before(path: Path, way: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shutil.copytree(path, state)
    assert follow(Guard(str(state)), way) == EXPECTED[path.name]["follow"][way]


@pytest.mark.parametrize("path", RECORDED, ids=named)
def test_a_recorded_plan_is_shown(path: Path) -> None:
    """A plan has fewer keys than it has today, or others."""
    progress = journal.fold(journal.parse((path / "journal.jsonl").read_bytes()))
    assert progress is not None and progress.plan is not None
    for direction in (journal.FORWARD, journal.BACK):
        remaining = progress.remaining(direction)
        plan = {**progress.plan, "remaining": [step.id for step in remaining]}
        planned = {"web1": {"operation": progress.operation, "opened": True, "direction": direction, "plan": plan}}
        shown = "\n".join(report.plan_lines(planned))
        assert f"{len(remaining)} steps remain" in shown and all(step.title in shown for step in remaining)
        assert "chosen" in screen.plan_screen(planned, 200)[0].text


def test_a_record_of_a_newer_version_is_part_of_the_chain() -> None:
    """A newer version may write fields that this one does not know."""
    lines = (RECORDED[0] / "ledger.jsonl").read_bytes().splitlines()
    newer = {**json.loads(lines[-1]), "id": "20270101T000000Z-newer", "of_a_newer_version": {"any": ["thing"]}}
    _record, line = ledger.line_of(newer, ledger.digest(lines[-1]))
    book = ledger.parse(b"".join(one + b"\n" for one in lines) + line)
    assert not book.problems and book.records[-1]["of_a_newer_version"] == {"any": ["thing"]}


def test_a_recorded_ledger_that_was_edited_is_seen() -> None:
    content = (Path(__file__).parents[1] / "data/recorded/laravel-deploy-going-back/ledger.jsonl").read_bytes()
    assert not ledger.parse(content).problems
    assert ledger.parse(content.replace(b'"succeeded"', b'"reverted"', 1)).problems
