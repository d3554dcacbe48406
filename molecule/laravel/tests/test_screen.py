"""The screen of ansible.cfg, on a real host, of a plan, each end and each look."""

from __future__ import annotations

import pytest
from lab import SOON, Lab
from screens import seen

LOOKS = ("laravel_status", "health_check", "operation_history")


@pytest.mark.core("plan", "rollback", "screen")
def test_a_rollback_from_its_plan_to_its_end(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    plan = seen(lab, "laravel_rollback", "--check")
    assert plan.green and "steps     1. " in plan.text, plan.text
    assert plan.text.count("Nothing was changed: this was a check.") == 1
    run = seen(lab, "laravel_rollback", reason="INC-421")
    assert run.green, run.text
    assert f"{lab.name}: verified" in run.text
    assert [line for line in run.text.splitlines() if line.split()[:2] == [lab.name, "succeeded"]], run.text
    assert "again" not in run.text and "unknown" not in run.text, run.text


@pytest.mark.parametrize("check", [(), ("--check",)])
@pytest.mark.core("refusal", "screen")
def test_a_refusal(lab: Lab, check: tuple[str, ...]) -> None:
    lab.at("v1.0.0")
    run = seen(lab, "laravel_rollback", *check)
    assert not run.green
    assert f"REFUSED on {lab.name} (nothing_before)" in run.text
    assert run.text.count("Nothing was changed") == 1, run.text
    assert len(run.text.splitlines()) <= 10, run.text


def test_a_release_that_goes_back(lab: Lab) -> None:
    lab.at("v1.0.0")
    run = seen(lab, "laravel_deploy", to="v1.4.0", **SOON)
    assert not run.green
    assert f"{lab.name}: not well, went back" in run.text and f"{lab.name}: reverted: health" in run.text, run.text


@pytest.mark.parametrize("procedure", LOOKS)
def test_a_look(lab: Lab, procedure: str) -> None:
    lab.at("v1.0.0")
    run = seen(lab, procedure)
    assert run.green, run.text
    assert len([line for line in run.text.splitlines() if line.strip()]) >= 2, run.text


def test_a_host_that_is_lost_has_a_remedy(lab: Lab) -> None:
    run = seen(lab, "laravel_rollback", ansible_port=9)
    assert not run.green and "ssh -p 9 deploy@127.0.0.1" in run.text, run.text
    look = seen(lab, "laravel_status", ansible_port=9)
    assert not look.green and "type: ssh -p 9 deploy@127.0.0.1" in look.text, look.text
