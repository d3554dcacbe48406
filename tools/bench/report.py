"""The tables, and docs/proof/performance.md around them."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from lab import ROOT
from rich.console import Console
from rich.table import Table as RichTable

PAGE = ROOT / "docs/proof/performance.md"
# What each part measured last: a part can be measured again without the others.
KEPT = ROOT / ".cache/bench.json"
LOAD = ROOT / ".cache/load.json"
STRATEGY_TITLES = {"in_place": "in place", "releases": "releases", "maintenance": "in place, in maintenance mode"}


@dataclass(frozen=True)
class Table:
    """A table, as it is printed and as it is written."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def show(self, console: Console) -> None:
        shown = RichTable(title=self.title, title_justify="left")
        for number, name in enumerate(self.head):
            shown.add_column(name, justify="left" if number in (0, len(self.head) - 1) else "right")
        for row in self.rows:
            shown.add_row(*row)
        console.print(shown)

    def markdown(self) -> str:
        marks = ["---" if number in (0, len(self.head) - 1) else "---:" for number in range(len(self.head))]
        lines = [self.head, marks, *self.rows]
        return f"### {self.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def spread(seconds: Sequence[float]) -> tuple[str, str]:
    """Median, and least to most."""
    return f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f} to {max(seconds):.2f}"


def ratio(seconds: Sequence[float], base: Sequence[float] | None) -> str:
    """Of the medians."""
    return f"{statistics.median(seconds) / statistics.median(base):.2f}" if base else ""


def keep(part: str, rounds: int, tables: Sequence[Table], versions: Mapping[str, str]) -> None:
    kept = kept_parts()
    kept[part] = {
        "rounds": rounds,
        "date": _today(),
        "tables": [asdict(table) for table in tables],
        "versions": dict(versions),
    }
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")


def kept_parts() -> dict[str, Any]:
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def _today() -> str:
    return subprocess.run(["date", "-u", "+%Y-%m-%d"], capture_output=True, text=True, check=True).stdout.strip()


def versions(pyinfra: str) -> dict[str, str]:
    """Of what was measured with."""
    engine = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False
    )
    return {
        "ansible-core": version("ansible-core"),
        "Python": platform.python_version(),
        "pyinfra": pyinfra or "not installed",
        "Docker": engine.stdout.strip(),
    }


def load_table() -> Table | None:
    """A table of the requests of molecule/load."""
    if not LOAD.exists():
        return None
    rows = []
    for name, seen in json.loads(LOAD.read_text()).items():
        reasons = ", ".join(f"{count} {reason}" for reason, count in seen["reasons"].items())
        rows.append(
            (
                STRATEGY_TITLES.get(name, name),
                str(seen["requests"]),
                f"{seen['rate']:.0f}",
                str(seen["changes"]),
                str(seen["lost"]) + (f" ({reasons})" if reasons else ""),
                str(seen["away"]),
                str(seen["wrong"]),
                f"{seen['window']:.2f}",
                f"{seen['p50'] * 1000:.0f} / {seen['p99'] * 1000:.0f} / {seen['longest'] * 1000:.0f}",
            )
        )
    head = ("releases are kept", "requests", "a second", "changes", "lost", "503 with Retry-After", "wrong release",
            "window s", "latency ms, median / 99 % / longest")  # fmt: skip
    return Table("Requests during deploys and rollbacks", head, tuple(rows))


