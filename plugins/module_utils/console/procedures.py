# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The procedures and their inputs, as the playbooks and the roles' argument specs have them; nothing is typed twice.

A playbook gives an input to an option of its role,
`laravel_to: "{{ lookup('ops.runbook.input', 'to', default='previous') }}"`. The option says what the input is: its
type, its choices, what it means. The playbook says what it is when nobody gives it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLLECTION = "ops.runbook."
GUARD = "operation"
#: The play that a procedure imports to be guarded.
GUARDED = "operate.yml"
#: Inputs for the hosts.
HOSTS = "operation_hosts"
#: The lookup that reads an input as text; an expression that named the variable would evaluate what was typed.
TYPED = re.compile(r"\b(?:lookup|query|q)\(\s*(['\"])ops\.runbook\.input\1\s*,")
#: The value of an input that was left empty.
EMPTY = re.compile(r"\s*\|\s*(?:default|d)\(")
MARKUP = re.compile(r"\b([VCOMPELRI])\(((?:[^()\\]|\\.|\([^()]*\))*)\)")
#: How a playbook is named in a checkout.
CHECKOUT = re.compile(r"\bplaybooks/(\w+)\.yml\b")
#: First words of titles of procedures that change nothing.
LOOKING = ("Check", "Find", "List", "Look", "Prove", "Show")
SAID_ALREADY = re.compile(r"\s*The input V\([a-z_]+\)\.")

Specs = Mapping[str, Mapping[str, Any]]
Plays = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Given:
    """An input where a playbook takes it: its name and what it is when nobody gives it."""

    name: str
    default: Any = None
    #: The default is computed on the host, so no value is shown.
    computed: bool = False
    #: An empty answer counts as none.
    empty_is_none: bool = False


@dataclass(frozen=True)
class Input:
    """An input that a person may give to a procedure."""

    name: str
    type: str = "str"
    elements: str = ""
    choices: tuple[Any, ...] = ()
    default: Any = None
    computed: bool = False
    empty_is_none: bool = False
    required: bool = False
    secret: bool = False
    description: str = ""
    #: The option of a role that gets it; empty for the hosts.
    option: str = ""


@dataclass(frozen=True)
class Procedure:
    """A procedure that an operator calls, by the name of its playbook."""

    name: str
    title: str
    #: Sections of the runbooks that it implements, and its purpose; the first line of its comment.
    section: str
    role: str
    entry: str
    #: True if it changes a service, and so uses the guard.
    guarded: bool
    inputs: tuple[Input, ...]
    #: Options of the entry point that have no default and are not inputs: the inventory must have them.
    inventory: tuple[str, ...] = ()
    #: The role's text about the entry point.
    description: str = ""
    #: Lines to type, with what they do beside them; the rest of its comment.
    examples: tuple[str, ...] = ()
    #: The variable of the inventory that names the service; empty where the procedure changes none.
    service: str = ""

    @property
    def changes(self) -> bool:
        """True if it may change something. The title of a reading procedure begins with one of a few verbs."""
        return self.guarded or self.title.partition(" ")[0] not in LOOKING

    def input(self, name: str) -> Input | None:
        return next((one for one in self.inputs if one.name == name), None)


@dataclass(frozen=True)
class Taken:
    """Every name that a procedure takes, as an extra variable or from the inventory.

    options: the spec of each option of its role and of the guard by name, those of its own entry point first
    read: further variables with the prefix of a role that its playbook reads
    settled: options that its playbook sets to a constant
    own: variables that its playbook and the guard's plays set, to whatever value
    """

    procedure: Procedure
    options: Mapping[str, Mapping[str, Any]]
    read: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()

    def spec(self, name: str) -> Mapping[str, Any]:
        """The spec of an input or an option; empty for another name."""
        one = self.procedure.input(name)
        return self.options.get(one.option if one else name, {})


