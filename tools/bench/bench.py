"""A rollback, side by side with what a person would do instead, in one run and in turn.

Makes its hosts, measures, prints the tables, writes docs/proof/performance.md, and removes the hosts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "molecule/shared/lab"))

import report
import stack
from contestants import CONTESTANTS, Contestant, ping, provide_pyinfra, rollback
from hosts import Fleet, Host, say
from lab import ROOT, STATE, operator_environment
from measure import Row, Sample, run, run_watched
from report import STRATEGY_TITLES, Table, ratio, spread
from rich.console import Console
from strategies import STRATEGIES

START = ("v1.0.0", "v1.1.0", "v1.7.0")
AHEAD = ("v1.0.0", "v1.1.0", "v1.2.0")
TARGET = "v1.1.0"

# Runs on a host: kills the module as soon as the journal shows that the last step but one has begun.
CUT = """
import json, os, pwd, time
deploy = pwd.getpwnam("deploy").pw_uid
def events():
    try:
        lines = open("%s/journal.jsonl").read().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            pass
    return found
def begun():
    plan = [event["plan"] for event in events() if event.get("event") == "plan"]
    if not plan:
        return ""
    step = plan[-1]["steps"][-2:][0]["id"]
    return step if any(e.get("event") == "begin" and e.get("step") == step for e in events()) else ""
def modules():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name = open("/proc/" + pid + "/comm").read().strip()
            if name.startswith("python3") and os.stat("/proc/" + pid).st_uid == deploy:
                yield int(pid)
        except OSError:
            pass
until = time.monotonic() + 60
while time.monotonic() < until:
    step = begun()
    if step:
        for pid in modules():
            os.kill(pid, 9)
        print(step)
        break
    time.sleep(0.0005)
