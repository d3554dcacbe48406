# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cached files are looked for where Laravel looks for them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.laravel import caches
from ansible_collections.ops.runbook.plugins.module_utils.laravel.caches import Caches

DEFAULT, OTHER, THIRD = "/srv/app/bootstrap/cache/config.php", "/srv/app/storage/config.php", "/var/cache/app.php"
NAMED: dict[str, Mapping[str, str]] = {
    "nothing": {},
    "relative": {"APP_CONFIG_CACHE": "storage/config.php"},
    "absolute": {"APP_CONFIG_CACHE": THIRD},
    "null": {"APP_CONFIG_CACHE": "null"},
}
IN_FORCE = {
    "the framework's own place": ("nothing", "nothing", {DEFAULT}, DEFAULT),
    "nothing is cached": ("nothing", "nothing", set(), ""),
    ".env names another place": ("nothing", "relative", {OTHER}, OTHER),
    "the framework's own place goes first, since .env is not read then": (
        "nothing",
        "relative",
        {DEFAULT, OTHER},
        DEFAULT,
    ),
    "nothing lies in the place that .env names": ("nothing", "relative", set(), ""),
    "the process names another place": ("absolute", "nothing", {DEFAULT, THIRD}, THIRD),
    "nothing lies there, and the framework's own place is not asked": ("absolute", "nothing", {DEFAULT}, ""),
    ".env does not stand against the process": ("absolute", "relative", {DEFAULT, OTHER}, ""),
    "a null is not a name": ("null", "nothing", {DEFAULT}, DEFAULT),
}


@pytest.mark.parametrize(("process", "dotenv", "there", "found"), IN_FORCE.values(), ids=IN_FORCE)
def test_the_configuration_in_force(process: str, dotenv: str, there: set[str], found: str) -> None:
    assert caches.in_force("/srv/app", NAMED[process], NAMED[dotenv], there.__contains__) == found


def test_each_cache_has_a_file_of_its_own() -> None:
    found = {caches.path("/srv/app", name, {}) for name in caches.FILES}
    assert len(found) == 5 and {path.rpartition("/")[0] for path in found} == {"/srv/app/bootstrap/cache"}
    assert caches.path("/srv/app", "APP_EVENTS_CACHE", {}, {"APP_EVENTS_CACHE": "x/e.php"}) == "/srv/app/x/e.php"


WORDS = {
    "php": ({}, "php8.4"),
    "options": ({}, "php -d memory_limit=1G"),
    "env": ({"APP_CONFIG_CACHE": "storage/config.php"}, "env APP_CONFIG_CACHE=storage/config.php php"),
    "another variable": ({"A": "1", "B": "2"}, "/usr/bin/env A=1 B=2 php -d x=y"),
}


@pytest.mark.parametrize(("found", "words"), WORDS.values(), ids=WORDS)
def test_options_of_the_php_command_are_read(found: dict[str, str], words: str) -> None:
    assert caches.of_words(words.split()) == found


def test_of_many_pools_only_what_lies_in_the_folder_of_the_service_counts() -> None:
    one, two = {"APP_CONFIG_CACHE": THIRD, "HOME": "/"}, {"APP_CONFIG_CACHE": "storage/config.php"}
    assert caches.ours("/srv/app", {"www": one}) == {"www": {"APP_CONFIG_CACHE": THIRD}}
    assert caches.ours("/srv/app", {"other": one, "www": two, "plain": {"HOME": "/"}}) == {"www": two}
    assert caches.ours("/srv/app", {"a": {"APP_CONFIG_CACHE": "/srv/app2/x.php"}, "b": {}}) == {}


def test_a_plan_says_what_to_type() -> None:
    assert Caches().warnings() == []
    assert Caches(False, "php-fpm reads x", "laravel_php: env A=x php").warnings() == [
        "php-fpm reads x; laravel_php: env A=x php in the inventory has both use one file"
    ]
