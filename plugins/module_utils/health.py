# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health gate: describe a check, ask once, ask until it holds.

A check is plain data, a result is plain data. An unhealthy service is a result with a reason; only a check
that cannot be understood raises.
"""

from __future__ import annotations

import base64
import errno
import html
import http.client
import io
import json as jsonlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Callable, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
BODY_LIMIT = 1024 * 1024
EXCERPT = 200
RELEASE_PREFIX = 7
#: A shorter value is no secret, and to replace it would spoil every text.
SECRET_LENGTH = 4
REQUEST_ID = (
    "X-Request-Id",
    "X-Correlation-Id",
    "json:request_id",
    "json:requestId",
    "json:meta.request_id",
    "json:error.request_id",
    "json:correlation_id",
    "X-Trace-Id",
    "X-Amzn-Trace-Id",
    "CF-Ray",
)

_MISSING = object()
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_LOGIN = re.compile(r"(log|sign)[-_]?in\b|/(auth|sso|oauth2?|cas)\b", re.IGNORECASE)
# The values of these headers are no secrets, and hiding "application/json" would spoil an excerpt.
_PUBLIC_HEADERS = frozenset(
    ("accept", "accept-language", "cache-control", "content-type", "host", "origin", "referer", "user-agent")
)
_REDIRECTS = (301, 302, 303, 307, 308)


class HealthCheckError(ValueError):
    """A check that cannot be carried out as it is written."""


@dataclass(frozen=True)
class Check:
    """One request and what its answer must be."""

    name: str
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    status: tuple[int, ...] = (200,)
    json: Mapping[str, Any] = field(default_factory=dict)
    contains: str | None = None
    release: str | None = None
    timeout: float = 5.0
    max_seconds: float | None = None
    connect_to: str | None = None
    ca_file: str | None = None
    tls_min_days: int = 0
    request_id: tuple[str, ...] = REQUEST_ID


@dataclass(frozen=True)
class Result:
    """What one check found. C(reason) is empty when, and only when, the check is satisfied."""

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

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


CHECK_FIELDS = tuple(item.name for item in fields(Check))

#: The argument spec of one endpoint. Only headers and body hold secrets: no_log on the whole list would blot
#: out every "ok" and "GET" of the result.
ENDPOINT_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "url": {"type": "str", "required": True},
    "method": {"type": "str", "choices": list(METHODS), "default": "GET"},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "body": {"type": "raw", "no_log": True},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "json": {"type": "dict", "default": {}},
    "contains": {"type": "str"},
    "release": {"type": "str"},
    "timeout": {"type": "float", "default": 5.0},
    "max_seconds": {"type": "float"},
    "connect_to": {"type": "str"},
    "ca_file": {"type": "path"},
    "tls_min_days": {"type": "int", "default": 0},
    "request_id": {"type": "list", "elements": "str", "default": list(REQUEST_ID)},
}


# --- reading a check -------------------------------------------------------------------------------


def parse_check(raw: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Check:
    """Turn what an inventory says into a Check. A value of None means: not given."""
    if not isinstance(raw, Mapping):
        raise HealthCheckError(f"a health check must be a mapping with at least 'url', not {_shown(raw)}")
    merged: dict[str, Any] = {}
    for source in (defaults or {}, raw):
        for key, value in source.items():
            if key not in CHECK_FIELDS:
                raise HealthCheckError(f"a health check has no field {key!r}; known fields: {', '.join(CHECK_FIELDS)}")
            if value is not None:
                merged[key] = value

    url = merged.get("url")
    parts = _parse_url(url)
    name = merged.get("name", (parts.hostname or "") + (parts.path or "/"))
    _require(isinstance(name, str) and bool(name.strip()), "name", name, "a text")
    method = merged.get("method", "GET")
    _require(
        isinstance(method, str) and method.upper() in METHODS,
        "method",
        method,
        "one of " + ", ".join(METHODS),
    )
    check = Check(
        name=name.strip(),
        url=parts.geturl(),
        method=method.upper(),
        headers=parse_headers(merged.get("headers", {}), "headers"),
        body=merged.get("body"),
        status=_statuses(merged.get("status", (200,))),
        json=_expected_json(merged.get("json", {})),
        contains=_text(merged, "contains"),
        release=_text(merged, "release"),
        timeout=_seconds(merged, "timeout", 5.0),
        max_seconds=_seconds(merged, "max_seconds", None),
        connect_to=_text(merged, "connect_to"),
        ca_file=_text(merged, "ca_file"),
        tls_min_days=_days(merged.get("tls_min_days", 0)),
        request_id=_request_id_sources(merged.get("request_id", REQUEST_ID)),
    )
    if check.connect_to is not None:
        split_host_port(check.connect_to)
    if check.release is not None and check.release.lower().startswith("header:"):
        _require(bool(_TOKEN.match(check.release[7:])), "release", check.release, "a JSON path or header:NAME")
    if check.body is not None:
        _require(
            check.method in ("POST", "PUT"),
            "method",
            check.method,
            "POST or PUT where a body is given",
            name=check.name,
        )
        try:
            _encoded_body(check.body)
        except (TypeError, ValueError):
            raise HealthCheckError(f"health check {check.name!r}: 'body' cannot be written as JSON") from None
    if check.method == "HEAD" and (check.json or check.contains):
        raise HealthCheckError(
            f"health check {check.name!r}: 'method' is HEAD, whose answer has no body; "
            "'json' and 'contains' need GET or POST"
        )
    return check


def parse_checks(raws: Any, defaults: Mapping[str, Any] | None = None) -> list[Check]:
    """All checks of a service: at least one, each with a name of its own."""
    if not isinstance(raws, (list, tuple)):
        raise HealthCheckError(f"health checks must be a list, not {_shown(raws)}")
    if not raws:
        raise HealthCheckError("no health check is given: nothing would be verified")
    checks = [parse_check(raw, defaults) for raw in raws]
    names = [check.name for check in checks]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise HealthCheckError(f"two health checks are called {double[0]!r}: give each a 'name' of its own")
    return checks


def parse_headers(raw: Any, where: str = "headers") -> dict[str, str]:
    """Headers that can be sent. Their values may be secret, so no message repeats one."""
    _require(isinstance(raw, Mapping), where, type(raw).__name__, "a mapping of header names to values")
    headers: dict[str, str] = {}
    for name, value in raw.items():
        _require(isinstance(name, str) and bool(_TOKEN.match(name)), where, name, "header names like X-Api-Key")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise HealthCheckError(f"'{where}': the value of {name} must be a text, not {type(value).__name__}")
        text = str(value)
        try:
            text.encode("latin-1")
        except UnicodeEncodeError:
            raise HealthCheckError(f"'{where}': the value of {name} has characters a header cannot carry") from None
        if re.search(r"[\r\n\0]", text):
            raise HealthCheckError(f"'{where}': the value of {name} has a line break in it")
        headers[name] = text
    return headers


def split_host_port(value: str, where: str = "connect_to") -> tuple[str, int]:
    """Split C(host:port), C([::1]:443)."""
    match = re.match(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:\[\]/@]+)):(\d{1,5})\Z", value)
    if not match or not 0 < int(match.group(3)) < 65536:
        raise HealthCheckError(f"'{where}' is {value!r}; it must be host:port, for example 10.0.0.7:443 or [::1]:443")
    return match.group(1) or match.group(2), int(match.group(3))


def _parse_url(url: Any) -> SplitResult:
    wanted = "an address such as https://api.example.com/up"
    if url is None:
        raise HealthCheckError(f"a health check needs 'url': {wanted}")
    _require(isinstance(url, str), "url", url, wanted)
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise HealthCheckError(f"'url' is not an address ({error}); it must be {wanted}") from None
    if parts.username is not None or parts.password is not None:
        raise HealthCheckError("'url' holds a user name or password; send it in 'headers' (Authorization) instead")
    shown = display_url(text)
    _require(parts.scheme in ("http", "https"), "url", shown, f"http or https: {wanted}")
    _require(bool(parts.hostname) and port != 0, "url", shown, wanted)
    _require(not re.search(r"[\s\x00-\x1f\x7f]", text), "url", shown, "an address without spaces (write %20)")
    return SplitResult(parts.scheme, parts.netloc, parts.path, parts.query, "")


def display_url(url: str) -> str:
    """The URL for reports: the values of a query may be secret."""
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "***"
    query = re.sub(r"=[^&;]*", "=***", parts.query)
    return parts._replace(netloc=netloc, query=query, fragment="").geturl()


def _statuses(raw: Any) -> tuple[int, ...]:
    items = raw if isinstance(raw, (list, tuple)) else [raw]
    found: list[int] = []
    for item in items:
        number = int(item) if isinstance(item, str) and item.strip().isdigit() else item
        good = isinstance(number, int) and not isinstance(number, bool) and 100 <= number <= 599
        _require(good, "status", item, "one or more HTTP status codes from 100 to 599")
        found.append(number)
    _require(bool(found), "status", raw, "one or more HTTP status codes from 100 to 599")
    return tuple(found)


def _expected_json(raw: Any) -> dict[str, Any]:
    wanted = "a mapping of dotted paths to expected values, for example status: ok"
    _require(isinstance(raw, Mapping), "json", raw, wanted)
    for path in raw:
        _require(isinstance(path, str) and all(path.split(".")), "json", path, wanted)
    return dict(raw)


def _request_id_sources(raw: Any) -> tuple[str, ...]:
    wanted = "header names and json:dotted.path, in the order to try"
    items = [raw] if isinstance(raw, str) else raw
    _require(isinstance(items, (list, tuple)), "request_id", raw, wanted)
    for item in items:
        good = isinstance(item, str) and (
            bool(item[5:]) and all(item[5:].split(".")) if item.startswith("json:") else bool(_TOKEN.match(item))
        )
        _require(good, "request_id", item, wanted)
    return tuple(items)


def _text(raw: Mapping[str, Any], key: str) -> str | None:
    value = raw.get(key)
    if value is None:
        return None
    _require(isinstance(value, str) and value != "", key, value, "a text that is not empty")
    return str(value)


def _seconds(raw: Mapping[str, Any], key: str, default: float | None) -> Any:
    value = raw.get(key, default)
    if value is None:
        return None
    try:
        number = float(value) if not isinstance(value, bool) else -1.0
    except (TypeError, ValueError):
        number = -1.0
    _require(0 < number <= 3600, key, value, "seconds, more than 0 and at most 3600")
    return number


def _days(value: Any) -> int:
    number = int(value) if isinstance(value, str) and value.strip().isdigit() else value
    good = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 3650
    _require(good, "tls_min_days", value, "whole days from 0 (report only) to 3650")
    return int(number)


def _require(good: bool, key: str, value: Any, wanted: str, name: str | None = None) -> None:
    if not good:
        prefix = f"health check {name!r}: " if name else ""
        raise HealthCheckError(f"{prefix}'{key}' is {_shown(value)}; it must be {wanted}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


# --- asking once -----------------------------------------------------------------------------------


class _Deadline:
    """One budget for name lookup, connection, TLS, request and answer together."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.started = time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def remaining(self) -> float:
        left = self.seconds - self.elapsed()
        if left <= 0:
            raise socket.timeout("deadline")
        return left