"""


class Bench:
    """The measurements on one fleet."""

    def __init__(self, fleet: Fleet, rounds: int, pyinfra: str) -> None:
        self.fleet = fleet
        self.rounds = rounds
        self.pyinfra = pyinfra
        self.states: set[str] = set()
        self.target = ""

    def state(self, strategy: str) -> None:
        """All hosts know the state from which a rollback starts."""
        if strategy not in self.states:
            self.fleet.keep(strategy, strategy, *START)
            self.states.add(strategy)
        self.target = self.target or self.fleet.hosts[0].lab.id(TARGET)

    def run(self, command: Sequence[str], expect: int = 0) -> Sample:
        sample = run(command, self.fleet.environment, ROOT)
        if sample.code != expect:
            raise SystemExit(f"{' '.join(command)} ended with {sample.code}:\n{sample.output}")
        return sample

    def rollbacks(self, hosts: Sequence[Host]) -> list[Table]:
        """All contestants on these hosts."""
        contestants = [one for one in CONTESTANTS if one.name != "pyinfra" or self.pyinfra]
        for strategy in dict.fromkeys(one.state for one in contestants):
            self.state(strategy)
        rows = {one.name: Row() for one in contestants}
        for number in range(self.rounds + 1):
            for one in contestants:
                self.fleet.restore(one.state, hosts)
                command = one.command(self.fleet, hosts, self.target)
                if number == 0:
                    # The first round warms up, and is watched for memory.
                    rows[one.name].peak = run_watched(command, self.fleet.environment, ROOT)
                    continue
                rows[one.name].samples.append(self.run(command))
                rows[one.name].served.append(self.fleet.served(hosts))
            say(f"{len(hosts)} hosts: round {number} of {self.rounds}")
        count = "one host" if len(hosts) == 1 else f"{len(hosts)} hosts"
        head = ("rollback", "median s", "least to most", "to naive", "CPU s", "memory MiB", "then the site serves",
                "with it comes")  # fmt: skip
        shown = [self._row(one, rows.get(one.name), rows["naive"]) for one in CONTESTANTS]
        return [Table(f"Rollback of {count}", head, tuple(shown))]

    def _row(self, one: Contestant, row: Row | None, naive: Row) -> tuple[str, ...]:
        if row is None:
            return (one.title, "could not be installed", *[""] * 5, one.remark)
        seconds = [sample.seconds for sample in row.samples]
        served = sorted(set(row.served))
        right = served == [TARGET.removeprefix("v")]
        return (
            one.title,
            *spread(seconds),
            ratio(seconds, [sample.seconds for sample in naive.samples]),
            spread([sample.cpu for sample in row.samples])[0],
            f"{row.peak / 2**20:.0f}",
            ", ".join(served) if right else f"**{', '.join(served)}**, the old code",
            one.remark,
        )

    def refusals(self) -> list[Table]:
        """How long a refusal takes: on one host each, so that nothing has to be put back."""
        spare = iter(self.fleet.hosts)
        plain = next(spare)
        # A state is made on all hosts: all of them before the first host gets the one that it is to have.
        for strategy in STRATEGIES:
            self.state(strategy)
        self.fleet.restore("in_place", [plain])
        cases = [("ping", ping(self.fleet, [plain]), "")]
        for strategy in STRATEGIES:
            held, ahead, unknown = next(spare), next(spare), next(spare)
            title = STRATEGY_TITLES[strategy]
            self.fleet.restore(strategy, [held, unknown])
            self.fleet.keep(f"ahead-{strategy}", strategy, *AHEAD, hosts=[ahead])
            self._hold(held, strategy)
            for case, host, to, code in (
                ("lease held", held, TARGET, "lease_held"),
                ("migrations ahead", ahead, TARGET, "migrations_ahead"),
                ("unknown release", unknown, "v9.9.9", "unknown_release"),
            ):
                command = rollback(self.fleet, [host], strategy, to=to)
                cases.append((f"{case}, {title}", command, code))
        rows = {name: Row() for name, _, _ in cases}
        for number in range(self.rounds + 1):
            for name, command, code in cases:
                self.fleet.disconnect()
                sample = self.run(command, expect=2 if code else 0)
                if code and f"({code})" not in sample.output:
                    raise SystemExit(f"{name}: expected {code}:\n{sample.output}")
                if number:
                    rows[name].samples.append(sample)
            say(f"refusals: round {number} of {self.rounds}")
        base = [sample.seconds for sample in rows["ping"].samples]
        shown = []
        for name, row in rows.items():
            seconds = [sample.seconds for sample in row.samples]
            title = "`ansible-playbook` with one ping" if name == "ping" else name
            shown.append((title, *spread(seconds), ratio(seconds, base)))
        return [Table("Time to refuse", ("refusal", "median s", "least to most", "to ping"), tuple(shown))]

    def _hold(self, host: Host, strategy: str) -> None:
        """An operation that is at work: its gate waits for a health that never comes, its controller is gone."""
        never = [{"name": "never", "url": "http://127.0.0.1/api/v1/health", "status": 418}]
        command = rollback(
            self.fleet, [host], strategy, to=TARGET, laravel_health=never, laravel_health_deadline=7200,
            laravel_health_interval=3600,
        )  # fmt: skip
        begun = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.fleet.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + 60
        while host.lab.version() != TARGET.removeprefix("v"):
            if begun.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"no operation could be kept at work on {host.name}")
            time.sleep(0.2)
        os.killpg(begun.pid, 9)
        begun.wait()

    def interruptions(self) -> list[Table]:
        """A rollback whose module was killed, gone on with and undone."""
        host = self.fleet.hosts[0]
        rows: dict[str, list[float]] = {}
        for strategy in STRATEGIES:
            self.state(strategy)
        for number in range(self.rounds):
            for strategy in STRATEGIES:
                for way, version in (("resume", TARGET), ("undo", START[-1])):
                    step = self._interrupt(host, strategy)
                    self.fleet.disconnect()
                    sample = self.run(rollback(self.fleet, [host], strategy, interrupted=way))
                    if host.lab.version() != version.removeprefix("v"):
                        raise SystemExit(f"{way} did not bring {version}:\n{sample.output}")
                    title = f"`interrupted={way}`, {STRATEGY_TITLES[strategy]}, cut off in `{step}`"
                    rows.setdefault(title, []).append(sample.seconds)
            say(f"interruptions: round {number + 1} of {self.rounds}")
        by_hand = "by hand: nothing says which of the commands ran; all of them again, and nothing verifies"
        shown = [(name, *spread(seconds), "verified by the health gate") for name, seconds in rows.items()]
        shown += [(name, "", "", by_hand) for name in ("ssh script", "naive playbook", "pyinfra")]
        head = ("from an interrupted run to a verified service", "median s", "least to most", "")
        return [Table("After a SIGKILL of the module", head, tuple(shown))]

    def _interrupt(self, host: Host, strategy: str) -> str:
        """Cut a rollback off; the step in which it happened."""
        for _ in range(3):
            self.fleet.restore(strategy, [host])
            with subprocess.Popen(
                ["docker", "exec", "-i", host.name, "python3", "-c", CUT % STATE], stdout=subprocess.PIPE, text=True
            ) as cutter:
                ended = run(rollback(self.fleet, [host], strategy, to=self.target), self.fleet.environment, ROOT)
                step = cutter.communicate()[0].strip()
            if ended.code and step and f"cut off in step '{step}" in ended.output:
                return step
        raise SystemExit(f"the rollback could not be cut off:\n{ended.output}")

    def load(self) -> list[Table]:
        """The tests of molecule/load, on the first host."""
        environment = {
            **operator_environment(),
            "LAB_INVENTORY": str(self.fleet.inventory),
            "LAB_HOSTS": self.fleet.hosts[0].name,
            "LOAD_REQUESTS": "5000",
        }
        say("load: requests over rollbacks and deploys")
        done = run(["pytest", "-q", "-p", "no:cacheprovider", "molecule/load/tests"], environment, ROOT)
        if done.code:
            raise SystemExit(done.output)
        table = report.load_table()
        return [table] if table else []


def main() -> None:
    parts = tuple(report.HEADINGS)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds that are timed (default 7)")
    parser.add_argument("--hosts", type=int, default=10, help="hosts of the larger fleet (default 10)")
    parser.add_argument("--only", choices=parts, action="append", help="measure this part; may be given again")
    given = parser.parse_args()
    # The tools of the environment that this runs in, also where it is not activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    chosen = [part for part in parts if not given.only or part in given.only]
    needed = {"fleet": given.hosts, "refuse": 1 + 3 * len(STRATEGIES)}
    pyinfra = provide_pyinfra()
    console = Console(width=170 if not sys.stdout.isatty() else None)

    def measured(part: str, tables: list[Table]) -> None:
        report.keep(part, given.rounds, tables, report.versions(pyinfra))
        for table in tables:
            table.show(console)

    on_laravel = [part for part in chosen if part != "stack"]
    if on_laravel:
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            fleet = Fleet(Path(folder), max(needed.get(part, 1) for part in on_laravel))
            with fleet.up():
                bench = Bench(fleet, given.rounds, pyinfra)
                work: dict[str, Callable[[], list[Table]]] = {
                    "one": lambda: bench.rollbacks(fleet.hosts[:1]),
                    "fleet": lambda: bench.rollbacks(fleet.hosts[: given.hosts]),
                    "refuse": bench.refusals,
                    "interrupted": bench.interruptions,
                    "load": bench.load,
                }
                for part in on_laravel:
                    measured(part, work[part]())
    if "stack" in chosen:
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            host = stack.Stack(Path(folder))
            with host.up():
                measured("stack", stack.measure(host, given.rounds))
    report.write_page()
    console.print(f"written: {report.PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
