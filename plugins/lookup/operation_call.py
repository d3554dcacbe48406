# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a procedure was called, checked before any host is contacted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: operation_call
short_description: Refuse a wrong call of a procedure before any host is contacted
version_added: 0.1.0
author: ops.runbook contributors (@ops-runbook)
description:
  - Belongs in the C(serial) keyword of the first play of each procedure. Ansible evaluates it before any task,
    whatever tags it was given, so nothing of a run can leave it out.
  - Refuses an extra variable that the procedure does not take, a value that an input can't have, an input that is
    missing, a target without hosts, C(--tags), C(--skip-tags), C(--start-at-task) and C(--step), which would leave out
    parts of a procedure, and a version of ansible-core that the collection does not support.
  - A refusal ends Ansible with exit code 5, that of wrong options, and with one message.
  - A listing (C(--list-tasks)) and a syntax check contact nobody, and nothing is checked.
options:
  _terms:
    description: Name of the procedure, as its playbook is called.
    required: true
  hosts:
    description: Pattern of the hosts that the play works on.
    type: str
    required: true
notes:
  - An extra variable passes if it is an input of the procedure or an option of its role or of the guard, if it begins
    with C(ansible_), C(awx_) or C(tower_), if the inventory defines a variable with that name for a host of the play,
    or if C(operation_extra_vars_allowed) has it.
seealso:
  - module: ops.runbook.operation_begin
"""

EXAMPLES = r"""
- name: Work on all hosts at once, once it is clear that the call is right
  hosts: "{{ operation_hosts }}"
  serial: "{{ query('ops.runbook.operation_call', 'laravel_status', hosts=operation_hosts) | length }}"
"""

RETURN = r"""
_raw:
  description: Names of the hosts that the play works on.
  type: list
  elements: str
"""

import functools
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.lookup import LookupBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible.vars.manager import VariableManager

from ansible_collections.ops.runbook.plugins.module_utils.console import call, inputs, own_procedures, procedures
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from ansible_collections.ops.runbook.plugins.plugin_utils import typed as typed_texts

#: The exit code of Ansible for options that it can't take.
WRONG_OPTIONS = 5


class LookupModule(LookupBase):  # type: ignore[misc]
    """Gives the hosts of a play, or ends the run."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        if len(terms) != 1 or not isinstance(terms[0], str):
            raise AnsibleLookupError(f"the name of one procedure is needed, not {list(terms)!r}")
        known, pattern = variables or {}, kwargs.get("hosts", "")
        self._inventory = _inventory(self._loader, known.get("groups", {}))
        parts = call.parts(pattern)
        wrong = [part for part in parts if not self._matches(part)]
        # Of a pattern that the inventory or a playbook has, a part may be without hosts.
        wrong = wrong if "target" in load_extra_vars(self._loader) or wrong == parts else []
        hosts = [] if wrong or not parts else self._hosts(pattern)
        # A listing and a syntax check contact nobody, and may be asked for without an inventory.
        if any(context.CLIARGS.get(name) for name in ("syntax", "listtasks", "listtags", "listhosts")):
            return hosts
        problems = self._problems(terms[0], pattern, wrong, hosts)
        if problems:
            _refuse(problems)
        return hosts

    def _problems(self, name: str, pattern: Any, wrong: Sequence[str], hosts: Sequence[str]) -> list[str]:
        typed = typed_texts.extra(self._loader)
        of_hosts = _OfHosts(self._loader, hosts)
        taken = own_procedures.taken(name, plain_yaml.load)
        return (
            call.version_problems(
                ansible_version,
                sys.version_info[:2],
                lambda: boolean(of_hosts.first(typed, call.UNSUPPORTED, False), strict=False),
            )
            or call.word_problems(typed)
            or self._name_problems(typed, taken, of_hosts)
            or call.part_problems(context.CLIARGS, name)
            or call.target_problems(pattern, hosts, str(context.CLIARGS.get("subset") or ""), wrong)
            or inputs.value_refusals(typed, taken)
            or [
                inputs.not_given(one.name, taken.spec(one.name))
                for one in inputs.required(taken)
                if not typed.get(one.option) and of_hosts.first(typed, one.name, "") in (None, "")
            ]
        )

    def _name_problems(self, typed: Mapping[str, Any], taken: procedures.Taken, of_hosts: _OfHosts) -> list[str]:
        names = inputs.unknown(typed, taken)
        if not names:
            return []
        allowed = call.as_list(of_hosts.first(typed, inputs.ALLOWED, []))
        names = inputs.unknown(names, taken, allowed)
        # A variable of the inventory may be set for one run, but not a misspelt one that the inventory has as well.
        ours = inputs.misspelt(names, taken)
        defined = of_hosts.defined({*names} - {*ours})
        names = [name for name in names if name not in defined]
        return inputs.name_refusals(typed, names, taken, lambda: own_procedures.everything(plain_yaml.load))

    def _hosts(self, pattern: Any) -> list[str]:
        """The hosts of a pattern within the limit."""
        try:
            self._inventory.subset(context.CLIARGS.get("subset"))
            return [str(host.name) for host in self._inventory.get_hosts(pattern)]
        except AnsibleError:
            return []

    def _matches(self, pattern: str) -> bool:
        """True if a part of a pattern is a host or a group of the inventory, or matches one."""
        known = (*self._inventory.groups, *self._inventory.hosts, *C.LOCALHOST, "all")
        if pattern in known or re.fullmatch(r"[\w.-]+", pattern):
            return pattern in known
        try:
            return bool(self._inventory.get_hosts(pattern, ignore_limits=True))
        except AnsibleError:
            return False


class _OfHosts:
    """The variables that the inventory itself has for the hosts of a play, without those that were typed.

    Templates see no variables of hosts before the first play has begun. So the inventory is read once more, and only
    where a call would be refused without it.
    """

    def __init__(self, loader: Any, hosts: Sequence[str]) -> None:
        self._loader, self._hosts = loader, hosts

    @functools.cached_property
    def _known(self) -> list[dict[str, Any]]:
        inventory = InventoryManager(self._loader, sources=list(context.CLIARGS.get("inventory") or ()))
        manager = VariableManager(self._loader, inventory)
        manager._extra_vars = {}
        if manager.extra_vars:
            return []
        hosts = [host for host in map(inventory.get_host, self._hosts) if host is not None]
        return [manager.get_vars(host=host, include_hostvars=False) for host in hosts]

    def first(self, typed: Mapping[str, Any], name: str, default: Any) -> Any:
        """The value that was typed, or that of the first host that has one."""
        if name in typed:
            return typed[name]
        return next((own[name] for own in self._known if name in own), default)

    def defined(self, names: Collection[str]) -> set[str]:
        """Those of the names that the inventory defines for one of the hosts."""
        return {name for name in names if any(name in own for own in self._known)}


def _refuse(problems: Sequence[str]) -> NoReturn:
    """End the run. An error would come out with the source of the play around it, and with the name of this plugin."""
    text = "\n".join(problem if problem.endswith(".") else f"{problem}." for problem in problems)
    Display().error(f"{text} Nothing was contacted.")
    raise SystemExit(WRONG_OPTIONS)


def _inventory(loader: Any, groups: Mapping[str, Sequence[str]]) -> InventoryManager:
    """The hosts and groups of the run, as the lookup C(inventory_hostnames) makes them of what templates see."""
    manager = InventoryManager(loader, parse=False)
    for group, hosts in groups.items():
        manager.add_group(group)
        for host in hosts:
            manager.add_host(host, group=group)
    return manager
