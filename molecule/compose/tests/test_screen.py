"""The screen of ansible.cfg, of a rollback and of a refusal."""

from __future__ import annotations

import pytest
from compose_lab import ComposeLab
from screens import goes_back_once


@pytest.mark.core("rollback", "refusal", "screen")
def test_a_person_sees_a_rollback_and_a_refusal(lab: ComposeLab) -> None:
    lab.at("good", "good2")
    goes_back_once(lab, "compose_rollback")
