"""What a role says it takes is what it takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.name for path in ROOT.glob("roles/*/meta"))


def load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) or {}) if path.is_file() else {}


def options_of(role: str) -> dict[str, list[dict[str, Any]]]:
    """Each option of a role, as its entry points describe it."""
    entries = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"].values()
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        for name, option in entry.get("options", {}).items():
            found.setdefault(name, []).append(option)
    return found


def same(one: Any, other: Any) -> bool:
    """Equal, and not by the chance that Python takes 0 for false."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def settled(default: Any) -> Any:
    """The default of an option without its input: the specs say a number where the default reads the input."""
    reads = r"\{\{ lookup\('ops\.runbook\.input', '[a-z_]+', default=(\d+)\) \}\}"
    found = re.fullmatch(reads, default) if isinstance(default, str) else None
    return int(found[1]) if found else default


def disagreement(name: str, described: list[dict[str, Any]], defaults: dict[str, Any]) -> str:
    """What is wrong between an option, as each entry point describes it, and the role's default; empty if nothing is.

    Where entry points differ, the role's default is the empty text: each then takes its own.
    """
    if any(option.get("required") and "default" in option for option in described):
        return "required, and yet with a default"
    if not all(option.get("required") or "default" in option for option in described):
        return "neither required nor with a default"
    required = any(option.get("required") for option in described)
    wanted = [option["default"] for option in described if "default" in option]
    differ = required and wanted or any(not same(one, wanted[0]) for one in wanted)
    if required and not wanted and name not in defaults:
        return ""
    default = "" if required or differ else wanted[0]
    if name not in defaults:
        return f"{default!r} in the specs, and not among the defaults"
    if not same(default, defaults[name] if isinstance(default, str) else settled(defaults[name])):
        return f"{default!r} by the specs, {defaults[name]!r} among the defaults"
    return ""


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_specs_agree(role: str) -> None:
    defaults = load(ROOT / "roles" / role / "defaults/main.yml")
    options = options_of(role)
    wrong = {name: "a default, and no option" for name in defaults if name not in options}
    wrong |= {name: "the name must begin with the role's" for name in options if not name.startswith(f"{role}_")}
    wrong |= {name: text for name in options if (text := disagreement(name, options[name], defaults))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("described", "defaults", "agree"),
    [
        ([{"default": 5}], {"x_a": 5}, True),
        ([{"default": 5}], {"x_a": 6}, False),
        ([{"default": 5}], {}, False),
        ([{"default": 0}], {"x_a": False}, False),
        ([{"default": 0}], {"x_a": "{{ lookup('ops.runbook.input', 'wait', default=0) }}"}, True),
        ([{"default": 0}], {"x_a": "{{ lookup('ops.runbook.input', 'wait', default=5) }}"}, False),
        ([{}], {"x_a": 5}, False),
        ([{"required": True}], {}, True),
        ([{"required": True}], {"x_a": ""}, True),
        ([{"required": True}], {"x_a": "down"}, False),
        ([{"required": True, "default": 5}], {"x_a": 5}, False),
        ([{"default": "run"}, {"default": "refuse"}], {"x_a": ""}, True),
        ([{"default": "run"}, {"default": "refuse"}], {"x_a": "run"}, False),
    ],
)
def test_a_disagreement_is_seen(described: list[dict[str, Any]], defaults: dict[str, Any], agree: bool) -> None:
    assert (disagreement("x_a", described, defaults) == "") is agree


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