TEXTS = {
    "one": """\
The same host goes from v1.7.0 to v1.1.0, by the seven commands of the runbook or by our procedure. In between it is
reset: code, database, ledger, and a php-fpm that is just reloaded and has served a few requests. No contestant reuses
a connection of the run before. After each run, a request from outside shows the release that the site serves: the
runbook does not reload php-fpm, so OPcache still serves the release that the rollback left.""",
    "fleet": """\
The same on several hosts at once. Both playbooks have the same number of forks. Our procedure changes one host first,
and the others once that one is verified. Controller and hosts share the cores of one machine here, so the work of the
hosts weighs as much as that of the controller.""",
    "refuse": """\
The time from the command to the refusal on the screen, beside a run of `ansible-playbook` with one `ping`, the least
that Ansible needs to reach a host. Another operation, which is at work, holds the lease.""",
    "interrupted": """\
The module of a rollback gets a SIGKILL in the step before its last one. The time is that of the next run, until the
service is verified.""",
    "stack": """\
One host with an engine, a registry, PostgreSQL and four services goes from `sha-c0ffee1` to `sha-c0ffee2` and back.
Neither has a migration to run. The script of the runbook ends when its health check answers for the first time; our
procedure ends when the gate has seen all containers healthy and several good answers. The runbook's rollback runs
here without `alembic downgrade -1`, with which it fails (`molecule/compose/tests/test_runbook.py`). Requests come at
a steady 40 a second, in runs of their own that are not timed. Requests are refused after Compose has stopped the old
backend and before the new one listens: both ways stop and start the same containers.""",
    "load": """\
Requests come at a steady rate while the host is rolled back and deployed to, back and forth. The rate does not wait
for answers, and latency counts from the moment a request was due. A request is *lost* where the connection fails, the
time is up, or the status is neither 200 nor that of the maintenance page. *Wrong release* is an answer of the old
release after one of the new release, or an answer of neither, such as old code with the new configuration. The window
is the longest time that one change disturbed requests: from the first that was lost, turned away or wrong to the
last. Fewer than 150 requests a second mean that the machine was too slow for the rate; the latency then includes the
waiting for it.

In place, the checkout and the caches change under the running code. A request may get either release until php-fpm
has been reloaded. The reload lets requests in flight end first, and others wait meanwhile. In maintenance mode every
request between `down` and `up` is turned away, over two more runs, but no answer comes from a mixture of both
releases.""",
}
HEADINGS = {
    "one": "One host",
    "fleet": "Several hosts",
    "refuse": "Refusals",
    "interrupted": "After an interrupted run",
    "stack": "A stack under Compose",
    "load": "Load",
}


def write_page() -> None:
    """docs/proof/performance.md, from what was measured last of each part."""
    parts = kept_parts()
    measured = {name: value for part in parts.values() for name, value in part["versions"].items()}
    lines = [
        "<!-- Written by `make bench`. Changes are made in tools/bench/report.py. -->\n",
        "# Performance\n",
        "This page shows the cost of a rollback beside that of the commands that a person would type, the time to a\n"
        "refusal, and the effect on requests.\n",
        f"Measured on {os.cpu_count()} cores, with hosts that are containers on the same machine (systemd, sshd,\n"
        "nginx, php-fpm, Laravel 10 on Debian 13). The contestants of a table take turns, round by round, in one\n"
        "run; the tables show medians. Seconds differ from machine to machine, ratios less so.\n",
        "With " + ", ".join(f"{name} {value}" for name, value in measured.items()) + ".\n",
        "    make bench                                      all of it, and this page\n"
        "    .venv/bin/python tools/bench/bench.py --help    rounds, hosts, single parts\n",
        "CPU seconds are user and system time on the controller, without those of the open ssh connection.\n"
        "Memory is the most that the command and its children had at once; pages that processes share count once.\n"
        "It is measured in a run that is not timed.\n",
    ]
    for name, heading in HEADINGS.items():
        lines.append(f"## {heading}\n")
        lines.append(TEXTS[name] + "\n")
        if name not in parts:
            lines.append("Not measured yet.\n")
            continue
        part = parts[name]
        lines += [Table(table["title"], tuple(table["head"]), tuple(map(tuple, table["rows"]))).markdown()
                  for table in part["tables"]]  # fmt: skip
        rounds = f", rounds: {part['rounds']}" if name != "load" else ""
        lines.append(f"{part['date']}{rounds}.\n")
    PAGE.write_text("\n".join(lines))
