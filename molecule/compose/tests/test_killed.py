"""SIGKILL of the module at every journalled step of a deploy and of a rollback; then one command, and all is verified.

Two moments of each step: it is journalled and not begun, it is done and not journalled as done. One of them is gone on
with and the other undone, the other way round in the other procedure; KILLS=all tries both ways at both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from compose_driver import STORIES, ComposeDriver, Story
from compose_lab import RELEASES, STATE, ComposeLab, tag
from kills import BOTH, PLANNED, kill, killed, ways
from module_driver import install


@pytest.fixture(scope="module")
def driver(lab: ComposeLab) -> Iterator[ComposeDriver]:
    install(lab)
    with ComposeDriver(lab) as running:
        yield running
    lab.root("rm -rf /opt/ops-runbook")


def verified(driver: ComposeDriver, story: Story, went_back: bool, told: object) -> None:
    """Check everything that must hold after any fault, once the one command was given."""
    lab = driver.lab
    release = story.first if went_back else story.second
    chain = driver.module("operation_history_info").get("chain", {})
    text = f"{told}: {lab.get('/api/v1/health')} {lab.running()} {json.dumps(chain)}"
    assert (lab.version(), lab.runs(release)) == (RELEASES[release].version, True), text
    assert lab.get("/api/v1/orders") == (200, {"count": 3, "total": 1000}), text
    for service in ("backend", "worker"):
        # The first release was never pinned: where nothing has changed the file names it by its tag.
        assert lab.pins()[service].endswith((lab.digest(service, release), tag(release))), text
    # A deploy that goes back undoes its migrations; a rollback that goes back runs them again.
    assert lab.schema() == story.schemas[0 if went_back else 1], text
    assert chain.get("ok"), text
    assert lab.root(f"cd {STATE}; ls journal.jsonl lease.json 2>/dev/null", check=False) == "", text
    one_off = "docker ps --all --quiet --filter label=com.docker.compose.oneoff=True"
    assert lab.root(one_off) == "", f"{text}: a container of a migration was left"


MOMENTS = {"it is journalled": ("after", "begin"), "it is done": ("before", "done")}


@pytest.mark.parametrize("name", STORIES)
def test_kill_at_every_journalled_step(lab: ComposeLab, driver: ComposeDriver, name: str) -> None:
    story = STORIES[name]
    lab.at(*story.start)
    operation = driver.new_operation()
    decided = driver.plan(story, operation)
    assert decided.get("plan"), decided
    driver.keep(PLANNED)
    steps = [step["id"] for step in decided["plan"]["steps"]]
    assert len(steps) > 3, steps
    every = os.environ.get("KILLS") == "all"
    for step in steps:
        for number, (when, event) in enumerate(MOMENTS.values()):
            turned = number if name == "deploy" else 1 - number
            fault = kill(when, f"{event}:{step}")
            killed(driver, operation, fault, keep=every)
            found = ways(driver, story, fault, BOTH if every else (BOTH[turned],), verified)
            print(f"{name}, {step}, {when} {event}: {found.outcome}", flush=True)


@pytest.mark.core("resume")
def test_kill_between_the_verification_and_the_record(lab: ComposeLab, driver: ComposeDriver) -> None:
    story = STORIES["deploy"]
    lab.at(*story.start)
    operation = driver.new_operation()
    assert driver.plan(story, operation).get("plan")
    driver.keep(PLANNED)
    fault = kill("before", "record")
    killed(driver, operation, fault, keep=False)
    ways(driver, story, fault, ("resume",), verified, "only its record is missing")


@pytest.mark.core("undo")
def test_services_started_by_hand_meanwhile_are_undone_too(lab: ComposeLab, driver: ComposeDriver) -> None:
    """A new pin without its `up`: the next `docker compose up` of anybody brings the new release."""
    story = STORIES["deploy"]
    lab.at(*story.start)
    operation = driver.new_operation()
    assert driver.plan(story, operation).get("plan")
    driver.keep(PLANNED)
    killed(driver, operation, kill("before", "done:pin"), keep=False)
    lab.deploy("cd /srv/shop && docker compose -f docker-compose.prod.yml up -d --wait")
    assert lab.runs(story.second)
    back = driver.run(story, interrupted="undo")
    assert back["outcome"] == "reverted", back
    verified(driver, story, True, "after `docker compose up` by hand")
