# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A problem: why something is not done, and what to type instead.

Whatever refuses raises it, on every floor, and guard/open_and_plan.py makes a refusal of it. A class of its own derives
from it, and only where somebody catches that class alone, or where it carries a fact more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown


@dataclass(eq=False)
class Problem(Exception):
    """Why something is not done, or failed.

    code: stable, for programs. text: for a person. ways: each way forward as what to type or to give, with what it
    does. details: lines to read before choosing. touched: something was changed, and the text says how it stands.
    """

    code: str
    text: str
    ways: Sequence[tuple[str, str]] = ()
    details: Sequence[str] = ()
    touched: bool = False

    def __str__(self) -> str:
        return self.text

    def also(self, ways: Iterable[tuple[str, str]] = (), details: Iterable[str] = ()) -> Problem:
        """The same problem, with further ways and details behind its own."""
        return replace(self, ways=(*self.ways, *ways), details=(*self.details, *details))

    def to_dict(self) -> dict[str, object]:
        """The problem as a plan and a ledger have it."""
        return {
            "code": self.code,
            "text": shown(self.text),
            "ways": self._shown_ways(),
            "details": [shown(detail) for detail in self.details],
        }

    def to_failure(self) -> dict[str, Any]:
        """The problem as a module ends with it: msg, code and ways."""
        return {"msg": shown(self.paragraph()), "code": self.code, "ways": self._shown_ways()}

    def paragraph(self, whole: bool = True) -> str:
        """The text and what to do, as one paragraph. whole: this was all, so that it also says what was changed."""
        still = ["Nothing was changed."] if whole and not self.touched else []
        return " ".join([f"{self.text}.", *still, *(f"{what}: {effect}." for what, effect in self.ways)])

    def line(self) -> str:
        """The text and the ways in one line."""
        return "; ".join([self.text, *(f"{what} ({effect})" for what, effect in self.ways)])

    def _shown_ways(self) -> list[dict[str, str]]:
        return [{"input": shown(what), "effect": shown(effect)} for what, effect in self.ways]


def said(error: BaseException) -> str:
    """An error in one line for a person: a problem with its ways, any other as it is."""
    return shown(error.line() if isinstance(error, Problem) else str(error))


def must_pass(problem: Problem | None) -> None:
    """Raise the problem that a check found, if there is one."""
    if problem is not None:
        raise problem
