# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a deploy or a rollback of a Laravel service, or the reason against it. Pure: facts in, plan out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import release_choice, write_rights
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import Unread, entry, known
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import History
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Resolved
from ansible_collections.ops.runbook.plugins.module_utils.laravel import release as laravel_release
from ansible_collections.ops.runbook.plugins.module_utils.laravel import reload
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations import schema as laravel_schema
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations.schema import Schema
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning import maintenance, safety
from ansible_collections.ops.runbook.plugins.module_utils.laravel.planning.facts import (
    Course,
    Facts,
    Made,
    Picture,
    Wish,
)
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release import label
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.migrations import verdict
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import Application, LaravelPlan


def decide(wish: Wish, service: Description, past: History, facts: Facts) -> LaravelPlan:
    """The plan as the journal keeps it. Raises Problem, and Unread."""
    if wish.procedure == "deploy":
        # Before a fetch fills the disk to its end. A rollback brings nothing, and frees what it can.
        must_pass(laravel_release.room_problem(known(facts.disk, "disk"), {"id": wish.to}))
    course = _course(wish, past, facts)
    if course.source["id"] == course.target["id"]:
        return _unchanged(wish, service, past, course, facts)
    safety.must_leave_the_settings(facts, course)
    safety.must_keep_data(service, facts, course)
    safety.must_not_hide_files(service, facts, course)
    picture = known(facts.picture, "picture")
    cut_off = known(facts.cut_off, "cut_off")
    known(facts.may_reload, "may_reload")
    answer = answered(service, facts)
    vendor = known(facts.vendor, "vendor")
    held = known(facts.held, "held")
    why = "the release could not be switched there, nor switched back"
    must_pass(write_rights.refuse(facts.user, held, "releases are made there" if service.in_releases else why))
    schema = known(facts.schema, "schema")
    known_release = _release_facts(wish, service, course, facts, picture, vendor, schema)
    must_pass(laravel_release.refuse_local_changes(known_release))
    must_pass(laravel_release.refuse_room(known_release))
    if not service.in_releases:
        # In place, what differs between two commits is written anew.
        must_pass(laravel_release.room_problem(known(facts.code_room, "code_room"), course.target))
    if wish.procedure == "rollback":
        known_release = _counted(known_release, facts)
    must_pass(laravel_release.refuse_migrations(known_release))
    return {
        **_head(wish, course),
        "steps": [step.to_dict() for step in laravel_release.steps(known_release)],
        "undo": [step.to_dict() for step in laravel_release.undo(known_release)],
        "migrations": laravel_release.migrations_record(known_release),
        "also": [*([["passes over", list(course.over)]] if course.over else []), *schema.also],
        "vendor": vendor,
        **application(answer),
        "transactional": known_release.transactional,
        "local_changes": [*known_release.changes, *known_release.in_the_way],
        "commits": list(picture.commits),
        "diffstat": list(picture.diffstat),
        "warnings": [
            *_history_warnings(past, course),
            *_application_warnings(answer, schema, course),
            *_cut_off(service, cut_off),
            *known(facts.caches, "caches").warnings(),
            *_edited(facts, service, course, picture),
            *reload.warnings(
                service.extra_commands, service.reload_commands, service.php_fpm_unit, service.in_releases
            ),
            # A refusal would keep a release away that mends a worker, and a rollback at night.
            *(f"{text}: it was so before, so the gate passes over it" for text in known(facts.idle, "idle")),
            *_low_disk(wish, facts),
        ],
    }


# -- the target ----------------------------------------------------------------------------------


def _course(wish: Wish, past: History, facts: Facts) -> Course:
    if wish.to == "previous":
        target, chosen, over = _previous(past, facts)
    else:
        found = facts.resolved
        if found is None:
            raise Unread("resolved")
        if isinstance(found, Problem):
            raise found
        target, over = found, ()
        chosen = f"to={wish.to}: {found.how}"
    source = {"id": facts.head, "name": name_of(past, facts, facts.head)}
    goal = {"id": target.commit, "name": target.name or name_of(past, facts, target.commit)}
    return Course(source, goal, chosen, target.how, over)


