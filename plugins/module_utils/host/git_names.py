# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How git's repositories and releases are written by people: one thing has several names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

_SCHEME = re.compile(r"(?:https?|ssh|git|git\+ssh|file)://")
#: `git@host:owner/name`, which has no scheme.
_SCP = re.compile(r"(?:[^/@:]+@)?([^/:]+):(?!/)(.+)")
_PREFIX = re.compile(r"refs/(?:heads|tags|remotes/[^/]+)/")


def place(address: str) -> str:
    """Host and path of a repository's address, whatever protocol reaches it.

    `https://user:token@git.example.com/shop.git`, `git@git.example.com:shop` and
    `ssh://git@git.example.com:22/shop/` are one place.
    """
    text = address.strip()
    if _SCHEME.match(text):
        host, _, path = _SCHEME.sub("", text, count=1).partition("/")
        host = re.sub(r":\d+\Z", "", host.rpartition("@")[2]).lower()
    elif found := _SCP.fullmatch(text):
        host, path = found.group(1).lower(), found.group(2)
    else:
        host, path = "", text.lstrip("/")
    return f"{host}/{path.rstrip('/').removesuffix('.git')}"


def meant(wanted: str, remote: str, known: Sequence[str]) -> list[str]:
    """Names of tags and branches that were probably meant; at most three."""
    short = _PREFIX.sub("", wanted).removeprefix(f"{remote}/")
    if short != wanted and short in known:
        return [short]
    return difflib.get_close_matches(short, known, n=3, cutoff=0.7)
