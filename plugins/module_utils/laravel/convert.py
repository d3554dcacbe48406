# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turning a deployment in place into releases, and back.

Nothing outside the service's folder has to be changed: `public` and `artisan` become links through `current`, so the
web server, the crontab and the worker's unit find what they found before. The old checkout stays where it was, and is
what going back needs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ansible_collections.ops.runbook.plugins.module_utils.guard import release_name
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import room_in
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, durable_tree, held_path
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.host.rename_exchange import exchange
from ansible_collections.ops.runbook.plugins.module_utils.laravel import layout, probe, release_folders, reload
from ansible_collections.ops.runbook.plugins.module_utils.laravel.layout import ASIDE, FACES, OURS, Was, old, standing
from ansible_collections.ops.runbook.plugins.module_utils.laravel.plan import ReleasePlanner
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release import (
    CACHES,
    commit_ways,
    label,
    local_changes,
    room_problem,
)
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import replace_link
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_steps import ReleaseSteps
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description, LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor import FROM_GIT, fit_class_map, in_git, install
from ansible_collections.ops.runbook.plugins.module_utils.text import ways
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.laravel.contract import LaravelPlan

#: Files of a checkout beside its tracked ones, which a release gets by other means.
_KNOWN = ("vendor/", "node_modules/", "bootstrap/cache/", "storage/", "public/storage", ".env", "public/hot")


# -- the plan ------------------------------------------------------------------------------------


def plan(service: LaravelService, head: str, ledger: Answers, state: str, leave: bool) -> LaravelPlan:
    """The plan of a conversion to `releases`, or back to `in_place`. Raises Problem."""
    service.must_reload()
    present = {"id": head, "name": ReleasePlanner(service, ledger).release_name(head)}
    converted = bool(service.store.current())
    there = converted is (state == "releases")
    changes = service.checkout.changes()
    differ = f"{len(changes)} files differ from {label(present)}: what runs is not that commit"
    links = service.checkout.links("HEAD") if changes else []
    refusal = None if there else local_changes(changes, differ, commit_ways(service.app, converted, links))
    if refusal is None and not there:
        refusal = layout.strange(service, state)
    extra = _untracked(service) if state == "releases" and not there else []
    if refusal is None and extra and not leave:
        refusal = Problem(
            "untracked_files",
            f"{len(extra)} files or folders of this checkout are neither in git nor shared: no release would have them",
            (
                *_sharing_too(service.description.shared, extra),
                ("discard_local_changes=true", "leaves them behind, in the old checkout, which stays"),
            ),
            tuple(extra[:40]),
        )
    mounted = [path for path in service.description.shared if os.path.ismount(service.file(path.rstrip("/")))]
    if refusal is None and mounted and not there:
        refusal = Problem(
            "mounted",
            f"{', '.join(mounted)} is a mount point, which can't be moved into {service.store.shared()}",
            (("a mount below shared/", "on the host, as an administrator"),),
        )
    if refusal is None and state == "in_place" and not there and not os.path.isdir(old(service, ".git")):
        refusal = Problem(
            "no_checkout_left",
            f"{service.description.path} has no .git any more, so there is no checkout to go back to",
            (("git clone", "on the host, to another folder, makes a new one"),),
        )
    size, files = release_folders.size_of(service.app) if not there else (0, 0)
    problem = room_problem(room_in(service.description.path, size, files, service.description.disk_reserve), present)
    if refusal is None and not there:
        refusal = problem
    if refusal is not None:
        raise refusal
    try:
        answer = probe.ask(service.commands, service.description.php, {})
    except probe.ProbeFailed as error:
        raise Problem("php_failed", str(error), (("laravel_php=<path>", "names the php"),)) from error
    was = {path: standing(old(service, path.rstrip("/"))) for path in service.description.shared}
    steps, undo = ([], []) if there else (_there, _back)[state == "in_place"](service.description, present, was)
    return {
        "procedure": "convert",
        "strategy": "releases",
        "from": present,
        "to": present,
        "chosen": f"state={state}; now {'releases' if converted else 'in place'}",
        "proven": "it runs now",
        "steps": [step.to_dict() for step in steps],
        "undo": [step.to_dict() for step in undo],
        "anew": release_name.anew(present),
        "migrations": None,
        "php": str(answer["php"]),
        "facts": {"strategy": state},
        "maintenance": bool(answer.get("down")),
        "maintenance_driver": str(answer.get("maintenance_driver") or ""),
        "warnings": [] if there else [f"set laravel_strategy: {state} in the inventory: other procedures ask for it"],
    }


