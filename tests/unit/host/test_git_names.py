# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One repository has several addresses, and a release is easily written with too much in front of it."""

from __future__ import annotations

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.host.git_names import meant, place

SAME = (
    "https://git.example.com/team/shop.git",
    "https://anna:token@git.example.com/team/shop",
    "http://GIT.example.com/team/shop/",
    "ssh://git@git.example.com:2222/team/shop.git",
    "git@git.example.com:team/shop.git",
    "git.example.com:team/shop",
)


@pytest.mark.parametrize("address", SAME)
def test_one_repository_has_many_addresses(address: str) -> None:
    assert place(address) == place(SAME[0])


@pytest.mark.parametrize("path", ["/srv/git/shop", "/srv/git/shop.git", "file:///srv/git/shop.git", "/srv/git/shop/"])
def test_a_folder_is_a_repository_too(path: str) -> None:
    assert place(path) == place("/srv/git/shop")


@pytest.mark.parametrize(
    "other",
    [
        "https://git.example.com/team/shop2",
        "https://git.example.org/team/shop",
        "/team/shop",
        "git@git.example.com:shop",
    ],
)
def test_another_repository_is_another(other: str) -> None:
    assert place(other) != place(SAME[0])


MEANT = {
    "a branch of the remote": ("origin/main", ["main"]),
    "a whole name of a tag": ("refs/tags/v1.2.0", ["v1.2.0"]),
    "a whole name of a branch": ("refs/heads/main", ["main"]),
    "two letters are wrong": ("mian", ["main"]),
    "a letter is missing": ("1.2.0", ["v1.2.0"]),
    "nothing like it": ("HEAD", []),
}


@pytest.mark.parametrize(("wanted", "names"), MEANT.values(), ids=MEANT)
def test_similar_names_are_suggested(wanted: str, names: list[str]) -> None:
    assert meant(wanted, "origin", ["main", "v1.2.0", "release/9"]) == names
