# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inputs from a file as the texts that are written there.

`-e to=1.10` is a text. In a file of YAML `to: 1.10` is the number 1.1, the digits of the commit `0123456` are an octal
number, `12:30` is a number of seconds and `on` is a truth: each of them would name another release, or none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any


def read(source: str, load: Callable[[str], Any]) -> Any:
    """A document of JSON or YAML with each number, date and truth as the text that stands in it.

    load: reads YAML without telling types apart, as yaml.load does with yaml.BaseLoader. A truth of JSON stays one.
    """
    try:
        # As Ansible does it: what is JSON is not read as YAML.
        return json.loads(source, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        return load(source)


def as_written(value: Any, written: Any) -> Any:
    """A value of a variable with each number, date and truth in it as a text; nothing is an empty text.

    value: as Ansible reads it. written: the same of `read`; what it does not have stays as Ansible reads it, such as
    the values of a file that can't be read twice.
    """
    if isinstance(value, Mapping):
        found = written if isinstance(written, Mapping) else {}
        return {key: as_written(item, found.get(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        same = isinstance(written, list) and len(written) == len(value)
        return [as_written(item, written[place] if same else None) for place, item in enumerate(value)]
    if value is None:
        return ""
    if isinstance(value, bool):
        return written if isinstance(written, str) else str(value).lower()
    return written if is_number(value) and isinstance(written, str) else value


def is_text(value: Any) -> bool:
    """True if a value has no number, date, truth or nothing in it."""
    if isinstance(value, Mapping):
        return all(map(is_text, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(is_text, value))
    return value is not None and not isinstance(value, bool) and not is_number(value)


def is_number(value: Any) -> bool:
    """True for a number and for a date, which YAML makes of a word that may have been meant as a text."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) or hasattr(value, "isoformat")
