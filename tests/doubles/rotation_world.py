"""A rotation as the role has it run, in this process: the real action and modules, without Ansible between them.

What is simulated is sshd alone: a login is judged by the files that it would read. GitHub is the fake, and its runs
log in with the key that the secret has. A run may be killed at any of its writes, in a process of its own.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from github_fake import REPO, FakeGitHub, start_run

from ansible_collections.ops.runbook.plugins.action import ssh_key_rotation as action
from ansible_collections.ops.runbook.plugins.module_utils.console import fleet
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import read as read_ledger
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import requested
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import ci as ssh_key_ci
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import operation as ssh_key_operation
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import vault
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.login_probe import ACCEPTED, REFUSED, Answer, Login
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.operation import Part, Wish
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.pair import Pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.place import Place, Places
from ansible_collections.ops.runbook.plugins.module_utils.sshd import key_file
from ansible_collections.ops.runbook.plugins.module_utils.sshd.authorized_keys import fingerprint, parse
from ansible_collections.ops.runbook.plugins.module_utils.sshd.files import Account, Configuration
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

ADMIN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl admin"
KILLED = 9


class Host:
    """An account on a host: a folder with its keys and the state of operations."""

    def __init__(self, folder: Path) -> None:
        self.name, self.folder = folder.name, folder
        self.keys, self.second, self.state = folder / "authorized_keys", folder / "second", folder / "state"
        folder.mkdir()
        self.refuses: set[str] = set()
        self.shell = "/bin/sh"

    def places(self) -> Places:
        account = Account("deploy", os.geteuid(), str(self.folder), str(self.folder), self.shell)
        names = tuple(str(path) for path in (self.keys, self.second))
        found = tuple(Place(path, tuple(parse(key_file.read(path)))) for path in names if os.path.exists(path))
        return Places(account, Configuration(files=names), found)

    def lets_in(self, key: str) -> bool:
        return key not in self.refuses and self.places().lets_in(key, 0)

    def outcomes(self) -> list[str]:
        return [str(record["outcome"]) for record in read_ledger(str(self.state / "ledger.jsonl")).records]


class World:
    def __init__(self, hub: FakeGitHub, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.hosts = {name: Host(folder / name) for name in ("web1", "web2")}
        self.old = ssh_key_pair.generate()
        for host in self.hosts.values():
            host.keys.write_text(f'# keys\n{ADMIN}\nfrom="192.0.2.1" {self.old.public} ci deploy 2026-01-02')
        hub.workflows["deploy.yml"] = {"id": 7, "state": "active", "inputs": ["nonce"]}
        hub.commits["main"] = "a" * 40
        hub.secrets["repo"]["PROD_SSH_KEY"] = {
            "name": "PROD_SSH_KEY",
            "value": self.old.private.decode(),
            "created_at": hub.tick(),
            "updated_at": hub.tick(),
        }
        hub.on_dispatch = self.runs
        run = start_run(hub, "deploy.yml", "main")
        self.runs(run)
        run.update(status="completed", conclusion="success", course=[])
        self.stale = False
        self.logins: list[Login] = []
        self.operations = 0
        self.before = {name: host.keys.read_bytes() for name, host in self.hosts.items()}

    # -- CI --------------------------------------------------------------------------------------

    def ci(self) -> Pair:
        scopes = [self.hub.secrets.get(f"env/{name}", {}) for name in self.hub.environments]
        held = next(scope for scope in [*scopes, self.hub.secrets["repo"]] if "PROD_SSH_KEY" in scope)
        return ssh_key_pair.pair_of(held["PROD_SSH_KEY"]["value"].encode())

    def runs(self, run: dict[str, Any]) -> None:
        pair = self.old if getattr(self, "stale", False) else self.ci()
        nonce = (run.get("inputs") or {}).get("nonce", "")
        good = all(host.lets_in(pair.fingerprint) for host in self.hosts.values())
        self.hub.logs[run["id"] * 10] = f"x\nops-runbook-key {pair.fingerprint} ops-runbook-nonce {nonce}\n"
        run["course"] = [("completed", "success" if good else "failure")]

    # -- the role --------------------------------------------------------------------------------

    def rotate(self, **inputs: str) -> dict[str, Any]:
        """A whole run. Returns refusals (by host), applied (by host) and outcomes."""
        self.operations += 1
        operation = f"20991231T000000Z-{os.getpid():06x}{self.operations:02d}"
        hostvars: dict[str, dict[str, Any]] = {name: {} for name in self.hosts}
        task = Task(
            self, hostvars, {"operation": operation, "interrupted": "", "lock_takeover": "", "old_key": "", **inputs}
        )
        first = next(iter(self.hosts))
        survey = task("survey", first)
        for name in self.hosts:
            hostvars[name]["ssh_key_survey"] = survey
        for name in self.hosts:
            hostvars[name]["operation_planned"] = task("plan", name)
        planned = {name: known["operation_planned"] for name, known in hostvars.items()}
        decision = fleet.decision(planned, fleet.Orders(on_unhealthy="hold"), False)
        if decision["refused"]:
            for name, result in planned.items():
                if result.get("opened"):
                    task.close(name, decision["refusal"])
            return {
                "refused": {name: result["refusal"] for name, result in planned.items() if result.get("refusal")},
                "broken": {name: result.get("msg") for name, result in planned.items() if "refusal" not in result},
            }
        for phase, name in (
            ("make", "ssh_key_made"),
            ("let_in", "ssh_key_let_in"),
            ("announce", "ssh_key_announced"),
            ("put", "ssh_key_put"),
            ("prove", "ssh_key_proven"),
        ):
            once = task(phase, first) if phase in ("make", "put", "prove") else None
            results = {host: once or task(phase, host) for host in self.hosts}
            for host in self.hosts:
                hostvars[host][name] = results[host]
        if hostvars[first]["ssh_key_proven"].get("ok"):
            results = []
            for host in self.hosts:
                results.append({**task("remove", first, host=host), "item": host})
                if not results[-1].get("ok"):
                    break
            for host in self.hosts:
                hostvars[host]["ssh_key_removed"] = {"results": results}
        applied = {host: task("finish", host) for host in self.hosts}
        outcomes = [one.get("closed", {}).get("outcome", one.get("msg")) for one in applied.values()]
        return {"refused": {}, "broken": {}, "applied": applied, "outcomes": outcomes}


class Task(action.ActionModule):
    """The action, with the modules called in place of being sent to a host."""

    def __init__(self, world: World, hostvars: dict[str, dict[str, Any]], inputs: dict[str, str]) -> None:
        self.world, self.hostvars, self.inputs = world, hostvars, inputs
        self._loader = None
        self._host = world.hosts[next(iter(world.hosts))]

    def __call__(self, phase: str, name: str, host: str = "") -> dict[str, Any]:
        self._host = self.world.hosts[host or name]
        arguments = {
            **self.inputs,
            "phase": phase,
            "host": host,
            "hosts": list(self.world.hosts),
            "state_dir": str(self._host.state),
            "github": {
                "repository": REPO,
                "secret": "PROD_SSH_KEY",
                "workflow": "deploy.yml",
                "environment": "",
                "ref": "main",
                "nonce_input": "nonce",
                "timeout": 60,
                "interval": 0.01,
                "api_url": self.world.hub.url,
                "validate_certs": True,
            },
            "keeping": {},
            "login": {"host": self._host.name, "port": 22, "known_hosts": "/dev/null", "host_key_alias": ""},
        }
        variables = {
            "hostvars": self.hostvars,
            "ansible_play_hosts_all": list(self.world.hosts),
            "inventory_hostname": name,
        }
        # What goes from a process of Ansible to the next is data.
        return dict(json.loads(json.dumps(self.phase(arguments, variables))))

    def _keep(self) -> vault.Keep:
        return vault.Vault(str(self.world.folder / "kept"), base64.b85encode, base64.b85decode, True)

    def close(self, name: str, why: str) -> None:
        self._host = self.world.hosts[name]
        self._execute_module(
            "ops.runbook.operation_close",
            {"operation": self.inputs["operation"], "refused": why, "code": "another_host"},
            {},
        )

    def _execute_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        guard, given = Guard(str(self._host.state)), module_args
        if module_name.endswith("operation_close"):
            guard.refuse(given["operation"], Problem(given["code"], given["refused"]))
            return {}
        wish = Wish(
            account=self._host.name,
            old=given["old_key"],
            used=given.get("used", ""),
            where=given.get("where", ""),
            trusted=given.get("trusted", False),
        )
        part = Part(
            given.get("only", ()),
            given.get("new_key", ""),
            given.get("fingerprint", ""),
            given.get("kept", ""),
            given.get("reports", {}),
            given.get("announce", ""),
        )
        try:
            if given["phase"] == "plan":
                defaults = {"environment": "", "reason": "", "actor": {}, "lock_wait": 0.0, "lease_ttl": 900.0}
                request = requested({**defaults, **given, "procedure": "rotate"}, "ssh_key", "ssh_key")
                return ssh_key_operation.open_and_plan(guard, request, wish, {}, False)
            if given["phase"] == "step":
                return ssh_key_operation.carry_out(guard, given["operation"], wish, part, {})
            return ssh_key_operation.finish(guard, given["operation"], wish, part, given["back"], {}, given["already"])
        except (Problem, OSError) as error:
            return {"failed": True, "msg": str(error)}


#: What may happen at a write: the process is killed before it or after it, it fails, or it is done and fails still.
FAULTS = ("killed before", "killed after", "failing", "done and failing")


class Killer:
    """Has one of the writes of this process go wrong: the number-th, in one of FAULTS. None never does."""

    def __init__(self, number: int | None = None, fault: str = "") -> None:
        self.number, self.fault, self.count, self.names = number, fault, 0, []

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            mine, self.count = self.count, self.count + 1
            self.names.append(name)
            if mine != self.number:
                return function(*arguments, **options)
            if self.fault == "killed before":
                os._exit(KILLED)
            if self.fault == "failing":
                raise self._problem(name)
            function(*arguments, **options)
            if self.fault == "killed after":
                os._exit(KILLED)
            raise self._problem(name)

        return called

    @staticmethod
    def _problem(name: str) -> Exception:
        if name in ("put", "prove"):
            return GitHubError("no_answer", "GitHub did not answer", touched=True)
        if name == "store":
            return vault.NotKept("no space left on the controller")
        return OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The simulated sshd, and a disk that need not be waited for."""
    # All authorities of the machine would be read for each request, and take most of the time.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setattr(action, "load_extra_vars", lambda _loader: {})
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path


