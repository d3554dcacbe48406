# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No text from outside moves the cursor, clears the screen, turns letters round or makes a line of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import cleaned, joined, paragraph, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as it is: ünïcode, 日本語, 🙂", "as it is: ünïcode, 日本語, 🙂"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("deploy\x1b]0;pwned\x07\x1b[2J\x1b[1;1HALL CLEAN.sh", "deploy?]0;pwned?ALL CLEAN.sh"),
        ("\x9b2Jclear", "?2Jclear"),
        ("one\nNothing was changed.\r\ntwo\tthree", "one Nothing was changed.  two three"),
        ("\u202egnp.exe\u2066x\u200b", "gnp.exex"),
        ("no\u00a0break\u2028line", "no break line"),
        ("half \ud800 a letter\x00", "half ? a letter?"),
        ("\x1b\x1b[1m[2J", "?[2J"),
    ],
)
def test_a_text_on_one_line(text: str, expected: str) -> None:
    assert shown(text) == expected


ANY = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b[2J];\x07\n\r\u202e\u2066")), max_size=30)


@given(ANY)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert shown(text).isprintable()
    assert shown(shown(text)) == shown(text)
    assert paragraph(text).count("\n") == text.count("\n")
    assert all(line.isprintable() for line in paragraph(text).split("\n"))


@given(st.lists(ANY))
def test_a_report_has_as_many_lines_as_it_was_given(lines: list[str]) -> None:
    assert len(joined(lines).split("\n")) == max(1, len(lines))


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_printable_text_stays_unchanged(text: str) -> None:
    if text.isprintable():
        assert shown(text) == paragraph(text) == text


def test_every_text_of_a_value_is_cleaned() -> None:
    value = {"a\x1b[2J": ["\x07", {"b": ("c\nd\x00", 1, None, True, 1.5)}]}
    assert cleaned(value) == {"a": ["?", {"b": ["c\nd?", 1, None, True, 1.5]}]}
