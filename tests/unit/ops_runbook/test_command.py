# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command: what it knows of the procedures, what it refuses, and what each ending of a run means."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
import yaml
from typer.testing import CliRunner

from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import typed
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import MASK
from ops_runbook import known
from ops_runbook.command_line import app
from ops_runbook.result import Ending, Events, document, ending, junit
from ops_runbook.run import (
    Request,
    Stopping,
    again,
    environment,
    left_open,
    masked,
    out_of_sight,
    private_folder,
    shown_variable,
)
from ops_runbook.terminal import Screen, console, uncoloured
from unit.console.test_screen import CLOSE, FACT, ID, LARAVEL, applied, planned

ROOT = Path(__file__).resolve().parents[3]
PROCEDURES = known.procedures()


# -- what it knows -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_procedure_names_its_role_and_how_it_is_called(name: str) -> None:
    procedure = PROCEDURES[name]
    assert procedure.description
    assert any(f"ops.runbook.{name}" in example for example in procedure.examples)
    specs = yaml.safe_load((ROOT / "roles" / procedure.role / "meta/argument_specs.yml").read_text())["argument_specs"]
    assert procedure.entry in specs


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_input_that_a_playbook_shows_is_known(name: str) -> None:
    """A name after -e in a header is an input, or a variable of the inventory."""
    procedure = PROCEDURES[name]
    typed = re.findall(r"-e \"?(\w+)=", "\n".join(procedure.examples))
    assert {one for one in typed if procedure.input(one) is None and "_" not in one} == set()


def test_an_input_is_described_by_the_argument_spec() -> None:
    migrations = PROCEDURES["laravel_rollback"].input("migrations")
    assert migrations is not None
    assert migrations.choices == ("refuse", "keep", "down") and migrations.default == "refuse"
    assert migrations.option == "laravel_migrations" and "does not know" in migrations.description
    assert PROCEDURES["laravel_rollback"].input("reason") is not None, "what the guard reads by itself"
    assert PROCEDURES["laravel_rollback"].input("laravel_service") is None, "a variable of the inventory"


def test_a_secret_input_is_known_as_one() -> None:
    secret = {(name, one.name) for name, procedure in PROCEDURES.items() for one in procedure.inputs if one.secret}
    assert ("laravel_maintenance", "secret") in secret
    assert ("compose_rotate_secrets", "role_password") not in secret, "its value is the word `changed`"


# -- what is typed -------------------------------------------------------------------------------


def cli(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments])


USAGE = {
    "a mistyped procedure": (("run", "laravel_rolback"), "did you mean laravel_rollback"),
    "a mistyped input": (("run", "laravel_rollback", "too=v1"), "did you mean 'to'?"),
    "an unknown value": (("plan", "laravel_rollback", "migrations=yes"), "must be one of: refuse, keep, down"),
    "no value": (("run", "laravel_rollback", "v1"), "type name=value"),
    "a name that is near none": (("run", "laravel_rollback", "tp=v1"), "Its inputs: target, to, "),
    "an unknown option": (("run", "laravel_rollback", "--chek"), "No such option"),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_contacts_nobody(name: str) -> None:
    arguments, says = USAGE[name]
    ran = cli(*arguments)
    assert ran.exit_code == Ending.USAGE
    assert says in " ".join(ran.output.split()), ran.output


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("laravel_path=/srv/shop", "-e laravel_path=/srv/shop"),
        ("laravel_path=/srv/my shop", """-e '{"laravel_path": "/srv/my shop"}'"""),
        ("ansible_become=true ansible_become_user=shop", "-e ansible_become=true -e ansible_become_user=shop"),
        ("operation_lease_ttl=60 to=v1.0.0", "-e to=v1.0.0 -e operation_lease_ttl=60"),
    ],
)
def test_a_way_that_a_refusal_shows_is_taken_as_it_is_shown(way: str, expected: str) -> None:
    """Inputs, and variables of the inventory, which plain Ansible takes by the same option."""
    # A space belongs to a value unless a name follows.
    words = re.split(r" (?=\w+=)", way)
    ran = cli("run", "laravel_rollback", *words, "--show-command")
    assert (ran.exit_code, expected in ran.stdout) == (0, True), ran.output
    assert cli("run", "laravel_rollback", "laravel_paht=/srv/shop").exit_code == Ending.USAGE


