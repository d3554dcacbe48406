"""Every request that the modules of GitHub send, held against GitHub's own description by Prism.

The modules' own tests are run and their exchanges with the fake recorded: what was sent, and what the fake
answered. Each is then sent again through Prism, whose upstream gives the recorded answer. So the description judges the
requests, and the fake as well.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from description import DESCRIPTION, proxying, slim, template_of

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache/contract"
#: Tests of modules. Those of the client send what no module does.
ELSEWHERE = ("test_client", "test_playbooks")
RECORDED = sorted(path for path in ROOT.glob("tests/unit/github/test_*.py") if path.stem not in ELSEWHERE)
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/github_*.py"))

Exchange = dict[str, Any]


def signature(exchange: Exchange) -> str:
    """The parts that make an exchange another one: everything but random values."""
    body = exchange["body"]
    if isinstance(body, dict) and "encrypted_value" in body:
        body = {**body, "encrypted_value": "sealed"}
    text = json.dumps([exchange["method"], exchange["url"], body, exchange["status"], exchange["answer"]])
    return re.sub(r"\b[0-9a-f]{24,40}\b", "hex", text)


@pytest.fixture(scope="session")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    record = tmp_path_factory.mktemp("contract") / "exchanges.jsonl"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *map(str, RECORDED)],
        cwd=ROOT,
        env={**os.environ, "GITHUB_FAKE_RECORD": str(record)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:]
    found = [json.loads(line) for line in record.read_text().splitlines()]
    return list({signature(one): one for one in found}.values())


class Replay(BaseHTTPRequestHandler):
    """Gives the answer of the exchange whose number the request carries."""

    exchanges: list[Exchange]

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        number = self.headers.get("X-Exchange")
        exchange = self.exchanges[int(number)] if number else {"status": 404, "answer": {}}
        content = b"" if exchange["answer"] is None else json.dumps(exchange["answer"]).encode()
        self.send_response(exchange["status"])
        if content:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        # Without Location: Prism would go where it leads, and judge what it finds there.
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_arguments: Any) -> None:
        pass


class _Still(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def through(prism_url: str, number: int, exchange: Exchange) -> tuple[int, Any]:
    """Prism's answer about an exchange: the recorded answer, or a document with violations."""
    data = None if exchange["body"] is None else json.dumps(exchange["body"]).encode()
    headers = {
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "Authorization": "Bearer x",
        "X-Exchange": str(number),
        **({"Content-Type": "application/json"} if data else {}),
    }
    request = urllib.request.Request(prism_url + exchange["url"], data, headers, method=exchange["method"])
    try:
        with urllib.request.build_opener(_Still).open(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            content = error.read()
        try:
            return error.code, json.loads(content or b"null")
        except ValueError:
            return error.code, content.decode()


def violations(said: Any) -> list[dict[str, Any]]:
    """Violations that Prism found, or its failure."""
    if not isinstance(said, dict) or not {"type", "title", "status", "detail"} <= said.keys():
        return []
    return list(said.get("validation") or [{"location": ["?"], "code": said["type"], "message": said.get("detail")}])


#: What is so although the description says otherwise: part of the operation, part of the violation, the reason.
WAIVED = (
    (
        "PUT /repos/{owner}/{repo}/environments/{environment_name}",
        "can_admins_bypass",
        "GitHub's own answers have it, and its settings page sets it. It is read back, so a server without it "
        "is seen; without it every PUT would switch the bypass on",
    ),
    (
        "PUT /repos/{owner}/{repo}/branches/{branch}/protection",
        "contexts",
        "GitHub answers 422 to a body with contexts and checks, and takes checks alone: google/go-github issue 2976 "
        "and pull request 2276, ossf/allstar issue 155, sigmavirus24/github3.py issue 1112",
    ),
)
#: The fake answers with what the modules read, and not with all that GitHub sends.
ABRIDGED = ("required", "anyOf", "oneOf")


@dataclass(frozen=True)
class Judged:
    """An exchange with what is wrong in its request, and in the fake's answer."""

    operation: str
    exchange: Exchange
    request: tuple[str, ...]
    answer: tuple[str, ...]


def judge(operation: str, exchange: Exchange, said: Any) -> Judged:
    request, answer = [], []
    for one in violations(said):
        place = [str(part) for part in one.get("location") or ()]
        text = f"{'.'.join(place)}: {one.get('message')}"
        if place[:1] == ["response"]:
            answer += [text] if one.get("code") not in ABRIDGED else []
        elif not any(wanted == operation and part in text for wanted, part, _reason in WAIVED):
            request.append(text)
    return Judged(operation, exchange, tuple(request), tuple(answer))


@pytest.fixture(scope="session")
def described(
    exchanges: list[Exchange], prism: tuple[Path, dict[str, Any]]
) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Prism's address, and the path of the description for each address."""
    command, description = prism
    templates = {one["url"]: template_of(description, one["url"].partition("?")[0]) for one in exchanges}
    document = CACHE / "slim.json"
    document.write_text(json.dumps(slim(description, {one for one in templates.values() if one})))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Replay,), {"exchanges": exchanges}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with proxying(command, document, f"http://127.0.0.1:{server.server_address[1]}") as url:
            yield url, templates
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def judged(exchanges: list[Exchange], described: tuple[str, dict[str, str | None]]) -> list[Judged]:
    url, templates = described
    return [
        judge(f"{one['method']} {templates[one['url']]}", one, through(url, number, one)[1])
        for number, one in enumerate(exchanges)
    ]


