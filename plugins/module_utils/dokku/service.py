# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An app of Dokku on this host: what it is, how it is called, and why an operation on it is refused."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import (
    AppMissing,
    CannotCall,
    DeployLocked,
    Dokku,
    DokkuError,
    NotACommand,
    NotDeployed,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import Options
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import described
from ansible_collections.ops.runbook.plugins.module_utils.host import last_line
from ansible_collections.ops.runbook.plugins.module_utils.host.last_line import LastLine
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor, secret_values
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Names of an app that Dokku itself takes.
_APP = re.compile(r"[a-z0-9][a-z0-9.-]*")


class Description(Options):
    """The app as the inventory describes it. See the role dokku's argument specs for the meaning."""


def describe(raw: Mapping[str, Any]) -> Description:
    """The description in a module's `service` option."""
    return described(Description, raw)


class DokkuService:
    """The app, and the client with which an operation reads and changes it."""

    def __init__(self, description: Description, inherited: Sequence[int] = (), state_dir: str = "") -> None:
        self.description = description
        self._redactor: Callable[[str], str] | None = None
        self._known = False
        #: True if the plugin `releases` of this host reads all of an app in one call; an older one does not.
        self.tells_state = True
        self._hidden: list[str] = []
        self.dokku = Dokku(
            description.command,
            description.user,
            inherited,
            self.redact,
            description.command_timeout,
            description.data_disposable,
            # Only who holds the guard's lock writes into its folder.
            LastLine(os.path.join(state_dir, last_line.NAME), self._shown) if inherited and state_dir else None,
        )

    @property
    def app(self) -> str:
        return self.description.app

    def redact(self, text: str) -> str:
        """A text without the secrets in the app's configuration; they are read only where something is to be said."""
        if self._redactor is None:
            # Their readers may fail, and say so.
            self._redactor = Redactor(self._hidden)
            with contextlib.suppress(DokkuError):
                self._redactor = Redactor([*secret_values(self.config()), *self._hidden])
                self._known = True
        return self._redactor(text)

    def _shown(self, text: str) -> str:
        """A line of output for whoever waits; none where it is not known what is a secret."""
        text = self.redact(text)
        return text if self._known else ""

    def hide(self, values: Iterable[str]) -> None:
        """Values that must not come back in any text, whatever the configuration says of them."""
        self._hidden += values
        self._redactor, self._known = None, False

    def config(self) -> dict[str, str]:
        """The configuration. It holds secrets: it is read here, and never shown."""
        found = self.dokku.json("config:export", self.app, timeout=60.0)
        return {str(name): str(value) for name, value in found.items()}

    def together(self, *reads: Callable[[], Any]) -> list[Any]:
        """The answers of several reads, made at the same time: one call of dokku takes a third of a second."""
        with ThreadPoolExecutor(max_workers=max(len(reads), 1)) as pool:
            return [one.result() for one in [pool.submit(read) for read in reads]]

    def must_have_a_name(self) -> None:
        """Raise Problem for what can't be the name of an app."""
        if not _APP.fullmatch(self.app):
            way = ("dokku_app=<name>", "in the inventory: lower case letters, digits, dots and dashes")
            raise Problem("bad_app_name", f"'{self.app}' is not a name of an app", (way,))

    def must_exist(self) -> None:
        """Raise Problem unless the app is there and this user may ask."""
        self.must_have_a_name()
        try:
            self.dokku.run("apps:exists", self.app, timeout=60.0)
        except DokkuError as error:
            raise self.refusal(error) from error

    def refusal(self, error: DokkuError) -> Problem:
        """Why an operation does not go on after a call that failed while it was planned."""
        apps: list[str] = []
        if isinstance(error, AppMissing):
            with contextlib.suppress(DokkuError):
                apps = self.dokku.run("--quiet", "apps:list", timeout=60.0).out.split()
        return refusal_of(error, self.app, apps)


def refusal_of(error: DokkuError, app: str, apps: Sequence[str] = ()) -> Problem:
    """The refusal for a call that failed. apps: those of the host. Pure."""
    if isinstance(error, AppMissing):
        close = difflib.get_close_matches(app, apps, n=1, cutoff=0.5)
        way = (f"dokku_app={close[0]}" if close else "dokku_app=<name>", "in the inventory, names an app of this host")
        create = (f"dokku apps:create {app}", "on the host, makes it")
        known = f"its apps are: {', '.join(sorted(apps))}" if apps else "it has no apps"
        return Problem("app_missing", f"there is no app {app} on this host", (way, create), (known,))
    if isinstance(error, CannotCall):
        return Problem("dokku_not_callable", str(error), (error.way,))
    if isinstance(error, NotACommand) and " releases" in str(error):
        way = ("ansible-playbook ops.runbook.dokku_releases", "installs the plugin on the host, which needs root once")
        text = "the plugin `releases` is not installed on this host, so nothing records what can be gone back to"
        return Problem("plugin_missing", text, (way,))
    if isinstance(error, NotDeployed):
        way = ("dokku_deploy with to=<commit, branch, tag or image>", "deploys it for the first time")
        return Problem("not_deployed", f"{app} was never deployed", (way,))
    if isinstance(error, DeployLocked):
        ways = (
            ("the same command again", "once that deploy has ended"),
            (f"dokku builds:cancel {app}", "on the host, ends it"),
        )
        return Problem("deploy_running", f"another deploy of {app} is under way", ways)
    return Problem("dokku_failed", str(error), (("dokku_status", "shows how the app is"),))
