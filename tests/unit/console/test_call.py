# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wrong call of a procedure: of each of them, as a person runs it, and what is wrong by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from many_playbooks import run_all

from ansible_collections.ops.runbook.plugins.module_utils.console import call as operator_call
from ansible_collections.ops.runbook.plugins.module_utils.console import own_procedures
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[3]
PROCEDURES = {one.name: one for one in own_procedures.everything(plain_yaml.load)}
#: The exit code of Ansible for wrong options.
REFUSED = 5

# -- what is wrong, by itself ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ansible", "python", "allowed", "said"),
    [
        ("2.19.0", (3, 11), False, ""),
        ("2.21.1rc1", (3, 14), False, ""),
        ("3.0.0", (3, 14), False, ""),
        ("2.18.19", (3, 11), False, "ansible-core 2.18.19 is older than 2.19, and"),
        ("2.19.4", (3, 10), False, "Python 3.10 is older than 3.11, and"),
        ("2.9.27", (2, 7), False, "ansible-core 2.9.27 is older than 2.19 and Python 2.7 is older than 3.11, and"),
        ("2.18.19", (3, 11), True, ""),
    ],
)
def test_a_version_that_nobody_tested_is_refused(
    ansible: str, python: tuple[int, int], allowed: bool, said: str
) -> None:
    found = " ".join(operator_call.version_problems(ansible, python, lambda: allowed))
    assert found.startswith(said) and bool(found) is bool(said)
    assert not found or "-e operation_unsupported_ansible=true" in found


def test_the_lowest_versions_are_those_of_the_package() -> None:
    wanted = f'requires_ansible: ">={".".join(map(str, operator_call.LOWEST_ANSIBLE))}.0,'
    assert wanted in (ROOT / "meta/runtime.yml").read_text()
    python = f'requires-python = ">={".".join(map(str, operator_call.LOWEST_PYTHON))}"'
    assert python in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tags": ["all"], "skip_tags": [], "start_at_task": None, "step": False}, ""),
        ({}, ""),
        ({"tags": ("all", "foo")}, ""),
        ({"tags": ("foo",)}, "--tags foo would leave out"),
        ({"tags": "foo,bar"}, "--tags foo,bar would leave out"),
        ({"tags": ["always"]}, "--tags always would leave out"),
        ({"tags": ["all"], "skip_tags": ("always",)}, "--skip-tags always would leave out"),
        ({"tags": ["all"], "skip_tags": ["molecule-notest,notest,molecule-idempotence-notest"]}, ""),
        ({"tags": ["all"], "skip_tags": ["molecule-notest", "notest", "a"]}, "--skip-tags a would leave out"),
        ({"start_at_task": "x"}, "--start-at-task x would leave out"),
        ({"step": True}, "--step would leave out"),
    ],
)
def test_an_option_that_leaves_out_tasks_is_refused(options: Mapping[str, Any], said: str) -> None:
    found = " ".join(operator_call.part_problems(options, "laravel_rollback"))
    assert found.startswith(said) and bool(found) is bool(said)


@pytest.mark.parametrize(
    ("pattern", "hosts", "limit", "wrong", "said"),
    [
        ("laravel", ["a"], "", [], ""),
        ("nope", [], "", ["nope"], "target is 'nope': the inventory has no such host or group"),
        (["nope"], [], "", ["nope"], "target is 'nope': the inventory has no such host or group"),
        ("a,nope", ["a"], "", ["nope"], "target is 'a,nope': the inventory has no such host or group as 'nope'"),
        ("laravel", [], "b", [], "target is 'laravel': none of its hosts is within --limit b"),
        ("laravel", [], "", [], "target is 'laravel': it has no hosts"),
        ("", [], "", [], "target is empty: -e target=<host or group>"),
    ],
)
def test_a_target_without_hosts_is_refused(
    pattern: Any, hosts: list[str], limit: str, wrong: list[str], said: str
) -> None:
    assert "".join(operator_call.target_problems(pattern, hosts, limit, wrong)) == said


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("laravel", ["laravel"]),
        ("a,b", ["a", "b"]),
        ("a:!b:&c", ["a", "b", "c"]),
        ("a, !b", ["a", "b"]),
        ("web[1:3]", ["web[1:3]"]),
        ("~web(1|2):x", ["~web(1|2):x"]),
        (["a", "b"], ["a", "b"]),
        ("", []),
        (" , ", []),
    ],
)
def test_the_parts_of_a_pattern(pattern: Any, parts: list[str]) -> None:
    assert operator_call.parts(pattern) == parts


