"""The ways of rolling back: what a person types, as command lines. All run the same seven commands, or ours do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hosts import Fleet, Host
from lab import APP, ROOT
from strategies import STRATEGIES, inputs

PYINFRA = ROOT / ".venv-pyinfra"
RUNBOOK = (
    "git reset --hard {commit}",
    "composer install --no-dev --optimize-autoloader --no-interaction",
    "php artisan optimize:clear",
    "php artisan config:cache",
    "php artisan route:cache",
    "php artisan view:cache",
    "php artisan queue:restart",
)


@dataclass(frozen=True)
class Contestant:
    """command: makes the command line for these hosts and this commit. state: of the hosts before it."""

    name: str
    title: str
    remark: str
    state: str
    command: Callable[[Fleet, Sequence[Host], str], list[str]]


def ssh(fleet: Fleet, hosts: Sequence[Host], commit: str) -> list[str]:
    """One script a host, all hosts at once."""
    script = fleet.folder / "runbook.sh"
    script.write_text("\n".join(["set -e", f"cd {APP}", *RUNBOOK]).format(commit=commit) + "\n")
    options = (
        f"-i {fleet.keys}/id_ed25519 -o UserKnownHostsFile={fleet.keys}/known_hosts "
        "-o IdentitiesOnly=yes -o StrictHostKeyChecking=yes"
    )
    started = "".join(f"ssh {options} -p {host.ssh_port} deploy@127.0.0.1 bash -s < {script} &\n" for host in hosts)
    parallel = fleet.folder / f"parallel-{len(hosts)}.sh"
    parallel.write_text(f"{started}bad=0\nfor job in $(jobs -p); do wait $job || bad=1; done\nexit $bad\n")
    return ["bash", str(parallel)]


def naive(fleet: Fleet, hosts: Sequence[Host], commit: str) -> list[str]:
    """The playbook that a person writes from the runbook: one shell task a line."""
    tasks = "".join(
        f"    - name: {line.split('{')[0].strip()}\n      ansible.builtin.shell: {line.format(commit=commit)}\n"
        f"      args: {{chdir: {APP}}}\n"
        for line in RUNBOOK
    )
    playbook = fleet.folder / "naive.yml"
    playbook.write_text(f"- hosts: laravel\n  gather_facts: false\n  tasks:\n{tasks}")
    return ["ansible-playbook", *fleet.options(hosts), str(playbook)]


def pyinfra(fleet: Fleet, hosts: Sequence[Host], commit: str) -> list[str]:
    """The same seven commands as operations of pyinfra."""
    common = {
        "ssh_hostname": "127.0.0.1",
        "ssh_user": "deploy",
        "ssh_key": str(fleet.keys / "id_ed25519"),
        "ssh_known_hosts_file": str(fleet.keys / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
    }
    inventory = fleet.folder / f"inventory_{len(hosts)}.py"
    entries = [(host.name, {**common, "ssh_port": host.ssh_port}) for host in hosts]
    inventory.write_text(f"laravel = {entries!r}\n")
    operations = "".join(
        f"server.shell(name={line.split()[-1]!r}, commands={[line.format(commit=commit)]!r}, _chdir={APP!r})\n"
        for line in RUNBOOK
    )
    deploy = fleet.folder / "deploy.py"
    deploy.write_text(f"from pyinfra.operations import server\n\n{operations}")
    return [str(PYINFRA / "bin/pyinfra"), "-y", str(inventory), str(deploy)]


def ours(strategy: str) -> Callable[[Fleet, Sequence[Host], str], list[str]]:
    def command(fleet: Fleet, hosts: Sequence[Host], commit: str) -> list[str]:
        return rollback(fleet, hosts, strategy, to=commit)

    return command


def rollback(fleet: Fleet, hosts: Sequence[Host], strategy: str, **given: object) -> list[str]:
    """Our rollback, with what is typed after it."""
    typed = [part for item in {**given, **inputs(strategy)}.items() for part in ("-e", json.dumps(dict([item])))]
    return ["ansible-playbook", *fleet.options(hosts), "playbooks/laravel_rollback.yml", *typed]


def ping(fleet: Fleet, hosts: Sequence[Host]) -> list[str]:
    """A run of ansible-playbook that does nothing on a host but answer."""
    playbook = fleet.folder / "ping.yml"
    playbook.write_text("- hosts: laravel\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n")
    return ["ansible-playbook", *fleet.options(hosts), str(playbook)]


CONTESTANTS = (
    Contestant("ssh", "ssh script", "no plan, no check, no record", "in_place", ssh),
    Contestant("naive", "naive playbook, seven shell tasks", "the same", "in_place", naive),
    Contestant("pyinfra", "pyinfra, seven operations", "the same", "in_place", pyinfra),
    *(
        Contestant(
            f"ours-{strategy}",
            f"laravel_rollback, {strategy.replace('_', ' ')}",
            "lease, plan, journal, health gate, ledger",
            strategy,
            ours(strategy),
        )
        for strategy in STRATEGIES
    ),
)


def provide_pyinfra() -> str:
    """Install pyinfra into an environment of its own; its version, or why it is not there."""
    python = PYINFRA / "bin/python"
    if not (PYINFRA / "bin/pyinfra").exists():
        # As the Makefile does: uv where there is one, and pip where uv can't reach an index.
        uv = shutil.which("uv")
        if uv:
            subprocess.run([uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(PYINFRA)], check=False)
        if not python.exists():
            venv.create(PYINFRA, with_pip=True)
        wanted = "pyinfra>=3,<4"
        installers = [[str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted]]
        if uv:
            installers.insert(0, [uv, "pip", "install", "--quiet", "--python", str(python), wanted])
        for installer in installers:
            if subprocess.run(installer, capture_output=True, check=False).returncode == 0:
                break
    asked = subprocess.run(
        [str(python), "-c", "from importlib.metadata import version; print(version('pyinfra'))"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()
