# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts in one run: all begin or none, and what one does concerns the others as was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.utils.helpers import pct_to_int
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.filter.operation_report import operation_results
from ansible_collections.ops.runbook.plugins.module_utils.console import fleet
from ansible_collections.ops.runbook.plugins.module_utils.console.fleet import (
    STOPPED,
    BatchInvalid,
    Orders,
    batch_sizes,
    course,
    decision,
    halted,
    mix,
    split,
    standing,
)
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label, typed

OLD, NEW, OLDER = {"id": "a" * 40, "name": "v1"}, {"id": "b" * 40, "name": "v2"}, {"id": "c" * 40, "name": ""}
STEPS = [{"id": "code", "title": "switch"}]


def planned(source: Any = OLD, target: Any = NEW, asked: str = "v2", **more: Any) -> dict[str, Any]:
    direction = more.pop("direction", "forward")
    continues = more.pop("continues", False)
    plan = {"from": source, "to": target, "asked": asked, "steps": STEPS, "migrations": None, **more}
    return {"plan": plan, "refusal": None, "direction": direction, "continues": continues}


def refused(text: str = "somebody is at work") -> dict[str, Any]:
    return {"plan": None, "refusal": {"code": "lease_held", "text": text, "ways": [], "details": []}}


UNREACHABLE = {"unreachable": True, "msg": "timed out"}
CRASHED = {"failed": True, "msg": "MODULE FAILURE"}

# -- batches -----------------------------------------------------------------------------------------

BATCHES: dict[str, tuple[object, list[str]]] = {
    "nothing": ("", ["1", "100%"]),
    "nothing at all": (None, ["1", "100%"]),
    "a number": (2, ["2"]),
    "a number as text": ("2", ["2"]),
    "a percentage": ("50%", ["50%"]),
    "several as text": ("1, 50%,100%", ["1", "50%", "100%"]),
    "a list": ([1, "50%"], ["1", "50%"]),
    "a list as text": ('[1, "50%"]', ["1", "50%"]),
}


@pytest.mark.parametrize("name", BATCHES)
def test_sizes_of_batches(name: str) -> None:
    given_, expected = BATCHES[name]
    assert batch_sizes(given_) == expected


@pytest.mark.parametrize("batch", ["0", "-1", "abc", "1,,2", "0%", "101%", "1.5", "[1", [], [[1]], {"a": 1}, True])
def test_an_invalid_size_is_refused(batch: object) -> None:
    with pytest.raises(BatchInvalid, match="must be a number of hosts"):
        batch_sizes(batch)


SIZES = st.lists(st.one_of(st.integers(1, 12).map(str), st.integers(1, 100).map("{}%".format)), min_size=1, max_size=4)


@given(SIZES, st.integers(1, 120))
@example(["29%"], 100)
def test_batches_are_those_that_ansible_makes(sizes: list[str], count: int) -> None:
    hosts = [f"web{number}" for number in range(count)]
    found = split(sizes, hosts)
    assert [host for batch in found for host in batch] == hosts
    for index, batch in enumerate(found[:-1]):
        assert len(batch) == pct_to_int(sizes[min(index, len(sizes) - 1)], count)
    assert len(found[-1]) <= pct_to_int(sizes[min(len(found), len(sizes)) - 1], count)


# -- all hosts or none -------------------------------------------------------------------------------

