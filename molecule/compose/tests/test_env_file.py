"""Compose's own reader of .env beside ours: the part of the unit tests that a machine without Compose leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from compose_lab import ComposeLab
from lab import ROOT


def test_env_files_are_read_as_compose_reads_them(lab: ComposeLab, tmp_path: Path) -> None:
    inspect = ["docker", "inspect", "--format", "{{.Config.Image}}", lab.name]
    image = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()
    # A container of its own, which sees this machine's files by the same names.
    compose = f"docker run --rm -v {tmp_path}:{tmp_path} {image} docker compose"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:ansible", "-k", "compose"]
        + [f"--basetemp={tmp_path}/env", "tests/unit/test_env_file.py"],
        cwd=ROOT,
        env={**os.environ, "OPS_RUNBOOK_COMPOSE": compose},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout, done.stdout
