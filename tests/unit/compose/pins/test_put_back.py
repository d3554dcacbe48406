"""Compose files are put back byte for byte; one that somebody changed meanwhile never locks the service."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.pins.files import put_back, sha256
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed

BEFORE, AFTER = "services: {api: {image: shop:1}}\n", "services: {api: {image: shop:2}}\n"


def service(folder: Path) -> Any:
    return SimpleNamespace(path=lambda name: str(folder / name))


def state(folder: Path, text: str, before: str = BEFORE, keep: bool = True) -> tuple[dict[str, list[str]], str]:
    """A compose file, and what the operation knows and keeps of it."""
    project, kept = folder / "a project", folder / "kept"
    project.mkdir()
    kept.mkdir()
    (project / "compose.yaml").write_text(text)
    if keep:
        (kept / "compose.yaml").write_text(before)
    return {"compose.yaml": [sha256(before), sha256(AFTER)]}, str(kept)


@pytest.mark.parametrize("text", [BEFORE, AFTER], ids=["never written", "written"])
def test_the_file_is_as_it_was(tmp_path: Path, text: str) -> None:
    hashes, kept = state(tmp_path, text)
    put_back(service(tmp_path / "a project"), hashes, kept)
    assert (tmp_path / "a project/compose.yaml").read_text() == BEFORE


def test_a_repaired_file_is_left_and_both_ways_out_are_named(tmp_path: Path) -> None:
    hashes, kept = state(tmp_path, "services: {api: {image: shop:repaired}}\n")
    project = tmp_path / "a project"
    with pytest.raises(CommandFailed) as caught:
        put_back(service(project), hashes, kept)
    assert "repaired" in (project / "compose.yaml").read_text()
    assert "interrupted=accept" in str(caught.value)
    # What is named is what can be typed: afterwards the way back is open.
    line = str(caught.value).partition("`")[2].partition("`")[0]
    assert shlex.split(line)[0] == "cp"
    subprocess.run(["sh", "-c", line], check=True)
    put_back(service(project), hashes, kept)
    assert (project / "compose.yaml").read_text() == BEFORE


def test_a_file_of_pins_that_was_not_there_before_can_be_removed(tmp_path: Path) -> None:
    hashes, kept = state(tmp_path, "services: {api: {image: shop:repaired}}\n", before="", keep=False)
    project = tmp_path / "a project"
    with pytest.raises(CommandFailed) as caught:
        put_back(service(project), hashes, kept)
    subprocess.run(["sh", "-c", str(caught.value).partition("`")[2].partition("`")[0]], check=True)
    put_back(service(project), hashes, kept)
    assert not (project / "compose.yaml").exists()


def test_a_change_that_came_before_the_pins_were_written_is_left(tmp_path: Path) -> None:
    """The file is kept before it is written: without a copy, there is nothing of this operation in it."""
    hashes, kept = state(tmp_path, "services: {api: {image: shop:edited}}\n", keep=False)
    put_back(service(tmp_path / "a project"), hashes, kept)
    assert "edited" in (tmp_path / "a project/compose.yaml").read_text()
