"""Steps after which nothing can be undone, steps that are done again, and a failure that changed nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import journal

PLAN = {
    "steps": [
        {"id": "look", "title": "look", "data": {"proof": True}},
        {"id": "send", "title": "send", "data": {"no_return": True}},
        {"id": "clean", "title": "clean"},
    ],
    "undo": [{"id": "back", "title": "back"}],
}


def progress(*events: dict[str, Any]) -> journal.Progress:
    found = journal.fold([{"event": "open", "operation": "o"}, {"event": "plan", "plan": PLAN}, *events])
    assert found is not None
    return found


def begin(step: str) -> dict[str, Any]:
    return {"event": "begin", "step": step}


def done(step: str) -> dict[str, Any]:
    return {"event": "done", "step": step}


def failed(step: str, **more: Any) -> dict[str, Any]:
    return {"event": "failed", "step": step, "error": "x", **more}


LOOKED = (begin("look"), done("look"))
CASES = {
    "before it": (LOOKED, True),
    "begun": ((*LOOKED, begin("send")), False),
    "failed, nobody knows how": ((*LOOKED, begin("send"), failed("send")), False),
    "failed, and changed nothing": ((*LOOKED, begin("send"), failed("send", untouched=True)), True),
    "an earlier try may have changed something": (
        (*LOOKED, begin("send"), begin("send"), failed("send", untouched=True)),
        False,
    ),
    "done": ((*LOOKED, begin("send"), done("send")), False),
}


@pytest.mark.parametrize(("events", "back"), CASES.values(), ids=CASES)
def test_nothing_is_undone_after_a_step_without_return(events: tuple[dict[str, Any], ...], back: bool) -> None:
    found = progress(*events)
    assert found.can_go_back is back
    assert ("undo" in journal.classify(found).ways) is back
    assert "resume" in journal.classify(found).ways


def test_a_check_is_made_again_after_a_resume() -> None:
    carried = journal.carry(progress(*LOOKED, begin("send"), done("send")), journal.FORWARD)
    assert set(carried["done"]) == {"send"} and "look" in carried["ever_begun"]
