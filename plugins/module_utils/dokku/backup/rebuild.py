# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An app as it was, on a host that has none of it: all from a backup, in an order that can be cut off anywhere."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import differences, retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.dokku import health, nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make, rebuild_changes
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import parts as dokku_backup_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import source as dokku_backup_source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.database import Database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.parts import Piece, Survey
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.root_helper import Parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.source import Source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku, DokkuError, NotACommand
from ansible_collections.ops.runbook.plugins.module_utils.dokku.procedure import Context
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import GateSettings
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed

_NEEDED = ("config", "settings")
_LIB = "/var/lib/dokku"


def plan(context: Context) -> dict[str, Any]:
    """What is made on this host, from which backup, and what is left to a person."""
    service = context.service
    backup = make.settings(context)
    store = Store(backup["folder"])
    owner = make.owner_of(context)
    manifest = dokku_backup_source.choose(store, str(context.inputs.get("backup") or "latest"), owner)
    source = Source(store, manifest, str(context.secrets.get("backup_private_key") or ""))
    source.must_open()
    source.must_be_whole(manifest.parts, context.guard.ledger())
    code = _code_of(manifest)
    parts = Parts(backup["helper"], context.guard.inherited)
    dokku_backup_parts.must_be_called(parts, [Piece(part.kind, part.name) for part in manifest.parts])
    nginx_check.must_be_taken(service.dokku, service.app)
    notes = [*retention.ahead_lines(store.look()[0], owner), *_must_be_new(context, manifest)]
    reserve = service.description.disk_reserve
    room = disk_room.room_in(_LIB, 4 * manifest.size, 2000, reserve)
    refusal = disk_room.refuse(room, "the app and its services", (("df -h", "on the host, shows what is full"),))
    if refusal is not None:
        raise Refused(refusal)
    settings = source.document("settings")
    domains = str(settings["reports"].get("domains", {}).get("app-vhosts") or "").split()
    target = {"id": manifest.release.get("sha") or manifest.release.get("source_image", ""), "name": code}
    return {
        "from": None,
        "to": target,
        "source": manifest.id,
        "chosen": f"backup {manifest.id}, made {manifest.made} on {manifest.host}",
        "proven": f"SHA-256 of {len(manifest.parts)} parts; trailer and rows of {len(manifest.of('database'))} dumps",
        "steps": [step.to_dict() for step in _steps(manifest, code)],
        "undo": [step.to_dict() for step in _undo(manifest, service.app)],
        "also": [
            ["settings", [" ".join(call) for call in rebuild_changes.commands(service.app, settings)]],
            ["by a person", _left_to_do(service.app, domains, manifest)],
        ],
        "warnings": [*notes, *source.warnings(), *(f"not in the backup: {line}" for line in manifest.left_out)],
        "backup": backup,
        "left_to_do": _left_to_do(service.app, domains, manifest),
    }


def _code_of(manifest: Manifest) -> str:
    """What will run, in the words of the plan. Raises Refused where the backup has neither code nor image."""
    missing = [kind for kind in _NEEDED if not manifest.of(kind)]
    if missing:
        way = ("backup=<another>", "names a backup with all parts")
        raise Refused(Refusal("part_missing", f"the backup {manifest.id} has no {', '.join(missing)}", (way,)))
    if manifest.of("image"):
        return "the saved image"
    if manifest.release.get("source_image"):
        return f"image {manifest.release['source_image']}"
    if manifest.of("repository") and manifest.release.get("sha"):
        return f"commit {manifest.release['sha'][:12]}"
    return "nothing: it was not deployed"