def test_list_and_describe_are_for_programs_too() -> None:
    listed = json.loads(cli("list", "--json").stdout)
    assert {procedure["name"] for procedure in listed} == {*PROCEDURES}
    described = json.loads(cli("describe", "laravel_deploy", "--json").stdout)
    assert described in listed
    assert (described["title"], described["system"]) == ("Deploy a release of a Laravel service", "Laravel")


@pytest.mark.parametrize("name", PROCEDURES)
def test_describe_shows_every_input(name: str) -> None:
    shown = cli("describe", name).stdout
    assert all(one.name in shown for one in PROCEDURES[name].inputs)


@pytest.mark.parametrize("typed_option", ["--version", "-h", "--help"])
def test_the_first_thing_that_is_typed_is_answered(typed_option: str) -> None:
    ran = cli(typed_option)
    assert ran.exit_code == 0 and "ops-runbook" in ran.output + ran.stdout, ran.output
    assert "Error" not in ran.output


@pytest.mark.parametrize("name", sorted(typer.main.get_group(app).commands))
def test_every_command_has_help_that_is_not_cut(name: str) -> None:
    assert cli(name, "-h").exit_code == 0
    (line,) = [line for line in cli("--help").stdout.splitlines() if line.startswith(f"  {name} ")]
    assert line.rstrip().endswith(".") and not line.rstrip().endswith("..."), line
    assert len(line.split(None, 1)[1]) <= 45, line


def listed(*words: str) -> dict[str, list[str]]:
    """The list by group: lines of the procedures."""
    found: dict[str, list[str]] = {}
    for line in cli("list", *words).stdout.partition("\n* ")[0].splitlines():
        if line and not line.startswith(" "):
            group = line
        elif line.strip():
            found.setdefault(group, []).append(line.strip())
    return found


def test_the_list_has_every_procedure_with_its_title_under_its_system() -> None:
    lines = {line.split()[0]: (group, line) for group, found in listed().items() for line in found}
    assert {*lines} == {*PROCEDURES}
    for name, (group, line) in lines.items():
        assert PROCEDURES[name].title in line
        assert (" * " in line) is PROCEDURES[name].changes
        assert group in ("Looks", known.systems()[PROCEDURES[name].role].title)
    assert [*listed()][-1] == "Looks"
    assert {"Laravel", "Docker Compose", "Dokku", "GitHub", "AWX"} < {*listed()}


def test_a_word_chooses_of_the_list() -> None:
    assert {*listed("laravel")} == {"Laravel"} and len(listed("rollback")) == 3
    assert cli("list", "nothing-of-ours").exit_code == Ending.USAGE
    chosen = {one["name"] for one in json.loads(cli("list", "dokku", "--json").stdout)}
    assert chosen == {name for name in PROCEDURES if name.startswith("dokku_")}


def test_a_reading_procedure_has_a_name_that_says_so() -> None:
    """The first verb of a title tells whether a procedure changes something; the pages list them by it."""
    looking = ("audit", "check", "diagnose", "features", "history", "status", "verify")
    assert {name for name, one in PROCEDURES.items() if not one.changes} == {
        name for name in PROCEDURES if name.endswith(looking)
    }


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_printed_description_can_be_typed_by_everybody(name: str) -> None:
    shown = cli("describe", name).stdout
    assert "playbooks/" not in shown
    assert f"ops-runbook plan {name}" in shown and f"ansible-playbook ops.runbook.{name}" in shown


