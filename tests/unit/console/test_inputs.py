# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs as people type them: a slip is never taken for a default."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.console import inputs, own_procedures
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Taken
from ansible_collections.ops.runbook.plugins.module_utils.host.actor import actor
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

EVERYTHING = own_procedures.everything(plain_yaml.load)
TAKEN = {one.name: own_procedures.taken(one.name, plain_yaml.load) for one in EVERYTHING}
ROLLBACK = TAKEN["laravel_rollback"]

#: What people type instead of an input. Some are inputs of another procedure, and a few are one of each.
SLIPS = (
    *("tp", "t", "yo", "too", "ot", "tto", "toi", "tO", "To", "TO", "t0"),
    *("version", "ver", "tags", "release_tag", "ref", "rev", "revision", "sha", "image", "sha256"),
    *("traget", "targets", "taget", "Target", "host", "hosts", "group", "server", "env", "environment", "stage"),
    *("dry_run", "dryrun", "dry-run", "check", "check_mode", "plan", "noop", "force", "yes", "skip"),
    *("lock_timeout", "lockwait", "lock_wiat", "lock_take_over", "lock", "serial", "batches", "parallel"),
    *("hot_fix", "hotfixes", "migrate", "migration", "Migrations", "migratoins", "run_migrations"),
    *("reasn", "reson", "reasons", "on_unhealty", "interupted", "interrupt", "discard_local_change", "discard_changes"),
    *("cadense", "repositry", "featur", "verify", "statee", "outputs", "formt", "secert"),
    *("laravel_paht", "laravel_too", "compose_servcie", "dokku_ap", "operation_lock_wiat", "health_urls"),
)


def refusals(taken: Taken, **typed: Any) -> str:
    names = inputs.unknown(typed, taken)
    return " ".join(inputs.name_refusals(typed, names, taken, lambda: EVERYTHING))


@pytest.mark.parametrize("name", TAKEN)
def test_no_procedure_takes_a_slip(name: str) -> None:
    """Sixty and more slips by every procedure: each is refused, with the nearest name or with all of them."""
    taken = TAKEN[name]
    assert len(SLIPS) > 60
    # What is a slip for one procedure may be an input of another.
    slips = [slip for slip in SLIPS if taken.procedure.input(slip) is None]
    assert len(slips) > len(SLIPS) - 3
    for slip in slips:
        said = refusals(taken, **{slip: "v1"})
        assert f"'{slip}' is" in said
        assert "did you mean" in said or "type --check" in said or "Its inputs: " in said, said


@pytest.mark.parametrize("name", TAKEN)
def test_inputs_of_a_procedure_pass(name: str) -> None:
    taken = TAKEN[name]
    typed = [
        *(one.name for one in taken.procedure.inputs),
        *(option for option in taken.options if option not in taken.settled),
        *taken.read,
        *("ansible_user", "ansible_become", "awx_job_id", "awx_user_name", "tower_user_name", "tower_job_id"),
    ]
    assert inputs.unknown(typed, taken) == []


NEAREST = {
    "tp": "to",
    "ot": "to",
    "too": "to",
    "TO": "to",
    "version": "to",
    "tag": "to",
    "commit": "to",
    "host": "target",
    "traget": "target",
    "migration": "migrations",
    "reasn": "reason",
    "lock_timeout": "lock_wait",
    "lock_take_over": "lock_takeover",
    "interupted": "interrupted",
    "serial": "batch",
    "laravel_paht": "laravel_path",
}


@pytest.mark.parametrize("typed", NEAREST)
def test_a_slip_is_answered_with_what_was_meant(typed: str) -> None:
    said = refusals(ROLLBACK, **{typed: "v1"})
    assert f"did you mean '{NEAREST[typed]}'? Type: -e {NEAREST[typed]}=v1." in said


