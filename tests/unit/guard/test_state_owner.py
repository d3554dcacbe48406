# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A state folder is of one service and of one user, and root writes nothing through it."""

from __future__ import annotations

import ast
import fcntl
import importlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis import look as compose_diagnose
from ansible_collections.ops.runbook.plugins.module_utils.console import status_report
from ansible_collections.ops.runbook.plugins.module_utils.guard import history as operation_history
from ansible_collections.ops.runbook.plugins.module_utils.guard import state_owner
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.guard.state_owner import Subject
from ansible_collections.ops.runbook.plugins.module_utils.health import rows as status_rows
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import BAD, WARN
from ansible_collections.ops.runbook.plugins.module_utils.host import clock, durable_file, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.sshd import key_file
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

ROOT = Path(__file__).resolve().parents[3]
PRODUCTION = Subject("laravel", "/srv/vertex", "production")
STAGING = Subject("laravel", "/srv/vertex-staging", "staging")
FILES = ("lease.json", "journal.jsonl", "ledger.jsonl", "state.lock", "running.lock", "service.json")
#: A user of no account, so that the test needs none.
SOMEBODY = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root takes another user's rights")


def request(operation: str, subject: Subject | None = PRODUCTION) -> Request:
    return Request(operation, "vertex", "deploy", subject.environment if subject else "", subject=subject)


def operated(state: Path, operation: str, subject: Subject | None = PRODUCTION) -> None:
    guard = Guard(str(state))
    guard.open(request(operation, subject))
    step = {"id": "code", "title": "code"}
    guard.write({"event": "plan", "plan": {"from": None, "to": {"id": "c1"}, "steps": [step], "undo": []}})
    guard.write({"event": "phase_end", "phase": "plan"})
    guard.leave()
    guard.close(operation)


