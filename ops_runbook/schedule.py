# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calendar of the runbooks as timers of systemd and as lines of cron."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import recurrence
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Procedure
from ansible_collections.ops.runbook.plugins.module_utils.console.recurrence import NotSayable
from ansible_collections.ops.runbook.plugins.module_utils.console.schedules import UTC, Due
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file

#: Seconds for which a run waits for the lease: after a night without power two of them may be caught up at once.
LOCK_WAIT = "3600"
#: Seconds that a run has to bring a host to its end when the machine goes down.
STOP_SECONDS = 600
#: Letters of a command; cron cuts off the rest.
LONGEST_LINE = 990
_MARK = "# Written by `ops-runbook schedule`, which changes it only while the rest has the SHA-256 "
_DAY_OF_WEEK = r'"$(date +\%u)"'


class ScheduleError(Exception):
    """Something that can't be scheduled or written. The text says what to type."""


@dataclass(frozen=True)
class Site:
    """The facts of a schedule that the calendar does not have.

    command: the words that start ops-runbook. folder: the one in which it starts. told: a unit that systemd starts when
    a run fails, or an address to which cron mails. user: who runs it; empty where units and lines are the user's own.
    zone: of the times. answers: further inputs by procedure.
    """

    command: Sequence[str]
    folder: str
    inventories: Sequence[str]
    told: str
    user: str = ""
    target: str = ""
    zone: str = UTC
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def zone_of(self, one: Due) -> str:
        return UTC if one.utc else self.zone


def inputs(one: Due, procedure: Procedure, site: Site) -> dict[str, str]:
    """The inputs of a scheduled run, as they are typed."""
    found = {"target": site.target} if site.target and procedure.input("target") else {}
    found |= {"lock_wait": LOCK_WAIT} if procedure.input("lock_wait") else {}
    return {
        **found,
        **site.answers.get(one.procedure, {}),
        **{key: _typed(value) for key, value in one.answers.items()},
    }


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(map(_typed, value))
    return json.dumps(value) if isinstance(value, Mapping) else str(value)


def problem(one: Due, procedure: Procedure, site: Site, cron: bool) -> str:
    """Why a schedule can't be made, and what to type; empty where it can."""
    given = inputs(one, procedure, site)
    missing = [known.name for known in procedure.inputs if known.required and not given.get(known.name)]
    if missing:
        return f"it has no {', '.join(missing)}: " + " ".join(
            f"--answer {one.procedure}:{name}=VALUE" for name in missing
        )
    try:
        days = recurrence.parse(one.rule)
        recurrence.cron(days, one.hour) if cron else recurrence.on_calendar(days, one.hour, UTC)
    except NotSayable as wrong:
        return str(wrong)
    return _problem_of_line(one, procedure, site) if cron else ""


def _problem_of_line(one: Due, procedure: Procedure, site: Site) -> str:
    if site.zone_of(one) != site.zone:
        return f"it is at {one.hour:02}:00 UTC, and cron has the times of {site.zone}"
    if "\\" in "".join([*words(one, procedure, site), site.folder]):
        return "it has a backslash, which each cron reads in another way"
    longest = len(_line(one, procedure, site, recurrence.WEEKDAYS))
    return f"its line has {longest} letters, and cron takes {LONGEST_LINE}" if longest > LONGEST_LINE else ""


def must_be_sayable(every: Iterable[tuple[Due, Procedure]], site: Site, cron: bool) -> None:
    """Raise ScheduleError if one of the schedules can't be made: none is left out in silence."""
    found = [(one, why) for one, procedure in every if (why := problem(one, procedure, site, cron))]
    if found:
        lines = [f"{one.name} ({one.procedure}): {why}" for one, why in found]
        out = " ".join(f"--without {name}" for name in dict.fromkeys(one.procedure for one, _ in found))
        raise ScheduleError("\n  ".join(["these can't be scheduled so:", *lines, f"leave them out: {out}"]))


def words(one: Due, procedure: Procedure, site: Site) -> list[str]:
    """The command of a scheduled run."""
    given = [f"{name}={value}" for name, value in inputs(one, procedure, site).items()]
    where = [part for inventory in site.inventories for part in ("-i", inventory)]
    return [*site.command, "run", procedure.name, *given, *where]


def slug(one: Due, site: Site) -> str:
    """The name of a schedule as that of a unit. Each target has its own."""
    return "-".join(filter(None, ("ops-runbook", _slug(one.name), _slug(site.target))))


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9_]+", "-", text.lower()).strip("-")


# -- systemd -------------------------------------------------------------------------------------


