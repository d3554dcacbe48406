"""The steps of a rotation on files: what is kept, written, put back and removed, however often they are cut off."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose import env_file
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets import plan as compose_secrets
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets import value
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.steps import SecretsSteps
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.usage import MOUNTED, Use
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger, procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed

OLD = "# kept\nKEY='old' # why\nOTHER=1\r\nLAST=x"
NEW = "# kept\nKEY='it$#' # why\nOTHER=1\r\nLAST=x"


@dataclass
class Described:
    env_file: str = ".env"


@dataclass
class Service:
    """As much of a service as the files need."""

    folder: Path
    description: Described = field(default_factory=Described)
    hidden: list[str] = field(default_factory=list)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def hide(self, values: list[str]) -> None:
        self.hidden += values


@dataclass
class Guard:
    state_dir: str

    def ledger(self) -> ledger.Ledger:
        """That of a service which had an operation before this one."""
        return ledger.Ledger(records=({"id": "op0"},))


def steps(folder: Path, values: dict[str, str]) -> SecretsSteps:
    plan = {"saved_as": "op1", "env": {"before": compose_secrets.sha256(OLD), "mode": 0o640, "keys": ["KEY"]}}
    service: Any = Service(folder)
    guard: Any = Guard(str(folder / "state"))
    return SecretsSteps(service, guard, plan, None, values)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    (tmp_path / ".env").write_bytes(OLD.encode())
    (tmp_path / ".env").chmod(0o640)
    return tmp_path


def do(folder: Path, *names: str, values: dict[str, str] | None = None) -> list[object]:
    """Each step by a process of its own, as after a kill."""
    given = {"KEY": "it$#"} if values is None else values
    return [procedure.do(steps(folder, given).acts, Step(name, "")) for name in names]


def env(folder: Path) -> str:
    return (folder / ".env").read_bytes().decode()


def kept(folder: Path) -> list[str]:
    there = folder / "state" / "secrets"
    return sorted(path.read_bytes().decode() for path in there.iterdir()) if there.exists() else []


def test_the_old_file_is_kept_for_its_owner_until_the_end(folder: Path) -> None:
    note = do(folder, "keep_env", "write_env")[1]
    assert env(folder) == NEW
    assert stat.S_IMODE(os.stat(folder / ".env").st_mode) == 0o600
    assert kept(folder) == [OLD]
    copy = folder / "state" / "secrets" / "op1.env"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert isinstance(note, dict) and value.matches("it$#", note["keys"]["KEY"])
    assert "it$#" not in str(note)
    do(folder, "forget_env")
    assert kept(folder) == []


def test_going_back_restores_each_byte_and_the_mode(folder: Path) -> None:
    do(folder, "keep_env", "write_env", "restore_env", "forget_env", values=None)
    assert env(folder) == OLD
    assert stat.S_IMODE(os.stat(folder / ".env").st_mode) == 0o640
    assert kept(folder) == []


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(["write_env", "restore_env"]), min_size=1, max_size=6))
def test_a_step_that_is_done_again_ends_where_one_would_have(
    tmp_path_factory: pytest.TempPathFactory, many: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("again")
    (folder / "state").mkdir()
    (folder / ".env").write_bytes(OLD.encode())
    do(folder, "keep_env", *many)
    assert env(folder) == (NEW if many[-1] == "write_env" else OLD)
    assert kept(folder) == [OLD]


def test_a_link_is_followed(folder: Path) -> None:
    (folder / ".env").rename(folder / "shared.env")
    (folder / ".env").symlink_to("shared.env")
    do(folder, "keep_env", "write_env")
    assert (folder / ".env").is_symlink()
    assert (folder / "shared.env").read_bytes().decode() == NEW


@pytest.mark.parametrize("step", ["write_env", "restore_env"])
def test_a_foreign_change_is_left_alone(folder: Path, step: str) -> None:
    do(folder, "keep_env")
    changed = OLD.replace("OTHER=1", "OTHER=2")
    (folder / ".env").write_bytes(changed.encode())
    with pytest.raises(CommandFailed, match="changed by somebody"):
        do(folder, step)
    assert env(folder) == changed


def test_a_file_that_changed_since_the_plan_is_left_alone(folder: Path) -> None:
    (folder / ".env").write_bytes(b"KEY=another\n")
    with pytest.raises(CommandFailed, match="changed since the plan"):
        do(folder, "keep_env")
    assert kept(folder) == []


def test_a_resume_without_values_says_what_to_type(folder: Path) -> None:
    do(folder, "keep_env")
    with pytest.raises(CommandFailed, match="rotate=KEY again, or interrupted=undo"):
        do(folder, "write_env", values={})
    assert env(folder) == OLD


def test_without_the_kept_copy_nothing_is_written(folder: Path) -> None:
    do(folder, "keep_env", "forget_env")
    for step in ("write_env", "restore_env"):
        with pytest.raises(CommandFailed, match="is gone"):
            do(folder, step)
    assert env(folder) == OLD


def test_old_and_new_values_are_hidden(folder: Path) -> None:
    do(folder, "keep_env", "write_env")
    service: Any = steps(folder, {"KEY": "newer"}).service
    assert {"old", "it$#", "newer"} <= set(service.hidden)


@pytest.mark.parametrize(
    ("key", "origin", "declared", "said"),
    [
        ("OPENAI_API_KEY", "from new.env", {}, "OpenAI"),
        ("CRM_TOKEN", "from new.env", {"CRM_TOKEN": {"revoke": "ask Jo"}}, "ask Jo"),
        ("CRM_TOKEN", "from new.env", {}, "where it was issued"),
        ("SECRET_KEY", "generated (hex:32)", {}, "where CI has a copy"),
    ],
)
def test_remaining_work_for_a_person_is_listed(key: str, origin: str, declared: dict[str, Any], said: str) -> None:
    wish = compose_secrets.SecretsWish(keys=(key,), origins={key: origin}, declared=declared)
    assert said in compose_secrets.reminders(wish)[0]


def test_the_plan_says_who_reads_a_value_otherwise() -> None:
    found_settings = env_file.parse("A=1\nB= # later\nC=2\n")
    found = {"A": [Use("web", MOUNTED, "/app/.env")], "B": [Use("web", "env_file", "B")], "C": [Use("web", "env_file")]}
    lines = compose_secrets.read_otherwise(".env", {"A": "a${B}", "B": "x", "C": "a${B}"}, found_settings, found)
    assert len(lines) == 2
    assert lines[0].startswith("line 2 of .env: to Compose the comment behind B= is its value")
    assert lines[1].startswith("web opens .env itself, where Compose alone reads A as it is: python-dotenv takes")
    assert compose_secrets.read_otherwise(".env", {"A": "it's-$5"}, found_settings, found) == []
