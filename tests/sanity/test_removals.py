"""Nothing is removed on a host but what was held to its folder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from code_files import PLUGINS, called

#: What removes. `held_path.remove_tree` and `held_path.remove_file` are these, behind a look at where the path leads.
REMOVERS = {"shutil.rmtree", "shutil.move", "os.unlink", "os.remove", "os.removedirs", "pathlib.Path.unlink"}

#: Removals whose path holds nothing of an inventory or of a person's input, with the reason.
HARMLESS: dict[tuple[str, str], str] = {
    ("host/durable_file.py", "os.unlink(temporary, dir_fd=folder)"): "it was made there under a random name",
    ("host/durable_file.py", "os.unlink(os.path.basename(path), dir_fd=folder)"): "one name in an open folder",
    ("host/owned_folder.py", "os.unlink(os.path.basename(path), dir_fd=folder)"): "one name in an open folder",
    ("sshd/key_file.py", "os.unlink(temporary)"): "mkstemp made it",
    ("compose/secrets/steps.py", "os.unlink(temporary)"): "mkstemp made it",
    ("laravel/probe.py", "shutil.rmtree(scratch, ignore_errors=True)"): "mkdtemp made it",
    ("laravel/procedures.py", "shutil.rmtree(scratch, ignore_errors=True)"): "mkdtemp made it",
    ("host/git_checkout.py", "os.unlink(path)"): "lock files of git, by their constant names",
    ("host/git_checkout.py", "os.unlink(part)"): "a constant name in a folder of ours",
    ("host/git_checkout.py", "os.unlink(copy)"): "a constant name in a folder of ours",
}


def removals(source: str) -> list[str]:
    """Every call that removes, as it is written."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and (
            ast.unparse(node.func) in REMOVERS
            or isinstance(node.func, ast.Attribute)
            and node.func.attr in ("unlink", "rmtree")
            and ast.unparse(node.func) not in REMOVERS
        )
    ]


@pytest.mark.parametrize("path", [path for path in PLUGINS if called(path) != "host/held_path.py"], ids=called)
def test_a_removed_path_was_held_to_its_folder(path: Path) -> None:
    found = removals(path.read_text())
    assert [call for call in found if (called(path), call) not in HARMLESS] == []


@pytest.mark.parametrize(
    "source",
    [
        "shutil.rmtree(os.path.join(folder, name))",
        "os.unlink(a)",
        "os.remove(a)",
        "Path(a).unlink()",
        "shutil.move(a, b)",
        "call(rmtree=shutil.rmtree(a))",
    ],
)
def test_a_removal_is_seen(source: str) -> None:
    assert removals(source)
