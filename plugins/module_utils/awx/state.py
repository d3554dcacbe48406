# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that AWX should hold for these procedures, as plain data.

Each list holds the arguments of a module of the collection awx.awx. No secret is in it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.awx import schedule as awx_schedule
from ansible_collections.ops.runbook.plugins.module_utils.awx import survey as awx_survey
from ansible_collections.ops.runbook.plugins.module_utils.console import schedules as calendar
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Procedure
from ansible_collections.ops.runbook.plugins.module_utils.console.systems import System

#: The role that makes all this is operated from outside.
ITSELF = "awx"


class StateError(ValueError):
    """A setting that AWX could do nothing with."""


@dataclass(frozen=True)
class Settings:
    """Settings of a site: the options of the role awx, without their prefix."""

    organization: str
    project: str
    project_url: str
    inventories: Sequence[Mapping[str, Any]]
    project_branch: str = ""
    project_credential: str = ""
    playbook_dir: str = "playbooks"
    execution_environment: str = ""
    execution_environment_image: str = ""
    execution_environment_pull: str = "missing"
    procedures: Sequence[str] = ("*",)
    credentials: Sequence[str] = ()
    procedure_credentials: Mapping[str, Sequence[str]] = field(default_factory=dict)
    staging: Mapping[str, str] = field(default_factory=dict)
    approval_timeout: int = 3600
    schedules: bool = True
    schedule_start: str = "2026-01-05"
    schedule_timezone: str = calendar.UTC
    schedule_answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keys_rotated: str = ""
    notifications: Sequence[Mapping[str, Any]] = ()
    notify_on: Sequence[str] = ("error",)


def desired(procedures: Iterable[Procedure], systems: Collection[System], settings: Settings) -> dict[str, Any]:
    """Everything that AWX should hold, in the order in which it can be made."""
    if not settings.inventories:
        raise StateError("awx_inventories is empty: a job template needs an inventory to work on")
    if settings.execution_environment_image and not settings.execution_environment:
        raise StateError("awx_execution_environment_image needs a name: give awx_execution_environment as well")
    every = [one for one in procedures if one.role != ITSELF]
    wanted = [one for one in every if _matches(one.name, settings.procedures)]
    _refuse_what_matches_nothing(every, wanted, settings)
    scheduled, left_out = _schedules(wanted, systems, settings) if settings.schedules else ([], [])
    workflows = [*_rollbacks(wanted, settings), *_promotions(wanted, settings)]
    return {
        "organization": {"name": settings.organization},
        # A job's container has no files of a person: a credential writes one into it, and names it.
        "credential_types": [dict(one) for system in systems for one in system.credential_types],
        "execution_environments": _execution_environments(settings),
        "notification_templates": [
            {
                "name": one["name"],
                "organization": settings.organization,
                "notification_type": one["type"],
            }
            for one in settings.notifications
        ],
        "project": {
            "name": settings.project,
            "description": "The procedures of ops.runbook.",
            "organization": settings.organization,
            "scm_type": "git",
            "scm_url": settings.project_url,
            "scm_branch": settings.project_branch,
            "credential": settings.project_credential,
            "scm_clean": True,
            "default_environment": settings.execution_environment,
        },
        "inventories": [{"name": one["name"], "organization": settings.organization} for one in settings.inventories],
        "inventory_sources": [_source(one, settings) for one in settings.inventories if one.get("path")],
        "job_templates": [_job_template(one, settings) for one in wanted],
        "workflow_job_templates": [workflow for workflow, _nodes in workflows],
        "workflow_job_template_nodes": [node for _workflow, nodes in workflows for node in nodes],
        "schedules": scheduled,
        "schedules_left_out": left_out,
    }


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _refuse_what_matches_nothing(every: list[Procedure], wanted: list[Procedure], settings: Settings) -> None:
    for option, patterns, among in (
        ("awx_procedures", settings.procedures, every),
        ("awx_procedure_credentials", settings.procedure_credentials, every),
        ("awx_schedule_answers", settings.schedule_answers, every),
    ):
        for pattern in patterns:
            if not any(_matches(one.name, [pattern]) for one in among):
                raise StateError(f"{option} names '{pattern}', and no procedure is called so")
    for system in settings.staging:
        if not any(one.name == f"{system}_deploy" for one in wanted):
            raise StateError(f"awx_staging names '{system}', and there is no job template {system}_deploy for it")


def _execution_environments(settings: Settings) -> list[dict[str, Any]]:
    if not settings.execution_environment_image:
        return []
    return [
        {
            "name": settings.execution_environment,
            "organization": settings.organization,
            "image": settings.execution_environment_image,
            "pull": settings.execution_environment_pull,
        }
    ]


