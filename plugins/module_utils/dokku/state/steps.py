# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of an app as steps of an operation: each is a wanted state that the journal keeps, and one for the way back.

A step's data names the part and its wanted state, so that an interrupted operation continues from its journal alone.
Of the configuration it has the names; values come again with the call that writes them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import AppMissing, Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import ConfigPresent, ConfigState, texts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.domains import DomainsPresent, DomainsState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.letsencrypt import LetsencryptState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.link import LinkPresent, LinkState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.nginx import NginxPresent, NginxState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Plan, State, listed
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.resource import ResourcePresent, ResourceState
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan


def state_of(app: str, part: str, wanted: Mapping[str, Any]) -> State[Any]:
    """The state that a step's data describes. Raises Problem."""
    makers: dict[str, Callable[..., State[Any]]] = {
        "domains": DomainsState,
        "letsencrypt": LetsencryptState,
        "link": LinkState,
        "nginx": NginxState,
        "resource": ResourceState,
    }
    # A journal has lists where a state has tuples.
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in wanted.items()}
    return makers[part](app=app, **given)


def step(name: str, title: str, part: str, wanted: Mapping[str, Any], after: str = "") -> Step:
    """A step that brings a part to a state. after: it only undoes what that step began."""
    data = {"part": part, "wanted": dict(wanted), **({"after": after} if after else {})}
    return Step(name, title, data=data)


def told(acts: Mapping[str, Callable[[Step], object]]) -> dict[str, Callable[[Step], object]]:
    """The same acts, with what to do in the errors that they end with."""

    def telling(act_of: Callable[[Step], object]) -> Callable[[Step], object]:
        def run(one: Step) -> object:
            try:
                return act_of(one)
            except Problem as error:
                raise DokkuError(error.paragraph(whole=False)) from error

        return run

    return {name: telling(one) for name, one in acts.items()}


def act(context: Context, one: Step) -> object:
    """Do such a step; it looks first, so that it may be done again. Returns what differed."""
    state = state_of(context.service.app, one.data["part"], one.data["wanted"])
    brought = desired_state.bring(context.service.dokku, state)
    return {"changed": brought.plan.lines()} if brought.changed else None


def way_back(part: str, wanted: Mapping[str, Any], present: Any, plan: Plan) -> dict[str, Any] | None:
    """The wanted state of a part on the way back; None if there is nothing to go back to. Pure."""
    if isinstance(present, DomainsPresent):
        # An app that had none is left with the new ones: nginx needs one.
        return {"domains": list(present.domains.values()), "how": "exactly"} if present.domains else None
    if isinstance(present, LinkPresent):
        if not present.linked:
            return {**wanted, "wanted": "absent", "alias": ""}
        alias = present.variables[0][: -len("_URL")] if present.variables else ""
        return {**wanted, "alias": alias, "shared": True}
    if isinstance(present, ResourcePresent):
        process = str(wanted.get("process") or "_default_")
        back: dict[str, Any] = {"process": process}
        for side, everything in (("limits", present.limits), ("reserve", present.reserve)):
            now = everything.get(process, {})
            back[side] = {
                key: now.get(key, "") for key in wanted.get(side, {}) if _possible(side, key, now.get(key, ""))
            }
        return back if back["limits"] or back["reserve"] else None
    if isinstance(present, NginxPresent):
        return {"properties": {change.subject: present.own[change.subject] for change in plan.changes}}
    return None


def _possible(side: str, key: str, value: str) -> bool:
    """True if a former limit may be set again: what Docker refuses would come back to break the next deploy."""
    try:
        ResourceState("app", {key: value} if side == "limits" else {}, {key: value} if side == "reserve" else {})
    except Problem:
        return False
    return True


