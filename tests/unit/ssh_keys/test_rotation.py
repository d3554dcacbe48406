"""No interruption at any state of a rotation, on any host, leaves an account or CI without a key that works."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import rotation
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.rotation import (
    BEGUN,
    DONE,
    RESUMED,
    Event,
    OutOfOrder,
    Step,
)

HOSTS = ("a", "b", "c")


@dataclass
class World:
    """Hosts, a keeper of private keys and GitHub's secret. Keys are numbers; 0 is the old one."""

    hosts: dict[str, set[int]] = field(default_factory=lambda: {host: {0} for host in HOSTS})
    kept: set[int] = field(default_factory=set)
    memory: int | None = None
    secret: int = 0
    made: int = 0

    def must_be_open(self) -> None:
        for host, allowed in self.hosts.items():
            # CI comes in, and a person has a private half that fits: the old one is only known to be in the secret.
            assert self.secret in allowed, f"CI is locked out of {host}"
            assert allowed & ({self.secret} | self.kept), f"nobody has a key of {host}"

    def take(self, step: Step) -> None:
        if step.name == rotation.GENERATE:
            self.made += 1
            self.memory = self.made
        elif step.name == rotation.KEEP:
            assert self.memory is not None
            self.kept.add(self.memory)
        elif step.name == rotation.AUTHORISE:
            self.hosts[step.host].add(max(self.kept))
        elif step.name == rotation.PROVE_LOGIN:
            assert max(self.kept) in self.hosts[step.host]
        elif step.name == rotation.PUT_SECRET:
            self.secret = max(self.kept)
        elif step.name == rotation.PROVE_CI:
            assert self.secret == max(self.kept)
        elif step.name == rotation.REMOVE_OLD:
            self.hosts[step.host].discard(0)
        elif step.name == rotation.REMOVE_NEW:
            self.hosts[step.host] = {0}

    def die(self) -> None:
        self.memory = None


def advance(world: World, events: list[Event], fault: str = "") -> bool:
    """One step, or a part of it. Whether there was one."""
    step = rotation.following(rotation.fold(HOSTS, events))
    if step is None:
        return False
    if fault == "before the record":
        return True
    events.append(Event(BEGUN, step))
    world.must_be_open()
    if fault == "before the step":
        return True
    world.take(step)
    world.must_be_open()
    if fault != "before it is done":
        events.append(Event(DONE, step))
    return True


FAULTS = ("before the record", "before the step", "before it is done", "after it is done")
COUNT = len(rotation.steps(HOSTS))


def interrupted(at: int, fault: str) -> tuple[World, list[Event]]:
    world, events = World(), []
    for _ in range(at):
        advance(world, events)
    advance(world, events, fault)
    world.die()
    events.append(Event(RESUMED))
    return world, events


def test_an_interruption_anywhere_locks_nobody_out_and_is_resumed_to_the_end() -> None:
    tried = 0
    for at in range(COUNT):
        for fault in FAULTS:
            world, events = interrupted(at, fault)
            world.must_be_open()
            while advance(world, events):
                pass
            assert world.hosts == {host: {world.secret} for host in HOSTS}
            assert world.secret in world.kept and world.secret != 0
            assert rotation.state(rotation.fold(HOSTS, events)) == "closed"
            tried += 1
    print(f"{tried} interruptions: {COUNT} steps on {len(HOSTS)} hosts, {len(FAULTS)} moments of each")
    assert tried == COUNT * len(FAULTS)


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(FAULTS)), max_size=6))
def test_several_interruptions_lock_nobody_out(deaths: list[tuple[int, str]]) -> None:
    world, events = World(), []
    for steps, fault in deaths:
        for _ in range(steps):
            advance(world, events)
        advance(world, events, fault)
        world.die()
        events.append(Event(RESUMED))
        world.must_be_open()
    while advance(world, events):
        pass
    assert world.hosts == {host: {world.secret} for host in HOSTS} and world.secret in world.kept


def test_undoing_from_anywhere_leaves_the_old_key_or_says_why_not() -> None:
    for at in range(COUNT):
        for fault in FAULTS:
            world, events = interrupted(at, fault)
            way, why = rotation.undo(rotation.fold(HOSTS, events))
            if why:
                assert way == () and Step(rotation.PUT_SECRET) in rotation.fold(HOSTS, events).touched
                continue
            for step in way:
                events.append(Event(BEGUN, step))
                world.take(step)
                world.must_be_open()
                events.append(Event(DONE, step))
            assert world.hosts == {host: {0} for host in HOSTS} and world.secret == 0
            assert rotation.undo(rotation.fold(HOSTS, events)) == ((), "")


def reached(*names: str) -> list[Event]:
    events: list[Event] = []
    for step in rotation.steps(HOSTS):
        if step.name in names:
            events += [Event(BEGUN, step), Event(DONE, step)]
    return events


STATES = {
    "planned": (),
    "generated": ("generate", "keep"),
    "authorised": ("generate", "keep", "authorise"),
    "controller_proven": ("generate", "keep", "authorise", "prove_login"),
    "secret_put": ("generate", "keep", "authorise", "prove_login", "put_secret"),
    "ci_proven": ("generate", "keep", "authorise", "prove_login", "put_secret", "prove_ci"),
}


@pytest.mark.parametrize(("state", "names"), STATES.items(), ids=STATES)
def test_the_state_is_named(state: str, names: tuple[str, ...]) -> None:
    assert rotation.state(rotation.fold(HOSTS, reached(*names))) == state


@pytest.mark.parametrize(
    ("names", "following"),
    [
        (STATES["generated"], Step("authorise", "a")),
        (STATES["controller_proven"], Step("prove_login", "a")),
        (STATES["secret_put"], Step("prove_login", "a")),
        (STATES["ci_proven"], Step("prove_login", "a")),
        (("generate",), Step("generate")),
    ],
)
def test_a_later_run_proves_again_what_an_earlier_one_had_proven(names: tuple[str, ...], following: Step) -> None:
    progress = rotation.fold(HOSTS, [*reached(*names), Event(RESUMED)])
    assert rotation.following(progress) == following
    with pytest.raises(OutOfOrder):
        rotation.must_follow(Step("remove_old", "a"), progress)


def test_no_old_key_goes_before_every_host_and_ci_have_proven_the_new_one() -> None:
    order = rotation.steps(HOSTS)
    first = min(order.index(step) for step in order if step.name == "remove_old")
    needed = {Step("prove_ci"), *(Step("prove_login", host) for host in HOSTS)}
    assert needed <= {*order[:first]}


@pytest.mark.parametrize(
    "events",
    [
        [Event(DONE, Step("generate"))],
        [Event(BEGUN, Step("authorise", "elsewhere"))],
        [Event("ended", Step("generate"))],
        [Event(BEGUN, None)],
    ],
)
def test_a_record_that_no_run_can_have_written_is_refused(events: list[Event]) -> None:
    with pytest.raises(OutOfOrder):
        rotation.fold(HOSTS, events)


def test_a_rotation_that_is_being_undone_is_not_resumed() -> None:
    events = [*reached("generate", "keep", "authorise"), Event(BEGUN, Step("remove_new", "a"))]
    with pytest.raises(OutOfOrder, match="being undone"):
        rotation.following(rotation.fold(HOSTS, events))
