"""Plays a history on a host: `ansible-playbook` as a person types it, with faults, and then what the screen names."""

from __future__ import annotations

import contextlib
import json
import random
import shlex
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from controller import Controller
from lab import Host, Run

from histories import check, faults, said, warm
from histories.check import Facts, Surroundings
from histories.draw import BY_HAND, History, Kinds, Step
from histories.played import Played

#: How many lines a person types for one wish before the history is red.
LINES = 9
#: Faults after which a run may know less than the host.
_CUTS = (
    "kill_module", "kill_controller", "power_off", "reboot", "cut_session", "cut_connection", "cut_way", "state_full",
    "app_full", "second_operator",
)  # fmt: skip
#: Faults that last as long as the run.
AROUND = ("health_flaps", "reload_refused", "read_only", "ci_has_the_old_key")


class System(Protocol):
    """A system on a host of its lab."""

    kinds: Kinds
    name: str
    host: Any
    units: str
    releases: tuple[str, ...]
    trouble: tuple[str, ...]
    moves: tuple[str, ...]
    looks: tuple[str, ...]
    tasks: Mapping[str, str]
    final_refusals: tuple[str, ...]
    ends_at: str

    def look(self, plant: bool = False) -> Facts: ...

    def start(self, start: str) -> None: ...

    def line(self, act: str, argument: str) -> tuple[str, list[str]]: ...

    def given(self, procedure: str) -> list[str]: ...

    def good(self) -> tuple[str, list[str]]: ...

    def closing(self) -> Iterable[tuple[str, list[str]]]: ...

    def history_inputs(self) -> list[str]: ...

    def change(self, name: str) -> None: ...

    def mend(self) -> None: ...

    def leave(self) -> None: ...

    def tidy(self) -> None: ...

    def fill(self) -> None: ...

    def around(self, fault: str, moment: str) -> contextlib.AbstractContextManager[list[str]]: ...


class Red(Exception):
    """The history is red; its text says why."""


def merged(options: Sequence[str], more: Sequence[str]) -> list[str]:
    """Options with those of a way behind them; an input that is given again replaces the one before."""
    pairs = [tuple(options[place : place + 2]) for place in range(0, len(options), 2)]
    for place in range(0, len(more), 2):
        name = more[place + 1].partition("=")[0] if place + 1 < len(more) else ""
        pairs = [pair for pair in pairs if pair[1].partition("=")[0] != name]
        pairs.append((more[place], more[place + 1]))
    return [word for pair in pairs for word in pair]


def without(options: Sequence[str], *names: str) -> list[str]:
    pairs = [options[place : place + 2] for place in range(0, len(options), 2)]
    return [word for pair in pairs if pair[1].partition("=")[0] not in names for word in pair]


def command(way: said.Way) -> tuple[str, list[str]]:
    """The procedure and the options of a way that is a command of its own."""
    name, *options = way.words[1:]
    return name.removeprefix("ops.runbook."), options


def _again(way: said.Way) -> bool:
    """True for the same command once something else is as it should be, such as a registry that answers."""
    return way.kind == "words" and str(way).startswith("the same command again")


_DECISIONS = ("interrupted", "lock_takeover", "lock_wait")


