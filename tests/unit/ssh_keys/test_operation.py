"""A rotation in which something fails, lies or was done by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from github_fake import running, start_run
from rotation_world import ADMIN, Task, World, install, place

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import operation, rotation
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.course import Run, absent, closing
from ansible_collections.ops.runbook.plugins.module_utils.sshd import files as sshd_files

__all__ = ["place"]


@pytest.fixture
def world(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with running() as hub:
        found = World(hub, place)
        install(found, monkeypatch)
        yield found


def as_before(world: World) -> None:
    for name, host in world.hosts.items():
        assert host.keys.read_bytes() == world.before[name]
        assert not (host.state / "lease.json").exists()
        assert not (host.state / "keys").exists()
    assert world.ci().fingerprint == world.old.fingerprint


def held(world: World, result: dict[str, Any], says: str) -> None:
    """Nothing was removed anywhere, and the next run goes on."""
    for host in world.hosts.values():
        assert host.lets_in(world.old.fingerprint)
        assert not (host.state / "lease.json").exists()
    assert any(says in one["error"] for one in result["applied"].values()), result
    again = world.rotate()
    assert {refusal["code"] for refusal in again["refused"].values()} == {"interrupted"}, again
    for refusal in again["refused"].values():
        assert "interrupted=undo" not in [way["input"] for way in refusal["ways"]]


def rotated(world: World) -> None:
    new = world.ci().fingerprint
    for host in world.hosts.values():
        assert host.lets_in(new) and not host.lets_in(world.old.fingerprint)
        assert host.keys.read_text().startswith("# keys\n") and "admin\n" in host.keys.read_text()
        assert not (host.state / "keys").exists()


def test_it_is_rotated(world: World) -> None:
    result = world.rotate()
    assert result["outcomes"] == ["succeeded", "succeeded"], result
    rotated(world)
    for host in world.hosts.values():
        last = host.keys.read_text().splitlines()[-1]
        assert last.startswith('from="192.0.2.1" ssh-ed25519 ') and " ci deploy 20" in last
    # The run of the rotation itself says which key CI has, so the next one needs no word of a person.
    assert world.rotate()["outcomes"] == ["succeeded", "succeeded"]


RUNS = {
    "a shell": ("no-pty", "/bin/bash", True),
    "a command of the line": ('restrict,command="/usr/bin/deploy"', "/bin/bash", False),
    "an empty command of the line": ('command=""', "/bin/bash", False),
    "no shell": ("no-pty", "/usr/sbin/nologin", False),
    "git's shell": ("no-pty", "/usr/bin/git-shell", False),
}


@pytest.mark.parametrize(("options", "shell", "runs"), RUNS.values(), ids=RUNS)
def test_a_login_runs_a_command_only_where_no_other_one_would_run(
    world: World, options: str, shell: str, runs: bool
) -> None:
    for host in world.hosts.values():
        host.shell = shell
        host.keys.write_text(f"{ADMIN}\n{options} {world.old.public} ci\n")
    assert world.rotate()["outcomes"] == ["succeeded", "succeeded"]
    assert len(world.logins) == 6 and {login.runs_commands for login in world.logins} == {runs}


def test_sshds_own_command_runs_in_place_of_ours(world: World) -> None:
    places = world.hosts["web1"].places()
    assert places.runs_commands(world.old.fingerprint, 0)
    for said, runs in (("none", True), ("internal-sftp", False)):
        read = sshd_files.parse(f"authorizedkeysfile .ssh/a\nforcecommand {said}\n")
        assert replace(places, configuration=read).runs_commands(world.old.fingerprint, 0) is runs


@pytest.mark.parametrize("number", [0, 1])
def test_a_host_that_refuses_the_new_key_takes_all_back(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    bad = list(world.hosts.values())[number]
    lets_in = type(bad).lets_in
    monkeypatch.setattr(
        type(bad), "lets_in", lambda self, key: (self is not bad or key == world.old.fingerprint) and lets_in(self, key)
    )
    result = world.rotate()
    assert result["outcomes"] == ["reverted", "reverted"], result
    assert not world.hub.writes()
    as_before(world)


def test_a_secret_that_is_refused_takes_all_back(world: World) -> None:
    world.hub.denied["PUT"] = "secrets=write"
    result = world.rotate()
    assert result["outcomes"] == ["reverted", "reverted"], result
    assert "secrets=write" in result["applied"]["web1"]["error"]
    as_before(world)


@pytest.mark.parametrize("kind", ["refuse", "lose", "drop", "late", "limit"])
def test_a_secret_whose_answer_was_lost_is_read_back(world: World, kind: str) -> None:
    world.hub.faults.append(("PUT", "/secrets/PROD_SSH_KEY", kind))
    assert world.rotate()["outcomes"] == ["succeeded", "succeeded"]
    rotated(world)


@pytest.mark.parametrize("kind", ["drop", "ignore"])
def test_a_secret_that_is_never_taken_is_held(world: World, kind: str) -> None:
    world.hub.faults += [("PUT", "/secrets/PROD_SSH_KEY", kind)] * 2
    held(world, world.rotate(), "PROD_SSH_KEY")
    result = world.rotate(interrupted="resume")
    assert result["outcomes"] == ["succeeded", "succeeded"], result
    rotated(world)


def test_a_workflow_with_the_old_key_removes_nothing(world: World) -> None:
    world.stale = True
    held(world, world.rotate(), "still logged in with the old key")
    world.stale = False
    assert world.rotate(interrupted="resume")["outcomes"] == ["succeeded", "succeeded"]
    rotated(world)


def test_the_wrong_scope_removes_nothing(world: World) -> None:
    """The job's environment has a secret of the same name, which goes first."""
    world.hub.environments["production"] = {}
    world.hub.secrets["env/production"] = {"PROD_SSH_KEY": dict(world.hub.secrets["repo"]["PROD_SSH_KEY"])}
    held(world, world.rotate(), "still logged in with the old key")


