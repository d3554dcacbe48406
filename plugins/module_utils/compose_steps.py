# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Doing the steps of a plan on the host. Each may be cut off at any point and done again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils import (
    alembic_position,
    alembic_probe,
    compose_health,
    compose_pins,
    compose_release,
    image_reference,
    release_choice,
)
from ansible_collections.ops.runbook.plugins.module_utils.alembic_probe import Answer, ProbeFailed
from ansible_collections.ops.runbook.plugins.module_utils.command import CommandFailed, tail
from ansible_collections.ops.runbook.plugins.module_utils.compose_images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose_service import ComposeService
from ansible_collections.ops.runbook.plugins.module_utils.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.opening import Refused


class ComposeSteps:
    """The steps of deploy, rollback and adopt, by id."""

    def __init__(self, service: ComposeService, guard: Guard, plan: dict[str, Any], store: ImageStore) -> None:
        self.service = service
        self.guard = guard
        self.plan = plan
        self.store = store

    def __call__(self, step: Step) -> object:
        """Do one step. Returns a note for the journal, or None. Raises CommandFailed or OSError."""
        action: Callable[[Step], object] = getattr(self, f"_do_{step.id.partition(':')[0]}")
        return action(step)

    @property
    def _kept(self) -> str:
        """Where the files of this operation are kept as they were; a continued one finds them by its first id."""
        return os.path.join(self.guard.state_dir, "files", str(self.plan["saved_as"]))

    # -- images ----------------------------------------------------------------------------------

    def _do_images(self, step: Step) -> object:
        """What the plan has downloaded may have been removed since."""
        again = []
        for text in dict.fromkeys(step.data["images"].values()):
            image = image_reference.parse(text)
            if not self.store.has(image):
                try:
                    self.store.must_have_room(text)
                    self.store.pull(image)
                except Refused as refused:
                    raise CommandFailed(refused.refusal.text) from refused
                again.append(text)
        return {"downloaded": again} if again else None

    # -- migrations ------------------------------------------------------------------------------

    def _do_migrate(self, step: Step) -> object:
        image = self._settled(step)
        try:
            alembic_probe.alembic(self.service, image, "upgrade", step.data["to"])
        except CommandFailed as error:
            raise CommandFailed(f"{error}{self._remains(image, step.data['migrations'])}") from error
        answer = self._ask(image)
        left = set(answer.graph) - set(alembic_position.applied(answer.graph, answer.heads or ()))
        if left:
            names = ", ".join(alembic_position.ordered(answer.graph, left))
            raise CommandFailed(f"alembic upgrade ended with 0, but {names} is not in the database")
        return {"ran": step.data["migrations"]}

    def _remains(self, image: Reference, wanted: Sequence[str]) -> str:
        """What a failed run of migrations left, as far as it can be told."""
        try:
            answer = self._ask(image)
        except CommandFailed:
            return ""
        there = set(alembic_position.applied(answer.graph, answer.heads or ()))
        done = [name for name in wanted if name in there]
        text = f". In the database now: {', '.join(done) if done else 'none of them'}"
        if not answer.transactional:
            missing = next((name for name in wanted if name not in there), "")
            text += f". {missing} may have left a part of its changes: this database can't take them back by itself"
        return text

    def _do_migrate_down(self, step: Step) -> object:
        """From the newer image, which alone has the files; what is undone is exactly what was planned."""
        image, undo = self._settled(step), set(step.data["undo"])
        before = self._applied(image)
        if not before & undo:
            return "was so already"
        for target in step.data["targets"]:
            alembic_probe.alembic(self.service, image, "downgrade", target)
        after = self._applied(image)
        if after & undo:
            raise CommandFailed(
                f"alembic downgrade ended with 0, but {', '.join(sorted(after & undo))} is still applied"
            )
        if before - undo != after:
            more = ", ".join(sorted((before - undo) ^ after))
            raise CommandFailed(f"alembic downgrade touched more than was planned: {more}")
        return {"undone": step.data["undo"]}

    def _do_migrate_up(self, step: Step) -> object:
        image = self._settled(step)
        for head in step.data["heads"]:
            alembic_probe.alembic(self.service, image, "upgrade", head)
        return None

    def _settled(self, step: Step) -> Reference:
        # What a killed module began may still be at work in its container.
        alembic_probe.settle(self.service, str(self.plan["project"]))
        return image_reference.parse(step.data["image"])

    def _applied(self, image: Reference) -> set[str]:
        answer = self._ask(image)
        return set(alembic_position.applied(answer.graph, answer.heads or ()))

    def _ask(self, image: Reference) -> Answer:
        try:
            answer = alembic_probe.ask(self.service, image)
        except ProbeFailed as error:
            raise CommandFailed(str(error)) from error
        if answer.heads is None:
            raise CommandFailed(f"the database can't be read: {answer.database_error}")
        return answer

    # -- files and containers --------------------------------------------------------------------

    def _do_pin(self, step: Step) -> object:
        compose_pins.write(self.service, step.data["pins"], step.data["files"], self._kept)
        return None

    def _do_unpin(self, step: Step) -> object:
        compose_pins.put_back(self.service, step.data["files"], self._kept)
        return None

    def _do_up(self, _step: Step) -> object:
        """Bring the containers to what the files say; nothing is downloaded or built by it."""
        wait = str(self.service.description.wait_timeout)
        arguments = ["up", "-d", "--remove-orphans", "--wait", "--wait-timeout", wait, "--pull", "never", "--no-build"]
        try:
            self.service.compose(*arguments, timeout=float(wait) + self.service.description.command_timeout)
        except CommandFailed as error:
            troubled = self._troubled()
            if not troubled:
                # A service that has one thing to do and ends is a failure to --wait, and none to us.
                return {"said": str(error)[:400]}
            raise CommandFailed("; ".join([*troubled, str(error)])) from error
        return None

    def _troubled(self) -> list[str]:
        """The containers that are not well, each with the last lines of its log."""
        containers = self.service.containers(str(self.plan["project"]))
        found = compose_health.container_problems(self.service, containers, {})
        lines = []
        for container in containers:
            problem = found.get(container.name)
            if problem:
                logs = self.service.compose(
                    "logs", "--no-color", "--no-log-prefix", "--tail=6", container.service, check=False, timeout=30.0
                )
                said = self.service.redact(tail(logs.stdout, lines=6))
                lines.append(f"{problem}, its log ends with: {said}" if said else problem)
        return lines

    def _do_stop(self, _step: Step) -> object:
        self.service.compose("rm", "--stop", "--force", *self.service.description.images)
        return None

    # -- after it is verified --------------------------------------------------------------------

    def _do_retention(self, step: Step) -> object:
        """Remove the images of these repositories that neither a kept release nor a container needs."""
        description, current = self.service.description, str(step.data["to"])
        records = self.guard.ledger().records
        past, recorded = release_choice.history(records), compose_release.recorded_releases(records)
        names = release_choice.kept(past, current, max(description.keep_releases - 1, 0))
        # The operation that goes on is not in the ledger yet: where it came from is what it goes back to.
        releases = [recorded[name] for name in names if name in recorded]
        releases += [release for release in (self.plan["from"], self.plan["to"]) if release]
        wanted = {image.digest for release in releases for image in compose_release.images_of(release).values()}
        used = {str(container["ImageID"]) for container in self.service.engine.containers([])}
        found = compose_release.removable(self.service.engine.images(), description.images.values(), wanted, used)
        stays = [problem for problem in (self.store.remove(identity, some) for identity, some in found) if problem]
        self.store.forget_graphs(wanted)
        self._forget_files(step)
        return {"removed": len(found) - len(stays), "kept": sorted(wanted), **({"stays": stays} if stays else {})}

    def _forget_files(self, _step: Step) -> None:
        """Files as they were before an operation that has ended: only the present one can still be undone."""
        folder = os.path.dirname(self._kept)
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name != os.path.basename(self._kept):
                for file in os.listdir(os.path.join(folder, name)):
                    os.unlink(os.path.join(folder, name, file))
                os.rmdir(os.path.join(folder, name))

    # -- adopt -----------------------------------------------------------------------------------

    def _do_set_aside_ledger(self, _step: Step) -> object:
        return {"kept": self.guard.set_aside_ledger()}

    def _do_adopt(self, _step: Step) -> object:
        return None
