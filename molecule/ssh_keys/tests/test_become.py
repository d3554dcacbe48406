"""A run with --become trusts nothing that the owner of the state folder may put there, and leaves nothing of root's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ssh_keys_lab import World

STATE = "/var/lib/ops-runbook/ssh_key"
SUDO = "/etc/sudoers.d/become"


@pytest.fixture(autouse=True)
def administrator(world: World) -> Iterator[None]:
    """For these tests the operator may become root; the state folder is the user's, as the docs make it."""
    for host in world.hosts:
        host.root(f"echo 'deploy ALL=(ALL) NOPASSWD: ALL' > {SUDO}; chmod 0440 {SUDO}")
        host.root(f"rm -rf {STATE}; install -d -o deploy -g deploy -m 0700 {STATE}")
    yield
    for host in world.hosts:
        host.root(f"rm -rf {SUDO} {STATE} /etc/nologin /etc/profile.d/zz.sh")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("ledger.jsonl", "/etc/profile.d/zz.sh"),
        ("running.lock", "/etc/nologin"),
        ("keys", "/etc/profile.d"),
    ],
)
def test_root_writes_nothing_through_a_link_in_the_state_folder(world: World, name: str, target: str) -> None:
    host = world.hosts[1]
    before = host.root("ls -A /etc /etc/profile.d")
    host.deploy(f"ln -s {target} {STATE}/{name}")
    run = world.rotate("--become", ssh_key_account="deploy")
    assert not run.green, run.text
    if name != "keys":
        assert "(state_is_link)" in run.text and f"sudo rm {STATE}/{name}" in run.text, run.text
    assert host.root("ls -A /etc /etc/profile.d") == before
    world.working()


def test_runs_with_and_without_become_follow_each_other(world: World) -> None:
    for options in ((), ("--become",), ()):
        run = world.rotate(*options, ssh_key_account="deploy")
        assert run.green, run.text
        for host in world.hosts:
            assert set(host.root(f"stat -c %U {STATE} {STATE}/*").split()) == {"deploy"}


def test_keys_of_another_account_are_not_changed_by_records_that_this_one_may_write(world: World) -> None:
    host = world.hosts[1]
    host.root("chown root:root /home/deploy/.ssh/authorized_keys; chmod 644 /home/deploy/.ssh/authorized_keys")
    run = world.rotate("--become", ssh_key_account="deploy")
    assert not run.green and "(state_of_other_user)" in run.text, run.text
    assert f"sudo chown -R root: {STATE}" in run.text, run.text
    for other in world.hosts:
        other.root(f"chown -R root: {STATE}")
    assert world.rotate("--become", ssh_key_account="deploy").green
    assert host.root("stat -c %U /home/deploy/.ssh/authorized_keys") == "root"
