"""A host with a PostgreSQL cluster, on which restore drills are set up."""

from __future__ import annotations

import json
from typing import Any

from lab import HOSTS, WORKER, Run, counted_reset
from postgres_lab import REPOSITORY, Database

STATE = "/var/lib/ops-runbook/shop-drill"
FOLDER = "/var/lib/postgres-drill/shop"
#: Hosts on which this session installed the program.
_SET_UP: set[str] = set()


class Drilled(Database):
    """The records are those of the drills."""

    state = STATE

    @counted_reset()
    def reset(self, state: str = "") -> None:
        super().reset(state)
        if self.name not in _SET_UP:
            run = self.set_up()
            assert run.green, run.text
            _SET_UP.add(self.name)

    def set_up(self, **inputs: Any) -> Run:
        return self.play("postgres_drill_setup", ansible_user="admin", **inputs)

    def drill(self, *options: str, **inputs: Any) -> Run:
        return self.play("postgres_restore_drill", *options, **inputs)

    def beat(self) -> None:
        """Write a heartbeat, and have it archived."""
        self.sql("INSERT INTO heartbeat VALUES (now())")
        self.write()

    def rungs(self) -> dict[str, tuple[str, str]]:
        """Verdict and text of each rung of the last report."""
        report = json.loads(self.root(f"cat {STATE}/last_drill.json"))
        return {one["rung"]: (one["verdict"], one["text"]) for one in report["rungs"]}

    def left(self) -> str:
        """Whatever there is of a drill: folders, processes and units."""
        return self.root(
            f"find {FOLDER} -mindepth 1 -maxdepth 1; pgrep -u postgres-drill -l;"
            " systemctl list-units --plain --no-legend 'postgres-drill-*'",
            check=False,
        )

    def stored(self) -> list[str]:
        """The files of the repository, by path and size."""
        return self.root(f"find {REPOSITORY} -type f -printf '%P %s\\n' | sort").splitlines()


def one_host() -> Drilled:
    """The host of this worker."""
    return Drilled(HOSTS[int(WORKER.removeprefix("gw")) % len(HOSTS)])
