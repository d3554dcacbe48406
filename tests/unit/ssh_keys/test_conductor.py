"""Each phase of a rotation decides from the results before it; nothing here needs Ansible, a host or GitHub."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import ci, conductor, login_probe, rotation, vault
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.conductor import Conductor, Means, Task
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.login_probe import ACCEPTED, REFUSED, Answer, Login
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.vault import Keep, NotKept

PAIR = ssh_key_pair.generate()
NEW, OLD, OLD_PUBLIC = PAIR.fingerprint, "SHA256:old", "ssh-ed25519 AAAA"
YES, NO = Answer(ACCEPTED, "let in"), Answer(REFUSED, "sshd refused it")
AWAY = Answer(login_probe.UNREACHABLE, "no answer in time")

PLAN = {"plan": {"from": {"id": OLD}, "to": {"id": NEW}, "kept": "/kept", "account": "deploy"}}
CONTINUES = {**PLAN, "continues": True, "direction": "forward"}
GOES_BACK = {**PLAN, "continues": True, "direction": "back"}
FINISHED = {"plan": {"from": {"id": NEW}, "to": {"id": ""}, "account": "deploy"}}
MADE = {"ok": True, "fingerprint": NEW, "kept": "/kept"}
LET_IN = {"ok": True, "done": [rotation.AUTHORISE, rotation.PROVE_LOGIN]}
PUT = {"ok": True, "note": {"written": "2026-11-30"}}
PROVEN = {"ok": True, "note": {"run": "7"}}
NOT_ITS_TURN = {"ok": False, "error": ""}

#: The results of a run by the phase that it has come to, for every host alike.
PLANNED: dict[str, Any] = {"operation_planned": PLAN}
AFTER_MAKE = {**PLANNED, "ssh_key_made": MADE}
AFTER_LET_IN = {**AFTER_MAKE, "ssh_key_let_in": LET_IN}
AFTER_ANNOUNCE = {**AFTER_LET_IN, "ssh_key_announced": {"ok": True}}
AFTER_PUT = {**AFTER_ANNOUNCE, "ssh_key_put": PUT}
AFTER_PROVE = {**AFTER_PUT, "ssh_key_proven": PROVEN}

ARGUMENTS: dict[str, Any] = {
    "operation": "op",
    "state_dir": "/state",
    "interrupted": "",
    "hosts": ["web1", "web2"],
    "host": "web1",
    "login": {"host": "web1.example.com", "port": 22, "known_hosts": __file__, "host_key_alias": ""},
    "keeping": {},
    "github": {
        "repository": "example/shop",
        "secret": "PROD_SSH_KEY",
        "workflow": "deploy.yml",
        "environment": "",
        "ref": "main",
        "nonce_input": "nonce",
        "timeout": 60,
        "interval": 1,
    },
}


class Kept(Keep):
    """A place that holds one pair, and says what is done with it."""

    what = "a place of the test"

    def __init__(self, calls: list[str], pair: ssh_key_pair.Pair = PAIR, full: bool = False) -> None:
        self.calls, self.private, self.full = calls, pair.private, full

    def ready(self) -> None:
        if self.full:
            raise NotKept("no space left")

    def store(self, name: str, private: bytes) -> str:
        self.calls.append(f"keep {name}")
        self.private = private
        return f"/{name}"

    def read(self, where: str) -> bytes:
        return self.private


class Outside:
    """The means of a phase. calls: what was done outside this process, in its order."""

    def __init__(self, *logins: Answer, own_key: str = "", asked: Answer = NO) -> None:
        self.calls: list[str] = []
        self.given: list[dict[str, Any]] = []
        self.logins, self.own_key, self.asked = list(logins), own_key, asked
        self.knows_github = False
        self.keep: Keep = Kept(self.calls)
        #: Results of the module on the host, by its phase or the first of its steps; else it is well.
        self.answers: dict[str, dict[str, Any]] = {}

    def module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        part = ",".join(arguments.get("only") or [arguments.get("announce") or arguments.get("phase") or ""])
        self.calls.append(f"{name.rpartition('.')[2]} {part}".strip())
        self.given.append(arguments)
        return deepcopy(self.answers.get(part, {"ok": True, "error": ""}))

    def github(self) -> GitHub:
        self.calls.append("github")
        if self.knows_github:
            return GitHub(lambda *_given, **_named: None, "https://api.example.com", "token")
        raise GitHubError("no_token", "there is no token for GitHub")

    def try_key(self, login: Login, private: bytes) -> Answer:
        assert ssh_key_pair.pair_of(private).fingerprint == NEW
        self.calls.append(f"login as {login.user}")
        return self.logins.pop(0)

    def try_public(self, login: Login, public: str) -> Answer:
        self.calls.append(f"ask for {public}")
        return self.asked

    def run(
        self, phase: str, results: Mapping[str, Any], typed: tuple[str, ...] = (), **arguments: Any
    ) -> dict[str, Any]:
        """The result of a phase on web1. results: for each host alike, or by host."""
        by_host = results if "web1" in results else dict.fromkeys(("web1", "web2"), results)
        means = Means(
            module=self.module,
            github=self.github,
            keep=lambda: self.keep,
            try_key=self.try_key,
            try_public=self.try_public,
            own_key=lambda: self.own_key,
            nonce=lambda: "nonce",
            tell=self.calls.append,
        )
        task = Task({**ARGUMENTS, **arguments}, "web1", list(by_host), by_host, typed)
        return Conductor(task, means).phase(phase)


def apart(one: Mapping[str, Any], **other: Any) -> dict[str, dict[str, Any]]:
    """The results of web1, and those of web2 which differ in some."""
    return {"web1": dict(one), "web2": {**one, **other}}


# -- nothing is to do ----------------------------------------------------------------------------

MINE_IS_FINISHED = {"web1": {**AFTER_PROVE, "operation_planned": FINISHED}, "web2": AFTER_PROVE}
NOTHING: dict[str, tuple[str, Mapping[str, Any], dict[str, Any]]] = {
    "no key was made": ("let_in", {**PLANNED, "ssh_key_made": {"ok": False}}, {**NOT_ITS_TURN, "done": []}),
    "this host has the new key alone": ("let_in", MINE_IS_FINISHED, {**NOT_ITS_TURN, "done": []}),
    "another host did not let it in": ("announce", apart(AFTER_LET_IN, ssh_key_let_in={"ok": False}), NOT_ITS_TURN),
    "this host has nothing to announce": ("announce", MINE_IS_FINISHED, NOT_ITS_TURN),
    "all hosts are finished": ("announce", {**AFTER_LET_IN, "operation_planned": FINISHED}, NOT_ITS_TURN),
    "another host announced nothing": (
        "put",
        apart(AFTER_ANNOUNCE, ssh_key_announced={"ok": False}),
        {**NOT_ITS_TURN, "untouched": True},
    ),
    "no secret was put": ("prove", {**AFTER_PUT, "ssh_key_put": {"ok": False}}, NOT_ITS_TURN),
    "CI's key was not proven": (
        "remove",
        {**AFTER_PROVE, "ssh_key_proven": {"ok": False}},
        {**NOT_ITS_TURN, "begun": False},
    ),
    "this host has no old key": ("remove", MINE_IS_FINISHED, {"ok": True, "begun": False, "error": ""}),
    "the way back makes no key": (
        "make",
        {**PLANNED, "operation_planned": GOES_BACK},
        {"ok": False, "error": "interrupted=undo"},
    ),
}


@pytest.mark.parametrize(("phase", "results", "expected"), NOTHING.values(), ids=NOTHING)
def test_a_phase_whose_turn_it_is_not_reaches_nothing(
    phase: str, results: Mapping[str, Any], expected: dict[str, Any]
) -> None:
    outside = Outside()
    assert outside.run(phase, results) == expected
    assert outside.calls == []


def test_a_task_that_was_skipped_has_no_result() -> None:
    outside = Outside()
    assert not outside.run("announce", {**AFTER_LET_IN, "ssh_key_let_in": {**LET_IN, "skipped": True}})["ok"]
    assert outside.calls == []


# -- before anything is changed ------------------------------------------------------------------


def test_the_way_back_asks_github_nothing() -> None:
    outside = Outside()
    assert outside.run("survey", {}, interrupted="undo")["refusal"] is None
    assert outside.calls == []


SURVEYS: dict[str, tuple[dict[str, Any], tuple[str, ...], str, list[str]]] = {
    "a batch was typed": ({}, ("batch",), "batch_not_taken", []),
    "a host of the secret is missing": ({"hosts": ["web1", "web2", "web3"]}, (), "hosts_missing", []),
    "only the hosts know if it may be missing": (
        {"hosts": ["web1", "web2", "web3"], "interrupted": "resume"},
        (),
        "no_token",
        ["github"],
    ),
    "no host is declared": ({"hosts": []}, (), "no_token", ["github"]),
    "GitHub can't be asked": ({}, (), "no_token", ["github"]),
}


@pytest.mark.parametrize(("arguments", "typed", "code", "calls"), SURVEYS.values(), ids=SURVEYS)
def test_a_survey_refuses_before_it_asks(
    arguments: dict[str, Any], typed: tuple[str, ...], code: str, calls: list[str]
) -> None:
    outside = Outside()
    assert outside.run("survey", {"web1": {}, "web2": {}}, typed, **arguments)["refusal"]["code"] == code
    assert outside.calls == calls


def test_a_key_that_could_not_be_kept_is_refused_before_github_is_asked() -> None:
    outside = Outside()
    outside.keep = Kept(outside.calls, full=True)
    assert outside.run("survey", {"web1": {}, "web2": {}})["refusal"]["code"] == "not_kept"
    assert outside.calls == []


SURVEY = {"refusal": None, "used": OLD, "where": "run 1", "trusted": True, "doubts": ["a doubt"]}
OPENED: dict[str, Any] = {
    "opened": True,
    "continues": False,
    "plan": {**PLAN["plan"], "steps": [{"id": "authorise"}], "warnings": ["a warning"]},
    "old_public": OLD_PUBLIC,
}
ASKED = ["ssh_key_operation plan", f"ask for {OLD_PUBLIC}"]
GIVEN_BACK = "operation_close"
PLANS: dict[str, tuple[Answer, str, str, list[str]]] = {
    "sshd lets the old key in": (YES, "", "", ASKED),
    "sshd refuses the old key": (NO, "", "old_not_let_in", [*ASKED, GIVEN_BACK]),
    "sshd does not answer": (AWAY, "", "login_unreachable", [*ASKED, GIVEN_BACK]),
    "another host answers": (Answer(login_probe.HOST_KEY, "?"), "", "host_key_changed", [*ASKED, GIVEN_BACK]),
    "a type that is not taken": (Answer(login_probe.KEY_UNREADABLE, "?"), "", "old_not_let_in", [*ASKED, GIVEN_BACK]),
    "Ansible has the old key itself": (YES, OLD, "own_key", [ASKED[0], GIVEN_BACK]),
    "Ansible has another key": (YES, "SHA256:mine", "", ASKED),
}


@pytest.mark.parametrize(("answer", "own_key", "code", "calls"), PLANS.values(), ids=PLANS)
def test_a_plan_that_could_not_be_proven_from_here_is_given_back(
    answer: Answer, own_key: str, code: str, calls: list[str]
) -> None:
    outside = Outside(own_key=own_key, asked=answer)
    outside.answers["plan"] = OPENED
    result = outside.run("plan", {"ssh_key_survey": SURVEY})
    assert outside.calls == calls and "old_public" not in result
    if code:
        assert result["refusal"]["code"] == code and not result["opened"] and result["plan"] is None
        assert outside.given[-1]["code"] == code and outside.given[-1]["operation"] == "op"
    else:
        assert result["plan"]["warnings"] == ["a warning", "a doubt"]


def test_a_plan_without_known_hosts_is_given_back(tmp_path: Path) -> None:
    outside = Outside()
    outside.answers["plan"] = OPENED
    login = {**ARGUMENTS["login"], "known_hosts": str(tmp_path / "none")}
    assert outside.run("plan", {"ssh_key_survey": SURVEY}, login=login)["refusal"]["code"] == "no_known_hosts"
    assert outside.calls == [ASKED[0], GIVEN_BACK]


UNPROBED: dict[str, dict[str, Any]] = {
    "it resumes": {**OPENED, "continues": True},
    "nothing is to do": {**OPENED, "plan": {**OPENED["plan"], "steps": []}},
    "the host refuses": {"opened": False, "continues": False, "plan": None, "refusal": {"code": "no_keys"}},
}


@pytest.mark.parametrize("planned", UNPROBED.values(), ids=UNPROBED)
def test_only_a_new_rotation_tries_the_old_key(planned: dict[str, Any]) -> None:
    outside = Outside()
    outside.answers["plan"] = planned
    assert outside.run("plan", {"ssh_key_survey": SURVEY}).get("plan") == planned["plan"]
    assert outside.calls == ASKED[:1]


@pytest.mark.parametrize(
    ("survey", "code", "text"),
    [
        ({"refusal": {"code": "forbidden", "text": "no"}}, "forbidden", "no"),
        ({"failed": True, "msg": ["it", "died"]}, "failed", "it\ndied"),
        ({}, "failed", "GitHub was not asked"),
    ],
    ids=["refused", "died", "skipped"],
)
def test_no_host_is_asked_where_the_survey_refused(survey: dict[str, Any], code: str, text: str) -> None:
    outside = Outside()
    refusal = outside.run("plan", {"ssh_key_survey": survey})["refusal"]
    assert (refusal["code"], refusal["text"], outside.calls) == (code, text, [])


# -- the new key ---------------------------------------------------------------------------------


def test_a_new_pair_is_kept_under_the_name_of_its_operation() -> None:
    outside = Outside()
    result = outside.run("make", PLANNED)
    assert outside.calls == ["keep PROD_SSH_KEY-op"]
    assert result["ok"] and result["changed"] and result["kept"] == "/PROD_SSH_KEY-op"
    assert result["fingerprint"] not in ("", NEW)


def test_an_interrupted_rotation_goes_on_with_the_pair_that_it_kept() -> None:
    outside = Outside()
    result = outside.run("make", {"operation_planned": CONTINUES}, interrupted="resume")
    assert result == {**MADE, "error": "", "changed": False}
    assert outside.calls == []


NOT_MADE: dict[str, tuple[Mapping[str, Any], dict[str, Any], str]] = {
    "nothing to resume": (PLANNED, {"interrupted": "resume"}, "no operation on these hosts is unfinished"),
    "a host is missing": (PLANNED, {"hosts": ["web1", "web2", "web3"]}, "the secret opens web3 too"),
    "two rotations": (
        apart(
            {"operation_planned": CONTINUES},
            operation_planned={**CONTINUES, "plan": {**PLAN["plan"], "to": {"id": "SHA256:other"}}},
        ),
        {},
        "in different rotations: web1, web2",
    ),
}


@pytest.mark.parametrize(("results", "arguments", "error"), NOT_MADE.values(), ids=NOT_MADE)
def test_no_pair_is_made(results: Mapping[str, Any], arguments: dict[str, Any], error: str) -> None:
    outside = Outside()
    result = outside.run("make", results, **arguments)
    assert not result["ok"] and error in result["error"] and outside.calls == []


@pytest.mark.parametrize(
    ("phase", "results"),
    [
        ("make", {"operation_planned": CONTINUES}),
        ("let_in", AFTER_MAKE),
        ("put", AFTER_ANNOUNCE),
        ("remove", AFTER_PROVE),
    ],
)
def test_a_pair_other_than_the_one_of_the_run_goes_nowhere(phase: str, results: Mapping[str, Any]) -> None:
    outside, other = Outside(), ssh_key_pair.generate()
    outside.keep = Kept(outside.calls, other)
    result = outside.run(phase, results)
    assert result == {
        "ok": False,
        "error": f"/kept holds {other.fingerprint}, and not {NEW}",
        "untouched": False,
    }
    assert outside.calls == []


# -- proofs --------------------------------------------------------------------------------------

AUTHORISE, PROVE_LOGIN = "ssh_key_operation authorise", "ssh_key_operation prove_login"


@pytest.mark.parametrize(("answer", "good"), [(YES, True), (NO, False), (AWAY, False)], ids=["in", "out", "away"])
def test_only_a_login_proves_that_the_new_key_is_let_in(answer: Answer, good: bool) -> None:
    outside = Outside(answer)
    result = outside.run("let_in", AFTER_MAKE)
    assert outside.calls == [AUTHORISE, "login as deploy", PROVE_LOGIN]
    assert result["changed"] and result["login"] == ARGUMENTS["login"]
    report = outside.given[-1]["reports"][rotation.PROVE_LOGIN]
    assert report["ok"] is good and report["note"] == {"from": "the controller"}
    assert report.get("error") == (None if good else f"{NEW} is not let in: {answer.text}")


def test_a_host_that_did_not_write_the_key_is_not_logged_in_to() -> None:
    outside = Outside()
    outside.answers[rotation.AUTHORISE] = {"failed": True, "msg": ["killed", "by the kernel"]}
    result = outside.run("let_in", AFTER_MAKE)
    assert (result["ok"], result["failed"], result["error"]) == (False, False, "killed\nby the kernel")
    assert outside.calls == [AUTHORISE]


def test_a_host_announces_once_all_of_them_let_the_key_in() -> None:
    outside = Outside()
    assert outside.run("announce", AFTER_LET_IN)["ok"]
    assert outside.calls == ["ssh_key_operation put_secret"]


def test_the_secret_holds_the_private_half_of_the_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    outside, put = Outside(), []

    def written(_github: GitHub, place: ci.Place, private: str) -> str:
        put.append((place.secret, ssh_key_pair.pair_of(private.encode()).fingerprint))
        return "now"

    outside.knows_github = True
    monkeypatch.setattr(ci, "put", written)
    result = outside.run("put", AFTER_ANNOUNCE)
    assert put == [("PROD_SSH_KEY", NEW)]
    assert result["note"] == {"secret": "secret PROD_SSH_KEY of example/shop", "written": "now", "fingerprint": NEW}
    assert "PRIVATE" not in str(result)


def test_a_run_of_the_workflow_is_judged_by_the_keys_of_the_hosts_that_are_rotated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside, asked = Outside(), []

    def prove(_github: GitHub, _place: ci.Place, *given: Any, tell: Any) -> dict[str, str]:
        asked.append(given)
        return {"run": "7"}

    outside.knows_github = True
    monkeypatch.setattr(ci, "prove", prove)
    assert outside.run("prove", apart(AFTER_PUT, operation_planned=FINISHED)) == {
        "ok": True,
        "error": "",
        "note": {"run": "7"},
    }
    assert asked == [(NEW, {OLD}, "nonce")]


# -- the old key ---------------------------------------------------------------------------------

REMOVE, PROVE_REMOVED = "ssh_key_operation put_secret,prove_ci,remove_old", "ssh_key_operation prove_removed"
LOGIN, ASK = "login as deploy", f"ask for {OLD_PUBLIC}"
REMOVED: dict[str, tuple[list[Answer], Answer, str, list[str], str]] = {
    "the new key is let in, and the old one is not": ([YES, YES], NO, OLD_PUBLIC, [LOGIN, ASK], ""),
    "the new key is not let in any more": ([YES, NO], NO, OLD_PUBLIC, [LOGIN], "the new key is not let in any more"),
    "nobody answers the new key": ([YES, AWAY], NO, OLD_PUBLIC, [LOGIN], "the new key is not let in any more"),
    "the old key is let in by something else": ([YES, YES], YES, OLD_PUBLIC, [LOGIN, ASK], "is still let in"),
    "nobody answers the old key": ([YES, YES], AWAY, OLD_PUBLIC, [LOGIN, ASK], "is not known: no answer in time"),
    "nobody has the old key": ([YES, YES], NO, "", [LOGIN], "nobody has its public half"),
}


@pytest.mark.parametrize(("logins", "asked", "public", "tried", "error"), REMOVED.values(), ids=REMOVED)
def test_only_a_refusal_proves_that_the_old_key_is_out(
    logins: list[Answer], asked: Answer, public: str, tried: list[str], error: str
) -> None:
    outside = Outside(*logins, asked=asked)
    outside.answers["put_secret,prove_ci,remove_old"] = {"ok": True, "old_public": public}
    result = outside.run("remove", AFTER_PROVE)
    assert outside.calls == [LOGIN, REMOVE, *tried, PROVE_REMOVED]
    assert result["begun"] and result["changed"] and "old_public" not in result
    reports = [one["reports"] for one in outside.given]
    assert reports[0] == {rotation.PUT_SECRET: PUT, rotation.PROVE_CI: PROVEN}
    proof = reports[1][rotation.PROVE_REMOVED]
    assert proof["ok"] is not bool(error) and error in proof["error"] and bool(proof["error"]) is bool(error)


def test_a_new_key_that_is_refused_by_now_costs_no_old_one() -> None:
    outside = Outside(NO)
    assert outside.run("remove", AFTER_PROVE) == {
        "ok": False,
        "begun": False,
        "error": f"{NEW} is not let in any more: {NO.text}",
    }
    assert outside.calls == [LOGIN]


def test_an_old_key_whose_removal_failed_counts_as_begun_and_is_not_tried() -> None:
    outside = Outside(YES)
    outside.answers["put_secret,prove_ci,remove_old"] = {"ok": False, "error": "the file can't be written"}
    assert outside.run("remove", AFTER_PROVE)["begun"]
    assert outside.calls == [LOGIN, REMOVE]


OUT_OF_TURN: dict[str, Mapping[str, Any]] = {
    "a host did not let the new key in": apart(AFTER_PROVE, ssh_key_let_in={"ok": False}),
    "the secret was not put": {**AFTER_PROVE, "ssh_key_put": {"ok": False}},
    "no pair was kept": {**AFTER_PROVE, "ssh_key_made": {**MADE, "ok": False}},
}


@pytest.mark.parametrize("results", OUT_OF_TURN.values(), ids=OUT_OF_TURN)
def test_no_old_key_is_removed_out_of_turn(results: Mapping[str, Any]) -> None:
    """Even if the phases before it said that all is well."""
    outside = Outside()
    result = outside.run("remove", results)
    assert not result["ok"] and "remove_old web1 was asked for" in result["error"]
    assert outside.calls == []


def test_the_hosts_before_the_one_whose_turn_it_is_are_done() -> None:
    outside = Outside(NO)
    assert "is not let in any more" in outside.run("remove", AFTER_PROVE, host="web2")["error"]


# -- the end -------------------------------------------------------------------------------------

ENDS: dict[str, tuple[Mapping[str, Any], dict[str, Any]]] = {
    "it goes back as the operator said": (
        {"operation_planned": GOES_BACK},
        {"only": [], "back": "interrupted=undo", "already": False},
    ),
    "it goes back if another host did not let the key in": (
        apart(AFTER_LET_IN, ssh_key_let_in={"ok": False, "error": "refused"}),
        {"only": [], "back": "web2: refused", "already": False},
    ),
    "it goes back if the secret is untouched": (
        {**AFTER_ANNOUNCE, "ssh_key_put": {"ok": False, "untouched": True, "error": "no token"}},
        {"only": ["put_secret"], "back": "no token", "already": False},
    ),
    "it stays if the secret may be put": (
        {**AFTER_ANNOUNCE, "ssh_key_put": {"ok": False, "untouched": False, "error": "no answer"}},
        {"only": ["put_secret"], "back": "", "already": False},
    ),
    "it stays if CI's key is not proven": (
        {**AFTER_PUT, "ssh_key_proven": {"ok": False, "error": "not said"}},
        {"only": ["put_secret", "prove_ci"], "back": "", "already": False},
    ),
    "an earlier run finished it": (MINE_IS_FINISHED, {"only": [], "back": "", "already": True}),
    "its old key is out": (
        {**AFTER_PROVE, "ssh_key_removed": {"results": [{"item": "web1", "ok": True, "begun": True}]}},
        {"only": [], "back": "", "already": False},
    ),
    "its turn never came": (
        {**AFTER_PROVE, "ssh_key_removed": {"results": [{"item": "web1", "ok": True, "skipped": True}]}},
        {"only": ["put_secret", "prove_ci", "remove_old"], "back": "", "already": False},
    ),
}


@pytest.mark.parametrize(("results", "orders"), ENDS.values(), ids=ENDS)
def test_each_host_gets_the_orders_of_its_end(results: Mapping[str, Any], orders: dict[str, Any]) -> None:
    outside = Outside()
    outside.run("finish", results)
    [given] = outside.given
    assert {name: given[name] for name in orders} == orders
    assert given["phase"] == "finish" and not {"github", "keeping", "login", "hosts", "host"} & set(given)


# -- failures ------------------------------------------------------------------------------------

FAILURES: dict[str, tuple[Exception, bool]] = {
    "GitHub, before anything": (GitHubError("no_token", "no token"), True),
    "GitHub, in a write": (GitHubError("uncertain", "no answer", touched=True), False),
    "the place of the key": (NotKept("no space left"), False),
    "the order": (rotation.OutOfOrder("put_secret is next"), False),
}


@pytest.mark.parametrize(("error", "untouched"), FAILURES.values(), ids=FAILURES)
def test_only_an_error_that_says_so_changed_nothing(error: Exception, untouched: bool) -> None:
    result = conductor.failed(error)
    assert not result["ok"] and str(error) in result["error"] and result["untouched"] is untouched
    assert ("Nothing was changed" in result["error"]) is untouched


def test_a_host_that_is_not_reached_fails_the_first_task_and_the_last_one_alone() -> None:
    between = {phase: conductor.unreachable(phase, "no\n route ") for phase in ("let_in", "announce", "remove")}
    assert list(between.values()) == [{"ok": False, "error": "can't be reached: no route"}] * 3
    assert conductor.unreachable("plan", "?") is None and conductor.unreachable("finish", "?") is None


def test_a_token_on_the_command_line_is_refused() -> None:
    conductor.must_not_be_typed("ssh_key_github_token", {"target"})
    with pytest.raises(GitHubError, match="ssh_key_github_token was given as an extra variable"):
        conductor.must_not_be_typed("ssh_key_github_token", {"target", "ssh_key_github_token"})


KEEPING = {
    "folder": "~/keys",
    "vault_id": "",
    "age_recipients": ["age1"],
    "age_identity": "~/id",
    "command": ["pass", "{name}"],
    "read_command": ["pass", "{name}"],
}


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("age", "age file in /home/ops/keys"),
        ("command", "the command pass"),
        ("vault", "ansible-vault file in /home/ops/keys"),
    ],
)
def test_the_inventory_chooses_where_a_key_is_kept(kind: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")
    keep = vault.chosen({**KEEPING, "kind": kind}, lambda content: content, lambda content: content, True)
    assert keep.what == what
    if isinstance(keep, vault.Age):
        assert keep.identity == "/home/ops/id"
