# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations of two releases, and those that may be in either."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations.compare import (
    FOLDER,
    Commit,
    Known,
    Present,
    Target,
    known,
    listed,
    packages,
)
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import compare

A, B, C = "2024_01_01_000000_a", "2024_01_02_000000_b", "2024_01_03_000000_c"
SHOP, BILL = "modules/shop/migrations", "vendor/acme/bill/database/migrations"


def lock(**versions: Any) -> str:
    """A composer.lock: name=version, or name={"path": folder} for a package that lies in the repository."""
    listed = []
    for name, version in versions.items():
        if isinstance(version, dict):
            place = {"dist": {"type": "path", "url": version["path"], "reference": "0" * 40}}
            listed.append({"name": f"acme/{name}", "version": "dev-main", **place})
        else:
            listed.append(
                {"name": f"acme/{name}", "version": version, "dist": {"type": "zip", "reference": f"{name}{version}"}}
            )
    return json.dumps({"packages": listed})


def commit(*files: str, lock: str | None = None, **submodules: str) -> Commit:
    return Commit(frozenset(files), submodules, lock)


def own(*names: str) -> dict[str, str]:
    return {name: f"{FOLDER}/{name}.php" for name in names}


def at(folder: str, *names: str) -> dict[str, str]:
    return {name: f"{folder}/{name}.php" for name in names}


def looked(
    applied: list[str] | None,
    here: dict[str, str],
    source: Commit,
    target: Commit,
    folders: Iterable[str] = (FOLDER,),
    tree: dict[str, list[str]] | None = None,
    **more: Any,
) -> Known:
    """Known migrations. source: those of the present commit; the files that its migrator names are added to it."""
    tracked = frozenset(path for path in here.values() if not path.startswith(("vendor/", "/")))
    if more.pop("tracked", True):
        source = Commit(source.files | tracked, source.submodules, source.lock)
    below = None if tree is None else (lambda folder: [f for f in tree.get("", []) if f.startswith(f"{folder}/")])
    return known(applied, "", Present(source, here, tuple(folders), **more), Target(target, below))


EMPTY = commit()
BILL1, BILL2, BARE = lock(bill="1.0"), lock(bill="2.0"), lock()
PATHS = lock(bill={"path": "packages/bill"})
SAME = lock(bill="1.0", other="3.0")

