# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A text that a person gives to a procedure is never evaluated, in whatever way it is given."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from many_playbooks import run_all

from ansible_collections.ops.runbook.plugins.module_utils.console import procedures
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from ops_runbook.run import as_text

ROOT = Path(__file__).resolve().parents[3]
FOUND = {one.name: one for one in procedures.read(ROOT, plain_yaml.load)}
#: AWX itself is asked with no input at all.
NAMES = [name for name in FOUND if FOUND[name].inputs]
HOST = {
    "ansible_connection": "local",
    "ansible_python_interpreter": sys.executable,
    "laravel_service": "shop",
    "laravel_path": "/nonexistent/shop",
    "compose_service": "shop",
    "compose_project_dir": "/nonexistent/shop",
    "dokku_app": "shop",
    "ssh_key_account": "nobody",
}
#: Signs that an expression was evaluated, or that somebody tried to.
EVALUATED = ("Syntax error in template", "division by zero", "ZeroDivisionError", "Error while resolving")


def plain(inputs: dict[str, str], folder: Path) -> list[str]:
    """`ansible-playbook -e name=value`"""
    return [part for name, value in inputs.items() for part in ("-e", f"{name}={shlex.quote(value)}")]


def by_file(inputs: dict[str, str], folder: Path) -> list[str]:
    """`ansible-playbook -e @inputs.json`, and what ansible-runner makes of its extravars"""
    path = folder / "inputs.json"
    path.write_text(json.dumps(inputs))
    return ["-e", f"@{path}"]


def by_command(inputs: dict[str, str], folder: Path) -> list[str]:
    """`ops-runbook run`"""
    path = folder / "inputs.json"
    path.write_text(as_text(inputs))
    return ["-e", f"@{path}"]


def by_awx(inputs: dict[str, str], folder: Path) -> list[str]:
    """Answers of a survey, which AWX writes into a file as `!unsafe`"""
    path = folder / "inputs.yml"
    path.write_text("".join(f"{name}: !unsafe {json.dumps(value)}\n" for name, value in inputs.items()))
    return ["-e", f"@{path}"]


WAYS: list[Callable[[dict[str, str], Path], list[str]]] = [plain, by_file, by_command, by_awx]


def said_by(jobs: dict[str, list[str]], folder: Path) -> dict[str, str]:
    """The text of each of the runs, by its name."""
    return {name: text for name, (_code, text) in run_all(jobs, folder).items()}


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.json"
    host = {**HOST, "operation_state_dir": str(tmp_path / "state")}
    groups = {group: {"hosts": {"here": {}}} for group in ("laravel", "compose", "dokku")}
    path.write_text(json.dumps({"all": {"hosts": {"here": host, "localhost": host}, "children": groups}}))
    return path


def touching(folder: Path, name: str) -> str:
    return f'INC-7 {{{{ lookup("ansible.builtin.pipe", "touch {folder}/{name}; echo hello") }}}}'


def free(one: procedures.Input) -> bool:
    """True if an input takes any text; of the others a text like this one is refused before a host is contacted."""
    return one.type in ("str", "path", "raw") and not one.choices and one.name not in ("target", "batch")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_input_of_any_procedure_is_evaluated(
    way: Callable[[dict[str, str], Path], list[str]], tmp_path: Path, inventory: Path
) -> None:
    """The name of a file that is there afterwards says which input of which procedure ran it."""
    ran = tmp_path / "ran"
    ran.mkdir()
    jobs = {}
    # A way ends before a playbook begins: one procedure of each system shows it. The first two ways, by which a text
    # may be a template, have the others in turn.
    names = {*{FOUND[name].role: name for name in NAMES}.values()}
    if way in (plain, by_file):
        names |= {*NAMES[WAYS.index(way) :: 2]}
    for name in sorted(names):
        own = tmp_path / name
        own.mkdir()
        # A target of this kind has no hosts, and nothing else would be looked at.
        texts = {one.name: touching(ran, f"{name}-{one.name}") for one in FOUND[name].inputs if free(one)}
        needed = {one.name: str(one.choices[-1]) for one in FOUND[name].inputs if one.required and one.choices}
        target = {"target": "here"} if FOUND[name].input("target") else {}
        typed = way({**texts, **needed, **target}, own)
        jobs[name] = ["--check", "-i", str(inventory), str(ROOT / f"playbooks/{name}.yml"), *typed]
    said = said_by(jobs, tmp_path)
    assert sorted(path.name for path in ran.iterdir()) == []
    assert {name: text for name, text in said.items() if any(sign in text for sign in EVALUATED)} == {}
    # Each came as far as to the work on its host.
    assert [name for name, text in said.items() if "TASK [" not in text] == []


