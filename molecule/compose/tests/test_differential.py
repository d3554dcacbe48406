"""Compose's own readers beside ours: the part of the unit tests that a machine without Compose leaves out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from compose_lab import ComposeLab
from lab import ROOT


@pytest.mark.parametrize("file", ["test_env_file.py", "pins/test_text_real.py"])
def test_files_are_read_as_compose_reads_them(lab: ComposeLab, file: str) -> None:
    inspect = ["docker", "inspect", "--format", "{{.Config.Image}}", lab.name]
    image = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:ansible", "-k", "compose"]
        + [f"tests/unit/compose/{file}"],
        cwd=ROOT,
        env={**os.environ, "OPS_RUNBOOK_COMPOSE_IMAGE": image, "OPS_RUNBOOK_DIFFERENTIAL": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout, done.stdout
