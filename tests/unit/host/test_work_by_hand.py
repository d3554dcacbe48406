# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that somebody makes by hand is seen while it goes on, and a look is not taken for one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host import work_by_hand
from ansible_collections.ops.runbook.plugins.module_utils.host.work_by_hand import Process, under_way

COMPOSE = {"docker compose": ("up", "pull", "build")}
ALL = {**COMPOSE, **work_by_hand.GIT, "composer": ("install",), "artisan": ("migrate",)}

CASES: dict[str, tuple[Process, str]] = {
    "docker compose": (Process(("docker", "compose", "up", "-d"), "/srv/shop"), "docker compose up"),
    "its plugin": (
        Process(("/usr/libexec/docker/cli-plugins/docker-compose", "compose", "pull"), "/srv/shop"),
        "docker compose pull",
    ),
    "with options before the command": (
        Process(("docker", "compose", "-f", "/srv/shop/docker-compose.yml", "up"), "/root"),
        "docker compose up",
    ),
    "in a folder below": (Process(("docker-compose", "build"), "/srv/shop/app"), "docker compose build"),
    "composer": (Process(("php", "/usr/bin/composer.phar", "install"), "/srv/shop"), "composer install"),
    "artisan": (Process(("php", "artisan", "migrate", "--force"), "/srv/shop"), "artisan migrate"),
    "git": (Process(("git", "-C", "/srv/shop", "pull"), ""), "git pull"),
    "a look": (Process(("docker", "compose", "ps"), "/srv/shop"), ""),
    "another look": (Process(("git", "status"), "/srv/shop"), ""),
    "another folder": (Process(("docker", "compose", "up"), "/srv/shop-two"), ""),
    "an editor of a file that is called up": (Process(("vim", "up"), "/srv/shop"), ""),
    "a queue worker": (Process(("php", "artisan", "queue:work"), "/srv/shop"), ""),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_command_that_changes_a_service_is_found(case: tuple[Process, str]) -> None:
    process, command = case
    assert under_way([Process(("sshd",), "/"), process], "/srv/shop", ALL) == command


def test_only_what_is_asked_for_counts() -> None:
    assert under_way([Process(("git", "pull"), "/srv/shop")], "/srv/shop", COMPOSE) == ""
    assert under_way([Process(("git", "pull"), "/srv/shop")], "", ALL) == ""


def test_a_real_process_is_read_and_this_one_is_not(tmp_path: Path) -> None:
    reader = subprocess.Popen(["sh", "-c", "read line", "docker-compose", "up"], stdin=subprocess.PIPE, cwd=tmp_path)
    try:
        # A process has no words yet when it has only just begun.
        while not (found := [one for one in work_by_hand.read() if one.folder == str(tmp_path)]):
            assert reader.poll() is None
        assert [one.argv for one in found] == [("sh", "-c", "read line", "docker-compose", "up")]
        assert under_way(found, str(tmp_path), COMPOSE) == "docker compose up"
    finally:
        reader.kill()
        reader.wait()
