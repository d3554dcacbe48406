"""The objects that AWX should hold, and that AWX and the modules of awx.awx would take it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import awx_controller
import pytest
import yaml

from ansible_collections.ops.runbook.plugins.module_utils.awx.state import Settings, StateError, desired
from ansible_collections.ops.runbook.plugins.module_utils.console import procedures, systems
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[3]
FOUND = procedures.read(ROOT, plain_yaml.load)
SYSTEMS = systems.read(ROOT, plain_yaml.load).values()
SITE: dict[str, Any] = {
    "organization": "Operations",
    "project": "ops.runbook",
    "project_url": "https://git.example.com/ops/runbook.git",
    "inventories": [{"name": "production", "path": "inventories/production"}],
}
# The kind of each list in the state, and the module that makes it.
MODULES = {
    "credential_types": "credential_type",
    "execution_environments": "execution_environment",
    "notification_templates": "notification_template",
    "inventories": "inventory",
    "inventory_sources": "inventory_source",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "schedules": "schedule",
}


def state(**settings: Any) -> dict[str, Any]:
    return desired(FOUND, SYSTEMS, Settings(**{**SITE, **settings}))


def whole() -> dict[str, Any]:
    return state(
        execution_environment="ops.runbook",
        execution_environment_image="registry.example.com/ops/runbook-ee:0.1.0",
        staging={"laravel": "laravel_staging", "compose": "compose_staging"},
        notifications=[{"name": "on call", "type": "webhook"}],
        notify_on=["started", "success", "error"],
    )


def by_name(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    assert len({one["name"] for one in found}) == len(found)
    return {one["name"]: one for one in found}


def test_each_procedure_has_a_job_template_and_nothing_else_has() -> None:
    templates = by_name(state()["job_templates"])
    assert {*templates} == {one.name for one in FOUND} - {"awx_configure"}
    assert all((ROOT / one["playbook"]).is_file() for one in templates.values())
    assert {one["ask_variables_on_launch"] for one in templates.values()} == {False}


def test_the_state_is_plain_data_and_twice_the_same() -> None:
    assert yaml.safe_load(yaml.safe_dump(whole())) == whole()


def arguments(module: str) -> dict[str, Any]:
    """The argument spec of a module of awx.awx, read from its source."""
    assert awx_controller.MODULES is not None
    for node in ast.walk(ast.parse((awx_controller.MODULES / f"{module}.py").read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "argument_spec":
            assert isinstance(node.value, ast.Call)
            return {
                str(one.arg): {str(k.arg): _value(k.value) for k in one.value.keywords}
                for one in node.value.keywords
                if isinstance(one.value, ast.Call)
            }
    raise AssertionError(f"{module} has no argument spec")


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


@awx_controller.needs_modules
@pytest.mark.parametrize(("kind", "module"), MODULES.items())
def test_every_field_is_one_that_the_module_takes(kind: str, module: str) -> None:
    known = arguments(module)
    types = {"str": str, "bool": bool, "int": int, "dict": dict, "list": list}
    assert whole()[kind]
    for one in whole()[kind]:
        assert {*one} <= {*known}
        for name, value in one.items():
            assert isinstance(value, types[known[name].get("type", "str")]), name
            assert value in (known[name].get("choices") or [value]), name


def test_the_role_gives_each_field_to_its_module() -> None:
    tasks = yaml.safe_load((ROOT / "roles/awx/tasks/configure.yml").read_text())
    given: dict[str, set[str]] = {}
    for task in tasks:
        (action,) = (key for key in task if key.startswith("awx.awx."))
        given.setdefault(action[len("awx.awx.") :], set()).update(task[action])
    for kind, module in MODULES.items():
        assert {name for one in whole()[kind] for name in one} <= given[module], module
    assert {*whole()["project"]} <= given["project"]


def test_the_role_has_each_setting_with_its_default_and_no_other() -> None:
    specs = yaml.safe_load((ROOT / "roles/awx/meta/argument_specs.yml").read_text())["argument_specs"]
    options = {name.removeprefix("awx_"): option for name, option in specs["main"]["options"].items()}
    given = vars(Settings("Operations", "ops.runbook", "", ()))
    assert {*options} == {*given}
    found = {name: [*value] if isinstance(value, tuple) else value for name, value in given.items()}
    assert found == {name: option.get("default", found[name]) for name, option in options.items()}


def nodes_of(found: dict[str, Any], workflow: str) -> list[dict[str, Any]]:
    return [one for one in found["workflow_job_template_nodes"] if one["workflow_job_template"] == workflow]


def test_a_rollback_waits_for_an_approval_between_its_plan_and_itself() -> None:
    workflows = by_name(state()["workflow_job_templates"])
    assert {"laravel_rollback_approved", "compose_rollback_approved", "dokku_rollback_approved"} <= {*workflows}
    plan, approval, rollback = nodes_of(state(), "laravel_rollback_approved")
    assert (plan["job_type"], rollback["job_type"]) == ("check", "run")
    assert approval["approval_node"] == {
        "name": "Approve laravel_rollback",
        "description": "The job before this one shows the plan. Nothing has changed yet.",
        "timeout": 3600,
    }
    assert [one.get("success_nodes") for one in (plan, approval, rollback)] == [["approve"], ["roll back"], None]
    # The answers go to both jobs, so both are asked for the same.
    templates = by_name(state()["job_templates"])
    assert workflows["laravel_rollback_approved"]["survey_spec"] == templates["laravel_rollback"]["survey_spec"]


def test_a_promotion_asks_for_no_target_and_goes_to_staging_first() -> None:
    found = by_name(whole()["workflow_job_templates"])["laravel_promote"]
    assert "target" not in [item["variable"] for item in found["survey_spec"]["spec"]]
    nodes = nodes_of(whole(), "laravel_promote")
    assert [one.get("extra_data") for one in nodes] == [{"target": "laravel_staging"}, None, {"target": "laravel"}]
    assert [one["identifier"] for one in nodes] == ["staging", "approve", "production"]
    assert [one.get("success_nodes") for one in nodes] == [["approve"], ["production"], None]


def test_a_schedule_answers_what_its_procedure_asks() -> None:
    templates = by_name(state()["job_templates"])
    for one in state()["schedules"]:
        asked = {item["variable"] for item in templates[one["unified_job_template"]]["survey_spec"]["spec"]}
        assert {*one["extra_data"]} <= asked


def test_a_schedule_whose_job_would_miss_an_answer_is_left_out_and_named() -> None:
    without = state(procedures=["security_audit"])
    assert without["schedules"] == []
    assert without["schedules_left_out"] == [
        "Monday security audit: give awx_schedule_answers.security_audit: repository"
    ]
    found = state(procedures=["security_audit"], schedule_answers={"security_audit": {"repository": "example/shop"}})
    assert [one["extra_data"] for one in found["schedules"]] == [{"repository": "example/shop"}]
    assert found["schedules_left_out"] == []
    with pytest.raises(StateError, match="names 'security_audits'"):
        state(schedule_answers={"security_audits": {}})


def test_the_reminder_counts_from_the_last_rotation() -> None:
    found = by_name(state(keys_rotated="2026-03-02")["schedules"])
    assert found["SSH key rotation reminder"]["rrule"].startswith("DTSTART:20260302T")
    assert found["Weekly maintenance"]["rrule"].startswith("DTSTART:20260105T")
    assert state(schedules=False)["schedules"] == []


def test_procedures_are_chosen_and_what_belongs_to_them_comes_along() -> None:
    found = state(procedures=["laravel_*", "health_check"])
    assert {one["name"].partition("_")[0] for one in found["job_templates"]} == {"laravel", "health"}
    assert [one["name"] for one in found["workflow_job_templates"]] == ["laravel_rollback_approved"]
    assert found["schedules"] == []


def test_credentials_go_to_all_or_to_those_that_a_pattern_names() -> None:
    found = by_name(state(credentials=["ssh"], procedure_credentials={"dokku_re*": ["key", "ssh"]})["job_templates"])
    assert found["laravel_rollback"]["credentials"] == ["ssh"]
    assert found["dokku_restore"]["credentials"] == ["ssh", "key"]


def test_an_inventory_without_a_path_is_somebody_elses_to_fill() -> None:
    found = state(inventories=[{"name": "a", "path": "x", "project": "hosts"}, {"name": "b"}])
    assert [one["name"] for one in found["inventories"]] == ["a", "b"]
    assert [(one["source_project"], one["source_path"]) for one in found["inventory_sources"]] == [("hosts", "x")]
    assert all(one["ask_inventory_on_launch"] for one in found["job_templates"])


def test_a_survey_does_not_ask_for_what_a_credential_gives() -> None:
    given = {name for one in state()["credential_types"] for name in one["injectors"].get("extra_vars", {})}
    known = {one.name for found in FOUND for one in found.inputs}
    assert given <= known
    for one in state()["job_templates"]:
        assert not given & {item["variable"] for item in one["survey_spec"]["spec"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inventories": []}, "awx_inventories is empty"),
        ({"procedures": ["laravel_*", "larvel_status"]}, "awx_procedures names 'larvel_status'"),
        ({"procedure_credentials": {"git_*": ["x"]}}, r"awx_procedure_credentials names 'git_\*'"),
        ({"execution_environment_image": "x"}, "needs a name: give awx_execution_environment"),
        ({"staging": {"django": "x"}}, "awx_staging names 'django', and there is no job template django_deploy"),
        ({"staging": {"laravel": "x"}, "procedures": ["dokku_*"]}, "awx_staging names 'laravel'"),
    ],
)
def test_a_setting_that_does_nothing_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(StateError, match=message):
        state(**settings)
