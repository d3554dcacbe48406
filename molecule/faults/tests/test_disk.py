"""A disk that takes nothing more: a real file system of a few megabytes under the state, or under the application."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from lab import APP, STATE, Lab
from laravel_driver import Driver
from observer import code, settled, start, typed
from small_disk import small_disk
from stories import DEPLOY, IN_PLACE
from test_killed_module import verified

FOLDER = "/var/lib/ops-runbook"
#: Nothing is kept free: what is tested is a disk that gets full all the same.
RESERVE = {"laravel_disk_reserve": 0}
SERVICE = replace(IN_PLACE, options={**IN_PLACE.options, "disk_reserve": 0})
SERVICES = "vertex-queue php8.4-fpm"
PLANNED = "/srv/lab/case-planned"


def fault(what: str, when: str, write: str) -> dict[str, str]:
    return {"what": what, "when": when, "write": write}


FREE = f"rm -f {FOLDER}/filler"
ALLOW = f"chmod 0700 {STATE}; chmod 0600 {STATE}/*.json* {STATE}/*.lock"
BROKEN = {
    "full": ("disk full", "No space left on device", FREE),
    "denied": ("state folder's permissions taken away", "Permission denied", ALLOW),
}


@pytest.mark.parametrize("what", BROKEN)
def test_state_that_can_not_be_written(lab: Lab, driver: Driver, row: Callable[..., None], what: str) -> None:
    """At each step, and at the close: a step that can't be journalled is not done."""
    name, error, mend = BROKEN[what]
    start(lab, *DEPLOY.start)
    driver.service = SERVICE
    # Of a disk, only what needs a new block is refused: a long reason makes a record need one.
    reason = "INC-11 " + "x" * 9000
    with small_disk(lab, FOLDER, 8, SERVICES):
        operation = driver.new_operation()
        planned = driver.plan(DEPLOY, operation, reason=reason)
        assert planned.get("plan"), planned
        driver.keep(PLANNED)
        steps = [step["id"] for step in planned["plan"]["steps"]]
        moments = [
            (f"before step `{following}`", fault(what, "after", f"done:{step}"), following)
            for step, following in zip(steps, steps[1:], strict=False)
        ]
        moments.append(("at the ledger's record", fault(what, "before", "record"), ""))
        seen: dict[str, list[str]] = {}
        for number, (moment, planted, unreached) in enumerate(moments):
            driver.restore(PLANNED)
            ended = driver.apply(operation, fault=planted)
            told = f"{what}, {moment}: {json.dumps(ended)[:2000]}"
            assert ended["rc"] == 1, told
            assert error in ended["msg"], told
            begun = [line for line in driver.shell(f"cat {STATE}/journal.jsonl").splitlines() if '"begin"' in line]
            assert not any(f'"{unreached}"' in line for line in begun), told
            # The controller closes what did not close itself; that can't be recorded either. The lease that was
            # given back had left some room.
            if what == "full":
                driver.shell(f"cat /dev/zero >> {FOLDER}/filler", check=False)
            assert driver.module("operation_close", operation)["rc"] == 1, told
            driver.shell(mend)
            refused = driver.run(DEPLOY)
            way = ("resume", "undo")[number % 2]
            # A lease that could not be removed either is not an obstacle: its process was to close, and is gone.
            assert refused["refusal"] == "interrupted", refused
            given = next(given for given in refused["ways"] if f"interrupted={way}" in given)
            again = driver.run(DEPLOY, **dict(word.split("=", 1) for word in given.split()))
            outcome = {"resume": "succeeded", "undo": "reverted"}[way]
            assert again.get("outcome") == outcome, (told, again)
            verified(driver, DEPLOY, way == "undo", told)
            release = DEPLOY.first if way == "undo" else DEPLOY.second
            seen.setdefault(f"refused ({refused['refusal']}); `{way}`: {outcome}, {release}", []).append(moment)
    for outcome, when in seen.items():
        row(
            "disk",
            fault=f"{name} in a deploy",
            when="; ".join(when),
            holds="a step that can't be journalled is not done; the error names the file"
            if what == "full"
            else "a step that can't be journalled is not done",
            outcome=f'"{error}"; {outcome}',
            command="`laravel_deploy`"
            + f" -e interrupted={'undo' if 'undo' in outcome else 'resume'}, once that is fixed",
            mutation="an error of the disk is passed over (`durable_file`)",
        )


def test_full_disk_of_the_state_as_a_person_meets_it(lab: Lab, row: Callable[..., None]) -> None:
    start(lab, "v1.0.0")
    records = len(lab.ledger())
    with small_disk(lab, FOLDER, 8, SERVICES):
        lab.deploy(f"cat /dev/zero > {FOLDER}/filler", check=False)
        refused = lab.play("laravel_deploy", to="v1.1.0", **RESERVE)
        assert code(refused) == "state_disk_full"
        assert "No space left on device" in refused.text
        assert lab.version() == "1.0.0"
        assert not lab.has_lease()
        lab.root(FREE)
        assert len(lab.ledger()) == records
        again = lab.play("laravel_deploy", to="v1.1.0", **RESERVE)
        assert again.green, again.text
        settled(lab, "v1.1.0", "succeeded")
    row(
        "disk",
        fault="disk of the state full",
        when="at open",
        holds="a change that can't be recorded is not made; no lease stays",
        outcome="refused (state_disk_full); then succeeded, v1.1.0",
        command="`laravel_deploy` -e to=v1.1.0, once there is room",
        mutation="a full disk at open does not refuse (`Guard.open`)",
    )


