# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which procedures there are, read from their playbooks and from the argument specs of their roles."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateSyntaxError, nodes

#: Not called by itself: the playbooks of the procedures import it.
GUARD = "operate"


@dataclass(frozen=True)
class Input:
    """What is typed for one run. variable: what it becomes. default: as text, None where nothing stands for it."""

    name: str
    variable: str
    type: str
    description: str
    choices: tuple[str, ...] = ()
    default: str | None = None
    secret: bool = False


@dataclass(frozen=True)
class Procedure:
    """One playbook. sections: what its header says of the runbook. changes: whether it goes through the guard."""

    name: str
    title: str
    sections: str
    examples: tuple[str, ...]
    role: str
    entry: str
    description: str
    inputs: tuple[Input, ...]
    changes: bool
    required: tuple[str, ...] = field(default=())

    @property
    def playbook(self) -> str:
        return f"ops.runbook.{self.name}"

    def input(self, name: str) -> Input | None:
        return next((known for known in self.inputs if known.name == name), None)


def collection() -> Path:
    """The folder of the collection: that of the checkout, or the one that is installed."""
    spec = find_spec("ansible_collections.ops.runbook")
    for place in spec.submodule_search_locations or [] if spec else []:
        if (Path(place) / "galaxy.yml").is_file():
            return Path(place)
    raise LookupError("the collection ops.runbook is not installed beside this command")


@functools.cache
def procedures(root: Path) -> dict[str, Procedure]:
    """Every procedure by its name."""
    names = sorted(path.stem for path in root.glob("playbooks/*.yml") if path.stem != GUARD)
    return {name: _procedure(root, name) for name in names}


def _procedure(root: Path, name: str) -> Procedure:
    text = (root / f"playbooks/{name}.yml").read_text(encoding="utf-8")
    plays: list[dict[str, Any]] = yaml.safe_load(text)
    sections, examples = _header(text)
    variables, targets, (role, entry) = _read(plays)
    roles = [path.name for path in root.glob("roles/*")]
    guarded = any("ansible.builtin.import_playbook" in play for play in plays)
    specs = [(role, _spec(root, role, entry))]
    if guarded:
        specs.append(("operation", _spec(root, "operation", "open")))
    inputs: dict[str, Input] = {}
    for target in targets:
        for typed, default in _typed(target, roles):
            if typed == "target":
                inputs["target"] = Input("target", "hosts", "str", "Host or group of the inventory.", default=default)
    for of, spec in specs:
        # What the playbook gives counts; a role's own default may ask for an input too.
        given = {**{n: option.get("default") for n, option in spec["options"].items()}, **_defaults(root, of)}
        for variable in spec["options"]:
            template = variables.get(variable, given.get(variable))
            for typed, default in _typed(template, roles):
                inputs.setdefault(typed, _input(typed, variable, spec["options"][variable], default))
    for variable, template in variables.items():
        for typed, default in _typed(template, roles):
            inputs.setdefault(typed, Input(typed, variable, "str", "", default=default))
    mapped = {known.variable for known in inputs.values()} | {v for v in variables if v.startswith("operation_")}
    own = specs[0][1]
    required = [n for n, option in own["options"].items() if option.get("required") and n not in mapped]
    return Procedure(
        name=name,
        title=str(plays[0]["name"] if guarded else plays[-1]["name"]),
        sections=sections,
        examples=examples,
        role=f"ops.runbook.{role}",
        entry=entry,
        description=_prose(own.get("description", own.get("short_description", ""))),
        inputs=tuple(inputs.values()),
        changes=guarded,
        required=tuple(required),
    )


def _header(text: str) -> tuple[str, tuple[str, ...]]:
    """The comment at the top: the runbook's sections, then the lines to type."""
    comment: list[str] = []
    for line in text.splitlines()[1:]:
        if not line.startswith("#"):
            break
        comment.append(line[1:])
    examples = tuple(line.strip() for line in comment if line.startswith("   "))
    return " ".join(line.strip() for line in comment if not line.startswith("   ")), examples


def _read(plays: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[str], tuple[str, str]]:
    """What the plays give to their role: variables, patterns of hosts, and which role it is."""
    variables: dict[str, Any] = {}
    targets: list[str] = []
    role = ("", "main")
    for play in plays:
        variables.update(play.get("vars") or {})
        targets.append(str(play.get("hosts") or (play.get("vars") or {}).get("operation_hosts") or ""))
        if "operation_role" in (play.get("vars") or {}):
            role = role if role[0] else (_short(play["vars"]["operation_role"]), play["vars"]["operation_procedure"])
        for task in play.get("tasks") or []:
            called = task.get("ansible.builtin.include_role") or task.get("ansible.builtin.import_role")
            variables.update(task.get("vars") or {})
            if called and not role[0]:
                role = (_short(called["name"]), called.get("tasks_from", "main"))
        for listed in play.get("roles") or []:
            variables.update(listed.get("vars") or {})
            role = role if role[0] else (_short(listed["role"]), "main")
    return variables, targets, role


def _short(role: str) -> str:
    return role.rpartition(".")[2]


@functools.cache
def _specs(root: Path, role: str) -> dict[str, Any]:
    path = root / "roles" / role / "meta/argument_specs.yml"
    specs: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
    return specs


def _spec(root: Path, role: str, entry: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"options": {}, **_specs(root, role).get(entry, {})}
    return spec


@functools.cache
def _defaults(root: Path, role: str) -> dict[str, Any]:
    path = root / "roles" / role / "defaults/main.yml"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


def _typed(template: Any, roles: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """The inputs that a value is made of, each with what stands for it where it is not typed."""
    if not isinstance(template, str) or "{{" not in template:
        return
    try:
        tree = Environment(autoescape=True).parse(template)
    except TemplateSyntaxError:
        return
    defaults: dict[str, str | None] = {}
    for found in tree.find_all(nodes.Filter):
        if found.name == "default" and isinstance(found.node, nodes.Name):
            value = found.args[0] if found.args else None
            defaults[found.node.name] = str(value.value) if isinstance(value, nodes.Const) else None
    for name in dict.fromkeys(found.name for found in tree.find_all(nodes.Name)):
        # What the inventory holds begins with the name of a role; what Ansible itself knows, with its own.
        if name in defaults and not name.startswith(tuple(f"{own}_" for own in (*roles, "ansible"))):
            yield name, defaults[name]


def _input(name: str, variable: str, option: Mapping[str, Any], default: str | None) -> Input:
    # The description of the variable names the input; here it is the title.
    description = re.sub(r"\s*The input \w+\.", "", _prose(option.get("description", "")))
    return Input(
        name=name,
        variable=variable,
        type=str(option.get("type", "str")),
        description=description,
        choices=tuple(str(choice) for choice in option.get("choices") or () if choice != ""),
        default=default if default != "" else None,
        secret=bool(option.get("no_log")) or bool(re.search(r"password|secret$|token", name)),
    )


def _prose(description: Any) -> str:
    """A description without the marks of Ansible's documentation."""
    text = " ".join(description) if isinstance(description, list) else str(description)
    text = re.sub(r"\b[VOCPEM]\(([^)#]*)(?:#[a-z]+)?\)", r"\1", text)
    return " ".join(text.split())
