# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds on the images of an app's releases, by the lists and reports of the plugin `releases`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Holds:
    """expected: releases whose images have to be there, the newest first. missing: those of them that nothing holds.

    pinned: those that are kept whatever comes. gone: expected, and their image is no longer on the host.
    doubtful: live or pinned ones that the list does not show as held; named if the number of holds is too small.
    images: the images of `expected` that are on the host.
    """

    app: str
    expected: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    pinned: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()
    images: frozenset[str] = frozenset()


def judge(app: str, releases: Sequence[Mapping[str, Any]], report: Mapping[str, str]) -> Holds:
    """Holds on the releases that the plugin keeps: the newest images, pinned releases, and the live one."""
    keep = int(report["keep-images"]) if report.get("keep-images", "").isdigit() else 5
    pinned = tuple(int(number) for number in report.get("pinned", "").split() if number.isdigit())
    newest = sorted(releases, key=lambda release: -int(release["number"]))
    kept = set(list(dict.fromkeys(str(release["image_id"]) for release in newest))[:keep])
    live = report.get("live-image", "")
    if not releases:
        return Holds(app)
    # Of several releases of one image the newest represents all: they share the hold.
    expected: dict[str, Mapping[str, Any]] = {}
    for release in newest:
        image = str(release["image_id"])
        if image in kept or image == live or int(release["number"]) in pinned:
            expected.setdefault(image, release)
    gone = tuple(int(one["number"]) for one in expected.values() if one["state"] == "gone")
    there = {image: one for image, one in expected.items() if one["state"] != "gone"}
    missing = tuple(int(one["number"]) for one in there.values() if one["state"] == "unheld")
    held = int(report["held"]) if report.get("held", "").isdigit() else len(there)
    unseen = tuple(int(one["number"]) for one in there.values() if one["state"] in ("live", "pinned"))
    short = held < len(there) - len(missing)
    return Holds(
        app=app,
        expected=tuple(int(one["number"]) for one in expected.values()),
        missing=missing,
        pinned=pinned,
        gone=gone,
        doubtful=unseen if short else (),
        images=frozenset(there),
    )


def to_hold(holds: Holds) -> tuple[int, ...]:
    """The releases that a repair has to hold, the newest first."""
    return tuple(sorted({*holds.missing, *holds.doubtful}, reverse=True))


def lost(before: Holds, after: Holds) -> tuple[str, ...]:
    """The images that were there before and are not any more."""
    return tuple(sorted(before.images - after.images))
