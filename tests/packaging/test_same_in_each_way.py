"""A refusal is the same in each way to run a procedure: from the checkout and from the wheel, typed and in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from as_a_user import WAYS, User, Way

#: The first digits of a commit, which are a number of YAML, and that number is another one.
COMMIT = "0123456"


@pytest.fixture
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host with an empty folder in place of a service."""
    folder = tmp_path_factory.mktemp("inventory")
    here = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "laravel_service": "shop",
        "laravel_path": str(folder / "nothing"),
        "operation_state_dir": str(folder / "state"),
    }
    path = folder / "hosts.yml"
    path.write_text(json.dumps({"laravel": {"hosts": {"here": here}}}))
    return path


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_refusal_of_the_host(inventory: Path, way: Way, tmp_path: Path) -> None:
    user = User(way, "here", tmp_path, [inventory])
    for seen in (user.plan("laravel_rollback", to=COMMIT), user.run("laravel_rollback", to=COMMIT, reason="1.10")):
        seen.refused("here", "no_such_path", "'laravel_path=<folder>'  names the folder")
    (record,) = map(json.loads, (inventory.parent / "state/ledger.jsonl").read_text().splitlines())
    assert (record["outcome"], record["reason"]) == ("refused", "1.10")


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_refusal_before_a_host_is_contacted(inventory: Path, way: Way, tmp_path: Path) -> None:
    """Wrong usage: 5 of Ansible, and 2 of `ops-runbook`, which is a code of its own."""
    seen = User(way, "here", tmp_path, [inventory]).run("laravel_rollback", lock_wait="1:30")
    assert "lock_wait is '1:30'; it must be a number: -e lock_wait=<a number>. Nothing was contacted." in seen.text
    assert seen.readable().code == (2 if way.refusal == 3 else 5), seen.screen
    assert not (inventory.parent / "state").exists()
