# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A text from outside, made fit for a screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def shown(value: Any) -> str:
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined([str(value)])


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"shown": shown}