def test_a_run_that_says_nothing_or_fails_removes_nothing(world: World) -> None:
    good = world.hub.on_dispatch
    world.hub.on_dispatch = lambda run: run.update(course=[("completed", "failure")])
    held(world, world.rotate(), "does not say which key")
    world.hub.on_dispatch = lambda run: (good(run), run.update(course=[("completed", "failure")]))[0]
    assert world.rotate(interrupted="resume")["outcomes"] == ["failed", "failed"]
    world.hub.on_dispatch = good
    assert world.rotate(interrupted="resume")["outcomes"] == ["succeeded", "succeeded"]


def test_another_runs_nonce_proves_nothing(world: World) -> None:
    def runs(run: dict[str, Any]) -> None:
        run["inputs"] = {"nonce": "of-another-run"}
        world.runs(run)

    world.hub.on_dispatch = runs
    held(world, world.rotate(), "for this run's nonce")


def test_an_old_key_that_still_logs_in_is_put_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = world.hosts.values()
    lets_in = type(first).lets_in
    monkeypatch.setattr(
        type(first), "lets_in", lambda self, key: lets_in(self, key) or (self is first and key == world.old.fingerprint)
    )
    result = world.rotate()
    assert result["outcomes"] == ["failed", "failed"], result
    assert "was put back" in result["applied"]["web1"]["error"]
    assert "nothing is removed here: web1" in result["applied"]["web2"]["error"]
    assert all(world.old.fingerprint in str(host.places()) for host in (first, second))
    monkeypatch.setattr(type(first), "lets_in", lets_in)
    assert world.rotate(interrupted="resume")["outcomes"] == ["succeeded", "succeeded"]
    rotated(world)


