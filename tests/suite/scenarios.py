"""The scenarios of Molecule, as their folders describe them: whose hosts they use, and which tests are their core."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

#: What the core of a system proves. A test says with pytest.mark.core("undo") which of them it is. Three are ways to
#: run a procedure: with the screen of ansible.cfg, with the default callback, by ansible-runner with a file of inputs.
KINDS = ("plan", "deploy", "rollback", "refusal", "resume", "undo", "canary", "screen", "callback", "runner")
#: A test of a core with another purpose: it alone proves something.
ALONE = "alone"
#: Random histories with fixed seeds, which a system has once it has a description of its acts and faults.
HISTORIES = "histories"


@dataclass(frozen=True)
class Scenario:
    """folder: where its molecule.yml is. shared: True if its hosts are those of the scenario `default`.

    environment: what its tests are given beside the environment of Molecule.
    """

    folder: Path
    shared: bool
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def tests(self) -> list[Path]:
        return sorted(self.folder.glob("tests/test_*.py"))

    @property
    def kinds(self) -> set[str]:
        """The kinds that the markers of its tests name."""
        return {kind for path in self.tests for kind in marked(path.read_text())}


def everything(root: Path) -> list[Scenario]:
    """All scenarios that have tests."""
    base = yaml.safe_load((root / ".config/molecule/config.yml").read_text())
    found = []
    for path in sorted(root.glob("molecule/*/molecule.yml")):
        own = yaml.safe_load(path.read_text()) or {}
        environment = own.get("verifier", {}).get("env", {})
        found.append(Scenario(path.parent, {**base, **own}.get("shared_state", False), environment))
    return [scenario for scenario in found if scenario.tests]


def chosen(scenarios: Sequence[Scenario], names: Sequence[str], core: bool) -> list[Scenario]:
    """The scenarios that are asked for; without names those with tests of a core, or all of them.

    :raises ValueError: if a name is not that of a scenario, or the scenario has no core.
    """
    known = {scenario.name: scenario for scenario in scenarios}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no scenario with tests: {', '.join(unknown)}; there are {', '.join(known)}")
    empty = [name for name in names if core and not known[name].kinds]
    if empty:
        raise ValueError(f"no test of a core in {', '.join(empty)}; TESTS=all runs the whole scenario")
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    return [scenario for scenario in scenarios if not core or scenario.kinds]


def lanes(scenarios: Sequence[Scenario]) -> list[list[Scenario]]:
    """Scenarios that may run side by side: those that share hosts follow each other, and each other one is alone.

    The longest lane is the first: it would be the last to end.
    """
    shared = [scenario for scenario in scenarios if scenario.shared]
    return [lane for lane in (shared, *([one] for one in scenarios if not one.shared)) if lane]


def marked(source: str) -> Iterator[str]:
    """The kinds of pytest.mark.core(…) in a file of tests; a marker that names none yields ''."""
    for _, words, _ in _markers(ast.parse(source)):
        yield from words or [""]


def narrowed(source: str) -> Iterator[str]:
    """The tests of which a core has only some parameters, as `test_name[parameters]`."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            for decorator in function.decorator_list:
                for _, _, only in _markers(decorator):
                    yield from (f"{function.name}[{parameters}]" for parameters in only)


def _markers(tree: ast.AST) -> Iterator[tuple[ast.Attribute, list[str], list[str]]]:
    """Each marker of the core: where it is, the kinds that it names, and the parameters of its `only`."""
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and node.attr == "core"):
            continue
        if not (isinstance(node.value, ast.Attribute) and node.value.attr == "mark"):
            continue
        call = called.get(id(node))
        words = [text for word in call.args for text in _texts(word)] if call else []
        only = [text for word in call.keywords for text in _texts(word.value)] if call else []
        yield node, words, only


def _texts(node: ast.expr) -> list[str]:
    """The texts of a constant or of a tuple of them; '' for anything else."""
    if isinstance(node, ast.Tuple):
        return [text for element in node.elts for text in _texts(element)]
    return [node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""]
