"""Inputs are read by their lookup alone, since Ansible would evaluate what a person typed; and the names that `-e` is
checked against follow from what the playbooks read."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.nodes
import pytest
import yaml
from code_files import shown

from ansible_collections.ops.runbook.plugins.module_utils.console import inputs as operator_inputs
from ansible_collections.ops.runbook.plugins.module_utils.console import own_procedures, procedures
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for pattern in ("playbooks/**/*.yml", "roles/*/[dtvmh]*/**/*.yml", "runner/**/*.yml")
    for path in ROOT.glob(pattern)
)
ROLES = [path.parent.name for path in ROOT.glob("roles/*/meta")]
#: Keywords whose text is an expression without braces.
CONDITIONS = ("when", "that", "until", "failed_when", "changed_when", "break_when")
#: Words that Ansible sets itself.
MAGIC = ("ansible_", "inventory_", "hostvars", "groups", "group_names", "playbook_dir", "role_path", "omit", "item")
FUNCTIONS = ("lookup", "query", "q", "now", "undef", "range", "dict", "namespace")


def expressions(value: Any, key: str = "") -> Iterator[str]:
    """Each text of a file that Ansible evaluates, as a template."""
    if isinstance(value, str):
        if "{{" in value or "{%" in value:
            yield value
        elif key in CONDITIONS:
            yield f"{{{{ {value} }}}}"
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from expressions(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner, key)


def named(value: Any) -> set[str]:
    """The variables that the expressions of a file name."""
    found: set[str] = set()
    for text in expressions(value):
        names = list(jinja2.Environment().parse(text).find_all(jinja2.nodes.Name))
        found |= {one.name for one in names} - {one.name for one in names if one.ctx == "store"}
    return found


def given_here(value: Any) -> set[str]:
    """The variables that a file itself gives a value to."""
    found: set[str] = set()
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("vars", "ansible.builtin.set_fact") and isinstance(inner, Mapping):
                found |= {*inner}
            if key in ("register", "loop_var", "index_var") and isinstance(inner, str):
                found.add(inner)
            found |= given_here(inner)
    elif isinstance(value, list):
        for inner in value:
            found |= given_here(inner)
    return found


@cache
def inputs() -> set[str]:
    return {one.name for known in procedures.read(ROOT, plain_yaml.load) for one in known.inputs}


def is_ours(name: str) -> bool:
    """Variables that a role's name or Ansible itself vouches for: no person gives them as an input."""
    return (
        name.startswith(("__", *MAGIC, *(f"{role}_" for role in ROLES)))
        or name in FUNCTIONS
        or name in ("awx_job_id", "awx_user_name", "tower_job_id", "tower_user_name")
    )


def bare(document: Any, known: set[str]) -> list[str]:
    """Inputs, and names that may be one, which the expressions of a file evaluate."""
    own = given_here(document) - known
    return sorted(name for name in named(document) if name in known or not is_ours(name) and name not in own)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_inputs_are_read_by_their_lookup_alone(path: Path) -> None:
    """`{{ reason | default('') }}` runs what stands in the reason; `lookup('ops.runbook.input', 'reason')` doesn't."""
    documents = list(yaml.safe_load_all(path.read_text()))
    if path.name == "system.yml":
        # AWX puts the fields of a credential into these templates; Ansible never does.
        documents = [{**document, "credential_types": []} for document in documents]
    assert [name for document in documents for name in bare(document, inputs())] == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"hosts": "{{ target | default('x') }}"}, ["target"]),
        ({"vars": {"laravel_to": "{{ lookup('ops.runbook.input', 'to', default='previous') }}"}}, []),
        ([{"tasks": [{"when": "hotfix | bool"}]}], ["hotfix"]),
        ([{"tasks": [{"ansible.builtin.assert": {"that": ["laravel_to == reason"]}}]}], ["reason"]),
        # A name that no input has yet, and a variable that the file gives a value to.
        ({"vars": {"laravel_to": "{{ novel | default('') }}"}}, ["novel"]),
        ([{"register": "seen"}, {"when": "seen.changed"}], []),
        # To give an input a value does not make it one's own.
        ({"vars": {"batch": "100%", "laravel_to": "{{ batch }}"}}, ["batch"]),
        ({"vars": {"x": "{{ hostvars[inventory_hostname].laravel_to }}"}}, []),
    ],
)
def test_a_bare_input_is_found(document: Any, expected: list[str]) -> None:
    assert bare(document, {"target", "to", "reason", "hotfix", "batch"}) == expected


# -- the names that -e is checked against --------------------------------------------------------------

NAMES = [one.name for one in own_procedures.everything(plain_yaml.load)]


def read_in(path: Path) -> set[str]:
    """The inputs that the expressions of a file read by their lookup."""
    found = set()
    for document in yaml.safe_load_all(path.read_text()):
        for text in expressions(document):
            for call in jinja2.Environment().parse(text).find_all(jinja2.nodes.Call):
                words = [one.as_const() for one in call.args if isinstance(one, jinja2.nodes.Const)]
                found |= {*words[1:2]} if words[:1] == ["ops.runbook.input"] else set()
    return {name for name in found if procedures.is_input(name, ROLES)}


@pytest.mark.parametrize("name", NAMES)
def test_a_procedure_takes_what_its_playbook_reads(name: str) -> None:
    """And beside that no other input than those of the guard, which the role operation reads."""
    found = own_procedures.taken(name, plain_yaml.load).procedure
    own = read_in(ROOT / f"playbooks/{name}.yml")
    guard = read_in(ROOT / "roles/operation/defaults/main.yml") if found.guarded else set()
    assert own <= {one.name for one in found.inputs} <= own | guard


def test_the_words_of_other_tools_lead_to_inputs() -> None:
    assert {*operator_inputs.ELSEWHERE} <= inputs()


def lists_of_inputs(source: str, known: set[str]) -> list[list[str]]:
    """The lists and dictionaries in a file of Python with names of inputs and nothing else."""
    found = []
    for node in ast.walk(ast.parse(source)):
        parts = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else getattr(node, "keys", [])
        words = [one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if len(words) == len(parts) >= 3 and {*words} <= known:
            found.append(words)
    return found


#: Lists of inputs that are written by hand, each with the test that holds it against the playbooks.
BY_HAND = {
    "plugins/module_utils/awx/survey.py": "test_a_file_on_the_controller_is_not_asked_for",
    "plugins/module_utils/console/inputs.py": "test_the_words_of_other_tools_lead_to_inputs",
}


def test_no_list_of_inputs_is_kept_by_hand() -> None:
    files = [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("ops_runbook/*.py")]
    assert len(files) > 300
    found = {shown(path) for path in files if lists_of_inputs(path.read_text(encoding="utf-8"), inputs())}
    assert found == {*BY_HAND}


def test_a_list_of_inputs_is_seen() -> None:
    known = {"to", "reason", "batch", "target"}
    assert lists_of_inputs('INPUTS = ("to", "reason", "batch")', known) == [["to", "reason", "batch"]]
    assert lists_of_inputs('{"to": 1, "reason": 2, "batch": 3}', known)
    assert not lists_of_inputs('KEYS = ("to", "reason", "outcome")', known)
    assert not lists_of_inputs('PAIR = ("to", "reason")', known)
