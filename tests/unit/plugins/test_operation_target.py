"""A target without hosts is refused, and what the guard's first play sets for its workers is set by nobody else."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from ansible import context
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.collections import ImmutableDict

from ansible_collections.ops.runbook.plugins.filter.operation_report import FilterModule, operation_target


@pytest.fixture(autouse=True)
def collector() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)
    gc.unfreeze()


def test_a_target_without_hosts_is_refused_by_its_name() -> None:
    with pytest.raises(AnsibleFilterError, match="target is 'laravel9'.*Nothing was contacted"):
        operation_target([], "laravel9")


@pytest.mark.parametrize("option", ["syntax", "listtasks", "listtags", "listhosts"])
def test_a_procedure_of_the_controller_needs_no_hosts(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict({option: True}))
    assert operation_target([], "laravel9") == ["100%"]


def test_only_the_guard_changes_how_often_garbage_is_collected(collector: tuple[int, int, int]) -> None:
    FilterModule().filters()
    assert gc.get_threshold() == collector
    assert operation_target(["laravel1"], "laravel") == ["100%"]
    assert gc.get_threshold() > collector
