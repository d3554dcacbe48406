# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is condemned for what it did, and never for a certificate, a stopped worker or a slow machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import release_choice
from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders, Work, carry_out
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.health import blame, gate
from ansible_collections.ops.runbook.plugins.module_utils.health.blame import RELEASE, SURROUNDINGS, Fault
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import Check, GateSettings
from ansible_collections.ops.runbook.plugins.module_utils.health.fetch import Answer
from ansible_collections.ops.runbook.plugins.module_utils.health.gate import Result
from ansible_collections.ops.runbook.plugins.module_utils.host import load
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

CERTIFICATE = "the certificate ends in 4 days, at least 14 are asked for"
UNIT = "multi-queue@3 is not running (inactive, dead)"

# -- records -------------------------------------------------------------------------------------

WRONG = [{"name": "health", "ok": False, "status": 500, "reason": "expected status 200, got 500"}]
AGED = [{"name": "health", "ok": False, "status": 200, "reason": CERTIFICATE}]
WELL = [{"name": "health", "ok": True, "status": 200, "reason": ""}]

OLD_RECORDS: dict[str, tuple[dict[str, Any], str]] = {
    "a wrong answer": ({"error": "health: expected status 200, got 500", "health": WRONG}, RELEASE),
    "an aged certificate": ({"error": f"health: {CERTIFICATE}", "health": AGED}, SURROUNDINGS),
    "an aged certificate, after going back": (
        {"error": f"after going back: health: {CERTIFICATE}", "failed_health": AGED, "health": AGED},
        SURROUNDINGS,
    ),
    "a wrong answer beside an aged certificate": (
        {"error": "", "health": [{**AGED[0], "reason": f"expected status 200, got 500; {CERTIFICATE}"}]},
        RELEASE,
    ),
    "a slow answer": (
        {"error": "", "health": [{"ok": False, "reason": "answers in 2.31 s, the limit is 2 s"}]},
        SURROUNDINGS,
    ),
    "a stopped worker": ({"error": UNIT, "health": WELL}, SURROUNDINGS),
    "a stopped worker, after going back": ({"error": f"after going back: {UNIT}", "failed_health": WELL}, SURROUNDINGS),
    "a unit that failed": (
        {"error": "app-queue has failed (exit-code); its log: journalctl -u app-queue -n 50", "health": WELL},
        SURROUNDINGS,
    ),
    "a crontab without the line": (
        {"error": "the crontab has no line that runs schedule:run in /var/www/a", "health": WELL},
        SURROUNDINGS,
    ),
    "a step": ({"error": "step 'caches': php artisan config:cache ended with 1", "health": []}, RELEASE),
    "a full disk": ({"error": "step 'code': git ended with 128: No space left on device", "health": []}, SURROUNDINGS),
    "files of root": (
        {"error": "step 'code': git ... reset --hard ended with 128: unable to unlink old 'app/V.php'", "health": []},
        SURROUNDINGS,
    ),
    "a cut": ({"error": "step 'code': cut off", "health": []}, blame.CUT),
    "another commit": ({"error": "the checkout is at aaaa, not at bbbb", "health": WELL}, ""),
    "an answer without a reason": ({"error": "", "failed_health": [{"ok": False}]}, RELEASE),
}


@pytest.mark.parametrize("name", OLD_RECORDS)
def test_the_cause_of_an_older_record_is_found(name: str) -> None:
    record, about = OLD_RECORDS[name]
    assert blame.of_record(record) == about


def test_a_record_that_says_it_is_believed() -> None:
    assert blame.of_record({"about": SURROUNDINGS, "error": "step 'x': failed", "health": WRONG}) == SURROUNDINGS


def ledger(*operations: tuple[str, str, str, str, dict[str, Any]]) -> release_choice.History:
    """procedure, from, to, outcome and the rest of each record."""
    return release_choice.history(
        {
            "id": f"op-{number}",
            "procedure": procedure,
            "outcome": outcome,
            "from": {"id": source} if source else None,
            "to": {"id": target},
            "left": {"id": source if outcome == "reverted" else target},
            "steps": [{"step": "code", "seconds": 1.0}],
            "finished": f"2026-11-21T00:00:{number:02d}.000Z",
            "error": "",
            **more,
        }
        for number, (procedure, source, target, outcome, more) in enumerate(operations, start=1)
    )


def test_a_rollback_in_the_last_days_of_a_certificate_leaves_somewhere_to_go() -> None:
    past = ledger(
        ("adopt", "", "v1", "succeeded", {}),
        ("deploy", "v1", "v2", "succeeded", {}),
        ("rollback", "v2", "v1", "failed", {"error": f"health: {CERTIFICATE}", "health": AGED}),
    )
    assert [(entry.id, entry.good) for entry in past.order] == [("v1", True), ("v2", False)]


