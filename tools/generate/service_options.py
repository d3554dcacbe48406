"""Writes defaults, mappings, argument specs and documentation from the argument specs of the roles.

An option is written by hand in the argument specs alone.

Of each role:

    roles/<role>/meta/argument_specs.yml       between marks, the options that several roles have: shared/*.yml
    roles/<role>/defaults/main.yml             each option with its default

Of a role that describes a service (`modules` of its meta/system.yml), too:

    roles/<role>/vars/main.yml                 between marks, the service as its modules take it
    roles/<role>/tasks/<look>.yml              between marks, the limits of its look, as its module takes them
    plugins/module_utils/<role>/options.py     both as argument specs, and as dataclasses
    plugins/doc_fragments/<role>.py            and as documentation

Of a role that hands all its options on as one variable (`SETTINGS`), too:

    roles/<role>/vars/main.yml                 between marks, that variable

`make generate` writes them; a test of tests/sanity fails where they differ.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pprint import pformat
from typing import Any

import yaml

from ansible_collections.ops.runbook.plugins.module_utils.console import systems
from tools.generate.marks import between

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(__file__).parent / "shared"
LICENCE = """\
# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""
WRITTEN = "Written by `make generate` from the role's argument specs."
#: A mark in argument specs: the name of a file of shared/, and what stands for the words in it.
PLACE = re.compile(
    r"^(?P<indent> *)# Shared: (?P<name>\w+)(?:, with (?P<values>.*?))?\. Written by `make generate`\.\n"
    r"(?:.*\n)*?(?P=indent)# The end of (?P=name)\.\n",
    re.MULTILINE,
)
#: A note behind an option of an argument spec. words: the code takes its text as the words of a command line. typed:
#: its default in the role is the input that its description names.
NOTE = r"^ +(\w+): # {}$"
#: What of an option an argument spec has.
SPEC = ("type", "elements", "required", "choices", "default", "options")
TYPES = {"path": "str", "dict": "Mapping[str, str]"}

Option = Mapping[str, Any]
#: Options of a module by its name of them, each with the role's name of it.
Options = Mapping[str, tuple[str, Option]]


@dataclass(frozen=True)
class System:
    """The `modules` of a role's meta/system.yml: how its modules take a service as one option.

    what: names the service in a sentence. look: the entry point that looks at it. apart: options of the block
    `&service` that modules do not take. beside: options outside of that block that they take. names: the modules' own
    names for options. alone: options of a service that modules of one part of it take by themselves, with their names.
    """

    what: str
    look: str
    apart: tuple[str, ...]
    beside: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    alone: tuple[tuple[str, str], ...] = ()


def described() -> dict[str, System]:
    """The roles that say in their meta/system.yml how modules take a service."""
    return {
        role: System(**{key: settled(value) for key, value in one.modules.items()})
        for role, one in systems.read(ROOT, yaml.safe_load).items()
        if one.modules
    }


def settled(value: Any) -> Any:
    """A value that a dataclass may keep: a tuple of words, or of pairs."""
    return value if isinstance(value, str) else tuple(value.items() if isinstance(value, dict) else value)


SYSTEMS = described()


#: Roles that hand all options of an entry point on as one variable, without the role's name in front.
SETTINGS = {"awx": "main"}


# -- the argument specs ------------------------------------------------------------------------------


