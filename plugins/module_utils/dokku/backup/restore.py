# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore of an app's data: tried out beside it first, then in its place, with what stood before kept and named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import differences
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.dokku import health
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import database as dokku_database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make, restore_plan
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import source as dokku_backup_source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.database import Database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.facts import Facts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.look import FactReader, runs
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.parts import piece_of
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.restore_plan import Wish
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.source import Source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import decided
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan


def plan(context: Context) -> DokkuPlan:
    """The plan as the journal keeps it. Raises Problem."""
    context.service.must_exist()
    inputs, settings = context.inputs, make.settings(context)
    wish = Wish(
        settings,
        str(inputs.get("backup") or "latest"),
        inputs.get("parts"),
        bool(inputs.get("verify_only")),
        str(inputs.get("overwrite") or ""),
        context.check_mode,
    )
    wanted = partial(restore_plan.plan, wish, make.owner_of(context))
    return decided(wanted, Facts(context.service.app), FactReader(context, settings).read)[0]


# -- doing it ------------------------------------------------------------------------------------------------------


def steps(context: Context, plan: DokkuPlan) -> Mapping[str, Callable[[Step], object]]:
    """The action of each step, forward and back, by the first word of its id."""
    doing = _Doing(context, plan)
    return {
        "scratch": doing.scratch,
        "drop": doing.drop,
        "stop": doing.stop,
        "keep": doing.keep,
        "keep_seal": doing.keep_seal,
        "import": doing.load,
        "config": doing.config,
        "storage": doing.storage,
        "start": doing.start,
        "forget": doing.forget,
        "stop_back": doing.stop,
        "import_back": doing.load_back,
        "config_back": doing.config_back,
        "storage_back": doing.storage_back,
        "start_back": doing.start,
    }