def test_a_new_key_that_is_refused_after_the_removal_has_the_old_one_put_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = world.hosts["web2"]
    lets_in = type(second).lets_in

    def only_while_the_old_one_is_there(self: Any, key: str) -> bool:
        good = lets_in(self, key)
        return good and (self is not second or bool(self.places().with_key(world.old.fingerprint)))

    monkeypatch.setattr(type(second), "lets_in", only_while_the_old_one_is_there)
    result = world.rotate()
    assert result["outcomes"] == ["succeeded", "failed"], result
    assert "was put back" in result["applied"]["web2"]["error"]
    assert second.lets_in(world.ci().fingerprint) and second.lets_in(world.old.fingerprint)
    monkeypatch.setattr(type(second), "lets_in", lets_in)
    # web1 had come to its end: it is left as it is.
    assert world.rotate(interrupted="resume")["outcomes"] == ["unchanged", "succeeded"]
    rotated(world)


def test_a_new_key_that_is_refused_as_its_turn_comes_costs_no_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once more right before the removal: what CI proved may be an hour ago."""
    first = world.hosts["web1"]
    lets_in = type(first).lets_in
    found = []

    def runs(run: dict[str, Any]) -> None:
        world.runs(run)
        found.append(first.keys.stat().st_ino)
        monkeypatch.setattr(
            type(first),
            "lets_in",
            lambda self, key: (self is not first or key == world.old.fingerprint) and lets_in(self, key),
        )

    world.hub.on_dispatch = runs
    result = world.rotate()
    assert "is not let in any more" in result["applied"]["web1"]["error"], result
    assert [first.keys.stat().st_ino] == found, "the file was not written, not even to be put back"
    assert all(world.old.fingerprint in str(host.places()) for host in world.hosts.values())


@pytest.mark.parametrize("way", ["put back", "taken back"])
def test_a_later_foreign_edit_stays_when_ours_is_undone(
    world: World, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The old line is put back after its removal, or the new one taken out again, and not a whole file over theirs."""
    first, old, theirs = world.hosts["web1"], world.old.fingerprint, "# by somebody else\n"
    lets_in = type(first).lets_in

    def answers(self: Any, key: str) -> bool:
        edited = (way == "put back") != bool(self.places().with_key(old)) and (key == old) == (way == "put back")
        if self is first and edited and theirs not in self.keys.read_text():
            with self.keys.open("a") as handle:
                handle.write(theirs)
        return lets_in(self, key) or (self is first and key == old)

    monkeypatch.setattr(type(first), "lets_in", answers)
    if way == "taken back":
        world.hub.denied["PUT"] = "secrets=write"
    result = world.rotate()
    content = first.keys.read_text()
    assert theirs in content and first.places().with_key(old), result
    if way == "put back":
        assert "was put back" in result["applied"]["web1"]["error"]
    else:
        assert result["outcomes"] == ["reverted", "reverted"], result
        # The line that had no end was given one as the new key was put behind it.
        assert content == f"{world.before['web1'].decode()}\n{theirs}"


