# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a rotation on a host. What the controller does is reported here, and journalled as any other step.

Each may be cut off at any point and done again. What an edit took away is kept in the state folder, 0600, until the
operation has ended: a journal has fingerprints only.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard, Untouched
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import rotation
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.place import Place, Places, dead
from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys, key_file
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

#: Steps that the controller does and reports.
REPORTED = (
    rotation.PROVE_LOGIN,
    rotation.PUT_SECRET,
    rotation.PROVE_CI,
    rotation.PROVE_REMOVED,
)


class KeySteps:
    """The steps, by id. look: reads the files as they are now. public: type and blob of the new key.

    reports: what the controller did, by step: ok, error, note, untouched.
    """

    def __init__(
        self,
        guard: Guard,
        plan: Mapping[str, Any],
        look: Callable[[], Places],
        public: str = "",
        reports: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.guard = guard
        self.plan = plan
        self.look = look
        self.public = public
        self.reports = reports or {}

    def __call__(self, step: Step) -> object:
        """Do one step. Returns a note for the journal, or None."""
        if step.id in REPORTED or step.id in self.reports:
            return self._reported(step.id)
        acts: dict[str, Callable[[], object]] = {
            "authorise": self._authorise,
            "remove_old": self._remove_old,
            "remove_new": self._remove_new,
        }
        try:
            return acts[step.id]()
        except (key_file.EditFailed, authorized_keys.NotEdited) as error:
            raise CommandFailed(str(error)) from error

    @property
    def old(self) -> str:
        return str(self.plan["from"]["id"])

    @property
    def new(self) -> str:
        return str(self.plan["to"]["id"])

    def _reported(self, step: str) -> object:
        report = self.reports.get(step)
        if report is None:
            raise CommandFailed("the controller did not say what became of it")
        if report["ok"]:
            return report.get("note")
        error = str(report["error"])
        if step == rotation.PROVE_REMOVED:
            error += f"; {self._put_back()}"
        if report.get("untouched"):
            raise Untouched(error)
        raise CommandFailed(error)

    # -- forward ---------------------------------------------------------------------------------

    def _why_not_in_force(self, places: Places) -> str:
        """The change of the old key since the plan was made."""
        why = "; ".join(dead(places, self.old, time.time()))
        changed = f"sshd lets nobody in by {self.old} any more: {why}" if why else f"somebody took {self.old} out"
        return f"{changed}. That was since the plan was made"

    def _authorise(self) -> object:
        places = self.look()
        lines = places.in_force(self.old, time.time())
        if not lines:
            if places.lets_in(self.new, time.time()):
                # Of an earlier try, which came as far as the removal of the old one.
                return None
            raise CommandFailed(self._why_not_in_force(places))
        successors: dict[str, list[bytes]] = {}
        for place, line in lines:
            new = authorized_keys.successor(line, self.public, self.plan["comment"], self.plan["expires"])
            # Each file is edited whole, so what an earlier try has written there is all of it.
            if not place.holds(self.new):
                successors.setdefault(place.path, []).append(new)
        for path, added in successors.items():
            self._edit("authorise", path, partial(_with, added))
        named = sorted({place.path for place, _line in lines})
        found = self.look()
        if not found.lets_in(self.new, time.time()):
            why = "; ".join(dead(found, self.new, time.time()))
            raise CommandFailed(f"{self.new} stands in {', '.join(named)} now, and sshd lets nobody in by it: {why}")
        return {"file": ", ".join(named)}

    def _remove_old(self) -> object:
        places = self.look()
        if not places.lets_in(self.new, time.time()):
            raise CommandFailed(
                f"{self.new} is not let in any more: nothing is removed, or {places.account.name} had no working key"
            )
        removed = []
        for place in places.with_key(self.old):
            self._edit("remove_old", place.path, self._without_old)
            removed.append(place.path)
        return {"files": removed}

    def _without_old(self, content: bytes) -> bytes:
        # Of the very content that is about to be replaced: somebody may have taken the new key out since the look.
        after = authorized_keys.remove(content, self.old)
        if not self.look().lets_in(self.new, time.time()):
            raise CommandFailed(f"{self.new} was taken out meanwhile, so {self.old} stays")
        return after

    def _put_back(self) -> str:
        """Undo the removal; says so."""
        try:
            self._restore("remove_old")
        except (OSError, CommandFailed, key_file.EditFailed, authorized_keys.NotEdited) as error:
            return f"{self.old} could not be put back: {error}"
        there = self.look().lets_in(self.old, time.time())
        return f"{self.old} was put back" if there else f"{self.old} could not be put back"

    # -- back ------------------------------------------------------------------------------------

    def _remove_new(self) -> object:
        places = self.look()
        if places.with_key(self.new) and not places.lets_in(self.old, time.time()):
            raise CommandFailed(f"{self.old} is not let in any more, so {self.new} stays")
        self._restore("authorise")
        return None

    # -- what an edit took and gave --------------------------------------------------------------

    @property
    def _folder(self) -> str:
        return os.path.join(self.guard.state_dir, "keys")

    def _kept(self, step: str, path: str) -> str:
        name = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return os.path.join(self._folder, f"{self.plan['saved_as']}-{step}-{name}.json")

    def _edit(self, step: str, path: str, change: Callable[[bytes], bytes]) -> None:
        """An edit that can be undone to the byte: what it does is on the disk before it is done."""
        owned_folder.make(self._folder)

        def recorded(before: bytes) -> bytes:
            after = change(before)
            if after != before:
                kept = {"path": path, "before": _text(before), "after": _digest(after)}
                durable_file.replace(self._kept(step, path), json.dumps(kept).encode())
            return after

        with self._as_owner():
            key_file.edit(path, recorded)

    def _as_owner(self) -> contextlib.AbstractContextManager[None]:
        """The state folder's owner may have written what it says, so it is done with that user's rights."""
        return owned_folder.acting_as(owned_folder.owner_of(self.guard.state_dir))

    def _restore(self, step: str) -> None:
        """Take an edit back: to the byte where nobody has edited since, and else by the keys alone."""
        names = sorted(os.listdir(self._folder)) if os.path.isdir(self._folder) else []
        for name in names:
            if not name.startswith(f"{self.plan['saved_as']}-{step}-"):
                continue
            kept = foreign_json.loads(durable_file.read_state(os.path.join(self._folder, name)))
            before = base64.b64decode(kept["before"])

            def back(content: bytes, before: bytes = before, after: str = kept["after"]) -> bytes:
                if _digest(content) == after:
                    return before
                if step == "authorise":
                    return authorized_keys.remove(content, self.new)
                # All of its lines: which one tells sshd what the key may do depends on from where it comes.
                return authorized_keys.put_back(content, before, self.old)

            with self._as_owner():
                key_file.edit(str(kept["path"]), back)

    def old_public(self) -> str:
        """Type and blob of the old key, from the files or from what an edit took; empty where neither has it."""
        places = self.look()
        found = places.public(self.old)
        for name in sorted(os.listdir(self._folder)) if not found and os.path.isdir(self._folder) else []:
            kept = foreign_json.loads(durable_file.read_state(os.path.join(self._folder, name)))
            lines = tuple(authorized_keys.parse(base64.b64decode(kept["before"])))
            found = found or replace(places, files=(Place(kept["path"], lines),)).public(self.old)
        return found

    def forget(self) -> None:
        """The operation has ended: what its edits took away is nobody's any more."""
        owned_folder.remove_tree(self._folder)


def _with(added: Sequence[bytes], content: bytes) -> bytes:
    return authorized_keys.add(content, *added)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
