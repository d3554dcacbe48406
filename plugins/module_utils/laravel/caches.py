# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in which Laravel keeps what it caches, as its Application::normalizeCachePath finds them.

Laravel first looks for the cached configuration before it reads .env, so by the environment of the process alone. Only
where no such file is there it reads .env, and then looks again: an APP_CONFIG_CACHE of .env counts from then on. A name
that the process has already is never taken from .env.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

CONFIGURATION = "APP_CONFIG_CACHE"
#: Variable -> the file in bootstrap/cache where nothing names another one.
FILES = {
    CONFIGURATION: "config.php",
    "APP_ROUTES_CACHE": "routes-v7.php",
    "APP_EVENTS_CACHE": "events.php",
    "APP_SERVICES_CACHE": "services.php",
    "APP_PACKAGES_CACHE": "packages.php",
}
#: Words that Laravel's Env::get takes for no value.
_NULL = ("null", "(null)")


@dataclass(frozen=True)
class Caches:
    """The cached configuration compared with the served files.

    outdated: one that is read was built with another .env than the present one. apart: why php-fpm does not read the
    one that artisan writes, and way: the command that mends it; both empty if it reads it.
    """

    outdated: bool = False
    apart: str = ""
    way: str = ""

    def warnings(self) -> list[str]:
        """For a plan."""
        return [f"{self.apart}; {self.way} in the inventory has both use one file"] if self.apart else []


def path(app: str, variable: str, *environments: Mapping[str, str]) -> str:
    """The file of a variable. environments: the first one that has the variable counts. A relative path is of app."""
    value = next((found[variable] for found in environments if variable in found), None)
    if value is None or value.lower() in _NULL:
        return os.path.join(app, "bootstrap", "cache", FILES[variable])
    return os.path.normpath(os.path.join(app, value))


def in_force(
    app: str, process: Mapping[str, str], dotenv: Mapping[str, str], is_file: Callable[[str], bool] = os.path.isfile
) -> str:
    """The cached configuration that a process with this environment reads; empty where it reads none."""
    first, second = path(app, CONFIGURATION, process), path(app, CONFIGURATION, process, dotenv)
    return next((one for one in (first, second) if is_file(one)), "")


def of_words(words: Iterable[str]) -> dict[str, str]:
    """The variables that a command sets for itself: `env APP_CONFIG_CACHE=x php`."""
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        name, sign, value = word.partition("=")
        if place == 0 and os.path.basename(word) == "env":
            continue
        if not sign or not name.isidentifier():
            return found
        found[name] = value
    return found


def ours(root: str, pools: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The pools' settings for the caches of the service in this folder, by the pool's name.

    One of several pools may serve another application: its file outside this folder says nothing about this one.
    """
    found: dict[str, dict[str, str]] = {}
    for name, environment in pools.items():
        named = {variable: value for variable, value in environment.items() if variable in FILES}
        values = [os.path.join(root, value) for value in named.values()]
        if named and (len(pools) == 1 or all(f"{value}/".startswith(f"{root.rstrip('/')}/") for value in values)):
            found[name] = named
    return found
