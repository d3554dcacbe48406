"""Writes what follows from the argument specs of a role, where alone an option of a service is written by hand.

    roles/<role>/defaults/main.yml             each option with its default
    roles/<role>/vars/main.yml                 between marks, the service as its modules take it
    plugins/module_utils/<role>/options.py     the same as an argument spec
    plugins/doc_fragments/<role>.py            and as documentation

`make generate` writes them; a test of tests/sanity fails where they differ.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
LICENCE = """\
# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""
WRITTEN = "Written by `make generate` from the role's argument specs."
BEGIN, END = f"# The service. {WRITTEN}", "# The end of the service."
#: What of an option an argument spec has.
SPEC = ("type", "elements", "required", "choices", "default", "options")


@dataclass(frozen=True)
class System:
    """A role whose service is handed to modules as one option.

    what: names the service in a sentence. apart: options of the block `&service` that modules do not take. beside:
    options outside of that block that they take. names: the modules' own names for options.
    """

    what: str
    apart: tuple[str, ...]
    beside: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()


SYSTEMS = {
    "laravel": System(
        "a Laravel service", ("environment", "migrate_on"), names=(("service", "name"), ("services", "units"))
    ),
    "compose": System(
        "a Compose service",
        ("environment", "migrate_on", "registry_password", "registry_logins"),
        ("inside_health", "settle", "wait_timeout"),
        (("service", "name"),),
    ),
    "dokku": System("an app of Dokku", ("environment",), ("settle",)),
}


def source(role: str) -> str:
    return (ROOT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8")


def block(role: str) -> list[str]:
    """The names in the block that the argument specs call `&service`."""
    names: list[str] = []
    depth = 0
    for event in yaml.parse(source(role), Loader=yaml.SafeLoader):
        if isinstance(event, yaml.MappingStartEvent) and (depth or event.anchor == "service"):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent) and depth:
            depth -= 1
            if not depth:
                return names
        elif isinstance(event, yaml.ScalarEvent) and depth == 1:
            names.append(event.value)
    raise LookupError(f"the argument specs of {role} have no block &service")


