# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release of a Compose service that runs now, and each service of its files as it is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import before as compose_before
from ansible_collections.ops.runbook.plugins.module_utils.compose import images as compose_images
from ansible_collections.ops.runbook.plugins.module_utils.compose import release as compose_release
from ansible_collections.ops.runbook.plugins.module_utils.compose.before import Was
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, Container
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference


@dataclass(frozen=True)
class Present:
    """The state of a service now. release: None where nothing can be told by digest. images: by service.

    before: each service as it is, for the way back. idle: why each service of the release that should run does not.
    warnings: contradictions.
    """

    release: dict[str, Any] | None
    images: Mapping[str, Reference]
    before: Mapping[str, Was] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def running(self) -> bool:
        return not self.idle


class PresentReader:
    """Reads what runs."""

    def __init__(self, service: ComposeService, store: ImageStore) -> None:
        self.service = service
        self.store = store

    def read(self, config: Mapping[str, Any], containers: Sequence[Container]) -> Present:
        """The release that runs, by the digests of its containers; of a service that does not run, by its reference."""
        images: dict[str, Reference] = {}
        warnings: list[str] = []
        idle: list[str] = []
        why_not = ""
        before = compose_before.record(config["services"], containers, self.service.description.images)
        for service, repository in self.service.description.images.items():
            mine = [container for container in containers if container.service == service]
            alive = [container for container in mine if container.state == "running"]
            if not alive and not before[service].done:
                state = f"{mine[0].state}, exit code {mine[0].exit_code}" if mine else "it has no container"
                idle.append(f"{service} does not run ({state})")
            configured = image_reference.parse(str(config["services"][service]["image"]))
            digest, tag = "", configured.tag
            pinned = configured.digest or self.store.digest_of_tag(repository, configured.tag or "latest")
            for container in alive or mine:
                found = _digest(container, repository, pinned)
                if digest and found != digest:
                    warnings.append(f"the containers of {service} run different images")
                digest = digest or found
                with contextlib.suppress(image_reference.BadReference):
                    tag = image_reference.parse(container.reference).tag or tag
            if digest and pinned and pinned != digest:
                warnings.append(
                    f"{service} runs {digest[:19]}, and the compose file names {pinned[:19]}: going back brings what "
                    "the file names"
                )
            digest = digest or pinned
            if not digest:
                why_not = (
                    f"the image of {service} has no digest of a registry: it was built on this host, or is not here"
                )
                continue
            images[service] = Reference(repository, tag, digest)
        warnings += self._newer_here(config["services"], before)
        if why_not:
            ran = [name for name in self.service.description.images if before[name].ran]
            back = f"; going back brings up {', '.join(ran)} from what the compose files name now" if ran else ""
            return Present(None, images, before, tuple(idle), (*warnings, f"{why_not}{back}"), why_not)
        known = compose_release.release(images)
        revisions = {self.store.labels(image).get(compose_release.REVISION, "") for image in images.values()}
        known["revision"] = next(iter(revisions)) if len(revisions) == 1 else ""
        return Present(known, images, before, tuple(idle), tuple(warnings))

    def _newer_here(self, services: Mapping[str, Mapping[str, Any]], before: Mapping[str, Was]) -> list[str]:
        """Services beside the release that `up` would recreate, because a newer image of theirs is here."""
        lines = []
        for name, was in before.items():
            reference = str(services[name].get("image") or "")
            if name in self.service.description.images or not was.ran or not reference:
                continue
            with contextlib.suppress(image_reference.BadReference):
                parsed = image_reference.parse(reference)
                found = self.store.image(parsed.by_digest if parsed.digest else reference)
                if found and str(found["Id"]) not in was.images:
                    lines.append(
                        f"{name} runs {was.images[0][:19]}, and {reference} is {str(found['Id'])[:19]} on this host "
                        "now: `up` recreates it, and going back does not bring the former image back"
                    )
        return lines


def _digest(container: Container, repository: str, pinned: str) -> str:
    """The digest of a container's image. An image that was pushed twice has several: then the pinned one counts."""
    known = {name.rpartition("@")[2] for name in container.digests if compose_images.digest_in([name], repository)}
    return pinned if pinned in known else compose_images.digest_in(container.digests, repository)
