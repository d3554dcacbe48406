# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Conducts the rotation of a key over all its hosts: each phase decides from the results of the phases before it.

This runs on the controller. A task of Ansible runs one phase, and hands over the means that need Ansible: modules on a
host, GitHub, the place of the new key, and logins. A phase returns its result, and a failure is a result too, since the
run has to reach its end on every host.

The private key is in the memory of one phase at a time. Between two phases it is encrypted where it was kept, and is
read from there. It is never a variable, a fact, a result, an argument of a program or a file in clear.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import ci, course, login_probe, rotation, vault
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.ci import Place
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.course import Run
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.login_probe import ACCEPTED, REFUSED, Answer, Login
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.pair import NoPair, Pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.vault import Keep, NotKept
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

Result = dict[str, Any]

#: The modules that run on a host.
OPERATION, CLOSE = "ops.runbook.ssh_key_operation", "ops.runbook.operation_close"

#: Arguments of a task that no module on a host gets.
_OURS = ("github", "keeping", "login", "hosts", "host")

#: Refusals of a plan by the answer to a login with the old key: code, text and way forward.
_REFUSALS = {
    REFUSED: (
        "old_not_let_in",
        "sshd does not let the old key in from this controller, so the new one could not be proven from here: {text}",
        ("the options of its line", "from= has to let this controller in, and expiry-time not be over"),
    ),
    login_probe.HOST_KEY: (
        "host_key_changed",
        "{text}",
        (
            "ssh_key_known_hosts",
            "in the inventory: a file that has the key of this host, once it is known to be the right one",
        ),
    ),
    login_probe.UNREACHABLE: (
        "login_unreachable",
        "no login can be tried from this controller: {text}",
        ("ssh_key_login_host, ssh_key_login_port", "in the inventory: where sshd answers"),
    ),
    login_probe.KEY_UNREADABLE: (
        "old_not_let_in",
        "{text}",
        ("old_key=SHA256:…", "another key, of a type that is still taken"),
    ),
}


@dataclass(frozen=True)
class Task:
    """One task of a run.

    arguments: those of M(ops.runbook.ssh_key_rotation). host: the host that the task runs for. hosts: all hosts of the
    play. variables: those of each host; the results of earlier tasks are among them. typed: names of the variables that
    were given on the command line.
    """

    arguments: Mapping[str, Any]
    host: str
    hosts: Sequence[str]
    variables: Mapping[str, Mapping[str, Any]]
    typed: Collection[str] = ()

    def result(self, host: str, name: str) -> Result:
        """The result that a task registered for a host; empty if the host has none, or skipped the task."""
        found = self.variables[host].get(name)
        return dict(found) if isinstance(found, Mapping) and not found.get("skipped") else {}

    def run_so_far(self) -> Run:
        """All results so far. A phase that ran once has its result on every host, so the first host's is read."""
        hosts = list(self.hosts)
        removed = {}
        for one in self.result(hosts[0], "ssh_key_removed").get("results") or []:
            if isinstance(one, Mapping) and not one.get("skipped"):
                removed[str(one.get("item"))] = dict(one)
        return Run(
            hosts=hosts,
            planned={host: self.result(host, "operation_planned") for host in hosts},
            made=self.result(hosts[0], "ssh_key_made"),
            let_in={host: self.result(host, "ssh_key_let_in") for host in hosts},
            announced={host: self.result(host, "ssh_key_announced") for host in hosts},
            put=self.result(hosts[0], "ssh_key_put"),
            proven=self.result(hosts[0], "ssh_key_proven"),
            removed=removed,
        )

    def place(self) -> Place:
        """The secret, and the workflow that uses it."""
        given = self.arguments["github"]
        return Place(
            repository=given["repository"],
            secret=given["secret"],
            workflow=given["workflow"],
            environment=given["environment"],
            ref=given["ref"],
            nonce_input=given["nonce_input"],
            timeout=float(given["timeout"]),
            interval=float(given["interval"]),
        )

    def login(self, plan: Mapping[str, Any]) -> Login:
        """The login to the account of a plan. A plan of an earlier version does not say if commands run there."""
        given = self.arguments["login"]
        return Login(
            host=str(given["host"]),
            user=str(plan["account"]),
            known_hosts=os.path.expanduser(str(given["known_hosts"])),
            port=int(given["port"]),
            host_key_alias=str(given["host_key_alias"]),
            runs_commands=bool(plan.get("runs_commands")),
        )