# -- each procedure ----------------------------------------------------------------------------------


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """Hosts that nobody can reach, of every system."""
    path = tmp_path / "hosts.json"
    host = {"ansible_host": "127.0.0.1", "ansible_port": 9, "region": "eu", "laravel_paht": "/srv"}
    groups = {group: {"hosts": {"web1": {}}} for group in ("laravel", "compose", "dokku")}
    empty = {"nobody": {"hosts": {}}}
    path.write_text(json.dumps({"all": {"hosts": {"web1": host}, "children": {**groups, **empty}}}))
    return path


#: Wrong calls of a procedure, and what is said of them.
CALLS: dict[str, tuple[list[str], str]] = {
    "no-hosts": (["-e", "target=nobody"], "target is 'nobody': it has no hosts"),
    "tags": (["--tags", "foo"], "--tags foo would leave out parts"),
    "start-at-task": (["--start-at-task", "nope"], "--start-at-task nope would leave out parts"),
    "slip": (["-e", "tp=v1"], "'tp' is not an input of"),
}


def test_no_procedure_is_green_over_a_wrong_call(tmp_path: Path, inventory: Path) -> None:
    """Each procedure with one of the calls, in turn: that all take the same way is shown by their plays."""
    calls = {name: list(CALLS)[place % len(CALLS)] for place, name in enumerate(PROCEDURES)}
    # Its hosts are not an input of the one that works on the controller alone.
    alone = {name: ["-l", "web1"] for name, procedure in PROCEDURES.items() if not procedure.input("target")}
    runs = run_all(
        {
            name: ["-i", str(inventory), f"ops.runbook.{name}", *alone.get(name, CALLS[call][0])]
            for name, call in calls.items()
        },
        tmp_path,
    )
    assert {name: text for name, (code, text) in runs.items() if code != REFUSED} == {}
    for name, (_code, text) in runs.items():
        said = "none of its hosts is within --limit web1" if name in alone else CALLS[calls[name]][1]
        assert said in text and "Nothing was contacted." in text, (name, text)
        assert text.count("[ERROR]") == 1 and "Origin:" not in text and "TASK [" not in text, (name, text)


ONE_EACH = {
    "a guarded one": "laravel_rollback",
    "a look": "laravel_status",
    "one on the controller": "github_protect",
    "a look through a role": "health_check",
}


@pytest.mark.parametrize("callback", ["ansible.builtin.default", "ops.runbook.operator"])
def test_a_refusal_is_one_plain_message_on_every_screen(callback: str, tmp_path: Path, inventory: Path) -> None:
    calls = {
        "laravel_rollback": (["-e", "xyz=1"], "'xyz' is not an input of laravel_rollback.\nIts inputs: target, to, "),
        "laravel_status": (
            ["-e", "dry_run=true"],
            "'dry_run' is not an input of laravel_status: to see",
        ),
        "compose_diagnose": (["-e", "target=web1,wbe2"], "no such host or group as 'wbe2'"),
        "dokku_tune": (["-e", "target="], "target is empty: -e target=<host or group>"),
        "github_protect": (["-e", "reason=login loop"], "'loop' belongs to no input"),
        "laravel_maintenance": (["-e", "lock_wait=abc"], "lock_wait is 'abc'; it must be a number"),
        "laravel_convert": (["-e", "batch=zz"], "batch is 'zz'; it must be a number of hosts"),
        "release_tag": (["-e", "repository=a/b"], "tag is not given: -e tag=<value>."),
    }
    runs = run_all(
        {name: ["-i", str(inventory), f"ops.runbook.{name}", *calls[name][0]] for name in calls},
        tmp_path,
        ANSIBLE_STDOUT_CALLBACK=callback,
    )
    for name, (code, text) in runs.items():
        assert code == REFUSED and calls[name][1] in text, text
        assert text.strip().startswith("[ERROR]: ") and text.strip().endswith("Nothing was contacted."), text
        assert text.count("Nothing was contacted.") == 1 and "<class" not in text, text