def _previous(past: History, facts: Facts) -> tuple[Resolved, str, tuple[str, ...]]:
    head = facts.head
    try:
        release = release_choice.previous(past, head)
    except Problem as none:
        ways: tuple[tuple[str, str], ...] = (("to=<commit or tag>", "names the release to go to"),)
        if none.code in ("no_ledger", "drift"):
            ways += (("laravel_adopt", "records the present state, if it is good, as a release"),)
        log = known(facts.before, "before")
        recent = ["the commits before this one:", *log] if log else []
        raise none.also(ways, recent) from none
    if not entry(facts.here, "here", release.id):
        raise Problem(
            "release_gone",
            f"the previous release {release.id[:10]} is no longer in this checkout",
            (("to=<commit or tag>", "names another release"),),
        )
    chosen = f"previous: the newest good release before {head[:10]}, from operation {release.operation}"
    over = tuple(release_choice.passed_over(past, head, release))
    return Resolved(release.id, release.name, "commit, present on this host"), chosen, over


def name_of(past: History, facts: Facts, commit: str) -> str:
    """The name that the ledger or a tag has for a commit; empty where neither has one. Raises Unread."""
    recorded = past.find(commit)
    return recorded.name if recorded and recorded.name else entry(facts.tags, "tags", commit)


# -- the same release ----------------------------------------------------------------------------


def _unchanged(wish: Wish, service: Description, past: History, course: Course, facts: Facts) -> LaravelPlan:
    """The plan where the release runs already.

    A deploy to it builds the caches anew where .env was edited since, and runs migrations that were left pending. Where
    no operation has verified it, or it does not boot, vendor/, the caches and the processes are brought to it.
    """
    known(facts.may_reload, "may_reload")
    answer = answered(service, facts)
    waiting = laravel_schema.pending(answer) if wish.procedure == "deploy" else ()
    schema = Schema(verdict.Comparison("same"), verdict.Undoing((), {}, {}, ()))
    if waiting:
        schema = known(facts.schema, "schema")
        schema = replace(schema, comparison=replace(schema.comparison, verdict="behind", behind=waiting))
    caches = known(facts.caches, "caches")
    doubt = release_choice.doubt(past, facts.head)
    broken = laravel_schema.unbooted(answer) if answer.get("boot_error") else ""
    found = laravel_release.Facts(
        procedure=wish.procedure,
        source=course.source,
        target=course.source,
        migrations=wish.migrations,
        comparison=schema.comparison,
        undoing=schema.undoing,
        transactional=schema.transactional,
        ups={name: up.get("sql") or [] for name, up in schema.ups.items()},
        pending=schema.pending,
        migrate_here=wish.migrate_here,
        reload=service.php_fpm_unit,
        reload_commands=service.reload_commands,
        extra_commands=service.extra_commands,
        in_releases=service.in_releases,
        realpath_root=service.realpath_root,
        settings_changed=wish.procedure == "deploy" and caches.outdated,
        doubted=bool(doubt),
        broken=bool(broken),
    )
    reasons = [reason for reason in (broken, doubt) if reason]
    anew = [f"{reason}: what belongs to it is made anew, and php-fpm reloaded" for reason in reasons]
    if found.settings_changed and not reasons:
        anew = ["the config cache is older than .env: the caches are built anew"]
    return {
        **_head(wish, replace(course, target=course.source, proven="it is the release that runs now")),
        "steps": [step.to_dict() for step in laravel_release.steps(found)],
        "undo": [step.to_dict() for step in laravel_release.undo(found)],
        "migrations": laravel_release.migrations_record(found) if waiting else None,
        **application(answer),
        "transactional": found.transactional,
        "also": schema.also,
        "warnings": [*anew, *caches.warnings(), *laravel_schema.warnings(schema, label(course.source))],
    }


# -- parts of both -------------------------------------------------------------------------------


def _head(wish: Wish, course: Course) -> LaravelPlan:
    """A plan that says where it goes, and does not know yet how."""
    return {
        "procedure": wish.procedure,
        "asked": wish.to,
        "from": course.source,
        "to": course.target,
        "chosen": course.chosen,
        "proven": course.proven,
        "steps": [],
        "undo": [],
        "warnings": [],
    }


def answered(service: Description, facts: Facts) -> Mapping[str, Any]:
    """The application's answer: the migrations of the database, and those of the present release."""
    answer = known(facts.answer, "answer")
    if "failed" in answer:
        text = f"{' '.join(service.php)} can't be used: {answer['failed']}"
        raise Problem("php_failed", text, (("laravel_php=<path>", "names the php of this service"),))
    must_pass(maintenance.problem(answer))
    return answer


