# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict over a Laravel service after a change, by the table in cases/health."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from planner_cases import build, files, plain

from ansible_collections.ops.runbook.plugins.module_utils.laravel.health import Looked, judge

CASES = Path(__file__).parent / "cases/health"
WELL = {"ok": True, "reason": "", "about": "", "surroundings": []}


@pytest.mark.parametrize("path", files(CASES))
def test_the_verdict_follows_from_the_observations(path: Path) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = judge(case["plan"], case.get("direction", "forward"), build(Looked, case["looked"]))
    wanted = {**WELL, **case.get("verdict", {})}
    assert {name: plain(found[name]) for name in wanted} == wanted
