"""Audits of a checkout: clean means that everything was looked up, whatever a tool's exit code says."""

from __future__ import annotations

import importlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.security import report as security_report
from ansible_collections.ops.runbook.plugins.module_utils.security.dependencies import TOOLS, judged, severity

COMPOSER, NPM, PIP = TOOLS
COMPOSER_LOCK = json.dumps({"packages": [{"name": "a/b"}], "packages-dev": [{"name": "c/d"}]})
NPM_LOCK = json.dumps(
    {"lockfileVersion": 3, "packages": {"": {}, "node_modules/x": {}, "w": {}, "node_modules/w": {"link": True}}}
)
PIP_LOCK = "# pinned\nflask==2.0.0 \\\n    --hash=sha256:aa\n-r other.txt\n\njinja2==3.0.0\n"
# As npm 10 wrote it with --offline, with the exit code 0.
NPM_NOBODY_ASKED = {
    "auditReportVersion": 2,
    "vulnerabilities": {},
    "metadata": {"vulnerabilities": {"total": 0}, "dependencies": {"total": 2}},
}
NPM_HOLES = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "x": {
            "via": [
                {
                    "name": "x",
                    "title": "Pollution",
                    "url": "https://github.com/advisories/GHSA-1",
                    "severity": "moderate",
                }
            ],
            "fixAvailable": {"name": "x", "version": "2.0.0"},
        },
        "y": {"via": ["x"], "fixAvailable": True},
    },
    "metadata": {"vulnerabilities": {"total": 2}},
}
COMPOSER_HOLES = {
    "advisories": {
        "a/b": [{"packageName": "a/b", "cve": "CVE-2026-1", "severity": "high", "title": "T", "affectedVersions": "<2"}]
    },
    "abandoned": {"c/d": None},
    "ignored-advisories": {"a/b": [{}]},
}