def refused(act: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        act()
    return caught.value


def child(act: Callable[[], object], user: int = SOMEBODY) -> str:
    """The code of the refusal, or `done`, of what another user does."""
    # What Python loads late, from a folder that the other user may not read.
    clock.now()
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            act()
            said = "done"
        except Problem as error:
            said = error.code
        except BaseException as error:
            said = repr(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(process, 0)
    with os.fdopen(reading) as answer:
        return answer.read()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of somebody else, where there is root to make one."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(made, SOMEBODY, SOMEBODY)
    return made


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    made = tmp_path / "outside"
    made.mkdir(mode=0o755)
    return made


# -- of one service --------------------------------------------------------------------------------


def test_a_second_service_of_the_same_name_is_refused_with_both_names_and_the_way_out(tmp_path: Path) -> None:
    state = tmp_path / "vertex"
    operated(state, "op-1")
    looked = Guard(str(state)).look(request("op-2", STAGING)).refusal
    for found in (refused(lambda: operated(state, "op-2", STAGING)), looked):
        assert found is not None and found.code == "state_of_another"
        assert "/srv/vertex (production)" in found.text and "/srv/vertex-staging (staging)" in found.text
        assert found.ways[0][0] == f"operation_state_dir={state}-staging"
    assert [record["id"] for record in Guard(str(state)).ledger().records] == ["op-1"]
    subprocess.run(["sh", "-c", found.ways[1][0].removeprefix("sudo ")], check=True)
    operated(state, "op-3", STAGING)


@pytest.mark.parametrize(
    ("first", "then", "lets"),
    [
        (PRODUCTION, PRODUCTION, True),
        (PRODUCTION, Subject("laravel", "/srv/vertex"), True),
        (Subject("laravel", "/srv/vertex"), PRODUCTION, True),
        (PRODUCTION, Subject("laravel", "/srv/vertex", "staging"), False),
        (PRODUCTION, Subject("laravel", "/srv/other", "production"), False),
        (PRODUCTION, Subject("dokku", "vertex", "production"), False),
        (Subject("ssh_key"), Subject("laravel", "/srv/ssh_key"), False),
        (PRODUCTION, None, True),
    ],
)
def test_a_folder_is_of_one_system_place_and_environment(
    tmp_path: Path, first: Subject, then: Subject | None, lets: bool
) -> None:
    operated(tmp_path / "state", "op-1", first)
    guard = Guard(str(tmp_path / "state"))
    assert (guard.look(request("op-2", then)).refusal is None) == lets


def test_a_folder_of_before_is_taken_over_by_the_first_operation(tmp_path: Path) -> None:
    state = tmp_path / "state"
    operated(state, "op-1", None)
    assert not (state / "service.json").exists()
    operated(state, "op-2", PRODUCTION)
    assert state_owner.parse((state / "service.json").read_bytes()) == PRODUCTION
    assert [record["id"] for record in Guard(str(state)).ledger().records] == ["op-1", "op-2"]


def test_a_mistyped_folder_names_no_state_folder(tmp_path: Path) -> None:
    """A first run whose plan is refused must not shut out the one that comes after it."""
    guard = Guard(str(tmp_path / "state"))
    guard.open(request("op-1", Subject("laravel", "/srv/vretex")))
    guard.refuse("op-1", Problem("no_such_path", "there is no /srv/vretex on this host"))
    operated(tmp_path / "state", "op-2", PRODUCTION)
    guard.open(request("op-3", PRODUCTION))
    guard.refuse("op-3", Problem("unknown_release", "there is no release of that name"))
    assert state_owner.parse((tmp_path / "state" / "service.json").read_bytes()) == PRODUCTION


def test_a_missing_folder_is_left_to_the_plan(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    operated(tmp_path / "state", "op-1", Subject("laravel", str(tmp_path / "app")))
    guard = Guard(str(tmp_path / "state"))
    assert guard.look(request("op-2", Subject("laravel", str(tmp_path / "nowhere")))).refusal is None
    assert guard.look(request("op-2", Subject("laravel", str(tmp_path)))).refusal is not None


def test_an_environment_that_is_named_later_is_kept(tmp_path: Path) -> None:
    operated(tmp_path / "state", "op-1", Subject("laravel", "/srv/vertex"))
    operated(tmp_path / "state", "op-2", PRODUCTION)
    assert refused(lambda: operated(tmp_path / "state", "op-3", Subject("laravel", "/srv/vertex", "staging")))


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps).map(str.encode)
)
def test_whatever_stands_in_the_file_is_a_subject_or_none(content: bytes) -> None:
    assert state_owner.parse(content) is None or isinstance(state_owner.parse(content), Subject)


# -- of one user -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_the_place_of_a_state_file_is_refused(state: Path, outside: Path, name: str, there: bool) -> None:
    target = outside / "target"
    if there:
        target.write_text("as it was\n")
    (state / name).symlink_to(target)
    found = refused(lambda: operated(state, "op-1"))
    assert found.code == "state_is_link" and str(state / name) in found.text
    assert found.ways[1][0] == f"sudo rm {state / name}"
    assert [path.read_text() for path in outside.iterdir()] == (["as it was\n"] if there else [])


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_the_place_of_a_state_file_holds_nobody(state: Path, name: str) -> None:
    os.mkfifo(state / name)
    if os.geteuid() == 0:
        os.chown(state / name, SOMEBODY, SOMEBODY)
    assert refused(lambda: operated(state, "op-1")).code == "state_is_link"


@as_root
def test_files_of_root_belong_to_the_owner_of_the_folder(state: Path) -> None:
    operated(state, "op-1")
    assert {path.stat().st_uid for path in state.iterdir()} == {SOMEBODY}
    assert child(lambda: operated(state, "op-2")) == "done"
    operated(state, "op-3")
    assert child(lambda: operated(state, "op-4")) == "done"
    assert {path.stat().st_uid for path in state.iterdir()} == {SOMEBODY}
    assert [record["id"] for record in Guard(str(state)).ledger().records] == ["op-1", "op-2", "op-3", "op-4"]


@as_root
def test_files_that_root_left_once_are_told_with_what_gives_them_back(state: Path) -> None:
    assert child(lambda: operated(state, "op-1")) == "done"
    os.chown(state / "ledger.jsonl", 0, 0)
    assert child(lambda: operated(state, "op-2")) == "state_of_other_user"
    found = refused(lambda: operated(state, "op-3"))
    assert found.code == "state_of_other_user"
    subprocess.run(["sh", "-c", found.ways[0][0].removeprefix("sudo ")], check=True)
    assert child(lambda: operated(state, "op-4")) == "done"


@as_root
def test_a_folder_that_changes_hands_during_an_operation_is_told_too(state: Path) -> None:
    guard = Guard(str(state))
    guard.open(request("op-1"))
    guard.leave()
    (state / "lease.json").unlink()
    (state / "lease.json").symlink_to("elsewhere")
    assert refused(lambda: guard.must_own("op-1")).code == "state_is_link"


@as_root
def test_a_folder_of_roots_is_told_to_another_user(tmp_path: Path, state: Path) -> None:
    operated(tmp_path / "roots", "op-1")
    assert child(lambda: operated(tmp_path / "roots", "op-2")) == "state_dir_not_writable"


@as_root
def test_root_reaches_a_state_folder_through_no_link_of_somebody_elses(state: Path, outside: Path) -> None:
    (state / "shop").symlink_to(outside)
    assert refused(lambda: operated(state / "shop", "op-1")).code == "state_is_link"
    assert refused(lambda: operated(state / "shop" / "deeper", "op-1")).code == "state_is_link"
    assert list(outside.iterdir()) == []


@as_root
def test_a_link_of_roots_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "here").symlink_to("real")
    operated(tmp_path / "here" / "shop", "op-1")
    assert (tmp_path / "real" / "shop" / "ledger.jsonl").exists()


