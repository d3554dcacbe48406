"""A hotfix from its own branch, with real repositories: which merges are due, and when they count as done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose import hotfix as compose_hotfix
from ansible_collections.ops.runbook.plugins.module_utils.compose import release as compose_release
from ansible_collections.ops.runbook.plugins.module_utils.console import report
from ansible_collections.ops.runbook.plugins.module_utils.dokku import hotfix as dokku_hotfix
from ansible_collections.ops.runbook.plugins.module_utils.dokku import source as dokku_source
from ansible_collections.ops.runbook.plugins.module_utils.dokku.source import Source
from ansible_collections.ops.runbook.plugins.module_utils.guard import history as operation_history
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Ledger
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.host.git_checkout import Checkout
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges as hotfix_merges
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import source as hotfix_source
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.merges import (
    HAS,
    LACKS,
    SAME,
    UNKNOWN,
    Hotfix,
    Standing,
    merges,
)
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.rows import of as rows
from ansible_collections.ops.runbook.plugins.module_utils.laravel import hotfix as laravel_hotfix
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

INTO = ("main", "staging")
UPDATE = "git fetch origin && git switch main && git merge --ff-only origin/main"
AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**AUTHOR, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Repository:
    """A remote with main, staging and a hotfix branch of two commits, and a clone as it is on a host."""

    origin: Path
    clone: Path
    hotfix: str

    def commit(self, branch: str, **files: str) -> str:
        git(self.origin, "switch", "--quiet", branch)
        for name, text in files.items():
            (self.origin / name).write_text(text)
        git(self.origin, "add", "--all")
        git(self.origin, "commit", "--quiet", "-m", f"work on {branch}")
        return git(self.origin, "rev-parse", "HEAD")

    def on(self, branch: str, *arguments: str) -> None:
        git(self.origin, "switch", "--quiet", branch)
        git(self.origin, *arguments)

    @property
    def checkout(self) -> Checkout:
        return Checkout(Commands(str(self.clone)))

    def service(self, into: tuple[str, ...] = INTO) -> Any:
        return SimpleNamespace(checkout=self.checkout, description=SimpleNamespace(hotfix_into=into))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch=main")
    found = Repository(origin, clone, "")
    (origin / "app").write_text("one\n")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "-m", "one")
    git(origin, "branch", "staging")
    git(origin, "switch", "--quiet", "-c", "hotfix/login")
    found.commit("hotfix/login", login="half\n")
    found.hotfix = found.commit("hotfix/login", login="whole\n", test="yes\n")
    # Both go on meanwhile.
    found.commit("main", page="new\n")
    found.commit("staging", trial="new\n")
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    return found


def squash(repository: Repository) -> None:
    repository.on("main", "merge", "--squash", "--quiet", "hotfix/login")
    git(repository.origin, "commit", "--quiet", "-m", "the fix")


def rebase(repository: Repository) -> None:
    repository.on("main", "cherry-pick", "main..hotfix/login")


def merge(repository: Repository) -> None:
    repository.on("main", "merge", "--quiet", "--no-edit", "hotfix/login")


def part(repository: Repository) -> None:
    repository.on("main", "cherry-pick", "hotfix/login~1")


@pytest.mark.parametrize(
    ("merged", "expected"), [(None, LACKS), (merge, HAS), (squash, SAME), (rebase, SAME), (part, LACKS)]
)
def test_a_branch_has_a_hotfix_however_it_was_merged(
    repository: Repository, merged: Callable[[Repository], None] | None, expected: str
) -> None:
    if merged:
        merged(repository)
        repository.commit("main", later="work\n")
    git(repository.clone, "fetch", "--quiet")
    tip = git(repository.clone, "rev-parse", "origin/main")
    assert hotfix_merges.contains(repository.checkout.run, tip, repository.hotfix) == expected


def test_a_commit_or_a_tip_that_is_not_here(repository: Repository) -> None:
    run, tip = repository.checkout.run, git(repository.clone, "rev-parse", "origin/main")
    assert hotfix_merges.contains(run, "0" * 40, repository.hotfix) == UNKNOWN
    # All of the branch's history is here, and that commit is not in it.
    assert hotfix_merges.contains(run, tip, "0" * 40) == LACKS


# -- Laravel: the checkout on the host -----------------------------------------------------------


def record(facts: dict[str, Any], outcome: str = "succeeded", target: str = "r") -> dict[str, Any]:
    return {
        "id": "20261130T020000Z-aaaaaa",
        "procedure": "deploy",
        "outcome": outcome,
        "finished": "2026-11-30T02:00:00.000Z",
        "from": {"id": "p" * 40},
        "to": {"id": target},
        "left": {"id": target},
        "facts": facts,
    }


def ledger_of(*records: dict[str, Any]) -> Ledger:
    return Ledger(records=records)


def plan_of(repository: Repository, branch: str = "hotfix/login", **options: Any) -> dict[str, Any]:
    plan = {"to": {"id": repository.hotfix, "name": branch}, "warnings": [], "also": []}
    ledger = ledger_of(*options.pop("records", ()))
    service = repository.service(options.pop("into", INTO))
    return laravel_hotfix.planned(service, ledger, plan, branch, options.pop("hotfix", True))


def test_the_plan_of_a_hotfix_names_the_merges_that_are_due(repository: Repository) -> None:
    found = plan_of(repository)
    assert found["facts"]["hotfix"] is True
    assert (found["facts"]["branch"], found["facts"]["commit"]) == ("hotfix/login", repository.hotfix)
    assert [one["into"] for one in found["facts"]["merges"]] == ["main", "staging"]
    (title, lines) = found["also"][0]
    assert title == "merges" and lines[0].startswith("due into main: git fetch origin && git switch main")
    assert "origin/hotfix/login" in lines[0] and "origin/main" in lines[1]


def test_a_branch_that_has_the_hotfix_or_is_not_there_needs_no_merge(repository: Repository) -> None:
    merge(repository)
    assert [one["into"] for one in plan_of(repository)["facts"]["merges"]] == ["staging"]
    repository.on("main", "branch", "--quiet", "-D", "staging")
    assert plan_of(repository)["facts"]["merges"] == []


def test_a_deploy_that_is_no_hotfix_says_nothing_of_merges(repository: Repository) -> None:
    found = plan_of(repository, hotfix=False)
    assert "facts" not in found and found["warnings"] == []


def test_the_next_deploy_says_which_hotfix_it_takes_away(repository: Repository) -> None:
    facts = plan_of(repository)["facts"]
    plan = {"to": {"id": git(repository.origin, "rev-parse", "main"), "name": "main"}, "warnings": []}
    ledger = ledger_of(record(facts, target=repository.hotfix))
    service = repository.service()
    (warning,) = laravel_hotfix.planned(service, ledger, plan, "main", False)["warnings"]
    assert "does not have the hotfix hotfix/login" in warning
    squash(repository)
    git(repository.clone, "fetch", "--quiet")
    plan["to"]["id"] = git(repository.origin, "rev-parse", "main")
    assert laravel_hotfix.planned(service, ledger, plan, "main", False)["warnings"] == []


def screen(repository: Repository, facts: dict[str, Any]) -> list[hotfix_merges.Row]:
    history = {"records": [record(facts, target=repository.hotfix)], "releases": []}
    found = laravel_hotfix.standings(repository.service(), history)
    return rows(found, "git@github.com:example/shop.git", INTO)


def test_status_warns_until_the_commit_is_on_main_and_staging(repository: Repository) -> None:
    facts = plan_of(repository)["facts"]
    (row,) = screen(repository, facts)
    assert row.level == "warn" and "is not on main and staging" in row.text
    assert row.details == (
        "gh pr create --repo example/shop --base main --head hotfix/login --fill",
        "gh pr create --repo example/shop --base staging --head main --fill",
    )
    merge(repository)
    (row,) = screen(repository, facts)
    assert "is not on staging" in row.text
    repository.on("staging", "merge", "--quiet", "--no-edit", "main")
    assert screen(repository, facts) == []


def test_status_leaves_nothing_in_the_checkout(repository: Repository) -> None:
    facts = plan_of(repository)["facts"]
    merge(repository)

    def everything() -> str:
        return git(repository.clone, "for-each-ref") + git(repository.clone, "count-objects", "-v")

    before = everything()
    (row,) = screen(repository, facts)
    assert "is not on staging" in row.text
    assert everything() == before


def test_a_remote_that_is_gone_leaves_what_was_last_fetched(repository: Repository, tmp_path: Path) -> None:
    facts = plan_of(repository)["facts"]
    repository.origin.rename(tmp_path / "gone")
    (row,) = screen(repository, facts)
    assert "is not on main and staging" in row.text
    git(repository.clone, "update-ref", "-d", "refs/remotes/origin/main")
    git(repository.clone, "update-ref", "-d", "refs/remotes/origin/staging")
    (row,) = screen(repository, facts)
    assert "it is not known" in row.text and "git merge-base --is-ancestor" in row.details[0]


# -- Dokku: the source repository ----------------------------------------------------------------


def source_of(repository: Repository, to: str = "hotfix/login") -> Source:
    named = dokku_source.source_of(to, str(repository.origin))
    assert isinstance(named, Source)
    found = dokku_source.ask(named, str(repository.origin), "origin")
    assert isinstance(found, Source)
    return found


def test_a_hotfix_of_dokku_is_held_against_the_source_repository(repository: Repository) -> None:
    address = str(repository.origin)
    source = source_of(repository)
    assert (source.branch, source.ref) == ("hotfix/login", repository.hotfix)
    found = dokku_hotfix.planned(source, address, INTO)
    assert (found["facts"]["branch"], found["facts"]["commit"]) == ("hotfix/login", repository.hotfix)
    assert [one["into"] for one in found["facts"]["merges"]] == ["main", "staging"] and found["warnings"] == []
    history = {"records": [record(found["facts"])]}
    (one,) = dokku_hotfix.standings(address, INTO, history)
    assert dict(one.branches) == {"main": LACKS, "staging": LACKS}
    merge(repository)
    squash_into_staging(repository)
    # The branch is gone, as after a request that was merged.
    repository.on("main", "branch", "--quiet", "-D", "hotfix/login")
    (one,) = dokku_hotfix.standings(address, INTO, history)
    assert one.branches["main"] == HAS and one.branches["staging"] == SAME
    assert rows([one], address, INTO) == []


def squash_into_staging(repository: Repository) -> None:
    repository.on("staging", "merge", "--squash", "--quiet", "hotfix/login")
    git(repository.origin, "commit", "--quiet", "-m", "the fix")


@pytest.mark.parametrize("address", ["/nowhere/shop.git", "", "https://user:secret@git.example.com/shop.git"])
def test_a_repository_that_can_not_be_read_is_said(repository: Repository, address: str) -> None:
    facts = hotfix_merges.facts(repository.hotfix, "hotfix/login", [])
    (one,) = dokku_hotfix.standings(address, INTO, {"records": [record(facts)]})
    assert set(one.branches.values()) == {UNKNOWN}
    (row,) = rows([one], address, INTO)
    assert row.level == "warn" and "it is not known" in row.text and "secret" not in row.text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Source("image", "registry.example.com/a:1", "registry.example.com/a:1"), "was built from is not known"),
        (Source("git", "hotfix/login", "hotfix/login", unresolved=True), "before Dokku has fetched it"),
        (Source("git", "abc1234", ""), "before Dokku has fetched it"),
    ],
)
def test_a_hotfix_whose_commit_is_not_known_says_so(source: Source, said: str) -> None:
    found = dokku_hotfix.planned(source, "git@github.com:example/shop.git", INTO)
    assert found["facts"]["hotfix"] is True and said in found["facts"]["merges_unknown"]
    assert said in found["warnings"][0]


def test_a_commit_that_dokku_fetched_is_the_hotfix_of_the_record() -> None:
    commit = "c" * 40
    known = {**record({"hotfix": True, "branch": "hotfix/x", "commit": ""}), "to": {"id": "x", "revision": commit}}
    assert hotfix_merges.deployed([known]) == (
        Hotfix(commit, "hotfix/x", "20261130T020000Z-aaaaaa", "2026-11-30T02:00:00.000Z"),
    )


# -- Compose: images that name their commit ------------------------------------------------------


def compose_plan(revision: str) -> dict[str, Any]:
    return {"to": {"id": "rel-1", "revision": revision}, "facts": {"pin": "file"}, "warnings": [], "also": []}


def test_a_hotfix_of_compose_is_held_against_the_source_where_it_can_be_read(repository: Repository) -> None:
    address = str(repository.origin)
    found = compose_hotfix.planned(compose_plan(repository.hotfix), "hotfix/login", address, INTO)
    facts = found["facts"]
    assert (facts["pin"], facts["branch"], facts["commit"]) == ("file", "hotfix/login", repository.hotfix)
    assert [one["into"] for one in facts["merges"]] == ["main", "staging"] and found["warnings"] == []
    history = {"records": [record(facts)]}
    assert len(rows(compose_hotfix.standings(history, address, INTO), address, INTO)) == 1
    merge(repository)
    repository.on("staging", "merge", "--quiet", "--no-edit", "main")
    assert rows(compose_hotfix.standings(history, address, INTO), address, INTO) == []


def test_a_hotfix_of_compose_says_what_can_not_be_known(repository: Repository) -> None:
    found = compose_hotfix.planned(compose_plan(repository.hotfix), "hotfix/login", "", INTO)
    assert "have the hotfix already: no source repository is known" in found["warnings"][0]
    assert [one["into"] for one in found["facts"]["merges"]] == ["main", "staging"]
    (row,) = rows(compose_hotfix.standings({"records": [record(found["facts"])]}, "", INTO), "", INTO)
    assert "it is not known whether it is on main and staging: no source repository is known" in row.text
    assert row.details[0].startswith(f"git fetch origin && git merge-base --is-ancestor {repository.hotfix}")
    unnamed = compose_hotfix.planned(compose_plan(""), "hotfix/login", "", INTO)
    assert "the images name no commit" in unnamed["facts"]["merges_unknown"]


def test_a_deploy_after_a_hotfix_says_how_to_see_whether_it_has_it() -> None:
    one, other = "a" * 40, "b" * 40
    records = [record({"hotfix": True, "commit": one, "branch": "hotfix/x"})]
    (said,) = compose_hotfix.follows(compose_plan(other), records)
    assert "hotfix/x" in said and f"git merge-base --is-ancestor {one} {other}" in said
    assert compose_hotfix.follows(compose_plan(one), records) == []
    assert compose_hotfix.follows(compose_plan(other), [record({}), *records]) == []


@pytest.mark.parametrize(
    ("given", "labels", "expected"),
    [
        ("git@git.example.com:shop.git", ["https://github.com/example/shop"], "git@git.example.com:shop.git"),
        ("", ["https://github.com/example/shop", "https://github.com/example/shop"], "https://github.com/example/shop"),
        # What an image says of itself is foreign: no other way to a repository, and no second one.
        ("", ["ssh://git@evil.example.com/x"], ""),
        ("", ["ext::sh -c x"], ""),
        ("", ["https://github.com/example/shop", "https://github.com/example/other"], ""),
        ("", [""], ""),
    ],
)
def test_the_source_repository_of_images(given: str, labels: list[str], expected: str) -> None:
    assert compose_hotfix.source_of(given, [{compose_hotfix.SOURCE: one} for one in labels]) == expected


@pytest.mark.parametrize(
    ("to", "hotfix", "tags"),
    [
        ("hotfix/login", True, ("hotfix-login",)),
        ("hotfix/login#2", True, ("hotfix-login-2",)),
        ("ghcr.io/example/shop:1.0.0", True, ("1.0.0",)),
        ("1.0.0", True, ("1.0.0",)),
        ("hotfix/login", False, None),
    ],
)
def test_the_images_of_a_branch_have_its_name(to: str, hotfix: bool, tags: tuple[str, ...] | None) -> None:
    images = {"web": "ghcr.io/example/shop"}
    if tags is None:
        with pytest.raises(Problem):
            compose_release.wanted(to, images, "sha-", hotfix)
    else:
        assert compose_release.wanted(to, images, "sha-", hotfix).tags == tags
        assert compose_release.names_branch("ghcr.io/example/shop", images) is False


@pytest.mark.parametrize("address", ["ext::sh -c touch% x", "--upload-pack=x", "-x", "https://a b"])
def test_no_other_address_is_asked(address: str) -> None:
    (one,) = hotfix_source.standings(address, [Hotfix("a" * 40)], INTO)
    assert one.why == "the address of the source repository is not one that may be asked"


# -- the rules -----------------------------------------------------------------------------------


def test_hotfixes_of_a_ledger() -> None:
    one, other, bad = "a" * 40, "b" * 40, "d" * 40
    records = [
        record({"hotfix": True, "commit": one, "branch": "hotfix/a"}, target=one),
        record({"hotfix": True, "commit": other}, outcome="reverted", target=other),
        record({"hotfix": True, "commit": bad}, target=bad),
        record({}, target="e" * 40),
        # As older versions recorded it.
        record({"hotfix": True}, target=other),
        record({"hotfix": True}, target="registry.example.com/a:1"),
    ]
    assert [found.commit for found in hotfix_merges.deployed(records, (bad,))] == [other, one]
    assert hotfix_merges.condemned({"releases": [{"id": bad, "good": False}, {"id": one, "good": True}]}) == (bad,)


def test_the_newest_hotfix_has_the_earlier_ones_that_are_due(tmp_path: Path) -> None:
    """Status and plan read the newest record alone, however long the ledger is."""
    one, other, third = (Hotfix(letter * 40, f"hotfix/{letter}", "op", "2026-11-30T02:00:00.000Z") for letter in "abc")
    facts = hotfix_merges.facts("d" * 40, "hotfix/d", [], (one, other))
    assert [item["commit"] for item in facts["earlier"]] == [one.commit, other.commit]
    newest = record(facts, target="d" * 40)
    assert hotfix_merges.deployed([newest])[1:] == (one, other)
    # Taken back by a rollback, it leaves the earlier ones.
    assert hotfix_merges.deployed([newest], ["d" * 40]) == (one, other)
    guard = Guard(str(tmp_path / "state"))
    assert hotfix_merges.of_ledger(guard.ledger()) == ()
    os.mkdir(guard.state_dir)
    book = guard.ledger()
    first = record({"hotfix": True, "commit": third.commit})
    for number, written in enumerate((first, newest, *(record({}) for _ in range(30)))):
        book.append({**written, "id": f"op-{number}"})
        book = guard.ledger()
    assert [found.commit for found in hotfix_merges.of_ledger(book)] == ["d" * 40, one.commit, other.commit]
    shown = operation_history.read(guard, operation_history.LATELY)
    assert [found.commit for found in hotfix_merges.deployed(shown["records"])] == ["d" * 40, one.commit, other.commit]


@pytest.mark.parametrize("listed", [None, 5, "x", [5, None, {}, {"commit": 7}, {"commit": "x"}]])
def test_a_record_that_somebody_else_wrote_names_no_hotfix(listed: Any) -> None:
    assert hotfix_merges.deployed([record({"hotfix": True, "commit": listed, "earlier": listed})]) == ()


def test_a_second_hotfix_keeps_the_first_one_that_is_due(repository: Repository) -> None:
    first = plan_of(repository)["facts"]
    second = repository.commit("hotfix/login", more="fix\n")
    git(repository.clone, "fetch", "--quiet")
    plan = {"to": {"id": second, "name": "hotfix/login"}, "warnings": []}
    book = ledger_of(record(first, target=repository.hotfix))
    found = laravel_hotfix.planned(repository.service(), book, plan, "hotfix/login", True)["facts"]
    assert [one["commit"] for one in found["earlier"]] == [repository.hotfix]
    merge(repository)
    repository.on("staging", "merge", "--quiet", "--no-edit", "main")
    git(repository.clone, "fetch", "--quiet")
    assert "earlier" not in laravel_hotfix.planned(repository.service(), book, plan, "hotfix/login", True)["facts"]


@pytest.mark.parametrize(
    ("repository", "hotfix", "expected"),
    [
        (
            "git@github.com:example/shop.git",
            Hotfix("a" * 40, "hotfix/x"),
            "gh pr create --repo example/shop --base main --head hotfix/x --fill",
        ),
        (
            "https://github.com/example/shop",
            Hotfix("a" * 40),
            f"git push origin {'a' * 40}:refs/heads/hotfix-aaaaaaaaaa && "
            "gh pr create --repo example/shop --base main --head hotfix-aaaaaaaaaa --fill",
        ),
        (
            "ssh://git@gitlab.example.com/group/sub/shop.git",
            Hotfix("a" * 40, "hotfix/x"),
            "glab mr create --repo group/sub/shop --source-branch hotfix/x --target-branch main --fill",
        ),
        (
            "/srv/git/shop.git",
            Hotfix("a" * 40, "hotfix/x"),
            f"{UPDATE} && git merge origin/hotfix/x && git push origin main",
        ),
        (
            "git@git.example.com:shop.git",
            Hotfix("a" * 40),
            f"{UPDATE} && git merge {'a' * 40} && git push origin main",
        ),
        (
            "https://github.com/example/shop; rm -rf x",
            Hotfix("a" * 40, "hotfix/x"),
            f"{UPDATE} && git merge origin/hotfix/x && git push origin main",
        ),
    ],
)
def test_a_merge_is_a_command(repository: str, hotfix: Hotfix, expected: str) -> None:
    assert merges(repository, hotfix, ["main"], INTO) == [{"into": "main", "command": expected}]


def test_the_result_closes_with_the_merges() -> None:
    facts = hotfix_merges.facts("a" * 40, "hotfix/x", merges("", Hotfix("a" * 40, "hotfix/x"), INTO, INTO))
    result = {"host1": {"outcome": "succeeded", "record": record(facts)}}
    said = report.summary_lines(result)
    assert any(line.startswith("to merge") and "into main: git fetch" in line for line in said), said
    assert any("into staging: git fetch" in line for line in said)
    reverted = {"host1": {"outcome": "reverted", "record": record(facts, outcome="reverted")}}
    assert not any("to merge" in line for line in report.summary_lines(reverted))


def test_nothing_is_said_of_a_hotfix_that_is_everywhere() -> None:
    assert rows([Standing(Hotfix("a" * 40), {"main": HAS, "staging": SAME})], "", INTO) == []
