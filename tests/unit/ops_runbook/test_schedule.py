# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers and cron lines: what they run, who hears of a failure, and which files are left alone."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ansible_collections.ops.runbook.plugins.module_utils.console.schedules import Due
from ops_runbook import known, schedule, schedule_site
from ops_runbook.command_line import app
from ops_runbook.result import Ending
from ops_runbook.schedule import ScheduleError, Site, is_own, marked, write
from ops_runbook.schedule_site import Asked, choose, find, machine_zone

SYSTEMS, PROCEDURES = known.systems(), known.procedures()
EVERY = choose(SYSTEMS, PROCEDURES, (), (), ("ssh_key_audit", "security_audit"))
SITE = Site(
    command=["/usr/bin/ops-runbook"],
    folder="/srv/ops",
    inventories=["/srv/ops/hosts.yml"],
    told="notify@%n.service",
    user="ops",
)
BY_CRON = replace(SITE, told="ops@example.com")
FULL = next(one for one in EVERY if one[0].name == "PostgreSQL full backup")


def keys(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))


def cron_lines(site: Site, every: Any = EVERY) -> list[str]:
    (text,) = schedule.crontab(every, site).values()
    return [line for line in text.splitlines() if line and line[0].isdigit()]


# -- what a schedule runs ------------------------------------------------------------------------


def test_a_service_runs_its_procedure_with_its_answers_and_tells_who_has_to_know() -> None:
    found = keys(schedule.units([FULL], SITE)["ops-runbook-postgresql-full-backup.service"])
    assert found == {
        "Description": "PostgreSQL full backup: node-postgres: automated daily backups, a full one each week",
        "OnFailure": "notify@%n.service",
        "Wants": "network-online.target",
        "After": "network-online.target",
        "Type": "oneshot",
        "User": "ops",
        "WorkingDirectory": "/srv/ops",
        "ExecStart": "/usr/bin/ops-runbook run postgres_backup lock_wait=3600 type=full -i /srv/ops/hosts.yml",
        "KillMode": "mixed",
        "TimeoutStopSec": "600",
    }


def test_a_timer_catches_up_what_was_missed() -> None:
    found = keys(
        schedule.units([FULL], replace(SITE, zone="Europe/Berlin"))["ops-runbook-postgresql-full-backup.timer"]
    )
    assert found == {
        "Description": "PostgreSQL full backup",
        "OnCalendar": "Sun *-*-* 05:00:00 Europe/Berlin",
        "Persistent": "true",
        "WantedBy": "timers.target",
    }


def test_a_unit_of_a_user_names_no_user_and_no_target_of_the_machine() -> None:
    found = schedule.units([FULL], replace(SITE, user=""))["ops-runbook-postgresql-full-backup.service"]
    assert "User=" not in found and "network-online" not in found and "OnFailure=notify@%n.service" in found


def test_a_schedule_in_utc_stays_in_utc() -> None:
    audit = Due("Audit", "postgres_backup_status", "x", 7, "FREQ=DAILY;INTERVAL=1", utc=True)
    procedure = PROCEDURES["postgres_backup_status"]
    site = replace(SITE, zone="Europe/Berlin")
    assert keys(schedule.timer(audit, site))["OnCalendar"] == "*-*-* 07:00:00 UTC"
    assert "cron has the times of Europe/Berlin" in schedule.problem(audit, procedure, site, cron=True)
    assert schedule.problem(audit, procedure, SITE, cron=True) == ""


def test_a_target_is_given_to_what_takes_one_and_has_units_of_its_own() -> None:
    site = replace(SITE, target="db:&spare")
    files = schedule.units([FULL], site)
    assert [*files] == [f"ops-runbook-postgresql-full-backup-db-spare.{kind}" for kind in ("timer", "service")]
    assert 'postgres_backup "target=db:&spare" lock_wait=3600 type=full' in files[[*files][1]]


def test_an_answer_of_the_calendar_wins() -> None:
    site = replace(SITE, answers={"postgres_backup": {"type": "diff", "reason": "a b"}})
    assert schedule.inputs(*FULL, site) == {"lock_wait": "3600", "type": "full", "reason": "a b"}


