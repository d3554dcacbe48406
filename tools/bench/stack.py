"""A stack under Compose: the runbook's commands over ssh, and ours, in turn on one host."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from compose_lab import COMPOSE, REGISTRY, ComposeLab, tag
from hosts import Hosts, Kind, say
from lab import ROOT
from measure import Sample, run
from report import Table, ratio, spread
from traffic import Observed, Release, Traffic, judge

KIND = Kind(
    "compose",
    ROOT / "inventories/compose",
    {
        "lab_image": "compose",
        "lab_capabilities": ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"],
        "lab_secrets": ["registry-password"],
    },
)
OLD, NEW = "good", "good2"
# Fewer than against Laravel: engine, database, four services and the controller share two cores here.
RATE = 40.0
RUN = f"docker compose --progress quiet -f {COMPOSE}"
# A person asks until it answers; a script that asks once would fail while the backend starts.
VERIFY = "until curl -sf -o /dev/null http://localhost/api/v1/health; do sleep 0.1; done"
# What our deploy has pinned has a digest after its tag.
PIN = "sed -Ei 's/{old}(@sha256:[0-9a-f]+)?/{new}/' " + COMPOSE
DEPLOY = (
    PIN,
    f"{RUN} pull --quiet",
    # Else it would read the rest of the script that comes on standard input.
    f"{RUN} run --rm -T backend alembic upgrade head </dev/null",
    f"{RUN} up -d --remove-orphans",
    "docker image prune -f",
    VERIFY,
)
# Without its step back: that one fails wherever there is something to undo.
ROLLBACK = (PIN, f"{RUN} pull --quiet", f"{RUN} up -d --remove-orphans", VERIFY)


class Stack(Hosts):
    """One host with the shop."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 1, KIND)
        self.host = self.hosts[0]
        self.lab = ComposeLab(self.host.name)
        self.releases: dict[str, Release] = {}

    def prepare(self) -> None:
        """Both states from which there is something to do, and what each release says of itself."""
        for names in ((OLD,), (OLD, NEW)):
            say(f"bringing the stack to {names[-1]}")
            self.lab.at(*names)
            body = self.lab.get("/api/v1/health")[1]
            self.releases[names[-1]] = Release(body["version"], body["release"])

    def restore(self, *names: str) -> None:
        """Back to a state, with the operator logged in to the registry as the runbook takes for granted."""
        self.lab.at(*names)
        self.lab.deploy(
            f"docker login --username ops --password-stdin {REGISTRY} <<'END' >/dev/null\n{self.lab.password()}\nEND"
        )
        self.disconnect()


@dataclass(frozen=True)
class Way:
    """A way to change the release. command: what is typed on the controller."""

    title: str
    remark: str
    command: Callable[[Stack], list[str]]


@dataclass
class Seen:
    """All runs of one way. disturbed: what the requests of each run under traffic saw."""

    samples: list[Sample] = field(default_factory=list)
    disturbed: list[Observed] = field(default_factory=list)


def by_hand(name: str, lines: tuple[str, ...], old: str, new: str) -> Callable[[Stack], list[str]]:
    def command(stack: Stack) -> list[str]:
        script = stack.folder / f"{name}.sh"
        commands = "\n".join(["set -e", "cd /srv/shop", *lines])
        script.write_text(commands.replace("{old}", tag(old)).replace("{new}", tag(new)) + "\n")
        options = (
            f"-i {stack.keys}/id_ed25519 -o UserKnownHostsFile={stack.keys}/known_hosts "
            "-o IdentitiesOnly=yes -o StrictHostKeyChecking=yes"
        )
        return ["bash", "-c", f"ssh {options} -p {stack.host.ssh_port} deploy@127.0.0.1 bash -s < {script}"]

    return command


