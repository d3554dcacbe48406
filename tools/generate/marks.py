"""Text between two marks of a file that is otherwise written by hand."""

from __future__ import annotations

from collections.abc import Iterable


def between(begin: str, end: str, lines: Iterable[str], text: str, indent: str = "") -> str:
    """A text whose lines between two marks are those that are given.

    :param indent: spaces before each line, and before the mark at the end
    :raises LookupError: the text has no such mark
    """
    before, found, rest = text.partition(begin)
    after = rest.partition(end)
    if not found or not after[1]:
        raise LookupError(f"the file has no line {(end if found else begin)!r}: copy the marks from another system")
    return "\n".join([before + begin, *(indent + line for line in lines), indent + end]) + after[2]