def dependency(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1", "vulns": [], **more}


def pip(*dependencies: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(dependencies), "fixes": []}


HOLE = {"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": ["GHSA-2", "CVE-2026-2"], "description": "A hole"}


@pytest.mark.parametrize(
    ("tool", "locked", "code", "report", "errors", "state", "why"),
    [
        (COMPOSER, COMPOSER_LOCK, 0, {"advisories": [], "abandoned": []}, "", "clean", ""),
        (COMPOSER, COMPOSER_LOCK, 2, {"advisories": [], "abandoned": {"c/d": "e/f"}}, "", "clean", ""),
        (COMPOSER, COMPOSER_LOCK, 1, COMPOSER_HOLES, "", "vulnerable", ""),
        # A hole is one, whatever the exit code says.
        (COMPOSER, COMPOSER_LOCK, 0, COMPOSER_HOLES, "", "vulnerable", ""),
        (
            COMPOSER,
            COMPOSER_LOCK,
            0,
            {"advisories": []},
            "x could not be fully loaded (y), advisories",
            "unknown",
            "fully loaded",
        ),
        (COMPOSER, COMPOSER_LOCK, 100, {"advisories": []}, "curl error", "unknown", "it ended with 100: curl error"),
        (COMPOSER, "{}", 0, {"advisories": []}, "", "unknown", "composer.lock can't be read"),
        (COMPOSER, COMPOSER_LOCK, 0, None, "", "unknown", "no report"),
        (COMPOSER, COMPOSER_LOCK, 0, {}, "", "unknown", "no report"),
        (NPM, NPM_LOCK, 0, NPM_NOBODY_ASKED, "", "clean", ""),
        (NPM, NPM_LOCK, 1, NPM_HOLES, "", "vulnerable", ""),
        (NPM, NPM_LOCK, 1, {"message": "405 Method Not Allowed", "error": {}}, "", "unknown", "405 Method"),
        (NPM, NPM_LOCK, 1, {"error": {"code": "ENOLOCK", "summary": "no lockfile"}}, "", "unknown", "no lockfile"),
        (NPM, NPM_LOCK, 1, {**NPM_HOLES, "vulnerabilities": {}}, "", "unknown", "names none"),
        (NPM, "[]", 0, NPM_NOBODY_ASKED, "", "unknown", "can't be read"),
        (PIP, PIP_LOCK, 0, pip(dependency("flask"), dependency("jinja2")), "", "clean", ""),
        (PIP, PIP_LOCK, 1, pip(dependency("flask", vulns=[HOLE]), dependency("jinja2")), "", "vulnerable", ""),
        (
            PIP,
            PIP_LOCK,
            0,
            pip(dependency("flask"), {"name": "jinja2", "skip_reason": "not found"}),
            "",
            "unknown",
            "skipped",
        ),
        (PIP, PIP_LOCK, 0, pip(dependency("flask")), "", "unknown", "it looked up 1 of 2 packages"),
        (PIP, PIP_LOCK, 0, pip(), "", "unknown", "it looked up 0 of 2 packages"),
    ],
)
def test_the_output_of_a_tool_is_judged(
    tool: Any, locked: str, code: int, report: Any, errors: str, state: str, why: str
) -> None:
    found = judged(tool, locked, code, "" if report is None else json.dumps(report), errors)
    assert found.state == state and why in found.why and bool(found.why) is (state == "unknown")


def test_npm_is_never_asked_offline() -> None:
    """Its output then looks like a clean report, so no setting may lead there."""
    assert {"--offline=false", "--prefer-offline=false", "--include=dev"} <= {*NPM.arguments}
    assert COMPOSER.environment["COMPOSER_DISABLE_NETWORK"] == "0"


def test_an_advisory_has_what_a_person_needs() -> None:
    (npm,) = judged(NPM, NPM_LOCK, 1, json.dumps(NPM_HOLES), "").advisories
    assert (npm.identifier, npm.severity, npm.fixed) == ("GHSA-1", "medium", "x 2.0.0")
    composer = judged(COMPOSER, COMPOSER_LOCK, 1, json.dumps(COMPOSER_HOLES), "")
    assert composer.advisories[0].identifier == "CVE-2026-1"
    assert composer.notes == ("abandoned: c/d", "1 advisories are ignored by composer.json")
    (hole,) = judged(
        PIP, PIP_LOCK, 1, json.dumps(pip(dependency("flask", vulns=[HOLE]), dependency("j"))), ""
    ).advisories
    assert (hole.package, hole.identifier, hole.fixed) == ("flask 1", "CVE-2026-2", "2.1")


@given(st.lists(st.sampled_from(["fine", "skipped", "hole", "absent"]), min_size=1, max_size=5), st.integers(0, 2))
def test_clean_means_that_all_was_looked_up(kinds: list[str], code: int) -> None:
    locked = "".join(f"p{number}==1\n" for number in range(len(kinds)))
    listed = [
        dependency(f"p{number}", vulns=[HOLE] if kind == "hole" else [])
        if kind != "skipped"
        else {"name": f"p{number}", "skip_reason": "?"}
        for number, kind in enumerate(kinds)
        if kind != "absent"
    ]
    found = judged(PIP, locked, code, json.dumps(pip(*listed)), "")
    assert (found.state == "clean") is ({*kinds} == {"fine"} and code < 2)
    assert (found.state == "vulnerable") is ("hole" in kinds)


@pytest.mark.parametrize(
    ("text", "expected"), [("moderate", "medium"), ("HIGH", "high"), (None, "unknown"), ("odd", "unknown")]
)
def test_severities_have_one_name(text: Any, expected: str) -> None:
    assert severity(text) == expected


# The module, with tools that say what they are told


def audit(path: Path, capfd: pytest.CaptureFixture[str], **tools: str) -> dict[str, Any]:
    module = importlib.import_module("ansible_collections.ops.runbook.plugins.modules.dependency_audit_info")
    with patch_module_args({"path": str(path), **tools}), pytest.raises(SystemExit):
        module.main()
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def tool(folder: Path, name: str, report: Any, code: int = 0) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(report)}\nEOF\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_each_lock_file_is_audited(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    assert audit(checkout, capfd)["clean"] is False
    (checkout / "composer.lock").write_text(COMPOSER_LOCK)
    composer = tool(tmp_path, "composer", {"advisories": [], "abandoned": []})
    assert audit(checkout, capfd, composer=composer)["clean"]
    (checkout / "requirements.txt").write_text(PIP_LOCK)
    found = audit(checkout, capfd, composer=composer, pip_audit="/nowhere/pip-audit")
    assert not found["clean"] and [one["state"] for one in found["audits"]] == ["clean", "unknown"]
    assert "not installed" in found["audits"][1]["why"]
    lying = tool(tmp_path, "pip-audit", pip(dependency("flask"), {"name": "jinja2", "skip_reason": "no such package"}))
    found = audit(checkout, capfd, composer=composer, pip_audit=lying)
    assert not found["clean"] and "no such package" in found["audits"][1]["why"]
    assert audit(tmp_path / "none", capfd)["failed"]


# The verdict on the whole of it


GREEN = {
    "workflow": "audit.yml",
    "ok": True,
    "text": "succeeded",
    "code": "",
    "age_hours": 5.0,
    "url": "",
    "commit": "a",
    "event": "schedule",
    "evidence": [],
}
LOW = {"package": "p", "identifier": "CVE-1", "severity": "low", "title": "t", "fixed": ""}


@pytest.mark.parametrize(
    ("found", "lowest", "failing"),
    [
        ({"runs": {"runs": [GREEN]}, "advisories": {"advisories": []}}, "low", ""),
        ({"runs": {"runs": [{**GREEN, "ok": False, "text": "is too old"}]}}, "low", "audit.yml is too old"),
        ({"runs": {"msg": "gone"}}, "low", "the workflow was not read: gone"),
        ({"advisories": {"msg": "off"}}, "low", "the advisories were not read: off"),
        ({"audits": {"audits": []}}, "low", "none of the lock files"),
        ({"advisories": {"advisories": [LOW]}}, "low", "1 advisories"),
        ({"advisories": {"advisories": [LOW]}}, "high", ""),
        ({"advisories": {"advisories": [{**LOW, "severity": "unknown"}]}}, "critical", "1 advisories"),
    ],
)
def test_the_findings_that_fail_the_weekly_look(found: dict[str, Any], lowest: str, failing: str) -> None:
    said = security_report.verdict(found, lowest)["failing"]
    assert bool(said) is bool(failing) and failing in "; ".join(said)
    assert security_report.lines(found)
