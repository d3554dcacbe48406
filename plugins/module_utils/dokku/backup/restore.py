# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore of an app's data: tried out beside it first, then in its place, with what stood before kept and named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import differences, retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.dokku import health, nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import database as dokku_database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import parts as dokku_backup_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import source as dokku_backup_source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.database import Database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.parts import Piece, Survey, piece_of, step_of
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.root_helper import Parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.source import Source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.procedure import Context
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed

KINDS = ("database", "config", "storage")
_DOCKER = "/var/lib/docker"
_SERVICES = "/var/lib/dokku/services"


def plan(context: Context) -> dict[str, Any]:
    """What is put back, what it overwrites, and how that is proven first."""
    return _Planner(context).plan()


class _Planner:
    def __init__(self, context: Context) -> None:
        self.context, self.service = context, context.service
        self.drill = bool(context.inputs.get("verify_only"))
        self.private_key = str(context.secrets.get("backup_private_key") or "")

    def plan(self) -> dict[str, Any]:
        context, service = self.context, self.service
        service.must_exist()
        backup = make.settings(context)
        store = Store(backup["folder"])
        owner = make.owner_of(context)
        manifest = dokku_backup_source.choose(store, str(context.inputs.get("backup") or "latest"), owner)
        source = Source(store, manifest, self.private_key)
        parts = self._parts(source)
        source.must_open()
        if not self.drill:
            dokku_backup_source.must_be_kept_readable(backup["recipient"], self.private_key)
        source.must_be_whole(parts, context.guard.ledger())
        survey = Survey(service, Parts(backup["helper"], context.guard.inherited))
        databases = [self._database(part) for part in parts if part.kind == "database"]
        apps = sorted({service.app, *(app for database in databases for app in database.links())})
        self._must_be_confirmed(apps)
        release = make.live(survey)
        running = [] if self.drill else [app for app in apps if _running(context, app)]
        if running:
            # They are stopped for the import, and could not be started again.
            nginx_check.must_be_taken(service.dokku, service.app)
        pieces = [] if self.drill else [Piece(part.kind, part.name) for part in parts]
        dokku_backup_parts.must_be_called(survey.parts, pieces)
        self._must_have_room(store, survey, pieces, parts)
        return {
            "from": release,
            "to": release,
            "source": manifest.id,
            "chosen": f"backup {manifest.id}, made {manifest.made} on {manifest.host}"
            + (" (the newest)" if str(context.inputs.get("backup") or "latest") == "latest" else ""),
            "proven": f"SHA-256 of {len(parts)} parts; trailer, database and rows of {len(databases)} dumps",
            "steps": [step.to_dict() for step in self._steps(parts, pieces, running)],
            "undo": [step.to_dict() for step in self._undo(parts, running)],
            "afterwards": [
                Step(
                    f"forget:{part.name}", f"remove the storage {part.name} as it was before", data={"name": part.name}
                ).to_dict()
                for part in parts
                if part.kind == "storage" and not self.drill
            ],
            "also": self._overwritten(source, parts, databases, survey),
            "warnings": [
                *self._warnings(parts, apps, running),
                *source.warnings(),
                *retention.ahead_lines(store.look()[0], owner),
            ],
            "backup": backup,
            "drill": self.drill,
            "parts": [part.title for part in parts],
            "stopped": running,
            "making": {
                "reason": "before_restore",
                "environment": backup["environment"],
                "versions": survey.versions(),
                "release": survey.release(),
                "left_out": [],
            },
        }

    # -- what may not go on ----------------------------------------------------------------------

    def _parts(self, source: Source) -> list[Part]:
        kinds = make.kinds_of(self.context, KINDS, KINDS)
        if self.drill:
            kinds = tuple(kind for kind in kinds if kind == "database") or kinds
        found = source.manifest.of(*kinds)
        without = [kind for kind in kinds if not source.manifest.of(kind)]
        asked = bool(self.context.inputs.get("parts"))
        if not found or (asked and without):
            text = f"the backup {source.manifest.id} has no {', '.join(without)}"
            has = sorted({part.kind for part in source.manifest.parts} & set(KINDS))
            way = (
                (f"parts={','.join(has)}", "restores what it has") if has else ("backup=<another>", "names another one")
            )
            raise Refused(Refusal("part_missing", text, (way,), source.manifest.left_out))
        return found

    def _database(self, part: Part) -> Database:
        plugin, _, name = part.name.partition(".")
        database = Database(self.service, plugin, name)
        create = (
            f"dokku {plugin}:create {name} && dokku {plugin}:link {name} {self.service.app}",
            "on the host, make it",
        )
        if not database.exists():
            text = f"the backup has a dump of {database.title}, and there is no such service on this host"
            raise Refused(
                Refusal("service_missing", text, (create, ("dokku_rebuild_host", "makes it with all the rest")))
            )
        links = database.links()
        if self.service.app not in links:
            elsewhere = f"it is linked to {', '.join(links)}" if links else "it is linked to nothing"
            text = f"{database.title} is not linked to {self.service.app}: {elsewhere}"
            link = (f"dokku {plugin}:link {name} {self.service.app}", "on the host, if the data is this app's")
            raise Refused(Refusal("service_elsewhere", text, (link,)))
        dokku_backup_parts.must_be_backed_up(database)
        return database

    def _must_be_confirmed(self, apps: list[str]) -> None:
        if self.drill or self.context.check_mode:
            return
        asked = str(self.context.inputs.get("overwrite") or "")
        named = sorted(word.strip() for word in asked.split(",") if word.strip())
        if named == apps:
            return
        others = [app for app in apps if app != self.service.app]
        shared = f", which {', '.join(others)} use too" if others else ""
        text = f"this overwrites data of {self.service.app}{shared}"
        if named:
            text += f"; overwrite={asked} names {', '.join(named)}"
        ways = (
            (f"overwrite={','.join(apps)}", "confirms it; the command with --check shows what it overwrites"),
            ("verify_only=true", "only tries the backup out, in a scratch service"),
        )
        raise Refused(Refusal("not_confirmed", text, ways))

    def _must_have_room(self, store: Store, survey: Survey, pieces: list[Piece], parts: list[Part]) -> None:
        reserve = self.service.description.disk_reserve
        dokku_backup_parts.must_have_room(store, survey, pieces, reserve)
        # A database takes about three times its dump while it is imported, and stands there twice.
        dumps = sum(part.size for part in parts if part.kind == "database")
        for folder in (_SERVICES, _DOCKER):
            ways = (("df -h", "on the host, shows what is full"),)
            refusal = disk_room.refuse(disk_room.room_in(folder, 3 * dumps, 1000, reserve), "a scratch service", ways)
            if refusal is not None:
                raise Refused(refusal)

    # -- what is done ----------------------------------------------------------------------------

    def _steps(self, parts: list[Part], pieces: list[Piece], running: list[str]) -> list[Step]:
        dumps = [part for part in parts if part.kind == "database"]
        steps = [
            Step(
                f"scratch:{part.name}",
                f"import {part.name} into a scratch service and compare",
                data={"name": part.name},
            )
            for part in dumps
        ]
        if self.drill:
            return steps
        steps += [Step(f"stop:{app}", f"stop {app}, so that nothing writes", data={"app": app}) for app in running]
        steps += [step_of(piece, "keep") for piece in pieces]
        steps.append(Step("keep_seal", "keep what stands now as a backup of its own"))
        for part in dumps:
            title = f"import {part.name} from the backup, and compare"
            steps.append(Step(f"import:{part.name}", title, data={"name": part.name}))
        for part in parts:
            if part.kind == "config":
                steps.append(Step("config", "import the configuration, all but the addresses of services"))
            elif part.kind == "storage":
                steps.append(Step(f"storage:{part.name}", f"replace the storage {part.name}", data={"name": part.name}))
        return steps + [Step(f"start:{app}", f"start {app}", data={"app": app}) for app in running]

    def _undo(self, parts: list[Part], running: list[str]) -> list[Step]:
        dumps = [part for part in parts if part.kind == "database"]

        def step(what: str, name: str, title: str, after: str) -> Step:
            return Step(f"{what}:{name}", title, data={"name": name, "app": name, "after": after})

        steps = [
            step("drop", part.name, f"remove the scratch service of {part.name}", f"scratch:{part.name}")
            for part in dumps
        ]
        if self.drill:
            return steps
        steps += [step("stop_back", app, f"stop {app}", f"start:{app}") for app in running]
        for part in parts:
            if part.kind == "database":
                steps.append(step("import_back", part.name, f"import {part.name} as it was", f"import:{part.name}"))
            elif part.kind == "config":
                steps.append(Step("config_back", "import the configuration as it was", data={"after": "config"}))
            elif part.kind == "storage":
                steps.append(
                    step("storage_back", part.name, f"put the storage {part.name} back", f"storage:{part.name}")
                )
        return steps + [step("start_back", app, f"start {app}", f"stop:{app}") for app in running]

    # -- what is shown ---------------------------------------------------------------------------

    def _overwritten(
        self, source: Source, parts: list[Part], databases: list[Database], survey: Survey
    ) -> list[list[Any]]:
        shown: list[list[Any]] = []
        facts = {part.name: part.facts for part in parts if part.kind == "database"}
        tables = [
            line
            for database in databases
            for line in differences.table_changes(database.title, database.present(), facts[database.title])
        ]
        if tables:
            shown.append(["compared to now" if self.drill else "overwrites", tables])
        if self.drill:
            return shown
        for part in parts:
            if part.kind == "config":
                present = self.service.config()
                wanted = differences.merged_config(present, source.config(), _kept(self.context, present))
                shown.append(["configuration", differences.config_changes(present, wanted) or ["nothing changes"]])
            elif part.kind == "storage":
                files = source.members(part)
                now = survey.parts.run("size", "storage", part.name).split()
                line = f"{now[1]} files ({now[0]} bytes) now, {len(files)} ({sum(files.values())} bytes) in the backup"
                shown.append([f"storage {part.name}", [line]])
        return shown

    def _warnings(self, parts: list[Part], apps: list[str], running: list[str]) -> list[str]:
        lines = []
        if not self.drill:
            if running:
                lines.append(f"{', '.join(running)} stands still from its stop until its start")
            if self.context.check_mode:
                lines.append(f"it goes on only with overwrite={','.join(apps)}")
        for part in parts:
            for kind in ("routines", "events"):
                if part.facts.get(kind):
                    names = ", ".join(part.facts[kind])
                    lines.append(f"{part.name} had {kind} that no export of Dokku holds: {names}")
        return lines


