"""Names of WAL files: their order, the wrap of a log at FF, and other names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.postgres import wal
from ansible_collections.ops.runbook.plugins.module_utils.postgres.wal import Segment

MIB = 2**20
sizes = st.sampled_from([MIB * 2**power for power in range(11)])


@pytest.mark.parametrize(
    ("name", "size", "number"),
    [
        ("000000010000000000000001", 16 * MIB, 1),
        ("0000000100000000000000FF", 16 * MIB, 255),
        ("000000010000000100000000", 16 * MIB, 256),
        ("000000010000000000000FFF", MIB, 4095),
        ("000000010000000100000000", MIB, 4096),
        ("000000010000000100000000", 64 * MIB, 64),
        ("0000000A0000000200000003", 1024 * MIB, 11),
    ],
)
def test_a_name_has_a_number(name: str, size: int, number: int) -> None:
    segment = wal.parse(name, size)
    assert segment == Segment(int(name[:8], 16), number)
    assert wal.name(segment, size) == name


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("", 16 * MIB),
        ("00000001000000000000001", 16 * MIB),
        ("0000000100000000000000010", 16 * MIB),
        ("00000001000000000000000g", 16 * MIB),
        ("00000001000000000000000a", 16 * MIB),
        ("000000010000000000000001\n", 16 * MIB),
        ("000000010000000000000001.partial", 16 * MIB),
        ("00000002.history", 16 * MIB),
        ("000000010000000000000100", 16 * MIB),
        ("000000010000000000000040", 64 * MIB),
        ("000000010000000000000001", 0),
        ("000000010000000000000001", 3 * MIB),
        ("000000010000000000000001", 2048 * MIB),
    ],
)
def test_another_name_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"WAL file"):
        wal.parse(name, size)


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**32), sizes)
def test_a_name_reads_back(timeline: int, number: int, size: int) -> None:
    segment = Segment(timeline, number)
    assert wal.parse(wal.name(segment, size), size) == segment


@given(st.integers(0, 2**30), st.integers(0, 2**30), sizes)
def test_names_are_in_the_order_of_their_numbers(one: int, other: int, size: int) -> None:
    names = wal.name(Segment(1, one), size), wal.name(Segment(1, other), size)
    assert (names[0] < names[1]) == (one < other)
