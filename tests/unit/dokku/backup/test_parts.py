"""Facts of an app in its backup."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup.parts import released

LIVE = {"number": 8, "state": "live", "revision": "a" * 40, "source_image": "shop:1"}
LEFT = {"number": 7, "state": "held", "revision": "b" * 40, "source_image": "shop:4"}
GIT = {"sha": "b" * 40, "source-image": "shop:4"}


@pytest.mark.parametrize(
    ("git", "records", "found"),
    [
        # After a rollback Dokku's report names the image that was left.
        (GIT, [LIVE, LEFT], {"sha": "a" * 40, "source_image": "shop:1", "number": "8"}),
        # Without the plugin, or where what is live was never recorded.
        (GIT, [], {"sha": "b" * 40, "source_image": "shop:4"}),
        (GIT, [LEFT], {"sha": "b" * 40, "source_image": "shop:4"}),
        # A push after an image.
        (GIT, [{**LIVE, "source_image": ""}], {"sha": "a" * 40, "number": "8"}),
        ({"sha": "HEAD"}, [{**LIVE, "revision": ""}], {"source_image": "shop:1", "number": "8"}),
        ({}, [], {}),
    ],
)
def test_the_running_release_is_in_the_backup(
    git: dict[str, Any], records: list[dict[str, Any]], found: dict[str, str]
) -> None:
    assert released(git, records) == found