@as_root
def test_the_rights_of_another_are_taken_and_given_back(state: Path, outside: Path) -> None:
    with owned_folder.acting_as(SOMEBODY):
        (state / "mine").touch()
        with pytest.raises(PermissionError):
            (outside / "planted").touch()
    (outside / "roots").touch()
    assert (state / "mine").stat().st_uid == SOMEBODY
    assert (outside / "roots").stat().st_uid == 0
    with pytest.raises(ZeroDivisionError), owned_folder.acting_as(SOMEBODY):
        raise ZeroDivisionError
    (outside / "again").touch()
    assert (outside / "again").stat().st_uid == 0


@as_root
def test_a_file_of_the_users_that_is_a_link_is_written_with_their_rights(state: Path, outside: Path) -> None:
    target = outside / "profile"
    target.write_text("as it was\n")
    (state / ".env").symlink_to(target)
    with pytest.raises(PermissionError):
        durable_file.rewrite(str(state / ".env"), b"planted")
    assert target.read_text() == "as it was\n"
    (state / "own").write_text("old")
    os.chown(state / "own", SOMEBODY, SOMEBODY)
    (state / ".env").unlink()
    (state / ".env").symlink_to("own")
    durable_file.rewrite(str(state / ".env"), b"new")
    assert (state / "own").read_text() == "new" and (state / ".env").is_symlink()
    assert (state / "own").stat().st_uid == SOMEBODY


@as_root
def test_a_tree_is_removed_with_the_rights_of_its_owner(state: Path, outside: Path) -> None:
    (outside / "kept").touch()
    (state / "keys").symlink_to(outside)
    owned_folder.remove_tree(str(state / "keys"))
    owned_folder.remove_tree(str(state / "keys" / "kept"))
    assert (outside / "kept").exists()


# -- the folder of this service only ---------------------------------------------------------------


