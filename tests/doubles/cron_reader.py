# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moments of the five fields of cron, as crontab(5) describes them."""

from __future__ import annotations

import datetime


def numbers(field: str, first: int, last: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        low, dash, high = part.partition("-")
        if part == "*":
            found |= {*range(first, last + 1)}
        else:
            found |= {*range(int(low), int(high if dash else low) + 1)}
    assert found <= {*range(first, last + 1)}, field
    return found


def fits(fields: str, moment: datetime.datetime) -> bool:
    """True if cron runs a line at a moment. With days of the month and weekdays it does on each day of either."""
    minute, hour, day, month, weekday = fields.split()
    of_month = moment.day in numbers(day, 1, 31)
    of_week = moment.isoweekday() % 7 in {number % 7 for number in numbers(weekday, 0, 7)}
    due = of_month or of_week if "*" not in (day, weekday) else of_month and of_week
    return (
        due
        and moment.minute in numbers(minute, 0, 59)
        and moment.hour in numbers(hour, 0, 23)
        and moment.month in numbers(month, 1, 12)
    )
