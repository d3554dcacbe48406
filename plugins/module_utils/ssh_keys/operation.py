# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rotation of a key on one host, on the guard that all systems share.

Its steps are taken in turn with the controller, which proves, puts the secret and runs the workflow. So a phase here is
a part of the steps; what the controller did is reported with the next one, and journalled here.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from ansible_collections.ops.runbook.plugins.module_utils.guard import open_and_plan as operation_plan
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard, StepFailed
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, FORWARD, NO_PLAN, Progress, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.host import owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import place as ssh_key_place
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.place import Places, Said
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.steps import KeySteps
from ansible_collections.ops.runbook.plugins.module_utils.sshd import audit as ssh_key_audit
from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.contract import KeyPlan, KeyPlanned

#: Steps that each run repeats when it resumes an interrupted one; all of them may be repeated.
_AGAIN = {"proof": True}


@dataclass(frozen=True)
class Wish:
    """The key to rotate.

    account: empty for the one that this runs as. old: fingerprint, empty if CI's own word decides. used and where: that
    word, and trusted: nobody else can have written it. secret and workflow: in words. expires: days until
    sshd takes the new key no more, 0 for never.
    """

    account: str = ""
    old: str = ""
    file: str = ""
    sshd_config: str = ""
    used: str = ""
    where: str = ""
    trusted: bool = False
    secret: str = ""
    workflow: str = ""
    keep: str = ""
    comment: str = ""
    expires: int = 0


def look(wish: Wish, environment: Mapping[str, str]) -> Places:
    """Raises Problem."""
    name = wish.account or ssh_key_audit.names(())[0]
    return ssh_key_place.look(name, environment, wish.sshd_config)


def planned(wish: Wish, places: Places, operation: str, now: datetime, put_in: str = "") -> KeyPlan:
    """The plan of a rotation. put_in: when a rotation put CI's present key in, by this host. Raises Problem."""
    if wish.file:
        ssh_key_place.must_be_read(places, wish.file)
    moment = now.timestamp()
    said = Said(wish.used, wish.where, wish.trusted, put_in)
    old, why, warnings = ssh_key_place.choose(places, wish.old, said, moment)
    files = places.with_key(old)
    for one in files:
        _must_be_writable(one.path)
    in_force = places.in_force(old, moment)
    keys = [line.key for _place, line in in_force if line.key is not None]
    commented = authorized_keys.shown(keys[0].comment)
    options = [authorized_keys.shown_options(key) for key in keys]
    where = ", ".join(f"{place.path} line {line.number}" for place in files for line in place.holds(old))
    behind = comment(wish.comment or commented, now)
    whose = commented or "no comment says whose it is"
    return {
        "procedure": ssh_key_audit.ROTATION,
        "from": {"id": old, "name": commented},
        "to": {"id": "a new key", "name": ""},
        "chosen": why,
        "proven": "",
        "account": places.account.name,
        "runs_commands": places.runs_commands(old, moment),
        "comment": behind,
        "expires": (now + timedelta(days=wish.expires)).strftime("%Y%m%d") if wish.expires else "",
        "saved_as": operation,
        "steps": [step.to_dict() for step in steps(old, sorted({place.path for place, _line in in_force}), wish)],
        "undo": [Step("remove_new", "take the new key out again", data={"after": "authorise"}).to_dict()],
        "also": [
            ("account", [f"{places.account.name}, {where}"]),
            ("takes out", [f"{old}, {whose}, {one or 'without options'}" for one in options]),
            (
                "lets in",
                [
                    f"a new key, {behind}, {one or 'without options: it may do whatever the account may'}"
                    for one in options
                ],
            ),
            ("keeps", [wish.keep]),
        ],
        "warnings": [*warnings, *_lines_apart(places, old, moment), *_other_ways(places)],
        # The state that an interrupted operation leaves, in place of "between two releases".
        "halfway": "Both keys may be let in there, and the old one until the new one is proven.",
    }


def untouched(places: Places) -> KeyPlan:
    """The plan of a host on which there is nothing to go back from."""
    nothing = {"id": "", "name": ""}
    return {
        "procedure": ssh_key_audit.ROTATION,
        "from": nothing,
        "to": nothing,
        "chosen": "nothing was begun here",
        "proven": "",
        "account": places.account.name,
        "steps": [],
        "undo": [],
        "also": [],
        "warnings": [],
    }


def steps(old: str, paths: Sequence[str], wish: Wish) -> list[Step]:
    """The steps of one host. The same key is made and kept before them, and nothing of that is on the host."""
    return [
        Step("authorise", f"let the new key in: {', '.join(paths)}, with the options of the old one", data=_AGAIN),
        Step("prove_login", "log in with the new key, and with nothing else", data=_AGAIN),
        # GitHub gives the old value to nobody, so from here the way is forward.
        Step("put_secret", f"put its private half into {wish.secret}", data={**_AGAIN, "no_return": True}),
        Step(
            "prove_ci",
            f"run {wish.workflow}: it has to say the new key, and a word that only this run knows",
            data=_AGAIN,
        ),
        Step("remove_old", f"take {old} out", data=_AGAIN),
        Step("prove_removed", "the new key is let in and the old one is not, or it is put back", data=_AGAIN),
    ]


