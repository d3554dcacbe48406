"""The lab's mesh: a person at the control node, an observer at each of the others."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lab import ROOT, Lab, Run, counted_reset
from waiting import END, wait_for

REASON = "INC-421"
RUNNER = "/home/deploy/runner"
RESULTS = "/home/deploy/.local/state/ops-runbook/mesh"
SOCKET = "/run/receptor/control.sock"
# What a person puts in place of the link `runner/inventory`. Paths are those of the execution node.
INVENTORY = """\
laravel:
  hosts:
    mesh-app:
  vars:
    ansible_user: deploy
    ansible_ssh_private_key_file: /home/deploy/id_ed25519
    ansible_ssh_common_args: >-
      -o UserKnownHostsFile=/home/deploy/known_hosts -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes
    ansible_python_interpreter: /usr/bin/python3
"""


class Node:
    """One node of the mesh."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, line: str, user: str = "deploy", **environment: str) -> list[str]:
        given = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
        return ["docker", "exec", "-i", "-u", user, *given, self.name, "bash", "-c", line]

    def run(self, line: str, user: str = "deploy", stdin: bytes = b"", **environment: str) -> Run:
        done = subprocess.run(
            self.command(line, user, **environment), input=stdin, capture_output=True, timeout=END, check=False
        )
        return Run(done.returncode, (done.stdout + done.stderr).decode())

    def read(self, line: str, user: str = "deploy") -> str:
        done = self.run(line, user)
        assert done.green, f"{line}: {done.text}"
        return done.text.strip()

    def log(self) -> str:
        return self.read("cat /var/lib/receptor/log")


class Unit:
    """A procedure that is under way over the mesh."""

    def __init__(self, node: Node, procedure: str, options: str, **environment: str) -> None:
        line = f"exec {RUNNER}/mesh/over-mesh playbooks/{procedure}.yml {shlex.quote(options)}"
        self._process = subprocess.Popen(
            node.command(line, **{"MESH_USER": "alice", "MESH_BEGIN_WITHIN": "900s", **environment}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> Run:
        text, _ = self._process.communicate(timeout=2 * END)
        return Run(self._process.returncode, text)

    def __enter__(self) -> Unit:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._process.kill()
        self._process.communicate()


class Mesh:
    """control - hop - execution - app: each reaches only its neighbours."""

    def __init__(self) -> None:
        self.control, self.hop, self.execution = (Node(f"mesh-{name}") for name in ("control", "hop", "execution"))
        self.app = Lab("mesh-app")

    @counted_reset()
    def bring(self) -> None:
        """Bring `runner/` of this checkout to the control node, as a copy that stands alone."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "runner")
            copy.mkdir()
            for part in ("env", "project", "mesh"):
                subprocess.run(["cp", "-rL", ROOT / "runner" / part, copy], check=True)
            (copy / "inventory/group_vars").mkdir(parents=True)
            (copy / "inventory/hosts.yml").write_text(INVENTORY)
            described = (ROOT / "inventories/demo/group_vars/laravel.yml").read_text()
            (copy / "inventory/group_vars/laravel.yml").write_text(described)
            packed = subprocess.run(
                ["tar", "-C", folder, "--exclude=__pycache__", "-cz", "runner"], check=True, capture_output=True
            ).stdout
        unpacked = self.control.run(f"rm -rf {RUNNER}; tar -C /home/deploy -xz --no-same-owner", stdin=packed)
        assert unpacked.green, unpacked.text

    def joined(self) -> bool:
        """True if the control node knows a way to the execution node, and what it offers."""
        found = self.control.run(f"receptorctl --socket {SOCKET} status --json")
        if not found.green:
            return False
        known = json.loads(found.text)
        return known.get("RoutingTable", {}).get("execution") == "hop" and any(
            one["NodeID"] == "execution" and one["Service"] == "control" for one in known.get("Advertisements") or []
        )

    @counted_reset()
    def wait_joined(self) -> None:
        wait_for("the mesh is whole", self.joined)

    def start(self, procedure: str, options: str = "", **environment: str) -> Unit:
        return Unit(self.control, procedure, options, **environment)

    def run(self, procedure: str, options: str = "", **environment: str) -> Run:
        with self.start(procedure, options, **environment) as unit:
            return unit.wait()

    def units(self) -> dict[str, Any]:
        """Work units that the control node still knows of."""
        found: dict[str, Any] = json.loads(self.control.read(f"receptorctl --socket {SOCKET} work list"))
        return found

    @counted_reset()
    def forget(self) -> None:
        for unit in self.units():
            self.control.run(f"receptorctl --socket {SOCKET} work release --force {unit}")
        # What a worker that was killed had unpacked.
        self.execution.run("rm -rf /tmp/tmp*")

    def stop(self, node: Node) -> None:
        """Its power is cut."""
        subprocess.run(["docker", "kill", node.name], check=True, capture_output=True)

    def start_again(self, node: Node) -> None:
        subprocess.run(["docker", "start", node.name], check=True, capture_output=True)
