# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A toy: the line of text in a file."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A toy as the inventory describes it. file: the one that has the line; without it, the line is empty."""

    name: str
    file: str

    def read(self) -> str:
        if not os.path.exists(self.file):
            return ""
        with open(self.file, encoding="utf-8") as handle:
            return handle.read().rstrip("\n")

    def write(self, text: str) -> None:
        with open(self.file, "w", encoding="utf-8") as handle:
            handle.write(f"{text}\n")