GO = {"go": True, "planned": True, "refused": False, "refusal": "", "code": "", "together": None}
DECISIONS: dict[str, tuple[dict[str, dict[str, Any]], bool, dict[str, Any]]] = {
    "all planned": ({"a": planned(), "b": planned()}, False, GO),
    "check mode never goes": ({"a": planned()}, True, {"go": False, "planned": True, "refused": False}),
    "one refused": (
        {"a": planned(), "b": refused()},
        False,
        {
            "go": False,
            "planned": True,
            "refused": True,
            "refusal": "b: somebody is at work",
            "code": "another_host",
            "together": None,
        },
    ),
    "one unreachable": (
        {"a": planned(), "b": UNREACHABLE},
        False,
        {"go": False, "refused": True, "refusal": "b: it can't be reached: timed out"},
    ),
    "one without an answer": ({"a": planned(), "b": {}}, False, {"go": False, "planned": True, "refused": True}),
    "one crashed": ({"a": planned(), "b": CRASHED}, False, {"go": False, "planned": True, "refused": True}),
    "all refused": ({"a": refused()}, False, {"go": False, "planned": False, "refused": True}),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decision(name: str) -> None:
    results, check_mode, expected = DECISIONS[name]
    found = decision(results, Orders(), check_mode)
    assert {part: found[part] for part in expected} == expected


CLOSES = {
    "one host": ((1, "revert"), True),
    "several, and none is taken back": ((2, "stop"), True),
    "several, which may be taken back": ((2, "revert"), False),
}


@pytest.mark.parametrize("name", CLOSES)
def test_a_host_gives_its_lease_back_once_nobody_can_ask_it_to_go_back(name: str) -> None:
    (count, on_partial), expected = CLOSES[name]
    results = {f"web{number}": planned() for number in range(count)}
    assert decision(results, Orders(on_partial=on_partial), False)["close_at_once"] is expected


DIVERGED: dict[str, tuple[dict[str, dict[str, Any]], bool]] = {
    "all on one release": ({"a": planned(asked="previous"), "b": planned(asked="previous")}, False),
    "on two, and previous": ({"a": planned(asked="previous"), "b": planned(NEW, OLDER, "previous")}, True),
    "on one, and previous means two": ({"a": planned(asked="previous"), "b": planned(OLD, OLDER, "previous")}, True),
    "on two, and previous is one": ({"a": planned(OLDER, NEW, "previous"), "b": planned(asked="previous")}, True),
    "on two, and a named target": ({"a": planned(), "b": planned(OLDER)}, False),
    "one is there already": ({"a": planned(), "b": planned(NEW, NEW, steps=[])}, False),
    "interrupted ones go on": (
        {"a": planned(asked="previous", continues=True), "b": planned(NEW, OLDER, "previous", continues=True)},
        False,
    ),
    "one host alone": ({"a": planned(asked="previous")}, False),
}


@pytest.mark.parametrize("name", DIVERGED)
def test_previous_is_one_release_for_all_hosts_or_refused(name: str) -> None:
    results, expected = DIVERGED[name]
    found = decision(results, Orders(), False)
    assert found["go"] is not expected
    assert found["code"] == ("hosts_diverged" if expected else "")


def test_hosts_that_diverged_are_shown_with_what_to_type() -> None:
    results = {"web1": planned(NEW, OLD, "previous"), "web12": planned(OLD, OLDER, "previous")}
    together = decision(results, Orders(), True)["together"]
    assert together["details"] == [
        "web1   is at v2 (bbbbbbbbbb), previous is v1 (aaaaaaaaaa)",
        "web12  is at v1 (aaaaaaaaaa), previous is cccccccccc",
    ]
    assert [(way["input"], way["effect"]) for way in together["ways"]] == [
        ("to=aaaaaaaaaa", "brings all of them to v1 (aaaaaaaaaa), the previous one of web1"),
        ("to=cccccccccc", "brings all of them to cccccccccc, the previous one of web12"),
        ("-l web1", "this host alone, to v1 (aaaaaaaaaa)"),
        ("-l web12", "this host alone, to cccccccccc"),
    ]


def test_a_refusal_of_one_host_comes_before_what_concerns_all() -> None:
    results = {"a": planned(asked="previous"), "b": planned(NEW, OLDER, "previous"), "c": refused()}
    assert decision(results, Orders(), False)["code"] == "another_host"


RUNS = {"migrations": {"run": ["m1"], "down": []}}
UNDOES = {"migrations": {"run": [], "down": ["m1"]}}
MIGRATES: dict[str, tuple[dict[str, Any], Orders, int, bool]] = {
    "the canary does": (RUNS, Orders(migrate_on="first"), 3, False),
    "two together": (RUNS, Orders(migrate_on="first", batch=["2"]), 3, True),
    "two together, undoing": (UNDOES, Orders(migrate_on="first", batch=["2"]), 3, True),
    "all together": (RUNS, Orders(migrate_on="first", batch=["100%"]), 2, True),
    "all together, but nothing to run": ({}, Orders(migrate_on="first", batch=["100%"]), 2, False),
    "each has its own database": (RUNS, Orders(migrate_on="each", batch=["100%"]), 2, False),
    "one host": (RUNS, Orders(migrate_on="first", batch=["100%"]), 1, False),
    "one of three is half of them": (RUNS, Orders(migrate_on="first", batch=["50%"]), 3, False),
}


@pytest.mark.parametrize("name", MIGRATES)
def test_the_host_that_migrates_for_all_is_done_before_the_others(name: str) -> None:
    more, orders, count, expected = MIGRATES[name]
    results = {f"web{number}": planned(**(more if number == 0 else {})) for number in range(count)}
    found = decision(results, orders, False)
    assert found["code"] == ("migrations_need_canary" if expected else "")


# -- while it is changed -----------------------------------------------------------------------------

WELL = {"healthy": True, "reverted": False}
REVERTED = {"healthy": False, "reverted": True, "error": "status 500"}
HELD = {"healthy": False, "reverted": False, "error": "status 500"}

HALTED: dict[str, tuple[dict[str, dict[str, Any]], bool]] = {
    "nobody worked yet": ({"web1": {}, "web2": {}}, False),
    "the canary is well": ({"web1": WELL, "web2": {}}, False),
    "the canary is not well": ({"web1": REVERTED, "web2": {}}, True),
    "the canary crashed": ({"web1": CRASHED, "web2": {}}, True),
    "the canary is lost": ({"web1": UNREACHABLE, "web2": {}}, True),
}


@pytest.mark.parametrize("name", HALTED)
def test_later_batches_stop_where_one_host_is_not_well(name: str) -> None:
    results, expected = HALTED[name]
    assert halted(results) is expected


WHY, GONE = "b failed: status 500", "b can't be reached any more"
# Results of the hosts a, b, c; what was asked; who goes back and why; who is untouched.
COURSES: dict[str, tuple[tuple[dict[str, Any], ...], Orders, dict[str, str], list[str]]] = {
    "all are well": ((WELL, WELL, WELL), Orders(on_partial="revert"), {}, []),
    "the canary went back by itself": ((REVERTED, {}, {}), Orders(on_partial="revert"), {}, ["b", "c"]),
    "the canary is held, as was asked": (
        (HELD, {}, {}),
        Orders(on_unhealthy="hold", on_partial="revert"),
        {},
        ["b", "c"],
    ),
    "the canary is lost": ((UNREACHABLE, {}, {}), Orders(on_partial="stop"), {"a": ""}, ["b", "c"]),
    "the canary is lost, and may stay": (
        (UNREACHABLE, {}, {}),
        Orders(on_unhealthy="hold", on_partial="revert"),
        {},
        ["b", "c"],
    ),
    "a later one, and all go back": ((WELL, REVERTED, WELL), Orders(on_partial="revert"), {"a": WHY, "c": WHY}, []),
    "a later one, and the rest stays": ((WELL, REVERTED, WELL), Orders(on_partial="stop"), {}, []),
    "a later one is held, and all go back": (
        (WELL, HELD, {}),
        Orders(["1"], "hold", "revert"),
        {"a": WHY, "b": ""},
        ["c"],
    ),
    "a later one is held, and the rest stays": ((WELL, HELD, {}), Orders(["1"], "hold", "stop"), {}, ["c"]),
    "a later one could not go back by itself": ((WELL, HELD, {}), Orders(["1"], "revert", "revert"), {"a": WHY}, ["c"]),
    "a later one is lost, and all go back": (
        (WELL, UNREACHABLE, WELL),
        Orders(on_unhealthy="hold", on_partial="revert"),
        {"a": GONE, "b": "", "c": GONE},
        [],
    ),
    "a later one is lost, and it alone goes back": ((WELL, UNREACHABLE, WELL), Orders(), {"b": ""}, []),
    "a later one is lost, and the rest stays": ((WELL, UNREACHABLE, WELL), Orders(on_unhealthy="hold"), {}, []),
    "all at once have no canary": (
        (WELL, HELD, WELL),
        Orders(["100%"], "hold", "revert"),
        {"a": WHY, "b": "", "c": WHY},
        [],
    ),
    "others beside the canary follow the others": (
        (WELL, HELD, {}),
        Orders(["2", "100%"], "hold", "revert"),
        {"a": WHY},
        ["c"],
    ),
    "a crash goes back": ((CRASHED, {}, {}), Orders(), {"a": ""}, ["b", "c"]),
    "what closed by itself is over": (
        ({**CRASHED, "closed": {"outcome": "failed"}}, REVERTED, {}),
        Orders(["1"], on_partial="revert"),
        {},
        ["c"],
    ),
}


@pytest.mark.parametrize("name", COURSES)
def test_course(name: str) -> None:
    applied, orders, back, untouched = COURSES[name]
    plans = {host: planned() for host in "abc"}
    found = course(plans, dict(zip("abc", applied)), orders)
    assert (found["back"], found["untouched"]) == (back, untouched)


def test_a_host_without_changes_or_on_its_way_back_is_not_taken_back() -> None:
    plans = {"a": planned(steps=[]), "b": planned(direction="back"), "c": planned()}
    found = course(plans, {"a": WELL, "b": WELL, "c": REVERTED}, Orders(["1"], on_partial="revert"))
    assert (found["back"], found["why"]) == ({}, "c failed: status 500")


ALONE = {
    "it went back": (REVERTED, "revert", {}),
    "it is held": (HELD, "hold", {}),
    "it crashed": (CRASHED, "revert", {"a": ""}),
    "it crashed, and is held": (CRASHED, "hold", {}),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_single_host_follows_on_unhealthy_alone(name: str) -> None:
    result, on_unhealthy, back = ALONE[name]
    orders = Orders(on_unhealthy=on_unhealthy, on_partial="revert")
    assert course({"a": planned()}, {"a": result}, orders)["back"] == back


def test_a_run_that_is_asked_to_stop_begins_nothing() -> None:
    plans = {"a": planned(), "b": planned()}
    found = decision(plans, Orders(), check_mode=False, stopped=True)
    assert (found["go"], found["code"], found["together"]["code"]) == (False, "stopped", "stopped")
    assert decision(plans, Orders(), check_mode=True, stopped=True)["refused"] is False, "a check changes nothing"


def test_a_run_that_is_asked_to_stop_leaves_the_next_batches_alone() -> None:
    plans, applied = {"a": planned(), "b": planned()}, {"a": WELL, "b": {}}
    assert not halted(applied) and halted(applied, stopped=True)
    assert course(plans, applied, Orders(["1"], on_partial="revert")) == {
        "back": {},
        "untouched": ["b"],
        "why": STOPPED,
    }


RESULTS = st.sampled_from([{}, WELL, REVERTED, HELD, CRASHED, UNREACHABLE])


@given(
    st.lists(RESULTS, min_size=2, max_size=6),
    SIZES,
    st.sampled_from(["revert", "hold"]),
    st.sampled_from(["revert", "stop"]),
)
def test_no_host_is_taken_back_that_was_never_begun(
    results: list[dict[str, Any]], sizes: list[str], on_unhealthy: str, on_partial: str
) -> None:
    hosts = [f"web{number}" for number in range(len(results))]
    plans, applied = {host: planned() for host in hosts}, dict(zip(hosts, results))
    found = course(plans, applied, Orders(sizes, on_unhealthy, on_partial))
    if not halted(applied):
        # Nobody failed: those that were left out are so because the run was asked to stop.
        waiting = [host for host in hosts if not applied[host]]
        assert found == {"back": {}, "untouched": waiting, "why": STOPPED if waiting else ""}
        return
    assert found["why"]
    assert not set(found["back"]) & set(found["untouched"])
    assert set(found["untouched"]) == {host for host in hosts if not applied[host]}
    if on_partial == "stop":
        assert not any(applied[host] == WELL for host in found["back"])
    else:
        assert {host for host in hosts if applied[host] == WELL} <= set(found["back"])


# -- after it ----------------------------------------------------------------------------------------


def ended(outcome: str, left: Any, **more: Any) -> dict[str, Any]:
    return {"outcome": outcome, "record": {"outcome": outcome, "left": left}, "planned": planned(), **more}


UNTOUCHED = {"outcome": "refused", "untouched": "b failed", "planned": planned()}
STANDS: dict[str, tuple[dict[str, Any], Any]] = {
    "succeeded": (ended("succeeded", NEW), NEW),
    "reverted": (ended("reverted", OLD), OLD),
    "between two": (ended("failed", None), None),
    "there already": ({"outcome": "unchanged", "record": None, "planned": planned(NEW, NEW, steps=[])}, NEW),
    "untouched": (UNTOUCHED, OLD),
    "untouched, and its lease was not given back": ({**UNREACHABLE, "untouched": "x", "planned": planned()}, OLD),
    "lost": ({**UNREACHABLE, "planned": planned()}, None),
    "no answer": ({}, None),
}


@pytest.mark.parametrize("name", STANDS)
def test_the_present_release_of_a_host_is_found(name: str) -> None:
    result, expected = STANDS[name]
    assert standing(result) == expected


MIXES: dict[str, tuple[dict[str, dict[str, Any]], list[tuple[Any, list[str]]]]] = {
    "one host": ({"a": ended("succeeded", NEW)}, []),
    "all on one": ({"a": ended("succeeded", NEW), "b": ended("succeeded", {**NEW, "name": ""})}, []),
    "all as before": ({"a": ended("reverted", OLD), "b": UNTOUCHED}, []),
    "on two": (
        {"a": ended("succeeded", NEW), "b": ended("reverted", OLD), "c": UNTOUCHED},
        [(NEW, ["a"]), (OLD, ["b", "c"])],
    ),
    "one is lost": ({"a": ended("succeeded", NEW), "b": UNREACHABLE}, [(NEW, ["a"]), (None, ["b"])]),
    "one host, lost": ({"a": UNREACHABLE}, []),
}


@pytest.mark.parametrize("name", MIXES)
def test_a_mix_of_releases_is_seen(name: str) -> None:
    results, expected = MIXES[name]
    assert mix(results) == expected


# -- a release as text -------------------------------------------------------------------------------

LABELS: dict[str, tuple[dict[str, str] | None, str]] = {
    "named": (OLD, f"v1 ({'a' * 10})"),
    "without a name": (OLDER, "c" * 10),
    "an image": ({"id": "registry.example.com/acme/app:1.4"}, "registry.example.com/acme/app:1.4"),
    "an image by its digest": ({"id": f"acme/app@sha256:{'0' * 64}"}, f"acme/app@sha256:{'0' * 12}"),
    "none": (None, "-"),
    "empty": ({}, "-"),
}


@pytest.mark.parametrize("name", LABELS)
def test_label(name: str) -> None:
    release, expected = LABELS[name]
    assert label(release) == expected


def test_a_release_is_typed_by_what_it_is_not_by_a_name_that_may_move() -> None:
    assert typed(NEW) == "b" * 10
    assert typed({"id": "registry.example.com/app@sha256:1", "name": "v2"}) == "registry.example.com/app@sha256:1"


# -- what the hosts' tasks left ------------------------------------------------------------------


def test_a_task_that_was_skipped_has_no_result() -> None:
    """Otherwise a host whose turn never came would count as one that was worked on."""
    hosts = {
        "web1": {"operation_applied": {"healthy": False, "changed": True}},
        "web2": {"operation_applied": {"skipped": True, "changed": False}},
        "web3": {},
    }
    results = operation_results(hosts, list(hosts), "operation_applied")
    assert results == {"web1": {"healthy": False, "changed": True}, "web2": {}, "web3": {}}


def test_the_lines_of_a_refusal_of_the_controller_are_one_text() -> None:
    """An action that refuses fails its task with a list of lines."""
    assert fleet.problem({"failed": True, "msg": ["the file can't be read.", "Nothing was contacted."]}) == (
        "the file can't be read.\nNothing was contacted."
    )
    assert fleet.reason({"msg": ["one line"]}) == "one line"
