"""A test has nothing of whoever runs it: their name, their settings of git, their language, umask, or signals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Looks at what a test sees, from within the tests.
LOOK = """
import os, signal, subprocess
import tests.conftest
name = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True).stdout.strip()
branch = subprocess.run(["git", "config", "init.defaultBranch"], capture_output=True, text=True).stdout.strip()
deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
print([name, branch, os.environ.get("GIT_DIR"), os.environ["LC_ALL"], oct(os.umask(0)), deaf])
"""


def test_a_test_has_nothing_of_whoever_runs_it(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Somebody\n[init]\n\tdefaultBranch = trunk\n")
    theirs = {"HOME": str(tmp_path), "GIT_DIR": str(tmp_path / "x"), "LC_ALL": "de_DE.UTF-8", "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        ["sh", "-c", 'umask 077; trap "" INT; exec "$@"', "sh", sys.executable, "-c", LOOK],
        cwd=tmp_path,
        env={**os.environ, "GIT_CONFIG_GLOBAL": str(tmp_path / ".gitconfig"), **theirs},
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == str(["", "main", None, "C.UTF-8", "0o22", False])