def test_a_list_is_typed_with_commas() -> None:
    due = Due("Keys", "ssh_key_audit", "x", 8, "FREQ=DAILY", answers={"fail_on": ["overdue", "soon"], "x": True})
    assert schedule.inputs(due, PROCEDURES["ssh_key_audit"], SITE) == {"fail_on": "overdue,soon", "x": "true"}


# -- a word means itself -------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1)


def as_systemd(line: str) -> list[str]:
    """The words of ExecStart=, as systemd.service(5) describes them."""
    words, at = [], 0
    for found in re.finditer(r'"((?:[^"\\]|\\.)*)"(?: |$)|([^" ]+)(?: |$)', line):
        assert found.start() == at
        at = found.end()
        text = re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2]
        assert not re.search(r"(?<!%)(?:%%)*%(?!%)|(?<!\$)(?:\$\$)*\$(?!\$)", text), text
        words.append(text.replace("$$", "$").replace("%%", "%"))
    assert at == len(line)
    return words


@given(TEXTS)
def test_a_word_of_a_unit_means_itself(text: str) -> None:
    found = keys(schedule.service(*FULL, replace(SITE, target=text)))["ExecStart"]
    assert as_systemd(found) == schedule.words(*FULL, replace(SITE, target=text))


def as_cron(line: str) -> str:
    """The command of a line, as crontab(5) hands it to the shell."""
    assert not re.search(r"(?<!\\)%", line)
    return line.replace(r"\%", "%")


@given(TEXTS.filter(lambda text: "\\" not in text))
def test_a_word_of_a_line_means_itself(text: str) -> None:
    site = replace(BY_CRON, target=text, user="")
    (line,) = cron_lines(site, [FULL])
    said = as_cron(line).split(" ", 5)[5].partition(" && ")[2].rpartition(" || ")[0]
    assert shlex.split(said) == [*schedule.words(*FULL, site), "--quiet"]


@pytest.mark.parametrize(("target", "why"), [("a\\b", "a backslash"), ("a" * 1000, "letters, and cron takes 990")])
def test_a_text_that_cron_would_change_is_refused(target: str, why: str) -> None:
    assert why in schedule.problem(*FULL, replace(BY_CRON, target=target), cron=True)
    assert schedule.problem(*FULL, replace(BY_CRON, target=target), cron=False) == ""


# -- what systemd and the shell say --------------------------------------------------------------

ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not there")
@pytest.mark.parametrize("user", ["root", ""])
def test_systemd_takes_each_unit(tmp_path: Path, user: str) -> None:
    site = replace(SITE, command=[sys.executable, "-m", "x"], user=user, folder="/", target='100% $x "y"')
    (tmp_path / "notify@.service").write_text("[Service]\nType=oneshot\nExecStart=/bin/true\n")
    files = write(tmp_path, schedule.units(EVERY, site))
    assert len(files) == 2 * len(EVERY)
    ran = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", *(["--user"] if not user else []), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:", "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    about_us = [line for line in ran.stderr.splitlines() if "ops-runbook" in line or "notify" in line]
    assert (ran.returncode, about_us) == (0, []), ran.stderr


