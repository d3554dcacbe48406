# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a record, whole: who looks for a record later finds it by these and by no other."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys

WEB = {"reference": "hub/web:1", "digest": "sha256:1"}
QUEUE = {"reference": "hub/queue:1", "digest": "sha256:2"}
IMAGES = {"id": "r1", "name": "v1", "images": {"web": WEB, "queue": QUEUE}}
DEPLOY: dict[str, Any] = {"id": "op-1", "procedure": "deploy", "outcome": "succeeded"}
OF_DEPLOY = ["record op-1", "ended deploy/succeeded", "operation op-1"]
FAILED: dict[str, Any] = {**DEPLOY, "outcome": "failed"}
OF_FAILED = ["record op-1", "ended deploy/failed", "operation op-1"]
ROTATE: dict[str, Any] = {**DEPLOY, "procedure": "rotate", "to": {"id": "SHA256:x"}}
OF_ROTATE = ["record op-1", "ended rotate/succeeded", "operation op-1", "release SHA256:x"]
MAINTAIN: dict[str, Any] = {**DEPLOY, "procedure": "maintenance", "finished": "2026-11-24T23:59:59.999Z"}
OF_MAINTAIN = ["record op-1", "ended maintenance/succeeded", "operation op-1"]

KEYS: dict[str, tuple[dict[str, Any], list[str]]] = {
    # a record, its keys in their order: kind and name, and the place among those of its record where that is not 0
    "nothing": ({}, ["record None", "ended None/None"]),
    "an operation": (DEPLOY, OF_DEPLOY),
    "ends": (
        {**FAILED, "from": {"id": "r1"}, "to": {"id": "r2"}, "left": {"id": "r3"}},
        [*OF_FAILED, "release r1", "release r2", "release r3"],
    ),
    "the same end twice": (
        {**FAILED, "from": {"id": "r1"}, "to": {"id": "r2"}, "left": {"id": "r1"}},
        [*OF_FAILED, "release r1", "release r2"],
    ),
    "ends that name no release": ({**DEPLOY, "from": None, "to": "r1", "left": {"id": ""}}, OF_DEPLOY),
    "arrived": ({**DEPLOY, "to": {"id": "r1"}}, [*OF_DEPLOY, "release r1", "arrived r1"]),
    "arrived by a rollback": (
        {**DEPLOY, "procedure": "rollback", "to": {"id": "r1"}},
        ["record op-1", "ended rollback/succeeded", "operation op-1", "release r1", "arrived r1"],
    ),
    "arrived by an adoption": (
        {**DEPLOY, "procedure": "adopt", "to": {"id": "r1"}},
        ["record op-1", "ended adopt/succeeded", "operation op-1", "release r1", "arrived r1"],
    ),
    "a backup arrives nowhere": (
        {**DEPLOY, "procedure": "backup", "to": {"id": "r1"}},
        ["record op-1", "ended backup/succeeded", "operation op-1", "release r1"],
    ),
    "images that were brought": (
        {**DEPLOY, "to": IMAGES},
        [
            *OF_DEPLOY,
            *("release r1", "image sha256:1", "image sha256:2", "images r1", "brought r1", "brought as v1"),
            *("brought image sha256:1", "brought image sha256:2", "arrived r1"),
        ],
    ),
    "images that were not": (
        {**FAILED, "to": IMAGES},
        [*OF_FAILED, "release r1", "image sha256:1", "image sha256:2", "images r1"],
    ),
    "images that were left": (
        {**FAILED, "from": {"id": "r0"}, "left": {"id": "r1", "images": {"web": WEB, "odd": "x", "none": {}}}},
        [*OF_FAILED, "release r0", "release r1", "image sha256:1", "image None"],
    ),
    "images that are a list": ({**FAILED, "left": {"images": [WEB]}}, OF_FAILED),
    "images of a release without an id": (
        {**DEPLOY, "to": {"images": {"web": WEB}}},
        [*OF_DEPLOY, "image sha256:1", "images None", "brought None", "brought as None", "brought image sha256:1"],
    ),
    "migrations that were written down": (
        {**DEPLOY, "to": {"id": "r1"}, "notes": {"migrations": {"known": []}}},
        [*OF_DEPLOY, "release r1", "arrived r1", "migrations r1"],
    ),
    "migrations of a failed operation": (
        {**FAILED, "to": {"id": "r1"}, "notes": {"migrations": {"known": ["m1"]}}},
        [*OF_FAILED, "release r1"],
    ),
    "migrations of no release": ({**DEPLOY, "notes": {"migrations": {"known": ["m1"]}}}, OF_DEPLOY),
    "migrations that nobody knows": (
        {**DEPLOY, "to": {"id": "r1"}, "notes": {"migrations": {"run": []}}},
        [*OF_DEPLOY, "release r1", "arrived r1"],
    ),
    "a key of ssh that was put in": (
        {**ROTATE, "finished": "2026-11-24T00:00:00.000Z"},
        [*OF_ROTATE, "put in SHA256:x"],
    ),
    "a key of ssh at no moment": ({**ROTATE, "finished": "yesterday"}, OF_ROTATE),
    "a key of ssh before all time": ({**ROTATE, "finished": "0001-01-01T00:00:00"}, OF_ROTATE),
    "a key of ssh that was not put in": (
        {**ROTATE, "outcome": "failed", "finished": "2026-11-24T00:00:00Z"},
        ["record op-1", "ended rotate/failed", "operation op-1", "release SHA256:x"],
    ),
    "a rotation of no key of ssh": (
        {**ROTATE, "to": None, "finished": "2026-11-24T00:00:00Z"},
        ["record op-1", "ended rotate/succeeded", "operation op-1"],
    ),
    "values that were rotated": (
        {**DEPLOY, "notes": {"write_env": {"keys": {"A": "x", "B": "y"}}, "other": {"keys": ["C"]}, "odd": 1}},
        [*OF_DEPLOY, "rotated write_env/A", "rotated write_env/B"],
    ),
    "values that were not": ({**FAILED, "notes": {"write_env": {"keys": {"A": "x"}}}}, OF_FAILED),
    "a backup": (
        {**FAILED, "notes": {"seal": {"backup": "op-0-before-1"}}},
        ["record op-1", "ended deploy/failed", "operation op-0", "operation op-1 1", "backup op-0-before-1"],
    ),
    "operations in their order": (
        {
            **DEPLOY,
            "saved_as": "op-b",
            "continues": "op-c",
            "notes": {"one": {"backup": "op-d"}, "two": {"backup": "op-e"}, "three": {"backup": "-before"}, "four": 1},
        },
        [
            *("record op-1", "ended deploy/succeeded", "operation op-e", "operation op-d 1", "operation op-b 2"),
            *("operation op-c 3", "operation op-1 4", "backup op-d", "backup op-e", "backup -before"),
        ],
    ),
    "a hotfix": ({**DEPLOY, "facts": {"hotfix": "x"}}, [*OF_DEPLOY, "hotfix latest"]),
    "a hotfix that failed": ({**FAILED, "facts": {"hotfix": "x"}}, OF_FAILED),
    "facts of no hotfix": ({**DEPLOY, "facts": {"hotfix": None}}, OF_DEPLOY),
    "maintenance": (
        {**MAINTAIN, "outcome": "failed", "notes": {"prune": {}, "dump": {"x": 1}, "odd": 1}},
        [
            *("record op-1", "ended maintenance/failed", "operation op-1"),
            *("item prune/2026-W48", "item prune/2026-11", "item prune/2026-Q4"),
            *("item dump/2026-W48", "item dump/2026-11", "item dump/2026-Q4"),
        ],
    ),
    "maintenance without a time": ({**MAINTAIN, "finished": None, "notes": {"prune": {}}}, OF_MAINTAIN),
    "maintenance that never was": (
        {**MAINTAIN, "finished": "2026-11-31T00:00:00Z", "notes": {"prune": {}}},
        OF_MAINTAIN,
    ),
    "notes that are a list": ({**MAINTAIN, "notes": ["prune"]}, OF_MAINTAIN),
}


