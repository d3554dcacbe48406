"""The life of a feature app: made with all that belongs to it, listed, and destroyed by its name; never an app of
production, never production's data without a word, and no secret anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from controller import Controller
from dokku_state_lab import CANARY, Apps
from lab import HOSTS, Run
from moments import at

MAIN = "restant-main"
FEATURE = "restant-feature-life"
STATE = f"/var/lib/ops-runbook/{FEATURE}"
OWN_CACHE = {"plugin": "redis", "name": "{app}-cache", "create": True}


@pytest.fixture(scope="module")
def host() -> Apps:
    found = Apps(HOSTS[0])
    found.reset("apps")
    found.load_services()
    return found


@pytest.fixture(autouse=True)
def clean(host: Apps) -> Iterator[None]:
    yield
    host.dokku("apps:destroy", FEATURE, "--force", check=False)
    host.dokku("redis:destroy", f"{FEATURE}-cache", "--force", check=False)
    host.root(f"rm -rf {STATE}")


def feature(host: Apps, *options: str, **inputs: Any) -> Run:
    return host.play("dokku_feature", *options, **{"feature": "life", **inputs})


# The module that works on the feature: the Python that has the guard's lock.
KILL_MODULE = f"""
for process in /proc/[0-9]*; do
  if ls -l $process/fd 2>/dev/null | grep -q {STATE}/running.lock && grep -q ^python $process/comm; then
    kill -KILL ${{process#/proc/}}
  fi
done
"""


def ledger(host: Apps) -> list[dict[str, Any]]:
    lines = host.root(f"cat {STATE}/ledger.jsonl 2>/dev/null", check=False).splitlines()
    return [json.loads(line) for line in lines]


def test_a_feature_lives_and_dies(host: Apps) -> None:
    untouched = host.config(MAIN), host.containers(MAIN), host.report(MAIN, "domains")
    before = host.state()
    planned = feature(host, "--check", dokku_feature_services=[OWN_CACHE])
    assert planned.green and f"make the app {FEATURE}" in planned.text and "life.feature.example.com" in planned.text
    assert host.state() == before and not ledger(host)

    made = feature(host, dokku_feature_services=[OWN_CACHE])
    assert made.green and "nothing is deployed to" in made.text, made.text
    config = host.config(FEATURE)
    assert config["APP_URL"] == "https://life.feature.example.com" and config["APP_ENV"] == "staging"
    assert f"dokku-redis-{FEATURE}-cache" in config["REDIS_URL"]
    assert host.report(FEATURE, "domains")["app-vhosts"] == "life.feature.example.com"
    assert host.report(FEATURE, "resource")["_default_.limit.memory"] == "256m"

    after = host.state()
    again = feature(host, dokku_feature_services=[OWN_CACHE])
    assert again.green and "nothing to do" in again.text and host.state() == after

    listed = host.play("dokku_features")
    assert listed.green and FEATURE in listed.text and "not deployed" in listed.text
    assert f"redis/{FEATURE}-cache" in listed.text and MAIN not in listed.text

    unconfirmed = feature(host, state="absent")
    assert not unconfirmed.green and f"confirm={FEATURE}" in unconfirmed.text and host.state() == after

    gone = feature(host, state="absent", confirm=FEATURE, dokku_feature_services=[OWN_CACHE])
    assert gone.green and FEATURE not in host.apps(), gone.text
    assert "destroy_services=true" in gone.text
    # Its service stays, with its data, until somebody asks for that too.
    assert host.dokku("redis:exists", f"{FEATURE}-cache")
    host.dokku("apps:create", FEATURE)
    inputs = {"destroy_services": True, "dokku_feature_services": [OWN_CACHE]}
    assert feature(host, state="absent", confirm=FEATURE, **inputs).green
    assert "does not exist" in host.dokku("redis:exists", f"{FEATURE}-cache", check=False)
    outcomes = [(record["procedure"], record["outcome"]) for record in ledger(host)]
    assert [pair for pair in outcomes if pair[1] == "succeeded"] == [("feature", "succeeded")] * 3
    assert (host.config(MAIN), host.containers(MAIN), host.report(MAIN, "domains")) == untouched


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "production": (
        {"feature": "main", "dokku_feature_prefix": "restant-", "state": "absent", "confirm": MAIN},
        "production_app",
    ),
    "staging": (
        {
            "feature": "staging",
            "dokku_feature_prefix": "restant-",
            "state": "absent",
            "confirm": "restant-staging",
        },
        "production_app",
    ),
    "a domain of production": ({"dokku_feature_domains": [f"{MAIN}.dokku.example.com"]}, "production_domain"),
    "a domain of another app": ({"dokku_feature_domains": ["restant-staging.dokku.example.com"]}, "domain_taken"),
    "a name that can't be": ({"feature": "Bad_Name"}, "bad_name"),
    "a service that is missing": (
        {"dokku_feature_services": [{"plugin": "redis", "name": "nope"}]},
        "no_service",
    ),
    "limits that Docker refuses": ({"dokku_feature_limits": {"cpu": "500m"}}, "the right form is 0.5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_changes_nothing(host: Apps, name: str) -> None:
    inputs, said = REFUSED[name]
    before = host.state()
    refused = feature(host, **inputs)
    assert not refused.green and said in refused.text and "Nothing was changed." in refused.text, refused.text
    assert host.state() == before


@pytest.mark.parametrize("inputs", [{"feature": ""}, {"dokku_feature_prefix": ""}])
def test_without_a_name_nothing_is_contacted(host: Apps, inputs: dict[str, Any]) -> None:
    refused = feature(host, **inputs)
    assert not refused.green and "Nothing was contacted" in refused.text


def test_the_data_of_production_is_not_shared_unless_somebody_says_so(host: Apps) -> None:
    host.dokku("redis:create", "life-cache")
    host.dokku("redis:link", "life-cache", MAIN, "--no-restart")
    shared = {"dokku_feature_services": [{"plugin": "redis", "name": "life-cache"}]}
    try:
        before = host.state()
        refused = feature(host, **shared)
        assert "production_service" in refused.text and "share=life-cache" in refused.text and host.state() == before
        made = feature(host, share="life-cache", **shared)
        assert made.green and f"{FEATURE} and {MAIN} share" in made.text, made.text
        assert host.dokku("redis:links", "life-cache").split() == [FEATURE, MAIN]
        assert "(production's)" in host.play("dokku_features").text
        gone = feature(host, state="absent", confirm=FEATURE, destroy_services=True, **shared)
        assert gone.green and host.dokku("redis:links", "life-cache").split() == [MAIN]
    finally:
        host.dokku("redis:unlink", "life-cache", MAIN, "--no-restart", check=False)
        host.dokku("redis:destroy", "life-cache", "--force", check=False)


@pytest.fixture
def refused_by_nginx(host: Apps) -> Iterator[Callable[[], None]]:
    """Gives another app a configuration that nginx refuses: apps:create ends with 1 then, and the app is there."""
    folder = "/home/dokku/restant-staging/nginx.conf.d"

    def refuse() -> None:
        host.root(f"mkdir -p {folder} && echo 'nonsense on;' > {folder}/bad.conf")

    yield refuse
    host.root(f"rm -f {folder}/bad.conf")


def test_a_feature_that_nginx_would_refuse_is_not_begun(host: Apps, refused_by_nginx: Callable[[], None]) -> None:
    refused_by_nginx()
    ran = feature(host)
    assert not ran.green and "(nginx_broken)" in ran.text and "nginx:validate-config" in ran.text, ran.text
    assert FEATURE not in host.apps()


def test_a_feature_that_fails_half_way_is_taken_away_again(host: Apps, refused_by_nginx: Callable[[], None]) -> None:
    with at("apply | Do the steps, verify the result, go back if it is not good", refused_by_nginx) as problems:
        ran = feature(host)
    assert not problems, problems
    assert not ran.green and "reverted" in ran.text and "nginx:validate-config" in ran.text, ran.text
    assert FEATURE not in host.apps()


def test_a_killed_run_is_undone(host: Apps) -> None:
    with Controller(HOSTS[0], "dokku_feature", feature="life") as run:
        while FEATURE not in host.apps() and not run.ended:
            pass
        # The controller first: while it lives, it has a host whose module died go back.
        run.kill()
        host.root(KILL_MODULE)
    again = feature(host)
    assert not again.green and "interrupted" in again.text, again.text
    undone = feature(host, interrupted="undo")
    assert FEATURE not in host.apps(), undone.text
    assert feature(host).green


def test_no_value_is_on_any_surface(host: Apps) -> None:
    config = {"APP_KEY": f"{CANARY}one", "PLAIN": f"{CANARY}two"}
    runs = [
        feature(host, "-vvv", "--diff", "--check", dokku_feature_config=config),
        feature(host, "-vvv", "--diff", dokku_feature_config=config),
        feature(host, "-vvv", "--diff", dokku_feature_config={**config, "PLAIN": f"{CANARY}three"}),
    ]
    assert [run.green for run in runs] == [True, True, True], runs[-1].text
    assert host.config(FEATURE)["PLAIN"] == f"{CANARY}three"
    for run in runs:
        # What was typed as an extra variable is this test's own; a person has it in a vault.
        assert CANARY not in run.text.partition("PLAY [")[2]
    assert CANARY not in host.root("find /var/lib/ops-runbook -type f -exec cat {} +")
    assert "APP_KEY" in json.dumps(ledger(host)) or "APP_KEY" in runs[1].text
