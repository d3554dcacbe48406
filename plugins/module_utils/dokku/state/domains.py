# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The domains of an app."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import AppMissing, Dokku
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Command, Plan, State, listed, text_of
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


def normal(domain: str) -> str:
    """A domain as it is compared: in lower case, since host names have no case. Raises Problem."""
    found = domain.strip().rstrip(".").lower()
    if _DOMAIN.fullmatch(found) and len(found) <= 253:
        return found
    hint = ""
    if "://" in found or "/" in found:
        hint = "; an address has a domain in it, and here the domain alone is wanted"
    elif ":" in found:
        hint = "; a port is mapped with dokku ports:add"
    elif "_" in found:
        hint = "; a host name has no underscore"
    elif not found.isascii():
        hint = "; a name with other letters is given in its form for DNS, which begins with xn--"
    way = ("domains: [shop.example.com]", "in the inventory, the input or the task: such a name")
    raise Problem("bad_domain", f"{domain!r} is not a domain{hint}", [way])


def unique(domains: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(normal(domain) for domain in domains))


@dataclass(frozen=True)
class DomainsPresent:
    """domains: in lower case, and as Dokku has them. elsewhere: the app that has a domain, for those of other apps."""

    domains: Mapping[str, str]
    elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DomainsState(State[DomainsPresent]):
    """how: present adds, absent removes, exactly leaves no other."""

    app: str
    domains: tuple[str, ...]
    how: str = "present"

    def __post_init__(self) -> None:
        object.__setattr__(self, "domains", unique(self.domains))
        if not self.domains:
            raise Problem(
                "no_domain",
                f"no domain is given for {self.app}",
                [(f"dokku domains:clear {self.app}", "by hand, leaves it without one")],
            )

    def read(self, dokku: Dokku) -> DomainsPresent:
        domains = _of(dokku, self.app)
        asked = self.how != "absent" and not {*self.domains} <= {*domains}
        return DomainsPresent(domains, others(dokku, self.app) if asked else {})

    def plan(self, present: DomainsPresent) -> Plan:
        now = present.domains
        if self.how == "absent":
            gone = [domain for domain in self.domains if domain in now]
            if gone and len(gone) == len(now):
                raise Problem(
                    "last_domain",
                    f"{self.app} would be left without a domain",
                    [(f"dokku domains:clear {self.app}", "by hand, does that")],
                )
            return self._plan([], [now[domain] for domain in gone])
        added = [domain for domain in self.domains if domain not in now]
        taken = [f"{domain} ({present.elsewhere[domain]})" for domain in added if domain in present.elsewhere]
        if taken:
            raise Problem(
                "domain_taken",
                f"another app has {listed(taken)} already. Dokku would take it, and nginx serve one of the two",
                [("state: absent for that app", "takes it away from there first")],
            )
        if self.how == "exactly":
            return self._plan(added, [now[domain] for domain in now if domain not in self.domains])
        return self._plan(added, [])

    def _plan(self, added: list[str], gone: list[str]) -> Plan:
        changes = [*(Change(name, "", "present") for name in added), *(Change(name, "present", "") for name in gone)]
        if added and gone:
            # In one call: in two, the app would answer to neither, or nginx be reloaded once more.
            commands = [Command(("domains:set", self.app, *self.domains))]
        else:
            verb, names = ("domains:add", added) if added else ("domains:remove", gone)
            commands = [Command((verb, self.app, *names))] if names else []
        return Plan(tuple(changes), tuple(commands))


def others(dokku: Dokku, app: str) -> dict[str, str]:
    """The app that has each domain, for those of other apps than this one.

    Dokku gives a domain to a second app without a word, and nginx then serves the one that it reads first.
    """
    found: dict[str, str] = {}
    for other in dokku.json("apps:list"):
        if other != app:
            found.update(dict.fromkeys(_of_any(dokku, str(other)), str(other)))
    return found


def _of(dokku: Dokku, app: str) -> dict[str, str]:
    found = text_of(dokku.report(app, "domains"), "app-vhosts").split()
    return {domain.lower(): domain for domain in found}


def _of_any(dokku: Dokku, app: str) -> dict[str, str]:
    try:
        return _of(dokku, app)
    except AppMissing:
        return {}
