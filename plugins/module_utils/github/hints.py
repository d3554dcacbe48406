# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cause of a refusal by GitHub's own words and headers, with the way forward of that cause. Pure.

GitHub answers 403 to a missing permission as to an archived repository, a token without SSO, an address that is not on
a list and a plan without the feature. Only its text and its headers tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Ways forward, each as what to give or to type and what that does.
Ways = tuple[tuple[str, str], ...]

#: Addresses of GitHub that a person is sent to: nothing else of a header or a body is.
_GITHUB_URL = re.compile(r"https://github\.com/[\x21-\x7e]{1,500}\Z")
_IN_TEXT = re.compile(r"https://github\.com/[A-Za-z0-9/_.?=&%-]{1,300}")
PRIMARY, SECONDARY = "primary", "secondary"


@dataclass(frozen=True)
class Hint:
    """code: stable, for programs. cause: in words, as the beginning of a sentence."""

    code: str
    cause: str
    ways: Ways


@dataclass(frozen=True)
class Rule:
    """A cause that GitHub names. statuses: those it comes with. words: a pattern of its text.

    {repository} in a way is owner/name, {url} the address of GitHub that the text names.
    """

    code: str
    statuses: tuple[int, ...]
    words: str
    cause: str
    ways: Ways

    def fits(self, status: int, said: str) -> bool:
        return status in self.statuses and re.search(self.words, said, re.I) is not None


RULES = (
    Rule(
        "archived",
        (403,),
        r"\barchived\b.*read-only",
        "the repository is archived, so nothing in it can be changed",
        (("gh repo unarchive {repository}", "makes it writable again; its administrators may"),),
    ),
    Rule(
        "ip_not_allowed",
        (403,),
        r"IP allow list|IP address is not permitted",
        "the organisation lets in requests from listed addresses alone, and this controller has another one",
        (
            ("another controller", "one whose address is listed"),
            ("Settings, Authentication security, IP allow list", "of the organisation: its owner adds the address"),
        ),
    ),
    Rule(
        "plan_needed",
        (403, 404, 422),
        r"upgrade to GitHub|billing plan|not (?:available|supported) (?:for|on|in|with) (?:your|this) (?:current )?plan"
        r"|advanced security (?:must be|is not|has not been)|not available for (?:this|your) repository",
        "the plan of the repository's owner does not have this",
        (
            ("Settings, Billing and plans", "of the owner: a plan that has it"),
            ("the setting", "leave it out of what is wanted"),
        ),
    ),
    Rule(
        "repository_blocked",
        (403, 451),
        r"repository access blocked|repository (?:has been|is|was) (?:disabled|blocked)",
        "GitHub has blocked the repository",
        (("https://support.github.com", "its owner asks there; no token and no setting opens it"),),
    ),
    Rule(
        "repository_locked",
        (403, 409, 423),
        r"locked for migration|repository (?:has been|is) locked",
        "the repository is locked while it is moved",
        (("the same later", "once the move is done"),),
    ),
    Rule(
        "token_lifetime",
        (403,),
        r"token'?s lifetime is greater than",
        "the organisation takes no token that lives so long",
        (("{url}", "shorten the token's lifetime there"), ("token", "give one that expires sooner")),
    ),
    Rule(
        "token_kind",
        (403,),
        r"forbids access via a .*personal access token|access via .*personal access token.* (?:is|are) not allowed",
        "the organisation takes no token of this kind",
        (("token", "give one of the kind that GitHub's answer names, or one of a GitHub App"),),
    ),
    Rule(
        "app_not_approved",
        (403,),
        r"OAuth App access restrictions|third-party application (?:access )?restrictions",
        "the organisation has not approved the application that the token is of",
        (("Settings, Third-party Access", "of the organisation: its owner approves it"),),
    ),
    Rule(
        "account_suspended",
        (403,),
        r"account (?:was|is|has been) suspended|suspended (?:account|user)",
        "the account that the token belongs to is suspended",
        (("token", "give one of another account, or ask GitHub's support"),),
    ),
    Rule(
        "too_many_logins",
        (403,),
        r"maximum number of login attempts",
        "GitHub takes no login of this account for some minutes, after too many wrong ones",
        (("the same later", "with a token that is valid"),),
    ),
    Rule(
        "actions_disabled",
        (403, 409, 422),
        r"actions (?:has been|have been|is|are) disabled",
        "GitHub Actions is switched off for the repository",
        (("Settings, Actions, General", "of the repository: allow them"),),
    ),
    Rule(
        "organisation_needed",
        (422,),
        r"only organization(?:-owned)? repositories",
        "the repository belongs to a person, and GitHub takes this of an organisation's repositories alone",
        (("restrict_pushes=false", "and no push_users, push_teams or push_apps"),),
    ),
    Rule(
        "repository_empty",
        (409,),
        r"repository is empty",
        "the repository has no commit yet",
        (("git push", "its first commit"),),
    ),
    Rule(
        "rule_violation",
        (403, 409, 422),
        r"repository rule violations|creations being restricted|protected (?:branch|tag|ref)",
        "a rule of the repository forbids it",
        (
            ("Settings, Rules", "of the repository: see which rule, and who may pass by it"),
            ("token", "give one of somebody who may"),
        ),
    ),
    Rule(
        "forbidden",
        (403, 404),
        r"must have admin rights|administrator access",
        "the owner of the token does not administer the repository",
        (("token", "give one of an administrator, with the permission administration=write"),),
    ),
)


