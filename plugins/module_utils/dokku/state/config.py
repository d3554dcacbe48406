# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of an app. Its values are secrets: none is in a change, a command or an error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Command, Plan, State, listed
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Written by Dokku at each deploy; another value would say that another revision is live.
_REVISION = "GIT_REV"

#: Dokku reads and writes settings of its own under this prefix.
_DOKKU = "DOKKU_"

#: The address of a linked service, in a container that only Dokku's plugins name so.
_SERVICE = re.compile(r"@dokku-(?P<plugin>[a-z0-9]+)-(?P<service>[A-Za-z0-9_-]+)[:/]")

_SET, _OTHER = "set", "set, to another value"


def is_own(key: str) -> bool:
    """True if a variable is Dokku's, and not the application's."""
    return key == _REVISION or key.startswith(_DOKKU)


def host_name(service: str) -> str:
    """A service's name, as the name of its container has it."""
    return service.replace("_", "-").replace(".", "-")


def service_of(value: str) -> tuple[str, str] | None:
    """Plugin and host_name() of the service that a variable is the address of; None for any other value."""
    found = _SERVICE.search(value)
    return (found["plugin"], found["service"]) if found else None


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """The values as the texts that Dokku takes. Raises Problem, and names keys alone."""
    bad = sorted(str(key) for key in values if not _KEY.fullmatch(str(key)))
    if bad:
        raise Problem(
            "bad_key",
            f"{listed(bad)} can't be the name of a variable: letters, digits and underscores, and no digit first",
            [('MAIL_HOST: "..."', "in the inventory, the input or the task: such a name")],
        )
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, bool) or value is None or not isinstance(value, (str, int, float)):
            kind = "nothing" if value is None else type(value).__name__
            raise Problem(
                "not_a_text",
                f"the value of {key} is {kind}, and a variable is a text",
                [(f'{key}: "..."', "in quotes gives the text that the application is to read; absent removes it")],
            )
        found[str(key)] = str(value)
        if "\0" in found[str(key)]:
            way = (f'{key}: "..."', "in the inventory, the input or the task: the value without it, such as in base64")
            raise Problem("not_a_text", f"the value of {key} has a NUL in it", [way])
    return found


@dataclass(frozen=True)
class ConfigPresent:
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ConfigState(State[ConfigPresent]):
    """values: what is to be set. absent: keys that are not to be there. purge: nor any other key of the application.

    What Dokku and the links of services set stays in any case.
    """

    app: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    absent: tuple[str, ...] = ()
    purge: bool = False

    def __post_init__(self) -> None:
        texts({**self.values, **dict.fromkeys(self.absent, "")})
        both = sorted({*self.values} & {*self.absent})
        if both:
            way = ("absent", "in the inventory, the input or the task: without what is to be set")
            raise Problem("contradiction", f"{listed(both)} is to be set and to be absent", [way])
        if _REVISION in self.values or _REVISION in self.absent:
            way = ("values", f"in the inventory, the input or the task: without {_REVISION}")
            raise Problem("own_key", f"{_REVISION} is Dokku's own: each deploy of {self.app} writes it", [way])

    def read(self, dokku: Dokku) -> ConfigPresent:
        return ConfigPresent({str(key): str(value) for key, value in dokku.json("config:export", self.app).items()})

    def plan(self, present: ConfigPresent) -> Plan:
        now = present.values
        added = [key for key in self.values if key not in now]
        other = [key for key in self.values if key in now and now[key] != self.values[key]]
        self._must_not_be_a_link(other, now)
        gone = [key for key in self.absent if key in now]
        self._must_not_be_a_link(gone, now)
        if self.purge:
            stays = {*self.values, *gone}
            gone += [key for key in now if key not in stays and not is_own(key) and service_of(now[key]) is None]
        changes = [Change(key, "", _SET) for key in added]
        changes += [Change(key, _SET, _OTHER) for key in other]
        changes += [Change(key, _SET, "") for key in gone]
        commands = []
        if added or other:
            # Without --replace, which would also drop the keys of Dokku; `{}` is an error, so never without a key.
            document = json.dumps({key: self.values[key] for key in (*added, *other)})
            arguments = ("config:import", "--no-restart", "--format", "json", self.app, "-")
            commands.append(Command(arguments, document))
        if gone:
            commands.append(Command(("config:unset", "--no-restart", self.app, *gone)))
        return Plan(tuple(sorted(changes, key=lambda change: change.subject)), tuple(commands))

    def apply(self, dokku: Dokku, plan: Plan, present: ConfigPresent) -> None:
        try:
            super().apply(dokku, plan, present)
        except DokkuError as error:
            # config:import prints each value that it sets, and an error of it may be among them.
            said = self._without_values(str(error), present)
            raise Problem(
                "failed",
                f"the configuration of {self.app} could not be written: {said}",
                [("the same again", "sets what is not set yet; nothing is set twice")],
                touched=True,
            ) from None

    def _without_values(self, text: str, present: ConfigPresent) -> str:
        # Of two letters on: which value is short, nobody may learn.
        return Redactor({*self.values.values(), *present.values.values()}, shortest=2)(text)

    def _must_not_be_a_link(self, keys: list[str], now: Mapping[str, str]) -> None:
        for key in keys:
            service = service_of(now[key])
            if service is not None:
                plugin, name = service
                raise Problem(
                    "linked_key",
                    f"{key} of {self.app} is the address of the {plugin} service {name}, which its link has set",
                    [("ops.runbook.dokku_link", "links another service, or removes the link")],
                )
