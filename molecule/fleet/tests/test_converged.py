"""What converge left: three deployments that were taken over, and brought to a release, each with a record of both."""

from __future__ import annotations

from lab import Lab


def test_release_is_deployed_and_recorded_once_on_each_host(fleet: list[Lab]) -> None:
    for host in fleet:
        assert host.version() == "1.1.0"
        assert host.outcomes() == [("adopt", "succeeded"), ("deploy", "succeeded")]
        assert not host.has_lease()
    assert len({host.ledger()[-1]["id"] for host in fleet}) == 1
