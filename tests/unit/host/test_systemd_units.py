# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of systemd units: read with one call, and judged in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.host.systemd_units import (
    SystemdError,
    UnitState,
    parse_show,
    problems,
    read_units,
    show_command,
    unit_name,
    unit_problem,
)

# As systemd 257 printed it.
SHOW = """\
Type=forking
MainPID=70
Result=success
NRestarts=0
Id=nginx.service
Names=nginx.service
LoadState=loaded
ActiveState=active
SubState=running
ActiveEnterTimestamp=Sat 2026-11-21 07:12:27 UTC

Type=
MainPID=0
Result=success
NRestarts=0
Id=nosuch.service
Names=nosuch.service
LoadState=not-found
ActiveState=inactive
SubState=dead
ActiveEnterTimestamp=

Result=success
Id=apt-daily.timer
Names=apt-daily.timer
LoadState=loaded
ActiveState=active
SubState=waiting
ActiveEnterTimestamp=Sat 2026-11-21 07:12:27 UTC
"""
UNITS = ("nginx", "nosuch", "apt-daily.timer")


def test_the_answer_of_systemctl_is_read_unit_by_unit() -> None:
    nginx, missing, timer = parse_show(SHOW, UNITS)
    assert nginx == UnitState(
        unit="nginx",
        id="nginx.service",
        load="loaded",
        active="active",
        sub="running",
        result="success",
        restarts=0,
        since="Sat 2026-11-21 07:12:27 UTC",
        main_pid=70,
        type="forking",
    )
    assert (missing.load, missing.since) == ("not-found", "") and timer.sub == "waiting"
    assert list(problems([nginx, missing, timer])) == ["nosuch"]


@pytest.mark.parametrize("units", [("nginx",), ("nosuch", "nginx", "apt-daily.timer"), ("a", "b", "c")])
def test_an_answer_that_does_not_fit_the_question_is_an_error(units: tuple[str, ...]) -> None:
    with pytest.raises(SystemdError):
        parse_show(SHOW, units)


def test_an_alias_is_the_unit_it_stands_for() -> None:
    text = "Id=mariadb.service\nNames=mariadb.service mysql.service\nLoadState=loaded\nActiveState=active\n"
    (state,) = parse_show(text, ["mysql"])
    assert (state.unit, state.id) == ("mysql", "mariadb.service")


def state(active: str = "active", sub: str = "running", **more: object) -> UnitState:
    known: dict[str, object] = {
        "unit": "queue",
        "id": "queue.service",
        "load": "loaded",
        "result": "success",
        "restarts": 0,
        "since": "",
        "main_pid": 7,
        "type": "simple",
    }
    return UnitState(active=active, sub=sub, **{**known, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        (state(), None),
        (state("reloading", "reload"), None),
        (state(sub="exited", type="oneshot"), None),
        (state(sub="waiting", id="x.timer", type=""), None),
        (state(sub="exited"), "its process has ended"),
        (state(sub="elapsed", id="x.timer", type=""), "has no next run"),
        (state("inactive", "dead"), "queue is not running (inactive, dead)"),
        (state("inactive", "dead", load="not-found"), "is not found on this host"),
        (state("inactive", "dead", load="masked"), "is masked"),
        (state("inactive", "dead", load="bad-setting"), "cannot read (bad-setting)"),
        (state("failed", "failed", result="exit-code"), "queue has failed (exit-code); its log: journalctl -u queue"),
        (
            state("activating", "auto-restart", result="exit-code", restarts=7),
            "dies and is restarted again and again (exit-code, 7 restarts)",
        ),
        (state("activating", "start", restarts=1), "still starting (start, 1 restart)"),
        (state("deactivating", "stop-sigterm"), "is stopping"),
        (state("maintenance", ""), "in the state maintenance"),
        (state("", ""), "in the state unknown"),
    ],
)
def test_a_unit_is_judged_in_one_sentence(unit: UnitState, said: str | None) -> None:
    problem = unit_problem(unit)
    assert problem is None if said is None else problem is not None and said in problem


@given(st.text(max_size=8).filter(lambda text: text not in ("active", "reloading")), st.text(max_size=8))
def test_only_a_unit_that_is_up_has_no_problem(active: str, sub: str) -> None:
    assert unit_problem(state(active, sub)) is not None


@pytest.mark.parametrize("name", ["", "-x", "a b", "*", "a/b", "x;y", ".service"])
def test_an_invalid_unit_name_is_refused(name: str) -> None:
    with pytest.raises(SystemdError):
        unit_name(name)


def test_one_call_reads_all_units() -> None:
    calls: list[Sequence[str]] = []

    def run(argv: Sequence[str]) -> tuple[int, str, str]:
        calls.append(argv)
        return 0, SHOW, ""

    assert [unit.unit for unit in read_units(UNITS, run)] == list(UNITS)
    assert calls == [show_command(UNITS)] and calls[0][-3:] == ["nginx.service", "nosuch.service", "apt-daily.timer"]
    assert read_units([], run) == [] and len(calls) == 1


def test_a_host_without_systemd_says_so() -> None:
    def missing(_argv: Sequence[str]) -> tuple[int, str, str]:
        raise FileNotFoundError

    with pytest.raises(SystemdError, match="systemctl is not on this host"):
        read_units(["nginx"], missing)
    with pytest.raises(SystemdError, match="code 1: System has not been booted"):
        read_units(["nginx"], lambda _argv: (1, "", "System has not been booted with systemd\nmore"))
