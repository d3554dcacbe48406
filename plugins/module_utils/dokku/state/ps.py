# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of an app: how many, and whether they run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change, bring
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Command, Plan, State, listed, text_of
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_PROCESS = re.compile(r"[A-Za-z0-9_-]+")

#: Commands that bring the containers to the image dokku/APP:latest.
_TAKES_LATEST = ("started", "restarted")


def counts(scale: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of containers, as YAML or a command line have given them. Raises Problem."""
    found: dict[str, int] = {}
    for process, count in scale.items():
        text = "" if isinstance(count, bool) else str(count).strip()
        # Dokku takes -1 with an exit code of 0.
        if not _PROCESS.fullmatch(str(process)) or not text.isdecimal():
            way = (
                "scale: {web: 2}",
                "in the inventory, the input or the task: names of processes, and a number for each",
            )
            raise Problem("bad_scale", f"{process}={count} can't be: a process has 0 containers or more", [way])
        found[str(process)] = int(text)
    return found


@dataclass(frozen=True)
class PsPresent:
    """running: true, false or mixed. containers: status by process and number. can_scale: app.json says otherwise.

    latest_live: whether dokku/APP:latest is what runs, None where nobody knows; live: its release.
    """

    deployed: bool
    running: str
    scale: Mapping[str, int]
    containers: Mapping[str, str] = field(default_factory=dict)
    can_scale: bool = True
    latest_live: bool | None = None
    live: str = ""

    def troubled(self) -> list[str]:
        return [f"{name} is {status}" for name, status in self.containers.items() if status != "running"]


@dataclass(frozen=True)
class PsState(State[PsPresent]):
    """wanted: started, stopped, restarted, rebuilt, or empty for as it is. scale: by process; others stay.

    deadline: seconds in which the containers must be in that state once the command has ended.
    """

    app: str
    wanted: str = ""
    scale: Mapping[str, int] = field(default_factory=dict)
    deadline: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", counts(self.scale))

    def read(self, dokku: Dokku) -> PsPresent:
        report = dokku.report(self.app, "ps")
        latest: bool | None = None
        live = ""
        if text_of(report, "deployed") == "true" and (self.wanted in _TAKES_LATEST or self.scale):
            try:
                releases = dokku.report(self.app, "releases")
            except DokkuError:
                # The plugin `releases` is not on every host.
                releases = {}
            if releases and text_of(releases, "live-image"):
                latest, live = text_of(releases, "latest-is-live") == "true", text_of(releases, "live")
        return PsPresent(
            deployed=text_of(report, "deployed") == "true",
            running=text_of(report, "running"),
            scale={str(entry["process_type"]): int(entry["quantity"]) for entry in dokku.json("ps:scale", self.app)},
            containers={
                key.partition("status-")[2]: str(value).partition(" ")[0]
                for key, value in report.items()
                if key.startswith("status-")
            },
            can_scale=text_of(report, "can-scale") != "false",
            latest_live=latest,
            live=live,
        )

    def plan(self, present: PsPresent) -> Plan:
        if self.wanted and not present.deployed:
            raise Problem(
                "not_deployed",
                f"{self.app} was never deployed, so it can't be {self.wanted}. Dokku would say so and end with 0",
                [("git push", "from a checkout, deploys it; dokku git:from-image deploys an image")],
            )
        changes = list(self._scaling(present))
        commands = []
        if changes:
            self._must_scale(present)
            # Without a deploy there is nothing to start; and where it is stopped or begun anew, once is enough.
            skip = ("--skip-deploy",) if not present.deployed or self.wanted or present.running == "false" else ()
            counts = [f"{change.subject.partition(' ')[2]}={change.after}" for change in changes]
            commands.append(Command(("ps:scale", *skip, self.app, *counts)))
        verb = self._verb(present, bool(changes))
        if verb:
            words = {"ps:start": "started", "ps:stop": "stopped", "ps:restart": "restarted", "ps:rebuild": "rebuilt"}
            changes.append(Change("processes", _state(present), words[verb]))
            commands.append(Command((verb, self.app)))
        restarts = any(
            command.arguments[0] != "ps:stop" and "--skip-deploy" not in command.arguments for command in commands
        )
        if restarts and self.wanted != "rebuilt":
            self._latest_must_be_live(present)
        return Plan(tuple(changes), tuple(commands), self._warnings(verb))

    def settled(self, present: PsPresent) -> bool:
        """True if the containers are as they are to be, whatever was done to bring them there."""
        if any(present.scale.get(process, 0) != count for process, count in self.scale.items()):
            return False
        if not present.deployed or (not self.wanted and present.running == "false"):
            return True
        if self.wanted == "stopped":
            return present.running == "false"
        alive = sum(1 for status in present.containers.values() if status == "running")
        return present.running == "true" and alive == sum(present.scale.values()) or not any(present.scale.values())

    def apply(self, dokku: Dokku, plan: Plan, present: PsPresent) -> None:
        super().apply(dokku, plan, present)
        deadline = time.monotonic() + self.deadline
        after = self.read(dokku)
        while not self.settled(after):
            if time.monotonic() >= deadline:
                raise Problem(
                    "not_settled",
                    f"{plan.acts[-1].arguments[0]} {self.app} ended with 0, and after {self.deadline:g} s "
                    f"{listed(after.troubled()) or f'its processes are {_state(after)}'}",
                    [(f"dokku logs {self.app} -n 100 -q", "shows what its processes say")],
                    touched=True,
                )
            self.sleep(1.0)
            after = self.read(dokku)

    def left(self, before: PsPresent, after: PsPresent) -> Sequence[Change]:
        """A restart is never "done": only the state afterwards counts."""
        return () if self.settled(after) else (Change("processes", _state(after), self.wanted or "as scaled"),)

    def _scaling(self, present: PsPresent) -> list[Change]:
        return [
            Change(f"containers {process}", str(present.scale.get(process, 0)), str(count))
            for process, count in sorted(self.scale.items())
            if present.scale.get(process) != count and (process in present.scale or count)
        ]

    def _must_scale(self, present: PsPresent) -> None:
        if not present.can_scale:
            raise Problem(
                "scaled_by_app",
                f"the app.json of {self.app} has a formation: it says how many, and says so again at the next deploy",
                [("formation in app.json", "is where the number belongs")],
            )
        unknown = [process for process in self.scale if process not in present.scale]
        if present.deployed and unknown:
            # Scaled up, its containers fail the checks, and so does every deploy and restart from then on.
            raise Problem(
                "no_process",
                f"{self.app} has no process {listed(unknown)}; it has {listed(sorted(present.scale))}",
                [("Procfile", "of the application names its processes")],
            )

    def _verb(self, present: PsPresent, scaled: bool) -> str:
        if self.wanted == "started":
            return "" if present.running == "true" and not scaled else "ps:start" if not scaled else "ps:restart"
        if self.wanted == "stopped":
            return "" if present.running == "false" else "ps:stop"
        return {"restarted": "ps:restart", "rebuilt": "ps:rebuild"}.get(self.wanted, "")

    def _latest_must_be_live(self, present: PsPresent) -> None:
        if present.latest_live is False:
            back = f"dokku releases:rollback {self.app} {present.live or '<release>'}"
            raise Problem(
                "latest_not_live",
                f"dokku/{self.app}:latest is not the image that runs: a deploy has failed since. A restart would put "
                "that one live, without its health checks",
                [
                    (back, "puts the image that runs back under that name"),
                    ("state: rebuilt", "builds the deploy branch again"),
                ],
            )

    def _warnings(self, verb: str) -> tuple[str, ...]:
        if verb == "ps:rebuild":
            return ("a rebuild takes the newest revision of the deploy branch: it undoes a rollback of the image",)
        return ()


def _state(present: PsPresent) -> str:
    if not present.deployed:
        return "not deployed"
    return {"true": "running", "false": "stopped", "mixed": "partly running"}.get(present.running, present.running)


def may_restart(dokku: Dokku, app: str) -> bool:
    """True if an app runs, and so is to be restarted for what was set. Raises Problem where it must not be."""
    state = PsState(app, "restarted")
    present = state.read(dokku)
    if not present.deployed or present.running == "false":
        return False
    state.plan(present)
    return True


def restart(dokku: Dokku, app: str, deadline: float = 60.0) -> bool:
    """Restart an app that runs, so that it takes what was set; False where none of it runs. Raises Problem."""
    if not may_restart(dokku, app):
        return False
    try:
        bring(dokku, PsState(app, "restarted", deadline=deadline))
    except (DokkuError, Problem) as error:
        raise Problem(
            "restart_failed",
            f"what was wanted of {app} is set, and its containers do not have it: {error}",
            [
                (f"dokku logs {app} -n 100 -q", "shows what its processes say"),
                (f"dokku ps:report {app}", "shows which of them run; until a restart succeeds, the old ones do"),
            ],
            touched=True,
        ) from error
    return True
