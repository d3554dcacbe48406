# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that AWX should hold, from the settings of a site and the procedures that are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError


def awx_state(settings: Any) -> dict[str, Any]:
    if not isinstance(settings, Mapping):
        raise AnsibleFilterError(f"this filter takes settings by name, not {type(settings).__name__}")
    # Ansible compiles every filter of a collection anew to find one of them: what it needs is loaded by its call.
    import yaml

    from ansible_collections.ops.runbook.plugins.module_utils.awx import schedule, survey
    from ansible_collections.ops.runbook.plugins.module_utils.awx import state as awx_state
    from ansible_collections.ops.runbook.plugins.module_utils.console import procedures, systems

    try:
        # The link in a checkout leads to folders that lie beside each other as well.
        root = Path(__file__).resolve().parents[2]
        found, described = procedures.read(root, yaml.safe_load), systems.read(root, yaml.safe_load)
        return awx_state.desired(found, described.values(), awx_state.Settings(**settings))
    except TypeError as wrong:
        raise AnsibleFilterError(f"the settings of awx_state don't fit: {wrong}") from wrong
    except (awx_state.StateError, survey.SurveyError, schedule.ScheduleError) as wrong:
        raise AnsibleFilterError(str(wrong)) from wrong


class FilterModule:
    """Filters of the role awx."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_state": awx_state}
