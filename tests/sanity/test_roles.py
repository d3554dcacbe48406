"""The options of the roles: each has a name, a description, and a default unless it is required."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console.watch import PHASES
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.name for path in ROOT.glob("roles/*/meta"))


def load(path: Path) -> dict[str, Any]:
    return (plain_yaml.load(path.read_text()) or {}) if path.is_file() else {}


def options_of(role: str) -> dict[str, list[dict[str, Any]]]:
    """Each option of a role, as its entry points describe it."""
    entries = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"].values()
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        for name, option in entry.get("options", {}).items():
            found.setdefault(name, []).append(option)
    return found


def flaw(name: str, role: str, described: list[dict[str, Any]]) -> str:
    """The flaw of an option, as each entry point describes it; empty without one."""
    if not name.startswith(f"{role}_"):
        return "the name must begin with the role's"
    if any(option.get("required") and "default" in option for option in described):
        return "required, and yet with a default"
    if not all(option.get("required") or "default" in option for option in described):
        return "neither required nor with a default"
    if any(option.get("required") for option in described) and any("default" in option for option in described):
        return "required at one entry point, and with a default at another"
    return ""


@pytest.mark.parametrize("role", ROLES)
def test_each_option_is_required_or_has_a_default(role: str) -> None:
    """`make generate` writes the defaults from the argument specs, and test_generated.py holds them to it."""
    wrong = {name: text for name, described in options_of(role).items() if (text := flaw(name, role, described))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("name", "described", "sound"),
    [
        ("x_a", [{"default": 5}], True),
        ("x_a", [{"required": True}], True),
        ("x_a", [{"default": "run"}, {"default": "refuse"}], True),
        ("y_a", [{"default": 5}], False),
        ("x_a", [{}], False),
        ("x_a", [{"default": 5}, {}], False),
        ("x_a", [{"required": True, "default": 5}], False),
        ("x_a", [{"required": True}, {"default": 5}], False),
    ],
)
def test_a_flaw_is_seen(name: str, described: list[dict[str, Any]], sound: bool) -> None:
    assert (flaw(name, "x", described) == "") is sound


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_described(role: str) -> None:
    silent = [
        name for name, described in options_of(role).items() for option in described if not option.get("description")
    ]
    assert not silent


@pytest.mark.parametrize("role", ROLES)
def test_internal_variables_say_so(role: str) -> None:
    open_names = [name for name in load(ROOT / "roles" / role / "vars/main.yml") if not name.startswith("__")]
    assert not open_names


#: What the guard registers, by the file of tasks that finds it: see console/watch.py.
REGISTERED = {
    "operation_named": "open",
    "operation_planned": "plan",
    "operation_applied": "apply",
    "operation_recovered": "recover",
    "operation_closed": "settle",
}


def tasks_of(path: Path) -> list[dict[str, Any]]:
    return [task for task in load(path) or [] if isinstance(task, dict)]


def test_a_screen_knows_the_phase_of_a_task_by_its_file() -> None:
    """A screen takes what tasks/apply.yml registers for the result of applying, whatever the task is called."""
    found = {
        (task["register"], path.stem)
        for path in ROOT.glob("roles/*/tasks/*.yml")
        for task in tasks_of(path)
        if str(task.get("register", "")).startswith("operation_") and "history" not in task["register"]
    }
    assert found == set(REGISTERED.items())
    assert {*PHASES} <= {path.stem for path in ROOT.glob("roles/*/tasks/*.yml")}
