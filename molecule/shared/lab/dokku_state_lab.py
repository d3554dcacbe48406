"""A Dokku host as the modules of one part change it and as an observer finds it."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import INVENTORIES, ROOT, Host, operator_environment
from waiting import END

#: The database servers behind the simulator's services, which a reset of the host takes from its engine.
SERVICES = "ops-runbook/dokku-services:trixie"
#: What is secret in these tests, on whatever surface it might come up.
CANARY = "canary-" + "5ecret-" * 3


@dataclass(frozen=True)
class Result:
    """The result of a module, and the output of its run."""

    found: dict[str, Any]
    text: str

    @property
    def changed(self) -> bool:
        assert not self.found.get("failed"), self.found.get("msg")
        return bool(self.found["changed"])

    @property
    def refused(self) -> str:
        """The code of the refusal; empty where there was none."""
        return str(self.found.get("code", "")) if self.found.get("failed") else ""

    @property
    def msg(self) -> str:
        return str(self.found.get("msg", ""))


class Apps(Host):
    """The apps of a host."""

    def load_services(self) -> None:
        """Database servers in the host's engine."""
        if self.root("docker image ls --quiet mysql:9.7.0"):
            return
        known = ["docker", "image", "inspect", SERVICES]
        if subprocess.run(known, capture_output=True, check=False).returncode:
            folder = str(ROOT / "tests/dokku_simulator/service_image")
            subprocess.run(["docker", "build", "--quiet", "--tag", SERVICES, folder], check=True)
        saved = subprocess.Popen(["docker", "save", SERVICES], stdout=subprocess.PIPE)
        load = ["docker", "exec", "-i", self.name, "docker", "load", "--quiet"]
        subprocess.run(load, stdin=saved.stdout, check=True)
        saved.wait()
        self.root(f"docker tag {SERVICES} mysql:9.7.0; docker tag {SERVICES} redis:8.8.0")

    def dokku(self, *arguments: str, check: bool = True) -> str:
        """The output of dokku, called as the connecting user calls it."""
        return self.deploy(f"sudo -n -u dokku -- /usr/bin/dokku {shlex.join(arguments)} 2>&1", check)

    def report(self, app: str, plugin: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.dokku(f"{plugin}:report", app, "--format", "json"))
        return found

    def config(self, app: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.dokku("config:export", app, "--format", "json"))
        return found

    def apps(self) -> list[str]:
        return [str(app) for app in json.loads(self.dokku("apps:list", "--format", "json"))]

    def containers(self, app: str) -> dict[str, str]:
        """Id by name of what runs."""
        shape = "{{.Names}} {{.ID}}"
        shown = self.root(
            f"docker ps --filter label=com.dokku.app-name={app} --filter status=running --format '{shape}'"
        )
        return dict(line.split() for line in shown.splitlines())

    def state(self) -> str:
        """Everything that these modules can change, for a comparison."""
        return self.root(
            "cd / && for part in home/dokku var/lib/dokku/config var/lib/dokku/services var/lib/dokku/data; do "
            "find $part -type f ! -path '*/services/*/data/*' ! -path '*/scheduler-docker-local/*' ! -name '*.lo[gc]*' "
            "-exec sha256sum {} + 2>/dev/null | sort -k 2; done; "
            # What was replaced is retired in its own time.
            "docker ps --no-trunc --format '{{.Names}} {{.ID}}' | grep -E '[.][0-9]{1,2} ' | sort"
        )

    def module(self, name: str, *options: str, **arguments: Any) -> Result:
        """One call of a module over SSH, as a task of a person's playbook."""
        with tempfile.TemporaryDirectory(prefix="lab-") as folder:
            kept = Path(folder) / "result.json"
            book = Path(folder) / "book.yml"
            book.write_text(
                json.dumps(
                    [
                        {
                            "hosts": self.name,
                            "gather_facts": False,
                            "tasks": [
                                {f"ops.runbook.{name}": arguments, "register": "found", "ignore_errors": True},
                                {
                                    "ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(kept)},
                                    "delegate_to": "localhost",
                                    "check_mode": False,
                                    "vars": {"ansible_connection": "local"},
                                },
                            ],
                        }
                    ]
                )
            )
            inventories = [part for inventory in INVENTORIES for part in ("-i", str(ROOT / inventory))]
            done = subprocess.run(
                ["ansible-playbook", *inventories, str(book), *options],
                cwd=ROOT,
                env=operator_environment(),
                capture_output=True,
                text=True,
                timeout=END,
                check=False,
            )
            assert kept.exists(), done.stdout + done.stderr
            return Result(json.loads(kept.read_text()), done.stdout + done.stderr)
