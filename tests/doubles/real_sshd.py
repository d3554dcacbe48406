"""A real sshd as an ordinary process on a free port of this machine, with keys and a configuration of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from waiting import END, wait_for

SSHD = shutil.which("sshd", path=f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}")
MISSING = SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None
#: As root sshd wants this folder; /run is empty in a container.
PRIVSEP = Path("/run/sshd")


def make_key(path: Path, kind: str = "ed25519", comment: str = "x") -> str:
    """The public line of a new key; the private half is at the path."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)], check=True)
    return path.with_name(f"{path.name}.pub").read_text()


@dataclass
class Server:
    port: int
    folder: Path
    authorized: Path
    known_hosts: Path
    config: Path
    user: str

    def log(self) -> str:
        return (self.folder / "sshd.log").read_text(errors="replace")


@contextlib.contextmanager
def running(folder: Path, *extra: str) -> Iterator[Server]:
    """Serves the user of the test. StrictModes is off: pytest's folders lie in one that everybody may write."""
    host_key = folder / "host_key"
    public = make_key(host_key)
    for _ in range(3):
        server = _configured(folder, host_key, public, *extra)
        process = subprocess.Popen([str(SSHD), "-D", "-f", str(server.config), "-E", str(folder / "sshd.log")])
        # Somebody else may have taken the port meanwhile.
        if _answers(server, process):
            break
    else:
        raise RuntimeError(f"sshd does not answer: {server.log()}")
    try:
        yield server
    finally:
        process.terminate()
        process.wait(END)


def _configured(folder: Path, host_key: Path, public: str, *extra: str) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    authorized, known = folder / "authorized_keys", folder / "known_hosts"
    authorized.touch(0o600)
    known.write_text(f"[127.0.0.1]:{port} {' '.join(public.split()[:2])}\n")
    config = folder / "sshd_config"
    config.write_text(
        "\n".join(
            [
                *extra,
                f"Port {port}",
                "ListenAddress 127.0.0.1",
                f"HostKey {host_key}",
                f"AuthorizedKeysFile {authorized}",
                f"PidFile {folder / 'sshd.pid'}",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                "PermitRootLogin prohibit-password",
                "StrictModes no",
                "UsePAM no",
                "LogLevel VERBOSE",
                "",
            ]
        )
    )
    if os.geteuid() == 0:
        PRIVSEP.mkdir(mode=0o755, exist_ok=True)
    return Server(port, folder, authorized, known, config, pwd.getpwuid(os.geteuid()).pw_name)


def _answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    """Wait until sshd listens; False if it ended. Its own word counts: on a port that was taken another one answers."""
    listens = f"Server listening on 127.0.0.1 port {server.port}."
    file = server.folder / "sshd.log"

    def look() -> str:
        said = file.read_text(errors="replace") if file.exists() else ""
        return "listens" if listens in said else "ended" if process.poll() is not None else ""

    return wait_for(listens, look) == "listens"
