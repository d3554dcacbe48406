"""Prints docs/reference/inventory.md: the variables that describe a service, from the argument specs of the roles."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.ops.runbook.plugins.module_utils.console import procedures  # noqa: E402

HEAD = """\
# The inventory

This page has the variables with which an inventory describes a service, by system. `make docs` writes each line from
the argument specs of the roles; `ansible-doc -t role` shows the same. A complete example:
[inventories/example](../../inventories/example/hosts.yml). Inputs, which you give with `-e`, are on the page of
[procedures](procedures.md).

A line names the procedures where only some of them read the variable. A **required** variable has no default.
"""
TITLES = {
    "operation": "Every service",
    "laravel": "Laravel",
    "compose": "Docker Compose",
    "dokku": "Dokku",
    "ssh_key": "SSH keys",
}


def text() -> str:
    inputs = {one.option for found in procedures.read(ROOT, yaml.safe_load) for one in found.inputs}
    specs = {
        path.parts[-3]: yaml.safe_load(path.read_text())["argument_specs"]
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    }
    parts = [HEAD]
    for role in [*TITLES, *sorted({*specs} - {*TITLES, "awx"})]:
        lines = list(rows(specs.get(role, {}), inputs))
        if lines:
            parts.append(f"## {TITLES.get(role, role)}\n")
            parts.append("| variable | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def rows(entries: Mapping[str, Any], inputs: set[str]) -> Iterator[str]:
    options: dict[str, Any] = {}
    readers: dict[str, list[str]] = {}
    for entry, described in entries.items():
        for name, option in described.get("options", {}).items():
            options.setdefault(name, option)
            readers.setdefault(name, []).append(entry)
    for name, option in options.items():
        # The guard's own facts about an operation come from the procedure.
        if name in inputs or name in {"operation_role", "operation_procedure", "operation_service"}:
            continue
        only = "" if len(readers[name]) > len(entries) // 2 else f" (`{'`, `'.join(readers[name])}`)"
        yield f"| `{name}` | {kind(option)} | {default(option)} | {meaning(option)}{only} |"
        for key, inner in (option.get("options") or {}).items():
            yield f"| `{name}` `.{key}` | {kind(inner)} | {default(inner)} | {meaning(inner)} |"


def kind(option: Mapping[str, Any]) -> str:
    found = option.get("type", "str")
    return f"{found} of {option['elements']}" if option.get("elements") else str(found)


def default(option: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    found = option.get("default")
    if found in (None, "", [], {}):
        return ""
    shown = yaml.safe_dump(found, default_flow_style=True).strip().removesuffix("...").strip()
    return f"`{shown}`".replace("|", "\\|")


def meaning(option: Mapping[str, Any]) -> str:
    said = procedures.plain(option["description"]).replace("|", "\\|")
    if option.get("choices"):
        said += f" One of {', '.join(f'`{choice}`' for choice in option['choices'] if choice != '')}."
    return said


if __name__ == "__main__":
    print(text(), end="")
