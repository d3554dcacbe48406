# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader of the facts from which a change of a Compose service's release is planned.

The decision is in planning/, and asks for one fact after the other. Outside check mode the images of the target are
downloaded here: a plan then proves everything before the first host stops anything, and of the service itself nothing
has changed by it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import images as compose_images
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations import alembic_probe
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import (
    Answer,
    ProbeFailed,
    ask,
)
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import files
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning import decide
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.facts import (
    Facts,
    Image,
    Revisions,
    Situation,
    Standing,
    Wish,
)
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.schema import words_of
from ansible_collections.ops.runbook.plugins.module_utils.compose.planning.target import choose
from ansible_collections.ops.runbook.plugins.module_utils.compose.present import Present, PresentReader
from ansible_collections.ops.runbook.plugins.module_utils.compose.release import Asked, Recorded
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, Container
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import Unread, decided
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan


class ComposePlanner:
    """Plans a deploy, a rollback, or an adoption."""

    def __init__(self, service: ComposeService, ledger: Answers, store: ImageStore, check_mode: bool = False) -> None:
        self.service = service
        self.ledger = ledger
        self.store = store
        self.check_mode = check_mode

    def plan(self, wish: Wish) -> ComposePlan:
        """The plan as the journal keeps it. Raises Problem."""
        situation, reader, facts = self._begin(wish)
        target, facts = decided(partial(choose, situation, facts.present.release), facts, reader.read)
        try:
            return decided(partial(decide.plan, situation, target), facts, reader.read)[0]
        except decide.Useless:
            reader.throw_away()
            raise

    def adopt(self, set_aside: bool) -> ComposePlan:
        """The plan that records what runs now as a release. Raises Problem."""
        situation, reader, facts = self._begin(Wish("adopt", "", ""))
        ledger = os.path.join(self.service.state_dir, "ledger.jsonl")
        return decided(lambda found: decide.adopt(situation, found, set_aside, ledger), facts, reader.read)[0]

    def present(self, config: Mapping[str, Any], containers: Sequence[Container]) -> Present:
        """The release that runs now, with the name that the ledger has for it."""
        found = PresentReader(self.service, self.store).read(config, containers)
        return decide.named(found, Recorded(self.ledger))

    def _begin(self, wish: Wish) -> tuple[Situation, FactReader, Facts]:
        config = self.service.must_be_operable()
        project = str(config["name"])
        containers = self.service.containers(project)
        facts = Facts(
            project,
            config["services"],
            {one.name: one.service for one in containers},
            self.present(config, containers),
        )
        situation = Situation(wish, self.service.description, self.ledger, self.ledger.history(), self.check_mode)
        return situation, FactReader(self.service, self.store, config, self.check_mode), facts


class FactReader:
    """Reads the facts of a plan, each when it is asked for. Raises Problem where a download or a pin fails."""

    def __init__(self, service: ComposeService, store: ImageStore, config: Mapping[str, Any], check_mode: bool) -> None:
        self.service, self.store, self.config, self.check_mode = service, store, config, check_mode
        self._downloaded: list[Reference] = []
        # The images whose own code this plan has run.
        self._ran: dict[str, None] = {}
        self._reads: dict[str, Callable[[Unread], Any]] = {
            "held": _each(store.has),
            "called": _each(lambda image: store.digest_of_tag(image.repository, image.tag)),
            "registry": self._registry,
            "brought": self._brought,
            "images": _each(self._image),
            "known_graph": _each(lambda image: store.graph(image) is not None),
            "graphs": _each(self._graph),
            "machine": lambda question: service.engine.machine(),
            "emulations": lambda question: tuple(compose_images.emulations()),
            "standing": lambda question: self._standing(**question.about),
            "rows": lambda question: self._rows(**question.about),
            "ran": lambda question: tuple(self._ran),
            "hashes": lambda question: service.hashes(),
            "pins": lambda question: files.prepare(service, config, question.about["images"]),
            "places": lambda question: {name: files.place_of(service, name) for name in question.keys},
            "defined": lambda question: self._defined(),
            "login_warning": lambda question: store.login_warning,
        }

    def read(self, _facts: Facts, question: Unread) -> Any:
        """One fact of the host; see Facts."""
        return self._reads[question.name](question)

    def throw_away(self) -> None:
        """Remove what this plan has downloaded."""
        for image in self._downloaded:
            self.store.remove(image.text, [f"{image.repository}@{image.digest}"])

    # -- images ----------------------------------------------------------------------------------

    def _registry(self, question: Unread) -> dict[str, Asked]:
        images = [image_reference.parse(text) for text in question.keys]
        with ThreadPoolExecutor(max_workers=4) as pool:
            return dict(zip(question.keys, pool.map(self.store.ask, images)))

    def _brought(self, question: Unread) -> dict[str, bool]:
        """Download what is not here; in check mode only look."""
        images = {text: image_reference.parse(text) for text in question.keys}
        missing = {text: image for text, image in images.items() if not self.store.has(image)}
        if missing:
            self.store.must_have_room(", ".join(missing))
        for image in () if self.check_mode else missing.values():
            self.store.pull(image)
            self._downloaded.append(image)
        return {text: not self.check_mode or text not in missing for text in images}

    def _image(self, image: Reference) -> Image:
        found = self.store.image(image.by_digest) or {}
        config = found.get("Config") or {}
        command = (*words_of(config.get("Entrypoint")), *words_of(config.get("Cmd")))
        return Image(self.store.labels(image), self.store.architecture(image), command)

    def _defined(self) -> tuple[str, ...]:
        found = self.service.compose("--profile", "*", "config", "--services", check=False, timeout=60.0)
        return tuple(found.stdout.split())

    # -- migrations ------------------------------------------------------------------------------

    def _ask(self, image: Reference, **wanted: Any) -> Answer:
        self._ran.setdefault(image.text)
        return ask(self.service, image, **wanted)

    def _graph(self, image: Reference) -> Revisions:
        kept = self.store.graph(image)
        if kept is not None:
            return Revisions(kept)
        try:
            found = self._ask(image, database=False).graph
        except ProbeFailed as error:
            return Revisions(failed=str(error))
        self._keep_graph(image, found)
        return Revisions(found)

    def _keep_graph(self, image: Reference, found: Mapping[str, Any]) -> None:
        if not self.check_mode:
            self.store.keep_graph(image, found)

    def _standing(self, image: Reference, **wanted: Any) -> Standing:
        if not self.check_mode and not self.store.has(image):
            # It runs, and somebody has removed its names.
            self.store.pull(image)
        try:
            answer = self._ask(image, **wanted)
        except ProbeFailed as error:
            return Standing(failed=str(error))
        self._keep_graph(image, answer.graph)
        redact = self.service.redact
        ups = {
            name: {**up, **({"error": redact(str(up["error"]))} if up.get("error") else {})}
            for name, up in answer.ups.items()
        }
        return Standing(replace(answer, ups=ups))

    def _rows(self, image: Reference, losses: Iterable[Any]) -> dict[str, str]:
        """The number of rows that each loss concerns; one that can't be counted holds up nothing."""
        try:
            return alembic_probe.count(self.service, image, tuple(losses))
        except ProbeFailed:
            return {}


def _each(read: Callable[[Reference], Any]) -> Callable[[Unread], dict[str, Any]]:
    """A reader of one fact for each reference."""
    return lambda question: {text: read(image_reference.parse(text)) for text in question.keys}
