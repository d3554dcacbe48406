# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate of an app from Let's Encrypt, and whether certificates are renewed."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.dokku import output
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku, DokkuError, NotACommand
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Command, Plan, State, listed, text_of
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_DAY = 86400


@dataclass(frozen=True)
class LetsencryptPresent:
    """email: the app's own, or else that of the server. expires: seconds since the epoch, None without a certificate.

    hostnames: what the present certificate is for. dns: the provider for the DNS challenge, empty for HTTP.
    """

    active: bool
    auto_renew: bool
    email: str = ""
    expires: int | None = None
    grace: int = 30 * _DAY
    domains: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    dns: str = ""
    now: int = 0

    @property
    def days_left(self) -> int | None:
        return None if self.expires is None or not self.active else (self.expires - self.now) // _DAY

    @property
    def uncovered(self) -> tuple[str, ...]:
        """The domains of the app that its certificate is not for."""
        return tuple(name for name in self.domains if not _covered(name, self.hostnames)) if self.hostnames else ()


@dataclass(frozen=True)
class LetsencryptState(State[LetsencryptPresent]):
    """wanted: enabled, disabled, or empty for as it is. auto_renew: None for as it is; it is of the whole server."""

    app: str
    wanted: str = "enabled"
    email: str = ""
    auto_renew: bool | None = None

    def __post_init__(self) -> None:
        if self.email and not _EMAIL.fullmatch(self.email):
            way = ("email: ops@example.com", "in the inventory, the input or the task: such an address")
            raise Problem("bad_email", f"{self.email!r} is not a mail address", [way])

    def read(self, dokku: Dokku) -> LetsencryptPresent:
        try:
            report = dokku.report(self.app, "letsencrypt")
        except NotACommand as error:
            raise Problem(
                "no_plugin",
                "this host has no Dokku plugin letsencrypt",
                [
                    (
                        "sudo dokku plugin:install https://github.com/dokku/dokku-letsencrypt.git",
                        "on the host, installs it",
                    )
                ],
            ) from error
        active = text_of(report, "active") == "true"
        grace, expires = text_of(report, "computed-graceperiod"), text_of(report, "expiration")
        hostnames = text_of(dokku.report(self.app, "certs"), "hostnames").split() if active else []
        return LetsencryptPresent(
            active=active,
            auto_renew=text_of(report, "autorenew") == "true",
            email=text_of(report, "computed-email"),
            expires=int(expires) if expires.isdigit() else None,
            grace=int(grace) if grace.isdigit() else 30 * _DAY,
            domains=tuple(text_of(dokku.report(self.app, "domains"), "app-vhosts").lower().split()),
            hostnames=tuple(name.lower() for name in hostnames),
            dns=text_of(report, "computed-dns-provider"),
            now=int(time.time()),
        )

    def plan(self, present: LetsencryptPresent) -> Plan:
        changes: list[Change] = []
        commands: list[Command] = []
        warnings: list[str] = []
        if self.email and self.email != present.email:
            changes.append(Change("e-mail", present.email, self.email))
            commands.append(Command(("letsencrypt:set", self.app, "email", self.email)))
        if self.wanted == "enabled":
            change = self._certificate(present)
            if change is not None:
                self._must_be_possible(present)
                changes.append(change)
                commands.append(Command(("letsencrypt:enable", self.app), timeout=600.0))
            if not present.auto_renew and self.auto_renew is None:
                warnings.append(
                    "certificates of this server are not renewed by themselves: auto_renew: true adds the cron job"
                )
        elif self.wanted == "disabled" and present.active:
            changes.append(Change("certificate", "from Let's Encrypt", ""))
            commands.append(Command(("letsencrypt:disable", self.app)))
        if self.auto_renew is not None and self.auto_renew != present.auto_renew:
            there, wanted = ("present" if flag else "" for flag in (present.auto_renew, self.auto_renew))
            changes.append(Change("cron job for renewal", there, wanted))
            commands.append(Command(("letsencrypt:cron-job", "--add" if self.auto_renew else "--remove")))
        return Plan(tuple(changes), tuple(commands), tuple(warnings))

    def apply(self, dokku: Dokku, plan: Plan, present: LetsencryptPresent) -> None:
        for command in plan.acts:
            try:
                dokku.run(*command.arguments, timeout=command.timeout)
            except DokkuError as error:
                if command.arguments[0] != "letsencrypt:enable":
                    raise
                text = f"no certificate was issued for {self.app} ({listed(present.domains)}): {error}. The app serves "
                raise Problem("not_issued", f"{text}as before", _ways(error), touched=True) from error

    def _certificate(self, present: LetsencryptPresent) -> Change | None:
        """The request for a certificate, if one is needed. One that is only to be renewed is left to the cron job."""
        if not present.active:
            return Change("certificate", "", "from Let's Encrypt")
        if present.uncovered:
            return Change("certificate", f"not for {listed(present.uncovered)}", "for every domain")
        if present.expires is not None and present.expires <= present.now:
            return Change("certificate", "expired", "from Let's Encrypt")
        return None

    def _must_be_possible(self, present: LetsencryptPresent) -> None:
        if not (self.email or present.email):
            raise Problem(
                "no_email",
                f"Let's Encrypt issues no certificate for {self.app} without an e-mail address",
                [
                    ("email: <address>", "sets it for this app"),
                    ("dokku letsencrypt:set --global email '<address>'", "by hand, sets it for the server"),
                ],
            )
        if not present.domains:
            raise Problem(
                "no_domain",
                f"{self.app} has no domain to have a certificate for",
                [("ops.runbook.dokku_domains", "gives it one")],
            )
        stars = [name for name in present.domains if name.startswith("*.")]
        if stars and not present.dns:
            raise Problem(
                "wildcard",
                f"a certificate for {listed(stars)} is only issued by way of DNS, and {self.app} has no DNS provider",
                [(f"dokku letsencrypt:set {self.app} dns-provider '<provider>'", "by hand, with its credentials")],
            )


def _ways(error: DokkuError) -> tuple[tuple[str, str], ...]:
    """Remedies for a certificate that was not issued: Let's Encrypt was only asked if Docker ran its client."""
    answer = error.answer
    image = output.missing_image(answer.rc, answer.out, answer.err) if answer else ""
    if image:
        return (
            (f"docker pull {image}", "on the host, shows why Docker can't fetch the image of the client"),
            ("the same again", "asks Let's Encrypt once the image is there"),
        )
    if answer is not None and output.is_dockers(answer.rc, answer.out, answer.err):
        return (
            ("docker info", "on the host, shows how the engine is: it could not start the client of Let's Encrypt"),
            ("the same again", "asks Let's Encrypt once the engine starts it"),
        )
    return (
        ("dig +short '<domain>'", "shows whether each domain leads to this host"),
        ("port 80", "must reach this host from outside, where Let's Encrypt asks"),
        ("the same again", "asks again; Let's Encrypt lets five failures an hour through for a name"),
    )


def _covered(name: str, hostnames: tuple[str, ...]) -> bool:
    # A star covers one label.
    return name in hostnames or ("." in name and "*." + name.partition(".")[2] in hostnames)