def _untracked(service: LaravelService) -> list[str]:
    """Files of the checkout that neither git nor a release's own making brings."""
    known = (*_KNOWN, *OURS, *service.description.shared)
    listed = service.checkout.run("status", "--porcelain=v1", "--ignored=matching", "-z").stdout.split("\0")
    found = [entry[3:] for entry in listed if entry[:2] in ("??", "!!")]
    return [
        name for name in found if not any(name == path or name.startswith(f"{path.rstrip('/')}/") for path in known)
    ]


def _sharing_too(shared: Sequence[str], extra: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The way that shares data between all releases. What belongs to one release each is never offered."""
    wanted: list[str] = []
    for path in extra:
        if path != "composer.lock" and not held_path.shared_problem([*shared, *wanted, path]):
            wanted.append(path)
    if not wanted:
        return ()
    effect = "shares them between all releases" if len(wanted) == len(extra) else f"shares {', '.join(wanted)}"
    return ((ways.given("laravel_shared", [*shared, *wanted]), effect),)


def _there(description: Description, present: Mapping[str, str], was: Was) -> tuple[list[Step], list[Step]]:
    """The way from a checkout in place to releases, and back from anywhere on it."""
    release = {"commit": present["id"]}
    queue = ["queue:restart"]
    shared = [
        Step(f"share:{path}", _sharing(path, was[path]), data={"path": path, "was": dict(was[path])})
        for path in description.shared
    ]
    faces = [Step(f"face:{name}", f"let {name} be a link through current", data={"name": name}) for name in FACES]
    steps = [
        Step("mirror", "copy .git to repository/", data={}),
        *shared,
        Step("release", f"check out {label(present)} into a folder of its own", data=release),
        Step("vendor", "copy vendor/", data=release),
        Step("caches", f"artisan {', '.join(CACHES)}", data={"commands": CACHES, "in": present["id"]}),
        Step("seal", "mark the release as whole", data=release),
        Step("point", "make the link current", data=release),
        *faces,
        Step("restart", "artisan queue:restart", data={"commands": queue, "in": present["id"]}),
        *_reload(description, present),
    ]
    undo = [
        *_unface(after=True),
        *_unshare(description, was, after=True),
        Step("unpoint", "remove the link current"),
        Step("rebuild", f"artisan {', '.join(CACHES)}, in the old checkout", data={"commands": [*CACHES, *queue]}),
        *_reload(description, present, old=True),
    ]
    return steps, undo


def _back(description: Description, present: Mapping[str, str], was: Was) -> tuple[list[Step], list[Step]]:
    """The way from releases to the old checkout, brought to the release that runs; and back from anywhere on it."""
    release = {"commit": present["id"]}
    queue = ["queue:restart"]
    steps = [
        Step("old_code", f"bring the old checkout to {label(present)}", data=release),
        Step("old_vendor", "copy vendor/ of the release", data=release),
        Step("rebuild", f"artisan {', '.join(CACHES)}, in the old checkout", data={"commands": CACHES}),
        *_unface(),
        *_unshare(description, was),
        Step("unpoint", "remove the link current"),
        Step("old_restart", "artisan queue:restart", data={"commands": queue}),
        *_reload(description, present, old=True),
    ]
    undo = [
        Step("point", "make the link current", data=release),
        *[
            Step(
                f"share:{path}",
                f"move {path} to shared/",
                data={"path": path, "after": f"unshare:{path}", "was": dict(was[path])},
            )
            for path in description.shared
        ],
        *[
            Step(f"face:{name}", f"let {name} be a link again", data={"name": name, "after": f"unface:{name}"})
            for name in FACES
        ],
        Step("restart", "artisan queue:restart", data={"commands": queue, "in": present["id"]}),
        *_reload(description, present),
    ]
    return steps, undo


def _unface(after: bool = False) -> list[Step]:
    return [
        Step(
            f"unface:{name}",
            f"put the checkout's own {name} in its place again",
            data={"name": name, **({"after": f"face:{name}"} if after else {})},
        )
        for name in reversed(FACES)
    ]


def _sharing(path: str, was: Mapping[str, str]) -> str:
    if was["kind"] == "link":
        return f"share {path} as the link to {was['to']} that it is"
    return f"move {path} to shared/, with a link in its place"


def _unshare(description: Description, was: Was, after: bool = False) -> list[Step]:
    return [
        Step(
            f"unshare:{path}",
            f"move {path} back from shared/",
            data={"path": path, "was": dict(was[path]), **({"after": f"share:{path}"} if after else {})},
        )
        for path in reversed(description.shared)
    ]


def _reload(description: Description, present: Mapping[str, str], old: bool = False) -> list[Step]:
    """Let what runs find the code where it is now; old: in the checkout in place."""
    verb, unit = "old_reload" if old else "reload", description.php_fpm_unit
    result = reload.steps(description.reload_commands, present["id"], verb)
    return [*result, *([Step("reload_php", f"reload {unit}", data={"unit": unit})] if unit else [])]


# -- the steps -----------------------------------------------------------------------------------


class ConvertSteps(ReleaseSteps):
    """The steps of a conversion, by id. Each may be cut off at any point and done again."""

    @property
    def acts(self) -> dict[str, Callable[[Step], object]]:
        return {
            **super().acts,
            "mirror": self.mirror_repository,
            "share": self.share,
            "unshare": self.unshare,
            "point": self.point_current,
            "unpoint": self.remove_current,
            "face": self.face,
            "unface": self.unface,
            "old_restart": self.restart_old_workers,
            "old_reload": self.run_old_command,
            "old_code": self.switch_old_code,
            "old_vendor": self.bring_old_vendor,
            "rebuild": self.rebuild_old_caches,
        }

    def _old(self, *parts: str) -> str:
        return old(self.service, *parts)

    def mirror_repository(self, _step: Step) -> object:
        """A bare repository with every object, ref and setting of the checkout's own."""
        part, repository = f"{self.store.repository}.part", self.store.repository
        held_path.remove_tree(self.store.root, part, ignore_errors=True)
        self.service.at(self._old()).checkout.keep(self.plan["to"]["id"])
        _copy(self._old(".git"), part)
        for name in ("index", "worktrees"):
            _remove(part, os.path.join(part, name))
        run = self.service.at(self._old()).checkout.run
        run("config", "--file", os.path.join(part, "config"), "core.bare", "true")
        run("config", "--file", os.path.join(part, "config"), "--unset-all", "core.worktree", check=False)
        # A folder of a conversion that was taken back: its releases' links to it are of no use without it.
        held_path.remove_tree(self.store.root, repository, ignore_errors=True)
        durable_tree.put(part, repository)
        return None

    def share(self, step: Step) -> object:
        """Exchange a path with a link to it: there is no moment without either."""
        path = step.data["path"].rstrip("/")
        here, shared = self._old(path), self.store.shared(path)
        _mend(shared, here)
        os.makedirs(os.path.dirname(shared), exist_ok=True)
        if os.path.islink(here):
            return self._share_link(step, here, shared)
        if not os.path.lexists(here):
            return "there is none"
        _remove_link(shared)
        if os.path.lexists(shared):
            raise CommandFailed(f"{shared} is there already, and is not what {here} holds")
        os.symlink(_ours(here, shared), shared)
        _swap(shared, here)
        return None

    def _share_link(self, step: Step, here: str, shared: str) -> object:
        """Share what is a link as a link to the same place; it stays where it is, and so does what lies behind it."""
        to = os.readlink(here)
        if to == _ours(here, shared):
            return "was so already"
        if (
            not _stays(step, here, shared)
            and os.path.islink(shared)
            and os.path.realpath(shared) == os.path.realpath(here)
        ):
            # Going on with releases: what is shared is the same place as before.
            replace_link(here, _ours(here, shared))
            return None
        if not _stays(step, here, shared):
            raise CommandFailed(f"{here} is a link to {to}, and was not when this was planned")
        if os.path.lexists(shared) and not os.path.islink(shared):
            raise CommandFailed(f"{shared} is there already, and is not what {here} holds")
        lies = os.path.join(os.path.realpath(os.path.dirname(here)), to)
        replace_link(shared, lies)
        return f"a link to {lies}"

    def unshare(self, step: Step) -> object:
        path = step.data["path"].rstrip("/")
        here, shared = self._old(path), self.store.shared(path)
        _mend(shared, here)
        if _stays(step, here, shared):
            if standing(here) != step.data["was"]:
                raise CommandFailed(f"{here} is not the link to {step.data['was']['to']} that it was")
            return "a link, which stayed as it was"
        if not os.path.islink(here) or not os.path.lexists(shared):
            return "was so already"
        if os.path.islink(shared):
            # Somebody has put what is shared onto a volume since.
            lies = os.path.join(os.path.realpath(os.path.dirname(shared)), os.readlink(shared))
            if os.path.realpath(lies) != os.path.realpath(here) or not os.path.exists(here):
                raise CommandFailed(f"{here} and {shared} are links to different places, or to none")
            replace_link(here, lies)
            return f"a link to {lies}, as {shared} is"
        _swap(shared, here)
        # Requests that a release still answers find it where it was.
        replace_link(shared, os.path.relpath(here, os.path.dirname(shared)))
        if os.path.islink(here):
            raise CommandFailed(f"{here} is still a link, to {os.readlink(here)}")
        return None

    def bring_vendor(self, step: Step) -> object:
        commit, place = step.data["commit"], self._place(step)
        if in_git(place, commit):
            return FROM_GIT
        held_path.remove_tree(place.app, place.vendor.live, ignore_errors=True)
        _copy(os.path.realpath(self._old("vendor")), place.vendor.live)
        wanted = self._key(commit)
        return ("copied" + fit_class_map(place, wanted, commit)) if wanted else install(place, wanted, commit)

    def point_current(self, step: Step) -> object:
        self.store.switch(step.data["commit"])
        return None

    def remove_current(self, _step: Step) -> object:
        durable_file.remove(self.store.link)
        return None

    def face(self, step: Step) -> object:
        """Exchange what the world outside knows with a link through `current`."""
        name = step.data["name"]
        here, aside = self._old(name), self._old(ASIDE, name)
        _mend(aside, here)
        if os.path.islink(here) and os.readlink(here) == os.path.join("current", name):
            return "was so already"
        if os.path.islink(here):
            raise CommandFailed(f"{here} is a link to {os.readlink(here)}, and not the checkout's own {name}")
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        _remove_link(aside)
        if os.path.lexists(aside):
            raise CommandFailed(f"{aside} is there already")
        os.symlink(os.path.join("current", name), aside)
        _swap(aside, here)
        return None

    def unface(self, step: Step) -> object:
        name = step.data["name"]
        here, aside = self._old(name), self._old(ASIDE, name)
        _mend(aside, here)
        if os.path.islink(here) and os.path.lexists(aside) and not os.path.islink(aside):
            _swap(aside, here)
        _remove_link(aside)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(aside))
        return None

    def restart_old_workers(self, step: Step) -> object:
        return self._call(self.service.at(self._old()), step.data["commands"])

    def run_old_command(self, step: Step) -> object:
        self.service.at(self._old()).commands.run(step.data["command"], tell=True)
        return None

    def switch_old_code(self, step: Step) -> object:
        """Bring the old checkout to a commit; the target of a link is brought in its own place."""
        commit, old = step.data["commit"], self.service.at(self._old()).checkout
        old.clear_dead_locks()
        # By name, so that a collection can't take it away.
        old.run("fetch", "--quiet", self.store.repository, f"+{commit}:refs/ops-runbook/releases/{commit}")
        shared = (path.rstrip("/") for path in self.service.description.shared)
        linked = dict.fromkeys([*FACES, *shared, *old.links("HEAD", commit)])
        restore = ("restore", "--source", commit, "--staged", "--worktree", "--")
        old.run(*restore, ".", *[f":(exclude){path}" for path in linked])
        aside = self._old(ASIDE)
        faces = [name for name in FACES if os.path.lexists(os.path.join(aside, name))]
        if faces:
            where = ("--git-dir", self._old(".git"), "--work-tree", aside)
            self.service.at(aside).checkout.run(*where, *restore, *faces)
        old.run("reset", "--quiet", "--soft", commit)
        old.run("read-tree", commit)
        old.bring_submodules()
        return None

    def bring_old_vendor(self, step: Step) -> object:
        if in_git(self.service.at(self._old()), step.data["commit"]):
            return FROM_GIT
        source = os.path.join(self.store.folder(step.data["commit"]), "vendor")
        part, live = self._old("vendor.part"), self._old("vendor")
        held_path.remove_tree(self._old(), part, ignore_errors=True)
        _copy(source, part)
        held_path.remove_tree(self._old(), live, ignore_errors=True)
        durable_tree.put(part, live)
        return None

    def rebuild_old_caches(self, step: Step) -> object:
        """The caches of the old checkout: they hold the paths of its own folder."""
        return self._rebuild(self.service.at(self._old()), step.data["commands"])


