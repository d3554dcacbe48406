"""A rotation, and a refusal, in each way that a person has to run them."""

from __future__ import annotations

from pathlib import Path

import pytest
from as_a_user import WAYS, User, Way
from lab import INVENTORIES
from ssh_keys_lab import World


@pytest.fixture
def user(world: World, way: Way, tmp_path: Path) -> User:
    vault = Way(**{**vars(way), "environment": (*way.environment, ("ANSIBLE_VAULT_IDENTITY_LIST", world.command[1]))})
    folder = tmp_path / "user"
    folder.mkdir()
    return User(vault, "", folder, INVENTORIES, **{name: str(value) for name, value in world.inputs.items()})


def lines(key: bytes) -> list[str]:
    """The lines of a private key, without the first ones that all keys have."""
    return key.decode().splitlines()[3:-2]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_rotation(world: World, user: User, way: Way) -> None:
    names = [host.name for host in world.hosts]
    plan = user.plan("ssh_key_rotate").planned(*names).without(lines(world.old.private))
    world.as_before()
    assert world.old.fingerprint in plan.text
    run = user.run("ssh_key_rotate", reason="quarterly").done(*names)
    new = world.rotated()
    run.without([*lines(world.old.private), *lines(new.private)])
    assert {host.ledger()[-1]["reason"] for host in world.hosts} == {"quarterly"}


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.core("refusal", "callback", "runner", only=("default callback", "runner"))
def test_a_refusal(world: World, user: User, way: Way) -> None:
    world.hub.denied.update({"GET /repos": "secrets=read"})
    before = world.files()
    seen = user.run("ssh_key_rotate").readable().without(lines(world.old.private))
    assert seen.code == way.refusal and "REFUSED" in seen.text and "secrets=read" in seen.text, seen.screen
    world.untouched(before)
