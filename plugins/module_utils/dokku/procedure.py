# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a procedure on an app of Dokku is given; dokku_operation says what it offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard


@dataclass(frozen=True)
class Context:
    """One phase of one operation.

    inputs: what the operator asked for, by name; only while it is planned. secrets: values that may stand nowhere.
    """

    service: DokkuService
    guard: Guard
    inputs: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    check_mode: bool = False
