# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release of images: its identity, which one `to` means, whether its images belong together, what may be removed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose.release import (
    REVISION,
    SOURCE,
    Asked,
    Choice,
    Wanted,
    choose_tag,
    for_services,
    images_of,
    needed,
    one_build,
    recorded_releases,
    release,
    removable,
    wanted,
)
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Ledger
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

HUB = "registry.example.com/acme"
IMAGES = {"backend": f"{HUB}/backend", "worker": f"{HUB}/worker"}


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def built(backend: str = "a", worker: str = "b", tag: str = "sha-abc1234") -> dict[str, Reference]:
    return {
        "backend": Reference(IMAGES["backend"], tag, digest(backend)),
        "worker": Reference(IMAGES["worker"], tag, digest(worker)),
    }


# -- identity ------------------------------------------------------------------------------------


def test_a_release_is_its_digests_and_not_its_tag() -> None:
    assert release(built(tag="0.1.0"))["id"] == release(built(tag="sha-abc1234"))["id"]
    assert release(built())["id"] != release(built(worker="c"))["id"]
    assert release(built("a", "b"))["id"] != release(built("b", "a"))["id"]


def test_a_release_comes_back_from_the_ledger_as_it_was() -> None:
    found = release(built(), "abc")
    assert images_of(found) == built()
    assert (found["name"], found["revision"]) == ("sha-abc1234", "abc")


def test_a_service_that_compose_images_names_since_has_the_image_of_its_repository() -> None:
    """A one-shot that migrates and shares the backend's image may be named later: `previous` is still a release."""
    more = {**IMAGES, "migrate": IMAGES["backend"]}
    assert for_services(release(built()), more) == {**built(), "migrate": built()["backend"]}
    assert for_services(release(built()), IMAGES) == built()
    assert for_services(release(built()), {**IMAGES, "web": f"{HUB}/web"}) is None
    assert for_services(release(built()), {"backend": IMAGES["backend"]}) is None


def test_an_image_without_a_tag_comes_back_without_one() -> None:
    images = {"backend": Reference(IMAGES["backend"], "", digest("a"))}
    assert images_of(release(images)) == images
    assert release(images)["name"] == ""


def test_recorded_releases_are_the_good_ones_the_newest_last() -> None:
    first, second = release(built("a")), release(built("c"))
    records = [
        {"id": "1", "outcome": "succeeded", "to": first},
        {"id": "2", "outcome": "failed", "to": release(built("d"))},
        {"id": "3", "outcome": "succeeded", "to": second},
        {"id": "4", "outcome": "succeeded", "to": first},
        {"id": "5", "outcome": "succeeded", "to": {"id": "0123", "name": "a commit"}},
    ]
    assert list(recorded_releases(records)) == [second["id"], first["id"]]
    assert recorded_releases(records)[first["id"]]["operation"] == "4"


# -- what `to` means -----------------------------------------------------------------------------

MEANINGS = {
    "previous": Wanted("previous"),
    "rel-0123456789ab": Wanted("recorded", value="rel-0123456789ab"),
    "rel-0123": Wanted("recorded", value="rel-0123"),
    "0.1.0": Wanted("tags", tags=("0.1.0",)),
    "v0.1.0": Wanted("tags", tags=("v0.1.0", "0.1.0")),
    "latest": Wanted("tags", tags=("latest",)),
    "sha-abc1234": Wanted("tags", tags=("sha-abc1234",)),
    "abc1234": Wanted("tags", tags=("sha-abc1234", "abc1234")),
    "a" * 40: Wanted("tags", tags=(f"sha-{'a' * 40}", "sha-aaaaaaa", "a" * 40)),
    f"{HUB}/worker:0.1.0": Wanted("tags", tags=("0.1.0",)),
    f"{HUB}/worker@{digest('a')}": Wanted(
        "digests", digests={f"{HUB}/worker": Reference(f"{HUB}/worker", "", digest("a"))}
    ),
    f"{HUB}/worker:0.1.0@{digest('a')}": Wanted(
        "digests", digests={f"{HUB}/worker": Reference(f"{HUB}/worker", "0.1.0", digest("a"))}
    ),
    f"{HUB}/worker@{digest('a')},{HUB}/backend@{digest('b')}": Wanted(
        "digests",
        digests={
            f"{HUB}/worker": Reference(f"{HUB}/worker", "", digest("a")),
            f"{HUB}/backend": Reference(f"{HUB}/backend", "", digest("b")),
        },
    ),
}


@pytest.mark.parametrize("to", MEANINGS)
def test_wanted(to: str) -> None:
    assert wanted(to, IMAGES, "sha-") == MEANINGS[to]