def plain(description: str | Sequence[str]) -> str:
    """A description as text, without the markup of Ansible's documentation."""
    text = description if isinstance(description, str) else " ".join(description)
    text = SAID_ALREADY.sub("", " ".join(text.split()))
    return MARKUP.sub(lambda found: _word(*found.groups()), text).strip()


def _word(kind: str, inside: str) -> str:
    inside = re.sub(r"\\(.)", r"\1", inside)
    # `P(ops.runbook.operation#role)` and `L(text,address)`
    return inside.partition("#")[0] if kind == "P" else inside.partition(",")[0] if kind == "L" else inside


def header(text: str) -> tuple[str, tuple[str, ...]]:
    """The comment at the top of a playbook: its purpose, and the commands, which are indented."""
    said: list[str] = []
    examples: list[str] = []
    for line in text.splitlines():
        if line.strip() in {"", "---"}:
            continue
        if not line.startswith("#"):
            break
        if line.startswith("#   ") or "ansible-playbook" in line:
            # The full name is known wherever the collection is, and a path only in its checkout.
            examples.append(CHECKOUT.sub(rf"{COLLECTION}\1", line.lstrip("# ").rstrip()))
        else:
            said.append(line.lstrip("# ").rstrip())
    return " ".join(said), tuple(examples)


def given(value: Any) -> Iterator[Given]:
    """The inputs in a value of a playbook, in their order."""
    for text in _texts(value):
        for found in TYPED.finditer(text):
            (name, *options), end = _arguments(text, found.end())
            default = next((one.partition("=")[2] for one in options if re.match(r"default\s*=", one)), "''")
            literal = _literal(default.strip())
            filter_of = EMPTY.match(text, end)
            arguments = _arguments(text, filter_of.end())[0] if filter_of else []
            # The lookup always has a value, so that the filter works on an empty one or not at all.
            filled = len(arguments) > 1 and arguments[1].split("=")[-1].strip().lower() == "true"
            if filled:
                literal = _literal(arguments[0])
            named = _literal(name)
            if named and isinstance(named[0], str):
                yield Given(
                    name=named[0],
                    default=literal[0] if literal else None,
                    computed=not literal,
                    empty_is_none=filled,
                )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


