# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook ends with a report: our callback hides tasks, and silence looks like a run that hangs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = sorted(ROOT.glob("playbooks/*.yml"))
#: What may follow the report: a refusal, which has a text of its own, and what only reads or writes for a program.
_AFTER = ("refuse", "fail", "assert", "registry_image_info", "operation_close")
#: Files of this machine that a person asked for by name, beside the screen.
_BESIDE = ("copy",)
#: Plays of the guard: the last of them has the report of all.
_WITHIN = {"operate.yml"}


class _Loader(yaml.SafeLoader):
    """Vaulted and unsafe values are not looked into."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(), _Loader) or []


def _flat(tasks: list[dict[str, Any]], role: str = "") -> Iterator[dict[str, Any]]:
    """The tasks that are done, in their order, with those of what they include."""
    for task in tasks:
        if "block" in task:
            for part in ("block", "rescue", "always"):
                yield from _flat(task.get(part) or [], role)
            continue
        key = next((one for one in task if one.rpartition(".")[2] in _INCLUDES), "")
        value = task.get(key)
        found = None
        if key.endswith("_tasks"):
            found = role, value if isinstance(value, str) else value["file"]
        elif key.endswith("_role"):
            found = value["name"].rpartition(".")[2], value.get("tasks_from", "main")
        if found is None or "{{" in "".join(found):
            yield task
            continue
        name = found[1].removesuffix(".yml")
        yield from _flat(_read(ROOT / "roles" / found[0] / "tasks" / f"{name}.yml"), found[0])


_INCLUDES = ("include_tasks", "import_tasks", "include_role", "import_role")


def tasks_of(play: dict[str, Any]) -> list[dict[str, Any]]:
    roles = [one if isinstance(one, str) else one["role"] for one in play.get("roles") or []]
    tasks = [{"ansible.builtin.include_role": {"name": role}} for role in roles]
    return list(_flat([*(play.get("pre_tasks") or []), *tasks, *(play.get("tasks") or [])]))


def module(task: dict[str, Any]) -> str:
    return next((key.rpartition(".")[2] for key in task if "." in key), "")


def silent(play: dict[str, Any]) -> str:
    """Why a play ends without a report; empty where it has one."""
    tasks = tasks_of(play)
    shown = [place for place, task in enumerate(tasks) if module(task) == "debug"]
    if not shown:
        return "it shows nothing"
    later = [task for task in tasks[shown[-1] + 1 :] if module(task) not in (*_AFTER, *_BESIDE)]
    if later:
        return f"it shows nothing after {later[-1].get('name')!r}"
    # Where the last report is for some runs alone, another one is for the rest.
    if all("when" in tasks[place] for place in shown) and len(shown) < 2:
        return f"it shows nothing where this is skipped: {tasks[shown[-1]].get('name')!r}"
    return ""


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_a_playbook_ends_with_a_report(path: Path) -> None:
    plays = _read(path)
    own = [play for play in plays if "ansible.builtin.import_playbook" not in play]
    if path.name in _WITHIN:
        own = own[-1:]
    # A first play that only holds the options against what is allowed changes nothing and reads nothing.
    own = [play for play in own if {module(task) for task in tasks_of(play)} - {"assert", "refuse"}]
    for play in own:
        why = silent(play)
        assert not why, f"{path.relative_to(ROOT)}, play {play.get('name')!r}: {why}"
    assert own or all(play["ansible.builtin.import_playbook"] == "operate.yml" for play in plays)


SILENT = {
    "nothing": [{"ansible.builtin.copy": {}}],
    "before it changes": [{"ansible.builtin.debug": {}}, {"ansible.builtin.command": {}}],
    "in check mode alone": [{"ansible.builtin.command": {}}, {"ansible.builtin.debug": {}, "when": "x"}],
}


@pytest.mark.parametrize("tasks", SILENT.values(), ids=SILENT)
def test_a_play_without_a_report_is_seen(tasks: list[dict[str, Any]]) -> None:
    assert silent({"tasks": tasks})


def test_a_report_before_a_refusal_is_one() -> None:
    assert not silent(
        {"tasks": [{"ansible.builtin.command": {}}, {"ansible.builtin.debug": {}}, {"ops.runbook.refuse": {}}]}
    )
