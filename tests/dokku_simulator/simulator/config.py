from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from .builds import end_build
from .core import (
    COMMAND,
    Command,
    Failure,
    config,
    deployed,
    header,
    info,
    parse,
    read_config,
    refuse,
    say,
    show_json,
    trigger,
    verbose,
    verify,
    warn,
)
from .ps import status
from .scheduler import release_and_deploy

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def config_words(argv: list[str], known: str) -> tuple[str, list[str], dict[str, str]]:
    words, flags = parse(argv, known + " global merged format= no-restart quoted")
    if "global" in flags:
        return "--global", words, flags
    return verify(words[0] if words else ""), words[1:], flags


def show_pairs(pairs: dict[str, str]) -> None:
    width = max((len(key) for key in pairs), default=0) + 1
    for key, value in sorted(pairs.items()):
        verbose(f"{key + ':':<{width}}  {value}".replace("\n", "\n"))


def store(app: str, pairs: dict[str, str], flags: dict[str, str], fresh: bool = False) -> None:
    for key in pairs:
        if not KEY.fullmatch(key):
            raise Failure(f"Invalid key name: '{key}'")
    with config(app) as variables:
        if fresh:
            variables.clear()
        variables.update(pairs)
    info("Setting config vars")
    show_pairs({key: value.strip() for key, value in pairs.items()})
    if app != "--global":
        trigger("post-config-update", app, "set", *sorted(pairs))
    restart_after(app, flags)


def restart_after(app: str, flags: dict[str, str]) -> None:
    """A restart that fails is told on stderr, and the command succeeds."""
    if app == "--global" or "no-restart" in flags or not deployed(app):
        return
    if not any(value == "running" for value, _ in status(app).values()):
        return
    info(f"Restarting app {app}")
    # The build record, and so the joined output, belongs to another process.
    if subprocess.run([str(COMMAND), "_redeploy", app]).returncode:
        warn("Failure while restarting app: ")


def redeploy(argv: list[str]) -> None:
    try:
        release_and_deploy(argv[0], "latest", "config-redeploy")
    except Failure:
        end_build(argv[0], 1)
        raise
    end_build(argv[0], 0)


def config_set(argv: list[str]) -> None:
    app, words, flags = config_words(argv, "encoded")
    if not words:
        raise Failure("At least one env pair must be given")
    pairs = {}
    for word in words:
        key, found, value = word.partition("=")
        if not found:
            raise Failure(f"Invalid env pair: {word}")
        pairs[key] = decoded(key, value) if "encoded" in flags else value
    store(app, pairs, flags)


def decoded(key: str, value: str) -> str:
    odd = re.search(r"[^A-Za-z0-9+/=]", value)
    if odd:
        # Go says up to where it read, in whole groups of four.
        raise Failure(f"illegal base64 data at input byte {odd.start() - odd.start() % 4 + 3} for key '{key}'")
    return base64.b64decode(value).decode()


def config_unset(argv: list[str]) -> None:
    app, words, flags = config_words(argv, "")
    if not words:
        raise Failure("At least one key must be given")
    with config(app) as variables:
        for key in words:
            if key in variables:
                info(f"Unsetting {key}")
                del variables[key]
            else:
                info(f"Skipping {key}, it is not set in the environment")
    if app != "--global":
        trigger("post-config-update", app, "unset", *words)
    restart_after(app, flags)


def config_clear(argv: list[str]) -> None:
    app, _, flags = config_words(argv, "")
    with config(app) as variables:
        for key in sorted(variables):
            info(f"Unsetting {key}")
        variables.clear()
    trigger("post-config-update", app, "clear")
    restart_after(app, flags)


def config_get(argv: list[str]) -> None:
    app, words, flags = config_words(argv, "")
    if not words:
        raise Failure("Expected: key")
    if len(words) > 1:
        raise Failure(f"Unexpected argument(s): [{' '.join(words[1:])}]")
    variables = read_config(app)
    if words[0] not in variables:
        sys.exit(1)
    value = variables[words[0]]
    say(quoted(value) if "quoted" in flags else value)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def config_keys(argv: list[str]) -> None:
    app, _, flags = config_words(argv, "")
    for key in sorted(merged(app, flags)):
        say(key)


