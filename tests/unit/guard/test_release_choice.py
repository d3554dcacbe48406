# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release `previous` means: after every history, never the wrong one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import (
    NEWEST,
    Course,
    History,
    Release,
    TooOld,
    doubt,
    history,
    kept,
    passed_over,
    previous,
)
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

Record = dict[str, Any]


class Service:
    """A host and its ledger, moved by operations as they end."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.current = ""

    def record(self, procedure: str, target: str, outcome: str, left: str | None, **more: Any) -> Service:
        number = len(self.records) + 1
        self.records.append(
            {
                "id": f"op-{number}",
                "procedure": procedure,
                "outcome": outcome,
                "from": {"id": self.current} if self.current else None,
                "to": {"id": target, "name": f"v-{target}"},
                "left": {"id": left} if left else None,
                "steps": [{"step": "code", "seconds": 1.0}],
                # What did not succeed failed in a step, which speaks against its release.
                "error": "step 'caches': failed" if outcome in ("failed", "reverted") else "",
                "finished": f"2026-11-21T00:00:{number:02d}.000Z",
                **more,
            }
        )
        self.current = left or self.current
        return self

    def deploy(self, target: str, outcome: str = "succeeded") -> Service:
        return self.record("deploy", target, outcome, self.current if outcome == "reverted" else target)

    def rollback(self, target: str | None = None, outcome: str = "succeeded", **more: Any) -> Service:
        to = self.previous if target is None else target
        return self.record("rollback", to, outcome, self.current if outcome == "reverted" else to, **more)

    def killed(self, procedure: str, target: str, at: str, **more: Any) -> Service:
        """An operation that died and was accepted as it was: nobody knows where, the host is `at`."""
        self.record(procedure, target, "interrupted", None, **more)
        self.current = at
        return self

    @property
    def past(self) -> History:
        return history(self.records)

    @property
    def previous(self) -> str:
        return previous(self.past, self.current).id

    @property
    def goes_back_to(self) -> str:
        try:
            return self.previous
        except Problem as none:
            return none.code


def deployed(*releases: str) -> Service:
    service = Service()
    for release in releases:
        service.deploy(release)
    return service


CHOICES: dict[str, tuple[Service, str]] = {
    "no ledger": (Service(), "no_ledger"),
    "only one release": (deployed("a"), "nothing_before"),
    "two": (deployed("a", "b"), "a"),
    "three": (deployed("a", "b", "c"), "b"),
    "a second rollback goes further back": (deployed("a", "b", "c").rollback(), "a"),
    "a third has nowhere to go": (deployed("a", "b", "c").rollback().rollback(), "nothing_before"),
    "what was rolled back is skipped later": (deployed("a", "b", "c").rollback().deploy("d"), "b"),
    "a fixed release is good again": (deployed("a", "b").rollback().deploy("b").deploy("c"), "b"),
    "a deploy that was reverted": (deployed("a", "b").deploy("c", "reverted"), "a"),
    "a deploy that failed and was held": (deployed("a", "b").deploy("c", "failed"), "b"),
    "five failed deploys": (
        deployed("a", "b").deploy("c", "failed").deploy("d", "failed").deploy("e", "failed").deploy("f", "failed"),
        "b",
    ),
    "a failed deploy of an older release, held": (deployed("a", "b", "c").deploy("a", "failed"), "c"),
    "a failed deploy of an older release, reverted": (deployed("a", "b", "c").deploy("a", "reverted"), "b"),
    "a failed deploy of an older release, killed": (deployed("a", "b", "c").killed("deploy", "a", "a"), "c"),
    "a failed deploy, then back": (deployed("a", "b").deploy("c", "failed").rollback(), "a"),
    "an older release deployed again": (deployed("a", "b", "c").deploy("a"), "c"),
    "the same release deployed again": (deployed("a", "b").deploy("b"), "a"),
    "a rollback that failed and was held": (deployed("a", "b", "c").rollback(outcome="failed"), "a"),
    "a rollback that was reverted": (deployed("a", "b", "c").rollback(outcome="reverted"), "a"),
    "a rollback of a rollback, named": (deployed("a", "b", "c").rollback().rollback("c"), "a"),
    "a rollback over two": (deployed("a", "b", "c").rollback("a"), "nothing_before"),
    "a rollback over two, then forth by name": (deployed("a", "b", "c").rollback("a").rollback("b"), "nothing_before"),
    "a rollback to what was never deployed here": (deployed("a", "b").rollback("x"), "a"),
    "... and from there on": (deployed("a", "b").rollback("x").deploy("c"), "x"),
    "a rollback killed in its first step, accepted where it went": (
        deployed("a", "b", "c").killed("rollback", "b", "b", steps=[]),
        "a",
    ),
    "an operation that ended before its first step": (
        deployed("a", "b").record("deploy", "c", "interrupted", "b", steps=[]),
        "a",
    ),
    "a killed deploy, accepted where it began": (deployed("a", "b").killed("deploy", "c", "b"), "a"),
    "a killed deploy, accepted where it went": (deployed("a", "b").killed("deploy", "c", "c"), "b"),
    "a killed deploy, then a good one": (deployed("a", "b").killed("deploy", "c", "b").deploy("d"), "b"),
    "a killed rollback, accepted": (deployed("a", "b", "c").killed("rollback", "b", "c"), "b"),
    "a killed rollback, undone": (
        deployed("a", "b", "c").rollback(outcome="reverted", error="step 'code': cut off"),
        "b",
    ),
    "a rollback with a stopped worker, then another": (
        deployed("a", "b", "c").rollback(
            outcome="failed", error="vertex-queue is not running", health=[{"name": "health", "ok": True}]
        ),
        "a",
    ),
    "a rollback whose answers were wrong": (
        deployed("a", "b", "c").rollback(outcome="reverted", error="", failed_health=[{"ok": False}]),
        "a",
    ),
    "adopted, then deployed": (Service().record("adopt", "a", "succeeded", "a").deploy("b"), "a"),
    "adopted after a change by hand": (deployed("a", "b").record("adopt", "x", "succeeded", "x"), "b"),
    "maintenance says nothing about releases": (
        deployed("a", "b").record("maintenance", "b", "succeeded", "b"),
        "a",
    ),
    "a refusal says nothing": (deployed("a", "b").record("deploy", "c", "refused", None, steps=[]), "a"),
    "a refused continuation says nothing": (
        deployed("a", "b").record("deploy", "c", "refused", None, steps=[], continues="op-0"),
        "a",
    ),
    "what changed nothing says nothing": (deployed("a", "b").record("deploy", "c", "unchanged", None), "a"),
    "a resumed deploy counts, though its steps were another's": (
        deployed("a", "b").record("deploy", "c", "succeeded", "c", steps=[], continues="op-2"),
        "b",
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_previous(name: str) -> None:
    service, expected = CHOICES[name]
    assert service.goes_back_to == expected


# The five defects that were reproduced in other tools.


def test_a_second_rollback_is_no_silent_nothing() -> None:
    """Elsewhere a second rollback changes nothing and ends with 0: here it goes on, and at the end it refuses."""
    service = deployed("a", "b", "c").rollback()
    assert service.current == "b"
    service.rollback()
    assert service.current == "a"
    with pytest.raises(Problem) as caught:
        service.rollback()
    assert caught.value.code == "nothing_before"


def test_rolling_forward_to_the_newest_release_keeps_it() -> None:
    """Elsewhere a rollback forward deletes the release it goes to: here what it goes to is among the kept."""
    service = deployed("a", "b", "c").rollback().rollback("c")
    assert service.current == "c"
    assert "c" in kept(service.past, service.current, 1)


def test_a_release_of_a_killed_deploy_is_never_previous() -> None:
    """Elsewhere the orphan of a killed deploy is chosen: here only an operation that succeeded makes a release."""
    service = deployed("a", "b").killed("deploy", "half", "b").deploy("c")
    assert service.previous == "b"
    assert service.rollback().rollback().current == "a"


def test_a_rollback_does_not_drop_the_release_it_goes_to() -> None:
    """Elsewhere the clean-up of a rollback deletes the oldest release, which is its target."""
    service = deployed("a", "b")
    assert service.previous == "a"
    assert "a" in kept(service.past, service.current, 1)
    assert "a" in kept(service.past, service.current, 0)


def test_a_rollback_does_not_drop_the_live_release() -> None:
    """Elsewhere the live release is deleted before the switch, as it is beyond the retention."""
    service = deployed("a", "b", "c", "d").rollback("a")
    assert "a" in kept(service.past, service.current, 1)
    failed = deployed("a", "b").deploy("c", "failed")
    assert {"b", "c"} <= set(kept(failed.past, failed.current, 1))


# More than one sentence.


def test_a_change_by_hand_is_noticed_and_not_hidden_by_maintenance() -> None:
    service = deployed("a", "b")
    service.current = "x"
    assert service.goes_back_to == "drift"
    service.record("maintenance", "x", "succeeded", "x")
    assert service.goes_back_to == "drift"
    service.record("adopt", "x", "succeeded", "x")
    assert service.goes_back_to == "b"


def test_the_refusal_names_both_releases() -> None:
    service = deployed("a", "b")
    with pytest.raises(Problem, match="at b, but it is at x"):
        previous(service.past, "x")


def test_a_condemned_release_says_by_whom() -> None:
    past = deployed("a", "b").rollback().past
    condemned, good = past.find("b"), past.find("a")
    assert condemned is not None and (condemned.good, condemned.condemned_by) == (False, "op-3")
    assert good is not None and (good.good, good.name, good.operation) == (True, "v-a", "op-3")
    assert past.find("x") is None


def test_failed_deploys_do_not_evict_the_last_good_release() -> None:
    service = deployed("a", "b")
    for number in range(5):
        service.deploy(f"bad{number}", "reverted")
    assert kept(service.past, service.current, 2) == ["b", "a"]


def test_the_newest_good_ones_are_kept() -> None:
    service = deployed("a", "b", "c", "d", "e")
    assert kept(service.past, service.current, 3) == ["e", "d", "c"]
    assert kept(service.past, service.current, -1) == ["e", "d"]


RELEASES = st.sampled_from(["a", "b", "c", "d", "e"])
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("deploy"), RELEASES, st.sampled_from(["succeeded"] * 3 + ["reverted", "failed", "killed"])),
        st.tuples(st.just("back"), st.none(), st.sampled_from(["succeeded"] * 3 + ["reverted", "failed", "killed"])),
        st.tuples(st.just("back"), RELEASES, st.sampled_from(["succeeded"] * 3 + ["reverted", "failed", "killed"])),
        st.tuples(st.just("adopt"), st.none(), st.just("succeeded")),
        st.tuples(st.just("maintain"), st.none(), st.just("succeeded")),
    ),
    max_size=14,
)


def live(moves: list[tuple[str, str | None, str]], data: Any) -> tuple[Service, dict[str, bool]]:
    """A host after these operations, and which releases are good: told by the rules, apart from the code."""
    service, good = Service().record("adopt", "a", "succeeded", "a"), {"a": True}
    for verb, release, outcome in moves:
        source = service.current
        if verb == "adopt":
            service.record("adopt", source, "succeeded", source)
            good[source] = True
            continue
        if verb == "maintain":
            service.record("maintenance", source, "succeeded", source)
            continue
        target = release
        if target is None:
            with contextlib.suppress(Problem):
                target = service.previous
        if target is None or target == source:
            continue
        procedure = "deploy" if verb == "deploy" else "rollback"
        if outcome == "killed":
            service.killed(procedure, target, data.draw(st.sampled_from([source, target])))
        elif verb == "deploy":
            service.deploy(target, outcome)
        else:
            service.rollback(target, outcome)
        if verb == "back" and outcome == "killed":
            # A kill says nothing about a release that was good before.
            good.setdefault(target, False)
            continue
        good[target] = outcome == "succeeded"
        if verb == "back" and outcome in ("succeeded", "failed"):
            good[source] = False
    return service, good


@settings(max_examples=300)
@given(MOVES, st.data())
def test_previous_is_good_and_not_the_current_one(moves: list[tuple[str, str | None, str]], data: Any) -> None:
    service, good = live(moves, data)
    with contextlib.suppress(Problem):
        assert good[service.previous]
        assert service.previous != service.current


@settings(max_examples=200)
@given(MOVES, st.data())
def test_rolling_back_again_and_again_never_returns_and_ends(
    moves: list[tuple[str, str | None, str]], data: Any
) -> None:
    service, _good = live(moves, data)
    seen = [service.current]
    while service.goes_back_to not in ("nothing_before", "no_ledger"):
        place = service.past.position(service.current)
        service.rollback()
        assert service.current not in seen
        reached = service.past.position(service.current)
        assert place is None or (reached is not None and reached < place)
        seen.append(service.current)
    assert service.goes_back_to == "nothing_before"


@settings(max_examples=200)
@given(MOVES, st.data(), RELEASES, st.sampled_from(["failed", "killed"]))
def test_after_a_deploy_that_failed_previous_is_a_newer_release_than_any_other(
    moves: list[tuple[str, str | None, str]], data: Any, target: str, how: str
) -> None:
    """The way out of a failed deploy leads to the newest good release, whatever was deployed anew."""
    service, _good = live(moves, data)
    if target == service.current:
        return
    if how == "killed":
        service.killed("deploy", target, target)
    else:
        service.deploy(target, "failed")
    good = [entry.id for entry in service.past.order if entry.good]
    assert service.goes_back_to == (good[-1] if good else "nothing_before")


@settings(max_examples=200)
@given(MOVES, st.data(), st.integers(0, 4))
def test_the_current_and_the_previous_release_are_kept(
    moves: list[tuple[str, str | None, str]], data: Any, count: int
) -> None:
    service, good = live(moves, data)
    wanted = kept(service.past, service.current, count)
    assert len(wanted) == len(set(wanted))
    assert service.current in wanted
    assert service.goes_back_to in (*wanted, "nothing_before")
    assert sum(1 for name in wanted if name not in (service.current, service.goes_back_to)) <= count
    assert all(good[name] or name == service.current for name in wanted)


# -- written down ----------------------------------------------------------------------------------


def course(records: list[Record], known: bool = True) -> Course:
    found = Course(lambda _release: known)
    for record in records:
        found.add(record)
    return found


def entry(number: int, good: bool = True, why: str = "") -> list[Any]:
    """A release as it is written down, of the deploy with this number."""
    since = f"2026-11-21T00:00:{number:02d}.000Z"
    return [f"r{number}", f"v-r{number}", good, since, f"op-{number}", "", why, number]


def series(count: int, failed: int = 0) -> Service:
    service = Service()
    for number in range(1, count + failed + 1):
        service.deploy(f"r{number}", "succeeded" if number <= count else "reverted")
    return service


def not_brought_up(number: int) -> str:
    return f"deploy op-{number} could not bring it up: step 'caches': failed"


WRITTEN: dict[str, tuple[Service, dict[str, Any]]] = {
    "nothing": (
        Service(),
        {"left": None, "moved": False, "number": 0, "order": [], "never": [], "older": 0, "dropped": 0, "short": False},
    ),
    "one, and one that failed": (
        series(1, 1),
        {
            "left": "r1",
            "moved": True,
            "number": 2,
            "order": [entry(1)],
            "never": [entry(2, False, not_brought_up(2))],
            "older": 0,
            "dropped": 0,
            "short": False,
        },
    ),
    "as many as are written down": (
        series(NEWEST),
        {
            "left": f"r{NEWEST}",
            "moved": True,
            "number": NEWEST,
            "order": [entry(number) for number in range(1, NEWEST + 1)],
            "never": [],
            "older": 0,
            "dropped": 0,
            "short": False,
        },
    ),
    "two more": (
        series(NEWEST + 2),
        {
            "left": f"r{NEWEST + 2}",
            "moved": True,
            "number": NEWEST + 2,
            "order": [entry(number) for number in range(3, NEWEST + 3)],
            "never": [],
            "older": 2,
            "dropped": 0,
            "short": True,
        },
    ),
    "two more that failed": (
        series(1, NEWEST + 2),
        {
            "left": "r1",
            "moved": True,
            "number": NEWEST + 3,
            "order": [entry(1)],
            "never": [entry(number, False, not_brought_up(number)) for number in range(4, NEWEST + 4)],
            "older": 0,
            "dropped": 3,
            "short": True,
        },
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_the_newest_releases_of_a_course_are_written_down_and_read(name: str) -> None:
    service, expected = WRITTEN[name]
    written = course(service.records).to_dict()
    assert written == expected
    read = Course.from_dict(written, bool)
    assert read.to_dict() == expected
    past = read.history(lambda: service.past)
    assert past.order == tuple(Release(*one) for one in expected["order"])
    assert past.never == tuple(Release(*one) for one in expected["never"])
    assert (past.left, past.older, past.dropped) == (expected["left"], expected["older"], expected["dropped"])
    assert (past.whole is not None) is expected["short"]
    assert past.arrived is bool


def test_left_out_records_add_up_over_several_readings() -> None:
    service = series(NEWEST + 2)
    read = Course.from_dict(course(service.records).to_dict(), lambda _release: False)
    for number in range(3):
        service.deploy(f"new{number}")
        read.add(service.records[-1])
    again = read.to_dict()
    assert (again["older"], again["short"], again["number"], len(again["order"])) == (5, True, NEWEST + 5, NEWEST)
    assert Course.from_dict({**again, "dropped": 7}, bool).to_dict()["dropped"] == 7
    short = Course.from_dict({**course(series(1).records).to_dict(), "short": True}, bool)
    assert short.to_dict()["short"] is True


@pytest.mark.parametrize("key", ["left", "number", "order", "never", "older", "dropped", "short"])
def test_a_course_without_one_of_its_keys_is_not_read(key: str) -> None:
    written = course(series(1).records).to_dict()
    del written[key]
    with pytest.raises(KeyError):
        Course.from_dict(written, bool)


def test_a_record_about_a_release_that_was_left_out_needs_all_records() -> None:
    service = series(NEWEST + 1)
    written = course(service.records).to_dict()
    service.rollback("r1")
    with pytest.raises(TooOld, match="^r1$"):
        Course.from_dict(written, lambda release: release == "r1").add(service.records[-1])
    Course.from_dict(written, lambda _release: False).add(service.records[-1])
    whole = {**written, "short": False}
    Course.from_dict(whole, lambda _release: True).add(service.records[-1])
    # The release that it comes from counts too, and a record without one does not.
    service = series(NEWEST + 1)
    service.current = "r1"
    service.deploy("next")
    with pytest.raises(TooOld, match="^r1$"):
        Course.from_dict(written, lambda release: release == "r1").add(service.records[-1])
    service.current = ""
    service.deploy("other")
    Course.from_dict(written, lambda release: not release).add(service.records[-1])


def test_a_release_that_was_left_out_is_found_in_the_whole_history() -> None:
    service = series(NEWEST + 1)
    asked: list[str] = []

    def whole() -> History:
        asked.append("all")
        return service.past

    read = Course.from_dict(course(service.records).to_dict(), lambda release: release == "r1")
    past = read.history(whole)
    assert past.find("r2") is not None and past.find("r0") is None and not asked
    found = past.find("r1")
    assert found is not None and found.number == 1 and asked == ["all"]
    assert service.past.find("r1") == found


def test_previous_is_looked_for_in_the_whole_history() -> None:
    service = series(NEWEST + 3)
    for number in range(4, NEWEST + 4):
        service.record("rollback", "r3", "failed", service.current, **{"from": {"id": f"r{number}"}})
    service.current = f"r{NEWEST + 3}"
    written = course(service.records).to_dict()
    assert not any(one[2] for one in written["order"][:-1])
    past = Course.from_dict(written, lambda _release: True).history(lambda: service.past)
    assert previous(past, service.current) == previous(service.past, service.current)
    assert kept(past, service.current, 3) == kept(service.past, service.current, 3)
    chosen = previous(past, service.current)
    assert passed_over(past, service.current, chosen) == passed_over(service.past, service.current, chosen)


def test_each_release_that_is_passed_over_has_a_line_with_its_reason() -> None:
    service = series(1, 2)
    service.deploy("bad", "failed").deploy("now")
    nameless = dict(service.records[1])
    nameless["to"] = {"id": "0123456789abcdef"}
    service.records[1] = nameless
    chosen = previous(service.past, "now")
    assert chosen.id == "r1"
    assert passed_over(service.past, "now", chosen) == [
        f"v-bad (bad): {not_brought_up(4)}",
        f"v-r3 (r3): {not_brought_up(3)}",
        f"0123456789: {not_brought_up(2)}",
    ]
    assert passed_over(service.past, "r3", None) == [
        f"v-bad (bad): {not_brought_up(4)}",
        f"0123456789: {not_brought_up(2)}",
    ]


def test_a_reason_that_was_not_recorded_or_is_long_is_said_shortly() -> None:
    service = series(1)
    service.record("deploy", "x", "failed", "x", error="", finished=None)
    service.record("deploy", "y", "failed", "x", error="e" * 300)
    assert [one.why for one in service.past.never] == [
        "deploy op-2 could not bring it up: no reason was recorded",
        f"deploy op-3 could not bring it up: {cut('e' * 300, 200)}",
    ]


def test_a_rollback_says_what_it_left() -> None:
    service = series(2).rollback()
    left = service.past.find("r2")
    assert left is not None
    assert (left.good, left.condemned_by, left.why) == (False, "op-3", "rollback op-3 left it")


REFUSALS: dict[str, tuple[list[Record], str, str, str]] = {
    "nothing recorded": ([], "r1", "no_ledger", "no release was ever recorded on this host"),
    "another release than the last record left": (
        series(1).records,
        "0123456789abcdef",
        "drift",
        "the ledger says that this host is at r1, but it is at 0123456789: somebody changed it without a record",
    ),
    "the first one": (
        series(1).records,
        "r1",
        "nothing_before",
        "no good release before r1 is recorded on this host",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_why_there_is_no_previous_release(name: str) -> None:
    records, current, code, text = REFUSALS[name]
    with pytest.raises(Problem) as caught:
        previous(history(records), current)
    assert (caught.value.code, str(caught.value)) == (code, text)


DOUBTS: dict[str, tuple[Service, str, str]] = {
    "an operation left it there, and well": (deployed("a", "b"), "b", ""),
    "nothing is recorded": (Service(), "a", ""),
    "one went back to it": (deployed("a", "b").deploy("c", "reverted"), "b", ""),
    "somebody moved it by hand": (deployed("a", "b"), "a", "the ledger left this host at b, but it is at a"),
    "one was cut off": (
        deployed("a", "b").killed("deploy", "c", "c"),
        "c",
        "an operation was cut off here, and nobody has verified c since",
    ),
    "one was cut off, the first of a new ledger": (
        Service().killed("deploy", "c", "c"),
        "c",
        "an operation was cut off here, and nobody has verified c since",
    ),
    "a deploy of it failed": (
        deployed("a").deploy("b", "failed"),
        "b",
        "b was good here at no time",
    ),
    "a rollback to it failed by itself": (
        deployed("a", "b").record("rollback", "a", "failed", "a", about="release"),
        "a",
        "v-a (a) is not a good release: rollback op-3 could not bring it up: step 'caches': failed",
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_a_release_that_no_operation_has_left_there_well_is_doubted(name: str) -> None:
    service, current, why = DOUBTS[name]
    assert doubt(service.past, current) == why


def test_a_rollback_to_a_release_that_was_never_deployed_here_comes_before_its_source() -> None:
    assert [one.id for one in series(2).rollback("x").past.order] == ["r1", "x", "r2"]
    unknown = series(2)
    unknown.record("rollback", "x", "succeeded", "x", **{"from": {"id": "by hand"}})
    assert [one.id for one in unknown.past.order] == ["r1", "r2", "x"]


def test_a_release_is_named_by_ten_letters_of_its_id() -> None:
    service = series(1).deploy("0123456789abcdef", "reverted")
    [line] = passed_over(service.past, "other", service.past.find("r1"))
    assert line.startswith("v-0123456789abcdef (0123456789): ")


def test_nothing_is_kept_beside_the_current_and_the_previous_one_where_none_is_wanted() -> None:
    assert kept(series(3).rollback("r1").past, "r1", 0) == ["r1"]
    assert kept(series(3).rollback("r1").past, "r1", -1) == ["r1"]
    assert kept(series(4).past, "r4", 0) == ["r4", "r3"]


def test_the_whole_history_is_read_only_where_the_newest_releases_are_too_few() -> None:
    def whole() -> History:
        raise AssertionError("it was read")

    past = Course.from_dict({**course(series(3).records).to_dict(), "short": True}, bool).history(whole)
    assert kept(past, "r3", 3) == ["r3", "r2", "r1"]
    with pytest.raises(AssertionError, match="it was read"):
        kept(past, "r3", 4)


ROLLBACKS: dict[str, tuple[str, str, str, tuple[str, str]]] = {
    # outcome, where it left the host, about: why the target and the source are not good any more
    "failed at its target": ("failed", "r1", "release", ("brought", "left")),
    "failed at its source": ("failed", "r2", "release", ("brought", "left")),
    "failed at its target for the surroundings": ("failed", "r1", "surroundings", ("", "left")),
    "failed at its source for the surroundings": ("failed", "r2", "surroundings", ("", "")),
    "went back": ("reverted", "r2", "release", ("brought", "")),
    "went back for the surroundings": ("reverted", "r2", "surroundings", ("", "")),
}


@pytest.mark.parametrize("name", ROLLBACKS)
def test_a_rollback_that_did_not_succeed_speaks_against_one_of_two_releases(name: str) -> None:
    outcome, left, about, expected = ROLLBACKS[name]
    service = series(2)
    service.record("rollback", "r1", outcome, left, about=about)
    said = {
        "": "",
        "brought": "rollback op-3 could not bring it up: step 'caches': failed",
        "left": "rollback op-3 left it",
    }
    found = [service.past.find(one) for one in ("r1", "r2")]
    assert [(one.good, one.why) for one in found if one is not None] == [(not one, said[one]) for one in expected]


def test_only_releases_between_the_chosen_and_the_current_one_are_passed_over() -> None:
    service = Service().deploy("first", "reverted").deploy("a").deploy("b").rollback("a").deploy("c").deploy("d")
    service.rollback("c").deploy("e", "reverted").deploy("f").deploy("g").rollback("f")
    past = service.past
    chosen = previous(past, "f")
    assert [one.id for one in past.order] == ["a", "b", "c", "d", "f", "g"] and chosen.id == "c"
    assert [line.split(" ")[0] for line in passed_over(past, "f", chosen)] == ["v-e", "v-d"]
    assert [line.split(" ")[0] for line in passed_over(past, "f", None)] == ["v-e", "v-d", "v-b", "v-first"]


def test_left_out_failures_are_read_from_the_whole_history() -> None:
    service = Service().deploy("first", "reverted").deploy("a")
    for number in range(NEWEST + 2):
        service.deploy(f"x{number}", "reverted")
    service.deploy("now")
    past = Course.from_dict(course(service.records).to_dict(), bool).history(lambda: service.past)
    lines = passed_over(past, "now", past.find("a"))
    assert len(lines) == NEWEST + 2 and lines[-1].startswith("v-x0 ")


def test_a_refusal_names_those_that_were_passed_over_and_no_later_ones() -> None:
    service = Service().deploy("x", "reverted").deploy("a").deploy("b").rollback("a")
    with pytest.raises(Problem) as caught:
        previous(service.past, "a")
    assert caught.value.details == (not_brought_up(1).join(["v-x (x): ", ""]),)


def test_the_release_before_a_left_out_one_is_read_from_the_whole_history() -> None:
    service = series(NEWEST + 3)
    written = {**course(service.records).to_dict(), "left": "r2"}
    past = Course.from_dict(written, lambda release: release == "r2").history(lambda: service.past)
    assert previous(past, "r2").id == "r1"
    by_hand = Course.from_dict({**written, "left": "x"}, lambda _release: False).history(lambda: service.past)
    assert previous(by_hand, "x").id == f"r{NEWEST + 3}"


R2 = {"id": "r2", "name": "v-r2"}
R1 = {"id": "r1", "name": "v-r1"}
#: Beside "r1", which was deployed before: what differs in the record, what is in order, never good, and where it left.
RECORDS: dict[str, tuple[Record, list[tuple[str, bool]], list[str], str | None]] = {
    "a deploy": ({}, [("r1", True), ("r2", True)], [], "r2"),
    "refused": ({"outcome": "refused"}, [("r1", True)], [], "r1"),
    "refused, and left elsewhere": ({"outcome": "refused", "left": None}, [("r1", True)], [], "r1"),
    "unchanged": ({"outcome": "unchanged"}, [("r1", True)], [], "r1"),
    "without a target": ({"to": None}, [("r1", True)], [], "r1"),
    "with a target that has no id": ({"to": {"name": "x"}}, [("r1", True)], [], "r1"),
    "without a step": ({"steps": []}, [("r1", True)], [], "r1"),
    "without a step, but it continues another": (
        {"steps": [], "continues": "op-0"},
        [("r1", True), ("r2", True)],
        [],
        "r2",
    ),
    "killed in its first step": ({"steps": [], "outcome": "interrupted", "left": None}, [("r1", True)], ["r2"], None),
    "failed": ({"outcome": "failed"}, [("r1", True)], ["r2"], "r2"),
    "maintenance": ({"procedure": "maintenance"}, [("r1", True)], [], "r1"),
    "adopted": ({"procedure": "adopt"}, [("r1", True), ("r2", True)], [], "r2"),
    "the same again, which failed": ({"to": R1, "outcome": "failed", "left": None}, [("r1", True)], [], None),
    "the same again": ({"to": R1, "left": R1}, [("r1", True)], [], "r1"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_moves_the_order_only_if_it_brought_a_release(name: str) -> None:
    differs, order, never, left = RECORDS[name]
    record = {
        "id": "op-2",
        "procedure": "deploy",
        "outcome": "succeeded",
        "from": R1,
        "to": R2,
        "left": R2,
        "steps": [{"step": "code", "seconds": 1.0}],
        "error": "step 'caches': failed",
        "finished": "t",
        **differs,
    }
    past = history([*series(1).records, record])
    assert [(one.id, one.good) for one in past.order] == order
    assert [one.id for one in past.never] == never
    assert past.left == left


AGAIN: dict[str, tuple[str, str, str]] = {
    # outcome, about: why the release that was good before is not any more
    "went back": ("reverted", "release", "brought"),
    "failed": ("failed", "release", "brought"),
    "went back for the surroundings": ("reverted", "surroundings", ""),
    "failed for the surroundings": ("failed", "surroundings", ""),
    "was cut off and went back": ("reverted", "cut", ""),
    "was cut off": ("failed", "cut", "brought"),
}


@pytest.mark.parametrize("name", AGAIN)
def test_a_deploy_of_a_release_that_was_good_speaks_against_it_or_not(name: str) -> None:
    outcome, about, why = AGAIN[name]
    service = series(2)
    service.record("deploy", "r1", outcome, "r1" if outcome == "failed" else "r2", about=about)
    found = service.past.find("r1")
    assert found is not None and found.good is not bool(why)
    assert found.why == (not_brought_up(3) if why else "")
    other = service.past.find("r2")
    assert other is not None and other.good


def test_a_release_that_came_up_later_is_in_order_and_of_its_last_operation() -> None:
    service = series(1, 1).deploy("r2")
    assert [one.id for one in service.past.order] == ["r1", "r2"] and not service.past.never
    service.record("adopt", "r2", "succeeded", "r2")
    found = service.past.find("r2")
    assert found is not None and (found.operation, found.number) == ("op-4", 4)
