"""Commands in containers of their own, and in those that serve."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from typing import NoReturn

from .core import (
    DOCKER,
    OWNER,
    Command,
    Failure,
    containers,
    docker,
    header,
    image_id,
    inspect,
    parse,
    read_config,
    refuse,
    say,
    verify,
    warn,
)
from .tasks import options


def words_and_variables(argv: list[str]) -> tuple[str, list[str], dict[str, str]]:
    """Flags stand before the app; what comes after it is the command's own."""
    rest, given = list(argv), {}
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag in ("-e", "--env") and rest:
            key, _, value = rest.pop(0).partition("=")
            given[key] = value
        elif flag.startswith("--env="):
            key, _, value = flag.removeprefix("--env=").partition("=")
            given[key] = value
        else:
            refuse(f"run {flag}")
    app = verify(rest[0] if rest else "")
    if not rest[1:]:
        refuse("run without a command of its own")
    return app, rest[1:], given


def create(app: str, command: list[str], given: dict[str, str], kind: str) -> str:
    reference = f"dokku/{app}:latest"
    if not image_id(reference):
        warn(f"App image ({reference}) not found")
        sys.stderr.write("Error: No such image: \n")
        warn("Invalid image stage detected: expected 'release', got ''")
        raise Failure("Successfully deploy your app to fix dokku run calls")
    stage = docker("image", "inspect", "--format", '{{index .Config.Labels "com.dokku.image-stage"}}', reference)
    if stage != "release":
        warn(f"Invalid image stage detected: expected 'release', got '{stage}'")
        raise Failure("Successfully deploy your app to fix dokku run calls")
    variables = read_config("--global") | read_config(app) | given
    number = random.randint(1000, 32767)
    labels = [OWNER, "dokku", f"com.dokku.app-name={app}", f"com.dokku.container-type={kind}"]
    created = subprocess.run(
        [DOCKER, "container", "create", f"--name={app}.run.{number}", *(f"--label={label}" for label in labels)]
        + [f"--env={key}" for key in variables]
        + [f"--env=DYNO=run.{number}", *options(app, "run"), reference, *command],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    if created.returncode:
        raise Failure(created.stderr.strip(), 1, bare=True)
    return created.stdout.strip()


def run(argv: list[str]) -> NoReturn:
    """Standard input is not handed on without a terminal. The exit code is the command's."""
    cid = create(*words_and_variables(argv), kind="run")
    sys.stdout.flush()
    code = subprocess.run([DOCKER, "container", "start", "--attach", cid], stdin=subprocess.DEVNULL).returncode
    docker("container", "rm", "--force", cid, check=False)
    sys.exit(code)


def detached(argv: list[str]) -> None:
    cid = create(*words_and_variables(argv), kind="run")
    docker("container", "start", cid)
    say(inspect(cid, "{{.Name}}").removeprefix("/"))


def running(app: str) -> list[str]:
    wanted = ["--filter", f"label=com.dokku.app-name={app}", "--filter", "label=com.dokku.container-type=run"]
    return docker("container", "ls", "-q", *wanted).split()


def listing(argv: list[str]) -> None:
    words, flags = parse(argv, "format=")
    app = verify(words[0] if words else "")
    rows = []
    for cid in running(app):
        path, arguments, created, state, name = json.loads(
            inspect(cid, "[{{json .Path}},{{json .Args}},{{json .Created}},{{json .State.Status}},{{json .Name}}]")
        )
        command = f'"{" ".join([path, *arguments])}"'
        rows.append({"name": name[1:], "state": state, "command": command, "created_at": created})
    if flags.get("format") == "json":
        say(json.dumps(rows, indent=2) if rows else "[]")
        return
    header(f"{app} run containers")
    table = [("NAMES", "COMMAND", "CREATED"), *((row["name"], row["command"], "1 second ago") for row in rows)]
    widths = [max(len(row[column]) for row in table) + 3 for column in range(2)]
    for row in table:
        say(f"{row[0]:<{widths[0]}}{row[1]:<{widths[1]}}{row[2]}")


def stop(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    for cid in running(app):
        name = inspect(cid, "{{.Name}}").removeprefix("/")
        docker("container", "rm", "--force", cid, check=False)
        say(name)


def enter(argv: list[str]) -> NoReturn:
    app = verify(argv[0] if argv else "")
    known = containers(app)
    if not known:
        raise Failure(f"App {app} has not been deployed")
    if len(argv) < 3:
        refuse("enter without a command")
    name = argv[1]
    cid = known.get(name) or known.get(f"{name}.1")
    if cid is None:
        types = " ".join(sorted({dyno.partition(".")[0] for dyno in known}))
        warn(f"No containers found for type '{name}'")
        raise Failure(f"Available types for app ({app}): {types}")
    sys.stdout.flush()
    sys.exit(subprocess.run([DOCKER, "container", "exec", cid, *argv[2:]], stdin=subprocess.DEVNULL).returncode)


COMMANDS: dict[str, Command] = {
    "run": run,
    "run:detached": detached,
    "run:list": listing,
    "run:stop": stop,
    "enter": enter,
}
