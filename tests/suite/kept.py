"""Results that outlive a run: a line for each test that ended, in a file named after the tree that was tested."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from suite.junit import Case

#: A whole green run writes into these pages; its own words do not make it another tree.
WRITTEN = "docs/proof"


def tree(root: Path) -> str:
    """The id of the tree that is checked out, with all that is not committed yet and not ignored either."""
    real = Path(_git(root, "rev-parse", "--git-path", "objects"))
    with tempfile.TemporaryDirectory() as folder:
        # Neither the index nor the objects of the repository are touched.
        environment = {
            **os.environ,
            "GIT_INDEX_FILE": f"{folder}/index",
            "GIT_OBJECT_DIRECTORY": folder,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((root / real).resolve()),
        }
        _git(root, "read-tree", "HEAD", environment=environment)
        _git(root, "add", "--all", "--", ".", f":!{WRITTEN}", environment=environment)
        _git(root, "rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", WRITTEN, environment=environment)
        return _git(root, "write-tree", environment=environment)


def _git(root: Path, *words: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(["git", *words], cwd=root, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def read(path: Path) -> dict[str, Case]:
    """The last result of each test. A line that a kill has cut off is left out."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            raw = json.loads(line)
        except ValueError:
            continue
        found[raw["name"]] = Case(**{**raw, "cause": tuple(raw["cause"])})
    return found


def add(path: Path, case: Case) -> None:
    """Append a result. It is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(case)) + "\n"
    with path.open("a") as handle:
        # After a kill in the midst of a line the next one begins anew.
        if handle.tell() and not path.read_bytes().endswith(b"\n"):
            line = "\n" + line
        handle.write(line)
        handle.flush()
        os.fsync(handle.fileno())


def passed(cases: Iterable[Case]) -> set[str]:
    return {case.name for case in cases if case.outcome == "passed"}