def played(tmp_path: Path, line: str, weekday: int = 1) -> subprocess.CompletedProcess[str]:
    """A line as cron runs it, on a day of the week."""
    script(tmp_path / "date", f"echo {weekday}")
    return subprocess.run(
        ["/bin/sh", "-c", as_cron(line).split(" ", 5)[5]],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


ENDS = {
    "a run that succeeds": ("exit 0", ""),
    "a run that fails": ("echo the screen; exit 3", "the screen\nfailed: PostgreSQL full backup, exit code 3\n"),
    "a run that is killed": ("kill -9 $$", "failed: PostgreSQL full backup, exit code 137\n"),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_line_prints_something_only_if_its_run_fails(tmp_path: Path, name: str) -> None:
    text, printed = ENDS[name]
    site = replace(BY_CRON, user="", folder=str(tmp_path), command=[script(tmp_path / "run", text)])
    (line,) = cron_lines(site, [FULL])
    assert played(tmp_path, line).stdout == printed
    assert "MAILTO=ops@example.com\n" in [*schedule.crontab([FULL], site).values()][0]


def test_a_folder_that_is_gone_is_printed(tmp_path: Path) -> None:
    (line,) = cron_lines(replace(BY_CRON, user="", folder=str(tmp_path / "gone")), [FULL])
    ran = played(tmp_path, line)
    assert "failed: PostgreSQL full backup" in ran.stdout and "gone" in ran.stderr


@pytest.mark.parametrize("weekday", range(1, 8))
def test_a_weekday_of_the_month_begins_on_that_weekday_only(tmp_path: Path, weekday: int) -> None:
    monthly = next(one for one in EVERY if one[0].name == "Monthly maintenance")
    site = replace(BY_CRON, user="", folder=str(tmp_path), command=[script(tmp_path / "run", "echo ran")])
    (line,) = cron_lines(site, [monthly])
    assert line.startswith("0 9 1-7 * * ")
    ran = played(tmp_path, line, weekday)
    assert (ran.returncode, ran.stdout) == (0, "ran\n" if weekday == 6 else "")


def test_a_file_for_the_machine_names_the_user() -> None:
    assert all(re.match(r"(\S+ ){5}ops (cd|case) ", line) for line in cron_lines(BY_CRON))
    assert [*schedule.crontab(EVERY, BY_CRON)] == ["ops-runbook"], "cron skips a name with a dot"


# -- files ---------------------------------------------------------------------------------------


def test_a_file_is_written_again_and_its_text_is_that_of_the_screen(tmp_path: Path) -> None:
    write(tmp_path, {"a.timer": "one\n"})
    (path,) = write(tmp_path, {"a.timer": "two\n"})
    assert path.read_text().partition("\n")[2] == "two\n" and path.stat().st_mode & 0o777 == 0o644


def foreign(path: Path, kind: str) -> None:
    match kind:
        case "somebody else's":
            path.write_text("[Timer]\n")
        case "changed by hand":
            path.write_text(marked("[Timer]\n") + "OnCalendar=hourly\n")
        case "a link":
            path.symlink_to(path.parent / "elsewhere")
        case "a folder":
            path.mkdir()
        case "not a text":
            path.write_bytes(b"\xff\x00")


@pytest.mark.parametrize("kind", ["somebody else's", "changed by hand", "a link", "a folder", "not a text"])
def test_a_file_of_somebody_else_is_left_alone_and_so_are_the_others(tmp_path: Path, kind: str) -> None:
    foreign(tmp_path / "b.timer", kind)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ScheduleError, match=re.escape(str(tmp_path / "b.timer"))):
        write(tmp_path, {"a.timer": "one\n", "b.timer": "two\n"})
    assert sorted(tmp_path.iterdir()) == before
    assert kind != "changed by hand" or "hourly" in (tmp_path / "b.timer").read_text()


@given(st.text(), st.text(min_size=1))
def test_only_a_text_as_it_was_written_is_our_own(text: str, more: str) -> None:
    assert is_own(marked(text)) and not is_own(marked(text) + more) and not is_own(text)


# -- what is chosen ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "only", "without", "names"),
    [
        (
            ["postgres"],
            [],
            ["postgres_backup"],
            ["PostgreSQL backups of the morning", "PostgreSQL backups read through", "PostgreSQL restore drill"],
        ),
        ([], ["ssh_key_audit"], [], ["SSH key rotation reminder"]),
        (["dokku"], ["dokku_status"], [], ["Morning checklist"]),
    ],
)
def test_a_system_and_a_procedure_narrow_the_calendar(
    of: list[str], only: list[str], without: list[str], names: list[str]
) -> None:
    assert [one.name for one, _ in choose(SYSTEMS, PROCEDURES, of, only, without)] == names


