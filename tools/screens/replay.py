"""A recorded run, played to the callback as Ansible does it: what a person saw of it, by the callback of today."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from rich.console import Console
from rich.text import Text

from ansible_collections.ops.runbook.plugins.callback.operator import CallbackModule

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tools/screens/recorded"
PAGE = ROOT / "docs/reference/ops-runbook.md"
PICTURES = ROOT / "docs/reference/screens"
WIDTH = 100
#: Ansible's colours, as rich names them.
STYLES = {"green": "green", "red": "red", "yellow": "yellow", "white": "bold"}
_BLOCK = re.compile(r"(?P<head><!-- screen: (?P<name>\w+) -->\n```\n)(?P<text>.*?)(?=```\n)", re.DOTALL)


class Paper:
    """The paper that the callback writes on."""

    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def display(self, text: str, color: str | None = None, **_: Any) -> None:
        self.lines.append((text, STYLES.get(color or "", "")))


def screen(run: Mapping[str, Any]) -> str:
    """run: `check`, and its `events` in their order, each `at` so many seconds after the first."""
    return "\n".join(text for text, _ in played(run)).strip("\n") + "\n"


def picture(run: Mapping[str, Any]) -> str:
    """The same in colour, as SVG."""
    lines = played(run)
    width = max(WIDTH, *(len(text) for text, _ in lines))
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    for text, style in lines:
        console.print(Text(text, style))
    drawn = console.export_svg(title=run["command"])
    # Without the fonts that a browser would fetch from elsewhere, and without the spaces at the end of lines.
    drawn = re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", drawn, flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", drawn, flags=re.MULTILINE)


def drawn_text(svg: str) -> str:
    """The text of a picture, without its spaces."""
    root = ElementTree.fromstring(svg)
    return "".join("".join(found.itertext()) for found in root.iter() if found.tag.endswith("}text"))


def played(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    before = context.CLIARGS
    context.CLIARGS = ImmutableDict({"check": run["check"]})
    try:
        return _played(run["events"])
    finally:
        context.CLIARGS = before


def _played(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
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
    return paper.lines


def _task(event: Mapping[str, Any]) -> Any:
    role = SimpleNamespace(get_name=lambda: "ops.runbook.operation")
    return SimpleNamespace(
        action=event["action"],
        _role=role,
        get_name=lambda: event["task"],
        get_path=lambda: event["path"],
        ignore_unreachable=True,
        loop=None,
    )


def recorded() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """The screens of a page: name and text."""
    for found in _BLOCK.finditer(page):
        yield found["name"], found["text"]


def with_screens(page: str, screens: Mapping[str, str]) -> str:
    return _BLOCK.sub(lambda found: found["head"] + screens.get(found["name"], found["text"]), page)
