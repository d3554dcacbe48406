"""Each way forward that a refusal prints can be typed: a shell hands over what was meant, and the name is known."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from code_files import PLUGINS, called

from ansible_collections.ops.runbook.plugins.module_utils.text import ways
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
PROCEDURES = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))
#: What carries a refusal to a person, and where among its arguments the ways begin.
CARRIERS = {"Problem": 2, "GitHubError": 2, "StateUnreadable": 2, "CannotPin": 2, "DokkuError": 2}
#: Holes of a command that a name fills, of which a shell takes nothing apart: Dokku's own names, users, units.
NAMES = re.compile(
    r"(self\.|facts\.|service\.|self\.service\.|database\.|wish\.|run\.)?(app|plugin|service|name|user|unit|registry|owner|host|project|kind|run_id|repository)\Z"
    r"|repository|way|one|link|beside|rule|user_name\(\)|name of .*"
)


@dataclass(frozen=True)
class Way:
    """A way as the source has it. text: with a sample for each hole. holes: what fills them, as source."""

    place: str
    text: str
    effect: str
    holes: tuple[str, ...]
    #: Of a module that tasks call: its options are named, and there is no command line to type them on.
    module: bool = False

    def __str__(self) -> str:
        return f"{self.place} {self.text}"


def texts(node: ast.AST) -> list[tuple[str, tuple[str, ...]]]:
    """Texts that an expression may say, with a sample for each hole; empty if that can't be seen."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [(node.value, ())]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        said, holes = "", []
        for part in node.values:
            if isinstance(part, ast.Constant):
                said += str(part.value)
            elif isinstance(part, ast.FormattedValue):
                source = ast.unparse(part.value)
                holes.append(source)
                said += "'x 1'" if source.startswith(("shlex.quote(", "shlex.join(")) else "one"
        return [(said, tuple(holes))]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [(a + c, b + d) for a, b in texts(node.left) for c, d in texts(node.right)]
    return []


def carries(node: ast.AST) -> list[ast.AST]:
    """The expressions in which a construction holds its ways."""
    if not isinstance(node, ast.Call):
        return []
    name = ast.unparse(node.func).rpartition(".")[2]
    if name not in CARRIERS:
        return []
    first = CARRIERS[name]
    return [*node.args[first : first + 1], *(word.value for word in node.keywords if word.arg == "ways")]


def named(tree: ast.AST) -> set[str]:
    """Names that hold ways: what carriers are given, and what is called a way."""
    names = {"ways", "way"}
    for node in ast.walk(tree):
        for found in carries(node):
            names |= {part.id for part in ast.walk(found) if isinstance(part, ast.Name)}
    return names


def found_in(path: Path) -> Iterator[Way]:
    tree = ast.parse(path.read_text())
    names = named(tree)
    held: list[ast.AST] = []
    for node in ast.walk(tree):
        held += carries(node)
        if isinstance(node, ast.Call):
            held += [word.value for word in node.keywords if word.arg in ("way", "ways")]
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("append", "extend", "insert"):
                held += node.args if ast.unparse(node.func.value) in names else []
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(part, ast.Name) and part.id in names for each in targets for part in ast.walk(each)):
                held.append(node.value)
    seen: set[tuple[int, int]] = set()
    of_modules = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "GitHubError"
        for part in ast.walk(node)
    }
    for pair in (part for expression in held for part in ast.walk(expression)):
        if not isinstance(pair, ast.Tuple) or len(pair.elts) != 2 or (pair.lineno, pair.col_offset) in seen:
            continue
        effects = texts(pair.elts[1])
        if not effects or not any(" " in effect or not effect for effect, _holes in effects):
            continue
        seen.add((pair.lineno, pair.col_offset))
        for text, holes in texts(pair.elts[0]):
            module = id(pair) in of_modules or called(path).startswith(("github/", "dokku/state/", "modules/github_"))
            yield Way(f"{called(path)}:{pair.lineno}", text, effects[0][0], holes, module)


WAYS = [way for path in PLUGINS for way in found_in(path)]


#: How a playbook or a role takes an input.
_GIVEN = r"\{\{\s*(\w+)\s*\||lookup\('ops\.runbook\.input', '(\w+)'"


def known_inputs() -> set[str]:
    names = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in plain_yaml.load(path.read_text())["argument_specs"].values():
            names |= set(entry.get("options") or {})
    for path in [
        *ROOT.glob("playbooks/*.yml"),
        *ROOT.glob("roles/*/defaults/main.yml"),
        *ROOT.glob("roles/*/vars/main.yml"),
    ]:
        text = path.read_text()
        names |= {one for found in re.findall(_GIVEN, text) for one in found if one}
    return names | {"ansible_user"}


