"""Arrows run one way: playbooks, roles, modules and filters, rules. Nothing of others is needed on the way."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from code_files import COMMAND, RULES, called, shown
from code_files import PLUGINS as PLUGIN_FILES

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml
from tools import floors

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
    """Imports among our own parts are held by import-linter, see pyproject.toml."""
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
    assert plain_yaml.load((ROOT / "galaxy.yml").read_text())["dependencies"] == {}
    names = re.findall(r"^\s*(?:- )?((?:[a-z_]+\.){2,}[a-z_]+):", (ROOT / path).read_text(), re.MULTILINE)
    names += re.findall(r"\|\s*((?:[a-z_]+\.){2}[a-z_]+)", (ROOT / path).read_text())
    # Who configures AWX has its modules, and nobody else needs them: they are loaded only where AWX is changed.
    here = ("ansible.builtin.", "ops.runbook.", *(("awx.awx.",) if path == "roles/awx/tasks/configure.yml" else ()))
    assert {name for name in names if not name.startswith(here)} == set()


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_playbook_decides_nothing(name: str) -> None:
    plays: list[dict[str, Any]] = plain_yaml.load((ROOT / f"playbooks/{name}.yml").read_text())
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


# -- the core names no system --------------------------------------------------------------------

FLOORS = floors.floors()
_SYSTEMS = next(number for number, floor in enumerate(FLOORS) if floors.ONE in floor)
SYSTEMS = FLOORS[_SYSTEMS]
BELOW = {package for floor in FLOORS[_SYSTEMS + 1 :] for package in floor}
#: A name ends where its letters do: `compose` is not a part of `composed`, and is one of `compose_file` and `_COMPOSE`.
_NAMES = re.compile(rf"(?i)(?<![a-z])({'|'.join([*SYSTEMS, 'composer', 'artisan', 'alembic', 'php'])})(?![a-z])")
WRITERS = sorted([*(ROOT / "tools/generate").glob("*.py"), ROOT / "tools/floors.py"])
CORE = [path for path in RULES if called(path).partition("/")[0] in BELOW] + COMMAND + WRITERS
#: Files that speak of a system, or of one of its tools, by what they are for.
SPEAK_OF_A_SYSTEM = {
    "backup/database_dump.py": "the engines of databases whose dumps it reads",
    "backup/postgres_dump.py": "the engine of the databases whose dumps it reads",
    "backup/differences.py": "the variables by which a platform says which code runs",
    "destructive/": "which commands of which tools destroy data is what this package knows",
    "docker/registry.py": "the variables by which the login to a registry is given",
    "host/actor.py": "the variables by which a runner of CI says who started it",
    "host/held_path.py": "the paths that each release of an application has for itself",
    "host/serving_umask.py": "the file that a web server looks for first",
    "hotfix/merges.py": "the program by which each forge takes a request to merge",
    "secrets/names.py": "the letters with which the tokens of each issuer begin",
    "tools/floors.py": "a system that every other one is beside",
    "text/ways.py": "the programs that a way forward may type on a host",
}


def systems_named(source: str) -> list[str]:
    """The names of systems and of their tools in the code and the texts of a source. A docstring may give a cause."""
    tree = ast.parse(source)
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    words = [
        text
        for node in ast.walk(tree)
        if id(node) not in prose
        for text in (
            getattr(node, "id", None),
            getattr(node, "attr", None),
            getattr(node, "arg", None),
            getattr(node, "name", None),
            getattr(node, "value", None),
        )
        if isinstance(text, str)
    ]
    return [found.group().lower() for text in words for found in _NAMES.finditer(text)]


def _may_speak(path: Path) -> str:
    return next((name for name in SPEAK_OF_A_SYSTEM if called(path).startswith(name)), "")


@pytest.mark.parametrize("path", CORE, ids=called)
def test_the_core_names_no_system(path: Path) -> None:
    """A system hands over what is shown, asked and read of it: adding one edits no file of the core."""
    if not _may_speak(path):
        assert systems_named(path.read_text()) == []


def test_every_file_that_speaks_of_a_system_does() -> None:
    named = {_may_speak(path) for path in CORE if systems_named(path.read_text())}
    assert named == set(SPEAK_OF_A_SYSTEM) and len(CORE) >= 90


def test_the_name_of_a_system_is_seen() -> None:
    source = '"""Of Laravel."""\ndef f(compose_file, *, _PHP):\n    return f"run {x} artisan" + plan["dokku"]'
    assert sorted(systems_named(source)) == ["artisan", "compose", "dokku", "php"]
    assert systems_named("def f():\n    'composer'\n    return composed, graphp, 'decompose'  # laravel") == []
