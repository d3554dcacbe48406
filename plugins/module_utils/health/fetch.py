# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request within one deadline, its answer unjudged: no redirect is followed, no proxy is used."""

from __future__ import annotations

import errno
import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.health.blame import SURROUNDINGS
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import Check, encoded_body, split_host_port

BODY_LIMIT = 1024 * 1024


class Deadline:
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


class _Reader(io.RawIOBase):
    """A socket's timeout counts from byte to byte: a server that drips would never run into it."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.remaining())
        return self._sock.recv_into(buffer)


class _Socket:
    """The methods of a socket that http.client uses."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._deadline))

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(self._deadline.remaining())
        self._sock.sendall(data)

    def close(self) -> None:
        """http.client closes before it has read the body where the server says C(Connection: close)."""


class Answer(NamedTuple):
    """A server's answer, ready to be judged."""

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


class Unreachable(Exception):
    """No answer that could be judged; the text is the reason, C(status) what was already known.

    C(about): surroundings where names or certificates are at fault, which no answer could tell of a release.
    """

    def __init__(self, reason: str, status: int | None = None, about: str = "") -> None:
        super().__init__(reason)
        self.status, self.about = status, about


def fetch(check: Check, headers: Mapping[str, str], deadline: Deadline) -> Answer:
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
                text = f"the certificate that {place} shows for {host} is refused: {why}{what}"
                raise Unreachable(text, about=SURROUNDINGS) from None
            connection = http.client.HTTPSConnection(host, port, context=context)
        else:
            connection = http.client.HTTPConnection(host, port)
        connection.auto_open = 0
        connection.sock = _Socket(sock, deadline)
        return _exchange(connection, check, headers, parts, deadline, tls_days)
    finally:
        sock.close()


def _dial(host: str, port: int, place: str, deadline: Deadline) -> socket.socket:
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
    raise Unreachable(problem)


def _resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
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
        raise Unreachable(f"the name {host} is not resolved within {deadline.seconds:.1f} s", about=SURROUNDINGS)
    if isinstance(outcome[0], BaseException):
        detail = outcome[0].strerror if isinstance(outcome[0], OSError) else "not a host name"
        raise Unreachable(f"the name {host} does not resolve: {detail}", about=SURROUNDINGS)
    return list(outcome[0])


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
        # Python 3.13 refuses certificates of private authorities for a missing extension that curl and browsers
        # do not ask for; a gate that says no where every client says yes would revert good releases.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(f"the CA file {ca_file} cannot be used: {_os_reason(error)}", about=SURROUNDINGS) from None


def _handshake(
    sock: socket.socket, context: ssl.SSLContext, host: str, place: str, deadline: Deadline
) -> tuple[ssl.SSLSocket, int | None]:
    try:
        sock.settimeout(deadline.remaining())
        secure = context.wrap_socket(sock, server_hostname=host)
    except socket.timeout:
        raise Unreachable(f"no TLS handshake with {place} within {deadline.seconds:.1f} s") from None
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        hint = " (is this port plain HTTP?)" if "wrong version" in reason or "http request" in reason else ""
        raise Unreachable(f"no TLS with {place}: {reason}{hint}") from None
    except (OSError, ValueError) as error:
        raise Unreachable(f"no TLS with {place}: {_os_reason(error)}") from None
    certificate = secure.getpeercert() or {}
    not_after = certificate.get("notAfter")
    if not isinstance(not_after, str):
        return secure, None
    return secure, int((ssl.cert_time_to_seconds(not_after) - time.time()) // 86400)


def _shown_certificate(dial_host: str, dial_port: int, host: str, deadline: Deadline) -> str:
    """The names and dates of the refused certificate. Nothing is sent over this unverified connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _dial(dial_host, dial_port, "", deadline) as plain:
            plain.settimeout(deadline.remaining())
            with context.wrap_socket(plain, server_hostname=host) as secure:
                return describe_certificate(secure.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError, Unreachable):
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
    deadline: Deadline,
    tls_days: int | None,
) -> Answer:
    path = quote(parts.path or "/", safe="%/:=&~+!$,;'@()*[]")
    if parts.query:
        path += "?" + quote(parts.query, safe="%/:=&?~+!$,;'@()*[]")
    body, kind = encoded_body(check.body)
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
            raise Unreachable(f"no answer within {deadline.seconds:.1f} s") from None
        raise Unreachable(
            f"answers {status}, but its body is not complete within {deadline.seconds:.1f} s "
            f"({len(received)} bytes came)",
            status,
        ) from None
    except http.client.RemoteDisconnected:
        raise Unreachable("the server closes the connection without an answer") from None
    except http.client.IncompleteRead:
        raise Unreachable(f"answers {status}, but breaks off after {len(received)} bytes", status) from None
    except http.client.HTTPException as error:
        raise Unreachable(f"the answer is not HTTP ({type(error).__name__})", status) from None
    except (OSError, ValueError) as error:
        raise Unreachable(f"the connection breaks: {_os_reason(error)}", status) from None


def _os_reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror).lower()
    return str(error) or type(error).__name__
