# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An adoption names the fault of the vendor tree, and not the faults that follow from it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.laravel import steps as laravel_steps
from ansible_collections.ops.runbook.plugins.module_utils.laravel.steps import LaravelSteps
from ansible_collections.ops.runbook.plugins.module_utils.migrations.plan import LEFT_HALF_DONE


@pytest.mark.parametrize(
    ("tracked", "in_git", "live", "said"),
    [
        ({}, False, "", "composer.lock is not in git, so nothing is pinned: going back here will need Composer"),
        (
            {"composer.lock": "{}"},
            False,
            "",
            "vendor/ is not what composer.lock asks for: going back here will need Composer",
        ),
        ({"composer.lock": "{}"}, False, "key", None),
        ({}, True, "", None),
    ],
    ids=["no lock in git", "another tree than the lock asks for", "the tree of the lock", "vendor/ in git"],
)
def test_an_adoption_names_why_going_back_needs_composer(
    tracked: dict[str, str], in_git: bool, live: str, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laravel_steps, "in_git", lambda _service, _commit: in_git)
    monkeypatch.setattr(laravel_steps, "live_key", lambda _service, _php: live)
    checkout = SimpleNamespace(keep=lambda _commit: None, show=lambda _commit, path: tracked.get(path))
    steps: Any = object.__new__(LaravelSteps)
    steps.service = SimpleNamespace(checkout=checkout, vendor=SimpleNamespace(stamp=lambda: "stamped"))
    steps.plan = {"php": "8.4"}
    assert steps.adopt(Step("adopt", "", data={"commit": "c" * 40})) == said


@pytest.mark.parametrize(
    ("wanted", "applied", "transactional", "said"),
    [
        (["one", "two"], None, False, ""),
        ([], ["one"], False, ""),
        (["one", "two"], [], True, ". In the database now: none of them"),
        (["one", "two"], ["one"], False, f". In the database now: one. two {LEFT_HALF_DONE}"),
        (["one", "two"], ["one", "two"], False, ". In the database now: one, two"),
    ],
    ids=["not known", "none were to run", "none ran", "the second one failed", "all ran"],
)
def test_a_failed_run_of_migrations_names_those_that_may_be_half_done(
    wanted: list[str], applied: list[str] | None, transactional: bool, said: str
) -> None:
    steps: Any = object.__new__(LaravelSteps)
    steps.plan = {"transactional": transactional}
    steps._applied = lambda _service: applied
    assert steps._remains(None, wanted) == said
