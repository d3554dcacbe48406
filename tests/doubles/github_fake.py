"""A small GitHub on a real socket: it keeps what it is told, opens sealed boxes, and can fail in the ways of a network.

`faults` holds what goes wrong next, as (method, part of the path, kind):
  refuse  answers 500 and does nothing         lose    does it, and closes the connection instead of an answer
  drop    does nothing and closes              ignore  answers well and does nothing
  late    does it and answers 502              limit   answers 429 with Retry-After: 1 and does nothing
  exhausted  answers 403 as one who has no request left for an hour, and does nothing
  astray  puts a secret of an environment among those of the repository, and answers as if it had not
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import github_bodies
from nacl.public import PrivateKey, SealedBox

REPO = "example/shop"
MOMENTS = [f"2026-11-21T08:{minute:02}:{second:02}Z" for minute in range(60) for second in range(60)]


class Answer(Exception):
    def __init__(self, status: int, body: Any = None, **headers: str) -> None:
        self.status = status
        self.body = body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def missing() -> Answer:
    return Answer(404, {"message": "Not Found"})


def invalid(message: str) -> Answer:
    return Answer(422, {"message": "Validation Failed", "errors": [message]})


Route = Callable[..., Any]
ROUTES: list[tuple[str, re.Pattern[str], Route]] = []


def route(method: str, pattern: str) -> Callable[[Route], Route]:
    def keep(function: Route) -> Route:
        ROUTES.append((method, re.compile(pattern + r"\Z"), function))
        return function

    return keep


class FakeGitHub:
    """The state of GitHub. `requests` is every request that came, with its headers."""

    def __init__(self) -> None:
        self.token = f"token-{secrets.token_hex(12)}"
        self.key = PrivateKey.generate()
        self.key_id = "568250167242549743"
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.faults: list[tuple[str, str, str]] = []
        self.denied: dict[str, str] = {}
        # The scopes of a classic token; empty for a fine-grained one.
        self.scopes = ""
        # Items of a page: so few that a list which is read without its pages is seen.
        self.page = 1
        self.ticks = iter(MOMENTS)
        self.renamed: dict[str, str] = {}
        # By scope: "repo", "env/<name>", "org".
        self.secrets: dict[str, dict[str, dict[str, Any]]] = {"repo": {}, "org": {}}
        self.environments: dict[str, dict[str, Any]] = {}
        self.users = {"anna": 11, "ben": 12, "cleo": 13}
        self.teams = {"operators": 31, "owners": 32}
        self.apps = {"example-bot": 51}
        self.repositories = {"shop": 101, "site": 102}
        self.branches = ["main", "release/1.x"]
        self.protection: dict[str, dict[str, Any]] = {}
        self.rulesets: dict[int, dict[str, Any]] = {}
        self.hide_bypass = False
        # A plan whose private repositories have environments without reviewers, timers and a bypass.
        self.branch_policies_only = False
        self.security: dict[str, Any] = {
            "secret_scanning": {"status": "disabled"},
            "secret_scanning_push_protection": {"status": "disabled"},
        }
        self.alerts = False
        self.advisories: list[dict[str, Any]] = []
        self.fixes = False
        self.workflows: dict[str, dict[str, Any]] = {}
        self.runs: dict[int, dict[str, Any]] = {}
        self.logs: dict[int, str] = {}
        self.jobs: dict[int, list[dict[str, Any]]] = {}
        self.run_details = True
        # Whose token it is; empty for an app's.
        self.login = "deployer"
        self.actor = "deployer"
        # Runs that a look at the list does not show yet, by the number of looks.
        self.unseen = 0
        self.on_dispatch: Callable[[dict[str, Any]], None] = lambda run: None
        self.refs: dict[str, dict[str, str]] = {}
        self.tags: dict[str, dict[str, Any]] = {}
        self.burned: set[str] = set()
        self.commits: dict[str, str] = {}
        self.behind: dict[str, str] = {}
        self.checks: dict[str, list[dict[str, Any]]] = {}
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.url = ""
        # Whose requests these are, for the record of them.
        self.module = ""
        self.store_url = ""
        self.store_requests: list[dict[str, str]] = []
        # Makes an answer whole that has only what the modules read: (method, path, status, body).
        self.complete: Callable[[str, str, int, Any], Any] = lambda method, path, status, body: body

    def tick(self) -> str:
        return next(self.ticks)

    def writes(self) -> list[str]:
        return [f"{method} {path}" for method, path, _headers, _body in self.requests if method != "GET"]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        for known, pattern, function in ROUTES:
            found = pattern.match(path)
            if known == method and found:
                return function(self, query, body, *(unquote(item) for item in found.groups()))
        raise missing()


REPO_PATH = f"/repos/{REPO}"
#: Where an answer has the items of a list that GitHub gives in pages.
LISTS = ("environments", "branch_policies", "check_runs", "statuses", "workflow_runs", "jobs", "repositories")


# Secrets


def secret_scopes() -> list[tuple[str, str]]:
    return [
        (f"{REPO_PATH}/actions/secrets", "repo"),
        (f"{REPO_PATH}/environments/([^/]+)/secrets", "env/{}"),
        ("/orgs/example/actions/secrets", "org"),
    ]


def scope_of(hub: FakeGitHub, scope: str, names: tuple[str, ...]) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    if "{}" not in scope:
        return hub.secrets[scope], names
    if names[0] not in hub.environments:
        raise missing()
    return hub.secrets.setdefault(scope.format(names[0]), {}), names[1:]


def add_secret_routes(base: str, scope: str) -> None:
    @route("GET", f"{base}/public-key")
    def public_key(hub: FakeGitHub, query: Any, body: Any, *names: str) -> Any:
        scope_of(hub, scope, names)
        return {"key_id": hub.key_id, "key": base64.b64encode(bytes(hub.key.public_key)).decode()}

    @route("GET", f"{base}/([^/]+)")
    def one(hub: FakeGitHub, query: Any, body: Any, *names: str) -> Any:
        kept, rest = scope_of(hub, scope, names)
        if rest[0] not in kept:
            raise missing()
        return {key: value for key, value in kept[rest[0]].items() if key not in ("value", "ids")}

    @route("PUT", f"{base}/([^/]+)")
    def put(hub: FakeGitHub, query: Any, body: Any, *names: str) -> Any:
        kept, rest = scope_of(hub, scope, names)
        if body.get("key_id") != hub.key_id:
            raise invalid("bad key_id")
        value = SealedBox(hub.key).decrypt(base64.b64decode(body["encrypted_value"])).decode()
        old = kept.get(rest[0])
        moment = hub.tick()
        kept[rest[0]] = {
            "name": rest[0],
            "value": value,
            "created_at": old["created_at"] if old else moment,
            "updated_at": moment,
        }
        if scope == "org":
            kept[rest[0]]["visibility"] = body["visibility"]
            kept[rest[0]]["ids"] = body.get("selected_repository_ids", [])
        raise Answer(204 if old else 201, None if old else {})

    @route("DELETE", f"{base}/([^/]+)")
    def delete(hub: FakeGitHub, query: Any, body: Any, *names: str) -> Any:
        kept, rest = scope_of(hub, scope, names)
        if rest[0] not in kept:
            raise missing()
        del kept[rest[0]]
        raise Answer(204)


for _base, _scope in secret_scopes():
    add_secret_routes(_base, _scope)


@route("GET", "/orgs/example/actions/secrets/([^/]+)/repositories")
def secret_repositories(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    names = {number: known for known, number in hub.repositories.items()}
    ids = hub.secrets["org"][name]["ids"]
    return {"total_count": len(ids), "repositories": [{"id": one, "full_name": f"example/{names[one]}"} for one in ids]}


@route("PUT", "/orgs/example/actions/secrets/([^/]+)/repositories")
def put_secret_repositories(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    hub.secrets["org"][name]["ids"] = body["selected_repository_ids"]
    raise Answer(204)


@route("GET", "/orgs/(example)")
def organisation(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    return {"login": name, "id": 1}


# Environments and people


@route("GET", "/users/([^/]+)")
def user(hub: FakeGitHub, query: Any, body: Any, login: str) -> Any:
    if login not in hub.users:
        raise missing()
    return {"login": login, "id": hub.users[login]}


@route("GET", "/orgs/example/teams/([^/]+)")
def team(hub: FakeGitHub, query: Any, body: Any, slug: str) -> Any:
    if slug not in hub.teams:
        raise missing()
    return {"slug": slug, "id": hub.teams[slug]}


@route("GET", f"{REPO_PATH}/environments")
def environments(hub: FakeGitHub, query: Any, body: Any) -> Any:
    return {"environments": [{"name": name} for name in hub.environments]}


@route("GET", f"{REPO_PATH}/environments/([^/]+)")
def environment(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    kept = hub.environments.get(name)
    if kept is None:
        raise missing()
    rules: list[dict[str, Any]] = []
    if kept.get("wait_timer"):
        rules.append({"type": "wait_timer", "wait_timer": kept["wait_timer"]})
    if kept.get("reviewers"):
        names = {number: name for name, number in {**hub.users, **hub.teams}.items()}
        rules.append(
            {
                "type": "required_reviewers",
                "prevent_self_review": kept.get("prevent_self_review", False),
                "reviewers": [
                    {
                        "type": one["type"],
                        "reviewer": {"id": one["id"], "login" if one["type"] == "User" else "slug": names[one["id"]]},
                    }
                    for one in kept["reviewers"]
                ],
            }
        )
    if kept.get("deployment_branch_policy"):
        rules.append({"type": "branch_policy"})
    return {
        "name": name,
        "can_admins_bypass": kept.get("can_admins_bypass", True),
        "protection_rules": rules,
        "deployment_branch_policy": kept.get("deployment_branch_policy"),
    }


@route("PUT", f"{REPO_PATH}/environments/([^/]+)")
def put_environment(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    body = body or {}
    if hub.branch_policies_only and {*body} != {"deployment_branch_policy"}:
        raise invalid("Failed to create the environment protection rule. Please ensure the billing plan supports it.")
    if len(body.get("reviewers") or []) > 6:
        raise invalid("too many reviewers")
    old = hub.environments.get(name, {})
    policies = old.get("policies", [])
    # Whatever a PUT leaves out is reset: that is GitHub's own way.
    hub.environments[name] = {
        "can_admins_bypass": True,
        **body,
        "policies": policies if (body.get("deployment_branch_policy") or {}).get("custom_branch_policies") else [],
    }
    return {"name": name}


@route("DELETE", f"{REPO_PATH}/environments/([^/]+)")
def delete_environment(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if hub.environments.pop(name, None) is None:
        raise missing()
    raise Answer(204)


@route("GET", f"{REPO_PATH}/environments/([^/]+)/deployment-branch-policies")
def policies(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name not in hub.environments:
        raise missing()
    return {"branch_policies": hub.environments[name]["policies"]}


@route("POST", f"{REPO_PATH}/environments/([^/]+)/deployment-branch-policies")
def add_policy(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    kept = hub.environments[name]
    if not (kept.get("deployment_branch_policy") or {}).get("custom_branch_policies"):
        raise missing()
    number = 900 + len(hub.requests)
    kept["policies"].append({"id": number, "name": body["name"], "type": body.get("type", "branch")})
    return {"id": number}


@route("DELETE", f"{REPO_PATH}/environments/([^/]+)/deployment-branch-policies/(\\d+)")
def drop_policy(hub: FakeGitHub, query: Any, body: Any, name: str, number: str) -> Any:
    kept = hub.environments[name]
    kept["policies"] = [one for one in kept["policies"] if one["id"] != int(number)]
    raise Answer(204)


# Branches


@route("GET", f"{REPO_PATH}/branches/([^/]+)")
def branch(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name not in hub.branches:
        raise missing()
    return {"name": name, "protected": name in hub.protection, "commit": {"sha": hub.commits.get(name, "")}}


@route("GET", f"{REPO_PATH}/branches/([^/]+)/protection")
def protection(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name not in hub.protection:
        raise Answer(404, {"message": "Branch not protected"})
    return hub.protection[name]


@route("PUT", f"{REPO_PATH}/branches/([^/]+)/protection")
def put_protection(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name not in hub.branches:
        raise missing()
    kept: dict[str, Any] = {"enforce_admins": {"enabled": bool(body["enforce_admins"])}}
    if checks := body["required_status_checks"]:
        listed = checks.get("checks")
        if listed is None:
            listed = [{"context": name, "app_id": None} for name in checks["contexts"]]
        kept["required_status_checks"] = {
            "strict": checks["strict"],
            "contexts": [one["context"] for one in listed],
            "checks": [{"context": one["context"], "app_id": one.get("app_id")} for one in listed],
        }
    if reviews := body["required_pull_request_reviews"]:
        kept["required_pull_request_reviews"] = {
            "dismiss_stale_reviews": False,
            "require_code_owner_reviews": False,
            "require_last_push_approval": False,
            "required_approving_review_count": 1,
            **{key: value for key, value in reviews.items() if not isinstance(value, dict)},
        }
        for key in ("dismissal_restrictions", "bypass_pull_request_allowances"):
            if given := reviews.get(key):
                kept["required_pull_request_reviews"][key] = people(given)
    if (limits := body["restrictions"]) is not None:
        kept["restrictions"] = people(limits)
    for key in (
        "required_linear_history",
        "allow_force_pushes",
        "allow_deletions",
        "block_creations",
        "required_conversation_resolution",
        "lock_branch",
        "allow_fork_syncing",
    ):
        kept[key] = {"enabled": bool(body.get(key))}
    kept["required_signatures"] = hub.protection.get(name, {}).get("required_signatures", {"enabled": False})
    hub.protection[name] = kept
    return kept


def people(given: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "users": [{"login": login} for login in given.get("users", [])],
        "teams": [{"slug": slug} for slug in given.get("teams", [])],
        "apps": [{"slug": slug} for slug in given.get("apps", [])],
    }


@route("DELETE", f"{REPO_PATH}/branches/([^/]+)/protection")
def delete_protection(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if hub.protection.pop(name, None) is None:
        raise missing()
    raise Answer(204)


@route("POST", f"{REPO_PATH}/branches/([^/]+)/protection/required_signatures")
def sign(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    hub.protection[name]["required_signatures"] = {"enabled": True}
    return {"enabled": True}


@route("DELETE", f"{REPO_PATH}/branches/([^/]+)/protection/required_signatures")
def unsign(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    hub.protection[name]["required_signatures"] = {"enabled": False}
    raise Answer(204)


# Rulesets


@route("GET", f"{REPO_PATH}/rulesets")
def rulesets(hub: FakeGitHub, query: Any, body: Any) -> Any:
    return [
        {"id": number, "name": one["name"], "target": one["target"], "source_type": one["source_type"]}
        for number, one in hub.rulesets.items()
    ]


@route("POST", f"{REPO_PATH}/rulesets")
def make_ruleset(hub: FakeGitHub, query: Any, body: Any) -> Any:
    if any(one["name"] == body["name"] for one in hub.rulesets.values()):
        raise invalid("Name must be unique")
    number = 700 + len(hub.rulesets)
    hub.rulesets[number] = {"id": number, "source_type": "Repository", "bypass_actors": [], **with_defaults(body)}
    raise Answer(201, hub.rulesets[number])


def with_defaults(body: dict[str, Any]) -> dict[str, Any]:
    """GitHub adds parameters that nobody gave."""
    for rule in body.get("rules", []):
        if rule["type"] == "pull_request":
            rule["parameters"] = {"allowed_merge_methods": ["merge", "squash", "rebase"], **rule.get("parameters", {})}
    return body


@route("GET", f"{REPO_PATH}/rulesets/(\\d+)")
def ruleset(hub: FakeGitHub, query: Any, body: Any, number: str) -> Any:
    if int(number) not in hub.rulesets:
        raise missing()
    found = dict(hub.rulesets[int(number)])
    if hub.hide_bypass:
        del found["bypass_actors"]
    return found


@route("PUT", f"{REPO_PATH}/rulesets/(\\d+)")
def put_ruleset(hub: FakeGitHub, query: Any, body: Any, number: str) -> Any:
    hub.rulesets[int(number)].update(with_defaults(body))
    return hub.rulesets[int(number)]


@route("DELETE", f"{REPO_PATH}/rulesets/(\\d+)")
def delete_ruleset(hub: FakeGitHub, query: Any, body: Any, number: str) -> Any:
    del hub.rulesets[int(number)]
    raise Answer(204)


# The repository itself


@route("GET", "/repos/example/(shop|site)")
def repository(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    return {
        "id": hub.repositories[name],
        "full_name": f"example/{name}",
        "default_branch": "main",
        "security_and_analysis": hub.security,
    }


@route("PATCH", REPO_PATH)
def patch_repository(hub: FakeGitHub, query: Any, body: Any) -> Any:
    hub.security.update(body["security_and_analysis"])
    return {}


@route("GET", f"{REPO_PATH}/vulnerability-alerts")
def alerts(hub: FakeGitHub, query: Any, body: Any) -> Any:
    raise Answer(204) if hub.alerts else missing()


@route("PUT", f"{REPO_PATH}/vulnerability-alerts")
def enable_alerts(hub: FakeGitHub, query: Any, body: Any) -> Any:
    hub.alerts = True
    raise Answer(204)


@route("DELETE", f"{REPO_PATH}/vulnerability-alerts")
def disable_alerts(hub: FakeGitHub, query: Any, body: Any) -> Any:
    hub.alerts = hub.fixes = False
    raise Answer(204)


@route("GET", f"{REPO_PATH}/dependabot/alerts")
def dependabot_alerts(hub: FakeGitHub, query: Any, body: Any) -> Any:
    if not hub.alerts:
        raise Answer(403, {"message": "Dependabot alerts are disabled for this repository."})
    return [one for one in hub.advisories if one["state"] == query.get("state", "open")]


@route("GET", f"{REPO_PATH}/automated-security-fixes")
def fixes(hub: FakeGitHub, query: Any, body: Any) -> Any:
    if not hub.alerts:
        raise missing()
    return {"enabled": hub.fixes, "paused": False}


@route("PUT", f"{REPO_PATH}/automated-security-fixes")
def enable_fixes(hub: FakeGitHub, query: Any, body: Any) -> Any:
    if not hub.alerts:
        raise invalid("Vulnerability alerts must be enabled")
    hub.fixes = True
    raise Answer(204)


@route("DELETE", f"{REPO_PATH}/automated-security-fixes")
def disable_fixes(hub: FakeGitHub, query: Any, body: Any) -> Any:
    hub.fixes = False
    raise Answer(204)


# Workflows


@route("GET", f"{REPO_PATH}/actions/workflows/([^/]+)")
def workflow(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name not in hub.workflows:
        raise missing()
    return {"id": hub.workflows[name]["id"], "path": f".github/workflows/{name}", **hub.workflows[name]}


@route("POST", f"{REPO_PATH}/actions/workflows/([^/]+)/dispatches")
def dispatch(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name not in hub.workflows:
        raise missing()
    if body.get("return_run_details") and not hub.run_details:
        raise Answer(400, {"message": 'Invalid request. "return_run_details" is not a permitted key.'})
    unknown = {*body.get("inputs", {})} - {*hub.workflows[name].get("inputs", [])}
    if unknown:
        raise invalid(f"Unexpected inputs provided: {sorted(unknown)}")
    if "workflow_dispatch" not in hub.workflows[name].get("on", ["workflow_dispatch"]):
        raise Answer(422, {"message": "Workflow does not have 'workflow_dispatch' trigger"})
    if body["ref"] not in hub.commits:
        raise Answer(422, {"message": f"No ref found for: {body['ref']}"})
    run = start_run(hub, name, body["ref"])
    run["inputs"] = body.get("inputs", {})
    if title := hub.workflows[name].get("run-name"):
        run["display_title"] = title.format(**run["inputs"])
    hub.on_dispatch(run)
    if body.get("return_run_details"):
        return {"workflow_run_id": run["id"], "html_url": run["html_url"]}
    raise Answer(204)


def start_run(hub: FakeGitHub, name: str, ref: str, event: str = "workflow_dispatch") -> dict[str, Any]:
    number = 5000 + len(hub.runs)
    hub.runs[number] = {
        "id": number,
        "workflow_id": hub.workflows[name]["id"],
        "html_url": f"https://github.com/{REPO}/actions/runs/{number}",
        "event": event,
        "head_branch": ref,
        "head_sha": hub.commits.get(ref, "0" * 40),
        "display_title": name,
        "status": "queued",
        "conclusion": None,
        "created_at": hub.tick(),
        "run_attempt": 1,
        "triggering_actor": {"login": hub.actor},
        # What its status becomes, one for each look.
        "course": [("in_progress", None), ("completed", "success")],
    }
    hub.jobs[number] = [{"id": number * 10, "name": "deploy", "run_attempt": 1}]
    hub.logs[number * 10] = "2026-11-21T08:00:00Z Hello\n"
    return hub.runs[number]


@route("GET", f"{REPO_PATH}/actions/workflows/([^/]+)/runs")
def workflow_runs(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name not in hub.workflows:
        raise missing()
    number = hub.workflows[name]["id"]
    found = [one for one in hub.runs.values() if one["workflow_id"] == number]
    for asked, key in {"event": "event", "head_sha": "head_sha", "branch": "head_branch", "status": "status"}.items():
        if asked in query:
            found = [one for one in found if one[key] == query[asked]]
    if hub.unseen:
        hub.unseen -= 1
        found = [one for one in found if one["status"] == "completed"]
    return {"total_count": len(found), "workflow_runs": list(reversed(found))}


@route("GET", f"{REPO_PATH}/actions/runs/(\\d+)")
def workflow_run(hub: FakeGitHub, query: Any, body: Any, number: str) -> Any:
    run = hub.runs.get(int(number))
    if run is None:
        raise missing()
    if run["course"]:
        run["status"], run["conclusion"] = run["course"].pop(0)
    return run


@route("GET", f"{REPO_PATH}/actions/runs/(\\d+)/attempts/(\\d+)")
def run_attempt(hub: FakeGitHub, query: Any, body: Any, number: str, attempt: str) -> Any:
    return hub.runs[int(number)]["attempts"][int(attempt)]


@route("GET", f"{REPO_PATH}/actions/runs/(\\d+)/attempts/(\\d+)/jobs")
def run_jobs(hub: FakeGitHub, query: Any, body: Any, number: str, attempt: str) -> Any:
    run = hub.runs[int(number)]
    jobs = [job for job in hub.jobs[int(number)] if job["run_attempt"] == int(attempt)]
    # Not every end of a run is one of a job.
    ended = "failure" if run["conclusion"] in ("stale", "startup_failure") else run["conclusion"]
    return {"jobs": [{"status": run["status"], "conclusion": ended, **job} for job in jobs]}


@route("GET", f"{REPO_PATH}/actions/runs/(\\d+)/pending_deployments")
def pending_deployments(hub: FakeGitHub, query: Any, body: Any, number: str) -> Any:
    return hub.runs[int(number)].get("pending", [])


@route("GET", "/user")
def myself(hub: FakeGitHub, query: Any, body: Any) -> Any:
    if not hub.login:
        raise Answer(403, {"message": "Resource not accessible by integration"})
    return {"login": hub.login}


@route("GET", f"{REPO_PATH}/actions/jobs/(\\d+)/logs")
def job_logs(hub: FakeGitHub, query: Any, body: Any, number: str) -> Any:
    if int(number) not in hub.logs:
        raise Answer(410, {"message": "Server Error"})
    raise Answer(302, None, Location=f"{hub.store_url}/logs/{number}?sig=x")


# Git


@route("GET", f"{REPO_PATH}/git/ref/(.+)")
def ref(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name not in hub.refs:
        raise missing()
    return {"ref": f"refs/{name}", "object": hub.refs[name]}


@route("POST", f"{REPO_PATH}/git/refs")
def make_ref(hub: FakeGitHub, query: Any, body: Any) -> Any:
    name = body["ref"].removeprefix("refs/")
    if name in hub.refs or name in hub.burned:
        raise Answer(422, {"message": "Reference already exists"})
    annotated = body["sha"] in hub.tags
    hub.refs[name] = {"sha": body["sha"], "type": "tag" if annotated else "commit"}
    raise Answer(201, {"ref": body["ref"], "object": hub.refs[name]})


@route("POST", f"{REPO_PATH}/git/tags")
def make_tag(hub: FakeGitHub, query: Any, body: Any) -> Any:
    sha = secrets.token_hex(20)
    hub.tags[sha] = {
        "sha": sha,
        "tag": body["tag"],
        "message": body["message"],
        "object": {"sha": body["object"], "type": body["type"]},
    }
    raise Answer(201, hub.tags[sha])


@route("GET", f"{REPO_PATH}/git/tags/([0-9a-f]+)")
def tag(hub: FakeGitHub, query: Any, body: Any, sha: str) -> Any:
    if sha not in hub.tags:
        raise missing()
    return hub.tags[sha]


@route("GET", f"{REPO_PATH}/commits/([^/]+)")
def commit(hub: FakeGitHub, query: Any, body: Any, name: str) -> Any:
    if name in hub.commits:
        return {"sha": hub.commits[name]}
    if name in hub.commits.values() or name in hub.behind:
        return {"sha": name}
    raise Answer(422, {"message": f"No commit found for SHA: {name}"})


@route("GET", f"{REPO_PATH}/compare/([^/]+)\\.\\.\\.([^/]+)")
def compare(hub: FakeGitHub, query: Any, body: Any, base: str, head: str) -> Any:
    if hub.commits.get(base) == head:
        return {"status": "identical"}
    return {"status": hub.behind.get(head, "diverged")}


@route("GET", f"{REPO_PATH}/commits/([^/]+)/check-runs")
def check_runs(hub: FakeGitHub, query: Any, body: Any, sha: str) -> Any:
    found = hub.checks.get(sha, [])
    return {"total_count": len(found), "check_runs": found}


@route("GET", f"{REPO_PATH}/commits/([^/]+)/status")
def combined_status(hub: FakeGitHub, query: Any, body: Any, sha: str) -> Any:
    found = hub.statuses.get(sha, [])
    states = {one["state"] for one in found}
    state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    return {"state": state, "sha": sha, "total_count": len(found), "statuses": found}


# The socket


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeGitHub

    def do_GET(self) -> None:
        self.serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        body = json.loads(raw) if raw else None
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append((self.command, parts.path, headers, body))
        kind = self.fault(parts.path)
        if kind == "drop":
            return self.hang_up()
        if kind == "refuse":
            return self.give(Answer(500, {"message": "Server Error"}))
        if kind == "limit":
            return self.give(Answer(429, {"message": "You have exceeded a secondary rate limit"}, Retry_After="1"))
        if kind == "exhausted":
            left = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(int(time.time()) + 3600)}
            return self.give(Answer(403, {"message": "API rate limit exceeded for user ID 1."}, **left))
        if kind == "ignore":
            return self.give(Answer(200, {}), kept=False)
        path = re.sub("/environments/[^/]+/secrets", "/actions/secrets", parts.path) if kind == "astray" else parts.path
        answer = self.answer(path, {key: value[0] for key, value in parse_qs(parts.query).items()}, body)
        if kind == "lose":
            return self.hang_up()
        return self.give(Answer(502, {"message": "Bad Gateway"}) if kind == "late" else answer)

    def fault(self, path: str) -> str:
        for number, (method, piece, kind) in enumerate(self.hub.faults):
            if method == self.command and piece in path:
                del self.hub.faults[number]
                return kind
        return ""

    def answer(self, path: str, query: dict[str, str], body: Any) -> Answer:
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return Answer(401, {"message": f"Bad credentials: {self.headers.get('Authorization')}"})
        if self.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            return Answer(400, {"message": "No version"})
        for piece, needed in self.hub.denied.items():
            if piece in f"{self.command} {path}":
                told = {"X_Accepted_GitHub_Permissions": needed}
                if self.hub.scopes:
                    told = {"X_Accepted_OAuth_Scopes": needed, "X_OAuth_Scopes": self.hub.scopes}
                return Answer(403, {"message": "Resource not accessible by personal access token"}, **told)
        for old, new in self.hub.renamed.items():
            if path.startswith(old):
                return Answer(301 if self.command == "GET" else 307, None, Location=path.replace(old, new, 1))
        if body is not None and (wrong := github_bodies.problem(self.command, path, body)):
            return Answer(422, {"message": wrong, "documentation_url": "https://docs.github.com/rest"})
        try:
            found = Answer(200, self.hub.answer(self.command, path, query, body))
        except Answer as answer:
            found = answer
        return self.paged(found, path, query)

    def paged(self, answer: Answer, path: str, query: dict[str, str]) -> Answer:
        body = answer.body
        key = next((name for name in LISTS if name in body), "") if isinstance(body, dict) else ""
        whole = isinstance(body, list) and not path.endswith("/pending_deployments")
        items = body if whole else body[key] if key else None
        if items is None or len(items) <= self.hub.page:
            return answer
        page = int(query.get("page", 1))
        cut = items[(page - 1) * self.hub.page : page * self.hub.page]
        if page * self.hub.page < len(items):
            answer.headers["Link"] = f'<{self.hub.url}{path}?per_page=100&page={page + 1}>; rel="next", <x>; rel="last"'
        answer.body = {**body, key: cut} if key else cut
        return answer

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def give(self, answer: Answer, kept: bool = True) -> None:
        if kept:
            self.record(answer)
        body = self.hub.complete(self.command, urlsplit(self.path).path, answer.status, answer.body)
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(answer.status)
        self.send_header("X-GitHub-Request-Id", f"REQ:{len(self.hub.requests)}")
        if content:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def record(self, answer: Answer) -> None:
        """Keep the exchange for the contract lane, which holds it against GitHub's own description."""
        path = os.environ.get("GITHUB_FAKE_RECORD")
        if not path or not self.hub.module:
            return
        _method, _path, _headers, body = self.hub.requests[-1]
        line = {
            "module": self.hub.module,
            "method": self.command,
            "url": self.path,
            "body": body,
            "status": answer.status,
            "answer": answer.body,
        }
        with open(path, "a", encoding="utf-8") as record:
            record.write(json.dumps(line) + "\n")

    def log_message(self, *_arguments: Any) -> None:
        pass


class Store(BaseHTTPRequestHandler):
    """The other host, where logs lie."""

    hub: FakeGitHub

    def do_GET(self) -> None:
        self.hub.store_requests.append({name.lower(): value for name, value in self.headers.items()})
        content = self.hub.logs[int(urlsplit(self.path).path.rpartition("/")[2])].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[FakeGitHub]:
    hub = FakeGitHub()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (kind,), {"hub": hub})) for kind in (Handler, Store)]
    hub.url, hub.store_url = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
