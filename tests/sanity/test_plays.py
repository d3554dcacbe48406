"""Each play says itself what it relies on, and the first of a procedure checks how it was called."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console import own_procedures, procedures
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
GUARD = "operate"
FILES = {path.stem: path for path in sorted(ROOT.glob("playbooks/*.yml"))}
#: Keywords whose default is a setting of ansible.cfg or the environment, and that the roles rely on: leases and screens
#: of all hosts need tasks in lockstep, a host that fails must not end the others, and no task ends in its midst.
PINS = {"strategy": "ansible.builtin.linear", "any_errors_fatal": False, "timeout": 0}
CHECKED = re.compile(r"\{\{ query\('ops\.runbook\.operation_call', ('?)(\w+)\1, hosts=operation_hosts\)\s*\| ")


def plays(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plain_yaml.load(FILES[name].read_text())
    return found


def loose(play: Mapping[str, Any]) -> list[str]:
    """Settings that a play leaves to whoever runs it."""
    pins = [keyword for keyword, value in PINS.items() if play.get(keyword) != value]
    return [*pins, *(["gather_facts"] if play.get("gather_facts") is not False else [])]


def unchecked(name: str, found: list[dict[str, Any]]) -> str:
    """Why a wrong call of a procedure might go unnoticed; empty where it does not."""
    first = found[0]
    if first.get("ansible.builtin.import_playbook") == f"{GUARD}.yml":
        return "" if first["vars"].get("operation_playbook") == name else "operation_playbook is not its name"
    checked = CHECKED.match(str(first.get("serial", "")))
    if not checked or checked[2] != ("operation_playbook" if name == GUARD else name):
        return "its serial does not ask operation_call"
    if first["hosts"] != "{{ operation_hosts or '-' }}":
        return "its hosts are not those that operation_call is asked about"
    return "" if name == GUARD or "operation_hosts" in first["vars"] else "operation_hosts is not set"


@pytest.mark.parametrize("name", FILES)
def test_a_play_relies_on_no_setting_of_somebody_else(name: str) -> None:
    assert {play["name"]: loose(play) for play in plays(name) if "hosts" in play and loose(play)} == {}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_call_is_noticed_before_any_task(name: str) -> None:
    assert unchecked(name, plays(name)) == ""


def test_there_is_no_other_playbook() -> None:
    assert {*FILES} == {GUARD, *(one.name for one in own_procedures.everything(plain_yaml.load))}


LOOK: dict[str, Any] = {
    "hosts": "{{ operation_hosts or '-' }}",
    "gather_facts": False,
    "serial": "{{ query('ops.runbook.operation_call', 'look', hosts=operation_hosts) | length }}",
    "vars": {"operation_hosts": "x"},
    **PINS,
}


@pytest.mark.parametrize(
    ("changed", "pins", "call"),
    [
        ({}, [], ""),
        ({"strategy": "free"}, ["strategy"], ""),
        ({"strategy": None}, ["strategy"], ""),
        ({"any_errors_fatal": True}, ["any_errors_fatal"], ""),
        ({"timeout": 30}, ["timeout"], ""),
        ({"gather_facts": True}, ["gather_facts"], ""),
        ({"serial": "100%"}, [], "its serial does not ask operation_call"),
        ({"serial": LOOK["serial"].replace("'look'", "'other'")}, [], "its serial does not ask operation_call"),
        ({"hosts": "laravel"}, [], "its hosts are not those that operation_call is asked about"),
        ({"vars": {}}, [], "operation_hosts is not set"),
    ],
)
def test_a_play_that_lacks_one_is_seen(changed: dict[str, Any], pins: list[str], call: str) -> None:
    play = {**LOOK, **changed}
    assert loose(play) == pins
    assert unchecked("look", [play]) == call


def test_a_guarded_procedure_that_does_not_say_its_name_is_seen() -> None:
    play = {"ansible.builtin.import_playbook": "operate.yml", "vars": {"operation_playbook": "other"}}
    assert unchecked("laravel_new", [play]) == "operation_playbook is not its name"


@pytest.mark.parametrize("name", [one.name for one in own_procedures.everything(plain_yaml.load)])
def test_a_variable_that_a_playbook_reads_is_an_option(name: str) -> None:
    """A variable that no spec has would be refused as a slip of the inventory, and is documented nowhere."""
    specs = ROOT.glob("roles/*/meta/argument_specs.yml")
    options = {
        option
        for path in specs
        for entry in plain_yaml.load(path.read_text())["argument_specs"].values()
        for option in entry.get("options", {})
    }
    assert own_procedures.taken(name, plain_yaml.load).read - options == frozenset()


PREFIX = re.compile(rf"(?:{'|'.join(procedures.role_names(ROOT))})_\w+")


def by_name(source: str) -> set[str]:
    """The names in a file of Python that begin like an option of a role."""
    texts = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and PREFIX.fullmatch(text)}


@pytest.mark.parametrize("path", sorted(ROOT.glob("plugins/action/*.py")), ids=lambda path: path.stem)
def test_a_variable_that_a_plugin_reads_by_its_name_is_an_option(path: Path) -> None:
    assert by_name('x = v.get("compose_secret_values") or v["laravel"]') == {"compose_secret_values"}
    taken = [own_procedures.taken(name, plain_yaml.load) for name in FILES if name != GUARD]
    known = {*own_procedures.remembered(plain_yaml.load), *(name for one in taken for name in (*one.options, *one.own))}
    assert by_name(path.read_text()) - known == set()


@pytest.mark.parametrize("path", sorted(ROOT.glob("inventories/**/*.yml")), ids=lambda path: "/".join(path.parts[-3:]))
def test_our_own_inventories_have_no_slip(path: Path) -> None:
    taken = [own_procedures.taken(name, plain_yaml.load) for name in FILES if name != GUARD]
    options = {option for one in taken for option in one.options}
    names = set(re.findall(r"^\s*(\w+):", path.read_text(), re.MULTILINE))
    assert {name for name in names if PREFIX.fullmatch(name)} - options == set()
