# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's checks, on this machine and on a host; each fault has a remedy that can be typed."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.ops.runbook.plugins.module_utils.host import prerequisites
from ops_runbook import known
from ops_runbook.doctor import SKEW, ask, described, every, here, inventory, of_host, of_hosts, versions

ROOT = Path(__file__).resolve().parents[3]


def script(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


# -- on a host -----------------------------------------------------------------------------------

VERSIONS = {
    "git": ("echo git version 2.39.5", "2.39.5"),
    "composer": ("echo Composer version 2.8.8 2025-04-04 >&2", "2.8.8"),
    "one that prints none": ("echo hello", "?"),
    "one that fails": ("echo 1.2.3; exit 1", None),
}


@pytest.mark.parametrize("name", VERSIONS)
def test_a_version_is_read(tmp_path: Path, name: str) -> None:
    text, expected = VERSIONS[name]
    assert prerequisites.version([script(tmp_path, "tool", text), "--version"]) == expected


def test_a_missing_tool_has_no_version(tmp_path: Path) -> None:
    assert prerequisites.version([str(tmp_path / "none"), "--version"]) is None


def test_a_tool_that_hangs_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "TIMEOUT", 0.2)
    assert prerequisites.version([script(tmp_path, "tool", "exec sleep infinity"), "--version"]) is None


def test_the_state_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    there, missing = str(tmp_path), str(tmp_path / "vertex")
    assert prerequisites.state_folder(there) == {"path": there, "present": True, "usable": True}
    assert prerequisites.state_folder(missing) == {"path": missing, "present": False, "usable": True}
    assert prerequisites.state_folder(str(tmp_path / "a/b"))["usable"] is False
    assert list(tmp_path.iterdir()) == []


def test_sudo_is_asked_and_the_command_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    script(tmp_path, "sudo", f'printf "%s\\n" "$*" >> {tmp_path}/asked; [ "$5" = reload ]')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert prerequisites.allowed(["systemctl", "reload", "php"]) is True
    assert prerequisites.allowed(["systemctl", "stop", "php"]) is False
    assert (tmp_path / "asked").read_text().splitlines()[0] == "-n -l -- systemctl reload php"


@pytest.mark.parametrize(("mask", "hides"), [(0o077, True), (0o027, True), (0o022, False), (0o002, False)])
def test_the_umask_of_the_login_is_looked_at(tmp_path: Path, mask: int, hides: bool) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(mask)
    try:
        found = prerequisites.look("", [], [], str(tmp_path))["umask"]
    finally:
        os.umask(before)
    assert found == {"mask": f"{mask:03o}", "hides": hides}
    findings = of_host("web1", answer(umask=found), 1000.0, 1000.1, "laravel")
    said = next(finding for finding in findings if finding.what == "umask")
    assert ("by hand" in said.seen) is hides
    assert prerequisites.look("", [], [], str(tmp_path / "none"))["umask"] is None


def test_a_right_may_be_that_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(getpass, "getuser", lambda: "deploy")
    script(tmp_path, "sudo", '[ "$*" = "-n -l --user=dokku -- /usr/bin/dokku" ]')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert prerequisites.allowed(["-u", "dokku", "/usr/bin/dokku"]) is True
    assert prerequisites.allowed(["-u", "root", "/usr/bin/dokku"]) is False
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    assert prerequisites.allowed(["-u", "root", "/usr/bin/dokku"]) is True, "whoever connects as that user"


SERVICES: dict[str, tuple[dict[str, str], list[list[str]], list[list[str]]]] = {
    "Laravel": (
        {"laravel_service": "x", "laravel_php_fpm_unit": "php8.3-fpm"},
        [["git", "--version"], ["php", "--version"], ["composer", "--version"]],
        [["/usr/bin/systemctl", "reload", "php8.3-fpm.service"]],
    ),
    "Laravel without php-fpm": (
        {"laravel_service": "x", "laravel_php": "php8.3 -d a=b"},
        [["git", "--version"], ["php8.3", "--version"], ["composer", "--version"]],
        [],
    ),
    "Compose": (
        {"compose_service": "x", "compose_docker": "/opt/docker"},
        [["/opt/docker", "version"], ["/opt/docker", "compose", "version"]],
        [],
    ),
    "Dokku": ({"dokku_app": "x"}, [], [["-u", "dokku", "/usr/bin/dokku"]]),
    "Dokku with backups": (
        {"dokku_app": "x", "dokku_command": "/opt/dokku", "dokku_backup_dir": "/srv/backup"},
        [],
        [["-u", "dokku", "/opt/dokku"], ["/usr/local/sbin/dokku-parts"]],
    ),
}


def templated(templar: Templar, value: Any) -> Any:
    if isinstance(value, list):
        return [templated(templar, one) for one in value]
    return templar.template(trust_as_template(value))


