"""Parts that fail or lie during a rotation: nothing is removed anywhere, and one line resumes it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from moments import at
from ssh_keys_lab import KEYS, LETS_IN, NEAR, KeysHost, World
from ways import as_said, go_on

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.pair import Pair


def rsa(path: Path) -> Pair:
    """A key of the kind that many have still."""
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "3072", "-N", "", "-f", str(path)], check=True)
    return ssh_key_pair.pair_of(path.read_bytes())


def test_a_host_that_takes_no_key_of_the_new_type(world: World, tmp_path: Path) -> None:
    """It takes RSA alone. The old key is let in, the new one is not: both hosts are as before, to the byte."""
    operator, old = rsa(tmp_path / "operator"), rsa(tmp_path / "old")
    world.old = old
    world.hub.secrets["repo"]["PROD_SSH_KEY"]["value"] = old.private.decode()
    bad = world.hosts[1]
    for host in world.hosts:
        host.write(f"# RSA\n{operator.public} operator\n{NEAR} {old.public} ci\n{world.operator}")
    world.deployed()
    bad.sshd("PubkeyAcceptedAlgorithms rsa-sha2-256,rsa-sha2-512\n")
    before = world.files()

    run = world.rotate(ansible_ssh_private_key_file=tmp_path / "operator")

    assert not run.green and f"{bad.name}: " in run.text, run.text
    assert "sshd lets nobody in by it" in run.text and "PubkeyAcceptedAlgorithms" in run.text, run.text
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
    assert problems == [] and not run.green, run.text
    assert re.search("is not let in|sshd lets nobody in by", run.text), run.text
    assert [host.read() for host in world.hosts] == before and not world.hub.writes()
    assert [host.outcomes()[-1] for host in world.hosts] == [("rotate", "reverted")] * 2
    bad.root("chmod 0700 /home/deploy/.ssh")
    bad.sshd("")
    world.as_before()


@pytest.mark.core("rollback")
def test_a_secret_that_may_not_be_written(world: World) -> None:
    world.hub.denied["PUT"] = "secrets=write"
    run = world.rotate()
    assert not run.green and "secrets=write" in run.text, run.text
    world.as_before()
    assert [host.outcomes()[-1] for host in world.hosts] == [("rotate", "reverted")] * 2


def test_a_secret_that_is_never_known_to_be_written(world: World) -> None:
    """Both tries end without an answer: it may have been put, so both keys stay until a run tells."""
    world.hub.faults += [("PUT", "/secrets/PROD_SSH_KEY", "drop")] * 2
    run = world.rotate()
    assert not run.green
    assert all(len(host.fingerprints()) == 3 for host in world.hosts)
    as_said(world, run)


def test_a_secret_in_the_wrong_scope(world: World) -> None:
    """The job's environment has a secret of the same name, which goes before the one that was put."""
    held = dict(world.hub.secrets["repo"]["PROD_SSH_KEY"])
    world.hub.environments["production"] = {}
    world.hub.secrets["env/production"] = {"PROD_SSH_KEY": held}
    run = world.rotate()
    assert not run.green, run.text
    for said in ("still logged in with the old key", world.old.fingerprint, "ssh_key_environment"):
        assert said in run.text, run.text
    assert all(host.lets_in(world.old) and len(host.fingerprints()) == 3 for host in world.hosts)
    # What the run said is typed, with the scope that the job takes.
    as_said(world, run, ssh_key_environment="production")


def test_a_run_that_is_green_and_another_s(world: World) -> None:
    """It has the new key and says so, and not for the word of this rotation: it may be any run."""
    ordinary = world.hub.on_dispatch

    def another(run: dict[str, Any]) -> None:
        ordinary({**run, "inputs": {"nonce": "of-another-run"}, "course": run["course"]})
        run["course"] = [("completed", "success")]

    world.hub.on_dispatch = another
    run = world.rotate()
    assert not run.green and "does not say which key it had for this run's nonce" in run.text, run.text
    assert all(host.lets_in(world.old) and host.lets_in(world.ci_key()) for host in world.hosts)
    world.hub.on_dispatch = ordinary
    as_said(world, run)


def test_a_host_key_that_changes_on_the_way(world: World) -> None:
    """Somebody else may answer there by now. Ansible's open connection would not ask; the probe does."""
    bad, ordinary = world.hosts[1], world.hub.on_dispatch

    def changed(run: dict[str, Any]) -> None:
        ordinary(run)
        bad.root(
            "cd /etc/ssh && mkdir -p /root/true && mv ssh_host_* /root/true/ && "
            "ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key"
        )
        bad.again()
        seen.append(bad.root(f"stat -c '%i %y' {KEYS}"))

    seen: list[str] = []
    world.hub.on_dispatch = changed
    try:
        run = world.rotate()
        seen.append(bad.root(f"stat -c '%i %y' {KEYS}"))
    finally:
        bad.root("cp -a /root/true/ssh_host_* /etc/ssh/ && rm -r /root/true")
        bad.again()
    assert not run.green and "a key other than the one in known_hosts" in run.text, run.text
    assert len(set(seen)) == 1 and len(bad.fingerprints()) == 3, "both keys stay there, and nothing was even written"
    world.working()
    world.hub.on_dispatch = ordinary
    go_on(world, "resume")
    world.rotated()


def test_another_admin_takes_the_old_key_out_first(world: World) -> None:
    """After the plan: there is no line to follow, and no host is left with a key that CI has not."""
    host = world.hosts[1]

    def gone() -> None:
        host.deploy(f"sed -i '/ci deploy/d' {KEYS}")

    with at(LETS_IN, gone) as problems:
        run = world.rotate()
    assert problems == [] and not run.green and re.search("somebody took .* out", run.text), run.text
    assert not world.hub.writes()
    assert host.read() == f"# CI and people\n\nnot a key at all\n{world.operator}\n"
    assert world.hosts[0].read().endswith(f"{world.line()}\n") and world.hosts[0].lets_in(world.old)


def test_an_old_key_that_something_else_lets_in_still(world: World) -> None:
    """AuthorizedKeysCommand gives it: it would only seem to be out, so it is put back to the byte, and that is said."""
    bad, other = world.hosts
    program = "/usr/local/sbin/lab-keys"
    bad.root(f"printf '#!/bin/sh\\necho {world.old.public}\\n' > {program}; chmod 755 {program}")
    bad.sshd(f"AuthorizedKeysCommand {program}\nAuthorizedKeysCommandUser nobody\n")
    before = bad.read()
    run = world.rotate()
    assert not run.green
    for said in ("AuthorizedKeysCommand gives keys too", "by something other than a file of keys", "was put back"):
        assert said in run.text, run.text
    new = world.ci_key()
    assert bad.read().startswith(f"{before}{NEAR},no-pty {new.public} ci deploy 20")
    assert all(host.lets_in(pair) for host in world.hosts for pair in (new, world.old)), "nothing was removed at all"
    assert world.old.fingerprint in other.fingerprints()
    bad.sshd("")
    as_said(world, run)
