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
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status import look, verified
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from unit.postgres.repository import listing, wal_name
from unit.postgres.test_judge import ANSWERS
from unit.postgres.test_pgbackrest import FLIPPED_FILE, NO_STANZA, TWO_BACKUPS, VERIFIED

DEFAULTS = {name: one.get("default") for name, one in SERVICE["service"]["options"].items()}
PERIODS = {"backup": 1, "verify": 7}
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

    def status(self, verify: bool = False, metrics_file: str = "", keep: bool = True, **limits: Any) -> dict[str, Any]:
        wide = Limits(**{"max_age": 10**6, "full_days": 10**6, "overdue": 10**6, **limits})
        guard = Guard(str(self.folder / "state"))
        return look.status(self.cluster(), guard, wide, verify, metrics_file, periods=PERIODS, keep=keep)

    def rows(self, **given: Any) -> dict[str, tuple[str, str]]:
        return {row["topic"]: (row["level"], row["text"]) for row in self.status(**given)["rows"]}


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
    assert host.rows()["last drill"][0] == "warn"


def test_a_repository_that_was_never_read_is_not_green(host: Host) -> None:
    level, text = host.rows()["timers"]
    assert level == "warn" and "verify never, due each 7 days" in text
    assert not [call for call in host.calls() if "verify" in call]


def test_a_reading_of_every_file_is_seen_in_the_next_status(host: Host) -> None:
    host.status(verify=True)
    assert (host.folder / "state").stat().st_mode & 0o777 == 0o700
    assert (host.folder / "state" / verified.NAME).stat().st_mode & 0o777 == 0o600
    found = host.rows()
    assert found["verify"] == ("ok", "every file of the repository was read 0 min ago, and was as it was written")
    assert found["timers"][0] == "ok" and "verify 0 min ago" in found["timers"][1]


def test_a_damage_stays_on_the_screen_until_a_reading_finds_none(host: Host) -> None:
    host.say("verify", FLIPPED_FILE)
    assert host.rows(verify=True)["verify"][0] == "bad"
    assert host.rows()["verify"] == ("bad", "files of the repository were damaged 0 min ago")
    host.say("verify", VERIFIED)
    assert host.rows(verify=True)["verify"][0] == "ok" == host.rows()["verify"][0]


def test_a_check_records_no_reading(host: Host) -> None:
    assert host.rows(verify=True, keep=False)["timers"][0] == "ok"
    assert not (host.folder / "state").exists() and host.rows()["timers"][0] == "warn"


def test_a_reading_that_did_not_end_is_not_recorded(host: Host) -> None:
    host.status(verify=True)
    before = (host.folder / "state" / verified.NAME).read_bytes()
    host.say("verify", "")
    assert host.rows(verify=True)["verify"][0] == "bad"
    assert (host.folder / "state" / verified.NAME).read_bytes() == before


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"finished": true, "good": true}', '{"finished": 1, "good": 1}'])
def test_a_record_that_is_none_is_bad(host: Host, content: str) -> None:
    (host.folder / "state").mkdir()
    (host.folder / "state" / verified.NAME).write_text(content)
    found = host.rows()
    assert found["record"][0] == "bad" and verified.NAME in found["record"][1] and found["timers"][0] == "warn"


def test_a_record_is_not_read_through_a_link(host: Host) -> None:
    host.status(verify=True)
    path = host.folder / "state" / verified.NAME
    path.rename(host.folder / "elsewhere")
    path.symlink_to(host.folder / "elsewhere")
    assert host.rows()["record"][0] == "bad"


def test_a_record_that_can_t_be_written_is_bad(host: Host) -> None:
    (host.folder / "state").write_text("a file in place of the folder")
    assert "bad" in {row["level"] for row in host.status(verify=True)["rows"] if row["topic"] in ("record", "ledger")}


def test_a_folder_of_another_service_gets_no_record(host: Host) -> None:
    (host.folder / "state").mkdir(mode=0o700)
    (host.folder / "state/service.json").write_text('{"system": "laravel", "place": "/srv/shop"}')
    assert "ledger" in host.status(verify=True)["verdict"]["bad"]
    assert not (host.folder / "state" / verified.NAME).exists()


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


@pytest.mark.parametrize("stanza", ["-x", "../x", "a b", "a/b", "--config=x", "x\n"])
def test_a_name_that_is_none_of_a_stanza_is_refused(stanza: str) -> None:
    with pytest.raises(Problem, match="is not the name of a stanza") as refused:
        describe({**DEFAULTS, "name": "shop", "stanza": stanza})
    assert refused.value.code == "stanza_name" and refused.value.ways


def test_a_stanza_without_a_name_has_that_of_the_service() -> None:
    assert describe({**DEFAULTS, "name": "shop"}).stanza_name == "shop"


def test_a_password_in_the_inventory_is_refused_and_not_shown() -> None:
    with pytest.raises(Problem) as refused:
        describe({**DEFAULTS, "name": "shop", "stanza": "shop", "connection": "postgresql://deploy:hunter2@db/shop"})
    assert refused.value.code == "connection_password" and "hunter2" not in json.dumps(refused.value.to_failure())