@given(st.sampled_from([one.name for one in ROLLBACK.procedure.inputs if len(one.name) > 4]), st.data())
def test_one_slip_of_a_finger_is_always_noticed(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 2))
    slips = {
        "a letter left out": name[:place] + name[place + 1 :],
        "a letter doubled": name[: place + 1] + name[place:],
        "two letters swapped": name[:place] + name[place + 1] + name[place] + name[place + 2 :],
    }
    typed = slips[data.draw(st.sampled_from(sorted(slips)))]
    assert ROLLBACK.procedure.input(typed) or f"did you mean '{name}'?" in refusals(ROLLBACK, **{typed: "x"})


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"hotfix": "true"}, "laravel_deploy, and not of laravel_rollback."),
        ({"dry_run": "true"}, "to see what it would do, type --check."),
        ({"check_mode": "true"}, "to see what it would do, type --check."),
        ({"env": "x"}, "Its inputs: target, to, migrations, "),
        ({"operation_procedure": "deploy"}, "'operation_procedure' is settled by laravel_rollback"),
        ({"operation_hosts": "all"}, "'operation_hosts' is not an input of laravel_rollback"),
        ({"compose_service": "x"}, "'compose_service' is not an input of laravel_rollback"),
        ({"to\x1b[31mx": "x"}, "'tox' is not an input"),
    ],
)
def test_a_refusal_says_what_the_name_is(typed: dict[str, str], said: str) -> None:
    assert said in refusals(ROLLBACK, **typed)


def test_the_inputs_are_listed_once_for_all_names_without_a_near_one() -> None:
    said = refusals(ROLLBACK, env="x", region="y", too="v1")
    assert said.count("Its inputs:") == 1 and "did you mean 'to'" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secre", "canary-4d"),
        ("stat", "eyJhbGciOiJIUzI1NiJ9.canary-4d"),
        ("reasn", "a\ncanary-4d"),
        ("secrets", "canary-4d"),
    ],
)
def test_a_value_that_may_be_a_secret_is_not_repeated(name: str, value: str) -> None:
    said = refusals(TAKEN["laravel_maintenance"], **{name: value})
    assert "canary" not in said


def test_a_secret_that_was_typed_is_told_from_a_slip() -> None:
    said = refusals(TAKEN["compose_rotate_secrets"], OPENAI_API_KEY="canary-4d")
    assert "extra variable" in said and "-e values_file=<file>" in said and "canary" not in said


def test_names_of_ones_own_pass_by_their_pattern() -> None:
    assert inputs.unknown(["acme_region", "region", "env"], ROLLBACK, ["acme_*", "env"]) == ["region"]


def test_awx_is_told_from_the_job_that_configures_it() -> None:
    configure = TAKEN["awx_configure"]
    jobs = ["awx_job_template_name", "awx_user_last_name", "awx_schedule_id", "awx_project_scm_branch", "tower_job_id"]
    assert inputs.unknown(jobs, configure) == []
    assert inputs.unknown(["awx_organisation", "awx_schedule_zone"], configure) == [
        "awx_organisation",
        "awx_schedule_zone",
    ]


# -- the inventory ---------------------------------------------------------------------------------


def test_a_slip_of_the_inventory_is_noticed() -> None:
    names = ["laravel_paht", "laravel_servicez", "laravel_path", "operation_state_dri", "compose_servcie", "region"]
    assert inputs.misspelt(names, ROLLBACK) == ["laravel_paht", "laravel_servicez", "operation_state_dri"]
    said, way = inputs.inventory_refusals(["laravel_paht", "laravel_servers"], ROLLBACK)
    assert "'laravel_paht' (did you mean 'laravel_path'?), 'laravel_servers'" in said
    assert "operation_extra_vars_allowed" in way
    assert inputs.misspelt(["laravel_servers"], ROLLBACK, ["laravel_servers"]) == []


@pytest.mark.parametrize("name", [name for name, taken in TAKEN.items() if taken.procedure.guarded])
def test_variables_of_our_own_files_are_not_a_slip_of_the_inventory(name: str) -> None:
    assert inputs.misspelt([*TAKEN[name].own, *TAKEN[name].options], TAKEN[name]) == []
    assert {"operation_planned", "operation_decision"} <= own_procedures.remembered(plain_yaml.load)


