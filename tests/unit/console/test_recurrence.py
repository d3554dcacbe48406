# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recurrence rules in the words of systemd and of cron: the same days as python-dateutil, which AWX asks, finds."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cron_reader
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.console import recurrence, systems
from ansible_collections.ops.runbook.plugins.module_utils.console.recurrence import CronDays, Days, NotSayable
from ansible_collections.ops.runbook.plugins.module_utils.console.schedules import Due
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

SYSTEMS = systems.read(Path(__file__).resolve().parents[3], plain_yaml.load).values()
CALENDAR = [Due(**one) for system in SYSTEMS for one in system.schedules]
ANALYZE = shutil.which("systemd-analyze")
COUNT = 30
START = datetime.datetime(2026, 1, 5)

SAID = {
    "each day": ("FREQ=DAILY;INTERVAL=1", "*-*-* 05:00:00 UTC", "0 5 * * *"),
    "a weekday": ("FREQ=WEEKLY;INTERVAL=1;BYDAY=MO", "Mon *-*-* 05:00:00 UTC", "0 5 * * 1"),
    "a Sunday": ("FREQ=WEEKLY;BYDAY=SU", "Sun *-*-* 05:00:00 UTC", "0 5 * * 0"),
    "some weekdays": ("FREQ=WEEKLY;BYDAY=FR,MO", "Mon,Fri *-*-* 05:00:00 UTC", "0 5 * * 1,5"),
    "a day of each month": ("FREQ=MONTHLY;BYMONTHDAY=15", "*-*-15 05:00:00 UTC", "0 5 15 * *"),
    "a weekday of each month": ("FREQ=MONTHLY;BYDAY=SA;BYSETPOS=2", "Sat *-*-08..14 05:00:00 UTC", "0 5 8-14 * * 6"),
    "the fifth one": ("FREQ=MONTHLY;BYDAY=SA;BYSETPOS=5", "Sat *-*-29..31 05:00:00 UTC", "0 5 29-31 * * 6"),
    "two of them": (
        "FREQ=MONTHLY;BYDAY=SA;BYSETPOS=1,3",
        "Sat *-*-01,02,03,04,05,06,07,15,16,17,18,19,20,21 05:00:00 UTC",
        "0 5 1,2,3,4,5,6,7,15,16,17,18,19,20,21 * * 6",
    ),
    "each quarter": ("FREQ=MONTHLY;BYMONTH=1,4,7,10;BYMONTHDAY=1", "*-01,04,07,10-01 05:00:00 UTC", "0 5 1 1,4,7,10 *"),
    "each year": ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "*-02-29 05:00:00 UTC", "0 5 29 2 *"),
    "Friday the 13th": ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "Fri *-*-13 05:00:00 UTC", "0 5 13 * * 5"),
    "the last day": ("FREQ=MONTHLY;BYMONTHDAY=-1", "*-*~01 05:00:00 UTC", None),
    "the last Friday": ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1", "Fri *-*~01..07 05:00:00 UTC", None),
}


@pytest.mark.parametrize("name", SAID)
def test_a_rule_is_said_in_the_words_of_systemd_and_of_cron(name: str) -> None:
    rule, on_calendar, line = SAID[name]
    days = recurrence.parse(rule)
    assert recurrence.on_calendar(days, 5, "UTC") == on_calendar
    if line is None:
        with pytest.raises(NotSayable, match="cron can't count from the end of a month"):
            recurrence.cron(days, 5)
        return
    found = recurrence.cron(days, 5)
    assert " ".join([found.fields, *map(str, found.weekdays)]) == line


