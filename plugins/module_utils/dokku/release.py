# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases of an app of Dokku, as the plugin `releases` records them: which one is meant, and what is live. Pure.

The plugin numbers what goes live, whoever made it, and knows what can still be gone back to; the ledger knows what an
operation did. A number means one thing on one host only, so a release is known by its code: a git commit, or the image
that was deployed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NewType

from ansible_collections.ops.runbook.plugins.module_utils.dokku.nginx_check import Broken
from ansible_collections.ops.runbook.plugins.module_utils.guard import journal, release_name
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_COMMIT = re.compile(r"[0-9a-f]{7,40}")
#: A commit, the beginning of one, or an image. A name whose commit nobody knows yet is neither.
Code = NewType("Code", str)
_FROM_IMAGE = ("git:from-image", "git:load-image")


@dataclass(frozen=True)
class Release:
    """A recorded release. state: live, held, pinned, unheld (its image may go at any time) or gone.

    left: a rollback went away from it. rollback_to: the release whose code a rollback brought back. git_rev: the
    revision in the app's environment: the commit, or the id of an annotated tag of it.
    """

    number: int
    state: str
    left: bool
    recorded_at: str
    by: str
    source: str
    revision: str
    source_image: str
    image: str
    rollback_to: int | None = None
    git_rev: str = ""

    @property
    def can_be_had(self) -> bool:
        return self.state != "gone"


def parse(listed: Iterable[Mapping[str, Any]]) -> tuple[Release, ...]:
    """The list of `dokku releases APP --format json`, the newest first."""
    found = [
        Release(
            number=int(entry["number"]),
            state=str(entry["state"]),
            left=bool(entry.get("left_by_rollback")),
            recorded_at=str(entry.get("recorded_at") or ""),
            by=str(entry.get("by") or ""),
            source=str(entry.get("source") or ""),
            revision=str(entry.get("revision") or ""),
            source_image=str(entry.get("source_image") or ""),
            image=str(entry.get("image_id") or ""),
            rollback_to=entry.get("rollback_to"),
            git_rev=str(entry.get("git_rev") or ""),
        )
        for entry in listed
    ]
    return tuple(sorted(found, key=lambda release: -release.number))


