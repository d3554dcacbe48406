# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of the plugin `releases`, which are functions of jq, by tables."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).resolve().parents[3] / "roles/dokku/files/releases"
COMMIT, TAG, OTHER = "a" * 40, "b" * 40, "c" * 40
#: Release 1 came by an annotated tag: the app was told the id of the tag. Release 2 came by a push.
RECORDS = [
    {"number": 1, "git_sha": COMMIT, "git_rev": TAG, "image_id": "sha256:1"},
    {"number": 2, "git_sha": OTHER, "git_rev": OTHER, "image_id": "sha256:2"},
]
#: A rename built the branch, and left what a push that failed had told the app.
RENAMED = [{"number": 1, "git_sha": COMMIT, "git_rev": OTHER, "image_id": "sha256:1"}]
OLD = [{key: value for key, value in one.items() if key != "git_rev"} for one in RECORDS]


def asked(filter_: str, document: Any, **named: Any) -> Any:
    words = [word for name, value in named.items() for word in ("--argjson", name, json.dumps(value))]
    ran = subprocess.run(
        ["jq", "-L", str(PLUGIN), "-c", *words, f'include "releases"; {filter_}'],
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


#: What made it, the rollback, what the app is told and the commit of the deploy branch; and the commit of the code.
CASES: dict[str, tuple[list[dict[str, Any]], str, dict[str, Any] | None, str, str, str]] = {
    "a push": ([], "git-hook", None, COMMIT, COMMIT, COMMIT),
    "a fetch of an annotated tag": ([], "git:sync", None, TAG, COMMIT, COMMIT),
    "a rollback to it": (RECORDS, "ps:restart", {"to": 1}, TAG, OTHER, COMMIT),
    "a rollback that keeps the configuration": (RECORDS, "ps:restart", {"to": 1}, OTHER, OTHER, COMMIT),
    "a change of the configuration after that": (RECORDS, "config:set", None, TAG, COMMIT, COMMIT),
    "a rebuild": (RECORDS, "ps:rebuild", None, TAG, OTHER, OTHER),
    "an image": ([], "git:from-image", None, "", COMMIT, COMMIT),
    "nothing in the branch": ([], "restart", None, "", "HEAD", ""),
    "a push of what had failed before a rename": (RENAMED, "git-hook", None, OTHER, OTHER, OTHER),
    "a change of the configuration after a rename": (RENAMED, "config:set", None, OTHER, COMMIT, COMMIT),
    "records of an older plugin": (OLD, "config:set", None, OTHER, OTHER, OTHER),
    "a rollback by an older plugin's record": (OLD, "ps:restart", {"to": 1}, TAG, OTHER, COMMIT),
}  # fmt: skip


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not here")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_release_is_recorded_with_the_commit_of_its_code(
    case: tuple[list[dict[str, Any]], str, dict[str, Any] | None, str, str, str],
) -> None:
    records, source, rollback, told, branch, commit = case
    now = {"config": {"GIT_REV": told} if told else {}, "git": {"sha": branch, "rev-env-var": "GIT_REV"}}
    named = {"source": source, "rollback": rollback, "now": now}
    assert asked("revision($source; $rollback; $now)", {"records": records}, **named) == commit
    assert asked("git_rev($now)", {}, now=now) == told


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not here")
def test_a_fact_that_dokku_does_not_report_is_not_an_error() -> None:
    named = {"source": "restart", "rollback": None, "now": {"config": None, "git": None}}
    assert asked("revision($source; $rollback; $now)", {"records": []}, **named) == ""
