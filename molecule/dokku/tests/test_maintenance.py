"""Held images stay, a failed item stops no other, a done item is not done again, and no secret is kept."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from dokku_maintenance_lab import APP, CANARY, Cared
from lab import HOSTS, Run


@pytest.fixture(scope="module")
def kept() -> Cared:
    found = Cared(HOSTS[0])
    found.reset("apps")
    return found


@pytest.fixture
def host(kept: Cared) -> Cared:
    """Nothing was ever done here; what these tests do is forgotten."""
    kept.root(f"rm -rf {kept.state}/ledger.jsonl {kept.state}/journal.jsonl {kept.state}/lease.json {kept.state}/logs")
    return kept


def maintain(host: Cared, folder: Path, *options: str, **inputs: object) -> tuple[Run, dict[str, Any]]:
    """A run, and its report; an empty one where none was written."""
    given = {"cadence": "weekly", "dokku_maintenance_reports": str(folder), **inputs}
    before = set(folder.glob("*.json"))
    run = host.play("dokku_maintenance", *options, **given)
    new = sorted(set(folder.glob("*.json")) - before)
    return run, json.loads(new[0].read_text()) if new else {}


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {entry["item"]: entry["status"] for entry in report["items"]}


def test_check_mode_shows_all_of_it_and_changes_nothing(host: Cared, tmp_path: Path) -> None:
    before = host.everything()
    run, report = maintain(host, tmp_path, "--check")
    assert run.green, run.text
    assert "9 of 9 items are due" in run.text
    assert "dokku cleanup" in run.text
    assert "Plan a window for the security updates" in run.text
    assert report == {}
    assert host.everything() == before


def test_a_week_is_done_once_and_says_when(host: Cared, tmp_path: Path) -> None:
    run, report = maintain(host, tmp_path)
    assert run.green, run.text
    assert set(statuses(report).values()) <= {"done", "skipped"}
    assert report["green"]
    assert all(entry["text"] for entry in report["items"])
    text = next(tmp_path.glob("*.md")).read_text()
    assert "- [ ] Plan a window" in text
    again, second = maintain(host, tmp_path)
    assert (again.green, again.changed) == (True, 0)
    assert "0 of 9 items are due" in again.text
    assert all(entry["operation"] == report["operation"] for entry in second["items"])
    assert host.outcomes() == [("maintenance", "succeeded")]


def test_a_cleanup_takes_what_nobody_needs_and_nothing_that_is_held(host: Cared, tmp_path: Path) -> None:
    image = host.drop_hold()
    held = set(host.holds().values())
    loose = host.loose_image("loose")
    run, report = maintain(host, tmp_path)
    assert run.green, run.text
    # The one that nothing held was held again, before the cleanup came to it.
    assert set(host.holds().values()) == held | {image}
    assert "1 of them again" in json.dumps(report)
    assert host.root(f"docker image inspect {loose} >/dev/null 2>&1; echo $?") == "1"
    assert set(host.releases().values()) <= {"live", "held"}
    assert not host.root(f"ls /var/lib/dokku/data/releases/{APP}/*.pinned 2>/dev/null", check=False)


def test_without_the_plugin_there_is_no_cleanup(host: Cared, tmp_path: Path) -> None:
    link = "/var/lib/dokku/plugins/enabled/releases"
    loose = host.loose_image("kept")
    with host.changed(f"mv {link} /root/releases-away", f"mv /root/releases-away {link}"):
        run, report = maintain(host, tmp_path)
    assert run.green, run.text
    assert (statuses(report)["cleanup"], statuses(report)["holds"]) == ("skipped", "skipped")
    assert host.root(f"docker image inspect {loose} >/dev/null 2>&1; echo $?") == "0"
    # The reason is gone, so the cleanup is due at once.
    _, second = maintain(host, tmp_path)
    assert statuses(second)["cleanup"] == "done"


def test_a_failed_item_stops_no_other_and_is_due_again(host: Cared, tmp_path: Path) -> None:
    block = f"{host.state}/logs"
    with host.changed(f"install -d -o deploy -m 0700 {host.state}; touch {block}", f"rm -f {block}"):
        run, report = maintain(host, tmp_path)
    assert not run.green
    found = statuses(report)
    assert found.pop("logs") == "failed"
    assert set(found.values()) <= {"done", "skipped"}
    assert not report["green"]
    assert "logs" in report["reason"]
    assert host.outcomes() == [("maintenance", "failed")]
    again, second = maintain(host, tmp_path)
    assert again.green, again.text
    assert "1 of 9 items are due" in again.text
    assert statuses(second)["logs"] == "done"


def test_archives_are_for_their_owner_masked_and_only_so_many(host: Cared, tmp_path: Path) -> None:
    write = f"docker exec {APP}.web.1 sh -c 'echo \"ERROR the key is {CANARY}\" > /proc/1/fd/1'"
    set_it = f"dokku config:set --no-restart {APP} CARE_KEY={CANARY} >/dev/null"
    folder = f"{host.state}/logs"
    old = (
        f"install -d -o deploy -m 0700 {host.state} {folder}; "
        f"for day in 01 02 03; do touch {folder}/{APP}-202601$day.log.gz; done; chown deploy {folder}/*"
    )
    with host.changed(f"{set_it}; {write}; {old}", f"dokku config:unset --no-restart {APP} CARE_KEY >/dev/null"):
        run, report = maintain(host, tmp_path, "-vvv", dokku_maintenance_log_keep=2)
    assert run.green, run.text
    names = host.root(f"ls {folder} | grep '^{APP}-'").split()
    assert len(names) == 2
    assert names[0] == f"{APP}-20260103.log.gz"
    assert host.root(f"stat -c '%a %U' {folder}/{names[1]}") == "600 deploy"
    content = gzip.decompress(base64.b64decode(host.root(f"base64 -w 0 {folder}/{names[1]}"))).decode()
    assert "the key is ********" in content
    surfaces = content + run.text + json.dumps(report) + json.dumps(host.ledger())
    surfaces += "".join(path.read_text() for path in tmp_path.iterdir())
    assert CANARY not in surfaces


@pytest.mark.parametrize(
    ("inputs", "says"), [({"cadence": "yearly"}, "cadence="), ({"dokku_maintenance_without": ["x"]}, "is not an item")]
)
def test_bad_input_is_refused_with_nothing_changed(
    host: Cared, tmp_path: Path, inputs: dict[str, object], says: str
) -> None:
    run, _ = maintain(host, tmp_path, **inputs)
    assert not run.green
    assert says in run.text
    assert not host.has_lease()
    assert [outcome for _, outcome in host.outcomes()] == ["refused"]


def test_a_quarter_changes_nothing_of_the_host(host: Cared, tmp_path: Path) -> None:
    containers = host.root("docker ps -a --no-trunc --format '{{.Names}} {{.ID}} {{.State}}' | sort")
    run, report = maintain(host, tmp_path, cadence="quarterly")
    assert run.green, run.text
    assert set(statuses(report)) == {"restore_drill", "tls", "firewall", "users", "keys"}
    assert "deploy" in json.dumps(report)
    assert host.root("docker ps -a --no-trunc --format '{{.Names}} {{.ID}} {{.State}}' | sort") == containers
