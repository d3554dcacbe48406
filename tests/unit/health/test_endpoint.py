# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks without a network: how they are written, compared, repeated and shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.console.health_report import health_lines, safety_lines
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import (
    CHECK_FIELDS,
    ENDPOINT_OPTIONS,
    Check,
    HealthCheckError,
    Patience,
    parse_check,
    parse_checks,
    require_rounds,
    without_secrets,
)
from ansible_collections.ops.runbook.plugins.module_utils.health.fetch import Answer
from ansible_collections.ops.runbook.plugins.module_utils.health.gate import (
    Result,
    cleaned,
    evaluate,
    gate,
    healthy,
    redactor_of,
    same_release,
    same_value,
)

URL = "https://api.example.com/up"


def test_a_check_needs_only_its_url() -> None:
    assert parse_check({"url": URL}) == Check(name="api.example.com/up", url=URL)


def test_missing_options_come_from_the_defaults() -> None:
    check = parse_check({"url": URL, "timeout": None, "status": "204"}, {"timeout": 9, "status": [200]})
    assert (check.timeout, check.status) == (9.0, (204,))


def test_the_argument_spec_says_what_a_check_is() -> None:
    assert tuple(ENDPOINT_OPTIONS) == CHECK_FIELDS
    defaults = {key: option["default"] for key, option in ENDPOINT_OPTIONS.items() if "default" in option}
    assert parse_check({"url": URL, **defaults}) == parse_check({"url": URL})


WRONG: dict[str, tuple[Any, str]] = {
    "no mapping": ([], "must be a mapping"),
    "no url": ({}, "needs 'url'"),
    "unknown field": ({"url": URL, "tmeout": 3}, "no field 'tmeout'; known fields: name, url"),
    "scheme": ({"url": "ftp://x/"}, "must be http or https"),
    "no host": ({"url": "https:///up"}, "'url' is"),
    "space": ({"url": "https://x/a b"}, "without spaces"),
    "port": ({"url": "https://x:99999/"}, "not an address"),
    "method": ({"url": URL, "method": "DELETE"}, "must be one of GET, HEAD, POST"),
    "status": ({"url": URL, "status": [99]}, "'status' is 99"),
    "status word": ({"url": URL, "status": "ok"}, "'status' is 'ok'"),
    "status bool": ({"url": URL, "status": True}, "'status' is True"),
    "no status": ({"url": URL, "status": []}, "'status' is []"),
    "json": ({"url": URL, "json": "ok"}, "a mapping of dotted paths"),
    "json path": ({"url": URL, "json": {"a..b": 1}}, "'json' is 'a..b'"),
    "timeout": ({"url": URL, "timeout": 0}, "'timeout' is 0; it must be seconds"),
    "timeout text": ({"url": URL, "timeout": "soon"}, "'timeout' is 'soon'"),
    "max_seconds": ({"url": URL, "max_seconds": -1}, "'max_seconds' is -1"),
    "connect_to": ({"url": URL, "connect_to": "10.0.0.1"}, "must be host:port"),
    "connect_to port": ({"url": URL, "connect_to": "x:0"}, "must be host:port"),
    "days": ({"url": URL, "tls_min_days": -1}, "'tls_min_days' is -1"),
    "request_id": ({"url": URL, "request_id": ["json:"]}, "'request_id' is 'json:'"),
    "release": ({"url": URL, "release": "header:a b"}, "'release' is 'header:a b'"),
    "header name": ({"url": URL, "headers": {"a b": "x"}}, "'headers' is 'a b'"),
    "body with GET": ({"url": URL, "body": {}}, "POST or PUT"),
    "json with HEAD": ({"url": URL, "method": "HEAD", "json": {"a": 1}}, "whose answer has no body"),
    "empty text": ({"url": URL, "contains": ""}, "'contains' is ''"),
}


