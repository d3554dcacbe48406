# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of `ops-runbook` is set as a run in a checkout is, unless the person has said otherwise."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops_runbook.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[3]
#: Where the inventory and the collection of a checkout are; and the screen, which `ops-runbook` always has.
OF_A_CHECKOUT = {("defaults", "inventory"), ("defaults", "collections_path"), ("defaults", "stdout_callback")}


def test_the_list_is_the_checkouts_own() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "ansible.cfg")
    there = {(section, key): parser[section][key] for section in parser.sections() for key in parser[section]}
    assert {(one.section, one.key): one.value for one in SETTINGS} == {
        place: value for place, value in there.items() if place not in OF_A_CHECKOUT
    }


def found(folder: Path, config: str = "", **environment: str) -> dict[str, str]:
    """The settings as a user without a checkout gets them, with an ansible.cfg of their own."""
    (folder / "ansible.cfg").write_text(config)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    ran = subprocess.run(
        [sys.executable, "-c", "import json; from ops_runbook.settings import settings; print(json.dumps(settings()))"],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def test_ansible_takes_each_of_them(tmp_path: Path) -> None:
    """The variables are those that Ansible reads: each is then known as set by the environment."""
    every = found(tmp_path)
    assert every == {one.variable: one.value for one in SETTINGS}
    assert found(tmp_path, **every) == {}


OWN = {
    "a variable": ("", {"ANSIBLE_FORKS": "3"}, "ANSIBLE_FORKS"),
    "an ansible.cfg": ("[defaults]\ninterpreter_python = auto\n", {}, "ANSIBLE_PYTHON_INTERPRETER"),
    "an option of ssh": ("[ssh_connection]\nssh_args = -4\n", {}, "ANSIBLE_SSH_ARGS"),
    "the other variable": ("", {"ANSIBLE_PIPELINING": "false"}, "ANSIBLE_SSH_PIPELINING"),
}


@pytest.mark.parametrize(("config", "environment", "name"), OWN.values(), ids=OWN)
def test_settings_of_a_person_stay(tmp_path: Path, config: str, environment: dict[str, str], name: str) -> None:
    given = found(tmp_path, config, **environment)
    assert name not in given and len(given) == len(SETTINGS) - 1