def told(found: list[Judged], side: str) -> str:
    return "\n".join(
        f"{one.operation} ({one.exchange['module']}): {text}"
        for one in found
        for text in dict.fromkeys(getattr(one, side))
    )


def test_every_request_is_one_that_github_describes(
    judged: list[Judged], described: tuple[str, dict[str, str | None]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert [url for url, template in described[1].items() if template is None] == []
    assert told(judged, "request") == ""
    operations = {one.operation for one in judged}
    modules = {one.exchange["module"] for one in judged}
    assert sorted(modules) == MODULES
    with capfd.disabled():
        print(
            f"\n{len(judged)} exchanges of {len(modules)} modules: {len(operations)} operations of "
            f"GitHub's description {DESCRIPTION}, {len(WAIVED)} waived"
        )


def test_the_stand_in_answers_as_github_would(judged: list[Judged]) -> None:
    assert told(judged, "answer") == ""


def test_each_waiver_is_still_needed(exchanges: list[Exchange], described: tuple[str, dict[str, str | None]]) -> None:
    url, templates = described
    for wanted, part, _reason in WAIVED:
        asked = [
            (number, one)
            for number, one in enumerate(exchanges)
            if f"{one['method']} {templates[one['url']]}" == wanted
        ]
        assert any(part in str(violations(through(url, number, one)[1])) for number, one in asked)


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ("PUT /repos/{owner}/{repo}/branches/{branch}/protection", {"enforce_admins": "perhaps"}),
        ("PUT /repos/{owner}/{repo}/branches/{branch}/protection", {"restrictions": ...}),
        ("PUT /repos/{owner}/{repo}/branches/{branch}/protection", {"required_status_checks": {"checks": []}}),
        ("POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches", {"ref": ...}),
        ("POST /repos/{owner}/{repo}/git/refs", {"sha": ...}),
        ("POST /repos/{owner}/{repo}/rulesets", {"target": "everything"}),
        ("PUT /repos/{owner}/{repo}/environments/{environment_name}", {"wait_timer": "long"}),
    ],
)
def test_a_wrong_request_is_seen(
    exchanges: list[Exchange],
    described: tuple[str, dict[str, str | None]],
    operation: str,
    change: dict[str, Any],
) -> None:
    """The judge does not pass everything: a value of another type, or one left out, is a violation."""
    url, templates = described
    number, found = next(
        (number, one) for number, one in enumerate(exchanges) if f"{one['method']} {templates[one['url']]}" == operation
    )
    body = {key: value for key, value in {**found["body"], **change}.items() if value is not ...}
    wrong = {**found, "body": body}
    assert judge(operation, wrong, through(url, number, wrong)[1]).request
