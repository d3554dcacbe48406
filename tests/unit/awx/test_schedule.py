"""The days on which schedules are due, by python-dateutil, which is what AWX itself asks."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from awx_controller import Refused, refuse_rule
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.awx import schedule
from ansible_collections.ops.runbook.plugins.module_utils.awx.schedule import ScheduleError
from ansible_collections.ops.runbook.plugins.module_utils.console import schedules, systems
from ansible_collections.ops.runbook.plugins.module_utils.console.schedules import Due
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

SYSTEMS = systems.read(Path(__file__).resolve().parents[3], plain_yaml.load).values()
#: Each schedule, whether its procedure is there or not.
CALENDAR = [Due(**one) for system in SYSTEMS for one in system.schedules]
BY_NAME = {one.name: one for one in CALENDAR}
DAYS = st.dates(datetime.date(2020, 1, 1), datetime.date(2040, 12, 31)).map(str)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])


def occurrences(one: Due, start: str = "2026-01-05", zone: str = "UTC") -> Iterator[datetime.datetime]:
    return iter(rrulestr(schedule.rrule(one, start, zone).replace(" ", "\n")))


def first(name: str, count: int, **given: str) -> list[str]:
    return [f"{moment:%a %Y-%m-%d %H:%M %Z}" for moment in islice(occurrences(BY_NAME[name], **given), count)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Monday security audit", ["Mon 2026-01-05 07:00 UTC", "Mon 2026-01-12 07:00 UTC", "Mon 2026-01-19 07:00 UTC"]),
        ("Morning checklist", ["Mon 2026-01-05 08:00 UTC", "Tue 2026-01-06 08:00 UTC", "Wed 2026-01-07 08:00 UTC"]),
        ("Weekly maintenance", ["Mon 2026-01-05 09:00 UTC", "Mon 2026-01-12 09:00 UTC", "Mon 2026-01-19 09:00 UTC"]),
        ("Monthly maintenance", ["Sat 2026-02-07 09:00 UTC", "Sat 2026-03-07 09:00 UTC", "Sat 2026-04-04 09:00 UTC"]),
        ("Quarterly maintenance", ["Sun 2026-04-05 09:00 UTC", "Sun 2026-07-05 09:00 UTC", "Sun 2026-10-04 09:00 UTC"]),
        (
            "PostgreSQL full backup",
            ["Sun 2026-01-11 05:00 UTC", "Sun 2026-01-18 05:00 UTC", "Sun 2026-01-25 05:00 UTC"],
        ),
        (
            "PostgreSQL backup of the day",
            ["Mon 2026-01-05 05:00 UTC", "Tue 2026-01-06 05:00 UTC", "Wed 2026-01-07 05:00 UTC"],
        ),
        (
            "PostgreSQL backups read through",
            ["Sun 2026-01-11 06:00 UTC", "Sun 2026-01-18 06:00 UTC", "Sun 2026-01-25 06:00 UTC"],
        ),
        (
            "SSH key rotation reminder",
            ["Mon 2026-01-05 08:00 UTC", "Sun 2026-04-05 08:00 UTC", "Sat 2026-07-04 08:00 UTC"],
        ),
    ],
)
def test_when_each_is_due(name: str, expected: list[str]) -> None:
    assert first(name, 3) == expected


def test_the_time_of_a_place_stays_through_summer_and_the_audit_stays_at_its_own() -> None:
    assert {moment[15:] for moment in first("Weekly maintenance", 40, zone="Europe/Berlin")} == {
        "09:00 CET",
        "09:00 CEST",
    }
    assert {moment[15:] for moment in first("Monday security audit", 40, zone="Europe/Berlin")} == {"07:00 UTC"}


@given(st.sampled_from(CALENDAR), DAYS, ZONES)
def test_a_rule_is_one_that_awx_takes_and_says_what_its_words_say(one: Due, start: str, zone: str) -> None:
    refuse_rule(schedule.rrule(one, start, zone))
    found = list(islice(occurrences(one, start, zone), 8))
    assert all(moment.hour == one.hour and moment.minute == 0 for moment in found)
    assert found[0].date() >= datetime.date.fromisoformat(start)
    if zone == "UTC" or one.utc:
        assert {moment.utcoffset() for moment in found} == {datetime.timedelta()}
    else:
        assert {str(moment.replace(tzinfo=ZoneInfo(zone)).utcoffset()) for moment in found} == {
            str(moment.utcoffset()) for moment in found
        }
    gaps = {(later.date() - earlier.date()).days for earlier, later in pairwise(found)}
    match one.name:
        case "Monday security audit" | "Weekly maintenance":
            assert {moment.weekday() for moment in found} == {0} and gaps == {7}
        case "PostgreSQL backup of the day":
            assert {moment.weekday() for moment in found} <= {0, 1, 2, 3, 4, 5} and gaps == {1, 2}
        case "PostgreSQL backups read through" | "PostgreSQL full backup":
            assert {moment.weekday() for moment in found} == {6} and gaps == {7}
        case "PostgreSQL restore drill":
            assert {moment.weekday() for moment in found} == {2} and gaps == {7}
        case "Morning checklist" | "PostgreSQL backups of the morning":
            assert gaps == {1}
        case "Monthly maintenance":
            assert all(moment.weekday() == 5 and moment.day <= 7 for moment in found) and gaps <= {28, 35}
        case "Quarterly maintenance":
            assert all(moment.weekday() == 6 and moment.day <= 7 for moment in found)
            assert {moment.month for moment in found} == {1, 4, 7, 10}
        case "SSH key rotation reminder":
            assert gaps == {90}
        case unknown:
            raise AssertionError(f"{unknown} is not held against anything")


@given(DAYS)
def test_no_two_maintenances_are_due_at_once(start: str) -> None:
    """The second one would be refused, since the first has the service."""
    moments = [
        moment
        for one in CALENDAR
        if one.procedure == "dokku_maintenance"
        for moment in islice(occurrences(one, start), 20)
    ]
    assert len(moments) == len({*moments})


@pytest.mark.parametrize("start", ["", "5.1.2026", "2026-13-01", "2026-02-30"])
def test_a_day_that_is_none_is_refused(start: str) -> None:
    with pytest.raises(ScheduleError, match="is not a day; write one like 2026-01-05"):
        schedule.rrule(CALENDAR[0], start)


@pytest.mark.parametrize("zone", ["", "Europe/Berlin RRULE:FREQ=DAILY", "a:b"])
def test_a_time_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ScheduleError, match="is not a time zone"):
        schedule.rrule(CALENDAR[0], "2026-01-05", zone)


def test_only_what_has_a_procedure_here_is_due() -> None:
    assert [one.name for one in schedules.due(SYSTEMS, ["ssh_key_audit", "other"])] == ["SSH key rotation reminder"]


@pytest.mark.parametrize(
    "rule",
    [
        "RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260105T070000 RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260105T070000Z RRULE:FREQ=DAILY",
        "DTSTART:20260105T070000Z RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=1SA",
        "DTSTART:20260105T070000Z RRULE:FREQ=SECONDLY;INTERVAL=1",
        "DTSTART:20260105T070000Z RRULE:FREQ=SOMETIMES;INTERVAL=1",
    ],
)
def test_the_stand_in_refuses_what_awx_refuses(rule: str) -> None:
    with pytest.raises(Refused):
        refuse_rule(rule)
