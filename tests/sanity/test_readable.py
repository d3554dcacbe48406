"""The screen of a task can be read under every callback: lines, and a failure once. Code is in plain English."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from code_files import COMMAND, PLUGINS

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYED = sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")])
ACTIONS = sorted(ROOT.glob("plugins/action/*.py"))
#: Expressions that are a mapping, which every callback lays out by itself.
DOCUMENT = re.compile(r"(\|\s*ops\.runbook\.\w+_document|\b__awx_wanted)\s*$")


def tasks_of(document: Any) -> Iterator[dict[str, Any]]:
    """Every mapping that may be a task."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from tasks_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from tasks_of(value)


def one_text(message: Any) -> bool:
    """True if the message of a debug task is a text that a callback shows on one line, with `\\n` in it."""
    if not isinstance(message, str):
        return False
    branches = re.split(r"\belse\b", message.replace("}}", "").replace("{{", ""))
    return not all(listed(one.strip()) for one in branches)


def listed(expression: str) -> bool:
    """True if it is a list of lines, or a document."""
    lines = expression.startswith("[") or re.search(r"\.splitlines\(\)(\s+if\b.*)?\s*$", expression, re.DOTALL)
    return bool(lines or DOCUMENT.search(expression))


def unreadable(document: Any) -> list[str]:
    """Names of tasks whose screen is one text, or whose failure Ansible shows twice."""
    found = []
    for task in tasks_of(document):
        shown = task.get("ansible.builtin.debug")
        if isinstance(shown, dict) and one_text(shown.get("msg")):
            found.append(task.get("name", ""))
        if "ansible.builtin.fail" in task or "ansible.builtin.assert" in task:
            found.append(task.get("name", ""))
    return found


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_screen_is_a_list_of_lines_and_a_refusal_is_shown_once(path: Path) -> None:
    assert unreadable(plain_yaml.load(path.read_text())) == []


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.stem)
def test_no_action_fails_with_an_excerpt_of_our_files(path: Path) -> None:
    """`Problem` is the failure that is shown once."""
    assert "raise AnsibleActionFail" not in path.read_text()


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ({"name": "a", "ansible.builtin.debug": {"msg": "{{ x | ops.runbook.health_report }}"}}, ["a"]),
        ({"name": "a", "ansible.builtin.debug": {"msg": "{{ (x | ops.runbook.health_report).splitlines() }}"}}, []),
        ({"name": "a", "ansible.builtin.debug": {"msg": "{{ (x).splitlines() if y else x | ops.runbook.z }}"}}, ["a"]),
        (
            {
                "name": "a",
                "ansible.builtin.debug": {"msg": "{{ (x).splitlines() if y else x | ops.runbook.z_document }}"},
            },
            [],
        ),
        ({"name": "a", "ansible.builtin.debug": {"msg": "{{ ['AWX holds:'] + x | list }}"}}, []),
        ({"block": [{"name": "a", "ansible.builtin.fail": {"msg": "no"}}]}, ["a"]),
        ([{"tasks": [{"name": "a", "ansible.builtin.assert": {"that": "x"}}]}], ["a"]),
        ({"name": "a", "ops.runbook.refuse": {"text": "no"}}, []),
    ],
)
def test_an_unreadable_screen_is_found(task: Any, names: list[str]) -> None:
    assert unreadable(task) == names


#: What the guard, the screen and `ops-runbook` know of an operation.
KNOWN = ("operation_named", "operation_planned", "operation_applied", "operation_recovered")


def hidden(document: Any) -> list[str]:
    """Tasks whose result the guard knows and the screen does not: they have `no_log`, and none shows it after them."""
    left: dict[str, str] = {}
    for task in tasks_of(document):
        name = task.get("register", "")
        if name in KNOWN and task.get("no_log"):
            left[name] = task.get("name", "")
        elif name in KNOWN:
            left.pop(name, None)
    return list(left.values())


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_result_of_an_operation_is_not_hidden_from_its_screen(path: Path) -> None:
    assert hidden(plain_yaml.load(path.read_text())) == []


def test_a_hidden_operation_is_found() -> None:
    task = {"name": "plan | Take the lease", "register": "operation_planned", "no_log": True}
    assert hidden([task]) == ["plan | Take the lease"]
    assert hidden([task, {"name": "plan | Show", "register": "operation_planned"}]) == []


def muted(document: Any) -> list[str]:
    """Tasks whose result is read and which lose why a module died: `failed_when: false` takes its message away."""
    return [
        task.get("name", "") for task in tasks_of(document) if "register" in task and task.get("failed_when") is False
    ]


