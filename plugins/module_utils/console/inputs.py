# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and values that an operator typed, held against what a procedure takes. A slip never becomes a default."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import fleet
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import (
    GUARD,
    Input,
    Procedure,
    Taken,
    plain,
)
from ansible_collections.ops.runbook.plugins.module_utils.console.written import is_number
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import is_secret_value
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown
from ansible_collections.ops.runbook.plugins.module_utils.text.ways import given

#: Variables of Ansible itself, of its connections, and of AWX about a job.
ALWAYS = ("ansible_", "awx_", "tower_")
#: Variables of an AWX job, which must not be confused with its own configuration.
AWX_JOB = re.compile(r"(?:awx|tower)_\w+_(?:id|name|type|revision|branch|email|node|guid|ref|api|payload)")
#: Names of variables that a person lets through although no procedure takes them.
ALLOWED = "operation_extra_vars_allowed"
#: Names of a rehearsal in other tools.
REHEARSALS = ("dry_run", "dryrun", "check", "check_mode", "plan", "noop", "simulate", "what_if", "diff_mode")
#: Names of our inputs in other tools; each counts if the procedure has that input.
ELSEWHERE = {
    "to": ("version", "tag", "release", "commit", "ref", "rev", "revision", "sha", "image", "branch"),
    "target": ("host", "hosts", "limit", "group", "inventory", "server", "servers", "node", "nodes"),
    "lock_wait": ("wait", "timeout", "lock_timeout", "wait_timeout"),
    "batch": ("serial", "batch_size", "parallel", "forks"),
    "migrations": ("migrate", "run_migrations", "skip_migrations"),
    "reason": ("comment", "message", "incident", "ticket", "why"),
    "discard_local_changes": ("force", "overwrite_local", "discard_changes", "clean"),
    "on_unhealthy": ("on_failure", "on_error", "rollback_on_failure"),
    "state": ("mode", "enabled", "status"),
}
TRUE = ("y", "yes", "on", "1", "true", "t", "1.0")
FALSE = ("n", "no", "off", "0", "false", "f", "0.0")
KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "path": "a path",
}


# -- names -----------------------------------------------------------------------------------------


def unknown(names: Iterable[str], taken: Taken, allowed: Sequence[str] = ()) -> list[str]:
    """Those of the names that a procedure does not take.

    :param allowed: further names that pass, as patterns of a shell
    """
    return [name for name in names if not _passes(name, taken, allowed)]


def _passes(name: str, taken: Taken, allowed: Sequence[str]) -> bool:
    if any(fnmatchcase(name, pattern) for pattern in allowed):
        return True
    if name in taken.settled and taken.procedure.input(name) is None:
        return False
    if taken.procedure.input(name) or name in taken.options or name in taken.read:
        return True
    if name.startswith("awx_") and taken.procedure.role == "awx":
        return bool(AWX_JOB.fullmatch(name))
    return name.startswith(ALWAYS)


def prefixes(taken: Taken) -> tuple[str, ...]:
    """Prefixes of the variables that a procedure reads from the inventory: those of its role and of the guard."""
    return tuple(f"{role}_" for role in dict.fromkeys((taken.procedure.role, GUARD)))


def misspelt(names: Iterable[str], taken: Taken, allowed: Sequence[str] = ()) -> list[str]:
    """Variables of the inventory that look like options of a procedure and are not."""
    ours = [name for name in names if name.startswith(prefixes(taken)) and name not in taken.own]
    return unknown(ours, taken, allowed)


def nearest(name: str, known: Collection[str]) -> str:
    """The name that was probably meant; empty where none is near."""
    typed = name.lower().replace("-", "_")
    if typed in known:
        return typed
    for meant in known:
        if len(typed) <= 4 and (sorted(typed) == sorted(meant) or _one_apart(typed, meant)):
            return meant
    close = difflib.get_close_matches(typed, list(known), n=1, cutoff=0.75)
    return close[0] if close else ""