@dataclass(frozen=True)
class Situation:
    """Facts of an app. report: of the plugin `releases`; ps, git, checks: of Dokku. builds: newest first.

    nginx: why nginx refuses the configuration of the host, where this app needs nginx.
    """

    app: str
    releases: tuple[Release, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    ps: Mapping[str, Any] = field(default_factory=dict)
    git: Mapping[str, Any] = field(default_factory=dict)
    checks: Mapping[str, Any] = field(default_factory=dict)
    builds: Sequence[Mapping[str, Any]] = ()
    nginx: Broken | None = None

    def find(self, number: int | None) -> Release | None:
        return next((release for release in self.releases if release.number == number), None)

    @property
    def deployed(self) -> bool:
        """True if anything ever ran; a failed first build leaves an image, and no container."""
        return bool(self.report.get("live-image")) or self.ps.get("deployed") == "true"

    @property
    def live(self) -> Release | None:
        """The running release; None if it was never recorded, or nothing runs."""
        number = str(self.report.get("live") or "")
        return self.find(int(number)) if number.isdigit() and self.deployed else None

    @property
    def restart_is_safe(self) -> bool:
        """True if a mere restart runs the same code: after a failed deploy dokku/APP:latest is the failed image."""
        return self.report.get("latest-is-live") != "false"

    @property
    def config_drift(self) -> tuple[str, ...]:
        """The variables that have another value than when what is live went live."""
        return tuple(str(self.report.get("config-drift") or "").split())

    @property
    def settled(self) -> bool:
        """True if nothing but what is live is left of any deploy: image, configuration, and the deploy branch."""
        live = self.live
        branch = str(self.git.get("sha") or "")
        moved = bool(live and live.revision and branch not in ("", "HEAD") and branch != live.revision)
        return bool(live) and self.restart_is_safe and not self.config_drift and not moved

    @property
    def strays(self) -> tuple[str, ...]:
        """Containers that Dokku does not count, by name; the plugin before this one did not tell them."""
        return tuple(f"{self.report.get('strays') or ''} {self.report.get('strays-stopped') or ''}".split())

    @property
    def under_way(self) -> str:
        """A running deploy, restart or rollback, and since when; an older plugin did not report it."""
        return str(self.report.get("under-way") or "")

    @property
    def pending_rollback(self) -> str:
        """The release to which a rollback was begun that did not end."""
        return str(self.report.get("pending-rollback") or "")


def state_of(app: str, told: Mapping[str, Any]) -> Situation:
    """The answer of `dokku releases:state APP --format json`: releases, report and processes."""
    return Situation(app, parse(told["releases"]), dict(told["report"]), dict(told["ps"]))


def code_of(release: Release, releases: Iterable[Release]) -> str:
    """By what the code of a release is known: its source image where it was made of one, else its commit."""
    every = tuple(releases)
    # A rollback, a restart or a change of the configuration runs the code of an earlier deploy.
    same = [one for one in every if one.revision and one.revision == release.revision] or [release]
    for one in same:
        if one.source.startswith(_FROM_IMAGE) and one.source_image:
            return one.source_image
    return release.revision or release.image


def record(release: Release, situation: Situation) -> dict[str, Any]:
    """A release as plan and ledger keep it."""
    return {
        "id": code_of(release, situation.releases),
        "name": f"release {release.number}",
        "number": release.number,
        "revision": release.revision,
        "image": release.image,
        **({"git_rev": release.git_rev} if release.git_rev not in ("", release.revision) else {}),
    }


def present(situation: Situation) -> dict[str, Any] | None:
    """The running release, as plan and ledger keep it; None if nothing was ever deployed."""
    if not situation.deployed:
        return None
    live = situation.live
    if live is not None:
        return record(live, situation)
    image = str(situation.report.get("live-image") or "")
    return {"id": image or "unknown", "name": "not recorded", "number": None, "revision": "", "image": image}


def anew(present: Mapping[str, Any]) -> str:
    """`anew` of a plan whose release is live. Empty for one that Dokku has not recorded, or can't deploy again."""
    known = present.get("number") and not str(present["id"]).startswith("sha256:")
    return release_name.anew(present) if known else ""


def code_asked(target: Mapping[str, Any]) -> Code | None:
    """The code of a release that a plan or a step names (its id); None while only Dokku can find out which it is."""
    return None if target.get(journal.UNRESOLVED) else Code(str(target["id"]))


def is_code(identity: str, wanted: Code) -> bool:
    """True if the code that runs is the one that was asked for; a commit may have been given by its beginning."""
    return identity == wanted or bool(_COMMIT.fullmatch(wanted)) and identity.startswith(wanted)


# -- which release is meant ------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """A recorded release that was asked for, and how it was found."""

    release: Release
    chosen: str


def choose(to: str, situation: Situation) -> Choice | Problem:
    """The release that `to` means: previous, a number (12, v12), or the beginning of a commit."""
    app = situation.app
    if not situation.deployed:
        way = ("dokku_deploy with to=<commit, branch, tag or image>", "deploys it for the first time")
        return Problem("not_deployed", f"{app} was never deployed, so there is nothing to go back from", (way,))
    if not situation.releases:
        ways = ((f"dokku releases:record {app}", "on the host, records what is live as the first release"),)
        return Problem("nothing_recorded", f"no release of {app} is recorded yet on this host", ways)
    if to == "previous":
        return _previous(situation)
    number = re.fullmatch(r"v?(\d{1,9})", to)
    if number:
        return _numbered(int(number[1]), situation)
    if _COMMIT.fullmatch(to):
        found = [one for one in situation.releases if one.revision.startswith(to)]
        if found:
            best = next((one for one in found if one.can_be_had), found[0])
            return _available(Choice(best, f"to={to}: the newest release of that commit"), situation)
    return Problem(
        "unknown_release",
        f"to={to} is not a release of {app}",
        (("to=previous", "names one"), ("to=<number or commit>", "names one too"), *_nearest_way(None, situation)),
        recent(situation),
    )


def _previous(situation: Situation) -> Choice | Problem:
    word = str(situation.report.get("previous") or "")
    found = situation.find(int(word)) if word.isdigit() else None
    if found is None:
        live = situation.live
        before = f"before release {live.number}, which is live" if live else "before what is live"
        return Problem(
            "nothing_before",
            f"{situation.app} has no good release {before}",
            (*_nearest_way(None, situation), ("dokku_deploy with to=<commit or image>", "deploys another one")),
            recent(situation),
        )
    return _available(Choice(found, "previous: the newest release that no rollback has left"), situation)


def _numbered(number: int, situation: Situation) -> Choice | Problem:
    found = situation.find(number)
    if found is not None:
        return _available(Choice(found, f"to={number}"), situation)
    first, last = situation.releases[-1].number, situation.releases[0].number
    return Problem(
        "release_missing",
        f"release {number} of {situation.app} is not recorded; recorded are {first} to {last}",
        _nearest_way(number, situation),
        recent(situation),
    )


def _available(choice: Choice, situation: Situation) -> Choice | Problem:
    release = choice.release
    if release.can_be_had:
        return choice
    again = code_of(release, situation.releases)
    deploy = (f"dokku_deploy with to={again}", "builds it again") if again != release.image else None
    return Problem(
        "image_gone",
        f"the image of release {release.number} of {situation.app} is gone from this host",
        (*_nearest_way(release.number, situation), *([deploy] if deploy else [])),
        recent(situation),
    )


def nearest(number: int | None, situation: Situation) -> Release | None:
    """The nearest release that can be had and is not what is live; of two as near, the older. Without a number the
    newest that no rollback has left."""
    live = situation.live
    there = [one for one in situation.releases if one.can_be_had and (live is None or one.image != live.image)]
    if number is None:
        return next((one for one in there if not one.left), there[0] if there else None)
    return min(there, key=lambda one: (abs(one.number - number), one.number), default=None)


def _nearest_way(number: int | None, situation: Situation) -> tuple[tuple[str, str], ...]:
    found = nearest(number, situation)
    if found is None:
        return ()
    what = "the nearest that can be had" if number is not None else "can be had"
    what += ", though a rollback left it: somebody found it not good" if found.left else ""
    return ((f"to={found.number}", f"{what}, {code_of(found, situation.releases)[:40]} of {found.recorded_at[:16]}"),)


def recent(situation: Situation, count: int = 8) -> tuple[str, ...]:
    """The newest releases, a line each."""
    return tuple(
        f"{one.number:>4}  {one.state:<7} {one.recorded_at[:16]}  {code_of(one, situation.releases)[:40]}"
        + (f"  rollback to {one.rollback_to}" if one.rollback_to else "")
        + ("  left by a rollback" if one.left else "")
        for one in situation.releases[:count]
    )


# -- obstacles --------------------------------------------------------------------------------------


def running_build(builds: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """A running build. A restart that ended well stays `running` in its record, and is shown as abandoned."""
    return next((build for build in builds if build.get("display_status") == "running"), None)


def refuse_running(situation: Situation) -> Problem | None:
    """Why nothing may be begun beside a deploy that is under way; Dokku's own lock would only say so half-way."""
    app, build = situation.app, running_build(situation.builds)
    what = situation.under_way
    if build is not None:
        what = f"{build.get('source')} since {build.get('started_at')} (build {build.get('id')})"
    if not what:
        return None
    ways = (("the same command again", "once it has ended"), (f"dokku builds:cancel {app}", "on the host, ends it"))
    return Problem("deploy_running", f"a deploy of {app} is under way: {what}", ways)


def process_problems(ps: Mapping[str, Any]) -> list[str]:
    """Processes of an app that do not run, by `ps:report`."""
    if ps.get("deployed") != "true":
        return ["nothing is deployed"]
    states = {key[len("status-") :]: str(value) for key, value in ps.items() if key.startswith("status-")}
    down = [f"{name} is {state.partition(' ')[0]}" for name, state in sorted(states.items())]
    down = [text for text in down if not text.endswith(" running")]
    if not down and ps.get("running") != "true":
        return [f"its processes run: {ps.get('running') or 'not known'}"]
    return down
