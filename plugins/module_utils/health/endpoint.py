# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One endpoint as an inventory describes it: its request, and the answer that it must give. Nothing is asked here."""

from __future__ import annotations

import json as jsonlib
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ansible_collections.ops.runbook.plugins.module_utils.host import load
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact

METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
#: A shorter value is not a secret, and to replace it would spoil every text.
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

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


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


def gate_options(deadline: float, interval: float, successes: int) -> dict[str, dict[str, Any]]:
    """The argument spec of a health gate with these defaults, as the doc fragments of `health` describe it."""
    return {
        "endpoints": {"type": "list", "elements": "dict", "required": True, "options": ENDPOINT_OPTIONS},
        "deadline": {"type": "float", "default": deadline},
        "interval": {"type": "float", "default": interval},
        "successes": {"type": "int", "default": successes},
    }


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
            encoded_body(check.body)
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
    checks = []
    for number, raw in enumerate(raws, start=1):
        try:
            checks.append(parse_check(raw, defaults))
        except HealthCheckError as error:
            # A name may be what is wrong with it.
            name = raw.get("name") if isinstance(raw, Mapping) and isinstance(raw.get("name"), str) else ""
            which = f"health check {number} of {len(raws)}" + (f" ({name})" if name else "")
            raise HealthCheckError(f"{which}: {error}" if len(raws) > 1 else str(error)) from None
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
        parts = urlsplit(redact.without_login(url))
    except ValueError:
        return "***"
    query = re.sub(r"=[^&;]*", "=***", parts.query)
    return parts._replace(query=query, fragment="").geturl()


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


def require_rounds(deadline: float, interval: float, successes: int) -> None:
    """Raise if the requested rounds do not fit into the deadline."""
    if successes < 1:
        raise HealthCheckError(f"'successes' is {successes}; it must be 1 or more")
    if deadline < 0 or interval < 0:
        raise HealthCheckError("'deadline' and 'interval' must be seconds, 0 or more")
    if successes > 1 and deadline <= interval * (successes - 1):
        raise HealthCheckError(
            f"'successes' is {successes}, with 'interval' {interval:g} s between two rounds; "
            f"'deadline' must be more than {interval * (successes - 1):g} s, not {deadline:g} s"
        )


def worth_masking(values: Collection[str]) -> set[str]:
    """The values of no_log that Ansible masks wherever they occur: a short one ("1", "ok") would garble every text."""
    return {value for value in values if len(value) >= SECRET_LENGTH}


def without_secrets(value: Any) -> Any:
    """Parameters as they may be shown: headers and bodies are not."""
    if isinstance(value, Mapping):
        hidden = ("headers", "body")
        return {key: "***" if key in hidden and item else without_secrets(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    return display_url(value) if isinstance(value, str) and "://" in value else value


def encoded_body(body: Any) -> tuple[bytes | None, str]:
    """A request's body and its content type."""
    if body is None:
        return None, ""
    if isinstance(body, str):
        return body.encode("utf-8"), "text/plain; charset=utf-8"
    return jsonlib.dumps(body).encode("utf-8"), "application/json"


class Patience:
    """The time that a gate waits, counted from now, as this machine needs it.

    With more work than processors everything takes longer. The load of a minute rises late, so each look asks for it
    again; what a busy moment granted is not taken back.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        factor: Callable[[], float] = lambda: load.busy(),
    ) -> None:
        self._clock, self._ask, self._factor = clock, factor, factor()
        self.seconds, self._started = seconds, clock()

    def over(self, ahead: float = 0.0) -> bool:
        """Tell if the time is over, now or in so many seconds."""
        self._factor = max(self._factor, self._ask())
        return self._clock() + ahead >= self._started + self.seconds * self._factor

    def asked(self, check: Check) -> Check:
        """A check with the time for one answer that this machine needs now."""
        return replace(check, timeout=check.timeout * self._factor)


@dataclass(frozen=True)
class GateSettings:
    """How the health gate asks. deadline and interval: seconds; successes: rounds in a row that must be good."""

    checks: tuple[Check, ...]
    deadline: float
    interval: float
    successes: int

    def patience(self) -> Patience:
        """The time of this gate, counted from now."""
        return Patience(self.deadline)

    @property
    def asked(self) -> tuple[Check, ...]:
        """The checks, each with the time for one answer that this machine needs now."""
        return tuple(replace(check, timeout=check.timeout * load.busy()) for check in self.checks)


def gate_of(params: Mapping[str, Any]) -> GateSettings:
    """The health gate in a module's parameters, without checks if the module has no gate. Raises HealthCheckError."""
    if not params.get("endpoints"):
        return GateSettings((), params.get("deadline", 0), params.get("interval", 0), params.get("successes", 1))
    return GateSettings(
        tuple(parse_checks(params["endpoints"])), params["deadline"], params["interval"], params["successes"]
    )
