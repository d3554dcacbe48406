# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a user."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name

NOBODY_HAS_IT = 2_000_000_123


def test_a_user_is_called_by_name() -> None:
    assert user_name(0) == "root"
    assert user_name() == pwd.getpwuid(os.geteuid()).pw_name


def test_a_number_without_a_name_is_said_as_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert user_name(NOBODY_HAS_IT) == str(NOBODY_HAS_IT)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY_HAS_IT)
    assert user_name() == str(NOBODY_HAS_IT)
