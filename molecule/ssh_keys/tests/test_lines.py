"""The reader's answer about a line of authorized_keys is that of this host's sshd, in both directions."""

from __future__ import annotations

import sys
import time

import pytest
from lab import HOSTS, ROOT

sys.path.insert(0, str(ROOT / "tests/doubles"))
import key_lines  # noqa: E402


def test_every_collected_line_is_read_as_sshd_reads_it() -> None:
    cases = key_lines.table()
    answer = key_lines.ask(cases, key_lines.in_container(HOSTS[0]))
    assert key_lines.differences(cases, answer, time.time()) == []
    assert key_lines.differences(cases, key_lines.recorded(cases), time.time()) == []
    accepted = [number if line == number else 0 for number, line in enumerate(answer["lines"], start=1)]
    assert accepted == key_lines.recorded(cases)["lines"], (
        "record it anew: PYTHONPATH=collections python tests/doubles/key_lines.py HOST"
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lines_made_up_by_chance_are_read_as_sshd_reads_them(seed: int) -> None:
    cases = key_lines.made_up(seed, 400)
    assert key_lines.differences(cases, key_lines.ask(cases, key_lines.in_container(HOSTS[0])), time.time()) == []