#: name: what is known -> verdict, ahead, behind, foreign, unsure.
TABLE: dict[str, tuple[Known, tuple[str, str, str, str, str]]] = {
    "the folder that every application has": (
        looked([A, B], own(A, B), EMPTY, commit(*own(A).values())),
        ("ahead", B, "", "", ""),
    ),
    "a folder in it is nothing that the migrator looks into": (
        looked([A], own(A), EMPTY, commit(*own(A).values(), *at(f"{FOLDER}/tenant", B).values())),
        ("same", "", "", "", ""),
    ),
    "a folder in it that a provider names": (
        looked(
            [A],
            own(A),
            EMPTY,
            commit(*own(A).values(), *at(f"{FOLDER}/tenant", B).values()),
            [FOLDER, f"{FOLDER}/tenant"],
        ),
        ("behind", "", B, "", ""),
    ),
    "a file without an underscore is not one": (
        looked([A], own(A), EMPTY, commit(*own(A).values(), f"{FOLDER}/helpers.php", f"{FOLDER}/.gitkeep")),
        ("same", "", "", "", ""),
    ),
    "a module outside of it: the target has more": (
        looked([A, B], at(SHOP, A, B), EMPTY, commit(*at(SHOP, A, B, C).values()), [FOLDER, SHOP]),
        ("behind", "", C, "", ""),
    ),
    "a module outside of it: the target has less": (
        looked([A, B], at(SHOP, A, B), EMPTY, commit(*at(SHOP, A).values()), [FOLDER, SHOP]),
        ("ahead", B, "", "", ""),
    ),
    "a module that the present release does not load, and the database has": (
        looked([A, B], own(A), EMPTY, commit(*own(A).values(), *at(SHOP, B).values())),
        ("same", "", "", "", ""),
    ),
    "a module that moved": (
        looked([A], at(SHOP, A), EMPTY, commit(*at("Modules/Shop/Migrations", A).values()), [SHOP]),
        ("same", "", "", "", ""),
    ),
    "one file that a provider names": (
        looked([A], at("modules", A), EMPTY, commit(f"modules/{A}.php", f"modules/{B}.php"), [f"modules/{A}.php"]),
        ("same", "", "", "", ""),
    ),
    "a package, and the lock asks for the same one among others": (
        looked([A], at(BILL, A), commit(lock=BILL1), commit(lock=SAME), [BILL]),
        ("same", "", "", "", ""),
    ),
    "a package that the target does not have": (
        looked([A], at(BILL, A), commit(lock=BILL1), commit(lock=BARE), [BILL]),
        ("ahead", A, "", "", ""),
    ),
    "a package of another version": (
        looked([A], at(BILL, A), commit(lock=BILL1), commit(lock=BILL2), [BILL]),
        ("unknown", "", "", "", A),
    ),
    "a package of another version whose tree is here": (
        looked([A, B], at(BILL, A, B), commit(lock=BILL2), commit(lock=BILL1), [BILL], {"": [f"{BILL}/{A}.php"]}),
        ("ahead", B, "", "", ""),
    ),
    "a tree that is here and has more": (
        looked(
            [A],
            at(BILL, A),
            commit(lock=BILL1),
            commit(lock=BILL2),
            [BILL],
            {"": [f"{BILL}/{A}.php", f"{BILL}/{B}.php"]},
        ),
        ("behind", "", B, "", ""),
    ),
    "a package without any lock": (
        looked([A], at(BILL, A), commit(lock=BILL1), commit(), [BILL]),
        ("unknown", "", "", "", A),
    ),
    "a lock that can't be read": (
        looked([A], at(BILL, A), commit(lock=BILL1), commit(lock="<<<<<<< HEAD"), [BILL]),
        ("unknown", "", "", "", A),
    ),
    "a package of the repository, copied into vendor": (
        looked(
            [A, B],
            at(BILL, A, B),
            commit(lock=PATHS),
            commit(*at("packages/bill/database/migrations", A).values(), lock=PATHS),
            [BILL],
        ),
        ("ahead", B, "", "", ""),
    ),
    "a package of the repository, linked into vendor": (
        looked(
            [A],
            at("packages/bill/m", A),
            commit(lock=PATHS),
            commit(*at("packages/bill/m", A, B).values(), lock=PATHS),
            ["packages/bill/m"],
        ),
        ("behind", "", B, "", ""),
    ),
    "a package of the repository that the target no longer asks for expects nothing": (
        looked(
            [A],
            at("packages/bill/m", A),
            commit(lock=PATHS),
            commit(*at("packages/bill/m", A, B).values(), lock=BARE),
            ["packages/bill/m"],
        ),
        ("same", "", "", "", ""),
    ),
    "vendor is in git": (
        looked(
            [A, B], at(BILL, A, B), commit(*at(BILL, A, B).values(), lock=BILL2), commit(*at(BILL, A).values()), [BILL]
        ),
        ("ahead", B, "", "", ""),
    ),
    "a submodule at the same commit": (
        looked([A], at(SHOP, A), commit(modules="1"), commit(modules="1"), [SHOP], tracked=False),
        ("same", "", "", "", ""),
    ),
    "a submodule at another commit": (
        looked([A], at(SHOP, A), commit(modules="1"), commit(modules="2"), [SHOP], tracked=False),
        ("unknown", "", "", "", A),
    ),
    "a submodule that the target does not have": (
        looked([A], at(SHOP, A), commit(modules="1"), commit(), [SHOP], tracked=False),
        ("ahead", A, "", "", ""),
    ),
    "a folder outside the application": (
        looked([A], at("/srv/shared", A), EMPTY, commit(), ["/srv/shared"]),
        ("unknown", "", "", "", A),
    ),
    "an untracked file stays in place": (
        looked([A], own(A), EMPTY, commit(), tracked=False),
        ("same", "", "", "", ""),
    ),
    "an untracked file is not in another folder": (
        looked([A], own(A), EMPTY, commit(), tracked=False, in_place=False),
        ("ahead", A, "", "", ""),
    ),
    "rows that no file is left of": (
        looked([A, B, C], own(C), EMPTY, commit(*own(C).values())),
        ("same", "", "", f"{B} {A}", ""),
    ),
    "rows that no file is left of, while a package can't be told": (
        looked([A, B], own(B), commit(lock=BILL1), commit(*own(B).values(), lock=BILL2)),
        ("same", "", "", A, ""),
    ),
    "no boot: a migration of a package that both have": (
        looked(
            [A, B], {**own(A), **at(BILL, B)}, commit(lock=BILL1), commit(*own(A).values(), lock=BILL1), booted=False
        ),
        ("same", "", "", "", ""),
    ),
    "no boot, and no vendor folder to search": (
        looked([A, B], own(A), EMPTY, commit(*own(A).values()), booted=False, searched=False),
        ("unknown", "", "", "", B),
    ),
    "the database can't be read": (looked(None, own(A), EMPTY, EMPTY), ("unknown", "", "", "", "")),
}


