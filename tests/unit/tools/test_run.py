"""Results that `make test` reads from the output of its parts."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

NAME = "test_a_terminal_has_the_last_line_of_a_long_ste"
PRINTED = f"""
  \x1b[2m│\x1b[0m E   AssertionError: no such line
  \x1b[2m│\x1b[0m =========================== short test summary info
  \x1b[2m│\x1b[0m   ============================
  \x1b[2m│\x1b[0m \x1b[31mFAILED\x1b[0m
  \x1b[2m│\x1b[0m   tests/test_terminal.py::{NAME}
  \x1b[2m│\x1b[0m   p
  \x1b[2m│\x1b[0m FAILED tests/test_killed.py::test_short - a...
  \x1b[2m│\x1b[0m ========================= 2 failed, 1 passed, 2 rerun in 0.75s
  \x1b[2m│\x1b[0m   =========================
"""


@pytest.fixture
def run() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "run.py"
    spec = importlib.util.spec_from_file_location("run_of_make_test", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclass looks itself up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_failed_test_is_found_also_in_a_folded_line(run: ModuleType) -> None:
    text = run.plain(PRINTED.encode())
    long, short = run.FAILURE.findall(text)
    assert "".join(long.split()) == f"FAILEDtests/test_terminal.py::{NAME}p"
    assert short == "FAILED tests/test_killed.py::test_short - a..."
    assert run.CAUSE.findall(text) == ["E   AssertionError: no such line"]
    assert run.count(text) == (1, 2)
