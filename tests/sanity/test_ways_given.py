"""Each refusal that reaches a person says what to type next: none is made without a way, and no module drops it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
from code_files import PLUGINS, ROOT, called

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

#: Functions whose refusals get their ways from whoever calls them, and why they can't give them themselves.
GIVEN_BY_CALLERS = {
    "guard/release_choice.py previous": "each system knows what `to` may be, and which procedure records a state",
}

#: Refusals of a role whose text a filter or a module makes, which is held by the rules above or by its own tests.
MADE_ELSEWHERE = {
    "operation/tasks/refuse.yml": "operation_refusals prints the ways of each host",
    "operation/tasks/close.yml": "operation_trouble prints what to type",
    "dokku/tasks/features.yml": "the module's message has the ways of its problem",
}

#: Words of a text that a person can act by.
_TYPED = re.compile(r"-e \w+=|-l <|[Tt]ype|[Tt]he same command|`[a-z]")


TREES = {called(path): ast.parse(path.read_text()) for path in PLUGINS}


def derived() -> dict[str, bool]:
    """Problem and the classes that derive from it. True: it has a constructor of its own, which gives the ways."""
    nodes = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = {"Problem": False}
    for _depth in range(4):
        for node in nodes:
            if any(ast.unparse(base) in found for base in node.bases):
                found[node.name] = any(
                    isinstance(part, ast.FunctionDef) and part.name == "__init__" for part in node.body
                )
    return found


REFUSALS = derived()
MADE_AS_IS = {name for name, own in REFUSALS.items() if not own}
#: Errors that a handler may have in its hands as one of these, or makes one of.
CAUGHT = {*REFUSALS, "DokkuError", "expected"}


def is_silent(call: ast.Call) -> bool:
    """True for a refusal that is made without anything to type."""
    if ast.unparse(call.func).rpartition(".")[2] not in MADE_AS_IS or any(word.arg is None for word in call.keywords):
        return False
    given = [*call.args[2:3], *(word.value for word in call.keywords if word.arg == "ways")]
    return not given or isinstance(given[0], (ast.Tuple, ast.List)) and not given[0].elts


def without_ways(tree: ast.AST, file: str) -> Iterator[str]:
    """The refusals of a file without ways; not those that are only recorded, which no screen shows."""
    recorded = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "refuse"
        for argument in node.args
    }
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_silent(node) and id(node) not in recorded:
            around = [one.name for one in functions if one.lineno <= node.lineno <= (one.end_lineno or 0)]
            if f"{file} {around[-1] if around else ''}" not in GIVEN_BY_CALLERS:
                yield f"{file}:{node.lineno}: {ast.unparse(node)[:120]}"


def ways_lost(tree: ast.AST, file: str) -> Iterator[str]:
    """The ends of modules, filters and actions that say the text of a refusal without its ways."""
    for handler in ast.walk(tree):
        if not isinstance(handler, ast.ExceptHandler) or handler.type is None or handler.name is None:
            continue
        if not CAUGHT & {*re.findall(r"\w+", ast.unparse(handler.type))}:
            continue
        name = handler.name
        text = re.compile(rf"\bstr\({name}\)|\b{name}\.text\b|\{{{name}\}}|\.refusal\({name}\)\.text\b")
        for call in (node for node in ast.walk(handler) if isinstance(node, ast.Call)):
            ends = ast.unparse(call.func).rpartition(".")[2]
            if (ends == "fail_json" or ends.startswith("Ansible")) and text.search(ast.unparse(call)):
                yield f"{file}:{call.lineno}: {ast.unparse(call)[:120]}"


def test_each_refusal_says_what_to_type() -> None:
    found = [line for file, tree in TREES.items() for line in without_ways(tree, file)]
    assert not found, "\n".join(found)


def test_the_end_of_a_module_keeps_the_ways_of_a_refusal() -> None:
    found = [line for file, tree in TREES.items() for line in ways_lost(tree, file)]
    assert not found, "\n".join(found)


def test_the_functions_whose_callers_give_the_ways_are_there() -> None:
    for entry in GIVEN_BY_CALLERS:
        file, _, name = entry.partition(" ")
        function = next(
            node for node in ast.walk(TREES[file]) if isinstance(node, ast.FunctionDef) and node.name == name
        )
        assert any(isinstance(node, ast.Call) and is_silent(node) for node in ast.walk(function)), entry


def refusals_of_roles() -> Iterator[tuple[str, str]]:
    """The refusals that tasks make themselves: the file, and the text."""
    for path in sorted(ROOT.glob("roles/*/tasks/*.yml")):
        for task in _tasks(plain_yaml.load(path.read_text()) or []):
            if "ops.runbook.refuse" in task:
                yield path.relative_to(ROOT / "roles").as_posix(), str(task["ops.runbook.refuse"]["text"])


def _tasks(raw: Any) -> Iterator[dict[str, Any]]:
    for task in raw:
        yield task
        for part in ("block", "rescue", "always"):
            yield from _tasks(task.get(part) or [])


def test_each_refusal_of_a_role_says_what_to_type() -> None:
    found = dict.fromkeys(refusals_of_roles())
    assert len(found) > 20 and {file for file, _text in found} >= set(MADE_ELSEWHERE)
    silent = [file for file, text in found if not _TYPED.search(text) and file not in MADE_ELSEWHERE]
    assert not silent, silent


MADE = {
    "no ways": 'Problem("a", "b")',
    "empty ways": 'Problem("a", "b", ())',
    "empty ways by name": 'Problem("a", "b", ways=[])',
    "something else by name": 'Problem("a", "b", touched=True)',
    "a class of its own": 'GitHubError("a", "b", status=404)',
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_refusal_without_ways_is_found(made: str) -> None:
    assert list(without_ways(ast.parse(f"raise {made}"), "here.py"))
    assert not list(without_ways(ast.parse(f"guard.refuse(operation, {made})"), "here.py"))


def test_a_refusal_with_ways_is_none_of_them() -> None:
    for made in ('Problem("a", "b", ways)', 'Problem("a", "b", (("to=<tag>", "names one"),))', "Useless(**known)"):
        assert not list(without_ways(ast.parse(f"raise {made}"), "here.py"))


def test_a_lost_way_is_found() -> None:
    for said in ("str(error)", "error.text", 'f"no record: {error}"', "service.refusal(error).text"):
        for end in (f"module.fail_json(msg={said})", f"raise AnsibleFilterError({said}) from error"):
            source = f"try:\n    act()\nexcept (Problem, OSError) as error:\n    {end}"
            assert list(ways_lost(ast.parse(source), "here.py")), end