COLOURS = {
    "neither": ({}, False),
    "no-color.org": ({"NO_COLOR": "1"}, True),
    "an empty one": ({"NO_COLOR": ""}, False),
    "Ansible's": ({"ANSIBLE_NOCOLOR": "1"}, True),
    "Ansible's, as a word": ({"ANSIBLE_NOCOLOR": "True"}, True),
    "Ansible's, off": ({"ANSIBLE_NOCOLOR": "false"}, False),
}


@pytest.mark.parametrize(("variables", "plain"), COLOURS.values(), ids=COLOURS)
def test_no_colour_means_no_colour(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], plain: bool) -> None:
    for name in ("NO_COLOR", "ANSIBLE_NOCOLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert uncoloured() is plain
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: True))
    assert console().no_color is plain


def test_the_command_is_shown_as_ansible_takes_it() -> None:
    ran = cli("run", "laravel_rollback", "reason=INC-421 login loop", "to=v1.0.0", "-l", "web1", "--show-command")
    assert ran.stdout.strip() == (
        "ansible-playbook ops.runbook.laravel_rollback -e \"reason='INC-421 login loop'\" -e to=v1.0.0 -l web1"
    )
    assert cli("plan", "laravel_rollback", "--show-command").stdout.strip().endswith("laravel_rollback --check")


def test_a_secret_is_not_shown() -> None:
    ran = cli("run", "laravel_maintenance", "state=down", "secret=canary-7f", "--show-command")
    assert "canary" not in ran.output and MASK in ran.stdout


@pytest.mark.parametrize(("code", "printed"), [(0, ""), (4, "the plan\n4: failed and reverted. Kept in /kept\n")])
def test_a_quiet_run_prints_its_screen_only_if_it_fails(
    monkeypatch: pytest.MonkeyPatch, code: int, printed: str
) -> None:
    def execute(request: Request, on_event: Any, *_: Any) -> dict[str, Any]:
        on_event({"stdout": "the plan\r\n"}, Events())
        return {"exit_code": code, "meaning": "failed and reverted", "artifacts": "/kept"}

    monkeypatch.setattr("ops_runbook.run.execute", execute)
    ran = cli("run", "laravel_rollback", "--quiet")
    assert (ran.exit_code, ran.stdout) == (code, printed)
    assert "the plan" in cli("run", "laravel_rollback").stdout


def test_a_quiet_run_that_breaks_prints_what_it_had(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError), Screen(console(), held=True) as screen:
        screen.event({"stdout": "the plan"}, Events())
        raise OSError
    assert capsys.readouterr().out == "the plan\n"


# -- what becomes of a run -----------------------------------------------------------------------


def path_of(phase: str) -> str:
    return f"/runner/project/roles/laravel/tasks/{phase}.yml:2"


def event(
    kind: str, phase: str, action: str, result: dict[str, Any], host: str = "web1", **more: Any
) -> dict[str, Any]:
    return {
        "event": f"runner_on_{kind}",
        "event_data": {
            "task": "renamed",
            "task_path": path_of(phase),
            "resolved_action": action,
            "host": host,
            "res": result,
            **more,
        },
    }


def started(phase: str, host: str = "web1") -> dict[str, Any]:
    return {"event": "runner_on_start", "event_data": {"task_path": path_of(phase), "host": host}}


def decided(**facts: Any) -> dict[str, Any]:
    found = {"go": False, "refused": False, "planned": True, "code": "", "together": None, **facts}
    return event("ok", "open", FACT, {"ansible_facts": {"operation_decision": found}})


NAMED = event("ok", "open", "ops.runbook.operation_begin", {"operation": ID, "actor": {"user": "anna"}})
PLANNED = event("ok", "plan", LARAVEL, planned())
REFUSAL = {"code": "drift", "text": "somebody changed it", "ways": [{"input": "to=v1", "effect": "goes there"}]}
REFUSED = event("ok", "plan", LARAVEL, {"plan": None, "refusal": REFUSAL})
LOST = event("unreachable", "plan", LARAVEL, {"msg": "refused"})
GO = [NAMED, PLANNED, decided(go=True), started("apply")]


