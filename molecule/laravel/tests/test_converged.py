"""The state after converge: a deployment that was taken over, and brought to a release, with a record of both."""

from __future__ import annotations

import pytest


@pytest.mark.core("deploy")
def test_release_is_deployed_and_recorded_once(converged: tuple[str, list[tuple[str, str]], bool]) -> None:
    assert converged == ("1.1.0", [("adopt", "succeeded"), ("deploy", "succeeded")], False)
