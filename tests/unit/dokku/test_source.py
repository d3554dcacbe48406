# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The source of a deploy of a Dokku app, and its commit; with a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.dokku import deploy
from ansible_collections.ops.runbook.plugins.module_utils.dokku.source import (
    Source,
    ask,
    parse_refs,
    resolve,
    source_of,
)
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
REPOSITORY = "https://git.example.com/restant/app.git"
DIGEST = "sha256:" + "0" * 64
REFS = {
    "HEAD": B,
    "refs/heads/main": B,
    "refs/heads/feature/x": C,
    "refs/heads/both": A,
    "refs/tags/both": B,
    "refs/tags/v1": C,
    "refs/tags/v1^{}": A,
}

KINDS: dict[str, tuple[str, str, str]] = {
    "a branch": ("main", REPOSITORY, "git"),
    "a branch with a slash": ("feature/x", REPOSITORY, "git"),
    "a commit": ("abc1234", REPOSITORY, "git"),
    "an image by its tag": ("registry.example.com/acme/app:1.4", REPOSITORY, "image"),
    "an image by its digest": (f"acme/app@{DIGEST}", REPOSITORY, "image"),
    "an image, where there is no repository": ("acme/app", "", "image"),
}


@pytest.mark.parametrize("case", KINDS.values(), ids=KINDS)
def test_a_commit_is_told_from_an_image(case: tuple[str, str, str]) -> None:
    to, repository, kind = case
    found = source_of(to, repository)
    assert isinstance(found, Source) and (found.kind, found.ref) == (kind, to)


def test_a_tag_of_an_image_may_be_another_image_tomorrow_and_a_digest_not() -> None:
    tagged, by_digest = source_of("acme/app:1", ""), source_of(f"acme/app@{DIGEST}", "")
    assert isinstance(tagged, Source) and "without asking the registry" in tagged.warnings[0]
    assert isinstance(by_digest, Source) and by_digest.warnings == ()


@pytest.mark.parametrize(
    ("to", "repository", "code"),
    [
        ("main", "", "no_repository"),
        ("--upload-pack=x", REPOSITORY, "bad_reference"),
        ("a..b", REPOSITORY, "bad_reference"),
        ("acme/App:1", "", "bad_reference"),
    ],
)
def test_a_name_without_a_commit_is_refused(to: str, repository: str, code: str) -> None:
    found = source_of(to, repository)
    assert isinstance(found, Problem) and found.code == code


RESOLVED: dict[str, tuple[str, str, str]] = {
    "a branch": ("main", B, "main"),
    "an annotated tag is its commit": ("v1", A, "v1"),
    "the beginning of a tip": (C[:8], C, ""),
    "a commit that is not a tip": ("d" * 40, "d" * 40, ""),
}


@pytest.mark.parametrize("case", RESOLVED.values(), ids=RESOLVED)
def test_a_name_means_a_commit(case: tuple[str, str, str]) -> None:
    to, commit, name = case
    found = resolve(to, REFS, REPOSITORY)
    assert isinstance(found, Source) and (found.ref, found.name) == (commit, name)
    assert bool(found.proven) != bool(found.warnings)


@pytest.mark.parametrize(("to", "code"), [("both", "ambiguous"), ("gone", "unknown_release")])
def test_a_name_that_means_two_or_none_is_refused(to: str, code: str) -> None:
    found = resolve(to, REFS, REPOSITORY)
    assert isinstance(found, Problem) and found.code == code


def test_a_list_of_refs_is_read() -> None:
    assert parse_refs(f"{A}\tHEAD\n{B}\trefs/heads/main\nwarning: something\n") == {"HEAD": A, "refs/heads/main": B}


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=dev", "-c", "user.email=dev@example.com"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_git_is_asked_for_the_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message=one")
    git(tmp_path, "tag", "--annotate", "--message=v1", "v1")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    for name in ("main", "v1"):
        found = ask(Source("git", name, name), str(tmp_path), "app.git")
        assert isinstance(found, Source) and found.ref == head


def test_a_repository_that_only_dokku_may_read_is_fetched_by_dokku(tmp_path: Path) -> None:
    found = ask(Source("git", "main", "main"), str(tmp_path / "nowhere"), "app.git")
    assert isinstance(found, Source) and found.ref == "main" and "not proven" in found.warnings[0]
    assert found.unresolved
    whole = ask(Source("git", A, A), str(tmp_path / "nowhere"), "app.git")
    assert isinstance(whole, Source) and not whole.unresolved


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(Problem) as caught:
        deploy._source("main", "https://dev:hunter2222@git.example.com/app.git")
    refusal = caught.value
    assert refusal.code == "secret_in_repository" and "hunter2222" not in str(refusal.to_dict())
