# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a host gave no answer, and what to do: it can't be reached, or has no Python that runs the modules."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

#: Needs of the modules on a host, which the doctor checks.
OLDEST_PYTHON = (3, 9)
NEWER = f"install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer there, or name one: ansible_python_interpreter"

#: Ansible's words before the text that matters.
_BEFORE = re.compile(
    r"(Task failed|Action failed|Module failed|Failed to connect to the host via ssh"
    r'|Data could not be sent to remote host "[^"]*"\. Make sure this host can be reached over ssh): '
)
#: How a missing or an old Python shows itself, to Ansible and in our modules. Python 3.8 has no `dict[str, Any]`.
_PYTHON = (
    re.compile(r"The module interpreter '[^']*' was not found"),
    re.compile(r"ansible-core requires a minimum of Python"),
    re.compile(r"'(type|ABCMeta|_GenericAlias|_VariadicGenericAlias)' object is not subscriptable\Z"),
)
_NO_INTERPRETER = re.compile(r"python[\d.]*: (command not found|not found|No such file or directory|Permission denied)")


def reason(result: Mapping[str, Any]) -> str:
    """The message of a result, without Ansible's words before it; empty if it has none."""
    text = str(told(result.get("msg")) or "").strip()
    while found := _BEFORE.match(text):
        text = text[found.end() :].lstrip()
    return text


def understood(result: Mapping[str, Any], connection: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A result, with `msg` and `refusal` in place of a failure that is about the host and not about the procedure.

    connection: `user`, `address`, `port` and `inventory` of the host, where they are known.
    """
    text = reason(result)
    if result.get("unreachable"):
        ways, whose = _ways_in(text, connection or {}), _whose(connection or {})
        found = {"refusal": Problem("unreachable", text, tuple(ways), whose).to_dict()} if ways else {}
        return {**result, "msg": text, **found}
    if result.get("refusal") or not _is_python(text, result):
        return dict(result)
    refusal = Problem(
        "python_too_old",
        f"no Python there runs the modules: {text}",
        (("ansible_python_interpreter", f"in the inventory: {NEWER}"),),
    )
    return {**result, "msg": refusal.text, "refusal": refusal.to_dict()}


def said(result: Mapping[str, Any], there: str) -> str:
    """Why a host gave no result, for one line of a screen; empty where it gave one.

    there: the key that a result has.
    """
    if there in result:
        return ""
    word = "can't be reached" if result.get("unreachable") else "was not read"
    return f"{word}: {why(result)}"


def why(result: Mapping[str, Any]) -> str:
    """The reason of a host that gave no result, with what to do."""
    found = understood(result)
    ways = (found.get("refusal") or {}).get("ways") or []
    advice = f"; {_step(ways[0])}" if ways else ""
    return f"{told(found.get('msg')) or 'it did not answer'}{advice}"


def _step(way: Mapping[str, str]) -> str:
    # An entry of the inventory is not typed.
    return NEWER if way["effect"].endswith(NEWER) else f"type: {way['input']}"


def _is_python(text: str, result: Mapping[str, Any]) -> bool:
    if any(pattern.match(text) for pattern in _PYTHON):
        return True
    # Nothing ran that could have answered.
    nothing = result.get("rc") in (126, 127) and not str(result.get("module_stdout") or "").strip()
    return nothing and bool(_NO_INTERPRETER.search(str(result.get("module_stderr") or "")))


def _ways_in(text: str, connection: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Remedies for a host that ssh does not reach."""
    address = str(connection.get("address") or "")
    if not address:
        return ()
    user, port = connection.get("user"), connection.get("port")
    words = [*(["-p", str(port)] if port else []), f"{user}@{address}" if user else address]
    ways = [(f"ssh {shlex.join(words)}", "logs in as Ansible does; it has to work without a question")]
    if "Permission denied" in text:
        ways.append(("ssh-add", "gives your agent the key that this host lets in"))
        ways.append(("ansible_user", "in the inventory: the user that this host lets in"))
    return ways


def _whose(connection: Mapping[str, Any]) -> tuple[str, ...]:
    """A word about an inventory that nobody named."""
    if not str(connection.get("inventory") or "").rstrip("/").endswith("inventories/demo"):
        return ()
    return ("This is a host of the demo's inventory, which `make demo` starts. Name yours: -i <inventory>",)
