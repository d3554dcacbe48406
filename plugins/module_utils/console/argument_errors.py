# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of Ansible's validation of a role's arguments, in words of the person who wrote the inventory.

Its own messages name classes of Python and say neither the value nor what to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import is_secret_value
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

#: A type of an option -> what its value is.
KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "path": "a path",
    "list": "a list",
    "dict": "a mapping of names to values",
}
_FOUND = {**KINDS, "NoneType": "empty"}
#: Letters of a value that are shown.
_WIDTH = 60

_WRONG_TYPE = re.compile(
    r"(?P<element>Elements value for option|argument) '(?P<name>[^']+)' (?:found in '(?P<before>[^']+)'\.? )?"
    r"is of type (?P<found>\w+)(?: found in '(?P<above>[^']+)'\.?)? and we were unable to convert to (?P<wanted>\w+)"
)
#: Said beside the message that names the option.
_BESIDE = re.compile(r"dictionary requested, could not parse JSON or key=value\Z")
_HANDED_ON = re.compile(r"\{\{\s*(\w+)(?:\s*\|\s*default\([^{}]*\))?\s*\}\}")
_LIBRARY = (
    re.compile(r"(?:: )?<class '[^']*'> cannot be converted to [^.]*\.?"),
    re.compile(r"<class '[^']*'>"),
)


def sentences(
    messages: Sequence[str], options: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]
) -> list[str]:
    """One sentence for each thing that is wrong, each once.

    options: the argument spec. values: what the inventory has, by option; a template or a secret is not shown.
    """
    found = [_sentence(message, options, values) for message in messages if not _BESIDE.match(message)]
    return list(dict.fromkeys(found or [plain(message) for message in messages]))


def plain(message: str) -> str:
    """A message without the names of Python's classes."""
    for pattern in _LIBRARY:
        message = pattern.sub("", message)
    message = message.replace("and we were unable to convert to", "and can't be taken as")
    return re.sub(r"\s{2,}", " ", message).strip().rstrip(".:")


def _sentence(message: str, options: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> str:
    wrong = _WRONG_TYPE.match(message)
    if wrong is None:
        return plain(message)
    path = [*(wrong["above"] or wrong["before"] or "").split(" -> "), wrong["name"]]
    path = [part for part in path if part]
    option = path[0]
    # A playbook hands on what the inventory has under another name, and that one is what a person wrote.
    handed_on = _HANDED_ON.fullmatch(str(values.get(option)))
    known = option if handed_on is None else handed_on[1]
    path[0] = known
    called = " of ".join(reversed(path))
    wanted, found = KINDS.get(wrong["wanted"], wrong["wanted"]), _FOUND.get(wrong["found"], wrong["found"])
    if wrong["element"] != "argument":
        said = f"{called} has an entry that is {found}; each of its entries must be {wanted}"
        write = f"{known}: [<{wanted}>, …]" if len(path) == 1 else ""
    else:
        value = _value(option, values.get(option), options.get(option, {})) if len(path) == 1 else ""
        said = f"{called} is {value or found}; it must be {wanted}"
        write = f"{known}: <{wanted}>" if len(path) == 1 else ""
    return f"{said}. " + (f"Write {write} in the inventory" if write else f"Correct {known} in the inventory")


def _value(name: str, value: Any, option: Mapping[str, Any]) -> str:
    """The value as it is written; empty where it is not known, is a template, or may be a secret."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if value is None or option.get("no_log") or "{{" in text or is_secret_value(name, text):
        return ""
    return f"'{shown(text if len(text) <= _WIDTH else text[: _WIDTH - 1] + '…')}'"
