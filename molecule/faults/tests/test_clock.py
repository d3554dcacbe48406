"""The clock of the host is set, while an operation is interrupted or waits: faketime stands between it and the kernel.

What counts from the boot stays: setting a clock does not move that either.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from kills import kill
from lab import Lab
from laravel_driver import Driver
from observer import expired, start
from stories import DEPLOY, IN_PLACE
from test_killed_module import verified
from waiting import wait_for

SHIFTS = {"back by two days": "-2d", "forward by two days": "+2d"}


@pytest.mark.parametrize("name", SHIFTS)
def test_clock_is_set_while_an_operation_is_interrupted(
    lab: Lab, driver: Driver, row: Callable[..., None], name: str
) -> None:
    start(lab, *DEPLOY.start)
    operation = driver.new_operation()
    assert driver.plan(DEPLOY, operation).get("plan")
    assert driver.apply(operation, fault=kill("before", "done:caches"))["rc"] == -signal.SIGKILL
    with Driver(lab, IN_PLACE, "faketime", "-f", SHIFTS[name]) as later:
        later._operations = 10
        refused = later.run(DEPLOY)
        assert refused["refusal"] == "interrupted", refused
        again = later.run(DEPLOY, interrupted="resume")
        assert again.get("outcome") == "succeeded", again
        verified(later, DEPLOY, False, name)
        shift = lab.ledger()[-1]["finished"][:10]
        assert shift != lab.ledger()[0]["finished"][:10]
        # The order of the ledger is the order of its lines.
        back = later.run(DEPLOY, procedure="rollback", to="previous", migrations="down")
        assert back.get("outcome") == "succeeded", back
        assert later.observe()["version"] == "v1.0.0"
    row(
        "clock",
        fault=f"clock set {name}",
        when="an operation is interrupted",
        holds="it is finished as always; `previous` follows the order of the ledger and not its dates",
        outcome="refused (interrupted); succeeded, v1.2.0; a rollback to previous then goes to v1.0.0",
        command="`laravel_deploy` -e interrupted=resume",
        mutation="the history is sorted by date (`release_choice.history`)",
    )


@pytest.mark.parametrize("name", SHIFTS)
def test_clock_is_set_while_a_lease_waits(lab: Lab, driver: Driver, row: Callable[..., None], name: str) -> None:
    start(lab, *DEPLOY.start)
    lasting = driver.new_operation()
    assert driver.plan(DEPLOY, lasting).get("plan")
    with Driver(lab, IN_PLACE, "faketime", "-f", SHIFTS[name]) as later:
        later._operations = 10
        # By a date it would be over, where the clock went forward.
        early = later.run(DEPLOY)
        assert early["refusal"] == "lease_held", early
        driver.module("operation_close", lasting, refused="a shorter one follows")
        assert driver.plan(DEPLOY, driver.new_operation(), lease_ttl=0.2).get("plan")
        wait_for("the lease ran out", lambda: expired(lab))
        # By a date it would last two days more, where the clock went back.
        ended = later.run(DEPLOY)
        assert ended.get("outcome") == "succeeded", ended
        verified(later, DEPLOY, False, name)
    row(
        "clock",
        fault=f"clock set {name}",
        when="a lease waits for its controller",
        holds="the lease lasts as long as it would have: neither longer nor shorter",
        outcome="refused (lease_held) until its time is over; then succeeded, v1.2.0",
        command="`laravel_deploy` -e to=v1.2.0",
        mutation="a lease ends by the date (`lease.standing`)",
    )
