# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Status of an app of Dokku, as text for a person and as data for a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def dokku_status(results: Any) -> str:
    """One screen of 80 columns."""
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import screen
    from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import joined

    return joined(screen.status_lines(_checked("dokku_status", results)))


def dokku_status_document(results: Any) -> dict[str, Any]:
    """The same for a program."""
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import screen

    return screen.document(_checked("dokku_status_document", results))


def _checked(name: str, results: Any) -> Mapping[str, Any]:
    if not isinstance(results, Mapping):
        raise AnsibleFilterError(f"{name} takes results by host name, not {type(results).__name__}")
    return results


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"dokku_status": dokku_status, "dokku_status_document": dokku_status_document}
