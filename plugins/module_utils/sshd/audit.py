# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every key that lets somebody into an account: what it is, how old, whose, and whether its time is over."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers, Ledger
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger_book import Book
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys, key_file
from ansible_collections.ops.runbook.plugins.module_utils.sshd import files as sshd_files
from ansible_collections.ops.runbook.plugins.module_utils.sshd.authorized_keys import Key, Line
from ansible_collections.ops.runbook.plugins.module_utils.sshd.files import Account, Configuration

#: All accounts of the host.
EVERY = "*"

#: Name of a rotation in the ledger. Its record's `to` names the key that was put in.
ROTATION = "rotate"

_DAY = 86400.0

#: 2026-11-21 or 20261121, not a part of a longer number.
_DATE = re.compile(r"(?<!\d)(20\d\d)(-?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True)
class Policy:
    """now: seconds since the epoch. owners: who a fingerprint belongs to. rotations: when a fingerprint was put in."""

    now: float
    max_age: float = 90
    rsa_minimum: int = 3072
    owners: Mapping[str, str] = field(default_factory=dict)
    rotations: Mapping[str, str] | PutIn = field(default_factory=dict)


# -- age and owner -------------------------------------------------------------------------------


def rotations(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """When each key was put in, by the records of rotations that succeeded; the first time counts."""
    found: dict[str, str] = {}
    for record in records:
        if record.get("procedure") == ROTATION and record.get("outcome") == "succeeded":
            put_in = str((record.get("to") or {}).get("id") or "")
            if put_in and _moment(record.get("finished")) is not None:
                found.setdefault(put_in, str(record["finished"]))
    return found


def _moment(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def comment_date(comment: str) -> str:
    """The last date in a comment, as 2026-11-21; empty if it has none."""
    for match in reversed(list(_DATE.finditer(comment))):
        text = f"{match[1]}-{match[3]}-{match[4]}"
        if _moment(f"{text}T00:00:00Z") is not None:
            return text
    return ""


def age(key: Key, policy: Policy) -> tuple[int | None, str, str]:
    """Days, the moment they count from, and who says so: rotation, comment or unknown.

    A date in the future proves nothing, so it is ignored.
    """
    said = policy.rotations.get(key.fingerprint, "")
    dated = comment_date(key.comment)
    for text, whole, source in ((said, said, "rotation"), (dated, f"{dated}T00:00:00Z", "comment")):
        moment = _moment(whole) if text else None
        if moment is not None and moment <= policy.now:
            return int((policy.now - moment) // _DAY), text, source
    return None, "", "unknown"


def owner(key: Key, policy: Policy) -> str:
    """The owner of a key: as declared, or else the key's comment without its dates."""
    declared = policy.owners.get(key.fingerprint)
    return declared if declared else authorized_keys.shown(undated(key.comment))


def undated(comment: str) -> str:
    """A comment without its dates."""
    return _DATE.sub("", comment).strip(" \t-_:,;()")


def judge(key: Key, refused: Sequence[str], policy: Policy) -> dict[str, Any]:
    """Facts and faults of one key. refused: why sshd does not take it, or nothing from its file."""
    days, since, source = age(key, policy)
    expired = key.expired(policy.now)
    unusable = "; ".join(
        [
            *refused,
            *([key.problem] if key.problem else []),
            *(["it expired"] if expired else []),
        ]
    )
    expires = None
    if key.expires is not None:
        expires = datetime.fromtimestamp(key.expires, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "fingerprint": key.fingerprint,
        "type": key.kind,
        "bits": key.bits,
        "comment": authorized_keys.shown(key.comment),
        "options": authorized_keys.shown_options(key),
        "authority": key.is_authority,
        "owner": owner(key, policy),
        "age_days": days,
        "since": since,
        "age_source": source,
        # The age of a key that sshd no longer accepts does not matter.
        "overdue": not expired and (days is None or days > policy.max_age),
        "weak": authorized_keys.weakness(key, policy.rsa_minimum),
        "expires": expires,
        "unusable": unusable,
    }


# -- the host ------------------------------------------------------------------------------------


class PutIn:
    """When a key was put in, by its fingerprint, as a ledger has it; see rotations."""

    def __init__(self, book: Answers | None = None) -> None:
        self._book = book or Ledger()

    def get(self, fingerprint: str, otherwise: str) -> str:
        return rotations(self._book.of([(ledger_keys.PUT_IN, fingerprint)])).get(fingerprint, otherwise)


def own_record(state_dir: str) -> tuple[PutIn, list[str]]:
    """The rotations that the ledger of this host has, and why it can't be believed where it can't."""
    path = os.path.join(state_dir, "ledger.jsonl")
    try:
        book = Book(path)
        damaged = bool(book.problems)
    except OSError as error:
        return PutIn(), [f"the record of rotations can't be read: {error.strerror}: {path}"]
    if damaged:
        return PutIn(), [f"the record of rotations was edited or is incomplete, so no age is taken from it: {path}"]
    return PutIn(book), []


def names(accounts: Sequence[str]) -> list[str]:
    """The accounts to read; the one that this runs as where none is named."""
    if EVERY in accounts:
        return [entry.pw_name for entry in pwd.getpwall()]
    return list(dict.fromkeys(accounts)) or [user_name()]


def read_accounts(
    accounts: Sequence[str], policy: Policy, environment: Mapping[str, str], sshd_config: str = ""
) -> list[dict[str, Any]]:
    """Each account with its files and keys. Of all accounts, those that have neither are left out."""
    found = [read_account(name, policy, environment, sshd_config) for name in names(accounts)]
    if EVERY not in accounts:
        return found
    return [one for one in found if one["key_lines"] or one["unread"] or any(file["exists"] for file in one["files"])]


def read_account(name: str, policy: Policy, environment: Mapping[str, str], sshd_config: str) -> dict[str, Any]:
    """The keys that sshd takes for this account."""
    result: dict[str, Any] = {"account": name, "files": [], "key_lines": [], "unread": [], "notes": []}
    try:
        account = sshd_files.account(name)
        configuration = sshd_files.ask(name, environment, config=sshd_config)
        where = sshd_files.paths(configuration, account)
    except sshd_files.NotRead as error:
        return {**result, "unread": [str(error)], "configuration_known": False}
    result["configuration_known"] = configuration.known
    files = [_file(path, account, configuration) for path in where]
    keys = [line.key for _known, lines, _unread in files for line in lines if line.key is not None]
    configuration = sshd_files.with_revocations(configuration, keys)
    result["notes"] = _notes(configuration)
    for file, lines, unread in files:
        result["files"].append(file)
        result["key_lines"] += _judged(lines, file, account, configuration, policy)
        result["unread"] += unread
    return result


def _notes(configuration: Configuration) -> list[str]:
    notes = [*configuration.doubts, *configuration.besides]
    if not configuration.public_keys:
        notes.append("sshd takes no keys for this account (PubkeyAuthentication no)")
    if configuration.command:
        notes.append("AuthorizedKeysCommand gives keys too, which are in no file and not in this list")
    if configuration.authorities:
        notes.append(f"certificates of the CAs in {configuration.authorities} are let in too (TrustedUserCAKeys)")
    return notes


def _file(path: str, account: Account, configuration: Configuration) -> tuple[dict[str, Any], list[Line], list[str]]:
    """The file, its lines, and what could not be read."""
    file: dict[str, Any] = {"path": path, "exists": True, "problems": [], "unknown_lines": []}
    try:
        content = key_file.read(path)
        file["problems"] = sshd_files.problems(path, configuration, account)
    except FileNotFoundError:
        return {**file, "exists": False}, [], []
    except OSError as error:
        # If a folder above the file is closed, nobody knows if the file exists.
        return file, [], [f"{path} can't be read: {error.strerror}"]
    lines = authorized_keys.parse(content)
    file["unknown_lines"] = [{"line": line.number, "why": line.problem} for line in lines if line.problem]
    return file, lines, []


def _judged(
    lines: Sequence[Line], file: Mapping[str, Any], account: Account, configuration: Configuration, policy: Policy
) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        if line.key is not None:
            own = configuration.refuses(line.key)
            place = {"account": account.name, "file": file["path"], "line": line.number}
            found.append({**place, **judge(line.key, [*file["problems"], *([own] if own else [])], policy)})
    return found
