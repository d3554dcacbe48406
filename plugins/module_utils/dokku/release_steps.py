# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that a deploy and a rollback of a Dokku app share: what is live is recorded, gone back to, and cleared up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku import health, release
from ansible_collections.ops.runbook.plugins.module_utils.dokku import migrations as dokku_migrations
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.release import Situation
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan

#: Dokku's own variable: the commit that was deployed, or tried, last.
_REVISION = "GIT_REV"


def record_step(situation: Situation) -> list[Step]:
    """The live release gets a number first if it has none: only a recorded release can be gone back to."""
    if situation.deployed and situation.live is None:
        return [Step("record", "record what is live, so that it can be gone back to")]
    return []


def back_step(after: str, situation: Situation) -> Step:
    """The way back to what ran before; where nothing did, the app is stopped."""
    app, present = situation.app, release.present(situation)
    if present is None:
        return Step("stop", f"stop {app}, which ran nothing before", data={"after": after})
    # A setting that no restart has taken over is not this operation's.
    keep = [key for key in situation.config_drift if key != _REVISION]
    data = {"after": after, "number": present["number"], "keep": keep}
    return Step("back", f"dokku releases:rollback {app} to {present['name']}", data=data)


def is_back(found: Situation, wanted: release.Release, keep: Sequence[str]) -> bool:
    """True if nothing is left of what was tried: a failed build moves branch, image and revision all the same."""
    live = found.live
    if live is None or live.image != wanted.image or found.pending_rollback:
        return False
    report = {**found.report, "config-drift": " ".join(key for key in found.config_drift if key not in keep)}
    return replace(found, report=report).settled and not release.process_problems(found.ps)


class Change:
    """The steps by their names; a procedure adds its own."""

    def __init__(self, context: Context, plan: DokkuPlan) -> None:
        self.context = context
        self.service = context.service
        self.dokku = context.service.dokku
        self.app = context.service.app
        self.plan = plan
        progress = context.guard.progress()
        self._begun_before = tuple(progress.ever_begun) if progress else ()

    def was_begun(self, step: Step) -> bool:
        """True if an earlier process began this step: it may have been cut off where its work was done."""
        return step.id in self._begun_before

    def reason(self) -> str:
        """Why, as the plugin is to record it: what the operator said, and the operation to find more by."""
        progress = self.context.guard.progress()
        given = str((progress.opened.get("reason") if progress else "") or "")
        operation = f"operation {progress.operation if progress else self.plan['saved_as']}"
        return f"{given} ({operation})" if given else operation

    # -- before and back -------------------------------------------------------------------------

    def record(self, _step: Step) -> object:
        found = health.situation(self.service, "releases", "report", "ps")
        if found.live is not None:
            return {"number": found.live.number}
        return {"number": self.dokku.json("releases:record", self.app).get("number")}

    def number_before(self, step: Step) -> int:
        """The release that the operation came from; what was not recorded then was recorded by its first step."""
        number = step.data.get("number")
        if number is None:
            progress = self.context.guard.progress()
            number = ((progress.notes if progress else {}).get("record") or {}).get("number")
        if number is None:
            raise CommandFailed(f"what ran before was never recorded: dokku releases {self.app} shows what there is")
        return int(number)

    def back(self, step: Step) -> object:
        """Nothing but what ran before is left: image, configuration, and the branch that a rebuild would build."""
        number = self.number_before(step)
        found = health.situation(self.service, "releases", "report", "ps", "git")
        wanted = found.find(number)
        keep = [str(key) for key in step.data.get("keep") or []]
        if wanted is not None and is_back(found, wanted, keep):
            return {"untouched": f"release {number} was live all the time", **self.clear_strays(found)}
        return self.rollback_to(number, f"back, {self.reason()}", [word for key in keep for word in ("--keep", key)])

    def rollback_to(self, number: int, reason: str, options: Sequence[str]) -> dict[str, Any]:
        """A rollback by the plugin. It records itself as a new release, and is finished by itself where it was cut."""
        words = ["releases:rollback", self.app, str(number), "--reason", reason, *options]
        answer = self.dokku.run(*words, "--format", "json", tell=True)
        try:
            told = foreign_json.loads(answer.out.strip().splitlines()[-1])
        except (ValueError, IndexError) as error:
            said = self.service.redact(answer.said)
            raise DokkuError(f"the rollback ended well, and did not say to what: {said}") from error
        note = {"release": told.get("number"), "rollback_to": told.get("to")}
        if told.get("strays_removed"):
            note["removed"] = told["strays_removed"]
        if not told.get("deploy_branch_moved"):
            # An image is not in git; of code that was pushed, a rebuild would go forward again.
            note["branch"] = "the deploy branch was not moved: dokku ps:rebuild would build the newer code"
        return note

    def clear_strays(self, found: Situation) -> dict[str, Any]:
        """Remove containers that an interrupted step has left. Those that stay are named, and fail nothing."""
        if not found.strays:
            return {}
        try:
            told = self.dokku.json("releases:strays", self.app, "--remove")
        except DokkuError as error:
            return {"strays": str(error)}
        left = [str(one.get("name")) for one in told.get("strays") or []]
        return {"removed": told.get("removed") or [], **({"strays": ", ".join(left)} if left else {})}

    def stop(self, _step: Step) -> object:
        self.dokku.run("ps:stop", self.app)
        return None

    # -- after it is verified ----------------------------------------------------------------------

    def retention(self, step: Step) -> object:
        """As many images as are described stay held."""
        keep = str(step.data["keep"])
        self.dokku.run("releases:set", self.app, "keep-images", keep)
        pruned = self.dokku.json("releases:prune", self.app)
        return {"keep": int(keep), "let_go": len(pruned.get("images") or [])}

    def migrations(self, _step: Step) -> object:
        """Write down the migrations that this release knows: a later rollback to it can't ask its code."""
        status, error = migration_status(self.context)
        return {"failed": error} if status is None else dokku_migrations.note(status, self.app)


def afterwards(context: Context, situation: Situation) -> list[Step]:
    """Steps after a good verification."""
    description = context.service.description
    steps = []
    if description.migrations_command:
        steps.append(Step("migrations", "write down which migrations this release knows"))
    if str(situation.report.get("keep-images") or "") != str(description.keep_releases):
        title = f"hold the newest {description.keep_releases} images"
        steps.append(Step("retention", title, data={"keep": description.keep_releases}))
    return steps


def migration_status(context: Context) -> tuple[dokku_migrations.Status | None, str]:
    """The list of the app's own command, in a container of the live code; or why it lists nothing."""
    service = context.service
    command = service.description.migrations_command
    try:
        answer = service.dokku.run("run", service.app, *command, timeout=300.0)
    except DokkuError as error:
        return None, str(error)
    status = dokku_migrations.parse(answer.out)
    if status is None:
        return None, f"{' '.join(command)} answered no list of migrations that is known"
    return status, ""
