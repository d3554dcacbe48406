# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place of the collection, its procedures and its systems."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path

from ansible_collections.ops.runbook.plugins.module_utils.console import systems as systems_of
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import COLLECTION, Procedure, read
from ansible_collections.ops.runbook.plugins.module_utils.console.systems import System
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml


def collection() -> Path:
    """The folder of the collection: that of the checkout, or the one that is installed."""
    spec = find_spec("ansible_collections.ops.runbook")
    for place in spec.submodule_search_locations or [] if spec else []:
        if (Path(place) / "galaxy.yml").is_file():
            return Path(place)
    raise LookupError("the collection ops.runbook is not installed beside this command")


@functools.cache
def procedures() -> dict[str, Procedure]:
    """Every procedure by its name."""
    return {one.name: one for one in read(collection(), plain_yaml.load)}


@functools.cache
def systems() -> dict[str, System]:
    """Every system by its role."""
    return systems_of.read(collection(), plain_yaml.load)


def playbook(procedure: Procedure) -> str:
    """The name by which Ansible finds it, wherever the collection is."""
    return COLLECTION + procedure.name
