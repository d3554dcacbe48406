"""A backup by dumps: refused, made, proven row by row, cut off and continued, with programs that answer."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.backup.contents import BadDump
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, FORWARD, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Context, do
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.postgres import backups
from ansible_collections.ops.runbook.plugins.module_utils.postgres import service as postgres_service
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump import databases
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump.databases import Table
from ansible_collections.ops.runbook.plugins.module_utils.postgres.options import Limits
from ansible_collections.ops.runbook.plugins.module_utils.postgres.procedures import POSTGRES
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster, describe
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from unit.backup.test_postgres_dump import END, HEADER
from unit.postgres.test_judge import ANSWERS
from unit.postgres.test_look import DEFAULTS

ID, NEXT = "20261121T031502Z-4f2a9c", "20261122T031502Z-4f2a9d"
PERIODS = {"backup": 1, "verify": 7}
#: A database as the module has it.
SHOP: dict[str, Any] = {"name": "shop", "expect": {}, "empty": False}
#: Answers of psql by what it is asked; the rows of tables are counted before and after each dump.
PSQL = """\
#!/bin/sh
asked=$(cat)
echo "psql $*" >> {folder}/calls
case "$asked" in
  *system_identifier*) cat {folder}/server ;;
  *pg_database_size*) cat {folder}/list ;;
  *has_table_privilege*) cat {folder}/tables ;;
  *"count(*)"*)
    n=$(cat {folder}/asked 2>/dev/null || echo 0); echo $((n + 1)) > {folder}/asked
    if [ -e {folder}/counts.$n ]; then cat {folder}/counts.$n; else cat {folder}/counts; fi ;;
esac
"""
PG_DUMP = """\
#!/bin/sh
echo "pg_dump $*" >> {folder}/calls
[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 17.12" && exit
[ ! -e {folder}/dump_fails ] || {{ echo "pg_dump: error: permission denied for table x" >&2; exit 1; }}
mkdir "$4" && cp {folder}/sql "$4/toc.dat" && echo data > "$4/1.dat.gz"
"""
PG_RESTORE = """\
#!/bin/sh
echo "pg_restore $*" >> {folder}/calls
case "$*" in *-l*) exit 0 ;; esac
cat "$3/toc.dat"
[ ! -e {folder}/restore_fails ] || {{ echo "pg_restore: error: could not read from input file" >&2; exit 1; }}
"""
PG_DUMPALL = """\
#!/bin/sh
echo "pg_dumpall $*" >> {folder}/calls
cat {folder}/roles
"""
TITLE = "PostgreSQL database cluster dump"
ROLES = f"--\n-- {TITLE}\n--\n\nCREATE ROLE deploy;\n\n-- {TITLE} complete\n--\n"


def sql(**rows: int) -> str:
    data = "".join(f"COPY public.{name} (i) FROM stdin;\n" + "1\n" * count + "\\.\n\n" for name, count in rows.items())
    return HEADER + data + END


class Host:
    """A host with a server of one database, shop, whose programs answer with the texts of files."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(str(folder / "state/backups"))
        for name, text in (
            ("psql", PSQL),
            ("pg_dump", PG_DUMP),
            ("pg_restore", PG_RESTORE),
            ("pg_dumpall", PG_DUMPALL),
        ):
            (folder / name).write_text(text.format(folder=folder))
            (folder / name).chmod(0o755)
        self.server()
        self.say("list", '{"name": "postgres", "size": 7}\n{"name": "shop", "size": 7000000}\n')
        self.tables(("public", "orders"), ("public", "users"))
        self.say("counts", "0|3\n1|2\n")
        self.say("sql", sql(orders=3, users=2))
        self.say("roles", ROLES)

    def say(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def server(self, **changed: Any) -> None:
        answers = {**ANSWERS, **changed}
        self.say("server", "".join(f"{name}|{json.dumps(answer)}\n" for name, answer in answers.items()))

    def tables(self, *names: tuple[str, str], **changed: Any) -> None:
        rows = ({"schema": schema, "name": name, "readable": True, "extension": False} for schema, name in names)
        self.say("tables", "".join(json.dumps({**row, **changed}) + "\n" for row in rows))

    def calls(self, program: str) -> list[str]:
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(f"{program} ")]

    def cluster(self, **changed: Any) -> Cluster:
        programs = {"psql": f"{self.folder}/psql", "programs": str(self.folder)}
        raw = {**DEFAULTS, "name": "shop", "engine": "dump", "databases": [SHOP], **programs, **changed}
        return Cluster(describe(raw))

    def context(self, operation: str = ID, **inputs: Any) -> Context[Cluster]:
        return Context(self.cluster(), Guard(str(self.folder / "state")), inputs, operation=operation)

    def plan(self, operation: str = ID, **inputs: Any) -> Any:
        return {**POSTGRES.procedures["backup"]().plan(self.context(**inputs)), "saved_as": operation}

    def do(self, plan: Any, *only: str, operation: str = ID) -> list[Any]:
        context = self.context(operation)
        acts = POSTGRES.procedures["backup"]().steps(context, plan)
        steps = [Step(one["id"], one["title"], data=one.get("data") or {}) for one in plan["steps"] + plan["undo"]]
        wanted = only or tuple(one["id"] for one in plan["steps"])
        return [do(acts, step) for step in steps if step.id in wanted]

    def verify(self, plan: Any, direction: str = FORWARD) -> dict[str, Any]:
        return POSTGRES.procedures["backup"]().verify(self.context(), plan, direction)

    def made(self, operation: str = ID) -> Manifest:
        self.do(self.plan(operation), operation=operation)
        return self.store.manifest(operation)

    def rows(self, verify: bool = False, **limits: Any) -> dict[str, tuple[str, str]]:
        wide = Limits(
            **{"max_age": 10**6, "full_days": 10**6, "overdue": 0, "disk_warn": 100, "disk_bad": 101, **limits}
        )
        found = backups.status(self.cluster(), Guard(str(self.folder / "state")), wide, verify, periods=PERIODS)
        return {row["topic"]: (row["level"], row["text"]) for row in found["rows"]}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


