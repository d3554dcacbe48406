# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Caches that are older than .env are seen, and what was cached before comes back byte for byte."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import history
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.laravel import php_fpm, settings
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import Mark, settings_of
from ansible_collections.ops.runbook.plugins.module_utils.laravel.service import Description, LaravelService


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application in place whose configuration was cached after its .env was written."""
    app = tmp_path / "app"
    cache = app / "bootstrap" / "cache"
    cache.mkdir(parents=True)
    (app / ".env").write_text("APP_NAME=one\n")
    for name in ("config.php", "routes-v7.php"):
        (cache / name).write_text(f"<?php // {name}\n")
        (cache / name).chmod(0o640)
    (cache / ".gitignore").write_text("*\n")
    os.utime(app / ".env", (1000, 1000))
    return app


def service(app: Path, strategy: str = "in_place") -> LaravelService:
    return LaravelService(Description("vertex", str(app), strategy=strategy), str(app.parent / "state"))


def test_caches_that_are_older_than_env_are_outdated(app: Path) -> None:
    assert not settings.read(service(app)).outdated
    os.utime(app / ".env")
    later = (app / "bootstrap/cache/config.php").stat().st_mtime + 1
    os.utime(app / ".env", (later, later))
    assert settings.read(service(app)).outdated


def test_the_target_of_a_link_counts(app: Path) -> None:
    elsewhere = app.parent / "app.env"
    (app / ".env").rename(elsewhere)
    (app / ".env").symlink_to(elsewhere)
    assert not settings.read(service(app)).outdated
    later = (app / "bootstrap/cache/config.php").stat().st_mtime + 1
    os.utime(elsewhere, (later, later))
    assert settings.read(service(app)).outdated


@pytest.mark.parametrize("missing", [".env", "bootstrap/cache/config.php"])
def test_without_one_of_them_nothing_is_outdated(app: Path, missing: str) -> None:
    (app / missing).unlink()
    assert not settings.read(service(app)).outdated


def test_a_release_knows_by_its_mark_with_which_settings_it_was_built(app: Path) -> None:
    root = app.parent / "root"
    (root / "releases").mkdir(parents=True)
    folder = root / "releases" / ("a" * 12)
    app.rename(folder)
    (root / "current").symlink_to(folder)
    store = service(root, "releases").store
    store.seal(Mark("a" * 40, "op", "8.4.1", "", settings_of(b"APP_NAME=one\n"), 0, 0))
    os.utime(folder / ".env")
    assert not settings.read(service(root, "releases")).outdated
    (folder / ".env").write_text("APP_NAME=two\n")
    os.utime(folder / ".env", (1000, 1000))
    assert settings.read(service(root, "releases")).outdated


def elsewhere(app: Path, file: str) -> Path:
    """The configuration was cached in a place of the application's own, and .env was edited since."""
    (app / "bootstrap/cache/config.php").unlink()
    cached = app / file
    cached.parent.mkdir(exist_ok=True)
    cached.write_text("<?php // elsewhere\n")
    os.utime(cached, (1000, 1000))
    os.utime(app / ".env", (2000, 2000))
    return cached


def test_a_configuration_that_is_cached_where_env_says_may_be_outdated(app: Path) -> None:
    (app / ".env").write_text("APP_CONFIG_CACHE=storage/config.php\n")
    cached = elsewhere(app, "storage/config.php")
    assert settings.read(service(app)).outdated
    os.utime(cached, (3000, 3000))
    assert not settings.read(service(app)).outdated


def test_a_configuration_that_the_pool_of_php_fpm_names_may_be_outdated(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: dict[str, dict[str, str]] = {"www": {"APP_CONFIG_CACHE": "storage/config.php"}}
    monkeypatch.setattr(php_fpm, "pools", lambda _commands, _unit: pools)
    described = Description("vertex", str(app), php=("php", "-d", "x=y"), php_fpm_unit="php-fpm")
    found = settings.read(LaravelService(described, str(app.parent / "state")))
    assert not found.outdated and "env[APP_CONFIG_CACHE] of the pool www" in found.apart
    assert found.way == "laravel_php: env APP_CONFIG_CACHE=storage/config.php php -d x=y"
    assert found.apart in found.warnings()[0]
    elsewhere(app, "storage/config.php")
    assert settings.read(LaravelService(described, str(app.parent / "state"))).outdated
    # The way that is shown is one that works.
    mended = replace(described, php=("env", "APP_CONFIG_CACHE=storage/config.php", "php"))
    assert not settings.read(LaravelService(mended, str(app.parent / "state"))).apart
    pools["www"] = {}
    assert not settings.read(LaravelService(described, str(app.parent / "state"))).apart


def test_caches_that_lie_elsewhere_come_back_too(app: Path, tmp_path: Path) -> None:
    (app / ".env").write_text("APP_CONFIG_CACHE=storage/config.php\nAPP_EVENTS_CACHE=storage/events.php\n")
    cached, kept = elsewhere(app, "storage/config.php"), tmp_path / "state" / "caches" / "op2"
    settings.keep_caches(service(app), str(kept), [])
    cached.write_text("<?php // another\n")
    (app / "storage/events.php").write_text("<?php\n")
    settings.put_back_caches(service(app), str(kept))
    assert cached.read_text() == "<?php // elsewhere\n" and not (app / "storage/events.php").exists()
    assert (app / "bootstrap/cache/routes-v7.php").read_text() == "<?php // routes-v7.php\n"


def test_caches_come_back_as_they_were(app: Path, tmp_path: Path) -> None:
    cache, kept = app / "bootstrap" / "cache", tmp_path / "state" / "caches" / "op2"
    (kept.parent / "op1").mkdir(parents=True)
    for _ in range(2):
        settings.keep_caches(service(app), str(kept), ["op1"])
    assert [path.name for path in kept.parent.iterdir()] == ["op2"]
    assert kept.stat().st_mode & 0o077 == 0
    (cache / "config.php").write_text("<?php // another\n")
    (cache / "routes-v7.php").unlink()
    (cache / "events.php").write_text("<?php\n")
    for _ in range(2):
        settings.put_back_caches(service(app), str(kept))
    assert sorted(path.name for path in cache.iterdir()) == [".gitignore", "config.php", "routes-v7.php"]
    assert (cache / "config.php").read_text() == "<?php // config.php\n"
    assert (cache / "config.php").stat().st_mode & 0o777 == 0o640


def test_caches_that_were_not_kept_are_not_taken_for_none(app: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="can't be put back"):
        settings.put_back_caches(service(app), str(tmp_path / "none"))
    assert (app / "bootstrap" / "cache" / "config.php").exists()


def test_settings_that_were_taken_back_condemn_no_release() -> None:
    release = {"id": "a" * 40, "name": "v1"}

    def record(identity: str, outcome: str, source: object) -> dict[str, object]:
        return {
            "id": identity,
            "procedure": "deploy",
            "outcome": outcome,
            "from": source,
            "to": release,
            "left": release,
            "steps": ["caches"],
            "error": "health: got 500",
        }

    past = history([record("op1", "succeeded", None), record("op2", "reverted", release)])
    found = past.find(release["id"])
    assert found is not None and found.good