REFUSED = {
    "FREQ=DAILY;INTERVAL=90": "INTERVAL=90 counts from its first day",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO": "INTERVAL=2 counts from its first day",
    "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1": "INTERVAL=3 counts from its first day",
    "FREQ=WEEKLY;INTERVAL=1": "FREQ=WEEKLY without its days",
    "FREQ=MONTHLY;BYMONTH=1": "FREQ=MONTHLY without its days",
    "FREQ=YEARLY;BYMONTH=1": "FREQ=YEARLY without its days",
    "FREQ=YEARLY;BYMONTHDAY=1": "FREQ=YEARLY without its days",
    "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1;BYDAY=MO": "BYDAY can't be said with FREQ=YEARLY",
    "FREQ=WEEKLY;BYDAY=MO;BYMONTHDAY=1": "BYMONTHDAY can't be said with FREQ=WEEKLY",
    "FREQ=HOURLY;INTERVAL=1": "FREQ=HOURLY",
    "INTERVAL=1": "FREQ= is not",
    "FREQ=DAILY;COUNT=3": "COUNT can't be said",
    "FREQ=DAILY;UNTIL=20260101T000000Z": "UNTIL can't be said",
    "FREQ=DAILY;BYHOUR=4": "BYHOUR can't be said",
    "FREQ=MONTHLY;BYDAY=1SA": "SA;BYSETPOS=1",
    "FREQ=WEEKLY;BYDAY=XX": "something else than weekdays",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1": "more than the same weekday",
    "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=1;BYSETPOS=1": "more than the same weekday",
    "FREQ=MONTHLY;BYDAY=SA;BYSETPOS=1,-1": "from both ends",
    "FREQ=MONTHLY;BYMONTHDAY=1,-1": "from both ends",
    "FREQ=MONTHLY;BYMONTHDAY=32": "another number",
    "FREQ=MONTHLY;BYMONTHDAY=0": "another number",
    "FREQ=MONTHLY;BYDAY=SA;BYSETPOS=6": "another number",
    "FREQ=MONTHLY;BYMONTH=13;BYMONTHDAY=1": "another number",
    "FREQ": "is not a part",
    "": "is not a part",
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_rule_without_such_words_is_refused_with_its_reason(rule: str) -> None:
    with pytest.raises(NotSayable, match=REFUSED[rule]):
        recurrence.parse(rule)


@pytest.mark.parametrize("rule", ["FREQ=MONTHLY;BYMONTHDAY=-29", "FREQ=MONTHLY;BYMONTHDAY=-1,-26"])
def test_systemd_does_not_count_every_day_from_the_end(rule: str) -> None:
    with pytest.raises(NotSayable, match="systemd counts from the end of a month one row of days"):
        recurrence.on_calendar(recurrence.parse(rule), 5, "UTC")


# -- the same days -------------------------------------------------------------------------------


def some(values: list[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(",".join)


WEEKDAYS = some(["MO", "TU", "WE", "TH", "FR", "SA", "SU"], 7)
MONTHS = some([str(number) for number in range(1, 13)], 12).map(lambda text: f";BYMONTH={text}") | st.just("")
MONTH_DAYS = some([str(number) for number in range(1, 29)], 5) | some([str(-number) for number in range(1, 29)], 5)
POSITIONS = some(["1", "2", "3", "4", "5"], 3) | some(["-1", "-2", "-3", "-4", "-5"], 3)
RULES = st.one_of(
    st.builds("FREQ=DAILY;INTERVAL=1{}".format, MONTHS),
    st.builds("FREQ=WEEKLY;INTERVAL=1;BYDAY={}{}".format, WEEKDAYS, MONTHS),
    st.builds("FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY={}{}".format, MONTH_DAYS, MONTHS),
    st.builds("FREQ=MONTHLY;INTERVAL=1;BYDAY={};BYMONTHDAY={}{}".format, WEEKDAYS, MONTH_DAYS, MONTHS),
    st.builds(
        "FREQ=MONTHLY;INTERVAL=1;BYDAY={};BYSETPOS={}{}".format,
        st.sampled_from(["MO", "WE", "SA", "SU"]),
        POSITIONS,
        MONTHS,
    ),
)
STARTS = st.datetimes(datetime.datetime(2024, 1, 1), datetime.datetime(2035, 12, 31)).map(
    lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0)
)


def by_dateutil(rule: str, start: datetime.datetime, hour: int, count: int = COUNT) -> list[datetime.datetime]:
    return list(islice(rrulestr(rule, dtstart=start.replace(hour=hour)), count))


def walked(fits: Callable[[datetime.datetime], bool], start: datetime.datetime, hour: int, until: datetime.datetime):
    """The moments that fit, from the start until another one."""
    moment = start.replace(hour=hour)
    while moment <= until:
        if fits(moment):
            yield moment
        moment += datetime.timedelta(1)


@given(RULES, STARTS, st.integers(0, 23))
def test_the_next_runs_of_a_line_of_cron_are_those_of_the_rule(rule: str, start: datetime.datetime, hour: int) -> None:
    days = recurrence.parse(rule)
    expected = by_dateutil(rule, start, hour)
    assert list(walked(lambda moment: days.has(moment.date()), start, hour, expected[-1])) == expected
    if days.from_end:
        return
    line = recurrence.cron(days, hour)

    def fits(moment: datetime.datetime) -> bool:
        return cron_reader.fits(line.fields, moment) and moment.isoweekday() in (line.weekdays or range(1, 8))

    assert list(walked(fits, start, hour, expected[-1])) == expected


def by_systemd(text: str, start: datetime.datetime, count: int = COUNT) -> list[datetime.datetime]:
    """The next moments of an OnCalendar=, by systemd itself."""
    ran = subprocess.run(
        [str(ANALYZE), "calendar", f"--iterations={count}", f"--base-time={start - datetime.timedelta(seconds=1)} UTC"]
        + [text],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
    )
    lines = [line.partition(": ")[2].strip() for line in ran.stdout.splitlines() if "elapse" in line or "Iter" in line]
    return [datetime.datetime.strptime(line, "%a %Y-%m-%d %H:%M:%S UTC") for line in lines]


needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not there")


@needs_systemd
@settings(max_examples=40)
@given(RULES, STARTS, st.integers(0, 23))
def test_the_next_runs_of_a_timer_are_those_of_the_rule(rule: str, start: datetime.datetime, hour: int) -> None:
    days = recurrence.parse(rule)
    in_a_row = [*days.days] == [*range(min(days.days, default=1), max(days.days, default=0) + 1)]
    if days.from_end and not (in_a_row and max(days.days) <= 28):
        with pytest.raises(NotSayable, match="systemd counts from the end of a month one row of days"):
            recurrence.on_calendar(days, hour, "UTC")
        return
    text = recurrence.on_calendar(days, hour, "UTC")
    # The years of systemd end in 2199.
    expected = [moment for moment in by_dateutil(rule, start, hour) if moment.year < 2199]
    assert by_systemd(text, start)[: len(expected)] == expected


@needs_systemd
@pytest.mark.parametrize("one", CALENDAR, ids=lambda one: one.name)
def test_each_schedule_of_the_calendar_has_its_runs_or_is_refused(one: Due) -> None:
    if one.name == "SSH key rotation reminder":
        with pytest.raises(NotSayable, match="INTERVAL=90 counts from its first day"):
            recurrence.parse(one.rule)
        return
    text = recurrence.on_calendar(recurrence.parse(one.rule), one.hour, "UTC")
    assert by_systemd(text, START) == by_dateutil(one.rule, START, one.hour)


@needs_systemd
def test_a_timer_keeps_the_time_of_its_zone_through_summer() -> None:
    text = recurrence.on_calendar(recurrence.parse("FREQ=MONTHLY;BYMONTHDAY=1"), 9, "Europe/Berlin")
    assert [moment.hour for moment in by_systemd(text, START, 9)] == [8, 8, 7, 7, 7, 7, 7, 7, 7]


CRON = {
    "either of two days": ("0 5 13 * 5", ["2026-01-09", "2026-01-13", "2026-01-16"]),
    "a Sunday twice": ("0 5 * * 0,7", ["2026-01-11", "2026-01-18", "2026-01-25"]),
    "a range": ("0 5 30-31 * *", ["2026-01-30", "2026-01-31", "2026-03-30"]),
    "a month": ("0 5 1 4,7 *", ["2026-04-01", "2026-07-01", "2027-04-01"]),
}


@pytest.mark.parametrize("name", CRON)
def test_the_reader_of_cron_reads_as_crontab_says(name: str) -> None:
    fields, expected = CRON[name]
    found = walked(lambda moment: cron_reader.fits(fields, moment), START, 5, datetime.datetime(2028, 1, 1))
    assert [f"{moment:%Y-%m-%d}" for moment in islice(found, 3)] == expected


# -- how often -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "most"),
    [
        (["FREQ=DAILY"], 1),
        (["FREQ=WEEKLY;BYDAY=SU"], 7),
        (["FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA"], 1),
        (["FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA"], 2),
        (["FREQ=WEEKLY;BYDAY=MO,TH"], 4),
        (["FREQ=MONTHLY;BYMONTHDAY=31"], 61),
        (["FREQ=MONTHLY;BYDAY=SA;BYSETPOS=1"], 35),
        (["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"], 1461),
    ],
)
def test_the_period_is_the_longest_time_between_two_runs(rules: list[str], most: int) -> None:
    assert recurrence.period(map(recurrence.parse, rules)) == most


def test_days_that_never_come_have_no_period() -> None:
    with pytest.raises(NotSayable):
        recurrence.period([Days(days=(30,), months=(2,))])


def test_a_weekday_goes_into_the_field_of_cron_only_without_days_of_the_month() -> None:
    assert recurrence.cron(Days(weekdays=(6,), days=(1, 2)), 4) == CronDays("0 4 1-2 * *", (6,))
