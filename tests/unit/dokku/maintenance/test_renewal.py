# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of letsencrypt on Dokku: which are due, and why a renewal failed."""

from __future__ import annotations

import time

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Answer
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import renewal


def ends_in(days: float) -> str:
    """The end of a certificate as letsencrypt:report has it."""
    return str(int(time.time() + days * 86400))


@pytest.mark.parametrize(
    ("report", "days", "due"),
    [
        ({"expiration": ends_in(60.5)}, 60, False),
        ({"expiration": ends_in(29.5)}, 29, True),
        ({"expiration": ends_in(-1.5)}, -2, True),
        ({"expiration": ends_in(10.5), "computed-graceperiod": "864000"}, 10, False),
        ({"expiration": ends_in(9.5), "computed-graceperiod": "864000"}, 9, True),
        ({"expiration": ends_in(29.5), "computed-graceperiod": "soon"}, 29, True),
        ({"expiration": ""}, "unknown", False),
        ({}, "unknown", False),
    ],
)
def test_a_certificate_is_due_within_its_grace_period(report: dict[str, str], days: int | str, due: bool) -> None:
    assert (renewal.days_left(report), renewal.is_due(report)) == (days, due)


def test_each_app_gets_the_reason_that_stands_below_its_name() -> None:
    said = (
        "-----> Auto-renewing all apps...\n       shop needs renewal\n !     shop.example.com: no such host\n"
        "       shop-two needs renewal\n !     rate limited\n       blog still has 60d\n-----> Finished auto-renewal\n"
    )
    answer = Answer((), 1, said, "")
    assert renewal.reasons(answer, ["shop", "shop-two"]) == (
        "shop: !     shop.example.com: no such host",
        "shop-two: !     rate limited",
    )
    assert renewal.reasons(answer, ["other"]) == (answer.said,)
