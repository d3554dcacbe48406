"""Records the screens of docs/reference/ops-runbook.md anew: real runs on a host of the lab, as `make screens`.

What names the person and the machine is replaced; everything else is as Ansible had it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "collections"), str(ROOT / "molecule/shared/lab")]

import lab  # noqa: E402
from replay import PAGE, PICTURES, RECORDED, picture, recorded, screen, with_screens  # noqa: E402

from ops_runbook import known  # noqa: E402
from ops_runbook.run import Request, execute  # noqa: E402

HOST = "laravel1"
#: Each begins where the one before it ended. Procedure, inputs, variables, and whether it is a check.
STORY: dict[str, tuple[str, dict[str, str], list[str], bool]] = {
    "plan": ("laravel_rollback", {}, [], True),
    "rollback": ("laravel_rollback", {"reason": "INC-421 totals count twice"}, [], False),
    "refused": ("laravel_rollback", {}, [], False),
    "reverted": ("laravel_deploy", {"to": "v1.4.0"}, ["laravel_health_deadline=2"], False),
    "unreachable": ("laravel_rollback", {}, ["ansible_port=9"], False),
}
KINDS = {
    "playbook_on_task_start": "task",
    "runner_on_start": "start",
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "playbook_on_stats": "end",
}
DROPPED = ("invocation", "checked", "warnings", "deprecations", "exception", "ansible_delegated_vars")


def record(name: str) -> None:
    procedure, inputs, variables, check = STORY[name]
    events: list[dict[str, Any]] = []
    request = Request(
        known.procedures()[procedure],
        inputs,
        [str(ROOT / inventory) for inventory in lab.INVENTORIES],
        lab.HOSTS[0],
        variables,
        check,
    )
    raw: list[Mapping[str, Any]] = []
    found = execute(request, lambda event, _: raw.append(event), print, 100, False)
    begun = datetime.fromisoformat(raw[0]["created"])
    for event in raw:
        if event["event"] in KINDS:
            at = (datetime.fromisoformat(event["created"]) - begun).total_seconds()
            events.append(told(event, round(at, 3)))
    text = json.dumps({"command": request.command(), "check": check, "exit_code": found["exit_code"], "events": events})
    # A lab of another name stands in for the demo's.
    text = text.replace(lab.HOSTS[0], HOST)
    kept = json.loads(text)
    kept["command"] = " ".join(["ops-runbook", "plan" if check else "run", procedure, *(f"{n}=…" for n in inputs)])
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.json").write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    print(f"{name}: {found['exit_code']}, {found['meaning']}")


def told(event: Mapping[str, Any], at: float) -> dict[str, Any]:
    data = event.get("event_data") or {}
    result = {key: value for key, value in (data.get("res") or {}).items() if key not in DROPPED}
    for actor in _actors(result):
        actor.update(user="anna", controller="bastion")
    return {
        "on": KINDS[event["event"]],
        "at": at,
        "task": str(data.get("task") or ""),
        "path": "".join(re.findall(r"roles/\w+/tasks/\w+\.yml", str(data.get("task_path") or ""))),
        "action": str(data.get("resolved_action") or data.get("task_action") or ""),
        "host": str(data.get("host") or ""),
        "res": result,
        "ignored": bool(data.get("ignore_errors")),
    }


def _actors(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [actor for item in value for actor in _actors(item)]
    if not isinstance(value, dict):
        return []
    own = [value["actor"]] if isinstance(value.get("actor"), dict) else []
    return own + [actor for item in value.values() for actor in _actors(item)]


def render() -> None:
    for name, run in recorded().items():
        (PICTURES / f"{name}.svg").write_text(picture(run))
    PAGE.write_text(with_screens(PAGE.read_text(), {name: screen(run) for name, run in recorded().items()}))


def main() -> None:
    if "--render" in sys.argv:
        # The runs stay those that were recorded; only what the callback makes of them is new.
        render()
        return
    os.chdir(ROOT)
    os.environ.update(lab.operator_environment())
    host = lab.Lab(lab.HOSTS[0])
    host.at("v1.0.0", "v1.1.0")
    for name in STORY:
        record(name)
    render()


if __name__ == "__main__":
    main()
