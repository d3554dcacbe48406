"""Tuning: limits, nginx and variables with one restart, verified, and put back where the app is not well with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dokku_state_lab import CANARY, Apps
from lab import HOSTS, Run

MAIN = "restant-main"
STATE = f"/var/lib/ops-runbook/{MAIN}"
WANTED = {
    "dokku_tune_limits": {"memory": "512m", "cpu": 1, "worker": {"memory": "256m"}},
    "dokku_tune_nginx": {"client-max-body-size": "20m", "hsts": True},
    "dokku_tune_config": {"PHP_OPCACHE_ENABLE": "1"},
}


@pytest.fixture(scope="module")
def kept() -> Apps:
    found = Apps(HOSTS[0])
    found.reset("apps")
    return found


@pytest.fixture
def host(kept: Apps) -> Apps:
    """As it was made: what was tuned before is forgotten."""
    kept.reset("apps")
    return kept


def tune(host: Apps, *options: str, **inputs: Any) -> Run:
    return host.play("dokku_tune", *options, **inputs)


def outcomes(host: Apps) -> list[str]:
    lines = host.root(f"cat {STATE}/ledger.jsonl 2>/dev/null", check=False).splitlines()
    return [json.loads(line)["outcome"] for line in lines]


def test_all_settings_take_one_restart(host: Apps) -> None:
    before, running = host.state(), host.containers(MAIN)
    planned = tune(host, "--check", **WANTED)
    assert planned.green and "memory limit: not set -> 512m" in planned.text, planned.text
    for said in ("gzip and HTTP/2 are in Dokku's nginx template", "HSTS", "config:cache", "opcache"):
        assert said in planned.text
    assert host.state() == before
    done = tune(host, **WANTED)
    assert done.green and outcomes(host) == ["succeeded"], done.text
    shape = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}"
    assert host.root(f"docker inspect --format '{shape}' {MAIN}.web.1") == "536870912 1000000000"
    assert host.root(f"docker inspect --format '{shape}' {MAIN}.worker.1") == "268435456 1000000000"
    assert "client_max_body_size 20m;" in host.dokku("nginx:show-config", MAIN)
    assert host.config(MAIN)["PHP_OPCACHE_ENABLE"] == "1"
    assert {*host.containers(MAIN).values()}.isdisjoint(running.values())
    after = host.containers(MAIN)
    again = tune(host, **WANTED)
    assert again.green and "nothing to do" in again.text and host.containers(MAIN) == after
    assert host.root(f"ls {STATE} | grep -c '^config-' || true") == "0"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"dokku_tune_limits": {"memory": "2048m", "cpu": "2000m"}}, "the right form is 2"),
        ({"dokku_tune_limits": {"memory": "2Gi"}}, "the right form is 2g"),
        ({"dokku_tune_nginx": {"gzip": True}}, "compresses already"),
        ({"dokku_tune_nginx": {"hsts": "maybe"}}, "true or false"),
        ({"dokku_tune_config": {"GIT_REV": "x"}}, "own_key"),
        ({"dokku_app": "restant-mian"}, "there is no app restant-mian"),
    ],
)
def test_a_tuning_that_does_not_fit_is_refused(kept: Apps, inputs: dict[str, Any], said: str) -> None:
    before = kept.state()
    refused = tune(kept, **inputs)
    assert not refused.green and said in refused.text and "Nothing was changed." in refused.text, refused.text
    assert kept.state() == before


def test_a_setting_that_makes_the_app_unhealthy_is_put_back(host: Apps) -> None:
    """The restart fails its checks with this variable, and the old containers serve on."""
    before = host.config(MAIN)
    ran = tune(host, dokku_tune_limits={"memory": "512m"}, dokku_tune_config={"CRASH_ON_BOOT": f"{CANARY}1"})
    assert not ran.green and "reverted" in ran.text and CANARY not in ran.text.partition("PLAY [")[2], ran.text
    assert outcomes(host) == ["reverted"]
    assert host.config(MAIN) == before and host.report(MAIN, "resource") == {}
    assert f"{MAIN}.web.1" in host.containers(MAIN)
    assert CANARY not in host.root(f"cat {STATE}/*")


def test_an_image_that_failed_is_not_restarted_into_life(host: Apps) -> None:
    host.dokku("git:from-image", MAIN, "local/restant:crash", check=False)
    before = host.state()
    refused = tune(host, dokku_tune_limits={"memory": "512m"})
    assert "latest_not_live" in refused.text and "releases:rollback" in refused.text and host.state() == before
