# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs as people type them: a slip is never taken for a default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.operator_inputs import INPUTS, actor, misspelt

SLIPS = {
    "too": "to",
    "ot": "to",
    "tto": "to",
    "tp": "",
    "TO": "to",
    "To": "to",
    "migration": "migrations",
    "Migrations": "migrations",
    "reasn": "reason",
    "lockwait": "lock_wait",
    "lock_wiat": "lock_wait",
    "lock_take_over": "lock_takeover",
    "on_unhealty": "on_unhealthy",
    "interupted": "interrupted",
    "discard_local_change": "discard_local_changes",
    "traget": "target",
}


@pytest.mark.parametrize("typed", SLIPS)
def test_a_slip_is_noticed(typed: str) -> None:
    assert misspelt([typed]) == ({typed: SLIPS[typed]} if SLIPS[typed] else {})


OTHERS = [
    "ansible_user",
    "ansible_become",
    "laravel_path",
    "laravel_repository",
    "operation_state_dir",
    "operation_reason_required",
    "awx_job_id",
    "tower_user_name",
    "verbosity",
    "env",
    "region",
    "host",
    "tag",
    "x",
]


def test_other_variables_are_let_through() -> None:
    assert misspelt(OTHERS) == {}
    assert misspelt(INPUTS) == {}


@given(st.sampled_from([name for name in INPUTS if len(name) > 4]), st.data())
def test_one_slip_of_a_finger_is_always_noticed(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 2))
    slips = {
        "a letter left out": name[:place] + name[place + 1 :],
        "a letter doubled": name[: place + 1] + name[place:],
        "two letters swapped": name[:place] + name[place + 1] + name[place] + name[place + 2 :],
    }
    typed = slips[data.draw(st.sampled_from(sorted(slips)))]
    assert typed in INPUTS or typed in misspelt([typed])


ACTORS = {
    "at a terminal": ({}, {}, {"user": "ada", "controller": "bastion", "via": "ansible-playbook", "job": ""}),
    "AWX": (
        {},
        {"awx_job_id": 7, "awx_user_name": "eve"},
        {"user": "eve", "controller": "bastion", "via": "awx", "job": "7"},
    ),
    "AWX, by its schedule": (
        {},
        {"awx_job_id": 7},
        {"user": "schedule", "controller": "bastion", "via": "awx", "job": "7"},
    ),
    "Tower": (
        {},
        {"tower_job_id": 8, "tower_user_name": "eve"},
        {"user": "eve", "controller": "bastion", "via": "awx", "job": "8"},
    ),
    "GitHub": (
        {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "eve", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "9"},
        {},
        {"user": "eve", "controller": "bastion", "via": "github", "job": "o/r#9"},
    ),
    "GitLab": (
        {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "eve", "CI_JOB_URL": "https://gitlab.example.com/1"},
        {},
        {"user": "eve", "controller": "bastion", "via": "gitlab", "job": "https://gitlab.example.com/1"},
    ),
    "a runner": (
        {"AWX_ISOLATED_DATA_DIR": "/runner"},
        {},
        {"user": "ada", "controller": "bastion", "via": "ansible-runner", "job": ""},
    ),
}


@pytest.mark.parametrize("name", ACTORS)
def test_who_runs_this(name: str) -> None:
    environment, variables, expected = ACTORS[name]
    assert actor(environment, variables, "ada", "bastion") == expected
