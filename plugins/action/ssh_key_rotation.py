# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.ssh_key_rotation).

The private key is in the memory of one task at a time. Between two tasks it lies where it was kept, encrypted, and is
read from there; it is never a variable, a fact, a result, an argument of a program or a file in clear.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.urls import open_url
from ansible.parsing.vault import VaultLib, match_encrypt_secret
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ansible_collections.ops.runbook.plugins.module_utils.github import module as github_module
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import ci, course, login_probe, rotation, vault
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.ci import Place
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.course import Run
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.login_probe import (
    ACCEPTED,
    REFUSED,
    UNREACHABLE,
    Login,
)
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.pair import NoPair, Pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.vault import Keep, NotKept
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

_MODULE = "ops.runbook.ssh_key_operation"

#: The variable that holds GitHub's token, as a rule in a file of ansible-vault; else GITHUB_TOKEN of the environment.
_TOKEN = "ssh_key_github_token"

#: Arguments that are for the controller only.
_OURS = ("github", "keeping", "login", "hosts", "host")

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
    UNREACHABLE: (
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


class ActionModule(ActionBase):  # type: ignore[misc]
    """One phase. What goes wrong is a result, since the run has to go on to its end."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(self.phase(dict(self._task.args), task_vars or {}))
        return result

    def phase(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The result of one phase."""
        self._arguments, self._variables = arguments, variables
        name = str(arguments["phase"])
        phases: dict[str, Callable[[], dict[str, Any]]] = {
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
        except AnsibleConnectionFailure as error:
            if name in ("plan", "finish"):
                raise
            result = {"ok": False, "error": f"can't be reached: {_brief(error)}"}
        except (GitHubError, NotKept, NoPair, rotation.OutOfOrder, ValueError) as error:
            text = error.paragraph() if isinstance(error, GitHubError) else str(error)
            # Unless the error says otherwise, something may have been changed.
            untouched = isinstance(error, GitHubError) and not error.touched
            result = {"ok": False, "error": text, "untouched": untouched}
        return {key: value for key, value in result.items() if key not in ("old_public", "invocation")}

    # -- what is known ---------------------------------------------------------------------------

    def _known(self, host: str, name: str) -> dict[str, Any]:
        found = self._variables["hostvars"][host].get(name)
        return dict(found) if isinstance(found, Mapping) and not found.get("skipped") else {}

    def _run_so_far(self) -> Run:
        hosts = list(self._variables["ansible_play_hosts_all"])
        removed = {}
        for one in self._known(hosts[0], "ssh_key_removed").get("results") or []:
            if isinstance(one, Mapping) and not one.get("skipped"):
                removed[str(one.get("item"))] = dict(one)
        return Run(
            hosts=hosts,
            planned={host: self._known(host, "operation_planned") for host in hosts},
            made=self._known(hosts[0], "ssh_key_made"),
            let_in={host: self._known(host, "ssh_key_let_in") for host in hosts},
            announced={host: self._known(host, "ssh_key_announced") for host in hosts},
            put=self._known(hosts[0], "ssh_key_put"),
            proven=self._known(hosts[0], "ssh_key_proven"),
            removed=removed,
        )

    def _module(self, **arguments: Any) -> dict[str, Any]:
        given = {key: value for key, value in self._arguments.items() if key not in _OURS}
        given.update(arguments)
        ran: dict[str, Any] = self._execute_module(_MODULE, module_args=given, task_vars=self._variables)
        return ran

    def _step(self, **arguments: Any) -> dict[str, Any]:
        """A part of the steps on the host. A module that died is a failure like any other."""
        ran = self._module(phase="step", **arguments)
        if "ok" not in ran:
            return {**ran, "ok": False, "error": str(told(ran.get("msg")) or "the module died"), "failed": False}
        return ran

    # -- GitHub, the keep, the login -------------------------------------------------------------

    def _place(self) -> Place:
        given = self._arguments["github"]
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

    def _github(self) -> GitHub:
        given = self._arguments["github"]
        if _TOKEN in load_extra_vars(self._loader):
            raise GitHubError(
                "token_typed",
                f"{_TOKEN} was given as an extra variable, and is now in the history of your shell: it is not used",
                [("GITHUB_TOKEN", "in the environment, or the variable in a vault")],
            )
        held = self._templar.template(self._variables.get(_TOKEN) or "")
        params = {
            "api_url": given["api_url"],
            "token": str(held or ""),
            "timeout": 30.0,
            "patience": 300.0,
            "validate_certs": bool(given["validate_certs"]),
        }
        return github_module.connect(params, open_url, os.environ)

    def _keep(self) -> Keep:
        given = self._arguments["keeping"]
        folder = os.path.expanduser(given["folder"])
        if given["kind"] == "age":
            identity = os.path.expanduser(given["age_identity"]) if given["age_identity"] else ""
            return vault.Age(folder, given["age_recipients"], identity)
        if given["kind"] == "command":
            return vault.Command(given["command"], given["read_command"])
        known = list(self._loader._vault.secrets or [])

        def encrypt(content: bytes) -> bytes:
            identity, secret = match_encrypt_secret(known, encrypt_vault_id=given["vault_id"] or None)
            encrypted: bytes = VaultLib(known).encrypt(content, secret, vault_id=identity)
            return encrypted

        def decrypt(content: bytes) -> bytes:
            decrypted: bytes = VaultLib(known).decrypt(content)
            return decrypted

        return vault.Vault(folder, encrypt, decrypt, bool(known))

    def _pair(self, run: Run) -> Pair:
        """The new pair, from where it was kept."""
        pair = ssh_key_pair.pair_of(self._keep().read(str(run.made["kept"])))
        if pair.fingerprint != run.made["fingerprint"]:
            raise NotKept(f"{run.made['kept']} holds {pair.fingerprint}, and not {run.made['fingerprint']}")
        return pair

    def _login(self, plan: Mapping[str, Any]) -> Login:
        """How to log in to the account of a plan. One of an earlier version does not say whether commands run there."""
        given = self._arguments["login"]
        return Login(
            host=str(given["host"]),
            user=str(plan["account"]),
            known_hosts=os.path.expanduser(str(given["known_hosts"])),
            port=int(given["port"]),
            host_key_alias=str(given["host_key_alias"]),
            runs_commands=bool(plan.get("runs_commands")),
        )

    # -- before anything -------------------------------------------------------------------------

    def _survey(self) -> dict[str, Any]:
        """The state of GitHub before a host is asked. refusal: why the rotation can't be done."""
        # The way back needs nothing of GitHub.
        if self._arguments.get("interrupted") == "undo":
            return {"refusal": None, "used": "", "where": "", "trusted": False, "doubts": []}
        typed = load_extra_vars(self._loader)
        refusal = None
        if "batch" in typed:
            refusal = Problem(
                "batch_not_taken",
                "one secret is for all hosts, so they are done together, and batch means nothing here",
                (("the same without batch", "does all of them"),),
            )
        elif self._arguments["hosts"] and (absent := self._absent()) and not self._arguments.get("interrupted"):
            refusal = course.absent_refusal(absent, self._arguments["hosts"])
        else:
            try:
                self._keep().ready()
                found = ci.survey(self._github(), self._place())
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

    def _absent(self) -> list[str]:
        return course.absent(self._run_so_far(), self._arguments["hosts"])

    def _plan(self) -> dict[str, Any]:
        survey = self._known(self._variables["ansible_play_hosts_all"][0], "ssh_key_survey")
        base = {"operation": self._arguments["operation"], "opened": False, "plan": None}
        if survey.get("refusal") or "refusal" not in survey:
            refusal = survey.get("refusal") or {
                "code": "failed",
                "text": told(survey.get("msg", "GitHub was not asked")),
                "ways": [],
            }
            return {**base, "refusal": refusal, "direction": "forward", "continues": False, "changed": False}
        place = self._place()
        result = self._module(
            phase="plan",
            used=survey["used"],
            where=survey["where"],
            trusted=survey["trusted"],
            secret=place.secret_in_words(),
            workflow=place.workflow_in_words(),
            keep=self._keep().what,
        )
        plan = result.get("plan")
        if plan and not result["continues"] and plan["steps"]:
            plan["warnings"] = [*plan["warnings"], *survey["doubts"]]
            refusal = self._why_not_from_here(plan, result["old_public"])
            if refusal is not None:
                self._give_back(result, refusal)
                result = {
                    **base,
                    "direction": "forward",
                    "continues": False,
                    "changed": False,
                    "refusal": refusal.to_dict(),
                }
        return result

    def _why_not_from_here(self, plan: Mapping[str, Any], old_public: str) -> Problem | None:
        """Why the rotation could not be proven from this controller; None where it can."""
        old = str(plan["from"]["id"])
        if _fingerprint_of(self._own_key_file()) == old:
            return Problem(
                "own_key",
                f"Ansible itself logs in with {old}: once it is removed, nothing could be put back",
                (("ansible_ssh_private_key_file", "in the inventory: a key of the operator's own"),),
            )
        login = self._login(plan)
        if not os.path.isfile(login.known_hosts):
            return Problem(
                "no_known_hosts",
                f"{login.known_hosts} is missing, so no host key could be checked",
                (("ssh_key_known_hosts", "in the inventory: the file that has the keys of the hosts"),),
            )
        answer = login_probe.patiently(lambda: login_probe.probe_public(login, old_public))
        if answer.outcome == ACCEPTED:
            return None
        code, text, way = _REFUSALS[answer.outcome]
        return Problem(
            code, f"{old} as {login.user} at {login.host}:{login.port}: {text.format(text=answer.text)}", (way,)
        )

    def _own_key_file(self) -> str:
        """The file that Ansible logs in with, wherever it was named; empty where an agent or ssh itself has the key."""
        try:
            found = self._connection.get_option("private_key_file")
        except (AttributeError, KeyError):
            found = None
        return os.path.expanduser(str(found or ""))

    def _give_back(self, result: Mapping[str, Any], refusal: Problem) -> None:
        if result.get("opened"):
            arguments = {
                "operation": self._arguments["operation"],
                "state_dir": self._arguments["state_dir"],
                "refused": refusal.text,
                "code": refusal.code,
            }
            self._execute_module("ops.runbook.operation_close", module_args=arguments, task_vars=self._variables)

    # -- the steps -------------------------------------------------------------------------------

    def _make(self) -> dict[str, Any]:
        """A new pair, kept before anybody has it; or the one that an interrupted run kept."""
        run = self._run_so_far()
        if run.undoes:
            return {"ok": False, "error": "interrupted=undo"}
        keep = self._keep()
        if absent := course.absent(run, self._arguments["hosts"]):
            return {"ok": False, "error": course.absent_refusal(absent, self._arguments["hosts"]).text}
        fingerprint, kept = course.kept(run)
        if not fingerprint:
            if (given := self._arguments.get("interrupted")) in ("resume", "undo"):
                return {
                    "ok": False,
                    "error": f"interrupted={given} was given, but no operation on these hosts is unfinished",
                }
            pair = ssh_key_pair.generate()
            kept = keep.keep(vault.name_of(self._place().secret, str(self._arguments["operation"])), pair.private)
        else:
            pair = ssh_key_pair.pair_of(keep.read(kept))
            if pair.fingerprint != fingerprint:
                raise NotKept(f"{kept} holds {pair.fingerprint}, and not {fingerprint}")
        return {"ok": True, "error": "", "fingerprint": pair.fingerprint, "kept": kept, "changed": not fingerprint}

    def _let_in(self) -> dict[str, Any]:
        run = self._run_so_far()
        host = str(self._variables["inventory_hostname"])
        if not run.made.get("ok") or host not in run.working:
            return {"ok": False, "error": "", "done": []}
        pair = self._pair(run)
        named = {"new_key": pair.public, "fingerprint": pair.fingerprint, "kept": run.made["kept"]}
        ran = self._step(only=[rotation.AUTHORISE], **named)
        if not ran["ok"]:
            return ran
        login = self._login(run.planned[host]["plan"])
        answer = login_probe.patiently(lambda: login_probe.probe_key(login, pair.private))
        report: dict[str, Any] = {"ok": answer.outcome == ACCEPTED, "note": {"from": "the controller"}}
        if not report["ok"]:
            report["error"] = f"{pair.fingerprint} is not let in: {answer.text}"
        proven = self._step(only=[rotation.PROVE_LOGIN], reports={rotation.PROVE_LOGIN: report})
        # The login that the first host of the run tries again, for this host.
        return {**proven, "changed": True, "login": self._arguments["login"]}

    def _announce(self) -> dict[str, Any]:
        """Journal on every host that the secret is about to be put, once all of them let the key in."""
        run = self._run_so_far()
        ready = bool(run.working) and all(run.let_in[host].get("ok") for host in run.working)
        if not ready or self._variables["inventory_hostname"] not in run.working:
            return {"ok": False, "error": ""}
        return self._step(announce=rotation.PUT_SECRET)

    def _put(self) -> dict[str, Any]:
        run = self._run_so_far()
        if not run.may_put():
            return {"ok": False, "error": "", "untouched": True}
        place, pair = self._place(), self._pair(run)
        rotation.must_follow(rotation.Step(rotation.PUT_SECRET), run.progress)
        updated = ci.put(self._github(), place, pair.private.decode())
        note = {"secret": place.secret_in_words(), "written": updated, "fingerprint": pair.fingerprint}
        return {"ok": True, "error": "", "note": note, "changed": True}

    def _prove(self) -> dict[str, Any]:
        run = self._run_so_far()
        if not run.put.get("ok"):
            return {"ok": False, "error": ""}
        rotation.must_follow(rotation.Step(rotation.PROVE_CI), run.progress)
        old = {str(run.planned[host]["plan"]["from"]["id"]) for host in run.working}
        note = ci.prove(
            self._github(),
            self._place(),
            str(run.made["fingerprint"]),
            old,
            secrets.token_hex(12),
            tell=Display().display,
        )
        return {"ok": True, "error": "", "note": dict(note)}

    def _remove(self) -> dict[str, Any]:
        """Take the old key out on one host, and prove it; the hosts are done one after the other."""
        run, host = self._run_so_far(), str(self._arguments["host"])
        if not run.proven.get("ok") or host not in run.working:
            return {"ok": host not in run.working, "begun": False, "error": ""}
        # The loop ends at the first host that is not well, so those before this one are.
        before = {other: {"ok": True} for other in run.working[: run.working.index(host)]}
        done = Run(run.hosts, run.planned, run.made, run.let_in, run.announced, run.put, run.proven, before)
        rotation.must_follow(rotation.Step(rotation.REMOVE_OLD, host), done.progress)
        pair, login = self._pair(run), self._login(run.planned[host]["plan"])
        # An earlier proof may be an hour old by now.
        answer = login_probe.patiently(lambda: login_probe.probe_key(login, pair.private))
        if answer.outcome != ACCEPTED:
            return {"ok": False, "begun": False, "error": f"{pair.fingerprint} is not let in any more: {answer.text}"}
        reports: dict[str, Any] = {
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
        new = login_probe.patiently(lambda: login_probe.probe_key(login, pair.private))
        if new.outcome != ACCEPTED:
            return f"the new key is not let in any more: {new.text}"
        if not old_public:
            return "the old key can't be tried, since nobody has its public half"
        old = login_probe.patiently(lambda: login_probe.probe_public(login, old_public))
        if old.outcome == ACCEPTED:
            return "the old key is still let in, by something other than a file of keys"
        return "" if old.outcome == REFUSED else f"whether the old key is out is not known: {old.text}"

    def _finish(self) -> dict[str, Any]:
        host = str(self._variables["inventory_hostname"])
        closing = course.closing(self._run_so_far(), host)
        return self._module(
            phase="finish",
            only=list(closing.only),
            reports=dict(closing.reports),
            back=closing.back,
            already=closing.already,
        )


def _fingerprint_of(path: str) -> str:
    """The fingerprint of the key in a file, by its public half too; empty if it is not known."""
    if not path:
        return ""
    try:
        ran = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = ran.stdout.split()
    return words[1] if ran.returncode == 0 and len(words) > 1 else ""


def _brief(error: AnsibleError) -> str:
    return cut(" ".join(str(error).split()), 300)
