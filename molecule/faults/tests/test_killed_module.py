"""SIGKILL of the module at every line of the journal, of a deploy and of a rollback; then resumed, and undone.

Each step has three moments: half of its line is on the disk, it is journalled but not begun, it is done but not
journalled as done. After each: the site answers on the release that was asked for, the database fits it, the ledger
is whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from kills import BOTH, PLANNED, kill, killed, ways
from lab import Lab
from laravel_driver import Driver
from stories import GREETER, MIGRATIONS, STORIES, Story


def verified(driver: Driver, story: Story, went_back: bool, told: object) -> None:
    """Check everything that must hold after any fault, once the one command was given."""
    seen = driver.observe()
    release = story.first if went_back else story.second
    text = f"{told}: {json.dumps(seen, indent=1, default=list)}"
    assert (seen["status"], seen["release"], seen["version"]) == (200, release, release), text
    assert (seen["greeter"], seen["dirty"], seen["left"]) == (GREETER[release], 0, []), text
    assert seen["chain"].get("ok"), text
    # A deploy that goes back leaves what its migrations did; a rollback that goes back runs them again.
    if story.procedure != "deploy" or not went_back:
        assert seen["migrations"].isdisjoint(MIGRATIONS) is (release == "v1.0.0"), text


@pytest.fixture
def planned(lab: Lab, driver: Driver) -> Callable[[Story], tuple[str, list[str]]]:
    def plan(story: Story) -> tuple[str, list[str]]:
        driver.service = story.service
        Lab(lab.name, story.service.strategy).at(*story.start)
        operation = driver.new_operation()
        decided = driver.plan(story, operation)
        assert decided.get("plan"), decided
        driver.keep(PLANNED)
        return operation, [step["id"] for step in decided["plan"]["steps"]]

    return plan


HALF = "half of its line is on the disk"
DONE = "it is done, and not yet journalled as done"


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("name", STORIES)
def test_kill_at_every_journalled_step(
    driver: Driver, planned: Any, row: Callable[..., None], name: str, part: int
) -> None:
    story = STORIES[name]
    operation, steps = planned(story)
    assert len(steps) > 3, steps
    half = len(steps) // 2
    driver.restore(PLANNED)
    if part:
        killed(driver, operation, kill("before", f"done:{steps[half - 1]}"))
    stands = driver.marks()
    for step in steps[half:] if part else steps[:half]:
        seen = {}
        for moment, fault, chosen in (
            # What stands then is what stood after the step before, where both ways were gone: the first one will do.
            (HALF, kill("half", f"begin:{step}"), ("resume",) if step == steps[0] else ()),
            ("it is journalled", kill("after", f"begin:{step}"), BOTH),
            (DONE, kill("before", f"done:{step}"), BOTH),
        ):
            killed(driver, operation, fault)
            if moment == DONE:
                stands = driver.marks()
            else:
                assert driver.marks() == stands, f"{step} was begun before it was journalled"
            seen[moment] = ways(driver, story, fault, chosen, verified)
        if step != steps[0]:
            assert seen.pop(HALF).outcome == "refused (interrupted)"
        for found in dict.fromkeys(seen.values()):
            row(
                "module",
                fault=f"SIGKILL in a {name}",
                when=f"step `{step}`: " + "; ".join(moment for moment in seen if seen[moment] == found),
                holds="no step is lost or done twice; resume and undo both end verified",
                outcome=found.outcome,
                command=f"`laravel_{story.procedure}{found.typed}`",
                mutation="the event is written after the act (`Guard.run_steps`)",
            )


@dataclass(frozen=True)
class End:
    """A kill outside the steps. says: what the next run's refusal says; empty where nothing is left to decide."""

    fault: dict[str, Any]
    says: str
    holds: str
    mutation: str


ENDS = {
    "before the first step": End(
        kill("after", "phase:apply"),
        "",
        "the host knows that the process is dead: no lease is in the way",
        "an open phase does not end a lease (`lease.standing`)",
    ),
    "before the result is journalled": End(
        kill("before", "verified"),
        "the result was not verified",
        "a release that was not verified does not count as good",
        "steps that are done count as verified (`journal.classify`)",
    ),
    "between the verification and the record": End(
        kill("before", "record"),
        "only its record is missing",
        "the refusal says that only the record is missing, and prints the input that works",
        "a verified journal needs no record (`Guard._unfinished`)",
    ),
    "half of the record is on the disk": End(
        kill("half", "record"),
        "only its record is missing",
        "the torn line is set aside; the operation is recorded once, by the run that finishes it",
        "a torn line is not cut off before the next one (`ledger.append`)",
    ),
    "after the record": End(
        kill("after", "record"),
        "",
        "a recorded operation has ended, and so has its lease",
        "a recorded operation keeps its lease (`Guard.standing`)",
    ),
    "after the lease was given back": End(
        kill("after", "remove:lease.json"),
        "",
        "a journal that is recorded does not ask for a decision",
        "a recorded journal is still unfinished (`Guard._unfinished`)",
    ),
}


@pytest.mark.parametrize("name", ["deploy"])
def test_kill_around_the_steps(driver: Driver, planned: Any, row: Callable[..., None], name: str) -> None:
    story = STORIES[name]
    operation, _ = planned(story)
    for moment, end in ENDS.items():
        killed(driver, operation, end.fault)
        found = ways(driver, story, end.fault, ("resume",), verified, end.says)
        row(
            "module",
            fault=f"SIGKILL in a {name}",
            when=moment,
            holds=end.holds,
            outcome=found.outcome,
            command=f"`laravel_{story.procedure}{found.typed}`",
            mutation=end.mutation,
        )


def test_kill_on_the_way_back(driver: Driver, planned: Any, row: Callable[..., None]) -> None:
    """A second kill: the undo of a killed deploy is killed too, at each of its own steps."""
    story = STORIES["deploy"]
    operation, steps = planned(story)
    killed(driver, operation, kill("after", f"begin:{steps[-1]}"))
    again = driver.new_operation()
    back = driver.plan(story, again, interrupted="undo")
    assert back.get("plan"), back
    driver.keep(PLANNED)
    for step in back["plan"]["remaining"]:
        fault = kill("before", f"done:{step}")
        killed(driver, again, fault, "back")
        found = ways(driver, story, fault, ("undo",), verified)
        row(
            "module",
            fault="SIGKILL in the undo of a deploy",
            when=f"step `{step}`: {DONE}",
            holds="going back can be resumed, as often as it is cut off",
            outcome=found.outcome,
            command=f"`laravel_deploy{found.typed}`",
            mutation="a continued operation forgets what was begun (`journal.carry`)",
        )
