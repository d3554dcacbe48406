# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of an application about itself, and the output beside them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.host import load
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands, CommandTimedOut, Output
from ansible_collections.ops.runbook.plugins.module_utils.laravel import probe
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations import trial

MARK, END = "@@ops-runbook-answer@@", "@@ops-runbook-end@@"
ANSWER = f'{MARK}{{"php": "8.4.1"}}{END}'

PRINTED: dict[str, tuple[str, object]] = {
    "the answer alone": (ANSWER, "8.4.1"),
    "words before it": (f"Deprecated: x\n{ANSWER}", "8.4.1"),
    "a shutdown function after it": (f"{ANSWER}\nPHP Deprecated:  y in z.php {{}}\n", "8.4.1"),
    "a destructor that prints a brace": (f"{ANSWER}}}", "8.4.1"),
    "the mark in what it prints before": (f"{MARK} is not an answer\n{ANSWER}", "8.4.1"),
    "cut in the middle": (f'{MARK}{{"php": "8.', None),
    "cut before its end": (f'{MARK}{{"php": "8.4.1"}}', None),
    "no mapping": (f"{MARK}[1]{END}", None),
    "deeply nested": (f"{MARK}{'[' * 100000}{END}", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize("name", PRINTED)
def test_an_answer_is_read_out_of_whatever_is_printed_around_it(name: str) -> None:
    printed, php = PRINTED[name]
    answer = probe.parse(printed)
    assert (answer["php"] if answer else None) == php


@given(st.text(), st.text())
def test_no_output_is_a_crash(before: str, after: str) -> None:
    probe.parse(before + MARK + after)
    probe.parse(before + END + after)
    assert probe.parse(before.replace("@", "") + ANSWER + after.replace("@", "")) == {"php": "8.4.1"}


@dataclass
class Spoken(Commands):
    """Commands that say these things one after the other: an answer, or why there is none."""

    says: list[Any] = field(default_factory=list)

    def run(self, argv: Sequence[str], *_: object, **__: object) -> Output:
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return Output(0, f"{MARK}{json.dumps(said)}{END}", "") if isinstance(said, Mapping) else Output(255, "", said)


BARE = {"php": "8.4.1", "database": {"applied": ["a"]}}


def test_a_slow_application_is_not_one_that_does_not_boot(tmp_path: Path) -> None:
    commands = Spoken(str(tmp_path), says=[CommandTimedOut("php did not end within 60 s and was stopped"), BARE])
    answer = probe.ask(commands, ["php"], {"migrations": True})
    assert "boot_error" not in answer
    assert answer == {**BARE, "unanswered": "PHP gave no answer within 60 s"}


def test_a_fatal_error_is_one(tmp_path: Path) -> None:
    commands = Spoken(str(tmp_path), says=["PHP Parse error: x", BARE])
    answer = probe.ask(commands, ["php"], {"migrations": True})
    assert "Parse error" in answer["boot_error"] and "unanswered" not in answer
    assert answer["database"] == BARE["database"]


TRIED: dict[str, tuple[Any, str, str]] = {
    "its SQL": ({"kind": "ok", "sql": ["drop table x"], "ran": True}, "ok", ""),
    "too slow": (CommandTimedOut("stopped"), "untried", "up() could not be tried within 20 s"),
    "a crash": ("Segmentation fault", "untried", "PHP ended while it was tried: PHP ended with 255"),
    "no boot without programs": ({"boot_error": "Call to undefined function exec()"}, "untried", "does not boot in a"),
    "an answer that says nothing": ({"php": "8.4.1"}, "untried", ""),
}


@pytest.mark.parametrize("name", TRIED)
def test_only_a_migration_that_was_run_to_its_end_counts_as_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(load, "busy", lambda: 1.0)
    said, kind, why = TRIED[name]
    found = trial.attempt(Spoken(str(tmp_path), says=[said]), ["php"], "/x.php", "up")
    assert found["kind"] == kind
    assert why in found["error"]


def test_a_process_that_does_not_end_is_stopped_in_its_time(tmp_path: Path) -> None:
    script = "import signal; signal.pause()"
    with pytest.raises(probe.NoAnswerInTime):
        probe.run(Commands(str(tmp_path)), [sys.executable, "-c", script], "<?php", {}, 0.5)


@pytest.mark.parametrize(
    ("busy", "left", "limit"), [(1.0, None, 20.0), (1.0, 5.0, 5.0), (3.0, None, 60.0), (3.0, 50.0, 50.0)]
)
def test_a_busy_machine_has_longer_to_try_a_migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: float, left: float | None, limit: float
) -> None:
    limits: list[Any] = []
    monkeypatch.setattr(load, "busy", lambda: busy)
    monkeypatch.setattr(probe, "run", lambda *given: (limits.append(given[-1]), {"kind": "ok"})[1])
    trial.attempt(Commands(str(tmp_path)), ["php"], "/x.php", "up", left)
    assert limits == [limit]
