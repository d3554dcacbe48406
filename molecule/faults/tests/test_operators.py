"""Operators who meet: at the same moment, on overlapping fleets, and where a lease ran out under its owner."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from controller import Controller
from gate import Gate
from lab import STATE, Lab, Run, play
from laravel_driver import Driver
from observer import code, expired, left, settled, start, typed
from stories import DEPLOY
from test_killed_module import verified
from waiting import wait_for


def test_two_that_open_at_the_same_moment(lab: Lab, driver: Driver, row: Callable[..., None]) -> None:
    """Again and again: exactly one continues, and the other one names it."""
    start(lab, *DEPLOY.start)
    for _ in range(10):
        ids = [driver.new_operation() for _ in range(3)]
        found = driver.together(*[driver.plan_order(DEPLOY, operation) for operation in ids])
        winners = [result["operation"] for result in found if result.get("plan")]
        assert len(winners) == 1, found
        for result in found:
            if not result.get("plan"):
                assert result["refusal"]["code"] == "lease_held", result
        assert json.loads(driver.shell(f"cat {STATE}/lease.json"))["operation"] == winners[0]
        driver.module("operation_close", winners[0], refused="the next turn")
        assert left(lab) == ""
    ended = driver.run(DEPLOY)
    assert ended["outcome"] == "succeeded", ended
    verified(driver, DEPLOY, False, "after ten meetings")
    row(
        "operators",
        fault="three operators open at the same moment, ten times",
        when="one host, without a controller",
        holds="exactly one continues",
        outcome="one plan, two refused (lease_held)",
        command="`laravel_deploy` -e to=v1.2.0",
        mutation="neither kernel lock is taken (`durable_file.exclusive`, `RunningLock.take`)",
    )


def meet(hosts: list[Lab], *targets: str) -> tuple[Run, Run]:
    """Two runs start at the same moment; the one that goes on is held until the other one ended. Winner, loser."""
    with contextlib.ExitStack() as stack:
        gates = [stack.enter_context(Gate(host, "extra")) for host in hosts]
        given = {"to": "v1.1.0", **gates[0].inputs}
        runs = [
            stack.enter_context(Controller(target, "laravel_deploy", reason=f"INC-{number}", **given))
            for number, target in enumerate(targets)
        ]
        wait_for("one of them ended", lambda: [run.ended for run in runs], any)
        lost = next(run for run in runs if run.ended)
        for gate in gates:
            gate.open()
        winner = next(run for run in runs if run is not lost)
        return winner.wait(), lost.wait()


def test_two_operators_on_one_host(lab: Lab, row: Callable[..., None]) -> None:
    start(lab, "v1.0.0")
    won, lost = meet([lab], lab.name, lab.name)
    assert code(lost) == "lease_held"
    assert won.green, won.text
    record = lab.ledger()[-1]
    assert record["id"] in lost.text
    assert f"reason: {record['reason']}" in lost.text
    again = lab.play("laravel_deploy", to="v1.1.0")
    assert again.green, again.text
    settled(lab, "v1.1.0", "succeeded", "succeeded")
    row(
        "operators",
        fault="two operators start at the same moment",
        when="one host",
        holds="one deploys; the refusal of the other names who, why and the id",
        outcome="succeeded, v1.1.0; the other one: refused (lease_held)",
        command="`laravel_deploy` -e to=v1.1.0",
        mutation="a held lease does not refuse (`opening._held`)",
    )


def test_two_operators_on_overlapping_fleets(fleet: list[Lab], row: Callable[..., None]) -> None:
    for host in fleet:
        start(host, "v1.0.0")
    first, second = f"{fleet[0].name},{fleet[1].name}", f"{fleet[1].name},{fleet[2].name}"
    won, lost = meet(fleet, first, second)
    assert code(lost) == "lease_held"
    assert "Nothing was changed" in lost.text
    assert won.green, won.text
    # The host in the midst and one of its neighbours are deployed, the other neighbour is as it was.
    assert fleet[1].version() == "1.1.0"
    assert sorted(host.version() for host in (fleet[0], fleet[2])) == ["1.0.0", "1.1.0"]
    assert [left(host) for host in fleet] == ["", "", ""]
    again = play("laravel_deploy", "-l", ",".join(host.name for host in fleet), to="v1.1.0")
    assert again.green, again.text
    for host in fleet:
        settled(host, "v1.1.0", "succeeded")
    row(
        "operators",
        fault="two operators start at the same moment",
        when="overlapping fleets: hosts 1 and 2, hosts 2 and 3",
        holds="all leases or none: the one that is refused changes no host and leaves no lease",
        outcome="one fleet: succeeded, v1.1.0; the other one: refused (lease_held)",
        command="`laravel_deploy` -e to=v1.1.0",
        mutation="the siblings of a refused host keep their leases (`refuse.yml`)",
    )


def test_lease_runs_out_while_its_owner_works(lab: Lab, row: Callable[..., None]) -> None:
    """The kernel's lock is the proof of life, and not the date."""
    start(lab, "v1.0.0")
    with Gate(lab, "extra") as gate:
        inputs = {"to": "v1.1.0", "operation_lease_ttl": 1, **gate.inputs}
        with Controller(lab.name, "laravel_deploy", **inputs) as owner:
            gate.reached()
            wait_for("the lease ran out", lambda: expired(lab))
            refused = lab.play("laravel_deploy", to="v1.1.0")
            assert code(refused) == "lease_held"
            assert "is at work on this host now" in refused.text
            gate.open()
            ended = owner.wait()
    assert ended.green, ended.text
    again = lab.play("laravel_deploy", to="v1.1.0")
    assert again.green, again.text
    settled(lab, "v1.1.0", "succeeded")
    row(
        "operators",
        fault="the lease runs out while its owner works",
        when="in a step, and nobody took it",
        holds="nobody else begins; the owner continues",
        outcome="the other one: refused (lease_held); the owner: succeeded, v1.1.0",
        command="`laravel_deploy` -e to=v1.1.0",
        mutation="an expired lease ends although its process works (`lease.standing`)",
    )


