"""Directories of the host inside an app's containers."""

from __future__ import annotations

import hashlib

from .core import HOST, LIB, Command, Failure, info, parse, read_state, report, show_json, state, verbose, verify, warn


def mounts(app: str) -> list[str]:
    options = read_state(app)["docker_options"]["deploy"]
    return [option.removeprefix("-v ").strip() for option in options if option.startswith("-v ")]


def storage_ensure(argv: list[str]) -> None:
    words, _ = parse(argv, "chown=")
    name = words[0] if words else ""
    if not name:
        raise Failure("Please specify a directory to create")
    warn("Deprecated: please use 'storage:create' instead of 'storage:ensure-directory'")
    info(f"Ensuring /var/lib/dokku/data/storage/{name} exists")
    if HOST:
        (LIB / "data/storage" / name).mkdir(parents=True, exist_ok=True)
    verbose("Setting directory ownership to 32767:32767")
    verbose("Directory ready for mounting")


def storage_mount(argv: list[str]) -> None:
    app, pair = verify(argv[0] if argv else ""), (argv + ["", ""])[1]
    if ":" not in pair:
        raise Failure("Storage path must be two valid paths divided by colon.")
    if pair in mounts(app):
        raise Failure("Mount path already exists.")
    with state(app) as known:
        for phase in ("deploy", "run"):
            known["docker_options"][phase].append(f"-v {pair}")


def storage_unmount(argv: list[str]) -> None:
    app, pair = verify(argv[0] if argv else ""), (argv + ["", ""])[1]
    if pair not in mounts(app):
        raise Failure("Mount path does not exist.")
    with state(app) as known:
        for phase in ("deploy", "run"):
            options = known["docker_options"][phase]
            known["docker_options"][phase] = [option for option in options if option != f"-v {pair}"]


def storage_list(argv: list[str]) -> None:
    words, flags = parse(argv, "format=")
    app = verify(words[0] if words else "")
    if flags.get("format") == "json":
        show_json(
            [
                {
                    "entry_name": "legacy-" + hashlib.sha256(pair.encode()).hexdigest()[:10],
                    "host_path": pair.split(":")[0],
                    "container_path": pair.split(":")[1],
                }
                for pair in mounts(app)
            ]
        )
        return
    info(f"{app} volume bind-mounts:")
    for pair in mounts(app):
        verbose(pair)


def storage_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    shown = " ".join(f"-v {pair}" for pair in mounts(app))
    values = {"storage-build-mounts": "", "storage-deploy-mounts": shown, "storage-run-mounts": shown}
    report(app, "storage", values, flags)


COMMANDS: dict[str, Command] = {
    "storage:ensure-directory": storage_ensure,
    "storage:mount": storage_mount,
    "storage:unmount": storage_unmount,
    "storage:list": storage_list,
    "storage:report": storage_report,
}
