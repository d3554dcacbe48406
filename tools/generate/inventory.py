"""Writes docs/reference/inventory.md: the variables that describe a service, by the argument specs of the roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.ops.runbook.plugins.module_utils.console import procedures
from ops_runbook import known
from tools.generate.service_options import ROOT, roles, specs_of

PAGE = ROOT / "docs/reference/inventory.md"
HEAD = """\
# The inventory

This page has the variables with which an inventory describes a service, by system. `make generate` writes each line by
the argument specs of the roles; `ansible-doc -t role` shows the same. A complete example:
[inventories/example](../../inventories/example/hosts.yml). Inputs, which you give with `-e`, are on the page of
[procedures](procedures.md).

A line names the procedures where only some of them read the variable. A **required** variable has no default.
"""
#: The guard comes first, for all systems; what describes AWX describes no service.
GUARD, APART = "operation", ("awx",)


def text() -> str:
    inputs = {one.option for found in known.procedures().values() for one in found.inputs}
    parts, shown = [HEAD], dict[str, str]()
    for role in [GUARD, *(role for role in roles() if role not in (GUARD, *APART))]:
        lines = list(rows(specs_of(role), inputs, shown))
        if lines:
            parts.append(f"## {known.systems()[role].title}\n")
            parts.append("| variable | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def rows(entries: Mapping[str, Any], inputs: set[str], shown: dict[str, str]) -> Iterator[str]:
    """The variables of a role.

    :param shown: the variable that has its keys on the page, by these keys as text; each call adds to it
    """
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
        keys = option.get("options") or {}
        first = shown.setdefault(repr(keys), name)
        same = f" Its keys are those of `{first}`." if keys and first != name else ""
        yield f"| `{name}` | {kind(option)} | {default(option)} | {meaning(option)}{same}{only} |"
        if not same:
            for key, inner in keys.items():
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
    shown = yaml.safe_dump(found, default_flow_style=True, width=1000).strip().removesuffix("...").strip()
    return f"`{shown}`".replace("|", "\\|")


def meaning(option: Mapping[str, Any]) -> str:
    said = procedures.plain(option["description"]).replace("|", "\\|")
    if option.get("choices"):
        said += f" One of {', '.join(f'`{choice}`' for choice in option['choices'] if choice != '')}."
    return said


def files() -> Iterator[tuple[Path, str]]:
    """The page, with its text."""
    yield PAGE, text()
