"""The real `docker compose config`, asked about many folders in one call, so that readers of ours are held against it.

It is the one of this machine; where that has none, the one in the image of the lab's hosts, in a container that is
removed afterwards. OPS_RUNBOOK_COMPOSE_IMAGE names another image, and OPS_RUNBOOK_DIFFERENTIAL how many files a test
makes up.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

IMAGE = os.environ.get("OPS_RUNBOOK_COMPOSE_IMAGE", "ops-runbook/compose:trixie")

#: How many files a differential test makes up.
COUNT = int(os.environ.get("OPS_RUNBOOK_DIFFERENTIAL", "10"))

#: Writes the files of each case into a folder of its own, and asks Compose there.
_ASK = r"""
import base64, json, os, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

def ask(case):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in case["files"].items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as handle:
                handle.write(base64.b64decode(content))
        argv = ["docker", "compose", *case["options"], "config", "--format", "json"]
        # A variable of the caller would win over what .env says.
        env = {"PATH": os.environ["PATH"], "HOME": folder}
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return [done.returncode, done.stdout.replace(os.path.realpath(folder), "/folder"), done.stderr]

with ThreadPoolExecutor(max_workers=2) as pool:
    json.dump(list(pool.map(ask, json.load(sys.stdin))), sys.stdout)
"""


@dataclass(frozen=True)
class Folder:
    """Files by name, and options of `docker compose` that come before `config`."""

    files: Mapping[str, bytes]
    options: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Answer:
    """The configuration that Compose made of a folder. config: None if it refused. said: its reason."""

    config: dict[str, Any] | None
    said: str = ""

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        assert self.config is not None, self.said
        return self.config.get("services") or {}


@functools.cache
def _program() -> tuple[str, ...]:
    """The command that runs Python in the place of `docker compose`; empty without Compose."""

    def works(*argv: str) -> bool:
        try:
            return subprocess.run(argv, check=False, capture_output=True, timeout=120).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False

    if works("docker", "compose", "version"):
        return (sys.executable,)
    if works("docker", "image", "inspect", IMAGE):
        return ("docker", "run", "--rm", "--interactive", "--network=none", "--entrypoint=python3", IMAGE)
    return ()


def ask(folders: Sequence[Folder]) -> list[Answer]:
    """The configuration that Compose reads in each of the folders. Skips the test without Compose."""
    if not _program():
        pytest.skip("docker compose is not there")
    cases = [
        {
            "files": {name: base64.b64encode(content).decode() for name, content in folder.files.items()},
            "options": list(folder.options),
        }
        for folder in folders
    ]
    done = subprocess.run(
        [*_program(), "-c", _ASK], input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [Answer(json.loads(out) if code == 0 else None, error) for code, out, error in json.loads(done.stdout)]
