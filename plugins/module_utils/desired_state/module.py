# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a module that settles something: its warnings and its result, or the problem with its ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


class Module(Protocol):
    """The used parts of an AnsibleModule: the rules know no Ansible."""

    def warn(self, warning: str) -> None: ...

    def fail_json(self, msg: str, **result: Any) -> NoReturn: ...

    def exit_json(self, **result: Any) -> NoReturn: ...


def run(module: Module, settled: Callable[[], dict[str, Any]], **always: Any) -> NoReturn:
    """Settle, and end the module with what comes of it.

    settled: gives the result, whose key `warnings` may list texts, or raises Problem. always: keys of either end.
    """
    try:
        result = settled()
    except Problem as problem:
        module.fail_json(**always, **problem.to_failure())
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**always, **result)
