# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each text of an operation, one after the other, holds what a terminal obeys: nothing of it reaches a screen."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from many_playbooks import environment, playbook

from ansible_collections.ops.runbook.plugins.filter import operation_report as filters
from ansible_collections.ops.runbook.plugins.module_utils.console.watch import Watch, phase_of
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools/screens"))
from replay import screen  # noqa: E402

RECORDED = {path.stem: json.loads(path.read_text()) for path in (ROOT / "tools/screens/recorded").glob("*.json")}
#: Colour, clearing, title, 8-bit, turned order, an end of a line and of a text.
HOSTILE = "\x1b[31m\x1b[2J\x1b]0;pwned\x07\x9b1;1H\u202e\u2066\r\nALL CLEAN\u2028\x00"


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))


def texts(document: Any) -> list[tuple[Any, ...]]:
    """One place of each kind: those that differ in the number of a list alone are one."""
    kinds: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for path in leaves(document):
        kinds.setdefault(tuple("#" if isinstance(step, int) else step for step in path[2:]), path)
    return list(kinds.values())


def poisoned(document: Any, path: tuple[Any, ...]) -> Any:
    found = copy.deepcopy(document)
    place = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] += HOSTILE
    return found


def obeyed(text: str) -> list[str]:
    return [line for line in text.split("\n") if not line.isprintable()]


def decides(path: tuple[Any, ...]) -> bool:
    """True if the word says which event it is; the rest of an event is text of a host."""
    return path[-1] in ("on", "task", "action", "path")


def test_the_screen_of_an_operation_shows_no_control_character() -> None:
    seen = set()
    for name, run in RECORDED.items():
        assert obeyed(screen(run)) == []
        for path in texts(run["events"]):
            if decides(path):
                continue
            try:
                text = screen({**run, "events": poisoned(run["events"], path)})
            except (KeyError, ValueError):
                # A word that decides, and not a text: any other word is an error.
                continue
            assert obeyed(text) == [], (name, path)
            # The reports come as one text or its lines, whose ends are ours.
            assert "msg" in path[-2:] or not re.search("^ALL CLEAN", text, re.MULTILINE), (name, path)
            seen |= {path[-1]} if "ALL CLEAN" in text else set()
    assert len(seen) > 5, seen


def watched(run: Any) -> Watch:
    watch = Watch()
    for event in run["events"]:
        if "res" in event:
            lost = {"unreachable": True} if event["on"] == "unreachable" else {}
            watch.take(phase_of(event["path"]), event["action"], event["host"], {**event["res"], **lost})
    return watch


def test_no_report_of_an_operation_has_a_control_character_or_a_line_of_somebody_elses() -> None:
    seen = set()
    for name, run in RECORDED.items():
        watch = watched(run)
        for function, results in (
            (filters.operation_plan, {host: one for host, one in watch.planned.items() if one.get("plan")}),
            (filters.operation_refusals, watch.planned),
            (filters.operation_summary, watch.outcomes),
            (filters.operation_trouble, watch.outcomes),
        ):
            for path in texts(results):
                try:
                    text = function(poisoned(results, path))
                except (KeyError, ValueError, AttributeError):
                    continue
                assert obeyed(text) == [], (name, function.__name__, path)
                assert not re.search("^ALL CLEAN", text, re.MULTILINE), (name, function.__name__, path)
                seen |= {(function.__name__, path[-1])} if "ALL CLEAN" in text else set()
    assert {called for called, _ in seen} == {
        "operation_plan",
        "operation_refusals",
        "operation_summary",
        "operation_trouble",
    }
    assert len(seen) > 15, seen


def test_a_refusal_has_no_control_character_whatever_it_quotes() -> None:
    found = Problem("code", f"label {HOSTILE}", ((f"to={HOSTILE}", HOSTILE),), (HOSTILE,)).to_dict()
    said = [found["text"], *found["details"], *(text for way in found["ways"] for text in way.values())]  # type: ignore
    assert all(text.isprintable() for text in said), said


@pytest.mark.parametrize("callback", ["ops.runbook.operator", "ansible.builtin.default"])
def test_a_file_name_does_not_write_on_the_screen(tmp_path: Path, callback: str) -> None:
    """A checkout of somebody else, whose file says by its name that all is clean."""
    (tmp_path / "hosts.yml").write_text("all: {hosts: {}}\n")
    checkout = tmp_path / "co"
    checkout.mkdir()
    name = "deploy\x1b]0;pwned\x07\x1b[2J\x1b[1;1HALL CLEAN.sh"
    (checkout / name).write_text("php artisan migrate:fresh --force\n")
    ran = playbook(
        *(ROOT / "playbooks/data_safety_check.yml", "-i", tmp_path / "hosts.yml", "-e", f"path={checkout}"),
        env=environment(callback),
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode != 0 and "ALL CLEAN.sh" in said
    assert obeyed(said.replace("\t", " ")) == []
