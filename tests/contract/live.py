"""A small GitHub behind Prism, as modules and playbooks reach it:

    module -> Tap -> Prism (GitHub's own description) -> the fake

Prism looks at each request on its way in and at each answer on its way out, and says in a header what is not as it is
described. The tap keeps that, and takes the header off. It can also lose a request or an answer, as a network does.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from description import proxying, slim, template_of
from github_fake import ROUTES, FakeGitHub, Handler, Store, start_run
from github_run import disguises
from whole_answer import Completer

ROOT = Path(__file__).resolve().parents[2]
MAIN = "a" * 40
#: What the commands of a deploy print.
DEPLOYED = "Running migrations.\nConfiguration cached successfully.\nBroadcasting queue restart signal.\n"

_BODY = ("requestBody", "content", "application/json", "schema", "properties")
#: What is so although the description says otherwise: operation, where the description is mended, what it says there,
#: with what it is mended, and why.
WAIVED = (
    (
        "PUT /repos/{owner}/{repo}/branches/{branch}/protection",
        (*_BODY, "required_status_checks", "required"),
        ["strict", "contexts"],
        ["strict"],
        "GitHub answers 422 to a body with contexts and checks, and takes checks alone (google/go-github issue 2976)",
    ),
    (
        "PUT /repos/{owner}/{repo}/environments/{environment_name}",
        (*_BODY, "can_admins_bypass"),
        None,
        {"type": "boolean"},
        "GitHub's own answers have it, and its settings page sets it; without it every PUT would switch the bypass on",
    ),
)
#: Statuses that GitHub gives to any request, and describes for few of them.
ANYWHERE = (400, 401, 403, 404, 422, 429, 500, 502)


@dataclass(frozen=True)
class Exchange:
    """A request that reached Prism with its answer, and what is not as described."""

    operation: str
    path: str
    status: int
    violations: tuple[str, ...]


@dataclass
class Stage:
    """url: where a module finds GitHub. lost: what the network loses next, as (method, part of the path, kind):
    `drop` loses the request, `lose` the answer."""

    description: dict[str, Any] = field(repr=False)
    url: str = ""
    prism: str = ""
    hub: FakeGitHub = field(default_factory=FakeGitHub)
    exchanges: list[Exchange] = field(default_factory=list)
    lost: list[tuple[str, str, str]] = field(default_factory=list)
    # Every write that was tried, whether it came through or not.
    tried: list[str] = field(default_factory=list)
    runs: int = 0
    store: str = ""
    handlers: tuple[Any, ...] = ()

    def fresh(self) -> FakeGitHub:
        """Another GitHub in the place of the last one, which knows nothing of it."""
        self.hub = FakeGitHub()
        # The store has another name too, as it has with GitHub.
        self.hub.url, self.hub.store_url = self.url, self.store.replace("127.0.0.1", "localhost")
        self.hub.complete = Completer(self.description).answer
        self.lost.clear()
        self.tried.clear()
        for handler in self.handlers:
            handler.hub = self.hub
        return self.hub

    def losing(self, method: str, path: str) -> str:
        for number, (known, piece, kind) in enumerate(self.lost):
            if known == method and piece in path:
                del self.lost[number]
                return kind
        return ""

    def keep(self, method: str, path: str, status: int, header: str) -> None:
        template = template_of(self.description, urlsplit(path).path)
        found = [
            f"{'.'.join(map(str, one.get('location') or ()))}: {one.get('message')}"
            for one in json.loads(header or "[]")
            if not (status in ANYWHERE and "Unable to match the returned status code" in str(one.get("message")))
        ]
        if template is None:
            found.append("GitHub's description has no such path")
        self.exchanges.append(Exchange(f"{method} {template or path}", path, status, tuple(found)))


class Upstream(Handler):
    """The fake as Prism reaches it. Prism would go where a redirect leads, so only the tap tells where that is."""

    def send_header(self, keyword: str, value: str) -> None:
        super().send_header("X-Leads-To" if keyword == "Location" else keyword, value)


class Tap(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stage: Stage

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.stage.losing(self.command, self.path)
        if self.command != "GET":
            self.stage.tried.append(f"{self.command} {self.path}")
        if kind == "drop":
            return self.hang_up()
        connection = http.client.HTTPConnection(urlsplit(self.stage.prism).netloc, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.stage.keep(self.command, self.path, answer.status, answer.headers.get("sl-violations", ""))
        if kind == "lose":
            return self.hang_up()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("sl-violations", "content-length", "transfer-encoding", "connection", "date"):
                self.send_header("Location" if name.lower() == "x-leads-to" else name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, *_arguments: Any) -> None:
        pass


def sample(pattern: str) -> str:
    """A path that a route of the fake takes."""
    for group, text in (
        ("([^/]+)", "x"),
        ("(.+)", "x"),
        ("(\\d+)", "1"),
        ("([0-9a-f]+)", "a"),
        ("(shop|site)", "shop"),
    ):
        pattern = pattern.replace(group, text)
    return pattern.replace("(example)", "example").replace("\\.", ".").removesuffix(r"\Z")


def mended(description: dict[str, Any]) -> dict[str, Any]:
    """The description with what is waived put right."""
    whole: dict[str, Any] = json.loads(json.dumps(description))
    for operation, place, described, wanted, _reason in WAIVED:
        method, path = operation.split(" ")
        found = whole["paths"][path][method.lower()]
        for key in place[:-1]:
            found = found[key]
        assert found.get(place[-1]) == described, f"{operation} says otherwise of {place[-1]} by now: {found}"
        found[place[-1]] = wanted
    return whole


@contextmanager
def staged(prism: Path, description: dict[str, Any], folder: Path) -> Iterator[Stage]:
    templates = {template_of(description, sample(pattern.pattern)) for _method, pattern, _function in ROUTES}
    assert None not in templates
    document = folder / "live.json"
    document.write_text(json.dumps(mended(slim(description, {one for one in templates if one}))))
    stage = Stage(description)
    stage.handlers = tuple(
        type("Bound", (kind,), {"hub": stage.hub, "stage": stage}) for kind in (Upstream, Store, Tap)
    )
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in stage.handlers]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    upstream, stage.store, stage.url = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    try:
        with proxying(prism, document, upstream, instead=False) as stage.prism:
            yield stage
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


Played = subprocess.CompletedProcess[str]


def surroundings(token: str) -> dict[str, str]:
    """The environment of a run: the token in it, and nothing of Ansible's that a person has set here."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("ANSIBLE_", "GH_", "GITHUB_"))}
    # The callback of the checkout says less.
    ours = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
    ours["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    return {**kept, **ours, "ANSIBLE_NOCOLOR": "1", "GITHUB_TOKEN": token}


def play(
    stage: Stage,
    playbook: str | Path,
    *arguments: str,
    token: str | None = None,
    environ: Mapping[str, str] | None = None,
    verbose: bool = True,
    **inputs: Any,
) -> Played:
    """A run, with all that Ansible can be made to say unless it is told otherwise. The token is nowhere in it."""
    token = stage.hub.token if token is None else token
    github = {"repository": "example/shop", "github_api_url": stage.url, "github_patience": 0}
    # The history is of no repository, and takes none.
    given = inputs if playbook == "operation_history.yml" else {**github, **inputs}
    command = [Path(sys.executable).parent / "ansible-playbook", ROOT / "playbooks" / playbook, "-i", os.devnull]
    done = subprocess.run(
        [*map(str, command), "-e", json.dumps(given), *(["-vvv", "--diff"] if verbose else []), *arguments],
        cwd=ROOT,
        env={**surroundings(token), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    stage.runs += 1
    for secret in {token, stage.hub.token} - {""}:
        assert not [form for form in disguises(secret) if form in done.stdout + done.stderr]
    return done


def book(folder: Path, *tasks: dict[str, Any]) -> Path:
    """A playbook of these tasks."""
    path = folder / "book.yml"
    path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]))
    return path


def green(hub: FakeGitHub, workflow: str, ref: str, log: str = "") -> None:
    """A run that has succeeded."""
    hub.workflows.setdefault(workflow, {"id": 6 + len(hub.workflows)})
    run = start_run(hub, workflow, ref, "push")
    run.update(status="completed", conclusion="success", course=[])
    hub.logs[run["id"] * 10] = log
