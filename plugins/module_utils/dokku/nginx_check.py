# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that nginx takes the configuration of the whole Dokku host.

Dokku asks that at the end of each deploy, restart and rollback of any app. One file of another app makes them all fail
there, after the new containers were started, and makes the way back fail in the same way.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Answer, Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.output import plain
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_COMMAND = "nginx:validate-config"
_CAUSE = re.compile(r"(?:nginx: )?\[(?:emerg|crit|alert)\][^\n]*")
_PROCESS = re.compile(r"(?<=\] )\d+#\d+: ")
_FAILED = re.compile(r"nginx: configuration file \S+ test failed")
_NAMED = re.compile(r"Failed to validate nginx config for ([a-z0-9][a-z0-9.-]*?)\.(?:\s|$)")
_FILE = re.compile(r"\bin (?P<path>/\S+?):\d+\b")
_HOME = re.compile(r"/home/dokku/(?P<app>[^/]+)/")


@dataclass(frozen=True)
class Broken:
    """A configuration that nginx refuses. line: nginx's own words. path: the file, empty where nginx names none.

    apps: those whose files are refused.
    """

    line: str
    path: str = ""
    apps: tuple[str, ...] = ()

    @property
    def whose(self) -> str:
        return f"the file of {' and '.join(self.apps)}" if self.apps else "a file that is not an app's"

    @property
    def text(self) -> str:
        return f"nginx refuses the configuration of this host, for {self.whose}: {self.line}"


def cause(answer: Answer) -> str:
    """nginx's own words in what a call said; empty where it is not about nginx."""
    text = plain(answer.err) + "\n" + plain(answer.out)
    found = _CAUSE.search(text) or _FAILED.search(text)
    # The number of its process says nothing to a person.
    return _PROCESS.sub("", found[0].removeprefix("nginx: ").strip()) if found else ""


def judge(answer: Answer) -> Broken | None:
    """The answer of `nginx:validate-config`; None if nginx takes it, or there is no nginx to ask. Pure."""
    line = cause(answer) if answer.rc != 0 else ""
    if not line:
        return None
    file = _FILE.search(line)
    path = file["path"] if file else ""
    named = _NAMED.findall(plain(answer.err) + "\n" + plain(answer.out))
    home = _HOME.match(path)
    apps = dict.fromkeys([*([home["app"]] if home else []), *named])
    return Broken(line, path, tuple(apps))


def ask(dokku: Dokku) -> Broken | None:
    """Ask nginx, which changes nothing. What can't be asked is not called broken."""
    try:
        return judge(dokku.run(_COMMAND, check=False, timeout=60.0))
    except DokkuError:
        return None


def ways(broken: Broken) -> tuple[tuple[str, str], ...]:
    """Remedies, on the host."""
    found = [(f"dokku {_COMMAND}", "on the host, shows it again")]
    for app in broken.apps:
        if f"/{app}/nginx.conf.d/" in broken.path:
            away = f"sudo mv {shlex.quote(broken.path)} {shlex.quote(f'{broken.path}.broken')}"
            found.append((away, f"on the host, takes that file of {app} away"))
        else:
            found.append(
                (f"dokku nginx:report {shlex.quote(app)}", "on the host, shows what is set; nginx:set mends it")
            )
            found.append((f"dokku proxy:build-config {shlex.quote(app)}", "on the host, then writes the file anew"))
    return tuple(found)


def refusal(broken: Broken, app: str, more: tuple[tuple[str, str], ...] = ()) -> Problem:
    """Why nothing that restarts an app may be begun."""
    text = (
        f"{broken.text}. Dokku asks nginx last, so {app} would be built and started, fail then, and could not go back"
    )
    return Problem("nginx_broken", text, (*ways(broken), *more))


def proxied(report: Mapping[str, Any]) -> bool:
    """True if nginx is before an app, by `proxy:report`: an app without nginx does not fail for it."""
    kind = str(report.get("computed-type") or report.get("type") or "nginx")
    disabled = "true" in (str(report.get("computed-disabled") or ""), str(report.get("disabled") or ""))
    return kind == "nginx" and not disabled and str(report.get("enabled") or "true") != "false"


def look(dokku: Dokku, app: str) -> Broken | None:
    """The error of nginx, if it would stop this app."""
    broken = ask(dokku)
    if broken is None:
        return None
    try:
        return broken if proxied(dokku.report(app, "proxy")) else None
    except DokkuError:
        return broken


def must_be_taken(dokku: Dokku, app: str) -> None:
    """Raise Problem where the next restart of an app would fail for nginx."""
    broken = look(dokku, app)
    if broken is not None:
        raise refusal(broken, app)


def warning(broken: Broken) -> str:
    """The same, where nothing may wait for it."""
    return f"{broken.text}: this rollback fails at its end unless that is mended (dokku {_COMMAND})"
