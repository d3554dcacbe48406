# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Items of the maintenance of a Dokku host: those that are due, and those left to a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys

WEEKLY, MONTHLY, QUARTERLY = "weekly", "monthly", "quarterly"
CADENCES = (WEEKLY, MONTHLY, QUARTERLY)

DONE, SKIPPED, FAILED, PLANNED = "done", "skipped", "failed", "planned"


@dataclass(frozen=True)
class Item:
    """One thing that is done. cadence: how often. title: what it does, for people."""

    id: str
    cadence: str
    title: str


#: In the order in which they are done: what a cleanup might take away is held first.
ITEMS = (
    Item("holds", WEEKLY, "hold the images of the kept releases again where nothing holds them"),
    Item("cleanup", WEEKLY, "remove what no container and no held release needs (dokku cleanup)"),
    Item("certificates", WEEKLY, "renew certificates that are due (letsencrypt:auto-renew)"),
    Item("renewal", WEEKLY, "have certificates renewed each day (letsencrypt:cron-job)"),
    Item("backup", WEEKLY, "back the databases up"),
    Item("schedule", WEEKLY, "have databases backed up to the bucket each day (backup-schedule)"),
    Item("logs", WEEKLY, "archive the logs, and remove the oldest archives"),
    Item("resources", WEEKLY, "compare what the processes use with their limits"),
    Item("updates", WEEKLY, "list security updates of the host (nothing is installed)"),
    Item("full_backup", MONTHLY, "back everything up: databases, configuration, files, properties"),
    Item("composer_audit", MONTHLY, "ask for known holes of PHP packages (composer audit, in the running container)"),
    Item("npm_audit", MONTHLY, "ask for known holes of JavaScript packages (npm audit, in the running container)"),
    Item("restore_drill", QUARTERLY, "look when a backup was last restored"),
    Item("tls", QUARTERLY, "report certificates, domains and HSTS"),
    Item("firewall", QUARTERLY, "report what listens to the outside, and the firewall"),
    Item("users", QUARTERLY, "report who may log in, and who is as good as root"),
    Item("keys", QUARTERLY, "report whose SSH keys open the host and deploy"),
)
_BY_ID = {item.id: item for item in ITEMS}

#: Items that no program can judge. Each is a line of the report that somebody ticks.
CHECKLISTS: dict[str, tuple[str, ...]] = {
    WEEKLY: (
        "Plan a window for the security updates named above: apt upgrade, and a restart where one is required",
        "Read the errors that the logs show, and open a ticket for each that is new",
        "Sentry: new issues, and releases that are tracked",
    ),
    MONTHLY: (
        "Update composer.json and package.json, deploy them to staging, then to production (dokku_deploy)",
        "Copy the newest full backup to another place than this host, and look that it is there",
        "Sentry: the trend of the errors; Grafana: response times, memory, disks",
        "Adjust the thresholds of alerts that came too often, or too late",
        "Flagsmith: remove flags that are on for everybody",
    ),
    QUARTERLY: (
        "Restore the newest backup into a scratch service and look at the data (dokku_restore)",
        "Go back one release and forward again on staging (dokku_rollback, dokku_deploy)",
        "Compare users, keys and open ports above with who and what should be there; remove the rest",
        "Server: is it large enough for the next quarter; is its distribution still supported",
        "Call each contact of the escalation list, and correct the list",
        "Read the recovery plan and this runbook, and correct what has changed",
    ),
}


@dataclass(frozen=True)
class Outcome:
    """How an item ended. text: what, in a sentence. details: further lines. again: it is due again at once.

    attention: a person should look, though nothing failed. data: figures.
    """

    status: str
    text: str
    details: tuple[str, ...] = ()
    attention: bool = False
    again: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)

    def note(self) -> dict[str, Any]:
        """As journal and ledger keep it."""
        return {
            "status": self.status,
            "text": self.text,
            "details": list(self.details),
            "attention": self.attention,
            "again": self.again,
            "data": dict(self.data),
        }


