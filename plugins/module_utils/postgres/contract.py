# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that only plans of PostgreSQL have; no program loads this file, see guard/contract.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Plan


class PostgresPlan(Plan, total=False):
    """A plan of PostgreSQL, with what its steps and its verification need."""

    # Of pgBackRest: type of the backup, and the time at which the newest one before it ended. Of dumps: their folder,
    # the public key, the rules of how many stay, the databases, and what the manifest says beside the parts.
    backup: Mapping[str, Any]
    drill: Mapping[str, Any]  # what is restored and up to when, what is expected of it, the goals, the first rungs
