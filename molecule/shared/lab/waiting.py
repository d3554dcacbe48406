"""The one way in which a test waits: for a condition, with an end that only a fault reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

#: Seconds. A machine with ten times more work than processors needs ten times what an idle one does, and more at times.
END = 1800.0
#: Seconds between two looks, at least. What is dear to look at is looked at less: it must not slow what is waited for.
EVERY, SHARE = 0.05, 3


def wait_for(
    what: str, look: Callable[[], Seen], until: Callable[[Seen], object] | Seen = bool, end: float = END
) -> Seen:
    """Look until the condition holds, and return what was seen then.

    what: the condition, in words. look: reads the state. until: the state that is waited for, or a function that
    decides if what was seen is enough. An error says the condition and what was seen last.
    """
    enough = until if callable(until) else lambda seen: seen == until
    began = time.monotonic()
    last = began + end
    while not enough(seen := look()):
        now = time.monotonic()
        if now >= last:
            raise AssertionError(f"not within {end:g} s: {what}; seen last: {seen!r:.500}")
        time.sleep(min(max(EVERY, SHARE * (now - began)), 1.0))
        began = time.monotonic()
    return seen