def test_settings_of_the_environment_are_options_too(tmp_path: Path, inventory: Path) -> None:
    for setting in ("RUN", "SKIP"):
        (code, text) = run_all(
            {setting: ["-i", str(inventory), "ops.runbook.laravel_status"]},
            tmp_path,
            **{f"ANSIBLE_{setting}_TAGS": "foo"},
        )[setting]
        assert code == REFUSED and "tags foo would leave out parts" in text


def test_a_name_that_is_not_a_slip_passes(tmp_path: Path, inventory: Path) -> None:
    """Variables that the inventory defines, those of Ansible and AWX, and those that somebody named."""
    mine = tmp_path / "mine.yml"
    mine.write_text("acme_region: eu\noperation_extra_vars_allowed: ['acme_*']\n")
    calls = {
        "inventory": ["-e", "region=us"],
        "ansible": ["-e", "ansible_user=deploy", "-e", "ansible_ssh_timeout=1"],
        "awx": ["-e", '{"awx_job_id": 7, "tower_user_name": "eve", "target": "web1"}'],
        "allowed": ["-e", f"@{mine}"],
        "listed": ["-e", "acme_region=eu", "-e", "operation_extra_vars_allowed=acme_region,other"],
        "another role's, that the playbook reads": ["-e", "target=web1"],
    }
    runs = run_all(
        {name: ["-i", str(inventory), "ops.runbook.laravel_status", *calls[name]] for name in calls}, tmp_path
    )
    for code, text in runs.values():
        assert code not in (0, REFUSED) and "TASK [" in text and "is not an input" not in text, text


def test_a_slip_of_the_inventory_is_not_excused_by_itself(tmp_path: Path, inventory: Path) -> None:
    runs = run_all(
        {
            "typed": ["-i", str(inventory), "ops.runbook.laravel_status", "-e", "laravel_paht=/x"],
            "there": ["-i", str(inventory), "ops.runbook.laravel_rollback"],
            "allowed": [
                "-i",
                str(inventory),
                "ops.runbook.laravel_rollback",
                "-e",
                "operation_extra_vars_allowed=laravel_paht",
            ],
        },
        tmp_path,
    )
    assert runs["typed"][0] == REFUSED and "did you mean 'laravel_path'?" in runs["typed"][1]
    for said in (
        "'laravel_paht' (did you mean 'laravel_path'?)",
        "operation_extra_vars_allowed",
        "Nothing was contacted.",
    ):
        assert said in " ".join(runs["there"][1].split())
    assert "laravel_paht" not in runs["allowed"][1].replace("operation_extra_vars_allowed=laravel_paht", "")


@pytest.mark.parametrize("option", ["--syntax-check", "--list-hosts", "--list-tasks", "--list-tags"])
def test_a_call_without_hosts_is_not_refused(option: str, tmp_path: Path, inventory: Path) -> None:
    names = [*ONE_EACH.values()]
    runs = run_all({name: [option, "-i", "localhost,", f"ops.runbook.{name}"] for name in names}, tmp_path)
    assert {code for code, _text in runs.values()} == {0}