@pytest.mark.parametrize("way", [plain, by_file], ids=lambda way: way.__name__)
def test_a_value_that_is_refused_is_not_evaluated(
    way: Callable[[dict[str, str], Path], list[str]], tmp_path: Path, inventory: Path
) -> None:
    """One input of each kind that takes no such text, and a name that is not an input."""
    ran = tmp_path / "ran"
    ran.mkdir()
    kinds = {
        (one.type, bool(one.choices)): (name, one.name)
        for name in NAMES
        for one in FOUND[name].inputs
        if not free(one) and one.name not in ("target", "batch")
    }
    jobs = {}
    for name, one in [*kinds.values(), ("laravel_rollback", "too"), ("laravel_rollback", "acme")]:
        own = tmp_path / f"{name}-{one}"
        own.mkdir()
        playbook = str(ROOT / f"playbooks/{name}.yml")
        jobs[own.name] = ["--check", "-i", str(inventory), playbook, *way({one: touching(ran, own.name)}, own)]
    said = said_by(jobs, tmp_path)
    assert [path.name for path in ran.iterdir()] == []
    assert len(said) > 5 and [name for name, text in said.items() if "Nothing was contacted." not in text] == []


@pytest.mark.parametrize("way", [plain, by_file], ids=lambda way: way.__name__)
def test_neither_the_target_nor_the_batches_are_evaluated(
    way: Callable[[dict[str, str], Path], list[str]], tmp_path: Path, inventory: Path
) -> None:
    ran = tmp_path / "ran"
    ran.mkdir()
    playbooks = [str(ROOT / f"playbooks/{name}.yml") for name in NAMES]
    for name in ("target", "batch"):
        (tmp_path / name).mkdir()
    target = way({"target": touching(ran, "target")}, tmp_path / "target")
    batch = way({"batch": touching(ran, "batch"), "target": "here"}, tmp_path / "batch")
    said = said_by(
        {
            "target": ["--list-hosts", "-i", str(inventory), *playbooks, *target],
            "guarded": ["--check", "-i", str(inventory), str(ROOT / "playbooks/laravel_rollback.yml"), *target],
            "batch": ["--list-hosts", "-i", str(inventory), str(ROOT / "playbooks/laravel_deploy.yml"), *batch],
        },
        tmp_path,
    )
    assert [path.name for path in ran.iterdir()] == []
    assert said["target"].count("playbook: ") == len(playbooks)
    assert "INC-7 {{ lookup(" in said["guarded"]
    assert "INC-7 {{ lookup(" in said["batch"]


def test_braces_in_a_reason_and_in_a_release_stay_as_they_were_typed(tmp_path: Path, inventory: Path) -> None:
    """Blade writes a variable so; a message of an error is pasted into a reason."""
    said = said_by(
        {
            way.__name__: [
                *("--check", "-i", str(inventory), str(ROOT / "playbooks/laravel_rollback.yml")),
                *way({"reason": "INC-7 mails show {{ $user->name }} raw", "to": "{{ 1/0 }} {# not that #}"}, tmp_path),
            ]
            for way in (plain, by_file)
        },
        tmp_path,
    )
    for text in said.values():
        assert "no folder /nonexistent/shop" in text
        assert not any(sign in text for sign in EVALUATED)
