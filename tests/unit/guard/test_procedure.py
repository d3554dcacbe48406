# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of a procedure: every system keeps it, and the guard keeps its part of it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console.report import refusal_lines
from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Acts, Context, Operation, System
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request

PLUGINS = "ansible_collections.ops.runbook.plugins"
#: The packages that offer procedures to the guard; the one of console reads playbooks.
PACKAGES = {path.parent.name for path in Path(procedure.__file__).resolve().parents[1].glob("*/procedures.py")} - {
    "console"
}


def system_of(package: str) -> System[Any, Any]:
    offered = vars(importlib.import_module(f"{PLUGINS}.module_utils.{package}.procedures")).values()
    (system,) = (one for one in offered if isinstance(one, System))
    return system


SYSTEMS = {package: system_of(package) for package in sorted(PACKAGES)}
EACH = [(system, name) for system in SYSTEMS.values() for name in system.procedures]


# -- what each system offers ---------------------------------------------------------------------


def test_systems_are_found() -> None:
    assert {"laravel", "compose", "dokku"} <= set(SYSTEMS)


@pytest.mark.parametrize(("system", "name"), EACH, ids=lambda one: getattr(one, "name", one))
def test_a_procedure_offers_its_three_functions(system: System[Any, Any], name: str) -> None:
    offered = system.procedures[name]()
    assert all(callable(getattr(offered, function, None)) for function in ("plan", "steps", "verify"))


@pytest.mark.parametrize("package", SYSTEMS)
def test_a_system_is_what_its_package_and_its_module_say(package: str) -> None:
    system, module = SYSTEMS[package], importlib.import_module(f"{PLUGINS}.modules.{package}_operation")
    assert system.name == package
    assert module.OPTIONS["procedure"]["choices"] == list(system.procedures)
    assert set(system.secrets) <= set(module.OPTIONS)
    described = get_args(type(system).__orig_bases__[0])[0]  # type: ignore[attr-defined]
    assert set(system.as_planned) <= {field.name for field in fields(described)}
    secret = {name for name, option in module.OPTIONS.items() if option.get("no_log")}
    assert secret <= set(system.secrets), "the result of the module would show it"


# -- what the guard does with it -----------------------------------------------------------------


@dataclass(frozen=True)
class Shop:
    """A service with one word in a file."""

    path: str
    strategy: str = "careful"


class Painting:
    """Writes a word into the file, in the way that the description says."""

    def plan(self, context: Context[Shop]) -> dict[str, Any]:
        return {
            "from": {"id": "old"},
            "to": {"id": context.inputs["to"]},
            "steps": [Step("paint:wall", "", data={"word": context.inputs["to"]}).to_dict()],
            "undo": [Step("paint:back", "", data={"word": "old", "after": "paint:wall"}).to_dict()],
            "made_by": context.operation,
        }

    def steps(self, context: Context[Shop], plan: dict[str, Any]) -> Acts:
        def paint(step: Step) -> object:
            Path(context.service.path).write_text(f"{step.data['word']}, {context.service.strategy}")
            return None

        return {"paint": paint}

    def verify(self, context: Context[Shop], plan: Mapping[str, Any], direction: str) -> dict[str, Any]:
        wanted = plan["from" if direction == "back" else "to"]["id"]
        there, before = Path(context.service.path).read_text(), plan["just_before"]
        ok = there.startswith(wanted) and wanted not in context.secrets.get("bad", ())
        return {"ok": ok, "reason": "" if ok else f"{there} after {before}", "health": []}


class Toy(System[Shop, Shop]):
    name = "toy"
    procedures = {"paint": Painting}
    as_planned = ("strategy",)
    secrets = ("secret",)

    def describe(self, raw: Mapping[str, Any]) -> Shop:
        return Shop(**raw)

    def subject(self, description: Shop) -> tuple[str, str]:
        return "shop", description.path

    def service(self, description: Shop, guard: Guard) -> Shop:
        return description

    def before(self, context: Context[Shop], plan: Mapping[str, Any]) -> dict[str, Any]:
        return {"was": Path(context.service.path).read_text()}


