"""The screen of ansible.cfg, of a rollback and of a refusal."""

from __future__ import annotations

import pytest
from dokku_lab import DokkuLab
from screens import goes_back_once


@pytest.mark.core("rollback", "refusal", "screen")
def test_a_person_sees_a_rollback_and_a_refusal(lab: DokkuLab) -> None:
    lab.reset("apps")
    goes_back_once(lab, "dokku_rollback", migrations="keep")
    assert lab.serves("restant-main") == "1"