@pytest.mark.parametrize("name", SERVICES)
def test_a_host_is_asked_for_what_its_services_need(name: str) -> None:
    variables, tools, rights = SERVICES[name]
    (role,) = described({"_meta": {"hostvars": {"web1": variables}}})
    defaults = yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text())
    host = {"inventory_hostname": "web1", "hostvars": {"web1": variables}}
    templar = Templar(DataLoader(), variables={**defaults, **variables, **host})
    (task,) = yaml.safe_load((ROOT / f"roles/{role}/tasks/doctor.yml").read_text())
    asked = task["ops.runbook.host_check_info"]
    assert [templated(templar, one) for one in asked.get("tools", [])] == tools
    assert templated(templar, asked.get("rights", [])) == rights
    assert asked["state_dir"] == "{{ operation_state_dir }}"


def test_the_page_of_the_rights_has_what_a_host_is_asked_for() -> None:
    page = (ROOT / "docs/reference/sudo.md").read_text()
    assert "`deploy ALL=(root) NOPASSWD: /usr/bin/systemctl reload php8.3-fpm.service`" in page
    assert "`deploy ALL=(dokku) NOPASSWD: /usr/bin/dokku`" in page
    assert "`deploy ALL=(root) NOPASSWD: /usr/local/sbin/dokku-parts`" in page


def test_a_look_names_two_tools_of_one_command(tmp_path: Path) -> None:
    docker = script(tmp_path, "docker", '[ "$1" = compose ] && echo 2.26.1 || echo 26.1.5')
    found = prerequisites.look("", [[docker, "--version"], [docker, "compose", "version"]], [])
    assert found["tools"] == {docker: "26.1.5", f"{docker} compose": "2.26.1"}
    assert found["state_dir"] is None


# -- what is said of it --------------------------------------------------------------------------


def answer(**more: Any) -> dict[str, Any]:
    return {
        "user": "deploy",
        "python": "3.13.5",
        "time": 1000.0,
        "state_dir": {"path": "/var/lib/ops-runbook/vertex", "present": True, "usable": True},
        "tools": {"git": "2.47.3"},
        "rights": [{"command": ["/usr/bin/systemctl", "reload", "php8.4-fpm.service"], "allowed": True}],
        **more,
    }


#: The answer of a host, what is bad, and words of its remedy; the role is that of Laravel unless another is named.
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an old python": ({"python": "3.8.10"}, "python", "ansible_python_interpreter"),
    "a clock that is ahead": ({"time": 1001.0 + SKEW + 1}, "clock", "timedatectl"),
    "a clock that is behind": ({"time": 999.0 - SKEW - 1}, "clock", "timedatectl"),
    "no state folder": (
        {"state_dir": {"path": "/var/lib/ops-runbook/vertex", "present": False, "usable": False}},
        "state folder",
        "sudo install -d -o deploy -m 0700 /var/lib/ops-runbook",
    ),
    "an engine that may not be asked": ({"tools": {"docker": None}}, "docker", "usermod -aG docker deploy"),
    "no right to call dokku": (
        {"rights": [{"command": ["-u", "dokku", "/usr/bin/dokku"], "allowed": False}]},
        "sudo",
        "deploy ALL=(dokku) NOPASSWD: /usr/bin/dokku",
    ),
    "a tool that is missing": ({"tools": {"composer": None}}, "composer", "laravel_composer"),
    "no right": (
        {"rights": [{"command": ["/usr/bin/systemctl", "reload", "php8.4-fpm.service"], "allowed": False}]},
        "sudo",
        "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl reload php8.4-fpm.service",
    ),
}


def test_a_host_that_has_everything_is_well() -> None:
    assert [finding.what for finding in of_host("web1", answer(), 999.0, 1001.0, "laravel") if not finding.ok] == []


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_with_what_to_do(name: str) -> None:
    more, what, remedy = FAULTS[name]
    role = "compose" if what == "docker" else "laravel"
    (bad,) = [finding for finding in of_host("web1", answer(**more), 999.0, 1001.0, role) if not finding.ok]
    assert (bad.where, bad.what) == ("web1", what)
    assert remedy in bad.remedy


def event(kind: str, host: str, **result: Any) -> dict[str, Any]:
    return {"event": kind, "created": "2026-11-21T03:15:02+00:00", "event_data": {"host": host, "res": result}}


def test_a_host_that_does_not_answer_is_named() -> None:
    events = [event("runner_on_start", "web1"), event("runner_on_unreachable", "web1", msg="Task failed: timed out")]
    found = list(of_hosts(["web1", "web2"], events))
    assert [(finding.where, finding.ok, finding.seen) for finding in found] == [
        ("web1", False, "timed out"),
        ("web2", False, "it did not answer"),
    ]


@pytest.mark.parametrize(
    ("version", "ok"), [("2.19.0", True), ("2.21.4", True), ("2.18.9", False), ("2.22.0", False), ("2.20.0rc1", True)]
)
def test_the_supported_versions(version: str, ok: bool) -> None:
    assert versions(version, ">=2.19.0,<2.22", "ansible-core", "x").ok is ok


