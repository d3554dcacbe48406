# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schedules that are asked for, and the command, folder, inventory, user and time zone of their runs."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import sys
import zoneinfo
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.ops.runbook.plugins.module_utils.console import schedules
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Procedure
from ansible_collections.ops.runbook.plugins.module_utils.console.schedules import UTC, Due
from ansible_collections.ops.runbook.plugins.module_utils.console.systems import System
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ops_runbook.schedule import ScheduleError, Site

_UNIT = re.compile(r"(?:[A-Za-z0-9:_.@-]|%[nNpi])+\.(?:service|target)")
_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+(?:@[A-Za-z0-9.-]+)?")
_PROGRAM = re.compile(r"/[A-Za-z0-9_./+@-]+")
_SAME_AS_UTC = ("Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu")


@dataclass(frozen=True)
class Asked:
    """The options as typed. For an empty one something is found."""

    cron: bool = False
    scope: str = "system"
    inventories: Sequence[str] = ()
    target: str = ""
    on_failure: str = ""
    mailto: str = ""
    run_as: str = ""
    folder: str = ""
    command: str = ""
    timezone: str = ""
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def choose(
    systems: Mapping[str, System],
    procedures: Mapping[str, Procedure],
    of: Collection[str],
    only: Collection[str],
    without: Collection[str],
) -> list[tuple[Due, Procedure]]:
    """The schedules of the calendar that are asked for. Raises ScheduleError over a name that has none."""
    calendar = {role: schedules.due([one], procedures) for role, one in systems.items()}
    roles = [role for role, found in calendar.items() if found]
    every = [one for role in roles for one in calendar[role]]
    _must_know(of, roles, "--system")
    _must_know([*only, *without], {one.procedure for one in every}, "--procedure")
    found = [
        (one, procedures[one.procedure])
        for role in roles
        for one in calendar[role]
        if (not of or role in of) and (not only or one.procedure in only) and one.procedure not in without
    ]
    if not found:
        raise ScheduleError("no schedule of the calendar is of this system and of this procedure")
    return found


def _must_know(names: Iterable[str], among: Collection[str], option: str) -> None:
    for name in names:
        if name not in among:
            raise ScheduleError(f"the calendar has no schedule of '{name}'. {option}: {', '.join(sorted(among))}")


def find(asked: Asked) -> Site:
    """The site of the runs, from what was typed and what is on this machine. Raises ScheduleError."""
    folder = _folder(asked.folder)
    return Site(
        command=_command(asked.command, folder),
        folder=str(folder),
        inventories=_inventories(asked.inventories, folder),
        told=_told(asked),
        user=_user(asked),
        target=_one_line("--target", asked.target),
        zone=_zone(asked.timezone, asked.cron),
        answers={
            name: {key: _one_line(f"--answer {name}:{key}", value) for key, value in given.items()}
            for name, given in asked.answers.items()
        },
    )


def _one_line(option: str, text: str) -> str:
    if not text.isprintable():
        raise ScheduleError(f"{option} is {text!r}: a schedule has it on one line, without control characters")
    return text


def _folder(given: str) -> Path:
    folder = Path(given).expanduser().absolute() if given else Path.cwd()
    _one_line("--folder", str(folder))
    if not folder.is_dir():
        raise ScheduleError(f"--folder {folder} is not a folder")
    if folder.stat().st_mode & 0o002:
        raise ScheduleError(f"--folder {folder} may be written by everybody, and Ansible reads no ansible.cfg there")
    return folder


def _command(given: str, folder: Path) -> list[str]:
    if given:
        found = [given]
    elif beside := shutil.which("ops-runbook", path=str(Path(sys.executable).parent)):
        found = [beside]
    elif (folder / "ops_runbook/__main__.py").is_file():
        found = [sys.executable, "-m", "ops_runbook"]
    else:
        raise ScheduleError("ops-runbook is not installed beside this Python: give --command /path/of/ops-runbook")
    if not _PROGRAM.fullmatch(found[0]) or not os.path.isfile(found[0]) or not os.access(found[0], os.X_OK):
        raise ScheduleError(f"--command {found[0]!r} is not the full path of a program")
    return found