def comment(text: str, now: datetime) -> str:
    """The comment of the new key: its owner and its date, as ssh_key_audit reads them."""
    bare = ssh_key_audit.undated(text)
    return f"{bare} {now.strftime('%Y-%m-%d')}".strip()


def _must_be_writable(path: str) -> None:
    target = os.path.realpath(path)
    state = os.stat(target)
    mine = os.geteuid() in (0, state.st_uid)
    if not os.access(os.path.dirname(target), os.W_OK) or not os.access(target, os.W_OK) or not mine:
        raise Problem(
            "file_not_writable",
            f"{path} can't be changed by this user without another owner",
            (("--become", "changes it as root"),),
        )


def _must_be_recorded_safely(state_dir: str, paths: Sequence[str]) -> None:
    """Raise Problem where root would change files of keys by records that somebody else than their owner may write."""
    keeper = owned_folder.nearest_owner(state_dir)
    if os.geteuid() != 0 or keeper == 0:
        return
    for path in paths:
        owner = os.stat(path).st_uid
        if owner != keeper:
            folder = shlex.quote(state_dir)
            text = (
                f"{path} belongs to {user_name(owner)}, and the state folder {state_dir} to {user_name(keeper)}, "
                "who could write into its records what root then does"
            )
            own = f"sudo install -d -m 0700 {folder} && sudo chown -R root: {folder}"
            ways = ((own, "once, on the host, gives the records of rotations to root; all later ones need --become"),)
            raise Problem("state_of_other_user", text, ways)


def _lines_apart(places: Places, old: str, now: float) -> list[str]:
    """Parts of the key's lines that are not taken over, and a note if there is more than one line."""
    in_force = places.in_force(old, now)
    found = [
        f"sshd passes over {one}; its options are not taken over, and it goes with the others"
        for one in ssh_key_place.dead(places, old, now)
    ]
    if len(in_force) > 1:
        found.append(
            f"sshd lets {old} in by one of {len(in_force)} lines, which it chooses by from=: "
            "the new key gets a line for each"
        )
    passed = {(place.path, line.number) for place, line in in_force}
    idle = [
        f"{place.path} line {line.number}"
        for place in places.files
        for line in place.holds(old)
        if line.key is not None and not places.why_not(place, line.key, now) and (place.path, line.number) not in passed
    ]
    if idle:
        found.append(f"{', '.join(idle)} has no effect, since a line before it lets {old} in: it goes too")
    return found


def _other_ways(places: Places) -> list[str]:
    found = []
    if places.configuration.command:
        found.append(
            "AuthorizedKeysCommand gives keys too: if it gives the old one, that is let in still, and put back"
        )
    if places.configuration.authorities:
        found.append("certificates of TrustedUserCAKeys are let in too, whatever is rotated")
    return found


def open_and_plan(
    guard: Guard, request: Request, wish: Wish, environment: Mapping[str, str], check_mode: bool
) -> KeyPlanned:
    """Open a rotation and plan it; in check mode only look. The result has the old key's public half, for the probe."""

    # Of several hosts not every one was begun when the run was cut off. Going on, the others are done with the same
    # key; going back, they are left as they are.
    begun = not (request.interrupted in ("resume", "undo") and _nothing_interrupted(guard, request))
    left_alone = not begun and request.interrupted == "undo"

    def plan() -> KeyPlan:
        places = look(wish, environment)
        if left_alone:
            return untouched(places)
        record, _doubts = ssh_key_audit.own_record(guard.state_dir)
        now = datetime.now(timezone.utc)
        found = planned(wish, places, request.operation, now, record.get(wish.used, "") if wish.used else "")
        _must_be_recorded_safely(guard.state_dir, [place.path for place in places.with_key(str(found["from"]["id"]))])
        return found

    wanted = request if begun else replace(request, interrupted="")
    result = cast("KeyPlanned", operation_plan.open_and_plan(guard, wanted, plan, check_mode))
    if result["plan"] and not left_alone:
        progress = guard.progress() if result["continues"] else None
        result["old_public"] = look(wish, environment).public(str(result["plan"]["from"]["id"]))
        result["one_way"] = progress is not None and not progress.can_go_back
    return result


def _nothing_interrupted(guard: Guard, request: Request) -> bool:
    guard.must_read()
    refusal = guard.look(request).refusal
    return refusal is not None and refusal.code == "nothing_interrupted"


@dataclass(frozen=True)
class Part:
    """A part of the steps.

    only: these. new: type and blob of the new key, and fingerprint: its own; given with the first part.
    reports: what the controller did. announce: the step that it takes next.
    """

    only: Sequence[str] = ()
    new: str = ""
    fingerprint: str = ""
    kept: str = ""
    reports: Mapping[str, Mapping[str, Any]] | None = None
    announce: str = ""


