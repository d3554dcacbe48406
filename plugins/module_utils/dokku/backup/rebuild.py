# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rebuild an app on a host that has nothing of it: all from a backup, in an order that can be cut off anywhere."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import differences
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Part
from ansible_collections.ops.runbook.plugins.module_utils.dokku import health
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make, rebuild_changes, rebuild_plan
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import source as dokku_backup_source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.database import Database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.facts import Facts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.look import FactReader
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.rebuild_plan import Wish
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.root_helper import Parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.source import Source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import decided
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan


def plan(context: Context) -> DokkuPlan:
    """The plan as the journal keeps it. Raises Problem."""
    settings = make.settings(context)
    wish = Wish(settings, str(context.inputs.get("backup") or "latest"))
    wanted = partial(rebuild_plan.plan, wish, make.owner_of(context))
    return decided(wanted, Facts(context.service.app), FactReader(context, settings).read)[0]


def steps(context: Context, plan: DokkuPlan) -> Mapping[str, Callable[[Step], object]]:
    """The action of each step, by the first word of its id."""
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
    def __init__(self, context: Context, plan: DokkuPlan) -> None:
        self.context, self.plan, self.service = context, plan, context.service
        self.dokku, self.app = context.service.dokku, context.service.app
        self.parts = Parts(plan["backup"]["helper"], context.guard.inherited)

    def _source(self) -> Source:
        source = dokku_backup_source.again(self.plan, str(self.context.secrets.get("backup_private_key") or ""))
        try:
            source.must_open()
        except Problem as refused:
            raise CommandFailed(refused.text) from refused
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
        """Dokku for things that this operation made: the plan saw that they did not exist before."""
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


def verify(context: Context, plan: DokkuPlan, direction: str) -> dict[str, Any]:
    """The app is well on this host, or there is nothing left of it."""
    if direction == BACK:
        there = context.service.dokku.run("apps:exists", context.service.app, check=False).rc == 0
        reason = f"the app {context.service.app} is still there" if there else ""
        return blame.answer(reason, note="nothing of it is left")
    if not any(raw["id"] == "code" for raw in plan["steps"]):
        return blame.answer(note="; ".join(plan["left_to_do"]))
    found = health.verify(context.service, context.gate)
    notes = [str(found.get("note") or ""), *plan["left_to_do"]]
    return {**found, "note": "; ".join(note for note in notes if note)}
