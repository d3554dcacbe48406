# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.operation_begin)."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleTemplateError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.ops.runbook.plugins.module_utils import fleet, held_path, moment, operator_inputs

OPTIONS: dict[str, Any] = {
    "role": {"type": "str", "required": True},
    "procedure": {"type": "str", "required": True},
    "reason": {"type": "str", "default": ""},
    "reason_required": {"type": "bool", "default": False},
    "batch": {"type": "raw", "default": ""},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Checks what was typed and what the inventory says of the host, and makes the operation's id."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(OPTIONS)
        variables = task_vars or {}
        self._check_typed(arguments)
        checked = self._check_variables(arguments["role"], arguments["procedure"], variables)
        user = os.environ.get("SUDO_USER") or getpass.getuser()
        result.update(
            changed=False,
            checked=checked,
            operation=moment.operation_id(moment.now()),
            actor=operator_inputs.actor(os.environ, variables, user, socket.gethostname()),
        )
        return result

    def _check_typed(self, arguments: Mapping[str, Any]) -> None:
        # Only what was typed for this run: inventories may name their variables as they like.
        typed = load_extra_vars(self._loader)
        if typed.get("_raw_params"):
            raise AnsibleActionFail(
                f"'{typed['_raw_params']}' belongs to no input: a value with spaces needs quotes of its own. "
                "Nothing was contacted. Type: -e \"reason='INC-421 login loop'\""
            )
        wrong = operator_inputs.misspelt(typed)
        if wrong:
            name, meant = next(iter(wrong.items()))
            raise AnsibleActionFail(
                f"'{name}' is no input of a procedure; did you mean '{meant}'? Nothing was contacted. "
                f"Type: -e {meant}={typed[name]}"
            )
        if arguments["reason_required"] and not arguments["reason"].strip():
            raise AnsibleActionFail(
                "this operation asks for a reason. Nothing was contacted. Type: -e \"reason='INC-421 login loop'\""
            )
        try:
            fleet.batch_sizes(arguments["batch"])
        except fleet.BatchInvalid as error:
            raise AnsibleActionFail(f"{error}. Nothing was contacted.") from error

    def _check_variables(self, role: str, procedure: str, variables: Mapping[str, Any]) -> list[str]:
        own = Path(self._task._role.get_role_path())
        # The roles of one collection stand side by side.
        other = own.parent / role.rpartition(".")[2]
        options = {**_options(own, "open"), **_options(other, procedure)}
        problems = self._problems(options, variables)
        if problems:
            host = variables.get("inventory_hostname")
            raise AnsibleActionFail(f"{host}: nothing was contacted. " + " ".join(problems))
        return sorted(options)

    def _problems(self, options: dict[str, Any], variables: Mapping[str, Any]) -> list[str]:
        given, unresolved = {}, {}
        for name in options:
            try:
                if name in variables:
                    given[name] = self._templar.template(variables[name])
            except AnsibleTemplateError as error:
                unresolved[name] = f"{name} can't be resolved: {error.message}."
        # An empty text stands for an input that was not typed; what is required must then be said.
        missing = [
            name
            for name, option in options.items()
            if option.get("required") and given.get(name) in (None, "") and name not in unresolved
        ]
        problems = [f"{name} is not given: {_sentence(options[name])}" for name in missing]
        # What is not given is often why another one can't be resolved.
        problems = problems or list(unresolved.values())
        # Requirements were looked at above, and defaults are templates that the role fills in.
        checked = {
            name: {key: value for key, value in option.items() if key not in ("required", "default")}
            for name, option in options.items()
        }
        given = {name: value for name, value in given.items() if value != "" or "choices" not in checked[name]}
        given = {name: value for name, value in given.items() if name not in missing}
        validated = ArgumentSpecValidator(checked).validate(given)
        problems += [f"{message}." for message in validated.error_messages]
        # A path that leads out of its folder is refused here, while no host has seen it.
        return problems or [f"{text}." for text in held_path.inventory_problems(validated.validated_parameters)]


def _options(role: Path, entry_point: str) -> dict[str, Any]:
    text = (role / "meta/argument_specs.yml").read_text(encoding="utf-8")
    # 4 ms for both roles, where the parser in Python takes 44 on each host.
    specs = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["argument_specs"]
    options: dict[str, Any] = specs[entry_point]["options"]
    return options


def _sentence(option: dict[str, Any]) -> str:
    description = option["description"]
    text = description if isinstance(description, str) else " ".join(description)
    choices = f" One of: {', '.join(option['choices'])}." if "choices" in option else ""
    return " ".join(text.split()) + choices
