# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes that a restore makes: pure comparisons of a backup with the present state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def behind_scheme(address: str) -> str:
    """An address without its scheme: an app may have a scheme of its own (MYSQL_DATABASE_SCHEME)."""
    scheme, mark, rest = address.partition("://")
    return rest if mark else scheme


def leads_to(value: str, address: str) -> bool:
    """True if a variable is the address of a service, under whatever scheme and with whatever query behind it."""
    return bool(address) and "://" in value and behind_scheme(value).startswith(behind_scheme(address))


def kept_keys(present: Mapping[str, str], addresses: Iterable[str]) -> list[str]:
    """The keys of a configuration that a restore leaves as they are.

    The addresses of services hold passwords of this host; what Dokku sets describes the code that runs.
    """
    known = list(addresses)
    return sorted(
        key
        for key, value in present.items()
        if key == "GIT_REV" or key.startswith("DOKKU_") or any(leads_to(value, address) for address in known)
    )


def merged_config(present: Mapping[str, str], backup: Mapping[str, str], kept: Iterable[str]) -> dict[str, str]:
    """The configuration after a restore. A kept key is as it is now, also where it is not set now."""
    staying = set(kept) | {key for key in backup if key == "GIT_REV" or key.startswith("DOKKU_")}
    merged = {key: value for key, value in backup.items() if key not in staying}
    return {**merged, **{key: present[key] for key in staying if key in present}}


def config_changes(present: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The names of the keys that change, each with how; never a value."""
    lines = []
    for key in sorted(set(present) | set(wanted)):
        if key not in wanted:
            lines.append(f"{key} is removed")
        elif key not in present:
            lines.append(f"{key} is added")
        elif present[key] != wanted[key]:
            lines.append(f"{key} changes")
    return lines


def table_changes(title: str, now: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The change of each table or database: rows or keys now, and in the backup."""
    if "rows" in wanted:
        have, want = now.get("rows") or {}, wanted["rows"]
        lines = []
        for table in sorted(set(have) | set(want)):
            if table not in want:
                lines.append(f"{title}.{table}: {have[table]} rows now; the backup does not know it, and it is removed")
            elif table not in have:
                lines.append(f"{title}.{table}: not there now; {want[table]} rows in the backup")
            else:
                gone = have[table] - want[table]
                more = f" ({gone} fewer than now)" if gone > 0 else ""
                lines.append(f"{title}.{table}: {have[table]} rows now, {want[table]} in the backup{more}")
        return lines
    have, want = now.get("keys") or {}, wanted.get("keys") or {}
    return [
        f"{title}.{name}: {have.get(name, [0, 0])[1]} keys now, {want.get(name, [0, 0])[1]} in the backup"
        for name in sorted(set(have) | set(want))
    ]
