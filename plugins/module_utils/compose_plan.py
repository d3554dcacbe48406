# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning a change of a Compose service's release: read on the host, decided by the pure rules.

Outside check mode the images of the target are downloaded here: a plan then proves everything before the first host
stops anything, and of the service itself nothing has changed by it.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ansible_collections.ops.runbook.plugins.module_utils import (
    alembic_position,
    alembic_probe,
    compose_images,
    compose_pins,
    compose_release,
    compose_staging,
    image_reference,
    migration_plan,
    migration_verdict,
    release_choice,
)
from ansible_collections.ops.runbook.plugins.module_utils.alembic_probe import Answer, ProbeFailed, ask
from ansible_collections.ops.runbook.plugins.module_utils.compose_images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose_release import Choice, Wanted
from ansible_collections.ops.runbook.plugins.module_utils.compose_service import ComposeService, Container
from ansible_collections.ops.runbook.plugins.module_utils.compose_staging import Staging
from ansible_collections.ops.runbook.plugins.module_utils.fleet import label, typed
from ansible_collections.ops.runbook.plugins.module_utils.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.ledger import Ledger
from ansible_collections.ops.runbook.plugins.module_utils.migration_plan import Migrations
from ansible_collections.ops.runbook.plugins.module_utils.migration_verdict import Comparison
from ansible_collections.ops.runbook.plugins.module_utils.opening import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.operation_plan import adoption_steps


@dataclass(frozen=True)
class Wish:
    """What the operator asked of a release procedure. staging: what is known of it."""

    procedure: str
    to: str
    migrations: str
    migrate_here: bool = True
    staging: Staging = field(default_factory=Staging)


@dataclass(frozen=True)
class Present:
    """What runs now. release: None where nothing can be told by digest. images: by service.

    running: whether each of its services has a running container. warnings: what does not fit together.
    """

    release: dict[str, Any] | None
    images: Mapping[str, Reference]
    running: bool
    warnings: tuple[str, ...] = ()
    why_not: str = ""


@dataclass
class _Schema:
    """What the plan knows of the database. heads: what it holds."""

    migrations: Migrations | None = None
    heads: tuple[str, ...] = ()
    known: alembic_position.Graph = field(default_factory=dict)
    transactional: bool = True
    unseen: bool = False
    warnings: list[str] = field(default_factory=list)


