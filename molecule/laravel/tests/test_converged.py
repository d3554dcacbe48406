"""What converge left: a deployment that was taken over, and brought to a release, with a record of both."""

from __future__ import annotations

from lab import Lab


def test_release_is_deployed_and_recorded_once(lab: Lab) -> None:
    assert lab.version() == "1.1.0"
    assert lab.outcomes() == [("adopt", "succeeded"), ("deploy", "succeeded")]
    assert not lab.has_lease()
