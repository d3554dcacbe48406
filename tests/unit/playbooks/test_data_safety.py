# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two procedures as a person runs them: what they print, and how they end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import many_playbooks
import pytest
import yaml
from many_playbooks import environment

ROOT = Path(__file__).resolve().parents[3]


def run(playbook: str, inventory: Path, *arguments: str, **inputs: Any) -> subprocess.CompletedProcess[str]:
    return many_playbooks.playbook(
        *(ROOT / "playbooks" / playbook, "-i", inventory, "-e", json.dumps(inputs), *arguments), env=environment()
    )


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yml"
    path.write_text("all:\n  hosts: {}\n")
    return path


def test_a_checkout_that_destroys_data_ends_the_run_with_file_and_line(tmp_path: Path, inventory: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "deploy.sh").write_text("git pull\nphp artisan migrate:fresh --force\n")
    done = run("data_safety_check.yml", inventory, path=str(checkout))
    assert done.returncode != 0
    assert "deploy.sh:2 laravel-migrate-fresh — drops every table" in done.stdout
    assert "1 file read: 1 destructive command found" in done.stdout


def test_a_safe_checkout_ends_well_and_says_what_was_read(tmp_path: Path, inventory: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "deploy.sh").write_text("php artisan migrate --force\n")
    done = run("data_safety_check.yml", inventory, "--check", path=str(checkout))
    assert done.returncode == 0 and "changed=0" in done.stdout
    assert "1 file read: no destructive command found" in done.stdout


def test_the_checkout_of_a_target_is_the_one_of_its_inventory(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "deploy.sh").write_text("php artisan migrate --force\n")
    known = f"ansible_connection: local, ansible_python_interpreter: {sys.executable}, laravel_path: {checkout}"
    (tmp_path / "hosts.yml").write_text(f"laravel: {{hosts: {{web1: {{{known}}}}}}}\n")
    done = run("data_safety_check.yml", tmp_path / "hosts.yml", target="laravel")
    assert done.returncode == 0 and "1 file read: no destructive command found" in done.stdout, done.stdout


class Echo(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(500)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Request-Id", "incident-42")
        self.end_headers()
        self.wfile.write(json.dumps({"headers": dict(self.headers), "body": body}).encode())


@pytest.fixture
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/up"
    server.shutdown()
    server.server_close()


def test_an_unhealthy_service_is_shown_with_its_request_id_and_without_its_secrets(tmp_path: Path, echo: str) -> None:
    endpoint = {
        "name": "login",
        "url": echo + "?key=canary-one",
        "method": "POST",
        "headers": {"Authorization": "Bearer canary-two"},
        "body": {"password": "canary-three", "remember": 1},
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    # Port 9 of this machine is closed: a host that cannot be reached.
    hosts = {"web1": local, "web2": {"ansible_host": "127.0.0.1", "ansible_port": 9}}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"laravel": {"hosts": hosts, "vars": {"health_endpoints": [endpoint]}}}))
    done = run("health_check.yml", inventory, "-vvv", "--diff")
    assert done.returncode != 0
    table = [line.split() for line in re.findall(r'^ +"(web[12] .*)",$', done.stdout, re.MULTILINE)]
    assert table[0][:3] == ["web1", "login", "500"] and "incident-42" in table[0]
    assert table[1][:3] == ["web2", "-", "-"] and "NOT" in table[1]
    assert "2 of 2 unhealthy" in done.stdout
    assert "canary" not in done.stdout + done.stderr


def test_a_wrong_input_fails_before_a_host_is_contacted(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    hosts = {"web1": {"ansible_host": "127.0.0.1", "ansible_port": 9}}
    inventory.write_text(yaml.safe_dump({"laravel": {"hosts": hosts}}))
    done = run("health_check.yml", inventory, url="ftp://x", target="web1")
    assert done.returncode != 0
    assert "must be http or https" in done.stdout + done.stderr
    assert "unreachable=0" in done.stdout and "Ask the endpoints" not in done.stdout
