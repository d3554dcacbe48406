"""A look at a cluster through its programs: who runs them, what ends them, and what is made of a call that fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_book
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.host.clock import now
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.postgres import service as postgres_service
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import SERVICE, Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster, describe
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import look
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from unit.postgres.repository import listing, wal_name
from unit.postgres.test_judge import ANSWERS
from unit.postgres.test_pgbackrest import NO_STANZA, TWO_BACKUPS, VERIFIED

DEFAULTS = {name: one.get("default") for name, one in SERVICE["service"]["options"].items()}
PROGRAM = """\
#!/bin/sh
echo "$0 $*" >> {folder}/calls
case "$*" in
  *info*) cat {folder}/info ;;
  *repo-ls*) cat {folder}/archive ;;
  *verify*) cat {folder}/verify ;;
  *) cat > {folder}/asked; cat {folder}/server ;;
esac
"""


#: The record of a restore drill that ended well a moment ago.
DRILL: Any = {
    "id": "20261201T000000Z-aaaaaa",
    "service": "shop-drill",
    "procedure": "restore_drill",
    "finished": now().text,
    "from": {"id": "20261130-212020F", "name": "full"},
    "to": {"id": "20261130-212020F", "name": "full"},
    "outcome": "succeeded",
    "notes": {
        "report": {"backup": "20261130-212020F", "rto": 12.5, "rpo": 3.0, "climbed": ["rows"], "not_climbed": []}
    },
}


class Host:
    """Programs that answer with the texts of files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("pgbackrest", "psql"):
            (folder / name).write_text(PROGRAM.format(folder=folder))
            (folder / name).chmod(0o755)
        answers = {**ANSWERS, "system": {"id": "7714074524581154855"}}
        self.say("info", TWO_BACKUPS)
        self.say("archive", listing(wal_name(1, number) for number in range(1, 13)))
        self.say("verify", VERIFIED)
        (folder / "state-drill").mkdir()
        ledger_book.append(str(folder / "state-drill/ledger.jsonl"), DRILL)
        self.say("server", "".join(f"{name}|{json.dumps(answer)}\n" for name, answer in answers.items()))

    def say(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def calls(self) -> list[str]:
        return [line.removeprefix(f"{self.folder}/") for line in (self.folder / "calls").read_text().splitlines()]

    def cluster(self, **changed: Any) -> Cluster:
        programs = {"pgbackrest": f"{self.folder}/pgbackrest", "psql": f"{self.folder}/psql"}
        raw = {**DEFAULTS, "name": "shop", "stanza": "shop", "user": user_name(), **programs, **changed}
        return Cluster(describe(raw))

    def status(self, verify: bool = False, metrics_file: str = "", **limits: Any) -> dict[str, Any]:
        wide = Limits(max_age=10**6, full_days=10**6, **limits)
        return look.status(self.cluster(), Guard(str(self.folder / "state")), wide, verify, metrics_file)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_cluster_that_is_well_is_green(host: Host) -> None:
    found = host.status(verify=True)
    assert found["verdict"]["level"] == "ok" and found["verdict"]["text"] == "all is well", found["rows"]
    assert found["facts"]["verified"] is True and found["facts"]["newest_wal"] == wal_name(1, 12)
    assert sorted(host.calls()) == [
        "pgbackrest --stanza shop --output json --recurse repo-ls archive/shop",
        "pgbackrest --stanza shop --output json info",
        "pgbackrest --stanza shop --output text --verbose verify",
        "psql -X -q -A -t -F | -w -d dbname=postgres",
    ]


def test_a_backup_that_was_never_restored_is_worth_a_look(host: Host) -> None:
    shutil.rmtree(host.folder / "state-drill")
    found = host.status()
    assert found["verdict"]["warn"] == ["last drill"] and found["verdict"]["bad"] == [], found["rows"]


def test_the_verdict_claims_no_more_than_was_looked_at(host: Host) -> None:
    assert host.status()["verdict"]["text"] == "all is well; no file of the repository was read: -e verify=true"
    assert not [call for call in host.calls() if "verify" in call]


def test_a_server_that_archived_while_it_was_looked_at_is_no_lie(host: Host) -> None:
    """The server is asked before the archive is listed: what it has archived by then has to be there."""
    host.status()
    calls = [call.split()[0] + (" repo-ls" if "repo-ls" in call else "") for call in host.calls()]
    assert calls.index("psql") < calls.index("pgbackrest repo-ls")


@pytest.mark.parametrize(
    ("name", "text", "topic"),
    [
        ("info", "", "repository"),
        ("info", "ERROR: not JSON", "repository"),
        ("info", NO_STANZA, "repository"),
        ("archive", "", "archive"),
        ("archive", "{}", "archive"),
        ("server", "", "archiver"),
        ("verify", "", "verify"),
    ],
)
def test_an_answer_that_says_nothing_is_bad(host: Host, name: str, text: str, topic: str) -> None:
    host.say(name, text)
    found = host.status(verify=True)
    assert topic in found["verdict"]["bad"], found["rows"]


def test_a_program_that_is_not_there_is_bad(host: Host) -> None:
    for name in ("pgbackrest", "psql"):
        (host.folder / name).unlink()
    found = host.status(verify=True)
    assert {"repository", "archive", "archiver", "verify"} <= {*found["verdict"]["bad"]}


def test_a_program_that_waits_is_ended_on_the_host(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_service.pgbackrest, "READ_SECONDS", 1)
    (host.folder / "pgbackrest").write_text("#!/bin/sh\nexec sleep 600\n")
    row = next(row for row in host.status()["rows"] if row["topic"] == "repository")
    assert row["level"] == "bad" and "ended with 124" in row["text"]


def test_a_right_that_is_missing_is_named_with_its_rule(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.folder / "sudo").write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    (host.folder / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{host.folder}:/usr/bin:/bin")
    cluster = host.cluster(user="postgres", pgbackrest="/usr/bin/pgbackrest")
    found = look.status(cluster, Guard(str(host.folder / "state")), Limits(), True)
    rows = {row["topic"]: row for row in found["rows"]}
    begin = f"echo '{user_name()} ALL=(postgres) NOPASSWD: /usr/bin/timeout "
    assert rows["repository"]["details"][0].startswith(
        f"{begin}60 /usr/bin/pgbackrest --stanza shop --output json info' | sudo tee -a "
    )
    assert rows["verify"]["details"][0].startswith(f"{begin}14400 /usr/bin/pgbackrest --stanza shop ")


def test_a_state_folder_that_can_t_be_read_is_bad(host: Host) -> None:
    (host.folder / "state").mkdir()
    (host.folder / "state/ledger.jsonl").write_text("not a record\n{}\n")
    assert "ledger" in host.status()["verdict"]["bad"]


def test_the_metrics_are_written_for_a_cluster_that_is_down_too(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "shop.prom"
    host.say("info", "")
    host.say("server", "")
    host.status(metrics_file=str(path))
    assert 'ops_runbook_postgres_backup_status{service="shop"} 2\n' in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o644
    host.say("info", TWO_BACKUPS)
    host.status(metrics_file=str(path))
    assert "backup_last_time_seconds" in path.read_text()


def test_metrics_that_can_t_be_written_are_bad(host: Host, tmp_path: Path) -> None:
    found = host.status(metrics_file=str(tmp_path / "missing/shop.prom"))
    assert found["verdict"]["bad"] == ["metrics"]


@pytest.mark.parametrize("stanza", ["", "-x", "../x", "a b", "a/b", "--config=x", "x\n"])
def test_a_name_that_is_none_of_a_stanza_is_refused(stanza: str) -> None:
    with pytest.raises(Problem, match="is not the name of a stanza") as refused:
        describe({**DEFAULTS, "name": "shop", "stanza": stanza})
    assert refused.value.code == "stanza_name" and refused.value.ways


def test_a_password_in_the_inventory_is_refused_and_not_shown() -> None:
    with pytest.raises(Problem) as refused:
        describe({**DEFAULTS, "name": "shop", "stanza": "shop", "connection": "postgresql://deploy:hunter2@db/shop"})
    assert refused.value.code == "connection_password" and "hunter2" not in json.dumps(refused.value.to_failure())
