# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release of a Compose service that an operator means, by registry, ledger and engine, proven by digest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import release
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import Facts, Situation
from ansible_collections.ops.runbook.plugins.module_utils.compose.release import Choice, Wanted
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard import release_choice
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import entries, entry
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


@dataclass(frozen=True)
class Target:
    """The release to go to. chosen: why it is this one, for a person.

    over: why each newer release is not the one that `previous` means.
    """

    choice: Choice
    chosen: str
    over: tuple[str, ...] = ()


def choose(situation: Situation, present: Mapping[str, Any] | None, facts: Facts) -> Target:
    """The target of a wish. present: the release that runs, where that is known. Raises Problem, and Unread."""
    wish, service = situation.wish, situation.service
    try:
        wanted = release.wanted(wish.to, service.images, service.tag_prefix, wish.hotfix)
    except Problem as error:
        raise error.also(details=recent(situation)) from error
    if wanted.kind == "previous":
        return _previous(situation, present, facts)
    if wanted.kind == "recorded":
        return Target(_by_id(situation, wanted, facts), f"to={wish.to}: recorded on this host")
    found = _by_digests(situation, wanted, facts) if wanted.kind == "digests" else _by_tags(situation, wanted, facts)
    return Target(found, f"to={wish.to}: {found.how}")


def _previous(situation: Situation, present: Mapping[str, Any] | None, facts: Facts) -> Target:
    past = situation.past
    current = str((present or {}).get("id") or "an unknown release")
    try:
        found = release_choice.previous(past, current)
    except Problem as none:
        ways: tuple[tuple[str, str], ...] = (("to=<tag or release>", "names the release to go to"),)
        if none.code in ("no_ledger", "drift"):
            ways += (("compose_adopt", "records the present state, if it is good, as a release"),)
        raise none.also(ways, recent(situation)) from none
    recorded = situation.recorded.get(found.id)
    if recorded is None or release.for_services(recorded, situation.service.images) is None:
        text = f"the previous release {label({'id': found.id, 'name': found.name})} was of other services than now"
        raise Problem("release_gone", text, (("to=<tag>", "names another release"),))
    chosen = f"previous: the newest good release before {label(present)}, from operation {found.operation}"
    choice = _from_ledger(situation, recorded, facts, tag_matters=situation.wish.procedure == "rollback")
    return Target(choice, chosen, tuple(release_choice.passed_over(past, current, found)))


def _by_id(situation: Situation, wanted: Wanted, facts: Facts) -> Choice:
    found = [known for known in situation.recorded if str(known["id"]).startswith(wanted.value)]
    if len(found) != 1:
        what = "no release" if not found else f"{len(found)} releases"
        text = f"{what} {wanted.value} is recorded as good on this host"
        way = ("to=<tag>", "names it as it was published")
        raise Problem("unknown_release", text, (way,), tuple(recent(situation)))
    return _from_ledger(situation, found[0], facts, tag_matters=False)


def _from_ledger(situation: Situation, recorded: Mapping[str, Any], facts: Facts, tag_matters: bool) -> Choice:
    """A release that was good here. Present by digest, or still in the registry by digest."""
    known = release.for_services(recorded, situation.service.images)
    images = release.images_of(recorded) if known is None else known
    held = entries(facts.held, "held", (image.by_digest for image in images.values()))
    absent = {name: image.by_digest for name, image in images.items() if not held[image.by_digest]}
    tags = {
        name: Reference(image.repository, image.tag).text for name, image in images.items() if tag_matters and image.tag
    }
    asked = entries(facts.registry, "registry", (*tags.values(), *absent.values()))
    moved: dict[str, str] = {}
    warnings: list[str] = []
    for name, answer in ((name, asked[tag]) for name, tag in tags.items()):
        if answer.digest and answer.digest != images[name].digest:
            moved[name] = answer.digest
        elif not answer.digest and not warnings:
            warnings.append(f"whether {images[name].by_tag} was moved is not known: {answer.registry}: {answer.text}")
    if moved:
        raise release.tag_moved(recorded, moved)
    for name, answer in ((name, asked[text]) for name, text in absent.items()):
        if not answer.digest:
            raise release.registry_refusal(answer, images[name].text, (release.HELD,))
    how = "its images are on this host, by digest" if not absent else "by digest in the registry"
    return Choice(images, how, tuple(warnings))


