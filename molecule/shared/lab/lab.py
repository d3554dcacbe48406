"""The lab's hosts as an operator and as an observer use them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import states
from waiting import END

ROOT = Path(os.environ.get("MOLECULE_PROJECT_DIRECTORY", Path(__file__).parents[3]))

# Another lab beside this one, for whoever works on two things at once: LAB_INVENTORY and LAB_HOSTS, comma-separated.
INVENTORIES = os.environ.get("LAB_INVENTORY", "inventories/demo,molecule/shared/fleet.yml").split(",")
HOSTS = os.environ.get("LAB_HOSTS", "laravel1,laravel2,laravel3").split(",")

#: The host of this worker of pytest; the first one where there are no workers.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
OWN = HOSTS[int(WORKER.removeprefix("gw")) % len(HOSTS)]

APP = "/var/www/vertex-laravel-api"
STATE = "/var/lib/ops-runbook/vertex"
DATABASE = "/var/lib/vertex"


#: The seconds that each reset of a host took, and each way to a state that a test begins with. The suite tells them
#: apart from the seconds of the tests. Hosts that are reset side by side have one entry each.
RESETS: list[float] = []
_UNDER_WAY = threading.local()


@contextmanager
def counted_reset() -> Iterator[None]:
    """Adds the seconds of a reset to RESETS, once for all resets that it consists of. A decorator too."""
    if getattr(_UNDER_WAY, "reset", False):
        yield
        return
    _UNDER_WAY.reset = True
    begun = time.monotonic()
    try:
        yield
    finally:
        _UNDER_WAY.reset = False
        RESETS.append(time.monotonic() - begun)


#: A line of a list, as the default callback shows it.
LISTED = re.compile(r'^ *("(?:[^"\\]|\\.)*"),?$', re.MULTILINE)


def plain(text: str) -> str:
    """The output of a run, with the lines of its screens as a person reads them, and not as JSON."""
    return LISTED.sub(lambda found: str(json.loads(found[1], strict=False)), text)


@dataclass(frozen=True)
class Run:
    """A finished run of a playbook. text: everything it printed, the lines of a screen as they are."""

    code: int
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", plain(self.text))

    @property
    def green(self) -> bool:
        return self.code == 0

    @property
    def changed(self) -> int:
        recap = self.text.rpartition("PLAY RECAP")[2]
        return int(recap.partition("changed=")[2].split()[0])


def operator_environment() -> dict[str, str]:
    """The environment of a person on the bastion."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        # The tests look at the results of tasks too; the screen has tests of its own.
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        # YAML folds long lines.
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    }
    # Molecule exports settings of its own scenario; an operator has none of them.
    for name in ("ROLES_PATH", "LIBRARY", "FILTER_PLUGINS", "INVENTORY", "FORCE_COLOR"):
        environment.pop(f"ANSIBLE_{name}", None)
    return environment


def command(procedure: str, *options: str, **inputs: object) -> list[str]:
    """The command line of a procedure."""
    given: list[str] = []
    for name, value in inputs.items():
        # A person types name=value; only lists and mappings need JSON.
        plain = f"{name}={shlex.quote(str(value))}"
        given += ["-e", json.dumps({name: value}) if isinstance(value, (list, dict)) else plain]
    inventories = [part for inventory in INVENTORIES for part in ("-i", str(ROOT / inventory))]
    return ["ansible-playbook", *inventories, f"ops.runbook.{procedure}", *given, *options]


def play(procedure: str, *options: str, screen: str = "ansible.builtin.default", **inputs: object) -> Run:
    """Run a procedure to its end. screen: the callback that shows it."""
    done = subprocess.run(
        command(procedure, *options, **inputs),
        cwd=ROOT,
        env={**operator_environment(), "ANSIBLE_STDOUT_CALLBACK": screen},
        capture_output=True,
        text=True,
        timeout=2 * END,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr)


#: The input of a test whose new release is never well: the gate waits so many seconds for it, times the load of the
#: machine, and no longer for the release that it goes back to, which answers at once.
SOON = {"laravel_health_deadline": 5}

#: The screen that ansible.cfg has, and `ops-runbook`.
OPERATOR = "ops.runbook.operator"


