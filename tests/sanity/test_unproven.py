# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An unproven value is compared with nothing: mypy holds every comparison to a type of its own."""

from __future__ import annotations

import re
import typing

from code_files import PLUGINS, called

from ansible_collections.ops.runbook.plugins.module_utils.dokku import release as dokku_release

SOURCES = PLUGINS
MADE = re.compile(r"(?<![\w.])(?:\w*release\.)?Code\(")
#: What tells whether a name was proven. Only these two ask it, and the journal, which keeps it.
ASKED = re.compile(r"\bUNRESOLVED\b|\.unresolved\b")


def test_only_proven_code_is_compared() -> None:
    assert typing.get_type_hints(dokku_release.is_code)["wanted"] is dokku_release.Code


def test_code_is_proven_in_one_place() -> None:
    assert [called(path) for path in SOURCES for _made in MADE.findall(path.read_text())] == ["dokku/release.py"]


def test_nobody_decides_beside_it_what_was_proven() -> None:
    asked = {called(path) for path in SOURCES if ASKED.search(path.read_text())}
    assert asked == {"dokku/release.py", "dokku/source.py", "dokku/deploy.py", "guard/journal.py"}