def service(role: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """The options of a service as the modules call them, each with the role's name of it and its description."""
    system, names = SYSTEMS[role], dict(SYSTEMS[role].names)
    options = specs_of(role)["recover"]["options"]
    short = [name.removeprefix(f"{role}_") for name in block(role)]
    chosen = [*(name for name in short if name not in system.apart), *system.beside]
    return {names.get(name, name): (f"{role}_{name}", options[f"{role}_{name}"]) for name in chosen}


def specs_of(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(source(role))["argument_specs"]
    return found


# -- defaults --------------------------------------------------------------------------------------


def written(value: Any) -> str:
    """A value in one line of YAML."""
    if value == "":
        return '""'
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()


def defaults(role: str) -> str:
    """Where entry points differ, the default is the empty text, and each takes its own."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    entries = specs_of(role).values()
    for entry in entries:
        for name, option in entry.get("options", {}).items():
            found.setdefault(str(name), []).append(option)
    lines = []
    for name, described in found.items():
        given = [option["default"] for option in described if "default" in option]
        same = given and all(one == given[0] for one in given) and len(given) == len(described)
        if not given and len(described) > 1:
            continue
        lines.append(f"{name}: {written(given[0]) if same else written('')}")
    return "\n".join(["---", f"# {WRITTEN}", *lines, ""])


# -- what the modules take -------------------------------------------------------------------------


def spec(option: Mapping[str, Any]) -> dict[str, Any]:
    """An option as an argument spec has it."""
    found = {key: option[key] for key in SPEC if key in option}
    if "options" in option:
        found["options"] = {str(name): spec(one) for name, one in option["options"].items()}
    return found


def argument_spec(role: str) -> str:
    """The file of a system's options."""
    options = {name: spec(option) for name, (_role_name, option) in service(role).items()}
    whole = {"service": {"type": "dict", "required": True, "options": options}}
    text = (
        f'{LICENCE}"""The options that describe {SYSTEMS[role].what}. {WRITTEN}"""\n'
        "\nfrom __future__ import annotations\n\nfrom typing import Any\n\n"
        f"SERVICE: dict[str, Any] = {pformat(whole, width=110, sort_dicts=False)}\n"
    )
    return formatted(text)


def formatted(text: str) -> str:
    """As ruff writes it; each option of its own gets a line by the comma after the last."""
    text = re.sub(r"\}\}\}\n\Z", "},},}\n", text)
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", "plugins/module_utils/x.py", "-"],
        input=text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(f"ruff format ended with {ran.returncode}: {ran.stderr}")
    return ran.stdout


def described(role: str, option: Mapping[str, Any], names: Mapping[str, str], indent: int) -> Iterator[str]:
    """An option as documentation, in lines."""
    room, text = " " * indent, option["description"]
    yield f"{room}description:"
    for sentence in [text] if isinstance(text, str) else text:
        words = reworded(" ".join(str(sentence).split()), names)
        lines = textwrap.wrap(words, 118 - indent - 4, break_long_words=False, break_on_hyphens=False)
        first = (
            f"{room}  - >-"
            if ": " in words or words[0] in "\"'`@&*!|>%{[" or " #" in words
            else f"{room}  - {lines.pop(0)}"
        )
        yield from [first, *(f"{room}    {line}" for line in lines)]
    for key in ("type", "elements", "required", "choices", "default"):
        if key in option:
            yield f"{room}{key}: {written(option[key])}"
    if "options" in option:
        yield f"{room}suboptions:"
        for name, one in option["options"].items():
            yield f"{room}  {name}:"
            yield from described(role, one, names, indent + 4)


def reworded(text: str, names: Mapping[str, str]) -> str:
    """The references to variables of the role, as those of the module's options."""

    def one(match: re.Match[str]) -> str:
        name, rest = match[1], match[2] or ""
        return f"O(service.{names[name]}{rest})" if name in names else f"C({name})"

    return re.sub(r"O\((\w+)(=[^)]*)?\)", one, text)


def fragment(role: str) -> str:
    """The documentation of a system's options."""
    options = service(role)
    names = {role_name: name for name, (role_name, _option) in options.items()}
    lines = [
        "options:",
        "  service:",
        "    description:",
        f"      - {SYSTEMS[role].what[0].upper()}{SYSTEMS[role].what[1:]} as the inventory describes it.",
        "    type: dict",
        "    required: true",
        "    suboptions:",
    ]
    for name, (_role_name, option) in options.items():
        lines += [f"      {name}:", *described(role, option, names, 8)]
    return (
        f'{LICENCE}"""The description of {SYSTEMS[role].what}. {WRITTEN}"""\n\nfrom __future__ import annotations\n\n\n'
        'class ModuleDocFragment:\n    DOCUMENTATION = r"""\n' + "\n".join(lines) + '\n"""\n'
    )


def mapping(role: str, text: str) -> str:
    """A file of variables with the service between its marks."""
    lines = [f"__{role}_service:", *(f'  {name}: "{{{{ {one} }}}}"' for name, (one, _option) in service(role).items())]
    before, _mark, rest = text.partition(BEGIN)
    return "\n".join([before + BEGIN, *lines, END]) + rest.partition(END)[2]


def files() -> Iterator[tuple[Path, str]]:
    """Each file that is written, with its text."""
    for role in SYSTEMS:
        variables = ROOT / f"roles/{role}/vars/main.yml"
        yield ROOT / f"roles/{role}/defaults/main.yml", defaults(role)
        yield variables, mapping(role, variables.read_text())
        yield ROOT / f"plugins/module_utils/{role}/options.py", argument_spec(role)
        yield ROOT / f"plugins/doc_fragments/{role}.py", fragment(role)


if __name__ == "__main__":
    for path, text in files():
        path.write_text(text)
