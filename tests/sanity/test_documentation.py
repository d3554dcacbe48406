"""Every plugin and role can be looked up with ansible-doc, and says what a person needs."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from code_files import PLUGINS, shown

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
HEADER = """\
# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
SOURCES = [shown(path) for path in PLUGINS]
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py") if path.stem != "__init__")
ROLES = sorted(path.parent.name for path in ROOT.glob("roles/*/meta"))


def filters() -> list[str]:
    """Names of the filters, as the plugins register them."""
    names = []
    for path in ROOT.glob("plugins/filter/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "filters":
                tables = [item for item in ast.walk(node) if isinstance(item, ast.Dict)]
                names += [key.value for table in tables for key in table.keys if isinstance(key, ast.Constant)]
    return sorted(names)


@pytest.fixture(scope="session")
def documented() -> dict[str, dict[str, Any]]:
    """The pages of ansible-doc about the collection, by kind and full name."""
    ran = subprocess.run(
        [sys.executable, "-m", "ansible", "doc", "--metadata-dump", "ops.runbook"],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        },
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, dict[str, Any]] = json.loads(ran.stdout)["all"]
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_documents_itself(documented: dict[str, dict[str, Any]], name: str) -> None:
    page = documented["module"][f"ops.runbook.{name}"]
    assert page["doc"]["short_description"]
    assert {"check_mode", "diff_mode"} <= set(page["doc"]["attributes"])
    assert f"ops.runbook.{name}:" in page["examples"]
    assert page["return"]


@pytest.mark.parametrize("name", filters())
def test_a_filter_documents_itself(documented: dict[str, dict[str, Any]], name: str) -> None:
    page = documented["filter"][f"ops.runbook.{name}"]
    assert page["doc"]["short_description"]
    assert f"ops.runbook.{name}" in page["examples"]
    assert page["return"]


@pytest.mark.parametrize("name", ROLES)
def test_a_role_documents_its_entry_points(documented: dict[str, dict[str, Any]], name: str) -> None:
    entries = documented["role"][f"ops.runbook.{name}"]["entry_points"]
    assert entries
    assert all(entry.get("short_description") for entry in entries.values())


@pytest.mark.parametrize("path", SOURCES)
def test_a_plugin_names_its_licence(path: str) -> None:
    assert (ROOT / path).read_text().startswith(HEADER)


@pytest.mark.parametrize("path", [path for path in SOURCES if path.startswith("plugins/module_utils/")])
def test_rules_do_not_know_ansible(path: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= {*sys.stdlib_module_names, "ansible_collections"}


DOCUMENTED = sorted(
    path
    for folder, form in (("plugins", "*.py"), ("plugins", "*.yml"), ("roles", "argument_specs.yml"))
    for path in (ROOT / folder).rglob(form)
)


def test_everything_was_added_in_a_version_that_there_is() -> None:
    """ansible-doc shows it to people who would look for another version in vain."""
    versions = {plain_yaml.load((ROOT / "galaxy.yml").read_text())["version"]}
    versions |= {*plain_yaml.load((ROOT / "changelogs/changelog.yaml").read_text())["releases"]}
    said = {
        (shown(path), version)
        for path in DOCUMENTED
        for version in re.findall(r"^\s*version_added:\s*[\"']?([^\s\"']+)", path.read_text(), re.MULTILINE)
    }
    assert len(said) > 50
    assert {one for one in said if one[1] not in versions} == set()


def own_documentation(name: str) -> dict[str, Any]:
    """The documentation of a module as its file has it, without the fragments."""
    text = (ROOT / f"plugins/modules/{name}.py").read_text(encoding="utf-8")
    (found,) = re.findall(r'^DOCUMENTATION = r"""\n(.*?)"""', text, re.MULTILINE | re.DOTALL)
    documentation: dict[str, Any] = plain_yaml.load(found)
    return documentation


def repeated(pages: dict[str, dict[str, Any]], most: int) -> dict[str, list[str]]:
    """The options and attributes that more modules than `most` describe in the same words, with these modules."""
    found: dict[str, list[str]] = {}
    for name, page in pages.items():
        for kind in ("options", "attributes"):
            for key, described in page.get(kind, {}).items():
                if len(described) > 1:
                    found.setdefault(f"{kind}.{key}: {json.dumps(described, sort_keys=True)}", []).append(name)
    return {key: names for key, names in found.items() if len(names) > most}


def test_options_of_three_modules_are_described_in_a_fragment() -> None:
    """Two modules may be alike by chance; a third one has copied."""
    assert repeated({name: own_documentation(name) for name in MODULES}, 2) == {}


def test_a_description_that_is_repeated_is_seen() -> None:
    page = {"options": {"wait": {"type": "int", "description": "Seconds to wait."}}}
    other = {"options": {"wait": {"type": "int", "description": "Minutes to wait."}}}
    assert [*repeated({"a": page, "b": page, "c": page, "d": other}, 2).values()] == [["a", "b", "c"]]
