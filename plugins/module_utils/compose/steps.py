# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a plan, as they are done on the host. Each may be cut off at any point and done again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.ops.runbook.plugins.module_utils.compose import alembic, health, release
from ansible_collections.ops.runbook.plugins.module_utils.compose import before as compose_before
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations import alembic_probe, undo
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import Answer, ProbeFailed
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import files
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host import load, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import Record


def _may_be_slow(troubled: Mapping[str, str]) -> bool:
    """Tell if a busy machine alone may cause these problems: health checks that came too early, or had no time."""
    return load.busy() > 1 and all(text.endswith(health.UNWELL) for text in troubled.values())


class ComposeSteps:
    """The steps of deploy, rollback and adopt, by id."""

    def __init__(
        self, service: ComposeService, guard: Guard, plan: ComposePlan, store: ImageStore, migrations: str = ""
    ) -> None:
        self.service = service
        self.guard = guard
        self.plan = plan
        self.store = store
        self.migrations = migrations

    @property
    def acts(self) -> dict[str, Callable[[Step], object]]:
        """The function of each step, by the step's id up to a colon. A function raises CommandFailed or OSError."""
        return {
            "images": self.bring_images,
            "migrate": self.migrate,
            "migrate_down": self.migrate_down,
            "migrate_up": self.migrate_up,
            "undo_migrations": self.undo_migrations,
            "pin": self.write_pins,
            "unpin": self.put_pins_back,
            "up": self.bring_up,
            "stop": self.stop,
            "schema": self.note_schema,
            "retention": self.retention,
            "set_aside_ledger": self.set_aside_ledger,
            "adopt": self.adopt,
        }

    @property
    def _kept(self) -> str:
        """The folder of this operation's old files; a continued one finds them by its first id."""
        return os.path.join(self.guard.state_dir, "files", str(self.plan["saved_as"]))

    # -- images ----------------------------------------------------------------------------------

    def bring_images(self, step: Step) -> object:
        """Download the images again if they were removed since the plan."""
        again = []
        for text in dict.fromkeys(step.data["images"].values()):
            image = image_reference.parse(text)
            if not self.store.has(image):
                try:
                    self.store.must_have_room(text)
                    self.store.pull(image)
                except Problem as refused:
                    raise CommandFailed(refused.text) from refused
                again.append(text)
        return {"downloaded": again} if again else None

    # -- migrations ------------------------------------------------------------------------------

    def migrate(self, step: Step) -> object:
        answer = self._migrate(step, ("upgrade", step.data["to"]))
        left = set(answer.graph) - set(answer.applied)
        if left:
            names = ", ".join(alembic.ordered(answer.graph, left))
            raise CommandFailed(f"alembic upgrade ended with 0, but {names} is not in the database")
        return {"ran": step.data["migrations"]}

    def migrate_down(self, step: Step) -> object:
        """From the newer image, which alone has the files; what is undone is exactly what was planned."""
        answer = self._migrate(step, *(("downgrade", target) for target in step.data["targets"]))
        after, wanted = set(answer.applied), set(step.data["stays"])
        if after - wanted:
            names = ", ".join(sorted(after - wanted))
            raise CommandFailed(f"alembic downgrade ended with 0, but {names} is still applied")
        if wanted - after:
            names = ", ".join(sorted(wanted - after))
            raise CommandFailed(f"alembic downgrade undid more than was planned: {names}")
        return {"undone": step.data["undo"]}

    def migrate_up(self, step: Step) -> object:
        self._migrate(step, *(("upgrade", head) for head in step.data["heads"]))
        return None

    def undo_migrations(self, step: Step) -> object:
        """Undo what this deploy has migrated, or its images when they started: exactly that, from the new image."""
        progress = self.guard.progress()
        begun = set(progress.ever_begun) if progress is not None else set()
        data = step.data
        # A migration outside the plan can only have been run by the images, when they started.
        foreseen = bool(data["itself"] or data.get("planned", True))
        if not begun & ({"migrate", "up"} if foreseen else {"up"}):
            return None
        image = image_reference.parse(data["image"])
        alembic_probe.settle(self.service, str(self.plan["project"]))
        try:
            known = self.store.graph(image) or alembic_probe.ask(self.service, image, database=False).graph
            had = alembic.applied(known, data["heads"])
            answer = alembic_probe.ask(self.service, image, known=had)
            if answer.heads is None:
                raise ProbeFailed(answer.database_error)
            found = undo.new(known, data["heads"], answer)
            itself = undo.by_itself(found, data.get("planned"), data["itself"])
            counts = alembic_probe.count(self.service, image, found.losses) if found.losses else {}
        except ProbeFailed as error:
            if data["itself"] and "migrate" in begun and self.migrations != "keep":
                raise CommandFailed(
                    f"the migrations of the database are not known ({error}), and the release before would not "
                    "start on newer ones. interrupted=undo once the database answers; interrupted=undo migrations=keep "
                    "goes back without a look at it"
                ) from error
            return {"unseen": str(error)}
        decision = undo.decide(found, counts, itself, bool(data["shared"]), self.migrations)
        if decision.kind == "hold":
            raise CommandFailed(decision.why)
        if decision.kind == "leave":
            return {"left": list(found.names), "why": decision.why}
        if decision.kind == "nothing":
            return {"undone": []}
        more = {"targets": list(found.targets), "undo": list(found.names), "stays": list(found.stays)}
        # A new release that starts again and again would run them anew; before `up` it is the one before that runs.
        names = list(self.service.description.images) if itself and "up" in begun else []
        if names:
            self.service.compose("stop", *names)
        try:
            self.migrate_down(replace(step, data={**data, **more}))
        except CommandFailed:
            if names:
                self.service.compose("start", *names, check=False)
            raise
        return {"undone": list(found.names)}

    def _migrate(self, step: Step, *commands: Sequence[str]) -> Answer:
        # The container of a killed module may still be at work.
        alembic_probe.settle(self.service, str(self.plan["project"]))
        try:
            answer = alembic_probe.migrate(self.service, image_reference.parse(step.data["image"]), *commands)
        except ProbeFailed as error:
            raise CommandFailed(str(error)) from error
        if answer.failed:
            raise CommandFailed(f"{answer.failed}. {self._standing(step, answer)}")
        if answer.heads is None:
            raise CommandFailed(f"the database can't be read: {answer.database_error}")
        return answer

    @staticmethod
    def _standing(step: Step, answer: Answer) -> str:
        """Leftovers of a failed run of migrations, as far as they are known."""
        if answer.heads is None:
            return f"The database can't be read: {answer.database_error}"
        concerned = step.data.get("migrations") or step.data.get("undo") or []
        here = [name for name in concerned if name in answer.applied]
        text = f"Of {', '.join(concerned)} the database has {', '.join(here) or 'none'} now"
        if not answer.transactional:
            text += ", and this database can't take a half-done migration back by itself"
        return text

    # -- files and containers --------------------------------------------------------------------

    def write_pins(self, step: Step) -> object:
        files.write(self.service, step.data["pins"], step.data["files"], self._kept)
        return None

    def put_pins_back(self, step: Step) -> object:
        if self.service.description.migration_service:
            # A migration killed with its module may still change the database of the next containers.
            alembic_probe.settle(self.service, str(self.plan["project"]))
        files.put_back(self.service, step.data["files"], self._kept)
        return None

    def bring_up(self, step: Step) -> object:
        """Bring the containers to what the files say; nothing is downloaded, built or removed by it.

        Going back brings up what ran before, and what that needs.
        """
        back = "after" in step.data
        if back and self._never_left():
            return {"said": "no container was changed"}
        names: list[str] = []
        if back and self._before is not None and not compose_before.all_run(self._before):
            names = compose_before.to_start(self._before)
        return self._up(names, back)

    def _up(self, names: Sequence[str], back: bool) -> object:
        """names: the services to bring up; all of the files without any."""
        wait = self.service.description.wait_timeout
        arguments = ["up", "-d", "--wait", "--wait-timeout", str(wait), "--pull", "never", "--no-build"]
        deadline = time.monotonic() + wait
        limit = wait + self.service.description.command_timeout
        found = self.service.compose(*arguments, *names, check=False, timeout=limit, tell=True)
        if found.code == 0:
            return None
        said = excerpt(found.stderr, found.stdout, first=1, last=3, redact=self.service.redact)
        # To --wait a service that has one thing to do and ends is a failure; what it waited for may not be up yet.
        ended = "exited (0)" in said
        # To --wait the first "unhealthy" is the end, and on a busy host a good release says it once. Where there is
        # nothing better to go to, the time is worth waiting for; a new release has it while it may only be slow.
        last = back or self.plan["procedure"] == "rollback" or ended
        came_up, troubled = self._settled(lambda: self._unwell(back), deadline, last)
        if came_up:
            return {"said": said}
        causes = health.causes(troubled, self.service.containers(str(self.plan["project"])))
        raise CommandFailed("; ".join([*self._logs(causes), f"docker compose up ended with {found.code}: {said}"]))

    def _settled(
        self, unwell: Callable[[], dict[str, str]], deadline: float, last: bool
    ) -> tuple[bool, dict[str, str]]:
        """Wait, after an `up` that gave up, for what may come up all the same. Returns True if it did, and the faults.

        last: there is nothing better to go to.
        """
        troubled = unwell()
        while troubled and (last or _may_be_slow(troubled)) and time.monotonic() < deadline:
            time.sleep(0.5)
            troubled = unwell()
        return not troubled and (last or _may_be_slow(troubled)), troubled

    @property
    def _before(self) -> compose_before.Record | None:
        return compose_before.of_plan(self.plan)

    def _never_left(self) -> bool:
        """True if the containers still run what they ran before, and well; files alone were changed and put back.

        A run may have been cut off between a new pin and its `up`, and a person have typed `docker compose up` since.
        """
        progress = self.guard.progress()
        if progress is None or "up" in progress.ever_begun or not (self.plan["from"] or self._before):
            return False
        containers = self.service.containers(str(self.plan["project"]))
        images = release.images_of(self.plan["from"] or {})
        before = self._before
        if before is None:
            return not any(health.container_problems(self.service, containers, images).values())
        down = compose_before.to_stop(before)
        images = {name: image for name, image in images.items() if name not in down}
        problems = health.container_problems(self.service, containers, images, before, down)
        different = compose_before.differences(before, containers, self.service.description.images)
        return not different and not any(problems.values())

    def _troubled(self) -> list[str]:
        """The containers that are not well, each with the last lines of its log."""
        containers = self.service.containers(str(self.plan["project"]))
        return self._logs(health.causes(self._unwell(False), containers))

    def _unwell(self, back: bool) -> dict[str, str]:
        """Faults by service; with no container known, nothing counts as healthy."""
        before = self._before
        down = compose_before.to_stop(before) if back and before is not None else []
        containers = compose_before.ours(before, self.service.containers(str(self.plan["project"])))
        problems = health.container_problems(self.service, containers, {}, before, down)
        found = {one.service: problems[one.name] for one in containers if problems.get(one.name)}
        wanted = set(compose_before.to_start(before)) if back and before is not None else set()
        wanted = wanted or set(self.service.description.images)
        missing = wanted - {one.service for one in containers} - set(down)
        return {**found, **{name: f"{name} has no container" for name in missing}}

    def _logs(self, troubled: Mapping[str, str]) -> list[str]:
        """Faults, each with the last lines of its log."""
        lines = []
        for service, problem in troubled.items():
            logs = self.service.compose(
                "logs", "--no-color", "--no-log-prefix", "--tail=40", service, check=False, timeout=30.0
            )
            said = excerpt(logs.stdout, first=2, last=6, nothing="", redact=self.service.redact)
            lines.append(f"{problem}, its log: {said}" if said else problem)
        return lines

    def stop(self, _step: Step) -> object:
        """Stop what did not run before, and nothing else. What had a container gets one of the release before."""
        before = self._before
        if before is None:
            return self._back_by_the_files()
        names = compose_before.to_stop(before)
        if not names:
            return None
        self.service.compose("rm", "--stop", "--force", *names)
        made = [name for name in names if before[name].state]
        if made:
            # `docker start` by hand is not to start the release that was left. Nothing runs by it, so it may fail.
            self.service.compose("up", "--no-start", "--no-deps", "--pull", "never", "--no-build", *made, check=False)
        return {"stopped": names}

    def _back_by_the_files(self) -> object:
        """The way back of a plan that kept no record of what ran: what the files name, and this host has, comes up.

        Only a service whose image is not here can't have run.
        """
        services = self.service.config().get("services") or {}
        here: list[str] = []
        gone: list[str] = []
        for name in self.service.description.images:
            image = image_reference.parse(str(services[name]["image"]))
            (here if self.store.image(image.by_digest if image.digest else image.text) else gone).append(name)
        if gone:
            self.service.compose("rm", "--stop", "--force", *gone)
        return self._up(here, back=True) if here else {"stopped": gone}

    # -- after it is verified --------------------------------------------------------------------

    def note_schema(self, step: Step) -> object:
        """Note what the new images ran when they started: in the record nothing else says why the database moved."""
        image = image_reference.parse(step.data["image"])
        try:
            answer = alembic_probe.ask(self.service, image)
        except ProbeFailed as error:
            raise CommandFailed(str(error)) from error
        if answer.heads is None:
            raise CommandFailed(f"the database can't be read: {answer.database_error}")
        return undo.moved(answer.graph, step.data["heads"], answer.heads)

    def retention(self, step: Step) -> object:
        """Remove the images of these repositories that neither a kept release nor a container needs."""
        description, current = self.service.description, str(step.data["to"])
        # This operation is verified, and not in the ledger yet: what follows counts from where it ends.
        this: Record = {
            "procedure": self.plan["procedure"],
            "from": self.plan["from"],
            "to": self.plan["to"],
            "left": self.plan["to"],
            "outcome": "succeeded",
            "steps": [{"step": "up"}],
        }
        book = self.guard.ledger()
        wanted = release.needed(book, this, current, description.keep_releases)
        # It may still be asked to go back, by what becomes of another host.
        if self.plan["from"]:
            wanted |= {image.digest for image in release.images_of(self.plan["from"]).values()}
        used = {str(container["ImageID"]) for container in self.service.engine.containers([])}
        used |= {image for was in (self._before or {}).values() for image in was.images}
        ours = release.Brought(book, this)
        images = self.service.engine.images()
        found = release.removable(images, description.images.values(), wanted, used, ours)
        stays = [problem for problem in (self.store.remove(identity, some) for identity, some in found) if problem]
        self.store.forget_graphs(ours, wanted)
        self._forget_files(step)
        return {"removed": len(found) - len(stays), "needed": sorted(wanted), **({"stays": stays} if stays else {})}

    def _forget_files(self, _step: Step) -> None:
        """Files as they were before an operation that has ended: only the present one can still be undone."""
        folder = os.path.dirname(self._kept)
        ended = self.guard.ledger().named(ledger_keys.OPERATION)
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name != os.path.basename(self._kept) and name in ended:
                owned_folder.remove_tree(os.path.join(folder, name))

    # -- adopt -----------------------------------------------------------------------------------

    def set_aside_ledger(self, _step: Step) -> object:
        return {"kept": self.guard.set_aside_ledger()}

    def adopt(self, _step: Step) -> object:
        return None