def _kept(context: Context, present: Mapping[str, str]) -> list[str]:
    addresses = [database.address() for database in dokku_database.linked(context.service)]
    return differences.kept_keys(present, addresses)


def _running(context: Context, app: str) -> bool:
    return str(context.service.dokku.report(app, "ps").get("running")) in ("true", "mixed")


# -- doing it ------------------------------------------------------------------------------------------------------


def steps(context: Context, plan: dict[str, Any]) -> Mapping[str, Callable[[Step], object]]:
    """What each step does, forward and back."""
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
    def __init__(self, context: Context, plan: dict[str, Any]) -> None:
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
        except Refused as refused:
            raise CommandFailed(refused.refusal.text) from refused

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
        if _running(self.context, app):
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
        wanted = differences.merged_config(present, self._source().config(), _kept(self.context, present))
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
        if not _running(self.context, app):
            self.service.dokku.run("ps:start", app)
        if not _running(self.context, app):
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


def verify(context: Context, plan: Mapping[str, Any], direction: str, gate: GateSettings) -> dict[str, Any]:
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
    found = health.verify(context.service, gate)
    if not found["ok"]:
        found["reason"] = f"{found['reason']} ({kept})"
    return {**found, "note": "; ".join(filter(None, [str(found.get("note") or ""), kept]))}


def _scratch_left(context: Context, plan: Mapping[str, Any]) -> str:
    """A scratch service that is still there."""
    names = []
    for raw in plan["steps"]:
        if raw["id"].startswith("scratch:"):
            plugin, _, name = str(raw["data"]["name"]).partition(".")
            scratch = Database(context.service, plugin, name).scratch(str(plan["saved_as"]))
            if scratch.exists():
                names.append(scratch.name)
    return f"the scratch service {', '.join(names)} is still there" if names else ""
