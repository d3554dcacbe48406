"""The driver on a host, as tests use it."""

from __future__ import annotations

import json
import select
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from lab import ROOT, Lab
from stories import Service, Story

PLACE = "/opt/ops-runbook"
DEADLINE = 300


def install(lab: Lab) -> None:
    """Bring the driver and the modules of this checkout to the host."""
    library = Path(sysconfig.get_paths()["purelib"])
    plugins = f"{PLACE}/ansible_collections/ops/runbook"
    lab.root(f"rm -rf {PLACE}; mkdir -p {PLACE}/ansible {plugins}")
    for source, target in (
        (library / "ansible/module_utils", f"{PLACE}/ansible/"),
        (ROOT / "plugins", f"{plugins}/"),
        (Path(__file__).parent / "on_host/driver.py", f"{PLACE}/"),
    ):
        subprocess.run(["docker", "cp", str(source), f"{lab.name}:{target}"], check=True, capture_output=True)
    # An empty package, as in what Ansible sends to a host.
    lab.root(f"touch {PLACE}/ansible/__init__.py; chmod -R a+rX {PLACE}")


class Driver:
    """A running driver. wrapper: what it is started by, such as a clock of its own."""

    def __init__(self, lab: Lab, service: Service, *wrapper: str) -> None:
        self.lab, self.service = lab, service
        self._operations = 0
        # DONT_FAKE_MONOTONIC: a clock that is set does not move what counts from the boot.
        environment = ["-e", f"PYTHONPATH={PLACE}", "-e", "DONT_FAKE_MONOTONIC=1"]
        self._process = subprocess.Popen(
            ["docker", "exec", "-i", *environment, lab.name, *wrapper, "python3", f"{PLACE}/driver.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_problem: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, **order: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        readable, _, _ = select.select([self._process.stdout], [], [], DEADLINE)
        assert readable, f"no answer within {DEADLINE} s: {order}"
        answer = json.loads(self._process.stdout.readline())
        assert "problem" not in answer, answer["problem"]
        return answer["answer"]

    def shell(self, command: str, check: bool = True) -> str:
        """A command as root."""
        return str(self._ask(do="shell", command=command, check=check))

    # -- snapshots -------------------------------------------------------------------------------

    def restore(self, snapshot: str) -> None:
        """Bring the host to a snapshot: application, state and database, and the services on them."""
        copies = "; ".join(f"restore {snapshot}/{name} {path}" for name, path in self.service.kept.items())
        # The worker needs nobody: it ends by itself when it finds another time of its last restart.
        self.shell(
            "set -e; restore() { find $2 -mindepth 1 -delete; cp -a $1/. $2/; }; "
            f"{copies}; systemctl reload php8.4-fpm"
        )

    def keep(self, snapshot: str) -> None:
        copies = "; ".join(f"cp -a {path} {snapshot}/{name}" for name, path in self.service.kept.items())
        self.shell(f"set -e; rm -rf {snapshot}; mkdir -p {snapshot}; {copies}")

    # -- modules ---------------------------------------------------------------------------------

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
        if module == "laravel_operation":
            given |= {"service": self.service.options, "endpoints": self.service.endpoints}
        return {"module": module, "arguments": given, "fault": fault}

    def module(self, module: str, operation: str = "", **options: Any) -> dict[str, Any]:
        """Run a module; its result, with rc."""
        found: dict[str, Any] = self._ask(do="module", **self.order(module, operation, **options))
        return found

    def together(self, *orders: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask(do="together", modules=list(orders))
        return found

    def plan_order(self, story: Story, operation: str, **options: Any) -> dict[str, Any]:
        wish = {"procedure": story.procedure, "to": story.to, "migrations": story.migrations, **story.inputs}
        return self.order("laravel_operation", operation, phase="plan", **{**wish, **options})

    def plan(self, story: Story, operation: str, **options: Any) -> dict[str, Any]:
        """Open and plan, as the first task of a run does."""
        found: dict[str, Any] = self._ask(do="module", **self.plan_order(story, operation, **options))
        return found

    def apply(self, operation: str, direction: str = "forward", **options: Any) -> dict[str, Any]:
        """Apply, verify and close, as the second task of a run on one host does."""
        settings = {"direction": direction, "deadline": 20, "successes": 1, "close": True}
        return self.module("laravel_operation", operation, phase="apply", **{**settings, **options})

    def run(self, story: Story, **inputs: Any) -> dict[str, Any]:
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

    # -- what an observer finds ------------------------------------------------------------------

    def marks(self) -> str:
        """What the steps of an operation move, one after the other; of a reload nothing is seen from outside."""
        app = self.service.kept["app"]
        # What requests and the worker write by themselves is left out.
        own = "-name storage -o -name .git -o -path '*/bootstrap/cache/packages.php' -o -path '*/cache/services.php'"
        return self.shell(
            f"git -c safe.directory='*' -C {self.service.checkout} for-each-ref; "
            f"git -c safe.directory='*' -C {self.service.checkout} rev-parse HEAD; "
            f"cd {app}; find . \\( {own} \\) -prune -o -printf '%p %l\\n' | LC_ALL=C sort; "
            "find . -path ./storage -prune -o \\( -name installed.php -o -path '*/bootstrap/cache/config.php' \\) "
            "-exec sha256sum {} + | LC_ALL=C sort; "
            f"ls {self.service.state_dir}/vendor; sqlite3 /var/lib/vertex/database.sqlite .dump | sha256sum",
            check=False,
        )

    def observe(self) -> dict[str, Any]:
        checkout, state = self.service.checkout, self.service.state_dir
        answer = self.service.endpoints[0]["url"]
        seen = self.shell(
            f"git() {{ command git -c safe.directory='*' -C {checkout} \"$@\"; }}; "
            "git describe --tags --exact-match HEAD; "
            # What releases share is a link in each, and no change.
            "git status --porcelain --untracked-files=no -- . ':(exclude)storage' | wc -l; "
            f"curl -s -m 10 -w '\\n%{{http_code}}\\n' {answer}; "
            "sqlite3 /var/lib/vertex/database.sqlite 'select group_concat(migration) from migrations'; "
            f"cd {state}; ls journal.jsonl lease.json 2>/dev/null; true"
        ).splitlines()
        release, dirty, body, status, migrations, *left = seen
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        return {
            "release": release,
            "dirty": int(dirty),
            "status": int(status),
            "version": f"v{document.get('version')}",
            "greeter": document.get("greeter"),
            "migrations": set(migrations.split(",")),
            "left": left,
            "chain": self.module("operation_history_info").get("chain", {}),
        }