@pytest.mark.parametrize(
    ("of", "only", "says"),
    [
        (["laravel"], [], "no schedule of 'laravel'. --system: dokku, github, postgres, ssh_key"),
        ([], ["laravel_status"], "no schedule of 'laravel_status'. --procedure: dokku_maintenance, "),
        (["dokku"], ["postgres_backup"], "of this system and of this procedure"),
    ],
)
def test_a_name_without_a_schedule_is_refused(of: list[str], only: list[str], says: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(says)):
        choose(SYSTEMS, PROCEDURES, of, only, ())


def test_a_schedule_that_can_t_be_said_is_refused_by_name_with_what_to_type() -> None:
    every = choose(SYSTEMS, PROCEDURES, (), (), ())
    with pytest.raises(ScheduleError) as refused:
        schedule.must_be_sayable(every, SITE, cron=False)
    assert str(refused.value).splitlines() == [
        "these can't be scheduled so:",
        "  Monday security audit (security_audit): it has no repository: --answer security_audit:repository=VALUE",
        "  SSH key rotation reminder (ssh_key_audit): FREQ=DAILY;INTERVAL=90 counts from its first day",
        "  leave them out: --without security_audit --without ssh_key_audit",
    ]
    schedule.must_be_sayable(EVERY, SITE, cron=False)
    schedule.must_be_sayable(EVERY, BY_CRON, cron=True)


# -- the site ------------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    (tmp_path / "hosts.yml").write_text("all: {}\n")
    monkeypatch.chdir(tmp_path)
    program = script(tmp_path / "ops-runbook", "true")
    return Asked(inventories=["hosts.yml"], on_failure="notify@%n.service", command=program, run_as="root")


def test_an_option_that_is_not_typed_is_found(asked: Asked, tmp_path: Path) -> None:
    site = find(asked)
    assert (site.folder, site.inventories) == (str(tmp_path), [str(tmp_path / "hosts.yml")])
    assert site.zone == machine_zone(Path("/"))


