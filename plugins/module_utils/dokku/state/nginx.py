# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nginx settings of an app.

Dokku writes any text into the configuration, also for an app that does not exist, and ends with 0. A value that nginx
refuses makes it refuse the whole configuration, of every app of the host, at the next deploy of any of them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.dokku import nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Answer, Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Command, Plan, State, text_of
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"(\d+)([kmg]?)", re.I)
_BUFFERS = re.compile(r"(\d+)\s+(\d+[kmg]?)", re.I)


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _address(version: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        try:
            return ipaddress.ip_address(value).version == version
        except ValueError:
            return False

    return check


_FLAG = (_matches("true|false"), "true or false")
_SWITCH = (_matches("on|off"), "on or off")
_TIME = (_matches(r"(?:\d+(?:ms|[smhdwMy])){1,4}|\d+"), "a time such as 60s or 2m")
_LENGTH = (_matches(r"\d+[kKmMgG]?"), "a size such as 50m")
_TWO = (lambda value: _BUFFERS.fullmatch(value) is not None, "a number and a size, such as 8 4k")
_NUMBER = (_matches(r"\d+"), "a number")
# Letters that end a directive, open a block, quote or comment: nginx would read them as more than a value.
_PATH = (_matches(r"off|/[^\s;{}'\"#$\\]+"), "an absolute path, or off")
_WORD = (_matches(r"[A-Za-z0-9_]+"), "the name of a log_format")
_VALUE = (_matches(r"[$A-Za-z0-9_.:/-]+"), "one word, or a variable of nginx such as $remote_addr")
_TEMPLATE = (_matches(r"[A-Za-z0-9_./-]+"), "a path in the repository")

#: Properties of an app, the check of each value, and its meaning in words.
PROPERTIES: dict[str, tuple[Callable[[str], bool], str]] = {
    "access-log-format": _WORD,
    "access-log-path": _PATH,
    "bind-address-ipv4": (_address(4), "an IPv4 address"),
    "bind-address-ipv6": (_address(6), "an IPv6 address"),
    "client-body-timeout": _TIME,
    "client-header-timeout": _TIME,
    "client-max-body-size": _LENGTH,
    "disable-custom-config": _FLAG,
    "error-log-path": _PATH,
    "hsts": _FLAG,
    "hsts-include-subdomains": _FLAG,
    "hsts-max-age": _NUMBER,
    "hsts-preload": _FLAG,
    "keepalive-timeout": _TIME,
    "lingering-timeout": _TIME,
    "nginx-conf-sigil-path": _TEMPLATE,
    "proxy-buffer-size": _LENGTH,
    "proxy-buffering": _SWITCH,
    "proxy-buffers": _TWO,
    "proxy-busy-buffers-size": _LENGTH,
    "proxy-connect-timeout": _TIME,
    "proxy-keepalive": _NUMBER,
    "proxy-read-timeout": _TIME,
    "proxy-send-timeout": _TIME,
    "send-timeout": _TIME,
    "underscore-in-headers": _SWITCH,
    "x-forwarded-for-value": _VALUE,
    "x-forwarded-port-value": _VALUE,
    "x-forwarded-proto-value": _VALUE,
    "x-forwarded-ssl": _VALUE,
}

#: Names that people look for, and why each is not a setting.
_EXPLAINED = {
    "gzip": "Dokku's nginx template compresses already (gzip on, level 6, from 1100 bytes), and has no setting for it",
    "http2": "Dokku's nginx template has HTTP/2 on for every app with a certificate, and has no setting for it",
    "ssl": "a certificate is added with ops.runbook.dokku_letsencrypt, or with dokku certs:add",
    "nginx-service-command": "it is of the whole server, and is set there: dokku nginx:set --global",
    "server-tokens": "Dokku has no setting for it; it belongs into a file of /etc/nginx/conf.d",
}


def texts(properties: Mapping[str, Any]) -> dict[str, str]:
    """Properties as Dokku takes them. To YAML `on` and `true` are the same, and nginx wants the one or the other."""
    found: dict[str, str] = {}
    for key, value in properties.items():
        words = ("on", "off") if PROPERTIES.get(key) is _SWITCH else ("true", "false")
        if isinstance(value, bool):
            value = words[0] if value else words[1]
        elif value is None:
            value = ""
        elif not isinstance(value, (str, int)):
            way = (f'{key}: "..."', "in the inventory, the input or the task: one text")
            raise Problem("bad_value", f"{key} {value!r} can't be: a property is one text", [way])
        found[str(key)] = str(value).strip()
    return found


@dataclass(frozen=True)
class NginxPresent:
    """own: what is set for the app. effective: what holds, with Dokku's own values."""

    own: Mapping[str, str]
    effective: Mapping[str, str]


@dataclass(frozen=True)
class NginxState(State[NginxPresent]):
    """properties: what is to be; an empty text takes the app's own value away, so that Dokku's holds.

    What holds already is left alone, be it the app's own or Dokku's: `hsts` is true by itself.
    """

    app: str
    properties: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in self.properties.items():
            if key in _EXPLAINED:
                way = ("properties", f"in the inventory, the input or the task: without {key}")
                raise Problem("no_property", f"{key} is not a property of an app: {_EXPLAINED[key]}", [way])
            if key not in PROPERTIES:
                raise Problem(
                    "no_property",
                    f"{key!r} is not a property; there are {', '.join(sorted(PROPERTIES))}",
                    [("properties", "in the inventory, the input or the task: one of these names")],
                )
            check, meaning = PROPERTIES[key]
            if value and not check(value):
                raise Problem(
                    "bad_value",
                    f"{key} {value!r} can't be: it is {meaning}. Dokku would take it, and nginx might then refuse the "
                    "configuration of every app of the host",
                    [(f"{key}: ...", f"in the inventory, the input or the task: {meaning}")],
                )

    def read(self, dokku: Dokku) -> NginxPresent:
        # nginx:set takes a missing app and leaves a folder behind; the report says that it is missing.
        report = dokku.report(self.app, "nginx")
        return NginxPresent(
            {key: text_of(report, key) for key in PROPERTIES},
            {key: text_of(report, f"computed-{key}") or text_of(report, key) for key in PROPERTIES},
        )

    def plan(self, present: NginxPresent) -> Plan:
        changes, commands = [], []
        for key, value in sorted(self.properties.items()):
            if value == (present.effective[key] if value else present.own[key]):
                continue
            changes.append(Change(key, present.own[key] or _said(present.effective[key]), value or "Dokku's own"))
            commands.append(Command(("nginx:set", self.app, key, *([value] if value else []))))
        if not changes:
            return Plan()
        self._buffers_must_fit(present)
        warnings = []
        if self.properties.get("hsts-preload") == "true":
            warnings.append(
                "a domain on the preload list of browsers can't be reached without TLS for months, with hsts off or on"
            )
        commands.append(Command(("proxy:build-config", self.app)))
        return Plan(tuple(changes), tuple(commands), tuple(warnings))

    def apply(self, dokku: Dokku, plan: Plan, present: NginxPresent) -> None:
        before = dokku.run("nginx:validate-config", check=False)
        if before.rc != 0:
            broken = nginx_check.judge(before)
            if broken is not None:
                raise Problem("nginx_broken", broken.text, nginx_check.ways(broken))
            text = f"nginx refuses the configuration of this host as it is now: {before.said}"
            raise Problem("nginx_broken", text, [("dokku nginx:validate-config", "on the host, shows it again")])
        try:
            super().apply(dokku, plan, present)
            after = dokku.run("nginx:validate-config", check=False)
            if after.rc == 0:
                return
            why = _why(after)
        except DokkuError as error:
            why = _why(error.answer) if error.answer else str(error)
        self._put_back(dokku, plan, present)
        raise Problem(
            "nginx_refuses",
            f"nginx refuses the configuration of {self.app} with {'; '.join(plan.lines())}: {why}. What was "
            "set before is set again",
            [("the same again", "with other values; what nginx says names the one that is wrong")],
            touched=True,
        )

    def _put_back(self, dokku: Dokku, plan: Plan, present: NginxPresent) -> None:
        for change in plan.changes:
            own = present.own[change.subject]
            dokku.run("nginx:set", self.app, change.subject, *([own] if own else []), check=False)
        dokku.run("proxy:build-config", self.app, check=False)
        left = dokku.run("nginx:validate-config", check=False)
        if left.rc != 0:
            raise Problem(
                "nginx_broken",
                f"nginx refuses the configuration of {self.app}, with the settings that it had before too: {left.said}",
                [
                    (
                        "dokku nginx:validate-config",
                        "on the host shows which file; until it is mended no app can be deployed",
                    )
                ],
                touched=True,
            )

    def _buffers_must_fit(self, present: NginxPresent) -> None:
        """nginx asks that the busy buffers hold the largest buffer, and leave one of them free."""
        found = {**present.effective, **{key: value for key, value in self.properties.items() if value}}
        two = _BUFFERS.fullmatch(found["proxy-buffers"])
        if two is None or not {"proxy-buffers", "proxy-buffer-size", "proxy-busy-buffers-size"} & {*self.properties}:
            return
        count, one = int(two[1]), _bytes(two[2])
        first, busy = _bytes(found["proxy-buffer-size"]), _bytes(found["proxy-busy-buffers-size"])
        if not first or not busy:
            return
        if not max(first, one) <= busy <= (count - 1) * one:
            raise Problem(
                "bad_value",
                f"proxy-busy-buffers-size {found['proxy-busy-buffers-size']} must be at least the larger of "
                f"proxy-buffer-size {found['proxy-buffer-size']} and one of proxy-buffers {found['proxy-buffers']}, "
                "and at most all of these but one: nginx refuses anything else",
                [("proxy-busy-buffers-size: ...", "in the inventory, the input or the task: such a size")],
            )


def _why(answer: Answer) -> str:
    """Nginx's own message, which is among the lines of the whole configuration, or else the line that Dokku marks."""
    return nginx_check.cause(answer) or answer.said


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    return int(found[1]) * _SIZES[found[2].lower()] if found else 0


def _said(value: str) -> str:
    return f"{value} (Dokku's own)" if value else ""
