# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether one private key, and no other way in, is let into an account: asked with ssh itself, without a session.

Ansible's ping proves nothing about a key: the name of its ControlPath does not depend on the key, so a connection that
another key has opened answers for it. This asks with a connection of its own, one key, and no agent.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.excerpt import excerpt

#: What may come of it. Only ACCEPTED proves that a key is let in, and only REFUSED that it is not.
ACCEPTED = "accepted"
REFUSED = "refused"
HOST_KEY = "host_key"
KEY_UNREADABLE = "key_unreadable"
UNREACHABLE = "unreachable"

_ACCEPTED = re.compile(r'^Authenticated to .* using "publickey"\.?$', re.M)
_REFUSED = re.compile(r"^[^\s@]{1,256}@[^\s:]{1,256}: Permission denied \(([^)]*)\)\.?$", re.M)
_WOULD_ACCEPT = re.compile(r"^debug1: Server accepts key: ", re.M)
_OFFERED = re.compile(r"^debug1: Offering public key: ", re.M)
_HOST_KEY = re.compile(
    r"Host key verification failed|No \S{1,40} host key is known for|REMOTE HOST IDENTIFICATION HAS CHANGED"
)
_KEY_UNREADABLE = re.compile(
    # ssh names the file between the two words of the first and of the last one.
    r'Load key "|error in libcrypto|invalid format|no such identity|UNPROTECTED PRIVATE KEY|Identity file .'
)


@dataclass(frozen=True)
class Login:
    """Where to knock. known_hosts: a file that holds this host's key; no other is believed."""

    host: str
    user: str
    known_hosts: str
    port: int = 22
    host_key_alias: str = ""
    seconds: int = 20


@dataclass(frozen=True)
class Answer:
    """outcome: one of the words above. text: what ssh said about it."""

    outcome: str
    text: str


def argv(login: Login, identity: str, ssh: str = "ssh", log_level: str = "VERBOSE") -> list[str]:
    """The command line; identity is the path of the private key. It opens no session, so no forced command runs."""
    options = {
        "IdentityFile": _quoted(identity),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "CertificateFile": "none",
        "PKCS11Provider": "none",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ControlPersist": "no",
        "PreferredAuthentications": "publickey",
        "PubkeyAuthentication": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "GSSAPIAuthentication": "no",
        "HostbasedAuthentication": "no",
        "NumberOfPasswordPrompts": "0",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": _quoted(login.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "KnownHostsCommand": "none",
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "PermitLocalCommand": "no",
        "ConnectionAttempts": "1",
        "ConnectTimeout": str(login.seconds),
        # Tells in one line that the key was taken, and less than the levels above it.
        "LogLevel": log_level,
    }
    if login.host_key_alias:
        options["HostKeyAlias"] = login.host_key_alias
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    # What ssh says goes apart from what the host says: a banner could hold any of these sentences.
    log = ["-E", "/dev/stdout"]
    return [ssh, "-F", "/dev/null", *log, "-N", "-T", "-p", str(login.port), "-l", login.user, *words, "--", login.host]


def _quoted(path: str) -> str:
    return '"' + path.replace("%", "%%") + '"'


def judge(said: str, timed_out: bool = False) -> Answer:
    """What the words of ssh mean. A doubt is never a refusal: a key may be removed on one."""
    if _ACCEPTED.search(said):
        return Answer(ACCEPTED, "the key was let in")
    if _HOST_KEY.search(said):
        return Answer(HOST_KEY, "the host showed another key than the one in known_hosts, or none stands there")
    # Where ssh can't load the key it knocks without one, and is refused for that.
    if _KEY_UNREADABLE.search(said):
        return Answer(
            KEY_UNREADABLE, "ssh can't read the private key: wrong format, no newline at its end, or a passphrase"
        )
    if refused := _REFUSED.search(said):
        return Answer(REFUSED, f"sshd refused it, and offers {refused[1]}")
    if timed_out:
        return Answer(UNREACHABLE, "no answer in time")
    return Answer(UNREACHABLE, excerpt(said, first=2, last=3, nothing="ssh ended without a word"))


def probe(login: Login, identity: str, ssh: str = "ssh") -> Answer:
    """Knock once with the key in this file."""
    return judge(*_knock(login, argv(login, identity, ssh), _ACCEPTED))


def _knock(login: Login, words: list[str], enough: re.Pattern[str]) -> tuple[str, bool]:
    """What ssh says, up to the line that is enough, and whether its time was over."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    # ConnectTimeout is about the connection only; a host may take it and then say nothing.
    timer = threading.Timer(login.seconds + 10, stop)
    timer.start()
    said = ""
    try:
        for line in process.stdout or ():
            said += line
            if enough.search(said):
                # Without a command it would stay until the other side ends it.
                break
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    return said, late.is_set()


def probe_public(login: Login, public: str, ssh: str = "ssh") -> Answer:
    """Ask whether a key would be let in of which only the public half is here (type and blob).

    ssh asks this before it signs anything, and sshd judges the line with its options as it would for a login.
    """
    with _in_memory(f"{public.strip()}\n".encode()) as identity:
        said, late = _knock(login, argv(login, identity, ssh, "DEBUG1"), _WOULD_ACCEPT)
    if _WOULD_ACCEPT.search(said):
        return Answer(ACCEPTED, "sshd would let the key in")
    if not _OFFERED.search(said) and _REFUSED.search(said):
        # Of a type that one of the two sides does not take any more: it was not asked at all.
        return Answer(KEY_UNREADABLE, "ssh did not offer the key: its type is not taken by this ssh or that sshd")
    quiet = "\n".join(line for line in said.splitlines() if not line.startswith("debug1: "))
    return judge(quiet, late)


def probe_key(login: Login, private_key: bytes, ssh: str = "ssh") -> Answer:
    """Knock once with a key that lies in no file: on the disk of the controller it never stands in clear."""
    with _in_memory(private_key) as identity:
        return probe(login, identity, ssh)


@contextlib.contextmanager
def _in_memory(private_key: bytes) -> Iterator[str]:
    """A path that leads to these bytes as long as this process holds them. Linux only."""
    descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
    try:
        # ssh refuses a key that others may read.
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, private_key)
        # Not /dev/fd: ssh closes what it inherits before it reads the key.
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
