"""Arrows run one way: playbooks, roles, modules and filters, rules. Nothing of others is needed on the way."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from code_files import PLUGINS as PLUGIN_FILES
from code_files import shown

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = "ansible_collections.ops.runbook.plugins."
SOURCES = [shown(path) for path in PLUGIN_FILES]
TASKS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("roles/*/tasks/*.yml"))
PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))
# Decisions that belong into a role or further down.
LOGIC = re.compile(
    r"\{%|^\s*(?:- )?(?:block|rescue|always|loop|with_\w+|until|register"
    r"|(?:ansible\.builtin\.)?(?:set_fact|command|shell|raw|script)):",
    re.MULTILINE,
)


def imported(source: str) -> set[str]:
    """Full names of what a file imports; of `from a import b`, a.b."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", SOURCES)
def test_a_plugin_imports_nothing_of_another_collection(path: str) -> None:
    """Which of our own parts imports which is held by import-linter, see pyproject.toml."""
    ours = {name for name in imported((ROOT / path).read_text()) if name.startswith(("ansible_collections", "."))}
    assert {name for name in ours if not name.startswith(PLUGINS)} == set()


@pytest.mark.parametrize("path", [path for path in SOURCES if path.startswith("plugins/modules/")])
def test_a_module_reads_of_ansible_only_what_is_sent_along_with_it(path: str) -> None:
    theirs = {name for name in imported((ROOT / path).read_text()) if name.startswith("ansible.")}
    assert {name for name in theirs if not name.startswith("ansible.module_utils.")} == set()


@pytest.mark.parametrize("path", [path for path in SOURCES if path.startswith("plugins/filter/")])
def test_a_filter_loads_rules_when_it_is_called(path: str) -> None:
    """Ansible loads all filters of a collection to find one, in each run; those of the guard are called in each run."""
    if path.endswith("filter/operation_report.py"):
        pytest.skip("the guard's own")
    tops = [
        node for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert not [node for node in tops if "ansible_collections" in ast.unparse(node)]


def test_every_form_of_import_is_seen() -> None:
    assert imported("from a.b import c\nimport d.e\nfrom . import f") == {"a.b.c", "d.e", "..f"}


@pytest.mark.parametrize("path", [*TASKS, *(f"playbooks/{name}.yml" for name in PLAYBOOKS)])
def test_nothing_of_another_collection_is_called(path: str) -> None:
    """galaxy.yml has no dependencies, and a bastion has no other collection than this one."""
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"] == {}
    names = re.findall(r"^\s*(?:- )?((?:[a-z_]+\.){2,}[a-z_]+):", (ROOT / path).read_text(), re.MULTILINE)
    names += re.findall(r"\|\s*((?:[a-z_]+\.){2}[a-z_]+)", (ROOT / path).read_text())
    # Who configures AWX has its modules, and nobody else needs them: they are loaded only where AWX is changed.
    here = ("ansible.builtin.", "ops.runbook.", *(("awx.awx.",) if path == "roles/awx/tasks/configure.yml" else ()))
    assert {name for name in names if not name.startswith(here)} == set()


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_playbook_decides_nothing(name: str) -> None:
    plays: list[dict[str, Any]] = yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text())
    assert LOGIC.findall((ROOT / f"playbooks/{name}.yml").read_text()) == []
    assert [play["name"] for play in plays if "roles" in play and "tasks" in play] == []
    assert {play["ansible.builtin.import_playbook"] for play in plays if "hosts" not in play} <= {"operate.yml"}


@pytest.mark.parametrize("name", [name for name in PLAYBOOKS if name != "operate"])
def test_a_procedure_says_how_it_is_called(name: str) -> None:
    lines = (ROOT / f"playbooks/{name}.yml").read_text().splitlines()[1:]
    comment = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    assert any(f"ansible-playbook playbooks/{name}.yml" in line for line in comment)


@pytest.mark.parametrize(
    "text",
    [
        "- hosts: a\n  tasks:\n    - block:\n",
        "      register: x\n",
        "x: '{% if a %}b{% endif %}'\n",
        "    - ansible.builtin.shell: ls\n",
    ],
)
def test_a_decision_is_seen(text: str) -> None:
    assert LOGIC.search(text)
