"""Each way that a refusal prints is typed as it stands there, and the host leaves the state that was refused."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass, field

import pytest
from lab import APP, INVENTORIES, ROOT, STATE, Lab, Run, operator_environment

OTHER = "20260101T000000Z-aaaaaa"
LEASE = {
    "operation": OTHER,
    "procedure": "deploy",
    "reason": "",
    "actor": {"user": "sam", "controller": "bastion2"},
    "since": "2026-01-01T00:00:00.000Z",
    "expires": "2099-01-01T00:00:00.000Z",
    "expires_uptime": 1e12,
}


@dataclass(frozen=True)
class State:
    """A state that a procedure refuses. at: releases, none for a host without a ledger. prepare, restore: as root."""

    code: str
    procedure: str = "laravel_rollback"
    at: tuple[str, ...] = ("v1.0.0", "v1.1.0")
    prepare: str = "true"
    restore: str = "true"
    inputs: dict[str, str] = field(default_factory=dict)


STATES = {
    "git's folder belongs to root": State("not_writable", prepare=f"chown root:root {APP}/.git; chmod 755 {APP}/.git"),
    "no right to reload": State(
        "no_sudo_right",
        prepare="mv /etc/sudoers.d/ops-runbook /root/ops-runbook",
        restore="mv /root/ops-runbook /etc/sudoers.d/ops-runbook",
    ),
    "git is locked": State("git_locked", prepare=f"install -o deploy /dev/null {APP}/.git/index.lock"),
    "the ledger was edited": State("ledger_damaged", prepare=f"sed -i '1s/succeeded/failed/' {STATE}/ledger.jsonl"),
    "a file was edited": State("local_changes", prepare=f"echo '// by hand' >> {APP}/routes/api.php"),
    "a file was edited, and is to be adopted": State(
        "local_changes", "laravel_adopt", prepare=f"echo '// by hand' >> {APP}/routes/api.php"
    ),
    "somebody holds the lease": State("lease_held", prepare="LEASE"),
    "no ledger": State("no_ledger", at=()),
    "nothing is unfinished": State("nothing_interrupted", inputs={"interrupted": "resume"}),
    "the database is ahead": State("migrations_ahead", at=("v1.0.0", "v1.1.0", "v1.2.0")),
}


def begin(lab: Lab, state: State) -> None:
    if state.at:
        lab.at(*state.at)
    else:
        lab.reset()
    boot = lab.root("cat /proc/sys/kernel/random/boot_id")
    lease = (
        f"install -o deploy -m 600 /dev/stdin {STATE}/lease.json <<'END'\n{json.dumps({**LEASE, 'boot': boot})}\nEND"
    )
    lab.root(lease if state.prepare == "LEASE" else state.prepare)


def printed(text: str) -> list[tuple[str, str]]:
    """Commands to type and their effects, as a person reads them."""
    found: list[tuple[str, str]] = []
    inside = -1
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() == "To go on, give one of:":
            inside = indent
        elif inside >= 0 and line.strip() and indent > inside + 2 and found:
            # Of a long one the effect stands below.
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}".strip())
        elif inside >= 0 and line.strip() and indent > inside:
            way, _, effect = line.strip().partition("  ")
            found.append((way, effect.strip()))
        else:
            inside = -1
    return list(dict.fromkeys(found))


def typed(lab: Lab, line: str) -> Run:
    """A command line of the bastion, through a shell."""
    name = shlex.quote(lab.name)
    inventories = " ".join(f"-i {shlex.quote(str(ROOT / one))}" for one in INVENTORIES)
    whole = line.replace("ansible-playbook ", f"ansible-playbook {inventories} -l {name} ", 1)
    done = subprocess.run(
        ["sh", "-c", whole],
        cwd=ROOT,
        env=operator_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr)


def follow(lab: Lab, state: State, way: str, effect: str) -> Run:
    """Type a way; the run that shows how the host is then."""
    own = f"ansible-playbook ops.runbook.{state.procedure}"
    if way.startswith("-e "):
        other = re.match(r"given to (\w+)", effect)
        return typed(lab, f"ansible-playbook ops.runbook.{other[1] if other else state.procedure} {way}")
    if way.startswith("ansible-playbook "):
        done = typed(lab, way)
        assert done.green, done.text
    elif not way.startswith("the same command"):
        # What needs an administrator says sudo; all else is typed by the user who operates the service.
        (lab.root if "sudo " in way else lab.deploy)(way)
    return typed(lab, own)


@pytest.mark.parametrize("name", STATES)
def test_printed_commands_end_the_trouble(lab: Lab, name: str) -> None:
    state = STATES[name]
    begin(lab, state)
    try:
        refused = lab.play(state.procedure, **state.inputs)
        assert not refused.green and state.code in refused.text, refused.text
        ways = printed(refused.text)
        assert ways, refused.text
        tried = 0
        for way, effect in ways:
            # What only a person knows is in angle brackets; a wait ends when the other operation does.
            if "<" in way or "lock_wait" in way or "laravel_php_fpm_unit" in way:
                continue
            if tried:
                lab.root(state.restore)
                begin(lab, state)
                assert state.code in lab.play(state.procedure, **state.inputs).text
            run = follow(lab, state, way, effect)
            assert f"({state.code})" not in run.text, f"{way}\n{run.text}"
            tried += 1
        assert tried, ways
    finally:
        lab.root(state.restore)
