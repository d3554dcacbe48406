# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a deploy or a rollback of a Compose service, forward, back and afterwards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import alembic, before
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins.files import Pins
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import Wish
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.schema import Schema
from ansible_collections.ops.runbook.plugins.module_utils.compose.present import Present
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan


@dataclass(frozen=True)
class Change:
    """A change of release. images: of the target, by service."""

    wish: Wish
    service: Description
    present: Present
    images: Mapping[str, Reference]
    schema: Schema
    pins: Pins

    @property
    def newer(self) -> str:
        """The image that runs now, which has the files of newer migrations."""
        return self.present.images[self.service.migration_service].text

    @property
    def target(self) -> str:
        """The image of the target that has its migrations."""
        return self.images[self.service.migration_service].text


def forward(change: Change) -> list[Step]:
    """The way to the target."""
    texts = {service: image.text for service, image in change.images.items()}
    names, pins = ", ".join(change.images), change.pins
    return [
        Step("images", "prove the images by their digests", data={"images": texts}),
        *_migrate(change),
        Step("pin", f"pin {names} in {', '.join(pins.names)}", data={"pins": texts, "files": pins.to_dict()}),
        Step("up", "docker compose up -d --wait", data={"images": texts}),
    ]


def _migrate(change: Change) -> list[Step]:
    schema = change.schema
    migrations = schema.migrations
    if migrations is not None and migrations.undoes:
        applied = alembic.applied(schema.known, schema.heads or ())
        title = (
            f"{'; '.join(f'alembic downgrade {name}' for name in schema.downs)} in {label(change.present.release)}, "
            f"which undoes {len(migrations.undoes)}"
        )
        data = {
            "image": change.newer,
            "targets": list(schema.downs),
            "undo": list(migrations.undoes),
            "stays": sorted(set(applied) - set(migrations.undoes)),
            **migration_plan.cut(schema.transactional),
        }
        return [Step("migrate_down", title, repeatable=schema.transactional, data=data)]
    if migrations is not None and (migrations.runs or (schema.unseen and change.wish.migrations == "run")):
        to = "heads" if len(alembic.heads(schema.known)) > 1 else "head"
        amount = f" ({len(migrations.runs)} pending)" if migrations.runs else ", if it has any to run"
        data = {
            "image": change.target,
            "to": to,
            "migrations": list(migrations.runs),
            **migration_plan.cut(schema.transactional),
        }
        title = f"alembic upgrade {to} in the new image{amount}"
        return [Step("migrate", title, repeatable=schema.transactional, data=data)]
    return []


def back(change: Change) -> list[Step]:
    """The way back, service by service: what ran comes up again, and only what did not is stopped."""
    pins, was = change.pins, change.present.before
    result = _migrate_back(change)
    result.append(Step("unpin", f"put {', '.join(pins.names)} back", data={"files": pins.to_dict(), "after": "pin"}))
    stop, start = before.to_stop(was), before.to_start(was)
    if stop:
        result.append(Step("stop", f"stop {', '.join(stop)}, which did not run before", data={"after": "up"}))
    if start:
        names = "" if before.all_run(was) else f" {' '.join(start)}"
        result.append(Step("up", f"docker compose up -d --wait{names}", data={"after": "pin"}))
    return result


def _migrate_back(change: Change) -> list[Step]:
    wish, schema = change.wish, change.schema
    if schema.migrations is None:
        return []
    heads = list(schema.heads or ())
    if schema.migrations.undoes:
        title = f"alembic upgrade {' '.join(heads)} in {label(change.present.release)}"
        data = {
            "image": change.newer,
            "heads": heads,
            "after": "migrate_down",
            **migration_plan.cut(schema.transactional),
        }
        return [Step("migrate_up", title, repeatable=schema.transactional, data=data)]
    if wish.procedure != "deploy" or not wish.migrate_here or schema.unseen or schema.heads is None:
        return []
    # What this deploy migrates, or what its images migrate when they start, foreseen or not.
    runs = list(schema.migrations.runs)
    undo: dict[str, Any] = {
        "image": change.target,
        "heads": heads,
        "itself": schema.itself,
        "planned": runs,
        "shared": wish.database_shared,
        # The first step of all: whether there is anything to undo is looked up in the database.
        "after": "images",
        **migration_plan.cut(schema.transactional),
    }
    what = "the migrations of this deploy" if runs or schema.itself else "migrations that the new images ran, if any"
    title = f"undo {what}, from the new image, where nothing is lost by it"
    return [Step("undo_migrations", title, repeatable=schema.transactional, data=undo)]


def afterwards(change: Change, goal: Mapping[str, Any]) -> list[Step]:
    """The steps after a good verification."""
    count = change.service.keep_releases
    title = f"remove the images that the last {count} good releases do not need"
    return [*seen_after(change), Step("retention", title, data={"to": goal["id"]})]


def seen_after(change: Change) -> list[Step]:
    """A look at the database, where it lacks migrations of the new images and this operation runs none."""
    schema = change.schema
    migrations = schema.migrations
    if migrations is None or schema.heads is None or not change.wish.migrate_here:
        return []
    if migrations.runs or not migrations.comparison.behind:
        return []
    data = {"image": change.target, "heads": list(schema.heads)}
    return [Step("schema", "see whether the new images have migrated the database", data=data)]
