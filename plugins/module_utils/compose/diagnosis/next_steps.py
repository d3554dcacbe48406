# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The next command for a container that is unhealthy: only one that can help. Pure.

A container that failed by itself fails again when it is started; one that was stopped or removed does not.
"""

from __future__ import annotations

import re
from typing import Protocol

from ansible_collections.ops.runbook.plugins.module_utils.compose.typed_line import Lines

#: How a service that was left behind comes along with the release.
NAME_IT = "name {name} in compose_images, so that the next compose_deploy brings it along"

_PORT_TAKEN = re.compile(r"already (?:allocated|in use)|bind for \S{1,60} failed", re.IGNORECASE)
_PORT = re.compile(r":(\d{1,5})(?::| |\Z)")
_UNKNOWN_REVISION = re.compile(r"Can't locate revision identified by '(\w{1,64})'")

#: Exit codes of what was stopped, not of what failed: in order, by SIGKILL, by SIGTERM.
_STOPPED = (0, 137, 143)


class Container(Protocol):
    """Facts of a container that decide its next step; compose_diagnosis.Seen has them."""

    @property
    def state(self) -> str: ...
    @property
    def exit_code(self) -> int: ...
    @property
    def oom_killed(self) -> bool: ...
    @property
    def error(self) -> str: ...
    @property
    def log(self) -> tuple[str, ...]: ...


def of_container(service: str, seen: Container | None, once: bool, left_behind: bool, lines: Lines) -> str:
    """The next step for a service. seen: its unhealthy container; None without one.

    once: it has one thing to do, and ends. left_behind: its image is of another build than the release's. lines: those
    that a person types on the host.
    """
    start = lines.of("up -d", service)
    if seen is None or (seen.state == "created" and not seen.error):
        return start
    if _PORT_TAKEN.search(seen.error):
        port = _PORT.search(seen.error)
        return f"ss -ltnp{f' sport = :{port.group(1)}' if port else ''} shows what has that port; stop it, then {start}"
    unknown = next((found for line in reversed(seen.log) if (found := _UNKNOWN_REVISION.search(line))), None)
    if unknown:
        if left_behind:
            return NAME_IT.format(name=service)
        return f"compose_deploy with a release whose image has the migration {unknown.group(1)}"
    if seen.oom_killed:
        return f"give {service} more memory in the compose file, or find what fills it: {lines.docker} stats"
    if seen.state == "paused":
        return lines.of("unpause", service)
    if seen.state in ("exited", "dead") and not once and seen.exit_code in _STOPPED and not seen.error:
        return start
    if seen.state in ("exited", "dead", "created"):
        logs = lines.of("logs --tail 50", service)
        return f"{logs}: to start it again changes nothing before its cause is mended"
    return ""