@pytest.mark.parametrize(("raw", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_check_names_field_value_and_what_is_allowed(raw: Any, message: str) -> None:
    with pytest.raises(HealthCheckError) as error:
        parse_check(raw)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "raw",
    [
        {"url": "https://user:canary@x/"},
        {"url": "ftp://x/?token=canary"},
        {"url": URL, "headers": {"X-Key": "canary\nX"}},
        {"url": URL, "headers": {"X-Key": ["canary"]}},
        {"url": URL, "headers": {"X-Key": "canary\u2603"}},
        {"url": URL, "method": "POST", "body": {"x": {"canary"}}},
        {"url": URL, "body": "canary"},
    ],
)
def test_a_wrong_check_does_not_show_its_secrets(raw: dict[str, Any]) -> None:
    with pytest.raises(HealthCheckError) as error:
        parse_check(raw)
    assert "canary" not in str(error.value)


def test_a_check_does_not_show_its_secrets() -> None:
    check = parse_check({"url": URL, "method": "POST", "headers": {"X-Key": "canary"}, "body": {"p": "canary"}})
    assert "canary" not in repr(check)
    raw = {"endpoints": [{"url": URL + "?key=canary", "headers": {"X-Key": "canary"}, "body": "canary"}]}
    assert "canary" not in str(without_secrets(raw)) and "***" in str(without_secrets(raw))


def test_checks_have_names_of_their_own() -> None:
    with pytest.raises(HealthCheckError, match=r"two health checks are called 'api.example.com/up'"):
        parse_checks([{"url": URL}, {"url": URL, "method": "HEAD"}])
    with pytest.raises(HealthCheckError, match="nothing would be verified"):
        parse_checks([])
    with pytest.raises(HealthCheckError, match=r"health check 2 of 2 \(login\): "):
        parse_checks([{"url": URL}, {"name": "login", "url": "not-an-address"}])


@pytest.mark.parametrize(
    ("deadline", "interval", "successes", "good"),
    [(0, 1, 1, True), (0, 1, 2, False), (2.1, 1, 3, True), (2, 1, 3, False), (-1, 1, 1, False), (5, 1, 0, False)],
)
def test_rounds_that_cannot_be_had_are_refused(deadline: float, interval: float, successes: int, good: bool) -> None:
    if good:
        require_rounds(deadline, interval, successes)
    else:
        with pytest.raises(HealthCheckError):
            require_rounds(deadline, interval, successes)


@pytest.mark.parametrize(
    ("reported", "wrong"),
    [("4f2a9c1d5e6b", False), ("0acf3134aaaa", False), ("0acf313", False), ("7298d62f0000", True), ("", True)],
)
def test_a_release_may_have_several_ids(reported: str, wrong: bool) -> None:
    """The commit, and the id of an annotated tag of it."""
    kind = (("Content-Type", "application/json"),)
    check = parse_check({"url": URL, "release": "version"})
    answer = Answer(200, kind, json.dumps({"version": reported}).encode(), True, 0.1, None)
    found = evaluate(check, answer, ("4f2a9c1d5e6b7", "0acf3134aaaab"))
    assert found.ok is not wrong, found
    if reported and wrong:
        assert "expected 4f2a9c1d5e6b, reports 7298d62f0000" in found.reason


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("4f2a9c1d5e6b", "4f2a9c1", True),
        ("4F2A9C1", "4f2a9c1d5e6b", True),
        ("4f2a9c", "4f2a9c1d5e6b", False),
        ("4f2a9c1d", "4f2a9c1e", False),
        ("v1.2", "v1.2", True),
        ("v1.2", "v1.20", False),
        ("", "", False),
        ("", "4f2a9c1d5e6b", False),
    ],
)
def test_releases_are_compared_as_git_abbreviates_them(one: str, two: str, same: bool) -> None:
    assert same_release(one, two) is same
    assert same_release(two, one) is same


@given(st.text(alphabet="0123456789abcdef", min_size=7, max_size=40), st.integers(7, 40))
def test_any_abbreviation_of_a_release_is_that_release(release: str, length: int) -> None:
    assert same_release(release, release[:length])
    flipped = ("0" if release[0] != "0" else "1") + release[1:length]
    assert not same_release(release, flipped)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_a_value_equals_itself_and_only_its_own_kind(value: Any) -> None:
    assert same_value(value, value)
    assert not same_value(value, [value])
    assert not same_value(True, 1) and not same_value(0, False) and same_value(1, 1.0)


