# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failure of a role's own check of its arguments, which Ansible makes before the first task of the role."""

from __future__ import annotations

from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import argument_errors


def said(result: Any) -> str:
    """The inventory's value that the role can't take, and what to write; empty for the failure of another task.

    result: as a callback gets it.
    """
    found, task = result.result, result.task
    if not found.get("argument_errors"):
        return ""
    known = task.get_variable_manager().get_vars(host=result.host, task=task, include_hostvars=False)
    options = found.get("argument_spec_data") or {}
    values = {name: known.get(name) for name in options}
    return ". ".join(argument_errors.sentences(found["argument_errors"], options, values)) + ". Nothing was contacted."
