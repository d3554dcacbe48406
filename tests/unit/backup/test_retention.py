"""No rule of retention removes the last good backup, or one of anybody else; a wrong clock gives no order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup import expiry, retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Keep, Owner
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import source as dokku_backup_source
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

NOW = "2026-11-21T12:00:00.000Z"
START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
PART = Part("config", "", "config.json", 3, "1" * 64)


def made(day: datetime, number: int = 0, reason: str = "requested", app: str = "shop") -> Manifest:
    identity = day.strftime("%Y%m%dT%H%M%SZ") + f"-{number:06x}" + ("-before" if reason != "requested" else "")
    text = day.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return Manifest(identity, app, "one", "production", text, reason, "", {}, {}, (PART,))


def owner(*several: Manifest, app: str = "shop", now: str = NOW) -> Owner:
    """A service whose ledger names the operations of these backups, in this order."""
    return Owner(app, tuple(retention.operation_of(one.id) for one in several), now)


def by_date(several: list[Manifest]) -> list[Manifest]:
    return sorted(several, key=lambda one: (one.made, one.id))


# -- the rules ---------------------------------------------------------------------------------------------------------


def test_the_newest_is_never_one_of_a_restore() -> None:
    some = [made(START), made(START + timedelta(hours=1), reason="before_restore")]
    assert retention.choose(some, "latest", owner(*some)) == some[0]
    assert retention.choose(some, some[1].id, owner(*some)) == some[1]
    assert retention.choose(some, "latest", owner(*some, app="other")) is None
    assert retention.choose(some, some[0].id, owner(*some, app="other")) is None


def test_days_weeks_and_months() -> None:
    daily = [made(START - timedelta(days=days)) for days in range(400)]
    gone = retention.expired(daily, Keep(last=3, daily=7, weekly=4, monthly=6), owner(*reversed(daily)))
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
    several = by_date([made(START - timedelta(seconds=age), age, reason) for age, reason in raw])
    spared = several[protected % len(several)].id if several else ""
    service = owner(*several)
    gone = retention.expired(several, keep, service, [spared])
    requested = [one.id for one in several if one.reason == "requested"]
    assert spared not in gone
    assert not requested or requested[-1] not in gone
    # What is kept now is kept once more: nothing goes by asking twice.
    left = [one for one in several if one.id not in gone]
    assert retention.expired(left, keep, service, [spared]) == []
    assert set(gone) <= {one.id for one in several}


def test_the_backup_before_a_restore_is_kept_for_its_time() -> None:
    old, new = (
        made(START - timedelta(days=31), 1, "before_restore"),
        made(START - timedelta(days=29), 2, "before_restore"),
    )
    some = [old, new, made(START)]
    assert retention.expired(some, Keep(), owner(*some)) == [old.id]


# -- two owners in one folder ------------------------------------------------------------------------------------------


@given(BACKUPS, BACKUPS, KEEPS, st.booleans())
def test_a_rule_sees_the_backups_of_its_owner_alone(
    ours: list[tuple[int, str]], theirs: list[tuple[int, str]], keep: Keep, of_one_app: bool
) -> None:
    """The other owner is another app, or another host's ledger of the same app."""
    app = "shop" if of_one_app else "crm"
    mine = by_date([made(START - timedelta(seconds=age), age, reason) for age, reason in ours])
    other = by_date([made(START - timedelta(seconds=age), age + 2**23, reason, app) for age, reason in theirs])
    alone = retention.expired(mine, keep, owner(*mine))
    assert retention.expired([*other, *mine], keep, owner(*mine)) == alone
    assert retention.expired([*mine, *other], keep, owner(*other, app=app)) == retention.expired(
        other, keep, owner(*other, app=app)
    )


def seal(store: Store, one: Manifest) -> None:
    store.begin(one.id)
    part = store.write(one.id, "config.json", "", lambda take: take(b"{}") or {}, "config", "")  # type: ignore[func-returns-value]
    store.seal(replace(one, parts=(part,)), ["config.json"])


