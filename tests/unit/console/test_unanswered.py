# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that gives no answer is named with the cause and what to do, by tables and with Pythons that are too old."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from many_playbooks import environment, playbook

from ansible_collections.ops.runbook.plugins.module_utils.console.unanswered import NEWER, reason, said, understood, why
from ansible_collections.ops.runbook.plugins.module_utils.text import ways

ROOT = Path(__file__).resolve().parents[3]

PYTHONS = {
    "3.8, in our code": {"msg": "Task failed: Module failed: 'ABCMeta' object is not subscriptable"},
    "3.8, in another module": {"msg": "Module failed: 'type' object is not subscriptable"},
    "3.7, by Ansible": {
        "msg": "Task failed: Module failed: ansible-core requires a minimum of Python version 3.8. Current version: 3.7"
    },
    "none": {"msg": "Task failed: The module interpreter '/usr/bin/python3' was not found."},
    "a shim of another": {
        "msg": "Module result deserialization failed: No start of json char found",
        "rc": 127,
        "module_stdout": "",
        "module_stderr": "pyenv: python3.13: command not found",
    },
}
OTHERS = {
    "an answer": {"plan": {}, "msg": ""},
    "a failure of a procedure": {"failed": True, "msg": "Module failed: laravel_path is not a folder"},
    "a quotation": {"msg": "composer: line 3: 'type' object is not subscriptable in your hook"},
    "a refusal": {"refusal": {"code": "x"}, "msg": "The module interpreter 'x' was not found"},
    "what died for another reason": {
        "msg": "died",
        "rc": 1,
        "module_stdout": "",
        "module_stderr": "python3: not found",
    },
}


@pytest.mark.parametrize("result", PYTHONS.values(), ids=PYTHONS)
def test_a_python_that_is_too_old_or_missing_is_refused_with_what_to_do(result: dict[str, Any]) -> None:
    refusal = understood(result)["refusal"]
    assert refusal["code"] == "python_too_old" and not refusal["text"].count("Task failed")
    (way,) = refusal["ways"]
    assert NEWER in way["effect"] and ways.form(way["input"], way["effect"]) == ways.WORDS
    assert NEWER in said(result, "verdict")


@pytest.mark.parametrize("result", OTHERS.values(), ids=OTHERS)
def test_a_message_about_the_procedure_stays_unchanged(result: dict[str, Any]) -> None:
    assert understood(result) == result


LOST = {
    "nobody answers": ("ssh: connect to host 192.0.2.1 port 2222: Connection refused", ["ssh -p 2222 anna@192.0.2.1"]),
    "not let in": (
        "anna@192.0.2.1: Permission denied (publickey).",
        ["ssh -p 2222 anna@192.0.2.1", "ssh-add", "ansible_user"],
    ),
}


@pytest.mark.parametrize(("text", "inputs"), LOST.values(), ids=LOST)
def test_a_host_that_is_not_reached_has_a_remedy(text: str, inputs: list[str]) -> None:
    lost = {"unreachable": True, "msg": f"Task failed: Failed to connect to the host via ssh: {text}"}
    found = understood(lost, {"user": "anna", "address": "192.0.2.1", "port": 2222})
    assert found["msg"] == text
    assert [way["input"] for way in found["refusal"]["ways"]] == inputs
    assert all(ways.form(way["input"], way["effect"]) for way in found["refusal"]["ways"])
    assert why(found).startswith(text) and "refusal" not in understood(lost), "nobody knows how it is reached"


def test_a_host_of_the_demo_is_said_to_be_one() -> None:
    lost = {"unreachable": True, "msg": "timed out"}
    demo = {"address": "127.0.0.1", "inventory": "/srv/ops-runbook/inventories/demo"}
    (detail,) = understood(lost, demo)["refusal"]["details"]
    assert "demo's inventory" in detail and "-i <inventory>" in detail
    assert understood(lost, {**demo, "inventory": "/srv/inventory"})["refusal"]["details"] == []


def test_a_word_of_the_operator_in_front_is_left_alone() -> None:
    assert reason({"msg": "Composer: Task failed: x"}) == "Composer: Task failed: x"
    assert reason({}) == ""
    sent = 'Data could not be sent to remote host "192.0.2.1". Make sure this host can be reached over ssh: '
    assert reason({"msg": f"Task failed: {sent}ssh: connect to host"}) == "ssh: connect to host"


# -- with Ansible --------------------------------------------------------------------------------


def old_python() -> str:
    """A Python that our modules do not run on, of those that this machine has."""
    path = shutil.which("python3.8")
    # A version manager has a program of that name also where it has no such Python.
    works = path and subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0
    return str(path) if works else ""


@pytest.mark.parametrize("procedure", ["laravel_rollback", "laravel_status", "health_check"])
@pytest.mark.parametrize("python", ["/nonexistent/python3", "old"])
def test_a_procedure_says_it_once_and_plainly(tmp_path: Path, procedure: str, python: str) -> None:
    if python == "old" and not (python := old_python()):
        pytest.skip("there is no Python 3.8 here")
    (tmp_path / "hosts.yml").write_text(
        "laravel: {hosts: {web1: {ansible_connection: local, laravel_service: shop, laravel_path: /srv/shop,"
        f" laravel_repository: /srv/shop.git, ansible_python_interpreter: {python},"
        " laravel_health: [{name: up, url: 'http://127.0.0.1:1/up'}]}}}\n"
    )
    ran = playbook(
        *("-i", tmp_path / "hosts.yml", f"ops.runbook.{procedure}"),
        env=environment("ops.runbook.operator"),
        cwd=tmp_path,
    )
    text = " ".join((ran.stdout + ran.stderr).split())
    assert ran.returncode != 0 and NEWER in text, text
    assert "Module failed" not in text and "Task failed" not in text and "Traceback" not in text, text
    assert procedure != "laravel_rollback" or "REFUSED on web1 (python_too_old)" in text
