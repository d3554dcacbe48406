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

from ansible.errors import AnsibleTemplateError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.ops.runbook.plugins.module_utils.console import (
    argument_errors,
    call,
    fleet,
    own_procedures,
    procedures,
    systems,
)
from ansible_collections.ops.runbook.plugins.module_utils.console import inputs as operator_inputs
from ansible_collections.ops.runbook.plugins.module_utils.host import clock, held_path
from ansible_collections.ops.runbook.plugins.module_utils.host.actor import actor
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from ansible_collections.ops.runbook.plugins.plugin_utils.refused import Refused

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
        options = self._options(arguments["role"], arguments["procedure"])
        problems = self._problems(arguments, options, variables)
        if problems:
            lines = [problem if problem.endswith(".") else f"{problem}." for problem in problems]
            raise Refused("\n".join(lines) + " Nothing was contacted.")
        user = os.environ.get("SUDO_USER") or getpass.getuser()
        result.update(
            changed=False,
            checked=sorted(options),
            operation=clock.operation_id(clock.now()),
            actor=actor(os.environ, variables, user, socket.gethostname()),
        )
        return result

    def _problems(
        self, arguments: Mapping[str, Any], options: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> list[str]:
        if arguments["reason_required"] and not arguments["reason"].strip():
            return ["this operation asks for a reason. Type: -e \"reason='INC-421 login loop'\""]
        try:
            fleet.batch_sizes(arguments["batch"])
        except fleet.BatchInvalid as error:
            return [str(error)]
        taken = _taken(variables.get("operation_playbook"))
        paths = systems.of_role(self._beside(arguments["role"]), plain_yaml.load).paths
        return self._strangers(taken, variables) or self._wrong(options, taken, variables, paths)

    def _strangers(self, taken: procedures.Taken | None, variables: Mapping[str, Any]) -> list[str]:
        """Variables of the inventory that look like ours and are not."""
        if taken is None or not operator_inputs.misspelt(variables, taken):
            return []
        allowed = call.as_list(self._templar.template(variables.get(operator_inputs.ALLOWED) or []))
        names = {*operator_inputs.misspelt(variables, taken, allowed)}
        # A procedure that ran before in the same run left results behind.
        names -= own_procedures.remembered(plain_yaml.load) if names else set()
        return operator_inputs.inventory_refusals(sorted(names), taken)

    def _options(self, role: str, procedure: str) -> dict[str, Any]:
        return {**_options(Path(self._task._role.get_role_path()), "open"), **_options(self._beside(role), procedure)}

    def _beside(self, role: str) -> Path:
        """The folder of another role; those of one collection are side by side."""
        return Path(self._task._role.get_role_path()).parent / role.rpartition(".")[2]

    def _wrong(
        self,
        options: Mapping[str, Any],
        taken: procedures.Taken | None,
        variables: Mapping[str, Any],
        paths: Mapping[str, str],
    ) -> list[str]:
        """Inputs that are missing, can't be resolved, or can't have their value.

        paths: the kinds of those that are joined to a folder.
        """
        given, unresolved = self._resolved(options, variables)
        # An empty text is an input that was not typed; if it is required, a problem says so.
        missing = [
            name
            for name, option in options.items()
            if option.get("required") and given.get(name) in (None, "") and name not in unresolved
        ]
        # A person knows an option by its input.
        inputs = {one.option: one.name for one in taken.procedure.inputs} if taken else {}
        problems = [
            operator_inputs.not_given(inputs.get(name, name), options[name], "-e " if name in inputs else "")
            for name in missing
        ]
        # A missing input is often the reason why another one can't be resolved.
        problems = problems or list(unresolved.values())
        values = {name: value for name, value in given.items() if name not in missing}
        wrong = {
            name: _value_problem(name, inputs.get(name, ""), value, options[name]) for name, value in values.items()
        }
        problems += [text for text in wrong.values() if text]
        values = {name: value for name, value in values.items() if not wrong[name]}
        validated, more = _validated(options, values)
        problems += more
        # A path that leads out of its folder is refused here, while no host has seen it.
        return problems or held_path.inventory_problems(validated, paths)

    def _resolved(
        self, options: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """The values of the options, and the reasons why some have none."""
        given, unresolved = {}, {}
        for name, option in options.items():
            # A secret is decrypted by what uses it, and a way back needs none.
            hidden = option.get("no_log") and not option.get("required")
            try:
                if name in variables and not hidden:
                    given[name] = self._templar.template(variables[name])
            except AnsibleTemplateError as error:
                unresolved[name] = f"{name} can't be resolved: {error.message}"
        return given, unresolved


def _value_problem(name: str, input_name: str, value: Any, option: Mapping[str, Any]) -> str:
    """Why an option can't have a value. input_name: the input that sets it, which the inventory may have; or empty."""
    number = operator_inputs.number_problem(input_name, value, option) if input_name else ""
    return number or operator_inputs.value_problem(input_name or name, value, option)


def _validated(options: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values as Ansible's own validation has them, and the problems that it finds."""
    # Requirements were looked at before, and defaults are templates that the role fills in.
    checked = {
        name: {key: value for key, value in options[name].items() if key not in ("required", "default")}
        for name in values
    }
    given = {name: value for name, value in values.items() if value != "" or "choices" not in checked[name]}
    validated = ArgumentSpecValidator(checked).validate(given)
    problems = argument_errors.sentences(validated.error_messages, checked, given) if validated.error_messages else []
    return validated.validated_parameters, problems


def _options(role: Path, entry_point: str) -> dict[str, Any]:
    # 4 ms for both roles with the parser in C, where that in Python takes 44 on each host.
    specs = plain_yaml.load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    options: dict[str, Any] = specs[entry_point]["options"]
    return options


def _taken(playbook: str | None) -> procedures.Taken | None:
    """The inputs that the procedure takes; None if a play of somebody else runs the guard's role."""
    return own_procedures.taken(playbook, plain_yaml.load) if playbook else None