@pytest.mark.parametrize(("prefix", "first"), [("commit-", "commit-abc1234"), ("", "abc1234")])
def test_a_commit_is_tried_with_the_prefix_of_the_inventory_first(prefix: str, first: str) -> None:
    assert wanted("abc1234", IMAGES, prefix).tags[0] == first


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("", "bad_reference"),
        ("a b", "bad_reference"),
        ("-x", "bad_reference"),
        (f"{HUB}/worker@sha256:abc", "bad_reference"),
        (f"{HUB}/other:0.1.0", "not_of_this_service"),
        (f"nginx@{digest('a')}", "not_of_this_service"),
        (f"{HUB}/worker:1,{HUB}/backend:2", "bad_reference"),
        (f"{HUB}/worker@{digest('a')},{HUB}/backend:2", "bad_reference"),
    ],
)
def test_other_releases_are_not_chosen(to: str, code: str) -> None:
    with pytest.raises(Problem) as raised:
        wanted(to, IMAGES, "sha-")
    assert raised.value.code == code


# -- what registry, ledger and engine say --------------------------------------------------------

THERE = {f"{HUB}/backend": Asked(digest("a")), f"{HUB}/worker": Asked(digest("b"))}
RECORDED = {**release(built()), "operation": "op", "finished": "2026-11-20T10:00:00Z"}
HELD = [image.by_digest for image in built().values()]


def answers(kind: str) -> dict[str, Asked]:
    return {name: Asked("", kind, "registry.example.com", "because") for name in IMAGES.values()}


def chosen(procedure: str, asked: dict[str, Asked], recorded: Any = None, held: Any = (), here: Any = None) -> Any:
    return choose_tag(procedure, "sha-abc1234", IMAGES, asked, recorded, held, here or {})


@pytest.mark.parametrize("procedure", ["deploy", "rollback"])
@pytest.mark.parametrize("recorded", [None, RECORDED])
def test_an_image_of_the_registry_is_chosen(procedure: str, recorded: Any) -> None:
    found = chosen(procedure, THERE, recorded)
    assert isinstance(found, Choice)
    assert (found.images, found.warnings) == (built(), ())


def test_a_tag_that_was_moved_is_refused_with_both_digests() -> None:
    moved = {**THERE, f"{HUB}/worker": Asked(digest("c"))}
    found = chosen("rollback", moved, RECORDED, HELD)
    assert isinstance(found, Problem)
    assert found.code == "tag_moved"
    assert digest("b") in found.text
    assert digest("c") in found.text
    assert [way for way, _ in found.ways] == [f"to={RECORDED['id']}", f"to={HUB}/worker@{digest('c')}"]


def test_a_deploy_of_a_tag_that_was_moved_says_so_and_goes_on() -> None:
    found = chosen("deploy", {**THERE, f"{HUB}/worker": Asked(digest("c"))}, RECORDED)
    assert isinstance(found, Choice)
    assert found.images["worker"].digest == digest("c")
    assert "moved since" in found.warnings[0]


@pytest.mark.parametrize("kind", ["down", "missing", "denied"])
def test_a_rollback_needs_no_registry_for_what_is_here(kind: str) -> None:
    found = chosen("rollback", answers(kind), RECORDED, HELD)
    assert isinstance(found, Choice)
    assert found.images == built()
    assert "is not known whether" in found.warnings[0]