def did(outcome: str, error: str = "", **more: Any) -> dict[str, Any]:
    result = applied(outcome, error)
    result["closed"].update(more)
    return event("ok", "apply", LARAVEL, result)


ASKED = event("ok", "status", "ops.runbook.laravel_status_info", {"healthy": False})
FAILED = event("failed", "status", "ops.runbook.refuse", {"msg": ["down"]})

ENDINGS: dict[str, tuple[list[dict[str, Any]], int, Ending]] = {
    "verified": ([*GO, did("succeeded")], 0, Ending.VERIFIED),
    "a refusal": ([NAMED, REFUSED, decided(refused=True)], 2, Ending.REFUSED),
    "a host that was never reached": ([NAMED, LOST, decided(refused=True)], 2, Ending.UNREACHABLE),
    "a single host that was never reached": ([NAMED, LOST], 4, Ending.UNREACHABLE),
    "a wrong input": (
        [event("failed", "open", "ops.runbook.operation_begin", {"msg": "'too' is not an input"})],
        2,
        Ending.USAGE,
    ),
    "what Ansible does not take": ([], 1, Ending.USAGE),
    "reverted": ([*GO, did("reverted", "status 500")], 2, Ending.REVERTED),
    "held": ([*GO, did("failed", "status 500")], 2, Ending.FAILED),
    "between two releases": ([*GO, did("interrupted", settled=False)], 2, Ending.INTERRUPTED),
    "lost while it was changed": (
        [
            *GO,
            event("unreachable", "apply", LARAVEL, {"msg": "timed out"}),
            event("unreachable", "settle", CLOSE, {"msg": "timed out"}),
        ],
        2,
        Ending.UNREACHABLE,
    ),
    "the controller's end": (GO, 254, Ending.INTERRUPTED),
    "asked to stop": ([NAMED, PLANNED, decided(refused=True, code="stopped")], 2, Ending.INTERRUPTED),
    "a backup that could not be fetched": ([*GO, did("succeeded")], 2, Ending.FAILED),
    "a look at what is well": ([started("status"), ASKED], 0, Ending.VERIFIED),
    "a look at what is not": ([started("status"), ASKED, FAILED], 2, Ending.FOUND),
    "a look that nobody could begin": ([started("status"), FAILED], 2, Ending.USAGE),
    "a look at a path that is not there": (
        [started("Read"), event("failed", "Read", "ops.runbook.data_safety_check", {"msg": "x", "code": "bad_input"})],
        2,
        Ending.USAGE,
    ),
    "a look whose screen comes before its failure": (
        [started("Read"), event("ok", "Read", "ops.runbook.operation_history_info", {"code": "bad_input"}), FAILED],
        2,
        Ending.USAGE,
    ),
    "a host that a look does not reach": (
        [started("status"), event("unreachable", "status", "ops.runbook.x", {"msg": "no route"}), FAILED],
        2,
        Ending.UNREACHABLE,
    ),
    "no host, and nothing to say against it": ([], 0, Ending.USAGE),
}


def gathered(found: list[dict[str, Any]]) -> Events:
    events = Events()
    for one in found:
        events.take(one)
    return events


@pytest.mark.parametrize("name", ENDINGS)
def test_each_ending_has_its_exit_code(name: str) -> None:
    found, code, expected = ENDINGS[name]
    assert ending(gathered(found), code, stopped=False, check=False) is expected


def test_a_check_that_shows_its_plan_is_green() -> None:
    assert ending(gathered([NAMED, PLANNED, decided()]), 0, stopped=False, check=True) is Ending.VERIFIED