def address(text: str) -> str:
    """An address that a person may be sent to; empty for one that is not GitHub's."""
    return text if _GITHUB_URL.match(text) else ""


def sso_address(header: str) -> str:
    """The address that authorises a token for single sign-on, by the header X-GitHub-SSO; empty for another host."""
    for piece in header.split(";"):
        name, _equals, value = piece.strip().partition("=")
        if name.strip().lower() == "url":
            return address(value.strip())
    return ""


def withheld(headers: Mapping[str, str]) -> bool:
    """True if a list lacks what is of organisations that the token is not authorised for."""
    return headers.get("x-github-sso", "").strip().lower().startswith("partial-results")


def limit(status: int, headers: Mapping[str, str], text: str) -> str:
    """PRIMARY or SECONDARY for an answer that is a limit, which means that the request was not carried out; else empty.

    text: the whole body. A refusal with a cause of its own is not a limit, though it may be the last request of the
    hour.
    """
    if status not in (403, 429):
        return ""
    said = text.lower()
    secondary = "secondary rate" in said or "abuse detection" in said or "submitted too quickly" in said
    if secondary:
        return SECONDARY
    other = "saml" in said or headers.get("x-github-sso") or any(rule.fits(status, text) for rule in RULES)
    if status == 403 and "rate limit" not in said and other:
        return ""
    if headers.get("x-ratelimit-remaining") == "0":
        return PRIMARY
    if status == 429 or "retry-after" in headers:
        return SECONDARY
    return PRIMARY if "rate limit" in said else ""


def hint(status: int, headers: Mapping[str, str], said: str, path: str, body: Any = None) -> Hint | None:
    """The cause of a refusal; None where GitHub names none, which leaves the permission of the token.

    said: the error's text in one line. path: of the request. body: of the answer, as it was parsed.
    """
    sso = headers.get("x-github-sso", "")
    if status in (403, 404) and (sso.strip().lower().startswith("required") or re.search("SAML", said)):
        return _sso(sso_address(sso))
    for rule in RULES:
        if rule.fits(status, said):
            return Hint(rule.code, _cause(rule, body), _ways(rule, said, path, body))
    return None


def _sso(url: str) -> Hint:
    cause = "the organisation wants single sign-on (SAML), and the token is not authorised for it"
    open_it = ((url, "open it in a browser within the hour, and authorise the token"),) if url else ()
    settings = ("https://github.com/settings/tokens", "at the token: Configure SSO, Authorize")
    return Hint("sso_needed", cause, (*open_it, settings))


def _block(body: Any) -> Mapping[str, Any]:
    block = body.get("block") if isinstance(body, Mapping) else None
    return block if isinstance(block, Mapping) else {}


def _cause(rule: Rule, body: Any) -> str:
    reason = str(_block(body).get("reason") or "")
    return f"{rule.cause} (reason: {reason})" if re.fullmatch(r"[\w -]{1,40}", reason) else rule.cause


def _ways(rule: Rule, said: str, path: str, body: Any) -> Ways:
    named = re.match(r"/?repos/([^/?]+/[^/?]+)", path)
    found = _IN_TEXT.search(said)
    words = {
        "{repository}": named.group(1) if named else "",
        "{url}": found.group(0).rstrip(".") if found else "https://github.com/settings/tokens",
    }
    ways = []
    for what, effect in rule.ways:
        for place, value in words.items():
            what = what.replace(place, value)
        ways.append((what, effect))
    notice = address(str(_block(body).get("html_url") or ""))
    return (*ways, *(((notice, "says why"),) if notice else ()))
