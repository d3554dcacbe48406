# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole operations on a Dokku app, through the guard: what is called, what is undone, and what a second run does.

In dokku's place stands a program that keeps its state in a file and writes down each call; what Dokku really does is
looked at on a host (molecule/dokku).
"""

from __future__ import annotations

import json
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console import report
from ansible_collections.ops.runbook.plugins.module_utils.dokku import health
from ansible_collections.ops.runbook.plugins.module_utils.dokku.procedures import DOKKU
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import Description, DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Operation
from ansible_collections.ops.runbook.plugins.module_utils.guard.request import Request
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings
from ansible_collections.ops.runbook.plugins.module_utils.host import last_line
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name

PROGRAM = """#!{python} -IS
import fcntl, json, sys
path = {state!r}
# Reads come at the same time, and each writes down that it came.
lock = open(path + ".lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
state = json.load(open(path))
words = [word for word in sys.argv[1:] if word not in ("--format", "json")]
flags = [word for word in words if word.startswith("--")]
command, rest = words[0], [word for word in words[1:] if not word.startswith("--")]
state["calls"].append(" ".join(words))
def end(rc=0, out=None, err=""):
    json.dump(state, open(path, "w"))
    if out is not None: print(out if isinstance(out, str) else json.dumps(out))
    if err: print(" !     " + err, file=sys.stderr)
    sys.exit(rc)
live = state["releases"][-1] if state["releases"] else None
def record(code, source, **more):
    number = len(state["releases"]) + 1
    found = dict(number=number, revision=code, source=source, source_image=code, image_id="sha256:" + code)
    found.update(recorded_at="2026-11-21T03:15:02Z", by="deploy", left_by_rollback=False, **more)
    if state.get("git_rev"): found["git_rev"] = state["git_rev"]
    state["releases"].append(found)
    state["latest"] = code
    return number
if command in ("apps:exists", "ps:stop"): end()
if command == "apps:list": end(out="web")
listed = [dict(one, state="live" if one is live else "held") for one in reversed(state["releases"])]
report = {{"live": str(live["number"]) if live else "", "live-image": live["image_id"] if live else "",
          "latest-is-live": str(bool(live) and state["latest"] == live["revision"]).lower(), "keep-images": "5",
          "previous": str(state.get("previous", "")), "config-drift": "", "pending-rollback": "",
          "under-way": state["under_way"], "strays": " ".join(state["strays"]), "strays-stopped": ""}}
ps = {{"deployed": str(bool(live)).lower(), "running": str(bool(live) and not state["broken"]).lower()}}
if command == "releases:state" and not state["old_plugin"]:
    end(out={{"releases": listed, "report": report, "ps": ps}})
if command == "releases": end(out=listed)
if command == "releases:report": end(out=report)
if command == "ps:report": end(out=ps)
if command == "git:report": end(out={{"sha": state["branch"], "source-image": state["latest"]}})
if command == "checks:report": end(out={{"disabled-list": "none"}})
if command == "builds:list": end(out=state["builds"])
if command == "nginx:validate-config": end(1, out=state["nginx"]) if state["nginx"] else end()
if command == "proxy:report": end(out={{"computed-type": state["proxy"], "enabled": "true"}})
if command == "releases:strays":
    gone = state["strays"]; state["strays"] = []
    end(out={{"app": "web", "under_way": "", "removed": gone, "strays": []}})
if command == "config:export": end(out={{"DB_PASSWORD": "hunter2222"}})
if command == "git:from-image":
    code = rest[1]
    if state["branch"] == code: end(1, out=" !     No changes detected, skipping git commit")
    state["latest"] = state["branch"] = code
    if code.endswith("fails"): end(1, out="psql: password hunter2222 is wrong\\n !     App build failed")
    record(code, "git:from-image"); state["broken"] = code.endswith("broken"); end()
if command == "git:sync":
    code = state["refs"].get(rest[2], rest[2])
    state["branch"] = state.get("branch_says", code)
    record(code, "git:sync"); state["releases"][-1]["source_image"] = ""; end()
if command == "ps:rebuild": record(state["branch"], "git:from-image"); end()
if command == "releases:rollback":
    to = int(rest[1])
    if "--dry-run" in flags: end(out={{"config": {{"changed": ["GIT_REV"]}}, "files": [], "drift": []}})
    code = state["releases"][to - 1]["revision"]
    number = record(code, "rollback", rollback_to=to); state["branch"] = code; state["broken"] = False
    end(out={{"number": number, "to": to, "deploy_branch_moved": True}})
end(1, err="`%s` is not a dokku command." % command)
"""


class Stand:
    """A host with one app."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state.json"
        program = folder / "dokku"
        program.write_text(PROGRAM.format(python=sys.executable, state=str(self.state)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.description = Description("web", command=str(program), user=user_name(), disk_reserve=0)
        self.number = 0
        self.set(releases=[], latest="", branch="", broken=False, builds=[], calls=[], refs={})
        self.set(nginx="", proxy="nginx", strays=[], under_way="", old_plugin=False)

    def get(self) -> dict[str, Any]:
        return json.loads(self.state.read_text())  # type: ignore[no-any-return]

    def set(self, **values: Any) -> None:
        known = self.get() if self.state.exists() else {}
        self.state.write_text(json.dumps({**known, **values}))

    def live(self) -> str:
        releases = self.get()["releases"]
        return str(releases[-1]["revision"]) if releases else ""

    def plan(self, procedure: str, **inputs: Any) -> dict[str, Any]:
        self.number += 1
        self.set(calls=[])
        request = Request(
            f"20991231T000000Z-{self.number:06d}", "web", procedure, interrupted=inputs.pop("interrupted", "")
        )
        check = bool(inputs.pop("check", False))
        return self.operation(inputs=inputs, check_mode=check).open_and_plan(request)

    def apply(self, planned: dict[str, Any], revert: bool = True) -> dict[str, Any]:
        orders = Orders(planned["operation"], planned["direction"], revert, close=True)
        return self.operation(gate=GateSettings((), 0.3, 0.1, 1)).carry_out(orders)

    def operation(self, **phase: Any) -> Operation[Description, DokkuService]:
        return Operation(DOKKU, self.description, Guard(str(self.folder / "ops")), **phase)

    def run(self, procedure: str, **inputs: Any) -> dict[str, Any]:
        planned = self.plan(procedure, **inputs)
        assert planned["plan"], planned["refusal"]
        return self.apply(planned)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def outcome(result: dict[str, Any]) -> str:
    return str(result["closed"]["outcome"])


def test_an_image_is_deployed_once(stand: Stand) -> None:
    first = stand.run("deploy", to="acme/app:1")
    assert (outcome(first), first["changed"], stand.live()) == ("succeeded", True, "acme/app:1")
    second = stand.run("deploy", to="acme/app:1")
    assert (outcome(second), second["changed"], len(stand.get()["releases"])) == ("unchanged", False, 1)


@pytest.mark.parametrize("image", ["acme/app:broken", "acme/app:fails"])
def test_an_unhealthy_release_goes_back_and_no_secret_is_shown(stand: Stand, image: str) -> None:
    stand.run("deploy", to="acme/app:1")
    result = stand.run("deploy", to=image)
    found = stand.get()
    assert (outcome(result), stand.live(), found["latest"], found["branch"]) == ("reverted", *["acme/app:1"] * 3)
    assert "hunter2222" not in json.dumps(result) + (stand.folder / "ops/ledger.jsonl").read_text()


def test_a_first_deploy_that_fails_stops_what_never_ran(stand: Stand) -> None:
    result = stand.run("deploy", to="acme/app:fails")
    assert outcome(result) == "reverted" and "ps:stop web" in stand.get()["calls"]


def test_the_last_source_of_dokku_is_rebuilt(stand: Stand) -> None:
    """A killed deploy leaves its image as the newest, and the same one again is answered: No changes detected."""
    stand.run("deploy", to="acme/app:1")
    stand.set(latest="acme/app:2", branch="acme/app:2")
    assert outcome(stand.run("deploy", to="acme/app:2")) == "succeeded"
    assert "ps:rebuild web" in stand.get()["calls"] and stand.live() == "acme/app:2"


def calls(stand: Stand) -> list[str]:
    """The commands of dokku since the last plan, without what they are for."""
    return sorted(call.partition(" ")[0] for call in stand.get()["calls"])


#: What each operation calls, from its plan to its end, on a host with the plugin of this collection.
CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "a rollback": (
        "rollback",
        {"to": "previous"},
        "nginx:validate-config releases:rollback releases:rollback releases:state releases:state",
    ),
    "an emergency rollback": (
        "rollback",
        {"to": "previous", "emergency": True},
        "nginx:validate-config releases:rollback releases:state releases:state",
    ),
    "a deploy": (
        "deploy",
        {"to": "acme/app:3"},
        "checks:report git:from-image git:report nginx:validate-config releases:state releases:state releases:state",
    ),
}


@pytest.mark.parametrize("case", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("old_plugin", [False, True])
def test_an_operation_asks_dokku_for_everything_once(
    stand: Stand, case: tuple[str, dict[str, Any], str], old_plugin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call of dokku is the dear thing on a host in trouble. Of an older plugin each part is asked by itself."""
    # A command that takes long has its last line shown, and what masks the line asks for the configuration.
    monkeypatch.setattr(last_line, "EVERY", 600.0)
    procedure, inputs, expected = case
    for image in ("acme/app:1", "acme/app:2"):
        stand.run("deploy", to=image)
    stand.set(previous=1, old_plugin=old_plugin)
    assert outcome(stand.run(procedure, **inputs)) == "succeeded"
    if old_plugin:
        assert "ps:report" in calls(stand)
    else:
        assert " ".join(calls(stand)) == expected


def test_an_emergency_does_not_compare_what_stays_as_it_is(stand: Stand) -> None:
    for image in ("acme/app:1", "acme/app:2"):
        stand.run("deploy", to=image)
    stand.set(previous=1)
    stand.run("rollback", to="previous", emergency=True)
    assert any("--brief" in call for call in stand.get()["calls"])
    stand.set(old_plugin=True)
    assert outcome(stand.run("rollback", to="2", emergency=True)) == "succeeded"
    assert not any("--brief" in call for call in stand.get()["calls"])


@pytest.mark.parametrize("emergency", [False, True])
def test_a_running_deploy_refuses_and_in_an_emergency_dokku_s_own_lock_decides(stand: Stand, emergency: bool) -> None:
    for image in ("acme/app:1", "acme/app:2"):
        stand.run("deploy", to=image)
    stand.set(previous=1, under_way="git-hook since 2026-11-21T03:15:02Z")
    planned = stand.plan("rollback", to="previous", emergency=emergency, check=True)
    if emergency:
        assert planned["plan"]
    else:
        assert planned["refusal"]["code"] == "deploy_running", planned
        assert "git-hook since 2026-11-21T03:15:02Z" in planned["refusal"]["text"]


# -- the whole host, and what an earlier step has left ---------------------------------------------

BAD = 'nginx: [emerg] "client_max_body_size" directive invalid value in /home/dokku/other/nginx.conf.d/bad.conf:1'


@pytest.mark.parametrize("procedure", ["deploy", "rollback"])
def test_another_app_s_nginx_file_is_seen_before_anything_is_built(stand: Stand, procedure: str) -> None:
    for image in ("acme/app:1", "acme/app:2"):
        stand.run("deploy", to=image)
    stand.set(previous=1, nginx=BAD)
    before = {**stand.get(), "calls": []}
    refusal = stand.plan(procedure, to={"deploy": "acme/app:3", "rollback": "previous"}[procedure])["refusal"]
    assert refusal["code"] == "nginx_broken" and {**stand.get(), "calls": []} == before
    assert "the file of other" in refusal["text"] and BAD.removeprefix("nginx: ") in refusal["text"]
    # An app that nginx does not stand before goes live without it.
    stand.set(proxy="traefik")
    assert stand.plan(procedure, to={"deploy": "acme/app:3", "rollback": "previous"}[procedure], check=True)["plan"]


def test_an_emergency_is_only_warned_of_nginx(stand: Stand) -> None:
    for image in ("acme/app:1", "acme/app:2"):
        stand.run("deploy", to=image)
    stand.set(previous=1, nginx=BAD)
    planned = stand.plan("rollback", to="previous", emergency=True)
    assert any("the file of other" in line for line in planned["plan"]["warnings"]), planned
    assert outcome(stand.apply(planned, revert=False)) == "succeeded"


def test_a_deploy_removes_what_a_step_before_it_has_left(stand: Stand) -> None:
    stand.run("deploy", to="acme/app:1")
    stand.set(strays=["web.web.1.upcoming-7"])
    result = stand.run("deploy", to="acme/app:2")
    assert stand.get()["strays"] == []
    assert result["closed"]["record"]["notes"]["deploy"]["removed"] == ["web.web.1.upcoming-7"]


# -- a repository that only Dokku can read ---------------------------------------------------------

COMMIT, OTHER = "7298d62f" + "0" * 32, "0acf3134" + "0" * 32


@pytest.fixture
def private(stand: Stand) -> Stand:
    """Whoever runs this can't read the repository, and Dokku can."""
    stand.description = replace(stand.description, repository=str(stand.folder / "nowhere.git"))
    stand.set(refs={"v1": COMMIT, "deadbeef": OTHER})
    return stand


def ledger(stand: Stand) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (stand.folder / "ops/ledger.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ["v1", "deadbeef", COMMIT])
def test_a_name_that_only_dokku_can_resolve_is_deployed_and_recorded_by_its_commit(private: Stand, name: str) -> None:
    """A tag may look like the beginning of a commit."""
    commit = private.get()["refs"].get(name, name)
    private.run("deploy", to="acme/app:1")
    planned = private.plan("deploy", to=name)["plan"]
    assert any("can't be read by this user" in line for line in planned["warnings"])
    result = private.apply({"operation": planned["saved_as"], "direction": "forward"})
    assert (outcome(result), private.live()) == ("succeeded", commit), result
    record = ledger(private)[-1]
    assert record["to"]["id"] == record["left"]["id"] == commit == record["to"]["revision"]
    assert name in (record["to"]["name"], commit)


def test_the_first_deploy_of_such_a_name_is_not_taken_down(private: Stand) -> None:
    result = private.run("deploy", to="v1")
    assert outcome(result) == "succeeded" and "ps:stop web" not in private.get()["calls"], result


def test_a_commit_that_dokku_does_not_tell_is_not_called_verified(private: Stand) -> None:
    private.run("deploy", to="acme/app:1")
    private.set(branch_says="HEAD")
    result = private.run("deploy", to="v1")
    assert outcome(result) == "reverted" and "which commit went live is not known" in result["error"], result
    assert private.live() == "acme/app:1"


def test_an_annotated_tag_is_known_by_what_was_recorded_and_its_commit_is_told(private: Stand) -> None:
    """Dokku notes the id of the tag where it has been given its name; its deploy branch has the commit."""
    private.run("deploy", to="acme/app:1")
    private.set(refs={"v1": OTHER}, branch_says=COMMIT)
    result = private.run("deploy", to="v1")
    to = result["closed"]["record"]["to"]
    assert outcome(result) == "succeeded" and (to["id"], to["revision"]) == (OTHER, COMMIT), result


def test_an_app_that_was_given_the_id_of_the_tag_is_the_release_all_the_same(private: Stand) -> None:
    private.run("deploy", to="acme/app:1")
    private.set(branch_says=COMMIT, git_rev=OTHER)
    result = private.run("deploy", to="v1")
    to = result["closed"]["record"]["to"]
    assert outcome(result) == "succeeded" and health.reported(to) == (COMMIT, OTHER), result
    private.set(git_rev="")
    private.run("deploy", to="acme/app:2")
    assert health.reported(private.plan("rollback", to="2", check=True)["plan"]["to"]) == (COMMIT, OTHER)


@pytest.mark.parametrize(("way", "live"), [("resume", COMMIT), ("undo", "acme/app:1")])
def test_such_a_deploy_that_was_cut_is_ended_once(private: Stand, way: str, live: str) -> None:
    private.run("deploy", to="acme/app:1")
    planned = private.plan("deploy", to="v1")
    guard = Guard(str(private.folder / "ops"))
    with guard.phase(planned["operation"], "apply", "forward"):
        guard.write({"event": "begin", "step": "deploy"})
    guard.leave()
    found = private.get()
    new = {**found["releases"][0], "number": 2, "revision": COMMIT, "source_image": "", "source": "git:sync"}
    releases = [*found["releases"], {**new, "image_id": f"sha256:{COMMIT}"}]
    private.set(releases=releases, latest=COMMIT, branch=COMMIT)
    (private.folder / "ops/lease.json").unlink()
    ended = private.apply(private.plan("deploy", to="v1", interrupted=way))
    assert (outcome(ended), private.live()) == ({"resume": "succeeded", "undo": "reverted"}[way], live)
    assert len(private.get()["releases"]) == {"resume": 2, "undo": 3}[way]


def test_such_a_name_is_not_compared_with_staging(private: Stand) -> None:
    private.run("deploy", to="acme/app:1")
    seen = {"live": {"id": COMMIT}, "problems": []}
    wish = {"staging_app": "staging", "staging": seen, "staging_required": True}
    refusal = private.plan("deploy", to="v1", **wish)["refusal"]
    assert refusal["code"] == "not_on_staging" and "can't be compared" in refusal["text"], refusal
    assert f"to={COMMIT}" in json.dumps(refusal["ways"])


def test_an_image_that_is_live_by_its_name_may_have_been_moved_since(stand: Stand) -> None:
    stand.run("deploy", to="acme/app:1")
    planned = stand.plan("deploy", to="acme/app:1", check=True)["plan"]
    assert planned["steps"] == [] and any("was moved" in line for line in planned["warnings"])


def test_the_leftovers_of_a_first_deploy_are_named(stand: Stand) -> None:
    planned = stand.plan("deploy", to="acme/app:broken")
    result = stand.apply(planned)
    told = report.trouble_lines(
        {"d1": {"outcome": "reverted", "planned": planned, "record": result["closed"]["record"], "verified": None}}
    )
    assert "web is stopped" in told[1] and "as it was before" not in "".join(told), told


def test_an_endpoint_that_was_not_asked_is_not_called_verified(stand: Stand) -> None:
    stand.run("deploy", to="acme/app:1")
    planned = stand.plan("deploy", to="acme/app:broken")
    result = stand.apply(planned)
    ended = {"outcome": "reverted", "planned": planned, "record": result["closed"]["record"]}
    told = report.trouble_lines({"d1": {**ended, "verified": result["verified"]}})
    assert "no endpoint was asked" in told[1] and "verified" not in told[1], told


def test_check_mode_changes_nothing(stand: Stand) -> None:
    stand.run("deploy", to="acme/app:1")
    before = {**stand.get(), "calls": []}
    planned = stand.plan("deploy", to="acme/app:2", check=True)
    assert planned["plan"]["steps"] and {**stand.get(), "calls": []} == before
    assert not list((stand.folder / "ops").glob("lease*"))


@pytest.mark.parametrize(("way", "image"), [("resume", "acme/app:2"), ("undo", "acme/app:1")])
def test_a_deploy_that_was_cut_is_ended_once(stand: Stand, way: str, image: str) -> None:
    stand.run("deploy", to="acme/app:1")
    planned = stand.plan("deploy", to="acme/app:2")
    guard = Guard(str(stand.folder / "ops"))
    with guard.phase(planned["operation"], "apply", "forward"):
        guard.write({"event": "begin", "step": "deploy"})
    guard.leave()
    # dokku had gone on to its end, though nobody was there to write it down.
    found = stand.get()
    new = {**found["releases"][0], "number": 2, "revision": "acme/app:2", "source_image": "acme/app:2"}
    stand.set(releases=[*found["releases"], {**new, "image_id": "sha256:acme/app:2"}], latest="acme/app:2")
    (stand.folder / "ops/lease.json").unlink()
    told = stand.plan("deploy", to="acme/app:2")
    assert told["refusal"]["code"] == "interrupted", told
    ended = stand.apply(stand.plan("deploy", to="acme/app:2", interrupted=way))
    assert (outcome(ended), stand.live()) == ({"resume": "succeeded", "undo": "reverted"}[way], image)
    # What had ended was not done a second time.
    assert len(stand.get()["releases"]) == {"resume": 2, "undo": 3}[way]


REFUSED: dict[str, tuple[dict[str, Any], str, dict[str, Any], str]] = {
    "another deploy": ({"under_way": "git-hook since now"}, "deploy", {"to": "acme/app:2"}, "deploy_running"),
    "another deploy, of an older plugin": (
        {"builds": [{"id": "1", "display_status": "running", "source": "git-hook"}], "old_plugin": True},
        "deploy",
        {"to": "acme/app:2"},
        "deploy_running",
    ),
    "nothing to go back to": ({"releases": []}, "rollback", {"to": "previous"}, "not_deployed"),
    "staging was not asked": (
        {},
        "deploy",
        {"to": "acme/app:2", "staging_app": "staging", "staging_required": True},
        "not_on_staging",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_refusal_changes_nothing(stand: Stand, case: tuple[dict[str, Any], str, dict[str, Any], str]) -> None:
    values, procedure, inputs, code = case
    stand.run("deploy", to="acme/app:1")
    stand.set(**values)
    before = {**stand.get(), "calls": []}
    planned = stand.plan(procedure, **inputs)
    assert planned["refusal"]["code"] == code and {**stand.get(), "calls": []} == before