# -- made and proven -----------------------------------------------------------------------------


def test_a_plan_changes_nothing_and_names_what_it_will_do(host: Host) -> None:
    plan = host.plan()
    assert [step["id"] for step in plan["steps"]] == ["dump:shop", "roles", "seal"]
    assert not (host.folder / "state").exists() and not host.calls("pg_restore")
    assert any("not encrypted" in line for line in plan["warnings"])


def test_a_dump_is_made_proven_and_whole(host: Host) -> None:
    plan = host.plan()
    notes = host.do(plan)
    assert notes[0] == {"size": notes[0]["size"], "sha256": notes[0]["sha256"], "tables": 2, "rows": 5}
    found = host.store.manifest(ID)
    assert [(part.kind, part.name, part.file) for part in found.parts] == [
        ("database", "shop", "database-shop.tar"),
        ("roles", "", "roles.sql"),
    ]
    assert found.parts[0].facts == {
        "rows": {"public.orders": 3, "public.users": 2},
        "server": "17.12 (Debian 17.12-0+deb13u1)",
    }
    assert (found.app, found.source, found.versions) == ("shop", "7714", {"pg_dump": "pg_dump (PostgreSQL) 17.12"})
    with tarfile.open(host.store.path(ID, "database-shop.tar")) as archive:
        assert archive.getnames() == ["1.dat.gz", "toc.dat"]
    proof = host.verify(plan)
    assert proof["ok"] and "5 rows" in proof["note"], proof
    assert [path.name for path in Path(host.store.folder).iterdir()] == [ID]
    assert host.calls("pg_dump")[-1].endswith(f"/.making-{ID}/.dump-shop -d dbname=postgres dbname='shop'")


def test_the_roles_are_without_passwords(host: Host) -> None:
    host.made()
    (call,) = host.calls("pg_dumpall")
    assert "--globals-only --no-role-passwords" in call
    assert Path(host.store.path(ID, "roles.sql")).read_text() == ROLES


