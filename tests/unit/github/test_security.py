"""Security settings: those that need another, and a wrong "yes" of GitHub."""

from __future__ import annotations

from typing import Any

import pytest
from github_fake import FakeGitHub
from github_run import Run, hub, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.security import (
    SETTINGS,
    SecurityPresent,
    Wanted,
    contradiction,
    plan,
)

MODULE = "github_security"
ALL = dict.fromkeys(SETTINGS, True)


def test_all_is_switched_on_and_then_left_alone(hub: FakeGitHub, run: Run) -> None:
    assert run(MODULE, check=True, **ALL)["changed"]
    assert hub.writes() == []
    assert run(MODULE, **ALL)["security"] == ALL
    count = len(hub.writes())
    assert not run(MODULE, **ALL)["changed"]
    assert len(hub.writes()) == count == 3


def test_required_settings_are_switched_on_too(hub: FakeGitHub, run: Run) -> None:
    found = run(MODULE, push_protection=True, dependabot_security_updates=True)
    assert found["security"] == ALL
    found = run(MODULE, secret_scanning=False, dependabot_alerts=False)
    assert found["security"] == dict.fromkeys(SETTINGS, False)


def test_a_yes_that_was_none_is_an_error(hub: FakeGitHub, run: Run) -> None:
    hub.faults = [("PATCH", "shop", "ignore")]
    found = run(MODULE, failing=True, secret_scanning=True)
    assert found["code"] == "not_taken" and "secret_scanning: no -> yes" in found["msg"]


def test_a_hidden_setting_is_not_taken_for_off(hub: FakeGitHub, run: Run) -> None:
    hub.security = None  # type: ignore[assignment]
    found = run(MODULE, failing=True, secret_scanning=True)
    assert found["code"] == "hidden" and "administration=write" in found["msg"]
    assert run(MODULE, dependabot_alerts=True)["security"]["secret_scanning"] is None


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"secret_scanning": False, "push_protection": True}, "bad_input"),
        ({"dependabot_alerts": False, "dependabot_security_updates": True}, "bad_input"),
        ({"repository": "example/nothing", "dependabot_alerts": False}, "not_found"),
        ({"token": "some-other-token"}, "bad_token"),
    ],
)
def test_bad_input_changes_nothing(hub: FakeGitHub, run: Run, options: dict[str, Any], code: str) -> None:
    assert run(MODULE, failing=True, **options)["code"] == code
    assert hub.writes() == []


def test_a_missing_permission_is_named(hub: FakeGitHub, run: Run) -> None:
    hub.denied["PATCH"] = "administration=write"
    assert "administration=write" in run(MODULE, failing=True, secret_scanning=True)["msg"]


def sensible(values: dict[str, bool]) -> bool:
    return not (values["push_protection"] and not values["secret_scanning"]) and not (
        values["dependabot_security_updates"] and not values["dependabot_alerts"]
    )


STATES = st.fixed_dictionaries(dict.fromkeys(SETTINGS, st.booleans())).filter(sensible)
WANTED = st.dictionaries(st.sampled_from(SETTINGS), st.booleans())


@given(STATES, WANTED)
def test_a_plan_leads_to_what_is_wanted_and_to_what_can_be(present: dict[str, bool], wanted: dict[str, bool]) -> None:
    if contradiction(wanted):
        return
    ask = Wanted("a/b", wanted)
    found = plan(ask, SecurityPresent(present))
    then = {**present, **{change.subject: change.after == "yes" for change in found.changes}}
    assert {**then, **wanted} == then and sensible(then)
    assert plan(ask, SecurityPresent(then)).acts == ()
    assert bool(found.acts) is (then != present)


def test_a_hidden_setting_is_refused() -> None:
    with pytest.raises(GitHubError):
        plan(Wanted("a/b", {"secret_scanning": True}), SecurityPresent({"secret_scanning": None}))
