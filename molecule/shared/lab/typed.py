"""The command `ops-runbook` as a person or a job of CI types it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import INVENTORIES, ROOT, Lab, operator_environment
from waiting import END


@dataclass(frozen=True)
class Ran:
    """code: as a shell sees it. document: what --json printed, if anything."""

    code: int
    document: Mapping[str, Any]
    text: str

    def host(self, lab: Lab) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["hosts"][lab.name]
        return found


class Command:
    def __init__(self, lab: Lab, state: Path) -> None:
        self._lab = lab
        self._environment = {**operator_environment(), "XDG_STATE_HOME": str(state)}

    def __call__(self, verb: str, procedure: str, *words: str, at: str = "", send: str = "") -> Ran:
        return ended(self.start(verb, procedure, *words, at=at, send=send))

    def start(
        self, verb: str, procedure: str, *words: str, at: str = "", send: str = "", **variables: object
    ) -> subprocess.Popen[str]:
        """at, send: the task at whose beginning the command gets a signal."""
        faults = {
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "molecule/shared/faults/callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "die_at",
            "LAB_DIE_AT": at,
            "LAB_DIE_AT_NTH": "1",
            "LAB_DIE_SIGNAL": send,
            "LAB_DIE_WHOM": "parent",
        }
        inventories = [part for inventory in INVENTORIES for part in ("-i", str(ROOT / inventory))]
        given = ["-e", json.dumps(variables)] if variables else []
        typed = [verb, procedure, *words, *given, *inventories, "-l", self._lab.name, "--json"]
        return subprocess.Popen(
            [sys.executable, "-m", "ops_runbook", *typed],
            cwd=ROOT,
            env={**self._environment, **(faults if at else {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> list[str]:
        """Processes that it started and that still run, without the connections that Ansible keeps for the next run."""
        mark = f"XDG_STATE_HOME={self._environment['XDG_STATE_HOME']}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if mark in (folder / "environ").read_bytes().split(b"\0") and "[mux]" not in line:
                    found.append(line)
        return found


def ended(running: subprocess.Popen[str]) -> Ran:
    out, errors = running.communicate(timeout=2 * END)
    document = json.loads(out) if out.startswith("{") else {}
    return Ran(running.returncode, document, out + errors)