@dataclass(frozen=True)
class Means:
    """The means of a phase to reach anything outside this process. Each may be called several times, or never.

    module: runs a module by its name and arguments on the host of the task, and returns its result. github: a client;
    raises GitHubError. keep: the place of the new key. try_key: logs in with a private key. try_public: asks if a key
    would be let in, by its type and blob. own_key: fingerprint of the key that Ansible itself logs in with; empty if it
    is not known. nonce: a word that nobody can guess. tell: shows a line to the operator.
    """

    module: Callable[[str, dict[str, Any]], Result]
    github: Callable[[], GitHub]
    keep: Callable[[], Keep]
    try_key: Callable[[Login, bytes], Answer]
    try_public: Callable[[Login, str], Answer]
    own_key: Callable[[], str]
    nonce: Callable[[], str]
    tell: Callable[[str], None]


class Conductor:
    """Runs the phases of one task."""

    def __init__(self, task: Task, means: Means) -> None:
        self._task, self._means = task, means

    def phase(self, name: str) -> Result:
        """The result of a phase, by its name. It holds no key."""
        phases: dict[str, Callable[[], Result]] = {
            "survey": self._survey,
            "plan": self._plan,
            "make": self._make,
            "let_in": self._let_in,
            "announce": self._announce,
            "put": self._put,
            "prove": self._prove,
            "remove": self._remove,
            "finish": self._finish,
        }
        try:
            result = phases[name]()
        except (GitHubError, NotKept, NoPair, rotation.OutOfOrder, ValueError) as error:
            result = failed(error)
        return {key: value for key, value in result.items() if key not in ("old_public", "invocation")}

    # -- before anything is changed --------------------------------------------------------------

    def _survey(self) -> Result:
        """The state of GitHub before a host is asked. refusal: why the rotation can't be done."""
        if self._task.arguments.get("interrupted") == "undo":
            # The way back needs nothing of GitHub.
            return {"refusal": None, "used": "", "where": "", "trusted": False, "doubts": []}
        refusal = self._refused_unasked()
        if refusal is None:
            try:
                self._means.keep().ready()
                found = ci.survey(self._means.github(), self._task.place())
                known = {"used": found.used, "where": found.where, "trusted": found.trusted}
                return {"refusal": None, **known, "doubts": list(found.warnings)}
            except GitHubError as error:
                refusal = error
            except NotKept as error:
                refusal = Problem(
                    "not_kept",
                    str(error),
                    (("ssh_key_keep", "in the inventory: vault, age or command (docs/systems/ssh-keys.md)"),),
                )
        return {"refusal": refusal.to_dict()}

    def _refused_unasked(self) -> Problem | None:
        """Why the rotation can't be done, as far as the inputs say it."""
        if "batch" in self._task.typed:
            return Problem(
                "batch_not_taken",
                "one secret is for all hosts, so they are done together, and batch means nothing here",
                (("the same without batch", "does all of them"),),
            )
        wanted = self._task.arguments["hosts"]
        # Only a host knows if an interrupted rotation had put the secret already; then hosts may be left out.
        if not wanted or self._task.arguments.get("interrupted"):
            return None
        return _absent(self._task.run_so_far(), wanted)

    def _plan(self) -> Result:
        """Open and plan on the host, unless the survey refused. A host where nothing could be proven is given back."""
        survey = self._task.result(self._task.hosts[0], "ssh_key_survey")
        if survey.get("refusal") or "refusal" not in survey:
            unasked = {"code": "failed", "text": told(survey.get("msg", "GitHub was not asked")), "ways": []}
            return self._refused_plan(survey.get("refusal") or unasked)
        place = self._task.place()
        result = self._operation(
            phase="plan",
            used=survey["used"],
            where=survey["where"],
            trusted=survey["trusted"],
            secret=place.secret_in_words(),
            workflow=place.workflow_in_words(),
            keep=self._means.keep().what,
        )
        plan = result.get("plan")
        if plan and not result["continues"] and plan["steps"]:
            plan["warnings"] = [*plan["warnings"], *survey["doubts"]]
            refusal = self._why_not_from_here(plan, result["old_public"])
            if refusal is not None:
                self._give_back(result, refusal)
                return self._refused_plan(refusal.to_dict())
        return result

    def _refused_plan(self, refusal: Mapping[str, Any]) -> Result:
        return {
            "operation": self._task.arguments["operation"],
            "opened": False,
            "plan": None,
            "direction": "forward",
            "continues": False,
            "changed": False,
            "refusal": refusal,
        }

    def _why_not_from_here(self, plan: Mapping[str, Any], old_public: str) -> Problem | None:
        """Why the rotation could not be proven from this controller; None where it can."""
        old = str(plan["from"]["id"])
        if self._means.own_key() == old:
            return Problem(
                "own_key",
                f"Ansible itself logs in with {old}: once it is removed, nothing could be put back",
                (("ansible_ssh_private_key_file", "in the inventory: a key of the operator's own"),),
            )
        login = self._task.login(plan)
        if not os.path.isfile(login.known_hosts):
            return Problem(
                "no_known_hosts",
                f"{login.known_hosts} is missing, so no host key could be checked",
                (("ssh_key_known_hosts", "in the inventory: the file that has the keys of the hosts"),),
            )
        return login_refusal(old, login, self._means.try_public(login, old_public))

    def _give_back(self, result: Mapping[str, Any], refusal: Problem) -> None:
        """Close the operation that the plan opened on the host."""
        if result.get("opened"):
            arguments = {
                "operation": self._task.arguments["operation"],
                "state_dir": self._task.arguments["state_dir"],
                "refused": refusal.text,
                "code": refusal.code,
            }
            self._means.module(CLOSE, arguments)

    # -- the steps -------------------------------------------------------------------------------

    def _make(self) -> Result:
        """Make a new pair, and keep it before anybody has it; or read the one that an interrupted run kept."""
        run = self._task.run_so_far()
        if run.undoes:
            return _not_done("interrupted=undo")
        keep = self._means.keep()
        if refusal := _absent(run, self._task.arguments["hosts"]):
            return _not_done(refusal.text)
        fingerprint, kept = course.kept(run)
        if fingerprint:
            _pair_in(keep, kept, fingerprint)
            return {"ok": True, "error": "", "fingerprint": fingerprint, "kept": kept, "changed": False}
        if (given := self._task.arguments.get("interrupted")) in ("resume", "undo"):
            return _not_done(f"interrupted={given} was given, but no operation on these hosts is unfinished")
        pair = ssh_key_pair.generate()
        name = vault.name_of(self._task.place().secret, str(self._task.arguments["operation"]))
        kept = keep.keep(name, pair.private)
        return {"ok": True, "error": "", "fingerprint": pair.fingerprint, "kept": kept, "changed": True}

    def _let_in(self) -> Result:
        """Let the new key in on the host of the task, and log in with it from here."""
        run, host = self._task.run_so_far(), self._task.host
        if not run.made.get("ok") or host not in run.working:
            return {**_not_done(), "done": []}
        pair = self._pair(run)
        named = {"new_key": pair.public, "fingerprint": pair.fingerprint, "kept": run.made["kept"]}
        ran = self._step(only=[rotation.AUTHORISE], **named)
        if not ran["ok"]:
            return ran
        answer = self._means.try_key(self._task.login(run.planned[host]["plan"]), pair.private)
        report: Result = {"ok": answer.outcome == ACCEPTED, "note": {"from": "the controller"}}
        if not report["ok"]:
            report["error"] = f"{pair.fingerprint} is not let in: {answer.text}"
        proven = self._step(only=[rotation.PROVE_LOGIN], reports={rotation.PROVE_LOGIN: report})
        # The first host of the run tries this login again, for this host.
        return {**proven, "changed": True, "login": self._task.arguments["login"]}

    def _announce(self) -> Result:
        """Journal on the host that the secret is about to be put, once all hosts let the key in."""
        run = self._task.run_so_far()
        ready = all(run.let_in[host].get("ok") for host in run.working)
        if not ready or self._task.host not in run.working:
            return _not_done()
        return self._step(announce=rotation.PUT_SECRET)

    def _put(self) -> Result:
        """Put the private half into the secret, once every host has announced it."""
        run = self._task.run_so_far()
        if not run.may_put():
            return {**_not_done(), "untouched": True}
        place, pair = self._task.place(), self._pair(run)
        rotation.must_follow(rotation.Step(rotation.PUT_SECRET), run.progress)
        updated = ci.put(self._means.github(), place, pair.private.decode())
        note = {"secret": place.secret_in_words(), "written": updated, "fingerprint": pair.fingerprint}
        return {"ok": True, "error": "", "note": note, "changed": True}

    def _prove(self) -> Result:
        """Run the workflow, and read from its log that it had the new key."""
        run = self._task.run_so_far()
        if not run.put.get("ok"):
            return _not_done()
        rotation.must_follow(rotation.Step(rotation.PROVE_CI), run.progress)
        old = {str(run.planned[host]["plan"]["from"]["id"]) for host in run.working}
        new, nonce = str(run.made["fingerprint"]), self._means.nonce()
        note = ci.prove(self._means.github(), self._task.place(), new, old, nonce, tell=self._means.tell)
        return {"ok": True, "error": "", "note": dict(note)}

    def _remove(self) -> Result:
        """Take the old key out on one host, and prove that it is out. The hosts are done one after the other."""
        run, host = self._task.run_so_far(), str(self._task.arguments["host"])
        if not run.proven.get("ok") or host not in run.working:
            return {"ok": host not in run.working, "begun": False, "error": ""}
        # The loop ends at the first host that fails, so all hosts before this one are done.
        before = {other: {"ok": True} for other in run.working[: run.working.index(host)]}
        rotation.must_follow(rotation.Step(rotation.REMOVE_OLD, host), replace(run, removed=before).progress)
        pair, login = self._pair(run), self._task.login(run.planned[host]["plan"])
        # An earlier proof may be an hour old by now.
        answer = self._means.try_key(login, pair.private)
        if answer.outcome != ACCEPTED:
            return {"ok": False, "begun": False, "error": f"{pair.fingerprint} is not let in any more: {answer.text}"}
        reports: Result = {
            rotation.PUT_SECRET: {"ok": True, "note": run.put.get("note")},
            rotation.PROVE_CI: {"ok": True, "note": run.proven.get("note")},
        }
        ran = self._step(only=[*reports, rotation.REMOVE_OLD], reports=reports)
        if not ran["ok"]:
            return {**ran, "begun": True}
        error = self._why_not_removed(login, pair, str(ran.get("old_public") or ""))
        report = {"ok": not error, "error": error}
        proven = self._step(only=[rotation.PROVE_REMOVED], reports={rotation.PROVE_REMOVED: report})
        return {**proven, "begun": True, "changed": True}

    def _why_not_removed(self, login: Login, pair: Pair, old_public: str) -> str:
        """Why it is not proven that the new key is let in and the old one is not; empty where it is."""
        new = self._means.try_key(login, pair.private)
        if new.outcome != ACCEPTED:
            return f"the new key is not let in any more: {new.text}"
        if not old_public:
            return "the old key can't be tried, since nobody has its public half"
        old = self._means.try_public(login, old_public)
        if old.outcome == ACCEPTED:
            return "the old key is still let in, by something other than a file of keys"
        return "" if old.outcome == REFUSED else f"whether the old key is out is not known: {old.text}"

    def _finish(self) -> Result:
        """Close the operation on the host of the task, or take it back there."""
        closing = course.closing(self._task.run_so_far(), self._task.host)
        return self._operation(
            phase="finish",
            only=list(closing.only),
            reports=dict(closing.reports),
            back=closing.back,
            already=closing.already,
        )

    # -- what the phases share -------------------------------------------------------------------

    def _operation(self, **arguments: Any) -> Result:
        """The result of the operation's module on the host of the task."""
        given = {key: value for key, value in self._task.arguments.items() if key not in _OURS}
        return self._means.module(OPERATION, {**given, **arguments})

    def _step(self, **arguments: Any) -> Result:
        """The result of a part of the steps on the host. A module that died is a failure like any other."""
        ran = self._operation(phase="step", **arguments)
        if "ok" not in ran:
            return {**ran, "ok": False, "error": str(told(ran.get("msg")) or "the module died"), "failed": False}
        return ran

    def _pair(self, run: Run) -> Pair:
        """The new pair, from where it was kept. Raises NotKept and NoPair."""
        return _pair_in(self._means.keep(), str(run.made["kept"]), run.made["fingerprint"])


