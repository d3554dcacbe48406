# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One class of refusals, one masker, one reader of JSON of others, one way to a state and from a step to its act."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_files import COMMAND, PLUGINS, called

ROOT = Path(__file__).resolve().parents[2]
FILES = [*PLUGINS, *COMMAND]
MASKERS = ("secrets/redact.py", "secrets/names.py", "secrets/text.py")
#: Expressions that speak of secrets and mask nothing: what they are for.
NO_MASKS = {
    "compose/secrets/value.py": "which values this collection may make anew",
    "health/blame.py": "the words of a failed login",
    "compose/diagnosis/signs.py": "the words by which a database refuses a login",
    "compose/secrets/usage.py": "an address with a mark in the place of the password",
    "github/module.py": "the form of an address",
    "postgres/server.py": "a connection with a password in it, which is refused",
    "destructive/pipeline.py": "a pipeline's name for a value that it does not have itself",
}
#: Files that hide a whole value by the place where it stands, and search no text for it.
WHOLE = {
    "health/endpoint.py": "headers, bodies and the values of a query",
    "health/gate.py": "the mask of a check, handed to the one Redactor",
    "compose/diagnosis/bundle.py": "parts of a compose file, by their keys",
    "modules/dokku_config.py": "the arguments of the module",
    "ops_runbook/run.py": "inputs, by their names",
}
#: Files that read JSON of their own making, of Ansible, or of a person at the same machine.
OWN_JSON = {
    "text/foreign_json.py": "the mechanism",
    "compose/migrations/alembic_probe.py": "a program in the container, and the first line of its answer",
    "console/fleet.py": "an input of the operator",
    "console/written.py": "a file of inputs, which Ansible has read as JSON before",
    "ops_runbook/doctor.py": "the answer of ansible-inventory",
    "ops_runbook/run.py": "the command that this program wrote itself",
}
_SPEAKS_OF_SECRETS = re.compile(r"passw|passwd|secret|token|api.?key|bearer|://\[\^", re.IGNORECASE)


def expressions(source: str) -> list[str]:
    """The texts that are given to `re`."""
    return [
        ast.unparse(argument)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        for argument in node.args[:1]
        if not isinstance(argument, ast.Name)
    ]


def own_masks(source: str) -> list[str]:
    """Places that put a mask into a text: by replace(), by sub(), or as a literal of stars."""
    tree = ast.parse(source)
    found = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("replace", "sub", "subn")
        and any(isinstance(one, ast.Name) and one.id == "MASK" for one in node.args)
    ]
    return found + [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"=?\*{3,}", node.value)
    ]


def own_addresses(source: str) -> list[str]:
    """Places that cut a login out of an address by its @."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("partition", "rpartition", "split", "rsplit")
        and any(isinstance(one, ast.Constant) and one.value == "@" for one in node.args)
        and "netloc" in ast.unparse(node.func.value) + ast.unparse(node)
    ]


def json_readers(source: str) -> list[int]:
    """The lines that read JSON without the limits of foreign_json, inside of no text."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("load", "loads")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("json", "jsonlib")
    ]


#: Files that ask for the name of a user themselves, and why.
ASKS_FOR_NAMES = {
    "host/user_name.py": "the mechanism",
    "sshd/files.py": "an owner without a name is in no group, and a number would hide that",
}


@pytest.mark.parametrize("path", FILES, ids=called)
def test_a_user_is_named_in_one_way(path: Path) -> None:
    asks = re.search(r"getpwuid\([^\n]*\)\.pw_name", path.read_text()) is not None
    assert asks is (called(path) in ASKS_FOR_NAMES), "host/user_name.py also knows what a user without a name is called"


