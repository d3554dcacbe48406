# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The terminal or the log of `ops-runbook`: its colours, its width, its tables, and the screen of a run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

LOG_WIDTH = 120


def console(stderr: bool = False) -> Console:
    """Colours on a terminal only, and a log that is as wide wherever it is written."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else LOG_WIDTH
    plain = uncoloured() or not stream.isatty()
    return Console(stderr=stderr, highlight=False, width=width, soft_wrap=False, no_color=plain)


def uncoloured() -> bool:
    """True if the person wants no colours anywhere, as https://no-color.org and Ansible let them say."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("ANSIBLE_NOCOLOR", "").lower() in (
        *("1", "true", "yes", "on", "y", "t"),
    )


def show(out: Console, table: Table) -> None:
    """A table; in a log without the spaces that fill its last column."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as capture:
        out.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


class Screen:
    """The screen of a run: the callback's output, and below it, on a terminal, the work under way.

    silent: nothing of it is shown. held: it is shown at the end, by release.
    """

    def __init__(self, out: Console, silent: bool = False, held: bool = False) -> None:
        self._out, self._silent = out, silent
        self._held: list[Text] | None = [] if held else None
        self._status = out.status("connecting") if out.is_terminal and not held else None
        self._phase, self._since = "", time.monotonic()

    def __enter__(self) -> Screen:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if self._status:
            self._status.stop()
        if error:
            self.release()

    def release(self) -> None:
        """Show what was held back."""
        for text in self._held or ():
            self._out.print(text, soft_wrap=True)
        self._held = None

    def event(self, event: Mapping[str, Any], events: Any) -> None:
        text = str(event.get("stdout") or "")
        if text and not self._silent:
            # As it came: it has its colours, and was folded by whoever made it.
            part = Text.from_ansi(text.replace("\r\n", "\n").rstrip("\n"))
            if self._held is None:
                self._out.print(part, soft_wrap=True)
            else:
                self._held.append(part)
        if self._status and events.phase != self._phase:
            self._phase, self._since = events.phase, time.monotonic()
            self._status.update(Elapsed(self._phase, ", ".join(events.hosts)))

    def say(self, text: str) -> None:
        console(stderr=True).print(text, markup=False, soft_wrap=True)


class Elapsed:
    """A text that is made anew whenever it is drawn."""

    def __init__(self, phase: str, hosts: str) -> None:
        self._phase, self._hosts, self._since = phase, hosts, time.monotonic()

    def __rich__(self) -> str:
        return f"{self._phase}  {self._hosts}  {time.monotonic() - self._since:.0f} s"
