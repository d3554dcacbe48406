# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recurrence rules (RFC 5545) as systemd and cron say them. Pure.

Only rules are taken whose days follow from the date alone. One that counts from its first day, such as every 90 days,
has no such words: systemd and cron know no first day.
"""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: Weekdays as the rules name them, Monday first.
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_SYSTEMD = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: Parts that each frequency may have.
_PARTS = {
    "DAILY": {"BYDAY", "BYMONTHDAY", "BYMONTH"},
    "WEEKLY": {"BYDAY", "BYMONTH"},
    "MONTHLY": {"BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"},
    "YEARLY": {"BYMONTHDAY", "BYMONTH"},
}
#: Days of the longest and of the shortest month.
_LONGEST, _SHORTEST = 31, 28


class NotSayable(ValueError):
    """A rule that systemd or cron has no words for. The text says why."""


@dataclass(frozen=True)
class Days:
    """Days of the year: those that fit each part. An empty part fits every day.

    weekdays: 1 is Monday, 7 is Sunday. from_end: the days of the month count from its end, 1 is the last one.
    """

    weekdays: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    from_end: bool = False

    def has(self, day: datetime.date) -> bool:
        last = calendar.monthrange(day.year, day.month)[1]
        number = last - day.day + 1 if self.from_end else day.day
        parts = ((self.weekdays, day.isoweekday()), (self.days, number), (self.months, day.month))
        return all(not wanted or found in wanted for wanted, found in parts)


def parse(rule: str) -> Days:
    """The days of a rule. Raises NotSayable."""
    parts = dict(_part(text) for text in rule.split(";"))
    frequency = parts.pop("FREQ", "")
    if frequency not in _PARTS:
        raise NotSayable(f"FREQ={frequency} is not a number of days, weeks, months or years")
    interval = parts.pop("INTERVAL", "1")
    if interval != "1":
        raise NotSayable(f"FREQ={frequency};INTERVAL={interval} counts from its first day")
    foreign = [name for name in parts if name not in _PARTS[frequency]]
    if foreign:
        raise NotSayable(f"{foreign[0]} can't be said with FREQ={frequency}")
    months = _numbers(parts, "BYMONTH", range(1, 13))
    if frequency == "WEEKLY" and "BYDAY" not in parts or frequency == "YEARLY" and len(parts) < 2:
        raise NotSayable(f"FREQ={frequency} without its days takes those of its first day")
    if frequency == "MONTHLY":
        return _of_the_month(parts, months)
    weekdays = tuple(sorted(number for number, _ in _by_day(parts)))
    days, from_end = _month_days(parts)
    return Days(weekdays, days, months, from_end)


def _part(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise NotSayable(f"{text!r} is not a part of a recurrence rule")
    return name, value


def _numbers(parts: dict[str, str], name: str, among: Iterable[int]) -> tuple[int, ...]:
    """The numbers of a part, each of those that it may have; empty without the part."""
    allowed = {str(number): number for number in among}
    found = parts[name].split(",") if name in parts else []
    if not {*found} <= {*allowed}:
        raise NotSayable(f"{name}={parts[name]} has another number than it may have")
    return tuple(sorted({allowed[text] for text in found}))


def _by_day(parts: dict[str, str]) -> list[tuple[int, str]]:
    """The weekdays of a rule, each with the number in front of it."""
    found = []
    for text in parts["BYDAY"].split(",") if "BYDAY" in parts else []:
        match = re.fullmatch(rf"([+-]?[1-5])?({'|'.join(WEEKDAYS)})", text)
        if match is None:
            raise NotSayable(f"BYDAY={parts['BYDAY']} has something else than weekdays")
        found.append((WEEKDAYS.index(match[2]) + 1, match[1] or ""))
    if any(number for _, number in found):
        raise NotSayable(f"BYDAY={parts['BYDAY']} has a number, which AWX refuses: the first Saturday is SA;BYSETPOS=1")
    return found


def _month_days(parts: dict[str, str]) -> tuple[tuple[int, ...], bool]:
    """The days of the month, and whether they count from its end."""
    found = _numbers(parts, "BYMONTHDAY", [*range(-_LONGEST, 0), *range(1, _LONGEST + 1)])
    return _one_way(found, f"BYMONTHDAY={parts.get('BYMONTHDAY')}")


def _one_way(numbers: tuple[int, ...], said: str) -> tuple[tuple[int, ...], bool]:
    from_end = any(number < 0 for number in numbers)
    if from_end and any(number > 0 for number in numbers):
        raise NotSayable(f"{said} counts from both ends of a month")
    return tuple(sorted(abs(number) for number in numbers)), from_end


def _of_the_month(parts: dict[str, str], months: tuple[int, ...]) -> Days:
    weekdays = tuple(sorted(number for number, _ in _by_day(parts)))
    if not weekdays and "BYMONTHDAY" not in parts:
        raise NotSayable("FREQ=MONTHLY without its days takes that of its first day")
    if "BYSETPOS" not in parts:
        days, from_end = _month_days(parts)
        return Days(weekdays, days, months, from_end)
    if len(weekdays) != 1 or "BYMONTHDAY" in parts:
        raise NotSayable("BYSETPOS chooses among more than the same weekday of a month")
    positions = _numbers(parts, "BYSETPOS", [*range(-5, 0), *range(1, 6)])
    wanted, from_end = _one_way(positions, f"BYSETPOS={parts['BYSETPOS']}")
    # The second Saturday is the Saturday from the 8th to the 14th.
    among = tuple(day for one in wanted for day in range(7 * one - 6, min(7 * one, _LONGEST) + 1))
    return Days(weekdays, among, months, from_end)


# -- in other words ------------------------------------------------------------------------------


def on_calendar(days: Days, hour: int, zone: str) -> str:
    """The days as OnCalendar= of systemd has them. Raises NotSayable."""
    # Tried with systemd 252: it takes `~28` and `~22..28`, and neither `~29` nor `~01,26`.
    if days.from_end and (days.days[-1] > _SHORTEST or not _follow_each_other(days.days)):
        raise NotSayable(f"systemd counts from the end of a month one row of days, and no more than {_SHORTEST}")
    weekdays = ",".join(_SYSTEMD[number - 1] for number in days.weekdays)
    month, day = (_list(part, "02", "..") for part in (days.months, days.days))
    date = f"*-{month}{'~' if days.from_end else '-'}{day}"
    return " ".join(filter(None, [weekdays, date, f"{hour:02}:00:00", zone]))


def _list(numbers: tuple[int, ...], form: str, to: str) -> str:
    """Numbers as a list, or as a range if they follow each other."""
    if len(numbers) > 1 and _follow_each_other(numbers):
        return f"{numbers[0]:{form}}{to}{numbers[-1]:{form}}"
    return ",".join(f"{number:{form}}" for number in numbers) or "*"


def _follow_each_other(numbers: tuple[int, ...]) -> bool:
    return numbers[-1] - numbers[0] == len(numbers) - 1


@dataclass(frozen=True)
class CronDays:
    """The days as cron has them. fields: the five. weekdays: those on which the command itself has to begin."""

    fields: str
    weekdays: tuple[int, ...] = ()


def cron(days: Days, hour: int) -> CronDays:
    """The days as a line of cron has them. Raises NotSayable.

    cron runs a line with days of the month and weekdays on each day that fits one of the two. So the fields have the
    days of the month, and the command asks for the weekday.
    """
    if days.from_end:
        raise NotSayable("cron can't count from the end of a month")
    both = bool(days.weekdays and days.days)
    in_field = () if both else tuple(sorted(number % 7 for number in days.weekdays))
    day, month, weekday = (_list(part, "", "-") for part in (days.days, days.months, in_field))
    return CronDays(f"0 {hour} {day} {month} {weekday}", days.weekdays if both else ())


# -- how often -----------------------------------------------------------------------------------


def period(every: Iterable[Days]) -> int:
    """Most days that lie between two due days of one of these and the next one. Raises NotSayable."""
    found = list(_due_days(list(every)))
    if len(found) < 2:
        raise NotSayable("no two days of these rules are due")
    return max((later - earlier).days for earlier, later in zip(found, found[1:]))


def _due_days(every: list[Days]) -> Iterator[datetime.date]:
    # Weekdays and leap years come again after 28 years.
    first = datetime.date(2000, 1, 1)
    for number in range(28 * 366):
        day = first + datetime.timedelta(number)
        if any(one.has(day) for one in every):
            yield day
