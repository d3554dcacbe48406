"""SIGKILL at each step of a record and of a rollback: no deploy is lost, something serves, and one command mends it."""

from __future__ import annotations

import pytest
from dokku_lab import RECORDS, DokkuLab

EVERY = pytest.mark.every_kill
RECORD = [
    pytest.param("docker container create --name dokku-releases", "before", marks=EVERY),
    pytest.param("docker container create --name dokku-releases", "after"),
    pytest.param("jq -n --arg app", "before", marks=EVERY),
    pytest.param("sync .*record.json", "before", marks=EVERY),
    pytest.param(r"mv .*record.json .*/2\.json", "before"),
    pytest.param(r"mv .*record.json .*/2\.json", "after", marks=EVERY),
    pytest.param("mv .*/last .*/.last", "before", marks=EVERY),
]
ROLLBACK = [
    pytest.param("sync .*journal", "before", marks=EVERY),
    pytest.param("mv .*journal", "after", marks=EVERY),
    pytest.param("docker image tag", "before", marks=EVERY),
    pytest.param("docker image tag", "after"),
    pytest.param("dokku config:import", "before", marks=EVERY),
    pytest.param("dokku config:import", "after"),
    pytest.param("dokku ps:restart", "before", marks=EVERY),
    pytest.param("dokku ps:restart", "after"),
    pytest.param("git .*update-ref", "before", marks=EVERY),
]


@pytest.mark.parametrize(("victim", "when"), RECORD)
def test_a_record_that_is_killed_costs_no_deploy(lab: DokkuLab, victim: str, when: str) -> None:
    app = lab.app("killed-record")
    lab.at(app, "v1")
    lab.root("lab-images v2")
    killed = lab.killed(victim, when, "git:from-image", app, "local/restant:v2")
    assert killed.rc == 0 and "was not recorded" in killed.text and lab.serves(app) == "2", killed
    assert lab.latest(app) == lab.live(app)
    if lab.root(f"ls {RECORDS}/{app}/2.json 2>/dev/null", check=False) == "":
        assert "What is live is not recorded" in lab.ok("releases", app).err
        lab.ok("releases:record", app)
    assert lab.numbers(app) == [1, 2]
    lab.ok("cleanup", app)
    assert lab.states(app) == {1: "held", 2: "live"}


@pytest.mark.parametrize(("victim", "when"), ROLLBACK)
def test_a_rollback_that_is_killed_is_seen_and_finished(lab: DokkuLab, victim: str, when: str) -> None:
    app = lab.app("killed-rollback")
    for number in (1, 2):
        lab.ok("config:set", "--no-restart", app, f"GREETING=g{number}")
        lab.at(app, f"v{number}")
    killed = lab.killed(victim, when, "releases:rollback", app, "1")
    assert killed.rc == 137, killed
    # Something serves, all the while.
    assert lab.answer(app) in ("version=1 path=/ greeting=g1\n", "version=2 path=/ greeting=g2\n")
    ended = victim.startswith(("sync", "git")) or (victim.startswith("dokku ps:restart") and when == "after")
    told = lab.ok("releases", app).err
    assert (f"did not end. To finish it: dokku releases:rollback {app} 1" in told) == (not ended), told
    lab.ok("releases:rollback", app, "1")
    assert lab.answer(app) == "version=1 path=/ greeting=g1\n" and lab.latest(app) == lab.live(app)
    newest = lab.releases(app)[0]
    assert (newest["rollback_to"], newest["state"]) == (1, "live")
    assert "did not end" not in lab.ok("releases", app).err
    assert lab.root(f"ls /var/lib/dokku/data/apps/{app}/.deploy.lock 2>/dev/null", check=False) == ""
