# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chosen release of a Dokku app, the live one, and obstacles to a rollback."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.dokku import deploy, health, release_steps, rollback
from ansible_collections.ops.runbook.plugins.module_utils.dokku import release as dokku_release
from ansible_collections.ops.runbook.plugins.module_utils.dokku.release import Choice, Code, Situation, choose, parse
from ansible_collections.ops.runbook.plugins.module_utils.dokku.source import Source
from ansible_collections.ops.runbook.plugins.module_utils.guard import journal
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
UP = {"deployed": "true", "running": "true", "status-web.1": "running (CID: 0123456789a)"}


def listed(number: int, state: str = "held", revision: str = A, **more: Any) -> dict[str, Any]:
    """A release as `dokku releases APP --format json` lists it."""
    return {
        "number": number,
        "state": state,
        "left_by_rollback": False,
        "recorded_at": "2026-11-21T03:15:02Z",
        "by": "deploy",
        "source": "git-hook",
        "revision": revision,
        "source_image": "",
        "image_id": f"sha256:{revision[:1]}{number}",
        "rollback_to": None,
        **more,
    }


def situation(*releases: dict[str, Any], live: int | None = None, **report: str) -> Situation:
    newest = releases[0]["number"] if releases and live is None else live
    return Situation(
        "restant-main",
        parse(releases),
        {
            "live": str(newest or ""),
            "live-image": "sha256:x",
            "latest-is-live": "true",
            "config-drift": "",
            "pending-rollback": "",
            **report,
        },
        ps=UP,
        git={"sha": releases[0]["revision"] if releases else "HEAD"},
    )


THREE = (listed(3, "live", C), listed(2, "held", B), listed(1, "gone", A))

CHOSEN: dict[str, tuple[str, Situation, int]] = {
    "previous, as the plugin says": ("previous", situation(*THREE, previous="2"), 2),
    "a number": ("2", situation(*THREE), 2),
    "a number as people write it": ("v2", situation(*THREE), 2),
    "the live one, to mend it": ("3", situation(*THREE), 3),
    "a commit": (B[:8], situation(*THREE), 2),
    "of a commit the newest that can be had": (
        A[:7],
        situation(listed(4, "live", C), listed(3, "gone", A), listed(2, "held", A), listed(1, "held", A)),
        2,
    ),
}


@pytest.mark.parametrize("case", CHOSEN.values(), ids=CHOSEN)
def test_a_release_is_chosen(case: tuple[str, Situation, int]) -> None:
    to, found, number = case
    choice = choose(to, found)
    assert isinstance(choice, Choice) and choice.release.number == number


