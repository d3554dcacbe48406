# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs of a cause in the log of a healthy container: an unreachable upstream, a refused login.

Pure. Known are nginx, Apache, and the proxies that are written in Go (Caddy, Traefik) or for Node; of databases
PostgreSQL, MySQL, MariaDB, MongoDB and RabbitMQ.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.compose.typed_line import Lines
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut

#: Letters of a line that are looked at.
_LOOKED_AT = 1000

_ADDRESS = r"(?P<address>\d{1,3}(?:\.\d{1,3}){3}):(?P<port>\d{1,5})"

#: A name that has no address.
_UNRESOLVED = tuple(
    re.compile(text)
    for text in (
        r"(?<![\w.-])(?P<name>[\w.-]{1,253}) could not be resolved",
        r'host not found in upstream "(?P<name>[\w.-]{1,253})',
        r"\blookup (?P<name>[\w.-]{1,253})(?: on [\d.:]{1,60})?: (?:no such host|server misbehaving|i/o timeout)",
        r"\bDNS lookup failure for: (?P<name>[\w.-]{1,253})",
        r"\bgetaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<name>[\w.-]{1,253})",
    )
)
#: An address at which nothing answers.
_UNREACHED = tuple(
    re.compile(text)
    for text in (
        rf'while connecting to upstream, .{{0,600}}\bupstream: "\w{{1,10}}://{_ADDRESS}',
        rf"\bdial tcp {_ADDRESS}: (?P<why>[\w /]{{1,60}})",
        rf"\battempt to connect to {_ADDRESS} ",
        rf"\bECONNREFUSED {_ADDRESS}",
    )
)
_WHY = re.compile(r"\(\d{1,3}: (?P<why>[\w ]{1,60})\)|\(\d{1,3}\)(?P<other>[\w ]{1,60}):")
#: Lines of a proxy about what is behind it that name no address.
_BEHIND = re.compile(
    r"no live upstreams|upstream (?:prematurely closed|timed out|sent )|error reading from remote server"
)


@dataclass(frozen=True)
class Upstream:
    """The last error of a proxy about its upstream. name: one without an address. why: of an address."""

    line: str
    name: str = ""
    address: str = ""
    port: int = 0
    why: str = ""


def upstream_error(log: Sequence[str]) -> Upstream | None:
    """The last thing that a proxy's log says of what it did not reach; None where it says nothing of it."""
    vague: Upstream | None = None
    for full in reversed(log):
        line = full[:_LOOKED_AT]
        for expression in _UNRESOLVED:
            found = expression.search(line)
            if found:
                return Upstream(full, name=found["name"])
        for expression in _UNREACHED:
            found = expression.search(line)
            if found:
                why = found.groupdict().get("why") or _why(line)
                return Upstream(full, address=found["address"], port=int(found["port"]), why=why.strip())
        if vague is None and _BEHIND.search(line):
            vague = Upstream(full)
    return vague


def _why(line: str) -> str:
    found = _WHY.search(line)
    return (found["why"] or found["other"] or "") if found else ""


def explained(
    proxy: str,
    error: Upstream | None,
    services: Collection[str],
    addresses: Mapping[str, str],
    ports: Mapping[str, Collection[int]],
    lines: Lines,
) -> tuple[str, str]:
    """Why a proxy that runs gives no answer of what is behind it, and what to type next. proxy: empty where not known.

    services: of the compose files. addresses: service of each container's address. ports: of each other service that
    was seen to answer inside, where. lines: those that a person types on the host.
    """
    if not proxy:
        return (f"{', '.join(ports)} answers inside, so the proxy before it does not reach it" if ports else ""), ""
    if error is None:
        return _without_a_line(proxy, ports, lines)
    said = f"its log says: {cut(error.line, 300)}"
    if error.name in services:
        return (
            f"{proxy} finds no address for the name {error.name}, although the compose files have such a service: they "
            f"share no network; {said}",
            f"put {proxy} and {error.name} into one network in the compose file, then {lines.of('up -d', proxy)}",
        )
    if error.name:
        return (
            f"{proxy} finds no address for the name {error.name}; {said}",
            f"correct that name in the configuration of {proxy}, then {lines.of('restart', proxy)}",
        )
    if error.address:
        return _of_an_address(proxy, error, said, addresses, ports, lines)
    return f"{proxy} gets no answer of what is behind it; {said}", _logs_of(proxy, lines)


