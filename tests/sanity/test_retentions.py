"""Each function that removes the older of several things has a scenario with two owners in one folder.

A retention that takes everything in a folder for its own is found when it is written: by its name, or because it
removes things in a loop over what a folder has.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_files import COMMAND, PLUGINS, stem

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*PLUGINS, *COMMAND]
#: The tests in which two owners meet, one scenario a retention.
SCENARIOS = "tests/unit/backup/test_retention_owners.py"
NAMED = re.compile(
    r"(?:^|_)(?:prune|expired?|sweep|tidy|retain|retention|rotate|outdated|removable|purge|evict|strays)(?:_|$)"
)
LISTS = {"listdir", "scandir", "glob", "iglob", "iterdir", "rglob", "walk", "names", "keys", "kept", "look"}
REMOVES = {"rmtree", "remove_tree", "unlink", "rmdir", "remove", "forget", "_discard", "discard", "remove_image"}

#: Functions that look like a retention and are not one, each with the reason.
OTHERS = {
    "sshd/authorized_keys.Key.expired": "tells whether a key's own end is over, and removes nothing",
    "backup/store.Store.remove": "removes the one backup that is named",
    "host/git_checkout.Checkout.clear_dead_locks": "removes what a killed git left, under the lease",
    "host/git_checkout.Checkout.save_changes": "removes its own unfinished copy",
    "compose/steps.ComposeSteps.retention": "asks removable of compose/release.py and forget_graphs",
    "dokku/release_steps.Change.retention": "asks the plugin releases, whose records and holds have the app's name",
    "dokku/release_steps.Change.clear_strays": "asks the plugin releases; test_strays.py has other owners",
    "dokku/release.Situation.strays": "names of containers, and removes none",
    "laravel/settings._is_outdated": "tells whether a cache is older than .env, and removes nothing",
    "guard/ledger_index.Index.tidy": "removes files that are derived from the one ledger beside them",
    "ops_runbook/run.private_folder": "removes folders of dead processes, by the number in their names",
    "ssh_keys/steps.KeySteps._restore": "takes back what its own operation's folder names",
    "ssh_keys/steps.KeySteps.forget": "removes the folder of its own operation",
    "laravel/vendor_store.VendorStore.tidy": "repairs what a kill left in a folder that this service alone writes",
}


def functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}.{node.name}")
        elif isinstance(node, ast.FunctionDef):
            yield f"{prefix}.{node.name}", node


def called(node: ast.AST) -> set[str]:
    """The last words of all calls in a piece of code."""
    calls = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    return {
        one.attr if isinstance(one, ast.Attribute) else one.id
        for one in calls
        if isinstance(one, (ast.Attribute, ast.Name))
    }


def removes_in_a_loop(node: ast.FunctionDef) -> bool:
    """True if it removes, in a loop, in a function that lists what there is."""
    loops = [one for one in ast.walk(node) if isinstance(one, (ast.For, ast.ListComp, ast.GeneratorExp))]
    return bool(called(node) & LISTS) and any(called(loop) & REMOVES for loop in loops)


def retentions(source: str, name: str) -> set[str]:
    return {
        found
        for found, node in functions(ast.parse(source), name)
        if NAMED.search(node.name) or removes_in_a_loop(node)
    }


def known() -> set[str]:
    tree = ast.parse((ROOT / SCENARIOS).read_text())
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "RETENTIONS":
            assert isinstance(node.value, ast.Dict)
            return {str(ast.literal_eval(key)) for key in node.value.keys if key is not None}
    raise AssertionError(f"{SCENARIOS} has no RETENTIONS")


FOUND = {name for path in SOURCES for name in retentions(path.read_text(), stem(path))}


def test_each_retention_has_a_scenario_with_two_owners() -> None:
    missing = sorted(FOUND - known() - OTHERS.keys())
    assert not missing, f"neither a scenario in {SCENARIOS} nor a reason in OTHERS here: {missing}"


def test_excused_functions_exist() -> None:
    everything = {name for path in SOURCES for name, _ in functions(ast.parse(path.read_text()), stem(path))}
    assert sorted((OTHERS.keys() | known()) - everything) == []


@pytest.mark.parametrize(
    "source",
    [
        "def prune(folder): pass",
        "class Store:\n    def _do_sweep_all(self): pass",
        "def tidy_up(folder):\n    for name in os.listdir(folder):\n        os.unlink(name)",
        "def clear(folder):\n    names = sorted(folder.iterdir())\n    for name in names[3:]:\n        rmtree(name)",
        "def keep(folder):\n    [held_path.remove_tree(one) for one in glob.glob(folder)]",
    ],
)
def test_a_new_one_is_found(source: str) -> None:
    assert len(retentions(source, "new")) == 1


def test_a_function_that_removes_one_thing_is_not_a_retention() -> None:
    assert retentions("def remove(path):\n    os.unlink(path)\n", "new") == set()
