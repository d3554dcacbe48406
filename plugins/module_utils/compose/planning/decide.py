# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a deploy, a rollback or an adoption of a Compose service, or the reason against it. Pure."""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import before, image_architecture, typed_line
from ansible_collections.ops.runbook.plugins.module_utils.compose import once as compose_once
from ansible_collections.ops.runbook.plugins.module_utils.compose import release as compose_release
from ansible_collections.ops.runbook.plugins.module_utils.compose import staging as compose_staging
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins.files import Pins
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning import steps
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import Facts, Image, Situation, Wish
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.schema import Schema, schema
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.steps import Change
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.target import Target
from ansible_collections.ops.runbook.plugins.module_utils.compose.present import Present
from ansible_collections.ops.runbook.plugins.module_utils.compose.release import Recorded
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard import release_name, state_trouble
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import entries, entry, known
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.open_and_plan import adoption_steps
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label
from ansible_collections.ops.runbook.plugins.module_utils.migrations import plan as migration_plan
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan


class Useless(Problem):
    """The images of the target are of no use here, whatever is typed next."""


def named(present: Present, recorded: Recorded) -> Present:
    """The same, with the name that the ledger has for the release that runs."""
    return present if present.release is None else replace(present, release=_named(present.release, recorded))


def _named(release: dict[str, Any], recorded: Recorded) -> dict[str, Any]:
    """The release with the name that the ledger has for it, if it has none of its own."""
    found = recorded.get(str(release["id"]))
    if found and not release["name"]:
        return {**release, "name": found.get("name") or "", "images": found["images"]}
    return release


def plan(situation: Situation, target: Target, facts: Facts) -> ComposePlan:
    """The plan as the journal keeps it. Raises Problem, and Unread."""
    wish, service, present = situation.wish, situation.service, facts.present
    images = target.choice.images
    goal = _named(compose_release.release(images), situation.recorded)
    if present.release is not None and goal["id"] == present.release["id"] and _pinned(facts, images):
        return _unchanged(wish, facts, target)
    brought = entries(facts.brought, "brought", (image.text for image in images.values()))
    missing = [name for name, image in images.items() if not brought[image.text]]
    built: list[str] = []
    if not missing:
        built = _must_run_here(images, facts)
        revision, unproven = _must_be_one_build(service, images, facts)
        built += unproven
        # Of images that were named by digest alone, people know the commit.
        name = goal["name"] or (f"{service.tag_prefix}{revision[:7]}" if revision else "")
        goal = {**goal, "revision": revision, "name": name}
    staging, unproven_there, proof = compose_staging.judge(wish.staging, goal, _good_here(situation, goal))
    found = schema(situation, images, goal, bool(missing), facts)
    unnamed = _unnamed(wish, service, found, goal, facts)
    pins = known(facts.pins, "pins", {"images": images})
    change = Change(wish, service, present, images, found, pins)
    hashes = known(facts.hashes, "hashes")
    login_warning = known(facts.login_warning, "login_warning")
    return {
        **_head(wish, facts, goal, target.chosen, target.choice.how),
        "steps": [step.to_dict() for step in steps.forward(change)],
        "undo": [step.to_dict() for step in steps.back(change)],
        "afterwards": [step.to_dict() for step in steps.afterwards(change, goal)],
        "migrations": migration_plan.record(found.migrations) if found.migrations else None,
        "facts": {"pin": service.pin, "files": {**hashes, **pins.hashes}, **proof},
        "also": [
            ["images", _image_lines(images, missing)],
            *([["staging", staging]] if staging else []),
            *([["passes over", list(target.over)]] if target.over else []),
            *_ran(service, known(facts.ran, "ran")),
        ],
        "diffstat": _pin_diff(pins),
        "warnings": [
            *present.warnings,
            *([login_warning] if login_warning else []),
            *before.warnings(present.before, wish.procedure),
            *_of_another_file(facts),
            *unnamed,
            *_history_warnings(situation, present, goal),
            *target.choice.warnings,
            *built,
            *unproven_there,
            *found.warnings,
            *pins.warnings,
        ],
    }


def _past_adoption(situation: Situation, ledger: str) -> tuple[str, str]:
    """The way to a recorded release where nothing can be adopted. No deploy is planned by a damaged ledger."""
    if situation.ledger.problems:
        return state_trouble.ledger_damaged(ledger, ()).ways[0]
    return ("compose_deploy with to=<tag>", "brings a release that is known by its digest")