def _of_an_address(
    proxy: str,
    error: Upstream,
    said: str,
    addresses: Mapping[str, str],
    ports: Mapping[str, Collection[int]],
    lines: Lines,
) -> tuple[str, str]:
    owner = addresses.get(error.address, "")
    asked, why = f"{proxy} asks {error.address}:{error.port}", f" ({error.why})" if error.why else ""
    restart = lines.of("restart", proxy)
    if not owner:
        return f"{asked}, an address that no container of this project has now: its container is gone; {said}", restart
    others = [name for name, seen in ports.items() if name != owner and error.port in seen]
    if others and error.port not in ports.get(owner, ()):
        return (
            f"{asked}, which is the address of {owner} now, and {others[0]} answers on that port: {proxy} still has "
            f"the address of a container that is gone; {said}",
            restart,
        )
    known = ", ".join(str(port) for port in sorted(ports.get(owner, ())))
    answers = f", and answers on {known}" if known and error.port not in ports[owner] else ""
    return (
        f"{asked}, where {owner} does not answer{why}{answers}; {said}",
        f"compare the port in the configuration of {proxy} with the one on which {owner} listens",
    )


def _without_a_line(proxy: str, ports: Mapping[str, Collection[int]], lines: Lines) -> tuple[str, str]:
    if ports:
        return (
            f"{', '.join(ports)} answers inside, so {proxy} does not reach it, and its log does not say why: it may "
            "still have the address of a container that is gone",
            lines.of("restart", proxy),
        )
    return (
        f"nothing behind {proxy} was asked, and that {proxy} itself answers proves nothing of it",
        f"{_logs_of(proxy, lines)}; compose_inside_health with an address of the service behind {proxy}",
    )


def _logs_of(service: str, lines: Lines) -> str:
    return lines.of("logs --tail 50", service)


# -- what lets nobody in --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sign:
    """line: how the log says it. next: what to look at; {docker} stands for the command of Docker."""

    line: re.Pattern[str]
    next: str


_PASSWORD = (
    "compare the password that the application is given with the database's own: a variable such as POSTGRES_PASSWORD "
    "counts only when the database's folder is made, ALTER USER afterwards"
)
_SIGNS = (
    _Sign(re.compile(r'FATAL:\s{1,4}password authentication failed for user|"msg":"Authentication failed"'), _PASSWORD),
    _Sign(re.compile(r"Access denied for user '|PLAIN login refused"), _PASSWORD),
    _Sign(re.compile(r"FATAL:\s{1,4}no pg_hba\.conf entry for"), "pg_hba.conf of the database says who may come in"),
    _Sign(
        re.compile(r"too many clients already|remaining connection slots are reserved|Too many connections"),
        "what holds so many connections: pool sizes and replicas of the application, max_connections of the database",
    ),
    _Sign(re.compile(r"(?:PANIC|FATAL|ERROR):.{1,300}No space left on device"), "{docker} system df; df -h"),
)
#: A health check of the database's own may ask for such a name too, so that a client has to have said it as well.
_NAMED = re.compile(r"FATAL:\s{1,4}((?:role|database) \"[^\"]{1,63}\" does not exist)|(Unknown database '[^']{1,64})")
#: How a client tells of it, that got it as an answer.
_CLIENT = re.compile(r"exception|error[: ]|connection|failed:|\bclient\b", re.IGNORECASE)


def refusal(log: Sequence[str], heard: str, lines: Lines) -> tuple[str, str]:
    """The last line by which a service turns its clients away, and what to look at; empty without one.

    heard: the output of the clients. lines: those that a person types on the host.
    """
    for full in reversed(log):
        line = full[:_LOOKED_AT]
        for sign in _SIGNS:
            found = sign.line.search(line)
            if found and not _CLIENT.search(line[: found.start()]):
                return full, sign.next.format(docker=lines.docker)
        named = _NAMED.search(line)
        if named and (named.group(1) or named.group(2)) in heard and not _CLIENT.search(line[: named.start()]):
            return full, "compare the names of user and database in .env with those that the database was made with"
    return "", ""
