"""Lays out a copy of the checkout for mutmut, one for each mutated file, and reads what mutmut found.

mutmut takes the name of a module from the path of its file, and the tests import the collection by its full name. So in
the copy the plugins are really in ansible_collections/ops/runbook, and `plugins` is the link. mutmut also reads no
setting from a command line, so each copy has a pyproject.toml of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

COLLECTION = Path("ansible_collections/ops/runbook")
#: What mutmut writes for a mutant that some test failed for, and for one that did not end in time.
FAILED = {1, 3}
ENDLESS = {36, -24, 24, 152, 255}


@dataclass(frozen=True)
class Mutant:
    """One change of a file: its function, its lines before and after, and if a test noticed it (None: not tried).

    endless: its tests did not end in time, which counts as noticed.
    """

    function: str
    was: str
    now: str
    killed: bool | None
    endless: bool = False


@dataclass(frozen=True)
class Result:
    """The mutants of one file."""

    file: str
    mutants: tuple[Mutant, ...]


class Workspace:
    def __init__(self, root: Path, file: str, tests: list[str], settings: dict[str, Any]) -> None:
        self.root, self.file, self.tests, self.settings = root, file, tests, settings
        name = Path(file).relative_to("plugins/module_utils").with_suffix("")
        self.folder = root / ".cache/mutations" / ".".join(name.parts)
        self.source = COLLECTION / file
        self.copy = self.folder / "mutants"

    @property
    def command(self) -> list[str]:
        # mutmut warns if it is started as a module.
        return [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1"]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        # Each mutant starts pytest anew: without the plugins that these tests do not use it takes half the time.
        return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "ANSIBLE_CONFIG": str(self.copy / "ansible.cfg")}

    def prepare(self) -> None:
        """Brings the copy up to date. A change of the tests makes each survivor worth another try."""
        self.copy.mkdir(parents=True, exist_ok=True)
        self._copy_checkout()
        self._forget_other_mutants()
        write(self.folder / self.source, (self.root / self.file).read_text(encoding="utf-8"))
        write(self.folder / "pyproject.toml", self._pyproject())
        digest = self._digest_of_tests()
        kept = self.folder / "tests.sha256"
        if not kept.exists() or kept.read_text() != digest:
            (self.copy / "mutmut-stats.json").unlink(missing_ok=True)
            self._forget_survivors()
            kept.write_text(digest)

    def _forget_other_mutants(self) -> None:
        """mutmut numbers the mutants of a function, and a result must not go to the mutant that got its number."""
        kinds = json.dumps(
            [metadata.version("mutmut"), self.settings["tool"]["mutations"]["mutmut"]["do_not_mutate_patterns"]]
        )
        kept = self.folder / "kinds.json"
        if not kept.exists() or kept.read_text() != kinds:
            for path in (self.copy / self.source).parent.glob(f"{self.source.name}*"):
                path.unlink()
            kept.write_text(kinds)

    def _copy_checkout(self) -> None:
        listed = [
            "git",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            *self.settings["tool"]["mutations"]["copy"],
        ]
        names = subprocess.run(listed, cwd=self.root, check=True, capture_output=True, text=True).stdout.split("\0")
        for name in filter(None, names):
            source = self.root / name
            target = self.copy / (COLLECTION / name if name.startswith("plugins/") else name)
            if target == self.copy / self.source or not os.path.lexists(source):
                continue
            if not os.path.lexists(target) or target.lstat().st_mtime_ns != source.lstat().st_mtime_ns:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        link(self.copy / "plugins", COLLECTION / "plugins")
        for part in ("galaxy.yml", "meta", "playbooks", "roles"):
            link(self.copy / COLLECTION / part, Path("../../..") / part)

    def _pyproject(self) -> str:
        of_pytest = self.settings["tool"]["pytest"]["ini_options"]
        of_mutmut = dict(self.settings["tool"]["mutations"]["mutmut"])
        slow = [f"--deselect={test}" for test in self.settings["tool"]["mutations"]["slow"]]
        of_mutmut |= {
            "pytest_add_cli_args": [*of_mutmut["pytest_add_cli_args"], *slow],
            "source_paths": [str(self.source)],
            "pytest_add_cli_args_test_selection": self.tests,
        }
        sections = {"tool.pytest.ini_options": {"pythonpath": of_pytest["pythonpath"]}, "tool.mutmut": of_mutmut}
        return "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in section.items())
            for name, section in sections.items()
        )

    def _digest_of_tests(self) -> str:
        digest = hashlib.sha256(self._pyproject().encode())
        for test in (*self.tests, "tests/conftest.py"):
            path = self.root / test
            for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if one.is_file() and one.suffix != ".pyc":
                    digest.update(one.read_bytes())
        return digest.hexdigest()

    @property
    def _meta(self) -> Path:
        return self.copy / f"{self.source}.meta"

    def _forget_survivors(self) -> None:
        if self._meta.exists():
            found = json.loads(self._meta.read_text(encoding="utf-8"))
            codes = found["exit_code_by_key"]
            found["exit_code_by_key"] = {name: code if code in FAILED else None for name, code in codes.items()}
            self._meta.write_text(json.dumps(found), encoding="utf-8")

    def result(self) -> Result:
        """The mutants of the file by the last run, in the order of mutmut; a file that was not run has none."""
        if not self._meta.exists():
            return Result(self.file, ())
        codes = json.loads(self._meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        texts = Mutated(self.copy / self.source)
        return Result(
            self.file,
            tuple(
                Mutant(
                    *texts.change(name.rpartition(".")[2]),
                    None if code is None else code in FAILED | ENDLESS,
                    code in ENDLESS,
                )
                for name, code in codes.items()
            ),
        )


class Mutated:
    """The file that mutmut wrote: each function as it was, and once for each mutant."""

    def __init__(self, path: Path) -> None:
        self.lines = path.read_text(encoding="utf-8").splitlines()
        spans = json.loads(path.with_name(f"{path.name}.spans").read_text(encoding="utf-8"))["spans"]
        self.spans: dict[str, tuple[int, int]] = {name: (start, end) for name, (start, end) in spans.items()}

    def change(self, mutant: str) -> tuple[str, str, str]:
        """The name of the function, and the lines that the mutant takes out and puts in."""
        mangled = mutant.partition("__mutmut_")[0]
        was, now = self._body(f"{mangled}__mutmut_orig"), self._body(mutant)
        head = next((at for at, (a, b) in enumerate(zip(was, now)) if a != b), min(len(was), len(now)))
        tail = next(
            (at for at, (a, b) in enumerate(zip(reversed(was[head:]), reversed(now[head:]))) if a != b),
            min(len(was), len(now)) - head,
        )
        function = (
            mangled.removeprefix("x_") if mangled.startswith("x_") else mangled.removeprefix("xǁ").replace("ǁ", ".")
        )
        return function, joined(was[head : len(was) - tail]), joined(now[head : len(now) - tail])

    def _body(self, name: str) -> list[str]:
        start, end = self.spans[name]
        lines = self.lines[start - 1 : end]
        return [line.replace(name, "") for line in lines]


def joined(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines)


def write(path: Path, text: str) -> None:
    """Writes what is new only: mutmut makes the mutants of a file anew if the file is newer than they are."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def link(path: Path, target: Path) -> None:
    if not path.is_symlink():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
