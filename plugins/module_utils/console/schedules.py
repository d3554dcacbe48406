# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calendar of the runbooks, from which AWX, systemd and cron get their schedules."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import recurrence
from ansible_collections.ops.runbook.plugins.module_utils.console.systems import System

UTC = "UTC"


@dataclass(frozen=True)
class Due:
    """A procedure that is due again and again: an entry of `schedules` in the meta/system.yml of a role.

    why: the runbook's own words. rule: a recurrence rule without what AWX refuses, see awx/schedule.py. utc: the
    runbook names UTC itself; other times are those of the people who look. since: the option of the role awx, without
    its prefix, that holds the day to count from. answers: inputs that the procedure gets.
    """

    name: str
    procedure: str
    why: str
    hour: int
    rule: str
    utc: bool = False
    since: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)


def period(system: System, procedure: str, answers: Mapping[str, Any] | None = None) -> int:
    """Most days between two runs of a procedure with these answers, by the schedules of its system.

    Raises NotSayable for a rule whose days do not follow from the date alone.
    """
    wanted = (answers or {}).items()
    found = [one for one in due([system], [procedure]) if wanted <= one.answers.items()]
    return recurrence.period(recurrence.parse(one.rule) for one in found)


def due(systems: Iterable[System], procedures: Container[str]) -> list[Due]:
    """The schedules of the systems whose procedures are among these."""
    every = [Due(**one) for system in systems for one in system.schedules]
    return [one for one in every if one.procedure in procedures]
