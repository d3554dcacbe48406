"""A manifest is believed only if it is whole, and no rule of retention removes the last good backup."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils import backup_manifest as manifests
from ansible_collections.ops.runbook.plugins.module_utils.backup_manifest import BadManifest, Keep, Manifest, Part

PART = Part("database", "mysql.db", "database.sql", 12, "0" * 64, "", {"rows": {"t": 2}})
GOOD = Manifest(
    id="20261121T031502Z-4f2a9c",
    app="shop",
    host="one",
    environment="production",
    made="2026-11-21T03:15:02.000Z",
    reason="requested",
    recipient="",
    versions={"dokku": "0.38.27"},
    release={"sha": "abc"},
    parts=(PART, Part("config", "", "config.json", 3, "1" * 64)),
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert manifests.parse(GOOD.to_bytes()) == GOOD
    assert GOOD.size == 15 and [part.title for part in GOOD.of("database", "config")] == ["database mysql.db", "config"]


def test_an_image_has_a_name_of_its_own_kind() -> None:
    image = Part("image", "dokku/shop:latest", "image-dokku-shop-latest.tar", 1, "0" * 64)
    assert manifests.parse(replace(GOOD, parts=(image,)).to_bytes()).parts == (image,)


def changed(**change: Any) -> bytes:
    return json.dumps({**GOOD.to_dict(), **change}).encode()


def part(**change: Any) -> list[dict[str, Any]]:
    return [{**PART.to_dict(), **change}]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "no JSON"),
        (GOOD.to_bytes()[:-40], "no JSON"),
        (b"[]", "no JSON object"),
        (changed(schema=2), "schema 2"),
        (changed(id="../etc"), "no id"),
        (changed(app="../etc"), "no name of an app"),
        (changed(app=3), "app is no text"),
        (changed(made="yesterday"), "no time"),
        (changed(recipient="x"), "no fingerprint"),
        (changed(parts=[]), "no parts"),
        (changed(parts=["x"]), "no object"),
        (changed(parts=part() + part()), "twice"),
        (changed(parts=part(kind="other")), "unknown kind"),
        (changed(parts=part(file="../../etc/passwd")), "file name"),
        (changed(parts=part(file="manifest.json")), "file name"),
        (changed(parts=part(name="a/b")), "a name that is none"),
        (changed(parts=part(kind="image", name="../x:y")), "a name that is none"),
        (changed(parts=part(kind="image", name="-x")), "a name that is none"),
        (changed(parts=part(key="k")), "is encrypted"),
        (changed(recipient="0" * 64), "not encrypted"),
        (changed(parts=part(size=-1)), "size"),
        (changed(parts=part(size=True)), "size"),
        (changed(parts=part(sha256="0")), "sha256"),
        (changed(parts=part(facts=[])), "facts"),
        (changed(parts=part(facts={"rows": {"t": "2"}})), "number of rows for t"),
        (changed(versions=[]), "versions"),
    ],
)
def test_a_bad_manifest_says_what_is_wrong(content: bytes, why: str) -> None:
    with pytest.raises(BadManifest, match=why):
        manifests.parse(content)


@given(st.binary(max_size=200))
def test_nothing_else_is_a_manifest(content: bytes) -> None:
    with pytest.raises(BadManifest):
        manifests.parse(content)


def made(day: datetime, number: int = 0, reason: str = "requested") -> Manifest:
    identity = day.strftime("%Y%m%dT%H%M%SZ") + f"-{number:06x}" + ("-before" if reason != "requested" else "")
    return replace(GOOD, id=identity, made=day.strftime("%Y-%m-%dT%H:%M:%S.000Z"), reason=reason)


START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def test_the_newest_is_never_one_of_a_restore() -> None:
    some = [made(START), made(START + timedelta(hours=1), reason="before_restore")]
    assert manifests.choose(some, "latest", "shop") == some[0]
    assert manifests.choose(some, some[1].id, "shop") == some[1]
    assert manifests.choose(some, "latest", "other") is None
    assert manifests.choose(some, some[0].id, "other") is None


def test_days_weeks_and_months() -> None:
    daily = [made(START - timedelta(days=days)) for days in range(400)]
    gone = manifests.expired(daily, Keep(last=3, daily=7, weekly=4, monthly=6), "2026-11-21T12:00:00Z")
    kept = [one.made[:10] for one in daily if one.id not in gone]
    assert kept[:7] == [f"2026-11-{day}" for day in range(21, 14, -1)]
    # The newest of each week ends on its Sunday, of each month on its last day.
    assert kept[7:] == [
        "2026-11-08",
        "2026-11-01",
        "2026-10-31",
        "2026-09-30",
        "2026-08-31",
        "2026-07-31",
        "2026-06-30",
    ]
    assert gone == sorted(gone)


BACKUPS = st.lists(
    st.tuples(st.integers(0, 10**7), st.sampled_from(["requested", "before_restore"])),
    max_size=25,
    unique_by=lambda t: t[0],
)
KEEPS = st.builds(Keep, *(st.integers(-1, 5) for _ in range(5)))


@given(BACKUPS, KEEPS, st.integers(0, 10**7))
def test_the_last_good_one_always_stays(raw: list[tuple[int, str]], keep: Keep, protected: int) -> None:
    several = [made(START - timedelta(seconds=age), age, reason) for age, reason in raw]
    spared = several[protected % len(several)].id if several else ""
    gone = manifests.expired(several, keep, "2026-11-21T12:00:00Z", [spared])
    requested = sorted((one.made, one.id) for one in several if one.reason == "requested")
    assert spared not in gone
    assert not requested or requested[-1][1] not in gone
    # What is kept now is kept once more: nothing goes by asking twice.
    left = [one for one in several if one.id not in gone]
    assert manifests.expired(left, keep, "2026-11-21T12:00:00Z", [spared]) == []
    # An older one never outlives all the rules that keep a newer one of the same day.
    assert set(gone) <= {one.id for one in several}


def test_what_stood_before_a_restore_stays_for_its_time() -> None:
    old, new = (
        made(START - timedelta(days=31), 1, "before_restore"),
        made(START - timedelta(days=29), 2, "before_restore"),
    )
    assert manifests.expired([old, new, made(START)], Keep(), "2026-11-21T12:00:00Z") == [old.id]
