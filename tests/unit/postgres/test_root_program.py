"""`postgres-drill` works as root for somebody who is not: it takes names, and shows a cluster nothing of production."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

PROGRAM = Path(__file__).parents[3] / "roles" / "postgres" / "files" / "postgres-drill"
ID, LABEL = "20261201T000000Z-abcdef", "20261130-212020F"


def loaded() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("postgres_drill_program", str(PROGRAM))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


PROGRAMS = loaded()


class Host:
    """The program, with its setup and its folder in a place of the test."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._setup, self._monkeypatch = root / "drills", root / "setup", monkeypatch
        self.folder.mkdir()
        self._setup.mkdir()
        monkeypatch.setattr(PROGRAMS, "SETUP", str(self._setup))
        self.set()

    def set(self, **changed: Any) -> None:
        plain = {
            "stanza": "shop",
            "folder": str(self.folder),
            "user": "nobody",
            "superuser": "postgres",
            "programs": "/usr/lib/postgresql",
            "pgbackrest": "/usr/bin/pgbackrest",
            "pgbackrest_config": "/etc/pgbackrest.conf",
            "repository_folder": "/var/lib/pgbackrest",
            "repository_group": "postgres",
            "integrity_command": [],
        }
        (self._setup / "shop.json").write_text(json.dumps({**plain, **changed}))

    def call(self, *words: str) -> tuple[int, str]:
        """Its exit code, and what it said."""
        said = io.StringIO()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", said)
            patch.setattr(sys, "stdin", io.StringIO("{}"))
            return PROGRAMS.main(list(words)), said.getvalue()

    def drill(self) -> Any:
        return PROGRAMS.Drill("shop", ID)

    def sandbox(self, **given: Any) -> list[str]:
        words: list[str] = self.drill().sandbox("server", **given)
        return words


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["look", "../shop"], "is not a name"),
        (["look", "-x"], "is not a name"),
        (["look", "other"], "no drill of other is set up"),
        (["destroy", "shop", ".."], "is not the id of an operation"),
        (["destroy", "shop", f"{ID}/data"], "is not the id of an operation"),
        (["restore", "shop", ID, "--delta"], "is not the label of a backup"),
        (["restore", "shop", ID, LABEL, "now' --type=x"], "is not a time in UTC"),
        (["start", "shop", ID], "is not recovered"),
        (["recover", "shop", ID], "is not restored"),
        (["checksums", "shop", ID], "is not recovered"),
    ],
)
def test_only_names_are_taken(host: Host, words: list[str], said: str) -> None:
    code, text = host.call(*words)
    assert code == 1 and said in text, text
    assert list(host.folder.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["look"], ["shell", "shop"], ["look", "shop", ID], ["destroy", "shop"]])
def test_another_verb_does_nothing(host: Host, words: list[str]) -> None:
    assert host.call(*words) == (2, PROGRAMS.__doc__)


def test_a_folder_that_somebody_else_may_write_is_not_used(tmp_path: Path) -> None:
    open_to_all, link = tmp_path / "open", tmp_path / "link"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    link.symlink_to("/usr")
    assert PROGRAMS.folder_trouble("/usr/lib") == ""
    for path in (str(open_to_all), str(link), "relative", "/usr/../usr", "/none/at/all"):
        assert PROGRAMS.folder_trouble(path), path


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_the_name_of_a_table_is_never_more_than_a_name(text: str) -> None:
    found = PROGRAMS.table_of(text)
    bare = found.replace('""', "")
    # Two quoted words with a point between them, whatever was typed.
    assert bare.count('"') in (4, 2, 0) and found.startswith('"') and found.endswith('"')
    schema, point, table = text.partition(".")
    parts = [schema, table] if point else ["public", schema]
    assert found == ".".join('"' + part.replace('"', '""') + '"' for part in parts)


# -- what a restored cluster sees ------------------------------------------------------------------


def test_a_cluster_that_is_asked_sees_neither_network_nor_repository(host: Host) -> None:
    words = " ".join(host.sandbox())
    for one in ("TemporaryFileSystem=/:ro", "PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX", "User=nobody"):
        assert one in words
    assert "pgbackrest" not in words and "SupplementaryGroups" not in words and "/run" not in words


def test_a_replay_sees_its_repository_read_only(host: Host) -> None:
    words = host.sandbox(repository=True)
    bound = next(word for word in words if word.startswith("BindReadOnlyPaths="))
    assert "/var/lib/pgbackrest" in bound and "/etc/pgbackrest.conf" in bound
    assert "SupplementaryGroups=postgres" in words and "PrivateNetwork=yes" in words
    assert not [word for word in words if word.startswith("BindPaths=") and "pgbackrest" in word]


def test_only_a_replay_from_object_storage_has_a_network(host: Host) -> None:
    host.set(repository_folder="", repository_group="")
    assert "PrivateNetwork=yes" not in host.sandbox(repository=True)
    assert "PrivateNetwork=yes" in host.sandbox()


@pytest.mark.parametrize(
    ("state", "asked_for", "expected"),
    [
        ("in production", True, False),
        ("in production", False, True),
        ("in archive recovery", False, False),
        ("in archive recovery", True, False),
    ],
)
def test_the_control_file_of_an_online_backup_is_not_taken_for_a_promoted_cluster(
    host: Host, monkeypatch: pytest.MonkeyPatch, state: str, asked_for: bool, expected: bool
) -> None:
    drill = host.drill()
    monkeypatch.setattr(drill, "control", lambda: {"Database cluster state": state})
    os.makedirs(drill.data)
    if asked_for:
        Path(drill.data, "recovery.signal").touch()
    assert PROGRAMS.out_of_recovery(drill, "in production") is expected


def test_the_last_error_of_a_program_is_shown() -> None:
    said = "LOG: a\n2026 FATAL:  no record\nHINT: wrong\nLOG: shutting down\n"
    assert PROGRAMS.ended(said) == "2026 FATAL:  no record"
    assert PROGRAMS.ended("one\ntwo\n") == "one two" and PROGRAMS.ended("") == ""
