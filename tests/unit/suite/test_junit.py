"""Files of results: what is read from them, and that one that is not whole is never taken for a green one."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite import junit
from suite.junit import Case

WHOLE = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="7.5"
 timestamp="2026-11-30T12:00:00+00:00">
<testcase classname="a.test_b" name="test_good" time="2.5"><properties>
<property name="reset_seconds" value="1.25" /></properties></testcase>
<testcase classname="a.test_b" name="test_bad" time="1.0"><failure message="no">x = 1
&gt;   assert 1 == 2
E   assert 1 == 2
</failure></testcase>
<testcase classname="a.test_b" name="test_bad" time="0.5"><error message="late">E   ValueError: late</error></testcase>
<testcase classname="a.test_b" name="test_not" time="0"><skipped message="no engine" /></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "results.xml"
    found.write_text(WHOLE)
    return found


def test_a_file_is_read(path: Path) -> None:
    report = junit.read(path)
    assert report.cases == (
        Case("a.test_b::test_good", "passed", 2.5, 1.25),
        # It failed, and so did its end.
        Case("a.test_b::test_bad", "failed", 1.5, 0.0, ("E   assert 1 == 2", "E   ValueError: late")),
        Case("a.test_b::test_not", "skipped", 0.0),
    )
    assert (report.seconds, report.reset, report.began) == (7.5, 1.25, 1796040000.0)
    assert [report.count(outcome) for outcome in ("passed", "failed", "skipped")] == [1, 1, 1]
    assert [case.name for case in junit.slowest(report.cases, 1)] == ["a.test_b::test_good"]


SPOILED = {
    "it is missing": None,
    "it is empty": "",
    "it was cut off": WHOLE[: len(WHOLE) // 2],
    "tests are missing in it": WHOLE.replace('tests="4"', 'tests="5"'),
    "no test is in it": '<testsuites><testsuite tests="0" timestamp="2026-11-30T12:00:00" /></testsuites>',
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_file_that_is_not_whole_is_not_read(tmp_path: Path, name: str) -> None:
    path, text = tmp_path / "results.xml", SPOILED[name]
    if text is not None:
        path.write_text(text)
    with pytest.raises(junit.Unreadable, match=str(path)):
        junit.read(path)


def test_a_file_that_is_written_is_read_as_it_was(path: Path, tmp_path: Path) -> None:
    report = junit.read(path)
    again = tmp_path / "new/again.xml"
    junit.write(again, report.cases, report.began, report.seconds)
    assert junit.read(again) == report