def test_a_backup_that_was_changed_on_the_disk_is_not_good(host: Host) -> None:
    plan = host.plan()
    host.do(plan)
    with open(host.store.path(ID, "database-shop.tar"), "r+b") as handle:
        handle.seek(600)
        handle.write(b"!")
    assert not host.verify(plan)["ok"] and "SHA-256" in host.verify(plan)["reason"]


#: Dumps of which `pg_restore -l` says that all is well.
LIES: dict[str, tuple[dict[str, str], str]] = {
    "it was cut off in a table": ({"sql": sql(orders=3, users=2)[:-90]}, "it was cut off"),
    "it was cut off before its trailer": ({"sql": sql(orders=3, users=2)[: -len(END)]}, "it was cut off"),
    "it is empty": ({"sql": ""}, "it is empty"),
    "it has too few rows": (
        {"sql": sql(orders=2, users=2)},
        "public.orders has 2 rows in the dump and 3 in the database",
    ),
    "it has a table less": ({"sql": sql(orders=3)}, "public.users is missing"),
    "it has a table more": ({"sql": sql(orders=3, users=2, x=1)}, "public.x was not expected"),
    "pg_restore can't read it": ({"restore_fails": ""}, "could not read from input file"),
    "pg_dump may not read a table": ({"dump_fails": ""}, "permission denied for table x"),
    "a table was not counted": ({"counts": "0|3\n"}, "1 of 2 tables were counted"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_dump_that_lies_is_no_backup(host: Host, name: str) -> None:
    files, cause = LIES[name]
    plan = host.plan()
    for file, text in files.items():
        host.say(file, text)
    with pytest.raises((BadDump, CommandFailed, ValueError), match=cause):
        host.do(plan)
    assert host.store.look() == ([], {}) and not host.verify(plan)["ok"]
    assert not Path(host.store.making(ID, ".dump-shop")).exists(), "what is not encrypted is gone"
    host.do(plan, "discard")
    assert host.verify(plan, BACK)["ok"] and not list(Path(host.store.folder).iterdir())


def test_roles_that_were_cut_off_are_no_backup(host: Host) -> None:
    host.say("roles", ROLES[:-50])
    with pytest.raises(BadDump, match="the dump of the roles is not whole"):
        host.made()


def test_a_database_that_is_written_to_meanwhile_is_bounded_by_the_counts(host: Host) -> None:
    host.say("counts.0", "0|2\n1|2\n")
    host.say("counts.1", "0|4\n1|2\n")
    assert host.made().parts[0].facts["rows"]["public.orders"] == 3
    assert len(host.calls("pg_dump")) == 2, "the version, and one dump"


def test_a_dump_that_no_counts_bound_is_made_anew(host: Host) -> None:
    host.say("counts.0", "0|1\n1|2\n")
    host.say("counts.1", "0|2\n1|2\n")
    assert host.made().parts[0].facts["rows"]["public.orders"] == 3
    assert len(host.calls("pg_dump")) == 3


def test_tables_of_extensions_are_not_compared(host: Host) -> None:
    tables = [
        {"schema": "public", "name": "orders", "readable": True, "extension": False},
        {"schema": "public", "name": "spatial_ref_sys", "readable": False, "extension": True},
    ]
    host.say("tables", "".join(json.dumps(one) + "\n" for one in tables))
    host.say("counts", "0|3\n")
    host.say("sql", sql(orders=3, spatial_ref_sys=9))
    assert host.made().parts[0].facts["rows"] == {"public.orders": 3}


def test_a_step_that_was_cut_off_is_done_again(host: Host) -> None:
    plan = host.plan()
    host.do(plan, "dump:shop")
    left = Path(host.store.making(ID, ".dump-shop"))
    left.mkdir()
    (left / "toc.dat").write_text("half")
    host.do(plan)
    host.do(plan, "seal")
    assert host.verify(plan)["ok"]


def test_a_deadline_ends_a_program(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_service, "DUMP_SECONDS", 1.0)
    plan = host.plan()
    (host.folder / "pg_restore").write_text("#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(CommandFailed, match="did not end within 1 s"):
        host.do(plan)


def test_an_encrypted_dump_is_readable_with_its_private_key_alone(host: Host, tmp_path: Path) -> None:
    private = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True, text=True).stdout
    public = subprocess.run(
        ["openssl", "pkey", "-pubout"], input=private, capture_output=True, check=True, text=True
    ).stdout
    plan = host.plan(backup_public_key=public)
    assert not [line for line in plan["warnings"] if "encrypted" in line]
    host.do(plan)
    found = host.store.manifest(ID)
    part = found.parts[0]
    assert part.key and b"toc.dat" not in Path(host.store.path(ID, part.file)).read_bytes()
    assert b"toc.dat" in b"".join(host.store.read(found, part, private))


def test_backups_that_no_rule_keeps_are_removed(host: Host) -> None:
    rules = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    host.made()
    plan = host.plan(NEXT, backup_keep={**rules, "daily": None})
    assert plan["backup"]["keep"] == {**rules, "daily": 7, "before_restore": 30}
    assert dict(plan["also"])["kept there"][0].startswith(ID)


# -- refused -------------------------------------------------------------------------------------


def refusal(host: Host, **inputs: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        host.plan(**inputs)
    assert refused.value.ways and not (host.folder / "state/backups").exists()
    return refused.value


def test_a_server_that_does_not_answer_is_refused(host: Host) -> None:
    host.say("server", "")
    assert refusal(host).code == "server_down"


def test_a_database_that_is_not_there_is_refused(host: Host) -> None:
    host.say("list", '{"name": "store", "size": 1}\n')
    problem = refusal(host)
    assert problem.code == "no_database" and "has no database shop; it has store" in problem.text


def test_a_table_that_may_not_be_read_is_refused_with_what_lets_it(host: Host) -> None:
    host.tables(("public", "orders"), ("public", "secret"), readable=False)
    problem = refusal(host)
    assert problem.code == "unreadable_tables" and "public.orders, public.secret" in problem.text
    assert "GRANT pg_read_all_data" in problem.ways[0][0]


def test_a_full_disk_is_refused(host: Host) -> None:
    assert refusal(host, backup_reserve=10**9).code == "disk_space"


def test_a_program_that_is_not_there_is_refused(host: Host) -> None:
    (host.folder / "pg_dump").unlink()
    assert refusal(host).code == "no_pg_dump"


def test_a_key_that_is_none_is_refused(host: Host) -> None:
    assert refusal(host, backup_public_key="hello").code == "bad_backup_settings"


def test_a_folder_of_another_cluster_is_refused(host: Host) -> None:
    host.made()
    host.server(system={"id": "1"})
    with pytest.raises(Problem, match="is of cluster 7714, and the server is 1") as refused:
        host.plan(NEXT)
    assert refused.value.code == "other_cluster"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"databases": []}, "database_name"),
        ({"databases": [{**SHOP, "name": "a/b"}]}, "database_name"),
        ({"databases": [{**SHOP, "name": "-a"}]}, "database_name"),
        ({"databases": [SHOP, SHOP]}, "database_name"),
        ({"backup_dir": "backups"}, "backup_dir"),
        ({"connection": "host=db password=x"}, "connection_password"),
        ({"engine": "pgbackrest", "stanza": "../x"}, "stanza_name"),
    ],
)
def test_a_description_that_can_t_be_meant_is_refused(host: Host, changed: dict[str, Any], code: str) -> None:
    with pytest.raises(Problem) as refused:
        host.cluster(**changed)
    assert refused.value.code == code and refused.value.ways


