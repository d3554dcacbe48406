"""A recorded run, played to the callback as Ansible does it: what a person saw of it, by the callback of today."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible import context
from ansible.module_utils.common.collections import ImmutableDict

from ansible_collections.ops.runbook.plugins.callback.operator import CallbackModule

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests/screens/recorded"
PAGE = ROOT / "docs/ops-runbook.md"
WIDTH = 100
_BLOCK = re.compile(r"(?P<head><!-- screen: (?P<name>\w+) -->\n```\n)(?P<text>.*?)(?=```\n)", re.DOTALL)


class Paper:
    """What the callback writes on."""

    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, text: str, **_: Any) -> None:
        self.lines.append(text)


def screen(run: Mapping[str, Any]) -> str:
    """run: `check`, and its `events` in their order, each `at` so many seconds after the first."""
    before = context.CLIARGS
    context.CLIARGS = ImmutableDict({"check": run["check"]})
    try:
        return _played(run["events"])
    finally:
        context.CLIARGS = before


def _played(events: Sequence[Mapping[str, Any]]) -> str:
    callback, paper = CallbackModule(), Paper()
    callback._display = paper
    options = {"width": WIDTH, "live": False}
    callback.get_option = lambda name, hostvars=None: options.get(name, False)
    now = 0.0
    callback._clock = lambda: now
    callback.v2_playbook_on_play_start(SimpleNamespace(get_name=lambda: "", strategy="linear"))
    for event in events:
        now = event["at"] + 0.001
        if event["on"] == "end":
            callback.v2_playbook_on_stats(SimpleNamespace(processed={}))
            continue
        task = _task(event)
        if event["on"] == "task":
            callback.v2_playbook_on_task_start(task, False)
            continue
        host = SimpleNamespace(get_name=lambda name=event["host"]: name)
        if event["on"] == "start":
            callback.v2_runner_on_start(host, task)
            continue
        lost = event["on"] == "unreachable"
        result = SimpleNamespace(task=task, host=host, result=dict(event["res"]), is_unreachable=lambda lost=lost: lost)
        more = (event["ignored"],) if event["on"] == "failed" else ()
        getattr(callback, f"v2_runner_on_{event['on']}")(result, *more)
    return "\n".join(paper.lines).strip("\n") + "\n"


def _task(event: Mapping[str, Any]) -> Any:
    role = SimpleNamespace(get_name=lambda: "ops.runbook.operation")
    return SimpleNamespace(
        action=event["action"], _role=role, get_name=lambda: event["task"], ignore_unreachable=True, loop=None
    )


def recorded() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """The screens of a page: name and text."""
    for found in _BLOCK.finditer(page):
        yield found["name"], found["text"]


def with_screens(page: str, screens: Mapping[str, str]) -> str:
    return _BLOCK.sub(lambda found: found["head"] + screens.get(found["name"], found["text"]), page)
