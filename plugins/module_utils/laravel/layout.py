# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Laravel service lies in its folder before and after a conversion, and what in it can't be converted."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Mapping

from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import LaravelService
from ansible_collections.ops.runbook.plugins.module_utils.text import ways
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Paths that nginx, cron and systemd refer to, and find through `current` afterwards.
FACES = ("public", "artisan")

#: The originals of the faces, and what waits to be exchanged with them.
ASIDE = "in-place"

#: Paths that converting makes itself.
OURS = ("releases/", "shared/", "repository/", "current", f"{ASIDE}/")

Was = Mapping[str, Mapping[str, str]]


def old(service: LaravelService, *parts: str) -> str:
    """A path of the checkout in place, which stays where it was."""
    return os.path.join(service.description.path, *parts)


def standing(path: str) -> dict[str, str]:
    """A path as it is now, so that it can be put back so: kind, and of a link to."""
    if os.path.islink(path):
        return {"kind": "link", "to": os.readlink(path)}
    if not os.path.lexists(path):
        return {"kind": "nothing"}
    return {"kind": "folder" if os.path.isdir(path) else "file"}


def strange(service: LaravelService, state: str) -> Problem | None:
    """A refusal over files in the service's folder that a checkout does not have, which converting would lose."""
    store, shared = service.store, [(path, old(service, path.rstrip("/"))) for path in service.description.shared]
    for _, here in shared:
        if os.path.islink(here) and not os.path.exists(here):
            to = os.readlink(here)
            way = (f"ls -ld {shlex.quote(to)}", "on the host, shows what is missing; mount it, or remove the link")
            return Problem("shared_link_broken", f"{here} is a link to {to}, and nothing is there", (way,))
    if state == "in_place":
        return None
    for name in FACES:
        here = old(service, name)
        if os.path.islink(here):
            to = os.readlink(here)
            way = (
                f"cd {shlex.quote(service.description.path)} && rm {name} && git checkout -- {name}",
                "on the host, undoes it",
            )
            text = f"{here} is a link to {to}, and must become a link to the release that is served"
            return Problem("face_is_link", text, (way, ("laravel_strategy=in_place", "leaves it as it is")))
    taken = _taken(service)
    if taken:
        return Problem(
            "name_taken",
            f"the layout of releases needs the name {store.root}/{taken}, and the application has something there",
            (
                (f"git mv {shlex.quote(taken)} '<another name>'", "in the repository"),
                ("laravel_strategy=in_place", "needs no name"),
            ),
        )
    plain = [path for path, here in shared if path != ".env" and not path.endswith("/") and not os.path.lexists(here)]
    missing = [path for path in plain if not os.path.lexists(store.shared(path))]
    if missing:
        good = [path for path in service.description.shared if path not in missing]
        return Problem(
            "shared_missing",
            f"laravel_shared names {', '.join(missing)}, which {store.root} does not have",
            (
                (ways.given("laravel_shared", good), "shares the others"),
                (
                    ways.given("laravel_shared", [*good, *(f"{path}/" for path in missing)]),
                    "makes a folder of each name that ends with /",
                ),
            ),
        )
    for _, here in shared:
        link, to = _link_out(here)
        if link:
            way = (f"ln -sfn {shlex.quote(to)} {shlex.quote(link)}", "on the host, names where it leads in full")
            return Problem("relative_link", f"{link} would lead elsewhere once {here} is in {store.shared()}", (way,))
    return None


def _taken(service: LaravelService) -> str:
    """A name of the layout under which the application keeps something of its own; empty where it does not."""
    for name in (path.rstrip("/") for path in OURS):
        place = old(service, name)
        if service.checkout.run("ls-tree", "--name-only", "HEAD", "--", name).stdout:
            return name
        if name == "repository" and os.path.lexists(place) and not os.path.isdir(os.path.join(place, "objects")):
            return name
        if name == "current" and os.path.lexists(place) and not os.path.islink(place):
            return name
    strangers = (name for name in service.store.names() if not re.fullmatch(r"[0-9a-f]{12}", name))
    return next((f"releases/{name}" for name in strangers), "")


def _link_out(folder: str, depth: int = 4, limit: int = 20000) -> tuple[str, str]:
    """A relative link near the top of a folder that leads out of it, and its target; empty without one."""
    pending = [(folder, 0)] if os.path.isdir(folder) and not os.path.islink(folder) else []
    seen = 0
    while pending and seen < limit:
        place, level = pending.pop()
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                seen += 1
                if entry.is_symlink() and not os.readlink(entry.path).startswith("/"):
                    to = os.path.realpath(entry.path)
                    if os.path.commonpath([to, os.path.realpath(folder)]) != os.path.realpath(folder):
                        return entry.path, to
                elif level < depth and entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, level + 1))
    return "", ""