def _ours(here: str, shared: str) -> str:
    """The folder that the link holds and that converting leaves in the place of the shared one."""
    return os.path.relpath(shared, os.path.dirname(here))


def _stays(step: Step, here: str, shared: str) -> bool:
    """True if the path was a link to somewhere else when this was planned, and is left as it is."""
    was = step.data.get("was") or {}
    return was.get("kind") == "link" and was["to"] != _ours(here, shared)


def _copy(source: str, target: str) -> None:
    durable_tree.copy(source, target)


def _remove(root: str, path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        held_path.remove_tree(root, path)
    elif os.path.lexists(path):
        held_path.remove_file(root, path)


def _remove_link(path: str) -> None:
    """Remove what a cut-off attempt left waiting."""
    if os.path.islink(path):
        held_path.remove_file(os.path.dirname(path), path)


_FORMER = ".ops-runbook-former"


def _swap(waiting: str, here: str) -> None:
    """Exchange two names; by two renames where the file system can't do it in one."""
    if not exchange(waiting, here):
        former = f"{here}{_FORMER}"
        durable_tree.rename(here, former)
        durable_tree.rename(waiting, here)
        durable_tree.rename(former, waiting)


def _mend(waiting: str, here: str) -> None:
    """Finish or take back an exchange that was cut off between two of its renames."""
    former = f"{here}{_FORMER}"
    if os.path.lexists(former):
        durable_tree.rename(former, waiting if os.path.lexists(here) else here)
