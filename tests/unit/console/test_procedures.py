"""The inputs of the procedures, as playbooks and argument specs have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import jinja2.nodes
import pytest
import yaml
from hypothesis import given as law
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.console import procedures
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Given, Input, Procedure
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[3]
FOUND = {one.name: one for one in procedures.read(ROOT, plain_yaml.load)}
PLAYBOOKS = {path.stem: path.read_text() for path in ROOT.glob("playbooks/*.yml") if path.stem != "operate"}
ROLES = [path.parts[-3] for path in ROOT.glob("roles/*/meta/argument_specs.yml")]


def test_every_playbook_is_a_procedure() -> None:
    assert {*FOUND} == {*PLAYBOOKS}


@pytest.mark.parametrize("name", FOUND)
def test_a_procedure_says_what_it_is_for(name: str) -> None:
    found = FOUND[name]
    assert found.title and found.section
    assert "ansible-playbook" not in found.section


@pytest.mark.parametrize("name", FOUND)
def test_every_input_is_an_option_that_is_described(name: str) -> None:
    assert [one.name for one in FOUND[name].inputs if not one.description] == []


def read_as_text(node: jinja2.nodes.Node) -> set[str]:
    """Names that the lookup of inputs gets, as Jinja itself reads a template."""
    found = set()
    for call in node.find_all(jinja2.nodes.Call):
        if isinstance(call.node, jinja2.nodes.Name) and call.node.name in {"lookup", "query", "q"}:
            first, *names = [one.as_const() for one in call.args if isinstance(one, jinja2.nodes.Const)]
            found |= {str(name) for name in names} if first == "ops.runbook.input" else set()
    return found


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_no_input_of_a_playbook_is_missed(name: str) -> None:
    names: set[str] = set()
    for text in texts(yaml.safe_load(PLAYBOOKS[name])):
        names |= read_as_text(jinja2.Environment().parse(text))
    inputs = {one for one in names if procedures.is_input(one, ROLES)}
    assert inputs <= {one.name for one in FOUND[name].inputs}


@pytest.mark.parametrize("name", FOUND)
def test_an_input_whose_default_is_worked_out_may_be_empty(name: str) -> None:
    """A form gives an empty text for what nobody typed, and there is no value that it could begin with instead."""
    assert [one.name for one in FOUND[name].inputs if one.computed and not one.empty_is_none] == []


def test_a_variable_of_the_inventory_is_not_an_input() -> None:
    assert FOUND["laravel_rollback"].inventory == ("laravel_service", "laravel_path")
    assert FOUND["laravel_rollback"].input("laravel_service") is None


def test_the_lines_to_type_stand_apart_from_what_it_is_for() -> None:
    text = "---\n# why\n# more\n#   ansible-playbook x   does\n#      and more of it\n- name: x\n# not this\n"
    assert procedures.header(text) == ("why more", ("ansible-playbook x   does", "and more of it"))


def input_of(name: str, which: str) -> Input:
    found = FOUND[name].input(which)
    assert found is not None
    return found


def test_texts_of_option_and_playbook_are_joined() -> None:
    to = input_of("laravel_rollback", "to")
    assert (to.type, to.default, to.option, to.required) == ("str", "previous", "laravel_to", False)
    assert to.description.startswith("previous is the newest good release")
    assert input_of("laravel_deploy", "to").default == ""
    assert input_of("laravel_rollback", "migrations").choices == ("refuse", "keep", "down")
    assert input_of("laravel_maintenance", "state").required
    assert input_of("laravel_maintenance", "secret").secret
    assert input_of("ssh_key_audit", "fail_on").elements == "str"
    assert input_of("dokku_rollback", "emergency").default is False


def test_the_guard_adds_its_inputs_where_the_playbook_has_not_settled_them() -> None:
    names = [one.name for one in FOUND["laravel_rollback"].inputs]
    assert names[:4] == ["target", "to", "migrations", "discard_local_changes"]
    assert {"reason", "lock_wait", "lock_takeover", "interrupted", "on_unhealthy", "on_partial", "batch"} <= {*names}
    assert input_of("laravel_deploy", "on_partial").default == "revert"
    assert FOUND["laravel_adopt"].input("on_unhealthy") is None
    assert FOUND["laravel_status"].input("reason") is None
    assert not FOUND["laravel_status"].guarded


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ lookup('ops.runbook.input', 'to', default='previous') }}", [Given("to", "previous")]),
        (
            """{{ lookup("ops.runbook.input", "to")|d('it''s, so', true) }}""",
            [Given("to", "its, so", empty_is_none=True)],
        ),
        ("{{ query('ops.runbook.input', 'a', default=0) | int }}", [Given("a", 0)]),
        ("{{ lookup('ops.runbook.input', 'a', default=false) | bool }}", [Given("a", False)]),
        (
            "{{ lookup('ops.runbook.input', 'a') | default([], boolean=true) }}",
            [Given("a", [], empty_is_none=True)],
        ),
        ("{{ lookup('ops.runbook.input', 'a', default=none) }}", [Given("a", None)]),
        ("{{ lookup('ops.runbook.input', 'a') }}", [Given("a", "")]),
        # The lookup gives an empty text, which is not undefined.
        ("{{ lookup('ops.runbook.input', 'a') | default('x') }}", [Given("a", "")]),
        (
            "{{ lookup('ops.runbook.input', 'a') | default(lookup('ops.runbook.input', 'b', default='(,'), true) }}",
            [Given("a", None, computed=True, empty_is_none=True), Given("b", "(,")],
        ),
        (
            "{{ lookup('ops.runbook.input', 'a', default='x' if y == 'z' else 'w') }}",
            [Given("a", None, computed=True)],
        ),
        ({"b": ["{{ lookup('ops.runbook.input', 'a', default=1) }}", 5]}, [Given("a", 1)]),
        ("{{ lookup('ops.runbook.input', name) }}", []),
        ("{{ lookup('ops.runbook.other', 'a') }}", []),
        ("{{ a | default('') }}", []),
        ("{{ a }}", []),
        (True, []),
    ],
)
def test_inputs_in_a_value(value: Any, expected: list[Given]) -> None:
    assert list(procedures.given(value)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Release, V(previous) or not. The input V(to).", "Release, previous or not."),
        ("C(releases/(old\\)) of P(ops.runbook.operation#role)", "releases/(old) of ops.runbook.operation"),
        (
            ["Two lines.", "For O(laravel_strategy=in_place) L(here,https://example.com)."],
            "Two lines. For laravel_strategy=in_place here.",
        ),
        ("OV(x) is not markup", "OV(x) is not markup"),
    ],
)
def test_a_description_loses_its_markup(text: Any, expected: str) -> None:
    assert procedures.plain(text) == expected


def test_a_playbook_that_calls_no_role_of_ours_is_no_procedure() -> None:
    plays = [{"name": "x", "hosts": "a", "tasks": [{"ansible.builtin.include_role": {"name": "other.one.role"}}]}]
    assert procedures.procedure("x", "", plays, {}, {}) is None
    assert procedures.procedure("x", "", [{"name": "x", "hosts": "a"}], {}, {}) is None


def test_a_role_is_called_in_three_ways() -> None:
    specs: dict[str, Any] = {"r": {"e": {"options": {"r_a": {"type": "int", "description": "An a."}}}}}
    taken = {"r_a": "{{ lookup('ops.runbook.input', 'a', default=3) }}"}
    for play in (
        {
            "name": "t",
            "hosts": "h",
            "tasks": [{"ansible.builtin.include_role": {"name": "ops.runbook.r", "tasks_from": "e"}, "vars": taken}],
        },
        {"name": "t", "hosts": "h", "roles": [{"role": "ops.runbook.r", "vars": taken}]},
        {
            "name": "t",
            "hosts": "h",
            "vars": taken,
            "tasks": [{"ansible.builtin.import_role": {"name": "ops.runbook.r", "tasks_from": "e"}}],
        },
    ):
        found = procedures.procedure("x", "# why\n# more\n# ansible-playbook x", [play], specs, {})
        assert isinstance(found, Procedure)
        assert found.section == "why more"
        if "roles" not in play and "vars" not in play:
            assert found.inputs == (Input("a", "int", default=3, description="An a.", option="r_a"),)


@law(st.text(alphabet="abc(){}[],'\" |", max_size=40))
def test_no_text_breaks_the_reading(text: str) -> None:
    for found in procedures.given("{{ lookup('ops.runbook.input', " + text):
        assert isinstance(found, Given)