class ComposePlanner:
    """Plans a deploy, a rollback, or an adoption."""

    def __init__(self, service: ComposeService, ledger: Ledger, store: ImageStore, check_mode: bool = False) -> None:
        self.service = service
        self.ledger = ledger
        self.store = store
        self.check_mode = check_mode
        self.downloaded: list[Reference] = []
        self.past = release_choice.history(ledger.records)
        self.recorded = compose_release.recorded_releases(ledger.records)
        # Why each newer release is not the one that `previous` means.
        self.over: list[str] = []

    # -- deploy and rollback ---------------------------------------------------------------------

    def plan(self, wish: Wish) -> dict[str, Any]:
        """The plan as the journal keeps it. Raises Refused."""
        config = self.service.must_be_operable()
        project = str(config["name"])
        containers = self.service.containers(project)
        present = self.present(config, containers)
        choice, chosen = self._choose(wish, present)
        goal = self._named(compose_release.release(choice.images))
        if present.release is not None and goal["id"] == present.release["id"] and self._pinned(config, choice.images):
            return self._unchanged(wish, present, project, chosen)
        missing = self._fetch(choice.images)
        labels = {service: self.store.labels(image) for service, image in choice.images.items()}
        built: list[str] = []
        if not missing:
            found = compose_release.one_build(choice.images, labels, self._source(present))
            if isinstance(found, Refusal):
                self._throw_away()
                raise Refused(found)
            goal["revision"], built = found
            if not goal["name"] and goal["revision"]:
                # Of images that were named by digest alone, people know the commit.
                goal["name"] = f"{self.service.description.tag_prefix}{goal['revision'][:7]}"
        staging, unproven, proof = compose_staging.judge(wish.staging, goal, self._good_here(wish, goal))
        schema = self._schema(wish, present, choice.images, goal, bool(missing))
        pins = compose_pins.prepare(self.service, config, choice.images)
        return {
            "procedure": wish.procedure,
            "asked": wish.to,
            "from": present.release,
            "to": goal,
            "chosen": chosen,
            "proven": choice.how,
            "project": project,
            "steps": [step.to_dict() for step in self._steps(wish, present, choice.images, schema, pins)],
            "undo": [step.to_dict() for step in self._undo(wish, present, schema, pins)],
            "afterwards": [self._retention(goal).to_dict()],
            "migrations": migration_plan.record(schema.migrations) if schema.migrations else None,
            "facts": {"pin": self.service.description.pin, "files": {**self.service.hashes(), **pins.hashes}, **proof},
            "also": [
                ["images", self._image_lines(choice.images, missing)],
                *([["staging", staging]] if staging else []),
                *([["passes over", self.over]] if self.over else []),
            ],
            "diffstat": _pin_diff(pins),
            "warnings": [
                *present.warnings,
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
            why = present.why_not or "it does not run"
            way = ("compose_deploy with to=<tag>", "brings a release that is known by its digest")
            raise Refused(
                Refusal("nothing_to_adopt", f"the present state can't be recorded as a release: {why}", (way,))
            )
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
            "facts": {"pin": self.service.description.pin, "files": self.service.hashes()},
            "also": [["images", self._image_lines(present.images, [])]],
            "warnings": [*present.warnings, *found[1]],
        }

    # -- what runs -------------------------------------------------------------------------------

    def present(self, config: Mapping[str, Any], containers: Sequence[Container]) -> Present:
        """The release that runs, by the digests of its containers; of what does not run, by its reference."""
        images: dict[str, Reference] = {}
        warnings: list[str] = []
        running, why_not = True, ""
        for service, repository in self.service.description.images.items():
            mine = [container for container in containers if container.service == service]
            alive = [container for container in mine if container.state == "running"]
            running = running and bool(alive)
            configured = image_reference.parse(str(config["services"][service]["image"]))
            digest, tag = "", configured.tag
            for container in alive or mine:
                found = compose_images.digest_in(container.digests, repository)
                if digest and found != digest:
                    warnings.append(f"the containers of {service} run different images")
                digest = digest or found
                with contextlib.suppress(image_reference.BadReference):
                    tag = image_reference.parse(container.reference).tag or tag
            pinned = configured.digest or self.store.digest_of_tag(repository, configured.tag or "latest")
            if digest and pinned and pinned != digest:
                warnings.append(f"{service} runs {digest[:19]}, and the compose file names {pinned[:19]}")
            digest = digest or pinned
            if not digest:
                why_not = (
                    f"the image of {service} has no digest of a registry: it was built on this host, or is not here"
                )
                continue
            images[service] = Reference(repository, tag, digest)
        if why_not:
            return Present(None, images, running, (*warnings, why_not), why_not)
        known = self._named(compose_release.release(images))
        revisions = {self.store.labels(image).get(compose_release.REVISION, "") for image in images.values()}
        known["revision"] = next(iter(revisions)) if len(revisions) == 1 else ""
        return Present(known, images, running, tuple(warnings))

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
            "warnings": list(present.warnings),
        }

    def _source(self, present: Present) -> str:
        """The repository that this service is built from, as the inventory or the present images say."""
        if self.service.description.source:
            return self.service.description.source
        found = {self.store.labels(image).get(compose_release.SOURCE, "") for image in present.images.values()}
        return next(iter(found)) if len(found) == 1 else ""

    # -- the target ------------------------------------------------------------------------------

    def _choose(self, wish: Wish, present: Present) -> tuple[Choice, str]:
        description = self.service.description
        try:
            wanted = compose_release.wanted(wish.to, description.images, description.tag_prefix)
        except compose_release.NotMeant as error:
            ways = (("to=<tag>, to=<commit>, to=<name@sha256:...>", "names a release"),)
            raise Refused(Refusal(error.code, str(error), ways, tuple(self._recent()))) from error
        if wanted.kind == "previous":
            return self._previous(wish, present)
        if wanted.kind == "recorded":
            return self._by_id(wanted), f"to={wish.to}: recorded on this host"
        found = self._by_digests(wanted) if wanted.kind == "digests" else self._by_tags(wish.procedure, wanted)
        return found, f"to={wish.to}: {found.how}"

    def _previous(self, wish: Wish, present: Present) -> tuple[Choice, str]:
        current = str((present.release or {}).get("id") or "an unknown release")
        try:
            entry = release_choice.previous(self.past, current)
        except release_choice.NoRelease as none:
            ways: tuple[tuple[str, str], ...] = (("to=<tag or release>", "names the release to go to"),)
            if none.code in ("no_ledger", "drift"):
                ways += (("compose_adopt", "records the present state, if it is good, as a release"),)
            raise Refused(Refusal(none.code, str(none), ways, (*none.details, *self._recent()))) from none
        recorded = self.recorded.get(entry.id)
        if recorded is None or set(recorded["images"]) != set(self.service.description.images):
            text = f"the previous release {label({'id': entry.id, 'name': entry.name})} was of other services than now"
            raise Refused(Refusal("release_gone", text, (("to=<tag>", "names another release"),)))
        self.over = release_choice.passed_over(self.past, current, entry)
        chosen = f"previous: the newest good release before {label(present.release)}, from operation {entry.operation}"
        return self._from_ledger(recorded, tag_matters=wish.procedure == "rollback"), chosen

    def _by_id(self, wanted: Wanted) -> Choice:
        found = [known for identity, known in self.recorded.items() if identity.startswith(wanted.value)]
        if len(found) != 1:
            what = "no release" if not found else f"{len(found)} releases"
            text = f"{what} {wanted.value} is recorded as good on this host"
            raise Refused(
                Refusal("unknown_release", text, (("to=<tag>", "names it as it was published"),), tuple(self._recent()))
            )
        return self._from_ledger(found[0], tag_matters=False)

    def _from_ledger(self, recorded: Mapping[str, Any], tag_matters: bool) -> Choice:
        """A release that was good here. Present by digest, or still in the registry by digest."""
        images = compose_release.images_of(recorded)
        absent = {name: image for name, image in images.items() if not self.store.has(image)}
        warnings: list[str] = []
        with ThreadPoolExecutor(max_workers=4) as pool:
            tags = {
                name: pool.submit(self.store.ask, Reference(image.repository, image.tag))
                for name, image in images.items()
                if tag_matters and image.tag
            }
            by_digest = {
                name: pool.submit(self.store.ask, Reference(i.repository, "", i.digest)) for name, i in absent.items()
            }
            moved: dict[str, str] = {}
            for name, answer in ((name, future.result()) for name, future in tags.items()):
                if answer.digest and answer.digest != images[name].digest:
                    moved[name] = answer.digest
                elif not answer.digest and not warnings:
                    warnings.append(
                        f"whether {images[name].by_tag} was moved can't be told: {answer.registry}: {answer.text}"
                    )
            if moved:
                raise Refused(compose_release.tag_moved(recorded, moved))
            for name, answer in ((name, future.result()) for name, future in by_digest.items()):
                if not answer.digest:
                    ways = (("to=<another release>", "whose images are on this host; operation_history lists them"),)
                    raise Refused(compose_release.registry_refusal(answer, images[name].text, ways))
        how = "its images are on this host, by digest" if not absent else "by digest in the registry"
        return Choice(images, how, tuple(warnings))

    def _by_tags(self, procedure: str, wanted: Wanted) -> Choice:
        """The first of the tags that the registry has for any of the repositories."""
        images = self.service.description.images
        repositories = list(dict.fromkeys(images.values()))
        first: Refusal | None = None
        for tag in wanted.tags:
            names = [Reference(repository, tag) for repository in repositories]
            with ThreadPoolExecutor(max_workers=4) as pool:
                asked = dict(zip(repositories, pool.map(self.store.ask, names)))
            recorded = next((known for known in reversed(self.recorded.values()) if known.get("name") == tag), None)
            held = {
                image.by_digest for image in compose_release.images_of(recorded or {}).values() if self.store.has(image)
            }
            here = {name: digest for name in repositories if (digest := self.store.digest_of_tag(name, tag))}
            found = compose_release.choose_tag(procedure, tag, images, asked, recorded, held, here)
            if isinstance(found, Choice):
                return found
            first = first or found
            if not all(answer.kind == "missing" for answer in asked.values()):
                break
        if first is None:
            raise ValueError("an image is named by at least one tag")
        if first.code == "image_not_found" and len(wanted.tags) > 1:
            tried = ", ".join(wanted.tags)
            first = replace(first, text=f"{first.text}; tried were the tags {tried} of {', '.join(repositories)}")
        raise Refused(replace(first, details=(*first.details, *self._recent())))

    def _by_digests(self, wanted: Wanted) -> Choice:
        """Images by digest; those of the other repositories by the ledger, or by the commit that the image names."""
        images = self.service.description.images
        missing = [name for name in dict.fromkeys(images.values()) if name not in wanted.digests]
        given = {image.canonical: image.digest for image in wanted.digests.values()}
        for known in reversed(self.recorded.values()):
            recorded = compose_release.images_of(known)
            digests = {image.canonical: image.digest for image in recorded.values()}
            if set(recorded) == set(images) and all(digests.get(name) == digest for name, digest in given.items()):
                return self._from_ledger(known, tag_matters=False)
        found = dict(wanted.digests)
        for image in found.values():
            answer = (
                compose_release.Asked(image.digest) if self.store.has(image) else self.store.ask(replace(image, tag=""))
            )
            if not answer.digest:
                raise Refused(compose_release.registry_refusal(answer, image.text, _ANOTHER))
        if missing:
            found.update(self._siblings(next(iter(found.values())), missing))
        return Choice({service: found[name] for service, name in images.items()}, "by digest")

    def _siblings(self, image: Reference, repositories: Sequence[str]) -> dict[str, Reference]:
        """The images of other repositories that were built with this one."""
        self._fetch({"": image})
        labels = self.store.labels(image)
        revision, version = labels.get(compose_release.REVISION, ""), labels.get("org.opencontainers.image.version", "")
        prefix = self.service.description.tag_prefix
        tags = [f"{prefix}{revision[:7]}", f"{prefix}{revision}"] if revision else []
        for tag in [*tags, *([version] if version else [])]:
            answers = {name: self.store.ask(Reference(name, tag)) for name in repositories}
            if all(answer.digest for answer in answers.values()):
                return {name: Reference(name, tag, answer.digest) for name, answer in answers.items()}
        names = ",".join([image.text, *(f"{name}@sha256:<digest>" for name in repositories)])
        raise Refused(
            Refusal(
                "release_incomplete",
                f"which image of {', '.join(repositories)} belongs to {image.text} can't be told"
                + (
                    ""
                    if labels or not self.check_mode
                    else ": check mode downloads nothing, so its labels are not read"
                ),
                ((f"to={names}", "names them all"), ("to=<tag>", "names a release as it was published")),
            )
        )

    def _recent(self) -> list[str]:
        lines = [
            f"{label(known)}  {str(known.get('finished'))[:16]}  operation {known.get('operation')}"
            for known in list(reversed(self.recorded.values()))[:5]
        ]
        return ["the good releases of this host:", *lines] if lines else []

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

    def _fetch(self, images: Mapping[str, Reference]) -> list[str]:
        """Download what is not here. Returns the services whose image is still missing (in check mode)."""
        missing = {service: image for service, image in images.items() if not self.store.has(image)}
        if missing:
            self.store.must_have_room(", ".join(dict.fromkeys(image.text for image in missing.values())))
        if not self.check_mode:
            for image in dict.fromkeys(missing.values()):
                self.store.pull(image)
                self.downloaded.append(image)
            return []
        return list(missing)

    def _throw_away(self) -> None:
        """Remove what this plan has downloaded: these images are of no use here, whatever is typed next."""
        for image in self.downloaded:
            self.store.remove(image.text, [f"{image.repository}@{image.digest}"])

    def _image_lines(self, images: Mapping[str, Reference], missing: Sequence[str]) -> list[str]:
        return [
            f"{service}: {image.text}" + (" (to be downloaded before anything stops)" if service in missing else "")
            for service, image in images.items()
        ]

    # -- migrations ------------------------------------------------------------------------------

    def _schema(
        self, wish: Wish, present: Present, images: Mapping[str, Reference], goal: Mapping[str, Any], unseen: bool
    ) -> _Schema:
        name = self.service.description.migration_service
        if not name:
            return _Schema()
        if unseen and not (wish.procedure == "rollback" and self.store.graph(images[name]) is not None):
            return self._unseen(wish, goal)
        try:
            return (
                self._rollback_schema(wish, present, images[name], goal)
                if wish.procedure == "rollback"
                else (self._deploy_schema(wish, present, images[name], goal))
            )
        except ProbeFailed as error:
            ways = (
                (
                    "compose_python, compose_alembic_config",
                    "in the inventory, name Python and alembic.ini in the image",
                ),
                (
                    "migrations=keep" if wish.procedure == "rollback" else "migrations=skip",
                    "goes on without a look at them",
                ),
            )
            if wish.migrations in ("keep", "skip"):
                return self._blind(wish, goal, str(error))
            raise Refused(Refusal("alembic_failed", f"the migrations can't be read: {error}", ways)) from error

    def _question(self, wish: Wish, goal: Mapping[str, Any], comparison: Comparison, **more: Any) -> Migrations:
        return Migrations(
            system="compose",
            procedure=wish.procedure,
            mode=wish.migrations,
            target=label(goal),
            typed=typed(goal),
            comparison=comparison,
            undoing=more.pop("undoing", None) or migration_verdict.undoing(Comparison("same"), {}),
            here=wish.migrate_here,
            **more,
        )

    def _unseen(self, wish: Wish, goal: Mapping[str, Any]) -> _Schema:
        """Check mode downloads nothing, and what is not here can't be asked."""
        warning = (
            "check mode downloads nothing, and the images are not on this host yet: commits, migrations and their SQL "
            "are seen by the run itself, which refuses before it stops anything"
        )
        found = self._blind(wish, goal, "the image is not on this host yet")
        return replace(found, unseen=True, warnings=[warning])

    def _blind(self, wish: Wish, goal: Mapping[str, Any], why: str) -> _Schema:
        return _Schema(self._question(wish, goal, Comparison("unknown", error=why)))

    def _rollback_schema(self, wish: Wish, present: Present, target: Reference, goal: Mapping[str, Any]) -> _Schema:
        """The newer image alone has the files to go down with, so it is the one that is asked."""
        newer = present.images.get(self.service.description.migration_service)
        if newer is None:
            raise ProbeFailed(f"the image that runs can't be named by its digest: {present.why_not}")
        if not self.check_mode and not self.store.has(newer):
            # It runs, and somebody has removed its names.
            self.store.pull(newer)
        known = self.store.graph(target)
        if known is None:
            known = ask(self.service, target, database=False).graph
            self._keep_graph(target, known)
        answer = ask(self.service, newer, known=sorted(known))
        self._must_reach_database(wish, answer)
        position = alembic_position.position(
            answer.heads, answer.database_error, answer.graph, known, f"the present image {newer.text}"
        )
        comparison = self._ordered(migration_verdict.compare(position), {**known, **answer.graph})
        undoing = migration_verdict.undoing(comparison, answer.downs)
        question = self._question(wish, goal, comparison, undoing=undoing, row_counts=self._rows(wish, newer, undoing))
        refusal = migration_plan.refuse(question)
        if refusal is not None:
            raise Refused(refusal)
        schema = _Schema(question, answer.heads or (), answer.graph, answer.transactional)
        if question.undoes:
            self._down_targets(schema)
        return schema

    def _rows(self, wish: Wish, newer: Reference, undoing: migration_verdict.Undoing) -> dict[str, str]:
        """How many rows each loss concerns, where the way down is open; one that can't be counted holds up nothing."""
        if not undoing.losses or undoing.irreversible or wish.migrations == "keep":
            return {}
        try:
            return alembic_probe.count(self.service, newer, undoing.losses)
        except ProbeFailed:
            return {}

    def _deploy_schema(self, wish: Wish, present: Present, target: Reference, goal: Mapping[str, Any]) -> _Schema:
        answer = ask(self.service, target, ups=wish.migrations != "skip")
        self._keep_graph(target, answer.graph)
        self._must_reach_database(wish, answer)
        current = None
        newer = present.images.get(self.service.description.migration_service)
        if newer is not None and set(answer.heads or ()) - set(answer.graph):
            current = self.store.graph(newer) or ask(self.service, newer, database=False).graph
        position = alembic_position.position(answer.heads, answer.database_error, current, answer.graph)
        every = {**(current or {}), **answer.graph}
        comparison = self._ordered(migration_verdict.compare(position), every)
        ups = {name: up.get("sql") or () for name, up in answer.ups.items()}
        question = self._question(wish, goal, comparison, ups=ups)
        refusal = migration_plan.refuse(question)
        if refusal is not None:
            raise Refused(refusal)
        warnings = []
        for name in question.runs:
            up = answer.ups.get(name) or {}
            if up.get("error"):
                warnings.append(f"the SQL of migration {name} can't be shown: {self.service.redact(str(up['error']))}")
            for loss in migration_verdict.losses(up.get("sql") or ()):
                warnings.append(f"migration {name} destroys {loss.text}: going back can't restore it")
        return _Schema(question, answer.heads or (), answer.graph, answer.transactional, warnings=warnings)

    def _ordered(self, comparison: Comparison, known: alembic_position.Graph) -> Comparison:
        return replace(comparison, behind=alembic_position.behind_in_order(known, comparison.behind))

    def _keep_graph(self, image: Reference, known: alembic_position.Graph) -> None:
        if not self.check_mode:
            self.store.keep_graph(image, known)

    def _must_reach_database(self, wish: Wish, answer: Answer) -> None:
        if not answer.database_error or wish.migrations in ("keep", "skip"):
            return
        way = "keep" if wish.procedure == "rollback" else "skip"
        raise Refused(
            Refusal(
                "database_down",
                f"the database can't be read, so where it stands can't be told: {answer.database_error}",
                (
                    ("docker compose ps, docker compose logs db", "on the host, show why; the same command again then"),
                    (f"migrations={way}", "goes on without a look at the database"),
                ),
            )
        )

    def _down_targets(self, schema: _Schema) -> tuple[str, ...]:
        migrations = cast(Migrations, schema.migrations)
        try:
            return alembic_position.downgrade_targets(schema.known, schema.heads, migrations.undoes)
        except alembic_position.NotExact as error:
            way = ("migrations=keep", f"you assert that {migrations.target} works with the newer schema")
            text = f"exactly these migrations can't be undone by alembic downgrade: {error}"
            raise Refused(Refusal("migrations_not_exact", text, (way,), tuple(migrations.undoes))) from error

    # -- steps -----------------------------------------------------------------------------------

    def _steps(
        self,
        wish: Wish,
        present: Present,
        images: Mapping[str, Reference],
        schema: _Schema,
        pins: compose_pins.Pins,
    ) -> list[Step]:
        texts = {service: image.text for service, image in images.items()}
        steps = [Step("images", "prove the images by their digests", data={"images": texts})]
        migrations = schema.migrations
        if migrations is not None and migrations.undoes:
            newer = present.images[self.service.description.migration_service]
            targets = self._down_targets(schema)
            applied = alembic_position.applied(schema.known, schema.heads)
            steps.append(
                Step(
                    "migrate_down",
                    f"{'; '.join(f'alembic downgrade {name}' for name in targets)} in {label(present.release)}, "
                    f"which undoes {len(migrations.undoes)}",
                    repeatable=schema.transactional,
                    data={
                        "image": newer.text,
                        "targets": list(targets),
                        "undo": list(migrations.undoes),
                        "stays": sorted(set(applied) - set(migrations.undoes)),
                    },
                )
            )
        elif migrations is not None and (migrations.runs or (schema.unseen and wish.migrations == "run")):
            several = len(alembic_position.heads(schema.known)) > 1
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
                    },
                )
            )
        names = ", ".join(images)
        steps += [
            Step("pin", f"pin {names} in {', '.join(pins.names)}", data={"pins": texts, "files": pins.to_dict()}),
            Step("up", "docker compose up -d --remove-orphans --wait", data={"images": texts}),
        ]
        return steps

    def _undo(self, wish: Wish, present: Present, schema: _Schema, pins: compose_pins.Pins) -> list[Step]:
        result: list[Step] = []
        if schema.migrations is not None and schema.migrations.undoes:
            newer = present.images[self.service.description.migration_service]
            result.append(
                Step(
                    "migrate_up",
                    f"alembic upgrade {' '.join(schema.heads)} in {label(present.release)}",
                    repeatable=schema.transactional,
                    data={"image": newer.text, "heads": list(schema.heads), "after": "migrate_down"},
                )
            )
        result.append(
            Step("unpin", f"put {', '.join(pins.names)} back", data={"files": pins.to_dict(), "after": "pin"})
        )
        if present.release is None or not present.running:
            result.append(Step("stop", "stop what did not run before", data={"after": "up"}))
        else:
            result.append(Step("up", "docker compose up -d --remove-orphans --wait", data={"after": "pin"}))
        return result

    def _retention(self, goal: Mapping[str, Any]) -> Step:
        count = self.service.description.keep_releases
        return Step(
            "retention", f"remove the images that the last {count} good releases do not need", data={"to": goal["id"]}
        )


_ANOTHER = (("to=<another release>", "that is in the registry"),)


def _pin_diff(pins: compose_pins.Pins) -> list[str]:
    """The lines that change, and none around them: other lines of the file may hold secrets."""
    lines: list[str] = []
    for file in pins.files:
        found = difflib.unified_diff(
            file.before.splitlines(), file.after.splitlines(), file.name, file.name, n=0, lineterm=""
        )
        lines += [line for line in found if not line.startswith("@@")]
    return lines
