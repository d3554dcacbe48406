"""Ansible's own ping proves nothing of a key: it goes through a connection that another key opened, or an hour ago."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from lab import INVENTORIES, ROOT, operator_environment
from ssh_keys_lab import World
from waiting import wait_for

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair


def ping(host: str, key: Path, sockets: str) -> str:
    done = subprocess.run(
        ["ansible", host, "-i", str(ROOT / INVENTORIES[0]), "-m", "ansible.builtin.ping"]
        + ["-e", f"ansible_ssh_private_key_file={key}"],
        cwd=ROOT,
        # As ansible.cfg has it, and long enough for a rotation on a slow machine.
        env={
            **operator_environment(),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
            "ANSIBLE_SSH_ARGS": "-F /dev/null -o ControlMaster=auto -o ControlPersist=600s -o IdentityAgent=none",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_ping_of_a_key_that_is_out_passes_and_the_probe_refuses_it(world: World, tmp_path: Path) -> None:
    host, never = world.hosts[0], ssh_key_pair.generate()
    old, stranger = tmp_path / "old", tmp_path / "stranger"
    for path, pair in ((old, world.old), (stranger, never)):
        path.touch(mode=0o600)
        path.write_bytes(pair.private)
    with tempfile.TemporaryDirectory(prefix="lab-") as sockets:
        try:
            assert "Permission denied" in ping(host.name, stranger, sockets)
            assert "pong" in ping(host.name, old, sockets)
            assert world.rotate().green
            # sshd has refused both keys by now, and says so to whoever asks it. Ansible does not ask.
            for path, pair in ((old, world.old), (stranger, never)):
                assert "pong" in ping(host.name, path, sockets), "no false proof any more"
                assert not host.lets_in(pair)
        finally:
            for socket in Path(sockets).iterdir():
                subprocess.run(
                    ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "x"],
                    capture_output=True,
                    check=False,
                )
        # ssh answers first and closes then.
        wait_for("the shared connections are closed", lambda: not os.listdir(sockets))
        assert "Permission denied" in ping(host.name, old, sockets)
