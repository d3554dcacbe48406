# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning a change of a Compose service's release: read on the host, decided by the pure rules.

Outside check mode the images of the target are downloaded here: a plan then proves everything before the first host
stops anything, and of the service itself nothing has changed by it.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import alembic, before, image_architecture
from ansible_collections.ops.runbook.plugins.module_utils.compose import images as compose_images
from ansible_collections.ops.runbook.plugins.module_utils.compose import once as compose_once
from ansible_collections.ops.runbook.plugins.module_utils.compose import release as compose_release
from ansible_collections.ops.runbook.plugins.module_utils.compose import staging as compose_staging
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.schema import Schema, SchemaPlanner
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import files
from ansible_collections.ops.runbook.plugins.module_utils.compose.present import Present, PresentReader
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, Container
from ansible_collections.ops.runbook.plugins.module_utils.compose.target import TargetChoice, Wish
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.guard.open_and_plan import adoption_steps
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan


class ComposePlanner:
    """Plans a deploy, a rollback, or an adoption."""

    def __init__(self, service: ComposeService, ledger: Answers, store: ImageStore, check_mode: bool = False) -> None:
        self.service = service
        self.ledger = ledger
        self.store = store
        self.check_mode = check_mode
        self.target = TargetChoice(service, ledger, store, check_mode)
        self.past, self.recorded = self.target.past, self.target.recorded

    # -- deploy and rollback ---------------------------------------------------------------------

    def plan(self, wish: Wish) -> dict[str, Any]:
        """The plan as the journal keeps it. Raises Refused."""
        config = self.service.must_be_operable()
        project = str(config["name"])
        containers = self.service.containers(project)
        present = self.present(config, containers)
        choice, chosen = self.target.choose(wish, present.release)
        goal = self._named(compose_release.release(choice.images))
        if present.release is not None and goal["id"] == present.release["id"] and self._pinned(config, choice.images):
            return self._unchanged(wish, present, project, chosen)
        missing = self.target.fetch(choice.images)
        labels = {service: self.store.labels(image) for service, image in choice.images.items()}
        built: list[str] = []
        if not missing:
            built += self._must_run_here(choice.images)
            found = compose_release.one_build(choice.images, labels, self._source(present))
            if isinstance(found, Refusal):
                self.target.throw_away()
                raise Refused(found)
            goal["revision"] = found[0]
            built += found[1]
            if not goal["name"] and goal["revision"]:
                # Of images that were named by digest alone, people know the commit.
                goal["name"] = f"{self.service.description.tag_prefix}{goal['revision'][:7]}"
        staging, unproven, proof = compose_staging.judge(wish.staging, goal, self._good_here(wish, goal))
        planner = SchemaPlanner(self.service, self.store, config["services"], self.check_mode)
        schema = planner.schema(wish, present.images, choice.images, goal, bool(missing))
        downs = planner.down_targets(schema) if schema.migrations is not None and schema.migrations.undoes else ()
        unnamed = self._unnamed(config, wish, schema, goal)
        pins = files.prepare(self.service, config, choice.images)
        return {
            "procedure": wish.procedure,
            "asked": wish.to,
            "from": present.release,
            "to": goal,
            "chosen": chosen,
            "proven": choice.how,
            "project": project,
            "steps": [step.to_dict() for step in self._steps(wish, present, choice.images, schema, downs, pins)],
            "undo": [step.to_dict() for step in self._undo(wish, present, choice.images, schema, pins)],
            "afterwards": [
                *(step.to_dict() for step in self._seen_after(wish, choice.images, schema)),
                self._retention(goal).to_dict(),
            ],
            "migrations": migration_plan.record(schema.migrations) if schema.migrations else None,
            "before": before.to_dict(present.before),
            "facts": {"pin": self.service.description.pin, "files": {**self.service.hashes(), **pins.hashes}, **proof},
            "also": [
                ["images", self._image_lines(choice.images, missing)],
                *([["staging", staging]] if staging else []),
                *([["passes over", self.target.over]] if self.target.over else []),
                *planner.ran,
            ],
            "diffstat": _pin_diff(pins),
            "warnings": [
                *present.warnings,
                *([self.store.login_warning] if self.store.login_warning else []),
                *before.warnings(present.before, wish.procedure),
                *self._of_another_file(config, containers),
                *unnamed,
                *self._history_warnings(present, goal),
                *choice.warnings,
                *built,
                *unproven,
                *schema.warnings,
                *pins.warnings,
            ],
        }

    def adopt(self, set_aside: bool) -> dict[str, Any]:
        """Record what runs now as a release. Raises Refused."""
        config = self.service.must_be_operable()
        present = self.present(config, self.service.containers(str(config["name"])))
        if present.release is None or not present.running:
            why = present.why_not or f"{'; '.join(present.idle)}"
            ways: tuple[tuple[str, str], ...] = (
                ("compose_deploy with to=<tag>", "brings a release that is known by its digest"),
            )
            if present.release is not None:
                names = [text.partition(" ")[0] for text in present.idle]
                ways = (
                    (f"docker compose up -d {shlex.join(names)}", "on the host, in the service's folder, starts it"),
                    *ways,
                )
            raise Refused(Refusal("nothing_to_adopt", f"the present state can't be recorded as a release: {why}", ways))
        labels = {service: self.store.labels(image) for service, image in present.images.items()}
        found = compose_release.one_build(present.images, labels, "")
        if isinstance(found, Refusal):
            raise Refused(found)
        step = Step("adopt", f"record {label(present.release)}", data={"release": present.release["id"]})
        steps = adoption_steps(self.ledger, self.past, step, present.release["id"], set_aside)
        return {
            "procedure": "adopt",
            "from": None if steps else present.release,
            "to": present.release,
            "chosen": "the images that run",
            "proven": "they run now",
            "project": str(config["name"]),
            "steps": [one.to_dict() for one in steps],
            "undo": [],
            "migrations": None,
            "before": before.to_dict(present.before),
            "facts": {"pin": self.service.description.pin, "files": self.service.hashes()},
            "also": [["images", self._image_lines(present.images, [])]],
            "warnings": [*present.warnings, *found[1]],
        }

    # -- what runs -------------------------------------------------------------------------------

    def present(self, config: Mapping[str, Any], containers: Sequence[Container]) -> Present:
        """What runs now, with the name that the ledger has for it."""
        found = PresentReader(self.service, self.store).read(config, containers)
        return found if found.release is None else replace(found, release=self._named(found.release))

    def _named(self, release: dict[str, Any]) -> dict[str, Any]:
        """The release with the name that the ledger has for it, where it has none of its own."""
        known = self.recorded.get(str(release["id"]))
        if known and not release["name"]:
            return {**release, "name": known.get("name") or "", "images": known["images"]}
        return release

    def _pinned(self, config: Mapping[str, Any], images: Mapping[str, Reference]) -> bool:
        services = config["services"]
        return all(
            image_reference.parse(str(services[name]["image"])).digest == image.digest for name, image in images.items()
        )

    def _unchanged(self, wish: Wish, present: Present, project: str, chosen: str) -> dict[str, Any]:
        return {
            "procedure": wish.procedure,
            "asked": wish.to,
            "from": present.release,
            "to": present.release,
            "chosen": chosen,
            "proven": "it is the release that runs now",
            "project": project,
            "steps": [],
            "undo": [],
            "migrations": None,
            "before": before.to_dict(present.before),
            "warnings": list(present.warnings),
        }

    def _source(self, present: Present) -> str:
        """The repository that this service is built from, as the inventory or the present images say."""
        if self.service.description.source:
            return self.service.description.source
        found = {self.store.labels(image).get(compose_release.SOURCE, "") for image in present.images.values()}
        return next(iter(found)) if len(found) == 1 else ""

    def _good_here(self, wish: Wish, goal: Mapping[str, Any]) -> str:
        """The operation by which the target of a rollback was good on this host; empty where it never was."""
        known = self.past.find(str(goal["id"]))
        return known.operation if wish.procedure == "rollback" and known is not None and known.good else ""

    def _history_warnings(self, present: Present, goal: Mapping[str, Any]) -> list[str]:
        warnings: list[str] = []
        current = str((present.release or {}).get("id") or "")
        if not self.past.order:
            warnings.append(
                "this host has no ledger yet: the release it runs was never verified here; "
                "run compose_adopt first, so that `previous` can go back to it"
            )
        elif self.past.left is not None and self.past.left != current:
            warnings.append(f"the ledger left this host at {self.past.left}, but it is at {label(present.release)}")
        recorded = self.past.find(str(goal["id"]))
        if recorded is not None and not recorded.good:
            warnings.append(f"{label(goal)} is not a good release: {recorded.why}")
        return warnings

    # -- images ----------------------------------------------------------------------------------

    def _image_lines(self, images: Mapping[str, Reference], missing: Sequence[str]) -> list[str]:
        return [
            f"{service}: {image.text}" + (" (to be downloaded before anything stops)" if service in missing else "")
            for service, image in images.items()
        ]

    def _must_run_here(self, images: Mapping[str, Reference]) -> list[str]:
        """What a person should know of the architecture of the images. Raises Refused."""
        named = {service: (image.text, self.store.architecture(image)) for service, image in images.items()}
        refusal, warnings = image_architecture.judge(self.service.engine.machine(), named, compose_images.emulations())
        if refusal is not None:
            self.target.throw_away()
            raise Refused(refusal)
        return warnings

    # -- what is not of this release ---------------------------------------------------------------

    def _of_another_file(self, config: Mapping[str, Any], containers: Sequence[Container]) -> list[str]:
        """Containers of this project that are in no compose file: another file's, or left over. They stay."""
        strange = [one for one in containers if one.service not in config["services"]]
        if strange:
            # A service of a profile that is switched off is in the files all the same.
            found = self.service.compose("--profile", "*", "config", "--services", check=False, timeout=60.0)
            strange = [one for one in strange if one.service not in found.stdout.split()]
        return [
            f"{one.name} is a container of this project, and its service {one.service} is in none of the compose files "
            f"that are read: it is left as it is. If nothing needs it: docker rm --force {one.name}"
            for one in strange
        ]

    def _unnamed(self, config: Mapping[str, Any], wish: Wish, schema: Schema, goal: Mapping[str, Any]) -> list[str]:
        """Services with an image of this release that compose_images does not name: they would stay behind.

        Raises Refused where one has its one thing to do again at each `up`, on a database that this changes.
        """
        description, services = self.service.description, config["services"]
        own = {image_reference.parse(repository).canonical: repository for repository in description.images.values()}
        once = compose_once.one_shots(services, description.images)
        lines: list[str] = []
        again: dict[str, str] = {}
        for name, body in services.items():
            try:
                image = image_reference.parse(str(body.get("image") or ""))
            except image_reference.BadReference:
                continue
            if name in description.images or image.canonical not in own:
                continue
            place = files.place_of(self.service, name)
            lines.append(
                f"{name} ({place}) uses {image.text}, an image of this service's repositories, and compose_images does "
                f"not name it: it stays at that image beside {label(goal)}"
            )
            if name in once:
                again[name] = own[image.canonical]
        migrations = schema.migrations
        if again and migrations is not None and (migrations.runs or migrations.undoes):
            names = ", ".join(again)
            images = json.dumps({"compose_images": {**description.images, **again}})
            skip = "skip" if wish.procedure == "deploy" else "keep"
            raise Refused(
                Refusal(
                    "images_incomplete",
                    f"{names} would run again from the image of another release, on a database whose migrations this "
                    f"{wish.procedure} changes",
                    (
                        (f"-e {shlex.quote(images)}", f"brings {names} along; the inventory is the place for it"),
                        (f"migrations={skip}", "leaves the database as it is"),
                    ),
                    tuple(lines),
                )
            )
        return lines

    # -- steps -----------------------------------------------------------------------------------

    def _steps(
        self,
        wish: Wish,
        present: Present,
        images: Mapping[str, Reference],
        schema: Schema,
        downs: Sequence[str],
        pins: files.Pins,
    ) -> list[Step]:
        texts = {service: image.text for service, image in images.items()}
        steps = [Step("images", "prove the images by their digests", data={"images": texts})]
        migrations = schema.migrations
        if migrations is not None and migrations.undoes:
            newer = present.images[self.service.description.migration_service]
            applied = alembic.applied(schema.known, schema.heads or ())
            steps.append(
                Step(
                    "migrate_down",
                    f"{'; '.join(f'alembic downgrade {name}' for name in downs)} in {label(present.release)}, "
                    f"which undoes {len(migrations.undoes)}",
                    repeatable=schema.transactional,
                    data={
                        "image": newer.text,
                        "targets": list(downs),
                        "undo": list(migrations.undoes),
                        "stays": sorted(set(applied) - set(migrations.undoes)),
                        **migration_plan.cut(schema.transactional),
                    },
                )
            )
        elif migrations is not None and (migrations.runs or (schema.unseen and wish.migrations == "run")):
            several = len(alembic.heads(schema.known)) > 1
            steps.append(
                Step(
                    "migrate",
                    f"alembic upgrade {'heads' if several else 'head'} in the new image"
                    + (f" ({len(migrations.runs)} pending)" if migrations.runs else ", if it has any to run"),
                    repeatable=schema.transactional,
                    data={
                        "image": images[self.service.description.migration_service].text,
                        "to": "heads" if several else "head",
                        "migrations": list(migrations.runs),
                        **migration_plan.cut(schema.transactional),
                    },
                )
            )
        names = ", ".join(images)
        steps += [
            Step("pin", f"pin {names} in {', '.join(pins.names)}", data={"pins": texts, "files": pins.to_dict()}),
            Step("up", "docker compose up -d --wait", data={"images": texts}),
        ]
        return steps

    def _undo(
        self,
        wish: Wish,
        present: Present,
        images: Mapping[str, Reference],
        schema: Schema,
        pins: files.Pins,
    ) -> list[Step]:
        """The way back, service by service: what ran comes up again, and only what did not is stopped."""
        result: list[Step] = []
        if schema.migrations is not None and schema.migrations.undoes:
            newer = present.images[self.service.description.migration_service]
            result.append(
                Step(
                    "migrate_up",
                    f"alembic upgrade {' '.join(schema.heads or ())} in {label(present.release)}",
                    repeatable=schema.transactional,
                    data={
                        "image": newer.text,
                        "heads": list(schema.heads or ()),
                        "after": "migrate_down",
                        **migration_plan.cut(schema.transactional),
                    },
                )
            )
        elif schema.migrations is not None and wish.procedure == "deploy" and wish.migrate_here and not schema.unseen:
            result += self._undo_migrations(wish, images, schema)
        result.append(
            Step("unpin", f"put {', '.join(pins.names)} back", data={"files": pins.to_dict(), "after": "pin"})
        )
        stop, start = before.to_stop(present.before), before.to_start(present.before)
        if stop:
            result.append(Step("stop", f"stop {', '.join(stop)}, which did not run before", data={"after": "up"}))
        if start:
            names = "" if before.all_run(present.before) else f" {' '.join(start)}"
            result.append(Step("up", f"docker compose up -d --wait{names}", data={"after": "pin"}))
        return result

    def _undo_migrations(self, wish: Wish, images: Mapping[str, Reference], schema: Schema) -> list[Step]:
        """Undo what this deploy migrates, or what its images migrate when they start, foreseen or not."""
        if schema.heads is None:
            return []
        runs = list(schema.migrations.runs) if schema.migrations else []
        data = {
            "image": images[self.service.description.migration_service].text,
            "heads": list(schema.heads),
            "itself": schema.itself,
            "planned": runs,
            "shared": wish.database_shared,
            # The first step of all: whether there is anything to undo is looked up in the database.
            "after": "images",
            **migration_plan.cut(schema.transactional),
        }
        what = (
            "the migrations of this deploy" if runs or schema.itself else "migrations that the new images ran, if any"
        )
        title = f"undo {what}, from the new image, where nothing is lost by it"
        return [Step("undo_migrations", title, repeatable=schema.transactional, data=data)]

    def _seen_after(self, wish: Wish, images: Mapping[str, Reference], schema: Schema) -> list[Step]:
        """Where the database lacks migrations of the new images, and this operation runs none: whether they did."""
        migrations = schema.migrations
        if migrations is None or schema.heads is None or not wish.migrate_here:
            return []
        if migrations.runs or not migrations.comparison.behind:
            return []
        data = {"image": images[self.service.description.migration_service].text, "heads": list(schema.heads)}
        return [Step("schema", "see whether the new images have migrated the database", data=data)]

    def _retention(self, goal: Mapping[str, Any]) -> Step:
        count = self.service.description.keep_releases
        return Step(
            "retention", f"remove the images that the last {count} good releases do not need", data={"to": goal["id"]}
        )


def _pin_diff(pins: files.Pins) -> list[str]:
    """The lines that change, and none around them: other lines of the file may hold secrets."""
    lines: list[str] = []
    for file in pins.files:
        found = difflib.unified_diff(
            file.before.splitlines(), file.after.splitlines(), file.name, file.name, n=0, lineterm=""
        )
        lines += [line for line in found if not line.startswith("@@")]
    return lines