@pytest.mark.parametrize(
    "more", [{"error": f"after going back: {UNIT}", "failed_health": WELL}, {"about": SURROUNDINGS}]
)
def test_a_stopped_worker_does_not_send_the_next_rollback_too_far(more: dict[str, Any]) -> None:
    past = ledger(
        ("adopt", "", "r1", "succeeded", {}),
        ("deploy", "r1", "r2", "succeeded", {}),
        ("deploy", "r2", "r3", "succeeded", {}),
        ("deploy", "r3", "r2", "failed", {**more, "left": {"id": "r3"}}),
    )
    assert release_choice.previous(past, "r3").id == "r2"


def test_a_deploy_that_was_cut_and_undone_condemns_nothing() -> None:
    past = ledger(
        ("adopt", "", "r1", "succeeded", {}),
        ("deploy", "r1", "r2", "succeeded", {}),
        ("deploy", "r2", "r1", "reverted", {"error": "step 'code': cut off"}),
    )
    assert release_choice.previous(past, "r2").id == "r1"


def test_previous_says_why_it_passes_over_each_release() -> None:
    past = ledger(
        ("adopt", "", "r1", "succeeded", {}),
        ("deploy", "r1", "r2", "succeeded", {}),
        ("deploy", "r2", "r3", "succeeded", {}),
        ("rollback", "r3", "r2", "reverted", {"error": "step 'caches': ended with 1"}),
        ("deploy", "r3", "r4", "reverted", {"about": RELEASE, "error": "health: expected status 200, got 500"}),
    )
    chosen = release_choice.previous(past, "r3")
    assert chosen.id == "r1"
    assert release_choice.passed_over(past, "r3", chosen) == [
        "r4: deploy op-5 could not bring it up: health: expected status 200, got 500",
        "r2: rollback op-4 could not bring it up: step 'caches': ended with 1",
    ]
    first = ledger(("adopt", "", "r1", "succeeded", {}), ("deploy", "r1", "r4", "reverted", {"error": "step 'a': b"}))
    with pytest.raises(Problem) as caught:
        release_choice.previous(first, "r1")
    assert (caught.value.code, caught.value.details) == (
        "nothing_before",
        ("r4: deploy op-2 could not bring it up: step 'a': b",),
    )


# -- answers -------------------------------------------------------------------------------------


def result(
    ok: bool = False, status: int | None = 200, seconds: float = 0.1, about: str = "", reason: str = "x"
) -> Result:
    return Result("health", "http://a/", ok, status, seconds, reason="" if ok else reason, about=about)