class _DeadlineReader(io.RawIOBase):
    """A socket's timeout counts from byte to byte: a server that drips would never run into it."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.remaining())
        return self._sock.recv_into(buffer)


class _DeadlineSocket:
    """What http.client uses of a socket."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock, self._deadline))

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(self._deadline.remaining())
        self._sock.sendall(data)

    def close(self) -> None:
        """http.client closes before it has read the body where the server says C(Connection: close)."""


class Answer(NamedTuple):
    """What a server sent, ready to be judged."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    complete: bool
    seconds: float
    tls_days: int | None

    def header(self, name: str) -> str | None:
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None


class _Unreachable(Exception):
    """No answer that could be judged; the text is the reason, C(status) what was already known."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


def probe(check: Check, expected_release: str | None = None, extra_headers: Mapping[str, str] | None = None) -> Result:
    """Ask once. Never follows a redirect, never uses a proxy, never takes longer than C(check.timeout)."""
    headers = {**check.headers, **parse_headers(extra_headers or {}, "extra_headers")}
    deadline = _Deadline(check.timeout)
    try:
        answer = _fetch(check, headers, deadline)
    except _Unreachable as error:
        return Result(
            name=check.name,
            url=display_url(check.url),
            ok=False,
            status=error.status,
            seconds=round(deadline.elapsed(), 3),
            reason=Redactor(check, headers).clean(str(error), 1000),
        )
    return evaluate(check, answer, expected_release, headers)


