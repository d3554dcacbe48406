# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release of a Compose service: which images it is, how it is named, and which one is meant. Pure.

All services that a build publishes are one release. Its identity is made of the digests, because a tag can be moved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import BadReference, Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys, release_choice
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record

_RECORDED = re.compile(r"rel-[0-9a-f]{4,12}")
_SHA = re.compile(r"[0-9a-f]{7,40}")


def release(images: Mapping[str, Reference], revision: str = "") -> dict[str, Any]:
    """A release as plan and ledger keep it: id, name, images, revision.

    images: service -> reference with tag and digest.
    """
    lines = sorted(f"{service}={reference.canonical}@{reference.digest}" for service, reference in images.items())
    tags = dict.fromkeys(reference.tag for reference in images.values())
    return {
        "id": "rel-" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12],
        "name": next(iter(tags)) if len(tags) == 1 else "",
        "images": {
            service: {
                "reference": reference.by_tag if reference.tag else reference.repository,
                "digest": reference.digest,
            }
            for service, reference in sorted(images.items())
        },
        "revision": revision,
    }


def images_of(recorded: Mapping[str, Any]) -> dict[str, Reference]:
    """The images of a recorded release."""
    found: dict[str, Reference] = {}
    for service, image in (recorded.get("images") or {}).items():
        reference = image_reference.parse(image["reference"])
        found[service] = Reference(reference.repository, reference.tag, str(image["digest"]))
    return found


def for_services(recorded: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Reference] | None:
    """A recorded release for the services that are pinned now; None where it does not say which image one had.

    images: service -> repository. A service that is new has the image of its repository, which is one build's.
    """
    known = images_of(recorded)
    by_repository = {image.canonical: image for image in known.values()}
    found = {
        name: known.get(name) or by_repository.get(Reference(repository).canonical)
        for name, repository in images.items()
    }
    if set(known) - set(images) or not all(found.values()):
        return None
    return {name: image for name, image in found.items() if image is not None}


class Recorded:
    """Every release that a ledger's good operations brought here, the newest first."""

    def __init__(self, book: Answers) -> None:
        self._book = book

    def get(self, release: str) -> dict[str, Any] | None:
        """One release, as recorded_releases has it."""
        return self._of(ledger_keys.BROUGHT, release)

    def under(self, name: str) -> dict[str, Any] | None:
        """The newest one of a name."""
        found = self._of(ledger_keys.BROUGHT_AS, name)
        if found is None:
            return None
        # It may have come under another name since.
        newest = self.get(str(found["id"]))
        if newest is not None and newest.get("name") == name:
            return newest
        return next((known for known in self if known.get("name") == name), None)

    def _of(self, kind: str, name: str) -> dict[str, Any] | None:
        return next(iter(recorded_releases(self._book.of([(kind, name)])).values()), None)

    def has_image(self, digest: str) -> bool:
        """True if one of them has this image."""
        return self._book.place(ledger_keys.BROUGHT_IMAGE, digest) is not None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        for record in self._book.backwards():
            for release, known in recorded_releases([record]).items():
                if release not in seen:
                    seen.add(release)
                    yield known


