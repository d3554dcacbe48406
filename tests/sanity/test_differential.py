"""A reader of another program's format is compared with that program itself, and not with its description."""

from __future__ import annotations

import ast
import re

import pytest
from code_files import ROOT, RULES, stem

NAMES = {stem(path): path for path in RULES}

#: The readers of files that another program reads too -> a test that asks that program, and how it does.
FOREIGN = {
    "sshd/authorized_keys": ("tests/unit/sshd/test_key_lines.py", "real_sshd"),
    "sshd/key_options": ("tests/unit/sshd/test_key_lines.py", "real_sshd"),
    "sshd/files": ("tests/unit/sshd/test_files.py", "real_sshd"),
    "compose/env_file": ("tests/unit/compose/test_env_file.py", "compose_program"),
    "text/yaml_spans": ("tests/unit/compose/pins/test_text_real.py", "compose_program"),
}

#: Readers of what a program prints, which the hosts of the lab print themselves -> a test on such a host.
PRINTED = {
    "dokku/migrations": "molecule/dokku/tests",
    "dokku/source": "molecule/dokku/tests",
    "laravel/probe": "molecule/laravel/tests",
    "laravel/status/log": "molecule/laravel/tests",
    "laravel/php_fpm": "molecule/laravel/tests",
    "host/systemd_units": "molecule/laravel/tests",
    "security/dependencies": "molecule/laravel/tests",
    "postgres/pgbackrest": "molecule/postgres/tests",
}

#: Readers of what this collection itself writes, or of what an operator types -> no other program has an opinion.
OWN = {
    "backup/manifest": "the manifest of a backup",
    "health/endpoint": "the inventory's words for an endpoint",
    "console/written": "inputs as an operator wrote them into a file, by PyYAML's own reader",
    "docker/image_reference": "an image as an operator names it; the engine reads it too before anything stops",
    "guard/journal": "the journal",
    "guard/lease": "the lease",
    "guard/ledger": "the ledger",
    "guard/ledger_mark": "the mark of the ledger",
    "secrets/redact": "what might be a secret, which is searched for and not understood",
    "secrets/text": "what might be a secret, which is searched for and not understood",
    "guard/state_owner": "the owner of a state folder",
    "text/bounded": "lines, whatever they say",
    "text/foreign_json": "JSON, by Python's own reader",
}

_READS = re.compile(r"(parse|read|documents|decode|lines_of|load|entries)(_|\w*\Z)")
_TEXTS = re.compile(r"text|content|source|printed|output|said|body|lines?|raw|value")


def readers(source: str) -> list[str]:
    """The public functions of a module that make something of a text."""
    found = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or not _READS.match(node.name):
            continue
        first = node.args.args[0] if node.args.args else None
        kind = ast.unparse(first.annotation) if first is not None and first.annotation else ""
        if first is not None and _TEXTS.fullmatch(first.arg) and re.search(r"\b(str|bytes|Any)\b", kind):
            found.append(node.name)
    return found


def test_every_reader_is_known_and_has_what_it_is_held_against() -> None:
    there = {name for name, path in NAMES.items() if readers(path.read_text())}
    known = {**FOREIGN, **PRINTED, **OWN}
    assert there - set(known) == set(), (
        "these read a text of somebody else: name them in FOREIGN with a test that asks the program whose format it is"
    )
    gone = {*known} - {*NAMES}
    assert gone == set(), "these are gone"


@pytest.mark.parametrize("name", FOREIGN)
def test_a_reader_of_a_foreign_file_has_a_test_that_asks_the_program(name: str) -> None:
    file, program = FOREIGN[name]
    tree = ast.parse((ROOT / file).read_text())
    imported = {
        alias
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert program in imported, f"{file} does not ask {program}"
    assert (ROOT / f"tests/doubles/{program}.py").is_file()
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    assert "ask" in names or program in names, f"{file} imports {program} and never asks it"


@pytest.mark.parametrize("name", PRINTED)
def test_a_reader_of_what_is_printed_has_a_host_that_prints_it(name: str) -> None:
    assert list((ROOT / PRINTED[name]).glob("test_*.py"))


def test_a_new_reader_would_be_seen() -> None:
    assert readers("def parse(text: str) -> int: ...") == ["parse"]
    assert readers("def read_hosts(content: bytes) -> int: ...\ndef _parse(text: str): ...") == ["read_hosts"]
    assert readers("def plan(text: str) -> int: ...\ndef parse(options: dict) -> int: ...") == []
