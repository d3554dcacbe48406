"""The end of a history that was played."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from histories.draw import History


@dataclass
class Played:
    """A history that was played. lines: what was typed, and how each ended. screens: what each typed
    line printed. struck: the faults that struck."""

    history: History
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    checked: int = 0
    seconds: float = 0.0
    screens: list[str] = field(default_factory=list)
