"""Modules on a host, without a controller: one process there runs them, each with a fault at one of its writes."""

from __future__ import annotations

import json
import select
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lab import ROOT, Host
from waiting import END

PLACE = "/opt/ops-runbook"
#: What ends an operation, and what reads its ledger.
MODULES = ("operation_close", "operation_history_info")
Running = TypeVar("Running", bound="ModuleDriver")


class Operated(Protocol):
    """A service as the module of its operations is told of it."""

    module: str
    options: dict[str, Any]
    endpoints: list[dict[str, Any]]
    state_dir: str


class Asked(Protocol):
    """A request of an operator for a service, and the releases that it goes from and to."""

    procedure: str
    to: str
    migrations: str
    inputs: dict[str, object]

    @property
    def first(self) -> str: ...

    @property
    def second(self) -> str: ...


def install(host: Host) -> None:
    """Bring the driver and the modules of this checkout to the host."""
    library = Path(sysconfig.get_paths()["purelib"])
    plugins = f"{PLACE}/ansible_collections/ops/runbook"
    host.root(f"rm -rf {PLACE}; mkdir -p {PLACE}/ansible {plugins}")
    for source, target in (
        (library / "ansible/module_utils", f"{PLACE}/ansible/"),
        (ROOT / "plugins", f"{plugins}/"),
        *((Path(__file__).parent / f"on_host/{name}.py", f"{PLACE}/") for name in ("driver", "fault")),
    ):
        subprocess.run(["docker", "cp", str(source), f"{host.name}:{target}"], check=True, capture_output=True)
    # An empty package, as in what Ansible sends to a host.
    host.root(f"touch {PLACE}/ansible/__init__.py; chmod -R a+rX {PLACE}")


class ModuleDriver:
    """A running driver. wrapper: what it is started by, such as a clock of its own."""

    def __init__(self, host: Host, service: Operated, *wrapper: str) -> None:
        self.host, self.service = host, service
        self._operations = 0
        # DONT_FAKE_MONOTONIC: a clock that is set does not move what counts from the boot.
        environment = ["-e", f"PYTHONPATH={PLACE}", "-e", "DONT_FAKE_MONOTONIC=1"]
        command = ["python3", f"{PLACE}/driver.py", *MODULES, service.module]
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", *environment, host.name, *wrapper, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self: Running) -> Running:
        return self

    def __exit__(self, *_problem: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, **order: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        readable, _, _ = select.select([self._process.stdout], [], [], END)
        assert readable, f"no answer within {END:g} s: {order}"
        answer = json.loads(self._process.stdout.readline())
        assert "problem" not in answer, answer["problem"]
        return answer["answer"]

    def shell(self, command: str, check: bool = True) -> str:
        """A command as root."""
        return str(self._ask(do="shell", command=command, check=check))

    def keep(self, snapshot: str) -> None:
        """Keep the state of the host: application, operations and database."""
        raise NotImplementedError

    def restore(self, snapshot: str) -> None:
        """Bring the host to a kept state, and the services on it."""
        raise NotImplementedError

    def new_operation(self) -> str:
        """An id as a run of a playbook would make it; each sorts after those before."""
        self._operations += 1
        return f"20991231T000000Z-{self._operations:06d}"

    def order(
        self, module: str, operation: str, fault: dict[str, Any] | None = None, **arguments: object
    ) -> dict[str, Any]:
        given = {"state_dir": self.service.state_dir, **arguments}
        if operation:
            given["operation"] = operation
        if module == self.service.module:
            given |= {"service": self.service.options, "endpoints": self.service.endpoints}
        return {"module": module, "arguments": given, "fault": fault}

    def module(self, module: str, operation: str = "", **options: Any) -> dict[str, Any]:
        """Run a module; its result, with rc."""
        found: dict[str, Any] = self._ask(do="module", **self.order(module, operation, **options))
        return found

    def together(self, *orders: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask(do="together", modules=list(orders))
        return found

    def plan_order(self, story: Asked, operation: str, **options: Any) -> dict[str, Any]:
        wish = {"procedure": story.procedure, "to": story.to, "migrations": story.migrations, **story.inputs}
        return self.order(self.service.module, operation, phase="plan", **{**wish, **options})

    def plan(self, story: Asked, operation: str, **options: Any) -> dict[str, Any]:
        """Open and plan, as the first task of a run does."""
        found: dict[str, Any] = self._ask(do="module", **self.plan_order(story, operation, **options))
        return found

    def apply(self, operation: str, direction: str = "forward", **options: Any) -> dict[str, Any]:
        """Apply, verify and close, as the second task of a run on one host does."""
        settings = {"direction": direction, "deadline": 60, "successes": 1, "close": True}
        return self.module(self.service.module, operation, phase="apply", **{**settings, **options})

    def run(self, story: Asked, **inputs: Any) -> dict[str, Any]:
        """A whole run of a procedure. Keys: operation, refusal (its code, or empty), its text and ways, and outcome."""
        operation = self.new_operation()
        planned = self.plan(story, operation, **inputs)
        if not planned.get("plan"):
            refusal = planned.get("refusal") or {"code": planned.get("msg", str(planned)), "ways": []}
            ways = [way["input"] for way in refusal["ways"]]
            return {"operation": operation, "refusal": refusal["code"], "text": refusal.get("text", ""), "ways": ways}
        applied = self.apply(operation, planned["direction"])
        outcome = (applied.get("closed") or {}).get("outcome", applied.get("msg"))
        return {"operation": operation, "refusal": "", "text": "", "ways": [], "outcome": outcome, "applied": applied}
