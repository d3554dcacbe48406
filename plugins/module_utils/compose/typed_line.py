# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of `docker compose` that a person is told to type on the host. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.compose.options import Options


@dataclass(frozen=True)
class Lines:
    """How a line about one service begins that a person types on the host.

    compose: up to the command of Compose, such as `cd /srv/shop && docker compose -f prod.yml`. docker: the command of
    Docker, such as `sudo docker`.
    """

    compose: str
    docker: str

    def of(self, command: str, service: str) -> str:
        """The line with a command of Compose, such as `up -d`, for one service of the compose files."""
        return f"{self.compose} {command} {shlex.quote(service)}"


def lines(service: Options) -> Lines:
    return Lines(line(service), shlex.join(service.docker))


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
