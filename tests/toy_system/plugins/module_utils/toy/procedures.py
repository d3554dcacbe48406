# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedures on a toy; guard/procedure.py has the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Procedure, System
from ansible_collections.ops.runbook.plugins.module_utils.toy.line import Line


def _write() -> Procedure[Line]:
    from ansible_collections.ops.runbook.plugins.module_utils.toy import write

    return write


class _Toy(System[Line, Line]):
    name = "toy"
    procedures = {"write": _write}

    def describe(self, raw: Mapping[str, Any]) -> Line:
        return Line(**raw)

    def subject(self, description: Line) -> tuple[str, str]:
        return description.name, description.file

    def service(self, description: Line, guard: Guard) -> Line:
        return description


TOY = _Toy()
