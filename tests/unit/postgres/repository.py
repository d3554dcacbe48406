"""Listings of repositories, as `pgbackrest repo-ls --recurse --output json` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres.archive import Archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres.wal import USUAL_SIZE

#: Times of the files begin here, a minute apart.
BEGIN = 1_796_000_000


def wal_name(timeline: int, number: int, size: int = USUAL_SIZE) -> str:
    return f"{timeline:08X}{number * size >> 32:08X}{number % (2**32 // size):08X}"


def stored(name: str, digest: str = "a") -> str:
    """The path of a WAL file in the repository."""
    return f"17-1/{name[:16]}/{name}-{digest * 40}.gz"


def listing(names: Iterable[str]) -> str:
    """names: of WAL files, or paths below the folder of the cluster."""
    found: dict[str, object] = {".": {"type": "path"}, "17-1": {"type": "path"}, "archive.info": {"type": "file"}}
    for at, name in enumerate(names):
        path = name if "/" in name else stored(name)
        found[path.rpartition("/")[0]] = {"type": "path"}
        found[path] = {"type": "file", "size": 16384, "time": BEGIN + 60 * at}
    return json.dumps(found)


def archived(*spans: tuple[int, range], besides: Iterable[str] = (), size: int = USUAL_SIZE) -> Archive:
    """An archive with the WAL files of these numbers on these timelines, and with other paths."""
    names = [wal_name(timeline, number, size) for timeline, numbers in spans for number in numbers]
    return archive.of_listing(listing([*names, *besides]), "17-1", size)
