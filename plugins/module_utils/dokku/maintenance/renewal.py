# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Letsencrypt's words about certificates: the days they have, those that are due, and why a renewal failed."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Answer
from ansible_collections.ops.runbook.plugins.module_utils.dokku.output import plain
from ansible_collections.ops.runbook.plugins.module_utils.dokku.status import look
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import cut, excerpt


def days_left(report: Mapping[str, Any]) -> int | str:
    """The days that a certificate has by letsencrypt:report."""
    end = look.certificate_end(str(report.get("expiration") or ""))
    return "unknown" if end is None else int((end - time.time()) // 86400)


def is_due(report: Mapping[str, Any]) -> bool:
    """True if letsencrypt would renew a certificate: so many seconds before its end it begins to."""
    end = look.certificate_end(str(report.get("expiration") or ""))
    grace = str(report.get("computed-graceperiod") or "2592000")
    return end is not None and end - (int(grace) if grace.isdigit() else 2592000) < time.time()


def reasons(answer: Answer, apps: Sequence[str]) -> tuple[str, ...]:
    """The error of a failed renewal for each app, from the line with its name on."""
    lines = [line.strip() for line in plain(f"{answer.out}\n{answer.err}").splitlines() if line.strip()]
    found: list[str] = []
    for app in apps:
        start = next(
            (at for at, line in enumerate(lines) if re.search(rf"(?<![\w.-]){re.escape(app)} needs", line)), None
        )
        if start is None:
            continue
        own = []
        for line in lines[start + 1 :]:
            if " needs renewal" in line or "still has" in line or "Finished auto-renewal" in line:
                break
            own.append(line)
        found.append(f"{app}: {excerpt(chr(10).join(own), first=2, nothing='it gave no reason')}")
    return tuple(found) or (cut(answer.said),)


def covered(domain: str, names: Sequence[str]) -> bool:
    """True if a certificate for these names is for a domain too."""
    return domain in names or f"*.{domain.partition('.')[2]}" in names