class Player:
    """Plays one history."""

    def __init__(self, system: System, history: History, tell: Callable[[str], None] = lambda _text: None) -> None:
        self.system, self.history, self.tell = system, history, tell
        self.host: Host = system.host
        self.played = Played(history)
        self.around = Surroundings()
        self.before: Facts | None = None
        self.chance = random.Random(0)
        # The screens of the runs that were cut off, since the last one that came to its end.
        self.cut_off = ""
        self.noted = time.monotonic()
        # The fault of this step and its moment, until it has struck: a refusal has fewer writes than what follows it.
        self.due = ("", "")
        # The inputs of the line that was typed last.
        self.last: list[str] = []
        # The operation that was at work, and the one that was let in after it.
        self.let_in = ("", "")

    # -- a whole history -------------------------------------------------------------------------

    def play(self) -> Played:
        began = time.monotonic()
        try:
            self.system.start(self.history.start)
            self._note("(start)", [])
            for step in self.history.steps:
                self._step(step)
            self._end()
        except Red as red:
            self.played.problems.append(str(red))
        except Exception:
            # The other histories are played nevertheless.
            self.played.problems.append(f"the history could not be played: {traceback.format_exc()[-3000:]}")
        finally:
            with contextlib.suppress(Exception):
                faults.cancel(self.host)
                self.system.mend()
            self.system.leave()
        self.played.seconds = time.monotonic() - began
        return self.played

    def _note(self, line: str, problems: list[str]) -> None:
        now = time.monotonic()
        self.played.lines.append(f"{now - self.noted:4.0f} s  {line}")
        self.noted = now
        self.tell(f"{self.host.name}: {self.played.lines[-1]}")
        if problems:
            raise Red("; ".join(problems))

    def _look(self, plant: bool = False) -> Facts:
        found = self.system.look(plant)
        # While the database does not answer nobody knows its rows.
        return found if found.rows_seen or self.before is None else replace(found, rows=self.before.rows)

    def _step(self, step: Step) -> None:
        self.chance = random.Random(step.choice)
        self.before = self._look(plant=True)
        if step.act == BY_HAND:
            self._by_hand(step.argument)
            return
        procedure, inputs = self.system.line(step.act, step.argument)
        if step.act == "maintenance" and step.argument == "down":
            self._now(paged=True)
        self.due = (step.fault, step.moment)
        heard = self._typed(procedure, inputs, *self.due)
        if procedure in self.system.looks:
            return
        well = not (step.fault or self.around.troubled)
        if well and heard.outcome == "reverted" and step.argument.startswith("good="):
            raise Red(f"wish: {step.argument} is a good release, nothing was wrong with the host, and it went back")
        self._follow(procedure, inputs, heard)

    def _by_hand(self, name: str) -> None:
        self.system.change(name)
        self._now(
            troubled=self.around.troubled or name in self.system.trouble,
            edited=self.around.edited or name == "ledger_edited",
            moved=self.around.moved or name in self.system.moves,
        )
        self._judge(None, f"by hand: {name}")

    def _now(self, **changes: bool) -> None:
        self.around = Surroundings(**{**vars(self.around), **changes})

    # -- typed lines -----------------------------------------------------------------------------

    def _typed(self, procedure: str, inputs: list[str], fault: str = "", moment: str = "") -> said.Said:
        """Type one line, with a fault or without, and check what it led to."""
        self.last = inputs
        if not fault:
            run, was_cut, more = self._run(procedure, inputs), False, []
        else:
            with self.system.around(fault, moment) as more:
                run, was_cut = self._run_with(procedure, [*inputs, *more], fault, moment)
        return self._heard(procedure, [*inputs, *more], run, fault, was_cut)

    def _heard(self, procedure: str, inputs: list[str], run: Run, fault: str, was_cut: bool) -> said.Said:
        heard = said.read(run.text, run.code, self.chance.choice(self.system.releases))
        killed = was_cut or (not heard.ended and bool(fault))
        ending = heard.outcome or heard.code or f"exit {run.code}"
        if fault in ("reload_refused", "health_flaps") and not heard.green:
            self._now(troubled=True)
        plans = self.cut_off + run.text
        told = check.Run(
            heard.green, heard.refused, heard.outcome, heard.code, heard.operation, plans, heard.names_a_way, killed
        )
        self.cut_off = plans if killed or heard.refused else ""
        self._judge(told, f"{procedure} {shlex.join(inputs)}{f' !{fault}' if fault else ''}: {ending}", run.text)
        if heard.green:
            self._now(moved=False)
            if procedure.endswith("_maintenance") and "state=up" in inputs:
                self._now(paged=False)
        return heard

    def _judge(self, told: check.Run | None, line: str, text: str = "") -> None:
        after = self._look()
        assert self.before is not None
        self.played.screens += [f"$ {line}\n{text}"] if text else []
        self.played.checked += 1
        problems = check.judge(self.before, after, told, self.around, said.announced)
        self.before = after
        if self.around.edited and not check.records(after.ledger)[1]:
            self._now(edited=False)
        self._note(line, problems)

    def _run(self, procedure: str, inputs: Sequence[str]) -> Run:
        return Run(*self._raw(procedure, inputs))

    def _raw(self, procedure: str, inputs: Sequence[str]) -> tuple[int, str]:
        with self._controller(procedure, self._options(procedure, inputs)) as run:
            faults.until(lambda: run.ended, "the run ended")
            return run.raw()

    def _controller(self, procedure: str, options: Sequence[str], die_at: str = "") -> Controller:
        return Controller(self.host.name, procedure, *options, die_at=die_at, begin=warm.Warm)

    def _options(self, procedure: str, inputs: Sequence[str]) -> list[str]:
        return [*self.system.given(procedure), *inputs]

    # -- faults ----------------------------------------------------------------------------------

    def _run_with(self, procedure: str, inputs: list[str], fault: str, text: str) -> tuple[Run, bool]:
        """A run with a fault. Also True if it was cut off: it may know less than the host."""
        if fault in AROUND:
            self._has_struck(fault)
            return self._run(procedure, inputs), False
        moment = faults.Moment.parse(text)
        options = self._options(procedure, inputs)
        if moment.when == "task":
            task = self.system.tasks[moment.task].format(procedure=procedure.partition("_")[2])
            with self._controller(procedure, options, task) as run:
                ended = faults.wait(run)
                run.kill()
            self._settle()
            if ended.code < 0:
                self._has_struck(fault)
            return ended, ended.code < 0
        what = {"kill_module": "kill", "state_full": "full"}.get(fault, "hold")
        faults.order(self.host, what, moment)
        struck = ""
        with self._controller(procedure, options) as run:
            if what == "hold":
                struck = faults.awaited(self.host, lambda: run.ended)
                if struck:
                    self._strike(fault, run)
                faults.release(self.host)
            ended = faults.wait(run)
        struck = struck or faults.struck(self.host)
        faults.cancel(self.host)
        self.host.root("systemctl start ssh", check=False)
        self._settle()
        if struck:
            self._has_struck(fault)
        if ended.code and check.overtaken(self._look().ledger, *self.let_in):
            raise Red(f"lease: operation {self.let_in[1]} was let in while {self.let_in[0]} was at work")
        return ended, bool(struck) and fault in _CUTS

    def _has_struck(self, fault: str) -> None:
        self.played.struck[fault] += 1
        self.due = ("", "")

    def _strike(self, fault: str, run: Controller) -> None:
        if fault == "app_full":
            self.system.fill()
            return
        services = self.system.units
        faults.InTheMidst(self.host, services, self._second).strike(fault, run)

    def _settle(self) -> None:
        """A host finishes alone what it works at."""
        faults.until(lambda: not self._look().lease_lives, "the host has finished alone")

    def _second(self, _first: Controller) -> None:
        """Another operator comes while the first one is held."""
        self._now(alone=False)
        procedure, inputs = self.system.good()
        inputs = [*inputs, "-e", "reason=second"]
        # A lease that is left of a former operation says nothing about the one that is held.
        former = (self.before.lease or {}).get("operation") if self.before else None
        found = self._look()
        at_work = found.lease_lives
        try:
            with self._controller(procedure, self._options(procedure, inputs)) as second:
                # A write under the kernel's lock lets nobody look at the lease until it is done.
                faults.until(lambda: second.ended or faults.waits(self.host), "the second run ended, or waits")
                decided = second.ended
                if not decided:
                    faults.release(self.host)
                ended = faults.wait(second)
            heard = self._heard(procedure, inputs, ended, "", False)
            if decided and at_work and not heard.refused:
                raise Red("lease: an operation is at work, and a second one was let in")
            first = (found.lease or {}).get("operation")
            if first and first != former and not heard.refused:
                self.let_in = (str(first), heard.operation)
            ways = [way for way in heard.ways if way.kind == "inputs"]
            if decided and heard.refused and ways:
                self._second_goes_on(procedure, inputs, self.chance.choice(ways))
        finally:
            self._now(alone=True)

    def _second_goes_on(self, procedure: str, inputs: list[str], way: said.Way) -> None:
        """The other operator types one of the ways, and the first one is held until it counts."""
        before = self._look().lease
        with self._controller(procedure, merged(self._options(procedure, inputs), way.words)) as second:
            if "lock_wait" not in str(way):
                faults.until(
                    lambda: second.ended or faults.waits(self.host) or self._look().lease != before,
                    "the lease was taken",
                )
            faults.release(self.host)
            ended = faults.wait(second)
        self._settle()
        self._heard(procedure, [*inputs, *way.words], ended, "second_operator", True)

    # -- what a person types next ------------------------------------------------------------------

    def _follow(self, procedure: str, inputs: list[str], heard: said.Said) -> None:
        """Type what the screen names, until the wish is fulfilled, or a refusal is about the wish itself.

        A refusal names a way that was not typed yet, or it is red: each way works, or leads to another refusal.
        """
        tried: set[str] = set()
        again: set[str] = set()
        chosen, before, armed = None, heard, self.due
        for _ in range(LINES):
            if armed != self.due:
                # The fault struck: what was typed before it may be needed again.
                tried.clear()
                armed = self.due
            if heard.ended and not heard.refused and (heard.green or heard.outcome == "reverted"):
                return
            same = (heard.refused, heard.why, heard.ways) == (True, before.why, before.ways)
            if same and chosen is not None and not chosen.filled:
                raise Red(f"ways: `{chosen}` was typed, and the same refusal came again: {heard.code}")
            chosen, before = None, heard
            if not heard.refused:
                tried.clear()
                # It failed or was cut off. Somebody mends what no procedure mends.
                self._mended()
                procedure, inputs = self._again(procedure, inputs, heard, again)
                heard = self._typed(procedure, inputs, *self.due)
                continue
            chosen = self._choose(procedure, heard, tried)
            if chosen is None:
                self._mended()
                if self._is_wish(heard):
                    return
                inputs = without(inputs, *_DECISIONS)
            elif chosen.kind == "inputs":
                inputs = merged(without(inputs, *_DECISIONS), chosen.words)
            elif chosen.kind == "host":
                # The operator of the service is not root there.
                line = str(chosen)
                (self.host.root if line.startswith("sudo ") else self.host.deploy)(
                    line.removeprefix("sudo "), check=False
                )
                self._note(f"on the host: {chosen}", [])
            else:
                name, more = command(chosen)
                answer = self._typed(name, more, *self.due)
                if not answer.green:
                    procedure, inputs, heard = name, more, answer
                    continue
            heard = self._typed(procedure, inputs, *self.due)
        if heard.ended and not heard.refused and (heard.green or heard.outcome == "reverted"):
            return
        raise Red(
            f"ways: {LINES} lines were typed as the screens said, and the last one is "
            + (heard.outcome or heard.code or "red")
        )

    def _again(self, procedure: str, inputs: list[str], heard: said.Said, typed: set[str]) -> tuple[str, list[str]]:
        """The line after a run that failed: one that it names, or the same again.

        typed: those that were typed after a failure; one that was not is chosen first, and added.
        """
        named = [way for way in heard.ways if way.kind == "procedure"]
        if named:
            chosen = self.chance.choice([way for way in named if str(way) not in typed] or named)
            typed.add(str(chosen))
            return command(chosen)
        return procedure, without(inputs, *_DECISIONS)

    def _choose(self, procedure: str, heard: said.Said, tried: set[str]) -> said.Way | None:
        """One of the ways that can be typed; None if a person has to mend something, or wants something else.

        tried: the ways that were typed since a line was not refused; the chosen one is added.
        """
        # Nobody waits for a dead one; -l is this host already.
        able = [
            way
            for way in heard.ways
            if way.kind != "words" and "lock_wait=" not in str(way) and way.words[:1] not in (("-l",), ("-u",))
        ]
        fresh = [way for way in able if f"{procedure} {heard.code} {way}" not in tried]
        chosen = self.chance.choice(fresh) if fresh else None
        mark = f"{procedure} {heard.code} {chosen}"
        if chosen is None and able and mark not in tried and any(_again(way) for way in heard.ways):
            # Somebody mends what it waits for, and types it again.
            tried.add(mark)
            return None
        if chosen is None and (able or mark in tried) and not self._is_wish(heard):
            raise Red(f"ways: the refusal {heard.code} names nothing but what was typed already")
        tried.add(mark)
        return chosen

    def _is_wish(self, heard: said.Said) -> bool:
        """True if the refusal is about the wish, such as a release that is never served: nothing is to be mended."""
        return heard.code in self.system.final_refusals

    def _mended(self) -> None:
        self.system.mend()
        self._now(troubled=False)

    def _end(self) -> None:
        """Nothing red stays: one command, and the ways that it names, bring the service to a good release."""
        self.due = ("", "")
        self.last: list[str] = []
        self._mended()
        self.before = self._look(plant=True)
        self.chance = random.Random(len(self.history.steps))
        for procedure, inputs in self.system.closing():
            self._follow(procedure, inputs, self._typed(procedure, inputs))
            if not set(inputs) <= set(self.last):
                # A way led to another good release: the wish is typed again.
                self._follow(procedure, inputs, self._typed(procedure, inputs))
        after = self._look()
        problems = []
        if after.one != self.system.ends_at:
            problems.append(f"end: {sorted(set(after.answers))} at the end, and {self.system.ends_at} was asked for")
        if after.lease is not None or after.journal:
            problems.append("end: a lease or a journal is left at the end")
        inputs = ["-e", "format=json", "-e", "limit=0", *self.system.history_inputs()]
        problems += check.history(after, shown(self._raw("operation_history", inputs)[1], self.host.name))
        self._note("(end)", problems)


def shown(text: str, host: str) -> dict[str, Any]:
    """The document that a run printed for a host."""
    begin = text.find('"msg": {')
    if begin < 0:
        return {}
    try:
        document, _ = json.JSONDecoder().raw_decode(text[begin + len('"msg": ') :])
    except ValueError:
        return {}
    found: dict[str, Any] = document.get("hosts", {}).get(host, {})
    return found


def play(system: System, history: History, tell: Callable[[str], None] = lambda _text: None) -> Played:
    return Player(system, history, tell).play()