@pytest.mark.parametrize("name", TABLE)
def test_facts_lead_to_a_verdict(name: str) -> None:
    found, expected = TABLE[name]
    verdict = compare(found.position)
    parts = (verdict.ahead, verdict.behind, verdict.foreign, verdict.unsure)
    assert (verdict.verdict, *map(" ".join, parts)) == expected
    if verdict.unsure:
        # A person has to read what could not be asked.
        assert found.position.why
        assert found.position.why in verdict.error


def test_each_expected_migration_has_a_file_that_can_be_read() -> None:
    for found, (_, _, behind, _, _) in TABLE.values():
        assert set(behind.split()) <= set(found.places)


UNASKED: dict[str, tuple[Known, str]] = {
    "the same lock": (looked([], {}, commit(lock=BILL1), commit(lock=BILL1)), ""),
    "a new package": (looked([], {}, commit(lock=BILL1), commit(lock=SAME)), "acme/other"),
    "another version": (looked([], {}, commit(lock=BILL1), commit(lock=BILL2)), "acme/bill"),
    "one fewer": (looked([], {}, commit(lock=SAME), commit(lock=BILL1)), ""),
    "no lock": (looked([], {}, commit(lock=BILL1), commit()), "composer.lock is not in git"),
    "a new package of the repository is in git": (looked([], {}, commit(lock=BARE), commit(lock=PATHS)), ""),
    "a new folder that only its own migrator may look into": (
        looked([], {}, commit(lock=BARE), commit(*at("modules/new", A).values(), lock=BARE)),
        f"modules/new/{A}.php",
    ),
    "a folder that both have, and none looks into": (
        looked([], {}, commit(*at("modules/old", A).values()), commit(*at("modules/old", A).values(), lock=BARE)),
        "",
    ),
    "a file that was run already": (
        looked([A], {}, EMPTY, commit(*at("modules/new", A).values(), lock=BARE)),
        "",
    ),
    "its tree is here, and has no migration": (
        looked([], {}, commit(lock=BARE), commit(lock=BILL1), tree={"": ["vendor/acme/bill/x.php"]}),
        "",
    ),
    "its tree is here, and has one": (
        looked([], {}, commit(lock=BARE), commit(lock=BILL1), tree={"": [f"{BILL}/{A}.php"]}),
        "acme/bill",
    ),
}


@pytest.mark.parametrize("name", UNASKED)
def test_questions_without_an_answer_are_named(name: str) -> None:
    found, expected = UNASKED[name]
    assert bool(found.unasked) is bool(expected)
    assert expected in " ".join(found.unasked)


def test_files_in_other_folders_are_never_taken_for_none() -> None:
    """The target's own provider may name a folder that the present one does not."""
    old = at("modules/old", A)
    assert looked([], {}, commit(*old.values()), commit(*old.values())).elsewhere == (old[A],)
    assert looked([A], {}, commit(*old.values()), commit(*old.values())).elsewhere == ()
    assert looked([], old, EMPTY, commit(*old.values()), ["modules/old"]).elsewhere == ()


def test_a_tree_of_git_has_files_and_submodules() -> None:
    tree = f"100644 blob {'a' * 40}\tapp/x y.php\x00160000 commit {'b' * 40}\tlib\x00120000 blob {'c' * 40}\tlink\x00"
    assert listed(tree) == (frozenset({"app/x y.php", "link"}), {"lib": "b" * 40})


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", "nonsense", '{"packages": 5}', '{"packages": [5]}', '{"packages": [{}]}']
)
def test_a_lock_that_is_none_is_none(text: str | None) -> None:
    assert packages(text) is None