#: What was asked, of what: the code of the refusal, and the ways that are named.
REFUSED: dict[str, tuple[str, Situation, str, list[str]]] = {
    "never deployed": (
        "previous",
        Situation("x", report={"live-image": ""}, ps={"deployed": "false"}),
        "not_deployed",
        ["dokku_deploy with to=<commit, branch, tag or image>"],
    ),
    "nothing recorded": ("2", situation(), "nothing_recorded", ["dokku releases:record restant-main"]),
    "no previous one": (
        "previous",
        situation(listed(1, "live"), previous=""),
        "nothing_before",
        ["dokku_deploy with to=<commit or image>"],
    ),
    "a number that is not recorded": ("9", situation(*THREE), "release_missing", ["to=2"]),
    "an image that is gone, of a commit": ("1", situation(*THREE), "image_gone", ["to=2", f"dokku_deploy with to={A}"]),
    "an image that is gone, of an image": (
        "1",
        situation(listed(2, "live", B), listed(1, "gone", A, source="git:from-image", source_image="acme/app:1")),
        "image_gone",
        ["dokku_deploy with to=acme/app:1"],
    ),
    "the previous one's image is gone": (
        "previous",
        situation(listed(4, "live", C), listed(3, "gone", B), listed(1, "held", A), previous="3"),
        "image_gone",
        ["to=1", f"dokku_deploy with to={B}"],
    ),
    "a word": ("yesterday", situation(*THREE), "unknown_release", ["to=previous", "to=<number or commit>", "to=2"]),
    "a commit that was never live": (
        "0" * 8,
        situation(*THREE),
        "release_missing",
        ["to=2"],
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_an_unavailable_release_is_refused_with_the_available_ones(case: tuple[str, Situation, str, list[str]]) -> None:
    to, found, code, ways = case
    refusal = choose(to, found)
    assert isinstance(refusal, Problem)
    assert (refusal.code, [way for way, _ in refusal.ways]) == (code, ways)


STATES = st.lists(st.sampled_from(["held", "gone", "pinned", "unheld"]), min_size=1, max_size=8)


@given(STATES, st.integers(0, 12))
def test_chosen_and_offered_releases_are_available(states: list[str], number: int) -> None:
    releases = [listed(place + 1, state) for place, state in enumerate(states)]
    releases.append(listed(len(releases) + 1, "live"))
    found = situation(*reversed(releases))
    choice = choose(str(number), found)
    if isinstance(choice, Choice):
        assert choice.release.can_be_had and choice.release.number == number
        return
    offered = [int(way[3:]) for way, _ in choice.ways if way.startswith("to=") and way[3:].isdigit()]
    there = [one.number for one in found.releases if one.can_be_had and one.state != "live"]
    assert bool(offered) == bool(there)
    for one in offered:
        assert abs(one - number) == min(abs(other - number) for other in there)


def test_code_is_known_by_image_or_commit_whatever_came_after() -> None:
    image = {"source": "git:from-image", "source_image": "acme/app:2"}
    found = parse(
        [
            listed(4, "live", B, source="rollback", source_image="acme/app:9", rollback_to=2),
            listed(3, "held", C, source="git:sync", source_image="acme/app:9"),
            listed(2, "held", B, **image),
            listed(1, "held", "", source="record", image_id="sha256:d1"),
        ]
    )
    assert [dokku_release.code_of(one, found) for one in found] == ["acme/app:2", C, "acme/app:2", "sha256:d1"]


def test_a_name_that_was_not_proven_is_compared_with_nothing() -> None:
    assert dokku_release.code_asked({"id": "v1"}) == "v1"
    assert dokku_release.code_asked({"id": A, journal.UNRESOLVED: False}) == A
    assert dokku_release.code_asked({"id": "v1", journal.UNRESOLVED: True}) is None


REPORTED: dict[str, tuple[dict[str, Any] | None, tuple[str, ...]]] = {
    "a commit": ({"id": "a" * 40, "revision": "a" * 40}, ("a" * 40,)),
    "an annotated tag, whose own id the app is given": (
        {"id": "a" * 40, "revision": "a" * 40, "git_rev": "b" * 40},
        ("a" * 40, "b" * 40),
    ),
    "the same, of a plugin that recorded the tag": ({"id": "b" * 40, "revision": "a" * 40}, ("b" * 40, "a" * 40)),
    "an image, of which Dokku's own commit says nothing": ({"id": "acme/app:1", "revision": "a" * 40}, ()),
    "an image by its id": ({"id": "sha256:" + "a" * 64, "revision": "a" * 40}, ()),
    "nothing before": (None, ()),
}


@pytest.mark.parametrize("case", REPORTED.values(), ids=REPORTED)
def test_endpoints_must_report_the_release(case: tuple[dict[str, Any] | None, tuple[str, ...]]) -> None:
    release, ids = case
    assert health.reported(release) == ids


def test_a_beginning_of_a_commit_is_that_commit_and_a_beginning_of_an_image_is_not() -> None:
    assert dokku_release.is_code(A, Code(A[:7]))
    assert not dokku_release.is_code(A, Code(B[:7]))
    assert not dokku_release.is_code("acme/app:12", Code("acme/app:1"))


SETTLED: dict[str, tuple[Situation, bool]] = {
    "nothing but what is live": (situation(*THREE), True),
    "latest is a failed image": (situation(*THREE, **{"latest-is-live": "false"}), False),
    "a variable was set and not taken over": (situation(*THREE, **{"config-drift": "GIT_REV"}), False),
    "what is live is not recorded": (situation(*THREE, live=99), False),
}


@pytest.mark.parametrize("case", SETTLED.values(), ids=SETTLED)
def test_a_deploy_without_leftovers_is_recognised(case: tuple[Situation, bool]) -> None:
    found, settled = case
    assert found.settled is settled


def test_a_branch_that_moved_is_left_behind_too() -> None:
    found = situation(*THREE)
    assert not Situation(found.app, found.releases, found.report, found.ps, git={"sha": A}).settled


@pytest.mark.parametrize(
    ("drift", "branch", "keep", "back"),
    [
        ("", C, [], True),
        ("GIT_REV", A, [], False),
        ("", A, [], False),
        ("MAIL_FROM", C, ["MAIL_FROM"], True),
        ("MAIL_FROM", C, [], False),
    ],
)
def test_the_way_back_leaves_alone_what_was_never_touched(drift: str, branch: str, keep: list[str], back: bool) -> None:
    found = situation(*THREE, **{"config-drift": drift})
    found = Situation(found.app, found.releases, found.report, found.ps, git={"sha": branch})
    live = found.live
    assert live is not None and release_steps.is_back(found, live, keep) is back


PROCESSES: dict[str, tuple[dict[str, str], list[str]]] = {
    "all run": ({**UP, "status-worker.1": "running (CID: 1)"}, []),
    "one has ended": ({**UP, "status-worker.1": "exited (CID: 1)"}, ["worker.1 is exited"]),
    "never deployed": ({"deployed": "false", "running": "false"}, ["nothing is deployed"]),
    "stopped": ({"deployed": "true", "running": "false"}, ["its processes run: false"]),
    "some of many": ({"deployed": "true", "running": "mixed"}, ["its processes run: mixed"]),
}


@pytest.mark.parametrize("case", PROCESSES.values(), ids=PROCESSES)
def test_processes_that_do_not_run_are_named(case: tuple[dict[str, str], list[str]]) -> None:
    report, problems = case
    assert dokku_release.process_problems(report) == problems


def test_a_build_that_goes_on_refuses_and_one_that_is_abandoned_does_not() -> None:
    ended = {"id": "1", "status": "running", "display_status": "abandoned", "source": "ps:restart"}
    assert dokku_release.refuse_running(Situation("x", builds=[ended])) is None
    going = {"id": "2", "status": "running", "display_status": "running", "source": "git:from-image"}
    refusal = dokku_release.refuse_running(Situation("x", builds=[ended, going]))
    assert refusal is not None and refusal.code == "deploy_running"
    refusal = dokku_release.refuse_running(Situation("x", report={"under-way": "a rollback to release 3 since 03:15"}))
    assert refusal is not None and "a rollback to release 3 since 03:15" in refusal.text


def test_a_release_that_a_rollback_left_is_named_as_such_where_it_is_the_only_one() -> None:
    left = {"number": 5, "state": "held", "left_by_rollback": True, "revision": "a" * 40, "image_id": "sha256:5"}
    live = {"number": 6, "state": "live", "revision": "b" * 40, "image_id": "sha256:6"}
    situation = Situation("x", parse([live, left]), {"live": "6", "live-image": "sha256:6", "previous": ""})
    refusal = choose("previous", situation)
    assert isinstance(refusal, Problem) and refusal.code == "nothing_before"
    assert refusal.ways[0][0] == "to=5" and "a rollback left it: somebody found it not good" in refusal.ways[0][1]


LATEST = {
    "another image": (
        {"latest-is-live": "false", "latest-image": "sha256:1"},
        "is not what is live, as a failed deploy",
    ),
    "none": ({"latest-is-live": "false", "latest-image": ""}, "is gone, so that a restart would fail"),
}


@pytest.mark.parametrize("case", LATEST.values(), ids=LATEST)
def test_the_release_that_a_restart_would_start_is_named(case: tuple[dict[str, str], str]) -> None:
    report, text = case
    release = parse([{"number": 1, "state": "held"}])[0]
    (line,) = rollback._situation_warnings(release, Situation("x", report=report))
    assert text in line


def test_a_service_that_is_down_is_named_with_what_starts_it() -> None:
    assert rollback.services_down({"services_down": []}, "x") is None
    refusal = rollback.services_down({"services_down": ["dokku.mysql.restant-db"]}, "x")
    assert refusal is not None and refusal.code == "service_down"
    assert refusal.ways == (("dokku mysql:start restant-db", "on the host, starts it"),)


# -- the rollback's own rules --------------------------------------------------------------------


def test_inputs_are_taken_as_people_type_them() -> None:
    wish = rollback.wish_of({"to": "", "keep": "API_KEY, DB_PASSWORD,API_KEY", "restore": ["scale"]})
    assert (wish.to, wish.keep, wish.restore) == ("previous", ("API_KEY", "DB_PASSWORD"), ("scale",))
    assert wish.options == ["--keep", "API_KEY", "--keep", "DB_PASSWORD", "--restore-scale"]


@pytest.mark.parametrize(("inputs", "code"), [({"keep": "A=b"}, "bad_key"), ({"restore": "config"}, "bad_restore")])
def test_a_wrong_input_is_refused(inputs: dict[str, str], code: str) -> None:
    with pytest.raises(Problem) as caught:
        rollback.wish_of(inputs)
    assert caught.value.code == code


def test_a_rollback_that_had_ended_is_not_done_again() -> None:
    done = situation(listed(4, "live", B, source="rollback", rollback_to=2), *THREE)
    assert (rollback.rolled_back(done, 2, 3) or done.releases[1]).number == 4
    assert rollback.rolled_back(done, 2, 4) is None
    assert rollback.rolled_back(done, 1, 3) is None
    half = situation(listed(4, "live", B, source="rollback", rollback_to=2), *THREE, **{"pending-rollback": "2"})
    assert rollback.rolled_back(half, 2, 3) is None


IS_THERE: dict[str, tuple[int, Situation, bool]] = {
    "the live one": (3, situation(*THREE), True),
    "what a rollback brought back": (2, situation(listed(4, "live", B, rollback_to=2), *THREE), True),
    "another": (2, situation(*THREE), False),
    "the live one, after a failed deploy": (3, situation(*THREE, **{"latest-is-live": "false"}), False),
    "the live one, while a rollback has not ended": (3, situation(*THREE, **{"pending-rollback": "2"}), False),
}


@pytest.mark.parametrize("case", IS_THERE.values(), ids=IS_THERE)
def test_the_live_release_needs_no_rollback(case: tuple[int, Situation, bool]) -> None:
    number, found, there = case
    release = found.find(number)
    assert release is not None and rollback.is_there(release, found) is there


@pytest.mark.parametrize(
    ("shown", "restore", "nothing"),
    [
        ({"config": {"back": [], "dropped": [], "changed": []}, "files": [], "drift": []}, [], True),
        ({"config": {"back": ["A"], "dropped": [], "changed": []}}, [], False),
        ({"files": ["Procfile"]}, [], False),
        ({"drift": [{"what": "scale", "now": "", "recorded": ""}]}, [], True),
        ({"drift": [{"what": "scale", "now": "", "recorded": ""}]}, ["scale"], False),
    ],
)
def test_a_second_run_does_what_the_first_one_left(shown: dict[str, Any], restore: list[str], nothing: bool) -> None:
    assert rollback.nothing_changes(shown, restore) is nothing


def test_a_plan_shows_names_and_no_value() -> None:
    shown = {
        "config": {"back": ["OLD"], "dropped": ["NEW"], "changed": ["MODE"]},
        "files": ["Procfile"],
        "drift": [
            {"what": "scale", "now": "web=2", "recorded": "web=1"},
            {"what": "ports", "now": "http:80:5000", "recorded": ""},
        ],
    }
    assert rollback.config_lines(shown, ["API_KEY"]) == [
        ["config", ["put back: OLD", "dropped: NEW", "changed: MODE", "kept as now: API_KEY"]],
        ["files", ["Procfile of that release is put back"]],
    ]
    assert rollback.diff_lines(shown) == ["+ OLD", "- NEW", "~ MODE"]
    assert rollback.drift_lines(shown, ["scale"]) == ["ports stays http:80:5000; it was empty"]
    assert "restore=scale" in rollback.drift_lines(shown, [])[0]


# -- the deploy's own rules ----------------------------------------------------------------------


def staging(seen: Any, required: bool = True, hotfix: bool = False) -> deploy.StagingWish:
    return deploy.StagingWish("restant-staging", seen, required, hotfix)


WELL = {"live": {"id": A}, "problems": []}

STAGING: dict[str, tuple[Any, str]] = {
    "nobody could ask": (None, "could not be asked: it gave no answer"),
    "it can't be reached": ({"msg": "no route to host"}, "no route to host"),
    "nothing is live": ({"live": None}, "nothing is live"),
    "another release": ({"live": {"id": B}, "problems": []}, f"runs {B}, and not {A}"),
    "not well": ({"live": {"id": A}, "problems": ["health: 500"]}, "is not well: health: 500"),
}


@pytest.mark.parametrize("case", STAGING.values(), ids=STAGING)
def test_staging_that_proves_nothing_refuses_or_warns(case: tuple[Any, str]) -> None:
    seen, text = case
    with pytest.raises(Problem) as caught:
        deploy.judge_staging(staging(seen), Source("git", A, A), "restant-main")
    assert text in caught.value.text
    assert ("hotfix=true", "goes to production without staging; the ledger says so") in caught.value.ways
    _, warnings = deploy.judge_staging(staging(seen, required=False), Source("git", A, A), "restant-main")
    assert text in warnings[0]


def test_staging_that_is_well_is_said() -> None:
    line, warnings = deploy.judge_staging(staging(WELL), Source("git", A[:9], A[:9]), "restant-main")
    assert ("restant-staging" in line, warnings) == (True, [])


def test_a_hotfix_bypasses_staging_and_says_so() -> None:
    line, warnings = deploy.judge_staging(staging(None, hotfix=True), Source("git", A, A), "restant-main")
    assert line == "" and warnings[0].startswith("hotfix=true: restant-staging was not asked")


def test_a_release_that_is_live_is_deployed_again_without_staging() -> None:
    """It brings nothing to production that is not there, and staging may have gone on."""
    wish = deploy.StagingWish("restant-staging", None, True, False, live=True)
    line, warnings = deploy.judge_staging(wish, Source("git", A, A), "restant-main")
    assert (line, warnings) == (
        "the same release is live on restant-main already, so restant-staging was not asked",
        [],
    )


def test_the_staging_app_itself_asks_nobody() -> None:
    assert deploy.judge_staging(staging(None), Source("git", A, A), "restant-staging") == ("", [])


def test_a_deploy_that_had_ended_is_not_done_again() -> None:
    found = situation(*THREE)
    assert (deploy.deployed(found, Code(C), 2) or found.releases[1]).number == 3
    assert deploy.deployed(found, Code(C), 3) is None
    assert deploy.deployed(found, Code(A), 2) is None
    assert deploy.deployed(situation(*THREE, **{"latest-is-live": "false"}), Code(C), 2) is None


def test_checks_that_are_off_are_said() -> None:
    found = situation(*THREE)
    off = Situation(found.app, found.releases, found.report, found.ps, checks={"disabled-list": "web"})
    assert "switched off for web" in deploy.situation_warnings(off)[0]


@pytest.mark.parametrize(
    ("present", "line"),
    [
        ({"id": A, "name": "release 3", "number": 3}, "deploy -e to=aaaaaaaaaa"),
        ({"id": "acme/app:2", "name": "release 3", "number": 3}, "deploy -e to=acme/app:2"),
        ({"id": f"sha256:{'a' * 64}", "name": "release 3", "number": 3}, ""),
        ({"id": "dokku/shop:latest", "name": "not recorded", "number": None}, ""),
        ({"id": "unknown", "name": "not recorded"}, ""),
    ],
)
def test_a_recorded_release_is_brought_up_again_by_a_deploy(present: dict[str, Any], line: str) -> None:
    assert dokku_release.anew(present) == line
