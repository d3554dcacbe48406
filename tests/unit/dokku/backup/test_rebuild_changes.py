"""Commands for a new host, so that an app is as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import rebuild_changes as changes

MOUNT = {"host_path": "/var/lib/dokku/data/storage/shop", "container_path": "/app/storage", "volume_options": ""}


@pytest.mark.parametrize(
    ("settings", "calls"),
    [
        (
            {"reports": {"domains": {"app-vhosts": "a.example.com b.example.com"}}},
            ["domains:set shop a.example.com b.example.com"],
        ),
        ({"reports": {}}, ["domains:clear shop"]),
        (
            {"reports": {"ports": {"map": "http:80:5000 https:443:5000"}}},
            ["ports:set shop http:80:5000 https:443:5000"],
        ),
        ({"reports": {"ports": {"map": "", "map-detected": "http:80:5000"}}}, []),
        ({"reports": {}, "scale": {"worker": 2, "web": 1}}, ["ps:scale --skip-deploy shop web=1 worker=2"]),
        (
            {"reports": {"git": {"deploy-branch": "main", "rev-env-var": "GIT_REV"}}},
            ["git:set shop deploy-branch main"],
        ),
        (
            {"reports": {"ps": {"restart-policy": "on-failure:7", "start-cmd": "", "running": "true"}}},
            ["ps:set shop restart-policy on-failure:7"],
        ),
        ({"reports": {"proxy": {"disabled": "true", "proxy-port": "80"}}}, ["proxy:set shop disabled true"]),
        (
            {
                "reports": {
                    "nginx": {"hsts": "true", "computed-hsts": "false", "global-hsts": "", "access-log-path": "/x"}
                }
            },
            ["nginx:set shop hsts true"],
        ),
        (
            {
                "reports": {
                    "resource": {"_default_.limit.memory": "512m", "_default_.limit.cpu": "2", "web.reserve.cpu": "1"}
                }
            },
            ["resource:limit --cpu 2 --memory 512m shop", "resource:reserve --cpu 1 --process-type web shop"],
        ),
        ({"reports": {"checks": {"disabled-list": "worker", "skipped-list": "none"}}}, ["checks:disable shop worker"]),
        ({"reports": {"checks": {"disabled-list": "_all_"}}}, ["checks:disable shop"]),
        (
            {
                "reports": {
                    "docker-options": {
                        "deploy-list": [
                            "--link dokku.mysql.db:dokku-mysql-db",
                            "-v /var/lib/dokku/data/storage/shop:/app/storage",
                            "-v /etc/ssl:/etc/ssl:ro",
                            "--init",
                        ]
                    }
                },
                "storage": [MOUNT],
            },
            ["docker-options:add shop deploy -v /etc/ssl:/etc/ssl:ro", "docker-options:add shop deploy --init"],
        ),
    ],
)
def test_the_settings_of_an_app(settings: dict[str, Any], calls: list[str]) -> None:
    found = [" ".join(call) for call in changes.commands("shop", settings)]
    assert [call for call in found if call != "domains:clear shop" or calls == ["domains:clear shop"]] == calls


def test_an_option_stays_one_word() -> None:
    reports = {"docker-options": {"run-list": ["--env A=two words"]}}
    assert changes.commands("shop", {"reports": reports})[-1] == [
        "docker-options:add",
        "shop",
        "run",
        "--env A=two words",
    ]


def test_a_mount() -> None:
    assert changes.mount_of(MOUNT) == "/var/lib/dokku/data/storage/shop:/app/storage"
    assert changes.mount_of({**MOUNT, "volume_options": "ro"}).endswith(":/app/storage:ro")


def test_the_new_address_wherever_the_old_one_stood() -> None:
    old, new = "mysql://mysql:olds3cret@dokku-mysql-db:3306/db", "mysql://mysql:news3cret@dokku-mysql-db:3306/db"
    config = {"DATABASE_URL": f"{old}?charset=utf8", "DB_PASSWORD": "olds3cret", "NOTE": "not olds3cret", "B": ""}
    assert changes.readdressed(config, old, new) == {
        "DATABASE_URL": f"{new}?charset=utf8",
        "DB_PASSWORD": "news3cret",
        "NOTE": "not olds3cret",
        "B": "",
    }


def test_a_scheme_of_the_app_s_own_stays() -> None:
    old, new = "mysql2://mysql:olds3cret@dokku-mysql-db:3306/db", "mysql://mysql:news3cret@dokku-mysql-db:3306/db"
    config = {"DATABASE_URL": f"{old}?pool=5", "PROXY_URL": "http://mysql:other@dokku-mysql-db:3306/db"}
    assert changes.readdressed(config, old, new) == {
        "DATABASE_URL": "mysql2://mysql:news3cret@dokku-mysql-db:3306/db?pool=5",
        "PROXY_URL": config["PROXY_URL"],
    }


@given(st.dictionaries(st.sampled_from("ABC"), st.text(max_size=5)))
def test_without_an_old_address_nothing_changes(config: dict[str, str]) -> None:
    assert changes.readdressed(config, "", "mysql://u:p@h/d") == config


@pytest.mark.parametrize(
    ("recorded", "here", "wrong", "notes"),
    [
        ({"dokku": "0.38.27", "mysql": "1.44.3"}, {"dokku": "0.38.27", "mysql": "1.44.3"}, 0, 0),
        ({"dokku": "0.38.27", "mysql": "1.44.3"}, {"dokku": "0.38.3", "mysql": "1.44.3"}, 1, 0),
        ({"dokku": "0.38.27", "mysql": "1.44.3"}, {"dokku": "0.40.0", "mysql": "1.44.3"}, 0, 1),
        ({"dokku": "0.38.27", "mysql": "1.44.3"}, {"dokku": "0.38.28"}, 1, 0),
        ({"dokku": "0.38.27"}, {"dokku": "0.38.27", "mysql": "1.0"}, 0, 0),
        ({}, {"mysql": "1.0"}, 1, 0),
    ],
)
def test_an_older_host_is_refused(recorded: dict[str, str], here: dict[str, str], wrong: int, notes: int) -> None:
    found = changes.version_problems(recorded, here, ["mysql"])
    assert (len(found[0]), len(found[1])) == (wrong, notes)