class _Doing:
    def __init__(self, context: Context, plan: DokkuPlan) -> None:
        self.context, self.plan, self.service = context, plan, context.service
        self.operation = str(plan["saved_as"])
        self.private_key = str(context.secrets.get("backup_private_key") or "")
        self.maker = make.maker_of(context, plan, self.before)

    @property
    def before(self) -> str:
        """The backup of what stood before."""
        return f"{self.operation}-before"

    def _source(self) -> Source:
        source = dokku_backup_source.again(self.plan, self.private_key)
        self._must_open(source)
        return source

    def _present(self) -> Source:
        store = Store(str(self.plan["backup"]["folder"]))
        source = Source(store, store.manifest(self.before), self.private_key)
        self._must_open(source)
        return source

    @staticmethod
    def _must_open(source: Source) -> None:
        """An operation that is continued is given its key again, and may be given another one."""
        try:
            source.must_open()
        except Problem as refused:
            raise CommandFailed(refused.text) from refused

    def _dump(self, source: Source, step: Step) -> tuple[Part, Database]:
        part = next(part for part in source.manifest.of("database") if part.name == step.data["name"])
        plugin, _, name = part.name.partition(".")
        return part, Database(self.service, plugin, name)

    # -- forward ---------------------------------------------------------------------------------

    def scratch(self, step: Step) -> object:
        source = self._source()
        part, database = self._dump(source, step)
        scratch = database.scratch(self.operation)
        try:
            scratch.create(str(part.facts.get("image") or database.image()))
            scratch.load(source.read(part), part.facts.get("rows") or {})
            wrong = scratch.differences(part.facts)
        finally:
            scratch.destroy()
        if wrong:
            raise CommandFailed(f"the backup of {part.name} does not restore to what it was: {'; '.join(wrong)}")
        return {"compared": dict(part.facts.get("rows") or {}) or part.facts.get("keys")}

    def drop(self, step: Step) -> object:
        plugin, _, name = str(step.data["name"]).partition(".")
        Database(self.service, plugin, name).scratch(self.operation).destroy()
        return None

    def stop(self, step: Step) -> object:
        app = str(step.data["app"])
        self.service.dokku.run("ps:stop", app)
        if runs(self.context, app):
            raise CommandFailed(f"{app} still runs after ps:stop")
        return None

    def keep(self, step: Step) -> object:
        return self.maker.make(piece_of(step))

    def keep_seal(self, _step: Step) -> object:
        return self.maker.seal(make.pieces_in(self.plan, "keep"), self.plan["making"])

    def load(self, step: Step) -> object:
        return self._load(self._source(), step)

    def _load(self, source: Source, step: Step) -> object:
        part, database = self._dump(source, step)
        database.load(source.read(part), part.facts.get("rows") or {})
        wrong = database.differences(part.facts)
        if wrong:
            raise CommandFailed(f"{part.name} does not have what the backup has: {'; '.join(wrong)}")
        return {"from": source.manifest.id, "rows": sum((part.facts.get("rows") or {}).values())}

    def config(self, _step: Step) -> object:
        present = self.service.config()
        addresses = [database.address() for database in dokku_database.linked(self.service)]
        kept = differences.kept_keys(present, addresses)
        wanted = differences.merged_config(present, self._source().config(), kept)
        return {"changed": differences.config_changes(present, self._import(wanted, present))}

    def _import(self, wanted: dict[str, str], present: Mapping[str, str]) -> dict[str, str]:
        if wanted and wanted != present:
            self.service.hide(wanted.values())
            words = ("--replace", "--no-restart", "--format", "json", self.service.app, "-")
            self.service.dokku.run("config:import", *words, stdin=json.dumps(wanted))
            if self.service.config() != wanted:
                raise CommandFailed("the configuration is not as it was imported")
        return wanted

    def storage(self, step: Step) -> object:
        source, name = self._source(), str(step.data["name"])
        part = next(part for part in source.manifest.of("storage") if part.name == name)
        self.maker.parts.write(source.read(part), "write", "storage", name, self.operation)
        return {"files": len(source.members(part))}

    def start(self, step: Step) -> object:
        app = str(step.data["app"])
        if not runs(self.context, app):
            self.service.dokku.run("ps:start", app)
        if not runs(self.context, app):
            raise CommandFailed(f"{app} does not run after ps:start")
        return None

    def forget(self, step: Step) -> object:
        self.maker.parts.run("forget", "storage", str(step.data["name"]), self.operation)
        return None

    # -- back ------------------------------------------------------------------------------------

    def load_back(self, step: Step) -> object:
        return self._load(self._present(), step)

    def config_back(self, _step: Step) -> object:
        present = self.service.config()
        return {"changed": differences.config_changes(present, self._import(self._present().config(), present))}

    def storage_back(self, step: Step) -> object:
        self.maker.parts.run("back", "storage", str(step.data["name"]), self.operation)
        return None


def verify(context: Context, plan: DokkuPlan, direction: str) -> dict[str, Any]:
    """Each import was compared when nothing wrote; what is left to look at is whether the app is well."""
    store = Store(str(plan["backup"]["folder"]))
    before = f"{plan['saved_as']}-before"
    kept = f"what stood before is backup {before}" if store.has(before) else ""
    if plan["drill"]:
        left = _scratch_left(context, plan)
        note = f"backup {plan['source']} restores: {', '.join(plan['parts'])}"
        return blame.answer(left, note=note)
    if not plan["stopped"]:
        return blame.answer(note=f"the app did not run before, and was not started. {kept}")
    found = health.verify(context.service, context.gate)
    if not found["ok"]:
        found["reason"] = f"{found['reason']} ({kept})"
    return {**found, "note": "; ".join(filter(None, [str(found.get("note") or ""), kept]))}


def _scratch_left(context: Context, plan: DokkuPlan) -> str:
    """A scratch service that is still there."""
    names = []
    for raw in plan["steps"]:
        if raw["id"].startswith("scratch:"):
            plugin, _, name = str(raw["data"]["name"]).partition(".")
            scratch = Database(context.service, plugin, name).scratch(str(plan["saved_as"]))
            if scratch.exists():
                names.append(scratch.name)
    return f"the scratch service {', '.join(names)} is still there" if names else ""
