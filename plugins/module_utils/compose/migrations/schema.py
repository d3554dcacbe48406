# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan of a Compose service has to know of its database, and what it does about migrations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ansible_collections.ops.runbook.plugins.module_utils.compose import alembic
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations import alembic_probe
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import (
    Answer,
    ProbeFailed,
    ask,
)
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService
from ansible_collections.ops.runbook.plugins.module_utils.compose.target import Wish
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label, typed
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan
from ansible_collections.ops.runbook.plugins.module_utils.migrations import verdict
from ansible_collections.ops.runbook.plugins.module_utils.migrations.plan import Migrations
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Comparison


@dataclass
class Schema:
    """What the plan knows of the database.

    heads: what it holds; None where that is not known. itself: what says that the images migrate at their own start;
    empty where nothing does.
    """

    migrations: Migrations | None = None
    heads: tuple[str, ...] | None = None
    known: alembic.Graph = field(default_factory=dict)
    transactional: bool = True
    unseen: bool = False
    warnings: list[str] = field(default_factory=list)
    itself: str = ""


class SchemaPlanner:
    """Judges the migrations between what runs and the target, by asking the images and the database."""

    def __init__(
        self, service: ComposeService, store: ImageStore, services: Mapping[str, Mapping[str, Any]], check_mode: bool
    ) -> None:
        self.service = service
        self.store = store
        self.services = services
        self.check_mode = check_mode
        # The images whose own code this plan has run.
        self.asked: dict[str, None] = {}

    @property
    def ran(self) -> list[list[Any]]:
        """What this plan has run of an image's own code: a person who may plan has run it, as that service would."""
        if not self.asked:
            return []
        name, images = self.service.description.migration_service, ", ".join(self.asked)
        return [["plan ran", [f"Alembic of {images}, with the volumes, networks, settings and secrets of {name}"]]]

    def _ask(self, image: Reference, **wanted: Any) -> Answer:
        self.asked.setdefault(image.text)
        return ask(self.service, image, **wanted)

    def schema(
        self,
        wish: Wish,
        present: Mapping[str, Reference],
        images: Mapping[str, Reference],
        goal: Mapping[str, Any],
        unseen: bool,
    ) -> Schema:
        name = self.service.description.migration_service
        if wish.procedure == "deploy" and wish.migrations == "down":
            text = "a deploy undoes no migration: migrations=down decides about a way back that has stopped for them"
            ways = (
                (f"compose_rollback with to={typed(goal)} migrations=down", "undoes the newer ones, and goes there"),
                ("interrupted=undo migrations=down", "where a deploy is on its way back"),
            )
            raise Refused(Refusal("migrations_down", text, ways))
        if not name:
            return Schema()
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
            undoing=more.pop("undoing", None) or verdict.undoing(Comparison("same"), {}),
            here=wish.migrate_here,
            **more,
        )

    def _unseen(self, wish: Wish, goal: Mapping[str, Any]) -> Schema:
        """Check mode downloads nothing, and what is not here can't be asked."""
        warning = (
            "check mode downloads nothing, and the images are not on this host yet: commits, migrations and their SQL "
            "are seen by the run itself, which refuses before it stops anything"
        )
        found = self._blind(wish, goal, "the image is not on this host yet")
        return replace(found, unseen=True, warnings=[warning])

    def _blind(self, wish: Wish, goal: Mapping[str, Any], why: str) -> Schema:
        return Schema(self._question(wish, goal, Comparison("unknown", error=why)))

    def _rollback_schema(
        self, wish: Wish, present: Mapping[str, Reference], target: Reference, goal: Mapping[str, Any]
    ) -> Schema:
        """The newer image alone has the files to go down with, so it is the one that is asked."""
        newer = present.get(self.service.description.migration_service)
        if newer is None:
            raise ProbeFailed(
                "the image that runs can't be named by its digest: it was built on this host, or is not here"
            )
        if not self.check_mode and not self.store.has(newer):
            # It runs, and somebody has removed its names.
            self.store.pull(newer)
        known = self.store.graph(target)
        if known is None:
            known = self._ask(target, database=False).graph
            self._keep_graph(target, known)
        answer = self._ask(newer, known=sorted(known))
        self._must_reach_database(wish, answer)
        position = alembic.position(
            answer.heads, answer.database_error, answer.graph, known, f"the present image {newer.text}"
        )
        comparison = self._ordered(verdict.compare(position), {**known, **answer.graph})
        undoing = self._tried(wish, comparison, verdict.undoing(comparison, answer.downs), answer)
        question = self._question(wish, goal, comparison, undoing=undoing, row_counts=self._rows(wish, newer, undoing))
        refusal = migration_plan.refuse(question)
        if refusal is not None:
            raise Refused(refusal)
        schema = Schema(question, answer.heads or (), answer.graph, answer.transactional)
        if question.undoes:
            self.down_targets(schema)
        return schema

    def _tried(self, wish: Wish, comparison: Comparison, undoing: verdict.Undoing, answer: Answer) -> verdict.Undoing:
        """migrations=down is offered only where it was tried on the graph; a refused one says its own reason."""
        if comparison.verdict != "ahead" or undoing.irreversible or wish.migrations == "down":
            return undoing
        try:
            alembic.downgrade_targets(answer.graph, answer.heads or (), comparison.ahead)
        except alembic.NotExact as error:
            why = f"alembic downgrade can't undo exactly these migrations: {error}"
            return replace(undoing, irreversible=dict.fromkeys(comparison.ahead, why))
        return undoing

    def _rows(self, wish: Wish, newer: Reference, undoing: verdict.Undoing) -> dict[str, str]:
        """How many rows each loss concerns, where the way down is open; one that can't be counted holds up nothing."""
        if not undoing.losses or undoing.irreversible or wish.migrations == "keep":
            return {}
        try:
            return alembic_probe.count(self.service, newer, undoing.losses)
        except ProbeFailed:
            return {}

    def _deploy_schema(
        self, wish: Wish, present: Mapping[str, Reference], target: Reference, goal: Mapping[str, Any]
    ) -> Schema:
        entry = self._entry(target)
        answer = self._ask(target, ups=wish.migrations != "skip", entry=entry)
        self._keep_graph(target, answer.graph)
        self._must_reach_database(wish, answer)
        current = None
        newer = present.get(self.service.description.migration_service)
        if newer is not None and set(answer.heads or ()) - set(answer.graph):
            current = self.store.graph(newer) or self._ask(newer, database=False).graph
        position = alembic.position(answer.heads, answer.database_error, current, answer.graph)
        every = {**(current or {}), **answer.graph}
        comparison = self._ordered(verdict.compare(position), every)
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
            for loss in verdict.losses(up.get("sql") or ()):
                warnings.append(f"migration {name} destroys {loss.text}: going back can't restore it")
        itself = next((text for text in entry if "alembic" in text), "") or next(iter(answer.entry), "")
        found = Schema(question, answer.heads, answer.graph, answer.transactional, warnings=warnings, itself=itself)
        return replace(found, warnings=[*warnings, *self._way_back(wish, found, answer)])

    def _way_back(self, wish: Wish, schema: Schema, answer: Answer) -> list[str]:
        """What going back from this deploy would mean for the database."""
        runs = list(cast(Migrations, schema.migrations).runs)
        if not runs and not schema.itself:
            return []
        what = ", ".join(runs) or "what they then have run"
        lines = []
        if schema.itself:
            lines.append(
                f"these images migrate by themselves when they start ({schema.itself}): an older one does not start on "
                f"a database that has migrations which it does not know"
            )
        stuck = [name for name in runs if (answer.ups.get(name) or {}).get("down") in ("missing", "empty")]
        if schema.heads is None:
            lines.append("where the database stands is not known, so going back undoes no migration")
        elif wish.database_shared:
            lines.append("other hosts share the database, so going back by itself undoes no migration")
        elif stuck:
            lines.append(f"{', '.join(stuck)} has no downgrade, so going back can't undo it, and leaves {what}")
        else:
            lines.append(f"going back undoes {what} first, from the new image, unless that would destroy data by then")
        return lines

    def _entry(self, image: Reference) -> list[str]:
        """What is started from the images of this service, word by word: by the compose files, and by the image."""
        words: list[str] = []
        mine = self.service.description.images.values()
        for body in self.services.values():
            try:
                repository = image_reference.parse(str(body.get("image") or "")).repository
            except image_reference.BadReference:
                continue
            if any(image_reference.same_repository(known, repository) for known in mine):
                words += [*_words(body.get("entrypoint")), *_words(body.get("command"))]
        config = (self.store.image(image.by_digest) or {}).get("Config") or {}
        return list(dict.fromkeys([*words, *_words(config.get("Entrypoint")), *_words(config.get("Cmd"))]))

    def _ordered(self, comparison: Comparison, known: alembic.Graph) -> Comparison:
        return replace(comparison, behind=alembic.behind_in_order(known, comparison.behind))

    def _keep_graph(self, image: Reference, known: alembic.Graph) -> None:
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
                    ("docker compose ps && docker compose logs db", "on the host, show why"),
                    (f"migrations={way}", "goes on without a look at the database"),
                ),
            )
        )

    def down_targets(self, schema: Schema) -> tuple[str, ...]:
        migrations = cast(Migrations, schema.migrations)
        try:
            return alembic.downgrade_targets(schema.known, schema.heads or (), migrations.undoes)
        except alembic.NotExact as error:
            way = ("migrations=keep", f"you assert that {migrations.target} works with the newer schema")
            text = f"exactly these migrations can't be undone by alembic downgrade: {error}"
            raise Refused(Refusal("migrations_not_exact", text, (way,), tuple(migrations.undoes))) from error


def _words(command: Any) -> list[str]:
    return [command] if isinstance(command, str) else [str(word) for word in command or ()]
