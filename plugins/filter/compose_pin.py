# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def compose_pin(text: Any, references: Any) -> str:
    """Pin images in the text of a compose file."""
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import text as pins

    if not isinstance(text, str):
        raise AnsibleFilterError(f"compose_pin takes the text of a compose file, not {type(text).__name__}")
    if not isinstance(references, Mapping) or not all(isinstance(value, str) for value in references.values()):
        raise AnsibleFilterError("compose_pin takes references by service: {'backend': 'registry/name:tag'}")
    try:
        return pins.pin(text, {str(service): str(reference) for service, reference in references.items()})
    except pins.CannotPin as error:
        raise AnsibleFilterError(f"compose_pin: {error.line()}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"compose_pin": compose_pin}
