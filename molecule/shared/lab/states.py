"""A state of the hosts is made once in a run of tests: by the host that needs it first; the others copy it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

#: The run of tests that all workers of xdist share.
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex


def once(record: Path, host: str, folder: str, make: Callable[[], None], run: str = RUN) -> bool:
    """Bring a folder of states onto a host. Returns True if it was copied from the host that has it.

    record: the file that names the run and the host that made the state; while one host makes it, the others wait.
    make: makes it on this host, if no host of this run has it, or the one that had it has it no longer.
    """
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.open("a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        made_by, _, owner = handle.read().partition(" ")
        if made_by == run and owner != host and _copied(owner, host, folder):
            return True
        make()
        handle.truncate(0)
        handle.write(f"{run} {host}")
    return False


def _copied(owner: str, host: str, folder: str) -> bool:
    """Copy a folder from one host to another, with every time and mode; False if the owner has it no longer."""
    parent, _, name = folder.rpartition("/")
    # The usual format of tar has whole seconds.
    pack = ["docker", "exec", owner, "tar", "--format=posix", "-C", parent, "-c", name]
    unpack = (
        f"rm -rf {folder} {parent}/copied; mkdir {parent}/copied; tar -x -p -C {parent}/copied"
        f" && mv {parent}/copied/{name} {folder}; code=$?; rm -rf {parent}/copied; exit $code"
    )
    with subprocess.Popen(pack, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as packing:
        found = subprocess.run(
            ["docker", "exec", "-i", host, "bash", "-c", unpack], stdin=packing.stdout, capture_output=True, check=False
        )
    whole = packing.returncode == 0 and found.returncode == 0
    if not whole:
        subprocess.run(["docker", "exec", host, "rm", "-rf", folder], check=True)
    return whole
