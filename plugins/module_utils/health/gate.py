# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health gate: ask once, ask until it holds.

A check is plain data, a result is plain data. An unhealthy service is a result with a reason; only a check
that cannot be understood raises.
"""

from __future__ import annotations

import base64
import html
import json as jsonlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, Callable, Union
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.health.blame import RELEASE, SURROUNDINGS, Fault
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import (
    SECRET_LENGTH,
    Check,
    HealthCheckError,
    Patience,
    display_url,
    parse_headers,
    require_rounds,
)
from ansible_collections.ops.runbook.plugins.module_utils.health.fetch import (
    BODY_LIMIT,
    Answer,
    Deadline,
    Unreachable,
    fetch,
)
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor, without_login
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import shown

EXCERPT = 200
RELEASE_PREFIX = 7
#: Between two looks at a slow machine an answer may take this many times as long, whatever the release.
SWAY = 2.0
#: An answer that is right, but too slow: only the answer before the change can tell whose fault that is.
SPEED = "speed"

_MISSING = object()
_LOGIN = re.compile(r"(log|sign)[-_]?in\b|/(auth|sso|oauth2?|cas)\b", re.IGNORECASE)
# The values of these headers are not secret, and hiding "application/json" would spoil an excerpt.
_PUBLIC_HEADERS = frozenset(
    ("accept", "accept-language", "cache-control", "content-type", "host", "origin", "referer", "user-agent")
)
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Result:
    """Result of one check. C(reason) is empty when, and only when, the check is satisfied.

    C(about): the cause of the reason, release or surroundings; empty without a reason, and before C(against) ran.
    C(warnings): what a person should know of a check that is satisfied.
    """

    name: str
    url: str
    ok: bool
    status: int | None = None
    seconds: float = 0.0
    request_id: str | None = None
    release: str | None = None
    reason: str = ""
    tls_days: int | None = None
    attempts: int = 1
    about: str = ""
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "warnings": list(self.warnings)}


#: The release that must be reported; several ids where each of them names it.
Expected = Union[str, tuple[str, ...], None]


def probe(check: Check, expected_release: Expected = None, extra_headers: Mapping[str, str] | None = None) -> Result:
    """Ask once. Never follows a redirect, never uses a proxy, never takes longer than C(check.timeout)."""
    headers = {**check.headers, **parse_headers(extra_headers or {}, "extra_headers")}
    deadline = Deadline(check.timeout)
    try:
        answer = fetch(check, headers, deadline)
    except Unreachable as error:
        return Result(
            name=check.name,
            url=display_url(check.url),
            ok=False,
            status=error.status,
            seconds=round(deadline.elapsed(), 3),
            reason=cleaned(str(error), redactor_of(check, headers), 1000),
            about=error.about,
        )
    return evaluate(check, answer, expected_release, headers)


# --- judging an answer -----------------------------------------------------------------------------


def redactor_of(check: Check, headers: Mapping[str, str]) -> Redactor:
    """Takes what the request held out of what is reported: a debugging server echoes its request."""
    secrets: set[str] = set()
    for name, value in headers.items():
        if name.lower() not in _PUBLIC_HEADERS:
            secrets.update([value, *value.split()[1:], *re.findall(r"=\s*([^;,\s]+)", value)])
            secrets.update(_basic_credentials(value))
    secrets.update(_leaves(check.body))
    secrets.update(value for _key, value in parse_qsl(urlsplit(check.url).query))
    return Redactor(secrets, SECRET_LENGTH, "***")


def cleaned(text: str, redactor: Redactor, limit: int = EXCERPT) -> str:
    """A text of the other side in one line, without secrets, cut to so many letters."""
    text = " ".join(shown(redactor(text)).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _basic_credentials(value: str) -> Iterator[str]:
    scheme, _space, rest = value.partition(" ")
    if scheme.lower() == "basic":
        try:
            plain = base64.b64decode(rest, validate=True).decode("utf-8")
        except ValueError:
            return
        yield plain
        yield plain.partition(":")[2]


def _leaves(body: Any) -> Iterator[str]:
    if isinstance(body, Mapping):
        for value in body.values():
            yield from _leaves(value)
    elif isinstance(body, (list, tuple)):
        for value in body:
            yield from _leaves(value)
    elif isinstance(body, str):
        yield body
        yield from (value for _key, value in parse_qsl(body))
    elif isinstance(body, (int, float)) and not isinstance(body, bool):
        yield str(body)


def evaluate(
    check: Check,
    answer: Answer,
    expected_release: Expected = None,
    headers: Mapping[str, str] | None = None,
) -> Result:
    """Hold an answer against its check. Pure."""
    redactor = redactor_of(check, headers if headers is not None else check.headers)
    document, json_problem = _document(answer)
    release = _reported_release(check, answer, document)
    about, warnings = "", []
    if answer.status not in check.status:
        problems = [_status_problem(check, answer, redactor)]
    else:
        problems = list(_content_problems(check, answer, document, json_problem, redactor))
        wrong = list(_release_problems(check, release, expected_release, redactor))
        about = RELEASE if wrong else ""
        problems += wrong
        if check.max_seconds is not None and answer.seconds > check.max_seconds:
            about = about if problems else SPEED
            problems.append(f"answers in {answer.seconds:.2f} s, the limit is {check.max_seconds:g} s")
    if answer.tls_days is not None and answer.tls_days < check.tls_min_days:
        # No release changes it, and a change that is taken back renews none.
        warnings.append(f"the certificate ends in {answer.tls_days} days, at least {check.tls_min_days} are asked for")
    request_id = _request_id(check, answer, document)
    return Result(
        name=check.name,
        url=display_url(check.url),
        ok=not problems,
        status=answer.status,
        seconds=round(answer.seconds, 3),
        request_id=cleaned(request_id, redactor, 128) if request_id else None,
        release=cleaned(release, redactor, 128) if release else None,
        reason="; ".join(problems),
        tls_days=answer.tls_days,
        about=about,
        warnings=tuple(warnings),
    )


def against(result: Result, before: Mapping[str, Any] | None) -> Result:
    """Hold an answer against the answer of the same endpoint just before the change. Pure.

    A slow answer passes, with a warning, where it was too slow before and is not much slower now. A failure is about
    the surroundings where the endpoint failed in the same way before, and where a release can't cause it.
    """
    if result.ok:
        return replace(result, about="")
    if before is None:
        return replace(result, about=RELEASE if result.about in ("", RELEASE) else SURROUNDINGS)
    if result.about == SPEED:
        return _slow(result, before)
    if result.about == SURROUNDINGS:
        return replace(result, about=RELEASE if before.get("ok") else SURROUNDINGS)
    same = result.about != RELEASE and not before.get("ok") and before.get("status") == result.status
    if not same or before.get("about") == SPEED:
        return replace(result, about=RELEASE)
    return replace(result, about=SURROUNDINGS, reason=f"{result.reason} (it failed so before the change too)")


def _slow(result: Result, before: Mapping[str, Any]) -> Result:
    seconds = float(before.get("seconds") or 0.0)
    if before.get("ok"):
        return replace(result, about=RELEASE)
    if before.get("about") != SPEED:
        # It gave no right answer before, so nobody knows how long a right one takes on this machine.
        return replace(result, about=SURROUNDINGS)
    reason = f"{result.reason}; before the change it took {seconds:.2f} s"
    if result.seconds > SWAY * seconds:
        return replace(result, about=RELEASE, reason=reason)
    return replace(result, ok=True, about="", reason="", warnings=(*result.warnings, reason))


def problems(results: Sequence[Result]) -> list[Fault]:
    """The problems and warnings of the gate's answers."""
    found = [Fault(f"{result.name}: {result.reason}", result.about or RELEASE) for result in results if not result.ok]
    warned = [(result.name, text) for result in results for text in result.warnings]
    return found + [Fault(f"{name}: {text}", SURROUNDINGS, red=False) for name, text in warned]


