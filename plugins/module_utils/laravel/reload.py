# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that let servers and workers which keep the code in memory take a new release up.

Octane, Horizon and workers under Supervisor run the code that they loaded at their start. Their reload must come after
the switch, and on every way: a deploy, a rollback, and the way back of both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step

#: Commands that are known to reload or restart a running server.
_RELOADERS = re.compile(
    r"\bartisan\s(?:.*\s)?(?:octane:(?:reload|stop|start)|horizon:terminate|queue:restart|reverb:restart|pulse:restart"
    r"|schedule:interrupt)\b"
    r"|\bsupervisorctl\b.*\b(?:restart|signal|update|reload|start|stop)\b"
    r"|\b(?:systemctl|initctl|rc-service)\b.*\b(?:restart|reload|try-restart|reload-or-restart)\b"
    r"|\bservice\s+\S+\s+(?:restart|reload)\b"
    r"|\bpm2\s+(?:restart|reload)\b|\brr\s+reset\b|\b(?:caddy|frankenphp)\s+reload\b"
)


def is_reloader(command: Sequence[str]) -> bool:
    """True if a command reloads or restarts something that runs."""
    return bool(_RELOADERS.search(" ".join(command)))


def steps(commands: Sequence[Sequence[str]], release: str, verb: str = "reload") -> list[Step]:
    """The commands as steps that come after the switch to a release."""
    return [
        Step(f"{verb}:{index}", " ".join(command), data={"command": list(command), "in": release})
        for index, command in enumerate(commands, start=1)
    ]


def warnings(
    build: Sequence[Sequence[str]], reload: Sequence[Sequence[str]], unit: str, in_releases: bool
) -> list[str]:
    """Warnings about the way in which the new release is loaded."""
    found = [
        f"laravel_extra_commands has `{' '.join(command)}`, which reloads what runs: "
        + (
            "it runs before the switch, and not at all on a rollback"
            if in_releases
            else "it runs before php-fpm reloads"
        )
        + "; move it to laravel_reload_commands"
        for command in build
        if is_reloader(command)
    ]
    if not unit and not reload:
        found.append(
            "nothing is reloaded: laravel_php_fpm_unit and laravel_reload_commands are empty, so a server that keeps "
            "its code in memory (Octane) still serves the present release"
        )
    return found
