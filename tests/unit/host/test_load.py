# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host import load


@pytest.mark.parametrize(("minute", "factor"), [(0.3, 1.0), (2.0, 1.0), (5.0, 2.5), (40.0, 4.0)])
def test_a_busy_machine_has_longer_for_the_same(minute: float, factor: float) -> None:
    assert load.busy(lambda: (minute, 9.0, 9.0), 2) == factor
