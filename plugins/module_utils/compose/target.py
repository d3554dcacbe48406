# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which release of a Compose service an operator means, found by registry, ledger and engine, and proven by digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import release
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.release import Choice, Wanted
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService
from ansible_collections.ops.runbook.plugins.module_utils.compose.staging import Staging
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard import release_choice
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.guard.refusal import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label


@dataclass(frozen=True)
class Wish:
    """What the operator asked of a release procedure. staging: what is known of it.

    database_shared: other hosts use the database of this one. hotfix: `to` may be a branch.
    """

    procedure: str
    to: str
    migrations: str
    migrate_here: bool = True
    staging: Staging = field(default_factory=Staging)
    database_shared: bool = False
    hotfix: bool = False


class TargetChoice:
    """Finds the images of the release that is meant. downloaded: what it brought here while planning."""

    def __init__(self, service: ComposeService, ledger: Answers, store: ImageStore, check_mode: bool) -> None:
        self.service = service
        self.store = store
        self.check_mode = check_mode
        self.downloaded: list[Reference] = []
        # Why each newer release is not the one that `previous` means.
        self.over: list[str] = []
        self.past = ledger.history()
        self.recorded = release.Recorded(ledger)

    def choose(self, wish: Wish, present: Mapping[str, Any] | None) -> tuple[Choice, str]:
        description = self.service.description
        try:
            wanted = release.wanted(wish.to, description.images, description.tag_prefix, wish.hotfix)
        except release.NotMeant as error:
            ways = (("to=<tag or commit>", "names a release"), ("to=<name@sha256:...>", "names its images"))
            raise Refused(Refusal(error.code, str(error), ways, tuple(self.recent()))) from error
        if wanted.kind == "previous":
            return self._previous(wish, present)
        if wanted.kind == "recorded":
            return self._by_id(wanted), f"to={wish.to}: recorded on this host"
        found = self._by_digests(wanted) if wanted.kind == "digests" else self._by_tags(wish.procedure, wanted)
        return found, f"to={wish.to}: {found.how}"

    def _previous(self, wish: Wish, present: Mapping[str, Any] | None) -> tuple[Choice, str]:
        current = str((present or {}).get("id") or "an unknown release")
        try:
            entry = release_choice.previous(self.past, current)
        except release_choice.NoRelease as none:
            ways: tuple[tuple[str, str], ...] = (("to=<tag or release>", "names the release to go to"),)
            if none.code in ("no_ledger", "drift"):
                ways += (("compose_adopt", "records the present state, if it is good, as a release"),)
            raise Refused(Refusal(none.code, str(none), ways, (*none.details, *self.recent()))) from none
        recorded = self.recorded.get(entry.id)
        if recorded is None or release.for_services(recorded, self.service.description.images) is None:
            text = f"the previous release {label({'id': entry.id, 'name': entry.name})} was of other services than now"
            raise Refused(Refusal("release_gone", text, (("to=<tag>", "names another release"),)))
        self.over = release_choice.passed_over(self.past, current, entry)
        chosen = f"previous: the newest good release before {label(present)}, from operation {entry.operation}"
        return self._from_ledger(recorded, tag_matters=wish.procedure == "rollback"), chosen

    def _by_id(self, wanted: Wanted) -> Choice:
        found = [known for known in self.recorded if str(known["id"]).startswith(wanted.value)]
        if len(found) != 1:
            what = "no release" if not found else f"{len(found)} releases"
            text = f"{what} {wanted.value} is recorded as good on this host"
            raise Refused(
                Refusal("unknown_release", text, (("to=<tag>", "names it as it was published"),), tuple(self.recent()))
            )
        return self._from_ledger(found[0], tag_matters=False)

    def _from_ledger(self, recorded: Mapping[str, Any], tag_matters: bool) -> Choice:
        """A release that was good here. Present by digest, or still in the registry by digest."""
        known = release.for_services(recorded, self.service.description.images)
        images = release.images_of(recorded) if known is None else known
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
                raise Refused(release.tag_moved(recorded, moved))
            for name, answer in ((name, future.result()) for name, future in by_digest.items()):
                if not answer.digest:
                    ways = (("to=<another release>", "whose images are on this host; operation_history lists them"),)
                    raise Refused(release.registry_refusal(answer, images[name].text, ways))
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
            recorded = self.recorded.under(tag)
            held = {image.by_digest for image in release.images_of(recorded or {}).values() if self.store.has(image)}
            here = {name: digest for name in repositories if (digest := self.store.digest_of_tag(name, tag))}
            found = release.choose_tag(procedure, tag, images, asked, recorded, held, here)
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
        raise Refused(replace(first, details=(*first.details, *self.recent())))

    def _by_digests(self, wanted: Wanted) -> Choice:
        """Images by digest; those of the other repositories by the ledger, or by the commit that the image names."""
        images = self.service.description.images
        missing = [name for name in dict.fromkeys(images.values()) if name not in wanted.digests]
        given = {image.canonical: image.digest for image in wanted.digests.values()}
        for known in self.recorded if all(map(self.recorded.has_image, given.values())) else ():
            recorded = release.images_of(known)
            digests = {image.canonical: image.digest for image in recorded.values()}
            if set(recorded) == set(images) and all(digests.get(name) == digest for name, digest in given.items()):
                return self._from_ledger(known, tag_matters=False)
        found = dict(wanted.digests)
        for image in found.values():
            answer = release.Asked(image.digest) if self.store.has(image) else self.store.ask(replace(image, tag=""))
            if not answer.digest:
                raise Refused(release.registry_refusal(answer, image.text, _ANOTHER))
        if missing:
            found.update(self._siblings(next(iter(found.values())), missing))
        return Choice({service: found[name] for service, name in images.items()}, "by digest")

    def _siblings(self, image: Reference, repositories: Sequence[str]) -> dict[str, Reference]:
        """The images of other repositories that were built with this one."""
        self.fetch({"": image})
        labels = self.store.labels(image)
        revision, version = labels.get(release.REVISION, ""), labels.get("org.opencontainers.image.version", "")
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

    def recent(self) -> list[str]:
        lines = [
            f"{label(known)}  {str(known.get('finished'))[:16]}  operation {known.get('operation')}"
            for known in islice(self.recorded, 5)
        ]
        return ["the good releases of this host:", *lines] if lines else []

    def fetch(self, images: Mapping[str, Reference]) -> list[str]:
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

    def throw_away(self) -> None:
        """Remove what this plan has downloaded: these images are of no use here, whatever is typed next."""
        for image in self.downloaded:
            self.store.remove(image.text, [f"{image.repository}@{image.digest}"])


_ANOTHER = (("to=<another release>", "that is in the registry"),)
