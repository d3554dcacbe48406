"""The hosts of the measurements: made for them, equal before every run, removed after the last."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import lab
from lab import APP, DATABASE, ROOT, STATE, Lab
from strategies import bring

Result = TypeVar("Result")
FOLDERS = {"app": APP, "state": os.path.dirname(STATE), "database": DATABASE}


@dataclass(frozen=True)
class Host:
    """A container, and its published ports."""

    name: str
    ssh_port: int
    http_port: int

    @property
    def lab(self) -> Lab:
        return Lab(self.name)


def free_ports(count: int) -> list[int]:
    """So many ports that nobody uses."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@dataclass(frozen=True)
class Kind:
    """A purpose of hosts. described: folder with the variables of the lab. variables: of each host."""

    group: str
    described: Path
    variables: dict[str, Any] = field(default_factory=dict)


LARAVEL = Kind("laravel", ROOT / "inventories/demo")


class Hosts:
    """Hosts of one kind, and the folder with their inventory and keys."""

    def __init__(self, folder: Path, count: int, kind: Kind) -> None:
        self.folder = folder
        ports = free_ports(2 * count)
        self.hosts = [Host(f"bench{n + 1}", ports[2 * n], ports[2 * n + 1]) for n in range(count)]
        # The lab's own variables; its keys come to lie two folders above the inventory.
        self.inventory = folder / "inventories/bench"
        shutil.copytree(kind.described / "group_vars", self.inventory / "group_vars")
        described = {
            host.name: {**kind.variables, "lab_ssh_port": host.ssh_port, "lab_http_port": host.http_port}
            for host in self.hosts
        }
        (self.inventory / "hosts.yml").write_text(json.dumps({"lab": {"children": {kind.group: {"hosts": described}}}}))
        lab.INVENTORIES[:] = [str(self.inventory)]
        # Connections of their own, so that they can be closed.
        self.sockets = folder / "cp"
        self.environment = {**lab.operator_environment(), "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.sockets)}

    @property
    def keys(self) -> Path:
        return self.folder / ".lab"

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """The hosts exist within the block."""
        try:
            say(f"making {len(self.hosts)} hosts")
            self._playbook("create")
            self._playbook("prepare")
            yield
        finally:
            self.disconnect()
            say("removing the hosts")
            self._playbook("destroy")

    def _playbook(self, name: str) -> None:
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.inventory), str(ROOT / f"molecule/shared/hosts/{name}.yml")],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{name}: {done.stdout}{done.stderr}")

    def disconnect(self) -> None:
        """Close the connections that Ansible keeps open: every run is the first one of the night."""
        for path in self.sockets.glob("*"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={path}", "host"], capture_output=True, check=False)

    def options(self, hosts: Sequence[Host]) -> list[str]:
        """Options that limit ansible-playbook to these hosts."""
        return ["-i", str(self.inventory), "-l", ",".join(host.name for host in hosts)]


class Fleet(Hosts):
    """Hosts with Laravel."""

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(folder, count, LARAVEL)

    def keep(self, name: str, strategy: str, *tags: str, hosts: Sequence[Host] | None = None) -> None:
        """Bring hosts to the last of the releases, and keep that state under a name."""
        chosen = self.hosts if hosts is None else hosts
        say(f"bringing {len(chosen)} hosts to {tags[-1]}, {strategy}")
        each(chosen, lambda host: host.lab.reset())
        limit = ",".join(host.name for host in chosen)
        bring(lambda procedure, **given: lab.play(procedure, "-l", limit, **given), strategy, *tags)
        copies = "; ".join(f"cp -a {path} $kept/{part}" for part, path in FOLDERS.items())
        each(
            chosen,
            lambda host: host.lab.root(
                f"set -e; kept=/srv/lab/bench-{name}; rm -rf $kept; mkdir $kept; "
                f"systemctl stop vertex-queue; {copies}; systemctl start vertex-queue"
            ),
        )

    def restore(self, name: str, hosts: Sequence[Host]) -> None:
        """Bring hosts back to a kept state, with php-fpm reloaded and its cache warm."""
        copies = "; ".join(f"put {part} {path}" for part, path in FOLDERS.items())
        each(
            hosts,
            lambda host: host.lab.root(
                f"set -e; kept=/srv/lab/bench-{name}; put() {{ find $2 -mindepth 1 -delete; cp -a $kept/$1/. $2/; }}; "
                f"systemctl stop vertex-queue; {copies}; systemctl reload php8.4-fpm; systemctl start vertex-queue; "
                "for _ in 1 2 3 4 5 6; do curl -sf -m 5 -o /dev/null http://127.0.0.1/api/v1/health; done"
            ),
        )
        self.disconnect()

    def served(self, hosts: Sequence[Host]) -> str:
        """The releases that the hosts' sites answer with."""
        return ", ".join(sorted(set(each(hosts, lambda host: host.lab.version()))))


def each(hosts: Sequence[Host], work: Callable[[Host], Result]) -> list[Result]:
    """Do it on all hosts at once."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        return list(pool.map(work, hosts))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