@given(
    secret=st.text(min_size=4, max_size=20).filter(lambda text: text.strip() == text and "\x00" not in text),
    before=st.text(alphabet="xyz ", max_size=5),
)
def test_a_secret_is_taken_out_wherever_it_stands(secret: str, before: str) -> None:
    check = Check(name="x", url=URL, method="POST", body={"password": secret})
    shown = cleaned(f"{before}<{secret}>", redactor_of(check, {}))
    assert "***" in shown
    assert len(set(secret)) < 2 or secret not in shown.replace("***", "")


def test_an_answer_is_judged_without_a_network() -> None:
    answer = Answer(200, (("Content-Type", "application/json"),), b'{"a": {"b": [1, 2]}}', True, 0.1, 9)
    assert evaluate(parse_check({"url": URL, "json": {"a.b": [1, 2]}}), answer).ok
    assert not evaluate(parse_check({"url": URL, "json": {"a.b": [2, 1]}}), answer).ok
    assert (
        evaluate(parse_check({"url": URL, "tls_min_days": 10}), answer).warnings[0].startswith("the certificate ends")
    )


# --- the gate, on a clock of its own --------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def run_gate(script: str, deadline: float, successes: int, interval: float = 1.0) -> list[Result]:
    """C(script) holds one letter a round: g good, b bad. The last one lasts."""
    clock = Clock()
    rounds = iter(script)
    last = "b"

    def prober(check: Check, _release: str | None, _headers: Mapping[str, str] | None) -> Result:
        nonlocal last
        last = next(rounds, last)
        return Result(check.name, check.url, last == "g", reason="" if last == "g" else "it is bad")

    checks = [parse_check({"url": URL})]
    return gate(checks, deadline, interval, successes, clock=clock, sleep=clock.sleep, prober=prober)


@pytest.mark.parametrize(
    ("script", "deadline", "successes", "ok", "attempts"),
    [
        ("g", 0, 1, True, 1),
        ("b", 0, 1, False, 1),
        ("bbg", 10, 1, True, 3),
        ("bggg", 10, 3, True, 4),
        ("ggbggg", 10, 3, True, 6),
        ("gbgbgbgbgb", 5, 2, False, 6),
        ("b", 5, 1, False, 5),
        # A service that is well when the time is over is not condemned by the clock.
        ("gg", 1, 2, True, 2),
        ("bbbbggg", 5, 3, True, 7),
        ("bbbbggb", 5, 3, False, 7),
    ],
)
def test_the_gate_opens_after_successes_in_a_row(
    script: str, deadline: float, successes: int, ok: bool, attempts: int
) -> None:
    results = run_gate(script, deadline, successes)
    assert (healthy(results), results[0].attempts) == (ok, attempts)


def test_a_service_that_flaps_is_not_ok_though_it_answered_when_the_time_was_over() -> None:
    (result,) = run_gate("gbgb", 2.5, 2)
    assert (result.ok, result.attempts, result.reason) == (False, 4, "it is bad")


@given(script=st.text(alphabet="gb", min_size=1, max_size=30), successes=st.integers(1, 4), deadline=st.integers(0, 40))
def test_the_gate_is_open_exactly_when_the_answers_held(script: str, successes: int, deadline: int) -> None:
    (result,) = run_gate(script, deadline, successes)
    played = script + script[-1] * 60
    held = played.find("g" * successes)
    # The first bad answer of the last round in time, or of a later one, ends it.
    ended = played.find("b", max(deadline, 1) - 1)
    opened = held >= 0 and (ended < 0 or held < ended)
    assert result.ok is opened
    assert result.attempts == (held + successes if opened else ended + 1)
    assert result.ok is (result.reason == "")


def test_a_load_that_comes_during_the_wait_counts_and_is_not_taken_back() -> None:
    """The load of a minute rises late: a machine that a deploy makes busy is seen to be busy only in the gate."""
    clock, loads = Clock(), iter([1.0, 1.0, 1.0, 4.0, *[1.0] * 60])
    patience = Patience(5, clock, lambda: next(loads))
    asked: list[float] = []

    def prober(check: Check, _release: str | None, _headers: Mapping[str, str] | None) -> Result:
        asked.append(check.timeout)
        return Result(check.name, check.url, False, reason="it is bad")

    gate([parse_check({"url": URL, "timeout": 2})], patience, 1, 1, clock=clock, sleep=clock.sleep, prober=prober)
    assert len(asked) == 20 and asked[0] == 2.0 and asked[-1] == 8.0


