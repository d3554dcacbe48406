"""Two accounts on two hosts, and CI: a fake of GitHub whose runs log in for real."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lab import HOSTS, INVENTORIES, ROOT, Host, Run, counted_reset, play
from waiting import END

sys.path.insert(0, str(ROOT / "tests/doubles"))
import github_fake  # noqa: E402

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import login_probe  # noqa: E402
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair  # noqa: E402
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.login_probe import Login  # noqa: E402
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.pair import Pair  # noqa: E402
from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys  # noqa: E402

KEYS = "/home/deploy/.ssh/authorized_keys"
SECOND = f"{KEYS}.ci"
#: What a test has sshd read.
CONFIGURATION = "/etc/ssh/sshd_config.d/00-test.conf"
WORKFLOW = "deploy.yml"
#: From where the controller reaches a container.
NEAR = 'from="127.0.0.1,172.16.0.0/12,192.168.0.0/16,10.0.0.0/8"'
#: When nothing was changed anywhere yet but the lease, and when the controller is about to let the new key in.
LETS_IN = "apply | Let it in, and log in with it"
#: What else stands in a file of keys: it has to come through every edit as it is.
OTHERS = "# CI and people\n\nnot a key at all\n"


class KeysHost(Host):
    state = "/var/lib/ops-runbook/ssh_key"
    up = "test -s /run/sshd.pid"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        folder = ROOT / INVENTORIES[0]
        known = yaml.safe_load((folder / "hosts.yml").read_text())["lab"]["children"]["laravel"]["hosts"]
        self.port = int(known[name]["lab_ssh_port"])
        self.keys = (folder / "../../.lab").resolve()

    @counted_reset()
    def reset(self, state: str = "") -> None:
        # A run that was cut off may have left one. Resetting a host takes the file away, and sshd still has read it.
        left = self.root(f"test -e {CONFIGURATION} && echo yes", check=False)
        super().reset(state)
        if left:
            self.sshd("")

    def login(self, user: str = "deploy") -> Login:
        return Login("127.0.0.1", user, str(self.keys / "known_hosts"), self.port)

    def lets_in(self, pair: Pair) -> bool:
        answer = login_probe.probe_key(self.login(), pair.private)
        assert answer.outcome in (login_probe.ACCEPTED, login_probe.REFUSED), answer
        return answer.outcome == login_probe.ACCEPTED

    def says(self, pair: Pair, command: str, user: str = "deploy") -> str:
        """The output for whoever has this key and asks for a command."""
        with tempfile.NamedTemporaryFile("wb", prefix="lab-") as identity:
            identity.write(pair.private)
            identity.flush()
            words = login_probe.argv(self.login(user), identity.name)
            done = subprocess.run(
                [*(word for word in words if word not in ("-N", "-E", "/dev/stdout")), command],
                capture_output=True,
                text=True,
                timeout=END,
                check=False,
            )
        return done.stdout.strip()

    def halt(self) -> None:
        """Whoever is connected, or connects, gets no answer."""
        self.root("pkill -STOP '^sshd'")

    def go(self) -> None:
        self.root("pkill -CONT '^sshd'")

    def read(self, path: str = KEYS) -> str:
        """As it is, its line ends too."""
        done = subprocess.run(["docker", "exec", self.name, "cat", path], capture_output=True, timeout=END, check=True)
        return done.stdout.decode()

    def files(self) -> dict[str, str]:
        """All of the account's files of keys, with what they are besides their content."""
        names = self.root("ls -A /home/deploy/.ssh").split()
        found = {}
        for name in names:
            path = f"/home/deploy/.ssh/{name}"
            found[name] = self.root(f"stat -c '%a %U %G %F' {path}") + "\n" + self.read(path)
        return found

    def write(self, text: str, path: str = KEYS) -> None:
        self.root(f"printf %s {shlex.quote(text)} > {path}; chown deploy:deploy {path}; chmod 600 {path}")

    def sshd(self, configuration: str) -> None:
        """Have sshd read this before everything else. Connections that are open stay as they are."""
        # The first word on a matter counts; a Match block lasts to the end of its file.
        self.root(
            f"printf %s {shlex.quote(configuration)} > {CONFIGURATION}; "
            f"[ -s {CONFIGURATION} ] || rm {CONFIGURATION}; sshd -t"
        )
        self.again()

    def again(self) -> None:
        """Have sshd read its configuration and host keys again."""
        self.root(
            "rm -f /run/sshd.pid; pkill -o -x sshd; "
            "for _ in $(seq 6000); do [ -s /run/sshd.pid ] && exit 0; sleep 0.1; done; exit 1"
        )

    def fingerprints(self, path: str = KEYS) -> list[str]:
        return [key.fingerprint for _number, key in authorized_keys.keys(self.read(path).encode())]


class World:
    """Both hosts, CI, and the old key that CI has."""

    def __init__(self, hub: github_fake.FakeGitHub, folder: Path, names: Sequence[str] = HOSTS) -> None:
        self.hub, self.folder = hub, folder
        self.hosts = [KeysHost(name) for name in names]
        self.operator = (self.hosts[0].keys / "id_ed25519.pub").read_text().strip()
        self.password = secrets.token_hex(16)
        (folder / "vault-pass").write_text(self.password)
        self.runs_with = ""
        hub.workflows[WORKFLOW] = {"id": 7, "state": "active", "inputs": ["nonce"]}
        hub.commits["main"] = "a" * 40
        hub.on_dispatch = self.runs

    @counted_reset()
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
        self.deployed()

    def deployed(self) -> None:
        """A deploy of last week: it says which key CI has."""
        self.hub.runs.clear()
        run = github_fake.start_run(self.hub, WORKFLOW, "main")
        self.runs(run)
        run["status"], run["conclusion"] = run["course"][-1]
        run["course"] = []

    def line(self, options: str = f"{NEAR},no-pty") -> str:
        return f"{options} {self.old.public} ci deploy 2026-08-01".strip()

    def ci_key(self) -> Pair:
        """The key that a run has: the environment's secret goes before the repository's."""
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

    def rotate(self, *options: str, **inputs: Any) -> Run:
        """The whole procedure, as the operator types it."""
        return play("ssh_key_rotate", *self.command, *options, **{**self.inputs, **inputs})

    def kept(self) -> list[Path]:
        return sorted((self.folder / "kept").glob("*"))

    def files(self) -> dict[str, dict[str, str]]:
        return {host.name: host.files() for host in self.hosts}

    def untouched(self, before: dict[str, dict[str, str]]) -> None:
        """Nobody's file was changed, no key was made, GitHub was told nothing, and nobody is kept waiting."""
        assert self.files() == before
        assert not self.kept() and not self.hub.writes()
        assert not any(host.has_lease() for host in self.hosts)

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
def world(folder: Path, names: Sequence[str] = HOSTS) -> Iterator[World]:
    with github_fake.running() as hub:
        given = {"LAB_GITHUB": hub.url, "GITHUB_TOKEN": hub.token}
        before = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        try:
            yield World(hub, folder, names)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
