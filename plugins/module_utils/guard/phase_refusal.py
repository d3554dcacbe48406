# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals of a phase: its operation is not open, has lost its lease, or another process is at work. Pure."""

from __future__ import annotations

from ansible_collections.ops.runbook.plugins.module_utils.guard.opening import LONGER
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_RECORD = ("operation_history", "shows its record")
_BECAME = ("operation_history", "shows what became of it")


def folder_missing(operation: str, folder: str) -> Problem:
    """The state folder is not there."""
    text = f"operation {operation} is not open: {folder} is missing"
    return Problem(
        "not_open", text, (("the same command again", "opens a new operation, or says how to make the folder"),)
    )


def journal_gone(operation: str) -> Problem:
    """The journal is not there, or is of another operation."""
    return Problem("not_open", f"operation {operation} has no journal here any more", (_RECORD,))


def not_open(operation: str) -> Problem:
    """An operation that is to be closed is not open."""
    return Problem("not_open", f"operation {operation} is not open here", (_RECORD,))


def lease_lost(operation: str, holder: str) -> Problem:
    """Another operation, or none, has the lease. holder: who has it, or the id of the one that took it."""
    return Problem("lease_lost", f"operation {operation} lost its lease {holder}", (_BECAME,))


def still_running(operation: str) -> Problem:
    """A process of an earlier phase did not end in time."""
    text = f"a process of operation {operation} is still at work on this host"
    return Problem("still_running", text, (LONGER, ("operation_history", "shows if it is at work, or how it ended")))


def without_lease() -> Problem:
    """A process has the lock of the folder, and no lease says whose it is."""
    text = "a process that has no lease works here now: it has just begun, or is about to end"
    return Problem("lease_held", text, (LONGER, ("the same command again", "looks who it is")))
