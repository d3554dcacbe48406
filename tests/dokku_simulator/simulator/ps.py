from __future__ import annotations

import re

from .builds import begin_build, end_build
from .core import (
    Command,
    Failure,
    apps,
    containers,
    deployed,
    docker,
    header,
    image_id,
    info,
    inspect,
    parse,
    read_state,
    refuse,
    report,
    say,
    show_json,
    some_apps,
    state,
    trigger,
    verify,
    warn,
)
from .nginx import configure_proxy
from .scheduler import release_and_deploy, scheduler_deploy


def restart(argv: list[str]) -> None:
    """No lock, no end of the record, and whatever image has the tag."""
    words, _ = parse(argv, "")
    app = words[0] if words else ""
    begin_build(app, "ps:restart")
    verify(app)
    if not deployed(app):
        warn(f"App {app} has not been deployed")
        return
    if not image_id(f"dokku/{app}:latest"):
        warn(f"App image (dokku/{app}:latest) not found")
        raise Failure(f" !     App image (dokku/{app}:latest) not found")
    try:
        scheduler_deploy(app, "latest", words[1] if len(words) > 1 else "")
    except Failure as failure:
        if failure.repeated:
            say(failure.message)
            raise Failure(failure.repeated, failure.code) from None
        raise


def status(app: str) -> dict[str, tuple[str, str]]:
    return {dyno: (inspect(cid, "{{.State.Status}}") or "missing", cid) for dyno, cid in containers(app).items()}


def ps_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    if not words and not some_apps():
        return
    for app in [verify(words[0])] if words else apps():
        states = status(app)
        running = sum(1 for value, _ in states.values() if value == "running")
        own = read_state(app)["ps"]
        values = {
            "deployed": str(deployed(app)).lower(),
            "processes": str(len(containers(app))),
            "ps-can-scale": "true",
            "ps-computed-dockerfile-start-cmd": "",
            "ps-computed-procfile-path": "Procfile",
            "ps-computed-restart-policy": own.get("restart-policy", "on-failure:10"),
            "ps-computed-skip-deploy": "false",
            "ps-computed-start-cmd": "",
            "ps-computed-stop-timeout-seconds": own.get("stop-timeout-seconds", "30"),
            "ps-dockerfile-start-cmd": "",
            "ps-global-procfile-path": "",
            "ps-global-restart-policy": "",
            "ps-global-skip-deploy": "",
            "ps-global-stop-timeout-seconds": "",
            "ps-procfile-path": "",
            "ps-restart-policy": own.get("restart-policy", ""),
            "ps-skip-deploy": "",
            "ps-start-cmd": "",
            "ps-stop-timeout-seconds": own.get("stop-timeout-seconds", ""),
            "restore": str(read_state(app)["running_wanted"]).lower(),
            "running": "false" if not running else "true" if running == len(states) else "mixed",
        }
        states_shown = {f"status-{dyno}": f"{value} (CID: {cid[:11]})" for dyno, (value, cid) in states.items()}
        report(app, "ps", values, flags, states_shown)


def ps_scale(argv: list[str]) -> None:
    words, flags = parse(argv, "format= skip-deploy")
    app = verify(words[0] if words else "")
    pairs = words[1:]
    known = read_state(app)["scale"]
    if not pairs:
        if flags.get("format") == "json":
            show_json([{"process_type": name, "quantity": count} for name, count in sorted(known.items())])
            return
        info(f"Scaling for {app}")
        width = max(len("proctype"), *(len(name) for name in known)) - 2
        say("proctype: qty")
        say("--------: ---")
        for name, count in sorted(known.items()):
            say(f"{name + ':':<{width}} {count}")
        return
    info(f"Scaling {app} processes: {' '.join(pairs)}")
    wanted = {}
    for pair in pairs:
        name, found, count = pair.partition("=")
        if not found:
            raise Failure(f"Missing count for process type {name}")
        if not re.fullmatch(r"-?\d+", count):
            raise Failure(f"Invalid count for process type {name}")
        wanted[name] = int(count)
    changed = [name for name, count in wanted.items() if known.get(name, 0) != count]
    with state(app) as value:
        value["scale"].update(wanted)
    if deployed(app) and changed and "skip-deploy" not in flags:
        for name in changed:
            scheduler_deploy(app, "latest", name)


def ps_stop(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not deployed(app):
        warn(f"App {app} has not been deployed")
        return
    info(f"Stopping {app}")
    for cid in containers(app).values():
        docker("container", "update", "--restart=no", cid, check=False)
        docker("container", "kill", cid, check=False)
    with state(app) as known:
        known["running_wanted"] = False
    trigger("post-stop", app)


def ps_start(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not deployed(app):
        warn(f"App {app} has not been deployed")
        return
    if any(value == "running" for value, _ in status(app).values()):
        warn(f"App {app} already running")
        info(f"Ensuring network configuration is in sync for {app}")
        configure_proxy(app)
        return
    warn("App has been detected as not running, releasing")
    try:
        release_and_deploy(app, "latest", "deploy")
    except Failure:
        end_build(app, 1)
        raise
    end_build(app, 0)
    info(f"Ensuring network configuration is in sync for {app}")
    configure_proxy(app)


def ps_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    valid = [
        "dockerfile-start-cmd",
        "procfile-path",
        "restart-policy",
        "restore",
        "skip-deploy",
        "start-cmd",
        "stop-timeout-seconds",
    ]
    name, value = (argv[1:] + ["", ""])[:2]
    if name not in valid:
        raise Failure(f"Invalid property specified, valid properties include: {', '.join(valid)}")
    if name not in ("restart-policy", "stop-timeout-seconds"):
        refuse(f"ps:set {name}")
    if name == "restart-policy" and value and not re.fullmatch(r"no|always|unless-stopped|on-failure(:\d+)?", value):
        raise Failure("Invalid restart-policy specified")
    with state(app) as known:
        known["ps"].pop(name, None)
        if value:
            known["ps"][name] = value
    header(f"Setting {name} to {value}" if value else f"Unsetting {name}")


COMMANDS: dict[str, Command] = {
    "ps:report": ps_report,
    "ps:scale": ps_scale,
    "ps:stop": ps_stop,
    "ps:start": ps_start,
    "ps:restart": restart,
    "ps:set": ps_set,
}
