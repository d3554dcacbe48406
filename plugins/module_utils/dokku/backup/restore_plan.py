# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a restore: what is put back, what it overwrites, and how that is proven first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.backup import differences, retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Owner
from ansible_collections.ops.runbook.plugins.module_utils.dokku import nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import make, source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import parts as backup_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.facts import Facts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.parts import Piece, step_of
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import entry, known
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan

KINDS = ("database", "config", "storage")
#: The disks that a scratch service fills.
SCRATCH = ("/var/lib/dokku/services", "/var/lib/docker")


@dataclass(frozen=True)
class Wish:
    """The wish of an operator who restores data. settings: see make.settings. drill: only try the backup out.

    parts: the requested kinds, in a list or a text with commas.
    """

    settings: Mapping[str, Any]
    backup: str = "latest"
    parts: Any = None
    drill: bool = False
    overwrite: str = ""
    check_mode: bool = False


def plan(wish: Wish, owner: Owner, facts: Facts) -> DokkuPlan:
    """The plan as the journal keeps it. Raises Problem, and Unread."""
    backups = known(facts.backups, "backups")
    manifest = source.chosen(backups, wish.backup, owner)
    parts = _parts(wish, manifest)
    key = known(facts.key, "key")
    source.must_open(manifest, key)
    if not wish.drill:
        source.must_be_kept_readable(str(wish.settings["recipient"]), key)
    source.must_be_whole(manifest, known(facts.problems, "problems", {"manifest": manifest, "parts": parts}))
    dumps = [part for part in parts if part.kind == "database"]
    links = [app for part in dumps for app in _must_be_linked(facts, part)]
    apps = sorted({facts.app, *links})
    _must_be_confirmed(wish, facts.app, apps)
    live = known(facts.live, "live")
    running = [] if wish.drill else [app for app in apps if entry(facts.running, "running", app)]
    if running:
        # They are stopped for the import, and could not be started again.
        for broken in known(facts.nginx, "nginx"):
            raise nginx_check.refusal(broken, facts.app)
    pieces = [] if wish.drill else [Piece(part.kind, part.name) for part in parts]
    backup_parts.must_be_called(pieces, lambda: next(iter(known(facts.helper, "helper")), None))
    _must_have_room(facts, pieces, dumps)
    newest = " (the newest)" if wish.backup == "latest" else ""
    return {
        "from": live,
        "to": live,
        "source": manifest.id,
        "chosen": f"backup {manifest.id}, made {manifest.made} on {manifest.host}{newest}",
        "proven": f"SHA-256 of {len(parts)} parts; trailer, database and rows of {len(dumps)} dumps",
        "steps": [step.to_dict() for step in _steps(wish, parts, pieces, running)],
        "undo": [step.to_dict() for step in _undo(wish, parts, running)],
        "afterwards": [step.to_dict() for step in _afterwards(wish, parts)],
        "also": _overwritten(wish, manifest, parts, facts),
        "warnings": [
            *_warnings(wish, parts, apps, running),
            *source.unsealed(manifest),
            *retention.ahead_lines(backups.here, owner),
        ],
        "backup": wish.settings,
        "drill": wish.drill,
        "parts": [part.title for part in parts],
        "stopped": running,
        "making": {
            "reason": "before_restore",
            "environment": wish.settings["environment"],
            "versions": known(facts.versions, "versions"),
            "release": known(facts.release, "release"),
            "left_out": [],
        },
    }


# -- refusals ------------------------------------------------------------------------------------


def _parts(wish: Wish, manifest: Manifest) -> list[Part]:
    """The parts of the backup that are restored."""
    kinds = make.kinds_of(wish.parts, KINDS, KINDS)
    if wish.drill:
        kinds = tuple(kind for kind in kinds if kind == "database") or kinds
    found = manifest.of(*kinds)
    without = [kind for kind in kinds if not manifest.of(kind)]
    if not found or (wish.parts and without):
        text = f"the backup {manifest.id} has no {', '.join(without)}"
        has = sorted({part.kind for part in manifest.parts} & set(KINDS))
        way = (f"parts={','.join(has)}", "restores what it has") if has else ("backup=<another>", "names another one")
        raise Problem("part_missing", text, (way,), manifest.left_out)
    return found


def _must_be_linked(facts: Facts, part: Part) -> tuple[str, ...]:
    """The apps that use the database of a dump. Raises Problem where this app can't get its data back."""
    found = entry(facts.services, "services", part.name)
    plugin, _, name = part.name.partition(".")
    link = f"dokku {plugin}:link {name} {facts.app}"
    if not found.exists:
        text = f"the backup has a dump of {part.name}, and this host does not have that service"
        create = (f"dokku {plugin}:create {name} && {link}", "on the host, make it")
        raise Problem("service_missing", text, (create, ("dokku_rebuild_host", "makes it with all the rest")))
    if facts.app not in found.links:
        elsewhere = f"it is linked to {', '.join(found.links)}" if found.links else "it is linked to nothing"
        text = f"{part.name} is not linked to {facts.app}: {elsewhere}"
        raise Problem("service_elsewhere", text, ((link, "on the host, if the data is this app's"),))
    backup_parts.must_be_backed_up(part.name, lambda: found.running)
    return found.links