def _inventories(given: Sequence[str], folder: Path) -> list[str]:
    if not given:
        given = _configured(folder)
    found = []
    for one in given:
        _one_line("--inventory", one)
        # As Ansible: a list of hosts has a comma.
        path = Path(one).expanduser().absolute()
        if "," not in one and not path.exists():
            raise ScheduleError(f"--inventory {one}: the file or folder does not exist")
        found.append(one if "," in one else str(path))
    return found


def _configured(folder: Path) -> list[str]:
    """The inventory that Ansible takes where none is named."""
    from ansible import constants

    paths, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    if folder != Path.cwd() or origin == "default":
        raise ScheduleError("a timer has no inventory by itself: give -i FILE, or write it into ansible.cfg")
    return list(paths)


def _told(asked: Asked) -> str:
    """The unit or the address that hears of a run that fails."""
    given, other = (asked.mailto, asked.on_failure) if asked.cron else (asked.on_failure, asked.mailto)
    if other:
        raise ScheduleError("--on-failure is for --systemd, and --mailto for --cron")
    if asked.cron and not all(map(_ADDRESS.fullmatch, given.split(","))):
        raise ScheduleError(f"--mailto is {given!r}: give the address that hears of a run that fails")
    if not asked.cron and not _UNIT.fullmatch(given):
        raise ScheduleError(
            f"--on-failure is {given!r}: give the unit that systemd starts when a run fails, such as notify@%n.service"
        )
    return given


def _user(asked: Asked) -> str:
    if asked.scope == "user":
        if asked.run_as:
            raise ScheduleError("--run-as is for --scope system: your own units and lines run as you")
        return ""
    if not asked.run_as and os.geteuid() == 0:
        raise ScheduleError("give --run-as USER: root only runs it if you name root")
    name = asked.run_as or user_name()
    try:
        return pwd.getpwnam(name).pw_name
    except (KeyError, ValueError):
        raise ScheduleError(f"--run-as {name!r}: this machine has no such user") from None


def _zone(given: str, cron: bool, root: Path = Path("/")) -> str:
    here = machine_zone(root)
    if not given:
        return here
    try:
        zoneinfo.ZoneInfo(given)
    except (KeyError, OSError, ValueError):
        raise ScheduleError(f"--timezone '{given}' is not a time zone; write one like Europe/Berlin, or UTC") from None
    zone = UTC if given in _SAME_AS_UTC else given
    if cron and zone != here:
        raise ScheduleError(f"--timezone {given}: cron has the times of this machine, which are those of {here}")
    return zone


def machine_zone(root: Path) -> str:
    """The time zone of the machine, by its files; UTC where they name none."""
    link = root / "etc/localtime"
    name = os.readlink(link).partition("zoneinfo/")[2] if link.is_symlink() else ""
    written = root / "etc/timezone"
    if not name and written.is_file():
        name = written.read_text(encoding="utf-8").strip()
    return UTC if not name or name in _SAME_AS_UTC else name


def next_steps(paths: Sequence[Path], asked: Asked, site: Site) -> list[str]:
    """Lines to type once the files are written."""
    if asked.cron:
        shown = shlex.quote(str(paths[0]))
        if site.user:
            return ["cron reads it in /etc/cron.d, where it has to belong to root."]
        return [f"(crontab -l; cat {shown}) | crontab -", "  adds it to your crontab"]
    mine = " --user" if asked.scope == "user" else ""
    timers = " ".join(path.name for path in paths if path.suffix == ".timer")
    lines = [f"systemctl{mine} daemon-reload", f"systemctl{mine} enable --now {timers}"]
    return lines + (["loginctl enable-linger", "  lets them run while you are not logged in"] if mine else [])