def differences(dokku: Dokku, app: str, steps: Iterable[Step]) -> list[str]:
    """Differences from the states that the steps wanted. Changes nothing."""
    found: list[str] = []
    for one in steps:
        if "part" not in one.data:
            continue
        try:
            state = state_of(app, one.data["part"], one.data["wanted"])
            present = state.read(dokku)
            found += [change.line() for change in state.left(present, present)]
        except Problem as error:
            found.append(str(error))
        except AppMissing:
            return [f"there is no app {app}"]
    return found


# -- the configuration ---------------------------------------------------------------------------


def filled(values: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, str]:
    """Values with what is known only now in the place of its name in braces, such as {domain}. Raises Problem."""
    found = texts(values)
    for word, text in words.items():
        found = {key: value.replace("{" + word + "}", text) for key, value in found.items()}
    return found


def config_steps(present: ConfigPresent, plan: Plan) -> tuple[list[Step], list[Step]]:
    """The step that sets variables, and its way back; neither has a value."""
    names = [change.subject for change in plan.changes]
    if not names:
        return [], []
    added = [name for name in names if name not in present.values]
    title = f"set {listed(names)}"
    return (
        [Step("config", title, data={"keys": names})],
        [Step("config_back", f"{title} as before", data={"keys": names, "added": added, "after": "config"})],
    )


def write_config(context: Context, plan: DokkuPlan, one: Step, values: Mapping[str, str]) -> object:
    """Set the variables that were planned; what they were is kept beside the journal until the operation has ended."""
    keys = one.data["keys"]
    missing = [key for key in keys if key not in values]
    if missing:
        raise Problem(
            "value_missing",
            f"the plan sets {listed(missing)}, and the inventory has no value for it any more",
            [("interrupted=undo", "goes back")],
        )
    state = ConfigState(context.service.app, {key: values[key] for key in keys})
    context.service.hide(state.values.values())
    present = state.read(context.service.dokku)
    kept = _kept(context, plan)
    ended = context.guard.ledger().named(ledger_keys.OPERATION)
    for name in os.listdir(context.guard.state_dir):
        # A file of an operation that this ledger does not name is somebody else's.
        operation = name[len("config-") : -len(".json")]
        if name == f"config-{operation}.json" and operation in ended and name != os.path.basename(kept):
            durable_file.remove(context.guard.path(name))
    # The copy that the first run made holds the state before the operation; a resumed run must not overwrite it.
    # A new app has no such state.
    if any(step["id"] == "config_back" for step in plan["undo"]) and not os.path.exists(kept):
        former = {key: present.values[key] for key in keys if key in present.values}
        durable_file.replace(kept, json.dumps(former).encode())
    brought = desired_state.bring(context.service.dokku, state)
    return {"changed": [change.subject for change in brought.plan.changes]} if brought.changed else None


def put_config_back(context: Context, plan: DokkuPlan, one: Step) -> object:
    """The variables as they were before the operation."""
    content = durable_file.read_state(_kept(context, plan))
    if not content:
        # The operation stopped before it wrote the copy.
        return None
    former = foreign_json.loads(content)
    context.service.hide(former.values())
    gone = tuple(key for key in one.data["keys"] if key not in former)
    brought = desired_state.bring(context.service.dokku, ConfigState(context.service.app, former, gone))
    durable_file.remove(_kept(context, plan))
    return {"changed": [change.subject for change in brought.plan.changes]} if brought.changed else None


def forget_config(context: Context, plan: DokkuPlan) -> None:
    """The former values are of no use once the operation is verified."""
    durable_file.remove(_kept(context, plan))


def config_problems(present: Mapping[str, str], steps: Sequence[Step], back: bool) -> list[str]:
    """Variables that are not there although they were set; on the way back those that were added and still are."""
    found: list[str] = []
    for one in steps:
        if one.id == "config" and not back:
            found += [f"{key} is not set" for key in one.data["keys"] if key not in present]
        elif one.id == "config_back" and back:
            found += [f"{key} is still set" for key in one.data["added"] if key in present]
    return found


def _kept(context: Context, plan: DokkuPlan) -> str:
    return context.guard.path(f"config-{plan['saved_as']}.json")