@pytest.mark.parametrize("path", PLAYED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_result_that_is_read_keeps_why_its_module_died(path: Path) -> None:
    assert muted(plain_yaml.load(path.read_text())) == []


def test_a_result_that_loses_its_message_is_found() -> None:
    assert muted([{"name": "status | Look", "register": "found", "failed_when": False}]) == ["status | Look"]
    assert muted([{"name": "status | Look", "register": "found", "ignore_errors": True}]) == []


def untold(source: str) -> list[str]:
    """Each message of a result that is read as if it were one text: the result of an action has a list of lines."""
    tree = ast.parse(source)
    read = {
        id(one) for node in ast.walk(tree) if isinstance(node, ast.Call) and _named(node) == "told" for one in node.args
    }
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if id(node) not in read
        and isinstance(node, ast.Call)
        and _named(node) == "get"
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value == "msg"
    ]


def _named(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    return ast.unparse(call.func).rpartition(".")[2] if call.args else ""


@pytest.mark.parametrize("path", [*PLUGINS, *COMMAND], ids=lambda path: path.name)
def test_the_message_of_a_result_is_read_as_lines(path: Path) -> None:
    assert untold(path.read_text(encoding="utf-8")) == [], "screen_text.told makes one text of it"


def test_a_message_that_is_not_read_as_lines_is_found() -> None:
    assert untold("why = str(result.get('msg') or '')") == ["result.get('msg')"]
    assert untold("why = f\"{(seen or {}).get('msg', '')}\"") == ["(seen or {}).get('msg', '')"]
    assert untold("why = str(told(result.get('msg')) or screen_text.told(other.get('msg')))") == []


#: Opens a docstring that names no thing: "What a host holds" where "Files of a host" is meant.
UNNAMED = re.compile(r"(What|Where|Who|Whose|Which|Whether)\b")
#: "is no lease" is written "is not a lease"; "there is no lease" and "is no longer" are plain English.
NEGATED = re.compile(r"(?<!\b[Tt]here )\b(?:is|are|was|were) (?:none\b|no\b(?! (?:longer|more)\b))")
#: `planned.refusal is none` is an expression of Jinja.
EXPRESSION = re.compile(r"\b\w+[._]\w+ is none\b")
SPEAKING = sorted(
    path
    for folder in ("plugins", "roles", "ops_runbook", "molecule", "tests", "tools")
    for ending in ("*.py", "*.yml")
    for path in (ROOT / folder).rglob(ending)
    # These two hold samples of such English.
    if path.is_file() and path.name not in ("test_pages.py", "test_readable.py")
)


def unclear(source: str, python: bool = True) -> list[str]:
    """Docstrings and names of tests that name no thing, and each "is no", of a Python or a YAML file."""
    if not python:
        return NEGATED.findall(EXPRESSION.sub("", source))
    found = []
    nodes = list(ast.walk(ast.parse(source)))
    for node in nodes:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and UNNAMED.match(
            ast.get_docstring(node) or ""
        ):
            found.append((ast.get_docstring(node) or "").partition("\n")[0])
        if isinstance(node, ast.FunctionDef) and UNNAMED.match(
            node.name.removeprefix("test_").partition("_")[0].title()
        ):
            found += [node.name] if node.name.startswith("test_") else []
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    comments = re.findall(r"(?m)^[ ]*#:?[ ](.*)$", source)
    return found + [text for text in [*texts, *comments] if NEGATED.search(EXPRESSION.sub("", " ".join(text.split())))]


def test_code_is_written_in_plain_english() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): texts
        for path in SPEAKING
        if (texts := unclear(path.read_text(encoding="utf-8"), path.suffix == ".py"))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        '"""What a host holds."""',
        'def f() -> bool:\n    """Whether it is."""',
        "def test_where_a_host_stands() -> None: ...",
        "raise ValueError('a name that is none')",
        "#: This is no lease.",
    ],
)
def test_unclear_english_is_found(source: str) -> None:
    assert len(unclear(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""Files of a host. There is no other folder."""',
        'def f() -> bool:\n    """True if it is no longer there, or None."""',
        "def test_a_host_without_a_lease_is_free() -> None: ...",
        "raise ValueError(f'{where}: invalid name: {value!r}')",
        "def what_a_host_holds() -> None: ...",
    ],
)
def test_plain_english_is_let_through(source: str) -> None:
    assert unclear(source) == []
