from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from .core import LIB, Command, alive, now, parse, replace, say, show_json, trigger, verify


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
    # Records whose process is gone, a successful restart's too, are taken for failed once another build ends.
    for old in builds(app):
        if old["status"] == "running" and not alive(old["pid"]):
            old.update(status="failed", exit_code=-1, finished_at=now())
            replace(LIB / "data/builds" / app / f"{old['id']}.json", json.dumps(old))
    trigger("builds-record-finalize", app, build, str(code))


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
    words, flags = parse(argv, "format=")
    app = words[0] if words else ""
    if not app:
        say("[]" if flags.get("format") == "json" else "No builds currently running")
        return
    found = [shown_build(build) for build in builds(verify(app))]
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


COMMANDS: dict[str, Command] = {
    "builds:list": builds_list,
}
