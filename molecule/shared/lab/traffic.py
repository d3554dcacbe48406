"""Requests at a steady rate while somebody works on the host, and what became of each.

The rate is kept whatever the answers do (an open loop), and latency counts from the moment a request was due: a site
that stands still for a second is seen by every request of that second, not by the one that waits.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from waiting import END

RATE = 150.0
TIMEOUT = 10.0
# More than that waits here, and its latency counts all the same: on a machine too slow for the rate, the site's own
# queue would otherwise grow until the health gate of the procedure, which stands in it too, gives up.
IN_FLIGHT = 50
# The health route says which release answered; every fifth request asks one that reads the database.
ROUTES = ("/api/v1/health", "/api/v1/health", "/api/v1/health", "/api/v1/health", "/api/v1/orders")


@dataclass(frozen=True)
class Release:
    """The release that an answer names: a constant of the code, and the commit in the cached config."""

    version: str
    commit: str


@dataclass(frozen=True)
class Answer:
    """One request. Times are seconds since the traffic began.

    status: 0 where no HTTP answer came. release: where the route says it. away: 503 with Retry-After, as
    maintenance mode answers.
    """

    due: float
    sent: float
    ended: float
    status: int
    release: Release | None = None
    away: bool = False
    error: str = ""

    @property
    def lost(self) -> bool:
        return self.status != 200 and not self.away


@dataclass(frozen=True)
class Change:
    """An operation: when it ran, and the releases before and after it."""

    name: str
    began: float
    ended: float
    old: Release
    new: Release


@dataclass(frozen=True)
class Observed:
    """The traffic during one change.

    wrong: the old release after an answer of the new one had come, or one that is neither. window: seconds since the
    change began, of the first and the last request that was lost, wrong or turned away. switched: the first answer of
    the new release.
    """

    change: Change
    requests: int
    lost: tuple[Answer, ...]
    wrong: tuple[Answer, ...]
    away: tuple[Answer, ...]
    switched: float | None

    @property
    def window(self) -> tuple[float, float] | None:
        bad = [*self.lost, *self.wrong, *self.away]
        if not bad:
            return None
        return min(a.sent for a in bad) - self.change.began, max(a.ended for a in bad) - self.change.began


@dataclass(frozen=True)
class Report:
    """The whole traffic: each change, and all answers together. behind: how late the sender itself ever was."""

    changes: tuple[Observed, ...]
    total: int
    p50: float
    p99: float
    longest: float
    behind: float
    rate: float

    @property
    def lost(self) -> list[Answer]:
        return [answer for seen in self.changes for answer in seen.lost]

    @property
    def wrong(self) -> list[Answer]:
        return [answer for seen in self.changes for answer in seen.wrong]

    @property
    def away(self) -> list[Answer]:
        return [answer for seen in self.changes for answer in seen.away]

    @property
    def window(self) -> float:
        """Seconds of the longest disturbance that one change made."""
        return max((seen.window[1] - seen.window[0] for seen in self.changes if seen.window), default=0.0)

    def reasons(self) -> dict[str, int]:
        """How often each kind of failure came."""
        counted: dict[str, int] = {}
        for answer in self.lost:
            reason = answer.error or f"status {answer.status}"
            counted[reason] = counted.get(reason, 0) + 1
        return counted

    def figures(self) -> dict[str, object]:
        """Figures for the documentation."""
        return {
            "requests": self.total,
            "rate": round(self.rate, 1),
            "changes": len(self.changes),
            "lost": len(self.lost),
            "reasons": self.reasons(),
            "wrong": len(self.wrong),
            "away": len(self.away),
            "window": round(self.window, 3),
            "p50": round(self.p50, 4),
            "p99": round(self.p99, 4),
            "longest": round(self.longest, 3),
            "behind": round(self.behind, 3),
        }


def judge(answers: Sequence[Answer], changes: Sequence[Change]) -> Report:
    """Hold every answer against the changes; there is at least one of both, and changes don't overlap."""
    spans = [change.began for change in changes]
    # What was sent before the first change is held against it too: only its old release is right then.
    mine: list[list[Answer]] = [[] for _ in changes]
    for answer in answers:
        mine[max(0, sum(began <= answer.sent for began in spans) - 1)].append(answer)
    seen = tuple(
        _observe(change, group, changes[number + 1] if number + 1 < len(changes) else None)
        for number, (change, group) in enumerate(zip(changes, mine))
    )
    good = sorted(answer.ended - answer.due for answer in answers if answer.status == 200)
    seconds = max(answer.sent for answer in answers) - min(answer.sent for answer in answers)
    return Report(
        changes=seen,
        total=len(answers),
        p50=statistics.median(good) if good else math.inf,
        p99=good[max(0, math.ceil(len(good) * 0.99) - 1)] if good else math.inf,
        longest=good[-1] if good else math.inf,
        behind=max(answer.sent - answer.due for answer in answers),
        rate=(len(answers) - 1) / seconds if seconds else 0.0,
    )


