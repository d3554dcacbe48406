# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedures of the collection that this file is part of, read once: the workers of Ansible inherit them.

Each function gets a reader of YAML, such as yaml.safe_load, which is not a part of Python.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console import procedures

ROOT = Path(__file__).resolve().parents[3]
Load = Callable[[str], Any]

_taken: dict[str, procedures.Taken] = {}
_everything: list[procedures.Procedure] = []
_remembered: set[str] = set()


def taken(name: str, load: Load) -> procedures.Taken:
    """The inputs and options of a procedure.

    :raises LookupError: no procedure has that name
    """
    if name not in _taken:
        _taken[name] = procedures.taken(ROOT, name, load)
    return _taken[name]


def everything(load: Load) -> list[procedures.Procedure]:
    """All procedures, by name."""
    if not _everything:
        _everything.extend(procedures.read(ROOT, load))
    return _everything


def remembered(load: Load) -> set[str]:
    """Variables that tasks of the roles leave behind on a host."""
    if not _remembered:
        _remembered.update(procedures.remembered(ROOT, load))
    return _remembered
