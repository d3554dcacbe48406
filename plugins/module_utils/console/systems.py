# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The systems, as the roles describe them to the programs around the procedures, each in its meta/system.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class System:
    """A role and the system that it operates.

    title: its name for people. about: one line on its package of module_utils, which has the role's name; empty where
    there is none. modules: see tools/generate/service_options.py. paths: kinds of the variables that are
    joined to a folder, see host/held_path.py. remedies: words of `ops-runbook doctor` about a tool that does not run,
    by the tool; {user} stands for the user of Ansible there. schedules: see schedules.py. periods: runs
    that a status asks for, each by its procedure and the answers of its schedules. credential_types: those of
    AWX that its procedures need, in the words of awx.awx.credential_type.
    """

    role: str
    title: str
    about: str = ""
    modules: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    remedies: Mapping[str, str] = field(default_factory=dict)
    schedules: Sequence[Mapping[str, Any]] = ()
    periods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    credential_types: Sequence[Mapping[str, Any]] = ()


def read(root: Path, load: Callable[[str], Any]) -> dict[str, System]:
    """The systems of the collection that lies in a folder, by role. load: reads YAML, as yaml.safe_load does."""
    return {path.parts[-3]: of_role(path.parents[1], load) for path in sorted(root.glob("roles/*/meta/system.yml"))}


def of_role(role: Path, load: Callable[[str], Any]) -> System:
    """The system of the role that lies in a folder."""
    return System(role.name, **load((role / "meta/system.yml").read_text(encoding="utf-8")))
