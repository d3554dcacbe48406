"""One filter stands before every screen, record and report."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from code_files import COMMAND, PLUGINS

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
FILTERS = sorted(ROOT.glob("plugins/filter/*.py"))
CODE = [*PLUGINS, *COMMAND]
#: The filter itself, what reads the log of a workflow before it is judged, and the line that a terminal draws anew.
MAY = (
    "plugins/module_utils/text/screen_text.py",
    "plugins/module_utils/github/workflow_log.py",
    "plugins/callback/operator.py",
)
#: Filters whose text is a file of a program or a decision in words of our own.
OTHER = ("compose_pin", "dokku_maintenance_markdown", "problem", "operation_batches", "operation_target")


def texts_that_are_not_filtered(source: str) -> list[str]:
    """Functions of a filter plugin that give a text which did not come out of joined()."""
    return [
        function.name
        for function in ast.parse(source).body
        if isinstance(function, ast.FunctionDef)
        and isinstance(function.returns, ast.Name)
        and function.returns.id == "str"
        and function.name not in OTHER
        and not all(
            isinstance(one.value, ast.Call) and isinstance(one.value.func, ast.Name) and one.value.func.id == "joined"
            for one in ast.walk(function)
            if isinstance(one, ast.Return)
        )
    ]


def cleaners(source: str) -> list[str]:
    """Lines that take control characters out by themselves."""
    return [
        line.strip()
        for line in source.splitlines()
        if re.search(r"x1b|x9b|033\[", line) or re.search(r"\bfor \w+ in .*isprintable\(\)", line)
    ]


@pytest.mark.parametrize("path", FILTERS, ids=lambda path: path.stem)
def test_every_report_goes_through_the_filter(path: Path) -> None:
    assert texts_that_are_not_filtered(path.read_text()) == []


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_has_a_filter_of_their_own(path: Path) -> None:
    if str(path.relative_to(ROOT)) not in MAY:
        assert cleaners(path.read_text()) == []


def test_the_screen_writes_nothing_past_the_filter() -> None:
    source = (ROOT / "plugins/callback/operator.py").read_text()
    written = re.findall(r"_display\.display\((.*?)[,)]", source) + re.findall(r"os\.write\(1, (.*)\)", source)
    assert written and all(re.match(r'shown\(|diff$|b"\\r|f"\\r\\x1b\[K\{shown\(', one) for one in written), written


def test_output_that_bypasses_the_filter_is_found() -> None:
    assert texts_that_are_not_filtered('def report(x) -> str:\n    return "\\n".join(x)\n') == ["report"]
    assert texts_that_are_not_filtered("def report(x) -> str:\n    return joined(x)\n") == []
    assert cleaners('CONTROL = re.compile(r"\\x1b[^m]*m")') and cleaners('"".join(c for c in text if c.isprintable())')
    assert not cleaners("if not path.isprintable():")


def raw_messages(document: object) -> list[str]:
    """Expressions of a message that show a value which went through no filter of ours."""
    found: list[str] = []
    if isinstance(document, dict):
        for key, value in document.items():
            if key in ("msg", "text", "fail_msg", "success_msg") and isinstance(value, str):
                found += [one.strip() for one in re.findall(r"\{\{(.*?)\}\}", value, re.DOTALL) if not harmless(one)]
            else:
                found += raw_messages(value)
    elif isinstance(document, list):
        found += [one for value in document for one in raw_messages(value)]
    return found


def harmless(expression: str) -> bool:
    """A number, a name of the inventory, our own state of AWX; or what a filter of ours has made of it."""
    plain = re.sub(r"\)\.splitlines\(\)", "", expression.strip()).lstrip("(")
    return bool(re.search(r"\|\s*(ops\.runbook\.\w+\b.*|length)\s*$", plain, re.DOTALL)) or plain in (
        "inventory_hostname",
        "__awx_wanted",
    )


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_message_of_a_task_goes_through_a_filter(path: Path) -> None:
    assert raw_messages(plain_yaml.load(path.read_text())) == []


def raw_failures(source: str) -> list[str]:
    """Calls of fail_json with the text of an error as it came."""
    return re.findall(r"fail_json\([^\n]*msg=(?:str\(|f[\"'][^\n]*\{error\})[^\n]*", source)


@pytest.mark.parametrize("path", sorted(ROOT.glob("plugins/modules/*.py")), ids=lambda path: path.stem)
def test_no_module_ends_with_the_text_of_an_error_as_it_came(path: Path) -> None:
    assert raw_failures(path.read_text()) == []


def test_a_message_past_the_filter_is_found() -> None:
    assert raw_messages([{"ansible.builtin.fail": {"msg": "x {{ seen.msg }}"}}]) == ["seen.msg"]
    assert raw_messages({"fail_msg": "{{ lookup('ops.runbook.input', 'target') }}"}) != []
    assert raw_messages({"ops.runbook.refuse": {"text": "{{ seen.msg }}"}}) == ["seen.msg"]
    assert raw_messages({"msg": "{{ (seen | ops.runbook.health_report).splitlines() }}"}) == []
    assert raw_messages({"msg": "{{ (seen.msg).splitlines() }}"}) == ["(seen.msg).splitlines()"]
    assert raw_messages({"msg": "{{ seen.msg | ops.runbook.shown }} {{ seen.results | length }}"}) == []
    assert raw_failures("module.fail_json(msg=str(error), x=1)") and raw_failures('fail_json(msg=f"path: {error}")')
