# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that this machine, and the hosts of its inventory, have what the procedures need; says what to do if not."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from ansible_runner import RunnerConfig

from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import COLLECTION, GUARD
from ansible_collections.ops.runbook.plugins.module_utils.console.unanswered import (
    NEWER,
    OLDEST_PYTHON,
    reason,
    understood,
)
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt
from ops_runbook import known
from ops_runbook.run import call, environment, private_folder

#: Seconds by which a clock may be off: a lease lasts some minutes, and both sides look at their own clock.
SKEW = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. where: `here` or a host. remedy: what to do, empty where all is well."""

    where: str
    what: str
    ok: bool
    seen: str
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


# -- this machine --------------------------------------------------------------------------------


def here(root: Path) -> Iterator[Finding]:
    """root: the folder of the collection."""
    wanted = yaml.safe_load((root / "meta/runtime.yml").read_text())["requires_ansible"]
    yield versions(platform.python_version(), ">=3.11", "Python", "install ops-runbook into a newer Python")
    from ansible.release import __version__ as core

    yield versions(core, wanted, "ansible-core", f"{Path(sys.executable).name} -m pip install 'ansible-core{wanted}'")
    version = yaml.safe_load((root / "galaxy.yml").read_text())["version"]
    yield Finding("here", "collection", True, f"ops.runbook {version} in {root}")
    ssh = shutil.which("ssh")
    yield Finding("here", "ssh", bool(ssh), ssh or "not found", "" if ssh else "install openssh-client")
    agent = os.environ.get("SSH_AUTH_SOCK", "")
    broken = bool(agent) and not os.path.exists(agent)
    remedy = "unset SSH_AUTH_SOCK, or start ssh-agent anew" if broken else ""
    yield Finding("here", "ssh agent", not broken, agent or "none, keys are read from files", remedy)


def versions(found: str, wanted: str, what: str, remedy: str) -> Finding:
    """Checks that a version lies in a range such as `>=2.19.0,<2.22`."""
    ok = all(_holds(found, part.strip()) for part in wanted.split(","))
    return Finding("here", what, ok, f"{found}, {wanted} is supported", "" if ok else remedy)


def _holds(found: str, part: str) -> bool:
    operator, bound = re.match(r"([<>]=?)(.*)", part).groups()  # type: ignore[union-attr]
    one, other = _numbers(found), _numbers(bound)
    return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[operator]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def options_of(inventories: Sequence[str]) -> list[str]:
    """The inventories as options. A path is a full one: ansible-runner works in a folder of its own."""
    return [part for one in inventories for part in ("-i", str(Path(one).resolve()) if Path(one).exists() else one)]


def inventory(inventories: Sequence[str]) -> tuple[dict[str, list[str]], Finding]:
    """The hosts that describe a service, and what is to be said of the inventory."""
    options = options_of(inventories)
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), *options, "--list"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
    )
    named = ", ".join(inventories) or unnamed()
    if ran.returncode != 0:
        said = excerpt(ran.stderr, nothing="it can't be read")
        return {}, Finding("here", "inventory", False, f"{named}: {said}", "give one that can be read: -i FILE")
    hosts = described(json.loads(ran.stdout))
    remedy = (
        "" if hosts else "describe a service: inventories/example/hosts.yml in the collection's repository shows how"
    )
    count = len(every(hosts))
    return hosts, Finding("here", "inventory", bool(hosts), f"{named}, hosts with a service: {count}", remedy)


def unnamed() -> str:
    """The inventory that is used where none is given, and who named it."""
    from ansible import constants

    paths, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    named = ", ".join(paths)
    if origin == "default":
        return f"{named}, Ansible's own default"
    return f"{named}, named by {str(origin).removeprefix('env: ')}"


def described(listed: Mapping[str, Any]) -> dict[str, list[str]]:
    """The hosts whose variables name a service, by the role of its system."""
    services = {one.role: one.service for one in known.procedures().values() if one.service}
    variables = listed.get("_meta", {}).get("hostvars", {})
    found = {role: [host for host in variables if services[role] in variables[host]] for role in services}
    return {role: hosts for role, hosts in found.items() if hosts}


def every(hosts: Mapping[str, Iterable[str]]) -> list[str]:
    """The hosts of all systems, each once."""
    return list(dict.fromkeys(host for some in hosts.values() for host in some))


# -- the hosts -----------------------------------------------------------------------------------


def plays(hosts: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """A play for each system that looks at its hosts, as the tasks `doctor` of its role say."""
    services = {one.role: one.service for one in known.procedures().values() if one.service}
    return [
        {
            "name": role,
            "hosts": list(some),
            "gather_facts": False,
            # The others are asked all the same.
            "ignore_unreachable": True,
            "ignore_errors": True,
            "vars": {"operation_role": COLLECTION + role, "operation_service": f"{{{{ {services[role]} }}}}"},
            "tasks": [
                {
                    "name": "Look at the host",
                    "ansible.builtin.import_role": {
                        "name": COLLECTION + GUARD,
                        "tasks_from": "doctor",
                        "rolespec_validate": False,
                    },
                }
            ],
        }
        for role, some in hosts.items()
        if some
    ]


def ask(hosts: Mapping[str, Sequence[str]], inventories: Sequence[str]) -> tuple[list[dict[str, Any]], int]:
    """The events of one run that looks at all hosts, and the exit code of Ansible."""
    raw: list[dict[str, Any]] = []
    with private_folder() as private:
        playbook = private / "doctor.yml"
        playbook.write_text(json.dumps(plays(hosts)), encoding="utf-8")
        config = RunnerConfig(
            private_data_dir=str(private),
            project_dir=os.getcwd(),
            playbook=str(playbook),
            cmdline=shlex.join(options_of(inventories)) or None,
            envvars={**environment(private / "stop", 120, False), "ANSIBLE_STDOUT_CALLBACK": "minimal"},
            quiet=True,
        )
        config.prepare()
        code = call(config, raw.append)
    return raw, code


def of_hosts(
    hosts: Collection[str], events: Sequence[Mapping[str, Any]], code: int = 0, inventories: Sequence[str] = ()
) -> Iterator[Finding]:
    """Findings about each host, from the events. code: of Ansible, which may have failed before it asked any."""
    ping = shlex.join(["ansible", *options_of(inventories)]) + " {} -m ansible.builtin.ping -vvv"
    begun: dict[str, float] = {}
    answered: set[str] = set()
    for event in events:
        data = event.get("event_data") or {}
        host, result = str(data.get("host") or ""), data.get("res") or {}
        if event["event"] == "runner_on_start":
            begun[host] = _seconds(event)
        elif event["event"] in ("runner_on_unreachable", "runner_on_failed"):
            answered.add(host)
            lost = event["event"] == "runner_on_unreachable"
            remedy = f"ssh to {host} as Ansible does: {ping.format(host)}"
            found = understood({**result, "unreachable": lost})
            old = (found.get("refusal") or {}).get("code") == "python_too_old"
            remedy = NEWER if old else remedy if lost else ping.format(host)
            yield Finding(host, "python" if old else "reachable", False, " ".join(reason(found).split()), remedy)
        elif event["event"] == "runner_on_ok":
            answered.add(host)
            yield from of_host(host, result, begun.get(host, _seconds(event)), _seconds(event), str(data.get("play")))
    if code and not answered:
        said = excerpt("\n".join(str(event.get("stdout") or "") for event in events), nothing=f"ended with {code}")
        yield Finding("here", "ansible", False, said, ping.format("all"))
        return
    for host in hosts:
        if host not in answered:
            yield Finding(host, "reachable", False, "it did not answer", ping.format(host))


def of_host(host: str, result: Mapping[str, Any], asked: float, answered: float, role: str) -> Iterator[Finding]:
    """asked and answered: when, by the clock of this machine; the host looked at its own in between."""
    yield Finding(host, "reachable", True, f"as {result['user']}")
    good = _numbers(result["python"])[:2] >= OLDEST_PYTHON
    yield Finding(host, "python", good, result["python"], "" if good else NEWER)
    off = max(asked - result["time"], result["time"] - answered, 0.0)
    seen = f"off by {off:.0f} s" if off > SKEW else "agrees with this machine's"
    remedy = "timedatectl set-ntp true, there or here; timedatectl says which is wrong" if off > SKEW else ""
    yield Finding(host, "clock", off <= SKEW, seen, remedy)
    state = result.get("state_dir")
    if state:
        made = f"sudo install -d -o {result['user']} -m 0700 {shlex.quote(os.path.dirname(state['path']))}"
        seen = "can be written" if state["usable"] else "can't be written" if state["present"] else "can't be made"
        yield Finding(
            host,
            "state folder",
            state["usable"],
            f"{state['path']} {seen}",
            "" if state["usable"] else f"there: {made}",
        )
    mask = result.get("umask")
    if mask:
        seen = str(mask["mask"])
        if mask["hides"]:
            seen += (
                f": the site can't read files that {result['user']} makes by hand; type umask 022 first."
                " Procedures make theirs as readable as the folder of the service is"
            )
        yield Finding(host, "umask", True, seen)
    for tool, version in (result.get("tools") or {}).items():
        remedy = "" if version else _missing(tool, str(result["user"]), role)
        yield Finding(host, tool, bool(version), version or "does not run", remedy)
    for right in result.get("rights") or []:
        words = right["command"]
        whom, words = (words[1], words[2:]) if words[0] == "-u" else ("root", words)
        command = shlex.join(words) + (f" as {whom}" if whom != "root" else "")
        rule = f"{result['user']} ALL=({whom}) NOPASSWD: {shlex.join(words)}"
        remedy = "" if right["allowed"] else f"there, with visudo -f /etc/sudoers.d/ops-runbook: {rule}"
        yield Finding(host, "sudo", right["allowed"], command, remedy)


def _missing(tool: str, user: str, role: str) -> str:
    name = tool.rpartition("/")[2]
    remedy = known.systems()[role].remedies.get(name) or f"install it there, or give {role}_{name} in the inventory"
    return remedy.format(user=user)


def _seconds(event: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(event["created"])).timestamp()