def _by_tags(situation: Situation, wanted: Wanted, facts: Facts) -> Choice:
    """The first of the tags that the registry has for any of the repositories."""
    images = situation.service.images
    repositories = list(dict.fromkeys(images.values()))
    first: Problem | None = None
    for tag in wanted.tags:
        names = {name: Reference(name, tag).text for name in repositories}
        answers = entries(facts.registry, "registry", names.values())
        asked = {name: answers[text] for name, text in names.items()}
        recorded = situation.recorded.under(tag)
        digests = [image.by_digest for image in release.images_of(recorded or {}).values()]
        held = {name for name, there in entries(facts.held, "held", digests).items() if there}
        called = entries(facts.called, "called", names.values())
        here = {name: called[text] for name, text in names.items() if called[text]}
        found = release.choose_tag(situation.wish.procedure, tag, images, asked, recorded, held, here)
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
    raise first.also(details=recent(situation))


def _by_digests(situation: Situation, wanted: Wanted, facts: Facts) -> Choice:
    """Images by digest; those of the other repositories by the ledger, or by the commit that the image names."""
    images, book = situation.service.images, situation.recorded
    missing = [name for name in dict.fromkeys(images.values()) if name not in wanted.digests]
    given = {image.canonical: image.digest for image in wanted.digests.values()}
    for known in book if all(map(book.has_image, given.values())) else ():
        recorded = release.images_of(known)
        digests = {image.canonical: image.digest for image in recorded.values()}
        if set(recorded) == set(images) and all(digests.get(name) == digest for name, digest in given.items()):
            return _from_ledger(situation, known, facts, tag_matters=False)
    found = dict(wanted.digests)
    for image in found.values():
        if not entry(facts.held, "held", image.by_digest):
            answer = entry(facts.registry, "registry", image.by_digest)
            if not answer.digest:
                raise release.registry_refusal(answer, image.text, (release.PUBLISHED,))
    if missing:
        found.update(_siblings(situation, next(iter(found.values())), missing, facts))
    return Choice({service: found[name] for service, name in images.items()}, "by digest")


def _siblings(
    situation: Situation, image: Reference, repositories: Sequence[str], facts: Facts
) -> dict[str, Reference]:
    """The images of other repositories that were built with this one."""
    entry(facts.brought, "brought", image.text)
    labels = entry(facts.images, "images", image.text).labels
    revision, version = labels.get(release.REVISION, ""), labels.get("org.opencontainers.image.version", "")
    prefix = situation.service.tag_prefix
    tags = [f"{prefix}{revision[:7]}", f"{prefix}{revision}"] if revision else []
    for tag in [*tags, *([version] if version else [])]:
        names = {name: Reference(name, tag).text for name in repositories}
        asked = entries(facts.registry, "registry", names.values())
        answers = {name: asked[text] for name, text in names.items()}
        if all(answer.digest for answer in answers.values()):
            return {name: Reference(name, tag, answer.digest) for name, answer in answers.items()}
    whole = ",".join([image.text, *(f"{name}@sha256:<digest>" for name in repositories)])
    unread = "" if labels or not situation.check_mode else ": check mode downloads nothing, so its labels are not read"
    raise Problem(
        "release_incomplete",
        f"which image of {', '.join(repositories)} belongs to {image.text} can't be told{unread}",
        ((f"to={whole}", "names them all"), ("to=<tag>", "names a release as it was published")),
    )


def recent(situation: Situation) -> list[str]:
    """The newest good releases of this host, for a person who has to choose one."""
    lines = [
        f"{label(known)}  {str(known.get('finished'))[:16]}  operation {known.get('operation')}"
        for known in islice(situation.recorded, 5)
    ]
    return ["the good releases of this host:", *lines] if lines else []
