# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The owner of a state folder: the service of its records, and the user of its files.

The first operation writes service.json into the folder. Two services of one name on one host (staging and production)
would share a lease, and the releases of one would be `previous` of the other.
"""

from __future__ import annotations

import errno
import os
import pwd
import shlex
import stat
from dataclasses import asdict, dataclass, replace

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.ways import given

NAME = "service.json"


@dataclass(frozen=True)
class Subject:
    """The subject of a state folder. place: the service's folder, or the name of an app; empty for the host's own."""

    system: str
    place: str = ""
    environment: str = ""

    def __str__(self) -> str:
        named = f"{self.system} {self.place}".strip()
        return f"{named} ({self.environment})" if self.environment else named

    def same(self, other: Subject) -> bool:
        """True if both are of one service. An environment that is not named in one of them counts as equal."""
        known = (self.environment and other.environment) and self.environment != other.environment
        return (self.system, self.place) == (other.system, other.place) and not known


def parse(content: bytes) -> Subject | None:
    """The subject in a file; None without one, or if it can't be read."""
    try:
        raw = foreign_json.loads(content)
        return Subject(*(str(raw.get(key) or "") for key in ("system", "place", "environment")))
    except (ValueError, AttributeError, RecursionError):
        return None


def refusal(path: str, subject: Subject | None) -> Problem | None:
    """Why the folder of a file is not for the records of this subject; None where it is."""
    found = parse(durable_file.read_state(path)) if subject is not None else None
    if subject is None or found is None or found.same(subject) or _mistyped(subject, found):
        return None
    folder = os.path.dirname(path)
    word = subject.environment if subject.environment != found.environment else ""
    own = f"{folder}-{word or subject.system}"
    return Problem(
        "state_of_another",
        f"{folder} holds the records of {found}, and this is {subject}",
        (
            (
                f"operation_state_dir={own}",
                "in the inventory of this host gives it records of its own; a service name of its own does the same",
            ),
            (
                f"sudo rm {shlex.quote(path)}",
                "on the host, only if it is the same service under another name or in another place: "
                "the next operation takes its records over",
            ),
        ),
    )


def _mistyped(subject: Subject, found: Subject) -> bool:
    """True if there is no folder of that name at all: the plan refuses that, in better words."""
    return os.path.isdir(found.place) and not os.path.isdir(subject.place)


def name(path: str, subject: Subject | None, operation: str) -> None:
    """Say in the folder what it is of, where nothing says so yet or the environment was not known."""
    if subject is None:
        return
    found = parse(durable_file.read_state(path))
    if found is None or (subject.environment and not found.environment):
        said = subject if found is None else replace(found, environment=subject.environment)
        durable_file.replace(path, durable_file.encode({**asdict(said), "operation": operation}) + b"\n")


def unname(path: str, operation: str) -> None:
    """Take back what an operation said of a folder that had no name, since its plan was refused: it may be mistyped."""
    content = durable_file.read_state(path)
    try:
        named_by = foreign_json.loads(content).get("operation")
    except (ValueError, AttributeError, RecursionError):
        return
    if named_by == operation:
        durable_file.remove(path)


# -- files of another user -------------------------------------------------------------------------


def unusable(folder: str, error: OSError) -> Problem | None:
    """The remedy for a state folder, or a file in it, that can't be used; None for an error about something else."""
    where = os.fspath(error.filename or folder)
    text = where.decode("utf-8", "replace") if isinstance(where, bytes) else str(where)
    inside = f"{text}/".startswith(f"{folder.rstrip('/')}/") or f"{folder}/".startswith(f"{text.rstrip('/')}/")
    if not inside:
        return None
    if isinstance(error, owned_folder.NotFollowed):
        return Problem(
            "state_is_link",
            f"{text} in the state of this service is not used: {error.strerror}",
            (
                (f"ls -la {shlex.quote(os.path.dirname(text))}", "on the host, shows where it leads and whose it is"),
                (f"sudo rm {shlex.quote(text)}", "on the host, removes the link and nothing behind it"),
            ),
        )
    user = user_name()
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
        return _not_writable(folder, user, error)
    if error.errno not in (errno.EACCES, errno.EPERM):
        return None
    other = _other_owner(folder)
    if other is None:
        return _not_writable(folder, user, error)
    owner, path = other
    rightful = _rightful(folder, user)
    # With its group, which only an account has.
    owned = rightful if rightful.isdigit() else f"{rightful}:"
    ways = [
        (
            f"sudo chown -R {shlex.quote(owned)} {shlex.quote(folder)}",
            "once, on the host, gives the records of this service to one user",
        )
    ]
    if owner not in (user, rightful):
        ways.append((f"--become --become-user={shlex.quote(owner)}", f"runs this as {owner}"))
    if path == folder:
        text = f"{user} can't write the state folder {folder}: it belongs to {owner}"
        return Problem("state_dir_not_writable", text, tuple(ways))
    return Problem("state_of_other_user", f"{user} can't use {path}: it belongs to {owner}", tuple(ways))


def _not_writable(folder: str, user: str, error: OSError) -> Problem:
    """Only the folder of this service changes hands: others beside it have owners of their own."""
    above, make = os.path.dirname(folder), f"sudo install -d -o {shlex.quote(user)} -m 0700 {shlex.quote(folder)}"
    if not os.path.isdir(above):
        make = f"sudo install -d -m 0711 {shlex.quote(above)} && {make}"
    elif not os.access(above, os.X_OK):
        make = f"sudo chmod o+x {shlex.quote(above)} && {make}"
    return Problem(
        "state_dir_not_writable",
        f"{user} can't write the state folder {folder}: {error.strerror}",
        (
            (make, "once, on the host, makes the folder for the records of this service, and leaves all others alone"),
            (given("operation_state_dir", _beside_home(user, folder)), "keeps the state elsewhere"),
        ),
    )


def _other_owner(folder: str) -> tuple[str, str] | None:
    """The first of the folder and its files that is of another user than the folder, or than this one."""
    try:
        mine = os.lstat(folder)
        if os.geteuid() not in (0, mine.st_uid):
            return user_name(mine.st_uid), folder
        for one in sorted(os.listdir(folder)):
            found = os.lstat(os.path.join(folder, one))
            if found.st_uid != mine.st_uid and not stat.S_ISLNK(found.st_mode):
                return user_name(found.st_uid), os.path.join(folder, one)
    except OSError:
        pass
    return None


def _rightful(folder: str, user: str) -> str:
    """The rightful owner of the folder: the present one, if root looks at it."""
    try:
        return user_name(os.lstat(folder).st_uid) if os.geteuid() == 0 else user
    except OSError:
        return user


def _beside_home(user: str, folder: str) -> str:
    try:
        home = pwd.getpwnam(user).pw_dir
    except KeyError:
        home = "/var/tmp"
    return os.path.join(home, ".ops-runbook", os.path.basename(folder))