def login_refusal(old: str, login: Login, answer: Answer) -> Problem | None:
    """Why a plan is refused after a login with the old key, by its fingerprint; None if sshd let it in. Pure."""
    if answer.outcome == ACCEPTED:
        return None
    code, text, way = _REFUSALS[answer.outcome]
    return Problem(code, f"{old} as {login.user} at {login.host}:{login.port}: {text.format(text=answer.text)}", (way,))


def failed(error: Exception) -> Result:
    """The result of a phase that an error ended. Unless the error says otherwise, something may have been changed."""
    if isinstance(error, GitHubError):
        return {"ok": False, "error": error.paragraph(), "untouched": not error.touched}
    return {"ok": False, "error": str(error), "untouched": False}


def unreachable(phase: str, text: str) -> Result | None:
    """The result of a phase whose host was not reached. None if the task has to fail as Ansible has it. Pure."""
    if phase in ("plan", "finish"):
        return None
    return _not_done(f"can't be reached: {cut(' '.join(text.split()), 300)}")


def must_not_be_typed(token: str, typed: Collection[str]) -> None:
    """Refuse a token that was given on the command line. token: its variable. Pure. Raises GitHubError."""
    if token in typed:
        raise GitHubError(
            "token_typed",
            f"{token} was given as an extra variable, and is now in the history of your shell: it is not used",
            [("GITHUB_TOKEN", "in the environment, or the variable in a vault")],
        )


def _absent(run: Run, wanted: Sequence[str]) -> Problem | None:
    """The refusal of a run that leaves out hosts which the secret opens. wanted: all of them."""
    missing = course.absent(run, wanted)
    return course.absent_refusal(missing, wanted) if missing else None


def _pair_in(keep: Keep, where: str, fingerprint: str) -> Pair:
    """The pair that was kept there. Raises NotKept where it is another one, and NoPair."""
    pair = ssh_key_pair.pair_of(keep.read(where))
    if pair.fingerprint != fingerprint:
        raise NotKept(f"{where} holds {pair.fingerprint}, and not {fingerprint}")
    return pair


def _not_done(error: str = "") -> Result:
    """The result of a phase that did nothing. error: why; empty if it was not its turn."""
    return {"ok": False, "error": error}
