# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destructive commands of Laravel's artisan and of the packages that extend it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.ops.runbook.plugins.module_utils.destructive.data import option, positional, sql_in

ARTISAN = {
    "migrate:fresh": "laravel-migrate-fresh",
    "migrate:refresh": "laravel-migrate-refresh",
    "migrate:reset": "laravel-migrate-reset",
    "migrate:rollback": "laravel-migrate-rollback",
    "db:wipe": "laravel-db-wipe",
    "queue:clear": "laravel-queue-clear",
    "queue:flush": "laravel-queue-clear",
    "horizon:clear": "laravel-queue-clear",
    "key:generate": "laravel-key-generate",
}
#: Packages for tenants and for modules put their own name before it, and some of them a dash between.
_OF_PACKAGE = re.compile(r"[\w-]{1,40}:(migrate)[-:](fresh|refresh|reset)\Z|(tenants):(rollback)\Z")
_RUNS = re.compile(r"[\w-]{1,40}:(artisan|run|call|command)\Z")
_IN_CODE = re.compile(r"[\"'](migrate:(?:fresh|refresh|reset)|db:wipe|queue:clear)\b")


def artisan_problem(arguments: Sequence[str]) -> str | None:
    """The rule that artisan breaks with these arguments."""
    words = positional(arguments, ("--env",))
    if not words or option(arguments, "--help") is not None or "-h" in arguments:
        return None
    if words[0].rpartition("/")[2] == "tinker":
        return next(filter(None, map(_code_problem, arguments)), None)
    if _RUNS.match(words[0]):
        return next(filter(None, (artisan_problem(word.split()) for word in words[1:])), None)
    rule = artisan_rule(words[0])
    if rule in ("laravel-migrate-reset", "laravel-migrate-rollback") and option(arguments, "--pretend") is not None:
        return None
    if rule == "laravel-migrate-rollback":
        if option(arguments, "--path", "--batch"):
            return None
        return None if option(arguments, "--step") not in (None, "", "0") else rule
    if rule == "laravel-key-generate":
        return rule if option(arguments, "--force") is not None else None
    return rule


def _code_problem(code: str) -> str | None:
    called = _IN_CODE.search(code)
    return ARTISAN[called.group(1)] if called else sql_in(code)


def artisan_rule(name: str) -> str | None:
    """The rule of a command by its name. Symfony's console takes abbreviations: migrate:fr, db:w."""
    if name in ARTISAN:
        return ARTISAN[name]
    package = _OF_PACKAGE.match(name)
    if package:
        return f"laravel-migrate-{package.group(2) or package.group(4)}"
    parts = name.split(":")
    if len(parts) != 2 or not all(parts) or name in ("queue:f", "queue:c", "key:g"):
        return None
    for command, rule in ARTISAN.items():
        if all(whole.startswith(part) for part, whole in zip(parts, command.split(":"))):
            return rule
    return None
