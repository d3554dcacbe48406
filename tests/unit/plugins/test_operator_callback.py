# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback: it shows operations, leaves what is not of the collection alone, and keeps secrets to itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from many_playbooks import environment, playbook

from ansible_collections.ops.runbook.plugins.callback.operator import CENSORED, CallbackModule, _cause
from unit.console.test_screen import ID, LARAVEL, applied, planned

ROOT = Path(__file__).resolve().parents[3]


class Shown:
    """A display that keeps what it was given."""

    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, text: str, **_: Any) -> None:
        self.lines.append(text)

    def banner(self, text: str, **_: Any) -> None:
        self.lines.append(f"== {text}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class Run:
    """A run that is played to the callback."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, check: bool = False) -> None:
        monkeypatch.setattr(context, "CLIARGS", ImmutableDict({"check": check}))
        self.callback, self.shown = CallbackModule(), Shown()
        self.callback._display = self.shown
        options = {"width": 80, "live": True, "display_failed_stderr": False}
        self.callback.get_option = lambda name, hostvars=None: options.get(name, False)
        self.callback.v2_playbook_on_play_start(SimpleNamespace(get_name=lambda: "Open and plan", strategy="linear"))

    def task(self, phase: str, action: str) -> Any:
        """A task of the file of that name. What the task itself is called decides nothing."""
        task = SimpleNamespace(
            action=action,
            _role=SimpleNamespace(get_name=lambda: "ops.runbook.laravel"),
            get_name=lambda: "anything | Refuse to say",
            get_path=lambda: f"/srv/ops/runbook/roles/laravel/tasks/{phase}.yml:3",
            ignore_unreachable=True,
            loop=None,
        )
        self.callback.v2_playbook_on_task_start(task, False)
        return task

    def result(self, phase: str, action: str, found: dict[str, Any], how: str = "ok", host: str = "web1") -> None:
        task = self.task(phase, action)
        target = SimpleNamespace(get_name=lambda: host)
        self.callback.v2_runner_on_start(target, task)
        result = SimpleNamespace(task=task, host=target, result=found, is_unreachable=lambda: how == "unreachable")
        getattr(self.callback, f"v2_runner_on_{how}")(result)

    def opened(self, decision: dict[str, Any] | None = None) -> None:
        actor = {"user": "anna", "controller": "bastion"}
        self.result("open", "ops.runbook.operation_begin", {"operation": ID, "actor": actor})
        self.result("plan", LARAVEL, planned())
        fact = {"go": True, "planned": True, **(decision or {})}
        self.result("open", "ansible.builtin.set_fact", {"ansible_facts": {"operation_decision": fact}})
        self.result("open", "ansible.builtin.debug", {"msg": "the guard's own text"})

    def closed(self, trouble: str = "") -> None:
        self.result("close", "ansible.builtin.debug", {"msg": "the guard's own summary"})
        if trouble:
            self.result("close", "ansible.builtin.fail", {"msg": trouble, "failed": True}, "failed")
        self.callback.v2_playbook_on_stats(SimpleNamespace(processed={}))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(monkeypatch)


def test_an_operation_is_shown_once_and_no_task_is(run: Run) -> None:
    run.opened()
    run.result("apply", LARAVEL, applied())
    run.closed()
    assert "rollback, operation " + ID + ", by anna from bastion" in run.shown.text
    assert "web1: verified" in run.shown.text
    assert run.shown.text.count("request ids") == 1
    for unwanted in ("==", "the guard's own", "Do the steps", "RECAP"):
        assert unwanted not in run.shown.text


ROTATION, SHOWN = "ops.runbook.ssh_key_rotation", "ops.runbook.operation_shown"
HIDDEN = {"censored": "the output has been hidden", "_ansible_no_log": True, "changed": True}


def test_an_operation_whose_tasks_hide_their_output_is_shown(run: Run) -> None:
    """The task after a hidden one shows its result."""
    actor = {"user": "anna", "controller": "bastion"}
    run.result("open", "ops.runbook.operation_begin", {"operation": ID, "actor": actor})
    run.result("plan", ROTATION, HIDDEN)
    run.result("plan", SHOWN, planned())
    fact = {"go": True, "planned": True}
    run.result("open", "ansible.builtin.set_fact", {"ansible_facts": {"operation_decision": fact}})
    run.callback._live = lambda: False
    run.result("apply", ROTATION, HIDDEN)
    run.result("apply", ROTATION, HIDDEN)
    run.result("apply", SHOWN, applied())
    run.closed()
    assert "rollback, operation " + ID + ", by anna from bastion" in run.shown.text
    assert "v1.5.0" in run.shown.text and "web1: verified" in run.shown.text
    assert "unknown" not in run.shown.text
    assert run.shown.lines.count("web1: apply and verify") == 1, "a phase of several tasks begins once"


def test_a_cause_is_said_once(run: Run) -> None:
    run.opened()
    run.result("apply", LARAVEL, applied("reverted", "status 500"))
    run.closed("web1: reverted: status 500\n  web1 runs v1.5.0 again, verified.")
    assert run.shown.text.count("status 500") == 1
    assert "web1: not well, went back, and is well there" in run.shown.text


def test_a_host_that_is_lost_is_named(run: Run) -> None:
    run.opened()
    run.result("apply", LARAVEL, {"msg": "timed out"}, "unreachable")
    run.closed("web1: unreachable: timed out")
    assert run.shown.text.count("timed out") == 1
    assert "web1: the connection to it was lost" in run.shown.text


def test_a_plan_that_broke_off_is_said_although_the_guard_has_no_host_to_say_it_on(run: Run) -> None:
    run.result("open", "ops.runbook.operation_begin", {"operation": ID, "actor": {}})
    run.result("plan", LARAVEL, {"msg": "Task failed: no python", "failed": True}, "failed")
    run.callback.v2_playbook_on_stats(SimpleNamespace(processed={}))
    assert run.shown.text.count("no python") == 1
    assert "FAILED on web1: no python" in run.shown.text


def test_a_cause_that_a_status_screen_has_is_not_said_again(run: Run) -> None:
    run.result("status", "ansible.builtin.debug", {"msg": "BAD   web1 can't be reached: timed out"})
    run.result("status", "ansible.builtin.assert", {"msg": "Task failed: timed out", "failed": True}, "failed")
    assert run.shown.text.count("timed out") == 1
    assert "FAILED on web1: see the reason above" in run.shown.text


def test_a_wrong_input_is_said(run: Run) -> None:
    wrong = {"msg": "Task failed: 'too' is not an input of a procedure", "failed": True}
    run.result("open", "ops.runbook.operation_begin", wrong, "failed")
    assert run.shown.text.count("'too' is not an input") == 1


def test_a_check_says_that_it_was_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, check=True)
    run.opened({"go": False})
    task = run.task("apply", LARAVEL)
    run.callback.v2_runner_on_start(SimpleNamespace(get_name=lambda: "web1"), task)
    assert "apply" not in run.shown.text
    assert run.callback._phase == "plan", "what a terminal has at its bottom"
    run.callback.v2_playbook_on_stats(SimpleNamespace(processed={}))
    assert "Nothing was changed: this was a check." in run.shown.lines[-1]


def test_a_check_that_was_refused_says_once_that_nothing_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, check=True)
    run.opened({"go": False, "refused": True})
    refusal = {"msg": ["REFUSED on web1 (x): no", "Nothing was changed."], "failed": True}
    run.result("refuse", "ops.runbook.refuse", refusal, "failed")
    run.callback.v2_playbook_on_stats(SimpleNamespace(processed={}))
    assert run.shown.text.count("Nothing was changed") == 1
    assert "REFUSED on web1 (x): no" in run.shown.lines


def test_a_look_that_refuses_names_its_host(run: Run) -> None:
    refusal = {"msg": ["path is ''"], "failed": True, "refused": True}
    run.result("main", "ops.runbook.refuse", refusal, "failed")
    run.result("status", "ops.runbook.refuse", {"msg": ["bad"], "failed": True, "refused": False}, "failed")
    assert "REFUSED on web1: path is ''" in run.shown.lines and "FAILED on web1: bad" in run.shown.lines


def test_hidden_output_of_a_task_is_not_shown(run: Run) -> None:
    run.result(
        "status",
        "ops.runbook.health_check",
        {"censored": "x", "_ansible_no_log": True, "msg": "canary"},
        "failed",
    )
    run.result("status", "ansible.builtin.debug", {"_ansible_no_log": True, "value": "canary"})
    assert "canary" not in run.shown.text
    assert CENSORED in run.shown.text


def test_the_causes_of_a_loop_are_said_once_each() -> None:
    items = [{"failed": True, "msg": "a"}, {"failed": True, "msg": "a"}, {"msg": "well"}, {"failed": True, "msg": "b"}]
    assert _cause({"msg": "One or more items failed", "results": items}) == "a\nb"


def test_an_interrupted_run_says_what_was_under_way(run: Run) -> None:
    run.opened()
    task = run.task("apply", LARAVEL)
    run.callback.v2_runner_on_start(SimpleNamespace(get_name=lambda: "web1"), task)
    run.callback._left()
    assert "Interrupted while: apply and verify on web1" in run.shown.text


# -- with Ansible --------------------------------------------------------------------------------


def ansible(*arguments: str, cwd: Path = ROOT, inventory: Path = ROOT / "inventories/demo") -> str:
    ran = playbook("-i", inventory, *arguments, env=environment("ops.runbook.operator"), cwd=cwd)
    return ran.stdout + ran.stderr


def test_a_procedure_that_only_looks_shows_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "composer.json").write_text('{"scripts": {"post-install-cmd": ["@php artisan migrate:fresh --force"]}}')
    said = ansible("ops.runbook.data_safety_check", "-e", f"path={tmp_path}")
    assert said.count("composer.json:1") == 1, said
    assert "TASK" not in said and "RECAP" not in said and "\x1b" not in said


def test_with_v_the_tasks_are_shown(tmp_path: Path) -> None:
    said = ansible("ops.runbook.data_safety_check", "-e", f"path={tmp_path}", "-v")
    assert "TASK [" in said and "PLAY RECAP" in said


def test_a_foreign_task_looks_as_always(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(
        "- name: Mine\n  hosts: localhost\n  connection: local\n  gather_facts: false\n"
        "  tasks:\n    - name: Say it\n      ansible.builtin.debug: {msg: hello}\n"
        "    - name: Check\n      ansible.builtin.include_role: {name: ops.runbook.data_safety}\n"
        f"      vars: {{data_safety_path: {tmp_path}}}\n"
    )
    said = ansible(str(tmp_path / "own.yml"))
    assert "PLAY [Mine]" in said and "TASK [Say it]" in said and "PLAY RECAP" in said, said
    assert "TASK [ops.runbook" not in said


LOST = """
all:
  vars:
    {ansible_host: 127.0.0.1, ansible_port: 9, ansible_user: deploy, operation_service: shop}
  children:
    laravel:
      hosts:
        web1:
      vars:
        laravel_service: shop
        laravel_path: /srv/shop
        laravel_repository: https://git.example.com/shop.git
        laravel_health: [{name: up, url: http://127.0.0.1/up}]
    compose:
      hosts:
        stack1:
      vars:
        compose_service: shop
        compose_project_dir: /srv/shop
        compose_health: [{name: up, url: http://127.0.0.1/up}]
        compose_images: {api: registry.example.com/shop}
    dokku:
      hosts:
        dokku1:
      vars: {dokku_app: shop, dokku_health: [{name: up, url: http://127.0.0.1/up}]}
"""
#: Every look that goes to a host of the inventory.
LOOKS = {
    "laravel_status": "laravel",
    "health_check": "laravel",
    "operation_history": "laravel",
    "ssh_key_audit": "laravel",
    "data_safety_check": "laravel",
    "compose_diagnose": "compose",
    "dokku_status": "dokku",
    "dokku_features": "dokku",
}


@pytest.mark.parametrize(("procedure", "target"), LOOKS.items(), ids=LOOKS)
def test_each_look_says_on_its_own_screen_what_to_do_for_a_host_that_is_lost(
    tmp_path: Path, procedure: str, target: str
) -> None:
    (tmp_path / "hosts.yml").write_text(LOST)
    more = ("-e", "path=/srv/shop") if procedure == "data_safety_check" else ()
    hosts = tmp_path / "hosts.yml"
    said = ansible(f"ops.runbook.{procedure}", "-e", f"target={target}", *more, inventory=hosts)
    assert "type: ssh -p 9 deploy@127.0.0.1" in " ".join(said.split()), said
    for unwanted in ("TASK", "RECAP", "\\n", "[ERROR]", "Traceback", "Task failed"):
        assert unwanted not in said, said
    assert len(said.splitlines()) < 15, said


#: A look or an operation -> a variable of the inventory, its value, and how the screen calls it.
WRONG_TYPES = {
    "laravel_status": ("laravel", "laravel_keep_releases: [a]", "laravel_keep_releases is '['a']'; it must be a whole"),
    "health_check": (
        "laravel",
        "laravel_health: up",
        "laravel_health has an entry that is a text; each of its entries",
    ),
    "compose_diagnose": ("compose", "compose_images: true", "compose_images is 'true'; it must be a mapping of names"),
    "compose_adopt": ("compose", "compose_images: true", "compose_images is 'true'; it must be a mapping of names"),
    "dokku_status": ("dokku", "dokku_health: up", "dokku_health has an entry that is a text; each"),
}


@pytest.mark.parametrize(("procedure", "case"), WRONG_TYPES.items(), ids=WRONG_TYPES)
def test_a_value_of_a_wrong_type_is_said_with_its_host_and_what_to_write(
    tmp_path: Path, procedure: str, case: tuple[str, str, str]
) -> None:
    target, line, wanted = case
    name = line.partition(":")[0]
    kept = "\n".join(one for one in LOST.splitlines() if not one.strip().startswith(f"{name}:"))
    kept = kept.replace(", dokku_health: [{name: up, url: http://127.0.0.1/up}]", "")
    (tmp_path / "hosts.yml").write_text(kept)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / f"{target}.yml").write_text(f"{line}\n")
    said = ansible(f"ops.runbook.{procedure}", "-e", f"target={target}", inventory=tmp_path / "hosts.yml")
    text = " ".join(said.split())
    assert wanted in text and f"Write {name}: " in text and "in the inventory. Nothing was contacted." in text, said
    assert any(f"FAILED on {host}:" in text for host in ("web1", "stack1", "dokku1")), said
    for unwanted in ("Validation of arguments", "unable to convert", "<class", "could not parse", "TASK", "[ERROR]"):
        assert unwanted not in said, said