def recorded_releases(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every release that a ledger's good operations brought here, by id, the newest last."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        target = record.get("to")
        if record.get("outcome") == "succeeded" and isinstance(target, Mapping) and target.get("images"):
            found.pop(str(target["id"]), None)
            found[str(target["id"])] = {
                **target,
                "operation": record.get("id"),
                "finished": record.get("finished"),
            }
    return found


# -- what the operator means ---------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """The meaning of `to`. kind: previous, recorded, digests or tags.

    value: the beginning of a release's id. digests: images by repository, as the inventory writes it.
    tags: in the order in which they are tried.
    """

    kind: str
    value: str = ""
    digests: Mapping[str, Reference] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


#: The forms of `to` that name a release of any service.
NAMES = (("to=<tag or commit>", "names a release"), ("to=<name@sha256:...>", "names its images"))


def branch_tag(branch: str) -> str:
    """The tag that docker/metadata-action gives to the images of a branch: `hotfix/login` is `hotfix-login`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", branch)[:128]


def names_branch(to: str, images: Mapping[str, str]) -> bool:
    """True if `to` of a hotfix is a branch: it has a slash, and is not an image of the service."""
    if "/" not in to or any(letter in to for letter in "@:,"):
        return False
    return not any(image_reference.same_repository(known, to) for known in images.values())


def wanted(to: str, images: Mapping[str, str], prefix: str, hotfix: bool = False) -> Wanted:
    """The meaning of `to`. images: service -> repository. prefix: of tags that name a commit. Raises Problem.

    hotfix: `to` may be a branch, whose images are published by its name.
    """
    if hotfix and names_branch(to, images):
        return Wanted("tags", tags=(branch_tag(to),))
    if to == "previous":
        return Wanted("previous")
    if _RECORDED.fullmatch(to):
        return Wanted("recorded", value=to)
    if "@" in to or "/" in to or ":" in to:
        return _named(to, images)
    if not image_reference.is_tag(to):
        text = f"to={to} is not a tag, an image reference, or a release of the ledger"
        raise Problem("bad_reference", text, NAMES)
    tags = [to]
    if _SHA.fullmatch(to):
        tags = [f"{prefix}{to}", *([f"{prefix}{to[:7]}"] if len(to) > 7 else []), to]
    elif re.fullmatch(r"v\d.*", to):
        # The git tag v0.1.0 publishes the image tag 0.1.0.
        tags = [to, to[1:]]
    return Wanted("tags", tags=tuple(dict.fromkeys(tags)))


def _named(to: str, images: Mapping[str, str]) -> Wanted:
    """Whole references: one for each repository by digest, or one whose tag is meant for all."""
    digests: dict[str, Reference] = {}
    tags: dict[str, None] = {}
    for text in to.split(","):
        try:
            reference = image_reference.parse(text.strip())
        except BadReference as error:
            raise Problem("bad_reference", str(error), NAMES) from error
        mine = [known for known in images.values() if image_reference.same_repository(known, reference.repository)]
        if not mine:
            known = ", ".join(dict.fromkeys(images.values()))
            text = f"{reference.repository} is not of this service, which has {known}"
            raise Problem("not_of_this_service", text, NAMES)
        if reference.digest:
            digests[mine[0]] = Reference(mine[0], reference.tag, reference.digest)
        else:
            tags[reference.tag or "latest"] = None
    if digests and tags or len(tags) > 1:
        raise Problem("bad_reference", f"to={to} mixes references: give digests, or one tag", NAMES)
    return Wanted("digests", digests=digests) if digests else Wanted("tags", tags=tuple(tags))


# -- what the sources say ------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A registry's answer about one reference: its digest, or why not (missing, denied, down, other)."""

    digest: str = ""
    kind: str = ""
    registry: str = ""
    text: str = ""


@dataclass(frozen=True)
class Choice:
    """A release that was found. how: the proof, for people. warnings: what a person should know of it."""

    images: Mapping[str, Reference]
    how: str
    warnings: tuple[str, ...] = ()


def choose_tag(
    procedure: str,
    tag: str,
    images: Mapping[str, str],
    asked: Mapping[str, Asked],
    recorded: Mapping[str, Any] | None,
    local: Iterable[str],
    here: Mapping[str, str],
) -> Choice | Problem:
    """The release that a tag means, by what registry, ledger and engine say.

    images: service -> repository. asked: repository -> the registry's answer for the tag. recorded: the newest good
    release of that name. local: `repository@digest` of what the engine holds. here: digests that the engine has for
    the tag, by repository.
    """
    problem = next((answer for answer in asked.values() if not answer.digest), None)
    known = images_of(recorded) if recorded else {}
    held = set(local)
    whole = bool(known) and set(known) == set(images) and all(known[name].by_digest in held for name in images)
    if problem is None:
        found = {service: Reference(name, tag, asked[name].digest) for service, name in images.items()}
        moved = [name for name in images if name in known and known[name].digest != found[name].digest]
        if moved and procedure == "rollback":
            return tag_moved(recorded or {}, {name: found[name].digest for name in moved})
        warnings = tuple(
            f"{found[name].by_tag} was {known[name].digest[:19]} when it was deployed here on "
            f"{str((recorded or {}).get('finished'))[:10]}; it was moved since"
            for name in moved
        )
        return Choice(found, f"the tag {tag} in the registry, which is {_digests(found.values())}", warnings)
    if procedure == "rollback" and whole and problem.kind in ("down", "missing", "denied"):
        reason = {"down": "can't be reached", "missing": "no longer has the tag", "denied": "let nobody in"}[
            problem.kind
        ]
        warning = (
            f"the registry {problem.registry} {reason}, so it is not known whether {tag} was moved: {problem.text}"
        )
        return Choice(
            known, f"by digest on this host, as operation {(recorded or {}).get('operation')} left it", (warning,)
        )
    return _absent(tag, images, asked, problem, here, procedure)


def _absent(
    tag: str,
    images: Mapping[str, str],
    asked: Mapping[str, Asked],
    problem: Asked,
    here: Mapping[str, str],
    procedure: str,
) -> Problem:
    missing = [f"{name}:{tag}" for name, answer in asked.items() if answer.kind == "missing"]
    there = [f"{name}:{tag}" for name, answer in asked.items() if answer.digest]
    if missing and there:
        return Problem(
            "release_incomplete",
            f"{', '.join(there)} is in the registry, but {', '.join(missing)} is not: they were not built together",
            (("to=<another release>", "that was published whole"),),
        )
    ways: tuple[tuple[str, str], ...] = (PUBLISHED,)
    if set(here) >= set(images.values()) and procedure == "rollback":
        text = ",".join(f"{name}@{here[name]}" for name in dict.fromkeys(images.values()))
        ways = (
            (f"to={text}", f"the images that are called {tag} on this host, although nothing proves that name"),
            *ways,
        )
    return registry_refusal(problem, ", ".join(missing) or tag, ways)


#: Another release, from where it can be had.
PUBLISHED = ("to=<another release>", "that is in the registry")
HELD = ("to=<another release>", "whose images are on this host; operation_history lists them")


def registry_refusal(problem: Asked, what: str, ways: tuple[tuple[str, str], ...]) -> Problem:
    """Why a registry does not give an image."""
    registry = problem.registry
    if problem.kind == "missing":
        return Problem("image_not_found", f"{what} is not in the registry {registry}", ways)
    if problem.kind == "denied":
        return Problem(
            "registry_denied",
            f"the registry {registry} did not let this host read {what}: {problem.text}",
            (
                ("compose_registry_user and compose_registry_password", "in the inventory, the password from a vault"),
                ("compose_registry_logins", f"in the inventory, where {registry} has another login than the rest"),
                (f"docker login {registry}", "on the host, as the user who operates the service"),
            ),
        )
    if problem.kind == "down":
        return Problem(
            "registry_down",
            f"the registry {registry} can't be reached, and {what} is not on this host by digest: {problem.text}",
            (("the same command again", "once the registry answers"), HELD if ways[0] == PUBLISHED else ways[0]),
        )
    if problem.kind == "no_space":
        way = ("docker system df", "on the host, shows what fills the disk")
        return Problem("disk_space", f"{what} could not be downloaded, the disk is full: {problem.text}", (way,))
    return Problem("registry_failed", f"the registry {registry} did not give {what}: {problem.text}", ways)


def tag_moved(recorded: Mapping[str, Any], now: Mapping[str, str]) -> Problem:
    """A tag does not mean any more what was good here. now: service -> the digest it means today."""
    known = images_of(recorded)
    service = next(iter(now))
    then = known[service]
    day = str(recorded.get("finished"))[:10]
    today = ",".join(dict.fromkeys(f"{known[name].repository}@{digest}" for name, digest in now.items()))
    return Problem(
        "tag_moved",
        f"{then.by_tag} was {then.digest} when it was good here ({day}), and is {now[service]} in the registry now",
        (
            (f"to={recorded.get('id')}", f"the images that were good here on {day}, by their digests"),
            (f"to={today}", "the images that the tag means now"),
        ),
        tuple(f"{known[name].by_tag}: {known[name].digest} then, {digest} now" for name, digest in now.items()),
    )


def _digests(references: Iterable[Reference]) -> str:
    return ", ".join(dict.fromkeys(reference.digest[:19] for reference in references))


# -- what the images say -------------------------------------------------------------------------

REVISION, SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"


def one_build(
    images: Mapping[str, Reference], labels: Mapping[str, Mapping[str, str]], source: str
) -> tuple[str, list[str]] | Problem:
    """Proof that images are of one build, and of this service. labels: by service. source: the present image's label.

    Returns the revision and the unproven parts, or the refusal.
    """
    by_repository: dict[str, dict[str, list[str]]] = {}
    for service, reference in images.items():
        by_repository.setdefault(reference.canonical, {}).setdefault(reference.digest, []).append(service)
    for digests in by_repository.values():
        if len(digests) > 1:
            text = "; ".join(f"{', '.join(names)}: {digest[:19]}" for digest, names in digests.items())
            return Problem("not_one_build", f"these services share an image and would differ: {text}", _ANOTHER)
    revisions = {service: str(labels.get(service, {}).get(REVISION, "")) for service in images}
    named = {revision for revision in revisions.values() if revision}
    if len(named) > 1 or (named and not all(revisions.values()) and len(by_repository) > 1):
        text = ", ".join(
            f"{service} is of {revision[:10] or 'an unnamed commit'}" for service, revision in revisions.items()
        )
        return Problem(
            "not_one_build",
            f"the images are not of one build: {text} ({REVISION})",
            _ANOTHER,
            tuple(f"{service}: {images[service].text}" for service in images),
        )
    sources = {service: str(labels.get(service, {}).get(SOURCE, "")) for service in images}
    foreign = {service: found for service, found in sources.items() if source and found and found != source}
    if foreign:
        service, found = next(iter(foreign.items()))
        return Problem(
            "not_of_this_service",
            f"{images[service].text} was built from {found}, and this service is built from {source} ({SOURCE})",
            (*_ANOTHER, ("compose_source=<address>", "in the inventory, where the repository has a new address")),
        )
    warnings = []
    if not named and len(by_repository) > 1:
        warnings.append(
            f"the images name no commit ({REVISION}): only their tag says that {' and '.join(images)} are of one build"
        )
    return next(iter(named), ""), warnings


_ANOTHER = (("to=<another release>", "whose images were built together"),)


# -- retention -----------------------------------------------------------------------------------


def needed(book: Answers, this: Record, current: str, count: int) -> set[str]:
    """The digests of the releases that are kept: the newest good ones, the present one, and the one before it.

    this: the record of the operation that is not in the ledger yet.
    """
    names = release_choice.kept(book.history(this), current, count)
    records = [*book.of((ledger_keys.BROUGHT, name) for name in names), this]
    recorded = recorded_releases(records)
    releases = [recorded[name] for name in names if name in recorded]
    return {image.digest for known in releases for image in images_of(known).values()}


class Brought:
    """The digests of all images that operations brought here, or found here, or went away from."""

    def __init__(self, book: Answers, *more: Record) -> None:
        """more: records that are not in the ledger yet."""
        self._named = book.named(ledger_keys.IMAGE)
        self._more = {key.name for record in more for key in ledger_keys.of(record) if key.kind == ledger_keys.IMAGE}

    def __contains__(self, digest: object) -> bool:
        return digest in self._more or digest in self._named


def removable(
    images: Sequence[Mapping[str, Any]],
    repositories: Iterable[str],
    wanted_digests: Iterable[str],
    used: Iterable[str],
    ours: Container[str],
) -> list[tuple[str, list[str]]]:
    """Local images of these repositories that nothing needs: id -> the names to remove, the newest last.

    images: as the engine lists them. wanted_digests: those of the releases that are kept. used: ids of images that a
    container was made from, running or not. ours: the digests that this service's ledger names. Another service of the
    host may keep images of the same repositories for its own way back.
    """
    mine = {Reference(name).canonical for name in repositories}
    keep, busy = set(wanted_digests), set(used)
    found: list[tuple[int, str, list[str]]] = []
    for image in images:
        identity = str(image["Id"])
        names = [name for name in image.get("RepoTags") or [] if name != "<none>:<none>"]
        digests = [name for name in image.get("RepoDigests") or [] if name != "<none>@<none>"]
        its = {name.rpartition("@")[2] for name in digests}
        if identity in busy or its & keep or not any(digest in ours for digest in its):
            continue
        here = [name for name in (*names, *digests) if _repository(name) in mine]
        if here:
            # By another repository's name somebody else may need it: then only our names go.
            found.append((int(image.get("Created") or 0), identity, here))
    return [(identity, names) for _, identity, names in sorted(found)]


def _repository(name: str) -> str:
    try:
        return image_reference.parse(name).canonical
    except BadReference:
        return ""
