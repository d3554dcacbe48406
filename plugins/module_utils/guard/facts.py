# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that are read when a decision asks for them, so that a plan costs no look at the host that it does not need.

A planner is a pure function that takes facts, a frozen dataclass, and returns a plan or raises Problem. It takes each
fact with `known`, `entry` or `entries`. Where nobody has read the fact yet, the function stops there; `decided` reads
it, adds it to the facts, and begins the function anew. The order in which the function takes its facts is therefore the
order of the questions to the host, and a test that has the facts in a file needs no host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

Fact = TypeVar("Fact")
Facts = TypeVar("Facts")
Decision = TypeVar("Decision")


class Unread(Exception):
    """A decision needs a fact that was not read.

    name: the field. keys: of a field that is a mapping, the entries. about: what the reader needs beside the facts.
    """

    def __init__(self, name: str, keys: Iterable[str] = (), about: Any = None) -> None:
        self.name, self.keys, self.about = name, tuple(keys), about
        super().__init__(" ".join([name, *self.keys]))


def known(fact: Fact | None, name: str, about: Any = None) -> Fact:
    """The fact of a field; None means that it was not read. Raises Unread."""
    if fact is None:
        raise Unread(name, about=about)
    return fact


def entries(facts: Mapping[str, Fact], name: str, keys: Iterable[str], about: Any = None) -> dict[str, Fact]:
    """Entries of a field that is a mapping and grows; those that were not read are read together. Raises Unread."""
    wanted = list(dict.fromkeys(keys))
    missing = [key for key in wanted if key not in facts]
    if missing:
        raise Unread(name, missing, about)
    return {key: facts[key] for key in wanted}


def entry(facts: Mapping[str, Fact], name: str, key: str, about: Any = None) -> Fact:
    """One entry of a field that is a mapping and grows. Raises Unread."""
    return entries(facts, name, [key], about)[key]


def decided(
    decide: Callable[[Facts], Decision], facts: Facts, read: Callable[[Facts, Unread], Any]
) -> tuple[Decision, Facts]:
    """A decision, and the facts that it took.

    read: gets the facts so far and a question; returns the fact, and a mapping of the keys where there are any. It is
    asked each question once.
    """
    asked: set[str] = set()
    while True:
        try:
            return decide(facts), facts
        except Unread as question:
            if str(question) in asked:
                raise
            asked.add(str(question))
            name, fact = question.name, read(facts, question)
            changed = {name: {**getattr(facts, name), **fact} if question.keys else fact}
            facts = replace(facts, **changed)  # type: ignore[type-var]
