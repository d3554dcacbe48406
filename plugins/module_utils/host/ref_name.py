# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Valid names of tags and branches: git's own rules (git-check-ref-format), and no option."""

from __future__ import annotations

import re

#: Characters with a meaning in an expression of git, and characters that no screen shows.
_NEVER = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


def is_ref_name(text: str) -> bool:
    """True if git takes a text for the name of a tag or a branch. One that begins like an option is refused too."""
    if not text or text.startswith(("-", "/")) or text.endswith(("/", ".")) or _NEVER.search(text):
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return not any(part.startswith(".") or part.endswith(".lock") for part in text.split("/"))
