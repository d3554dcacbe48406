"""SIGKILL of the module at every line of the journal, of a deploy and of a rollback; then resumed, and undone.

Each step has three moments: before it is journalled, journalled but not begun, done but not journalled.
After each: the site answers on the release that was asked for, the database fits it, the ledger is whole.
"""

from __future__ import annotations

import json
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab import ROOT, Lab

PLACE = "/opt/ops-runbook"
NEW = {"2026_01_19_000001_add_note_to_orders_table", "2026_01_19_000002_create_refunds_table"}


@dataclass(frozen=True)
class Story:
    """start: releases that were deployed before. The operation goes from the last of them to `to`, in `steps`."""

    procedure: str
    start: tuple[str, ...]
    to: str
    migrations: str
    steps: int


STORIES = {
    # Other dependencies and two migrations: every step there is.
    "deploy": Story("deploy", ("v1.0.0",), "v1.2.0", "run", 7),
    "rollback": Story("rollback", ("v1.0.0", "v1.2.0"), "previous", "down", 6),
}


@pytest.fixture(scope="module")
def killer(lab: Lab) -> Any:
    """Run cases on the host, with the modules of this checkout."""
    library = Path(sysconfig.get_paths()["purelib"])
    plugins = f"{PLACE}/ansible_collections/ops/runbook"
    lab.root(f"rm -rf {PLACE}; mkdir -p {PLACE}/ansible {plugins}")
    for source, target in (
        (library / "ansible/module_utils", f"{PLACE}/ansible/"),
        (ROOT / "plugins", f"{plugins}/"),
        (Path(__file__).parent / "on_host/interrupt.py", f"{PLACE}/"),
    ):
        subprocess.run(["docker", "cp", str(source), f"{lab.name}:{target}"], check=True, capture_output=True)
    # An empty package, as in what Ansible sends to a host.
    lab.root(f"touch {PLACE}/ansible/__init__.py; chmod -R a+rX {PLACE}")

    def run(story: Story, moments: list[str], way: str) -> dict[str, dict[str, Any]]:
        job = {
            "start": lab.kept(*story.start),
            "procedure": story.procedure,
            "to": story.to,
            "migrations": story.migrations,
            "way": way,
        }
        done = subprocess.run(
            ["docker", "exec", "-i", "-e", f"PYTHONPATH={PLACE}", lab.name, "python3", f"{PLACE}/interrupt.py"],
            input="".join(json.dumps({**job, "kill": moment}) + "\n" for moment in moments),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(zip(moments, map(json.loads, done.stdout.splitlines()), strict=True))

    return run


@pytest.mark.parametrize("way", ["resume", "undo"])
@pytest.mark.parametrize("name", STORIES)
def test_kill_at_every_journalled_step(lab: Lab, killer: Any, name: str, way: str) -> None:
    story = STORIES[name]
    lab.at(*story.start)
    first, second = lab.commit(), lab.id("v1.2.0") if name == "deploy" else lab.id("v1.0.0")
    newer = "v1.2.0"
    # Line 1 begins the phase; before it nothing tells that the operation died, and its lease has to expire.
    # Even lines begin a step, odd ones end it.
    last = 2 * story.steps + 1
    acted = [f"before:{number}" for number in range(3, last + 1, 2)]
    begun = [f"after:{number}" for number in range(2, last, 2)]
    between = [f"before:{number}" for number in range(2, last + 2, 2)] if way == "resume" else []
    results = killer(story, acted + begun + between, way)
    for moment, result in results.items():
        told = f"{name}, {way}, {moment}: {json.dumps(result, indent=1)}"
        assert "problem" not in result, told
        assert not result.get("finished"), told
        went_back = way == "undo" and not result.get("went_on")
        wanted, version = (
            (first, story.start[-1]) if went_back else (second, "v1.2.0" if name == "deploy" else "v1.0.0")
        )
        assert result["outcome"] == ("reverted" if went_back else "succeeded"), told
        assert (result["commit"], f"v{result['version']}") == (wanted, version), told
        assert result["greeter"] == ("1.1.0" if version == newer else "1.0.0"), told
        # A deploy that goes back leaves what its migrations did; a rollback that goes back runs them again.
        if name == "rollback":
            assert NEW.isdisjoint(result["migrations"]) is not went_back, told
        elif not went_back:
            assert set(result["migrations"]) >= NEW, told
        assert result["left"] == [], told
        assert result["dirty"] == "", told
        assert result["history"]["ok"], told
        if not result.get("went_on"):
            assert result["refusal"] == "interrupted", told
            assert f"interrupted={way}" in result["ways"], told
