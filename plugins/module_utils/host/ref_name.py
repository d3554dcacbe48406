# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which text may be the name of a tag or a branch: git's own rules (git-check-ref-format), and no option."""

from __future__ import annotations

import re

#: What has a meaning of its own in an expression of git, and what no screen shows.
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
