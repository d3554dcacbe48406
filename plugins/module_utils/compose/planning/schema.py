# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations between what runs and the target of a Compose service: refused, run or undone, and at what cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ansible_collections.ops.runbook.plugins.module_utils.compose import alembic, typed_line
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import Answer, ProbeFailed
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import Facts, Image, Situation, Wish
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import entry, known
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label, typed
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan
from ansible_collections.ops.runbook.plugins.module_utils.migrations import verdict
from ansible_collections.ops.runbook.plugins.module_utils.migrations.plan import Migrations
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Comparison
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass


@dataclass(frozen=True)
class Schema:
    """The database, as far as the plan knows it.

    heads: its revisions; None if they are not known. itself: the sign that the images migrate at their own start; empty
    without one. downs: the targets of `alembic downgrade`, one after the other.
    """

    migrations: Migrations | None = None
    heads: tuple[str, ...] | None = None
    known: alembic.Graph = field(default_factory=dict)
    transactional: bool = True
    unseen: bool = False
    warnings: tuple[str, ...] = ()
    itself: str = ""
    downs: tuple[str, ...] = ()


def schema(
    situation: Situation, images: Mapping[str, Reference], goal: Mapping[str, Any], unseen: bool, facts: Facts
) -> Schema:
    """The position of the database, and the migrations of this operation. Raises Problem, and Unread.

    images: of the target, by service. unseen: one of them is not on this host.
    """
    wish, name = situation.wish, situation.service.migration_service
    if wish.procedure == "deploy" and wish.migrations == "down":
        text = "a deploy undoes no migration: migrations=down decides about a way back that has stopped for them"
        ways = (
            (f"compose_rollback with to={typed(goal)} migrations=down", "undoes the newer ones, and goes there"),
            ("interrupted=undo migrations=down", "where a deploy is on its way back"),
        )
        raise Problem("migrations_down", text, ways)
    if not name:
        return Schema()
    target = images[name]
    back = wish.procedure == "rollback"
    if unseen and not (back and entry(facts.known_graph, "known_graph", target.text)):
        return _unseen(wish, goal)
    try:
        return (_rollback if back else _deploy)(situation, target, goal, facts)
    except ProbeFailed as error:
        if wish.migrations in ("keep", "skip"):
            return _blind(wish, goal, str(error))
        in_image = "in the inventory, name Python and alembic.ini in the image"
        ways = (
            ("compose_python, compose_alembic_config", in_image),
            (f"migrations={'keep' if back else 'skip'}", "continues without a look at them"),
        )
        raise Problem("alembic_failed", f"the migrations can't be read: {error}", ways) from error


def _question(wish: Wish, goal: Mapping[str, Any], comparison: Comparison, **more: Any) -> Migrations:
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


def _unseen(wish: Wish, goal: Mapping[str, Any]) -> Schema:
    """Check mode downloads nothing, and an image that is not here can't be asked."""
    warning = (
        "check mode downloads nothing, and the images are not on this host yet: commits, migrations and their SQL "
        "are seen by the run itself, which refuses before it stops anything"
    )
    found = _blind(wish, goal, "the image is not on this host yet")
    return replace(found, unseen=True, warnings=(warning,))


def _blind(wish: Wish, goal: Mapping[str, Any], why: str) -> Schema:
    return Schema(_question(wish, goal, Comparison("unknown", error=why)))


def _answer(situation: Situation, facts: Facts, image: Reference, **about: Any) -> Answer:
    """The answer of an image about the database. Raises ProbeFailed, and Problem where the database can't be read."""
    wish = situation.wish
    standing = known(facts.standing, "standing", {"image": image, **about})
    if standing.answer is None:
        raise ProbeFailed(standing.failed)
    if standing.answer.database_error and wish.migrations not in ("keep", "skip"):
        way = "keep" if wish.procedure == "rollback" else "skip"
        text = f"the database can't be read, so its migrations are not known: {standing.answer.database_error}"
        ways = (
            (
                typed_line.line(situation.service, "ps", "--all"),
                "on the host, shows which container is down; logs and its name in place of ps --all, why",
            ),
            (f"migrations={way}", "continues without a look at the database"),
        )
        raise Problem("database_down", text, ways)
    return standing.answer


def _graph(facts: Facts, image: Reference) -> alembic.Graph:
    """The revisions of an image. Raises ProbeFailed."""
    found = entry(facts.graphs, "graphs", image.text)
    if found.failed:
        raise ProbeFailed(found.failed)
    return found.graph


# -- rollback ------------------------------------------------------------------------------------


def _rollback(situation: Situation, target: Reference, goal: Mapping[str, Any], facts: Facts) -> Schema:
    """The newer image alone has the files to go down with, so it is the one that is asked."""
    wish = situation.wish
    newer = facts.present.images.get(situation.service.migration_service)
    if newer is None:
        raise ProbeFailed("the image that runs can't be named by its digest: it was built on this host, or is not here")
    wanted = _graph(facts, target)
    answer = _answer(situation, facts, newer, known=sorted(wanted))
    position = alembic.position(
        answer.heads, answer.database_error, answer.graph, wanted, f"the present image {newer.text}"
    )
    comparison = _ordered(verdict.compare(position), {**wanted, **answer.graph})
    undoing = _tried(wish, comparison, verdict.undoing(comparison, answer.downs), answer)
    rows: Mapping[str, str] = {}
    if undoing.losses and not undoing.irreversible and wish.migrations != "keep":
        rows = known(facts.rows, "rows", {"image": newer, "losses": undoing.losses})
    question = _question(wish, goal, comparison, undoing=undoing, row_counts=rows)
    must_pass(migration_plan.refuse(question))
    found = Schema(question, answer.heads or (), answer.graph, answer.transactional)
    return replace(found, downs=_down_targets(found)) if question.undoes else found