def painted(tmp_path: Path, strategy_then: str = "careful", **secrets: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A plan, and what carrying it out answered. strategy_then: what the inventory says by then."""
    wall, state = tmp_path / "wall", str(tmp_path / "state")
    wall.write_text("old")
    toy, shop, wish = Toy(), Shop(str(wall)), {"to": "red", "set_aside_ledger": False}
    plan = Operation(toy, shop, Guard(state), wish).open_and_plan(Request("op-1", "shop", "paint"))["plan"]
    later = Operation(toy, replace(shop, strategy=strategy_then), Guard(state), {}, secrets)
    return plan, later.carry_out(Orders("op-1", "forward", revert=True, close=True))


def test_a_plan_says_what_was_asked_and_what_it_was_planned_by(tmp_path: Path) -> None:
    plan, _ = painted(tmp_path)
    added = {"asked": "red", "procedure": "paint", "saved_as": "op-1", "strategy": "careful", "migrations": None}
    assert added.items() <= plan.items() and plan["made_by"] == "op-1"


def test_an_operation_ends_as_it_was_planned_whatever_the_inventory_says_by_then(tmp_path: Path) -> None:
    _, result = painted(tmp_path, strategy_then="quick")
    assert (result["closed"]["outcome"], (tmp_path / "wall").read_text()) == ("succeeded", "red, careful")


def test_a_result_that_is_not_good_goes_back_and_was_compared_with_what_was_before(tmp_path: Path) -> None:
    _, result = painted(tmp_path, bad=["red"])
    assert (result["closed"]["outcome"], (tmp_path / "wall").read_text()) == ("reverted", "old, careful")
    assert result["error"] == "red, careful after {'was': 'old'}"


@pytest.mark.parametrize("step", ["paint", "paint:wall", "paint:wall:twice"])
def test_a_step_is_done_by_its_id_up_to_a_colon(step: str) -> None:
    assert procedure.do({"paint": lambda one: one.id}, Step(step, "")) == step


def test_a_step_of_another_version_is_named() -> None:
    with pytest.raises(LookupError, match=r"this version does not know the step varnish:wall"):
        procedure.do({"paint": lambda one: one.id}, Step("varnish:wall", ""))


# -- how a module ends ---------------------------------------------------------------------------


class Ended(Exception):
    """Carries what the module ended with."""


class Module:
    """An AnsibleModule whose end can be looked at."""

    def __init__(self, check_mode: bool = False, **params: Any) -> None:
        self.params = params
        self.check_mode = check_mode
        self._diff = False
        self.no_log_values = {"1", "hunter2222"}

    def fail_json(self, **result: Any) -> Any:
        raise Ended({**result, "failed": True})

    def exit_json(self, **result: Any) -> Any:
        raise Ended(result)


def ended(tmp_path: Path, check_mode: bool = False, **params: Any) -> tuple[dict[str, Any], set[str]]:
    (tmp_path / "wall").write_text("old")
    given = {"environment": "", "reason": "", "actor": {}, "lock_wait": 0, "lock_takeover": "", "interrupted": ""}
    given |= {"lease_ttl": 900, "operation": "op-1", "state_dir": str(tmp_path / "state"), "procedure": "paint"}
    given |= {"service": {"path": str(tmp_path / "wall")}, "to": "red", "secret": "hunter2222", "endpoints": []}
    given |= {"direction": "forward", "on_unhealthy": "hold", "close": True, "cause": ""}
    given |= {"deadline": 0, "interval": 1, "successes": 1}
    module: Any = Module(check_mode, **{**given, **params})
    with pytest.raises(Ended) as end:
        procedure.run(module, Toy(), hidden=("reason",))
    return end.value.args[0], module.no_log_values


def test_a_module_plans_and_carries_out_and_shows_no_secret(tmp_path: Path) -> None:
    planned, masked = ended(tmp_path, phase="plan")
    assert (planned["changed"], planned["plan"]["to"], planned["refusal"]) == (False, {"id": "red"}, None)
    assert planned["invocation"]["module_args"]["secret"] is None and masked == {"hunter2222"}
    applied, _ = ended(tmp_path, phase="apply")
    assert (applied["changed"], applied["healthy"], applied["closed"]["outcome"]) == (True, True, "succeeded")


def test_a_plan_in_check_mode_says_whether_anything_would_change(tmp_path: Path) -> None:
    assert ended(tmp_path, phase="plan", check_mode=True)[0]["changed"] is True


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"phase": "apply", "check_mode": True}, "an operation is never open in check mode"),
        ({"phase": "apply"}, "op-1"),
        ({"phase": "apply", "endpoints": [{"url": "ftp://shop"}]}, "http"),
    ],
    ids=["check mode", "no operation is open", "an endpoint that can't be asked"],
)
def test_a_module_fails_with_one_sentence(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    result, _ = ended(tmp_path, **given)
    assert result["failed"] and said in result["msg"]


def test_a_module_that_fails_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(*_given: object) -> dict[str, Any]:
        raise OSError("the wall can't be read")

    lost, _ = ended(tmp_path, phase="apply")
    assert lost["msg"].endswith("(opens a new operation, or says how to make the folder)") and "refusal" not in lost
    monkeypatch.setattr(Painting, "plan", unread)
    broken, _ = ended(tmp_path, phase="plan")
    assert broken["refusal"]["code"] == "plan_failed" and broken["refusal"]["text"] == broken["msg"]
    assert broken["refusal"]["ways"] == [
        {"input": "the same command again", "effect": "once what this names is put right"},
    ]
    (screen,) = [line for line in refusal_lines({"wall1": broken}) if "same command" in line]
    assert screen == "    the same command again  once what this names is put right"