def items_of(cadence: str) -> tuple[Item, ...]:
    """The items of one run. Each month is also a week; a quarter is a review of its own."""
    of = {WEEKLY: (WEEKLY,), MONTHLY: (WEEKLY, MONTHLY), QUARTERLY: (QUARTERLY,)}[cadence]
    # The whole backup has the databases in it.
    left_out = {"backup"} if cadence == MONTHLY else set()
    return tuple(item for item in ITEMS if item.cadence in of and item.id not in left_out)


def checklist(cadence: str) -> tuple[str, ...]:
    """Items that need a person."""
    return (*CHECKLISTS[WEEKLY], *CHECKLISTS[MONTHLY]) if cadence == MONTHLY else CHECKLISTS[cadence]


def period(cadence: str, moment: datetime) -> str:
    """The week (of ISO 8601), month or quarter of a moment, as text."""
    if cadence == WEEKLY:
        year, week, _ = moment.isocalendar()
        return f"{year}-W{week:02d}"
    if cadence == MONTHLY:
        return f"{moment.year}-{moment.month:02d}"
    return f"{moment.year}-Q{(moment.month - 1) // 3 + 1}"


def keys(now: datetime) -> list[tuple[str, str]]:
    """The keys of the records that say which items are settled: the newest of each item in its present period."""
    return [(ledger_keys.ITEM, f"{item.id}/{period(item.cadence, now)}") for item in ITEMS]


def settled(records: Iterable[Mapping[str, Any]], now: datetime, mark: str = "") -> dict[str, dict[str, Any]]:
    """The items that were done, or skipped for good, in their present period; with when, and by which operation.

    mark: identifies the inventory's settings. An item skipped under another one may not be skipped now.
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        ended = _moment(record.get("finished"))
        if record.get("procedure") != "maintenance" or ended is None:
            continue
        for name, note in (record.get("notes") or {}).items():
            item = _BY_ID.get(name)
            if item is None or not isinstance(note, Mapping):
                continue
            same = period(item.cadence, ended) == period(item.cadence, now)
            skipped = note.get("status") == SKIPPED and not note.get("again") and note.get("mark", "") == mark
            if same and (note.get("status") == DONE or skipped):
                found[name] = {**note, "when": str(record["finished"]), "operation": str(record.get("id") or "")}
            elif same:
                # A later attempt that failed says more than an earlier one that went well.
                found.pop(name, None)
    # The full backup of this week has the databases in it.
    if "backup" not in found and _this_week(found.get("full_backup"), now):
        found["backup"] = dict(found["full_backup"])
    return found


def _this_week(note: Mapping[str, Any] | None, now: datetime) -> bool:
    ended = _moment(note["when"]) if note and note.get("status") == DONE else None
    return ended is not None and period(WEEKLY, ended) == period(WEEKLY, now)


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.strptime(str(text)[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def entries(cadence: str, before: Mapping[str, Mapping[str, Any]], notes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each item of a run with its state: as this run did it, as an earlier one did, or planned."""
    found = []
    for item in items_of(cadence):
        note = notes.get(item.id) or before.get(item.id) or {"status": PLANNED, "text": ""}
        found.append({"item": item.id, "title": item.title, "cadence": item.cadence, **note})
    return found


def verdict(found: Sequence[Mapping[str, Any]]) -> tuple[bool, str]:
    """True if a run is green, and the failed items."""
    failed = [f"{entry['item']}: {entry['text']}" for entry in found if entry["status"] == FAILED]
    missing = [str(entry["item"]) for entry in found if entry["status"] == PLANNED]
    if missing:
        failed.append(f"not done: {', '.join(missing)}")
    return not failed, "; ".join(failed)


def summary(found: Sequence[Mapping[str, Any]]) -> str:
    """One line: how many of which kind, and what to look at."""
    counts = {status: sum(entry["status"] == status for entry in found) for status in (DONE, SKIPPED, FAILED, PLANNED)}
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    look = [str(entry["item"]) for entry in found if entry.get("attention")]
    return ", ".join(parts) + (f"; to look at: {', '.join(look)}" if look else "")
