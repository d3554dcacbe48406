# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup by dumps: each named database, proven row by row, and the roles of the cluster beside them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import expiry, retention, sealed_file
from ansible_collections.ops.runbook.plugins.module_utils.backup import manifest as backup_manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Keep, Owner
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room, ledger_keys, procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Acts
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import size
from ansible_collections.ops.runbook.plugins.module_utils.host import clock
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump import databases, decide
from ansible_collections.ops.runbook.plugins.module_utils.postgres.dump.make import ROLES, Maker, file_of
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.postgres.contract import PostgresPlan

Context = procedure.Context[Cluster]


def plan(context: Context) -> PostgresPlan:
    """Ask the server and look at the folder; change nothing. Raises Problem."""
    cluster, description = context.service, context.service.description
    backup = _settings(context)
    store = Store(backup["folder"])
    server = cluster.ask()
    here, bad = store.look()
    own = [one for one in here if one.app == description.name]
    must_pass(decide.refusal(server, own))
    backup["manifest"] = _manifest_facts(context, server.system)
    expected = _must_be_readable(cluster, backup["databases"])
    room = disk_room.room_in(store.folder, expected, 3 * len(backup["databases"]) + 8, backup["reserve"])
    must_pass(disk_room.refuse(room, "a backup", decide.ROOM_WAYS))
    owner = _owner(context)
    going = retention.expired(here, _keep(backup), owner)
    newest = next(reversed(retention.in_order(own, owner)), None)
    at = {"id": newest.id if newest else "none", "name": "dump" if newest else "no backup yet"}
    named = backup["databases"]
    return {
        "from": at,
        "to": at,
        "chosen": f"into {store.folder}, {'encrypted' if backup['public_key'] else 'not encrypted'}",
        "proven": "each dump is read through, its rows are compared with the database, each part by its SHA-256",
        "steps": [
            *(Step(f"dump:{name}", f"dump {name} and prove it whole", data={"name": name}).to_dict() for name in named),
            Step("roles", "dump the roles of the cluster, without their passwords").to_dict(),
            Step("seal", "write the manifest and give the backup its name").to_dict(),
        ],
        "undo": [Step("discard", "remove what there is of the backup").to_dict()],
        "afterwards": [Step("retention", "remove the backups that no rule keeps").to_dict()],
        "also": [
            ["kept there", [f"{one.id}  {one.made}  {size(one.size)}" for one in own] or ["none"]],
            ["removed then", going or ["none"]],
        ],
        "warnings": [*decide.warnings(bad, bool(backup["public_key"])), *retention.ahead_lines(here, owner)],
        "backup": backup,
    }


def _settings(context: Context) -> dict[str, Any]:
    """The folder and the rules of the backup, as its plan keeps them. Raises Problem."""
    inputs, description = context.inputs, context.service.description
    keep = {name: int(value) for name, value in (inputs.get("backup_keep") or {}).items() if value is not None}
    public_key = str(inputs.get("backup_public_key") or "")
    try:
        recipient = sealed_file.fingerprint(public_key) if public_key else ""
    except sealed_file.SealError as error:
        way = ("postgres_backup_public_key=<key>", "in the inventory is what `openssl pkey -pubout` writes")
        raise Problem("bad_backup_settings", str(error), (way,)) from error
    return {
        "folder": folder_of(context.service, context.guard.path("backups")),
        "public_key": public_key,
        "recipient": recipient,
        "keep": {**Keep().__dict__, **keep},
        "reserve": int(inputs.get("backup_reserve") or 0),
        "databases": [one.name for one in description.databases],
    }


def folder_of(cluster: Cluster, otherwise: str) -> str:
    """The folder of the dumps. otherwise: the one of a cluster that names none."""
    return cluster.description.backup_dir or otherwise


