"""No playbook and no role names an input in an expression: Ansible would evaluate what a person typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.nodes
import pytest
import yaml

from ansible_collections.ops.runbook.plugins.module_utils.console import procedures

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
    return {one.name for known in procedures.read(ROOT, yaml.safe_load) for one in known.inputs}


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
    assert [name for document in yaml.safe_load_all(path.read_text()) for name in bare(document, inputs())] == []


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
