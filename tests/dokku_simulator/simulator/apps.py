from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from . import services
from .builder import cleanup_app
from .core import (
    COMMAND,
    HOME,
    LIB,
    Command,
    Failure,
    apps,
    config,
    containers,
    create_state,
    deployed,
    docker,
    env_file,
    header,
    info,
    parse,
    read_config,
    read_state,
    refuse,
    report,
    say,
    show_json,
    some_apps,
    state_file,
    trigger,
    verify,
    warn,
)
from .nginx import configure_proxy
from .retire import retire_now


def check_name(app: str) -> None:
    if not app:
        raise Failure("Please specify an app to run the command on")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", app):
        raise Failure(
            "App name must begin with lowercase alphanumeric character, and may only contain lowercase alphanumerics, dots, and hyphens"
        )


def make_app(app: str) -> None:
    folder = HOME / app
    info(f"Creating {app}...")
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=master", str(folder)], check=True)
    hook = folder / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec '{COMMAND}' git-hook {app}\n")
    hook.chmod(0o755)
    (LIB / "data/simulator").mkdir(parents=True, exist_ok=True)
    state_file(app).write_text(json.dumps(create_state(app)))
    env_file(app).parent.mkdir(parents=True, exist_ok=True)
    env_file(app).write_text("{}")
    info("Creating new app virtual host file...")
    configure_proxy(app)
    warn(f"No web listeners specified for {app}")
    trigger("post-create", app)


def apps_create(argv: list[str]) -> None:
    for word in argv:
        if re.match(r"-[^-]", word):
            message = f"unknown shorthand flag: '{word[1]}' in {word}"
            say(message)
            sys.stderr.write(f"{message}\nUsage of apps:create:\n")
            sys.exit(2)
    app = argv[0] if argv else ""
    check_name(app)
    if app in apps():
        raise Failure("Name is already taken")
    make_app(app)


def apps_list(argv: list[str]) -> None:
    _, flags = parse(argv, "format=")
    if flags.get("format") == "json":
        show_json(apps())
        return
    header("My Apps")
    some_apps()
    for app in apps():
        say(app)


def apps_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    if not words and not some_apps():
        return
    for app in [verify(words[0])] if words else apps():
        known = read_state(app)
        values = {
            "app-created-at": str(known["created_at"]),
            "app-deploy-source": known["deploy_source"][0],
            "app-deploy-source-metadata": known["deploy_source"][1],
            "app-dir": f"/home/dokku/{app}",
            "app-global-disable-autocreation": "",
            "app-locked": str(lock_file(app).exists()).lower(),
        }
        report(app, "app", values, flags)


def lock_file(app: str) -> Path:
    return LIB / "data/apps" / app / ".deploy.lock"


def apps_lock(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    lock_file(app).parent.mkdir(parents=True, exist_ok=True)
    lock_file(app).touch()
    info("Deploy lock created")


def apps_unlock(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not lock_file(app).exists():
        raise Failure("Unable to remove deploy lock")
    warn("A deploy may be in progress.")
    warn("Removing the app lock will not stop in progress deploys.")
    lock_file(app).unlink()
    info("Deploy lock removed")


def apps_locked(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not lock_file(app).exists():
        raise Failure("Deploy lock does not exist")
    say("Deploy lock exists")


def apps_destroy(argv: list[str]) -> None:
    words, flags = parse(argv, "force")
    app = verify(words[0] if words else "")
    if "force" not in flags and not os.environ.get("DOKKU_APPS_FORCE_DELETE"):
        warn("WARNING: Potentially Destructive Action")
        warn(f"This command will destroy app {app}.")
        warn(f'To proceed, type "{app}"')
        sys.stdout.write("> ")
        sys.stdout.flush()
        answer = sys.stdin.readline()
        if not answer:
            say()
            raise Failure("EOF")
        if answer.strip() != app:
            say()
            raise Failure("Confirmation did not match test. Aborted.", 1, bare=True)
    unmake_app(app)


def unmake_app(app: str) -> None:
    info(f"Destroying {app} (including all add-ons)")
    services.unlink_all(app)
    for cid in containers(app).values():
        docker("container", "rm", "--force", cid, check=False)
    found = docker(
        "container",
        "ls",
        "-aq",
        "--filter",
        f"label=com.dokku.app-name={app}",
        "--filter",
        "label=com.dokku.container-type=deploy",
    ).split()
    if found:
        docker("container", "rm", "--force", *found, check=False)
    docker("image", "rm", f"dokku/{app}:latest", check=False)
    cleanup_app(app)
    retire_now(app)
    subprocess.run(
        [
            "rm",
            "-rf",
            str(HOME / app),
            str(LIB / "data/builds" / app),
            str(LIB / "data/apps" / app),
            str(LIB / "data/ps" / app),
            str(LIB / "data/app-json" / app),
            str(env_file(app)),
        ],
        check=True,
    )
    state_file(app).unlink()
    trigger("post-delete", app, "latest")


def apps_copy(argv: list[str], move: bool) -> None:
    words, flags = parse(argv, "skip-deploy ignore-existing")
    old = verify(words[0] if words else "")
    new = words[1] if len(words) > 1 else ""
    if not new:
        raise Failure("Please specify an new app name")
    check_name(new)
    if new in apps():
        if "ignore-existing" in flags:
            warn("Name is already taken")
            return
        raise Failure("Name is already taken")
    if deployed(old):
        refuse(f"{'rename' if move else 'clone'} of a deployed app")
    info(f"{'Renaming' if move else 'Cloning'} {old} to {new}")
    make_app(new)
    with config(new) as variables:
        variables.update(read_config(old))
    if move:
        trigger("post-app-rename-setup", old, new)
        unmake_app(old)


COMMANDS: dict[str, Command] = {
    "apps": apps_list,
    "apps:create": apps_create,
    "apps:list": apps_list,
    "apps:exists": lambda argv: verify(argv[0] if argv else "") and None,
    "apps:report": apps_report,
    "apps:lock": apps_lock,
    "apps:unlock": apps_unlock,
    "apps:locked": apps_locked,
    "apps:destroy": apps_destroy,
    "apps:clone": lambda argv: apps_copy(argv, False),
    "apps:rename": lambda argv: apps_copy(argv, True),
}
