# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to GitHub's API: pages, limits and errors of it, and a token that goes nowhere else.

A read that fails for the moment is repeated. A write is repeated only where GitHub says that it refused it (a limit);
where nobody knows what became of it, `Uncertain` is raised, and who called reads back before anything else is done.
"""

from __future__ import annotations

import http.client
import json
import re
import shlex
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.github import hints
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

API_VERSION = "2022-11-28"
#: A read is tried so often before its last answer counts.
READS = 5
#: A write that GitHub refused for a limit is sent so often.
WRITES = 3
#: Pages of a list; more than a repository has of anything that is read here.
PAGES = 100
#: Redirects of one read: a renamed repository, then the store of the logs.
REDIRECTS = 3
#: Bytes of one answer. A longer one is not taken for the whole of it.
LONGEST = 64 * 1024 * 1024

#: The limit that was reached, by its kind.
LIMITS = {
    hints.PRIMARY: "GitHub's limit of requests is reached, that of an hour for this token",
    hints.SECONDARY: "GitHub's limit of requests is reached, the secondary one: too many at once",
}

Json = Any
#: Ansible's open_url. The rules know no Ansible, so it is handed in.
Open = Callable[..., Any]


@dataclass(eq=False)
class GitHubError(Problem):
    """A request that GitHub did not answer as needed. status: of HTTP; 0 where there is none."""

    status: int = 0


#: The ways of answers that no setting of this repository explains.
_LATER = ("the same again", "later; githubstatus.com says if GitHub has an incident")
_ADDRESS = ("api_url", "check it, and the proxy: what answered is not GitHub's API")


class Uncertain(GitHubError):
    """A write whose answer was lost, or was an error of the server: it may have been carried out."""

    def __init__(self, text: str) -> None:
        super().__init__(
            "uncertain",
            text,
            [("the same again", "reads the present state, and does what is left")],
            touched=True,
        )


@dataclass(frozen=True)
class Reply:
    """An answer. Names of headers are in lower case. cut: it was longer than LONGEST, and the rest was not read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False

    def json(self) -> Json:
        if not self.body.strip():
            return None
        try:
            return foreign_json.loads(self.body)
        except ValueError:
            return None

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def part(text: str) -> str:
    """A name as one part of a path."""
    return quote(text, safe="")


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port that a token is for."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(parts.scheme)


_GAP = r"[ \t]{0,9}"
_VALUE = r'(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))'
_PARAMETER = rf"{_GAP};{_GAP}([\w!#$&+.^`|~*-]{{1,60}})(?:{_GAP}={_GAP}{_VALUE})?"
_LINK = re.compile(rf"[ \t,]{{0,99}}<([^<>\s]*)>((?:{_PARAMETER})*){_GAP}(?:,|\Z)")


def next_page(headers: Mapping[str, str]) -> str | None:
    """The address of the following page, by the header Link (RFC 8288); None for the last page.

    An address may have a comma, as one with a cursor. Raises ValueError for a header that can't be read: it is then
    not known if a page follows.
    """
    text, place = headers.get("link", ""), 0
    following: str | None = None
    while text[place:].strip(" \t,"):
        found = _LINK.match(text, place)
        if not found:
            raise ValueError(f"the header Link can't be read from its character {place + 1} on")
        for name, quoted, plain in re.findall(_PARAMETER, found.group(2)):
            if name.lower() == "rel" and "next" in (quoted or plain).lower().split():
                following = following or found.group(1)
        place = found.end()
    return following


def limited(reply: Reply) -> bool:
    """True if the answer is a limit, which means that the request was not carried out."""
    return reply.status in (403, 429) and bool(hints.limit(reply.status, reply.headers, reply.text()))


def pause(reply: Reply | None, attempt: int, moment: float) -> float:
    """Seconds until the next attempt: what GitHub asks for, else twice as long each time."""
    headers = reply.headers if reply else {}
    asked = headers.get("retry-after", "")
    if asked.isdigit():
        return float(asked)
    reset = headers.get("x-ratelimit-reset", "")
    if reply and limited(reply):
        if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
            # Clocks differ by about a second.
            return max(float(reset) - moment, 0) + 1
        # A secondary limit without a time: GitHub asks for a minute at least.
        return 60.0 * (1 << attempt)
    return float(1 << attempt)