BAD: dict[str, tuple[Mapping[str, Any], str]] = {
    "an inventory that is not there": ({"inventories": ["missing.yml"]}, "--inventory missing.yml: the file or folder"),
    "no inventory": ({"inventories": [], "folder": "/"}, "give -i FILE"),
    "a folder that is not there": ({"folder": "/nowhere"}, "--folder /nowhere is not a folder"),
    "a folder of everybody": ({"folder": "/tmp"}, "may be written by everybody"),
    "a command that is not there": ({"command": "/nowhere/ops-runbook"}, "not the full path of a program"),
    "a command by its name": ({"command": "ops-runbook"}, "not the full path of a program"),
    "a command with words": ({"command": "/bin/sh -c x"}, "not the full path of a program"),
    "a user who is not there": ({"run_as": "nobody-of-ours"}, "this machine has no such user"),
    "a user for one's own units": ({"scope": "user"}, "--run-as is for --scope system"),
    "a target of two lines": ({"target": "a\nExecStartPost=/bin/x"}, "without control characters"),
    "an answer of two lines": ({"answers": {"x": {"y": "a\nb"}}}, "--answer x:y is"),
    "nobody who hears of it": ({"on_failure": ""}, "give the unit that systemd starts when a run fails"),
    "a unit of two words": ({"on_failure": "a.service b.service"}, "give the unit"),
    "a unit without its kind": ({"on_failure": "notify"}, "give the unit"),
    "a mail without cron": ({"mailto": "ops@example.com"}, "--mailto for --cron"),
    "cron without a mail": ({"cron": True, "on_failure": ""}, "give the address"),
    "an empty mail": ({"cron": True, "on_failure": "", "mailto": "a@example.com,"}, "give the address"),
    "a mail of two lines": ({"cron": True, "on_failure": "", "mailto": "a\n* * * * * x"}, "give the address"),
    "a unit for cron": ({"cron": True}, "--on-failure is for --systemd"),
    "an unknown zone": ({"timezone": "Europe/Bonn"}, "is not a time zone"),
    "a path for a zone": ({"timezone": "/etc/passwd"}, "is not a time zone"),
    "another zone for cron": (
        {"cron": True, "on_failure": "", "mailto": "ops", "timezone": "Pacific/Kiritimati"},
        "cron has the times of this machine",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_before_anything_is_written(asked: Asked, name: str) -> None:
    given, says = BAD[name]
    with pytest.raises(ScheduleError, match=re.escape(says)):
        find(replace(asked, **given))


def test_root_runs_it_only_if_somebody_says_so(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ScheduleError, match="give --run-as USER"):
        find(replace(asked, run_as=""))
    assert find(asked).user == "root"


@pytest.mark.parametrize(
    ("link", "text", "zone"),
    [
        ("/usr/share/zoneinfo/Europe/Berlin", None, "Europe/Berlin"),
        ("../usr/share/zoneinfo/Etc/UTC", "Asia/Tokyo\n", "UTC"),
        (None, "Asia/Tokyo\n", "Asia/Tokyo"),
        (None, None, "UTC"),
    ],
)
def test_the_zone_of_a_machine_is_found(tmp_path: Path, link: str | None, text: str | None, zone: str) -> None:
    (tmp_path / "etc").mkdir()
    if link:
        (tmp_path / "etc/localtime").symlink_to(link)
    if text:
        (tmp_path / "etc/timezone").write_text(text)
    assert machine_zone(tmp_path) == zone


# -- the command ---------------------------------------------------------------------------------


def cli(asked: Asked, *more: str) -> Any:
    told = ["--mailto", "ops@example.com"] if "--cron" in more else ["--on-failure", "notify@%n.service"]
    given = ["-i", "hosts.yml", "--command", asked.command, "--run-as", "root", *told]
    return CliRunner().invoke(app, ["schedule", *given, *more])


def test_the_command_writes_files_and_says_what_to_type(asked: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    more = ("--systemd", "--procedure", "dokku_status", "--output", str(folder))
    for _ in range(2):
        ran = cli(asked, *more)
        assert ran.exit_code == 0, ran.output
    assert {path.name for path in folder.iterdir()} == {
        "ops-runbook-morning-checklist.timer",
        "ops-runbook-morning-checklist.service",
    }
    assert "systemctl enable --now ops-runbook-morning-checklist.timer" in ran.stdout
    (folder / "ops-runbook-morning-checklist.timer").write_text("[Timer]\n")
    ran = cli(asked, *more)
    assert ran.exit_code == Ending.USAGE and "changed by hand" in ran.output
    assert cli(asked, *more[:-1], str(tmp_path / "missing")).exit_code == Ending.USAGE


def test_the_command_prints_what_it_would_write(asked: Asked, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    units = cli(asked, "--systemd", "--system", "postgres").stdout
    assert units.count("[Timer]") == 5 == units.count("OnFailure=notify@%n.service")
    lines = cli(asked, "--cron", "--system", "postgres").stdout
    assert "MAILTO=ops@example.com" in lines and "0 6 * * 0 root cd" in lines and "verify=true" in lines
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "give --systemd or --cron"),
        (("--systemd",), "leave them out: --without security_audit --without ssh_key_audit"),
        (("--systemd", "--answer", "nothing:x=y"), "there is no procedure 'nothing'"),
        (("--systemd", "--answer", "postgres_backup:type=half"), "it must be one of: full, diff, incr"),
        (("--systemd", "--answer", "postgres_backup:postgres_stanza=x"), "belongs in the inventory"),
        (("--systemd", "--answer", "laravel_maintenance:secret=canary-7f"), "belongs in the inventory"),
    ],
)
def test_wrong_usage_writes_nothing(asked: Asked, more: tuple[str, ...], says: str) -> None:
    ran = cli(asked, *more)
    assert ran.exit_code == Ending.USAGE
    assert says in " ".join(ran.output.split()) and "canary" not in ran.output, ran.output


def test_the_steps_after_it_are_those_of_the_scope(asked: Asked) -> None:
    site, paths = find(asked), [Path("x/a.timer"), Path("x/a.service")]
    own = schedule_site.next_steps(paths, replace(asked, scope="user"), site)
    assert own[:2] == ["systemctl --user daemon-reload", "systemctl --user enable --now a.timer"]
    assert "loginctl enable-linger" in own
    assert "crontab -l" in schedule_site.next_steps(paths, replace(asked, cron=True), replace(site, user=""))[0]
