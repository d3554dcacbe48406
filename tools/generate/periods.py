"""Writes the periods of the runs that a status asks for, from the calendar in the meta/system.yml of the role.

roles/<role>/vars/main.yml                 between marks, the days between two runs
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from ansible_collections.ops.runbook.plugins.module_utils.console import schedules, systems
from tools.generate.marks import between

ROOT = Path(__file__).resolve().parents[2]
MARKS = "# The periods, in days. Written by `make generate` from the calendar.", "# The end of the periods."


def files() -> Iterator[tuple[Path, str]]:
    """Each file that is written, with its text."""
    for role, system in systems.read(ROOT, yaml.safe_load).items():
        if system.periods:
            days = {name: schedules.period(system, **run) for name, run in system.periods.items()}
            path = ROOT / f"roles/{role}/vars/main.yml"
            lines = [f"__{role}_periods:", *(f"  {name}: {number}" for name, number in days.items())]
            yield path, between(*MARKS, lines, path.read_text(encoding="utf-8"))
