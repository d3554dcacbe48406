# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Screens are read as a person reads them; the pages of the operator have some of them."""

from __future__ import annotations

import pytest
from histories import said

REFUSED = """
REFUSED on laravel1 (migrations_ahead): the database has 2 migrations that v1.0.0 (3ed72338d6) does not know
  2026_01_19_000002_create_refunds_table:
    drop table if exists "refunds"
  To go on, give one of:
    -e 'to=<commit or tag>'                     names the release to go to
    -e migrations=keep  you assert that it works
    -e lock_takeover=20261121T092901Z-f4479a -e interrupted=undo    takes the lease away
    ansible-playbook ops.runbook.laravel_adopt  records the present state
    rm -f /srv/x/index.lock  if no git runs
    the same command again  asks again
Nothing was changed.
"""
ENDED = """
TASK [ops.runbook.operation : close | Show what happened] ***
host      from                 to                   outcome    seconds  request id
laravel1  v1.1.0 (1aa1d16fa6)  v1.4.0 (e43e5017dc)  reverted   2.6      b844d8d3
recorded as operation 20261121T104849Z-dcb0b0
"""


def test_a_refusal_is_read_with_its_ways() -> None:
    heard = said.read(REFUSED, 2, "v1.1.0")
    assert (heard.refused, heard.code, heard.green) == (True, "migrations_ahead", False)
    assert [(way.kind, str(way)) for way in heard.ways] == [
        ("inputs", "-e to=v1.1.0"),
        ("inputs", "-e migrations=keep"),
        ("inputs", "-e lock_takeover=20261121T092901Z-f4479a -e interrupted=undo"),
        ("procedure", "ansible-playbook ops.runbook.laravel_adopt"),
        ("host", "rm -f /srv/x/index.lock"),
        ("words", "the same command again"),
    ]


def test_a_summary_is_read() -> None:
    heard = said.read(ENDED, 2, "v1.1.0")
    assert (heard.outcome, heard.operation, heard.refused) == ("reverted", "20261121T104849Z-dcb0b0", False)
    assert heard.ended


def test_a_run_that_was_killed_has_no_end() -> None:
    assert not said.read("PLAY [Open and plan]", -9, "v1.1.0").ended


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("DESTROYS  table refunds (3 rows), column orders.note (0 rows)", 3),
        ("DESTROYS  column orders.note (2 rows)", 0),
        ("DESTROYS  table refunds (more than 10000 rows)", 10**9),
        ("DESTROYS  table refunds", 10**9),
        ("    -e migrations=down  undoes them from the newer code; destroys: table refunds (3 rows)", 0),
        ('drop table if exists "refunds"', 0),
    ],
)
def test_a_loss_is_announced_by_the_plan_with_its_rows(text: str, rows: int) -> None:
    assert said.announced(f"x\n{text}\ny", "refunds") == rows


FAILED = """TASK [ops.runbook.operation : close | Show what happened] ***
host  from  to  outcome
h1    v1    v1  failed   -        -
recorded as operation 20261130T174333Z-733e79
fatal: [h1]: FAILED! => {
h1: failed: health: connection refused
  h1 is at v1, and not well.
"""


def test_a_failed_run_names_what_to_type() -> None:
    more = "  To go on, one of:\n    ansible-playbook ops.runbook.laravel_deploy -e to=aaaa  goes back to v0\n"
    assert said.read(FAILED + more, 2, "v1.0.0").ways[0].kind == "procedure"
    assert said.read(FAILED + more, 2, "v1.0.0").names_a_way
    assert not said.read("lines with -e x\n" + FAILED, 2, "v1.0.0").names_a_way


def test_the_effect_of_a_long_way_is_on_a_line_of_its_own() -> None:
    back = "ansible-playbook ops.runbook.laravel_rollback -e target=laravel1"
    more = f"  To go on, one of:\n    {back} -e to=aaaa\n      verifies it again\n    {back}  goes back\n  Not one.\n"
    ways = said.read(FAILED + more, 2, "v1.0.0").ways
    assert [(str(way), way.effect) for way in ways] == [
        (f"{back} -e to=aaaa", "verifies it again"),
        (back, "goes back"),
    ]