def _manifest_facts(context: Context, system: str) -> dict[str, Any]:
    try:
        version = context.service.version()
    except CommandFailed as error:
        way = ("postgres_programs=<folder>", "in the inventory names the folder of pg_dump, pg_dumpall and pg_restore")
        raise Problem("no_pg_dump", str(error), (way,)) from error
    environment = str(context.inputs.get("environment") or "")
    return {"versions": {"pg_dump": version}, "source": system, "environment": environment}


def _must_be_readable(cluster: Cluster, named: Sequence[str]) -> int:
    """Raise Problem unless each database is there, and this user may read all of it. Returns the bytes of them."""
    try:
        there = {one.name: one.size for one in databases.databases(cluster.query(databases.LIST))}
        must_pass(decide.missing([name for name in named if name not in there], sorted(there)))
        for name in named:
            must_pass(decide.unreadable(name, databases.tables(cluster.query(databases.TABLES, name))))
    except (CommandFailed, ValueError) as error:
        raise Problem("server_down", f"the server can't be asked: {error}", (decide.STATUS,)) from error
    return sum(there[name] for name in named)


def steps(context: Context, plan: PostgresPlan) -> Acts:
    """The function of each step, by the first word of its id."""
    backup, identity = plan["backup"], str(plan["saved_as"])
    store = Store(str(backup["folder"]))
    maker = Maker(context.service, store, identity, str(backup["public_key"]))

    def discard(_step: Step) -> object:
        store.discard(identity)
        store.remove(identity)
        return None

    def remove(_step: Step) -> object:
        return expiry.retain(store, _keep(backup), identity, _owner(context, identity))

    return {
        "dump": lambda step: maker.database(str(step.data["name"])),
        "roles": lambda _step: maker.roles(),
        "seal": lambda _step: _seal(context, store, identity, backup),
        "discard": discard,
        "retention": remove,
    }


def _seal(context: Context, store: Store, identity: str, backup: Mapping[str, Any]) -> dict[str, Any]:
    """Make the backup whole. Done once more, it changes nothing."""
    files = [*map(file_of, backup["databases"]), ROLES]
    if not store.has(identity):
        found = store.sealing(identity) or Manifest(
            id=identity,
            app=context.service.description.name,
            host=platform.node(),
            environment=str(backup["manifest"]["environment"]),
            made=clock.now().text,
            reason="requested",
            recipient=str(backup["recipient"]),
            versions=dict(backup["manifest"]["versions"]),
            release={},
            parts=tuple(store.noted(identity, file) for file in files),
            source=str(backup["manifest"]["source"]),
        )
        store.seal(found, files)
    return {"backup": identity, "folder": store.path(identity), "bytes": store.manifest(identity).size}


def _owner(context: Context, *running: str) -> Owner:
    recorded = context.guard.ledger().named(ledger_keys.OPERATION)
    return Owner(context.service.description.name, recorded, clock.now().text, running)


def _keep(backup: Mapping[str, Any]) -> Keep:
    return Keep(**backup["keep"])


def verify(context: Context, plan: PostgresPlan, direction: str) -> dict[str, Any]:
    """Read the backup once more, from the disk. On the way back nothing of it may be left."""
    store, identity = Store(str(plan["backup"]["folder"])), str(plan["saved_as"])
    if direction == BACK:
        left = [path for path in (store.path(identity), store.making(identity)) if os.path.exists(path)]
        return blame.answer("; ".join(f"{path} is still there" for path in left), note="nothing was kept")
    try:
        found = store.manifest(identity)
    except (backup_manifest.BadManifest, OSError) as error:
        return blame.answer(f"the backup {identity} can't be read: {error}")
    rows = sum(sum((part.facts.get("rows") or {}).values()) for part in found.parts)
    named = ", ".join(part.name for part in found.of("database"))
    note = f"backup {identity}: {named}, {rows} rows, {size(found.size)}, in {store.path(identity)}"
    return blame.answer("; ".join(store.problems(found)), note=note)