def _must_be_new(context: Context, manifest: Manifest) -> list[str]:
    """Raise Refused unless the host can take the app and has nothing of it. Returns what a person should know."""
    service = context.service
    app = service.app
    if service.dokku.run("apps:exists", app, check=False, timeout=60.0).rc == 0:
        instead = ("dokku_restore", "restores data into an app that is there")
        destroy = (f"dokku apps:destroy {app}", "on the host, if that app may go")
        raise Refused(Refusal("app_exists", f"there is an app {app} on this host already", (instead, destroy)))
    here = Survey(service, Parts("")).versions()
    plugins = sorted({part.name.partition(".")[0] for part in manifest.of("database")})
    for plugin in plugins:
        try:
            service.dokku.run(f"{plugin}:list", timeout=60.0)
        except NotACommand:
            here.pop(plugin, None)
        else:
            here.setdefault(plugin, manifest.versions.get(plugin, "") or "0")
    wrong, notes = rebuild_changes.version_problems(manifest.versions, here, plugins)
    if wrong:
        ways = tuple(
            (f"sudo dokku plugin:install https://github.com/dokku/dokku-{name}.git {name}", "on the host, installs it")
            for name in plugins
            if name not in here
        )
        ways += (("sudo apt-get install --only-upgrade dokku", "on the host, brings Dokku up to date"),)
        raise Refused(Refusal("host_not_ready", f"this host can't take the backup: {wrong[0]}", ways, tuple(wrong)))
    for part in manifest.of("database"):
        plugin, _, name = part.name.partition(".")
        database = Database(service, plugin, name)
        if database.exists():
            links = ", ".join(database.links()) or "nothing"
            way = (f"dokku {plugin}:destroy {name}", "on the host, if its data may go")
            text = f"there is a service {database.title} on this host already, linked to {links}"
            raise Refused(Refusal("service_exists", text, (way,)))
    return notes


def _left_to_do(app: str, domains: list[str], manifest: Manifest) -> list[str]:
    lines = [f"point the DNS records of {', '.join(domains)} to this host, once the app is well"] if domains else []
    lines.append(f"dokku letsencrypt:enable {app}, once DNS points here: the certificate of the backup is not renewed")
    lines.append(f"stop {app} on {manifest.host} before DNS moves, or what is written there after the backup is lost")
    return lines


def _steps(manifest: Manifest, code: str) -> list[Step]:
    dumps = manifest.of("database")

    def each(what: str, title: str) -> list[Step]:
        return [Step(f"{what}:{part.name}", title.format(part.name), data={"name": part.name}) for part in dumps]

    steps = [Step("app", "create the app")]
    steps += each("service", "create the service {}")
    steps += each("import", "import {} from the backup, and compare")
    steps += each("link", "link {}")
    steps.append(Step("config", "import the configuration, with the new addresses of the services"))
    for part in manifest.of("storage"):
        steps.append(Step(f"storage:{part.name}", f"put the storage {part.name} in place", data={"name": part.name}))
    steps.append(Step("settings", "mounts, domains, ports, scale, options, limits and checks"))
    if manifest.of("properties"):
        steps.append(Step("certificate", "the certificate that the app had"))
        steps.append(Step("records", "the records of its releases"))
    if not code.startswith("nothing"):
        steps.append(Step("code", f"deploy {code}"))
    return steps


def _undo(manifest: Manifest, app: str) -> list[Step]:
    steps = [Step("unmake", f"destroy the app {app}, which this operation made", data={"after": "app"})]
    for part in manifest.of("database"):
        data = {"name": part.name, "after": f"service:{part.name}"}
        steps.append(Step(f"unmake_service:{part.name}", f"destroy {part.name}, which this operation made", data=data))
    for part in manifest.of("storage"):
        data = {"name": part.name, "after": f"storage:{part.name}"}
        steps.append(Step(f"storage_back:{part.name}", f"put the storage {part.name} back as it was", data=data))
    return steps


def steps(context: Context, plan: dict[str, Any]) -> Mapping[str, Callable[[Step], object]]:
    """What each step does."""
    doing = _Doing(context, plan)
    return {
        "app": doing.create_app,
        "service": doing.create_service,
        "import": doing.load,
        "link": doing.link,
        "config": doing.config,
        "storage": doing.storage,
        "settings": doing.settings,
        "certificate": doing.certificate,
        "records": doing.records,
        "code": doing.code,
        "unmake": doing.unmake,
        "unmake_service": doing.unmake_service,
        "storage_back": doing.storage_back,
    }