@pytest.mark.parametrize("name", KEYS)
def test_the_keys_of_a_record_are(name: str) -> None:
    record, expected = KEYS[name]
    found = [f"{key.kind} {key.name}" + (f" {key.order}" if key.order else "") for key in ledger_keys.of(record)]
    assert found == expected


def test_a_key_is_the_hash_of_its_kind_and_name_and_says_which_record_counts() -> None:
    for kind, first in (("record", False), ("operation", True), ("put in", True), ("release", False)):
        for name in ("a", "é", "\udcff", "b"):
            whole = hashlib.sha256(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).digest()
            hashed = ledger_keys.hashed(kind, name)
            assert (len(hashed), hashed[:15], hashed[15] | 1) == (16, whole[:15], whole[15] | 1)
            assert ledger_keys.first_counts(hashed) is first
            assert ledger_keys.Key(kind, name, 7).hashed == hashed


PERIODS = {
    "none": (None, ()),
    "the week of another year": (date(2027, 1, 1), ("2026-W53", "2027-01", "2027-Q1")),
    "the end of a quarter": (date(2026, 3, 31), ("2026-W14", "2026-03", "2026-Q1")),
    "the beginning of a quarter": (date(2026, 4, 1), ("2026-W14", "2026-04", "2026-Q2")),
    "a week of one figure": (date(2026, 2, 4), ("2026-W06", "2026-02", "2026-Q1")),
    "the end of a year": (date(2026, 12, 31), ("2026-W53", "2026-12", "2026-Q4")),
}


@pytest.mark.parametrize(("day", "expected"), PERIODS.values(), ids=PERIODS)
def test_the_periods_of_a_day_are(day: date | None, expected: tuple[str, ...]) -> None:
    assert ledger_keys.periods_of(day) == expected
