"""The client of GitHub, on real sockets: what it sends where, what it repeats, and what an error says."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.urls import open_url
from github_fake import REPO_PATH, FakeGitHub, running, start_run
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox

from ansible_collections.ops.runbook.plugins.module_utils.github import seal
from ansible_collections.ops.runbook.plugins.module_utils.github.client import (
    GitHub,
    GitHubError,
    Reply,
    Uncertain,
    complaint,
    limited,
    next_page,
    origin,
    part,
    pause,
    permission,
    refusal,
)
from ansible_collections.ops.runbook.plugins.module_utils.github.module import repository_path, token


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running() as found:
        yield found


class Caller:
    def __init__(self, hub: FakeGitHub, **options: Any) -> None:
        self.slept: list[float] = []
        self.github = GitHub(open_url, hub.url, hub.token, sleep=self.slept.append, clock=lambda: 1000.0, **options)


def test_a_log_on_another_host_is_read_without_the_token(hub: FakeGitHub) -> None:
    hub.workflows["deploy.yml"] = {"id": 1}
    run = start_run(hub, "deploy.yml", "main")
    job = hub.jobs[run["id"]][0]["id"]
    assert Caller(hub).github.text(f"{REPO_PATH}/actions/jobs/{job}/logs") == hub.logs[job]
    asked = [headers for _method, path, headers, _body in hub.requests if path.endswith("/logs")]
    assert [headers["authorization"] for headers in asked] == [f"Bearer {hub.token}"]
    assert len(hub.store_requests) == 1
    assert "authorization" not in hub.store_requests[0]
    assert hub.token not in json.dumps(hub.store_requests)


def test_a_renamed_repository_is_read_with_the_token_and_not_written(hub: FakeGitHub) -> None:
    hub.renamed["/repos/example/old"] = REPO_PATH
    caller = Caller(hub)
    assert caller.github.get("/repos/example/old")["full_name"] == "example/shop"
    with pytest.raises(GitHubError, match="has another name now") as caught:
        caller.github.send("PUT", "/repos/example/old/vulnerability-alerts")
    assert caught.value.code == "moved"
    assert hub.alerts is False


def test_a_netrc_does_not_take_the_place_of_the_token(
    hub: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Caller(hub).github.get(REPO_PATH)
    assert hub.requests[0][2]["authorization"] == f"Bearer {hub.token}"


def test_the_version_of_the_api_is_told(hub: FakeGitHub) -> None:
    Caller(hub).github.get(REPO_PATH)
    assert hub.requests[0][2]["x-github-api-version"] == "2022-11-28"
    assert hub.requests[0][2]["accept"] == "application/vnd.github+json"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_all_pages_are_read(hub: FakeGitHub, count: int) -> None:
    hub.page = 2
    hub.environments = {f"e{number}": {} for number in range(count)}
    found = [one["name"] for one in Caller(hub).github.pages(f"{REPO_PATH}/environments", "environments")]
    assert found == list(hub.environments)


def test_a_next_page_on_another_host_is_not_asked() -> None:
    class Elsewhere:
        status = 200
        headers = {"Link": '<https://other.example.com/x>; rel="next"'}

        def read(self, _size: int) -> bytes:
            return b"[1]"

        def __enter__(self) -> Elsewhere:
            return self

        def __exit__(self, *_error: object) -> None:
            pass

    github = GitHub(lambda *_a, **_k: Elsewhere(), "https://api.example.com", "t")
    with pytest.raises(GitHubError, match="another host"):
        list(github.pages("/x"))


@pytest.mark.parametrize("kind", ["refuse", "drop", "lose", "late", "limit"])
def test_a_read_is_repeated(hub: FakeGitHub, kind: str) -> None:
    hub.faults = [("GET", "shop", kind)] * 3
    caller = Caller(hub)
    assert caller.github.get(REPO_PATH)["id"] == 101
    assert len(hub.requests) == 4
    assert caller.slept == ([1, 1, 1] if kind == "limit" else [1, 2, 4])


def test_a_read_is_given_up_in_the_end(hub: FakeGitHub) -> None:
    hub.faults = [("GET", "shop", "drop")] * 9
    with pytest.raises(GitHubError) as caught:
        Caller(hub).github.get(REPO_PATH)
    assert caught.value.code == "unreachable"
    assert len(hub.requests) == 5


@pytest.mark.parametrize("kind", ["refuse", "drop", "lose", "late"])
def test_a_write_with_an_uncertain_end_is_never_repeated(hub: FakeGitHub, kind: str) -> None:
    hub.faults = [("PUT", "alerts", kind)]
    with pytest.raises(Uncertain):
        Caller(hub).github.send("PUT", f"{REPO_PATH}/vulnerability-alerts")
    assert len(hub.writes()) == 1
    assert hub.alerts is (kind in ("lose", "late"))


def test_a_write_that_was_refused_for_a_limit_is_sent_again(hub: FakeGitHub) -> None:
    hub.faults = [("PUT", "alerts", "limit")]
    caller = Caller(hub)
    caller.github.send("PUT", f"{REPO_PATH}/vulnerability-alerts")
    assert hub.alerts and caller.slept == [1]


def test_a_limit_beyond_patience_says_how_long_it_is(hub: FakeGitHub) -> None:
    hub.faults = [("GET", "shop", "limit")]
    with pytest.raises(GitHubError, match="asks to wait 1 s") as caught:
        Caller(hub, patience=0.5).github.get(REPO_PATH)
    assert caught.value.code == "rate_limited"


def test_an_error_names_the_permission_and_hides_the_token(hub: FakeGitHub) -> None:
    hub.denied["PUT"] = "administration=write"
    with pytest.raises(GitHubError) as caught:
        Caller(hub).github.send("PUT", f"{REPO_PATH}/vulnerability-alerts")
    assert caught.value.code == "forbidden"
    assert "the permission administration=write" in caught.value.paragraph()
    wrong = GitHub(open_url, hub.url, "wrong-token-of-somebody")
    with pytest.raises(GitHubError) as caught:
        wrong.get(REPO_PATH)
    assert caught.value.code == "bad_token"
    assert "wrong-token-of-somebody" not in caught.value.paragraph()
    assert "********" in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ""),
        ({"x-accepted-github-permissions": "secrets=write"}, "the permission secrets=write"),
        ({"x-accepted-github-permissions": "a=read,b=write; c=write"}, "the permission a=read,b=write or c=write"),
        ({"x-accepted-oauth-scopes": "repo"}, "one of the scopes repo (classic token)"),
        (
            {"x-accepted-oauth-scopes": "repo", "x-oauth-scopes": "gist"},
            "one of the scopes repo (classic token); it has gist",
        ),
        (
            {"x-accepted-oauth-scopes": "repo", "x-oauth-scopes": ""},
            "one of the scopes repo (classic token); it has none",
        ),
    ],
)
def test_missing_permissions_of_a_token_are_named(headers: dict[str, str], expected: str) -> None:
    assert permission(headers) == expected


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (429, {}, b"", True),
        (403, {"x-ratelimit-remaining": "0"}, b"", True),
        (403, {"retry-after": "3"}, b"", True),
        (403, {}, b'{"message": "You have exceeded a secondary rate limit"}', True),
        (403, {"x-ratelimit-remaining": "7"}, b'{"message": "Resource not accessible"}', False),
        (500, {"retry-after": "3"}, b"", False),
    ],
)
def test_a_limit_is_told_from_a_refusal(status: int, headers: dict[str, str], body: bytes, expected: bool) -> None:
    assert limited(Reply(status, headers, body)) is expected


@pytest.mark.parametrize(
    ("reply", "attempt", "expected"),
    [
        (None, 0, 1),
        (None, 3, 8),
        (Reply(503, {"retry-after": "7"}, b""), 0, 7),
        (Reply(429, {"retry-after": "9", "x-ratelimit-reset": "2000"}, b""), 0, 9),
        (Reply(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1030"}, b""), 0, 31),
        (Reply(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "900"}, b""), 0, 1),
        (Reply(429, {}, b""), 1, 120),
    ],
)
def test_how_long_is_waited(reply: Reply | None, attempt: int, expected: float) -> None:
    assert pause(reply, attempt, 1000.0) == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", None),
        ('<https://a/x?page=2>; rel="next", <https://a/x?page=9>; rel="last"', "https://a/x?page=2"),
        ('<https://a/x?page=1>; rel="prev"', None),
        ('<https://a/x?page=1>; rel="first", <https://a/x?page=3>; rel="next"', "https://a/x?page=3"),
        # A comma and a semicolon within an address, as a cursor may have one.
        ('<https://a/x?after=a,b>; rel="next"', "https://a/x?after=a,b"),
        ('<https://a/x?after=a;b,<c>; rel="next"', ValueError),
        ('<https://a/x?before=a,b>; rel="prev", <https://a/x?after=c,d>; rel="next"', "https://a/x?after=c,d"),
        ("<https://a/x?page=2>;rel=next", "https://a/x?page=2"),
        ("<https://a/x?page=2> ; REL = 'x'; rel=Next", "https://a/x?page=2"),
        ('<https://a/x?page=2>; rel="last next"', "https://a/x?page=2"),
        ('<https://a/x?page=2>; title="a, b; \\" rel=prev"; rel="next"', "https://a/x?page=2"),
        ('<https://a/x?page=2>; title="rel=next"', None),
        (',, <https://a/x?page=2>; rel="next", ,', "https://a/x?page=2"),
        ('<https://a/x?page=2>; rel="nextish"', None),
        ('https://a/x?page=2; rel="next"', ValueError),
        ('<https://a/x?page=2>; rel="next', ValueError),
    ],
)
def test_the_next_page(link: str, expected: Any) -> None:
    if expected is ValueError:
        with pytest.raises(ValueError, match="header Link"):
            next_page({"link": link})
    else:
        assert next_page({"link": link} if link else {}) == expected


class Pages:
    """A server of two pages: each with its body and headers."""

    status = 200

    def __init__(self, *pages: tuple[Any, dict[str, str]]) -> None:
        self.left = list(pages)
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}

    def __call__(self, url: str, **_options: Any) -> Pages:
        self.asked.append(url)
        self.body, self.headers = self.left.pop(0)
        return self

    def read(self, _size: int) -> bytes:
        return json.dumps(self.body).encode()

    def __enter__(self) -> Pages:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


NEXT = {"Link": '<https://api.example.com/x?after=a,b>; rel="next"'}


def listed(*pages: tuple[Any, dict[str, str]], key: str = "") -> tuple[list[Any], list[str]]:
    server = Pages(*pages)
    return list(GitHub(server, "https://api.example.com", "t").pages("/x", key)), server.asked


def test_a_list_goes_on_behind_an_address_with_a_comma() -> None:
    found, asked = listed(([1], NEXT), ([2], {}))
    assert found == [1, 2] and asked[1] == "https://api.example.com/x?after=a,b"


@pytest.mark.parametrize(
    ("pages", "key", "said"),
    [
        ([({"total_count": 3, "runs": [1]}, {}), ()], "runs", "gave 1 of 3 items"),
        ([({"total_count": 3, "runs": [1]}, NEXT), ({"total_count": 3, "runs": [2]}, {})], "runs", "gave 2 of 3"),
        ([([1], {"X-GitHub-SSO": "partial-results; organizations=21955855,20582480"})], "", "does not see the rest"),
        ([([1], {"Link": "<https://api.example.com/x"})], "", "more may follow"),
        ([([1], NEXT)] * 100, "", "more than 100 pages"),
    ],
)
def test_a_part_of_a_list_is_never_taken_for_the_whole(pages: list[Any], key: str, said: str) -> None:
    with pytest.raises(GitHubError, match=said) as caught:
        listed(*pages, key=key)
    assert caught.value.code == "list_cut"


def test_a_part_that_is_enough_is_no_cut_list() -> None:
    server = Pages(({"total_count": 3000, "runs": [1, 2]}, NEXT))
    pages = GitHub(server, "https://api.example.com", "t").pages("/x", "runs")
    assert [next(pages), next(pages)] == [1, 2]


def test_an_answer_that_is_too_long_is_not_read_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.ops.runbook.plugins.module_utils.github.client.LONGEST", 3)
    server = Pages(("a long log", {}))
    with pytest.raises(GitHubError) as caught:
        GitHub(server, "https://api.example.com", "t").text("/x")
    assert caught.value.code == "too_long"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://api.github.com/x", "https://API.github.com:443/y", True),
        ("https://api.github.com", "http://api.github.com", False),
        ("https://api.github.com", "https://api.github.com.example.com", False),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", False),
    ],
)
def test_hosts_that_get_the_token(one: str, other: str, same: bool) -> None:
    assert (origin(one) == origin(other)) is same


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"message": "Validation Failed.", "errors": [{"field": "name", "code": "invalid"}]},
            "Validation Failed; name invalid",
        ),
        ({"message": "No", "errors": "because"}, "No; because"),
        ([], ""),
        (None, ""),
    ],
)
def test_an_error_names_its_cause(body: Any, expected: str) -> None:
    assert complaint(body) == expected


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "bad_token"), (403, "forbidden"), (404, "not_found"), (422, "invalid"), (409, "invalid"), (410, "failed")],
)
def test_each_refusal_has_a_code(status: int, code: str) -> None:
    assert refusal("GET", "/x", Reply(status, {}, b"{}")).code == code


@given(st.text(max_size=60))
def test_a_name_stays_one_part_of_a_path(name: str) -> None:
    assert "/" not in part(name) and "?" not in part(name) and "#" not in part(name)


@pytest.mark.parametrize("name", ["", "shop", "a/b/c", "../x", "a/..", "a b/c", "a/b?x", "https://github.com/a/b"])
def test_an_invalid_repository_is_refused(name: str) -> None:
    with pytest.raises(GitHubError, match="is not the name of a repository"):
        repository_path(name)


@pytest.mark.parametrize(
    ("given_token", "environ", "expected"),
    [
        ("abc", {"GITHUB_TOKEN": "x"}, "abc"),
        (None, {"GITHUB_TOKEN": "x", "GH_TOKEN": "y"}, "x"),
        (None, {"GH_TOKEN": "y"}, "y"),
    ],
)
def test_the_source_of_the_token_is_known(given_token: str | None, environ: dict[str, str], expected: str) -> None:
    assert token({"token": given_token}, environ) == expected


@pytest.mark.parametrize("value", ["", None, "abc\n", "a b", "aé"])
def test_an_invalid_token_is_refused_without_showing_it(value: str | None) -> None:
    with pytest.raises(GitHubError) as caught:
        token({"token": value}, {})
    assert not value or value not in str(caught.value)


@given(st.text(max_size=200))
def test_a_sealed_box_is_opened_by_its_key_alone(value: str) -> None:
    key = PrivateKey.generate()
    sealed = seal.seal(value, base64.b64encode(bytes(key.public_key)).decode())
    assert SealedBox(key).decrypt(base64.b64decode(sealed)).decode() == value


@pytest.mark.parametrize("key", ["", "!!", "AAAA"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(GitHubError, match="32 bytes"):
        seal.seal("x", key)


def test_without_pynacl_the_rules_load_and_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    importlib.reload(seal)
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(GitHubError) as caught:
        seal.seal("x", "AAAA")
    assert caught.value.code == "pynacl_missing"
    assert "pip install" in caught.value.paragraph()