def _must_be_confirmed(wish: Wish, own: str, apps: Sequence[str]) -> None:
    """Raise Problem unless the operator named every app whose data is overwritten."""
    if wish.drill or wish.check_mode:
        return
    named = sorted(word.strip() for word in wish.overwrite.split(",") if word.strip())
    if named == list(apps):
        return
    others = [app for app in apps if app != own]
    shared = f", which {', '.join(others)} use too" if others else ""
    text = f"this overwrites data of {own}{shared}"
    if named:
        text += f"; overwrite={wish.overwrite} names {', '.join(named)}"
    ways = (
        (f"overwrite={','.join(apps)}", "confirms it; the command with --check shows what it overwrites"),
        ("verify_only=true", "only tries the backup out, in a scratch service"),
    )
    raise Problem("not_confirmed", text, ways)


def _must_have_room(facts: Facts, pieces: Sequence[Piece], dumps: Sequence[Part]) -> None:
    about = {"pieces": pieces, "dumps": sum(part.size for part in dumps)}
    backup_parts.must_have_room(entry(facts.room, "room", "backup", about))
    for folder in SCRATCH:
        ways = (("df -h", "on the host, shows what is full"),)
        must_pass(disk_room.refuse(entry(facts.room, "room", folder, about), "a scratch service", ways))


# -- steps ---------------------------------------------------------------------------------------


def _steps(wish: Wish, parts: Sequence[Part], pieces: Sequence[Piece], running: Sequence[str]) -> list[Step]:
    dumps = [part for part in parts if part.kind == "database"]
    steps = [
        Step(f"scratch:{part.name}", f"import {part.name} into a scratch service and compare", data={"name": part.name})
        for part in dumps
    ]
    if wish.drill:
        return steps
    steps += [Step(f"stop:{app}", f"stop {app}, so that nothing writes", data={"app": app}) for app in running]
    steps += [step_of(piece, "keep") for piece in pieces]
    steps.append(Step("keep_seal", "keep the present data as a backup of its own"))
    for part in dumps:
        title = f"import {part.name} from the backup, and compare"
        steps.append(Step(f"import:{part.name}", title, data={"name": part.name}))
    for part in parts:
        if part.kind == "config":
            steps.append(Step("config", "import the configuration, all but the addresses of services"))
        elif part.kind == "storage":
            steps.append(Step(f"storage:{part.name}", f"replace the storage {part.name}", data={"name": part.name}))
    return steps + [Step(f"start:{app}", f"start {app}", data={"app": app}) for app in running]


def _undo(wish: Wish, parts: Sequence[Part], running: Sequence[str]) -> list[Step]:
    dumps = [part for part in parts if part.kind == "database"]

    def step(what: str, name: str, title: str, after: str) -> Step:
        return Step(f"{what}:{name}", title, data={"name": name, "app": name, "after": after})

    steps = [
        step("drop", part.name, f"remove the scratch service of {part.name}", f"scratch:{part.name}") for part in dumps
    ]
    if wish.drill:
        return steps
    steps += [step("stop_back", app, f"stop {app}", f"start:{app}") for app in running]
    for part in parts:
        if part.kind == "database":
            steps.append(step("import_back", part.name, f"import {part.name} as it was", f"import:{part.name}"))
        elif part.kind == "config":
            steps.append(Step("config_back", "import the configuration as it was", data={"after": "config"}))
        elif part.kind == "storage":
            steps.append(step("storage_back", part.name, f"put the storage {part.name} back", f"storage:{part.name}"))
    return steps + [step("start_back", app, f"start {app}", f"stop:{app}") for app in running]


def _afterwards(wish: Wish, parts: Sequence[Part]) -> list[Step]:
    return [
        Step(f"forget:{part.name}", f"remove the storage {part.name} as it was before", data={"name": part.name})
        for part in parts
        if part.kind == "storage" and not wish.drill
    ]


# -- what is shown -------------------------------------------------------------------------------


def _overwritten(wish: Wish, manifest: Manifest, parts: Sequence[Part], facts: Facts) -> list[list[Any]]:
    shown: list[list[Any]] = []
    tables = [
        line
        for part in parts
        if part.kind == "database"
        for line in differences.table_changes(part.name, entry(facts.tables, "tables", part.name), part.facts)
    ]
    if tables:
        shown.append(["compared to now" if wish.drill else "overwrites", tables])
    if wish.drill:
        return shown
    for part in parts:
        if part.kind == "config":
            config = known(facts.config, "config", {"manifest": manifest})
            kept = differences.kept_keys(config.present, config.addresses)
            wanted = differences.merged_config(config.present, config.backup, kept)
            shown.append(["configuration", differences.config_changes(config.present, wanted) or ["nothing changes"]])
        elif part.kind == "storage":
            found = entry(facts.storage, "storage", part.name, {"manifest": manifest, "part": part})
            now = f"{found.files} files ({found.bytes} bytes) now"
            line = f"{now}, {found.backup_files} ({found.backup_bytes} bytes) in the backup"
            shown.append([f"storage {part.name}", [line]])
    return shown


def _warnings(wish: Wish, parts: Sequence[Part], apps: Sequence[str], running: Sequence[str]) -> list[str]:
    lines = []
    if running:
        lines.append(f"{', '.join(running)} will be down while the data is imported")
    if wish.check_mode and not wish.drill:
        lines.append(f"it continues only with overwrite={','.join(apps)}")
    for part in parts:
        for kind in ("routines", "events"):
            if part.facts.get(kind):
                names = ", ".join(part.facts[kind])
                lines.append(f"{part.name} had {kind} that no export of Dokku holds: {names}")
    return lines
