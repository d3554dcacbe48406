"""Keys that may call Dokku over ssh, and the command that sshd runs for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .core import HOME, Command, Failure, parse, say, show_json

OPTIONS = "no-agent-forwarding,no-user-rc,no-X11-forwarding,no-port-forwarding"


def key_file() -> Path:
    return HOME / ".ssh/authorized_keys"


def keys() -> list[tuple[str, str, str]]:
    """Fingerprint, name, and the key itself."""
    found = []
    for line in key_file().read_text().splitlines() if key_file().exists() else []:
        if "NAME=" in line:
            name = line.split('NAME=\\"')[1].split('\\"')[0]
            found.append((line.split("FINGERPRINT=")[1].split()[0], name, line.split(f"{OPTIONS} ", 1)[1]))
    return found


def fingerprint(key: str) -> str:
    ran = subprocess.run(["ssh-keygen", "-lf", "-"], input=key, capture_output=True, text=True)
    return ran.stdout.split()[1] if ran.returncode == 0 else ""


def write(wanted: list[tuple[str, str, str]]) -> None:
    key_file().parent.mkdir(mode=0o700, exist_ok=True)
    text = "".join(
        f'command="FINGERPRINT={print_} NAME=\\"{name}\\" `cat /home/dokku/.sshcommand` $SSH_ORIGINAL_COMMAND",'
        f"{OPTIONS} {key}\n"
        for print_, name, key in wanted
    )
    key_file().write_text(text)
    key_file().chmod(0o600)


def add(argv: list[str]) -> None:
    name = argv[0] if argv else ""
    key = (Path(argv[1]).read_text() if len(argv) > 1 else sys.stdin.read()).strip()
    print_ = fingerprint(key)
    if not print_:
        raise Failure("Key specified in is not a valid ssh public key")
    if any(name == one[1] for one in keys()):
        sys.stderr.write("Duplicate ssh key name\n")
        raise Failure("sshcommand returned an error: 1")
    if any(print_ == one[0] for one in keys()):
        sys.stderr.write("Duplicate ssh public key specified\n")
        raise Failure("sshcommand returned an error: 1")
    write([*keys(), (print_, name, key)])
    say(print_)


def remove(argv: list[str]) -> None:
    left = [one for one in keys() if one[1] != (argv[0] if argv else "")]
    if len(left) == len(keys()):
        raise Failure("No public keys found.")
    write(left)


def listing(argv: list[str]) -> None:
    _, flags = parse(argv, "format=")
    if flags.get("format") == "json":
        shown = [
            {"fingerprint": print_, "name": name, "SSHCOMMAND_ALLOWED_KEYS": OPTIONS, "public-key": key}
            for print_, name, key in keys()
        ]
        show_json(shown)
        return
    if not keys():
        sys.stderr.write("authorized_keys is empty for dokku\n")
        sys.exit(1)
    for print_, name, _ in keys():
        say(f'{print_} NAME="{name}" SSHCOMMAND_ALLOWED_KEYS="{OPTIONS}"')


COMMANDS: dict[str, Command] = {
    "ssh-keys:add": add,
    "ssh-keys:remove": remove,
    "ssh-keys:list": listing,
}