def _tried(wish: Wish, comparison: Comparison, undoing: verdict.Undoing, answer: Answer) -> verdict.Undoing:
    """migrations=down is offered only where it was tried on the graph; a refused one says its own reason."""
    if comparison.verdict != "ahead" or undoing.irreversible or wish.migrations == "down":
        return undoing
    try:
        alembic.downgrade_targets(answer.graph, answer.heads or (), comparison.ahead)
    except alembic.NotExact as error:
        why = f"alembic downgrade can't undo exactly these migrations: {error}"
        return replace(undoing, irreversible=dict.fromkeys(comparison.ahead, why))
    return undoing


def _down_targets(found: Schema) -> tuple[str, ...]:
    migrations = cast(Migrations, found.migrations)
    try:
        return alembic.downgrade_targets(found.known, found.heads or (), migrations.undoes)
    except alembic.NotExact as error:
        way = ("migrations=keep", f"you assert that {migrations.target} works with the newer schema")
        text = f"exactly these migrations can't be undone by alembic downgrade: {error}"
        raise Problem("migrations_not_exact", text, (way,), tuple(migrations.undoes)) from error


# -- deploy --------------------------------------------------------------------------------------


def _deploy(situation: Situation, target: Reference, goal: Mapping[str, Any], facts: Facts) -> Schema:
    wish = situation.wish
    entry_words = _entry(situation.service, facts, entry(facts.images, "images", target.text))
    answer = _answer(situation, facts, target, ups=wish.migrations != "skip", entry=entry_words)
    current = None
    newer = facts.present.images.get(situation.service.migration_service)
    if newer is not None and set(answer.heads or ()) - set(answer.graph):
        current = _graph(facts, newer)
    position = alembic.position(answer.heads, answer.database_error, current, answer.graph)
    comparison = _ordered(verdict.compare(position), {**(current or {}), **answer.graph})
    ups = {name: up.get("sql") or () for name, up in answer.ups.items()}
    question = _question(wish, goal, comparison, ups=ups)
    must_pass(migration_plan.refuse(question))
    itself = next((text for text in entry_words if "alembic" in text), "") or next(iter(answer.entry), "")
    found = Schema(question, answer.heads, answer.graph, answer.transactional, itself=itself)
    return replace(found, warnings=(*_up_warnings(question, answer), *_way_back(wish, found, answer)))


def _up_warnings(question: Migrations, answer: Answer) -> list[str]:
    warnings = []
    for name in question.runs:
        up = answer.ups.get(name) or {}
        if up.get("error"):
            warnings.append(f"the SQL of migration {name} can't be shown: {up['error']}")
        for loss in verdict.losses(up.get("sql") or ()):
            warnings.append(f"migration {name} destroys {loss.text}: going back can't restore it")
    return warnings


def _way_back(wish: Wish, found: Schema, answer: Answer) -> list[str]:
    """Warnings about the effect of going back from this deploy on the database."""
    runs = list(cast(Migrations, found.migrations).runs)
    if not runs and not found.itself:
        return []
    what = ", ".join(runs) or "what they then have run"
    lines = []
    if found.itself:
        lines.append(
            f"these images migrate by themselves when they start ({found.itself}): an older one does not start on "
            f"a database that has migrations which it does not know"
        )
    stuck = [name for name in runs if (answer.ups.get(name) or {}).get("down") in ("missing", "empty")]
    if found.heads is None:
        lines.append("the database's migrations are not known, so going back undoes none")
    elif wish.database_shared:
        lines.append("other hosts share the database, so going back by itself undoes no migration")
    elif stuck:
        lines.append(f"{', '.join(stuck)} has no downgrade, so going back can't undo it, and leaves {what}")
    else:
        lines.append(f"going back undoes {what} first, from the new image, unless that would destroy data by then")
    return lines


def _entry(service: Description, facts: Facts, image: Image) -> list[str]:
    """The commands that are started from the images of this service, word by word: of compose files and image."""
    words: list[str] = []
    mine = service.images.values()
    for body in facts.services.values():
        try:
            repository = image_reference.parse(str(body.get("image") or "")).repository
        except image_reference.BadReference:
            continue
        if any(image_reference.same_repository(one, repository) for one in mine):
            words += [*words_of(body.get("entrypoint")), *words_of(body.get("command"))]
    return list(dict.fromkeys([*words, *image.command]))


def _ordered(comparison: Comparison, graph: alembic.Graph) -> Comparison:
    return replace(comparison, behind=alembic.behind_in_order(graph, comparison.behind))


def words_of(command: Any) -> list[str]:
    """The words of a command as Docker has it, a text or a list."""
    return [command] if isinstance(command, str) else [str(word) for word in command or ()]
