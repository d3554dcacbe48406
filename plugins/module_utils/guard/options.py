# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options and the end of the modules of every system; the doc fragments of `operation` describe the options."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn, Protocol, TypeVar, get_args, get_origin, get_type_hints

from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, said

Described = TypeVar("Described")

OPERATION: dict[str, Any] = {
    "operation": {"type": "str", "required": True},
    "state_dir": {"type": "path", "required": True},
}

#: Of a module that looks at a service; the doc fragment `look.service` describes them.
LOOK: dict[str, Any] = {
    "state_dir": {"type": "path", "required": True},
    "environment": {"type": "str", "default": ""},
    "checks": {"type": "list", "elements": "dict", "default": [], "no_log": True},
}

OPEN: dict[str, Any] = {
    **OPERATION,
    "environment": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "actor": {"type": "dict", "default": {}},
    "lock_wait": {"type": "float", "default": 0},
    "lock_takeover": {"type": "str", "default": ""},
    "lease_ttl": {"type": "float", "default": 900},
    "interrupted": {"type": "str", "choices": ["", "resume", "undo", "accept"], "default": ""},
}

#: Of a module that plans an operation and carries it out in one call each.
CARRY_OUT: dict[str, Any] = {
    **OPEN,
    "phase": {"type": "str", "choices": ["plan", "apply"], "required": True},
    "direction": {"type": "str", "choices": ["forward", "back"], "default": "forward"},
    "cause": {"type": "str", "default": ""},
    "on_unhealthy": {"type": "str", "choices": ["revert", "hold"], "default": "hold"},
    "close": {"type": "bool", "default": False},
}


def requested(params: Mapping[str, Any], service: str, system: str, place: str = "", adopts: bool = False) -> Request:
    """The request in a module's parameters. system and place: what the state folder has to be of."""
    return Request(
        operation=params["operation"],
        service=service,
        procedure=params["procedure"],
        environment=params["environment"],
        reason=params["reason"],
        actor=params["actor"],
        subject=Subject(system, place, params["environment"]),
        adopts=adopts,
        lock_wait=params["lock_wait"],
        lock_takeover=params["lock_takeover"],
        interrupted=params["interrupted"],
        lease_ttl=params["lease_ttl"],
    )


def described(kind: type[Described], raw: Mapping[str, Any]) -> Described:
    """A dataclass whose fields are the options in raw, which Ansible has checked.

    A tuple is made of a list; a command in one text becomes its words.
    """
    hints = get_type_hints(kind)
    return kind(**{one.name: _valued(hints[one.name], raw[one.name]) for one in fields(kind)})  # type: ignore[arg-type]


def _valued(hint: Any, value: Any) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        return described(hint, value)
    if hint is str:
        return value or ""
    if get_origin(hint) is tuple:
        words = shlex.split(value) if isinstance(value, str) else value or ()
        return tuple(_valued(get_args(hint)[0], one) for one in words)
    if get_origin(hint) is Mapping:
        return {str(key): str(one) for key, one in value.items()}
    return value


# -- the end of a module ------------------------------------------------------------------------


class Module(Protocol):
    """The used parts of an AnsibleModule: the rules know no Ansible."""

    params: dict[str, Any]
    check_mode: bool
    no_log_values: set[str]
    _diff: bool

    def fail_json(self, msg: str, **result: Any) -> NoReturn: ...

    def exit_json(self, **result: Any) -> NoReturn: ...


def answer(
    module: Module,
    phases: Mapping[str, Callable[[], Mapping[str, Any]]],
    arguments: Mapping[str, Any],
    errors: Sequence[type[Exception]],
) -> NoReturn:
    """Do the phase that was asked for, and end the module with what it returns, or with its error in one sentence.

    arguments: those that the result shows. errors: what a phase may raise, beside Problem and OSError.
    """
    invocation, phase = {"module_args": arguments}, module.params["phase"]
    if module.check_mode and phase != "plan":
        module.fail_json(msg="an operation is never open in check mode", invocation=invocation)
    expected: tuple[type[Exception], ...] = (Problem, OSError, *errors)
    try:
        result = phases[phase]()
    except expected as error:
        refused = {"refusal": _refusal(error).to_dict()} if phase == "plan" else {}
        module.fail_json(msg=said(error), invocation=invocation, **refused)
    module.exit_json(invocation=invocation, **result)


def _refusal(error: Exception) -> Problem:
    """The refusal of a plan that ended with an error."""
    if isinstance(error, Problem):
        return error
    return Problem("plan_failed", str(error), (("the same command again", "once what this names is put right"),))