KNOWN = known_inputs()


def problem(way: Way) -> str:
    """Why a person could not type a way; empty where they can."""
    form = ways.form(way.text, way.effect)
    if way.module and form != ways.COMMAND:
        return ""
    if not form:
        return "is neither inputs, a command line, a procedure nor words that open as ways.py has them"
    if form in (ways.INPUTS, ways.PROCEDURE):
        given = ways.typed(way.text, way.effect)
        words = shell_words(given)
        wanted = [part for name, value in ways.inputs(way.text) for part in ("-e", f"{name}={value}")]
        if words is None or words[-len(wanted) :] != wanted[-len(wanted) :] and wanted:
            return f"comes out of a shell as {words}"
        unknown = {name for name, _value in ways.inputs(way.text) if name not in KNOWN and name != "one"}
        if unknown:
            return f"names inputs that no procedure takes: {', '.join(sorted(unknown))}"
        if form == ways.PROCEDURE and way.text.split()[0].replace("one_", "laravel_") not in PROCEDURES:
            return "names a procedure that there is not"
    if form == ways.COMMAND:
        if subprocess.run(["sh", "-n"], input=way.text.encode(), capture_output=True, check=False).returncode:
            return "is not accepted by a shell"
        if re.search(r",(\s|$)| or ", re.sub(r"'[^']*'|\"[^\"]*\"", "", way.text)):
            return "is a sentence with more than one command"
        if re.search(r"(?<![\w'\"])[\[<][\w /]", re.sub(r"'[^']*'", "", way.text)):
            return "has a placeholder that a shell takes for a file"
        loose = [hole for hole in way.holes if not hole.startswith(("shlex.", "ways.")) and not NAMES.match(hole)]
        if loose and "<<" not in way.text:
            return f"has holes that are not quoted (shlex.quote, shlex.join): {', '.join(loose)}"
    return ""


def shell_words(line: str) -> list[str] | None:
    """The words that a shell makes of a line."""
    done = subprocess.run(["sh", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=False)
    return done.stdout.split("\0")[:-1] if done.returncode == 0 else None


def test_the_ways_are_found() -> None:
    assert len(WAYS) > 120


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_printed_commands_can_be_typed(way: Way) -> None:
    found = problem(way)
    assert not found, f"{way.place}: {way.text!r} ({way.effect}) {found}"


BAD = {
    "a list that a shell takes apart": ("laravel_shared=['.env','storage']", "shares them"),
    "a mapping": ("compose_images={a: b}", "names what a release pins"),
    "prose where an input is promised": ("git commit, or something like it instead of an input", "x y"),
    "two inputs in a sentence": ("to=<tag>, to=<commit>", "names one"),
    "an input that there is not": ("to_release=v1", "names one"),
    "a procedure that there is not": ("laravel_undo", "goes back"),
    "a placeholder as a file": ("ln -s releases/<one> current", "on the host"),
    "a line that is not shell": ("echo 'x", "on the host"),
}


@pytest.mark.parametrize("name", [name for name in BAD if "prose" not in name])
def test_a_command_that_can_not_be_typed_is_found(name: str) -> None:
    text, effect = BAD[name]
    assert problem(Way("here:1", text, effect, ()))


def test_a_hole_that_is_not_quoted_is_found() -> None:
    assert problem(Way("here:1", "rm x1", "on the host", ("locks[0]",)))
    assert not problem(Way("here:1", "rm 'x 1'", "on the host", ("shlex.quote(locks[0])",)))


def test_an_input_comes_out_of_a_shell_as_it_went_in() -> None:
    for value in ("v1.2.0", "it's", "a b", "$HOME", "`id`", "<commit or tag>", ["a b", "c'd"], {"a": ["b"]}):
        words = shell_words(ways.given("to", value))
        assert words is not None and words[0] == "-e" and len(words) == 2
        plain = words[1] == f"to={value}"
        assert plain or yaml.safe_load(words[1]) == {"to": value}
    assert shlex.split(ways.typed("lock_takeover=20260101-ab interrupted=undo")) == [
        "-e",
        "lock_takeover=20260101-ab",
        "-e",
        "interrupted=undo",
    ]
    assert (
        ways.typed("laravel_convert with state=in_place")
        == "ansible-playbook ops.runbook.laravel_convert -e state=in_place"
    )
