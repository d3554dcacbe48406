"""Refusals before anything is changed: they name the wrong value and what to type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ssh_keys_lab import KEYS, SECOND, World

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair


def refused(world: World, *says: str, **inputs: object) -> None:
    before = world.files()
    run = world.rotate(**inputs)
    assert not run.green and "REFUSED" in run.text, run.text
    for said in says:
        assert said in run.text, run.text
    world.untouched(before)


def test_a_file_that_sshd_does_not_read(world: World) -> None:
    """authorized_keys is there, with the key and everything, and sshd of this host reads another file."""
    host = world.hosts[1]
    host.write(host.read(), SECOND)
    host.sshd("AuthorizedKeysFile .ssh/authorized_keys.ci\n")
    refused(
        world,
        "sshd does not read .ssh/authorized_keys for deploy",
        f"AuthorizedKeysFile names {SECOND}",
        "ssh_key_file",
        ssh_key_file=".ssh/authorized_keys",
    )
    # Without that word it is the file that sshd reads which is changed, and the other stays.
    unread = host.read()
    assert world.rotate().green
    assert host.read() == unread and host.lets_in(world.ci_key()) and not host.lets_in(world.old)


def test_a_key_that_stands_only_where_sshd_does_not_look(world: World) -> None:
    host = world.hosts[1]
    host.write(f"{world.operator}\n", SECOND)
    host.sshd("AuthorizedKeysFile .ssh/authorized_keys.ci\n")
    refused(world, f"{world.old.fingerprint} is in no file that sshd reads for deploy", "ssh_key_account")


def test_a_key_that_is_not_let_in_from_here(world: World) -> None:
    """Its from= lets CI in alone: nothing could be proven from here."""
    for host, options in zip(world.hosts, ('from="192.0.2.1"', 'from="192.0.2.0/24",no-pty'), strict=True):
        host.write(f"{world.operator}\n{world.line(options)}\n")
    refused(
        world,
        f"{world.old.fingerprint} as deploy at 127.0.0.1:{world.hosts[0].port}: sshd does not let the old key in",
        f"{world.old.fingerprint} as deploy at 127.0.0.1:{world.hosts[1].port}: sshd does not let the old key in",
        "from= has to let this controller in, and expiry-time not be over",
    )


@pytest.mark.core("refusal")
def test_another_host_key(world: World, tmp_path: Path) -> None:
    """known_hosts has another key for one of the hosts than it answers with."""
    lines = Path(world.hosts[0].login().known_hosts).read_text().splitlines(keepends=True)
    port = f"[127.0.0.1]:{world.hosts[1].port} "
    false = ssh_key_pair.generate()
    (tmp_path / "known").write_text(
        "".join(line for line in lines if not line.startswith(port)) + f"{port}{false.public}\n"
    )
    refused(
        world,
        "the host showed a key other than the one in known_hosts",
        "ssh_key_known_hosts",
        ssh_key_known_hosts=tmp_path / "known",
    )


def test_the_only_key_of_the_account(world: World) -> None:
    """It is the operator's own too: Ansible would be locked out with the next connection."""
    operator = (world.hosts[0].keys / "id_ed25519").read_bytes()
    world.hub.secrets["repo"]["PROD_SSH_KEY"]["value"] = operator.decode()
    world.deployed()
    for host in world.hosts:
        host.write(f"{world.operator}\n")
    mine = ssh_key_pair.pair_of(operator)
    refused(world, f"Ansible itself logs in with {mine.fingerprint}", "ansible_ssh_private_key_file")
    assert all(host.lets_in(mine) for host in world.hosts)


REFUSED: dict[str, tuple[Callable[[World], Any], tuple[str, ...]]] = {
    "a token without permission": (
        lambda world: world.hub.denied.update({"GET /repos": "secrets=read"}),
        ("secrets=read",),
    ),
    "an unknown workflow": (
        lambda world: world.hub.workflows.pop("deploy.yml"),
        ("has no workflow deploy.yml", "the name of its file"),
    ),
    "an unknown secret": (lambda world: world.hub.secrets["repo"].clear(), ("PROD_SSH_KEY", "ssh_key_secret")),
}


@pytest.mark.parametrize(("spoil", "says"), REFUSED.values(), ids=REFUSED)
def test_a_missing_thing_of_github_is_refused(
    world: World, spoil: Callable[[World], Any], says: tuple[str, ...]
) -> None:
    workflows = dict(world.hub.workflows)
    spoil(world)
    try:
        refused(world, *says)
    finally:
        world.hub.workflows.update(workflows)


def test_a_file_of_somebody_else(world: World) -> None:
    """Whoever could not keep its owner does not write it."""
    host = world.hosts[1]
    host.root(f"chown root:root {KEYS}; chmod 644 {KEYS}")
    refused(world, f"{KEYS} can't be changed by this user", "--become")