FILES = {
    "no newline at its end": b"%s ci",
    "CRLF": b"# a\r\n%s ci\r\n",
    "twice": b"%s ci\nrestrict %s again\n",
    "a command": b'command="deploy --token \\"x\\"",restrict %s ci\n',
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_files_as_people_leave_them(world: World, text: bytes) -> None:
    for host in world.hosts.values():
        host.keys.write_bytes(text.replace(b"%s", world.old.public.encode()))
    assert world.rotate()["outcomes"] == ["succeeded", "succeeded"]
    new = world.ci()
    for host in world.hosts.values():
        content = host.keys.read_bytes()
        assert world.old.public.encode() not in content
        options = (
            text.rpartition(b"%s")[0].rpartition(b"\n")[2] if b"twice" not in text and b"again" not in text else b""
        )
        assert options + new.public.encode() in content
        assert (b"# a\r\n" in content) == (b"# a\r\n" in text)
        assert content.endswith(b"\r\n" if b"\r\n" in text else b"\n")


TAKEN_OVER = {
    "an expired line comes first": ('expiry-time="20200101" % a\nno-pty % b\n', ["no-pty"]),
    "a line with an unknown option comes first": ("allow-all % a\nrestrict % b\n", ["restrict"]),
    "a list that sshd refuses comes first": ('from="10.0.0.0/33" % a\nrestrict,pty % b\n', ["restrict,pty"]),
    "a list that lets in from nowhere": ('from="!10.0.0.1" % a\nrestrict % b\n', ["restrict"]),
    "principals of no CA": ('principals="deploy" % a\ncommand="x y" % b\n', ['command="x y"']),
    "several dead ones, and the last has no end": ('tunnel="x" %\npermitopen="any" %\nrestrict %', ["restrict"]),
    "a time of its own": ('no-pty,expiry-time="20990101" % a\n% b\n', ["no-pty"]),
    "one from elsewhere comes first": ('from="192.0.2.1" % a\nrestrict % b\n', ['from="192.0.2.1"', "restrict"]),
    "two from elsewhere": (
        'from="192.0.2.1",no-pty % a\nfrom="192.0.2.2" % b\nfrom="192.0.2.1" % c\n',
        ['from="192.0.2.1",no-pty', 'from="192.0.2.2"'],
    ),
    "what is behind one that lets everybody in": ('restrict % a\nfrom="192.0.2.1" % b\n% c\n', ["restrict"]),
}


@pytest.mark.parametrize(("text", "options"), TAKEN_OVER.values(), ids=TAKEN_OVER)
def test_the_options_of_the_lines_that_let_the_old_key_in_are_taken_over(
    world: World, text: str, options: list[str]
) -> None:
    for host in world.hosts.values():
        host.keys.write_text(f"# keys\n{ADMIN}\n" + text.replace("%", world.old.public))
    result = world.rotate()
    assert result["outcomes"] == ["succeeded", "succeeded"], result
    rotated(world)
    new = world.ci().public
    for host in world.hosts.values():
        lines = [line.partition(new)[0].strip() for line in host.keys.read_text().splitlines() if new in line]
        assert lines == options
        assert world.old.public not in host.keys.read_text()


def test_each_file_gets_the_lines_for_those_that_were_in_force_there(world: World) -> None:
    """The first file lets CI in from one place, the second one from anywhere else."""
    for host in world.hosts.values():
        host.second.write_text(f"restrict {world.old.public} ci\n{world.old.public} again\n")
    assert world.rotate()["outcomes"] == ["succeeded", "succeeded"]
    rotated(world)
    new = world.ci().public
    for host in world.hosts.values():
        assert f'\nfrom="192.0.2.1" {new} ci deploy ' in host.keys.read_text()
        [line] = host.second.read_text().splitlines()
        assert line.startswith(f"restrict {new} ci deploy ")


DEAD = {
    "it expired": ('expiry-time="20200101" % ci\n', "it expired", "old_lets_nobody_in"),
    "sshd refuses its options": ("allow-all % ci\n", "option allow-all", "old_lets_nobody_in"),
    "each for a reason of its own": ('from="" % a\nexpiry-time="20200101" % b\n', "empty entry", "old_lets_nobody_in"),
    "it is a CA somewhere": ("% ci\ncert-authority % ca\n", "is a CA", "old_is_authority"),
}


@pytest.mark.parametrize(("text", "why", "code"), DEAD.values(), ids=DEAD)
def test_a_key_that_lets_nobody_in_is_not_rotated(world: World, text: str, why: str, code: str) -> None:
    for host in world.hosts.values():
        host.keys.write_text(text.replace("%", world.old.public))
    refused = world.rotate()["refused"]
    assert {refusal["code"] for refusal in refused.values()} == {code}, refused
    assert all(why in str(refusal) for refusal in refused.values()), refused
    assert not world.hub.writes()


def test_all_lines_are_put_back_where_the_file_was_changed_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From where CI comes decides which of them is in force."""
    first, old = world.hosts["web1"], world.old
    text = f'from="192.0.2.1" {old.public} a\nrestrict {old.public} b\n'
    for host in world.hosts.values():
        host.keys.write_text(f"# keys\n{ADMIN}\n{text}")
    lets_in = type(first).lets_in

    def answers(self: Any, key: str) -> bool:
        removed = self is first and key == old.fingerprint and not self.places().with_key(key)
        if removed:
            with self.keys.open("a") as handle:
                handle.write("# by somebody else\n")
        return lets_in(self, key) or removed

    monkeypatch.setattr(type(first), "lets_in", answers)
    result = world.rotate()
    assert "was put back" in result["applied"]["web1"]["error"], result
    assert text in first.keys.read_text() and "# by somebody else\n" in first.keys.read_text()


def test_somebody_takes_the_new_key_out_meanwhile(world: World) -> None:
    def runs(run: dict[str, Any]) -> None:
        world.runs(run)
        for name, host in world.hosts.items():
            host.keys.write_bytes(world.before[name])

    world.hub.on_dispatch = runs
    result = world.rotate()
    assert "is not let in any more" in result["applied"]["web1"]["error"], result
    for name, host in world.hosts.items():
        assert host.keys.read_bytes() == world.before[name]
        assert host.lets_in(world.old.fingerprint)


REFUSED = {
    "a token without permission": (lambda world: world.hub.denied.update({"GET /repos": "secrets=read"}), "forbidden"),
    "no such workflow": (lambda world: world.hub.workflows.clear(), "workflow_missing"),
    "no such secret": (lambda world: world.hub.secrets["repo"].clear(), "secret_missing"),
    "no such branch": (lambda world: world.hub.commits.clear(), "ref_missing"),
    "no key": (lambda world: [host.keys.write_text("# none\n") for host in world.hosts.values()], "no_keys"),
}


@pytest.mark.parametrize(("spoil", "code"), REFUSED.values(), ids=REFUSED)
def test_a_known_obstacle_is_refused_before_anything(world: World, spoil: Any, code: str) -> None:
    spoil(world)
    before = {name: host.keys.read_bytes() for name, host in world.hosts.items()}
    result = world.rotate()
    assert {refusal["code"] for refusal in result["refused"].values()} == {code}, result
    assert not world.hub.writes()
    assert before == {name: host.keys.read_bytes() for name, host in world.hosts.items()}
    assert not (world.folder / "kept").exists()


def test_a_key_that_ci_does_not_use_is_refused(world: World) -> None:
    other = ssh_key_pair.generate()
    for host in world.hosts.values():
        host.keys.write_text(host.keys.read_text() + f"\n{other.public} other\n")
    result = world.rotate(old_key=other.fingerprint)
    assert {refusal["code"] for refusal in result["refused"].values()} == {"key_not_used_by_ci"}
    world.hub.runs.clear()
    assert {refusal["code"] for refusal in world.rotate()["refused"].values()} == {"old_unknown"}
    # Where no run says anything, a person's word is taken.
    assert world.rotate(old_key=world.old.fingerprint)["outcomes"] == ["succeeded", "succeeded"]


def test_the_key_that_ansible_itself_logs_in_with_is_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.touch(mode=0o600)
    own.write_bytes(world.old.private)
    connection = SimpleNamespace(get_option={"private_key_file": str(own)}.get)
    monkeypatch.setattr(Task, "_connection", connection, raising=False)
    assert {refusal["code"] for refusal in world.rotate()["refused"].values()} == {"own_key"}
    assert {name: host.keys.read_bytes() for name, host in world.hosts.items()} == world.before
    # With a key of one's own it goes on.
    own.write_bytes(ssh_key_pair.generate().private)
    assert world.rotate()["outcomes"] == ["succeeded", "succeeded"]


# -- rules ---------------------------------------------------------------------------------------

PLANNED = {host: {"plan": {"from": {"id": "old"}, "to": {"id": "new"}, "kept": "/k"}} for host in ("a", "b")}
MADE = {"ok": True, "fingerprint": "new", "kept": "/k"}
IN = {host: {"ok": True, "done": ["authorise", "prove_login"]} for host in ("a", "b")}
TOLD = {host: {"ok": True} for host in ("a", "b")}


def run(**given: Any) -> Run:
    return Run(("a", "b"), **{"planned": PLANNED, "made": MADE, **given})


def test_the_secret_is_put_only_where_every_host_let_the_key_in() -> None:
    assert run(let_in=IN, announced=TOLD).may_put()
    assert not run(let_in={"a": IN["a"], "b": {"ok": False}}, announced=TOLD).may_put()
    assert not run(let_in={"a": IN["a"]}, announced=TOLD).may_put()
    assert not run(let_in=IN, announced={"a": TOLD["a"]}).may_put()
    assert not run(let_in=IN, announced=TOLD, made={"ok": False}).may_put()


def test_no_old_key_is_removed_out_of_turn() -> None:
    step = rotation.Step(rotation.REMOVE_OLD, "b")
    good = {"let_in": IN, "announced": TOLD, "put": {"ok": True}, "proven": {"ok": True}}
    rotation.must_follow(step, run(**good, removed={"a": {"ok": True}}).progress)
    for missing in (*good, "removed"):
        given = {**good, "removed": {"a": {"ok": True}}}
        if missing != "announced":
            del given[missing]
            with pytest.raises(rotation.OutOfOrder):
                rotation.must_follow(step, run(**given).progress)


def test_no_host_loses_the_new_key_where_ci_may_have_it_alone() -> None:
    one_way = {**PLANNED, "a": {**PLANNED["a"], "continues": True, "one_way": True}}
    assert closing(run(let_in={"a": IN["a"]}), "a").back
    assert not closing(run(let_in={"a": IN["a"]}, planned=one_way), "b").back
    assert not closing(run(let_in=IN, announced=TOLD, put={"ok": False, "error": "?"}), "a").back
    assert closing(run(let_in=IN, announced=TOLD, put={"ok": False, "untouched": True, "error": "?"}), "a").back


def test_a_host_of_the_secret_that_is_not_in_the_run_is_missed() -> None:
    assert absent(run(), ["a", "b", "c"]) == ["c"]
    one_way = {**PLANNED, "a": {**PLANNED["a"], "continues": True, "one_way": True}}
    assert absent(run(planned=one_way), ["a", "b", "c"]) == []


def later_run(world: World, line: str, ref: str = "main", event: str = "push") -> dict[str, Any]:
    """A run after the honest one, with a line in its log."""
    run = start_run(world.hub, "deploy.yml", ref, event)
    world.runs(run)
    run.update(status="completed", conclusion="success", course=[])
    world.hub.logs[run["id"] * 10] += line
    return run


def anna() -> tuple[str, str]:
    """A key of a person, as anybody may see it, and its fingerprint."""
    pair = ssh_key_pair.generate()
    return pair.public, pair.fingerprint


@pytest.mark.parametrize(
    "line",
    [
        "HEAD is now at 3f2a91c docs: ops-runbook-key {}\n",
        "##[group]Run echo\nops-runbook-key {}\n##[endgroup]\n",
        "remote: ops-runbook-key {}\n",
    ],
)
def test_a_line_that_somebody_else_wrote_locks_nobody_out(world: World, line: str) -> None:
    public, fingerprint = anna()
    for host in world.hosts.values():
        host.keys.write_text(f"{host.keys.read_text()}\n{public} anna@laptop\n")
    later_run(world, line.format(fingerprint))
    result = world.rotate()
    assert result["outcomes"] == ["succeeded", "succeeded"], result
    for host in world.hosts.values():
        assert host.lets_in(fingerprint) and not host.lets_in(world.old.fingerprint)
        # The new key has the options of CI's own line, and not those of somebody else's.
        new = ssh_key_pair.pair_of(world.hub.secrets["repo"]["PROD_SSH_KEY"]["value"].encode())
        assert f'from="192.0.2.1" {new.public}' in host.keys.read_text()


def test_two_lines_of_their_own_refuse_the_rotation(world: World) -> None:
    public, fingerprint = anna()
    for host in world.hosts.values():
        host.keys.write_text(f"{host.keys.read_text()}\n{public} anna@laptop\n")
    later_run(world, f"ops-runbook-key {fingerprint}\n")
    refused = world.rotate()["refused"]
    assert {one["code"] for one in refused.values()} == {"key_said_twice"}
    assert all(host.lets_in(fingerprint) and host.lets_in(world.old.fingerprint) for host in world.hosts.values())


def forged(world: World, event: str, conclusion: str) -> str:
    """A run whose step did not say its key, and whose log has a line of somebody else's. Returns the key in that."""
    public, fingerprint = anna()
    for host in world.hosts.values():
        host.keys.write_text(f"{host.keys.read_text()}\n{public} anna@laptop\n")
    run = later_run(world, "", event=event)
    run["conclusion"] = conclusion
    world.hub.logs[run["id"] * 10] = f"ops-runbook-key {fingerprint}\n"
    return fingerprint


@pytest.mark.parametrize(
    ("event", "conclusion"), [("push", "success"), ("schedule", "success"), ("workflow_dispatch", "failure")]
)
def test_a_line_of_somebody_else_alone_chooses_no_key(world: World, event: str, conclusion: str) -> None:
    fingerprint = forged(world, event, conclusion)
    before = {name: host.keys.read_bytes() for name, host in world.hosts.items()}
    refused = world.rotate()["refused"]
    assert {one["code"] for one in refused.values()} == {"old_unproven"}, refused
    assert all(f"old_key={fingerprint}" in [way["input"] for way in one["ways"]] for one in refused.values())
    assert before == {name: host.keys.read_bytes() for name, host in world.hosts.items()}


def test_a_line_of_somebody_else_alone_does_not_stand_against_the_operator(world: World) -> None:
    fingerprint = forged(world, "push", "success")
    result = world.rotate(old_key=world.old.fingerprint)
    assert result["outcomes"] == ["succeeded", "succeeded"], result
    assert all(host.lets_in(fingerprint) and not host.lets_in(world.old.fingerprint) for host in world.hosts.values())


def test_a_run_by_a_push_is_believed_where_a_rotation_put_that_key_in(world: World) -> None:
    assert world.rotate()["outcomes"] == ["succeeded", "succeeded"]
    first = world.ci().fingerprint
    world.hub.runs.clear()
    later_run(world, "")
    result = world.rotate()
    assert result["outcomes"] == ["succeeded", "succeeded"], result
    assert all(not host.lets_in(first) for host in world.hosts.values())


def test_a_run_by_a_push_is_believed_where_a_dispatched_one_says_the_same(world: World) -> None:
    later_run(world, "")
    assert world.rotate()["outcomes"] == ["succeeded", "succeeded"]


@pytest.mark.parametrize("named", [True, False])
def test_a_run_by_a_push_alone_asks_for_the_operators_word(world: World, named: bool) -> None:
    world.hub.runs.clear()
    later_run(world, "")
    result = world.rotate(**({"old_key": world.old.fingerprint} if named else {}))
    assert (result.get("outcomes") == ["succeeded", "succeeded"]) is named, result
    assert named or {one["code"] for one in result["refused"].values()} == {"old_unproven"}


@pytest.mark.parametrize(
    ("ref", "event"),
    [("main", "pull_request"), ("main", "pull_request_target"), ("patch-1", "push"), ("main", "issue_comment")],
)
def test_a_run_of_somebody_elses_branch_or_pull_request_is_not_asked(world: World, ref: str, event: str) -> None:
    public, fingerprint = anna()
    for host in world.hosts.values():
        host.keys.write_text(f"{host.keys.read_text()}\n{public} anna@laptop\n")
    run = later_run(world, "", ref, event)
    world.hub.logs[run["id"] * 10] = f"ops-runbook-key {fingerprint}\n"
    result = world.rotate()
    assert result["outcomes"] == ["succeeded", "succeeded"], result
    assert all(host.lets_in(fingerprint) for host in world.hosts.values())


def test_the_plan_says_whose_key_is_taken_out_and_what_the_new_one_may_do(world: World) -> None:
    wish = operation.Wish(used=world.old.fingerprint, where="run 1", trusted=True)
    plan = operation.planned(wish, world.hosts["web1"].places(), "op", datetime.now(UTC))
    also = {title: " ".join(entries) for title, entries in plan["also"]}
    assert world.old.fingerprint in also["takes out"] and "ci deploy" in also["takes out"]
    assert 'from="192.0.2.1"' in also["takes out"] and 'from="192.0.2.1"' in also["lets in"]
