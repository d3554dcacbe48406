# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A screen that shows an operation instead of the tasks that it is made of."""

from __future__ import annotations

DOCUMENTATION = r"""
name: operator
type: stdout
short_description: Show an operation, and not its tasks
version_added: 0.1.0
author: ops.runbook contributors (@ops-runbook)
description:
  - Shows the plan of an operation as a table, the phase that is under way, a refusal with what to type next, and how it
    ended on each host. What a procedure that changes nothing has to say is shown as it is.
  - A cause is shown once. Nothing is folded in the middle of a word, so that ids and commands can be copied.
  - On a terminal there are colours and a line with the time that passed. A log is plain.
  - Tasks that are not of this collection look as they always do, and with C(-v) all do.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  live:
    description: Whether a terminal gets a line with the phase that is under way and its seconds.
    type: bool
    default: true
    env:
      - name: OPS_RUNBOOK_LIVE
    ini:
      - section: callback_operator
        key: live
  width:
    description: Columns to fill. V(0) means those of the terminal, and 120 in a log.
    type: int
    default: 0
    env:
      - name: OPS_RUNBOOK_WIDTH
    ini:
      - section: callback_operator
        key: width
  last_line:
    description:
      - Whether that line also has, in a phase of more than some seconds, the step that is under way on the host and the
        last line of its output, without secrets.
      - It is read over the connection that Ansible holds open (C(ControlPersist)). Where there is none it is left out.
    type: bool
    default: true
    env:
      - name: OPS_RUNBOOK_LAST_LINE
    ini:
      - section: callback_operator
        key: last_line
requirements:
  - Set as C(stdout_callback) in the configuration.
"""

EXAMPLES = r"""
# In ansible.cfg. For one run: ANSIBLE_STDOUT_CALLBACK=ops.runbook.operator ansible-playbook ...
ansible.cfg: |
  [defaults]
  stdout_callback = ops.runbook.operator
"""

import atexit
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback.default import CallbackModule as Default

from ansible_collections.ops.runbook.plugins.module_utils.console import screen
from ansible_collections.ops.runbook.plugins.module_utils.console.glance import Seen
from ansible_collections.ops.runbook.plugins.module_utils.console.screen import Line
from ansible_collections.ops.runbook.plugins.module_utils.console.watch import CHANGING, PHASES, Watch, phase_of
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import NO_PLAN
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import cleaned, shown, told
from ansible_collections.ops.runbook.plugins.plugin_utils import argument_failure
from ansible_collections.ops.runbook.plugins.plugin_utils.glance import glance_at

OWN = Path(__file__).resolve().parents[2]
CENSORED = "its output is hidden, since it holds a secret"


#: Seconds of a phase before it is looked at what the host does.
LONG = 3.0
#: Seconds between two looks.
EVERY = 1.5


