"""Secrets of GitHub Actions: when a value is written, and that it is nowhere but in the box."""

from __future__ import annotations

import secrets as random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from github_fake import FakeGitHub
from github_run import Run, hub, run
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.secret import SecretPresent, Wanted, checked, written

VALUE = f'canary-{random.token_hex(8)} "$#\n'
SCOPES: list[tuple[str, dict[str, Any]]] = [
    ("repo", {}),
    ("env/production", {"environment": "production"}),
    ("org", {"repository": None, "organization": "example"}),
]


@pytest.fixture(autouse=True)
def production(hub: FakeGitHub) -> None:
    hub.environments["production"] = {"policies": []}


@pytest.mark.parametrize(("scope", "options"), SCOPES)
def test_a_secret_is_sealed_set_read_back_and_removed(
    hub: FakeGitHub,
    run: Run,
    scope: str,
    options: dict[str, Any],
) -> None:
    given_ = {"name": "deploy_key", "value": VALUE, "canaries": (VALUE,), **options}
    seen = run("github_secret", check=True, **given_)
    assert seen["changed"] and hub.writes() == []
    assert run("github_secret", **given_)["changed"]
    assert hub.secrets[scope]["DEPLOY_KEY"]["value"] == VALUE
    assert len(hub.writes()) == 1
    assert VALUE not in str(hub.requests)
    assert not run("github_secret", **given_, update="missing")["changed"]
    again = run("github_secret", **given_)
    assert again["changed"] and again["changes"][0]["after"] == "set, written anew"
    gone = run("github_secret", name="deploy_key", state="absent", **options)
    assert gone["changed"] and hub.secrets[scope] == {}
    assert not run("github_secret", name="deploy_key", state="absent", **options)["changed"]


def test_a_secret_is_written_once_for_a_moment(hub: FakeGitHub, run: Run) -> None:
    options = {"name": "KEY", "value": VALUE, "update": "older", "older_than": "2026-11-21T08:00:00+00:00"}
    assert run("github_secret", **options)["changed"]
    assert not run("github_secret", **options)["changed"]
    assert run("github_secret", **{**options, "older_than": "2026-11-21T09:30:00+01:00"})["changed"]


def test_an_environment_that_shadows_is_said(hub: FakeGitHub, run: Run) -> None:
    run("github_secret", name="KEY", value=VALUE, environment="production")
    found = run("github_secret", name="KEY", value=VALUE)
    assert found["shadowed_by"] == ["production"]
    hub.denied["/environments"] = "environments=read"
    assert run("github_secret", name="KEY", value=VALUE)["shadowed_by"] is None


def test_the_visibility_of_an_organisations_secret_is_set(hub: FakeGitHub, run: Run) -> None:
    options = {"repository": None, "organization": "example", "name": "KEY", "value": VALUE}
    run("github_secret", **options, visibility="selected", selected_repositories=["shop", "example/site"])
    assert hub.secrets["org"]["KEY"]["ids"] == [101, 102]
    # A new value leaves alone who sees it.
    run("github_secret", **options)
    assert hub.secrets["org"]["KEY"]["visibility"] == "selected"
    assert hub.secrets["org"]["KEY"]["ids"] == [101, 102]
    found = run("github_secret", **options, update="missing", visibility="all", failing=True)
    assert found["code"] == "value_needed"


@pytest.mark.parametrize("kind", ["refuse", "drop"])
def test_a_write_that_came_to_nothing_is_said(hub: FakeGitHub, run: Run, kind: str) -> None:
    hub.faults = [("PUT", "secrets", kind)]
    found = run("github_secret", name="KEY", value=VALUE, canaries=(VALUE,), failing=True)
    assert found["code"] == "uncertain" and "not set -> written now" in found["msg"]
    assert len(hub.writes()) == 1


@pytest.mark.parametrize("kind", ["lose", "late"])
def test_a_write_whose_answer_was_lost_is_read_back(hub: FakeGitHub, run: Run, kind: str) -> None:
    hub.faults = [("PUT", "secrets", kind)]
    found = run("github_secret", name="KEY", value=VALUE)
    assert found["changed"] and "read back, it was carried out" in str(found["warnings"])
    assert len(hub.writes()) == 1


def test_a_yes_without_effect_is_seen(hub: FakeGitHub, run: Run) -> None:
    hub.faults = [("PUT", "secrets", "ignore")]
    assert run("github_secret", name="KEY", value=VALUE, failing=True)["code"] == "not_taken"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"token": "some-other-token"}, "bad_token"),
        ({"token": None}, "no_token"),
        ({"repository": "example/nothing"}, "not_found"),
        ({"repository": "shop"}, "bad_input"),
        ({"organization": "example"}, "bad_input"),
        ({"environment": "staging"}, "environment_missing"),
        ({"name": "GITHUB_X"}, "bad_input"),
        ({"name": "a-b"}, "bad_input"),
        ({"value": ""}, "bad_input"),
        ({"value": "x" * 49153}, "bad_input"),
        ({"visibility": "all"}, "bad_input"),
        ({"update": "older"}, "bad_input"),
        ({"update": "older", "older_than": "2026-11-21"}, "bad_input"),
        ({"api_url": "api.example.com"}, "bad_input"),
    ],
)
def test_bad_input_changes_nothing(
    hub: FakeGitHub,
    run: Run,
    options: dict[str, Any],
    code: str,
) -> None:
    found = run("github_secret", failing=True, **{"name": "KEY", "value": VALUE, **options})
    assert found["code"] == code, found["msg"]
    assert "Nothing was changed" in found["msg"]
    assert hub.writes() == []


def test_a_missing_permission_is_named(hub: FakeGitHub, run: Run) -> None:
    hub.denied["PUT"] = "secrets=write"
    found = run("github_secret", name="KEY", value=VALUE, canaries=(VALUE,), failing=True)
    assert found["code"] == "forbidden" and "secrets=write" in found["msg"]
    assert "Nothing was changed" in found["msg"]


def test_the_token_of_the_environment_is_taken_and_not_shown(
    hub: FakeGitHub,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", hub.token)
    assert run("github_secret", token=None, name="KEY", value=VALUE)["changed"]


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(MOMENTS, MOMENTS, st.integers(-14, 14))
def test_a_zone_changes_nothing_about_a_moment(there: datetime, limit: datetime, hours: int) -> None:
    present = SecretPresent(updated=there.isoformat())
    elsewhere = limit.astimezone(timezone(timedelta(hours=hours)))
    wanted = Wanted("KEY", "a/b", value="x", update="older", older_than=elsewhere.isoformat())
    assert written(wanted, present) is (there < limit)


@given(st.text(max_size=30))
def test_a_name_is_one_that_github_takes_or_is_refused(name: str) -> None:
    try:
        found = checked(Wanted(name, "a/b", value="x")).name
    except GitHubError as error:
        assert error.code == "bad_input"
    else:
        assert found.isascii() and found.isidentifier() and found == found.upper()


def test_a_value_is_in_no_representation() -> None:
    assert "hidden-value" not in repr(Wanted("KEY", "a/b", value="hidden-value"))


def test_a_yes_that_left_the_old_value_is_seen(hub: FakeGitHub, run: Run) -> None:
    run("github_secret", name="KEY", value=VALUE)
    hub.faults = [("PUT", "secrets", "ignore")]
    found = run("github_secret", name="KEY", value=VALUE, failing=True)
    assert found["code"] == "not_taken" and "written now" in found["msg"]
