"""Refusals in GitHub's own words: each names its cause, and the way forward of that cause.

The texts are those of GitHub's documentation and of public reports; the report stands at each.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.github import hints
from ansible_collections.ops.runbook.plugins.module_utils.github.client import (
    GitHub,
    GitHubError,
    Reply,
    limited,
    refusal,
)

PATH = "/repos/example/shop/branches/main/protection"
SSO = "https://github.com/orgs/example/sso?authorization_request=AZSCKtL4U8yX1H3sCQIVnVgmjmon"

#: status, message, headers, code, a part of the text, a part of the ways.
CASES: list[tuple[int, str, dict[str, str], str, str, str]] = [
    # gitpod-io/gitpod 3978, r-universe-org/help 247
    (403, "Repository was archived so is read-only.", {}, "archived", "is archived", "gh repo unarchive example/shop"),
    # ossf/scorecard 1504, cli/cli 2661; the header as in the documentation of single sign-on
    (
        403,
        "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this "
        "organization.",
        {"x-github-sso": f"required; url={SSO}"},
        "sso_needed",
        "single sign-on",
        SSO,
    ),
    (403, "Resource protected by organization SAML enforcement.", {}, "sso_needed", "single sign-on", "Configure SSO"),
    (404, "Not Found", {"x-github-sso": f"required; url={SSO}"}, "sso_needed", "single sign-on", SSO),
    # aquasecurity/trivy 10567, docker/metadata-action 342
    (
        403,
        "Although you appear to have the correct authorization credentials, the `example` organization has an IP allow "
        "list enabled, and your IP address is not permitted to access this resource.",
        {},
        "ip_not_allowed",
        "listed addresses",
        "IP allow list",
    ),
    # iterative/cml 1229
    (
        403,
        "Upgrade to GitHub Pro or make this repository public to enable this feature.",
        {},
        "plan_needed",
        "the plan",
        "Billing and plans",
    ),
    (
        422,
        "Failed to create the environment protection rule. Please ensure the billing plan supports the required "
        "reviewers protection rule.",
        {},
        "plan_needed",
        "the plan",
        "Billing and plans",
    ),
    (
        403,
        "Advanced Security must be enabled for this repository to use secret scanning.",
        {},
        "plan_needed",
        "the plan",
        "leave it out",
    ),
    # PyGithub/PyGithub 1015 with 403, github/rest-api-description 3314 with 451
    (403, "Repository access blocked", {}, "repository_blocked", "has blocked", "support.github.com"),
    (451, "Repository access blocked", {}, "repository_blocked", "has blocked", "support.github.com"),
    (403, "Repository has been locked for migration.", {}, "repository_locked", "is locked", "the same later"),
    # NixOS/org 247, flcdrg/au-packages 197
    (
        403,
        "The 'example' organization forbids access via a fine-grained personal access tokens if the token's lifetime "
        "is greater than 90 days. Please adjust your token's lifetime at the following URL: "
        "https://github.com/settings/personal-access-tokens/12885303",
        {},
        "token_lifetime",
        "lives so long",
        "https://github.com/settings/personal-access-tokens/12885303",
    ),
    (
        403,
        "`example` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a "
        "personal access token with fine-grained permissions.",
        {},
        "token_kind",
        "of this kind",
        "GitHub App",
    ),
    (
        403,
        "Although you appear to have the correct authorization credentials, the `example` organization has enabled "
        "OAuth App access restrictions, meaning that data access to third-parties is limited.",
        {},
        "app_not_approved",
        "not approved",
        "Third-party Access",
    ),
    (403, "Sorry. Your account was suspended.", {}, "account_suspended", "suspended", "another account"),
    (
        403,
        "Maximum number of login attempts exceeded. Please try again later.",
        {},
        "too_many_logins",
        "wrong ones",
        "the same later",
    ),
    (403, "GitHub Actions has been disabled for this repository.", {}, "actions_disabled", "switched off", "Actions"),
    (
        422,
        "Validation Failed; Only organization repositories can have users and team restrictions",
        {},
        "organisation_needed",
        "belongs to a person",
        "restrict_pushes=false",
    ),
    (409, "Git Repository is empty.", {}, "repository_empty", "no commit", "git push"),
    (
        422,
        "Repository rule violations found; Cannot create ref due to creations being restricted.",
        {},
        "rule_violation",
        "a rule",
        "Settings, Rules",
    ),
    (403, "Must have admin rights to Repository.", {}, "forbidden", "does not administer", "administration=write"),
    # What is left is the permission of the token, and nothing else.
    (
        403,
        "Resource not accessible by personal access token",
        {"x-accepted-github-permissions": "administration=write"},
        "forbidden",
        "the token may not do this",
        "the permission administration=write",
    ),
    (403, "Resource not accessible by integration", {}, "forbidden", "the token may not do this", "systems/github.md"),
    (401, "Bad credentials", {}, "bad_token", "does not know the token", "neither expired"),
    (422, "Reference already exists", {}, "invalid", "Reference already exists", ""),
    (404, "Not Found", {}, "not_found", "does not exist", "includes this repository"),
]


@pytest.mark.parametrize(("status", "message", "headers", "code", "text", "way"), CASES)
def test_a_refusal_names_its_cause(
    status: int, message: str, headers: dict[str, str], code: str, text: str, way: str
) -> None:
    found = refusal("PUT", PATH, Reply(status, headers, json.dumps({"message": message}).encode()))
    assert (found.code, found.status) == (code, status)
    assert text in str(found), str(found)
    assert message.split(";")[0].rstrip(".") in str(found)
    assert way in " ".join(" ".join(one) for one in found.ways), found.ways
    if code not in ("forbidden", "not_found"):
        # The permission is the wrong way forward for each of them.
        assert "permission" not in " ".join(" ".join(one) for one in found.ways)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"required; url={SSO}", SSO),
        (f"required;url={SSO}", SSO),
        ("required", ""),
        ("required; url=https://github.com.example.com/orgs/x/sso", ""),
        ("required; url=http://github.com/orgs/x/sso", ""),
        ("required; url=https://github.com@evil.example.com/x", ""),
        ("required; url=https://evil.example.com/https://github.com/x", ""),
        ("required; url=https://github.com/x y", ""),
        ("required; url=https://github.com/\x1b[2J", ""),
        (f"required; not_url={SSO}", ""),
        ("required; url=https://github.com/" + "x" * 600, ""),
    ],
)
def test_a_person_is_sent_to_github_alone(header: str, expected: str) -> None:
    assert hints.sso_address(header) == expected
    found = refusal("GET", PATH, Reply(403, {"x-github-sso": header}, b'{"message": "SAML"}'))
    assert found.code == "sso_needed"
    assert all(what.startswith("https://github.com/") for what, _effect in found.ways)


def test_a_block_says_why_and_where() -> None:
    notice = "https://github.com/github/dmca/blob/master/2021/04/notice.md"
    body = {"message": "Repository access blocked", "block": {"reason": "dmca", "html_url": notice}}
    found = refusal("GET", "/repos/example/shop", Reply(451, {}, json.dumps(body).encode()))
    assert "(reason: dmca)" in str(found) and (notice, "says why") in found.ways
    body["block"] = {"reason": "\x1b[2J", "html_url": "https://evil.example.com/"}
    found = refusal("GET", "/repos/example/shop", Reply(451, {}, json.dumps(body).encode()))
    assert "\x1b" not in str(found) and "evil" not in str(found.ways)


@pytest.mark.parametrize(
    ("status", "headers", "message", "kind"),
    [
        # GitHub's documentation of rate limits.
        (403, {"x-ratelimit-remaining": "0"}, "API rate limit exceeded for user ID 1.", "primary"),
        (429, {"x-ratelimit-remaining": "0"}, "API rate limit exceeded", "primary"),
        (403, {}, "You have exceeded a secondary rate limit. Please wait a few minutes.", "secondary"),
        (403, {"retry-after": "60"}, "You have exceeded a secondary rate limit", "secondary"),
        (429, {"retry-after": "60"}, "", "secondary"),
        # Its older words for the same.
        (403, {}, "You have triggered an abuse detection mechanism. Please wait a few minutes.", "secondary"),
        (403, {}, "was submitted too quickly", "secondary"),
        # The last request of the hour, refused for a cause of its own.
        (403, {"x-ratelimit-remaining": "0"}, "Repository was archived so is read-only.", ""),
        (403, {"x-ratelimit-remaining": "0"}, "Resource protected by organization SAML enforcement.", ""),
        (403, {"x-ratelimit-remaining": "12"}, "Resource not accessible by integration", ""),
        (404, {"x-ratelimit-remaining": "0"}, "Not Found", ""),
    ],
)
def test_a_limit_is_of_the_hour_or_of_too_many_at_once(
    status: int, headers: dict[str, str], message: str, kind: str
) -> None:
    reply = Reply(status, headers, json.dumps({"message": message}).encode())
    assert hints.limit(status, headers, reply.text()) == kind
    assert limited(reply) is bool(kind)


def test_each_rule_has_a_case() -> None:
    """A cause that is added comes with the words that GitHub has for it."""
    for rule in hints.RULES:
        assert any(rule.fits(case[0], case[1]) and case[3] == rule.code for case in CASES), rule.code


class Refusing:
    """A server that answers each request with one refusal."""

    def __init__(self, status: int, headers: dict[str, str], body: Any) -> None:
        self.status, self.headers, self.body = status, headers, body

    def __call__(self, *_arguments: Any, **_options: Any) -> Refusing:
        return self

    def read(self, _size: int) -> bytes:
        return json.dumps(self.body).encode()

    def __enter__(self) -> Refusing:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


def test_a_repository_hidden_by_single_sign_on_is_not_taken_for_missing() -> None:
    hidden = GitHub(
        Refusing(404, {"X-GitHub-SSO": f"required; url={SSO}"}, {"message": "Not Found"}), "https://api.github.com", "t"
    )
    for ask in (hidden.find, hidden.exists, hidden.get):
        with pytest.raises(GitHubError) as caught:
            ask(PATH)
        assert caught.value.code == "sso_needed"
    missing = GitHub(Refusing(404, {}, {"message": "Not Found"}), "https://api.github.com", "t")
    assert missing.find(PATH) is None and missing.exists(PATH) is False


def test_a_write_that_github_hides_names_the_token_first() -> None:
    reply = Reply(404, {}, b'{"message": "Not Found"}')
    assert refusal("PUT", PATH, reply).ways[0][0] == "the token's settings"
    assert refusal("GET", PATH, reply).ways[0][0] == "the name in the path"
