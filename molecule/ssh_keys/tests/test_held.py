"""What fails or lies while a rotation is under way: nothing is removed anywhere, and one line goes on."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from keys_lab import LETS_IN, NEAR, KeysHost, World, at

from ansible_collections.ops.runbook.plugins.module_utils import ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_key_pair import Pair


def rsa(path: Path) -> Pair:
    """A key of the kind that many have still."""
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "3072", "-N", "", "-f", str(path)], check=True)
    return ssh_key_pair.pair_of(path.read_bytes())


def test_a_host_that_takes_no_key_of_the_new_type(world: World, tmp_path: Path) -> None:
    """It takes RSA alone. The old key is let in, the new one is not: both hosts are as before, to the byte."""
    operator, old = rsa(tmp_path / "operator"), rsa(tmp_path / "old")
    world.old = old
    world.hub.secrets["repo"]["PROD_SSH_KEY"]["value"] = old.private.decode()
    world.deployed()
    bad = world.hosts[1]
    for host in world.hosts:
        host.write(f"# RSA\n{operator.public} operator\n{NEAR} {old.public} ci\n{world.operator}")
    bad.sshd("PubkeyAcceptedAlgorithms rsa-sha2-256,rsa-sha2-512\n")
    before = world.files()

    run = world.rotate(ansible_ssh_private_key_file=tmp_path / "operator")

    assert not run.green and "is not let in" in run.text and bad.name in run.text, run.text
    assert world.files() == before and not world.hub.writes()
    for host in world.hosts:
        assert host.lets_in(old) and host.lets_in(operator)
        assert host.outcomes()[-1] == ("rotate", "reverted")
        assert not host.has_lease() and host.root(f"ls -A {host.state}/keys 2>/dev/null || true") == ""
    # It is told what it may take, and the same line goes on.
    bad.sshd("")
    assert world.rotate(ansible_ssh_private_key_file=tmp_path / "operator").green
    for host in world.hosts:
        assert host.lets_in(world.ci_key()) and not host.lets_in(old)


def closed_to_sshd(host: KeysHost) -> None:
    """StrictModes: sshd reads nothing that others may write."""
    host.root("chmod 0777 /home/deploy/.ssh")


def nobody_allowed(host: KeysHost) -> None:
    host.sshd("AllowUsers nobody\n")


@pytest.mark.parametrize("spoil", [closed_to_sshd, nobody_allowed])
def test_a_host_that_lets_nobody_in_any_more(world: World, spoil: Any) -> None:
    """Between the plan and the write. Ansible's own connection stays open, and would never notice."""
    bad = world.hosts[0]
    before = [host.read() for host in world.hosts]
    with at(LETS_IN, lambda: spoil(bad)) as problems:
        run = world.rotate()
    assert problems == [] and not run.green and "is not let in" in run.text, run.text
    assert [host.read() for host in world.hosts] == before and not world.hub.writes()
    assert [host.outcomes()[-1] for host in world.hosts] == [("rotate", "reverted")] * 2
    bad.root("chmod 0700 /home/deploy/.ssh")
    bad.sshd("")
    world.as_before()


def test_a_secret_that_may_not_be_written(world: World) -> None:
    world.hub.denied["PUT"] = "secrets=write"
    run = world.rotate()
    assert not run.green and "secrets=write" in run.text, run.text
    world.as_before()
    assert [host.outcomes()[-1] for host in world.hosts] == [("rotate", "reverted")] * 2