def own_problems(source: str) -> list[str]:
    """The classes of exceptions with a code or ways of their own, and the problems that are copied by hand."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(_ENDS) for base in node.bases):
            given = {ast.unparse(one) for part in ast.walk(node) for one in _targets(part)}
            if given & {"code", "ways", "self.code", "self.ways"}:
                found.append(node.name)
        if isinstance(node, ast.Call) and len(node.args) > 2:
            code, text, ways = map(ast.unparse, node.args[:3])
            name = code.rpartition(".code")[0]
            if name and text in (f"str({name})", f"{name}.text") and ways in (f"{name}.ways", f"tuple({name}.ways)"):
                found.append(ast.unparse(node))
    return found


#: How the name of a class ends that exceptions derive from.
_ENDS = ("Exception", "Error", "Problem", "Refused", "Failed")


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return [part for one in node.targets for part in (one.elts if isinstance(one, ast.Tuple) else [one])]
    return [node.target] if isinstance(node, ast.AnnAssign) else []


@pytest.mark.parametrize("path", FILES, ids=called)
def test_a_refusal_has_one_class(path: Path) -> None:
    if called(path) != "text/problem.py":
        assert own_problems(path.read_text()) == [], "text/problem.py has code, ways and details: raise that, or derive"


@pytest.mark.parametrize("path", FILES, ids=called)
def test_no_file_has_a_masker_of_its_own(path: Path) -> None:
    if called(path) in (*MASKERS, *NO_MASKS):
        return
    found = [text for text in expressions(path.read_text()) if _SPEAKS_OF_SECRETS.search(text)]
    assert found == [], "redact.py masks; a new form of a secret belongs into secrets/text.py"


def own_redactors(source: str) -> list[str]:
    """The classes that have the name of the one that masks."""
    classes = (node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    return [name for name in classes if "redact" in name.lower()]


@pytest.mark.parametrize("path", FILES, ids=called)
def test_one_class_is_the_redactor(path: Path) -> None:
    """Another part hands its values to that one, and a reader has one to know."""
    assert own_redactors(path.read_text()) == (["Redactor"] if called(path) == "secrets/redact.py" else [])


@pytest.mark.parametrize("path", FILES, ids=called)
def test_no_file_puts_a_mask_into_a_text_by_itself(path: Path) -> None:
    if called(path) in (*MASKERS, *WHOLE):
        return
    assert own_masks(path.read_text()) == [], "redact.Redactor knows each spelling of a value, replace() knows one"


@pytest.mark.parametrize("path", FILES, ids=called)
def test_no_file_cuts_a_login_out_of_an_address_by_itself(path: Path) -> None:
    if called(path) not in MASKERS:
        assert own_addresses(path.read_text()) == [], "redact.without_login: a password may have a slash"


@pytest.mark.parametrize("path", FILES, ids=called)
def test_json_of_others_is_read_in_one_way(path: Path) -> None:
    if called(path) in OWN_JSON:
        return
    assert json_readers(path.read_text()) == [], "foreign_json.loads gives a value or ValueError, also for a deep text"


def test_a_masker_and_a_reader_are_seen() -> None:
    assert [text for text in expressions("re.compile(r'token=\\S+')") if _SPEAKS_OF_SECRETS.search(text)]
    assert own_masks("text.replace(value, MASK)") and own_masks("x = '***'") and own_masks("re.sub(p, MASK, t)")
    assert not own_masks("redact.Redactor(values)(text)")
    assert own_redactors("class _Redactor(Base):\n    pass") == ["_Redactor"] and own_redactors("Redactor(x)") == []
    assert own_addresses("parts.netloc.rpartition('@')[2]") and not own_addresses("name.partition('@')")
    own = "class Refused(Exception):\n    def __init__(self, code, ways=()):\n        self.code, self.ways = code, ways"
    assert own_problems(own) == ["Refused"] and own_problems("class NoImage(PinError):\n    code = 'no_image'")
    assert own_problems("raise Refusal(problem.code, str(problem), problem.ways, problem.details)")
    assert (
        own_problems("class GitHubError(Problem):\n    def __init__(self, status):\n        self.status = status") == []
    )
    assert json_readers("json.loads(x)") == [1] and json_readers("foreign_json.loads(x)") == []


# -- desired state -------------------------------------------------------------------------------

#: Modules that tell on failure too what they know by then, and why.
TELL_MORE = {
    "modules/github_protection.py": "the table of a repository whose change was refused",
    "modules/github_workflow_run.py": "the run that was started, and how far it came",
}


def own_states(source: str) -> list[str]:
    """The functions that carry out a plan and compare what they read back, and the classes that hold the result."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            called_of: dict[str, set[str]] = {}
            for one in ast.walk(node):
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
                    called_of.setdefault(ast.unparse(one.func.value), set()).add(one.func.attr)
            if any({"read", "left"} <= names and names & {"apply", "carry_out"} for names in called_of.values()):
                found.append(node.name)
        if isinstance(node, ast.ClassDef):
            fields = {ast.unparse(one.target) for one in node.body if isinstance(one, ast.AnnAssign)}
            if fields == {"subject", "before", "after"} or {"plan", "before", "after"} <= fields:
                found.append(node.name)
    return found