def permission(headers: Mapping[str, str]) -> str:
    """The permission that a request needs, as GitHub names it: X-Accepted-GitHub-Permissions, or the scopes."""
    fine = headers.get("x-accepted-github-permissions", "").strip()
    classic = headers.get("x-accepted-oauth-scopes", "").strip()
    told = []
    if fine:
        # `a=write,b=read; c=write`: a semicolon parts alternatives.
        told.append(f"the permission {' or '.join(item.strip() for item in fine.split(';') if item.strip())}")
    if classic:
        has = headers.get("x-oauth-scopes")
        own = "" if has is None else f"; it has {has.strip() or 'none'}"
        told.append(f"one of the scopes {classic} (classic token){own}")
    return ", or ".join(told)


def complaint(body: Json) -> str:
    """The message of an error's body, in one line."""
    if not isinstance(body, Mapping):
        return ""
    said = [str(body.get("message") or "").strip().rstrip(".")]
    errors = body.get("errors")
    for error in errors if isinstance(errors, list) else [errors] if errors else []:
        if isinstance(error, Mapping):
            words = [str(error[key]) for key in ("resource", "field", "code", "message") if error.get(key)]
            said.append(" ".join(words))
        else:
            said.append(str(error).rstrip("."))
    return "; ".join(" ".join(item.split()) for item in said if item)


def refusal(method: str, path: str, reply: Reply) -> GitHubError:
    """An answer of 4xx as an error that says what to do. Pure."""
    said = complaint(reply.json()) or f"no reason ({len(reply.body)} bytes)"
    call = f"{method} {path}"
    needs = permission(reply.headers)
    status = reply.status
    known = hints.hint(status, reply.headers, said, path, reply.json())
    if known:
        return GitHubError(known.code, f"{known.cause}: {call} answered {status}, {said}", known.ways, status=status)
    if status == 401:
        return GitHubError(
            "bad_token",
            f"GitHub does not know the token: {call} answered 401, {said}",
            [("token, or GITHUB_TOKEN in the environment", "give one that is neither expired nor revoked")],
            status=status,
        )
    if status == 403:
        return GitHubError(
            "forbidden",
            f"the token may not do this: {call} answered 403, {said}",
            [
                (
                    "the token's settings",
                    f"give it {needs}" if needs else "docs/systems/github.md says which permissions each module needs",
                )
            ],
            status=status,
        )
    if status == 404:
        name = ("the name in the path", "check how it is written")
        settings = ("the token's settings", f"give it {needs}" if needs else "check that it includes this repository")
        # GitHub tells a token without the right to write that there is nothing, so a write names the token first.
        return GitHubError(
            "not_found",
            f"{call} answered 404, {said}. It does not exist, or the token "
            + ("does not see it" if method == "GET" else "may not change it"),
            ((name, settings) if method == "GET" else (settings, name)),
            status=status,
        )
    if status in (409, 422, 400):
        return GitHubError(
            "invalid",
            f"GitHub refuses what was sent: {call} answered {status}, {said}",
            [("the same again", "with what GitHub names put right; docs/systems/github.md has what each module sends")],
            status=status,
        )
    return GitHubError("failed", f"{call} answered {status}, {said}", [_LATER], status=status)


