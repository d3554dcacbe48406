"""Deploys and rollbacks that can't be done are refused and change nothing; those that are killed are ended or undone.

Kills are of the module on the host, at each step: it is journalled and not begun, and it is done and not journalled as
done. One command ends what was begun, and then exactly one release is live and verified.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from dokku_lab import REPOSITORY, STATE, DokkuLab
from kills import kill
from module_driver import ModuleDriver, install

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
    lab.root("lab-reset apps")
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
    "a variable that is no name": ("dokku_rollback", {"keep": "A=b"}, "bad_key", "keep=A=b"),
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
def test_what_can_t_be_done_is_refused_and_nothing_changes(
    deployed: DokkuLab, case: tuple[str, dict[str, Any], str, str]
) -> None:
    procedure, inputs, code, says = case
    before = fingerprint(deployed)
    run = deployed.play(procedure, **inputs)
    assert not run.green and f"({code})" in run.text and says in run.text and "Nothing was changed" in run.text, (
        run.text
    )
    assert fingerprint(deployed) == before


# -- kills ---------------------------------------------------------------------


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
def test_kill_at_the_step(lab: DokkuLab, driver: DokkuDriver, name: str, way: str, moment: str) -> None:
    story = STORIES[name]
    lab.root("lab-reset apps")
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
