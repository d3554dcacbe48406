# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that only plans of Dokku have; no program loads this file, see guard/contract.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan


class DokkuPlan(Plan, total=False):
    """A plan of Dokku, with what its steps and its verification need."""

    emergency: bool  # a rollback that looks at nothing that may hang
    words: Mapping[str, str]  # of a feature app: its name, its app and its domain, for texts of the inventory
    cadence: str  # of a maintenance: daily, weekly or monthly
    before: Mapping[str, Any]  # of a maintenance: what was so before it
    checklist: Sequence[str]  # of a maintenance: what a person looks at
    source: str  # the id of the backup that is read
    backup: Mapping[str, Any]  # the store of the backup and its keys' public half
    making: Mapping[str, Any]  # what a backup is made of, and why
    drill: bool  # of a restore: into scratch services, and nothing of the app is touched
    parts: Sequence[str]  # the titles of the parts that are restored
    stopped: Sequence[str]  # of a restore: the apps that run, which it stops and starts again
    left_to_do: Sequence[str]  # of a rebuild: what a person has to do elsewhere
