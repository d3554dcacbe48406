# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys under which the records of a ledger are found again without reading all of it.

A key is a kind and a name. The newest record of a key counts, and the first one for the kinds in FIRST.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record

#: The record of an operation, by its id.
RECORD = "record"
#: An operation that is named: as a record's own, as a resumed one, or as the one that made a backup.
OPERATION = "operation"
#: A release that a record names at any of its ends.
RELEASE = "release"
#: A release that an operation brought, adopted or went back to with success.
ARRIVED = "arrived"
#: The digest of an image at any of a record's ends.
IMAGE = "image"
#: A release that is made of images, by its id.
IMAGES = "images"
#: The same where the operation succeeded: by its id, by its name, and by the digest of one of its images.
BROUGHT = "brought"
BROUGHT_AS = "brought as"
BROUGHT_IMAGE = "brought image"
#: A release whose migrations a good operation wrote down.
MIGRATIONS = "migrations"
#: A procedure and an outcome, such as `restore/succeeded`.
ENDED = "ended"
#: A step and a key whose value it changed with success, such as `write_env/API_TOKEN`.
ROTATED = "rotated"
#: A key of ssh that a rotation put in, by its fingerprint.
PUT_IN = "put in"
#: An item of maintenance and a period in which something became of it, such as `prune/2026-W48`.
ITEM = "item"
#: A hotfix that went live: LATEST, which has the earlier ones whose merges were due, and each by its commit.
HOTFIX = "hotfix"
LATEST = "latest"
#: A backup, by its id.
BACKUP = "backup"

#: Of these kinds the first record counts.
FIRST = (OPERATION, PUT_IN)

#: Procedures after which a release has arrived.
ARRIVALS = ("deploy", "adopt", "rollback")

#: The sides of a record that name a release.
_ENDS = ("from", "to", "left")


class Key(NamedTuple):
    """A key by which a record is found. order: place of the key among those of its record."""

    kind: str
    name: str
    order: int = 0

    @property
    def hashed(self) -> bytes:
        return hashed(self.kind, self.name)


# A record names again what the one before it named. Of an old ledger of 100,000 records a third of the keys is of that.
@lru_cache(maxsize=1024)
def hashed(kind: str, name: str) -> bytes:
    """16 bytes for a key. The last bit says whether the first record of it counts."""
    found = hashlib.sha256(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).digest()
    return found[:15] + bytes(((found[15] & 0xFE) | (kind in FIRST),))


def first_counts(key: bytes) -> bool:
    """True if the first record of a hashed key counts, and not the newest."""
    return bool(key[-1] & 1)


def of(record: Record) -> list[Key]:
    """All keys of a record."""
    succeeded = record.get("outcome") == "succeeded"
    procedure, target = str(record.get("procedure")), _mapping(record.get("to"))
    notes = {str(name): note for name, note in _mapping(record.get("notes")).items() if isinstance(note, Mapping)}
    found = [Key(RECORD, str(record.get("id"))), Key(ENDED, f"{procedure}/{record.get('outcome')}")]
    found += [Key(OPERATION, name, order) for order, name in enumerate(operations(record))]
    ends = [_mapping(record.get(end)) for end in _ENDS]
    found += [Key(RELEASE, str(end["id"])) for end in ends if end.get("id")]
    found += [Key(IMAGE, digest) for end in ends for digest in digests(end)]
    release = str(target.get("id") or "")
    if target.get("images"):
        found.append(Key(IMAGES, str(target.get("id"))))
    if succeeded and target.get("images"):
        found += [Key(BROUGHT, str(target.get("id"))), Key(BROUGHT_AS, str(target.get("name")))]
        found += [Key(BROUGHT_IMAGE, digest) for digest in digests(target)]
    if succeeded and release and procedure in ARRIVALS:
        found.append(Key(ARRIVED, release))
    if succeeded and release and "known" in notes.get("migrations", {}):
        found.append(Key(MIGRATIONS, release))
    if succeeded and release and procedure == "rotate" and _is_moment(record.get("finished")):
        found.append(Key(PUT_IN, release))
    for name, note in notes.items():
        found += [Key(ROTATED, f"{name}/{key}") for key in (_mapping(note.get("keys")) if succeeded else ())]
        if note.get("backup"):
            found.append(Key(BACKUP, str(note["backup"])))
    if succeeded and _mapping(record.get("facts")).get("hotfix"):
        found.append(Key(HOTFIX, LATEST))
    if procedure == "maintenance":
        periods = periods_of(_day(record.get("finished")))
        found += [Key(ITEM, f"{name}/{period}") for name in notes for period in periods]
    return list(dict.fromkeys(found))


def operations(record: Record) -> Iterator[str]:
    """The operations that a record names, those of backups first."""
    for note in reversed(list(_mapping(record.get("notes")).values())):
        if isinstance(note, Mapping) and note.get("backup"):
            made_by = str(note["backup"]).split("-before")[0]
            if made_by:
                yield made_by
    for field in ("saved_as", "continues", "id"):
        if record.get(field):
            yield str(record[field])


def digests(release: Mapping[str, Any]) -> Iterable[str]:
    """The digests of the images of a recorded release."""
    images = _mapping(release.get("images")).values() if "images" in release else ()
    return [str(image.get("digest")) for image in images if isinstance(image, Mapping)]


def periods_of(day: date | None) -> tuple[str, ...]:
    """The week (of ISO 8601), the month and the quarter of a day, as text."""
    if day is None:
        return ()
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}", f"{day.year}-{day.month:02d}", f"{day.year}-Q{(day.month - 1) // 3 + 1}"


def _day(text: Any) -> date | None:
    try:
        return datetime.strptime(str(text)[:19], "%Y-%m-%dT%H:%M:%S").date()
    except ValueError:
        return None


def _is_moment(text: Any) -> bool:
    try:
        datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return False
    return True


def _mapping(value: Any) -> Mapping[str, Any]:
    # In JSON it is a dict, which is recognised in a tenth of the time that an abstract class takes.
    return value if isinstance(value, (dict, Mapping)) else {}