def test_of_several_hosts_the_gravest_counts() -> None:
    other = event("ok", "plan", LARAVEL, planned(), "web2")
    bad = event("ok", "apply", LARAVEL, applied("failed", "x"), "web2")
    assert ending(gathered([*GO, other, did("reverted"), bad]), 2, stopped=False, check=False) is Ending.FAILED


def test_a_run_that_was_stopped_and_is_whole_is_verified() -> None:
    assert ending(gathered([*GO, did("succeeded")]), 0, stopped=True, check=False) is Ending.VERIFIED
    assert ending(gathered([*GO, did("reverted")]), 2, stopped=True, check=False) is Ending.INTERRUPTED


def told(name: str) -> dict[str, Any]:
    found, code, how = ENDINGS[name]
    run = {"procedure": "laravel_rollback", "started": "2026-11-21T03:15:02Z", "seconds": 4.2, "artifacts": "runs/1"}
    return document(gathered(found), run, how)


def test_the_document_says_what_an_incident_wants() -> None:
    host = told("verified")["hosts"]["web1"]
    assert (host["outcome"], host["ledger_id"], host["from"]["name"]) == ("succeeded", ID, "v1.5.0")
    assert host["request_ids"] and host["seconds"] == 1
    assert told("a refusal")["hosts"]["web1"]["refusal"]["ways"] == REFUSAL["ways"]
    assert told("a host that was never reached")["hosts"]["web1"]["outcome"] == "unreachable"


@pytest.mark.parametrize("name", ENDINGS)
def test_a_document_is_json_and_its_report_is_red_where_it_is(name: str) -> None:
    found = told(name)
    assert json.loads(json.dumps(found)) == found
    suite = ElementTree.fromstring(junit(found).encode())
    assert (int(suite.get("failures", "0")) > 0) is (found["exit_code"] != 0)
    assert len(suite.findall("testcase")) == max(1, len(found["hosts"]))


def test_a_report_holds_what_a_terminal_would_not() -> None:
    found = told("reverted")
    found["hosts"]["web1"]["error"] = "bad \x1b[31m byte \x00 <&"
    (failure,) = ElementTree.fromstring(junit(found).encode()).iter("failure")
    assert failure.get("message") == "bad  byte ? <&"


def test_an_interrupted_run_says_what_is_open() -> None:
    assert left_open({**told("the controller's end"), "again": "ansible-playbook x -e to=v1"}) == [
        "web1: may have gone on by itself, or may be open",
        "to go on: ansible-playbook x -e to=v1",
    ]
    assert left_open(told("verified")) == []


def test_an_interrupted_rollback_is_not_typed_again_as_one_to_previous() -> None:
    """It may have gone on by itself, and another release is the previous one then."""
    one = planned()
    one["plan"]["asked"] = "previous"
    events = gathered([NAMED, event("ok", "plan", LARAVEL, one), *GO[2:]])
    request = Request(PROCEDURES["laravel_rollback"], {"reason": "INC-7"}, limit="web1")
    to = typed(one["plan"]["to"])
    assert again(request, events) == f"ansible-playbook ops.runbook.laravel_rollback -e reason=INC-7 -e to={to} -l web1"
    other = json.loads(json.dumps(one))
    other["plan"]["to"]["id"] = "f" * 40
    events.take(event("ok", "plan", LARAVEL, other, "web2"))
    assert again(request, events) is None
    named = gathered(GO)
    assert (
        again(replace(request, inputs={"to": "v1.4.0"}), named) == replace(request, inputs={"to": "v1.4.0"}).command()
    )


# -- what it keeps -------------------------------------------------------------------------------


def test_the_kept_command_holds_no_secret() -> None:
    env = {"ANSIBLE_VAULT_PASSWORD_FILE": "canary", "GITHUB_TOKEN": "canary", "HOME": "canary", "ANSIBLE_FORKS": "5"}
    kept = masked(json.dumps({"command": ["ansible-playbook"], "env": env}))
    assert json.loads(kept)["env"] == {"ANSIBLE_VAULT_PASSWORD_FILE": MASK, "ANSIBLE_FORKS": "5"}


