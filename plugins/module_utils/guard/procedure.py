# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract of a procedure: its functions, its context, and the way in which the guard plans it and carries it out.

A procedure is a module or an object with three functions. Lease, journal, ledger, recovery and close are not its
business. `procedures.py` of a system's package names its procedures. To add one, name it there, in the documentation
of the system's module and in the argument specs of its role, and give it a playbook.

    def plan(context: Context[Service]) -> Plan

Reads the host and decides. It changes nothing, since it also runs in check mode. Raises Problem. contract.py has the
keys of a plan; a system declares those of its own in a class that extends Plan. An operation that moves no release has
the present one in `from` and in `to`.

The plan goes to the journal as it is, so it has no secret. A step has in its data what it needs: the next run
continues an interrupted operation from its journal, without the inputs of the run that began it. The guard adds
`procedure`, `saved_as` (the id of the operation that made the plan) and `asked` (the input `to` of the operator).

    def steps(context: Context[Service], plan: Plan) -> Mapping[str, Callable[[Step], object]]

The function of each step, forward and back, by the step's id up to a colon ("link" does "link:restant-db"). It first
looks if its work is done already, because it runs again after a kill, and returns a note for the ledger (without
secrets) or None. It may raise anything: the text becomes the error of the operation.

    def verify(context: Context[Service], plan: Plan, direction: str) -> dict[str, Any]

Looks at the result after the way "forward" or "back", and changes nothing. Returns ok, reason (empty if ok), health
(list of health.Result.to_dict()), and more that is worth keeping; the summary shows `note`. The plan has under
`just_before` the answer of System.before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, cast

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import NO_PLAN, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import LedgerDamaged
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import Module, answer, requested
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Applied, Plan, Planned

Described = TypeVar("Described")
Service = TypeVar("Service")
_NO_GATE = GateSettings((), 0, 0, 1)

Acts = Mapping[str, Callable[[Step], object]]


@dataclass(frozen=True)
class Context(Generic[Service]):
    """One phase of one operation.

    inputs: those of the operator, by name; the run that continues an operation may have others. secrets: values for no
    plan, note or text. gate: the settings of the health gate. operation: its id, while it is planned.
    """

    service: Service
    guard: Guard
    inputs: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    gate: GateSettings = _NO_GATE
    check_mode: bool = False
    operation: str = ""


class Procedure(Protocol[Service]):
    """A procedure; the text at the top of this file describes each function. steps and verify take what plan made."""

    def plan(self, context: Context[Service]) -> Plan: ...

    def steps(self, context: Context[Service], plan: Any) -> Acts: ...

    def verify(self, context: Context[Service], plan: Any, direction: str) -> dict[str, Any]: ...


def do(acts: Acts, step: Step) -> object:
    """Do a step. Raises LookupError for a step of another version, and the errors of its function."""
    act = acts.get(step.id.partition(":")[0])
    if act is None:
        raise LookupError(f"this version does not know the step {step.id}; the version that planned it does")
    return act(step)


