# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts about a host's safety that need no root: updates, open ports, accounts, keys."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_UPGRADE = re.compile(r"^(?P<name>[^/\s]+)/(?P<suites>\S+)\s+(?P<new>\S+)\s+\S+\s+\[upgradable from: (?P<old>\S+)\]$")

#: Shells that let nobody in.
_NO_SHELL = ("nologin", "false", "sync", "halt", "shutdown", "")

#: Whoever is in one of these can make himself root.
ROOT_GROUPS = ("root", "sudo", "wheel", "admin", "docker", "lxd", "disk")


@dataclass(frozen=True)
class Upgrade:
    """A package of which there is a newer version. security: it comes from the distribution's security suite."""

    name: str
    old: str
    new: str
    security: bool


def upgrades(listed: str) -> list[Upgrade]:
    """Packages that `apt list --upgradable` names, in the language C."""
    found = [match for match in map(_UPGRADE.match, listed.splitlines()) if match]
    return [
        Upgrade(
            match["name"], match["old"], match["new"], any("security" in suite for suite in match["suites"].split(","))
        )
        for match in found
    ]


# -- what listens ----------------------------------------------------------------------------------


def listening(table: str, version: int) -> list[tuple[str, int]]:
    """Address and port of each socket that waits for connections, by /proc/net/tcp (4) or tcp6 (6)."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A":
            address, _, port = fields[1].partition(":")
            found.append((_address(address, version), int(port, 16)))
    return sorted(set(found), key=lambda one: (one[1], one[0]))


def _address(text: str, version: int) -> str:
    # The kernel prints words of four bytes as this machine has them in memory.
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET if version == 4 else socket.AF_INET6, packed)


def open_ports(sockets: Iterable[tuple[str, int]]) -> list[int]:
    """The ports that another machine can come to, where no firewall is before them."""
    return sorted({port for address, port in sockets if not _is_loopback(address)})


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")


# -- who may come in -------------------------------------------------------------------------------


def logins(passwd: str) -> list[str]:
    """The accounts with a shell, by /etc/passwd."""
    rows = [line.split(":") for line in passwd.splitlines()]
    return sorted(row[0] for row in rows if len(row) == 7 and row[6].rpartition("/")[2] not in _NO_SHELL)


def as_good_as_root(passwd: str, group: str) -> dict[str, list[str]]:
    """Accounts by the group through which they are as good as root, and those that have root's own number."""
    groups = {
        row[0]: (row[2], row[3].split(",")) for row in (line.split(":") for line in group.splitlines()) if len(row) == 4
    }
    accounts = [row for row in (line.split(":") for line in passwd.splitlines()) if len(row) == 7]
    found: dict[str, list[str]] = {}
    for name in ROOT_GROUPS:
        number, members = groups.get(name, ("", []))
        inside = {member for member in members if member} | {row[0] for row in accounts if number and row[3] == number}
        inside -= {"root", "sync", "halt", "shutdown", "operator"}
        if inside:
            found[name] = sorted(inside)
    twins = sorted(row[0] for row in accounts if row[2] == "0" and row[0] != "root")
    return {**found, **({"uid 0": twins} if twins else {})}


def keys(account: Mapping[str, Any]) -> list[str]:
    """Each key of an account: type, fingerprint, comment, and why sshd lets nobody in by it where that is so.

    account: of ssh_key_audit.read_account. What could not be read, and what else lets people in, is said behind them.
    """
    found = []
    for key in account["key_lines"]:
        dead = f", lets nobody in: {key['unusable']}" if key["unusable"] else ""
        found.append(f"{key['type']} {key['fingerprint']} {key['comment'] or '(no comment)'}{dead}")
    return [*found, *(f"not read: {why}" for why in account["unread"]), *account["notes"]]


def settings(text: str) -> Mapping[str, str]:
    """NAME=value lines, such as of /etc/ufw/ufw.conf."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
