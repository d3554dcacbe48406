# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks with ssh itself whether sshd lets one private key into an account, by no other way in.

Ansible's ping proves nothing about a key: the name of its ControlPath does not depend on the key, so a connection that
another key has opened answers for it. This asks with a connection of its own, one key, and no agent.

That ssh calls itself authenticated proves nothing either. sshd is more than one process: that of OpenSSH 10.0 which
talks to the client says so of a key that the one which decides then refuses (of root, without command=, where
PermitRootLogin is forced-commands-only), and the connection is cut. So the session has to answer: with the word of a
command that it ran, or, where another command would run in its place, with its reply to a forwarding that nobody can
open.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt

#: Results of a login. Only ACCEPTED proves that a key is let in, and only REFUSED that it is not.
ACCEPTED = "accepted"
REFUSED = "refused"
NO_SESSION = "no_session"
HOST_KEY = "host_key"
KEY_UNREADABLE = "key_unreadable"
UNREACHABLE = "unreachable"

_AUTHENTICATED = re.compile(r'^Authenticated to .* using "publickey"\.?$', re.M)
#: The session's replies to _FORWARD, whether forwarding is allowed or not.
_REPLIED = re.compile(r"^channel 0: open failed: ", re.M)
_REFUSED = re.compile(r"^[^\s@]{1,256}@[^\s:]{1,256}: Permission denied \(([^)]*)\)\.?$", re.M)
_WOULD_ACCEPT = re.compile(r"^debug1: Server accepts key: ", re.M)
_COUNTED = re.compile(r"^(?:Transferred: sent|Bytes per second: sent) .*$", re.M)
_OFFERED = re.compile(r"^debug1: Offering public key: ", re.M)
_HOST_KEY = re.compile(
    r"Host key verification failed|No \S{1,40} host key is known for|REMOTE HOST IDENTIFICATION HAS CHANGED"
)
_KEY_UNREADABLE = re.compile(
    # ssh names the file between the two words of the first and of the last one.
    r'Load key "|error in libcrypto|invalid format|no such identity|UNPROTECTED PRIVATE KEY|Identity file .'
)

#: Opens no session. Authentication is all that is tried.
_NOTHING = ("-N", "-T")
#: Opens no session, and asks for a connection to an address that a kernel refuses at once, so nothing is connected.
_FORWARD = ("-T", "-W", "255.255.255.255:9")
#: Letters of ssh and of the host that are read; a host may talk for ever.
_MOST = 262144
#: A host that does not answer is asked so often, some seconds apart.
_KNOCKS, _PAUSE = 3, 2.0


@dataclass(frozen=True)
class Login:
    """The login to try. known_hosts: a file that holds this host's key; no other is believed.

    runs_commands: sshd runs a requested command there. If command= of the key's line, ForceCommand or a program in
    place of a shell would run instead, no command is requested.
    """

    host: str
    user: str
    known_hosts: str
    port: int = 22
    host_key_alias: str = ""
    seconds: int = 20
    runs_commands: bool = False


@dataclass(frozen=True)
class Answer:
    """outcome: one of the words above. text: what ssh said about it."""

    outcome: str
    text: str


def argv(
    login: Login,
    identity: str,
    ssh: str = "ssh",
    log_level: str = "VERBOSE",
    opens: Sequence[str] = _NOTHING,
    command: str = "",
) -> list[str]:
    """The command line. identity: the path of the private key. opens: options of ssh that say what it asks for."""
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
    # What ssh says goes apart from the banner, which could hold any of these sentences. The output of a command comes
    # behind the line that the key was taken, and is searched for one word that nobody can guess.
    log = ["-E", "/dev/stdout"]
    where = ["-p", str(login.port), "-l", login.user, *words, "--", login.host]
    return [ssh, "-F", "/dev/null", *log, *opens, *where, *([command] if command else [])]


def _quoted(path: str) -> str:
    return '"' + path.replace("%", "%%") + '"'


def judge(said: str, proof: re.Pattern[str] = _REPLIED, timed_out: bool = False) -> Answer:
    """The meaning of ssh's words. proof: a text that only the session can have answered.

    A doubt is never a refusal: a key may be removed on one.
    """
    if taken := _AUTHENTICATED.search(said):
        behind = said[taken.end() :]
        if proof.search(behind):
            return Answer(ACCEPTED, "the key was let in, and the session answered")
        said_last = excerpt(_COUNTED.sub("", behind), first=2, last=3, nothing="the connection ended without a word")
        why = "no answer in time" if timed_out else said_last
        return Answer(NO_SESSION, f"sshd let the key in, and then no session answered: {why}")
    if _HOST_KEY.search(said):
        return Answer(HOST_KEY, "the host showed a key other than the one in known_hosts, or known_hosts has none")
    # If ssh can't load the key it connects without one, and is refused for that.
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
    """Log in once with the key in this file. Runs a command only where the login says that it is the one that runs."""
    if not login.runs_commands:
        said, late = _knock(login, argv(login, identity, ssh, opens=_FORWARD), _REPLIED)
        return judge(said, _REPLIED, late)
    one, other = secrets.token_hex(12), secrets.token_hex(12)
    # Whoever only repeats the command has the quotes between the two halves.
    words = argv(login, identity, ssh, opens=("-T",), command=f"echo '{one}''{other}'")
    proof = re.compile(one + other)
    said, late = _knock(login, words, proof)
    return judge(said, proof, late)


def patiently(knock: Callable[[], Answer]) -> Answer:
    """Ask again where nobody answered: sshd drops connections when many come at once."""
    answer = knock()
    for _again in range(_KNOCKS - 1):
        if answer.outcome not in (UNREACHABLE, NO_SESSION):
            break
        time.sleep(_PAUSE)
        answer = knock()
    return answer


def _knock(login: Login, words: list[str], enough: re.Pattern[str]) -> tuple[str, bool]:
    """The words of ssh, up to the line that is enough, and True if its time was over."""
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
        while process.stdout and len(said) < _MOST and (read := process.stdout.readline(_MOST)):
            said += read
            if enough.search(read):
                # It might stay until the other side ends it.
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
    return judge(quiet, timed_out=late)


def probe_key(login: Login, private_key: bytes, ssh: str = "ssh") -> Answer:
    """Log in once with a key that is in no file: the controller's disk never holds it in clear."""
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


def fingerprint_of(path: str) -> str:
    """The fingerprint of the key in a file, which may hold either half; empty if it is not known."""
    if not path:
        return ""
    try:
        ran = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = ran.stdout.split()
    return words[1] if ran.returncode == 0 and len(words) > 1 else ""
