# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup of an app: everything that it takes to have it again, on this host or on another, whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import expiry, sealed_file
from ansible_collections.ops.runbook.plugins.module_utils.backup import manifest as backup_manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup import retention as backup_retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Keep, Owner
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import parts as dokku_backup_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.parts import (
    ALL_KINDS,
    Maker,
    Piece,
    Survey,
    piece_of,
    pieces_of,
    step_of,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.root_helper import Parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan

HELPER = "/usr/local/sbin/dokku-parts"


def settings(context: Context) -> dict[str, Any]:
    """The place and the rules of backups, as the plan keeps them of the inputs. Raises Problem."""
    inputs = context.inputs
    public_key = str(inputs.get("backup_public_key") or "")
    found: dict[str, Any] = {
        "folder": str(inputs.get("backup_dir") or "") or context.guard.path("backups"),
        "helper": str(inputs.get("backup_helper") or HELPER),
        "public_key": public_key,
        "keep": {**Keep().__dict__, **(inputs.get("backup_keep") or {})},
        "environment": str(inputs.get("environment") or ""),
    }
    try:
        found["recipient"] = sealed_file.fingerprint(public_key) if public_key else ""
        Keep(**{name: int(value) for name, value in found["keep"].items()})
    except (sealed_file.SealError, TypeError, ValueError) as error:
        way = ("dokku_backup_public_key, dokku_backup_keep", "in the inventory; docs/systems/dokku/backups.md has both")
        raise Problem("bad_backup_settings", str(error), (way,)) from error
    return found


def kinds_of(asked: Any, allowed: tuple[str, ...], default: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds of parts that are asked for, in a list or a text with commas. Raises Problem for an unknown one."""
    words = asked.split(",") if isinstance(asked, str) else [str(word) for word in asked or ()]
    named = [word.strip() for word in words if word.strip()]
    wrong = [word for word in named if word not in allowed]
    if wrong:
        way = (f"parts={','.join(default)}", "names all of them")
        raise Problem("unknown_part", f"{', '.join(wrong)} is not a part; there are {', '.join(allowed)}", (way,))
    return tuple(kind for kind in allowed if kind in named) if named else default


def store_of(plan: DokkuPlan) -> Store:
    return Store(str(plan["backup"]["folder"]))


def maker_of(context: Context, plan: DokkuPlan, identity: str) -> Maker:
    backup = plan["backup"]
    parts = Parts(backup["helper"], context.guard.inherited)
    return Maker(context.service, store_of(plan), parts, identity, backup["public_key"])


def live(survey: Survey) -> dict[str, str]:
    """The release that runs now, as the two ends of a plan that moves none."""
    release = survey.release()
    sha = release.get("sha", "")
    name = f"v{release['number']}" if "number" in release else sha[:12] or release.get("source_image", "")
    return {"id": sha or release.get("source_image", "") or "not deployed", "name": name or "not deployed"}


def plan(context: Context) -> DokkuPlan:
    """The plan of a backup: its parts, and the older backups that are removed."""
    service = context.service
    service.must_exist()
    backup = settings(context)
    store = Store(backup["folder"])
    survey = Survey(service, Parts(backup["helper"], context.guard.inherited))
    image = f"dokku/{service.app}:latest" if context.inputs.get("backup_image") else ""
    kinds = kinds_of(context.inputs.get("parts"), ALL_KINDS, ALL_KINDS)
    pieces, left = pieces_of(survey, kinds, context.inputs.get("backup_leave_out") or [], image)
    dokku_backup_parts.must_be_called(pieces, survey.parts.refusal)
    reserve = service.description.disk_reserve
    dokku_backup_parts.must_have_room(dokku_backup_parts.room_of(store, survey, pieces, reserve))
    here, bad = store.look()
    owner = owner_of(context)
    going = backup_retention.expired(here, _keep(backup), owner)
    brought = backup_retention.elsewhere(here, owner)
    release = live(survey)
    warnings = [f"left out: {line}" for line in left]
    warnings += [f"{name} is not a backup: {why}" for name, why in bad.items()]
    if not backup["public_key"]:
        warnings.append("it is not encrypted, and holds the configuration with its secrets (dokku_backup_public_key)")
    warnings += backup_retention.ahead_lines(here, owner)
    if brought:
        some = ", ".join([*brought[:4], *([f"{len(brought) - 4} more"] if len(brought) > 4 else [])])
        warnings.append(f"no operation in the ledger of this service made {some}: no rule counts or removes them")
    held = [f"{one.id}  {one.made}  {_size(one.size)}  {one.reason}" for one in here if one.app == service.app]
    return {
        "from": release,
        "to": release,
        "chosen": f"into {store.folder}, " + (f"for key {backup['recipient'][:16]}" if backup["recipient"] else "open"),
        "proven": "each export by its trailer and its rows, each part by its SHA-256",
        "steps": [
            *(step_of(piece).to_dict() for piece in pieces),
            Step("seal", "write the manifest and give the backup its name").to_dict(),
        ],
        "undo": [Step("discard", "remove what there is of the backup").to_dict()],
        "afterwards": [Step("retention", "remove the backups that no rule keeps").to_dict()],
        "also": [
            ["kept here", held or ["none"]],
            ["removed then", going or ["none"]],
        ],
        "warnings": warnings,
        "backup": backup,
        "making": {
            "reason": "requested",
            "environment": backup["environment"],
            "versions": survey.versions(),
            "release": survey.release(),
            "left_out": left,
        },
    }


def steps(context: Context, plan: DokkuPlan) -> Mapping[str, Callable[[Step], object]]:
    """The action of each step, by the first word of its id."""
    identity = str(plan["saved_as"])
    maker, store = maker_of(context, plan, identity), store_of(plan)
    pieces = pieces_in(plan)

    def discard(_step: Step) -> object:
        store.discard(identity)
        store.remove(identity)
        return None

    def retention(_step: Step) -> object:
        return expiry.retain(store, _keep(plan["backup"]), identity, owner_of(context, identity))

    return {
        "part": lambda step: maker.make(piece_of(step)),
        "seal": lambda step: maker.seal(pieces, plan["making"]),
        "discard": discard,
        "retention": retention,
    }


def pieces_in(plan: DokkuPlan, what: str = "part") -> list[Piece]:
    """The parts that the steps of a plan make."""
    found = (Step(raw["id"], raw["title"], data=raw["data"]) for raw in plan["steps"])
    return [piece_of(step) for step in found if step.id.startswith(f"{what}:")]


def owner_of(context: Context, *running: str) -> Owner:
    """This service, with its ledger. running: operations that are not in the ledger yet."""
    recorded = context.guard.ledger().named(ledger_keys.OPERATION)
    return Owner(context.service.app, recorded, clock.now().text, running)


def _keep(backup: Mapping[str, Any]) -> Keep:
    return Keep(**{name: int(value) for name, value in backup["keep"].items()})


def verify(context: Context, plan: DokkuPlan, direction: str) -> dict[str, Any]:
    """The backup is read once more, from the disk."""
    store, identity = store_of(plan), str(plan["saved_as"])
    if direction == BACK:
        left = [path for path in (store.path(identity), store.making(identity)) if os.path.exists(path)]
        return _verdict("; ".join(f"{path} is still there" for path in left), "nothing was kept")
    try:
        manifest = store.manifest(identity)
    except (backup_manifest.BadManifest, OSError) as error:
        return _verdict(f"the backup {identity} can't be read: {error}", "")
    return _verdict("; ".join(store.problems(manifest)), described(store, manifest))


def _verdict(reason: str, note: str) -> dict[str, Any]:
    return blame.answer(reason, note=note)


def described(store: Store, manifest: Manifest) -> str:
    """One line on a backup: where, how large, what."""
    rows = sum(sum((part.facts.get("rows") or {}).values()) for part in manifest.parts)
    counted = f", {rows} rows" if manifest.of("database") else ""
    kept = "encrypted" if manifest.recipient else "not encrypted"
    sized = f"{len(manifest.parts)} parts, {_size(manifest.size)}{counted}"
    return f"backup {manifest.id}: {sized}, {kept}, in {store.path(manifest.id)}"


def _size(size: int) -> str:
    return f"{size / 1048576:.1f} MiB" if size >= 1048576 else f"{size / 1024:.1f} KiB"