REFUSALS = {
    "a deploy of what is gone": ("deploy", "missing", RECORDED, HELD, "image_not_found"),
    "a rollback to what was never here": ("rollback", "missing", None, (), "image_not_found"),
    "a rollback without its images": ("rollback", "down", RECORDED, HELD[:1], "registry_down"),
    "a deploy without a registry": ("deploy", "down", RECORDED, HELD, "registry_down"),
    "nobody is let in": ("deploy", "denied", None, (), "registry_denied"),
    "anything else": ("deploy", "other", None, (), "registry_failed"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_release_that_can_not_be_chosen_is_refused(name: str) -> None:
    procedure, kind, recorded, held, code = REFUSALS[name]
    found = chosen(procedure, answers(kind), recorded, held)
    assert isinstance(found, Problem)
    assert found.code == code
    assert "registry.example.com" in found.text
    assert found.ways


def test_half_a_release_is_named() -> None:
    found = chosen("deploy", {**THERE, f"{HUB}/worker": Asked("", "missing", "registry.example.com")})
    assert isinstance(found, Problem)
    assert found.code == "release_incomplete"
    assert f"{HUB}/worker:sha-abc1234 is not" in found.text


def test_a_tag_known_only_here_is_offered_by_its_digest() -> None:
    here = {name: answer.digest for name, answer in THERE.items()}
    found = chosen("rollback", answers("down"), here=here)
    assert isinstance(found, Problem)
    assert found.ways[-1][0] == f"to={HUB}/backend@{digest('a')},{HUB}/worker@{digest('b')}"


# -- whether they belong together ----------------------------------------------------------------

COMMIT = {REVISION: "abc1234" + "0" * 33, SOURCE: "https://git.example.com/acme/shop"}

BUILDS: dict[str, tuple[dict[str, dict[str, str]], str, str]] = {
    "one commit": ({"backend": COMMIT, "worker": COMMIT}, "", ""),
    "two commits": ({"backend": COMMIT, "worker": {**COMMIT, REVISION: "f" * 40}}, "", "not_one_build"),
    "one of them says nothing": ({"backend": COMMIT, "worker": {}}, "", "not_one_build"),
    "nobody says anything": ({}, "", ""),
    "the right source": ({"backend": COMMIT, "worker": COMMIT}, COMMIT[SOURCE], ""),
    "another source": (
        {"backend": COMMIT, "worker": COMMIT},
        "https://git.example.com/acme/blog",
        "not_of_this_service",
    ),
    "no source, no proof": ({}, COMMIT[SOURCE], ""),
}


@pytest.mark.parametrize("name", BUILDS)
def test_one_build(name: str) -> None:
    labels, source, code = BUILDS[name]
    found = one_build(built(), labels, source)
    assert (found.code if isinstance(found, Problem) else "") == code


def test_without_a_commit_only_the_tag_says_it() -> None:
    found = one_build(built(), {}, "")
    assert not isinstance(found, Problem)
    assert "only their tag says" in found[1][0]


def test_services_of_one_repository_have_one_digest() -> None:
    images = {"backend": Reference("acme/app", "1", digest("a")), "worker": Reference("acme/app", "1", digest("b"))}
    found = one_build(images, {}, "")
    assert isinstance(found, Problem)
    assert found.code == "not_one_build"


# -- retention -----------------------------------------------------------------------------------


def image(identity: str, *names: str, tags: tuple[str, ...] = (), created: int = 0) -> dict[str, Any]:
    return {"Id": identity, "RepoDigests": list(names), "RepoTags": list(tags), "Created": created}


def test_old_images_are_removed() -> None:
    images = [
        image("running", f"{HUB}/backend@{digest('1')}"),
        image("needed", f"{HUB}/backend@{digest('2')}"),
        image("old", f"{HUB}/backend@{digest('3')}", tags=(f"{HUB}/backend:0.1.0",), created=2),
        image("older", f"{HUB}/worker@{digest('4')}", created=1),
        image("another's", f"{HUB}/postgres@{digest('5')}", tags=(f"{HUB}/postgres:17",)),
        image("dangling", "<none>@<none>", tags=("<none>:<none>",), created=3),
        image("shared", f"{HUB}/worker@{digest('6')}", f"mirror.example.com/w@{digest('6')}", created=4),
    ]
    found = removable(images, IMAGES.values(), [digest("2")], ["running"], map(digest, "123456"))
    assert found == [
        ("older", [f"{HUB}/worker@{digest('4')}"]),
        ("old", [f"{HUB}/backend:0.1.0", f"{HUB}/backend@{digest('3')}"]),
        ("shared", [f"{HUB}/worker@{digest('6')}"]),
    ]


def record(number: int, procedure: str, source: Any, target: Any, outcome: str = "succeeded") -> dict[str, Any]:
    return {
        "id": str(number),
        "procedure": procedure,
        "outcome": outcome,
        "from": source,
        "to": target,
        "left": target if outcome == "succeeded" else source,
        "steps": [{"step": "up", "seconds": 1.0}],
    }


def test_the_previous_good_release_is_kept_whatever_the_count() -> None:
    first, second, third = release(built("a")), release(built("c")), release(built("d"))
    records = [record(1, "deploy", None, first), record(2, "deploy", first, second), record(3, "deploy", second, third)]
    book, this = Ledger(records=tuple(records[:2])), records[2]
    assert needed(book, this, third["id"], 5) == {digest(letter) for letter in "abcd"}
    assert needed(book, this, third["id"], 1) == {digest(letter) for letter in "bcd"}
    book, this = Ledger(records=tuple(records)), record(4, "rollback", third, second)
    assert needed(book, this, second["id"], 1) == {digest(letter) for letter in "abc"}


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_running_and_needed_images_stay(kept: list[str], used: list[str]) -> None:
    images = [image(letter, f"{HUB}/backend@{digest(letter)}") for letter in "abcdef"]
    found = removable(images, IMAGES.values(), map(digest, kept), used, set(map(digest, "abcdef")))
    assert {identity for identity, _ in found} == set("abcdef") - set(kept) - set(used)