# -- the SQL and its answers ---------------------------------------------------------------------


def test_each_table_is_counted_by_its_own_name_in_one_look() -> None:
    script = databases.count([Table("public", "order"), Table("we ird", 'a "b')])
    assert script.splitlines() == [
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
        'SELECT 0, count(*) FROM ONLY "public"."order";',
        'SELECT 1, count(*) FROM ONLY "we ird"."a ""b";',
        "COMMIT;",
    ]


@pytest.mark.parametrize("answer", ["", "0|1\n", "0|1\n1|x\n", "0|1\n2|1\n"])
def test_a_count_that_is_missing_is_no_count(answer: str) -> None:
    with pytest.raises(ValueError, match="tables were counted"):
        databases.counted(answer, [Table("a", "b"), Table("a", "c")])


def test_a_name_with_a_strange_line_break_stays_one_name() -> None:
    (found,) = databases.tables('{"schema": "s", "name": "a\u2028b", "readable": true, "extension": false}\n')
    assert found.name == "a\u2028b"


# -- the status ----------------------------------------------------------------------------------


def test_dumps_that_are_well_are_green(host: Host) -> None:
    host.made()
    host.made(NEXT)
    found = host.rows(verify=True)
    assert {level for level, _ in found.values()} == {"ok"}, found
    assert found["databases"][1] == "shop: 2 tables, 5 rows" and "2 backups, cluster 7714" in found["folder"][1]
    assert {*found} == {"folder", "backup", "full backup", "databases", "verify", "server", "disk", "lease"}
    assert host.rows()["verify"] == ("ok", "every file of the repository was read 0 min ago, and was as it was written")


