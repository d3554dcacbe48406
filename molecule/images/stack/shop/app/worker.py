"""The worker: says every second that it lives, and of which release it is."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psycopg
from release import RELEASE

DATABASE = os.environ["DATABASE_URL"].replace("postgresql+psycopg://", "postgresql://")
BEAT = """
insert into heartbeats (name, release, at) values ('worker', %s, now())
on conflict (name) do update set release = excluded.release, at = excluded.at
"""


def beat() -> None:
    try:
        with psycopg.connect(DATABASE, connect_timeout=2) as connection:
            connection.execute(BEAT, (RELEASE["revision"],))
    except psycopg.Error as problem:
        print(f"no heartbeat: {type(problem).__name__}", file=sys.stderr, flush=True)
    else:
        Path("/tmp/alive").touch()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        beat()
        time.sleep(1)
