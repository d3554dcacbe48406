# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a host from which a change of a Compose service's release is planned, and the wish of the operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose.alembic import Graph
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import Answer
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins.files import Pins
from ansible_collections.ops.runbook.plugins.module_utils.compose.present import Present
from ansible_collections.ops.runbook.plugins.module_utils.compose.release import Asked, Recorded
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.compose.staging import Staging
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import History


@dataclass(frozen=True)
class Wish:
    """The wish of an operator who runs a release procedure. staging: what is known of it.

    database_shared: other hosts use the database of this one. hotfix: `to` may be a branch.
    """

    procedure: str
    to: str
    migrations: str
    migrate_here: bool = True
    staging: Staging = field(default_factory=Staging)
    database_shared: bool = False
    hotfix: bool = False


@dataclass(frozen=True)
class Situation:
    """The start of a plan. check_mode: nothing is downloaded, so an image may be missing."""

    wish: Wish
    service: Description
    ledger: Answers
    past: History
    check_mode: bool = False

    @property
    def recorded(self) -> Recorded:
        return Recorded(self.ledger)


@dataclass(frozen=True)
class Image:
    """An image's own words about itself; nothing where it is not on this host. command: entry point and command."""

    labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str = ""
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Revisions:
    """The revisions that an image brings. failed: why it could not be asked."""

    graph: Graph = field(default_factory=dict)
    failed: str = ""


@dataclass(frozen=True)
class Standing:
    """An image's answer about the database. failed: why it could not be asked."""

    answer: Answer | None = None
    failed: str = ""


@dataclass(frozen=True)
class Facts:
    """Facts that were read on the host so far; None, or an entry that is missing, was not read (see guard/facts.py).

    services: of the compose files, as `docker compose config` has them. containers: of the project, name -> service.
    By reference: held (the engine has it), called (the digest that this host has for a tag), registry (its answer),
    brought (it is here, after a download where that was needed), images (its description of itself), known_graph (its
    revisions were asked for before), graphs (its revisions).
    machine: the architecture of the host; emulations: what its kernel emulates. standing: of the database. rows: how
    many each loss concerns. ran: images whose own code the plan has run. hashes: of the files of the service. pins:
    what will be written. places: by service, where its image is written. defined: the services of all profiles.
    login_warning: of the registry's login.
    """

    project: str
    services: Mapping[str, Mapping[str, Any]]
    containers: Mapping[str, str]
    present: Present
    held: Mapping[str, bool] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    registry: Mapping[str, Asked] = field(default_factory=dict)
    brought: Mapping[str, bool] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    known_graph: Mapping[str, bool] = field(default_factory=dict)
    graphs: Mapping[str, Revisions] = field(default_factory=dict)
    machine: str | None = None
    emulations: tuple[str, ...] | None = None
    standing: Standing | None = None
    rows: Mapping[str, str] | None = None
    ran: tuple[str, ...] | None = None
    hashes: Mapping[str, str] | None = None
    pins: Pins | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    defined: tuple[str, ...] | None = None
    login_warning: str | None = None
