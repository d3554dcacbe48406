# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An input of a procedure as the text that a person typed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: input
short_description: Read an input of a procedure as text
version_added: 0.1.0
author: ops.runbook contributors (@ops-runbook)
description:
  - Gives the value of an input as the operator typed it, and never evaluates it.
  - C(-e name=value) and C(-e @file) make a template of a value that has braces in it. Whoever fills in the reason of a
    rollback would run commands on the controller by C({{ lookup('pipe', '…') }}), in check mode too, and a reason that
    quotes C({{ $user->name }}) would stop the run. So the playbooks and roles of this collection read inputs by this
    lookup alone, and never by their name in an expression.
  - A number, a date or a boolean in a file of variables is the text that is written there, such as V(1.10), V(0123456)
    and V(on), as C(-e name=value) gives it; null is an empty text. Lists and mappings stay what they are, with texts in
    them, which are not evaluated either.
  - A value that was encrypted with Ansible Vault is decrypted.
options:
  _terms:
    description: Name of the input.
    required: true
  default:
    description: Value where nobody gave the input.
    type: raw
    default: ""
notes:
  - The value is that of the variable with this name, wherever it was set. A variable of the inventory that has the
    name of an input is not evaluated either; a number there stays the number that YAML makes of it, so put quotes
    around it.
seealso:
  - module: ops.runbook.operation_begin
"""

EXAMPLES = r"""
- name: Say why
  ansible.builtin.debug:
    msg: "{{ lookup('ops.runbook.input', 'reason') }}"

- name: Name the release to go to
  ansible.builtin.debug:
    msg: "{{ lookup('ops.runbook.input', 'to', default='previous') }}"
"""

RETURN = r"""
_raw:
  description: The value of the input.
  type: list
  elements: raw
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.ops.runbook.plugins.plugin_utils import typed


class LookupModule(LookupBase):  # type: ignore[misc]
    """Reads one variable without templating it."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        if len(terms) != 1 or not isinstance(terms[0], str):
            raise AnsibleLookupError(f"the name of one input is needed, not {list(terms)!r}")
        given = variables or {}
        if terms[0] not in given:
            return [kwargs.get("default", "")]
        # The mapping holds what was typed. Only an expression that names a variable evaluates its value.
        return [wrap_var(typed.value(self._loader, terms[0], given[terms[0]]))]