def _one_apart(one: str, other: str) -> bool:
    """True if one letter more, less or another makes the difference."""
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other)) == 1
    short, long = sorted((one, other), key=len)
    return len(long) == len(short) + 1 and any(long[:place] + long[place + 1 :] == short for place in range(len(long)))


def name_refusals(
    typed: Mapping[str, Any], names: Sequence[str], taken: Taken, others: Callable[[], Sequence[Procedure]]
) -> list[str]:
    """Why names that a procedure does not take are refused, a sentence or two each, with what to type instead.

    :param typed: the extra variables with their values
    :param names: those of them that `unknown` found
    :param others: gives all procedures; it is called only where a name is not nearly one of this procedure
    """
    found = [_name_refusal(name, typed[name], taken, others) for name in names]
    if any(not text.rstrip().endswith(".") for text in found):
        inputs = ", ".join(one.name for one in taken.procedure.inputs) or "none"
        found = [text if text.endswith(".") else f"{text}." for text in found]
        found.append(f"Its inputs: {inputs}. A variable of your own passes if {ALLOWED} has its name.")
    return found


def _name_refusal(name: str, value: Any, taken: Taken, others: Callable[[], Sequence[Procedure]]) -> str:
    procedure, seen = taken.procedure, shown(name)
    if name.lower().replace("-", "_") in REHEARSALS:
        return f"'{seen}' is not an input of {procedure.name}: to see what it would do, type --check."
    if name in taken.settled:
        return f"'{seen}' is settled by {procedure.name}: it can't be given."
    inputs = [one.name for one in procedure.inputs]
    takers = [one.name for one in others() if one.input(name)]
    said, meant = f"'{seen}' is not an input of {procedure.name}", _other_word(name, inputs)
    if takers:
        more = f" and {len(takers) - 3} more" if len(takers) > 3 else ""
        said = f"'{seen}' is an input of {', '.join(takers[:3])}{more}, and not of {procedure.name}"
    else:
        meant = meant or nearest(name, inputs) or nearest(name, sorted(taken.options))
    if meant:
        return f"{said}; did you mean '{meant}'? Type: {_retyped(meant, value, taken)}."
    if is_secret_value(name, str(value)):
        # A person who rotates a secret may well type its new value.
        way = " Type: -e values_file=<file>." if "values_file" in inputs else ""
        return f"{said}. A secret in an extra variable is in the history of your shell: take another one.{way}"
    return said


def _other_word(name: str, inputs: Collection[str]) -> str:
    typed = name.lower().replace("-", "_")
    return next((ours for ours, words in ELSEWHERE.items() if typed in words and ours in inputs), "")


def _retyped(name: str, value: Any, taken: Taken) -> str:
    """The input as it is typed, with the value that was given to a wrong name, unless that may be a secret."""
    one = taken.procedure.input(name)
    text = value if isinstance(value, str) else str(value)
    hidden = one is not None and one.secret or bool(taken.spec(name).get("no_log")) or is_secret_value(name, text)
    if hidden or not isinstance(value, (str, int, float)) or len(text) > 60 or "\n" in text or "{{" in text:
        return f"-e {name}=<value>"
    return shown(given(name, text))


def inventory_refusals(names: Sequence[str], taken: Taken) -> list[str]:
    """Why variables of the inventory are refused, and what to do about them."""
    if not names:
        return []
    known = sorted({*taken.options, *taken.read})
    near = {name: nearest(name, known) for name in names}
    said = [f"'{shown(name)}'" + (f" (did you mean '{meant}'?)" if meant else "") for name, meant in near.items()]
    return [
        f"the inventory has {', '.join(said)}, which no role of ops.runbook reads",
        f"Correct the name; if it belongs to something else, have it in {ALLOWED} in the inventory",
    ]


# -- values ----------------------------------------------------------------------------------------


