# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that git takes are taken here, and no others: git itself is asked."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.host.ref_name import is_ref_name

#: Pieces that mean something to git, beside letters of all sorts.
PIECES = [
    *"aZ9-_.+/@{}~^:?*[\\ #%=,;!'\"&()<>|$`\x7f\x01\t\n",
    "..",
    ".lock",
    "//",
    "@{",
    "v1",
    "HEAD",
    "é",
    "発",
    "\u00a0",
]


def git_takes(name: str) -> bool:
    """True if git takes it; a tag whose name begins like an option is refused by `git tag` itself."""
    asked = subprocess.run(["git", "check-ref-format", f"refs/tags/{name}"], check=False)
    return asked.returncode == 0 and not name.startswith("-")


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
@example("app@1.2.3")
@example("@")
@example("a/.b")
@example("a.lock/b")
@example("--upload-pack=x")
def test_git_says_the_same_of_every_name(name: str) -> None:
    assert is_ref_name(name) is git_takes(name)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8))
def test_git_says_the_same_of_every_text(name: str) -> None:
    assert is_ref_name(name) is git_takes(name)


@pytest.mark.parametrize("name", ["\0", "a\0b", "\ud800"])
def test_a_text_that_git_refuses_is_not_a_name(name: str) -> None:
    assert not is_ref_name(name)
