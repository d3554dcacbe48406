"""A backup by pgBackRest: why none is begun, which one a step made, what proves it, and what a cut leaves."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, FORWARD, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Context, do
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.postgres import pgbackrest
from ansible_collections.ops.runbook.plugins.module_utils.postgres.backup import decide
from ansible_collections.ops.runbook.plugins.module_utils.postgres.backup import procedure as making
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.pgbackrest import Backup, Stanza
from ansible_collections.ops.runbook.plugins.module_utils.postgres.server import Server
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.judge import judge
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.reading import Reading
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from unit.postgres.repository import archived, wal_name
from unit.postgres.test_judge import STANZA, WELL, answers, asked, backup, holding
from unit.postgres.test_look import Host
from unit.postgres.test_pgbackrest import NO_BACKUP, NO_STANZA, TWO_BACKUPS

REFUSED: dict[str, tuple[Reading, str]] = {
    "an unknown stanza": (replace(WELL, stanza=replace(STANZA, code=1, message="missing stanza path")), "no_stanza"),
    "a wrong key": (replace(WELL, stanza=replace(STANZA, code=99, message="other")), "no_stanza"),
    "a server that is down": (replace(WELL, server=Server(problem="refused")), "server_down"),
    "a standby": (asked(recovery={"standby": True}), "standby"),
    "a repository of another cluster": (asked(system={"id": "1"}), "other_cluster"),
    "a cluster that is not known": (asked(system={"id": None}), "other_cluster"),
    "a backup that runs": (replace(WELL, stanza=replace(STANZA, busy=True)), "backup_runs"),
    "an archiver that fails": (asked(archiver={"failed": WELL.now, "last_failed_wal": "x"}), "archiver"),
    "archiving that is off": (asked(settings={"archive_mode": "off"}), "archiver"),
}


def refused(reading: Reading) -> Problem | None:
    assert reading.stanza is not None
    return decide.refusal(reading.stanza, reading.server, judge(reading, Limits()))


@pytest.mark.parametrize(("reading", "code"), REFUSED.values(), ids=REFUSED)
def test_a_backup_that_would_fail_or_harm_is_refused(reading: Reading, code: str) -> None:
    problem = refused(reading)
    assert problem is not None and problem.code == code and problem.ways


@pytest.mark.parametrize(
    "reading",
    [
        WELL,
        replace(WELL, stanza=replace(STANZA, code=2, message="no valid backups", backups=())),
        # A new full backup is what helps here.
        holding(archived((1, range(1, 9)), (1, range(10, 13)))),
        replace(WELL, stanza=replace(STANZA, backups=(backup("old", 2, 900),))),
    ],
    ids=["well", "the first backup", "a gap", "overdue"],
)
def test_a_backup_that_helps_is_not_refused(reading: Reading) -> None:
    assert refused(reading) is None


def test_a_person_is_told_what_else_is_wrong() -> None:
    reading = replace(
        holding(archived((1, range(1, 9)), (1, range(10, 13)))), server=answers(settings={"checksums": False})
    )
    lines = decide.warnings(judge(reading, Limits()), STANZA, "incr")
    assert any(line.startswith("archive: 1 WAL file is missing") for line in lines)
    assert any(line.startswith("server: data checksums are off") for line in lines)
    assert decide.warnings(judge(WELL, Limits()), STANZA, "incr") == []
    bare = replace(STANZA, backups=())
    assert decide.warnings([], bare, "incr") == [
        "the repository has no full backup yet, so pgBackRest makes a full one"
    ]
    assert decide.warnings([], bare, "full") == []


FULL, INCR = backup("f", 2, 5), backup("i", 6, 1, "incr")


@pytest.mark.parametrize(
    ("backups", "since", "kind", "expected"),
    [
        ((), 0.0, "full", None),
        ((FULL,), 0.0, "full", FULL),
        ((FULL,), FULL.stop, "full", None),
        ((FULL, INCR), FULL.stop, "incr", INCR),
        ((FULL, INCR), FULL.stop, "full", None),
        ((FULL, INCR), FULL.stop, "diff", None),
        # Without a full one before it, pgBackRest makes a full one.
        ((FULL,), 0.0, "incr", FULL),
        # The one before it was expired.
        ((INCR,), FULL.stop, "incr", INCR),
    ],
)
def test_the_backup_of_a_step_is_known_by_time_and_type(
    backups: tuple[Backup, ...], since: float, kind: str, expected: Backup | None
) -> None:
    assert decide.made(replace(STANZA, backups=backups), since, kind) == expected


@pytest.mark.parametrize(
    ("stanza", "made", "words"),
    [
        (STANZA, STANZA.backups[1], ""),
        (STANZA, None, "no newer backup than before"),
        (replace(STANZA, code=99, message="other"), FULL, "the repository says other (status 99)"),
        (STANZA, replace(FULL, wal=(wal_name(1, 30), wal_name(1, 31))), "its own WAL"),
        (STANZA, replace(FULL, wal=("None", "None")), "names no WAL"),
        (STANZA, replace(FULL, failed_pages=True), "whose checksum is wrong"),
    ],
)
def test_a_backup_is_proven_by_the_repository(stanza: Stanza, made: Backup | None, words: str) -> None:
    found = decide.problem_of(stanza, archived((1, range(1, 13))), made)
    assert words in found and bool(found) is bool(words)


# -- the procedure, with programs that answer ----------------------------------------------------------

PROGRAM = """\
#!/bin/sh
echo "pgbackrest $*" >> {folder}/calls
case "$*" in
  *info*) cat {folder}/info ;;
  *repo-ls*) cat {folder}/archive ;;
  *backup) {script} ;;
