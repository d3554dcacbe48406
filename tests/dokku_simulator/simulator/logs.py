"""Output of the containers: coloured even without a terminal; `--tail` takes no count, and follows for ever."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import NoReturn

from .core import DOCKER, Command, Failure, apps, containers, header, info, parse, refuse, say, verify, warn

USAGE = """Usage of logs:
  -h, --help        print help for the command
  -n, --num int     the number of lines to display (default 100)
  -p, --ps string   only display logs from the given process
  -q, --quiet       display raw logs without colors, time and names
  -t, --tail        continually stream logs
"""
COLOURS = (36, 33, 32, 35, 34)


def bad(message: str) -> NoReturn:
    say(message)
    sys.stderr.write(f"{message}\n{USAGE}")
    sys.exit(2)


def options(argv: list[str]) -> tuple[list[str], int, str, bool, bool]:
    words: list[str] = []
    count, process, quiet, tail = 100, "", False, False
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, given, value = word.partition("=")
        if name in ("-n", "--num", "-p", "--ps"):
            value = value if given else rest.pop(0) if rest else ""
            if name in ("-p", "--ps"):
                process = value
            elif re.fullmatch(r"-?\d+", value):
                count = int(value)
            else:
                flag = '"-n, --num"'
                bad(f'invalid argument "{value}" for {flag} flag: strconv.ParseInt: parsing "{value}": invalid syntax')
        elif word in ("-q", "--quiet"):
            quiet = True
        elif word in ("-t", "--tail"):
            tail = True
        elif word.startswith("--"):
            bad(f"unknown flag: {name}")
        elif word.startswith("-"):
            bad(f"unknown shorthand flag: '{word[1]}' in {word}")
        else:
            words.append(word)
    return words, count, process, quiet, tail


def logs(argv: list[str]) -> None:
    words, count, process, quiet, tail = options(argv)
    app = verify(words[0] if words else "")
    known = containers(app)
    if not known:
        raise Failure(f"App {app} has not been deployed")
    if tail:
        # Before the first line is said: who reads it may send the signal at once.
        end_on_signal()
    chosen = {dyno: cid for dyno, cid in known.items() if not process or dyno.partition(".")[0] == process}
    lines: list[tuple[str, str]] = []
    for index, (dyno, cid) in enumerate(chosen.items()):
        lines += [(at, shape(dyno, index, at, text, quiet)) for at, text in read(cid)]
    for _, line in sorted(lines, key=lambda item: item[0])[-count:] if count else []:
        say(line)
    if tail:
        follow(chosen, quiet)


def read(cid: str, since: str = "") -> list[tuple[str, str]]:
    argv = [DOCKER, "container", "logs", "--timestamps", *(["--since", since] if since else []), cid]
    ran = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return [(at, text) for at, _, text in (line.partition(" ") for line in ran.stdout.splitlines())]


def shape(dyno: str, index: int, at: str, text: str, quiet: bool) -> str:
    return text if quiet else f"\x1b[{COLOURS[index % len(COLOURS)]}m{at} app[{dyno}]:\x1b[0m {text}"


def end_on_signal() -> None:
    def end(number: int, frame: object) -> NoReturn:
        # The signal may come while a line is printed: what is buffered is not touched.
        os.write(2, b" !     context canceled\n")
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


def follow(chosen: dict[str, str], quiet: bool) -> NoReturn:
    since = str(time.time())
    while True:
        time.sleep(0.5)
        now = str(time.time())
        for index, (dyno, cid) in enumerate(chosen.items()):
            for at, text in read(cid, since):
                say(shape(dyno, index, at, text, quiet))
        since = now


def failed(argv: list[str]) -> None:
    words, flags = parse(argv, "all")
    chosen = apps() if "all" in flags else [verify(words[0] if words else "")]
    for app in chosen:
        if "all" in flags:
            info(f"Running logs:failed against app {app}")
        header(f"{app} failed deploy logs")
        wanted = ["--filter", f"label=com.dokku.app-name={app}", "--filter", "status=exited"]
        found = subprocess.run(
            [DOCKER, "container", "ls", "-aq", *wanted, "--filter", "name=upcoming"], capture_output=True, text=True
        )
        if found.stdout.split():
            refuse("logs:failed of containers that failed")
        warn("No failed containers found")


COMMANDS: dict[str, Command] = {
    "logs": logs,
    "logs:failed": failed,
}