def look(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The answers as they are now, before a change: asked once, of whatever release."""
    if not checks:
        return []
    with ThreadPoolExecutor(max_workers=min(len(checks), 16)) as pool:
        return [result.to_dict() for result in pool.map(probe, checks)]


def _document(answer: Answer) -> tuple[Any, str]:
    """The body as JSON, or the reason why it is not JSON."""
    if not answer.complete:
        return _MISSING, f"the body is larger than {BODY_LIMIT // 1024 // 1024} MiB: not a health answer"
    if not answer.body.strip():
        return _MISSING, "the body is empty, JSON was expected"
    try:
        return foreign_json.loads(answer.body.decode("utf-8-sig")), ""
    except (ValueError, RecursionError):
        kind = (answer.header("Content-Type") or "no content type").partition(";")[0].strip()
        return _MISSING, f"the body is not JSON ({kind})"


def _status_problem(check: Check, answer: Answer, redactor: Redactor) -> str:
    wanted = " or ".join(str(status) for status in check.status)
    location = answer.header("Location")
    if answer.status in _REDIRECTS and location is not None:
        place = _location(check.url, location)
        if _LOGIN.search(place):
            return f"answers {answer.status} to {cleaned(place, redactor)}: a login page, not the health endpoint"
        secure = check.url.startswith("http:") and place.startswith("https:")
        hint = "; write the url with https" if secure else "; redirects are not followed"
        return f"answers {answer.status} to {cleaned(place, redactor)}: a redirect, expected {wanted}{hint}"
    return f"expected status {wanted}, got {answer.status}{_excerpt(answer, redactor)}"


def _location(url: str, location: str) -> str:
    """The target of a redirect, without its query, which may hold a token."""
    try:
        own, there = urlsplit(url), urlsplit(without_login(location))
    except ValueError:
        return "an address that cannot be read"
    there = there._replace(query="", fragment="")
    if not there.netloc or (there.scheme or own.scheme, there.netloc) == (own.scheme, own.netloc):
        return there.path or "/"
    return there.geturl()


def _content_problems(
    check: Check, answer: Answer, document: Any, json_problem: str, redactor: Redactor
) -> Iterator[str]:
    if check.json and document is _MISSING:
        yield json_problem + _excerpt(answer, redactor)
    elif check.json:
        for path, wanted in check.json.items():
            found = look_up(document, path)
            if found is _MISSING:
                excerpt = _excerpt(answer, redactor)
                yield f"JSON {path}: expected {_json(wanted)}, but the answer has no such field{excerpt}"
            elif not same_value(found, wanted):
                yield f"JSON {path}: expected {_json(wanted)}, got {cleaned(_json(found), redactor)}"
    if check.contains is not None and check.contains not in _decoded(answer):
        yield f"the body does not contain {check.contains!r}{_excerpt(answer, redactor)}"


def _release_problems(check: Check, release: str | None, wanted: Expected, redactor: Redactor) -> Iterator[str]:
    names = (wanted,) if isinstance(wanted, str) else wanted
    if check.release is None or not names:
        return
    expected = names[0]
    if release is None:
        yield f"reports no release at {check.release}, expected {expected[:12]}"
    elif not any(same_release(release, name) for name in names):
        shown = cleaned(release, redactor, 64)
        length = 12 if shown[:12].lower() != expected[:12].lower() else 64
        hint = "is old code still served?"
        yield f"wrong release: expected {expected[:length]}, reports {shown[:length]} ({hint})"


def _reported_release(check: Check, answer: Answer, document: Any) -> str | None:
    if check.release is None:
        return None
    if check.release.lower().startswith("header:"):
        found: Any = answer.header(check.release[7:])
    else:
        found = look_up(document, check.release)
    if found is None or found is _MISSING or isinstance(found, (bool, dict, list)):
        return None
    return str(found).strip() or None


def _request_id(check: Check, answer: Answer, document: Any) -> str | None:
    for source in check.request_id:
        found: Any = look_up(document, source[5:]) if source.startswith("json:") else answer.header(source)
        if isinstance(found, (str, int)) and not isinstance(found, bool) and str(found).strip():
            return str(found).strip()
    return None


def look_up(document: Any, path: str) -> Any:
    """Follow a dotted path; numbers index lists. Without such a field: a marker that equals nothing."""
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and re.match(r"\d{1,6}\Z", part) and int(part) < len(document):
            document = document[int(part)]
        else:
            return _MISSING
    return document


def same_value(found: Any, wanted: Any) -> bool:
    """Equality as JSON means it: true is not 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, dict) and isinstance(wanted, Mapping):
        return set(found) == set(wanted) and all(same_value(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, (list, tuple)):
        return len(found) == len(wanted) and all(same_value(one, two) for one, two in zip(found, wanted))
    return bool(found == wanted)


def same_release(reported: str, expected: str) -> bool:
    """Either may be abbreviated, as git does, to no fewer than seven characters."""
    one, two = reported.strip().lower(), expected.strip().lower()
    if one == two:
        return bool(one)
    if min(len(one), len(two)) < RELEASE_PREFIX:
        return False
    return one.startswith(two) or two.startswith(one)


def _decoded(answer: Answer) -> str:
    match = re.search(r"charset=[\"']?([\w.:-]+)", answer.header("Content-Type") or "", re.IGNORECASE)
    try:
        return answer.body.decode(match.group(1) if match else "utf-8", "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


def _excerpt(answer: Answer, redactor: Redactor) -> str:
    kind = (answer.header("Content-Type") or "").lower()
    if not re.match(r"text/|application/([\w.+-]+\+)?(json|xml)\b", kind) or answer.header("Content-Encoding"):
        return ""
    text = _decoded(answer)
    if "html" in kind:
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        text = html.unescape(title.group(1)) if title else re.sub(r"<[^<>]*>", " ", text[:20000])
    text = cleaned(text, redactor)
    return f": {text}" if text else ""


def _json(value: Any) -> str:
    return jsonlib.dumps(value, ensure_ascii=False, default=str)


# --- asking until it holds -------------------------------------------------------------------------


def gate(
    checks: Sequence[Check],
    deadline: float | Patience,
    interval: float,
    successes: int,
    expected_release: Expected = None,
    extra_headers: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    prober: Callable[[Check, Expected, Mapping[str, str] | None], Result] = probe,
    before: Sequence[Mapping[str, Any]] | None = None,
) -> list[Result]:
    """Ask all checks together, round after round, until all succeeded C(successes) rounds in a row.

    deadline: seconds, or the patience of a gate that has begun. One round is always asked. After the deadline no round
    starts, but for one: where the last round was good, it goes on until one is bad or enough were good. A machine that
    was slow to bring a good service up does not condemn it. The last round may overrun by its own timeout.
    Returns the last round. before: the answers just before a change, from
    look; None where there was no change or nobody looked.
    """
    known = {str(answer.get("name")): answer for answer in before or []}
    if not checks:
        raise HealthCheckError("no health check is given: nothing would be verified")
    if not isinstance(deadline, Patience):
        deadline = Patience(deadline, clock, lambda: 1.0)
    if successes < 1 or deadline.seconds < 0 or interval < 0:
        require_rounds(deadline.seconds, interval, successes)
    parse_headers(extra_headers or {}, "extra_headers")
    attempts = in_a_row = 0
    with ThreadPoolExecutor(max_workers=min(len(checks), 16)) as pool:
        while True:
            attempts += 1
            asked = [deadline.asked(check) for check in checks]
            futures = [pool.submit(prober, check, expected_release, extra_headers) for check in asked]
            answers = [against(future.result(), known.get(check.name)) for check, future in zip(checks, futures)]
            results = [replace(answer, attempts=attempts) for answer in answers]
            in_a_row = in_a_row + 1 if healthy(results) else 0
            if in_a_row >= successes or (not in_a_row and deadline.over(interval)):
                return results
            sleep(interval)


def healthy(results: Sequence[Result]) -> bool:
    """Nothing asked is not healthy."""
    return bool(results) and all(result.ok for result in results)
