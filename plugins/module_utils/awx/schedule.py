# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calendar of the runbooks as recurrence rules of AWX: RFC 5545 without what AWX refuses.

AWX wants an INTERVAL in each rule, and refuses a number in front of a day: the first Saturday is BYDAY=SA;BYSETPOS=1.
"""

from __future__ import annotations

import datetime
import re

from ansible_collections.ops.runbook.plugins.module_utils.console.schedules import UTC, Due


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
