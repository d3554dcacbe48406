# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of systemd units, read with one unprivileged C(systemctl show)."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Callable

PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "Type",
    "Result",
    "NRestarts",
    "ActiveEnterTimestamp",
    "MainPID",
)
_UNIT = re.compile(r"[A-Za-z0-9@_.:\\-]+\Z")
_SUFFIXES = (
    ".service",
    ".timer",
    ".socket",
    ".target",
    ".mount",
    ".path",
    ".slice",
    ".scope",
    ".device",
    ".swap",
)

Runner = Callable[[Sequence[str]], "tuple[int, str, str]"]


class SystemdError(RuntimeError):
    """systemd could not be asked, or a name is not a unit name."""


@dataclass(frozen=True)
class UnitState:
    """One unit as C(systemctl show) describes it. C(unit) is the name that was asked for."""

    unit: str
    id: str
    load: str
    active: str
    sub: str
    result: str
    restarts: int
    since: str
    main_pid: int
    type: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def unit_name(name: str) -> str:
    """The full name of a unit: C(nginx) is C(nginx.service)."""
    text = name.strip()
    if not _UNIT.match(text) or text.startswith(("-", ".")):
        raise SystemdError(f"{name!r} is not a systemd unit name; write one like nginx or app-queue@1.service")
    return text if text.endswith(_SUFFIXES) else text + ".service"


def show_command(units: Sequence[str]) -> list[str]:
    """The one command that reads all units."""
    properties = ",".join(PROPERTIES)
    return ["systemctl", "show", "--no-pager", f"--property={properties}", "--", *map(unit_name, units)]


def parse_show(output: str, units: Sequence[str]) -> list[UnitState]:
    """Blocks of C(Key=value) lines in the order of C(units), one blank line between them.

    Old and new releases of systemd agree on the order; an answer that does not fit it is an error, because a
    state given to the wrong unit would be worse than none.
    """
    blocks = [block for block in re.split(r"\n\s*\n", output.strip()) if block.strip()]
    if len(blocks) != len(units):
        raise SystemdError(f"systemctl described {len(blocks)} units, asked were {len(units)}: {', '.join(units)}")
    return [_parse_block(block, name) for block, name in zip(blocks, units)]


def _parse_block(block: str, name: str) -> UnitState:
    values: dict[str, str] = {}
    for line in block.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values[key.strip()] = value.strip()
    wanted = unit_name(name)
    identity = values.get("Id", "")
    if wanted != identity and wanted not in values.get("Names", "").split():
        raise SystemdError(f"systemctl described {identity or 'no unit'} where {wanted} was asked for")
    return UnitState(
        unit=name,
        id=identity,
        load=values.get("LoadState", ""),
        active=values.get("ActiveState", ""),
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        restarts=_number(values.get("NRestarts", "")),
        since="" if values.get("ActiveEnterTimestamp", "") == "n/a" else values.get("ActiveEnterTimestamp", ""),
        main_pid=_number(values.get("MainPID", "")),
        type=values.get("Type", ""),
    )


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def unit_problem(state: UnitState) -> str | None:
    """Why this unit does not serve, in one sentence; None when it does."""
    name = state.unit
    if state.load == "not-found":
        return f"{name} is not found on this host: no such unit is installed"
    if state.load == "masked":
        return f"{name} is masked: it cannot be started until it is unmasked"
    if state.load in ("error", "bad-setting"):
        return f"{name} has a unit file that systemd cannot read ({state.load})"
    if state.active == "failed" or state.sub == "failed":
        return f"{name} has failed ({_cause(state)}); its log: journalctl -u {state.id or name} -n 50"
    if state.active == "activating" and state.sub == "auto-restart":
        return f"{name} dies and is restarted again and again ({_cause(state)}, {_restarts(state)})"
    if state.active == "activating":
        return f"{name} is still starting ({state.sub}, {_restarts(state)})"
    if state.active == "deactivating":
        return f"{name} is stopping ({state.sub})"
    if state.active == "inactive":
        return f"{name} is not running (inactive, {state.sub or 'dead'})"
    if state.active not in ("active", "reloading", "refreshing"):
        return f"{name} is in the state {state.active or 'unknown'}"
    if state.id.endswith(".timer") and state.sub == "elapsed":
        return f"{name} is active, but has no next run"
    if state.id.endswith(".service") and state.sub == "exited" and state.type not in ("oneshot", ""):
        return f"{name} is called active, but its process has ended ({_cause(state)})"
    return None


def ended_in_order(state: UnitState) -> bool:
    """True if the unit ended by itself, with success, and systemd is about to start it again.

    A queue worker does so after `queue:restart`, for RestartSec, when its job is done.
    """
    return state.sub.startswith("auto-restart") and state.result == "success"


def _cause(state: UnitState) -> str:
    return state.result or "no result given"


def _restarts(state: UnitState) -> str:
    return "1 restart" if state.restarts == 1 else f"{state.restarts} restarts"


def _run(argv: Sequence[str]) -> tuple[int, str, str]:
    # A fixed locale: the time stamps are read by people in one form everywhere.
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    done = subprocess.run(
        list(argv),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def read_units(units: Sequence[str], run: Runner = _run) -> list[UnitState]:
    """The states of C(units), in their order."""
    if not units:
        return []
    try:
        code, out, err = run(show_command(units))
    except FileNotFoundError:
        raise SystemdError("systemctl is not on this host: is it managed by systemd?") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemdError(f"systemctl did not answer: {error}") from None
    if code != 0 and not out.strip():
        first = (err.strip().splitlines() or ["no message"])[0]
        raise SystemdError(f"systemctl show failed with code {code}: {first}")
    return parse_show(out, units)


def problems(states: Sequence[UnitState]) -> Mapping[str, str]:
    """The unit's name and its problem, for the units that have one."""
    found = ((state.unit, unit_problem(state)) for state in states)
    return {name: problem for name, problem in found if problem is not None}
