"""Two accounts on two hosts, and CI: a stand-in of GitHub whose runs log in for real."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lab import HOSTS, INVENTORIES, ROOT, Host, Run, play

sys.path.insert(0, str(ROOT / "tests/unit"))
import github_fake  # noqa: E402

from ansible_collections.ops.runbook.plugins.module_utils import authorized_keys, login_probe, ssh_key_pair  # noqa: E402
from ansible_collections.ops.runbook.plugins.module_utils.login_probe import Login  # noqa: E402
from ansible_collections.ops.runbook.plugins.module_utils.ssh_key_pair import Pair  # noqa: E402

KEYS = "/home/deploy/.ssh/authorized_keys"
SECOND = f"{KEYS}.ci"
WORKFLOW = "deploy.yml"
#: What else stands in a file of keys: it has to come through every edit as it is.
OTHERS = "# CI and people\n\nnot a key at all\n"


class KeysHost(Host):
    state = "/var/lib/ops-runbook/ssh_key"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        folder = ROOT / INVENTORIES[0]
        known = yaml.safe_load((folder / "hosts.yml").read_text())["lab"]["children"]["laravel"]["hosts"]
        self.port = int(known[name]["lab_ssh_port"])
        self.keys = (folder / "../../.lab").resolve()

    def login(self) -> Login:
        return Login("127.0.0.1", "deploy", str(self.keys / "known_hosts"), self.port)

    def lets_in(self, pair: Pair) -> bool:
        answer = login_probe.probe_key(self.login(), pair.private)
        assert answer.outcome in (login_probe.ACCEPTED, login_probe.REFUSED), answer
        return answer.outcome == login_probe.ACCEPTED

    def read(self, path: str = KEYS) -> str:
        with_newlines = self.root(f"cat {path}; echo .")
        return with_newlines.removesuffix(".")

    def write(self, text: str, path: str = KEYS) -> None:
        self.root(f"printf %s {shlex.quote(text)} > {path}; chown deploy:deploy {path}; chmod 600 {path}")

    def sshd(self, configuration: str) -> None:
        """Have sshd read this before everything else."""
        path = "/etc/ssh/sshd_config.d/test.conf"
        # A Match block lasts to the end of its file only.
        self.root(f"printf %s {shlex.quote(configuration)} > {path}; pkill -o -x sshd; sleep 0.5")

    def fingerprints(self, path: str = KEYS) -> list[str]:
        return [key.fingerprint for _number, key in authorized_keys.keys(self.read(path).encode())]


class World:
    """Both hosts, CI, and the old key that CI has."""

    def __init__(self, hub: github_fake.FakeGitHub, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.hosts = [KeysHost(name) for name in HOSTS]
        self.operator = (self.hosts[0].keys / "id_ed25519.pub").read_text().strip()
        self.password = secrets.token_hex(16)
        (folder / "vault-pass").write_text(self.password)
        self.runs_with = ""
        hub.workflows[WORKFLOW] = {"id": 7, "state": "active", "inputs": ["nonce"]}
        hub.commits["main"] = "a" * 40
        hub.on_dispatch = self.runs

    def reset(self) -> None:
        for host in self.hosts:
            host.reset()
        hub = self.hub
        hub.faults.clear()
        hub.denied.clear()
        hub.requests.clear()
        hub.runs.clear()
        hub.environments.clear()
        hub.on_dispatch = self.runs
        hub.secrets = {"repo": {}, "org": {}}
        self.old = ssh_key_pair.generate()
        self.runs_with = ""
        moment = hub.tick()
        value = self.old.private.decode()
        hub.secrets["repo"]["PROD_SSH_KEY"] = {
            "name": "PROD_SSH_KEY",
            "value": value,
            "created_at": moment,
            "updated_at": moment,
        }
        for host in self.hosts:
            host.write(f"{OTHERS}{self.operator}\n{self.line()}\n")
        # A deploy of last week: it says which key CI has.
        run = github_fake.start_run(hub, WORKFLOW, "main")
        self.runs(run)
        run["status"], run["conclusion"] = run["course"][-1]
        run["course"] = []

    def line(self, options: str = 'from="127.0.0.1,172.16.0.0/12,192.168.0.0/16,10.0.0.0/8",no-pty') -> str:
        return f"{options} {self.old.public} ci deploy 2026-08-01".strip()

    def ci_key(self) -> Pair:
        """What a run has: the environment's secret goes before the repository's."""
        scopes = [self.hub.secrets.get(f"env/{name}", {}) for name in self.hub.environments]
        held = next(scope["PROD_SSH_KEY"] for scope in [*scopes, self.hub.secrets["repo"]] if "PROD_SSH_KEY" in scope)
        return ssh_key_pair.pair_of((self.runs_with or held["value"]).encode())

    def runs(self, run: dict[str, Any]) -> None:
        """The runner: logs in to every host with the key that it has, and says which one that was."""
        pair = self.ci_key()
        nonce = (run.get("inputs") or {}).get("nonce", "")
        good = all(login_probe.probe_key(host.login(), pair.private).outcome == "accepted" for host in self.hosts)
        log = [
            "Run echo ops-runbook-key $(ssh-keygen -lf key)",
            f"ops-runbook-key {pair.fingerprint} ops-runbook-nonce {nonce}",
        ]
        self.hub.logs[run["id"] * 10] = "".join(f"2026-11-21T08:00:00.0000000Z {line}\n" for line in log)
        run["course"] = [("in_progress", None), ("completed", "success" if good else "failure")]

    @property
    def command(self) -> tuple[str, ...]:
        return ("--vault-id", str(self.folder / "vault-pass"))

    @property
    def inputs(self) -> dict[str, object]:
        return {"ssh_key_keep_dir": str(self.folder / "kept")}

    def rotate(self, *options: str, **inputs: object) -> Run:
        return play("ssh_key_rotate", *self.command, *options, **{**self.inputs, **inputs})

    def kept(self) -> list[Path]:
        return sorted((self.folder / "kept").glob("*"))

    def working(self) -> None:
        """No account without a key that works: CI's own, on every host, and nobody else lost theirs."""
        pair = self.ci_key()
        for host in self.hosts:
            assert host.lets_in(pair) or host.lets_in(self.old), f"{host.name} lets CI in with no key"
            assert self.operator.split()[1] in host.read()

    def rotated(self) -> Pair:
        """Everything is as it should be: CI has a new key, every host lets it in, and the old one is nowhere."""
        pair = self.ci_key()
        assert pair.fingerprint != self.old.fingerprint
        for host in self.hosts:
            assert host.lets_in(pair)
            assert not host.lets_in(self.old)
            assert self.old.fingerprint not in host.fingerprints()
            assert not host.has_lease()
            assert host.read().startswith(OTHERS)
            assert host.root(f"ls -A {host.state}/keys 2>/dev/null || true") == ""
        return pair

    def as_before(self) -> None:
        """Nothing was changed, or all of it was taken back."""
        assert self.ci_key().fingerprint == self.old.fingerprint
        for host in self.hosts:
            assert host.read() == f"{OTHERS}{self.operator}\n{self.line()}\n"
            assert host.lets_in(self.old)
            assert not host.has_lease()


@contextmanager
def world(folder: Path) -> Iterator[World]:
    with github_fake.running() as hub:
        os.environ.update(LAB_GITHUB=hub.url, GITHUB_TOKEN=hub.token)
        try:
            yield World(hub, folder)
        finally:
            del os.environ["LAB_GITHUB"], os.environ["GITHUB_TOKEN"]
