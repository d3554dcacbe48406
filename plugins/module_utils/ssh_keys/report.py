# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of all hosts as a table, and a verdict on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import unanswered
from ansible_collections.ops.runbook.plugins.module_utils.console.table import WIDEST, table

#: Findings for which an audit may be asked to fail.
KINDS = ("overdue", "weak", "duplicate")

_HEAD = ("host", "account", "where", "type", "age", "owner", "options", "fingerprint and verdict")
_WIDEST = 32

Outcomes = Mapping[str, Any]


def lines(outcomes: Outcomes) -> list[str]:
    """A line for each key, then what could not be read or should be known, then the verdict."""
    others = elsewhere(outcomes)
    rows: list[Sequence[str]] = []
    for host, key in _keys(outcomes):
        said = "; ".join(findings(host, key, others)) or "ok"
        rows.append(
            (
                host,
                str(key["account"]),
                f"{key['file']}:{key['line']}",
                f"{key['type']} {key['bits']}",
                "unknown" if key["age_days"] is None else f"{key['age_days']} d",
                _short(str(key["owner"]) or "?"),
                _short(str(key["options"]) or "-"),
                f"{key['fingerprint']}  {said}",
            )
        )
    text = table(_HEAD, rows, WIDEST) if rows else []
    return [*text, *_remarks(outcomes), str(verdict(outcomes, [])["text"])]


def findings(host: str, key: Mapping[str, Any], others: Mapping[str, Sequence[tuple[str, str]]]) -> list[str]:
    """Findings about one key."""
    said = []
    if key["overdue"]:
        age = "age unknown" if key["age_days"] is None else f"{key['age_days']} d by its {key['age_source']}"
        said.append(f"OVERDUE ({age})")
    if key["weak"]:
        said.append(f"WEAK: {key['weak']}")
    places = list(others.get(str(key["fingerprint"]), ()))
    own = (host, str(key["account"]))
    if places.count(own) > 1:
        said.append(f"{places.count(own)} times in this account")
    also = dict.fromkeys(f"{name}:{account}" for name, account in places if (name, account) != own)
    if also:
        said.append(f"also on {', '.join(also)}")
    if key["authority"]:
        said.append("a CA: lets in every certificate of it")
    if key["unusable"]:
        said.append(f"lets nobody in: {key['unusable']}")
    return said


def elsewhere(outcomes: Outcomes) -> dict[str, list[tuple[str, str]]]:
    """Places of each fingerprint, as (host, account)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for host, key in _keys(outcomes):
        found.setdefault(str(key["fingerprint"]), []).append((host, str(key["account"])))
    return found


def verdict(outcomes: Outcomes, fail_on: Sequence[str]) -> dict[str, Any]:
    """Counts, a sentence, and what fails: what was asked for, and always what was not read."""
    keys = list(_keys(outcomes))
    others = elsewhere(outcomes)
    counts = {
        "overdue": sum(bool(key["overdue"]) for _, key in keys),
        "weak": sum(bool(key["weak"]) for _, key in keys),
        "duplicate": sum(len(places) > 1 for places in others.values()),
    }
    unread = unread_places(outcomes)
    parts = [f"{counts['overdue']} overdue", f"{counts['weak']} weak", f"{counts['duplicate']} in several places"]
    text = f"{len(others)} keys in {len(keys)} lines: {', '.join(parts)}"
    if unread:
        text += f"; NOT READ: {'; '.join(unread)}"
    failing = [kind for kind in KINDS if kind in fail_on and counts[kind]]
    if unread:
        failing.append("unread")
    return {**counts, "keys": len(others), "lines": len(keys), "unread": unread, "failing": failing, "text": text}


def unread_places(outcomes: Outcomes) -> list[str]:
    """Hosts and files of which nothing is known: no audit may call them clean."""
    found = []
    for host, outcome in outcomes.items():
        accounts = outcome.get("accounts") if isinstance(outcome, Mapping) else None
        if accounts is None:
            found.append(f"{host}: {unanswered.why(outcome if isinstance(outcome, Mapping) else {})}")
            continue
        for one in accounts:
            found += [f"{host}:{one['account']}: {why}" for why in one["unread"]]
    return found


def _keys(outcomes: Outcomes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for host, outcome in outcomes.items():
        for one in (outcome.get("accounts") or []) if isinstance(outcome, Mapping) else []:
            for key in one["key_lines"]:
                yield host, key


def _remarks(outcomes: Outcomes) -> list[str]:
    said: dict[str, list[str]] = {}
    for host, outcome in outcomes.items():
        if not isinstance(outcome, Mapping) or outcome.get("accounts") is None:
            continue
        for note in outcome.get("notes") or []:
            said.setdefault(str(note), []).append(host)
        for one in outcome["accounts"]:
            place = f"{host}:{one['account']}"
            for note in one["notes"]:
                said.setdefault(str(note), []).append(place)
            for file in one["files"]:
                for problem in file["problems"]:
                    said.setdefault(f"sshd refuses {file['path']}: {problem}", []).append(place)
                for line in file["unknown_lines"]:
                    said.setdefault(f"{file['path']}:{line['line']}: {line['why']}", []).append(place)
    return [f"{', '.join(dict.fromkeys(places))}: {text}" for text, places in said.items()]


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
