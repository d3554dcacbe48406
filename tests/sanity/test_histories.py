# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories: the checker shares no code with what it checks, and every planted defect still fits the product."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from histories import defects, draw, systems
from histories.replay import SEEDS, sample

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from suite import scenarios

ROOT = Path(__file__).resolve().parents[2]
HISTORIES = ROOT / "molecule/shared/histories"
#: What judges: it may know the standard library and itself. All that it says of the product is in the pages.
CHECKER = ("check", "observe", "said")
KEPT = sorted(ROOT.glob("molecule/*/tests/histories/*.yml"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


@pytest.mark.parametrize("name", CHECKER)
def test_the_checker_imports_neither_the_product_nor_the_drivers(name: str) -> None:
    own = {f"histories.{other}" for other in CHECKER}
    strangers = {
        found for found in imported(HISTORIES / f"{name}.py") if found.partition(".")[0] not in sys.stdlib_module_names
    }
    assert strangers <= own
    source = (HISTORIES / f"{name}.py").read_text()
    for word in ("ansible_collections", "importlib", "__import__", "exec(", "eval("):
        assert word not in source.replace('"docker", "exec"', "")


@pytest.mark.parametrize("name", sorted(defects.DEFECTS))
def test_a_defect_fits_the_product(name: str) -> None:
    defect = defects.DEFECTS[name]
    text = (ROOT / defect.path).read_text()
    changed = defect.changed(text)
    assert changed != text
    ast.parse(changed)


def test_a_defect_whose_text_is_gone_is_refused() -> None:
    defect = next(iter(defects.DEFECTS.values()))
    with pytest.raises(defects.Stale, match=defect.name):
        defect.changed("another text")


def test_there_are_defects_enough() -> None:
    assert len(defects.DEFECTS) >= 12


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_kept_history_can_be_replayed(path: Path) -> None:
    history = draw.parse(plain_yaml.load(path.read_text())["history"])
    known = systems.kinds_of(history.system)
    assert history.start in known.starts
    for step in history.steps:
        assert set(step.kinds) <= set(known.all()), str(step)


@pytest.mark.parametrize("system", systems.SYSTEMS)
def test_make_test_plays_three_histories_of_each_system(system: str) -> None:
    """The scenario has the system's name. What was red once is left to the whole scenario."""
    scenario = next(one for one in scenarios.everything(ROOT) if one.name == system)
    place = str(scenario.folder / "tests/test_histories.py")
    done = subprocess.run(
        ["pytest", "--collect-only", "-q", "-m", "core", "-p", "no:cacheprovider", place],
        cwd=ROOT,
        env={**os.environ, **scenario.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    found = sorted(line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line)
    assert found == sorted(f"test_a_history_of_a_fixed_seed[{seed}]" for seed in SEEDS[system]), done.stdout
    assert len(found) == 3


@pytest.mark.parametrize("system", systems.SYSTEMS)
def test_the_three_histories_have_many_kinds_and_few_steps(system: str) -> None:
    """They are a part of each run of the tests, so they have to be soon over."""
    steps = [step for seed in SEEDS[system] for step in sample(system, seed).steps]
    kinds = Counter(kind.partition(" ")[0] for kind in {kind for step in steps for kind in step.kinds})
    assert kinds["operation"] >= 5, kinds
    assert kinds["fault"] >= 5, kinds
    assert len(steps) <= 13


def test_a_system_of_histories_has_seeds() -> None:
    assert {*SEEDS} == {*systems.SYSTEMS}
