"""Open advisories of a repository, and that nobody looking is not the same as none."""

from __future__ import annotations

from github_fake import FakeGitHub
from github_run import Run, hub, run

ALERT = {
    "number": 7,
    "state": "open",
    "html_url": "https://github.com/example/shop/security/dependabot/7",
    "dependency": {"package": {"name": "lodash", "ecosystem": "npm"}, "manifest_path": "package-lock.json"},
    "security_advisory": {"ghsa_id": "GHSA-3", "cve_id": None, "summary": "Pollution", "severity": "critical"},
    "security_vulnerability": {"severity": "critical", "first_patched_version": {"identifier": "4.17.21"}},
}


def test_open_advisories_are_read(hub: FakeGitHub, run: Run) -> None:
    off = run("github_advisory_info", failing=True)
    assert off["code"] == "alerts_disabled"
    hub.alerts = True
    assert run("github_advisory_info")["advisories"] == []
    hub.page = 1
    hub.advisories = [{**ALERT, "number": number} for number in range(3)] + [{**ALERT, "state": "fixed"}]
    found = run("github_advisory_info")["advisories"]
    assert len(found) == 3 and found[0]["severity"] == "critical" and found[0]["fixed"] == "4.17.21"
    hub.denied = {"dependabot": "vulnerability_alerts=read"}
    assert "vulnerability_alerts=read" in run("github_advisory_info", failing=True)["msg"]