def _source(inventory: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    return {
        "name": f"{inventory['name']} from git",
        "organization": settings.organization,
        "inventory": inventory["name"],
        "source": "scm",
        "source_project": inventory.get("project") or settings.project,
        "source_path": inventory["path"],
        # A repository that was taken out must not stay a target.
        "overwrite": True,
        "overwrite_vars": True,
        "update_on_launch": True,
    }


def _notified(settings: Settings) -> dict[str, list[str]]:
    names = [str(one["name"]) for one in settings.notifications]
    return {f"notification_templates_{event}": names for event in settings.notify_on if names}


def _job_template(one: Procedure, settings: Settings) -> dict[str, Any]:
    survey = awx_survey.survey(one)
    credentials = [*settings.credentials]
    for pattern, more in settings.procedure_credentials.items():
        credentials += [name for name in more if _matches(one.name, [pattern]) and name not in credentials]
    found: dict[str, Any] = {
        "name": one.name,
        "description": _description(one),
        "organization": settings.organization,
        "project": settings.project,
        "playbook": f"{settings.playbook_dir}/{one.name}.yml",
        "inventory": settings.inventories[0]["name"],
        "credentials": credentials,
        "execution_environment": settings.execution_environment,
        "job_type": "run",
        # Check shows the plan, as --check does.
        "ask_job_type_on_launch": True,
        "ask_diff_mode_on_launch": True,
        "ask_inventory_on_launch": len(settings.inventories) > 1,
        # A variable that is not an input would be a mistake that nobody sees.
        "ask_variables_on_launch": False,
        # The lease refuses a second operation at once, and says who has it. AWX would let it wait and say nothing.
        "allow_simultaneous": True,
        "survey_enabled": bool(survey),
        "survey_spec": survey,
    }
    return {**found, **_notified(settings)}


def _description(one: Procedure) -> str:
    return f"{one.title}. {one.section}"[:512]


def _node(workflow: str, identifier: str, template: str, settings: Settings, **more: Any) -> dict[str, Any]:
    return {
        "workflow_job_template": workflow,
        "organization": settings.organization,
        "identifier": identifier,
        "unified_job_template": template,
        "lookup_organization": settings.organization,
        **more,
    }


def _approval(workflow: str, name: str, description: str, settings: Settings, then: str) -> dict[str, Any]:
    return {
        "workflow_job_template": workflow,
        "organization": settings.organization,
        "identifier": "approve",
        "approval_node": {"name": name, "description": description, "timeout": settings.approval_timeout},
        "success_nodes": [then],
    }


def _workflow(name: str, description: str, survey: dict[str, Any], settings: Settings) -> dict[str, Any]:
    found = {
        "name": name,
        "description": description,
        "organization": settings.organization,
        "ask_inventory_on_launch": len(settings.inventories) > 1,
        "allow_simultaneous": True,
        "survey_enabled": bool(survey),
        "survey_spec": survey,
    }
    names = [str(one["name"]) for one in settings.notifications]
    # Somebody must hear that they are waited for.
    return {**found, **_notified(settings), **({"notification_templates_approvals": names} if names else {})}


Workflow = tuple[dict[str, Any], list[dict[str, Any]]]


def _rollbacks(wanted: Iterable[Procedure], settings: Settings) -> list[Workflow]:
    """A rollback whose plan somebody approves: plan, approval, rollback."""
    found = []
    for one in wanted:
        if not one.guarded or one.entry != "rollback":
            continue
        name = f"{one.name}_approved"
        says = "The job before this one shows the plan. Nothing has changed yet."
        nodes = [
            _node(name, "plan", one.name, settings, job_type="check", success_nodes=["approve"]),
            _approval(name, f"Approve {one.name}", says, settings, "roll back"),
            _node(name, "roll back", one.name, settings, job_type="run"),
        ]
        description = f"{one.title}: shows the plan, waits for an approval, rolls back."
        found.append((_workflow(name, description, awx_survey.survey(one), settings), nodes))
    return found


def _promotions(wanted: Sequence[Procedure], settings: Settings) -> list[Workflow]:
    """Staging first, and what is verified there goes to production once somebody approved it."""
    by_name = {one.name: one for one in wanted}
    found = []
    for system, staging in settings.staging.items():
        deploy = by_name[f"{system}_deploy"]
        target = deploy.input("target")
        if target is None or target.computed:
            raise StateError(f"{deploy.name} has no target of its own, so staging and production look the same")
        production = target.default
        name = f"{system}_promote"
        says = f"The release is verified on {staging}. Approving it deploys it on {production}."
        nodes = [
            _node(name, "staging", deploy.name, settings, extra_data={"target": staging}, success_nodes=["approve"]),
            _approval(name, f"Promote {system}", says, settings, "production"),
            _node(name, "production", deploy.name, settings, extra_data={"target": production}),
        ]
        description = f"{deploy.title} on {staging}, wait for an approval, then on {production}."
        survey = awx_survey.survey(deploy, without=["target"])
        found.append((_workflow(name, description, survey, settings), nodes))
    return found


def _schedules(
    wanted: Sequence[Procedure], systems: Iterable[System], settings: Settings
) -> tuple[list[dict[str, Any]], list[str]]:
    """The schedules, and why another is not made: AWX takes none whose job would miss a required answer."""
    inputs = {one.name: one.inputs for one in wanted}
    made, left_out = [], []
    for due in calendar.due(systems, inputs):
        schedule = _schedule(due, settings)
        missing = [one.name for one in inputs[due.procedure] if one.required and one.name not in schedule["extra_data"]]
        if missing:
            left_out.append(f"{due.name}: give awx_schedule_answers.{due.procedure}: {', '.join(missing)}")
        else:
            made.append(schedule)
    return made, left_out


def _schedule(one: calendar.Due, settings: Settings) -> dict[str, Any]:
    start = one.since and getattr(settings, one.since) or settings.schedule_start
    return {
        "name": one.name,
        "description": one.why,
        "organization": settings.organization,
        "unified_job_template": one.procedure,
        "rrule": awx_schedule.rrule(one, start, settings.schedule_timezone),
        "extra_data": {**settings.schedule_answers.get(one.procedure, {}), **one.answers},
        "enabled": True,
    }
