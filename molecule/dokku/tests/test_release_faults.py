"""Deploys and rollbacks that can't be done are refused and change nothing; those that are killed are ended or undone.

Kills are of the module on the host, at each step: it is journalled and not begun, and it is done and not journalled as
done. One command ends what was begun, and then exactly one release is live and verified.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from controller import Controller
from dokku_lab import REPOSITORY, STATE, DokkuLab
from kills import kill
from module_driver import ModuleDriver, install
from waiting import wait_for

MAIN = "restant-main"


def fingerprint(lab: DokkuLab) -> dict[str, Any]:
    """All that an operation could change, but for its own records."""
    return {
        "containers": lab.root("docker ps --all --format '{{.Names}} {{.ID}}' | sort"),
        "images": lab.root("docker image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sort"),
        "releases": lab.releases(MAIN),
        "config": lab.ok("config:export", "--format", "json", MAIN).out,
        "branch": lab.root(f"git --git-dir /home/dokku/{MAIN} rev-parse main"),
    }


@pytest.fixture(scope="module")
def deployed(lab: DokkuLab) -> DokkuLab:
    lab.reset("apps")
    return lab


#: The procedure, its inputs, the refusal's code, and what it says or offers.
REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "an app that is missing": (
        "dokku_rollback",
        {"dokku_app": "restant-mian"},
        "app_missing",
        "dokku_app=restant-main",
    ),
    "a number that is not recorded": ("dokku_rollback", {"to": 77}, "release_missing", "-e to=1"),
    "a word": ("dokku_rollback", {"to": "yesterday"}, "unknown_release", "-e to=previous"),
    "an invalid name of a variable": ("dokku_rollback", {"keep": "A=b"}, "bad_key", "keep=A=b"),
    "a part that can't be put back": (
        "dokku_rollback",
        {"restore": "database"},
        "bad_restore",
        "restore=scale,domains",
    ),
    "a tag that is missing": ("dokku_deploy", {"to": "v99", "hotfix": True}, "unknown_release", "it has:"),
    "a commit without a repository": (
        "dokku_deploy",
        {"to": "main", "hotfix": True, "dokku_repository": ""},
        "no_repository",
        "dokku_repository=",
    ),
    "a disk without room": (
        "dokku_deploy",
        {"to": "v3", "hotfix": True, "dokku_disk_reserve": 99999999},
        "disk_space",
        "",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
@pytest.mark.core("refusal", only="a number that is not recorded")
def test_an_impossible_request_is_refused_and_nothing_changes(
    deployed: DokkuLab, case: tuple[str, dict[str, Any], str, str]
) -> None:
    procedure, inputs, code, says = case
    before = fingerprint(deployed)
    run = deployed.play(procedure, **inputs)
    assert not run.green and f"({code})" in run.text and says in run.text and "Nothing was changed" in run.text, (
        run.text
    )
    assert fingerprint(deployed) == before


def test_an_image_that_is_gone_is_refused_with_the_nearest_that_can_be_had(lab: DokkuLab) -> None:
    lab.reset("apps")
    assert lab.push(MAIN, "v3").rc == 0
    lab.root(f"docker container rm $(docker container ls -aq --filter label=com.dokku.releases.app={MAIN})")
    lab.ok("cleanup", MAIN)
    run = lab.play("dokku_rollback", migrations="keep")
    assert not run.green and "image_gone" in run.text and "ops.runbook.dokku_deploy -e to=" in run.text, run.text
    assert lab.serves(MAIN) == "3"


def test_a_host_without_the_plugin_is_told_how_to_get_it(deployed: DokkuLab) -> None:
    enabled = "/var/lib/dokku/plugins/enabled/releases"
    deployed.root(f"mv {enabled} /srv/lab/releases-link")
    try:
        run = deployed.play("dokku_rollback")
        assert not run.green and "plugin_missing" in run.text and "dokku_releases" in run.text, run.text
    finally:
        deployed.root(f"mv /srv/lab/releases-link {enabled}")


def test_a_user_without_the_right_is_told_the_rule(deployed: DokkuLab) -> None:
    deployed.root("mv /etc/sudoers.d/deploy /srv/lab/sudoers-deploy; rm -f /etc/sudoers.d/ops-runbook-dokku")
    try:
        run = deployed.play("dokku_rollback")
        assert not run.green and "deploy ALL=(dokku) NOPASSWD: /usr/bin/dokku" in run.text, run.text
    finally:
        deployed.root("mv /srv/lab/sudoers-deploy /etc/sudoers.d/deploy")


def test_an_app_without_a_deploy_has_nothing_to_go_back_to(lab: DokkuLab) -> None:
    lab.app("empty")
    run = lab.play("dokku_rollback", dokku_app="empty")
    assert not run.green and "not_deployed" in run.text, run.text


# -- others at work, and kills ---------------------------------------------------------------------


@dataclass(frozen=True)
class Service:
    """The app as the module is told of it."""

    module: str = "dokku_operation"
    state_dir: str = STATE
    options: dict[str, Any] = field(default_factory=lambda: {"app": MAIN, "repository": REPOSITORY})
    endpoints: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": "health", "url": f"http://{MAIN}.dokku.example.com/health", "connect_to": "127.0.0.1:80"}
        ]
    )


@dataclass(frozen=True)
class Story:
    """An operation between two releases, by their versions."""

    procedure: str
    to: str
    first: str
    second: str
    migrations: str = "refuse"
    inputs: dict[str, object] = field(default_factory=dict)


#: While this file is there, a deploy of the simulator does not end.
HELD = "/var/lib/dokku/data/simulator/held"
STORIES = {"deploy": Story("deploy", "v3", "2", "3"), "rollback": Story("rollback", "previous", "2", "1")}


class DokkuDriver(ModuleDriver):
    """A driver that gives a procedure its inputs as the role does."""

    def plan_order(self, story: Any, operation: str, **options: Any) -> dict[str, Any]:
        inputs = {"to": story.to, "migrations": story.migrations, **story.inputs}
        given = {"phase": "plan", "procedure": story.procedure, "inputs": inputs, **options}
        return self.order(self.service.module, operation, **given)


@pytest.fixture(scope="module")
def driver(lab: DokkuLab) -> Iterator[DokkuDriver]:
    install(lab)
    with DokkuDriver(lab, Service()) as running:
        yield running
    lab.root("rm -rf /opt/ops-runbook")


def verified(lab: DokkuLab, driver: DokkuDriver, version: str, told: object) -> None:
    text = f"{told}: {lab.releases(MAIN)}"
    assert (lab.serves(MAIN), lab.latest(MAIN)) == (version, lab.live(MAIN)), text
    assert driver.module("operation_history_info").get("chain", {}).get("ok"), text
    assert lab.root(f"cd {STATE}; ls journal.jsonl lease.json 2>/dev/null", check=False) == "", text


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("way", ["resume", "undo"])
@pytest.mark.parametrize("moment", ["after begin", "before done"])
@pytest.mark.core("resume", "undo", only=("after begin-undo-rollback", "before done-resume-deploy"))
def test_kill_at_the_step(lab: DokkuLab, driver: DokkuDriver, name: str, way: str, moment: str) -> None:
    story = STORIES[name]
    lab.reset("apps")
    operation = driver.new_operation()
    planned = driver.plan(story, operation)
    steps = [step["id"] for step in planned["plan"]["steps"]]
    assert steps == [name]
    when, event = moment.split()
    died = driver.apply(operation, fault=kill(when, f"{event}:{name}"))
    assert died["rc"] == -9, died
    told = driver.run(story)
    assert told["refusal"] == "interrupted" and f"interrupted={way}" in told["ways"], told
    ended = driver.run(story, interrupted=way)
    assert ended.get("outcome") == {"resume": "succeeded", "undo": "reverted"}[way], ended
    verified(lab, driver, story.second if way == "resume" else story.first, (name, way, moment))
    # What had ended before the kill was not done a second time.
    assert len(lab.releases(MAIN)) <= {"resume": 3, "undo": 4}[way]


def test_a_lease_that_is_held_is_not_worked_beside(lab: DokkuLab, driver: DokkuDriver) -> None:
    lab.reset("apps")
    operation = driver.new_operation()
    assert driver.plan(STORIES["deploy"], operation)["plan"]
    told = driver.run(STORIES["rollback"])
    assert told["refusal"] == "lease_held" and lab.serves(MAIN) == "2", told
    driver.module("operation_close", operation, refused="test")


def being_made(lab: DokkuLab) -> None:
    """Wait until dokku has made the next container, and checks it."""
    listed = f"docker container ls --quiet --filter name={MAIN}.web.1.upcoming"
    wait_for("an upcoming container", lambda: lab.root(listed))


def test_a_deploy_of_somebody_else_is_not_worked_beside(lab: DokkuLab, driver: DokkuDriver) -> None:
    lab.reset("apps")
    # dokku's own lock, and a record of a build whose process lives.
    lab.root("lab-images v3")
    deploy = f"exec dokku git:from-image {MAIN} local/restant:v3"
    lab.root(f"touch {HELD}; runuser -u dokku -- sh -c '{deploy}' >/dev/null 2>&1 &")
    being_made(lab)
    told = driver.run(STORIES["rollback"])
    lab.root(f"rm {HELD}")
    assert told["refusal"] == "deploy_running" and any("builds:cancel" in way for way in told["ways"]), told
    wait_for("the other deploy is live", lambda: lab.serves(MAIN), "3")


def test_a_module_that_is_killed_in_a_deploy_does_not_cut_it(lab: DokkuLab) -> None:
    """dokku goes on to its end and keeps the guard's lock; the run waits for it, and then goes back."""
    lab.reset("apps")
    lab.root(f"touch {HELD}")
    with Controller(lab.name, "dokku_deploy", to="v3", hotfix=True) as run:
        began = f'grep -q \'"event":"begin","step":"deploy"\' {STATE}/journal.jsonl'
        wait_for("the deploy is begun", lambda: lab.root(f"{began} && echo yes", check=False), "yes")
        being_made(lab)
        lab.root(f"pgrep -u deploy -x python3 | xargs kill -9; rm {HELD}")
        done = run.wait()
    text = done.text
    assert not done.green and "reverted" in text, text
    assert (lab.serves(MAIN), lab.latest(MAIN)) == ("2", lab.live(MAIN)), text
    record = json.loads(lab.root(f"tail -n 1 {STATE}/ledger.jsonl"))
    assert (record["outcome"], record["left"]["number"]) == ("reverted", 2)
