# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line of `docker compose` that a person is told to type is about the service, from whatever folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose import typed_line
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, Description
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import Engine
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

LINES: dict[str, tuple[dict[str, Any], str]] = {
    "files that Compose finds by itself": ({}, "cd /srv/shop && docker compose ps"),
    "a file of another name": (
        {"files": ("prod.yml",)},
        "cd /srv/shop && docker compose -f prod.yml ps",
    ),
    "pins in a file of their own": (
        {"files": ("prod.yml",), "pin": "override", "pin_file": "pin.yml"},
        "cd /srv/shop && docker compose -f prod.yml -f pin.yml ps",
    ),
    "a pin file that the inventory names too": (
        {"files": ("prod.yml", "pin.yml"), "pin": "override", "pin_file": "pin.yml"},
        "cd /srv/shop && docker compose -f prod.yml -f pin.yml ps",
    ),
    "another project, settings and command": (
        {"project": "shop2", "env_file": "prod.env", "docker": ("sudo", "docker")},
        "cd /srv/shop && sudo docker compose --env-file prod.env -p shop2 ps",
    ),
    "a folder with a blank": ({"project_dir": "/srv/my shop"}, "cd '/srv/my shop' && docker compose ps"),
}


@pytest.mark.parametrize("name", LINES)
def test_the_line_is_about_the_service(name: str) -> None:
    given, line = LINES[name]
    assert (
        typed_line.line(Description(**{"name": "shop", "project_dir": "/srv/shop", "images": {}, **given}), "ps")
        == line
    )


def test_a_line_for_one_service_is_about_that_service() -> None:
    described = Description("shop", "/srv/shop", {}, files=("prod.yml",), docker=("sudo", "docker"))
    found = typed_line.lines(described)
    assert found.of("up -d", "my web") == "cd /srv/shop && sudo docker compose -f prod.yml up -d 'my web'"
    assert found.docker == "sudo docker"


def test_the_way_starts_the_engine_and_does_not_only_look(tmp_path: Path) -> None:
    service = ComposeService(Description("shop", str(tmp_path), {}), str(tmp_path), engine=Engine("unix:///nowhere"))
    with pytest.raises(Problem, match="the Docker engine does not answer") as refused:
        service._must_have_engine()
    assert [what for what, _effect in refused.value.ways] == ["sudo systemctl start docker"]
