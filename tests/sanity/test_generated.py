# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An option is written once, in the argument specs of its role; `make generate` writes all that follows from them, and
what the pages say of procedures."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from code_files import ROOT, shown

from ansible_collections.ops.runbook.plugins.module_utils.guard.options import described
from ansible_collections.ops.runbook.plugins.module_utils.health import endpoint
from tools import floors
from tools.generate import architecture, inventory, pages, periods, service_options
from tools.generate.marks import between

PLUGINS = "ansible_collections.ops.runbook.plugins.module_utils"


WRITTEN = [found for module in (service_options, periods, pages, inventory, architecture) for found in module.files()]


@pytest.mark.parametrize(("path", "text"), WRITTEN, ids=lambda one: shown(one) if isinstance(one, Path) else "")
def test_generated_files_are_up_to_date(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run `make generate`"


@pytest.mark.parametrize("role", service_options.SYSTEMS)
def test_options_of_a_module_become_a_description(role: str) -> None:
    """Each option with its default gives what the class has by itself, which tests make use of."""
    description = importlib.import_module(f"{PLUGINS}.{role}.service").Description
    describe = importlib.import_module(f"{PLUGINS}.{role}.service").describe
    options = importlib.import_module(f"{PLUGINS}.{role}.options").SERVICE["service"]["options"]
    required = {
        name: {"dict": {"a": "b"}}.get(one["type"], "x") for name, one in options.items() if one.get("required")
    }
    raw = {**{name: one.get("default") for name, one in options.items()}, **required}
    assert describe(raw) == description(**required)


@pytest.mark.parametrize("role", service_options.SYSTEMS)
def test_options_of_a_module_become_its_limits(role: str) -> None:
    options = importlib.import_module(f"{PLUGINS}.{role}.options")
    assert described(options.Limits, {name: one["default"] for name, one in options.LIMITS.items()}) == options.Limits()


SHARED = """\
options:
  # Shared: disks, with PREFIX=laravel_status. Written by `make generate`.
  {}
  # The end of disks.
  laravel_to: {{}}
"""


@pytest.mark.parametrize("between", ["", "laravel_status_disk_bad: changed by hand"])
def test_shared_options_stand_between_their_marks(between: str) -> None:
    text = service_options.PLACE.sub(service_options.shared, SHARED.format(between))
    options = yaml.safe_load(text)["options"]
    assert [*options] == ["laravel_status_disk_warn", "laravel_status_disk_bad", "laravel_to"]
    assert options["laravel_status_disk_bad"]["default"] == 95
    assert service_options.PLACE.sub(service_options.shared, text) == text


def argument_specs() -> dict[str, str]:
    roles = service_options.roles()
    return {role: (ROOT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8") for role in roles}


def test_each_mark_of_shared_options_has_its_end() -> None:
    """Otherwise nothing would be written there, and nothing compared."""
    for role, text in argument_specs().items():
        assert text.count("# Shared: ") == len(service_options.PLACE.findall(text)), role


def by_hand(text: str) -> set[str]:
    """The options that argument specs have outside of the marks, without the role's name."""
    entries = yaml.safe_load(service_options.PLACE.sub("", text))["argument_specs"].values()
    options = [found for entry in entries for found in (entry.get("options") or {}).items()]
    return {f"{name.partition('_')[2]}: {json.dumps(option, sort_keys=True)}" for name, option in options}


def test_tasks_of_three_roles_are_a_file_of_their_own() -> None:
    """The options of tools/generate/shared/; two roles may be alike by chance."""
    found = Counter(option for text in argument_specs().values() for option in by_hand(text))
    assert [option for option, count in found.items() if count > 2] == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", '""'),
        ("v1", "v1"),
        ("2026-01-05", '"2026-01-05"'),
        ("{{ inventory_dir }}/keys", '"{{ inventory_dir }}/keys"'),
        (0, "0"),
        (False, "false"),
        ([".env", "storage"], "[.env, storage]"),
        (["*"], '["*"]'),
        ([{"name": "production", "reviewers": "{{ people }}", "admins_bypass": False, "wait": 0}], None),
    ],
)
def test_a_default_means_in_yaml_what_it_was(value: Any, expected: str | None) -> None:
    written = service_options.written(value)
    assert yaml.safe_load(f"name: {written}") == {"name": value}
    assert expected is None or written == expected


def test_each_package_is_in_the_picture() -> None:
    packages = {name for floor in floors.floors() for name in floor}
    assert {*architecture.arrows()} == {*architecture.CORE, *floors.described()} == packages


@pytest.mark.parametrize("text", ["a: 1\n", "# begin\na: 1\n"])
def test_a_file_without_its_marks_is_named_by_what_is_missing(text: str) -> None:
    with pytest.raises(LookupError, match=r"the file has no line '# (begin|end)': copy the marks"):
        between("# begin", "# end", ["b: 2"], text)
    assert between("# begin", "# end", ["b: 2"], "# begin\na: 1\n# end\nc: 3\n") == "# begin\nb: 2\n# end\nc: 3\n"


def test_the_shared_endpoint_is_what_a_health_check_takes() -> None:
    """But for the defaults: an endpoint of a service has the keys that the inventory gives it."""
    shared = yaml.safe_load((service_options.SHARED / "endpoint.yml").read_text(encoding="utf-8"))
    apart = ("default", "description")
    assert {name: {key: one[key] for key in one if key not in apart} for name, one in shared.items()} == {
        name: {key: one[key] for key in one if key not in apart} for name, one in endpoint.ENDPOINT_OPTIONS.items()
    }
