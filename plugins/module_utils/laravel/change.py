# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out an operation on a Laravel service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import carry_out as operation_change
from ansible_collections.ops.runbook.plugins.module_utils.guard.carry_out import Orders, Work
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings
from ansible_collections.ops.runbook.plugins.module_utils.laravel import health
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_steps import ReleaseSteps
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description, LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel.steps import LaravelSteps


def carry_out(guard: Guard, description: Description, gate: GateSettings, orders: Orders) -> dict[str, Any]:
    """Do what remains of a Laravel operation; see guard/carry_out.py."""
    return operation_change.carry_out(
        guard,
        Work(
            lambda plan: _executor(guard, description, plan, gate, orders),
            lambda plan, direction: health.verify(_service(guard, description, plan), plan, direction, gate),
            lambda plan: health.before(
                _service(guard, description, plan), gate, str(plan.get("maintenance_driver") or "")
            ),
            # Checkout, vendor tree and caches; kept vendor trees and saved changes lie in the state folder.
            trees=(description.path, guard.state_dir),
        ),
        orders,
    )


def _service(guard: Guard, description: Description, plan: Mapping[str, Any]) -> LaravelService:
    # An operation ends as it was planned, whatever the inventory says by then.
    planned = replace(description, strategy=plan.get("strategy", description.strategy))
    return LaravelService(planned, guard.state_dir, guard.inherited)


def _executor(
    guard: Guard, description: Description, plan: dict[str, Any], gate: GateSettings, orders: Orders
) -> LaravelSteps:
    service = _service(guard, description, plan)
    if plan.get("procedure") == "convert":
        # It has a planner beside its steps, which no other procedure needs here.
        from ansible_collections.ops.runbook.plugins.module_utils.laravel.convert import ConvertSteps

        return ConvertSteps(service, guard, plan, orders.secret, gate.checks)
    steps = ReleaseSteps if service.description.in_releases else LaravelSteps
    return steps(service, guard, plan, orders.secret, gate.checks)