def install(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, key: str) -> Answer:
        good = world.hosts[host].lets_in(key)
        return Answer(ACCEPTED, "the key was let in") if good else Answer(REFUSED, "sshd refused it")

    def public(login: Any, text: str) -> Answer:
        return answer(login.host, fingerprint(base64.b64decode(text.split()[1])))

    monkeypatch.setenv("GITHUB_TOKEN", world.hub.token)
    monkeypatch.setattr(ssh_key_operation, "look", lambda wish, _environment: world.hosts[wish.account].places())
    monkeypatch.setattr(action.ActionModule, "_github", lambda self: _github(world))
    monkeypatch.setattr(
        action.login_probe,
        "probe_key",
        lambda login, private: (
            world.logins.append(login) or answer(login.host, ssh_key_pair.pair_of(private).fingerprint)
        ),
    )
    monkeypatch.setattr(action.login_probe, "probe_public", public)
    monkeypatch.setattr(action.os.path, "isfile", lambda path: path == "/dev/null" or os.path.exists(path))


def _github(world: World) -> Any:
    from ansible.module_utils.urls import open_url

    from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub

    return GitHub(open_url, world.hub.url, world.hub.token, sleep=lambda _seconds: None)


def killed_run(world: World, killer: Killer, **inputs: str) -> tuple[bool, list[str]]:
    """A run in a process of its own. Whether it came to the fault, and the writes that it came to if it lived."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            for module, name in (
                (durable_file, "replace"),
                (durable_file, "append_line"),
                (durable_file, "remove"),
                (key_file, "_swap"),
                (vault._Files, "store"),
                (ssh_key_ci, "put"),
                (ssh_key_ci, "prove"),
            ):
                setattr(module, name, killer.wrap(name.strip("_"), getattr(module, name)))
            world.rotate(**inputs)
            os.write(writing, pickle.dumps(killer.names))
            os._exit(0)
        except BaseException as error:
            os.write(writing, pickle.dumps([f"problem: {error!r}"]))
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as handle:
        said = handle.read()
    _child, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    names = pickle.loads(said) if said else []
    assert code in (0, KILLED), names
    return code == KILLED or killer.number is not None and len(names) > killer.number, names
