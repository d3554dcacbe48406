# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON that somebody else wrote: it gives a value, or ValueError and nothing else."""

from __future__ import annotations

import json
from typing import Any, NoReturn

#: Deeper than any document here. Code that walks a value later calls itself once for each level.
DEPTH = 100


def loads(content: bytes | str) -> Any:
    """The value of a JSON text. Raises ValueError, also for a text that is too deep, and for an invalid number."""
    text = content if isinstance(content, str) else content.decode(json.detect_encoding(content), "surrogatepass")
    if text.startswith("\ufeff"):
        raise ValueError("it begins with a byte order mark")
    try:
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if text.count("{") + text.count("[") <= DEPTH:
        return value
    level = [value]
    for _depth in range(DEPTH):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return value
    raise ValueError(f"it is nested more than {DEPTH} levels deep")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def load_object(content: bytes | str) -> dict[str, Any]:
    """The object of a JSON text. Raises ValueError."""
    value = loads(content)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value
