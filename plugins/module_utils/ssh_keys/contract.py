# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that only a rotation of a key has; no program loads this file, see guard/contract.py."""

from __future__ import annotations

from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan, Planned


class KeyPlan(Plan, total=False):
    """The plan of one host, with what its steps need."""

    account: str  # the name of the account whose keys are changed
    runs_commands: bool  # whether the old key runs any command, so that the new one can be tried
    comment: str  # of the new key
    expires: str  # YYYYMMDD, the day on which the new key ends; empty without one


class KeyPlanned(Planned, total=False):
    """The result of planning a host, with what the probe needs."""

    old_public: str  # type and blob of the old key
    one_way: bool  # whether an interrupted rotation can only go on
