# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reasons against an operation, each with the inputs that go on."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown


@dataclass(frozen=True)
class Refusal:
    """A reason why an operation does not go on, before anything was changed.

    code: stable, for programs. text: for a person. ways: each way forward as the input to give,
    with what it does. details: lines to read before choosing.
    """

    code: str
    text: str
    ways: tuple[tuple[str, str], ...] = ()
    details: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        return {
            "code": self.code,
            "text": shown(self.text),
            "ways": [{"input": shown(way), "effect": shown(effect)} for way, effect in self.ways],
            "details": [shown(detail) for detail in self.details],
        }


class Refused(Exception):
    """Carries a refusal to where it is shown and recorded."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


def must_pass(refusal: Refusal | None) -> None:
    """Raise Refused where a check found a reason to refuse."""
    if refusal is not None:
        raise Refused(refusal)
