"""The seconds of resets are a property of the test that asked for them, also those of a fixture that outlives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite import junit


def test_the_seconds_of_resets_are_a_property_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((Path(__file__).parents[3] / "molecule/conftest.py").read_text())
    pytester.makepyfile(
        """
        import pytest
        from lab import RESETS

        @pytest.fixture(scope="session")
        def host():
            RESETS.append(2.0)

        def test_first(host): RESETS.extend([0.5, 0.5])
        def test_second(host): pass
        """
    )
    path = pytester.path / "results.xml"
    pytester.runpytest(f"--junitxml={path}").assert_outcomes(passed=2)
    assert [case.reset for case in junit.read(path).cases] == [3.0, 0.0]