# -- values ----------------------------------------------------------------------------------------

#: Procedure, input, value, and what is said of it.
VALUES: dict[str, tuple[str, str, Any, str]] = {
    "a number": ("laravel_rollback", "lock_wait", "abc", "is 'abc'; it must be a number: -e lock_wait=<a number>"),
    "a choice": ("laravel_rollback", "migrations", "bogus", "is 'bogus'; it must be refuse or keep or down"),
    "a switch": ("laravel_rollback", "discard_local_changes", "maybe", "is 'maybe'; it must be true or false"),
    "batches": ("laravel_rollback", "batch", "zz", "is 'zz'; it must be a number of hosts, a percentage"),
    "a whole number": ("operation_history", "limit", "2.5", "is '2.5'; it must be a whole number"),
    "a list of choices": ("ssh_key_audit", "fail_on", "overdue,foo", "has 'foo'; it takes overdue, weak, duplicate"),
    "a text": ("laravel_rollback", "to", ["v1"], "is '['v1']'; it must be a text"),
    "an option": ("laravel_rollback", "laravel_health_deadline", "x", "is 'x'; it must be a number"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_can_not_be_is_named_with_what_it_may_be(name: str) -> None:
    procedure, one, value, said = VALUES[name]
    (found,) = inputs.value_refusals({one: value}, TAKEN[procedure])
    assert found.startswith(f"{one} {said}") and "<class" not in found


@pytest.mark.parametrize(
    ("procedure", "typed"),
    [
        (
            "laravel_rollback",
            {"lock_wait": "30", "to": "v1", "migrations": "keep", "batch": "1,50%"},
        ),
        ("laravel_rollback", {"lock_wait": 30.5, "discard_local_changes": True, "batch": ["1", "100%"], "to": 12}),
        ("laravel_rollback", {"laravel_health_deadline": "{{ slow }}", "laravel_health": [{"url": "x"}]}),
        ("ssh_key_audit", {"fail_on": "overdue,weak"}),
        ("ssh_key_audit", {"fail_on": ["overdue"]}),
        ("operation_history", {"limit": 0, "output": "x.json"}),
    ],
)
def test_a_value_that_an_input_takes_passes(procedure: str, typed: dict[str, Any]) -> None:
    assert inputs.value_refusals(typed, TAKEN[procedure]) == []


@pytest.mark.parametrize("value", [1.1, datetime.date(2026, 1, 1)])
def test_a_fraction_is_not_taken_for_the_name_of_a_release(value: object) -> None:
    (said,) = inputs.value_refusals({"to": value}, ROLLBACK)
    assert said == f"to is '{value}' to YAML, and may be written in another way; put quotes around the text"


def test_the_value_of_a_secret_is_not_shown() -> None:
    assert "canary" not in inputs.value_problem("token", ["canary"], {"no_log": True})


@pytest.mark.parametrize(
    ("procedure", "name", "said"),
    [
        ("laravel_maintenance", "state", "state is not given: -e state=down or up"),
        (
            "github_protect",
            "repository",
            "repository is not given: -e repository=<value>. The repository as owner/name.",
        ),
    ],
)
def test_a_missing_input_is_named_in_one_plain_sentence(procedure: str, name: str, said: str) -> None:
    assert name in [one.name for one in inputs.required(TAKEN[procedure])]
    assert inputs.not_given(name, TAKEN[procedure].spec(name)) == said


@pytest.mark.parametrize("name", TAKEN)
def test_no_sentence_about_an_input_has_markup(name: str) -> None:
    taken = TAKEN[name]
    said = [inputs.not_given(one.name, taken.spec(one.name)) for one in taken.procedure.inputs]
    assert not [text for text in said if "V(" in text or "C(" in text or "The input" in text]


# -- who -------------------------------------------------------------------------------------------

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
def test_the_person_and_the_job_are_found(name: str) -> None:
    environment, variables, expected = ACTORS[name]
    assert actor(environment, variables, "ada", "bastion") == expected