KILLED = """
import os, signal, sys
from ops_runbook import command_line, run

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

{moment}
command_line.app(["run", "data_safety_check", "path=.", "-e", "x=1", "-i", sys.argv[1]])
"""
MOMENTS = {
    "the environment was handed over, and is not masked yet": "run.masked = die",
    "the command is kept, and Ansible is about to start": "run.KeptCommand.keep = die",
    "Ansible runs": "run.Events.take = die",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_leaves_no_secret_in_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    environ = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path),
        "CANARY_TOKEN": "canary-3c",
        "PYTHONPATH": str(ROOT),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }
    script = KILLED.format(moment=MOMENTS[moment])
    ran = subprocess.run(
        [sys.executable, "-c", script, str(ROOT / "inventories/demo")],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if "canary-3c" in path.read_text(errors="replace")]
    # The next run sweeps: no pipe is left for somebody to wait at.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with private_folder():
        assert not [path for path in tmp_path.rglob("*") if path.is_fifo()]


def test_the_next_run_takes_the_inputs_of_a_killed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    dead = subprocess.Popen(["true"])
    dead.wait()
    left, other = (tmp_path / "ops-runbook/private" / f"{pid}-x" for pid in (dead.pid, os.getppid()))
    for folder in (left, other):
        folder.mkdir(parents=True)
        (folder / "inputs.json").write_text("canary")
    (tmp_path / "ops-runbook/private/1x-notes").touch()
    with private_folder() as own:
        assert not left.exists() and other.exists() and own.exists()
    assert not own.exists()


def test_host_keys_are_checked_as_the_configuration_says(tmp_path: Path) -> None:
    assert environment(tmp_path / "stop", 80, False)["ANSIBLE_HOST_KEY_CHECKING"] == "True"


def test_the_first_signal_asks_and_the_second_ends(tmp_path: Path) -> None:
    said: list[str] = []
    stopping = Stopping(tmp_path / "stop", say=said.append)
    stopping(signal.SIGTERM, None)
    assert (tmp_path / "stop").exists() and not stopping.at_once and "SIGTERM" in said[0]
    stopping(signal.SIGTERM, None)
    assert stopping.at_once


def test_a_procedure_that_contacts_nobody_runs_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way through ansible-runner, with what it leaves behind."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("CANARY_TOKEN", "canary-9e")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(ROOT / "collections"))
    (tmp_path / "composer.json").write_text('{"scripts": {"x": ["@php artisan migrate:fresh --force"]}}')
    report = tmp_path / "report.xml"
    ran = cli(
        "run",
        "data_safety_check",
        f"path={tmp_path}",
        "-i",
        str(ROOT / "inventories/demo"),
        "--json",
        "--junit",
        str(report),
    )
    assert ran.exit_code == Ending.FOUND, ran.output
    found = json.loads(ran.stdout)
    assert "composer.json:1" in "\n".join(found["said"])
    assert "not safe" in found["hosts"]["localhost"]["error"]
    assert "<failure" in report.read_text()
    kept = Path(found["artifacts"])
    assert json.loads((kept / "result.json").read_text()) == found
    assert list(kept.glob("job_events/*.json")), "the events of a run are what is looked at after it"
    for path in kept.rglob("*"):
        assert not path.is_file() or "canary-9e" not in path.read_text(errors="replace"), path
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077 or path.suffix == "", path
    assert not stat.S_IMODE(kept.parent.stat().st_mode) & 0o077