def own_ends(source: str) -> list[str]:
    """The calls by which a module shows warnings, or makes its end of a problem, by itself."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("warn", "to_failure", "failure")
    ]


@pytest.mark.parametrize("path", FILES, ids=called)
def test_a_thing_is_brought_to_its_state_in_one_way(path: Path) -> None:
    if called(path) != "desired_state/state.py":
        assert own_states(path.read_text()) == [], "desired_state/state.py plans, carries out, reads back and tells it"


@pytest.mark.parametrize("path", [path for path in PLUGINS if called(path).startswith("modules/")], ids=called)
def test_a_module_that_settles_something_ends_in_one_way(path: Path) -> None:
    found = own_ends(path.read_text())
    assert bool(found) is (called(path) in TELL_MORE), f"desired_state.module.run ends a module: {found}"


def test_a_second_mechanism_and_a_second_end_are_seen() -> None:
    assert own_states((ROOT / "plugins/module_utils/desired_state/state.py").read_text()) == [
        "Change",
        "Brought",
        "_proven",
    ]
    assert own_states("def f(s, h):\n    s.apply(h, p)\n    after = s.read(h)\n    return s.left(after)") == ["f"]
    assert not own_states("def f(state, host):\n    return state.left(state.read(host))")
    assert own_ends("for text in found.pop('warnings'):\n    module.warn(text)")
    assert own_ends("module.fail_json(**problem.to_failure())") and not own_ends("run(module, settled)")


# -- steps ---------------------------------------------------------------------------------------


def dispatches(source: str) -> list[str]:
    """Attributes that are looked up by a name that is put together, or that somebody outside gave."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "getattr"
        and len(node.args) > 1
        and not isinstance(node.args[1], ast.Constant)
        and (ast.unparse(node.args[0]) == "self" or isinstance(node.args[1], (ast.JoinedStr, ast.BinOp)))
    ]


@pytest.mark.parametrize("path", FILES, ids=called)
def test_no_file_finds_a_function_by_a_name_that_is_put_together(path: Path) -> None:
    assert dispatches(path.read_text()) == [], "a dict from the id to the function is found by a search, and by mypy"


def test_a_dispatch_by_name_is_seen() -> None:
    assert dispatches("getattr(self, f'_do_{verb}')") and dispatches("getattr(work, '_do_' + verb)")
    assert dispatches("getattr(self, item)")
    assert not dispatches("getattr(error, 'reason', None) or getattr(change, side)")


def planned(source: str) -> set[str]:
    """The ids of the steps that a file plans, up to a colon."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Step" and node.args:
            first = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            if isinstance(first, ast.Constant):
                found.add(str(first.value).partition(":")[0])
    return found


def done(source: str) -> set[str]:
    """The ids in the functions that say what does a step; a function that plans steps says nothing of that."""
    return {
        str(key.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name in ("acts", "steps") and not planned(ast.unparse(node))
        for found in ast.walk(node)
        for key in _keys(found)
        if isinstance(key, ast.Constant)
    }


def _keys(node: ast.AST) -> Iterator[ast.AST | None]:
    """The keys of a dict that is written out, or made of a tuple of them."""
    if isinstance(node, ast.Dict):
        yield from node.keys
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict.fromkeys":
        yield from ast.walk(node.args[0])


#: The packages that offer procedures to the guard; the one of console reads playbooks.
SYSTEMS = {path.parent.name for path in PLUGINS if path.name == "procedures.py"} - {"console"}


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_each_step_that_a_system_plans_is_done_by_something(system: str) -> None:
    sources = [path.read_text() for path in PLUGINS if called(path).startswith(f"{system}/")]
    steps = set().union(*map(planned, sources))
    assert steps
    assert sorted(steps - set().union(*map(done, sources))) == []


def test_a_step_that_nothing_does_is_seen() -> None:
    plan = "Step('keep', 'keep it'); Step(f'migrate_down:{name}', ''); Step(raw['id'], '')"
    assert planned(plan) == {"keep", "migrate_down"}
    assert done("def acts(self):\n    return {'keep': self.keep, **dict.fromkeys(('tls',), part)}") == {"keep", "tls"}
    assert done("def steps(facts):\n    return [Step('keep', '', data={'release': 1})]") == set()
