from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from .core import (
    LIB,
    Command,
    Failure,
    alive,
    apps,
    info,
    now,
    parse,
    refuse,
    replace,
    report,
    say,
    show_json,
    trigger,
    verify,
)
from .properties import app_and_pair, properties, set_property


def builds(app: str) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (LIB / "data/builds" / app).glob("*.json")]
    return sorted(found, key=lambda build: (build["started_at"], build["id"]), reverse=True)


def begin_build(app: str, source: str) -> None:
    if os.environ.get("DOKKU_BUILD_ID"):
        return
    # Ids sort by the time at which they were given.
    build = f"{time.time_ns() // 1000:014d}"[-14:]
    folder = LIB / "data/builds" / app
    folder.mkdir(parents=True, exist_ok=True)
    kind = "deploy" if source in ("ps:restart", "config-redeploy", "deploy") else "build"
    record = {
        "id": build,
        "app": app,
        "kind": kind,
        "pid": os.getpid(),
        "started_at": now(),
        "status": "running",
        "source": source,
    }
    replace(folder / f"{build}.json", json.dumps(record))
    os.environ.update(
        DOKKU_BUILD_ID=build,
        DOKKU_BUILD_SOURCE=source,
        DOKKU_REDIRECT_OUTPUT="true",
        DOKKU_BUILD_LOG_FILE=str(folder / f"{build}.log"),
    )
    trigger("builds-record-start", app, build, str(os.getpid()), source)
    sys.stdout.flush()
    os.dup2(1, 2)


def end_build(app: str, code: int) -> None:
    build = os.environ.get("DOKKU_BUILD_ID")
    if not build:
        return
    path = LIB / "data/builds" / app / f"{build}.json"
    if path.exists():
        record = json.loads(path.read_text())
        record.update(status="failed" if code else "succeeded", exit_code=code, finished_at=now())
        replace(path, json.dumps(record))
    close_dead(app)
    trigger("builds-record-finalize", app, build, str(code))


def end_open_build(code: int) -> None:
    """That of this command, if there is one and it has not ended."""
    for path in (LIB / "data/builds").glob(f"*/{os.environ.get('DOKKU_BUILD_ID')}.json"):
        if json.loads(path.read_text())["status"] == "running":
            end_build(path.parent.name, code)


def close_dead(app: str) -> None:
    """Records whose process is gone, a successful restart's too, are taken for failed once another build ends."""
    for old in builds(app):
        if old["status"] == "running" and not alive(old["pid"]):
            old.update(status="failed", exit_code=-1, finished_at=now())
            replace(LIB / "data/builds" / app / f"{old['id']}.json", json.dumps(old))


def shown_build(build: dict[str, Any]) -> dict[str, Any]:
    display = build["status"]
    if display == "running" and not alive(build["pid"]):
        display = "abandoned"
    shown = {
        key: build[key]
        for key in ("id", "app", "kind", "pid", "started_at", "finished_at", "status", "source", "exit_code")
        if key in build
    }
    return {
        **shown,
        "display_status": display,
        "duration": "1s",
        "log_path": f"/var/lib/dokku/data/builds/{build['app']}/{build['id']}.log",
    }


def builds_list(argv: list[str]) -> None:
    words, flags = parse(argv, "format= kind= status=")
    app = words[0] if words else ""
    kind = flags.get("kind", "")
    if kind not in ("", "build", "deploy"):
        raise Failure(f'Invalid --kind value "{kind}" (allowed: build, deploy)')
    if not app:
        running = [build for name in apps() for build in builds(name) if build["status"] == "running"]
        if running:
            refuse("builds:list of all apps with a build that runs")
        say("[]" if flags.get("format") == "json" else "No builds currently running")
        return
    found = [shown_build(build) for build in builds(verify(app))]
    found = [build for build in found if kind in ("", build["kind"])]
    found = [build for build in found if flags.get("status", "") in ("", build["display_status"])]
    if flags.get("format") == "json":
        show_json(found)
        return
    table = [["Build ID", "Kind", "Status", "PID", "Source", "Started", "Duration"]]
    table += [
        [b["id"], b["kind"], b["display_status"], str(b["pid"]), b["source"], b["started_at"][:19], b["duration"]]
        for b in found
    ]
    widths = [max(len(row[i]) for row in table) for i in range(7)]
    for row in table:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def builds_info(argv: list[str]) -> None:
    words, flags = parse(argv, "format=")
    app = verify(words[0] if words else "")
    if len(words) < 2:
        raise Failure("Please specify a build id")
    for build in builds(app):
        if build["id"] == words[1]:
            break
    else:
        raise Failure(f"No build record found for {app}/{words[1]}")
    shown = shown_build(build)
    if flags.get("format") == "json":
        show_json(shown)
        return
    names = {"Build ID": "id", "App": "app", "Kind": "kind", "Status": "display_status", "PID": "pid"}
    names |= {"Source": "source", "Started": "started_at", "Finished": "finished_at", "Exit Code": "exit_code"}
    for name, key in {**names, "Duration": "duration", "Log": "log_path"}.items():
        if key in shown:
            say(f"{name + ':':<10} {shown[key]}")


def retention(app: str) -> int:
    return int(properties(app, "builds").get("retention") or 20)


def values(app: str) -> dict[str, str]:
    newest = shown_build(builds(app)[0]) if builds(app) else {}
    keys = {"exit-code": "exit_code", "finished-at": "finished_at", "id": "id", "kind": "kind", "pid": "pid"}
    keys |= {"source": "source", "started-at": "started_at", "status": "display_status"}
    own = properties(app, "builds").get("retention", "")
    return {
        **{f"build-{name}": str(newest.get(key, "")) for name, key in keys.items()},
        "builds-computed-retention": own or "20",
        "builds-global-retention": "",
        "builds-retention": own,
    }


def builds_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    if flags.get("format") == "json":
        found = values(app)
        show_json(dict(sorted({**found, **{key.removeprefix("builds-"): one for key, one in found.items()}}.items())))
    else:
        report(app, "builds", values(app), flags)


def builds_set(argv: list[str]) -> None:
    app, key, value = app_and_pair(argv)
    if key != "retention":
        raise Failure(f'Invalid property "{key}" (allowed: retention)')
    set_property(app, "builds", key, value)


def builds_prune(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    close_dead(app)
    for build in builds(app)[retention(app) :]:
        (LIB / "data/builds" / app / f"{build['id']}.json").unlink()


def builds_cancel(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    for build in builds(app):
        if build["status"] == "running" and alive(build["pid"]):
            refuse("builds:cancel of a build that runs")
    info("App not currently deploying")
    (LIB / "data/apps" / app / ".deploy.lock").unlink(missing_ok=True)


COMMANDS: dict[str, Command] = {
    "builds:list": builds_list,
    "builds:info": builds_info,
    "builds:report": builds_report,
    "builds:set": builds_set,
    "builds:prune": builds_prune,
    "builds:cancel": builds_cancel,
}