def value_refusals(typed: Mapping[str, Any], taken: Taken) -> list[str]:
    """Faults of the values of inputs and options that were typed, a sentence each."""
    found = []
    for name, value in typed.items():
        one, spec = taken.procedure.input(name), taken.spec(name)
        # An option is a template of Ansible; an input is the text that was typed.
        if one is None and isinstance(value, str) and "{{" in value:
            continue
        if one is not None or spec:
            spec = spec or _spec_of(one)
            number = number_problem(name, value, spec) if one is not None else ""
            found.append(number or value_problem(name, value, spec))
    return [text for text in found if text]


def _spec_of(one: Input | None) -> dict[str, Any]:
    return {} if one is None else {"type": one.type, "choices": one.choices, "no_log": one.secret}


def number_problem(name: str, value: Any, spec: Mapping[str, Any]) -> str:
    """Why a fraction or a date is refused where a text belongs, as a sentence; empty if it is not one.

    It comes from an inventory: the number 1.1 may be written there as 1.10, which is another release. A whole number is
    nearly always written in its digits, such as that of an incident.
    """
    if spec.get("type", "str") not in ("str", "path") or isinstance(value, int) or not is_number(value):
        return ""
    return f"{_called(name, value, spec)} to YAML, and may be written in another way; put quotes around the text"


def value_problem(name: str, value: Any, spec: Mapping[str, Any]) -> str:
    """Why an option can't have a value, as a sentence with the allowed ones; empty if it can.

    An empty text is an input that was not typed.
    """
    if value is None or value == "":
        return ""
    kind, choices = spec.get("type", "str"), [_plainly(one) for one in spec.get("choices") or ()]
    if name in ("batch", "operation_batch"):
        return _batch_problem(value)
    wanted = " or ".join(choice for choice in choices if choice) if choices and kind != "list" else KINDS.get(kind, "")
    if kind in KINDS and (isinstance(value, (list, dict)) or not _is(kind, _plainly(value))):
        return f"{_called(name, value, spec)}; it must be {wanted}: -e {name}=<{KINDS[kind]}>"
    if choices and kind != "list" and _plainly(value) not in choices:
        return f"{_called(name, value, spec)}; it must be {wanted}"
    if choices and kind == "list":
        items = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        wrong = [_plainly(item).strip() for item in items if _plainly(item).strip() not in choices]
        return f"{name} has '{shown(wrong[0])}'; it takes {', '.join(choices)}" if wrong else ""
    return ""


def _called(name: str, value: Any, spec: Mapping[str, Any]) -> str:
    text = _plainly(value)
    if spec.get("no_log") or is_secret_value(name, text):
        return f"{name} has a value that it can't have"
    return f"{name} is '{shown(text if len(text) <= 60 else text[:59] + '…')}'"


def _batch_problem(value: Any) -> str:
    try:
        fleet.batch_sizes(value)
    except fleet.BatchInvalid as error:
        return str(error)
    return ""


def _plainly(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is(kind: str, text: str) -> bool:
    if kind == "bool":
        return text.strip().lower() in (*TRUE, *FALSE)
    if kind not in ("int", "float"):
        return True
    try:
        number = float(text[:40])
    except ValueError:
        return False
    return len(text) <= 40 and math.isfinite(number) and (kind == "float" or number.is_integer())


def required(taken: Taken) -> list[Input]:
    """The inputs that a person has to give."""
    return [one for one in taken.procedure.inputs if one.required]


def not_given(name: str, spec: Mapping[str, Any], way: str = "-e ") -> str:
    """Says that an input or an option is missing, and what to type.

    :param way: the text before the name as it is typed; empty for a variable of the inventory
    """
    choices = [_plainly(choice) for choice in spec.get("choices") or () if choice not in ("", None)]
    if choices:
        return f"{name} is not given: {way}{name}={' or '.join(choices)}"
    said = plain(spec.get("description", ""))
    return f"{name} is not given: {way}{name}=<value>. {said}" if way else f"{name} is not given: {said}"
