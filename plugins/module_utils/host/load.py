# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load of this machine: how much longer than alone a process takes on it."""

from __future__ import annotations

import os
from collections.abc import Callable


def busy(load: Callable[[], tuple[float, float, float]] = os.getloadavg, processors: int = 0) -> float:
    """How much longer than alone a process takes on this machine now: 1 to 4."""
    try:
        return min(max(load()[0] / (processors or os.cpu_count() or 1), 1.0), 4.0)
    except OSError:
        return 1.0