def adopt(situation: Situation, facts: Facts, set_aside: bool, ledger: str = "") -> ComposePlan:
    """The plan that records what runs now as a release. ledger: its path. Raises Problem, and Unread."""
    present = facts.present
    if present.release is None or not present.running:
        why = present.why_not or f"{'; '.join(present.idle)}"
        ways: tuple[tuple[str, str], ...] = (_past_adoption(situation, ledger),)
        if present.release is not None:
            names = [text.partition(" ")[0] for text in present.idle]
            ways = ((typed_line.line(situation.service, "up", "-d", *names), "on the host, starts it"), *ways)
        raise Problem("nothing_to_adopt", f"the present state can't be recorded as a release: {why}", ways)
    found = compose_release.one_build(present.images, _labels(present.images, facts), "")
    if isinstance(found, Problem):
        raise found
    step = Step("adopt", f"record {label(present.release)}", data={"release": present.release["id"]})
    done = adoption_steps(situation.ledger, situation.past, step, present.release["id"], set_aside)
    return {
        **_head(situation.wish, facts, present.release, "the images that run", "they run now"),
        "from": None if done else present.release,
        "steps": [one.to_dict() for one in done],
        "undo": [],
        "anew": release_name.anew(present.release),
        "migrations": None,
        "facts": {"pin": situation.service.pin, "files": dict(known(facts.hashes, "hashes"))},
        "also": [["images", _image_lines(present.images, [])]],
        "warnings": [*present.warnings, *found[1]],
    }


def _unchanged(wish: Wish, facts: Facts, target: Target) -> ComposePlan:
    present = facts.present
    return {
        **_head(wish, facts, present.release, target.chosen, "it is the release that runs now"),
        "steps": [],
        "undo": [],
        "migrations": None,
        "warnings": list(present.warnings),
    }


def _head(wish: Wish, facts: Facts, goal: Mapping[str, Any] | None, chosen: str, proven: str) -> ComposePlan:
    """A plan that says where it goes, and does not know yet how."""
    plan: ComposePlan = {
        "procedure": wish.procedure,
        "from": facts.present.release,
        "to": goal,
        "chosen": chosen,
        "proven": proven,
        "steps": [],
        "undo": [],
        "warnings": [],
        "project": facts.project,
        "before": before.to_dict(facts.present.before),
    }
    if wish.procedure != "adopt":
        plan["asked"] = wish.to
    return plan


# -- images --------------------------------------------------------------------------------------


def _pinned(facts: Facts, images: Mapping[str, Reference]) -> bool:
    """Tell if the compose files name these images by their digests."""
    return all(
        image_reference.parse(str(facts.services[name]["image"])).digest == image.digest
        for name, image in images.items()
    )


def _image_lines(images: Mapping[str, Reference], missing: Sequence[str]) -> list[str]:
    return [
        f"{service}: {image.text}" + (" (to be downloaded before anything stops)" if service in missing else "")
        for service, image in images.items()
    ]


def _said(images: Mapping[str, Reference], facts: Facts) -> dict[str, Image]:
    """The own words of each image, by service."""
    found = entries(facts.images, "images", (image.text for image in images.values()))
    return {name: found[image.text] for name, image in images.items()}


def _labels(images: Mapping[str, Reference], facts: Facts) -> dict[str, Mapping[str, str]]:
    return {name: image.labels for name, image in _said(images, facts).items()}


def _must_run_here(images: Mapping[str, Reference], facts: Facts) -> list[str]:
    """Warnings about the architecture of the images. Raises Useless."""
    named_by = {name: (images[name].text, image.architecture) for name, image in _said(images, facts).items()}
    emulated = known(facts.emulations, "emulations")
    refusal, warnings = image_architecture.judge(known(facts.machine, "machine"), named_by, emulated)
    if refusal is not None:
        raise Useless(**asdict(refusal))
    return warnings


def _must_be_one_build(service: Description, images: Mapping[str, Reference], facts: Facts) -> tuple[str, list[str]]:
    """The commit that the images are of, and what can't be proven of it. Raises Useless."""
    source = service.source
    if not source:
        # The repository that this service is built from, as the present images say.
        sources = {labels.get(compose_release.SOURCE, "") for labels in _labels(facts.present.images, facts).values()}
        source = next(iter(sources)) if len(sources) == 1 else ""
    found = compose_release.one_build(images, _labels(images, facts), source)
    if isinstance(found, Problem):
        raise Useless(**asdict(found))
    return found


