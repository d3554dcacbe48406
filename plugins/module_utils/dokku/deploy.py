# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedure `deploy` of a Dokku app: a commit of its repository, or an image, goes live.

Inputs: to, hotfix, staging (the app's staging as dokku_release_info saw it, or nothing), staging_app, staging_required.

The host fetches the code itself (git:sync), by the commit that was planned, so what goes live does not depend on a
clone of whoever runs this. Migrations are the app's own business (app.json); what is pending is read and said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku import health, nginx_check, release, release_steps
from ansible_collections.ops.runbook.plugins.module_utils.dokku import hotfix as dokku_hotfix
from ansible_collections.ops.runbook.plugins.module_utils.dokku import source as dokku_source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.output import ending
from ansible_collections.ops.runbook.plugins.module_utils.dokku.release import Release, Situation
from ansible_collections.ops.runbook.plugins.module_utils.dokku.source import Source
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room, journal
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health.endpoint import display_url
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import passwords_in_addresses
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan

_ENGINE = "/var/lib/docker"


def plan(context: Context) -> DokkuPlan:
    """The plan. Raises Problem or DokkuError."""
    service, inputs = context.service, context.inputs
    service.must_have_a_name()
    description = service.description
    situation = health.situation(service, "releases", "report", "ps", "git", "checks", "builds", "nginx")
    _refuse(release.refuse_running(situation))
    source = _source(str(inputs.get("to") or ""), description.repository)
    present = release.present(situation)
    target: dict[str, Any] = {"id": source.ref, "name": source.name if source.name != source.ref else ""}
    target["kind"] = source.kind
    target["revision"] = source.ref if source.kind == "git" and re.fullmatch("[0-9a-f]{40}", source.ref) else ""
    if source.unresolved:
        target[journal.UNRESOLVED] = True
    chosen = f"to={inputs.get('to')}"
    same = present is not None and source.code is not None and release.is_code(str(present["id"]), source.code)
    if present is not None and same and _is_well(situation):
        return _unchanged(present, chosen, source)
    staging = StagingWish(
        app=str(inputs.get("staging_app") or ""),
        seen=inputs.get("staging"),
        required=bool(inputs.get("staging_required")),
        hotfix=bool(inputs.get("hotfix")),
        live=same,
    )
    tried, unproven = judge_staging(staging, source, service.app)
    _refuse(_no_room(service.app, description.disk_reserve))
    if situation.nginx is not None:
        raise nginx_check.refusal(situation.nginx, service.app)
    step = deploy_step(source, description.repository, situation)
    hotfix: dict[str, Any] = {}
    if staging.hotfix:
        known = merges.of_ledger(context.guard.ledger())
        hotfix = dokku_hotfix.planned(source, description.repository, description.hotfix_into, known)
    return {
        "from": present,
        "to": target,
        "chosen": chosen,
        "proven": source.proven or "not proven before it is fetched",
        "steps": [one.to_dict() for one in [*release_steps.record_step(situation), step]],
        "undo": [release_steps.back_step("deploy", situation).to_dict()],
        "left_over": "" if present is not None else _left_over(service.app),
        "afterwards": [one.to_dict() for one in release_steps.afterwards(context, situation)],
        "facts": hotfix.get("facts", {}),
        "also": [*([["staging", [tried]]] if tried else []), *hotfix.get("also", [])],
        "warnings": [*unproven, *hotfix.get("warnings", []), *source.warnings, *situation_warnings(situation)],
    }


def _refuse(refusal: Problem | None) -> None:
    if refusal is not None:
        raise refusal


def _source(to: str, repository: str) -> Source:
    if passwords_in_addresses(repository):
        text = f"dokku_repository has a password in it, and would be on command lines: {display_url(repository)}"
        way = ("dokku git:auth '<host>' '<user>'", "on the host, takes the password on stdin, once")
        raise Problem("secret_in_repository", text, (way,))
    found = dokku_source.source_of(to, repository)
    if isinstance(found, Source) and found.kind == "git":
        found = dokku_source.ask(found, repository, display_url(repository) if "://" in repository else repository)
    if isinstance(found, Problem):
        raise found
    return found


def _is_well(situation: Situation) -> bool:
    """True if what is live would still be after a restart or a rebuild; else the same release is deployed again."""
    return situation.settled and not release.process_problems(situation.ps) and not situation.pending_rollback


def _unchanged(present: Mapping[str, Any], chosen: str, source: Source) -> DokkuPlan:
    moved = source.kind == "image" and not source.proven
    return {
        "from": present,
        "to": present,
        "chosen": chosen,
        "proven": "it is the release that is live" + (", by the name of its image" if moved else ""),
        "steps": [],
        "undo": [],
        "warnings": list(source.warnings) if moved else [],
    }


def _left_over(app: str) -> str:
    """Leftovers of a first deploy that went back. The app ran nothing before, and differs from then."""
    return (
        f"{app} is stopped; it ran nothing before. What this deploy built, set and recorded is still there: "
        f"dokku releases {app} lists it, and dokku ps:start {app} would start it."
    )


def _no_room(app: str, reserve: int) -> Problem | None:
    way = (f"dokku cleanup {app}", "on the host, removes images that nothing uses; what is held stays")
    return disk_room.refuse(disk_room.room_in(_ENGINE, 0, 0, reserve), f"an image of {app}", (way,))


def deploy_step(source: Source, repository: str, situation: Situation) -> Step:
    """The step that builds and goes live. newest: what was recorded last before it."""
    newest = situation.releases[0].number if situation.releases else 0
    data: dict[str, Any] = {"kind": source.kind, "ref": source.ref, "repository": repository, "newest": newest}
    if source.unresolved:
        data[journal.UNRESOLVED] = True
    if source.kind == "git":
        title = f"dokku git:sync --build {situation.app} at {source.ref[:12]}"
    else:
        title = f"dokku git:from-image {situation.app} {source.ref}"
    return Step("deploy", title, data=data)


def situation_warnings(situation: Situation) -> list[str]:
    """Warnings before a deploy."""
    lines = []
    disabled = str(situation.checks.get("disabled-list") or "none")
    if disabled != "none":
        lines.append(
            f"Dokku's checks are switched off for {disabled}: a release that does not come up takes the app down "
            "before it is seen"
        )
    if situation.deployed and not situation.restart_is_safe:
        lines.append(f"an earlier deploy failed: dokku/{situation.app}:latest is not what is live")
    if situation.pending_rollback:
        lines.append(f"a rollback to release {situation.pending_rollback} was begun and did not end")
    return lines


# -- staging first -----------------------------------------------------------------------------------


class StagingWish:
    """True if the same release has to be healthy on staging. seen: the result of dokku_release_info there.

    live: the release is live in production already, and is deployed again since it is not well there.
    """

    def __init__(self, app: str, seen: Any, required: bool, hotfix: bool, live: bool = False) -> None:
        self.app = app
        self.seen: Mapping[str, Any] | None = seen if isinstance(seen, Mapping) else None
        self.required = required
        self.hotfix = hotfix
        self.live = live


def judge_staging(wish: StagingWish, source: Source, app: str) -> tuple[str, list[str]]:
    """One line for the plan, and what is not proven. Raises Problem where staging is required and does not prove it."""
    if not wish.app or wish.app == app:
        return "", []
    if wish.hotfix:
        text = f"hotfix=true: {wish.app} was not asked, and this goes to production without it"
        return "", [text]
    if wish.live:
        return f"the same release is live on {app} already, so {wish.app} was not asked", []
    problem = _staging_problem(wish, source)
    if not problem:
        return f"the same release is live and well on {wish.app}", []
    if wish.required:
        ways: list[tuple[str, str]] = []
        live = str(((wish.seen or {}).get("live") or {}).get("id") or "")
        first = f"brings it to {wish.app} first, with `target` as the inventory's host that describes that app"
        ways.append((f"dokku_deploy with to={source.ref}", first))
        if live and (source.code is None or not release.is_code(live, source.code)):
            ways.append((f"to={live}", f"deploys what is live on {wish.app}"))
        ways.append(("hotfix=true", "goes to production without staging; the ledger says so"))
        raise Problem("not_on_staging", problem, tuple(ways))
    return "", [problem]


def _staging_problem(wish: StagingWish, source: Source) -> str:
    seen, wanted = wish.seen, source.ref
    if seen is None or "live" not in seen:
        why = str(told((seen or {}).get("msg")) or "it gave no answer")
        return f"{wish.app} could not be asked: {why}"
    live = seen.get("live")
    if not live:
        return f"nothing is live on {wish.app}"
    if source.code is None:
        return (
            f"{wish.app} runs {str(live['id'])[:40]}; which commit {wanted} is, is not known before Dokku has fetched "
            "it, so the two can't be compared"
        )
    if not release.is_code(str(live["id"]), source.code):
        return f"{wish.app} runs {str(live['id'])[:40]}, and not {wanted[:40]}"
    problems = [str(problem) for problem in seen.get("problems") or []]
    return f"{wish.app} runs the same release and is not well: {'; '.join(problems)}" if problems else ""


# -- apply and verify --------------------------------------------------------------------------------


class DeploySteps(release_steps.Change):
    """The steps of a deploy."""

    def deploy(self, step: Step) -> object:
        newest = self._newest(step)
        code = release.code_asked({**step.data, "id": step.data["ref"]})
        unresolved = code is None
        # The deploy branch tells the commit of a name that only Dokku could resolve.
        parts = ("releases", "report", "ps", *(("git",) if unresolved else ()))
        if self.was_begun(step):
            found = health.situation(self.service, *parts)
            done = made_since(found, newest) if code is None else deployed(found, code, newest)
            if done is not None:
                note = resolved(found, done) if unresolved else {}
                return {"release": done.number, **note, **self.clear_strays(found)}
        try:
            if step.data["kind"] == "git":
                self.dokku.run(
                    "git:sync", "--build", self.app, str(step.data["repository"]), str(step.data["ref"]), tell=True
                )
            else:
                self._from_image(str(step.data["ref"]))
        except DokkuError as error:
            # The marked lines say that the build failed; the cause is before them.
            answer = error.answer
            said = self.service.redact(ending(answer.out)) if answer and answer.problems else ""
            raise CommandFailed(f"{error}. Before that: {said}" if said else str(error)) from error
        found = health.situation(self.service, *parts)
        if found.live is None or (unresolved and made_since(found, newest) is None):
            # The plugin's trigger never fails a deploy; what it could not write down can't be gone back to.
            raise CommandFailed(f"{self.app} was deployed, and the release was not recorded: dokku releases {self.app}")
        note = resolved(found, found.live) if unresolved else {}
        done = found.live
        return {"release": done.number, "revision": done.revision, **note, **self.clear_strays(found)}

    def _newest(self, step: Step) -> int:
        """The newest release before the deploy; the operation itself may have recorded what was live."""
        progress = self.context.guard.progress()
        recorded = ((progress.notes if progress else {}).get("record") or {}).get("number") or 0
        return max(int(step.data["newest"]), int(recorded))

    def _from_image(self, image: str) -> None:
        try:
            self.dokku.run("git:from-image", self.app, image, tell=True)
        except DokkuError as error:
            # Dokku compares with what it was given last, be it live or not: after a killed deploy, or a rollback.
            if "No changes detected" not in str(error):
                raise
            asked = str(self.dokku.report(self.app, "git").get("source-image") or "")
            if asked != image:
                raise
            self.dokku.run("ps:rebuild", self.app, tell=True)


def deployed(found: Situation, code: release.Code, newest: int) -> Release | None:
    """The release that this deploy made, where it had ended before its journal said so."""
    live = found.live
    if live is None or live.number <= newest or not found.restart_is_safe:
        return None
    return live if release.is_code(release.code_of(live, found.releases), code) else None


def made_since(found: Situation, newest: int) -> Release | None:
    """A release that a fetch made since; whoever pushes makes one of another source."""
    live = found.live
    if live is None or live.number <= newest or not live.source.startswith("git:sync") or not found.restart_is_safe:
        return None
    return live


def resolved(found: Situation, live: Release) -> dict[str, Any]:
    """The commit that Dokku fetched for a name, as the target from here on. Raises CommandFailed.

    The fetch has moved the deploy branch to it. Of an annotated tag Dokku itself notes the tag's own id, and an older
    plugin `releases` recorded that: by it the release is known then.
    """
    branch = str(found.git.get("sha") or "")
    if not live.revision or not re.fullmatch("[0-9a-f]{40}", branch):
        raise CommandFailed(
            f"which commit went live is not known: the deploy branch of {found.app} is at {branch or 'nothing'}, and "
            f"release {live.number} was recorded with {live.revision or 'no commit'}"
        )
    told = {"git_rev": live.git_rev} if live.git_rev not in ("", live.revision, branch) else {}
    return {"target": {"id": live.revision, "revision": branch, **told}}


def steps(context: Context, plan: DokkuPlan) -> Mapping[str, Callable[[Step], object]]:
    """The function of each step."""
    change = DeploySteps(context, plan)
    return {
        "record": change.record,
        "deploy": change.deploy,
        "back": change.back,
        "stop": change.stop,
        "retention": change.retention,
        "migrations": change.migrations,
    }


def verify(context: Context, plan: DokkuPlan, direction: str) -> dict[str, Any]:
    """Checks that the wanted release is live and healthy."""
    back = direction == "back"
    wanted = plan["from"] if back else plan["to"]
    try:
        if wanted is None:
            return health.verify(context.service, context.gate, stopped=True)
        return health.verify(
            context.service,
            context.gate,
            health.live_problems(plan, direction),
            revision=health.reported(wanted),
            before=plan.get("just_before"),
            probe_queue=not back and bool(plan["steps"]),
        )
    except DokkuError as error:
        return blame.answer(str(error))
