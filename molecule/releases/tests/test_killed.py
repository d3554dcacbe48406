"""A deploy that is killed in the midst of a step, with its controller: one line brings it to either end.

Kills at every step, and of each process by itself: the scenario `faults`.
"""

from __future__ import annotations

import interrupted
import pytest
from lab import Lab


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("resume", marks=pytest.mark.core("resume")),
        pytest.param("undo", marks=pytest.mark.core("undo")),
    ],
)
def test_a_deploy_that_is_killed_ends_as_a_person_says(lab: Lab, way: str) -> None:
    interrupted.ends(lab, way)