def _good_here(situation: Situation, goal: Mapping[str, Any]) -> str:
    """The operation by which the target of a rollback was good on this host; empty where it never was."""
    found = situation.past.find(str(goal["id"]))
    return found.operation if situation.wish.procedure == "rollback" and found is not None and found.good else ""


# -- what is not of this release -----------------------------------------------------------------


def _of_another_file(facts: Facts) -> list[str]:
    """Containers of this project that are in no compose file: another file's, or left over. They stay."""
    strange = {name: service for name, service in facts.containers.items() if service not in facts.services}
    if strange:
        # A service of a profile that is switched off is in the files all the same.
        defined = known(facts.defined, "defined")
        strange = {name: service for name, service in strange.items() if service not in defined}
    return [
        f"{name} is a container of this project, and its service {service} is in none of the compose files "
        f"that are read: it is left as it is. If nothing needs it: docker rm --force {name}"
        for name, service in strange.items()
    ]


def _unnamed(wish: Wish, service: Description, found: Schema, goal: Mapping[str, Any], facts: Facts) -> list[str]:
    """Services with an image of this release that compose_images does not name: they would stay behind.

    Raises Problem where one has its one thing to do again at each `up`, on a database that this changes.
    """
    own = {image_reference.parse(repository).canonical: repository for repository in service.images.values()}
    once = compose_once.one_shots(facts.services, service.images)
    lines: list[str] = []
    again: dict[str, str] = {}
    for name, body in facts.services.items():
        try:
            image = image_reference.parse(str(body.get("image") or ""))
        except image_reference.BadReference:
            continue
        if name in service.images or image.canonical not in own:
            continue
        lines.append(
            f"{name} ({entry(facts.places, 'places', name)}) uses {image.text}, an image of this service's "
            f"repositories, and compose_images does not name it: it stays at that image beside {label(goal)}"
        )
        if name in once:
            again[name] = own[image.canonical]
    migrations = found.migrations
    if again and migrations is not None and (migrations.runs or migrations.undoes):
        names = ", ".join(again)
        images = json.dumps({"compose_images": {**service.images, **again}})
        skip = "skip" if wish.procedure == "deploy" else "keep"
        text = (
            f"{names} would run again from the image of another release, on a database whose migrations this "
            f"{wish.procedure} changes"
        )
        ways = (
            (f"-e {shlex.quote(images)}", f"brings {names} along; the inventory is the place for it"),
            (f"migrations={skip}", "leaves the database as it is"),
        )
        raise Problem("images_incomplete", text, ways, tuple(lines))
    return lines


# -- what is shown -------------------------------------------------------------------------------


def _history_warnings(situation: Situation, present: Present, goal: Mapping[str, Any]) -> list[str]:
    past, warnings = situation.past, []
    current = str((present.release or {}).get("id") or "")
    if not past.order:
        warnings.append(
            "this host has no ledger yet: the release it runs was never verified here; "
            "run compose_adopt first, so that `previous` can go back to it"
        )
    elif past.left is not None and past.left != current:
        warnings.append(f"the ledger left this host at {past.left}, but it is at {label(present.release)}")
    recorded = past.find(str(goal["id"]))
    if recorded is not None and not recorded.good:
        warnings.append(f"{label(goal)} is not a good release: {recorded.why}")
    return warnings


def _ran(service: Description, images: Sequence[str]) -> list[list[Any]]:
    """The images whose own code this plan has run: a person who may plan has run it, as that service would."""
    if not images:
        return []
    rights = f"with the volumes, networks, settings and secrets of {service.migration_service}"
    return [["plan ran", [f"Alembic of {', '.join(images)}, {rights}"]]]


def _pin_diff(pins: Pins) -> list[str]:
    """The lines that change, and none around them: other lines of the file may hold secrets."""
    lines: list[str] = []
    for file in pins.files:
        found = difflib.unified_diff(
            file.before.splitlines(), file.after.splitlines(), file.name, file.name, n=0, lineterm=""
        )
        lines += [line for line in found if not line.startswith("@@")]
    return lines