def broken(host: Host, how: str) -> None:
    match how:
        case "there is none":
            host.store.remove(ID)
            host.store.remove(NEXT)
        case "a byte of a part is another one":
            with open(host.store.path(NEXT, "database-shop.tar"), "r+b") as handle:
                handle.write(b"!")
        case "a part is gone":
            Path(host.store.path(ID, "roles.sql")).unlink()
        case "a manifest is gone":
            Path(host.store.path(ID, "manifest.json")).unlink()
        case "another cluster answers":
            host.server(system={"id": "1"})
        case "the server is down":
            host.say("server", "")
        case "the newest one is of the future":
            path = Path(host.store.path(NEXT, "manifest.json"))
            path.write_text(path.read_text().replace('"made": "20', '"made": "21'))


BROKEN = {
    "there is none": "backup",
    "a byte of a part is another one": "verify",
    "a part is gone": "verify",
    "a manifest is gone": "damaged",
    "another cluster answers": "folder",
    "the server is down": "server",
    "the newest one is of the future": "clock",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_fault_of_the_dumps_is_bad(host: Host, how: str) -> None:
    host.made()
    host.made(NEXT)
    broken(host, how)
    found = host.rows(verify=True)
    assert found[BROKEN[how]][0] == "bad", found


def test_a_database_that_the_newest_backup_lacks_is_bad(host: Host) -> None:
    host.made()
    host.cluster = lambda: Host.cluster(host, databases=[SHOP, {**SHOP, "name": "store"}])  # type: ignore[method-assign]
    assert host.rows()["databases"] == ("bad", "the newest backup has not: store")


def test_a_database_that_lost_most_of_its_rows_is_bad(host: Host) -> None:
    host.made()
    host.say("counts", "0|0\n1|1\n")
    host.say("sql", sql(orders=0, users=1))
    host.made(NEXT)
    assert host.rows()["rows"] == ("bad", "shop has 1 rows in the newest backup, and 5 in those before it")


def test_settings_of_an_archive_are_not_asked_of_a_server_that_is_dumped(host: Host) -> None:
    host.made()
    host.server(settings={**ANSWERS["settings"], "archive_mode": "off", "has_timeout": False, "checksums": False})
    assert host.rows()["server"][0] == "ok"
    host.server(ascii={"names": ["shop"]})
    assert host.rows()["server"] == ("warn", "SQL_ASCII takes any byte: shop")


def test_a_dump_that_is_overdue_is_bad(host: Host) -> None:
    host.made()
    path = Path(host.store.path(ID, "manifest.json"))
    path.write_text(re.sub('"made": "20..', '"made": "2020', path.read_text()))
    found = host.rows(max_age=26, overdue=2)
    assert found["backup"][0] == "bad" and found["timers"][0] == "bad" and "overdue: backup" in found["timers"][1]