def carry_out(guard: Guard, operation: str, wish: Wish, part: Part, environment: Mapping[str, str]) -> dict[str, Any]:
    """Do a part of the steps. Raises Problem when the lease is lost.

    Returns ok, error, done: all steps that are, and old_public: type and blob of the old key, as far as it is known.
    """
    old_public = ""
    try:
        with guard.phase(operation, "apply", FORWARD) as progress:
            if part.fingerprint and progress.plan is not None:
                # The key was not known when the plan was made.
                plan = cast("KeyPlan", progress.plan)
                to = {"id": part.fingerprint, "name": plan["comment"]}
                guard.write({"event": "plan", "plan": {**plan, "to": to, "kept": part.kept}})
                progress = guard.progress() or progress
            work = _steps(guard, progress.plan or NO_PLAN, wish, part, environment)
            old_public = work.old_public()
            error = _run(guard, progress, FORWARD, work, part.only)
            if part.announce and not error:
                guard.announce(operation, part.announce)
        after = guard.progress()
    finally:
        guard.leave()
    changed = "authorise" in part.only or "remove_old" in part.only
    done = sorted(after.done) if after else []
    return {"changed": changed, "ok": not error, "error": error, "done": done, "old_public": old_public}


def _steps(guard: Guard, plan: Mapping[str, Any], wish: Wish, part: Part, environment: Mapping[str, str]) -> KeySteps:
    return KeySteps(guard, plan, lambda: look(wish, environment), part.new, part.reports)


def finish(
    guard: Guard,
    operation: str,
    wish: Wish,
    part: Part,
    back: str,
    environment: Mapping[str, str],
    already: bool = False,
) -> dict[str, Any]:
    """Take the last reports, go back where that is asked for (back: why) and still possible, look, and close.

    already: this host has only the new key since an earlier run, so there is nothing to do.
    """
    if already:
        return _unchanged(guard, operation)
    with guard.phase(operation, "apply", FORWARD, closes=True) as progress:
        untouched = not progress.touched
        work = _steps(guard, progress.plan or NO_PLAN, wish, part, environment)
        error = _run(guard, progress, FORWARD, work, part.only)
    if untouched and back:
        record = guard.refuse(operation, Problem("not_begun", back))
        guard.leave()
        closed = {"outcome": "refused", "error": back, "settled": guard.progress() is None, "record": record}
        return {**_outcome(False, back), "verified": {}, "closed": closed}
    progress = guard.progress() or progress
    direction = FORWARD
    if back and progress.can_go_back:
        direction = BACK
        with guard.phase(operation, "apply", BACK, back, closes=True) as progress:
            work = _steps(guard, progress.plan or NO_PLAN, wish, part, environment)
            error = _run(guard, progress, BACK, work) or error
    with guard.phase(operation, "verify", closes=True) as progress:
        complete = progress.back_complete if direction == BACK else progress.forward_complete
        verified = verify(progress.plan or NO_PLAN, look(wish, environment), direction)
        if complete:
            guard.write({"event": "verified", "result": verified})
    work = _steps(guard, progress.plan or NO_PLAN, wish, part, environment)
    ending, record = guard.close(operation)
    if ending.settled:
        work.forget()
    return {
        **_outcome(True, error or ending.error, ending.outcome),
        "verified": verified,
        "closed": {"outcome": ending.outcome, "error": ending.error, "settled": ending.settled, "record": record},
    }


def _unchanged(guard: Guard, operation: str) -> dict[str, Any]:
    with guard.phase(operation, "verify", closes=True) as progress:
        plan = progress.plan or NO_PLAN
        guard.write({"event": "plan", "plan": {**plan, "to": plan.get("from"), "steps": [], "undo": []}})
        verified = blame.answer(note="nothing was to be done here")
        guard.write({"event": "verified", "result": verified})
    ending, record = guard.close(operation)
    closed = {"outcome": ending.outcome, "error": ending.error, "settled": ending.settled, "record": record}
    return {**_outcome(False, "", ending.outcome), "verified": verified, "closed": closed}


def _outcome(changed: bool, error: str, outcome: str = "") -> dict[str, Any]:
    healthy = outcome == "succeeded"
    return {
        "changed": changed,
        "healthy": healthy,
        "reverted": outcome == "reverted",
        "error": "" if healthy else error,
    }


def _run(guard: Guard, progress: Progress, direction: str, work: KeySteps, only: Sequence[str] | None = None) -> str:
    """Do steps; why they failed, or nothing."""
    try:
        guard.run_steps(progress, direction, work, only=only)
    except StepFailed as failure:
        return str(failure)
    return ""


def verify(plan: Mapping[str, Any], places: Places, direction: str) -> dict[str, Any]:
    """The state of the files in the end; sshd was asked before."""
    old, new = str(plan["from"]["id"]), str(plan["to"]["id"])
    wanted, gone = (old, new) if direction == BACK else (new, old)
    reason = ""
    if not places.lets_in(wanted, time.time()) and direction != BACK:
        reason = f"{wanted} is not let in by any file that sshd reads"
    elif not places.with_key(wanted):
        reason = f"{wanted} is in no file that sshd reads"
    elif places.with_key(gone):
        reason = f"{gone} is still in {places.with_key(gone)[0].path}"
    return blame.answer(reason, note="")