def units(every: Iterable[tuple[Due, Procedure]], site: Site) -> dict[str, str]:
    """The files of a timer and a service for each schedule, by name."""
    found = {}
    for one, procedure in every:
        name = slug(one, site)
        found[f"{name}.timer"] = timer(one, site)
        found[f"{name}.service"] = service(one, procedure, site)
    return found


def timer(one: Due, site: Site) -> str:
    when = recurrence.on_calendar(recurrence.parse(one.rule), one.hour, site.zone_of(one))
    return _unit(
        ("Unit", [("Description", _literal(one.name))]),
        # A run that was missed while the machine was off is caught up.
        ("Timer", [("OnCalendar", when), ("Persistent", "true")]),
        ("Install", [("WantedBy", "timers.target")]),
    )


def service(one: Due, procedure: Procedure, site: Site) -> str:
    network = "network-online.target"
    return _unit(
        (
            "Unit",
            [
                ("Description", _literal(f"{one.name}: {one.why}")),
                ("OnFailure", site.told),
                # A user's own systemd does not have this target.
                *([("Wants", network), ("After", network)] if site.user else []),
            ],
        ),
        (
            "Service",
            [
                ("Type", "oneshot"),
                *([("User", site.user)] if site.user else []),
                ("WorkingDirectory", _literal(site.folder)),
                ("ExecStart", " ".join(map(_word, words(one, procedure, site)))),
                # SIGTERM is for the command alone, which ends the run in order.
                ("KillMode", "mixed"),
                ("TimeoutStopSec", str(STOP_SECONDS)),
            ],
        ),
    )


def _unit(*sections: tuple[str, list[tuple[str, str]]]) -> str:
    return "\n".join(f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in lines) for name, lines in sections)


def _literal(text: str) -> str:
    """A text in a unit that means itself: a percent sign begins a specifier."""
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """A word of ExecStart= that means itself."""
    if re.fullmatch(r"[A-Za-z0-9_./:=,@+-]+", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_literal(escaped)}"'


# -- cron ----------------------------------------------------------------------------------------


def crontab(every: Iterable[tuple[Due, Procedure]], site: Site) -> dict[str, str]:
    """One file with a line for each schedule, by name. With a user it is one for /etc/cron.d."""
    lines = [f"# The times are those of {site.zone}, as this machine has them. A missed run is not caught up."]
    lines += [f"MAILTO={site.told}", ""]
    for one, procedure in every:
        when = recurrence.cron(recurrence.parse(one.rule), one.hour)
        user = f" {site.user}" if site.user else ""
        lines += [f"# {one.name}: {one.why}", f"{when.fields}{user} {_line(one, procedure, site, when.weekdays)}"]
    # cron reads no file in that folder whose name has a dot.
    return {"-".join(filter(None, ("ops-runbook", _slug(site.target)))): "\n".join(lines) + "\n"}


def _line(one: Due, procedure: Procedure, site: Site, weekdays: Sequence[object]) -> str:
    """The command of a line. It prints something, and so is mailed, only if the run fails or does not start."""
    only = f"case {_DAY_OF_WEEK} in {'|'.join(map(str, weekdays))}) ;; *) exit 0;; esac; " if weekdays else ""
    run = shlex.join([*words(one, procedure, site), "--quiet"])
    failed = f"echo {shlex.quote(f'failed: {one.name}, exit code')} $?"
    return only + f"cd {shlex.quote(site.folder)} && {run} || {failed}".replace("%", r"\%")


# -- files ---------------------------------------------------------------------------------------


def marked(text: str) -> str:
    """A file with the line by which the next call knows it as its own."""
    return f"{_MARK}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def is_own(content: str) -> bool:
    """True for a file that was written here and that nobody changed since."""
    first, _, rest = content.partition("\n")
    return first == marked(rest).partition("\n")[0]


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files, all of them or none; the paths. Raises ScheduleError over a file of somebody else."""
    if not folder.is_dir():
        raise ScheduleError(f"the folder {folder} does not exist: mkdir -p {shlex.quote(str(folder))}")
    paths = {folder / name: marked(text) for name, text in files.items()}
    foreign = [str(path) for path in paths if not _may_write(path)]
    if foreign:
        raise ScheduleError(
            f"not written here, or changed by hand since: {', '.join(foreign)}. Move it away, or give another "
            "--output. A change of a unit belongs in a drop-in: systemctl edit UNIT"
        )
    for path, text in paths.items():
        durable_file.rewrite(str(path), text.encode())
    return [*paths]


def _may_write(path: Path) -> bool:
    if path.is_symlink() or path.exists() and not path.is_file():
        return False
    return not path.exists() or is_own(path.read_text(encoding="utf-8", errors="replace"))