def test_two_apps_in_one_folder_keep_what_their_own_rules_keep(tmp_path: Path) -> None:
    """29 nights of both, and the backup of one is being made while the other clears up."""
    store = Store(str(tmp_path))
    nights = [START - timedelta(days=28 - night) for night in range(29)]
    crm = [made(night, 1, app="crm") for night in nights]
    shop = [made(night + timedelta(hours=1), 2) for night in nights]
    for one in [*crm, *shop]:
        seal(store, one)
    under_way = made(START + timedelta(hours=2), 3, app="crm")
    store.begin(under_way.id)
    cut_off = made(START - timedelta(days=40), 4)
    store.begin(cut_off.id)
    keep = {"last": 7, "daily": 0, "weekly": 0, "monthly": 0, "before_restore": 30}
    did = expiry.retain(store, Keep(**keep), shop[-1].id, owner(cut_off, *shop))
    here, bad = store.look()
    assert not bad
    assert [one.id for one in here if one.app == "crm"] == [one.id for one in crm]
    assert [one.id for one in here if one.app == "shop"] == [one.id for one in shop[-7:]]
    assert did["swept"] == [f".making-{cut_off.id}"]
    assert (tmp_path / f".making-{under_way.id}").is_dir()


def test_a_backup_that_was_brought_here_is_never_removed(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    brought, *own = [made(START - timedelta(days=9 - day), day) for day in range(9)]
    for one in [brought, *own]:
        seal(store, one)
    keep = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0, "before_restore": 0}
    expiry.retain(store, Keep(**keep), own[-1].id, owner(*own))
    assert [one.id for one in store.look()[0]] == [brought.id, own[-1].id]
    assert retention.elsewhere(store.look()[0], owner(*own)) == [brought.id]


# -- a wrong clock -----------------------------------------------------------------------------------------------------

FUTURE = [made(datetime(2099, 1, 1, hour, tzinfo=UTC), 100 + hour) for hour in range(8)]


@pytest.mark.parametrize("keep", [Keep(), Keep(last=7, daily=0, weekly=0, monthly=0)])
@pytest.mark.parametrize("known", [True, False])
def test_backups_of_a_wrong_clock_push_no_real_one_out(keep: Keep, known: bool) -> None:
    real = [made(START - timedelta(days=6 - day), day) for day in range(7)]
    service = owner(*([*FUTURE, *real] if known else real))
    every = [*FUTURE, *real]
    assert retention.expired(every, keep, service) == []
    assert retention.choose(every, "latest", service) == real[-1]
    assert retention.choose(every, FUTURE[0].id, service) == FUTURE[0]
    lines = retention.ahead_lines(every, service)
    assert len(lines) == 8 and "2099-01-01T00:00:00.000Z, which is later than now" in lines[0]


def test_a_clock_that_is_slow_now_makes_nothing_the_latest_and_nothing_old() -> None:
    real = [made(START - timedelta(days=6 - day), day) for day in range(7)]
    service = owner(*real, now="2000-01-01T00:00:00Z")
    assert retention.expired(real, Keep(1, 0, 0, 0, 0), service) == []
    with pytest.raises(Problem) as refused:
        dokku_backup_source.chosen(dokku_backup_source.Backups("/backups", tuple(real)), "latest", service)
    assert any("clock" in line for line in refused.value.details)
    assert f"backup={real[-1].id}" in [way for way, _ in refused.value.ways]


def test_the_order_is_that_of_the_ledger() -> None:
    """A backup of a clock that was half a year ahead in June is not the latest in December."""
    then = made(START + timedelta(days=4), 1)
    real = [made(START - timedelta(days=30 * month), month + 2) for month in range(5, -1, -1)]
    service = owner(then, *real, now="2026-12-20T00:00:00Z")
    assert retention.choose([then, *real], "latest", service) == real[-1]
    gone = retention.expired([then, *real], Keep(last=3, daily=0, weekly=0, monthly=0), service)
    assert gone == [then.id, *(one.id for one in real[:3])]


def test_a_clock_that_is_ahead_now_makes_nothing_old() -> None:
    """A backup from before a restore is not thirty days old because a clock says 2099 tonight."""
    before, last = made(START - timedelta(days=2), 1, "before_restore"), made(START, 2)
    tonight = FUTURE[0]
    service = owner(before, last, tonight, now="2099-01-01T00:00:00Z")
    assert before.id not in retention.expired([before, last, tonight], Keep(), service, [tonight.id])


@given(BACKUPS, st.lists(st.integers(0, 10**7), max_size=5, unique=True), st.randoms())
def test_every_backup_has_one_place_in_the_order(
    raw: list[tuple[int, str]], brought: list[int], random: Random
) -> None:
    own = [made(START - timedelta(seconds=age), age, reason) for age, reason in raw]
    random.shuffle(own)
    foreign = [made(START - timedelta(seconds=age), age + 2**23) for age in brought]
    order = retention.in_order([*foreign, *own], owner(*own))
    assert sorted(one.id for one in order) == sorted(one.id for one in [*foreign, *own])
    assert [one for one in order if one in own] == own
