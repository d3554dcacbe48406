"""The text that a person reads in a run, and the state of a host after the one command."""

from __future__ import annotations

import hashlib
import json
import time

from interrupted import code, typed
from lab import APP, STATE, Lab
from stories import GREETER

__all__ = ["chained", "code", "expired", "left", "settled", "start", "typed"]


def start(lab: Lab, *tags: str) -> None:
    """Bring the host to a release with its ledger; the first time by adoption and deploys."""
    if not lab.comes_back(*tags):
        lab.at(*tags)


def expired(lab: Lab) -> bool:
    """Tell if the time of the lease on a host is over, by the kernel's count, which containers share."""
    lease = json.loads(lab.root(f"cat {STATE}/lease.json"))
    return time.clock_gettime(time.CLOCK_BOOTTIME) > float(lease["expires_uptime"])


def chained(lab: Lab) -> bool:
    """True if each record holds the hash of the line before it."""
    head = "0" * 64
    for line in lab.root(f"cat {STATE}/ledger.jsonl").splitlines():
        if json.loads(line)["previous_hash"] != head:
            return False
        head = hashlib.sha256(line.encode()).hexdigest()
    return True


def left(lab: Lab) -> str:
    """Files that an operation without an end leaves in the state folder."""
    return lab.root(f"cd {STATE}; ls lease.json journal.jsonl 2>/dev/null", check=False)


def settled(lab: Lab, release: str, *outcomes: str) -> None:
    """The site answers on the release, the ledger is whole and ends so, and nothing is held or left."""
    status, body = lab.get("/api/v1/health")
    told = f"{lab.name}: {status} {body}"
    assert (status, f"v{body.get('version')}", body.get("greeter")) == (200, release, GREETER[release]), told
    assert lab.commit() == lab.id(release)
    assert lab.deploy(f"git -C {APP} status --porcelain --untracked-files=no") == ""
    found = [record["outcome"] for record in lab.ledger()]
    assert tuple(found[len(found) - len(outcomes) :]) == outcomes, found
    assert chained(lab)
    assert left(lab) == ""