def roles() -> list[str]:
    return sorted(path.parts[-3] for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


@cache
def source(role: str) -> str:
    """The argument specs of a role with what they share, as they are to be written."""
    text = (ROOT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8")
    return PLACE.sub(shared, text)


def shared(place: re.Match[str]) -> str:
    """A place of argument specs with its shared options between the marks."""
    first, last = place[0].splitlines()[0], place[0].splitlines()[-1]
    text = (SHARED / f"{place['name']}.yml").read_text(encoding="utf-8")
    for value in (place["values"] or "").split():
        name, _equals, given = value.partition("=")
        text = text.replace(name, given)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return "\n".join([first, *(f"{place['indent']}{line}" for line in lines), last, ""])


@cache
def specs_of(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(source(role))["argument_specs"]
    return found


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


def shared_by_all(role: str) -> Mapping[str, Option]:
    """The options that every entry point has: those of `recover`, or the block of a system that is only looked at."""
    entries = specs_of(role)
    if "recover" in entries:
        return dict(entries["recover"]["options"])
    looked_at = entries[SYSTEMS[role].look]["options"]
    return {name: looked_at[name] for name in block(role)}


def service(role: str) -> Options:
    """The options that describe a service."""
    system, names = SYSTEMS[role], dict(SYSTEMS[role].names)
    options = shared_by_all(role)
    short = [name.removeprefix(f"{role}_") for name in block(role)]
    chosen = [*(name for name in short if name not in system.apart), *system.beside]
    return {names.get(name, name): (f"{role}_{name}", options[f"{role}_{name}"]) for name in chosen}


def limits(role: str) -> Options:
    """The limits of a look at a service: the whole numbers that its entry point has, and no other."""
    system, names = SYSTEMS[role], dict(SYSTEMS[role].names)
    entries = specs_of(role)
    common = shared_by_all(role)
    found = {}
    for name, option in entries[system.look]["options"].items():
        if name not in common and option["type"] == "int":
            short = name.removeprefix(f"{role}_").removeprefix(f"{system.look}_")
            found[names.get(short, short)] = (name, option)
    return found


def groups(role: str) -> dict[str, Options]:
    """The options that modules take beside the service, by the names of their argument specs."""
    described = service(role)
    alone = {name: described[option] for option, name in SYSTEMS[role].alone}
    return {"LIMITS": limits(role), **({"CALL": alone} if alone else {})}


# -- defaults ----------------------------------------------------------------------------------------


class Plain(yaml.SafeDumper):
    """YAML as the style of this collection has it: lists are indented, and templates stand in double quotes."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def represent_text(self, value: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=None if is_plain(value) else '"')


def is_plain(value: str) -> bool:
    """True if a text means itself in YAML without quotes."""
    try:
        return "{{" not in value and yaml.safe_load(value) == value
    except yaml.YAMLError:
        return False


Plain.add_representer(str, Plain.represent_text)


def written(value: Any) -> str:
    """A value as YAML behind its name: in one line, or where that is a long one on lines of its own."""
    line = yaml.dump(value, Dumper=Plain, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
    if not isinstance(value, (dict, list)) or len(line) <= 60:
        return line
    text = yaml.dump(value, Dumper=Plain, sort_keys=False, width=10_000)
    return "\n" + textwrap.indent(text, "  ").rstrip()


def noted(role: str, note: str) -> frozenset[str]:
    """The options of a role that have a note behind them."""
    return frozenset(re.findall(NOTE.format(note), source(role), re.MULTILINE))


def input_of(option: Option) -> str:
    """The input that an option is, by its description; empty where it is not an input."""
    found = re.search(r"The input V\((\w+)\)", json.dumps(option["description"]))
    return found[1] if found else ""


def reading(option: Option) -> str:
    """The template of an input with the default of its option."""
    default = option["default"]
    otherwise = f", default={default!r}" if default != "" else ""
    return f"{{{{ lookup('ops.runbook.input', '{input_of(option)}'{otherwise}) }}}}"


def defaults(role: str) -> str:
    """The defaults of a role.

    Where entry points differ, the default is the empty text, and each takes its own. What an entry point requires and
    a person types is empty for the others.
    """
    found: dict[str, list[Option]] = {}
    for entry in specs_of(role).values():
        for name, option in entry.get("options", {}).items():
            found.setdefault(str(name), []).append(option)
    lines, typed = [], noted(role, "typed")
    for name, described in found.items():
        given = [option["default"] for option in described if "default" in option]
        if given or input_of(described[0]):
            same = len(given) == len(described) and all(one == given[0] for one in given)
            default = reading(described[0]) if name in typed else given[0] if same else ""
            value = written(default)
            lines.append(f"{name}:{value}" if value.startswith("\n") else f"{name}: {value}")
    return "\n".join(["---", f"# {WRITTEN}", *lines, ""])


# -- what the modules take ---------------------------------------------------------------------------


def spec(option: Option) -> dict[str, Any]:
    """An option as an argument spec has it."""
    found = {key: option[key] for key in SPEC if key in option}
    if "options" in option:
        found["options"] = {str(name): spec(one) for name, one in option["options"].items()}
    return found


def options_file(role: str) -> str:
    """The file of a system's options."""
    what = SYSTEMS[role].what
    whole = {"type": "dict", "required": True, "options": {name: spec(one) for name, (_, one) in service(role).items()}}
    words = noted(role, "words")
    one = f"{what[0].upper()}{what[1:]}"
    classes = [
        *dataclasses("Options", f"{one} as the inventory describes it.", service(role), words),
        *dataclasses("Limits", f"The figures of {what} that are a warning, or bad.", limits(role), words),
    ]
    text = "\n".join(
        [
            f'{LICENCE}"""The options that describe {what}, and the limits of a look at it.\n\n{WRITTEN}\n"""\n',
            "from __future__ import annotations\n",
            *(["from collections.abc import Mapping"] if any("Mapping[" in line for line in classes) else []),
            f"from dataclasses import dataclass{', field' if any(' = field(' in line for line in classes) else ''}",
            "from typing import Any\n",
            f"SERVICE: dict[str, Any] = {laid_out({'service': whole})}",
            *(
                f"{group}: dict[str, Any] = {laid_out({name: spec(option) for name, (_, option) in options.items()})}"
                for group, options in groups(role).items()
            ),
            *classes,
            "",
        ]
    )
    return formatted(text)


def laid_out(value: Mapping[str, Any]) -> str:
    """A dictionary in Python; the comma after the last gives each entry a line of its own."""
    return re.sub(r"(\}+)\Z", lambda ends: ",".join(ends[1]), pformat(value, width=110, sort_dicts=False))


def dataclasses(name: str, what: str, options: Options, words: frozenset[str]) -> Iterator[str]:
    """A dataclass with a field for each option, those without a default first; before it, those of nested options."""
    required, optional = [], []
    for field, (role_name, option) in options.items():
        if "options" in option:
            inner = class_of(field)
            nested = {str(key): (str(key), one) for key, one in option["options"].items()}
            yield from dataclasses(inner, f"An item of the option {field}.", nested, words)
        kind = hinted(field, option, role_name in words)
        if option.get("required"):
            required.append(f"    {field}: {kind}")
        else:
            optional.append(f"    {field}: {kind} = {valued(option, role_name in words)}")
    yield from ["@dataclass(frozen=True)", f"class {name}:", f'    """{what}"""\n', *required, *optional, ""]


def class_of(field: str) -> str:
    """The name of the class of a list's items."""
    return "".join(part.title() for part in field.removesuffix("s").split("_"))


def hinted(field: str, option: Option, words: bool) -> str:
    """The type of a field."""
    kind = option.get("type", "str")
    if kind == "list":
        inner = class_of(field) if "options" in option else "tuple[str, ...]" if words else str(option["elements"])
        return f"tuple[{inner}, ...]"
    return "tuple[str, ...]" if words else TYPES.get(kind, kind)


def valued(option: Option, words: bool) -> str:
    """The default of a field, in Python."""
    default = option["default"]
    if option.get("type") == "list":
        return repr(tuple(tuple(shlex.split(one)) if words else one for one in default))
    if option.get("type") == "float":
        return repr(float(default))
    if option.get("type") == "dict":
        return "field(default_factory=dict)"
    return repr(tuple(shlex.split(default)) if words else default)


def formatted(text: str) -> str:
    """A text of Python as ruff writes it."""
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


# -- documentation -----------------------------------------------------------------------------------


def documented(option: Option, names: Mapping[str, str], indent: int) -> Iterator[str]:
    """An option as documentation, in lines.

    :param names: how the documentation refers to an option of the role
    """
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
            yield from documented(one, names, indent + 4)


def reworded(text: str, names: Mapping[str, str]) -> str:
    """The references to variables of the role, as those of the module's options."""

    def one(match: re.Match[str]) -> str:
        name, rest = match[1], match[2] or ""
        return f"O({names[name]}{rest})" if name in names else f"C({name})"

    return re.sub(r"O\((\w+)(=[^)]*)?\)", one, text)


def fragment(role: str) -> str:
    """The documentation of a system's options."""
    described = service(role)
    names = {role_name: f"service.{name}" for name, (role_name, _option) in described.items()}
    what = SYSTEMS[role].what
    lines = [
        "options:",
        "  service:",
        "    description:",
        f"      - {what[0].upper()}{what[1:]} as the inventory describes it.",
        "    type: dict",
        "    required: true",
        "    suboptions:",
    ]
    for name, (_role_name, option) in described.items():
        lines += [f"      {name}:", *documented(option, names, 8)]
    for group, options in groups(role).items():
        lines += ['"""', "", f'    {group} = r"""', "options:"]
        for name, (_role_name, option) in options.items():
            lines += [f"  {name}:", *documented(option, names, 4)]
    return (
        f'{LICENCE}"""The description of {what}. {WRITTEN}"""\n\nfrom __future__ import annotations\n\n\n'
        'class ModuleDocFragment:\n    DOCUMENTATION = r"""\n' + "\n".join(lines) + '\n"""\n'
    )


# -- variables and tasks -----------------------------------------------------------------------------


def marks(name: str) -> tuple[str, str]:
    """The marks around what is written in a file of YAML that is otherwise written by hand."""
    return f"# The {name}. {WRITTEN}", f"# The end of the {name}."


def filled(options: Options) -> list[str]:
    """Each option of a module as the template of the role's variable."""
    return [f'{name}: "{{{{ {role_name} }}}}"' for name, (role_name, _option) in options.items()]


# -- the files ---------------------------------------------------------------------------------------


def files() -> Iterator[tuple[Path, str]]:
    """Each file that is written, with its text."""
    for role in roles():
        yield ROOT / f"roles/{role}/meta/argument_specs.yml", source(role)
        yield ROOT / f"roles/{role}/defaults/main.yml", defaults(role)
    for role, system in SYSTEMS.items():
        variables, look = ROOT / f"roles/{role}/vars/main.yml", ROOT / f"roles/{role}/tasks/{system.look}.yml"
        lines = [f"__{role}_service:", *(f"  {line}" for line in filled(service(role)))]
        yield variables, between(*marks("service"), lines, variables.read_text(encoding="utf-8"))
        yield look, between(*marks("limits"), filled(limits(role)), look.read_text(encoding="utf-8"), " " * 4)
        yield ROOT / f"plugins/module_utils/{role}/options.py", options_file(role)
        yield ROOT / f"plugins/doc_fragments/{role}.py", fragment(role)
    for role, entry in SETTINGS.items():
        variables, options = ROOT / f"roles/{role}/vars/main.yml", specs_of(role)[entry]["options"]
        lines = filled({name.removeprefix(f"{role}_"): (name, option) for name, option in options.items()})
        lines = [f"__{role}_settings:", *(f"  {line}" for line in lines)]
        yield variables, between(*marks("settings"), lines, variables.read_text(encoding="utf-8"))
