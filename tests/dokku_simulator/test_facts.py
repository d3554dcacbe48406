"""Answers of a real Dokku, kept in the repository: the simulator is held to them even without the recordings."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from stand import Result, Stand

FACTS: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("facts.yml").read_text())


def first(text: str) -> str:
    """Columns are as wide as their widest cell, which the recording may have had in another line."""
    line = next((line for line in text.split("\n") if line.strip()), "")[:110]
    return re.sub(r"\s+", " ", line).strip()


def wrong(answer: Result, rc: int, out: str, err: str) -> str:
    told = (answer.rc, first(answer.stdout), first(answer.stderr))
    asked = (rc, first(out), first(err))
    return "" if told == asked else f"answered {told}, recorded {asked}"


@pytest.mark.parametrize("group", FACTS)
def test_the_stand_in_answers_as_recorded(group: str, tmp_path: Path) -> None:
    dokku = Stand(tmp_path / "server", "docker", "legacy", plugins=False)
    for app in FACTS[group]["apps"]:
        dokku.ok("apps:create", app)
    different = []
    for argv, rc, out, err, *stdin in FACTS[group]["typed"]:
        found = wrong(dokku.run(*argv, stdin=stdin[0] if stdin else None), rc, out, err)
        if found:
            different.append(f"dokku {' '.join(argv)}: {found}")
    dokku.remove()
    assert not different, "\n".join(different)


def test_there_are_as_many_facts_as_were_written_down() -> None:
    assert sum(len(group["typed"]) for group in FACTS.values()) >= 390


def test_every_command_of_every_plugin_is_found_by_its_name() -> None:
    from simulator import cli

    folder = Path(cli.__file__).parent
    lost = [
        f"{command} of {path.name}"
        for path in sorted(folder.glob("*.py"))
        for command in getattr(importlib.import_module(f"simulator.{path.stem}"), "COMMANDS", {})
        if cli.find(command) is None
    ]
    assert lost == []
