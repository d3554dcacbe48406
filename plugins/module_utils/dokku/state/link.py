# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The links between an app and a service of Dokku's plugins mysql, redis and postgres.

These plugins answer in text alone. A link is two things: a line in the service's list of apps, and a variable of the
app with the address. Either can be there without the other.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku, DokkuError, NotACommand
from ansible_collections.ops.runbook.plugins.module_utils.dokku.output import plain
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import host_name, service_of
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Command, Plan, State, listed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: The variable of a first link.
PLUGINS = {"mysql": "DATABASE", "postgres": "DATABASE", "redis": "REDIS"}

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_ALIAS = re.compile(r"[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True)
class LinkPresent:
    """linked: whether the service lists the app. others: the other apps that it lists. variables: those of the app with
    its address. names: all variables of the app.
    """

    linked: bool
    others: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LinkState(State[LinkPresent]):
    """wanted: present or absent. alias: what the variable begins with, before `_URL`; empty takes the plugin's.

    shared: other apps may be linked to the service too.
    """

    app: str
    plugin: str
    service: str
    wanted: str = "present"
    alias: str = ""
    shared: bool = False

    def __post_init__(self) -> None:
        if self.plugin not in PLUGINS:
            way = ("plugin: postgres", "in the inventory, the input or the task: one of these")
            raise Problem("bad_plugin", f"{self.plugin!r} is not one of {', '.join(PLUGINS)}", [way])
        if not _NAME.fullmatch(self.service) or self.service.startswith("-"):
            raise Problem(
                "bad_service",
                f"{self.service!r} is not a name of a {self.plugin} service: letters, digits, hyphens and underscores",
                [(f"dokku {self.plugin}:list", "on the host, shows the services")],
            )
        if self.alias and (not _ALIAS.fullmatch(self.alias) or self.alias.endswith("_URL")):
            raise Problem(
                "bad_alias",
                f"{self.alias!r} can't be an alias: capitals, digits and underscores, without the _URL that the plugin "
                "adds",
                [
                    (
                        "alias: REPORTS",
                        "in the inventory, the input or the task: such a name, of which the variable is REPORTS_URL",
                    )
                ],
            )

    def read(self, dokku: Dokku) -> LinkPresent:
        apps = self.linked_apps(dokku)
        values = dokku.json("config:export", self.app)
        mine = tuple(sorted(key for key, value in values.items() if self._is_mine(str(value))))
        others = tuple(app for app in apps if app != self.app)
        return LinkPresent(self.app in apps, others, mine, frozenset(values))

    def linked_apps(self, dokku: Dokku) -> list[str]:
        """The apps that the service is linked to. Raises Problem where there is no such service."""
        try:
            links = dokku.run(f"{self.plugin}:links", self.service)
        except NotACommand as error:
            raise Problem(
                "no_plugin",
                f"this host has no Dokku plugin {self.plugin}",
                [
                    (
                        f"sudo dokku plugin:install https://github.com/dokku/dokku-{self.plugin}.git {self.plugin}",
                        "on the host, installs it",
                    )
                ],
            ) from error
        except DokkuError as error:
            if "does not exist" in str(error):
                raise Problem(
                    "no_service",
                    f"there is no {self.plugin} service {self.service} on this host",
                    [
                        (f"dokku {self.plugin}:list", "shows the services"),
                        (f"dokku {self.plugin}:create {self.service}", "makes it"),
                    ],
                ) from error
            raise
        return plain(links.out).split()

    def plan(self, present: LinkPresent) -> Plan:
        link = (f"{self.plugin}:link", self.service, self.app, "--no-restart")
        unlink = Command((f"{self.plugin}:unlink", self.service, self.app, "--no-restart"))
        subject = f"{self.plugin} service {self.service}"
        before = self._described(present)
        if self.wanted == "absent":
            if not present.linked and not present.variables:
                return Plan()
            if not present.linked:
                raise self._by_hand(present, "is not linked to it")
            return Plan((Change(subject, before, ""),), (unlink,))
        if self._right(present):
            return Plan()
        if present.others and not self.shared and not present.linked:
            raise Problem(
                "linked_elsewhere",
                f"{subject} is linked to {listed(present.others)}: {self.app} would read and write the same data",
                [
                    ("shared: true", "links it to this app too"),
                    (f"dokku {self.plugin}:create '<name>'", "makes a service of its own for it"),
                ],
            )
        if not present.linked and present.variables:
            raise self._by_hand(present, "does not list the app")
        variable = f"{self.alias}_URL" if self.alias else ""
        if variable in present.names and variable not in present.variables:
            raise Problem(
                "alias_taken",
                f"{variable} of {self.app} is set already, and not by this service",
                [("alias: <another>", "gives the variable another name")],
            )
        arguments = (*link, "--alias", self.alias) if self.alias else link
        commands = [Command(arguments)]
        if present.linked:
            # Listed, and without its variable or with another: the plugin refuses a second link.
            commands.insert(0, unlink)
        return Plan((Change(subject, before, f"linked as {variable or self._default(present)}"),), tuple(commands))

    def apply(self, dokku: Dokku, plan: Plan, present: LinkPresent) -> None:
        for command in plan.acts:
            # If the variable is missing, unlink removes the app from the list and then ends with 1.
            tolerant = command.arguments[0].endswith(":unlink") and not present.variables
            dokku.run(*command.arguments, check=not tolerant)

    def _right(self, present: LinkPresent) -> bool:
        if not present.linked or not present.variables:
            return False
        return not self.alias or f"{self.alias}_URL" in present.variables

    def _default(self, present: LinkPresent) -> str:
        # If the first name is taken, the plugin takes the first free colour.
        usual = f"{PLUGINS[self.plugin]}_URL"
        taken = usual in present.names and usual not in present.variables
        return f"DOKKU_{self.plugin.upper()}_<colour>_URL" if taken else usual

    def _described(self, present: LinkPresent) -> str:
        if not present.linked:
            return ""
        return f"linked as {', '.join(present.variables)}" if present.variables else "linked, without its variable"

    def _by_hand(self, present: LinkPresent, what: str) -> Problem:
        names = listed(present.variables)
        return Problem(
            "half_linked",
            f"{self.app} has the address of {self.plugin} service {self.service} in {names}, and the service {what}: "
            "somebody has set it by hand",
            [(f"dokku config:unset --no-restart {self.app} {shlex.join(present.variables)}", "removes it")],
        )

    def _is_mine(self, value: str) -> bool:
        return service_of(value) == (self.plugin, host_name(self.service))