WRONG_CALLS = {
    "a path that is not absolute": (("data_safety_check", "path=relative"), "must be the absolute path"),
    "a target without hosts": (("deploy_verify", "repository=example/shop", "target=nope"), "target is 'nope'"),
    "a variable that is not one": (("laravel_status", "-e", "traget=laravel1"), "did you mean 'target'?"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_usage_of_a_look_is_told_from_what_it_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(ROOT / "collections"))
    arguments, said = WRONG_CALLS[name]
    ran = cli("run", *arguments, "-i", str(ROOT / "inventories/demo"), "--json")
    found = json.loads(ran.stdout)
    assert (ran.exit_code, found["exit_code"]) == (Ending.USAGE, Ending.USAGE), ran.output
    assert said in " ".join([found["error"] or "", *(host["error"] or "" for host in found["hosts"].values())])


def test_a_request_hands_its_inventories_on() -> None:
    request = Request(PROCEDURES["laravel_status"], {}, ["a", "b"], "web1", ["x=1"], diff=True, verbosity=2)
    assert request.options() == ["-i", "a", "-i", "b", "-l", "web1", "-e", "x=1", "--diff", "-vv"]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("registry_password=CANARYPW", "registry_password=********"),
        ("x=1 github_token='CANARYTOK' y=2", "x=1 github_token=******** y=2"),
        ('{"registry_password": "CANARYPW", "n": {"api_key": ["CANARY"], "m": 1}}', None),
        ("{registry_password: CANARYPW}", None),
        ("{registry_password: CANARYPW", "********"),
        ("{to: 1.10} # CANARY", None),
        ('{"a": {"password": "CANARY"}, "a": 1}', '{"a": 1}'),
        ("{a: [{password: CANARY, password: null}], b: 1.10}", None),
        ("{to: 1.10}", "{to: 1.10}"),
        ("registry_password='CANARYPW", "********"),
        ("address=redis://:CANARYPW@cache/0", "address=********"),
        ("jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.CANARY", "jwt=********"),
        ("@/srv/vars/registry_password.yml", "@/srv/vars/registry_password.yml"),
        ("laravel_path=/srv/app batch=1", "laravel_path=/srv/app batch=1"),
    ],
)
def test_a_secret_after_an_option_is_kept_nowhere(typed: str, shown: str | None) -> None:
    assert shown is None or shown_variable(typed) == shown
    assert "CANARY" not in shown_variable(typed)
    request = Request(PROCEDURES["laravel_status"], {}, variables=[typed])
    assert "CANARY" not in request.command() and typed in request.options()
    kept = masked(json.dumps({"command": ["ansible-playbook", "x.yml", *request.options()], "env": {}}))
    assert "CANARY" not in kept


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("registry_password=CANARY", {"registry_password": "CANARY"}),
        ("a='x y' token=CANARY", {"a": "x y", "token": "CANARY"}),
        ('{"github_token": "CANARY", "n": [1]}', {"github_token": "CANARY", "n": [1]}),
        ("{token: CANARY}", {"token": "CANARY"}),
    ],
)
def test_no_variable_is_an_argument_of_a_process(tmp_path: Path, typed: str, means: dict[str, object]) -> None:
    first, second = (out_of_sight(typed, tmp_path) for _ in range(2))
    assert "CANARY" not in first and first != second
    kept = Path(first.removeprefix("@"))
    assert yaml.safe_load(kept.read_text()) == means
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("typed", ["@secrets.yml", "", "{broken: [", "a='x"])
def test_a_file_or_an_invalid_inventory_is_left_to_ansible(tmp_path: Path, typed: str) -> None:
    assert out_of_sight(typed, tmp_path) == typed
    assert not list(tmp_path.iterdir())


def test_completion_knows_procedures_and_values() -> None:
    asked = {**os.environ, "_OPS_RUNBOOK_COMPLETE": "complete_bash"}
    for line, expected in (
        ("ops-runbook run laravel_rol", "laravel_rollback"),
        ("ops-runbook plan laravel_rollback mig", "migrations="),
    ):
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        ran = CliRunner().invoke(app, [], prog_name="ops-runbook", env={**asked, **words})
        assert expected in ran.output, ran.output
