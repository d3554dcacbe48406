"""An app is made anew from a backup alone, on a host that has none of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dokku_backup_lab import APP, STATE, STORAGE, Backed, key_pair
from lab import HOSTS


@pytest.fixture(scope="module")
def host() -> Backed:
    host = Backed(HOSTS[0])
    host.reset("apps")
    host.equip()
    host.seed()
    return host


def test_a_host_is_lost_and_made_anew(host: Backed, tmp_path: Path) -> None:
    key, public = key_pair(tmp_path, "good")
    fetched = tmp_path / "fetched"
    made = host.play("dokku_backup", dokku_backup_public_key=public, fetch_to=str(fetched))
    assert made.green, made.text
    (backup,) = (fetched / host.name / APP).iterdir()
    refused = host.play("dokku_rebuild_host", backup_key_file=key)
    assert "(app_exists)" in refused.text, refused.text
    before = host.data()
    sha = host.report(APP, "git")["sha"]
    host.reset()
    host.root(f"rm -rf {STATE}")
    host.equip()
    killed = host.killed("dokku_rebuild_host", "import:mysql.restant-db", backup_from=str(backup), backup_key_file=key)
    assert not killed.green, killed.text
    done = host.play("dokku_rebuild_host", interrupted="resume", backup_key_file=key)
    assert done.green and "point the DNS records" in done.text, done.text
    after = host.data()
    assert after["rows"] == before["rows"] and after["running"] == before["running"]
    assert set(after["config"]) == set(before["config"])
    assert after["config"]["API_SECRET"] == before["config"]["API_SECRET"]
    assert after["config"]["DATABASE_URL"] != before["config"]["DATABASE_URL"]
    assert host.root(f"stat -c '%a %u' {STORAGE}/up/one") == "600 33"
    assert host.report(APP, "git")["sha"] == sha
    releases = json.loads(host.dokku("releases", APP, "--format", "json"))
    assert [release["state"] for release in releases][0] == "live" and len(releases) > 1


def test_an_undone_rebuild_removes_what_it_made(host: Backed, tmp_path: Path) -> None:
    made = host.play("dokku_backup", fetch_to=str(tmp_path))
    assert made.green, made.text
    (backup,) = (tmp_path / host.name / APP).iterdir()
    host.reset()
    host.root(f"rm -rf {STATE}")
    host.equip()
    assert not host.killed("dokku_rebuild_host", "config", backup_from=str(backup)).green
    undone = host.play("dokku_rebuild_host", interrupted="undo")
    assert undone.green and host.apps() == [], undone.text
    assert "restant-db" not in host.dokku("mysql:list", check=False)
