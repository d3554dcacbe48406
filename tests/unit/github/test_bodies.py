"""Bodies that are sent to GitHub: each has a second authority beside its description, and goes by it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import github_bodies
import pytest
from github_fake import REPO_PATH, ROUTES

from ansible_collections.ops.runbook.plugins.module_utils.github import branch_protection

ROOT = Path(__file__).resolve().parents[3]
PROTECTION = f"{REPO_PATH}/branches/main/protection"
REST: dict[str, Any] = {"enforce_admins": True, "required_pull_request_reviews": None, "restrictions": None}
CHECK = {"context": "test", "app_id": -1}


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        # What users of go-github, allstar, github3.py and Terraform's provider were answered.
        ({"strict": True, "checks": [CHECK]}, ""),
        ({"strict": True, "checks": []}, ""),
        ({"strict": True, "contexts": ["test"]}, ""),
        (None, ""),
        ({"strict": True, "contexts": ["test"], "checks": [CHECK]}, 'More than one subschema in "oneOf" matched'),
        ({"strict": True, "contexts": [], "checks": [CHECK]}, 'More than one subschema in "oneOf" matched'),
        ({"strict": True}, 'No subschema in "oneOf" matched'),
        ({"strict": True, "checks": None}, "nil is not an array"),
    ],
)
def test_required_checks_are_named_in_one_of_two_ways(checks: Any, said: str) -> None:
    found = github_bodies.problem("PUT", PROTECTION, {"required_status_checks": checks, **REST})
    assert said in found and bool(found) is bool(said)


@pytest.mark.parametrize("names", [[], ["test"], ["build", "test"]])
def test_the_protection_names_its_checks_once(names: list[str]) -> None:
    values = {**branch_protection.NOTHING, "checks": names, "strict": True}
    body = branch_protection.body_of(values, branch_protection.ProtectionPresent())
    assert {*body["required_status_checks"]} == {"strict", "checks"}
    assert github_bodies.problem("PUT", PROTECTION, body) == ""


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", f"{REPO_PATH}/releases", {"tag_name": "v1"}, "has no second authority"),
        ("POST", f"{REPO_PATH}/git/refs", {"ref": "refs/tags/v1"}, '"sha" wasn\'t supplied'),
        ("POST", f"{REPO_PATH}/git/refs", {"ref": "r", "sha": "s", "force": True}, "not a permitted key"),
        ("POST", f"{REPO_PATH}/git/refs", [], "is not an object"),
        (
            "POST",
            f"{REPO_PATH}/rulesets",
            {"name": "n", "enforcement": "active", "rules": [{"parameters": {"integration_id": None}}]},
            "matches no possible input",
        ),
    ],
)
def test_a_body_that_nobody_else_sends_is_refused(method: str, path: str, body: Any, said: str) -> None:
    assert said in github_bodies.problem(method, path, body)


def test_each_row_has_a_write_and_says_who_else_sends_it() -> None:
    """A row without a route of the fake is of a request that nobody sends."""
    for row in github_bodies.BODIES:
        parts = re.sub(r"\[\^/\]\+|\\d\+", "1", row.path.replace("/repos/[^/]+/[^/]+", REPO_PATH))
        options = re.sub(r"\(\?:(.*)\)", r"\1", parts).split("|")
        place = (options[0] + re.sub(r".*\)", "", parts)) if len(options) > 1 else options[0]
        place = place.replace("/orgs/1", "/orgs/example")
        assert any(method == row.method and pattern.match(place) for method, pattern, _function in ROUTES), place
        assert row.seen


def test_every_write_with_a_body_goes_to_the_stand_in() -> None:
    """The modules write through one client; the fake refuses a body without a row, so a test of each sees it."""
    found = [
        path.stem
        for path in sorted(ROOT.glob("plugins/module_utils/github/*.py"))
        if re.search(r"""(?:Write|\.send)\(\s*"(?:POST|PUT|PATCH)\"""", path.read_text(encoding="utf-8"))
    ]
    without = [name for name in found if not list(ROOT.glob(f"tests/unit/github/test_{name}.py"))]
    assert found and without == []