def _fetch(check: Check, headers: Mapping[str, str], deadline: _Deadline) -> Answer:
    parts = urlsplit(check.url)
    host = parts.hostname or ""
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    dial_host, dial_port = split_host_port(check.connect_to) if check.connect_to else (host, port)
    place = f"{dial_host}:{dial_port}" if ":" not in dial_host else f"[{dial_host}]:{dial_port}"
    sock = _dial(dial_host, dial_port, place, deadline)
    tls_days: int | None = None
    connection: http.client.HTTPConnection
    try:
        if tls:
            context = _tls_context(check.ca_file)
            try:
                sock, tls_days = _handshake(sock, context, host, place, deadline)
            except ssl.SSLCertVerificationError as error:
                sock.close()
                why = error.verify_message.rstrip(".")
                what = _shown_certificate(dial_host, dial_port, host, deadline)
                raise _Unreachable(f"the certificate that {place} shows for {host} is refused: {why}{what}") from None
            connection = http.client.HTTPSConnection(host, port, context=context)
        else:
            connection = http.client.HTTPConnection(host, port)
        connection.auto_open = 0
        connection.sock = _DeadlineSocket(sock, deadline)
        return _exchange(connection, check, headers, parts, deadline, tls_days)
    finally:
        sock.close()


def _dial(host: str, port: int, place: str, deadline: _Deadline) -> socket.socket:
    addresses = _resolve(host, port, deadline)
    problem = f"{place} has no address"
    for position, (family, kind, protocol, _name, address) in enumerate(addresses):
        sock = None
        try:
            # A share for each address: a dead IPv6 route must not use up what IPv4 needs.
            share = deadline.remaining() / (len(addresses) - position)
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(share)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except socket.timeout:
            problem = f"no connection to {place} within {deadline.seconds:.1f} s"
        except ConnectionRefusedError:
            problem = f"connection refused by {place}: nothing listens there"
        except OSError as error:
            problem = f"no connection to {place}: {_os_reason(error)}"
        if sock is not None:
            sock.close()
    raise _Unreachable(problem)


