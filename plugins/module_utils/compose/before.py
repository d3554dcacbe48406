# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How each service of a Compose project was before an operation, and what of it is to be so again. Pure.

A plan keeps this record, service by service. Going back brings up what ran, stops nothing but what did not, and is
verified against the record: one fact about the whole release would take down a service that ran.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import once as compose_once
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Container

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan


@dataclass(frozen=True)
class Was:
    """A service as it was.

    ran: it had a container that ran, or that the engine was starting again. images: ids of the images of its running
    containers, or of its last ones.
    state: for people, of one that did not run; empty where it had no container. restart: its policy.
    once: it has one thing to do, and ends. needed: a service that ran depends on it.
    """

    ran: bool
    images: tuple[str, ...] = ()
    state: str = ""
    restart: str = ""
    once: bool = False
    needed: bool = False

    @property
    def done(self) -> bool:
        """True if it had one thing to do, and had done it."""
        return self.once and not self.ran and self.state == _DONE

    @property
    def down(self) -> bool:
        """True if going back has to leave it stopped."""
        return not self.ran and not self.once and not self.needed


_DONE = "exited, exit code 0"

#: One that dies again and again is meant to run: what it lacks may come back.
_RUNS = ("running", "restarting")

Record = Mapping[str, Was]


def record(
    services: Mapping[str, Mapping[str, Any]], containers: Sequence[Container], pinned: Collection[str]
) -> dict[str, Was]:
    """The services of the compose files as they are now. services: as `docker compose config` has them."""
    checked = {container.service for container in containers if container.health not in ("", "none")}
    once = compose_once.one_shots(services, pinned, checked)
    alive = {container.service for container in containers if container.state in _RUNS} & set(services)
    needed = compose_once.needed_by(services, alive)
    found: dict[str, Was] = {}
    for name in services:
        mine = [container for container in containers if container.service == name]
        running = [container for container in mine if container.state in _RUNS]
        last = (running or mine)[:1]
        found[name] = Was(
            ran=bool(running),
            images=tuple(dict.fromkeys(container.image for container in running or mine)),
            state="" if running or not mine else f"{mine[0].state}, exit code {mine[0].exit_code}",
            restart=last[0].restart_policy if last else str((services[name] or {}).get("restart") or ""),
            once=name in once,
            needed=name in needed,
        )
    return found


def to_dict(record: Record) -> dict[str, dict[str, Any]]:
    """For the journal."""
    return {name: asdict(was) for name, was in record.items()}


def of_plan(plan: ComposePlan) -> dict[str, Was] | None:
    """The record of a plan; None in one of a version that kept none."""
    raw = plan.get("before")
    if raw is None:
        return None
    return {
        str(name): Was(
            bool(was["ran"]),
            tuple(was["images"]),
            str(was["state"]),
            str(was["restart"]),
            bool(was["once"]),
            bool(was["needed"]),
        )
        for name, was in raw.items()
    }


# -- the way back --------------------------------------------------------------------------------


def to_start(record: Record) -> list[str]:
    """The services that going back brings up: those that ran. What they need comes with them."""
    return [name for name, was in record.items() if was.ran]


def to_stop(record: Record) -> list[str]:
    """The services that going back stops: those that did not run, and that nothing which ran depends on."""
    return [name for name, was in record.items() if was.down]


def all_run(record: Record) -> bool:
    """True if `up` may be given no names: it starts every service of the files."""
    return not any(was.down for was in record.values()) and all(
        was.ran or was.needed or was.done for was in record.values()
    )


def ours(record: Record | None, containers: Sequence[Container]) -> list[Container]:
    """The containers of the compose files; another file of the same project has its own."""
    return [one for one in containers if record is None or one.service in record]


def differences(record: Record, containers: Sequence[Container], pinned: Collection[str]) -> dict[str, str]:
    """Services whose containers differ from before: what runs, and from which image.

    pinned: the services whose image an operation changes; another one's may have been newer on the host already.
    """
    found: dict[str, str] = {}
    for name, was in record.items():
        running = [one for one in containers if one.service == name and one.state == "running"]
        if was.ran and not running:
            found[name] = f"{name} ran before, and has no running container"
        elif was.down and running:
            found[name] = f"{name} runs, and did not before"
        elif was.ran and name in pinned:
            other = next((one for one in running if one.image not in was.images), None)
            if other is not None:
                found[name] = f"{other.name} runs the image {other.image[:19]}, and {was.images[0][:19]} before"
    return found


# -- for people ----------------------------------------------------------------------------------


def warnings(record: Record, verb: str) -> list[str]:
    """Warnings about services that do not run now. verb: the operation, such as deploy."""
    lines = []
    for name, was in record.items():
        if was.ran or was.once:
            continue
        state = was.state or "it has no container"
        back = (
            "going back leaves it up, because a service that runs depends on it"
            if was.needed
            else "going back stops it again"
        )
        lines.append(f"{name} does not run now ({state}): this {verb} starts it, and {back}")
    return lines
