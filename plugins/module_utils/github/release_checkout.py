# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that a release may be tagged from a checkout: clean, and on a branch of releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Checkout

#: Files that an error names.
SHOWN = 5


@dataclass(frozen=True)
class CheckoutState:
    """branch: empty where a commit is checked out and no branch. changes: lines of git status, untracked ones too."""

    commit: str
    branch: str
    changes: tuple[str, ...] = ()


def read(checkout: Checkout) -> CheckoutState:
    """How it is. Raises Problem, CommandFailed."""
    commit = checkout.head()
    branch = checkout.run("symbolic-ref", "--quiet", "--short", "HEAD", check=False).stdout.strip()
    status = checkout.run("status", "--porcelain=v1", "--untracked-files=normal", "-z").stdout
    return CheckoutState(commit, branch, tuple(entry for entry in status.split("\0") if entry))


def problems(state: CheckoutState, branches: Sequence[str]) -> tuple[str, ...]:
    """Reasons against a release from it. Pure."""
    found = []
    if state.changes:
        more = len(state.changes) - SHOWN
        listed = ", ".join(entry[3:] for entry in state.changes[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        found.append(f"it is not clean: {listed}")
    if not state.branch:
        found.append(f"it is at {state.commit[:12]} and on no branch")
    elif not any(fnmatchcase(state.branch, pattern) for pattern in branches):
        found.append(f"it is on {state.branch}, and releases are tagged on {', '.join(branches)}")
    return tuple(found)