def ours(procedure: str, **given: str) -> Callable[[Stack], list[str]]:
    def command(stack: Stack) -> list[str]:
        typed = [part for item in given.items() for part in ("-e", json.dumps(dict([item])))]
        return ["ansible-playbook", *stack.options(stack.hosts), f"playbooks/{procedure}.yml", *typed]

    return command


GUARD = "lease, plan, images proven by digest, journal, health gate, ledger"
WAYS: dict[str, tuple[tuple[str, ...], str, tuple[Way, ...]]] = {
    "deploy": (
        (OLD,),
        NEW,
        (
            Way("the runbook's commands over ssh", "no plan, no record", by_hand("deploy", DEPLOY, OLD, NEW)),
            Way("compose_deploy", GUARD, ours("compose_deploy", to=tag(NEW))),
        ),
    ),
    "rollback": (
        (OLD, NEW),
        OLD,
        (
            Way("the runbook's commands over ssh", "no look at migrations", by_hand("rollback", ROLLBACK, NEW, OLD)),
            Way("compose_rollback", GUARD, ours("compose_rollback")),
        ),
    ),
}


def measure(stack: Stack, rounds: int) -> list[Table]:
    """Each way in turn: timed with nobody asking, and once more a round with requests at a steady rate."""
    stack.prepare()
    return [_table(stack, procedure, rounds) for procedure in WAYS]


def _table(stack: Stack, procedure: str, rounds: int) -> Table:
    start, goal, ways = WAYS[procedure]
    seen = {way.title: Seen() for way in ways}
    for number in range(rounds + 1):
        for way in ways:
            sample = _timed(stack, way, start, goal)
            # The first round warms up.
            if number:
                seen[way.title].samples.append(sample)
                seen[way.title].disturbed.append(_under_traffic(stack, way, start, goal))
        say(f"stack, {procedure}: round {number} of {rounds}")
    base = [sample.seconds for sample in seen[ways[0].title].samples]
    head = (procedure, "median s", "least to most", "to the runbook", "CPU s", "requests lost",
            "seconds of refused requests", "with it comes")  # fmt: skip
    return Table(f"A stack: {procedure}", head, tuple(_row(way, seen[way.title], base) for way in ways))


def _row(way: Way, seen: Seen, base: list[float]) -> tuple[str, ...]:
    seconds = [sample.seconds for sample in seen.samples]
    lost = sum(len(observed.lost) for observed in seen.disturbed)
    asked = sum(observed.requests for observed in seen.disturbed)
    return (
        way.title,
        *spread(seconds),
        ratio(seconds, base),
        spread([sample.cpu for sample in seen.samples])[0],
        f"{lost} of {asked}",
        f"{statistics.median(map(refused, seen.disturbed)):.2f}",
        way.remark,
    )


def refused(observed: Observed) -> float:
    """Seconds from the first request that was lost to the end of the last one."""
    if not observed.lost:
        return 0.0
    return max(answer.ended for answer in observed.lost) - min(answer.sent for answer in observed.lost)


def _run(stack: Stack, way: Way, goal: str) -> Sample:
    sample = run(way.command(stack), stack.environment, ROOT)
    served = stack.lab.version()
    if sample.code or served != stack.releases[goal].version:
        raise SystemExit(f"{way.title}: ended with {sample.code} and serves {served}:\n{sample.output}")
    return sample


def _timed(stack: Stack, way: Way, start: tuple[str, ...], goal: str) -> Sample:
    stack.restore(*start)
    return _run(stack, way, goal)


def _under_traffic(stack: Stack, way: Way, start: tuple[str, ...], goal: str) -> Observed:
    stack.restore(*start)
    old, new = stack.releases[start[-1]], stack.releases[goal]
    with Traffic(stack.host.http_port, rate=RATE) as traffic:
        traffic.settle(seconds=1.0)
        with traffic.change(way.title, old, new):
            _run(stack, way, goal)
        traffic.settle(seconds=2.0)
    return judge(traffic.answers, traffic.changes).changes[0]
