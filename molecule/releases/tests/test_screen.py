"""The screen of ansible.cfg, of a rollback and of a refusal."""

from __future__ import annotations

import pytest
from lab import Lab
from screens import goes_back_once


@pytest.mark.core("rollback", "refusal", "screen")
def test_a_person_sees_a_rollback_and_a_refusal(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    goes_back_once(lab, "laravel_rollback")