def _observe(change: Change, answers: Sequence[Answer], following: Change | None) -> Observed:
    told = [answer for answer in answers if answer.status == 200 and answer.release is not None]
    # Only a request that was sent after an answer of the new release had come must not be answered by the old one:
    # of two that are under way at once, either may come first.
    switched = min((a.ended for a in told if a.release == change.new and a.sent >= change.began), default=None)

    def right(answer: Answer) -> bool:
        if answer.release == change.new:
            return answer.sent >= change.began
        if answer.release == change.old:
            return switched is None or answer.sent < switched
        return following is not None and answer.release == following.new and answer.ended > following.began

    return Observed(
        change=change,
        requests=len(answers),
        lost=tuple(answer for answer in answers if answer.lost),
        wrong=tuple(answer for answer in told if not right(answer)),
        away=tuple(answer for answer in answers if answer.away),
        switched=None if switched is None else switched - change.began,
    )


def published_port(host: str) -> int:
    """The port of this machine at which a host of the lab answers HTTP."""
    done = subprocess.run(["docker", "port", host, "80/tcp"], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0].rpartition(":")[2])


@dataclass
class Traffic:
    """`with Traffic(port) as traffic:` asks from the first line of the block to its end."""

    port: int
    rate: float = RATE
    timeout: float = TIMEOUT
    answers: list[Answer] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def __enter__(self) -> Traffic:
        self._origin = time.monotonic()
        self._over = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._must_send()

    def now(self) -> float:
        return time.monotonic() - self._origin

    def _must_send(self) -> None:
        if self._problem:
            raise RuntimeError("the traffic broke off") from self._problem

    @contextmanager
    def change(self, name: str, old: Release, new: Release) -> Iterator[None]:
        """Note that the block takes the host from one release to the other."""
        began = self.now()
        yield
        self._must_send()
        self.changes.append(Change(name, began, self.now(), old, new))

    def settle(self, enough: Callable[[], bool] = lambda: True, seconds: float = 0.5, limit: float = END) -> None:
        """Let it run on for a while, so that what comes after a change is seen too."""
        began = self.now()
        while self.now() < began + seconds or not enough():
            self._must_send()
            if self.now() > began + limit:
                raise TimeoutError(f"what was waited for did not come within {limit:g} s")
            time.sleep(0.05)

    def report(self) -> Report:
        return judge(self.answers, self.changes)

    def _run(self) -> None:
        try:
            asyncio.run(self._send())
        except BaseException as problem:
            self._problem = problem

    async def _send(self) -> None:
        room, asked, number = asyncio.Semaphore(IN_FLIGHT), set[asyncio.Task[None]](), 0
        while not self._over.is_set():
            due = number / self.rate
            await asyncio.sleep(max(0.0, due - self.now()))
            await room.acquire()
            task = asyncio.create_task(self._ask(ROUTES[number % len(ROUTES)], due, room))
            asked.add(task)
            task.add_done_callback(asked.discard)
            number += 1
        await asyncio.gather(*asked)

    async def _ask(self, route: str, due: float, room: asyncio.Semaphore) -> None:
        sent = self.now()
        try:
            raw = await asyncio.wait_for(self._exchange(route), self.timeout)
            status, release, away, error = read(raw)
        except (OSError, asyncio.TimeoutError) as problem:
            status, release, away = 0, None, False
            error = "timeout" if isinstance(problem, asyncio.TimeoutError) else f"connection: {type(problem).__name__}"
        finally:
            room.release()
        self.answers.append(Answer(due, sent, self.now(), status, release, away, error))

    async def _exchange(self, route: str) -> bytes:
        """A connection of its own for each request, as a new visitor has: a refused one is seen."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET {route} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n".encode())
            return await reader.read(-1)
        finally:
            writer.close()


def read(raw: bytes) -> tuple[int, Release | None, bool, str]:
    """Status, release, whether it is the maintenance page, and what is wrong with the answer itself."""
    if not raw:
        return 0, None, False, "connection: closed without an answer"
    head, _, body = raw.partition(b"\r\n\r\n")
    try:
        status = int(head.split(b" ", 2)[1])
    except (IndexError, ValueError):
        return 0, None, False, "no HTTP answer"
    if status != 200:
        return status, None, status == 503 and b"\nretry-after:" in head.lower(), ""
    try:
        said = json.loads(body)
    except ValueError:
        # Its status promised an answer that did not come to its end.
        return 0, None, False, "answer cut off"
    if isinstance(said, dict) and "version" in said:
        return status, Release(str(said["version"]), str(said.get("release"))), False, ""
    return status, None, False, ""
