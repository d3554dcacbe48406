# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open advisories of a repository: what Dependabot found in its dependencies, and nobody has closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path
from ansible_collections.ops.runbook.plugins.module_utils.security.dependencies import severity


def alert(body: Mapping[str, Any]) -> dict[str, Any]:
    """One advisory, as a result has it. Pure."""
    package = (body.get("dependency") or {}).get("package") or {}
    advisory = body.get("security_advisory") or {}
    hole = body.get("security_vulnerability") or {}
    return {
        "package": str(package.get("name") or "?"),
        "ecosystem": str(package.get("ecosystem") or ""),
        "manifest": str((body.get("dependency") or {}).get("manifest_path") or ""),
        "identifier": str(advisory.get("cve_id") or advisory.get("ghsa_id") or f"#{body.get('number')}"),
        "severity": severity(hole.get("severity") or advisory.get("severity")),
        "title": str(advisory.get("summary") or ""),
        "affected": str(hole.get("vulnerable_version_range") or ""),
        "fixed": str((hole.get("first_patched_version") or {}).get("identifier") or ""),
        "url": str(body.get("html_url") or ""),
    }


def read(github: GitHub, repository: str) -> list[dict[str, Any]]:
    """The open alerts. Raises GitHubError, also if Dependabot alerts are off: nobody looking does not mean none."""
    path = repository_path(repository)
    try:
        return [alert(one) for one in github.pages(f"{path}/dependabot/alerts", state="open")]
    except GitHubError as error:
        if error.status == 403 and "disabled" in str(error).lower():
            raise GitHubError(
                "alerts_disabled",
                f"nobody looks for holes in the dependencies of {repository}: Dependabot alerts are off",
                [("github_protect", "switches them on")],
                status=403,
            ) from None
        raise
