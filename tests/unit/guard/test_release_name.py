# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that brings a release up again after an operation around it has failed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard import release_name

COMMIT, DIGEST = "c0ffee13a0cccaa0b4e25f613f81690274fa51bd", f"sha256:{'a' * 64}"
ANEW: dict[str, tuple[dict[str, Any] | None, str]] = {
    "a commit": ({"id": COMMIT, "name": "v1.0.0"}, "deploy -e to=c0ffee13a0"),
    "images": (
        {"id": f"backend={DIGEST}", "images": {"backend": {"reference": "x/shop", "digest": DIGEST}}},
        f"deploy -e to=x/shop@{DIGEST}",
    ),
    "none": (None, ""),
    "one that is not known": ({"id": "", "name": "v1.0.0"}, ""),
}


@pytest.mark.parametrize("name", ANEW)
def test_a_deploy_makes_anew_what_belongs_to_the_release(name: str) -> None:
    release, line = ANEW[name]
    assert release_name.anew(release) == line
