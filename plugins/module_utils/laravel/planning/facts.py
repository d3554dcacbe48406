# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a host from which a change of its release is planned, and the wish of the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Resolved
from ansible_collections.ops.runbook.plugins.module_utils.laravel.caches import Caches
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations.schema import Schema
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


@dataclass(frozen=True)
class Wish:
    """The wish of an operator who runs a release procedure."""

    procedure: str
    to: str
    migrations: str
    discard: bool = False
    migrate_here: bool = True


@dataclass(frozen=True)
class Link:
    """A link in the checkout. place: its path; leads_to: the folder behind it; files: those that git would bring."""

    place: str
    leads_to: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """The way between the two releases, as git shows it.

    changes: lines of `git status --short`. in_the_way: untracked files that the target would overwrite.
    commits and diffstat: lines for a person.
    """

    changes: tuple[str, ...] = ()
    in_the_way: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    diffstat: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """The folder of the target's release. whole: it can be served; warm: with the caches that it has."""

    whole: bool = False
    warm: bool = False


@dataclass(frozen=True)
class Course:
    """The releases that an operation goes between.

    source and target: {id, name}. chosen: why it is this target, and proven: how it was found, for a person.
    over: why each newer release is not the one that `previous` means.
    """

    source: Mapping[str, str]
    target: Mapping[str, str]
    chosen: str
    proven: str
    over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Facts that were read on the host so far; None, or an entry that is missing, was not read (see guard/facts.py).

    head: the commit that is checked out, in full. user: of this run. app: the folder that is served.
    disk: the disk of the service, with nothing to be made. resolved: the commit that `to` names, or why it names none.
    here: by commit, whether the checkout has it. before: the commits before the present one, for a person.
    tags: by commit, its first tag. tracks_env: by commit, whether it tracks .env. scripts: the commands in the target's
    composer.json that destroy data. links: those that hide files of the target. edited: lines of `git status --short`.
    linked: folders of the present release that are links here.
    cut_off: the file of php-fpm by which a reload cuts requests off; empty where it does not. may_reload: the right to
    reload php-fpm was proven.
    answer: of the application, see laravel/probe.py; `failed` says why PHP gave none. vendor: where vendor/ comes from
    (made, git, same, kept, composer). held: folders that another user holds. room: for what will be made; code_room:
    for the code in place. counts: rows of each loss. idle: what does not run now.
    """

    head: str
    user: str
    app: str
    disk: Room | None = None
    resolved: Resolved | Problem | None = None
    here: Mapping[str, bool] = field(default_factory=dict)
    before: tuple[str, ...] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    tracks_env: Mapping[str, bool] = field(default_factory=dict)
    scripts: tuple[str, ...] | None = None
    links: Mapping[str, Link] | None = None
    picture: Picture | None = None
    edited: tuple[str, ...] | None = None
    linked: tuple[str, ...] | None = None
    cut_off: str | None = None
    may_reload: bool | None = None
    answer: Mapping[str, Any] | None = None
    vendor: str | None = None
    held: tuple[str, ...] | None = None
    schema: Schema | None = None
    made: Made | None = None
    room: Room | None = None
    code_room: Room | None = None
    counts: Sequence[Any] | None = None
    caches: Caches | None = None
    idle: tuple[str, ...] | None = None
