# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The days on which the runbooks want something done, as recurrence rules of AWX: RFC 5545 without what AWX refuses.

AWX wants an INTERVAL in each rule, and refuses a number in front of a day: the first Saturday is BYDAY=SA;BYSETPOS=1.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console.systems import System

UTC = "UTC"


@dataclass(frozen=True)
class Due:
    """A procedure that is due again and again: an entry of `schedules` in the meta/system.yml of a role.

    why: the runbook's own words. utc: the runbook names UTC itself; other times are those of the people who look.
    since: the option of the role awx, without its prefix, that holds the day to count from. answers: inputs that the
    procedure gets.
    """

    name: str
    procedure: str
    why: str
    hour: int
    rule: str
    utc: bool = False
    since: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)


class ScheduleError(ValueError):
    """An invalid start or time zone."""


def rrule(due: Due, start: str, timezone: str = UTC) -> str:
    """The rule with its beginning; the beginning is fixed, so that the rule of today is that of tomorrow.

    :param start: the day from which is counted, such as 2026-01-05
    """
    try:
        day = datetime.date.fromisoformat(str(start))
    except ValueError:
        raise ScheduleError(f"'{start}' is not a day; write one like 2026-01-05") from None
    if not re.fullmatch(r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)*", timezone):
        raise ScheduleError(f"'{timezone}' is not a time zone; write one like Europe/Berlin, or UTC")
    moment = f"{day:%Y%m%d}T{due.hour:02}0000"
    begin = f":{moment}Z" if due.utc or timezone == UTC else f";TZID={timezone}:{moment}"
    return f"DTSTART{begin} RRULE:{due.rule}"


def due(systems: Iterable[System], procedures: Container[str]) -> list[Due]:
    """The schedules of the systems whose procedures are among these."""
    every = [Due(**one) for system in systems for one in system.schedules]
    return [one for one in every if one.procedure in procedures]