@as_root
def test_the_advice_makes_the_folder_of_this_service_and_leaves_others_alone(tmp_path: Path, state: Path) -> None:
    above = tmp_path / "ops-runbook"
    above.mkdir(mode=0o700)
    other = above / "vertex"
    other.mkdir(mode=0o700)
    os.chown(other, 54322, 54322)
    found = tmp_path / "found"
    found.touch()
    os.chown(found, SOMEBODY, SOMEBODY)

    def ask() -> None:
        try:
            operated(above / "www", "op-1")
        except Problem as error:
            assert error.code == "state_dir_not_writable"
            found.write_text(error.ways[0][0])
            raise

    assert child(ask) == "state_dir_not_writable"
    subprocess.run(["sh", "-ec", found.read_text().replace("sudo ", "")], check=True)
    assert child(lambda: operated(above / "www", "op-1")) == "done"
    assert (other.stat().st_uid, above.stat().st_uid) == (54322, 0)
    assert child(lambda: operated(other, "op-1"), 54322) == "done"


# -- files of keys ---------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("what", ["the file", "its folder"])
def test_root_edits_no_file_of_keys_behind_a_link_of_the_accounts(state: Path, outside: Path, what: str) -> None:
    target = outside / "authorized_keys"
    target.write_text("as it was\n")
    target.chmod(0o600)
    (state / ".ssh").symlink_to(outside) if what == "its folder" else (state / ".ssh").mkdir()
    if what == "the file":
        os.chown(state / ".ssh", SOMEBODY, SOMEBODY)
        (state / ".ssh" / "authorized_keys").symlink_to(target)
    with pytest.raises(OSError):
        key_file.edit(str(state / ".ssh" / "authorized_keys"), lambda content: content + b"planted\n")
    assert target.read_text() == "as it was\n"


@as_root
@pytest.mark.parametrize("owner", [0, SOMEBODY])
def test_root_edits_a_file_of_keys_and_keeps_its_owner_and_mode(state: Path, owner: int) -> None:
    keys = state / "authorized_keys"
    keys.write_text("one\n")
    keys.chmod(0o640)
    os.chown(keys, owner, SOMEBODY)
    assert key_file.edit(str(keys), lambda content: content + b"two\n") == (b"one\n", b"one\ntwo\n")
    found = keys.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (owner, SOMEBODY, 0o640)
    assert [path.name for path in state.iterdir()] == ["authorized_keys"]


@as_root
def test_work_for_one_user_never_has_the_rights_of_another(tmp_path: Path, state: Path) -> None:
    (tmp_path / "roots").mkdir()
    with owned_folder.acting_as(SOMEBODY), pytest.raises(PermissionError):
        durable_file.replace(str(tmp_path / "roots" / "planted"), b"")
    with owned_folder.acting_as(SOMEBODY):
        durable_file.replace(str(state / "mine"), b"")
    assert (state / "mine").stat().st_uid == SOMEBODY


# -- who reads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [STAGING, Subject("dokku", "vertex"), Subject("laravel", "/srv/other")], ids=str)
def test_a_status_takes_no_records_of_another_service_for_its_own(tmp_path: Path, subject: Subject) -> None:
    operated(tmp_path, "op-1")
    with pytest.raises(operation_history.StateUnreadable) as caught:
        operation_history.of(Guard(str(tmp_path)), subject)
    said = caught.value.line()
    assert f"{tmp_path} holds the records of {PRODUCTION}, and this is {subject}" in said
    assert "operation_state_dir" in said
    (row,) = status_rows.operation_rows("laravel", {}, said)
    assert (row.level, row.topic) == (BAD, "ledger")


MODULES = "ansible_collections.ops.runbook.plugins.modules"
SYSTEMS = {"laravel": "laravel_status", "compose": "compose_diagnose", "dokku": "dokku_status"}


