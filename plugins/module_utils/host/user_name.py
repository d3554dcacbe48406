# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The name of a user, as an error says it and as sudo and chown take it."""

from __future__ import annotations

import os
import pwd


def user_name(uid: int | None = None) -> str:
    """The name of a user, or of the user that this process runs as; the number where the host has no name for it."""
    number = os.geteuid() if uid is None else uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