def _arguments(text: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call whose parenthesis was opened before, at least an empty one; and where the call ends."""
    depth, quote, begin = 1, "", start
    found: list[str] = []
    for place in range(start, len(text)):
        letter = text[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        if depth == 0 or depth == 1 and letter == "," and not quote:
            found.append(text[begin:place].strip())
            begin = place + 1
        if depth == 0:
            return found, begin
    return [*found, text[begin:].strip()], len(text)


def _literal(text: str) -> tuple[Any, ...]:
    """A value in a tuple, or nothing for an expression."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return (words[text.lower()],)
    try:
        return (ast.literal_eval(text),)
    except (ValueError, SyntaxError):
        return ()


def read(root: Path, load: Callable[[str], Any]) -> list[Procedure]:
    """All procedures of the collection that lies in a folder, by name.

    :param load: reads YAML, as yaml.safe_load does, which is not a part of Python
    """
    specs = _specs(root, load)
    guard_defaults = _guard_defaults(root, load)
    found = []
    for path in sorted(root.glob("playbooks/*.yml")):
        text = path.read_text(encoding="utf-8")
        one = procedure(path.stem, text, load(text), specs, guard_defaults)
        if one is not None:
            found.append(one)
    return found


def taken(root: Path, name: str, load: Callable[[str], Any]) -> Taken:
    """The inputs of one procedure; only the files of its own role and of the guard are read.

    :raises LookupError: no procedure has that name
    """
    path = root / "playbooks" / f"{name}.yml"
    if not path.is_file():
        raise LookupError(f"there is no procedure {name!r}")
    text = path.read_text(encoding="utf-8")
    plays, roles = load(text), role_names(root)
    nothing: dict[str, dict[str, Any]] = {role: {} for role in roles} | {GUARD: {"open": {"options": {}}}}
    first = procedure(name, text, plays, nothing, {})
    specs = nothing | _specs(root, load, {first.role, GUARD}) if first else nothing
    found = procedure(name, text, plays, specs, _guard_defaults(root, load))
    if found is None:
        raise LookupError(f"{name!r} is not a procedure")
    options: dict[str, Mapping[str, Any]] = {}
    for entry in (specs[found.role][found.entry], *specs[found.role].values(), *specs[GUARD].values()):
        for option, spec in entry.get("options", {}).items():
            options.setdefault(option, spec)
    here = _set_by(plays)
    guard = _set_by(load((root / "playbooks" / GUARDED).read_text(encoding="utf-8"))) if found.guarded else {}
    prefixed = re.compile(rf"(?<!ops\.runbook\.)\b(?:{'|'.join(roles)})_[a-z0-9_]+\b")
    expressions = [
        text for text in _texts([*here.values(), *(play.get("hosts", "") for play in plays)]) if "{{" in text
    ]
    # Words in quotes are names of lookups and of inputs, or paths.
    names = {name for text in expressions for name in prefixed.findall(re.sub(r"'[^']*'", "''", text))}
    constant = {name for name, value in here.items() if not (isinstance(value, str) and "{{" in value)}
    return Taken(found, options, frozenset(names - {*here}), frozenset(constant), frozenset({*here, *guard}))


def _set_by(plays: Plays) -> dict[str, Any]:
    """The variables that plays set for themselves and for the role that each runs."""
    found: dict[str, Any] = {}
    for play in plays:
        called = _role_of(play)
        found |= {**play.get("vars", {}), **(called[2] if called else {})}
    return found


def remembered(root: Path, load: Callable[[str], Any]) -> set[str]:
    """Variables that tasks of the roles leave behind on a host; a later procedure of the same run sees them."""
    found: set[str] = set()
    for path in root.glob("roles/*/tasks/**/*.yml"):
        for task in load(path.read_text(encoding="utf-8")) or ():
            found |= {*task.get("ansible.builtin.set_fact", {})}
            found |= {task["register"]} if "register" in task else set()
    return found


def role_names(root: Path) -> list[str]:
    """The roles whose options are described, by name."""
    return sorted(path.parts[-3] for path in root.glob("roles/*/meta/argument_specs.yml"))


def _specs(root: Path, load: Callable[[str], Any], roles: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """The argument specs of the named roles, or of all."""
    return {
        role: load((root / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
        for role in role_names(root)
        if not roles or role in roles
    }


def _guard_defaults(root: Path, load: Callable[[str], Any]) -> dict[str, Any]:
    found: dict[str, Any] = load((root / "roles" / GUARD / "defaults/main.yml").read_text(encoding="utf-8"))
    return found


def is_input(name: str, roles: Sequence[str]) -> bool:
    """True for an input. A name with the role's prefix describes the service, and belongs in the inventory."""
    return not any(name.startswith(f"{role}_") for role in roles)


def procedure(name: str, text: str, plays: Plays, specs: Specs, guard_defaults: Mapping[str, Any]) -> Procedure | None:
    """The procedure of a playbook; None for the guard itself.

    :param text: the playbook as it was written, for its comment
    :param specs: the argument specs by role
    :param guard_defaults: where the guard takes the inputs that all procedures have
    """
    play = next((play for play in plays if play.get("ansible.builtin.import_playbook") == GUARDED), None)
    if play is not None:
        variables = dict(play["vars"])
        role, entry = variables["operation_role"], variables["operation_procedure"]
        hosts = variables[HOSTS]
    else:
        called = [(play, found) for play in plays if (found := _role_of(play))]
        if not called:
            return None
        # A play before it looks at the inputs, one after it fetches what it made.
        play, (role, entry, variables) = called[-1]
        hosts = play.get("vars", {}).get(HOSTS, play["hosts"])
    if HOSTS in hosts or not role.startswith(COLLECTION):
        return None
    role = role[len(COLLECTION) :]
    for other in plays:
        if other is not play and other.get("vars"):
            variables = {**other["vars"], **variables}
    guarded = "hosts" not in play
    inputs: dict[str, Input] = {}
    for one in list(given(hosts))[:1]:
        inputs[one.name] = _taken(one, {"description": "Host or group to work on."}, "")
    # Inputs of this procedure alone come first.
    for option, value in sorted(variables.items(), key=lambda item: guarded and item[0].startswith(f"{GUARD}_")):
        if option != HOSTS:
            _add(inputs, option, value, _option(specs, role, entry, option), [*specs])
    if guarded:
        for option, spec in specs[GUARD]["open"]["options"].items():
            if option not in variables:
                _add(inputs, option, guard_defaults.get(option), spec, [*specs])
    own: Mapping[str, Any] = specs.get(role, {}).get(entry, {})
    said, examples = header(text)
    # The guard's arguments describe the procedure, whoever reads them there.
    settled = {one.option for one in inputs.values()} | {name for name in variables if name.startswith(f"{GUARD}_")}
    return Procedure(
        name=name,
        title=play["name"],
        section=said,
        role=role,
        entry=entry,
        guarded=guarded,
        inputs=tuple(inputs.values()),
        inventory=tuple(
            option for option, spec in own.get("options", {}).items() if spec.get("required") and option not in settled
        ),
        description=plain(own.get("description") or own.get("short_description", "")),
        examples=examples,
        service=_variable(variables.get("operation_service")) if guarded else "",
    )


def _variable(value: Any) -> str:
    """The variable that is the whole of a template; empty where more stands there."""
    found = re.fullmatch(r"\{\{ *(\w+) *\}\}", str(value))
    return found[1] if found else ""


def _role_of(play: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]] | None:
    """The role that a play runs, its entry point and the variables that it gets."""
    for one in play.get("roles", ()):
        role = one if isinstance(one, str) else one["role"]
        return role, "main", {} if isinstance(one, str) else dict(one.get("vars", {}))
    for task in play.get("tasks", ()):
        for action in ("ansible.builtin.include_role", "ansible.builtin.import_role"):
            if action in task:
                return task[action]["name"], task[action].get("tasks_from", "main"), dict(task.get("vars", {}))
    return None


def _option(specs: Specs, role: str, entry: str, option: str) -> Mapping[str, Any]:
    """The role's text about an option, at this entry point first."""
    entries = specs.get(role, {})
    for described in (entries.get(entry), *entries.values(), *specs.get(GUARD, {}).values()):
        if described and option in described.get("options", {}):
            found: Mapping[str, Any] = described["options"][option]
            return found
    return {}


def _add(inputs: dict[str, Input], option: str, value: Any, spec: Mapping[str, Any], roles: Sequence[str]) -> None:
    names = [found for found in given(value) if is_input(found.name, roles)]
    for place, found in enumerate(names):
        # A variable in the default of another input is not this option's, and has an option of its own.
        if place == 0:
            inputs[found.name] = _taken(found, spec, option)


def _taken(found: Given, spec: Mapping[str, Any], option: str) -> Input:
    kind = spec.get("type", "str")
    default = found.default
    if kind == "bool" and not found.computed:
        default = str(default).lower() in {"true", "yes", "on", "1"}
    return Input(
        name=found.name,
        type=kind,
        elements=spec.get("elements", ""),
        choices=tuple(spec.get("choices", ())),
        default=default,
        computed=found.computed,
        empty_is_none=found.empty_is_none,
        required=bool(spec.get("required")) and default in ("", None) and not found.computed,
        secret=bool(spec.get("no_log")),
        description=plain(spec.get("description", "")),
        option=option,
    )
