# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images count as passed on staging by the ledger there, and by digests alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose.release import release
from ansible_collections.ops.runbook.plugins.module_utils.compose.staging import Staging, judge, prove
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard import history
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Ledger
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


def built(letter: str, tag: str = "1.0", services: tuple[str, ...] = ("backend", "worker")) -> dict[str, Any]:
    """A release of images whose digests are made of a letter."""
    return release(
        {
            name: Reference(f"registry.example.com/acme/{name}", tag, f"sha256:{letter * 62}{number:02}")
            for number, name in enumerate(services)
        }
    )


def record(number: int, procedure: str, source: Any, target: Any, outcome: str = "succeeded") -> dict[str, Any]:
    return {
        "id": f"op{number}",
        "procedure": procedure,
        "outcome": outcome,
        "from": source,
        "to": target,
        "left": target if outcome == "succeeded" else source,
        "finished": f"2026-11-21T03:{number:02}:00Z",
        "steps": [{"step": "up", "seconds": 1.0}],
    }


def seen(*records: dict[str, Any], problems: tuple[str, ...] = ()) -> dict[str, Any]:
    """The result of operation_history_info on staging."""
    return history.picture(Ledger(records=records, problems=problems), None, "free", None)


OLD, NEW, OTHER = built("a", "0.9"), built("b"), built("c")
DEPLOYED = (record(1, "deploy", None, OLD), record(2, "deploy", OLD, NEW))
UNREACHABLE = {"unreachable": True, "msg": "Failed to connect to the host via ssh: \n Connection refused"}
UNPROVEN = {
    "never": (seen(DEPLOYED[0]), ("never passed on staging1", "0.9")),
    "reverted": (
        seen(DEPLOYED[0], record(2, "deploy", OLD, NEW, "reverted")),
        ("never passed on staging1", "0.9"),
    ),
    "rolled back from": (seen(*DEPLOYED, record(3, "rollback", NEW, OLD)), ("not good there", "op3")),
    "other images by that tag": (
        seen(DEPLOYED[0], record(2, "deploy", OLD, OTHER)),
        ("by the name 1.0", "backend was sha256:cccccccccccc there and is sha256:bbbbbbbbbbbb here", "worker was"),
    ),
    "only a part of them": (
        seen(record(1, "deploy", None, {**NEW, "images": {"backend": NEW["images"]["backend"]}})),
        ("by the name 1.0: worker had no image there",),
    ),
    "no operation": (seen(), ("no operation on staging1",)),
    "a service of commits": (seen(record(1, "deploy", None, {"id": "f" * 40, "name": "v1"})), ("no operation",)),
    "an edited ledger": (seen(*DEPLOYED, problems=("line 2 does not follow",)), ("proves nothing", "line 2")),
    "unreachable": (UNREACHABLE, ("could not be asked", "via ssh: Connection refused")),
    "unreadable": ({"msg": "deploy can't read the state folder"}, ("could not be asked", "state folder")),
    "nobody asked": (None, ("could not be asked",)),
}


def test_the_same_digests_passed() -> None:
    proof = prove(Staging("staging1", seen(*DEPLOYED)), NEW)
    assert proof.passed == "op2"
    assert proof.text == ("these digests passed on staging1 at 2026-11-21 03:02 UTC (operation op2), and run there now")
    assert prove(Staging("staging1", seen(*DEPLOYED)), OLD).passed == "op1"
    assert "run there now" not in prove(Staging("staging1", seen(*DEPLOYED)), OLD).text


def test_neither_the_tag_nor_the_names_of_services_matter() -> None:
    there = built("b", "another", ("api", "queue", "web"))
    assert prove(Staging("staging1", seen(record(1, "adopt", None, there))), NEW).passed == "op1"


@pytest.mark.parametrize(("found", "texts"), UNPROVEN.values(), ids=UNPROVEN)
def test_an_unproven_image_is_named_and_refused_if_staging_is_required(
    found: dict[str, Any] | None, texts: tuple[str, ...]
) -> None:
    lines, warnings, fact = judge(Staging("staging1", found), NEW)
    assert not lines
    assert all(text in warnings[0] for text in texts), warnings
    assert fact["staging"]["operation"] == ""
    with pytest.raises(Problem) as refused:
        judge(Staging("staging1", found, required=True), NEW)
    refusal = refused.value
    assert (refusal.code, refusal.text) == ("not_on_staging", warnings[0])
    assert refusal.ways[-1][0] == "compose_staging_required=false"


@pytest.mark.parametrize("found", [found for found, _ in UNPROVEN.values()], ids=UNPROVEN)
def test_a_way_back_to_what_was_good_here_needs_no_other_machine(found: dict[str, Any] | None) -> None:
    lines, warnings, _fact = judge(Staging("staging1", found, required=True), NEW, good_here="op7")
    assert "op7" in lines[0]
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("never", "compose_deploy with target=staging1 to=1.0"),
        ("no operation", "compose_deploy with target=staging1 to=1.0"),
        ("other images by that tag", "compose_deploy with target=staging1 to=registry.example.com/acme/backend:1.0@"),
        ("rolled back from", "to=<another release>"),
        ("unreachable", "compose_staging_required=false"),
    ],
)
def test_the_first_way_forward_helps(name: str, way: str) -> None:
    with pytest.raises(Problem) as refused:
        judge(Staging("staging1", UNPROVEN[name][0], required=True), NEW)
    assert refused.value.ways[0][0].startswith(way)


def test_without_a_staging_host_nothing_is_said() -> None:
    assert judge(Staging(required=True), NEW) == ([], [], {})


@given(st.lists(st.sampled_from("abc"), max_size=8), st.sampled_from("abc"))
def test_only_what_was_deployed_there_passes(deployed: list[str], wanted: str) -> None:
    releases = [None, *(built(letter) for letter in deployed)]
    records = [record(number, "deploy", *pair) for number, pair in enumerate(zip(releases, releases[1:]))]
    assert bool(prove(Staging("staging1", seen(*records)), built(wanted)).passed) == (wanted in deployed)
