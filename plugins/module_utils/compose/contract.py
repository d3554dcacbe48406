# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that only plans of Compose have; no program loads this file, see guard/contract.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan


class ComposePlan(Plan, total=False):
    """A plan of Compose, with what its steps and its verification need."""

    project: str  # the name of the project, by which its containers are found
    pin: str  # env or override: which file the digests are written to, as it was when it was planned
    before: Mapping[str, Any]  # the containers before the change, see before.py
    env: Mapping[str, Any]  # of a rotation of secrets: hash, mode and keys of .env; no value
    reminders: Sequence[str]  # of a rotation of secrets: what a person has to do elsewhere