@pytest.mark.parametrize(("system", "name"), SYSTEMS.items())
def test_a_look_at_staging_does_not_take_the_records_of_production(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str, name: str
) -> None:
    """The module itself, as the role calls it: the folder and the place are the same, and the environment is not."""
    place = "shop" if system == "dokku" else str(tmp_path / "app")
    operated(tmp_path / "state", "op-1", Subject(system, place, "production"))
    (tmp_path / "app").mkdir()
    service = {
        "laravel": {"name": "shop", "path": place},
        "compose": {"name": "shop", "project_dir": place, "images": {}},
        "dokku": {"app": place, "command": "/bin/false"},
    }[system]
    said = {}
    for environment in ("staging", "production", ""):
        options = {"service": service, "state_dir": str(tmp_path / "state"), "environment": environment}
        with patch_module_args(options), pytest.raises(SystemExit):
            importlib.import_module(f"{MODULES}.{name}_info").main()
        said[environment] = capsys.readouterr().out
        assert "seconds" in json.loads(said[environment])
    assert f"and this is {system} {place} (staging)" in said["staging"], said
    assert "holds the records of" not in said["production"] + said[""]


def test_whoever_reads_records_says_of_which_environment_they_are() -> None:
    """GitHub's have none."""
    plain = []
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Subject"
            if (
                named
                and len(node.args) < 3
                and not any(isinstance(one, ast.Starred) for one in node.args)
                and (not any(word.arg is None for word in node.keywords))
            ):
                plain.append(path.stem)
    assert plain == ["record"]


def test_a_diagnosis_says_whose_records_it_passes_over(tmp_path: Path) -> None:
    operated(tmp_path, "op-1")
    history, (row,) = compose_diagnose.records(Guard(str(tmp_path)), Subject("compose", "/srv/shop"))
    assert (history, row.level, row.topic) == ({}, WARN, "ledger")
    assert row.text == f"{tmp_path} holds the records of {PRODUCTION}, and this is compose /srv/shop"
    assert row.ways[0].startswith(f"operation_state_dir={tmp_path}-compose (in the inventory")
    history, rows = compose_diagnose.records(Guard(str(tmp_path)), PRODUCTION)
    assert (len(history["records"]), rows) == (1, ())


def test_a_diagnosis_says_that_the_records_of_operations_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder\n")
    history, (row,) = compose_diagnose.records(Guard(str(tmp_path / "state")), PRODUCTION)
    assert (history, row.level) == ({}, WARN)
    assert "can't read the state folder" in row.text and row.ways[0].startswith("-u ")


@pytest.mark.parametrize("subject", [PRODUCTION, Subject("laravel", "/srv/vertex")], ids=str)
def test_a_status_reads_its_own_records_and_those_of_a_folder_without_a_name(tmp_path: Path, subject: Subject) -> None:
    assert operation_history.of(Guard(str(tmp_path)), subject)["records"] == []
    operated(tmp_path, "op-1")
    assert [record["id"] for record in operation_history.of(Guard(str(tmp_path)), subject)["records"]] == ["op-1"]


def test_the_history_says_of_whom_the_records_are(tmp_path: Path) -> None:
    operated(tmp_path, "op-1")
    found = operation_history.read(Guard(str(tmp_path)), operation_history.LATELY)
    assert found["subject"] == {"system": "laravel", "place": "/srv/vertex", "environment": "production"}
    (first, *_) = status_report.history_lines({"web1": found})
    assert first == "web1: 1 record of laravel /srv/vertex (production), each follows from the one before it"
    document = status_report.history_document({"web1": found})
    assert document["hosts"]["web1"]["subject"] == found["subject"]


def test_the_name_of_a_folder_is_taken_back_under_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another operation could have named it in between, and its name would be taken away."""
    guard, held, unname = Guard(str(tmp_path)), [], state_owner.unname

    def taking_back(path: str, operation: str) -> None:
        with open(tmp_path / "state.lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(operation)
        unname(path, operation)

    monkeypatch.setattr(state_owner, "unname", taking_back)
    guard.open(request("op-1"))
    guard.refuse("op-1", Problem("code", "text"))
    assert held == ["op-1"] and not (tmp_path / "service.json").exists()