class Progress:
    """One line at the bottom of a terminal: what is under way, since when, and what a long step says."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._phase, self._hosts, self._since = "", [], 0.0  # type: tuple[str, list[str], float]
        self._looks: dict[str, Callable[[], Seen]] = {}
        self._seen = Seen()
        self._running = False

    def show(self, phase: str, hosts: Sequence[str], looks: Mapping[str, Callable[[], Seen]] | None = None) -> None:
        """Another phase begins, or a host of it; the clock runs on within a phase. looks: by host, what it does."""
        with self.lock:
            if phase != self._phase:
                self._since = time.monotonic()
            self._phase, self._hosts, self._looks, self._seen = phase, list(hosts), dict(looks or {}), Seen()
        if not self._running:
            self._running = True
            for turn in (self._turn, self._look):
                threading.Thread(target=turn, daemon=True).start()

    def stop(self) -> None:
        with self.lock:
            self._phase = ""
            self.wipe()

    def wipe(self) -> None:
        # Not through sys.stdout: a worker that is forked while its lock is held would wait for it for ever.
        if self._running:
            os.write(1, b"\r\x1b[K")

    def _turn(self) -> None:
        for mark in _marks():
            time.sleep(0.2)
            with self.lock:
                if self._phase:
                    took = screen.duration(time.monotonic() - self._since)
                    room = shutil.get_terminal_size().columns - 1
                    text = f"{mark} {self._phase}  {', '.join(self._hosts)}  {took}  "
                    text = (text + self._seen.within(room - len(text))).rstrip()
                    # The cursor stays in front, so that whoever else writes overwrites this line.
                    os.write(1, f"\r\x1b[K{shown(text)[:room]}\r".encode())

    def _look(self) -> None:
        while True:
            time.sleep(EVERY)
            with self.lock:
                phase, long = self._phase, time.monotonic() - self._since > LONG
                # One host is looked at: the line has no room for more.
                look = next((self._looks[host] for host in self._hosts if host in self._looks), None)
            if phase and long and look is not None:
                found = look()
                with self.lock:
                    self._seen = found if phase == self._phase else Seen()


def _marks() -> Any:
    while True:
        yield from "|/-\\"


class CallbackModule(Default):  # type: ignore[misc]
    """Keeps what the guard's tasks found, and shows it when a person has to know it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "ops.runbook.operator"

    def __init__(self) -> None:
        super().__init__()
        self._watch = Watch()
        self._progress = Progress()
        self._clock = time.monotonic
        self._began: float | None = None
        self._host_began: dict[tuple[str, str], float] = {}
        self._running: list[str] = []
        self._looks: dict[str, Callable[[], Seen]] = {}
        self._phase = ""
        self._play_due = False
        self._others = False
        self._diffs: list[str] = []
        # A host that could not be planned: the guard says so, unless there is no host left to say it on.
        self._unsaid: dict[str, Mapping[str, Any]] = {}
        self._open = False
        self._told = ""
        # True if the last line was empty, or there was none: two such in a row say nothing.
        self._gap = True
        self._process = os.getpid()
        atexit.register(self._left)

    # -- who is asked ----------------------------------------------------------------------------

    @property
    def _tasks_shown(self) -> bool:
        return bool(self._display.verbosity > 0)

    def _ours(self, task: Any) -> bool:
        """True if a task is of this collection, and is not to be seen."""
        if self._tasks_shown:
            return False
        role = getattr(task, "_role", None)
        if role is not None:
            return str(role.get_name()).startswith("ops.runbook.")
        path = str(task.get_path() or "").rpartition(":")[0]
        return bool(path) and OWN / "playbooks" in Path(path).resolve().parents

    def _columns(self) -> int:
        wanted = int(self.get_option("width"))
        if wanted > 0:
            return wanted
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else screen.LOG_WIDTH

    def _live(self) -> bool:
        terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        return terminal and bool(self.get_option("live"))

    def _say(self, *lines: Line) -> None:
        colours = {
            screen.GOOD: C.COLOR_OK,
            screen.BAD: C.COLOR_ERROR,
            screen.WARNING: C.COLOR_CHANGED,
            screen.HEAD: C.COLOR_HIGHLIGHT,
        }
        with self._progress.lock:
            self._progress.wipe()
            for line in lines:
                if not line.text and self._gap:
                    continue
                self._gap = not line.text
                self._display.display(shown(line.text), color=colours.get(line.tone))

    # -- plays and tasks -------------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if self._tasks_shown:
            super().v2_playbook_on_play_start(play)
            return
        self._began = self._clock() if self._began is None else self._began
        # Its title is shown when a task of it is.
        self._play, self._play_due = play, True

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if not self._ours(task):
            self._title_of_play()
            super().v2_playbook_on_task_start(task, is_conditional)
            return
        if task.action == "ops.runbook.operation_begin":
            self._watch, self._host_began = Watch(), {}
        self._running, self._looks = [], {}
        phase = _phase_of(task)
        # In a check, and after a refusal, what changes something is only skipped.
        if phase not in CHANGING or self._watch.decision.get("go"):
            self._phase = PHASES.get(phase, self._phase)
        if self._phase and self._live():
            self._progress.show(self._phase, self._running)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        if not self._ours(task):
            self._title_of_play()
            super().v2_playbook_on_handler_task_start(task)

    def _title_of_play(self) -> None:
        self._progress.stop()
        self._phase = ""
        if self._play_due:
            self._play_due = False
            super().v2_playbook_on_play_start(self._play)
        self._others = True

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if not self._ours(task):
            super().v2_runner_on_start(host, task)
            return
        self._running.append(host.get_name())
        phase = _phase_of(task)
        changing = phase in CHANGING and bool(self._watch.decision.get("go"))
        # A phase may have several tasks.
        began = changing and (phase, host.get_name()) not in self._host_began
        if began:
            self._open = True
            self._host_began[phase, host.get_name()] = self._clock()
        if self._live() and self._phase:
            if changing:
                self._remember_way(host, task)
            self._progress.show(self._phase, self._running, self._looks)
        elif began:
            self._say(Line(f"{host.get_name()}: {self._phase}"))

    def _remember_way(self, host: Any, task: Any) -> None:
        """How to look at a host while it works, if Ansible holds a connection to it."""
        if not self.get_option("last_line"):
            return
        plan = self._watch.planned.get(host.get_name(), {}).get("plan") or NO_PLAN
        try:
            glance = glance_at(self._play, host, task)
        except (AnsibleError, AttributeError, KeyError, TypeError, ValueError):
            # Nothing depends on it. What is wrong with a variable is said by the task that needs it, and how the
            # connection plugin names its socket is its own affair.
            return
        if glance is not None:
            self._looks[host.get_name()] = lambda: glance.look(plan)

    # -- results ---------------------------------------------------------------------------------

    def v2_runner_on_ok(self, result: Any) -> None:
        if not self._ours(result.task):
            super().v2_runner_on_ok(result)
            return
        kept = self._take(result)
        if kept == "operation_decision":
            self._show_plan()
        elif kept in ("operation_applied", "operation_recovered"):
            self._show_end(result)
        elif result.task.action in C._ACTION_DEBUG:
            self._show_message(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not self._ours(result.task):
            super().v2_runner_on_failed(result, ignore_errors)
            return
        kept = self._take(result)
        if kept in ("operation_applied", "operation_recovered"):
            self._show_end(result)
        elif kept == "operation_planned":
            self._unsaid[result.host.get_name()] = result.result
        elif not ignore_errors and kept in ("", "operation_named"):
            self._show_cause(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if not self._ours(result.task):
            super().v2_runner_on_unreachable(result)
            return
        kept = self._take(result, unreachable=True)
        if kept in ("operation_applied", "operation_recovered"):
            self._show_end(result)
        elif not kept and not result.task.ignore_unreachable:
            self._show_cause(result, "can't be reached: ")

    def v2_runner_on_skipped(self, result: Any) -> None:
        if not self._ours(result.task):
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if not self._ours(result.task):
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        if not self._ours(result.task):
            super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        if not self._ours(result.task):
            super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result: Any) -> None:
        if not self._ours(result.task):
            super().v2_runner_retry(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if not self._ours(included_file._task):
            super().v2_playbook_on_include(included_file)

    def v2_on_file_diff(self, result: Any) -> None:
        if not self._ours(result.task):
            super().v2_on_file_diff(result)
        elif result.result.get("changed") and result.result.get("diff"):
            # It belongs below the plan, which comes later.
            self._diffs.append(self._get_diff(cleaned(result.result["diff"])).rstrip("\n"))

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        if self._tasks_shown or self._others:
            super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._progress.stop()
        for host, failed in self._unsaid.items():
            self._say(*screen.block(f"FAILED on {host}: {_cause(failed)}", self._columns()))
        self._unsaid, self._open = {}, False
        if self._watch.operation:
            took = screen.duration(self._clock() - (self._began or 0.0))
            # A refusal says so itself.
            checked = context.CLIARGS["check"] and not self._watch.decision.get("refused")
            checked = "Nothing was changed: this was a check. " if checked else ""
            self._say(Line(""), Line(f"{checked}{took} in all"))
        if self._tasks_shown or self._others:
            super().v2_playbook_on_stats(stats)

    # -- what is shown ---------------------------------------------------------------------------

    def _take(self, result: Any, unreachable: bool = False) -> str:
        self._handle_warnings(result.result)
        found = cleaned({**result.result, **({"unreachable": True} if unreachable else {})})
        kept = self._watch.take(_phase_of(result.task), result.task.action, result.host.get_name(), found)
        if kept == "operation_decision":
            self._unsaid = {}
        return kept

    def _show_plan(self) -> None:
        watch, lines = self._watch, []
        if watch.decision.get("planned"):
            actor = watch.actor
            by = f", by {actor['user']} from {actor['controller']}" if actor.get("user") else ""
            lines = [Line(f"{watch.procedure}, operation {watch.operation}{by}", screen.HEAD), Line("")]
            lines += screen.plan_screen(watch.planned, self._columns())
        diffs, self._diffs = self._diffs, []
        self._say(*lines)
        for diff in diffs:
            # It has colours already, and was cleaned before it got them.
            self._say(Line(""))
            self._display.display(diff)
            self._gap = False
        if lines:
            self._say(Line(""))

    def _show_end(self, result: Any) -> None:
        """How a host came out of a phase; why is said at the end, once."""
        host, found = result.host.get_name(), result.result
        began = self._host_began.get((_phase_of(result.task), host), self._clock())
        took = screen.duration(self._clock() - began)
        self._running = [name for name in self._running if name != host]
        if result.is_unreachable():
            # It was reached when its lease was taken.
            word, tone = "the connection to it was lost, and it may have gone on by itself", screen.BAD
        elif found.get("healthy"):
            word, tone = "verified", screen.GOOD
            if (found.get("verified") or {}).get("unasked"):
                word = "done, its processes run; no endpoint was asked"
        elif found.get("reverted"):
            there = "no endpoint was asked there" if (found.get("verified") or {}).get("unasked") else "is well there"
            word, tone = f"not well, went back, and {there}", screen.WARNING
        else:
            word, tone = "not well", screen.BAD
        self._say(Line(f"{host}: {word}, {took}", tone))
        if self._live() and self._running:
            self._progress.show(self._phase, self._running, self._looks)

    def _show_message(self, result: Any) -> None:
        phase, found = _phase_of(result.task), result.result
        text = told(found.get("msg"))
        if phase == "open":
            # The table has the rest of it.
            once = [line for line in str(text).splitlines() if line.startswith("migrations: once")]
            self._say(*map(Line, once))
        elif phase == "close":
            self._say(Line(""), *screen.summary_screen(self._watch.outcomes, self._columns()))
        elif isinstance(text, str):
            self._told += text
            self._say(*map(Line, text.split("\n")))
        elif "_ansible_no_log" not in found or not found["_ansible_no_log"]:
            seen = {key: value for key, value in found.items() if not key.startswith("_") and key != "changed"}
            self._say(*map(Line, str(self._dump_results(cleaned(seen))).strip("\n").split("\n")))

    def _show_cause(self, result: Any, prefix: str = "") -> None:
        text = argument_failure.said(result) or _cause(result.result)
        if text in self._told:
            text = "see the reason above"
        self._told += text
        # The guard's message names the hosts itself.
        if _phase_of(result.task) not in ("refuse", "close"):
            word = "REFUSED" if result.result.get("refused") else "FAILED"
            text = f"{word} on {result.host.get_name()}: {prefix}{text}"
        self._say(Line(""), *screen.block(text, self._columns()))

    def _left(self) -> None:
        """Ansible ends without a word to its callbacks when it is interrupted."""
        if os.getpid() != self._process:
            return
        self._progress.stop()
        if self._open and self._watch.operation:
            to = screen.settled(self._watch.planned)
            same = f"The same command with -e to={to}" if to else "The same command again"
            self._say(
                Line(f"Interrupted while: {self._phase} on {', '.join(self._running) or '-'}", screen.BAD),
                Line(
                    f"Operation {self._watch.operation} may have gone on by itself: operation_history shows what was."
                ),
                # If each host has a target of its own, the guard names them once it is asked.
                *([] if to is None else [Line(f"{same} says what can be done.")]),
            )


def _phase_of(task: Any) -> str:
    return phase_of(str(task.get_path() or ""))


def _cause(result: Mapping[str, Any]) -> str:
    """Why a task failed, in its own words."""
    if result.get("_ansible_no_log") or result.get("censored"):
        return CENSORED
    failed = [_cause(item) for item in result.get("results") or [] if isinstance(item, Mapping) and item.get("failed")]
    if failed:
        return "\n".join(dict.fromkeys(failed))
    text = str(told(result.get("msg")) or result.get("stderr") or result.get("module_stderr") or "no reason was given")
    for prefix in ("Task failed: ", "Action failed: "):
        text = text.removeprefix(prefix)
    return text
