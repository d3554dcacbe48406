# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of a change on GitHub: lease, journal and ledger of a repository, on the machine that changes it.

    folder = record_dir/github/<owner>/<name>

The same guard as around a service on a host. It records the settings that differed and the requests with
GitHub's ids of them, and never the sent values. An interrupted change is not an obstacle: each one reads the present
state first, so the next one records it as interrupted and continues.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Came, Keep, unrecorded
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard, StepFailed, Untouched
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import FORWARD, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import LedgerDamaged
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.host.actor import actor
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Options of a module that changes something; the doc fragment `github.record` describes them.
RECORD: dict[str, Any] = {
    "record_dir": {"type": "path", "default": ""},
    "reason": {"type": "str", "default": ""},
    "launched_by": {"type": "dict", "default": {}},
}

#: Seconds that somebody else's change of the same repository is waited for.
WAIT = 60.0
STEP = "write"


def keeper(
    params: Mapping[str, Any], environ: Mapping[str, str], github: GitHub, owner: str, procedure: str
) -> Keep[Any]:
    """Records the changes of one run, if a folder is named for it.

    owner: a repository, or an organisation. procedure: the name that the record has.
    """
    if not params["record_dir"]:
        return unrecorded
    guard = Guard(os.path.join(params["record_dir"], "github", *owner.split("/")))
    user = environ.get("SUDO_USER") or _user()
    request = Request(
        operation=clock.operation_id(clock.now()),
        service=f"github/{owner}",
        procedure=procedure,
        reason=params["reason"],
        actor=actor(environ, params["launched_by"], user, socket.gethostname()),
        subject=Subject("github", owner),
        lock_wait=WAIT,
        interrupted="accept",
    )

    def keep(changes: Sequence[str], change: Callable[[], Came]) -> Came:
        return recorded(guard, request, github, changes, change)

    return keep


def _user() -> str:
    """The user who runs this. A container may have given it a number without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def recorded(
    guard: Guard, request: Request, github: GitHub, changes: Sequence[str], change: Callable[[], Came]
) -> Came:
    """Do a change as an operation of the guard. Raises GitHubError."""
    try:
        guard.open(request)
    except Problem as refused:
        raise _refusal(refused) from None
    came: list[Came] = []
    failed: list[GitHubError] = []

    def execute(_step: Step) -> dict[str, Any]:
        try:
            came.append(change())
        except GitHubError as error:
            failed.append(error)
            if not error.touched:
                raise Untouched(str(error)) from None
            raise replace(error, text=_with_ids(error, github)) from None
        return {"requests": github.sent}

    try:
        facts = {"changes": list(changes)}
        guard.write({"event": "plan", "plan": {"steps": [Step(STEP, changes[0]).to_dict()], "facts": facts}})
        with guard.phase(request.operation, "apply", closes=True) as progress:
            try:
                guard.run_steps(progress, FORWARD, execute)
                # Each setting was read back by what wrote it.
                guard.write({"event": "verified", "result": {"ok": True}})
            except StepFailed:
                pass
        if failed and not failed[0].touched:
            guard.refuse(request.operation, Problem(failed[0].code, _with_ids(failed[0], github)))
        else:
            guard.close(request.operation)
    except (Problem, LedgerDamaged, OSError) as error:
        raise _unwritten(error, guard, came, failed) from None
    if failed:
        raise failed[0]
    return came[0]


def _with_ids(error: GitHubError, github: GitHub) -> str:
    """An error with what GitHub's support asks for."""
    sent = [f"{one['request']}: {one['status'] or 'no answer'}, {one['id'] or 'no id'}" for one in github.sent]
    return f"{error} ({'; '.join(sent)})" if sent else str(error)


def _refusal(refusal: Problem) -> GitHubError:
    ways = refusal.ways
    if refusal.code == "lease_held":
        ways = (("the same later", "somebody else changes this repository now"),)
    if refusal.code == "ledger_damaged":
        ways = (
            (
                "the same command again",
                "once that file has another name, which keeps it as evidence; the next change begins a new one",
            ),
        )
    return GitHubError(refusal.code, refusal.text, ways)


def _unwritten(error: Exception, guard: Guard, came: Sequence[Any], failed: Sequence[GitHubError]) -> GitHubError:
    """An error about a record that could not be written, and the result of the change itself."""
    stands = "the change itself was carried out" if came else "the change was not begun"
    stands = str(failed[0]) if failed else stands
    return GitHubError(
        "not_recorded",
        f"{guard.state_dir} can't be written: {error}; {stands}",
        [("record_dir", "a folder with room, that you may write to")],
        touched=bool(came) or bool(failed and failed[0].touched),
    )
