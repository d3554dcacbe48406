# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An option of a service is written once, in the argument specs of its role; what follows from them is written by
`make generate`."""

from __future__ import annotations

import importlib
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from code_files import ROOT, shown

GENERATOR: dict[str, Any] = runpy.run_path(str(ROOT / "tests/generate/service_options.py"))
PLUGINS = "ansible_collections.ops.runbook.plugins.module_utils"


@pytest.mark.parametrize(
    ("path", "text"), list(GENERATOR["files"]()), ids=lambda one: shown(one) if isinstance(one, Path) else ""
)
def test_what_follows_from_the_argument_specs_is_as_it_would_be_written(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run `make generate`"


@pytest.mark.parametrize("role", GENERATOR["SYSTEMS"])
def test_a_description_has_each_option_with_its_default(role: str) -> None:
    """The dataclass is what the code reads; a default that differed would hold in tests alone."""
    description = importlib.import_module(f"{PLUGINS}.{role}.service").Description
    options = importlib.import_module(f"{PLUGINS}.{role}.options").SERVICE["service"]["options"]
    assert {one.name for one in fields(description)} == {*options}
    describe = importlib.import_module(f"{PLUGINS}.{role}.service").describe
    required = {
        name: {"dict": {"a": "b"}}.get(one["type"], "x") for name, one in options.items() if one.get("required")
    }
    raw = {**{name: one.get("default") for name, one in options.items()}, **required}
    assert describe(raw) == description(**required)
