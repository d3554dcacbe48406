"""The options of a module are those of its documentation."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    path.stem for path in ROOT.glob("plugins/modules/*.py") if "AnsibleModule(" in path.read_text(encoding="utf-8")
)
Options = Mapping[str, Mapping[str, Any]]


class Seen(Exception):
    """Carries what a module gave to AnsibleModule, before anything is done with it."""


def given(monkeypatch: pytest.MonkeyPatch, name: str) -> dict[str, Any]:
    module = importlib.import_module(f"ansible_collections.ops.runbook.plugins.modules.{name}")

    def look(**arguments: Any) -> None:
        raise Seen(arguments)

    monkeypatch.setattr(module, "AnsibleModule", look)
    with pytest.raises(Seen) as seen:
        module.main()
    arguments: dict[str, Any] = seen.value.args[0]
    return arguments


@pytest.fixture(scope="session")
def pages() -> dict[str, dict[str, Any]]:
    """The documentation of each module, its fragments included."""
    ran = subprocess.run(
        [sys.executable, "-m", "ansible", "doc", "--json", *(f"ops.runbook.{name}" for name in MODULES)],
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
    return {name.rpartition(".")[2]: page for name, page in json.loads(ran.stdout).items()}


def typed(value: Any) -> tuple[str, Any]:
    """Python takes 0 for false, and 5 for 5.0; a reader of the documentation takes the second only."""
    return ("bool" if isinstance(value, bool) else "", value)


def differences(spec: Options, documented: Options, where: str = "") -> list[str]:
    found = [f"{where}{name}: not in the documentation" for name in spec if name not in documented]
    found += [f"{where}{name}: not in the argument spec" for name in documented if name not in spec]
    for name in sorted({*spec} & {*documented}):
        one, other = spec[name], documented[name]
        for key, fallback in (("type", "str"), ("required", False), ("elements", None), ("default", None)):
            if typed(one.get(key, fallback)) != typed(other.get(key, fallback)):
                found.append(f"{where}{name}: {key} is {one.get(key)!r}, and {other.get(key)!r} by the documentation")
        for key in ("choices", "aliases"):
            if list(one.get(key) or ()) != list(other.get(key) or ()):
                found.append(f"{where}{name}: {key} are {one.get(key)}, and {other.get(key)} by the documentation")
        found += differences(one.get("options") or {}, other.get("suboptions") or {}, f"{where}{name}.")
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_takes_what_it_documents(
    monkeypatch: pytest.MonkeyPatch, pages: dict[str, dict[str, Any]], name: str
) -> None:
    assert differences(given(monkeypatch, name)["argument_spec"], pages[name]["doc"].get("options", {})) == []


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_whether_it_runs_in_check_mode(
    monkeypatch: pytest.MonkeyPatch, pages: dict[str, dict[str, Any]], name: str
) -> None:
    promised = pages[name]["doc"]["attributes"]["check_mode"]["support"]
    assert given(monkeypatch, name).get("supports_check_mode", False) is (promised != "none")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, pages: dict[str, dict[str, Any]], name: str
) -> None:
    spec = given(monkeypatch, name)["argument_spec"]
    uses = [
        task[f"ops.runbook.{name}"]
        for task in plain_yaml.load(pages[name]["examples"])
        if f"ops.runbook.{name}" in task
    ]
    assert uses
    for use in uses:
        assert {*use} <= {*spec}
        assert {option for option, rule in spec.items() if rule.get("required")} <= {*use}


@pytest.mark.parametrize(
    ("spec", "documented"),
    [
        ({"a": {}}, {}),
        ({}, {"a": {}}),
        ({"a": {"type": "int"}}, {"a": {"type": "float"}}),
        ({"a": {"type": "int", "default": 5}}, {"a": {"type": "int", "default": 6}}),
        ({"a": {"type": "bool", "default": False}}, {"a": {"type": "bool", "default": 0}}),
        ({"a": {"required": True}}, {"a": {}}),
        ({"a": {"choices": ["x", "y"]}}, {"a": {"choices": ["x"]}}),
        ({"a": {"type": "list", "elements": "str"}}, {"a": {"type": "list"}}),
        ({"a": {"type": "dict", "options": {"b": {}}}}, {"a": {"type": "dict", "suboptions": {"c": {}}}}),
    ],
)
def test_a_difference_is_seen(spec: Options, documented: Options) -> None:
    assert differences(spec, documented)
    assert not differences(spec, {name: {**rule, "suboptions": rule.get("options")} for name, rule in spec.items()})
