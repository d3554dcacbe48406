# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.compose_operation): where the new values of secrets come from.

They are read here and go to the module at once, so that none is ever a variable, a fact, a registered result, an
argument that is shown, or on a command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.ops.runbook.plugins.module_utils.compose import env_file
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets import value as secret_value
from ansible_collections.ops.runbook.plugins.module_utils.console import written
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from ansible_collections.ops.runbook.plugins.plugin_utils.refused import Refused

#: The variable of an inventory that holds new values, as a rule in a file of ansible-vault.
_VARIABLE = "compose_secret_values"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Adds the new values to the module's arguments, where it is about secrets."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        keys = list(arguments.get("secret_keys") or [])
        if keys and arguments.get("direction") != "back":
            values, origins = self._values(keys, arguments, variables)
            arguments.update(secret_values=values, secret_origins=origins)
        ran = self._execute_module("ops.runbook.compose_operation", module_args=arguments, task_vars=variables)
        result.update(ran)
        return result

    def _values(
        self, keys: list[str], arguments: Mapping[str, Any], variables: dict[str, Any]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The new values, and where each comes from. A key without one is left out: the plan refuses it."""
        # A typed value is in the shell's history, in the process list and in the runner's files.
        typed = sorted({_VARIABLE, *keys} & set(load_extra_vars(self._loader)))
        if typed:
            raise Refused(
                f"a secret was given as an extra variable ({', '.join(typed)}), and is now in the history of your "
                "shell: it is not used. Nothing was contacted. Type: -e values_file=<file>"
            )
        path = str(arguments.get("values_file") or "")
        from_file = self._read(path) if path else {}
        held = self._templar.template(variables.get(_VARIABLE)) if variables.get(_VARIABLE) else {}
        if not isinstance(held, Mapping):
            raise Refused(f"{_VARIABLE} must be a dictionary of keys and values. Nothing was contacted.")
        several = len(variables.get("ansible_play_hosts_all") or ()) > 1
        values: dict[str, str] = {}
        origins: dict[str, str] = {}
        for key in keys:
            declared = (arguments.get("secrets") or {}).get(key) or {}
            recipe = secret_value.recipe_for(key, str(declared.get("generate") or ""))
            if key in from_file:
                values[key], origins[key] = from_file[key], f"from {os.path.basename(path)}"
            elif key in held:
                values[key], origins[key] = _text(held[key], key, _VARIABLE), f"from the variable {_VARIABLE}"
            elif recipe and several:
                raise Refused(
                    f"a value that is made for {key} would be another one on each host. Nothing was contacted. "
                    "Type: -e values_file=<file> with one for all, or -e target=<one host>"
                )
            elif recipe:
                try:
                    values[key], origins[key] = secret_value.generate(recipe), f"generated ({recipe})"
                except secret_value.BadRecipe as error:
                    raise Refused(f"compose_secrets: {key}: {error}. Nothing was contacted.") from error
        return values, origins

    def _read(self, path: str) -> dict[str, str]:
        """The values of a file, encrypted or not. An error never quotes the file."""
        full = os.path.join(os.environ.get("PWD", os.getcwd()), os.path.expanduser(path))
        try:
            mode = os.stat(full).st_mode
            content = self._loader.get_text_file_contents(full)
        except (OSError, AnsibleError) as error:
            raise Refused(f"values_file {path} can't be read: {_why(error)}. Nothing was contacted.") from error
        if mode & 0o077 and not self._is_vault(full):
            raise Refused(
                f"values_file {path} can be read by others here. Nothing was contacted. Type: chmod 600 {path}"
            )
        if not _looks_like_yaml(content):
            try:
                return {item.key: item.literal for item in env_file.parse(content) if item.literal is not None}
            except env_file.NotRead as error:
                raise Refused(f"values_file {path} is not read for sure, {error}. Nothing was contacted.") from error
        try:
            found = self._loader.load(content, file_name=full, show_content=False)
        except AnsibleError as error:
            raise Refused(f"values_file {path} has neither KEY=value lines nor YAML. Nothing was contacted.") from error
        if not isinstance(found, Mapping):
            raise Refused(f"values_file {path} is not a dictionary of keys and values. Nothing was contacted.")
        as_typed = written.as_written(found, written.read(content, plain_yaml.load_texts))
        return {str(key): _text(value, str(key), f"values_file {path}") for key, value in as_typed.items()}

    @staticmethod
    def _is_vault(path: str) -> bool:
        with open(path, "rb") as handle:
            return handle.read(14) == b"$ANSIBLE_VAULT"


def _looks_like_yaml(content: str) -> bool:
    """`KEY: value` means the same in both, but only YAML has values on further lines."""
    first = next((line for line in content.splitlines() if line.strip() and not line.startswith("#")), "")
    return first.startswith(("---", "{")) or bool(re.match(r"[\w.-]+:(\s|$)", first))


def _text(value: Any, key: str, where: str) -> str:
    """A value that is a text. YAML makes the number 42798 of the digits 0123456, and another secret of either."""
    if not written.is_text(value) or isinstance(value, (Mapping, list)):
        raise Refused(f"{where}: {key} is not a text to YAML: put quotes around its value. Nothing was contacted.")
    return str(value)


def _why(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else "it is not what it should be"
