# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A decision is given the facts that it asks for, each once, in its own order, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import Unread, decided, entries, entry, known


@dataclass(frozen=True)
class Facts:
    head: str
    disk: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    never: int | None = None


class Reader:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.about: list[Any] = []

    def read(self, _facts: Facts, question: Unread) -> Any:
        self.asked.append(str(question))
        self.about.append(question.about)
        return {key: f"tag of {key}" for key in question.keys} if question.keys else 0


def test_each_fact_is_read_once_when_it_is_asked_for() -> None:
    def decide(facts: Facts) -> list[object]:
        disk = known(facts.disk, "disk", {"folder": "/srv"})
        first = entry(facts.tags, "tags", "a")
        both = entries(facts.tags, "tags", ["a", "b", "a", "c"])
        return [disk, first, both, known(facts.disk, "disk")]

    reader = Reader()
    found, facts = decided(decide, Facts("a"), reader.read)
    # What is known is not asked for again, and zero is a fact.
    assert reader.asked == ["disk", "tags a", "tags b c"]
    assert reader.about == [{"folder": "/srv"}, None, None]
    assert found == [0, "tag of a", {"a": "tag of a", "b": "tag of b", "c": "tag of c"}, 0]
    assert (facts.disk, sorted(facts.tags), facts.never) == (0, ["a", "b", "c"], None)


def test_a_fact_that_the_reader_does_not_know_is_not_asked_for_without_end() -> None:
    asked: list[str] = []

    def read(_facts: Facts, question: Unread) -> None:
        asked.append(str(question))

    with pytest.raises(Unread, match="never"):
        decided(lambda facts: known(facts.never, "never"), Facts("a"), read)
    assert asked == ["never"]
