"""Lost and wrong answers: the load tests rely on this judgement."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from traffic import Answer, Change, Release, Traffic, judge, read

OLD, NEW, NEWER, OTHER = (Release(f"1.{number}.0", str(number) * 40) for number in range(4))
MIXED = Release(OLD.version, NEW.commit)
FIRST = Change("first", 1.0, 3.0, OLD, NEW)
SECOND = Change("second", 4.0, 6.0, NEW, NEWER)


def answer(sent: float, release: Release | None, ended: float | None = None, **more: object) -> Answer:
    given = {"due": sent, "sent": sent, "ended": sent + 0.1 if ended is None else ended, "status": 200, **more}
    return Answer(release=release, **given)  # type: ignore[arg-type]


GOOD = [answer(0.0, OLD), answer(2.0, OLD), answer(2.2, NEW), answer(3.5, NEW), answer(4.5, NEW), answer(5.0, NEWER)]

WRONG = {
    "nothing": ([], 0),
    "the old release after the new one was seen": ([answer(2.4, OLD)], 1),
    "the old release to a request that was under way with the first of the new one": ([answer(2.25, OLD)], 0),
    "a release that is neither": ([answer(2.1, OTHER)], 1),
    "old code with the new configuration": ([answer(2.1, MIXED)], 1),
    "the new release before the change": ([answer(0.5, NEW)], 1),
    "the release before the last change": ([answer(5.5, OLD)], 1),
    "the next release to a request that waited into its change": ([answer(3.9, NEWER, ended=5.2)], 0),
    "the next release before its change": ([answer(3.5, NEWER)], 1),
    "a route that does not say its release": ([answer(2.4, None)], 0),
    "an error page": ([answer(2.4, None, status=500)], 0),
}


@pytest.mark.parametrize(("more", "expected"), WRONG.values(), ids=WRONG)
def test_wrong_release(more: list[Answer], expected: int) -> None:
    assert len(judge([*GOOD, *more], [FIRST, SECOND]).wrong) == expected


LOST = {
    "answered": (answer(2.0, OLD), 0, 0),
    "error of the server": (answer(2.0, None, status=502), 1, 0),
    "no answer": (answer(2.0, None, status=0, error="timeout"), 1, 0),
    "not found": (answer(2.0, None, status=404), 1, 0),
    "503 without Retry-After": (answer(2.0, None, status=503), 1, 0),
    "maintenance page": (answer(2.0, None, status=503, away=True), 0, 1),
}


@pytest.mark.parametrize(("one", "lost", "away"), LOST.values(), ids=LOST)
def test_lost_and_turned_away(one: Answer, lost: int, away: int) -> None:
    report = judge([*GOOD, one], [FIRST, SECOND])
    assert (len(report.lost), len(report.away), report.total) == (lost, away, len(GOOD) + 1)


def test_window_is_from_the_first_to_the_last_that_was_disturbed() -> None:
    bad = [answer(2.0, None, status=502), answer(2.1, MIXED), answer(2.3, None, ended=2.8, status=0, error="timeout")]
    report = judge([*GOOD, *bad], [FIRST, SECOND])
    assert report.changes[0].window == pytest.approx((1.0, 1.8))
    assert report.changes[1].window is None
    assert report.window == pytest.approx(0.8)
    assert report.reasons() == {"status 502": 1, "timeout": 1}


def test_latency_counts_from_the_moment_a_request_was_due() -> None:
    report = judge([*GOOD, answer(2.5, NEW, ended=2.6, due=1.5)], [FIRST, SECOND])
    assert report.longest == pytest.approx(1.1)
    assert report.behind == pytest.approx(1.0)


READ = {
    "release": (
        b'HTTP/1.1 200 OK\r\nA: b\r\n\r\n{"version":"1.1.0","release":"abc"}',
        (200, Release("1.1.0", "abc"), False, ""),
    ),
    "other route": (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n[1]", (200, None, False, "")),
    "maintenance": (b"HTTP/1.1 503 X\r\nRetry-After: 60\r\n\r\nx", (503, None, True, "")),
    "overload": (b"HTTP/1.1 503 X\r\nA: b\r\n\r\nRetry-After: 60", (503, None, False, "")),
    "body cut off": (b'HTTP/1.1 200 OK\r\nA: b\r\n\r\n{"vers', (0, None, False, "answer cut off")),
    "closed": (b"", (0, None, False, "connection: closed without an answer")),
    "not HTTP": (b"hello", (0, None, False, "no HTTP answer")),
}


@pytest.mark.parametrize(("raw", "expected"), READ.values(), ids=READ)
def test_reading_an_answer(raw: bytes, expected: object) -> None:
    assert read(raw) == expected


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"version": OLD.version, "release": OLD.commit}).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_every_request_is_recorded_also_those_that_nobody_answers() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with Traffic(server.server_port, rate=200) as traffic:
            with traffic.change("nothing", OLD, OLD):
                traffic.settle(lambda: len(traffic.answers) >= 20, seconds=0.0, limit=10.0)
            server.shutdown()
            thread.join()
            server.socket.close()
            with traffic.change("closed", OLD, OLD):
                # On a busy machine some that were due before it are answered only now.
                seen = len(traffic.answers)
                traffic.settle(lambda: len(traffic.answers) >= seen + 200, seconds=0.0, limit=20.0)
    report = traffic.report()
    assert report.total == len(traffic.answers)
    assert len(report.changes[1].lost) >= 20
    assert all(reason.startswith("connection: ") for reason in report.reasons())
    assert [answer.status for answer in traffic.answers[:20]] == [200] * 20


def test_a_problem_of_the_sender_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(asyncio, "sleep", broken)
    with pytest.raises(RuntimeError, match="broke off"):
        with Traffic(1) as traffic:
            traffic.settle(lambda: False, limit=10.0)
