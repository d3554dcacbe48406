# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of histories: added to those of former runs, and written into the page in one place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from histories import draw, results
from histories.played import Played

LINE = "laravel/in_place,v1.0.0 deploy:good=v1.1.0!reboot@after.3?1 by_hand:checkout?2"
PAGE = "# Reliability\n\ntext\n\n## Tables\n\nrows\n"


def played(seed: int, problems: list[str] | None = None) -> Played:
    history = draw.parse(LINE)
    return Played(
        draw.History(history.system, history.start, history.steps, seed),
        problems=problems or [],
        struck=Counter(reboot=1),
        checked=4,
    )


def test_a_history_that_is_played_again_counts_once_as_it_ended_last() -> None:
    first = results.added({}, "laravel", [played(3, ["red"])])
    again = results.added(first, "laravel", [played(3)])
    (one,) = again["laravel"]["histories"].values()
    assert one == {"seed": 3, "checked": 4, "struck": {"reboot": 1}, "red": False}
    assert first["laravel"]["histories"][LINE]["red"]
    replayed = results.added(first, "laravel", [played(-1)])
    assert replayed["laravel"]["histories"][LINE]["seed"] == 3
    assert results.green(first, "laravel") == set()
    assert results.green(replayed, "laravel") == {LINE}
    assert results.green({}, "laravel") == set()


def test_the_section_is_replaced_and_all_else_is_as_it_was() -> None:
    found = results.added({}, "laravel", [played(3)])
    page = results.into_page(PAGE, found)
    assert page.startswith(PAGE)
    assert "| laravel | 1 | 3 | 4 | 1 | 0 |" in page
    assert "| fault reboot | 1 | 1 |" in page
    assert results.into_page(page, found) == page
    assert results.into_page(page, {}) == PAGE


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    results.write(tmp_path / "results.yml", page, "laravel", [played(3)])
    found = results.read(tmp_path / "results.yml")
    assert found == results.added({}, "laravel", [played(3)])
    assert page.read_text() == results.into_page(PAGE, found)


@pytest.mark.parametrize(
    ("seeds", "told"),
    [([], ""), ([3], "3"), ([1, 2, 3, 7], "1-3, 7"), ([2, 1, 2], "1-2")],
)
def test_seeds_are_told_as_ranges(seeds: list[int], told: str) -> None:
    assert results.ranges(seeds) == told