esac
"""


class Maker(Host):
    """A host whose pgBackRest makes a backup."""

    def __init__(self, folder: Path, script: str = "cp {folder}/after {folder}/info") -> None:
        super().__init__(folder)
        raw = json.loads(TWO_BACKUPS)
        new = json.loads(json.dumps(raw[0]["backup"][0]))
        new["label"], new["timestamp"] = "20261130-230000F", {"start": 1796080000, "stop": 1796080060}
        raw[0]["backup"].append(new)
        self.say("after", json.dumps(raw))
        (folder / "pgbackrest").write_text(PROGRAM.format(folder=folder, script=script.format(folder=folder)))

    def context(self, **inputs: Any) -> Context[Cluster]:
        return Context(self.cluster(), Guard(str(self.folder / "state")), {"type": "full", **inputs})


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def made_by(maker: Maker) -> tuple[Any, object, dict[str, Any]]:
    plan = making.plan(maker.context())
    acts = making.steps(maker.context(), plan)
    note = [do(acts, Step(raw["id"], raw["title"], data=raw["data"])) for raw in plan["steps"]][0]
    return plan, note, making.verify(maker.context(), plan, FORWARD)


def backups_begun(maker: Maker) -> int:
    return sum(call.endswith(" backup") for call in maker.calls())


def test_a_backup_is_planned_made_and_proven(maker: Maker) -> None:
    plan, note, found = made_by(maker)
    assert plan["from"] == plan["to"] == {"id": "20261130-210921F_20261130-210927D", "name": "diff"}
    assert plan["undo"] == [] and plan["backup"] == {"type": "full", "since": 1796072969.0}
    assert note == {"label": "20261130-230000F"}
    assert found["ok"] and found["note"] == "backup 20261130-230000F (full), 22 MiB"
    assert "pgbackrest --stanza shop --type full backup" in maker.calls()


def test_a_plan_changes_nothing(maker: Maker) -> None:
    making.plan(maker.context())
    assert backups_begun(maker) == 0


def test_a_step_that_runs_again_finds_its_work_done(maker: Maker) -> None:
    plan, _note, _found = made_by(maker)
    step = plan["steps"][0]
    again = do(making.steps(maker.context(), plan), Step(step["id"], step["title"], data=step["data"]))
    assert again == {"label": "20261130-230000F"} and backups_begun(maker) == 1


def test_a_backup_that_a_killed_run_began_is_awaited(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = making.plan(maker.context())
    raw = json.loads(TWO_BACKUPS)
    raw[0]["status"]["lock"]["backup"]["held"] = True
    maker.say("info", json.dumps(raw))
    monkeypatch.setattr(time, "sleep", lambda _seconds: shutil.copy(maker.folder / "after", maker.folder / "info"))
    step = plan["steps"][0]
    note = do(making.steps(maker.context(), plan), Step(step["id"], step["title"], data=step["data"]))
    assert note == {"label": "20261130-230000F"} and backups_begun(maker) == 0


def test_a_backup_that_never_ends_is_told(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = making.plan(maker.context())
    raw = json.loads(TWO_BACKUPS)
    raw[0]["status"]["lock"]["backup"]["held"] = True
    maker.say("info", json.dumps(raw))
    monkeypatch.setattr(making.pgbackrest, "BACKUP_SECONDS", -1)
    step = plan["steps"][0]
    with pytest.raises(CommandFailed, match="did not end"):
        do(making.steps(maker.context(), plan), Step(step["id"], step["title"], data=step["data"]))


def test_a_program_that_says_well_and_makes_nothing_is_seen(tmp_path: Path) -> None:
    plan, note, found = made_by(Maker(tmp_path, "exit 0"))
    assert note is None and not found["ok"] and "no newer backup" in found["reason"]


def test_a_backup_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="unable to find WAL"):
        made_by(Maker(tmp_path, "echo 'ERROR: [082]: unable to find WAL in the archive' >&2; exit 82"))


def test_a_repository_that_can_t_be_read_refuses(maker: Maker) -> None:
    maker.say("info", "")
    with pytest.raises(Problem) as problem:
        making.plan(maker.context())
    assert problem.value.code == "repository_unreadable" and problem.value.ways


@pytest.mark.parametrize(("text", "code"), [(NO_STANZA, "no_stanza"), (NO_BACKUP, "")])
def test_a_stanza_without_a_backup_is_begun(maker: Maker, text: str, code: str) -> None:
    maker.say("info", text)
    if not code:
        assert making.plan(maker.context())["from"] == {"id": "none", "name": "no backup yet"}
        return
    with pytest.raises(Problem) as problem:
        making.plan(maker.context())
    assert problem.value.code == code


@pytest.mark.parametrize(
    ("held", "made", "ok", "words"),
    [
        (False, False, True, "none was made"),
        (True, False, False, "still under way"),
        (False, True, True, "was made, and stays"),
    ],
)
def test_the_way_back_takes_nothing_away(maker: Maker, held: bool, made: bool, ok: bool, words: str) -> None:
    plan = making.plan(maker.context())
    raw = json.loads((maker.folder / ("after" if made else "info")).read_text())
    raw[0]["status"]["lock"]["backup"]["held"] = held
    maker.say("info", json.dumps(raw))
    found = making.verify(maker.context(), plan, BACK)
    assert found["ok"] is ok and words in found["reason"] + found["note"]


def test_a_repository_that_can_t_be_read_afterwards_proves_nothing(maker: Maker) -> None:
    plan, _note, _found = made_by(maker)
    for name in ("archive", "info"):
        maker.say(name, "")
        assert not making.verify(maker.context(), plan, FORWARD)["ok"]


@pytest.mark.parametrize("kind", ["full", "diff", "incr"])
def test_the_command_is_that_of_the_rule_of_sudo(kind: str) -> None:
    assert pgbackrest.backup_command("shop", kind) == ["--stanza", "shop", "--type", kind, "backup"]