def test_this_machine_is_well() -> None:
    assert [finding for finding in here(known.collection()) if not finding.ok and finding.what != "ssh agent"] == []


def test_a_host_of_two_systems_is_looked_at_for_both(tmp_path: Path) -> None:
    known = "ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'"
    known += f", laravel_service: shop, compose_service: stack, compose_docker: {tmp_path}/docker"
    (tmp_path / "hosts.yml").write_text(f"all: {{hosts: {{here: {{{known}}}}}}}\n")
    hosts, _found = inventory([str(tmp_path / "hosts.yml")])
    assert hosts == {"compose": ["here"], "laravel": ["here"]}
    found = list(of_hosts(every(hosts), ask(hosts, [str(tmp_path / "hosts.yml")])[0]))
    folders = [one.seen.split()[0] for one in found if one.what == "state folder"]
    assert folders == ["/var/lib/ops-runbook/stack", "/var/lib/ops-runbook/shop"]
    (engine,) = [one for one in found if one.what == f"{tmp_path}/docker"]
    assert not engine.ok and "usermod -aG docker" in engine.remedy
    assert {"git", "php"} <= {one.what for one in found}


def test_hosts_of_one_system_are_asked_although_those_of_another_are_lost(tmp_path: Path) -> None:
    lost = "ansible_host: 127.0.0.1, ansible_port: 9, compose_service: a, laravel_service: b"
    here = "ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}', dokku_app: c"
    (tmp_path / "hosts.yml").write_text(f"all: {{hosts: {{lost: {{{lost}}}, here: {{{here}}}}}}}\n")
    inventories = [str(tmp_path / "hosts.yml")]
    hosts, _found = inventory(inventories)
    found = {*of_hosts(every(hosts), *ask(hosts, inventories), inventories)}
    assert {(one.where, one.ok) for one in found if one.what == "reachable"} == {("lost", False), ("here", True)}
    assert len([one for one in found if one.where == "lost"]) == 1


def test_hosts_without_a_service_are_not_asked() -> None:
    listed = {"_meta": {"hostvars": {"web1": {"laravel_service": "vertex"}, "db1": {}, "app1": {"dokku_app": "x"}}}}
    assert described(listed) == {"dokku": ["app1"], "laravel": ["web1"]}
    assert every({"dokku": ["app1", "web1"], "laravel": ["web1"]}) == ["app1", "web1"]


def test_every_system_with_a_service_of_the_inventory_is_looked_at() -> None:
    roles = {one.role for one in known.procedures().values() if one.service}
    assert roles >= {"laravel", "compose", "dokku"}
    assert [role for role in roles if not (ROOT / f"roles/{role}/tasks/doctor.yml").is_file()] == []


def test_a_tool_that_failed_is_not_a_host_that_did_not_answer() -> None:
    events = [{"event": "verbose", "stdout": "[ERROR]: the playbook or the inventory can't be read"}]
    (found,) = of_hosts(["web1", "web2"], events, 4, ["hosts.yml"])
    assert (found.where, found.what, found.ok) == ("here", "ansible", False)
    assert "can't be read" in found.seen and "-i hosts.yml" in found.remedy


def test_a_relative_inventory_is_found_from_the_folder_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = "ansible_connection: local, laravel_service: x, ansible_python_interpreter: '{{ ansible_playbook_python }}'"
    (tmp_path / "hosts.yml").write_text(f"all: {{hosts: {{here: {{{known}}}}}}}\n")
    hosts, found = inventory(["hosts.yml"])
    assert hosts == {"laravel": ["here"]} and found.ok
    events, _ = ask(hosts, ["hosts.yml"])
    assert [one["event"] for one in events if one["event"].startswith("runner_on_")][-1] == "runner_on_ok"
    (reached, *more) = of_hosts(every(hosts), events)
    assert reached.ok, reached
    assert "/var/lib/ops-runbook/x" in {one.what: one.seen for one in more}["state folder"]
    assert {"git", "php", "composer", "umask"} - {one.what for one in more} == {"umask"}


@pytest.mark.parametrize("way", ["environment", "ansible.cfg"])
def test_the_inventory_is_named_by_who_named_it(tmp_path: Path, way: str) -> None:
    own, config = tmp_path / "own.yml", tmp_path / "ansible.cfg"
    config.write_text(f"[defaults]\ninventory = {own}\n" if way == "ansible.cfg" else "")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    named = {"ANSIBLE_INVENTORY": str(own)} if way == "environment" else {}
    ran = subprocess.run(
        [sys.executable, "-c", "from ops_runbook.doctor import unnamed; print(unnamed())"],
        cwd=tmp_path,
        env={**kept, **named, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    by = "ANSIBLE_INVENTORY" if way == "environment" else str(config)
    assert ran.stdout.strip() == f"{own}, named by {by}", ran.stderr
