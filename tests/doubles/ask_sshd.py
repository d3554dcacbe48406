"""Asks a real sshd which lines of an authorized_keys let a key in. Runs with the standard library, also in a container.

Standard input: JSON. lines: each line in base64, without its end. keys: for each line a public key, type and blob.
Standard output: JSON. version and dump: what sshd says of itself (-V, -T). lines: for each key the number of the line
that let it in, 0 where sshd refused it, -1 where the ssh that asks does not know its type.

A connection asks for as many keys as ssh takes (100), of a file of their lines: sshd reads it anew for every key. ssh
shows the public half alone: sshd judges the line with all its options and says in its log which line that was, and ssh,
which can't sign, goes on to the next key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

#: As many identities as ssh takes on its command line.
MOST = 100
#: Lines above this are asked for alone: sshd would read them again for each of the other keys.
LONG = 5000
SECONDS = 120

_OFFERED = re.compile(r"^debug1: Offering public key: (\S+) ", re.M)
_ACCEPTED = re.compile(r"Accepted key \S+ (SHA256:\S+) found at (?:.*):(\d+)")
_FINGERPRINT = re.compile(r"SHA256:\S+")


def sshd() -> str:
    path = os.pathsep.join(["/usr/sbin", "/sbin", os.environ.get("PATH", "")])
    return os.environ.get("SSHD") or shutil.which("sshd", path=path) or ""


def version() -> str:
    said = subprocess.run([sshd(), "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = re.search(r"OpenSSH_(\S+?),? ", said.stderr + said.stdout)
    return found[1] if found else ""


class Server:
    """An sshd for this user, on a port of the loopback."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.host_key = os.path.join(folder, "host_key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.host_key], check=True)
        self.write([])
        self.port = 0
        # An older one does not know the word; and somebody else may take the port before sshd does.
        self.process = self._start(["PerSourcePenalties no"]) or self._start([]) or self._start([])
        if self.process is None:
            raise RuntimeError(f"sshd does not answer: {self.log()[-2000:]}")

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, lines: list[bytes]) -> None:
        with open(self.path("authorized_keys"), "wb") as handle:
            handle.write(b"".join(line + b"\n" for line in lines))

    def log(self) -> str:
        with open(self.path("log"), encoding="utf-8", errors="replace") as handle:
            return handle.read()

    def _start(self, extra: list[str]) -> subprocess.Popen[bytes] | None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.path('authorized_keys')}",
            f"PidFile {self.path('pid')}",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "StrictModes no",
            "UsePAM no",
            "UseDNS no",
            "MaxAuthTries 2000",
            "MaxStartups 200",
            "LoginGraceTime 0",
            "LogLevel VERBOSE",
            "PubkeyAcceptedAlgorithms *",
            *extra,
        ]
        with open(self.path("config"), "w", encoding="utf-8") as handle:
            handle.write("\n".join(words) + "\n")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", 0o755, exist_ok=True)
        process = subprocess.Popen([sshd(), "-D", "-f", self.path("config"), "-E", self.path("log")])
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return process
            except OSError:
                time.sleep(0.05)
        process.kill()
        process.wait()
        return None

    def close(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(SECONDS)


def ask(server: Server, paths: list[str]) -> str:
    """Show these keys in one connection. Returns what ssh said."""
    options = {
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "PubkeyAcceptedAlgorithms": "*",
        "BatchMode": "yes",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    words += [word for path in paths for word in ("-i", path)]
    user = pwd.getpwuid(os.geteuid()).pw_name
    done = subprocess.run(
        ["ssh", "-F", "/dev/null", "-v", "-N", "-T", "-p", str(server.port), "-l", user, *words, "127.0.0.1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    if "Permission denied" not in done.stderr:
        raise RuntimeError(f"ssh ended in another way than with its last key refused: {done.stderr[-2000:]}")
    return done.stderr


def dump(server: Server) -> str:
    user = pwd.getpwuid(os.geteuid()).pw_name
    words = [sshd(), "-T", "-f", server.path("config"), "-C", f"user={user},host=127.0.0.1,addr=127.0.0.1"]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout


def fingerprint(public: str) -> str:
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def parts(lines: list[bytes]) -> list[range]:
    """Lines that are asked for together."""
    found: list[range] = []
    for number, line in enumerate(lines):
        long = len(line) > LONG
        if not found or long or len(found[-1]) == MOST or len(lines[found[-1].start]) > LONG:
            found.append(range(number, number + 1))
        else:
            found[-1] = range(found[-1].start, number + 1)
    return found


def answers(server: Server, lines: list[bytes], keys: list[str]) -> list[int]:
    found: list[int] = []
    for together in parts(lines):
        server.write([lines[number] for number in together])
        paths = [server.path(f"key{number}") for number in together]
        for number, path in zip(together, paths):
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(keys[number] + "\n")
        offered = set(_OFFERED.findall(ask(server, paths)))
        accepted = {match[1]: int(match[2]) + together.start for match in _ACCEPTED.finditer(server.log())}
        for number, path in zip(together, paths):
            found.append(accepted.get(fingerprint(keys[number]), 0) if path in offered else -1)
    return found


def main() -> None:
    question = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="ask-sshd-") as folder:
        server = Server(folder)
        try:
            lines = answers(server, [base64.b64decode(line) for line in question["lines"]], question["keys"])
            known = dump(server)
        finally:
            server.close()
    json.dump({"version": version(), "dump": known, "lines": lines}, sys.stdout)


if __name__ == "__main__":
    main()
