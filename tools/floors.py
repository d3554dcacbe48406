"""Holds imports to the floors of pyproject.toml: `make lint`.

A package of plugins/module_utils that is on no floor there, and that a role of its name describes in its
meta/system.yml, is on the floor of the systems: a new system edits no file for it. Any other package without a floor is
an error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
RULES = "ansible_collections.ops.runbook.plugins.module_utils"
#: A system that every other one is beside.
ONE = "laravel"


def named() -> list[list[str]]:
    """The packages of each floor by pyproject.toml, the highest floor first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (one["layers"] for one in settings["contracts"] if one.get("containers") == [RULES])
    return [layer.split(" | ") for layer in layers]


def floors() -> list[list[str]]:
    """The packages of each floor, with each system."""
    found = named()
    known = {package for floor in found for package in floor}
    more = [package for package in described() if package not in known]
    return [[*floor, *more] if ONE in floor else floor for floor in found]


def described() -> dict[str, str]:
    """One line on each package that a role describes, by its name."""
    roles = {path.parts[-3]: yaml.safe_load(path.read_text()) for path in sorted(ROOT.glob("roles/*/meta/system.yml"))}
    return {role: facts["about"] for role, facts in roles.items() if "about" in facts}


def main() -> int:
    from importlinter.cli import lint_imports

    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for before, after in zip(named(), floors(), strict=True):
        text = text.replace(json.dumps(" | ".join(before)), json.dumps(" | ".join(after)))
    # The packages have their full names there.
    os.chdir(ROOT / "collections")
    sys.path.insert(0, os.getcwd())
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as config:
        config.write(text)
        config.flush()
        return lint_imports(config_filename=config.name, no_cache=True)


if __name__ == "__main__":
    sys.exit(main())