def test_full_disk_of_the_ledger_as_a_person_meets_it(lab: Lab, row: Callable[..., None]) -> None:
    """Full from the first step on, to the end of the run."""
    start(lab, "v1.0.0")
    fill = f"cat /dev/zero > {FOLDER}/filler 2>/dev/null; true"
    lab.root(f"printf '#!/bin/bash\\n%s\\n' '{fill}' > /usr/local/bin/lab-fill; chmod 755 /usr/local/bin/lab-fill")
    with small_disk(lab, FOLDER, 8, SERVICES):
        # So long a reason that its record needs a block of its own.
        given = {"reason": "INC-12 " + "x" * 9000, "laravel_extra_commands": ["/usr/local/bin/lab-fill"]}
        run = lab.play("laravel_deploy", to="v1.1.0", **given, **RESERVE)
        assert not run.green
        assert "No space left on device" in run.text, run.text
        assert not lab.has_lease()
        lab.root(FREE)
        refused = lab.play("laravel_deploy", to="v1.1.0", **RESERVE)
        assert code(refused) == "interrupted"
        lab.root("printf '#!/bin/bash\\n' > /usr/local/bin/lab-fill")
        again = lab.play("laravel_deploy", to="v1.1.0", **typed(refused, "interrupted=undo"), **RESERVE)
        assert again.green, again.text
        assert lab.outcomes()[-1][1] == "reverted"
        settled(lab, "v1.0.0", "reverted")
    row(
        "disk",
        fault="disk of the state full",
        when="from a step to the end of the run, the ledger's record included",
        holds="the run is red and says why; no lease stays",
        outcome="the run is red (No space left on device); refused (interrupted); reverted, v1.0.0",
        command="`laravel_deploy` -e interrupted=undo, once there is room",
        mutation="a close that can't record keeps the lease (`Guard._end`)",
    )


def test_full_disk_of_the_application(lab: Lab, row: Callable[..., None]) -> None:
    """First while new objects are fetched, then while Composer works."""
    start(lab, "v1.0.0")
    filler = f"{APP}/storage/app/filler"
    fill = f'cat /dev/zero > {filler} 2>/dev/null; exec composer "$@"'
    lab.root(f"printf '%s\n' '#!/bin/bash' '{fill}' > /usr/local/bin/lab-fill; chmod 755 /usr/local/bin/lab-fill")
    with small_disk(lab, APP, 16, SERVICES):
        lab.root("systemctl restart php8.4-fpm vertex-queue")
        lab.deploy(f"cat /dev/zero > {filler}", check=False)
        refused = lab.play("laravel_deploy", to="v1.1.0", **RESERVE)
        assert code(refused) == "not_fetched"
        assert "No space left on device" in refused.text
        lab.root(f"rm {filler}")
        settled(lab, "v1.0.0", "succeeded", "refused")
        run = lab.play("laravel_deploy", to="v1.1.0", laravel_composer="/usr/local/bin/lab-fill", **RESERVE)
        assert not run.green
        assert "the way back is not complete" in run.text, run.text
        assert not lab.has_lease()
        lab.root(f"rm {filler}")
        refused = lab.play("laravel_deploy", to="v1.1.0", **RESERVE)
        assert code(refused) == "interrupted"
        again = lab.play("laravel_deploy", to="v1.1.0", **typed(refused, "interrupted=undo"), **RESERVE)
        assert again.green, again.text
        settled(lab, "v1.0.0", "succeeded", "refused", "failed", "reverted")
    row(
        "disk",
        fault="disk of the application full",
        when="while the plan fetches the release",
        holds="a refusal changes nothing, and names the full disk",
        outcome="refused (not_fetched: No space left on device); v1.0.0 as before",
        command="`laravel_deploy` -e to=v1.1.0, once there is room",
        mutation="the plan does not check that the fetched release exists (`Checkout.resolve`)",
    )
    row(
        "disk",
        fault="disk of the application full",
        when="while Composer works, and on the way back",
        holds="the run does not claim to be back; the next one says where it stopped",
        outcome="failed (the way back is not complete); refused (interrupted); reverted, v1.0.0",
        command="`laravel_deploy` -e interrupted=undo, once there is room",
        mutation="an incomplete way back counts as done (`journal.ending`)",
    )


def test_read_only_state(lab: Lab, row: Callable[..., None]) -> None:
    start(lab, "v1.0.0")
    with small_disk(lab, FOLDER, 8, SERVICES):
        before = lab.fingerprint()
        lab.root(f"mount -o remount,ro {FOLDER}")
        refused = lab.play("laravel_deploy", to="v1.1.0", **RESERVE)
        assert code(refused) == "state_disk_read_only"
        assert "Read-only file system" in refused.text
        assert lab.fingerprint() == before
        history = lab.play("operation_history")
        assert history.green, history.text
        lab.root(f"mount -o remount,rw {FOLDER}")
        again = lab.play("laravel_deploy", to="v1.1.0", **RESERVE)
        assert again.green, again.text
        settled(lab, "v1.1.0", "succeeded")
    row(
        "disk",
        fault="state folder read-only",
        when="at open",
        holds="a change that can't be recorded is not made; status and history can be read",
        outcome="refused (state_disk_read_only); then succeeded, v1.1.0",
        command="`laravel_deploy` -e to=v1.1.0, once it can be written",
        mutation="a read-only disk counts as a full one (`state_trouble._DISK`)",
    )
