# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a rebuild: what is made on a new host, and what is left to a person. Pure: facts in, plan out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Owner
from ansible_collections.ops.runbook.plugins.module_utils.dokku import nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import parts as backup_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import rebuild_changes, source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.facts import Facts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.parts import Piece
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import entry, known
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan

_NEEDED = ("config", "settings")


@dataclass(frozen=True)
class Wish:
    """The wish of an operator who rebuilds an app. settings: see make.settings."""

    settings: Mapping[str, Any]
    backup: str = "latest"


def plan(wish: Wish, owner: Owner, facts: Facts) -> DokkuPlan:
    """The plan as the journal keeps it. Raises Problem, and Unread."""
    app = facts.app
    backups = known(facts.backups, "backups")
    manifest = source.chosen(backups, wish.backup, owner)
    source.must_open(manifest, known(facts.key, "key"))
    about = {"manifest": manifest, "parts": manifest.parts}
    source.must_be_whole(manifest, known(facts.problems, "problems", about))
    code = _code_of(manifest)
    pieces = [Piece(part.kind, part.name) for part in manifest.parts]
    backup_parts.must_be_called(pieces, lambda: next(iter(known(facts.helper, "helper")), None))
    for broken in known(facts.nginx, "nginx"):
        raise nginx_check.refusal(broken, app)
    notes = [*retention.ahead_lines(backups.here, owner), *_must_be_new(facts, manifest)]
    room = entry(facts.room, "room", "rebuild", {"size": manifest.size})
    must_pass(disk_room.refuse(room, "the app and its services", (("df -h", "on the host, shows what is full"),)))
    settings = known(facts.settings, "settings", {"manifest": manifest})
    domains = str(settings["reports"].get("domains", {}).get("app-vhosts") or "").split()
    dumps = len(manifest.of("database"))
    return {
        "from": None,
        "to": {"id": manifest.release.get("sha") or manifest.release.get("source_image", ""), "name": code},
        "source": manifest.id,
        "chosen": f"backup {manifest.id}, made {manifest.made} on {manifest.host}",
        "proven": f"SHA-256 of {len(manifest.parts)} parts; trailer and rows of {dumps} dumps",
        "steps": [step.to_dict() for step in _steps(manifest, code)],
        "undo": [step.to_dict() for step in _undo(manifest, app)],
        "also": [
            ["settings", [" ".join(call) for call in rebuild_changes.commands(app, settings)]],
            ["by a person", _left_to_do(app, domains, manifest)],
        ],
        "warnings": [
            *notes,
            *source.unsealed(manifest),
            *(f"not in the backup: {line}" for line in manifest.left_out),
        ],
        "backup": wish.settings,
        "left_to_do": _left_to_do(app, domains, manifest),
    }


# -- refusals ------------------------------------------------------------------------------------


def _code_of(manifest: Manifest) -> str:
    """The code that will run, in the words of the plan. Raises Problem where the backup lacks a part."""
    missing = [kind for kind in _NEEDED if not manifest.of(kind)]
    if missing:
        way = ("backup=<another>", "names a backup with all parts")
        raise Problem("part_missing", f"the backup {manifest.id} has no {', '.join(missing)}", (way,))
    if manifest.of("image"):
        return "the saved image"
    if manifest.release.get("source_image"):
        return f"image {manifest.release['source_image']}"
    if manifest.of("repository") and manifest.release.get("sha"):
        return f"commit {manifest.release['sha'][:12]}"
    return "nothing: it was not deployed"


def _must_be_new(facts: Facts, manifest: Manifest) -> list[str]:
    """Notes for a person. Raises Problem unless the host can take the app and has nothing of it."""
    if known(facts.app_exists, "app_exists"):
        instead = ("dokku_restore", "restores data into an app that is there")
        destroy = (f"dokku apps:destroy {shlex.quote(facts.app)}", "on the host, if that app may go")
        text = f"there is an app {facts.app} on this host already"
        raise Problem("app_exists", text, (instead, destroy))
    titles = [part.name for part in manifest.of("database")]
    notes = _must_know_the_plugins(facts, manifest, sorted({title.partition(".")[0] for title in titles}))
    for title in titles:
        found = entry(facts.services, "services", title)
        if found.exists:
            plugin, _, name = title.partition(".")
            way = (f"dokku {plugin}:destroy {name}", "on the host, if its data may go")
            links = ", ".join(found.links) or "nothing"
            text = f"there is a service {title} on this host already, linked to {links}"
            raise Problem("service_exists", text, (way,))
    return notes


def _must_know_the_plugins(facts: Facts, manifest: Manifest, plugins: Sequence[str]) -> list[str]:
    """Notes on the versions of Dokku and its plugins. Raises Problem where one is missing, or too old."""
    here = dict(known(facts.versions, "versions"))
    for plugin in plugins:
        if entry(facts.plugins, "plugins", plugin):
            here.setdefault(plugin, manifest.versions.get(plugin, "") or "0")
        else:
            here.pop(plugin, None)
    wrong, notes = rebuild_changes.version_problems(manifest.versions, here, plugins)
    if wrong:
        ways = tuple(
            (f"sudo dokku plugin:install https://github.com/dokku/dokku-{name}.git {name}", "on the host, installs it")
            for name in plugins
            if name not in here
        )
        ways += (("sudo apt-get install --only-upgrade dokku", "on the host, brings Dokku up to date"),)
        raise Problem("host_not_ready", f"this host can't take the backup: {wrong[0]}", ways, tuple(wrong))
    return notes


# -- steps ---------------------------------------------------------------------------------------


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