class GitHub:
    """GitHub, or GitHub Enterprise Server, with one token.

    patience: seconds that may be waited for a limit or for a server that is down, over all requests together.
    """

    def __init__(
        self,
        open_url: Open,
        api_url: str,
        token: str,
        *,
        timeout: float = 30,
        patience: float = 300,
        validate_certs: bool = True,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._open = open_url
        self._api = api_url.rstrip("/")
        self._token = token
        self._hide = Redactor([token] if token else [])
        self._timeout = timeout
        self._patience = patience
        self._validate_certs = validate_certs
        self._sleep = sleep or time.sleep
        self._clock = clock or time.time
        #: The writes that were tried, without what they sent. id: by which GitHub's support finds it.
        self.sent: list[dict[str, Any]] = []

    def hide(self, text: str) -> str:
        """A text without the token, should somebody have echoed it."""
        return self._hide(text)

    def find(self, path: str, **query: Any) -> Json | None:
        """The object at a path; None if there is nothing (404)."""
        reply = self._read(path, query)
        if _nothing(reply, path):
            return None
        return self._good("GET", path, reply).json()

    def get(self, path: str, **query: Any) -> Json:
        """The object at a path."""
        return self._good("GET", path, self._read(path, query)).json()

    def exists(self, path: str) -> bool:
        """True if a path answers 2xx rather than 404: GitHub shows some settings only so."""
        reply = self._read(path, {})
        if _nothing(reply, path):
            return False
        self._good("GET", path, reply)
        return True

    def text(self, path: str) -> str:
        """A log. It lies on another host, which does not get the token."""
        return self._good("GET", path, self._read(path, {})).text()

    def pages(self, path: str, key: str = "", **query: Any) -> Iterator[Json]:
        """The items of a list, all pages of it. key: where a page has its items, if it is not a list itself.

        Raises GitHubError where the list may be longer than what was given: a part of it is never taken for the whole.
        """
        url, asked, given, total = path, {"per_page": 100, **query}, 0, 0
        for _page in range(PAGES):
            reply = self._good("GET", path, self._read(url, asked))
            body = reply.json()
            items = body.get(key) if key and isinstance(body, Mapping) else body
            if not isinstance(items, list):
                raise GitHubError("unexpected", f"GET {path} answered no list", [_ADDRESS])
            yield from items
            given, total = given + len(items), total_of(body)
            try:
                following = next_page(reply.headers)
            except ValueError as error:
                text = f"GET {path}: {error}, so more may follow than was given"
                raise GitHubError("list_cut", text, [_LATER]) from None
            if hints.withheld(reply.headers) or following is None and given < total:
                raise _part_of(path, given, total)
            if following is None:
                return
            following = urljoin(self._url(url, {}), following)
            if origin(following) != origin(self._api):
                raise GitHubError("unexpected", f"the next page of {path} is on another host: {following}", [_ADDRESS])
            url, asked = following, {}
        fewer = ("the same again", "once the list is shorter, or with what narrows it")
        raise GitHubError("list_cut", f"GET {path} has more than {PAGES} pages", [fewer])

    def send(self, method: str, path: str, body: Json = None) -> Json:
        """A write. Raises Uncertain where nobody knows whether it was carried out."""
        for attempt in range(WRITES):
            tried: dict[str, Any] = {"request": f"{method} {path}", "status": None, "id": ""}
            self.sent.append(tried)
            try:
                reply = self._once(method, self._url(path, {}), body)
                tried.update(status=reply.status, id=reply.headers.get("x-github-request-id", ""))
            except (OSError, http.client.HTTPException) as error:
                raise Uncertain(self.hide(f"the answer to {method} {path} was lost ({_brief(error)})")) from None
            if limited(reply) and attempt + 1 < WRITES:
                self._wait(reply, attempt, f"{method} {path}")
                continue
            if reply.status >= 500:
                raise Uncertain(self.hide(f"{method} {path} answered {reply.status}, {complaint(reply.json())}"))
            if 300 <= reply.status < 400:
                # Repeating a write elsewhere is a decision of a person: the repository was renamed or given away.
                raise GitHubError(
                    "moved",
                    f"{method} {path} is answered with a redirect to {reply.headers.get('location', '')}: "
                    "the repository has another name now",
                    [("repository", "give its present name")],
                    status=reply.status,
                )
            return self._good(method, path, reply).json()
        raise AssertionError("the last attempt returns or raises")

    def _good(self, method: str, path: str, reply: Reply) -> Reply:
        if reply.status < 300:
            if reply.cut:
                raise GitHubError(
                    "too_long",
                    f"the answer to {method} {path} is longer than {LONGEST >> 20} MiB, and was not read",
                    [(f"gh api {shlex.quote(path.lstrip('/'))}", "on this machine, shows it")],
                )
            return reply
        if limited(reply):
            raise GitHubError(
                "rate_limited",
                f"{LIMITS[hints.limit(reply.status, reply.headers, reply.text())]}: {method} {path} answered "
                f"{reply.status}, {self.hide(complaint(reply.json()))}",
                [("the same later", f"{pause(reply, 0, self._clock()):.0f} s from now it may work")],
                status=reply.status,
            )
        error = refusal(method, path, reply)
        # The server's own words are in it.
        raise replace(error, text=self.hide(error.text))

    def _read(self, path: str, query: Mapping[str, Any]) -> Reply:
        attempt = 0
        while True:
            reply: Reply | None = None
            lost = ""
            try:
                reply = self._follow(self._url(path, query))
            except (OSError, http.client.HTTPException) as error:
                lost = _brief(error)
            if reply is not None and reply.status < 500 and not limited(reply):
                return reply
            attempt += 1
            if attempt == READS:
                if reply is not None:
                    return reply
                raise GitHubError(
                    "unreachable",
                    self.hide(f"{self._api} can't be reached: GET {path} failed {READS} times, {lost}"),
                    [("api_url", "check it, the proxy and the certificate")],
                )
            self._wait(reply, attempt - 1, f"GET {path}")

    def _follow(self, url: str) -> Reply:
        """A GET with its redirects. The token goes to the API's own host alone."""
        for _redirect in range(REDIRECTS + 1):
            reply = self._once("GET", url, None)
            location = reply.headers.get("location", "")
            if reply.status not in (301, 302, 303, 307, 308) or not location:
                return reply
            url = urljoin(url, location)
            if urlsplit(url).scheme not in ("http", "https"):
                raise GitHubError("unexpected", f"a redirect to {urlsplit(url).scheme}: is not followed", [_ADDRESS])
        text = f"more than {REDIRECTS} redirects, the last to {urlsplit(url).hostname}"
        raise GitHubError("unexpected", text, [_ADDRESS])

    def _once(self, method: str, url: str, body: Json) -> Reply:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": API_VERSION}
        if origin(url) == origin(self._api):
            headers["Authorization"] = f"Bearer {self._token}"
        else:
            # A store of logs refuses what it does not know.
            headers = {"Accept": "*/*"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            answer = self._open(
                url,
                data=data,
                headers=headers,
                method=method,
                timeout=self._timeout,
                validate_certs=self._validate_certs,
                http_agent="ops.runbook",
                # Redirects are followed above. Should Ansible ever follow one, it leaves the token out.
                follow_redirects="none",
                unredirected_headers=["Authorization"],
                # A ~/.netrc would put another Authorization in the token's place.
                use_netrc=False,
            )
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            content = answer.read(LONGEST + 1)
            found = {name.lower(): value for name, value in answer.headers.items()}
            status = answer.code if isinstance(answer, urllib.error.HTTPError) else answer.status
            return Reply(int(status), found, content[:LONGEST], len(content) > LONGEST)

    def _wait(self, reply: Reply | None, attempt: int, call: str) -> None:
        seconds = pause(reply, attempt, self._clock())
        if seconds > self._patience:
            status = f"answered {reply.status}" if reply else "failed"
            raise GitHubError(
                "rate_limited" if reply is not None and limited(reply) else "unavailable",
                f"{call} {status}, and GitHub asks to wait {seconds:.0f} s; patience has {self._patience:.0f} s left",
                [
                    ("the same later", f"{seconds:.0f} s from now it may work"),
                    ("patience", "seconds that a run may wait in all"),
                ],
                status=reply.status if reply else 0,
            )
        self._patience -= seconds
        self._sleep(seconds)

    def _url(self, path: str, query: Mapping[str, Any]) -> str:
        url = path if path.startswith(("http://", "https://")) else f"{self._api}/{path.lstrip('/')}"
        given = {key: value for key, value in query.items() if value not in (None, "")}
        return f"{url}?{urlencode(given)}" if given else url


def _nothing(reply: Reply, path: str) -> bool:
    """True if there is nothing, and no cause that hides it from the token."""
    body = reply.json() if reply.status == 404 else None
    return reply.status == 404 and hints.hint(404, reply.headers, complaint(body), path, body) is None


def total_of(body: Json) -> int:
    """How many items a list has by its own word; 0 where it does not say. Pure."""
    total = body.get("total_count") if isinstance(body, Mapping) else 0
    return total if isinstance(total, int) and not isinstance(total, bool) else 0


def _part_of(path: str, given: int, total: int) -> GitHubError:
    of = f" of {total}" if total > given else ""
    return GitHubError(
        "list_cut",
        f"GET {path} gave {given}{of} items: this token does not see the rest, or the list changed meanwhile",
        [
            ("the same again", "reads it anew"),
            ("the token's settings", "check that it may see all of it, with single sign-on too"),
        ],
    )


def _brief(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    return " ".join(str(reason or error or type(error).__name__).split())
