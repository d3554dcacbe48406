# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of `docker compose` that a person is told to type on the host. Pure."""

from __future__ import annotations

import shlex

from ansible_collections.ops.runbook.plugins.module_utils.compose.options import Options


def line(service: Options, *words: str) -> str:
    """The line for this service, from whatever folder it is typed in."""
    files = list(service.files)
    if files and service.pin == "override" and service.pin_file not in files:
        files.append(service.pin_file)
    argv = [*service.docker, "compose"]
    if service.env_file != ".env":
        argv += ["--env-file", service.env_file]
    if service.project:
        argv += ["-p", service.project]
    for name in files:
        argv += ["-f", name]
    return f"cd {shlex.quote(service.project_dir)} && {shlex.join([*argv, *words])}"