def application(answer: Mapping[str, Any]) -> Application:
    """The part of a plan that the application has said of itself."""
    return {
        "php": str(answer["php"]),
        "maintenance": bool(answer.get("down")),
        "maintenance_driver": str(answer.get("maintenance_driver") or ""),
    }


def _release_facts(
    wish: Wish,
    service: Description,
    course: Course,
    facts: Facts,
    picture: Picture,
    vendor: str,
    schema: Schema,
) -> laravel_release.Facts:
    made = known(facts.made, "made") if service.in_releases else Made()
    # Nothing of any size is made in place, but by Composer.
    makes = vendor != "made" and (vendor == "composer" or service.in_releases)
    return laravel_release.Facts(
        procedure=wish.procedure,
        source=course.source,
        target=course.target,
        migrations=wish.migrations,
        comparison=schema.comparison,
        undoing=schema.undoing,
        transactional=schema.transactional,
        # A release that is left keeps what was edited in it.
        changes=() if service.in_releases else picture.changes,
        in_the_way=picture.in_the_way,
        discard=wish.discard,
        reload=service.php_fpm_unit,
        extra_commands=service.extra_commands,
        reload_commands=service.reload_commands,
        ups={name: up.get("sql") or [] for name, up in schema.ups.items()},
        pending=schema.pending,
        unasked=schema.unasked,
        elsewhere=schema.elsewhere,
        in_releases=service.in_releases,
        broken=bool(known(facts.answer, "answer").get("boot_error")),
        made=made.whole,
        warm=made.warm,
        migrate_here=wish.migrate_here,
        room=known(facts.room, "room") if makes else None,
        realpath_root=service.realpath_root,
    )


def _counted(found: laravel_release.Facts, facts: Facts) -> laravel_release.Facts:
    """The same, with the rows that each loss concerns; a loss that can't be counted is left out."""
    lost = found.undoing.losses
    if not lost or found.undoing.irreversible:
        return found
    counts = {
        loss.text: "more than 10000 rows" if count > 10000 else f"{count} rows"
        for loss, count in zip(lost, known(facts.counts, "counts"))
        if isinstance(count, int)
    }
    return replace(found, row_counts=counts)


# -- warnings ------------------------------------------------------------------------------------


def _history_warnings(past: History, course: Course) -> list[str]:
    warnings: list[str] = []
    if not past.order:
        warnings.append(
            "this host has no ledger yet: the release it runs was never verified here; "
            "run laravel_adopt first, so that `previous` can go back to it"
        )
    elif past.left is not None and past.left != course.source["id"]:
        warnings.append(f"the ledger left this host at {past.left[:10]}, but it is at {course.source['id'][:10]}")
    recorded = past.find(course.target["id"])
    if recorded is not None and not recorded.good:
        warnings.append(f"{label(course.target)} is not a good release: {recorded.why}")
    return warnings


def _application_warnings(answer: Mapping[str, Any], schema: Schema, course: Course) -> list[str]:
    unbooted = laravel_schema.unbooted(answer)
    debug = answer.get("debug") and answer.get("environment") == "production"
    return [
        *([unbooted] if unbooted else []),
        *laravel_schema.warnings(schema, label(course.source)),
        *(["APP_DEBUG is on in production: errors show secrets to visitors"] if debug else []),
    ]


def _cut_off(service: Description, file: str) -> list[str]:
    if not file:
        return []
    return [
        f"requests in flight are cut off when {service.php_fpm_unit} reloads: process_control_timeout is 0 in {file}; "
        "10s lets them end"
    ]


def _edited(facts: Facts, service: Description, course: Course, picture: Picture) -> list[str]:
    changes = picture.changes
    if not service.in_releases or not changes:
        return []
    names = ", ".join(change[3:] for change in changes[:5]) + (", ..." if len(changes) > 5 else "")
    return [
        f"{len(changes)} files of the present release were edited on this host ({names}): "
        f"they stay in {facts.app}, and {label(course.target)} has none of it"
    ]


def _low_disk(wish: Wish, facts: Facts) -> list[str]:
    if wish.procedure == "deploy":
        return []
    refusal = laravel_release.room_problem(known(facts.disk, "disk"), {"id": wish.to})
    return [refusal.text] if refusal is not None else []