def _resolve(host: str, port: int, deadline: _Deadline) -> list[Any]:
    """Look a name up. In a thread, because getaddrinfo knows no deadline."""
    outcome: list[Any] = []

    def look() -> None:
        try:
            outcome.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            outcome.append(error)

    if re.match(r"[0-9.]+\Z", host) or ":" in host:
        look()
    else:
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(max(deadline.seconds - deadline.elapsed(), 0))
    if not outcome:
        raise _Unreachable(f"the name {host} is not resolved within {deadline.seconds:.1f} s")
    if isinstance(outcome[0], BaseException):
        detail = outcome[0].strerror if isinstance(outcome[0], OSError) else "not a host name"
        raise _Unreachable(f"the name {host} does not resolve: {detail}")
    return list(outcome[0])


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
        # Python 3.13 refuses certificates of private authorities for a missing extension that curl and browsers
        # do not ask for; a gate that says no where every client says yes would revert good releases.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
    except (OSError, ssl.SSLError) as error:
        raise _Unreachable(f"the CA file {ca_file} cannot be used: {_os_reason(error)}") from None


def _handshake(
    sock: socket.socket, context: ssl.SSLContext, host: str, place: str, deadline: _Deadline
) -> tuple[ssl.SSLSocket, int | None]:
    try:
        sock.settimeout(deadline.remaining())
        secure = context.wrap_socket(sock, server_hostname=host)
    except socket.timeout:
        raise _Unreachable(f"no TLS handshake with {place} within {deadline.seconds:.1f} s") from None
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        hint = " (is this port plain HTTP?)" if "wrong version" in reason or "http request" in reason else ""
        raise _Unreachable(f"no TLS with {place}: {reason}{hint}") from None
    except (OSError, ValueError) as error:
        raise _Unreachable(f"no TLS with {place}: {_os_reason(error)}") from None
    certificate = secure.getpeercert() or {}
    not_after = certificate.get("notAfter")
    if not isinstance(not_after, str):
        return secure, None
    return secure, int((ssl.cert_time_to_seconds(not_after) - time.time()) // 86400)


def _shown_certificate(dial_host: str, dial_port: int, host: str, deadline: _Deadline) -> str:
    """What the refused certificate says of itself. Nothing is sent over this unverified connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _dial(dial_host, dial_port, "", deadline) as plain:
            plain.settimeout(deadline.remaining())
            with context.wrap_socket(plain, server_hostname=host) as secure:
                return describe_certificate(secure.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError, _Unreachable):
        return ""


def describe_certificate(der: bytes) -> str:
    """Names, issuer and dates of a DER certificate, as far as they can be read.

    Python parses a certificate only once it has verified it, and this one was refused.
    """
    try:
        tbs = list(_der(next(_der(next(_der(der))[1]))[1]))
        if tbs[0][0] == 0xA0:
            del tbs[0]
        issuer, validity, subject = (tbs[index][1] for index in (2, 3, 4))
        names = _subject_alternative_names(tbs[6:]) or _common_names(subject)
        start, end = (_der_time(tag, value) for tag, value in _der(validity))
    except (IndexError, StopIteration, ValueError):
        return ""
    by = "itself" if issuer == subject else (_common_names(issuer) or ["?"])[0]
    return f" (it is for {', '.join(names[:4]) or 'no name'}, issued by {by}, valid from {start} to {end})"


def _der(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        tag, length, position = data[position], data[position + 1], position + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        if position + length > len(data):
            raise ValueError("truncated")
        yield tag, data[position : position + length]
        position += length


def _common_names(name: bytes) -> list[str]:
    found = []
    for _tag, relative in _der(name):
        for _tag, attribute in _der(relative):
            (_oid_tag, oid), (_value_tag, value) = list(_der(attribute))[:2]
            if oid == b"\x55\x04\x03":
                found.append(value.decode("utf-8", "replace"))
    return found


def _subject_alternative_names(rest: Sequence[tuple[int, bytes]]) -> list[str]:
    for tag, explicit in rest:
        if tag != 0xA3:
            continue
        for _tag, extension in _der(next(_der(explicit))[1]):
            parts = list(_der(extension))
            if parts[0][1] == b"\x55\x1d\x11":
                general = _der(next(_der(parts[-1][1]))[1])
                return [_general_name(kind, value) for kind, value in general if kind in (0x82, 0x87)]
    return []


def _general_name(kind: int, value: bytes) -> str:
    if kind == 0x82:
        return value.decode("ascii", "replace")
    return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)


def _der_time(tag: int, value: bytes) -> str:
    text = value.decode("ascii")
    if tag == 0x17:
        text = ("19" if text[:2] >= "50" else "20") + text
    return f"{text[0:4]}-{text[4:6]}-{text[6:8]}"


def _exchange(
    connection: http.client.HTTPConnection,
    check: Check,
    headers: Mapping[str, str],
    parts: SplitResult,
    deadline: _Deadline,
    tls_days: int | None,
) -> Answer:
    path = quote(parts.path or "/", safe="%/:=&~+!$,;'@()*[]")
    if parts.query:
        path += "?" + quote(parts.query, safe="%/:=&?~+!$,;'@()*[]")
    body, kind = _encoded_body(check.body)
    send = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
    send["User-Agent"] = "ops-runbook-health/1"
    if body is not None:
        send["Content-Type"] = kind
    chosen = {name.lower() for name in headers}
    send = {name: value for name, value in send.items() if name.lower() not in chosen}
    status: int | None = None
    received = bytearray()
    try:
        connection.request(check.method, path, body=body, headers={**send, **headers})
        response = connection.getresponse()
        status = response.status
        # HTTPResponse.read1 does not count Content-Length down before Python 3.13, so it is counted here.
        wanted = BODY_LIMIT + 1 if response.length is None else min(response.length, BODY_LIMIT + 1)
        while len(received) < wanted:
            piece = response.read1(min(65536, wanted - len(received)))
            if not piece:
                break
            received += piece
        complete = len(received) <= BODY_LIMIT
        if response.length is not None and check.method != "HEAD" and len(received) < wanted:
            raise http.client.IncompleteRead(bytes(received))
        return Answer(
            status=status,
            headers=tuple(response.getheaders()),
            body=bytes(received[:BODY_LIMIT]),
            complete=complete,
            seconds=deadline.elapsed(),
            tls_days=tls_days,
        )
    except socket.timeout:
        if status is None:
            raise _Unreachable(f"no answer within {deadline.seconds:.1f} s") from None
        raise _Unreachable(
            f"answers {status}, but its body is not complete within {deadline.seconds:.1f} s "
            f"({len(received)} bytes came)",
            status,
        ) from None
    except http.client.RemoteDisconnected:
        raise _Unreachable("the server closes the connection without an answer") from None
    except http.client.IncompleteRead:
        raise _Unreachable(f"answers {status}, but breaks off after {len(received)} bytes", status) from None
    except http.client.HTTPException as error:
        raise _Unreachable(f"what answers is no HTTP server ({type(error).__name__})", status) from None
    except (OSError, ValueError) as error:
        raise _Unreachable(f"the connection breaks: {_os_reason(error)}", status) from None


def _encoded_body(body: Any) -> tuple[bytes | None, str]:
    if body is None:
        return None, ""
    if isinstance(body, str):
        return body.encode("utf-8"), "text/plain; charset=utf-8"
    return jsonlib.dumps(body).encode("utf-8"), "application/json"


def _os_reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror).lower()
    return str(error) or type(error).__name__


# --- judging an answer -----------------------------------------------------------------------------


class Redactor:
    """Takes what the request held out of what is reported: a debugging server echoes its request."""

    def __init__(self, check: Check, headers: Mapping[str, str]) -> None:
        secrets: set[str] = set()
        for name, value in headers.items():
            if name.lower() not in _PUBLIC_HEADERS:
                secrets.update([value, *value.split()[1:], *re.findall(r"=\s*([^;,\s]+)", value)])
                secrets.update(_basic_credentials(value))
        secrets.update(_leaves(check.body))
        secrets.update(value for _key, value in parse_qsl(urlsplit(check.url).query))
        variants: set[str] = set()
        for secret in secrets:
            if len(secret) >= SECRET_LENGTH:
                variants.update(_spellings(secret))
        # The longest first, or a part would be replaced and the rest left standing.
        self._secrets = sorted((item for item in variants if len(item) >= SECRET_LENGTH), key=len, reverse=True)

    def clean(self, text: str, limit: int = EXCERPT) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
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


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield jsonlib.dumps(secret)[1:-1]
    yield jsonlib.dumps(secret, ensure_ascii=False)[1:-1]
    yield jsonlib.dumps(secret)[1:-1].replace("/", "\\/")
    yield quote(secret, safe="")
    yield html.escape(secret)
    yield base64.b64encode(secret.encode("utf-8")).decode("ascii")


def evaluate(
    check: Check,
    answer: Answer,
    expected_release: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Result:
    """Hold an answer against its check. Pure."""
    redactor = Redactor(check, headers if headers is not None else check.headers)
    document, json_problem = _document(answer)
    release = _reported_release(check, answer, document)
    if answer.status not in check.status:
        problems = [_status_problem(check, answer, redactor)]
    else:
        problems = list(_content_problems(check, answer, document, json_problem, redactor))
        problems += _release_problems(check, release, expected_release, redactor)
        if check.max_seconds is not None and answer.seconds > check.max_seconds:
            problems.append(f"answers in {answer.seconds:.2f} s, the limit is {check.max_seconds:g} s")
        if answer.tls_days is not None and answer.tls_days < check.tls_min_days:
            problems.append(
                f"the certificate ends in {answer.tls_days} days, at least {check.tls_min_days} are asked for"
            )
    request_id = _request_id(check, answer, document)
    return Result(
        name=check.name,
        url=display_url(check.url),
        ok=not problems,
        status=answer.status,
        seconds=round(answer.seconds, 3),
        request_id=redactor.clean(request_id, 128) if request_id else None,
        release=redactor.clean(release, 128) if release else None,
        reason="; ".join(problems),
        tls_days=answer.tls_days,
    )


def _document(answer: Answer) -> tuple[Any, str]:
    """The body as JSON, or why it is none."""
    if not answer.complete:
        return _MISSING, f"the body is larger than {BODY_LIMIT // 1024 // 1024} MiB: not a health answer"
    if not answer.body.strip():
        return _MISSING, "the body is empty, JSON was expected"
    try:
        return jsonlib.loads(answer.body.decode("utf-8-sig")), ""
    except (ValueError, RecursionError):
        kind = (answer.header("Content-Type") or "no content type").partition(";")[0].strip()
        return _MISSING, f"the body is not JSON ({kind})"


def _status_problem(check: Check, answer: Answer, redactor: Redactor) -> str:
    wanted = " or ".join(str(status) for status in check.status)
    location = answer.header("Location")
    if answer.status in _REDIRECTS and location is not None:
        place = _location(check.url, location)
        if _LOGIN.search(place):
            return f"answers {answer.status} to {redactor.clean(place)}: a login page, not the health endpoint"
        secure = check.url.startswith("http:") and place.startswith("https:")
        hint = "; write the url with https" if secure else "; redirects are not followed"
        return f"answers {answer.status} to {redactor.clean(place)}: a redirect, expected {wanted}{hint}"
    return f"expected status {wanted}, got {answer.status}{_excerpt(answer, redactor)}"


def _location(url: str, location: str) -> str:
    """Where a redirect leads, without its query, which may hold a token."""
    try:
        own, there = urlsplit(url), urlsplit(location)
    except ValueError:
        return "an address that cannot be read"
    there = there._replace(query="", fragment="", netloc=there.netloc.rpartition("@")[2])
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
                yield f"JSON {path}: expected {_json(wanted)}, got {redactor.clean(_json(found))}"
    if check.contains is not None and check.contains not in _decoded(answer):
        yield f"the body does not contain {check.contains!r}{_excerpt(answer, redactor)}"


def _release_problems(check: Check, release: str | None, expected: str | None, redactor: Redactor) -> Iterator[str]:
    if check.release is None or expected is None:
        return
    if release is None:
        yield f"reports no release at {check.release}, expected {expected[:12]}"
    elif not same_release(release, expected):
        shown = redactor.clean(release, 64)
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
        text = html.unescape(title.group(1)) if title else re.sub(r"<[^>]*>", " ", text[:20000])
    text = redactor.clean(text)
    return f": {text}" if text else ""


def _json(value: Any) -> str:
    return jsonlib.dumps(value, ensure_ascii=False, default=str)


# --- asking until it holds -------------------------------------------------------------------------


def gate(
    checks: Sequence[Check],
    deadline: float,
    interval: float,
    successes: int,
    expected_release: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    prober: Callable[[Check, str | None, Mapping[str, str] | None], Result] = probe,
) -> list[Result]:
    """Ask all checks together, round after round, until all succeeded C(successes) rounds in a row.

    One round is always asked. No round starts after the deadline; the last may overrun it by its own timeout.
    Returns the last round. Each result is C(ok) only if the whole gate may pass for that check: a check that
    answers now but did not hold long enough is not ok, and says so.
    """
    if not checks:
        raise HealthCheckError("no health check is given: nothing would be verified")
    if successes < 1 or deadline < 0 or interval < 0:
        require_rounds(deadline, interval, successes)
    parse_headers(extra_headers or {}, "extra_headers")
    end = clock() + deadline
    attempts = 0
    in_a_row = 0
    last_failure = ""
    with ThreadPoolExecutor(max_workers=min(len(checks), 16)) as pool:
        while True:
            attempts += 1
            futures = [pool.submit(prober, check, expected_release, extra_headers) for check in checks]
            results = [replace(future.result(), attempts=attempts) for future in futures]
            failed = [result for result in results if not result.ok]
            in_a_row = 0 if failed else in_a_row + 1
            if failed:
                last_failure = f"{failed[0].name}: {failed[0].reason}"
            if in_a_row >= successes:
                return results
            if clock() + interval >= end:
                break
            sleep(interval)
    if failed:
        return results
    reason = f"answers now, but only {in_a_row} of {successes} times in a row within {deadline:g} s"
    if last_failure:
        reason += f"; last failure: {last_failure}"
    return [replace(result, ok=False, reason=reason) for result in results]


def require_rounds(deadline: float, interval: float, successes: int) -> None:
    """Whether the rounds that are asked for can be had at all."""
    if successes < 1:
        raise HealthCheckError(f"'successes' is {successes}; it must be 1 or more")
    if deadline < 0 or interval < 0:
        raise HealthCheckError("'deadline' and 'interval' must be seconds, 0 or more")
    if successes > 1 and deadline <= interval * (successes - 1):
        raise HealthCheckError(
            f"'successes' is {successes}, with 'interval' {interval:g} s between two rounds; "
            f"'deadline' must be more than {interval * (successes - 1):g} s, not {deadline:g} s"
        )


def without_secrets(value: Any) -> Any:
    """Parameters as they may be shown: headers and bodies are not."""
    if isinstance(value, Mapping):
        hidden = ("headers", "body")
        return {key: "***" if key in hidden and item else without_secrets(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    return display_url(value) if isinstance(value, str) and "://" in value else value


def healthy(results: Sequence[Result]) -> bool:
    """Nothing asked is not healthy."""
    return bool(results) and all(result.ok for result in results)