ANSWERS: dict[str, tuple[Result, Result | None, tuple[bool, str]]] = {
    "well": (result(True), result(True), (True, "")),
    "wrong, and well before": (result(status=500), result(True), (False, RELEASE)),
    "wrong, and nobody looked before": (result(status=500), None, (False, RELEASE)),
    "wrong as before": (result(status=500), result(status=500), (False, SURROUNDINGS)),
    "wrong in another way than before": (result(status=500), result(status=503), (False, RELEASE)),
    "no answer, as before": (result(status=None), result(status=None), (False, SURROUNDINGS)),
    "the wrong release": (result(about=RELEASE), result(), (False, RELEASE)),
    "no name, and nobody looked": (result(status=None, about=SURROUNDINGS), None, (False, SURROUNDINGS)),
    "no name, and there was one": (result(status=None, about=SURROUNDINGS), result(True), (False, RELEASE)),
    "slow, and fast before": (result(seconds=3, about="speed"), result(True), (False, RELEASE)),
    "slow as before": (result(seconds=3, about="speed"), result(seconds=2.5, about="speed"), (True, "")),
    "much slower than before": (result(seconds=9, about="speed"), result(seconds=2.5, about="speed"), (False, RELEASE)),
    "slow, and wrong before": (result(seconds=3, about="speed"), result(status=500), (False, SURROUNDINGS)),
    "slow, and nobody looked": (result(seconds=3, about="speed"), None, (False, SURROUNDINGS)),
    "wrong, and slow before": (result(), result(about="speed"), (False, RELEASE)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_held_against_the_one_before_the_change(name: str) -> None:
    now, before, expected = ANSWERS[name]
    judged = gate.against(now, before.to_dict() if before is not None else None)
    assert (judged.ok, judged.about) == expected
    assert bool(judged.reason) is not judged.ok
    assert not judged.warnings or judged.ok


def test_a_slow_machine_is_named_with_both_figures() -> None:
    now, before = (
        result(seconds=each, about="speed", reason="answers in 3.00 s, the limit is 2 s") for each in (3, 2.5)
    )
    assert gate.against(now, before.to_dict()).warnings == (
        "answers in 3.00 s, the limit is 2 s; before the change it took 2.50 s",
    )


def answer(seconds: float = 0.1, status: int = 200, days: int = 60) -> Answer:
    return Answer(status, (), b"ok", True, seconds, days)


@pytest.mark.parametrize(
    ("given", "about", "warnings"),
    [
        (answer(days=4), "", 1),
        (answer(seconds=3), "speed", 0),
        (answer(seconds=3, days=4), "speed", 1),
        (answer(status=500, days=4), "", 1),
    ],
)
def test_of_one_answer_a_certificate_is_a_warning_and_speed_is_open(given: Answer, about: str, warnings: int) -> None:
    check = Check("health", "https://a/", max_seconds=2, tls_min_days=14)
    found = gate.evaluate(check, given)
    assert (found.about, len(found.warnings)) == (about, warnings)
    assert found.ok is (given.status == 200 and given.seconds < 2)


def test_the_verdict_names_what_it_passes_over() -> None:
    passed = blame.verdict([Fault(CERTIFICATE, SURROUNDINGS, red=False)])
    assert (passed["ok"], passed["about"], passed["surroundings"]) == (True, "", [CERTIFICATE])
    mixed = blame.verdict([Fault("a", SURROUNDINGS), Fault("b")])
    assert (mixed["ok"], mixed["about"], mixed["reason"]) == (False, RELEASE, "a; b")
    assert blame.verdict([Fault("a", SURROUNDINGS)])["about"] == SURROUNDINGS


def test_a_unit_that_did_not_run_before_is_passed_over_and_one_that_did_is_not() -> None:
    found = {"queue": UNIT, "nginx": "", "php": "php is not running"}
    assert [(each.about, each.red) for each in blame.so_before(found, {"queue": UNIT})] == [
        (SURROUNDINGS, False),
        (RELEASE, True),
    ]
    assert [(each.about, each.red) for each in blame.so_before({"queue": UNIT}, None)] == [(SURROUNDINGS, True)]


# -- the whole of an operation -------------------------------------------------------------------


def operated(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], error: str = "", revert: bool = True
) -> Any:
    guard = Guard(str(tmp_path / "state"))
    guard.open(Request("op-1", "shop", "deploy"))
    plan = {
        "procedure": "deploy",
        "from": {"id": "v1"},
        "to": {"id": "v2"},
        "steps": [Step("code", "switch").to_dict()],
        "undo": [Step("code", "switch back").to_dict()],
    }
    guard.write({"event": "plan", "plan": plan})
    guard.write({"event": "phase_end", "phase": "plan"})

    def execute(_step: Step) -> None:
        if error:
            raise RuntimeError(error)

    def verify(given: Any, direction: str) -> dict[str, Any]:
        stood = (given["just_before"] or {}).get("units")
        found = blame.so_before(before["units"] if direction == "back" else after["units"], stood)
        return {**blame.verdict(found), "health": []}

    result = carry_out(
        guard, Work(lambda _plan: execute, verify, lambda _plan: before), Orders("op-1", "forward", revert, True)
    )
    return result["closed"]["record"]


def test_a_deploy_beside_a_worker_that_was_stopped_before_succeeds_and_its_record_names_it(tmp_path: Path) -> None:
    record = operated(tmp_path, {"units": {"queue": UNIT}}, {"units": {"queue": UNIT}})
    assert record["outcome"] == "succeeded"
    assert record["surroundings"] == [f"{UNIT}, as before the change: not judged"]
    assert "about" not in record


def test_a_worker_that_stops_with_the_change_is_about_the_release(tmp_path: Path) -> None:
    record = operated(tmp_path, {"units": {}}, {"units": {"queue": UNIT}})
    assert (record["outcome"], record["about"], record["error"]) == ("reverted", RELEASE, UNIT)


@pytest.mark.parametrize(("error", "about"), [("No space left on device", SURROUNDINGS), ("Undefined class", RELEASE)])
def test_the_record_says_what_a_failed_step_is_about(tmp_path: Path, error: str, about: str) -> None:
    record = operated(tmp_path, {"units": {}}, {"units": {}}, error, revert=False)
    assert (record["outcome"], record["about"]) == ("failed", about)


# -- patience ------------------------------------------------------------------------------------


def test_the_gate_waits_as_long_as_the_machine_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "busy", lambda: 3.0)
    settings = GateSettings((Check("site", "http://127.0.0.1/", timeout=2.0),), 15.0, 1.0, 1)
    patience = settings.patience()
    assert not patience.over(44.0) and patience.over(46.0)
    assert [check.timeout for check in settings.asked] == [6.0]
    assert patience.asked(settings.checks[0]).timeout == 6.0
    assert GateSettings((), 0.0, 1.0, 1).patience().over()


def test_an_answer_in_one_sentence_and_one_beside_another() -> None:
    assert blame.answer(note="well") == {
        "ok": True,
        "reason": "",
        "about": "",
        "surroundings": [],
        "health": [],
        "note": "well",
    }
    wrong = blame.answer("it is still there")
    assert (wrong["ok"], wrong["about"]) == (False, SURROUNDINGS)
    well = blame.answer()
    assert blame.beside(well, []) == well
    both = blame.beside(blame.answer("b", RELEASE), ["a"])
    assert (both["ok"], both["reason"], both["about"]) == (False, "a; b", RELEASE)
