# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that only plans of Laravel have; no program loads this file, see guard/contract.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan


class Application(TypedDict):
    """The part of a plan that the application has said of itself."""

    php: str  # the version, such as 8.3.14; the key of a kept vendor tree
    maintenance: bool  # whether it is down, and so has to be after the change; health.verify
    maintenance_driver: str  # file or cache: where the framework keeps that it is down


class LaravelPlan(Plan, total=False):
    """A plan of Laravel, with what its steps and its verification need."""

    strategy: str  # in_place or releases, as the service was when it was planned
    php: str  # as Application has it
    maintenance: bool  # as Application has it; of the procedure `maintenance`, whether it goes down
    maintenance_driver: str  # as Application has it
    vendor: str  # made, git, same, kept or composer: where the target's vendor tree comes from; release.also
    transactional: bool  # a failed migration leaves nothing behind
    local_changes: Sequence[str]  # lines of `git status` that are discarded, and saved first; release.also