def merged(app: str, flags: dict[str, str]) -> dict[str, str]:
    return (read_config("--global") if "merged" in flags else {}) | read_config(app)


def config_show(argv: list[str]) -> None:
    app, _, flags = config_words(argv, "")
    variables = merged(app, flags)
    header(f"{'global' if app == '--global' else app} env vars")
    pretty(variables)
    if not variables and os.environ.get("DOKKU_QUIET_OUTPUT"):
        say()


def pretty(variables: dict[str, str]) -> None:
    width = max((len(key) for key in variables), default=0) + 1
    for key, value in sorted(variables.items()):
        say(f"{key + ':':<{width}}  {value.strip()}")


def config_export(argv: list[str]) -> None:
    app, _, flags = config_words(argv, "")
    variables = dict(sorted(merged(app, flags).items()))
    chosen = flags.get("format", "exports")
    if chosen == "json":
        show_json(variables)
    elif chosen == "json-list":
        show_json([{"name": key, "value": value} for key, value in variables.items()])
    elif chosen == "exports":
        for key, value in variables.items():
            say(f"export {key}={quoted(value)}")
    elif chosen == "envfile":
        for key, value in variables.items():
            shown = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"').replace("$", "\\$")
            say(f"{key}={value}" if re.fullmatch(r"-?\d+", value) else f'{key}="{shown}"')
    elif chosen == "shell":
        sys.stdout.write("".join(f"{key}={quoted(value)} " for key, value in variables.items()) + "\n")
    elif chosen == "pretty":
        pretty(variables)
    elif chosen == "docker-args":
        say(" ".join(f"--env={key}={quoted(value)}" for key, value in variables.items()))
    elif chosen == "docker-args-keys":
        say(" ".join(f"--env={key}" for key in variables))
    elif chosen == "pack-keys":
        say(" ".join(f"--env {key}" for key in variables))
    else:
        raise Failure(f"Unknown export format: {chosen}")


def config_import(argv: list[str]) -> None:
    app, words, flags = config_words(argv, "replace")
    source = words[0] if words else ""
    if source == "-":
        info("Reading config vars from stdin")
        text = sys.stdin.read()
    else:
        try:
            text = Path(source).read_text() if source else Path("").joinpath("").read_text()
        except OSError:
            raise Failure(f"open {source}: no such file or directory") from None
    chosen = flags.get("format", "envfile")
    if chosen == "json":
        pairs = read_json_pairs(text)
    elif chosen == "envfile":
        pairs = read_envfile(text)
    else:
        raise Failure(f"Unknown format: {chosen}")
    if not pairs:
        raise Failure("No config vars to set")
    for key, value in pairs.items():
        info(f"Setting config var {key}={value}")
    store(app, pairs, flags, fresh="replace" in flags)


def read_json_pairs(text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except ValueError:
        if text.startswith("not"):
            raise Failure("invalid character 'o' in literal null (expecting 'u')") from None
        refuse("config:import of that malformed JSON")
    for key, one in value.items():
        if not isinstance(one, str):
            kind = {int: "number", float: "number", bool: "bool"}.get(type(one), "object")
            raise Failure(f"json: cannot unmarshal {kind} into Go struct field .{key} of type string")
    return value  # type: ignore[no-any-return]


def read_envfile(text: str) -> dict[str, str]:
    pairs = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            key, _, value = line.removeprefix("export ").partition("=")
            pairs[key] = value[1:-1] if value[:1] == value[-1:] == '"' else value
    return pairs


COMMANDS: dict[str, Command] = {
    "config": config_show,
    "config:show": config_show,
    "config:set": config_set,
    "config:unset": config_unset,
    "config:get": config_get,
    "config:keys": config_keys,
    "config:export": config_export,
    "config:import": config_import,
    "config:clear": config_clear,
    "_redeploy": redeploy,
}