class Host:
    """One host of the lab. state: where operations on its service are recorded. up: a test that holds once it runs."""

    state = ""
    up = "test -S /run/systemd/private"

    def __init__(self, name: str) -> None:
        self.name = name

    def play(self, procedure: str, *options: str, **inputs: Any) -> Run:
        """Run a procedure on this host as a person on the bastion does."""
        return play(procedure, "-l", self.name, *options, **inputs)

    def root(self, command: str, check: bool = True) -> str:
        return self._shell("root", command, check)

    def deploy(self, command: str, check: bool = True) -> str:
        return self._shell("deploy", command, check)

    def _shell(self, user: str, command: str, check: bool) -> str:
        done = subprocess.run(
            ["docker", "exec", "-u", user, "-w", "/", self.name, "bash", "-c", f"umask 0002; {command}"],
            capture_output=True,
            text=True,
            timeout=END,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def get(self, path: str, *options: str) -> tuple[int, dict[str, Any]]:
        """The site's own answer: status and JSON."""
        answer = self.root(f"curl -s -m 300 {' '.join(options)} -w '\\n%{{http_code}}' http://127.0.0.1{path}")
        body, _, status = answer.rpartition("\n")
        try:
            return int(status), json.loads(body)
        except ValueError:
            return int(status), {}

    def version(self) -> str:
        """The release that the site serves, from a constant in its code."""
        status, body = self.get("/api/v1/health")
        return str(body.get("version")) if status == 200 else f"status {status}"

    def ledger(self) -> list[dict[str, Any]]:
        lines = self.root(f"cat {self.state}/ledger.jsonl 2>/dev/null", check=False).splitlines()
        return [json.loads(line) for line in lines]

    def outcomes(self) -> list[tuple[str, str]]:
        return [(record["procedure"], record["outcome"]) for record in self.ledger()]

    def has_lease(self) -> bool:
        return self.root(f"test -e {self.state}/lease.json && echo yes", check=False) == "yes"

    @counted_reset()
    def reset(self, state: str = "") -> None:
        """Bring the host to its initial state. state: another one that the host's own `lab-reset` knows."""
        self.root(f"lab-reset {state}")


class Lab(Host):
    """A host with Laravel. strategy: how its service is laid out, and how the inventory describes it."""

    state = STATE

    def __init__(self, name: str, strategy: str = "in_place") -> None:
        super().__init__(name)
        self.strategy = strategy

    def play(self, procedure: str, *options: str, **inputs: Any) -> Run:
        # The others take no variable of a Laravel service.
        own = {"laravel_strategy": self.strategy} if procedure.startswith("laravel_") else {}
        return super().play(procedure, *options, **{**own, **inputs})

    @property
    def app(self) -> str:
        """The folder of the code that is served."""
        return f"{APP}/current" if self.strategy == "releases" else APP

    def commit(self) -> str:
        return self.deploy(f"git -C {self.app} rev-parse HEAD")

    def id(self, tag: str) -> str:
        return self.deploy(f"git -C /srv/git/vertex-laravel-api.git rev-parse '{tag}^{{commit}}'")

    def migrations(self) -> list[str]:
        return self.sql("select migration from migrations order by id").split()

    def columns(self, table: str) -> list[str]:
        return self.sql(f"select name from pragma_table_info('{table}')").split()

    def sql(self, query: str) -> str:
        return self.deploy(f"sqlite3 {DATABASE}/database.sqlite {shlex.quote(query)}")

    def fingerprint(self) -> str:
        """One hash over every byte, name, mode and link of the application, the state and the database.

        What running requests and the worker write by themselves is left out.
        """
        skip = (
            f"-path {APP}/storage/logs -o -path {APP}/storage/framework/cache -o -path {APP}/storage/framework/sessions"
        )
        return self.root(
            f"find {APP} /var/lib/ops-runbook {DATABASE} /srv/git \\( {skip} \\) -prune -o "
            "-printf '%p %m %u %l\\n' -type f -exec sha256sum {} + | sort | sha256sum"
        )

    def kept(self, *tags: str) -> str:
        """The place on the host of the state that `at` comes back to."""
        return "/srv/lab/state-" + "-".join([*tags, *(["releases"] if self.strategy == "releases" else [])])

    @counted_reset()
    def at(self, *tags: str) -> None:
        """Bring the host to a release by adoption and deploys, and keep that state to come back to.

        It begins at the state before the last deploy, and one host makes it for all.
        """
        if self.comes_back(*tags):
            return
        kept = self.kept(*tags)
        record = ROOT / ".cache/states" / HOSTS[0] / kept.rpartition("/")[2]
        if states.once(record, self.name, kept, lambda: self._make(*tags)):
            assert self.comes_back(*tags)

    def _make(self, *tags: str) -> None:
        *before, last = tags
        if before:
            self.at(*before)
            run = self.play("laravel_deploy", to=last)
        elif self.strategy == "releases":
            Lab(self.name).at(last)
            run = self.play("laravel_convert")
        else:
            self.reset()
            run = self.play("laravel_adopt")
        assert run.green, run.text
        self.root(f"lab-keep {self.kept(*tags).removeprefix('/srv/lab/')}")

    @counted_reset()
    def comes_back(self, *tags: str) -> bool:
        """Bring the host back to a state that `at` has kept; False if there is none."""
        kept = self.kept(*tags)
        if self.root(f"test -d {kept} && echo yes", check=False) != "yes":
            return False
        self.root(f"lab-restore {kept.removeprefix('/srv/lab/')}")
        return True


def own_lab(strategy: str = "in_place") -> Iterator[Lab]:
    """This worker's host for a session of tests, without states that earlier procedures led to."""
    host = Lab(OWN, strategy)
    host.root("rm -rf /srv/lab/state-*")
    yield host
    host.root("rm -rf /srv/lab/state-*")
    host.reset()