class _Doing:
    def __init__(self, context: Context, plan: dict[str, Any]) -> None:
        self.context, self.plan, self.service = context, plan, context.service
        self.dokku, self.app = context.service.dokku, context.service.app
        self.parts = Parts(plan["backup"]["helper"], context.guard.inherited)

    def _source(self) -> Source:
        source = dokku_backup_source.again(self.plan, str(self.context.secrets.get("backup_private_key") or ""))
        try:
            source.must_open()
        except Refused as refused:
            raise CommandFailed(refused.refusal.text) from refused
        return source

    def _database(self, step: Step) -> Database:
        plugin, _, name = str(step.data["name"]).partition(".")
        return Database(self.service, plugin, name)

    @staticmethod
    def _part(source: Source, kind: str, step: Step) -> Part:
        return next(part for part in source.manifest.of(kind) if part.name == step.data["name"])

    # -- services and data -----------------------------------------------------------------------

    def create_app(self, _step: Step) -> object:
        if self.dokku.run("apps:exists", self.app, check=False).rc != 0:
            self.dokku.run("apps:create", self.app)
        return None

    def create_service(self, step: Step) -> object:
        database, part = self._database(step), self._part(self._source(), "database", step)
        if not database.exists():
            repository, _, version = str(part.facts.get("image") or "").rpartition(":")
            chosen = ["--image", repository, "--image-version", version] if repository else []
            self.dokku.run(f"{database.plugin}:create", database.name, *chosen, timeout=600.0)
        elif not database.running():
            self.dokku.run(f"{database.plugin}:start", database.name, timeout=600.0)
        return {"image": database.image()}

    def load(self, step: Step) -> object:
        source, database = self._source(), self._database(step)
        part = self._part(source, "database", step)
        database.load(source.read(part), part.facts.get("rows") or {})
        wrong = database.differences(part.facts)
        if wrong:
            raise CommandFailed(f"{part.name} does not have what the backup has: {'; '.join(wrong)}")
        return {"rows": sum((part.facts.get("rows") or {}).values())}

    def link(self, step: Step) -> object:
        database, part = self._database(step), self._part(self._source(), "database", step)
        if self.app in database.links():
            return None
        variables = [name for name in part.facts.get("variables") or [] if name.endswith("_URL")]
        alias = ["--alias", variables[0][: -len("_URL")]] if variables else []
        self.dokku.run(f"{database.plugin}:link", database.name, self.app, *alias, "--no-restart")
        return {"variables": variables}

    def config(self, _step: Step) -> object:
        source = self._source()
        wanted, present = source.config(), self.service.config()
        old = dict(wanted)
        kept = []
        for part in source.manifest.of("database"):
            plugin, _, name = part.name.partition(".")
            address = Database(self.service, plugin, name).address()
            kept.append(address)
            for variable in part.facts.get("variables") or []:
                # A query that the app added to the address stays.
                wanted = rebuild_changes.readdressed(wanted, _bare(old.get(variable, "")), address)
        staying = [key for key in differences.kept_keys(present, kept) if key not in wanted]
        merged = {**differences.merged_config(present, wanted, staying)}
        if merged and merged != present:
            self.service.hide(merged.values())
            words = ("--replace", "--no-restart", "--format", "json", self.app, "-")
            self.dokku.run("config:import", *words, stdin=json.dumps(merged))
        return {"keys": sorted(merged)}

    def storage(self, step: Step) -> object:
        source = self._source()
        part = self._part(source, "storage", step)
        self.parts.write(source.read(part), "write", "storage", part.name, str(self.plan["saved_as"]))
        return {"files": len(source.members(part))}

    # -- settings --------------------------------------------------------------------------------

    def settings(self, _step: Step) -> object:
        settings = self._source().document("settings")
        here = {rebuild_changes.mount_of(entry) for entry in self.dokku.json("storage:list", self.app)}
        for entry in settings["storage"]:
            mount = rebuild_changes.mount_of(entry)
            if mount not in here:
                self.dokku.run("storage:mount", self.app, mount)
        report = self.dokku.report(self.app, "docker-options")
        present = {
            (phase, option) for phase in ("build", "deploy", "run") for option in report.get(f"{phase}-list") or []
        }
        not_set = {}
        for call in rebuild_changes.commands(self.app, settings):
            if call[0] == "docker-options:add" and (call[2], call[3]) in present:
                continue
            try:
                self.dokku.run(*call)
            except DokkuError as error:
                if call[0].startswith(rebuild_changes.NEEDED):
                    raise
                not_set[" ".join(call)] = str(error)
        return {"not_set": not_set} if not_set else None

    def certificate(self, _step: Step) -> object:
        source = self._source()
        (part,) = source.manifest.of("properties")
        files = source.files(part, f"home/dokku/{self.app}/tls/")
        if not {"server.crt", "server.key"} <= set(files):
            return {"certificate": "none in the backup"}
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in ("server.crt", "server.key"):
                member = tarfile.TarInfo(name)
                member.size = len(files[name])
                archive.addfile(member, io.BytesIO(files[name]))
        self.dokku.run("certs:add", self.app, stdin=packed.getvalue())
        return {"certificate": "added"}

    def records(self, _step: Step) -> object:
        source = self._source()
        (part,) = source.manifest.of("properties")
        self.parts.write(source.read(part), "write", "records", self.app)
        return None

    # -- code ------------------------------------------------------------------------------------

    def code(self, _step: Step) -> object:
        source = self._source()
        release = source.manifest.release
        if str(self.dokku.report(self.app, "ps").get("deployed")) == "true":
            return {"deployed": "already"}
        image, sha = release.get("source_image", ""), release.get("sha", "")
        for part in source.manifest.of("image"):
            self.parts.write(source.read(part), "write", "image", self.app)
            self.dokku.run("deploy", self.app, "latest", tell=True)
            return {"deployed": part.name}
        if image:
            self.dokku.run("git:from-image", self.app, image, tell=True)
            return {"deployed": image}
        (part,) = source.manifest.of("repository")
        self.parts.write(source.read(part), "write", "repository", self.app)
        try:
            self.dokku.run("git:sync", "--build", self.app, f"/home/dokku/{self.app}/restored.bundle", sha, tell=True)
        finally:
            self.parts.run("forget", "repository", self.app)
        return {"deployed": sha}

    # -- back ------------------------------------------------------------------------------------

    def _disposing(self) -> Dokku:
        """For what this operation made: the plan saw that there was none of it before."""
        known = self.service.description
        inherited = self.context.guard.inherited
        return Dokku(known.command, known.user, inherited, self.service.redact, known.command_timeout, disposable=True)

    def unmake(self, _step: Step) -> object:
        if self.dokku.run("apps:exists", self.app, check=False).rc == 0:
            self._disposing().run("apps:destroy", self.app, "--force")
        return None

    def unmake_service(self, step: Step) -> object:
        database = self._database(step)
        if database.exists():
            self._disposing().run(f"{database.plugin}:destroy", database.name, "--force")
        return None

    def storage_back(self, step: Step) -> object:
        self.parts.run("back", "storage", str(step.data["name"]), str(self.plan["saved_as"]))
        return None


def _bare(address: str) -> str:
    """An address without the query that an app may have put behind it."""
    return address.partition("?")[0]


def verify(context: Context, plan: Mapping[str, Any], direction: str, gate: GateSettings) -> dict[str, Any]:
    """The app is well on this host, or there is nothing left of it."""
    if direction == BACK:
        there = context.service.dokku.run("apps:exists", context.service.app, check=False).rc == 0
        reason = f"the app {context.service.app} is still there" if there else ""
        return blame.answer(reason, note="nothing of it is left")
    if not any(raw["id"] == "code" for raw in plan["steps"]):
        return blame.answer(note="; ".join(plan["left_to_do"]))
    found = health.verify(context.service, gate)
    notes = [str(found.get("note") or ""), *plan["left_to_do"]]
    return {**found, "note": "; ".join(note for note in notes if note)}