def test_lease_is_taken_while_its_owner_works(lab: Lab, row: Callable[..., None]) -> None:
    start(lab, "v1.0.0")
    with Gate(lab, "extra") as gate:
        inputs = {"to": "v1.1.0", "operation_lease_ttl": 1, **gate.inputs}
        with Controller(lab.name, "laravel_deploy", **inputs) as owner:
            gate.reached()
            refused = lab.play("laravel_deploy", to="v1.1.0")
            assert code(refused) == "lease_held"
            holder = json.loads(lab.root(f"cat {STATE}/lease.json"))["operation"]
            way = typed(refused, "interrupted=undo")
            with Controller(lab.name, "laravel_deploy", to="v1.1.0", **way) as taker:
                wait_for(
                    "the lease is another's",
                    lambda: json.loads(lab.root(f"cat {STATE}/lease.json"))["operation"],
                    lambda seen: seen != holder,
                )
                gate.open()
                lost, taken = owner.wait(), taker.wait()
    assert not lost.green
    assert "lost its lease" in lost.text, lost.text
    assert taken.green, taken.text
    settled(lab, "v1.0.0", "succeeded", "interrupted", "reverted")
    # The step that would have come next was not done by the former owner.
    assert "reload_php" not in [step["step"] for step in lab.ledger()[-2]["steps"]]
    row(
        "operators",
        fault="the lease is taken while its owner works",
        when="in a step",
        holds="the owner notices before its next step and changes nothing more; the other one waits for that",
        outcome="the owner: lease lost; the other one: reverted, v1.0.0",
        command="`laravel_deploy` -e lock_takeover=<id> -e interrupted=undo",
        mutation="nobody looks at the lease before a step (`Guard.run_steps`)",
    )


@pytest.mark.parametrize("taken", [False, True])
def test_lease_runs_out_between_plan_and_apply(lab: Lab, driver: Driver, row: Callable[..., None], taken: bool) -> None:
    start(lab, *DEPLOY.start)
    owner = driver.new_operation()
    assert driver.plan(DEPLOY, owner, lease_ttl=0.2).get("plan")
    wait_for("the lease ran out", lambda: expired(lab))
    if taken:
        assert driver.run(DEPLOY)["outcome"] == "succeeded"
        late = driver.apply(owner)
        assert late["rc"] == 1, late
        assert "lost its lease" in late["msg"], late
    else:
        assert driver.apply(owner)["closed"]["outcome"] == "succeeded"
    verified(driver, DEPLOY, False, taken)
    assert driver.run(DEPLOY)["outcome"] == "unchanged"
    row(
        "operators",
        fault="the lease runs out between plan and apply",
        when="and somebody took it" if taken else "and nobody took it",
        holds="the owner changes nothing" if taken else "the owner continues",
        outcome="the other one: succeeded, v1.2.0; the owner: lease lost" if taken else "succeeded, v1.2.0",
        command="`laravel_deploy` -e to=v1.2.0",
        mutation="a phase begins without its lease (`Guard.phase`)"
        if taken
        else "a lease that ran out is lost although nobody took it (`Guard.must_own`)",
    )