def test_one_bad_check_of_several_keeps_the_gate_closed() -> None:
    clock = Clock()

    def prober(check: Check, _release: str | None, _headers: Mapping[str, str] | None) -> Result:
        return Result(check.name, check.url, check.name == "a", reason="" if check.name == "a" else "it is bad")

    checks = [parse_check({"url": URL, "name": name}) for name in "ab"]
    results = gate(checks, 3, 1, 1, clock=clock, sleep=clock.sleep, prober=prober)
    assert [result.ok for result in results] == [True, False] and not healthy(results)


def test_nothing_asked_is_not_healthy() -> None:
    assert not healthy([])
    with pytest.raises(HealthCheckError):
        gate([], 0, 0, 1)


# --- what a person reads --------------------------------------------------------------------------------


def outcome(*results: Result) -> dict[str, Any]:
    return {"results": [result.to_dict() for result in results]}


def test_the_table_of_one_host() -> None:
    good = Result("api", URL, True, 200, 0.0123, "r-1", "4f2a9c1d5e6b7a", "", 61)
    bad = Result("login", URL, False, None, 2.0, reason="no answer within 2.0 s", attempts=3)
    assert health_lines({"web1": outcome(good, bad)}) == [
        "check  status  ms    TLS   release       request id  verdict",
        "api    200     12    61 d  4f2a9c1d5e6b  r-1         healthy",
        "login  none    2000  -     -             -           UNHEALTHY: no answer within 2.0 s (after 3 rounds)",
        "1 of 2 unhealthy",
    ]


def test_a_host_without_an_answer_is_in_the_table_and_not_healthy() -> None:
    lines = health_lines({"web1": outcome(Result("api", URL, True, 200)), "web2": {}, "web3": {"msg": "no route"}})
    assert [line.split()[0] for line in lines] == ["host", "web1", "web2", "web3", "2"]
    assert "NOT ASKED: it did not answer" in lines[2] and "NOT ASKED: no route" in lines[3]
    assert lines[-1] == "2 of 3 unhealthy"
    assert health_lines({})[-1] == "nothing was asked"


def test_the_list_of_a_data_safety_check() -> None:
    finding = {"file": "deploy.sh", "line": 3, "rule": "r", "why": "drops", "instead": "do not", "excerpt": "x"}
    found = {
        "files": ["deploy.sh", "composer.json"],
        "findings": [{**finding, "where": ""}],
        "waived": [{**finding, "file": "composer.json", "where": "reset"}],
        "unread": [{"file": "big.sh", "why": "larger than 1024 KiB"}],
    }
    assert safety_lines({"web1": found}) == [
        "deploy.sh:3 r — drops — do not",
        "    x",
        "composer.json:3 (reset) r — waived as disposable",
        "big.sh NOT READ: larger than 1024 KiB",
        "2 files read: 1 destructive command found, 1 waived as disposable, 1 file could not be read",
    ]
    clean = {"files": ["a"], "findings": [], "waived": [], "unread": []}
    assert safety_lines({"web1": clean}) == ["1 file read: no destructive command found in it"]
    assert "nothing was read" in safety_lines({"web1": {**clean, "files": []}})[0]
    assert "NOT READ" in safety_lines({"web1": {}, "web2": clean})[0]


@pytest.mark.parametrize(("status", "said"), [(503, True), (500, False), (0, False)])
def test_a_503_may_be_the_maintenance_page_and_the_line_names_who_knows(status: int, said: bool) -> None:
    result = {"name": "up", "ok": False, "status": status, "seconds": 0.1, "reason": f"got {status}"}
    text = " ".join(health_lines({"web1": {"results": [result]}}))
    assert f"UNHEALTHY: got {status}" in text
    assert (
        "maintenance mode answers 503 too: the status procedure of its system says whether it is on" in text
    ) is said
    # Whoever expects it, as an operation under maintenance does, reads nothing of it.
    assert "maintenance" not in " ".join(health_lines({"web1": {"results": [{**result, "ok": True}]}}))
