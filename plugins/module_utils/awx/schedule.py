# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the runbooks want something done, as the recurrence rules of AWX (RFC 5545 without what AWX refuses).

AWX wants an INTERVAL in each rule, and refuses a number in front of a day: the first Saturday is BYDAY=SA;BYSETPOS=1.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

UTC = "UTC"


@dataclass(frozen=True)
class Due:
    """A procedure that is due again and again, with the answers that it gets."""

    name: str
    procedure: str
    #: The runbook's own words.
    why: str
    hour: int
    rule: str
    #: The runbook names UTC itself; other times are those of the people who look.
    utc: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict)


CALENDAR = (
    Due(
        "Monday security audit",
        "security_audit",
        "vertex-laravel 6: every Monday 07:00 UTC",
        7,
        "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO",
        utc=True,
    ),
    Due("Morning checklist", "dokku_status", "dokku-restant: morning checklist", 8, "FREQ=DAILY;INTERVAL=1"),
    Due(
        "Weekly maintenance",
        "dokku_maintenance",
        "dokku-restant: every Monday at 9:00 AM",
        9,
        "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO",
        answers={"cadence": "weekly"},
    ),
    Due(
        "Monthly maintenance",
        "dokku_maintenance",
        "dokku-restant: first Saturday of each month",
        9,
        "FREQ=MONTHLY;INTERVAL=1;BYDAY=SA;BYSETPOS=1",
        answers={"cadence": "monthly"},
    ),
    # Not on a day of the monthly one, which would hold the service.
    Due(
        "Quarterly maintenance",
        "dokku_maintenance",
        "dokku-restant: quarterly; on the first Sunday of the quarter",
        9,
        "FREQ=MONTHLY;INTERVAL=1;BYMONTH=1,4,7,10;BYDAY=SU;BYSETPOS=1",
        answers={"cadence": "quarterly"},
    ),
    Due(
        "SSH key rotation reminder",
        "ssh_key_audit",
        "vertex-laravel 5: every 90 days; fails, and so notifies, while a key is overdue",
        8,
        "FREQ=DAILY;INTERVAL=90",
        answers={"fail_on": ["overdue"]},
    ),
)


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


def due(procedures: Iterable[str]) -> list[Due]:
    """The calendar's operations that have a procedure here."""
    known = set(procedures)
    return [one for one in CALENDAR if one.procedure in known]
