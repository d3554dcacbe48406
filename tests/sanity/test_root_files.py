"""Whatever may run as root writes files in one way: by their name in an open folder, with its owner's rights.

Modules run as root with --become, in folders of users who are not. A path that is written to directly may be a link by
then. So durable_file and owned_folder write, and each other place is named here with the reason why it needs neither.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from code_files import PLUGINS, called, shown

ROOT = Path(__file__).resolve().parents[2]
#: Where the one way is made, and what removes.
OWN = {
    "host/owned_folder.py",
    "host/durable_file.py",
    "host/durable_tree.py",
    "host/held_path.py",
    "host/rename_exchange.py",
}
_OS = (
    "makedirs mkdir rename replace renames symlink link chown lchown chmod lchmod truncate mkfifo mknod utime setxattr"
)
WRITERS = {f"os.{name}" for name in _OS.split()} | {
    f"shutil.{name}" for name in ("copy", "copy2", "copyfile", "copytree", "move", "chown", "unpack_archive")
}
FLAGS = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND")
METHODS = {"write_text", "write_bytes", "touch", "symlink_to", "hardlink_to", "extractall", "extract"}

OF_THE_APP = "in the application's folder, whose code this user runs anyway"
TEMPORARY = "in a new folder of tempfile"
CONTROLLER = "on the controller, as the user who types"
ALLOWED = {
    "compose/migrations/alembic_probe.py: open": f"1 {TEMPORARY}",
    "compose/pins/files.py: open": f"1 {TEMPORARY}",
    "sshd/revocations.py: open": f"1 {TEMPORARY}",
    "laravel/migrations/schema.py: open": f"1 {TEMPORARY}",
    "laravel/probe.py: shutil.copyfile": f"1 {TEMPORARY}",
    "host/git_checkout.py: os.makedirs": f"2 {OF_THE_APP}",
    "host/git_checkout.py: shutil.copy2": f"1 {OF_THE_APP}",
    "laravel/convert.py: os.makedirs": f"2 {OF_THE_APP}",
    "laravel/convert.py: os.symlink": f"2 {OF_THE_APP}",
    "laravel/settings.py: shutil.copy2": f"2 {OF_THE_APP}",
    "laravel/release_steps.py: os.makedirs": f"2 {OF_THE_APP}",
    "laravel/release_steps.py: os.chown": f"1 {OF_THE_APP}",
    "laravel/release_steps.py: os.chmod": f"2 {OF_THE_APP}",
    "laravel/release_steps.py: os.symlink": f"1 {OF_THE_APP}",
    "laravel/release_folders.py: os.symlink": f"2 {OF_THE_APP}",
    "laravel/release_folders.py: os.makedirs": f"4 {OF_THE_APP}",
    "laravel/vendor_store.py: os.makedirs": f"1 {OF_THE_APP}",
    "compose/secrets/steps.py: tempfile.mkstemp": f"1 {OF_THE_APP}",
    "compose/secrets/steps.py: os.setxattr": "1 on a file that is open",
    "sshd/key_file.py: tempfile.mkstemp": "1 in an open folder, by its path below /proc/self/fd",
    "sshd/key_file.py: os.setxattr": "1 on a file that is open",
    "guard/ledger_book.py: os.utime": "1 on a file that is open",
    "ssh_keys/vault.py: os.makedirs": f"1 {CONTROLLER}",
    "ssh_keys/vault.py: os.open": f"1 {CONTROLLER}",
}


def calls(source: str) -> Iterator[str]:
    """Each call that writes to a path, as its name."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        words = [ast.unparse(word) for word in (*node.args, *(keyword.value for keyword in node.keywords))]
        if name in WRITERS or (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS and name != "ast"):
            yield name
        elif name == "os.open" and not any("_FOLDER" in word or word == "os.O_RDONLY" for word in words[1:2]):
            if any(flag in word for flag in FLAGS for word in words) or not any("O_" in word for word in words):
                yield name
        elif name in ("open", "io.open"):
            mode = next((keyword.value for keyword in node.keywords if keyword.arg == "mode"), None)
            mode = node.args[1] if len(node.args) > 1 else mode
            if mode is not None and not (isinstance(mode, ast.Constant) and not set(str(mode.value)) & set("wax+")):
                yield name
        elif name in ("tempfile.mkstemp", "tempfile.NamedTemporaryFile", "tempfile.mkdtemp") and any(
            keyword.arg == "dir" for keyword in node.keywords
        ):
            yield name


def places() -> Counter[str]:
    found: Counter[str] = Counter()
    for path in PLUGINS:
        if shown(path).startswith(("plugins/module_utils/", "plugins/modules/")) and called(path) not in OWN:
            found.update(f"{called(path)}: {call}" for call in calls(path.read_text()))
    return found


def test_nothing_else_writes_to_a_path() -> None:
    found = places()
    new = {where: number for where, number in found.items() if number > int(ALLOWED.get(where, "0").partition(" ")[0])}
    assert new == {}, "write with durable_file or owned_folder, or say here why a link in that place harms nobody"
    gone = {where for where, why in ALLOWED.items() if found[where] != int(why.partition(" ")[0])}
    assert gone == set(), "these are fewer by now"


@pytest.mark.parametrize(
    "line",
    [
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "os.open(path, flags, 0o600)",
        "open(path, 'w')",
        "open(path, mode='ab')",
        "open(path, mode)",
        "os.makedirs(path)",
        "os.rename(a, b)",
        "shutil.copyfile(a, b)",
        "Path(path).write_text('')",
        "archive.extractall(folder)",
        "tempfile.mkstemp(dir=folder)",
    ],
)
def test_a_new_writer_is_seen(line: str) -> None:
    assert list(calls(line))


@pytest.mark.parametrize(
    "line", ["open(path)", "open(path, 'rb')", "os.open(path, os.O_RDONLY | os.O_CLOEXEC)", "tempfile.mkdtemp()"]
)
def test_a_reader_is_none(line: str) -> None:
    assert not list(calls(line))