class System(Generic[Described, Service]):
    """A system, as the guard and the module of its operations need it. `procedures.py` of its package has the one."""

    #: Begins the names of its playbooks and of its module; the name of its package.
    name: str
    #: The function that loads each procedure, by its name. Ansible sends a module to a host if an import of it is in
    #: the source, and Python compiles it there anew in each call: so a procedure is imported by its own function.
    procedures: Mapping[str, Callable[[], Procedure[Service]]]
    #: Options of the description that a plan keeps: an interrupted operation ends as it was planned, although the
    #: inventory may say something else by then.
    as_planned: tuple[str, ...] = ()
    #: Options of the module whose values are secret: a context has them as its secrets, and no result shows them.
    secrets: tuple[str, ...] = ()
    #: Errors beside Problem that the module shows as a sentence, without a traceback.
    errors: tuple[type[Exception], ...] = ()

    def describe(self, raw: Mapping[str, Any]) -> Described:
        """The service in the module's option `service`."""
        raise NotImplementedError

    def subject(self, description: Described) -> tuple[str, str]:
        """The name of the service, and the place on the host that its state folder is of."""
        raise NotImplementedError

    def service(self, description: Described, guard: Guard) -> Service:
        """The tools with which a phase reads and changes the service."""
        raise NotImplementedError

    def inputs(self, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The inputs of the operator and the secrets in the module's options."""
        return params, {name: params[name] for name in self.secrets}

    def plan(self, procedure: Procedure[Service], context: Context[Service]) -> Plan:
        """The plan of a procedure. Raises Problem."""
        return procedure.plan(context)

    def before(self, context: Context[Service], plan: Any) -> dict[str, Any]:
        """The present state of all that verify will look at, just before the first change."""
        return {}

    def trees(self, description: Described, guard: Guard) -> tuple[str, ...]:
        """The folders whose files the steps write without syncing them."""
        return ()


@dataclass(frozen=True)
class Operation(Generic[Described, Service]):
    """One phase of an operation on a service of a system."""

    system: System[Described, Service]
    description: Described
    guard: Guard
    inputs: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    gate: GateSettings = _NO_GATE
    check_mode: bool = False

    def open_and_plan(self, request: Request) -> Planned:
        """Open the operation and plan it, in check mode only look; guard/open_and_plan.py describes the result."""
        # Each phase loads what it needs: a host compiles it anew in each call.
        from ansible_collections.ops.runbook.plugins.module_utils.guard import open_and_plan

        return open_and_plan.open_and_plan(
            self.guard,
            request,
            lambda: self._planned(request),
            self.check_mode,
            to=str(self.inputs.get("to") or ""),
            set_aside_ledger=bool(self.inputs.get("set_aside_ledger")),
        )

    def carry_out(self, orders: Orders) -> Applied:
        """Do the rest of the operation; guard/carry_out.py describes the result."""
        from ansible_collections.ops.runbook.plugins.module_utils.guard import carry_out

        work = carry_out.Work(
            self._executor,
            lambda plan, direction: self._procedure(plan).verify(self._context(plan), plan, direction),
            lambda plan: self.system.before(self._context(plan), plan),
            self.system.trees(self.description, self.guard),
        )
        return carry_out.carry_out(self.guard, work, orders)

    def _planned(self, request: Request) -> Plan:
        context = replace(self._context({}), operation=request.operation)
        plan = self.system.plan(self.system.procedures[request.procedure](), context)
        kept = {name: getattr(self.description, name) for name in self.system.as_planned}
        made: Plan = {
            "asked": str(self.inputs.get("to") or ""),
            "migrations": None,
            **plan,
            "procedure": request.procedure,
            "saved_as": request.operation,
        }
        return cast("Plan", {**kept, **made})

    def _executor(self, plan: Plan) -> Callable[[Step], object]:
        acts = self._procedure(plan).steps(self._context(plan), plan)
        return lambda step: do(acts, step)

    def _procedure(self, plan: Plan) -> Procedure[Service]:
        return self.system.procedures[plan["procedure"]]()

    def _context(self, plan: Mapping[str, Any]) -> Context[Service]:
        """A context with a new service: no part of a phase goes by what another part has read."""
        planned = {name: plan[name] for name in self.system.as_planned if name in plan}
        service = self.system.service(replace(self.description, **planned), self.guard)  # type: ignore[type-var]
        return Context(service, self.guard, self.inputs, self.secrets, self.gate, self.check_mode)


def run(module: Module, system: System[Any, Any], hidden: Sequence[str] = ()) -> NoReturn:
    """Plan an operation of a system or carry it out, and end the module.

    hidden: options that the result does not show, beside the secrets.
    """
    module.no_log_values = endpoint.worth_masking(module.no_log_values)
    arguments = {**endpoint.without_secrets(module.params), **dict.fromkeys((*system.secrets, *hidden))}
    phases = {"plan": lambda: _plan(module, system), "apply": lambda: _apply(module, system)}
    answer(module, phases, arguments, (LedgerDamaged, endpoint.HealthCheckError, *system.errors))


def _plan(module: Module, system: System[Any, Any]) -> dict[str, Any]:
    """Open and plan; changed says, in check mode, what would be."""
    operation = _operation(module, system)
    name, place = system.subject(operation.description)
    request = requested(module.params, name, system.name, place, "adopt" in system.procedures)
    result = operation.open_and_plan(request)
    plan = result["plan"] or NO_PLAN
    going = bool(plan["steps"])
    if module._diff and going:
        result["diff"] = {"prepared": "\n".join(plan.get("diffstat", [])) + "\n"}
    return {"changed": module.check_mode and going, **result}


def _apply(module: Module, system: System[Any, Any]) -> Applied:
    """Do the rest of the operation, as its journal has it."""
    from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders

    params = module.params
    orders = Orders(
        operation=params["operation"],
        direction=params["direction"],
        revert=params["on_unhealthy"] == "revert",
        close=params["close"],
        cause=params["cause"],
    )
    return replace(_operation(module, system), gate=endpoint.gate_of(params)).carry_out(orders)


def _operation(module: Module, system: System[Any, Any]) -> Operation[Any, Any]:
    params = module.params
    description, guard = system.describe(params["service"]), Guard(params["state_dir"])
    return Operation(system, description, guard, *system.inputs(params), check_mode=module.check_mode)
