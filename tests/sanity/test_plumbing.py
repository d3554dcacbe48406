# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An option of a service is written in the argument specs of its role, and little beside them repeats it by hand."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from code_files import ROOT, shown

from tools.generate import service_options

#: Lines by hand that carry options of Laravel, Compose, Dokku and PostgreSQL from the roles to the code.
MOST = 165
BEGIN, END = service_options.marks("service")


def by_hand(text: str) -> int:
    """The lines of a file of YAML or of documentation that are written by hand, without empty ones and comments."""
    if service_options.WRITTEN in text and BEGIN not in text:
        return 0
    before, _mark, rest = text.partition(BEGIN)
    lines = (before + rest.partition(END)[2]).splitlines()
    return sum(1 for line in lines if line.strip() and line != "---" and not line.lstrip().startswith("#"))


def of_description(source: str) -> int:
    """The lines of the class Description, and of the function that fills it."""
    nodes = [node for node in ast.parse(source).body if getattr(node, "name", "") in ("Description", "describe")]
    return sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes)


def plumbing() -> dict[str, int]:
    """The lines by hand in each file that carries options of a service."""
    found: dict[Path, int] = {}
    for role in service_options.SYSTEMS:
        for path in (
            *(ROOT / f"roles/{role}/{part}/main.yml" for part in ("defaults", "vars")),
            ROOT / f"plugins/module_utils/{role}/options.py",
            *ROOT.glob(f"plugins/doc_fragments/{role}*.py"),
        ):
            found[path] = by_hand(path.read_text(encoding="utf-8"))
        path = ROOT / f"plugins/module_utils/{role}/service.py"
        found[path] = of_description(path.read_text(encoding="utf-8"))
    return {shown(path): lines for path, lines in found.items() if lines}


def test_little_repeats_the_options_of_a_service_by_hand() -> None:
    lines = plumbing()
    assert lines and sum(lines.values()) <= MOST, lines


def test_lines_by_hand_are_counted() -> None:
    assert by_hand(f'---\n# why\na: 1\n\n{BEGIN}\nb: "{{{{ c }}}}"\n{END}\nd: 2\n') == 2
    assert by_hand(f'"""{service_options.WRITTEN}"""\na = 1\n') == 0
    assert (
        of_description("class Other:\n    a = 1\n\nclass Description:\n    a = 1\n\ndef describe():\n    pass\n") == 4
    )


# -- each option is used -------------------------------------------------------------------------------


def words_read(role: str) -> set[str]:
    """All names that may be options of a role, in files that read them and do not declare them."""
    parts = ("tasks", "vars", "templates", "handlers")
    paths = [path for part in parts for path in ROOT.glob(f"roles/*/{part}/**/*") if path.is_file()]
    texts = [path.read_text(encoding="utf-8") for path in [*paths, *ROOT.glob("playbooks/*.yml")]]
    # An option may be a part of another one's default.
    texts += re.findall(r"\{\{.*?\}\}", service_options.defaults(role))
    # An action reads a secret, and what it must not evaluate, by the name of the variable.
    for path in [*ROOT.glob("plugins/action/*.py"), *ROOT.glob("plugins/module_utils/console/*.py")]:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        words = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        texts += [word for word in words if word.isidentifier()]
    return {word for text in texts for word in re.findall(r"\w+", text)}


@pytest.mark.parametrize("role", service_options.roles())
def test_each_option_of_a_role_is_read(role: str) -> None:
    names = {name for entry in service_options.specs_of(role).values() for name in entry.get("options", {})}
    assert names - words_read(role) == set()


def attributes(role: str) -> set[str]:
    """The names behind a dot in the code of a system, without the file that declares its options."""
    paths = [*ROOT.glob(f"plugins/module_utils/{role}/**/*.py"), *ROOT.glob(f"plugins/*/{role}_*.py")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths if path.name != "options.py"]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("role", service_options.SYSTEMS)
def test_each_option_of_a_service_is_used(role: str) -> None:
    """The mapping of a role reads every option, so the code of the system says whether one has an effect."""
    assert {*service_options.service(role), *service_options.limits(role)} - attributes(role) == set()
