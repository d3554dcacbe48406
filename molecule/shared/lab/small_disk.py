"""A file system of a few megabytes under a folder of a host, so that it gets full."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lab import Host

_UNDER = "/srv/lab/under"


@contextlib.contextmanager
def small_disk(host: Host, folder: str, megabytes: int, services: str = "", keep: bool = False) -> Iterator[None]:
    """A file system of its own, with what was in the folder, for as long as the block.

    services: the units that stand in the folder; they are stopped while it is taken away. keep: what was written into
    it stays in the folder, but for files that are called `filler`.
    """
    copied = f"set -e; rm -rf {_UNDER}; cp -a {folder} {_UNDER}; "
    host.root(
        f"{copied}mount -t tmpfs -o size={megabytes}m tmpfs {folder}; cp -a {_UNDER}/. {folder}/; "
        f"chown --reference={_UNDER} {folder}; chmod --reference={_UNDER} {folder}"
    )
    try:
        yield
    finally:
        stop, start = (f"systemctl stop {services}; ", f"systemctl start {services}") if services else ("", ":")
        away, back = f"{stop}umount -l {folder}; ", start
        if keep:
            host.root(f"mount -o remount,rw {folder}", check=False)
            back = f"find {folder} -mindepth 1 -delete; cp -a {_UNDER}/. {folder}/; {back}"
            host.root(f"find {folder} -name filler -delete; {copied}{away}{back}")
        else:
            host.root(f"{away}{back}")
