# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a reload of php-fpm waits for requests in flight."""

from __future__ import annotations

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.php_fpm import parse

CONFIGURATIONS = {
    "Debian's default, commented out": ("[global]\npid = /run/x\n;process_control_timeout = 0\n", 0),
    "nothing": ("", 0),
    "seconds": ("[global]\nprocess_control_timeout = 10s\n", 10),
    "a bare number": ("process_control_timeout=10", 10),
    "quoted": ('[global]\nprocess_control_timeout = "10s"', 10),
    "minutes": ("[global]\n  process_control_timeout = 2m ; long\n", 120),
    "zero": ("[global]\nprocess_control_timeout = 0\n", 0),
    "the last one counts": ("[global]\nprocess_control_timeout = 10s\nprocess_control_timeout = 0\n", 0),
    "of a pool it means nothing": ("[global]\n[www]\nprocess_control_timeout = 10s\n", 0),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_parse(name: str) -> None:
    content, seconds = CONFIGURATIONS[name]
    assert parse(content) == seconds
