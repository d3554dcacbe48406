# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The common parts of the modules for an app of Dokku: the call of dokku, and its errors as problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Present
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import (
    AppMissing,
    CannotCall,
    Dokku,
    DokkuError,
    NotACommand,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state import ps
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import State
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import mask_named
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: What a module does with changes that the running containers do not see.
REDEPLOY: dict[str, Any] = {
    "redeploy": {"type": "bool", "default": False},
    "deadline": {"type": "float", "default": 60},
}


def caller(params: Mapping[str, Any], disposable: bool = False) -> Dokku:
    """disposable: whether this call may destroy, which somebody has confirmed by name."""
    return Dokku(
        params["command"],
        params["user"],
        redact=mask_named,
        timeout=params["timeout"],
        disposable=disposable,
    )


def settle(
    params: Mapping[str, Any],
    make: Callable[[Mapping[str, Any]], State[Present]],
    check_mode: bool,
    describe: Callable[[Present], Mapping[str, Any]],
) -> dict[str, Any]:
    """Bring the part of the app to its state, and say what came of it. Raises Problem.

    describe: what the result has of the state as it is in the end.
    """
    state = make(params)
    dokku = caller(params, disposable=bool(params.get("confirm")))

    def beforehand() -> object:
        # What must not be restarted is told while nothing is changed.
        return params.get("redeploy") and ps.may_restart(dokku, params["app"])

    with problems(params["app"]):
        brought = desired_state.bring(dokku, state, check_mode, beforehand)
        found = desired_state.result(brought, f"{params['app']} on this host", "commands")
        if "redeploy" in params:
            restarted = False
            if brought.changed and params["redeploy"] and not check_mode:
                restarted = ps.restart(dokku, params["app"], params["deadline"])
            found["restarted"] = restarted
            found["restart_needed"] = brought.changed and not params["redeploy"]
    return {**found, **describe(brought.after)}


@contextmanager
def problems(app: str) -> Iterator[None]:
    """An error of dokku as a Problem."""
    try:
        yield
    except AppMissing as error:
        raise Problem(
            "app_missing",
            f"there is no app {app} on this host",
            [("dokku apps:list", "shows the apps"), ("ops.runbook.dokku_app", "makes one")],
        ) from error
    except CannotCall as error:
        raise Problem("cannot_call", str(error), [error.way]) from error
    except DokkuError as error:
        if isinstance(error, NotACommand):
            way = (
                "dokku plugin:list",
                "on the host, shows the plugins: the one of that command is missing, or too old",
            )
            raise Problem("not_a_command", str(error), [way]) from error
        raise Problem(
            "failed", str(error), [("the same again", "once what dokku says is put right")], touched=True
        ) from error
