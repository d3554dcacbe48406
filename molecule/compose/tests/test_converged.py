"""The state after converge: a stack that was taken over, and brought to a release, with a record of both."""

from __future__ import annotations

import pytest
from compose_lab import ComposeLab


@pytest.mark.core("deploy")
def test_release_is_deployed_and_recorded_once(lab: ComposeLab) -> None:
    assert lab.version() == "0.2.0"
    assert lab.runs("good2")
    assert lab.outcomes() == [("adopt", "succeeded"), ("deploy", "succeeded")]
    assert not lab.has_lease()
