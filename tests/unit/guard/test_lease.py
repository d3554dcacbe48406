# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: how alive an operation is, whatever somebody does to the clock."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.guard import lease
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.host.clock import Now, later

START = Now(utc=1_700_000_000.0, boot="boot-1", uptime=1000.0)
LEASE = lease.grant("op-1", "deploy", "INC-1", {"user": "ada"}, 900.0, START)

STANDINGS = {
    # name: (lease, running, in a phase, moment, standing)
    "nobody": (None, False, False, START, "free"),
    "nobody, though a process works": (None, True, True, START, "free"),
    "a process works": (LEASE, True, True, START, "running"),
    "a process works beyond the expiry": (LEASE, True, True, later(START, 5000), "running"),
    "a process works after a restart of the clock": (
        LEASE,
        True,
        True,
        Now(0.0, "boot-1", 1000.0),
        "running",
    ),
    "killed in a phase": (LEASE, False, True, START, "died"),
    "killed in a phase, long ago": (LEASE, False, True, later(START, 5000), "died"),
    "between phases": (LEASE, False, False, START, "waiting"),
    "just before the expiry": (LEASE, False, False, later(START, 899.9), "waiting"),
    "at the expiry": (LEASE, False, False, later(START, 900), "expired"),
    "long after": (LEASE, False, False, later(START, 90000), "expired"),
    "host restarted": (LEASE, False, False, Now(START.utc + 60, "boot-2", 10.0), "expired"),
    "host restarted, killed in a phase": (LEASE, False, True, Now(START.utc + 60, "boot-2", 10.0), "died"),
    "clock set back a year": (LEASE, False, False, Now(START.utc - 31e6, "boot-1", 1100.0), "waiting"),
    "clock set ahead a year": (LEASE, False, False, Now(START.utc + 31e6, "boot-1", 1100.0), "waiting"),
    "clock set back, and expired": (LEASE, False, False, Now(START.utc - 31e6, "boot-1", 1900.0), "expired"),
}


@pytest.mark.parametrize("name", STANDINGS)
def test_standing(name: str) -> None:
    held, running, phase_open, now, expected = STANDINGS[name]
    assert lease.standing(held, running, phase_open, now) == expected


@given(st.floats(-1e9, 4e9), st.floats(0, 5000), st.floats(1, 3000))
def test_the_clock_neither_prolongs_nor_ends_a_lease(utc: float, passed: float, ttl: float) -> None:
    granted = lease.grant("op", "deploy", "", {}, ttl, START)
    now = Now(utc, START.boot, START.uptime + passed)
    expected = "expired" if START.uptime + passed >= START.uptime + ttl else "waiting"
    assert lease.standing(granted, False, False, now) == expected


def test_a_renewed_lease_counts_from_now_and_keeps_its_beginning() -> None:
    renewed = lease.renew(LEASE, 900.0, later(START, 600))
    assert lease.standing(renewed, False, False, later(START, 1400)) == "waiting"
    assert lease.standing(renewed, False, False, later(START, 1500)) == "expired"
    assert (renewed.since, renewed.operation, renewed.reason) == (LEASE.since, "op-1", "INC-1")
    assert renewed.expires == later(START, 1500).text


def test_a_lease_has_what_it_was_granted_with_and_a_renewed_one_only_another_end() -> None:
    # Within the test: `make mutations` imports tests before it has a mutant.
    granted = lease.grant("op-1", "deploy", "INC-1", {"user": "ada"}, 900.0, START)
    begin, end = START.text, later(START, 900.0)
    assert (
        lease.Lease("op-1", "deploy", "INC-1", {"user": "ada"}, begin, end.text, START.boot, START.uptime + 900)
        == granted
    )
    now = Now(START.utc + 60, "boot-2", 7.0)
    assert lease.renew(LEASE, 300.0, now) == replace(
        LEASE, expires=later(now, 300.0).text, boot="boot-2", expires_uptime=307.0
    )


def test_a_lease_renewed_after_a_restart_belongs_to_the_new_boot() -> None:
    restarted = Now(START.utc + 100, "boot-2", 5.0)
    assert lease.standing(lease.renew(LEASE, 900.0, restarted), False, False, restarted) == "waiting"


def test_a_lease_reads_back() -> None:
    assert lease.parse(LEASE.to_bytes()) == LEASE


@pytest.mark.parametrize("content", [b"", b"null", b"{", b"[]", b"{}", b'{"operation": "x"}', b"\xff"])
def test_an_invalid_lease_is_ignored(content: bytes) -> None:
    assert lease.parse(content) is None


def test_a_moment_is_written_in_utc_with_milliseconds() -> None:
    assert START.text == "2023-11-14T22:13:20.000Z"
    assert later(START, 1.25).text == "2023-11-14T22:13:21.250Z"


def test_ids_of_operations_sort_by_time_and_differ() -> None:
    first, second, next_second = (clock.operation_id(now) for now in (START, START, later(START, 1)))
    assert first != second
    assert max(first, second) < next_second
    assert first.startswith("20231114T221320Z-") and len(first) == 23


def test_now_is_now() -> None:
    first, second = clock.now(), clock.now()
    assert first.boot == second.boot != ""
    assert first.uptime <= second.uptime


HELD = lease.Lease(
    "op1", "deploy", "INC-1", {"user": "anna"}, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "boot1", 3600
)


def test_a_lease_file_has_a_key_a_line_in_the_order_of_the_alphabet() -> None:
    assert HELD.to_bytes().decode().splitlines() == [
        "{",
        ' "actor": {',
        '  "user": "anna"',
        " },",
        ' "boot": "boot1",',
        ' "expires": "2026-01-01T01:00:00Z",',
        ' "expires_uptime": 3600,',
        ' "operation": "op1",',
        ' "procedure": "deploy",',
        ' "reason": "INC-1",',
        ' "since": "2026-01-01T00:00:00Z"',
        "}",
    ]


@pytest.mark.parametrize("field", [field.name for field in fields(lease.Lease)])
def test_a_lease_with_one_field_of_another_type_is_none(field: str) -> None:
    assert lease.parse(HELD.to_bytes()) == HELD
    assert lease.parse(json.dumps({**asdict(HELD), field: ["x"]}).encode()) is None
