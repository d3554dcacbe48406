"""The reader's answer about a line of authorized_keys is that of a real sshd, in both directions."""

from __future__ import annotations

import os
import time

import key_lines
import pytest
import real_sshd

needs_sshd = pytest.mark.skipif(real_sshd.MISSING, reason="sshd is not there")
#: Another one may be given, where what was made up is to be looked at again: it stands in the name of a line.
SEEDS = [int(seed) for seed in os.environ.get("KEY_LINES_SEEDS", "1,2").split(",")]


def test_every_collected_line_is_read_as_sshd_of_debian_13_was_seen_to_read_it() -> None:
    cases = key_lines.table()
    assert len(cases) > 500
    assert key_lines.differences(cases, key_lines.recorded(cases), time.time()) == []


@needs_sshd
def test_every_collected_line_is_read_as_this_sshd_reads_it() -> None:
    cases = key_lines.table()
    assert key_lines.differences(cases, key_lines.ask(cases), time.time()) == []


@needs_sshd
@pytest.mark.parametrize("seed", SEEDS)
def test_lines_made_up_by_chance_are_read_as_this_sshd_reads_them(seed: int) -> None:
    cases = key_lines.made_up(seed, 400)
    answer = key_lines.ask(cases)
    assert key_lines.differences(cases, answer, time.time()) == []
    assert 20 < sum(line > 0 for line in answer["lines"]) < 380, "too few of both sorts to tell anything"


#: Of the same key, one behind the other.
BEFORE = (
    *("", "restrict", "no-pty", "allow-all", 'expiry-time="20200101"', 'expiry-time="20991231"', "cert-authority"),
    *('from="127.0.0.1"', 'from="127.0.0.0/8",no-pty', 'from="192.0.2.1"', 'from="!127.0.0.1,*"', 'from="10.0.0.0/33"'),
    *('principals="x"', 'tunnel="x"', ",", 'from="192.0.2.1",restrict', 'permitopen="any"', 'environment="x"'),
)


@needs_sshd
@pytest.mark.parametrize("seed", SEEDS)
def test_the_line_in_force_is_the_one_that_this_sshd_lets_in_by(seed: int) -> None:
    groups = key_lines.groups(seed, 60, BEFORE)
    answer = key_lines.ask([case for group in groups for case in group])
    assert key_lines.other_lines(groups, answer, time.time()) == []
