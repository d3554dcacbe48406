"""The playbook and the modules of awx.awx, against a fake that keeps and refuses as AWX does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx_controller import Controller, needs_modules, running
from many_playbooks import environment, playbook

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[3]
SITE: dict[str, Any] = {
    "awx_project_url": "https://git.example.com/ops/runbook.git",
    "awx_inventories": [{"name": "production", "path": "inventories/production"}],
    "awx_credentials": ["deploy SSH"],
    "awx_execution_environment": "ops.runbook",
    "awx_execution_environment_image": "registry.example.com/ops/runbook-ee:0.1.0",
    "awx_staging": {"laravel": "laravel_staging"},
    "awx_procedures": ["laravel_rollback", "laravel_deploy", "ssh_key_audit"],
    "awx_notifications": [
        {"name": "on call", "type": "webhook", "configuration": {"url": "https://hooks.example.com/canary-9f2c"}}
    ],
}


def configure(controller: Controller, folder: Path, *words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    site = folder / "awx.yml"
    site.write_text(yaml.safe_dump({**SITE, **settings}))
    env = {"CONTROLLER_HOST": controller.url, "CONTROLLER_OAUTH_TOKEN": controller.token}
    return playbook("playbooks/awx_configure.yml", "-e", f"@{site}", *words, env={**environment(), **env})


@pytest.fixture
def controller() -> Iterator[Controller]:
    with running({f"playbooks/{path.name}" for path in ROOT.glob("playbooks/*.yml")}) as found:
        found.add_credential("deploy SSH")
        yield found


def test_check_shows_everything_and_asks_no_controller(controller: Controller, tmp_path: Path) -> None:
    ran = configure(controller, tmp_path, "--check")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert controller.requests == []
    for shown in (
        "laravel_rollback_approved",
        "DTSTART:20260105T080000Z RRULE:",
        '"question_name": "migrations"',
        "on call",
    ):
        assert shown in ran.stdout
    assert "canary-9f2c" not in ran.stdout + ran.stderr


@needs_modules
def test_awx_holds_what_was_wanted_and_a_second_run_mends_what_somebody_changed(
    controller: Controller, tmp_path: Path
) -> None:
    ran = configure(controller, tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "canary-9f2c" not in ran.stdout + ran.stderr
    assert {one["name"] for one in controller.objects["job_templates"].values()} == {*SITE["awx_procedures"]}
    rollback = controller.named("job_templates", "laravel_rollback")
    survey = {item["variable"]: item for item in controller.surveys[rollback["id"]]["spec"]}
    assert survey["migrations"]["choices"] == ["refuse", "keep", "down"]
    assert (survey["to"]["default"], survey["to"]["min"]) == ("previous", 1)
    assert controller.related[rollback["id"], "credentials"] == [controller.named("credentials", "deploy SSH")["id"]]
    nodes = controller.nodes("laravel_rollback_approved")
    assert {name: node["then"] for name, node in nodes.items()} == {
        "plan": ["approve"],
        "approve": ["roll back"],
        "roll back": [],
    }
    assert (
        controller.objects["workflow_approval_templates"][nodes["approve"]["unified_job_template"]]["timeout"] == 3600
    )
    assert controller.nodes("laravel_promote")["staging"]["extra_data"] == {"target": "laravel_staging"}
    assert [one["name"] for one in controller.objects["schedules"].values()] == ["SSH key rotation reminder"]

    before = json.dumps(controller.objects)
    controller.requests.clear()
    # Somebody changed one template by hand.
    controller.objects["job_templates"][rollback["id"]]["ask_variables_on_launch"] = True
    controller.surveys[rollback["id"]]["spec"][1]["default"] = "main"
    controller.related[rollback["id"], "credentials"].clear()
    mended = configure(controller, tmp_path)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert " changed=1 " in mended.stdout
    assert json.dumps(controller.objects) == before
    assert controller.surveys[rollback["id"]]["spec"][1]["default"] == "previous"
    assert controller.related[rollback["id"], "credentials"]
    # A field that a module compares in its own way is sent again; what AWX then holds is the same.
    writes = {(method, path) for method, path in controller.writes() if not path.startswith(rollback["url"])}
    assert {method for method, _path in writes} <= {"PATCH"}, writes


@needs_modules
def test_a_credential_that_is_not_there_is_named(controller: Controller, tmp_path: Path) -> None:
    ran = configure(controller, tmp_path, awx_credentials=["deploy key"], awx_procedures=["laravel_deploy"])
    assert ran.returncode != 0
    assert "deploy+key" in ran.stdout + ran.stderr


def test_a_setting_that_fits_nothing_is_refused_before_the_controller_is_asked(
    controller: Controller, tmp_path: Path
) -> None:
    ran = configure(controller, tmp_path, awx_procedures=["larvel_*"])
    assert ran.returncode != 0
    assert "awx_procedures names 'larvel_*', and no procedure is called so" in ran.stdout + ran.stderr
    assert controller.requests == []


def test_the_whole_collection_is_taken(controller: Controller, tmp_path: Path) -> None:
    """Each survey, workflow and schedule of all procedures, by the rules of the fake."""
    from ansible_collections.ops.runbook.plugins.module_utils.awx import state as awx_state
    from ansible_collections.ops.runbook.plugins.module_utils.console import procedures, systems

    state = awx_state.desired(
        procedures.read(ROOT, plain_yaml.load),
        systems.read(ROOT, plain_yaml.load).values(),
        awx_state.Settings(
            organization="o",
            project="p",
            project_url="https://git.example.com/x.git",
            inventories=[{"name": "i"}],
            staging={"laravel": "s", "compose": "s"},
            schedule_answers={"security_audit": {"repository": "example/shop"}},
        ),
    )
    organization = controller._keep("organizations", {"name": "o"})["id"]
    project = controller._keep("projects", {"name": "p", "organization": organization})["id"]
    inventory = controller._keep("inventories", {"name": "i", "organization": organization})["id"]
    for one in state["credential_types"]:
        controller._keep("credential_types", one)
    for one in state["job_templates"]:
        given = {key: one[key] for key in one if key not in {"credentials", "execution_environment", "survey_spec"}}
        made = controller._keep("job_templates", {**given, "project": project, "inventory": inventory})
        controller.answer("POST", f"{made['url']}survey_spec/", {}, one["survey_spec"])
    for workflow in state["workflow_job_templates"]:
        made = controller._keep("workflow_job_templates", {"name": workflow["name"], "organization": organization})
        controller.answer("POST", f"{made['url']}survey_spec/", {}, workflow["survey_spec"])
    for node in state["workflow_job_template_nodes"]:
        if "unified_job_template" in node:
            template = controller.named("job_templates", node["unified_job_template"])
            workflow = controller.named("workflow_job_templates", node["workflow_job_template"])
            given = {key: node[key] for key in ("identifier", "extra_data", "job_type") if key in node}
            given |= {"workflow_job_template": workflow["id"], "unified_job_template": template["id"]}
            controller._keep("workflow_job_template_nodes", given)
    for one in state["schedules"]:
        template = controller.named("job_templates", one["unified_job_template"])
        given = {key: one[key] for key in ("name", "description", "rrule", "extra_data", "enabled")}
        controller._keep("schedules", {**given, "unified_job_template": template["id"]})
    assert len(controller.objects["schedules"]) == len(state["schedules"]) > 4
    assert len(controller.objects["job_templates"]) == len(state["job_templates"]) > 25
