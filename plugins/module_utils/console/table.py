# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of text, for a log and for a terminal of a known width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

#: Letters up to which a cell makes its column wider, in tables whose cells may be whole sentences.
WIDEST = 40


def table(header: Sequence[str], rows: Iterable[Sequence[str]], widest: int | None = None) -> list[str]:
    """Lines of a plain table; the last column is not padded.

    widest: letters up to which a cell makes its column wider. A longer one moves the rest of its own row only.
    """
    lines = [header, *rows]
    widths = [max(len(line[column][:widest]) for line in lines) for column in range(len(header) - 1)]
    return [_row([*(cell.ljust(width) for cell, width in zip(line, widths)), line[-1]]) for line in lines]


def fitted(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The lines of each row, the header's first. A value that does not fit is below its row, under its own name.

    A column is moved as a whole, the longest first, and never the first one: a value to copy must not be broken.
    """
    breadths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    kept = list(range(len(header)))
    while len(kept) > 1 and sum(breadths[column] + 2 for column in kept) - 2 > width:
        kept.remove(max(kept[1:], key=breadths.__getitem__))
    moved = [column for column in range(len(header)) if column not in kept]
    title = max((len(header[column]) for column in moved), default=0)
    found = []
    for row in (header, *rows):
        lines = [_row([row[column].ljust(breadths[column]) for column in kept])]
        for column in moved if row is not header else ():
            # A text may be folded between its words; an id that is too long is left to the terminal.
            lines += wrapped(f"  {header[column]:<{title}}  {row[column]}", width, " " * (title + 4))
        found.append(lines)
    return found


def wrapped(text: str, width: int, hang: str) -> list[str]:
    """A text in lines of so many letters, folded between its words. hang: what each line but the first begins with."""
    return textwrap.wrap(
        text, width, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    ) or [""]


def _row(cells: Iterable[str]) -> str:
    return "  ".join(cells).rstrip()
