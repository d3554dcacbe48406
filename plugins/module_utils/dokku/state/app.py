# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The existence of an app."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import AppMissing, Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Command, Plan, State, text_of
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: As Dokku has it. Longer than a label of a host name, the app could not have its own default domain.
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_LONGEST = 63


def check_name(name: str) -> None:
    """Raise Problem for a name that no app can have."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise Problem(
            "bad_name",
            f"{name!r} is not an app name: it begins with a lower-case letter or a digit, has lower-case letters, "
            f"digits, dots and hyphens only, and at most {_LONGEST} of them",
            [("app: shop-api", "in the inventory, the input or the task: such a name")],
        )


@dataclass(frozen=True)
class AppPresent:
    """created: seconds since the epoch, None if it is not known. locked: Dokku's deploy lock is there."""

    exists: bool
    locked: bool = False
    created: int | None = None
    deploy_source: str = ""


@dataclass(frozen=True)
class AppState(State[AppPresent]):
    """wanted: present or absent. confirm: the name again, for absent."""

    app: str
    wanted: str = "present"
    confirm: str = ""

    def __post_init__(self) -> None:
        check_name(self.app)

    def read(self, dokku: Dokku) -> AppPresent:
        try:
            report = dokku.report(self.app, "apps")
        except AppMissing:
            return AppPresent(False)
        created = text_of(report, "created-at")
        return AppPresent(
            True,
            text_of(report, "locked") == "true",
            int(created) if created.isdigit() else None,
            text_of(report, "deploy-source-metadata"),
        )

    def plan(self, present: AppPresent) -> Plan:
        if self.wanted == "present":
            if present.exists:
                return Plan()
            return Plan((Change(f"app {self.app}", "", "present"),), (Command(("apps:create", self.app)),))
        if not present.exists:
            return Plan()
        if self.confirm != self.app:
            given = f"confirm={self.confirm}" if self.confirm else "no name"
            raise Problem(
                "not_confirmed",
                f"{self.app} is destroyed with its configuration, its domains, its certificate and its releases, and "
                f"{given} was given to confirm it",
                [(f"confirm={self.app}", "destroys it")],
            )
        if present.locked:
            raise Problem(
                "locked",
                f"{self.app} has Dokku's deploy lock. That lock stops neither a deploy nor apps:destroy; it says that "
                "a deploy may be under way now, or was killed",
                [
                    (f"dokku builds:list {self.app}", "shows whether a deploy is at work"),
                    (f"dokku apps:unlock {self.app}", "removes the lock, once it is known that none is"),
                ],
            )
        return Plan((Change(f"app {self.app}", "present", ""),), (Command(("apps:destroy", self.app, "--force")),))

    def apply(self, dokku: Dokku, plan: Plan, present: AppPresent) -> None:
        try:
            super().apply(dokku, plan, present)
        except DokkuError as error:
            # One app with a bad nginx setting makes nginx refuse the configuration of all: then apps:create ends
            # with 1 and the app is there, and apps:destroy ends with 1 and it stays.
            there = self.read(dokku).exists
            raise Problem(
                "failed",
                f"{plan.acts[0].arguments[0]} failed, and {self.app} {'exists' if there else 'does not exist'}: "
                f"{error}",
                [
                    ("dokku nginx:validate-config", "shows whether the nginx configuration of some app is refused"),
                    ("the same again", "continues once that is repaired"),
                ],
                touched=True,
            ) from error
