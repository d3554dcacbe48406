# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of an app, read from answers as Dokku 0.38.27 gave them, by a real process that repeats them."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.dokku import module
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import AppMissing, Dokku, DokkuError
from ansible_collections.ops.runbook.plugins.module_utils.dokku.feature import features
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state import part, ps
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.app import AppPresent, AppState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import ConfigState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.domains import DomainsState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.letsencrypt import LetsencryptState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.link import LinkPresent, LinkState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.nginx import NginxState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.ps import PsState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.resource import ResourceState
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

Answers = Mapping[str, "str | tuple[int, str, str]"]
Host = Callable[[Answers], Dokku]

MISSING = (20, "", " !     App nope does not exist\n")
NO_PLUGIN = (
    1,
    "",
    " !     `releases:report web --format json` is not a dokku command.\n !     See `dokku help` for a list.\n",
)
PS = {
    "can-scale": "true",
    "deployed": "true",
    "processes": "2",
    "ps-can-scale": "true",
    "restore": "true",
    "running": "mixed",
    "status-web.1": "running (CID: 3f2a9c1b2d4)",
    "status-web.2": "exited (CID: 4e2a9c1b2d4)",
}

SCRIPT = """#!{python} -IS
import json, sys
answers = json.load(open({answers!r}))
open({calls!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
open({calls!r} + ".stdin", "a").write("" if sys.stdin is None else sys.stdin.read())
found = answers.get(" ".join(sys.argv[1:]))
if found is None:
    sys.exit("not asked of Dokku: " + " ".join(sys.argv[1:]))
rc, out, err = found if isinstance(found, list) else (0, found, "")
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(rc)
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host whose dokku says what it is given, by the words of the call."""

    def make(answers: Answers) -> Dokku:
        kept, calls, command = tmp_path / "answers.json", tmp_path / "calls", tmp_path / "dokku"
        kept.write_text(json.dumps(answers))
        command.write_text(SCRIPT.format(python=sys.executable, answers=str(kept), calls=str(calls)))
        command.chmod(0o755)
        return Dokku(str(command), getpass.getuser())

    return make


def asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_an_app_and_one_that_is_missing(host: Host) -> None:
    report = '{"app-created-at":"1790000000","app-locked":"true","created-at":"1790000000","locked":"true"}'
    dokku = host({"apps:report blog --format json": report, "apps:report nope --format json": MISSING})
    assert AppState("blog").read(dokku) == AppPresent(True, True, 1790000000)
    assert AppState("nope").read(dokku) == AppPresent(False)


@pytest.mark.parametrize(
    "state",
    [
        ConfigState("nope", {"A": "1"}),
        DomainsState("nope", ("a.example.com",)),
        NginxState("nope", {"hsts": "true"}),
        ResourceState("nope", {"cpu": "1"}),
        PsState("nope"),
    ],
)
def test_a_missing_app_is_an_error_of_every_part(host: Host, state: part.State[object]) -> None:
    calls = ("config:export", "domains:report", "nginx:report", "resource:report", "ps:report")
    dokku = host({f"{call} nope --format json": MISSING for call in calls})
    with pytest.raises(AppMissing):
        state.read(dokku)


def test_a_configuration_goes_over_standard_input(host: Host, tmp_path: Path) -> None:
    said = "-----> Reading config vars from stdin\n-----> Setting config var KEY=canary-value\n"
    dokku = host(
        {
            "config:export shop --format json": '{"KEY":"old","QUOTE":"quote\'single","LINES":"line1\\nline2"}',
            "config:import --no-restart --format json shop -": (
                1,
                said,
                # As a shell, JSON and base64 print it.
                " !     Invalid key name: 'canary-value'\n"
                " !     'canary'\\''quoted' \"canary\\\"in json\" Y2FuYXJ5LWluLWJhc2U2NA==\n",
            ),
        }
    )
    state = ConfigState(
        "shop",
        {"KEY": "canary-value", "Q": "canary'quoted", "J": 'canary"in json', "B": "canary-in-base64"},
    )
    assert state.read(dokku).values == {"KEY": "old", "QUOTE": "quote'single", "LINES": "line1\nline2"}
    with pytest.raises(Problem) as failed:
        desired_state.bring(dokku, state)
    assert failed.value.touched and "canary" not in failed.value.paragraph()
    assert "Y2FuYXJ5" not in failed.value.paragraph()
    assert '"KEY": "canary-value"' in (tmp_path / "calls.stdin").read_text()
    assert "canary" not in "".join(asked(tmp_path))


def test_domains_and_those_of_other_apps(host: Host) -> None:
    def report(domains: str) -> str:
        return json.dumps({"app-enabled": "true", "app-vhosts": domains, "global-vhosts": "dokku.example.com"})

    dokku = host(
        {
            "domains:report store --format json": report("store.dokku.example.com UPPER.example.org"),
            "domains:report other --format json": report("other.example.org *.example.org"),
            "domains:report nope --format json": MISSING,
            "apps:list --format json": '["nope","other","store"]',
        }
    )
    present = DomainsState("store", ("other.example.org",)).read(dokku)
    assert list(present.domains.values()) == ["store.dokku.example.com", "UPPER.example.org"]
    assert present.elsewhere == {"other.example.org": "other", "*.example.org": "other"}
    # What is there already is nobody else's question.
    assert DomainsState("store", ("upper.example.org",)).read(dokku).elsewhere == {}


def test_a_link_and_a_service_that_is_missing(host: Host) -> None:
    address = "mysql://mysql:S3cret@dokku-mysql-restant-db:3306/restant_db"
    dokku = host(
        {
            "mysql:links restant-db": "main\nother\n",
            "mysql:links nope": (1, "", " !     MySQL service nope does not exist\n"),
            "postgres:links db": (1, "", " !     `postgres:links db` is not a dokku command.\n"),
            "config:export main --format json": json.dumps({"OTHER_URL": address, "A": "1"}),
        }
    )
    expected = LinkPresent(True, ("other",), ("OTHER_URL",), frozenset({"OTHER_URL", "A"}))
    assert LinkState("main", "mysql", "restant-db").read(dokku) == expected
    for plugin, service, code in (("mysql", "nope", "no_service"), ("postgres", "db", "no_plugin")):
        with pytest.raises(Problem) as refused:
            LinkState("main", plugin, service).read(dokku)
        assert refused.value.code == code


def test_a_certificate(host: Host) -> None:
    report = {"active": "true", "autorenew": "true", "computed-email": "ops@example.org", "expiration": "4000000000"}
    dokku = host(
        {
            "letsencrypt:report store --format json": json.dumps({**report, "computed-graceperiod": "2592000"}),
            "certs:report store --format json": '{"enabled":"true","hostnames":"store.example.org WWW.example.org"}',
            "domains:report store --format json": '{"app-vhosts":"store.example.org New.example.org"}',
        }
    )
    present = LetsencryptState("store").read(dokku)
    assert (present.active, present.auto_renew, present.expires) == (True, True, 4000000000)
    assert present.uncovered == ("new.example.org",) and (present.days_left or 0) > 1000


def test_processes_with_and_without_the_plugin_releases(host: Host) -> None:
    answers: dict[str, str | tuple[int, str, str]] = {
        "ps:report web --format json": json.dumps(PS),
        "ps:scale web --format json": '[{"process_type":"web","quantity":2},{"process_type":"worker","quantity":0}]',
        "releases:report web --format json": '{"live":"7","live-image":"3f2a","latest-is-live":"false"}',
    }
    present = PsState("web", "restarted").read(host(answers))
    assert present.scale == {"web": 2, "worker": 0} and present.troubled() == ["web.2 is exited"]
    assert (present.latest_live, present.live) == (False, "7")
    present = PsState("web", "restarted").read(host({**answers, "releases:report web --format json": NO_PLUGIN}))
    assert present.latest_live is None
    # A stop asks for no image.
    assert PsState("web", "stopped").read(host(answers)).latest_live is None


def test_processes_that_do_not_come_up_are_named(host: Host) -> None:
    dokku = host(
        {
            "ps:report web --format json": json.dumps(PS),
            "ps:scale web --format json": '[{"process_type":"web","quantity":2}]',
            "releases:report web --format json": NO_PLUGIN,
            "ps:restart web": "-----> Deploying web (count=2)\n",
        }
    )
    with pytest.raises(Problem) as failed:
        desired_state.bring(dokku, PsState("web", "restarted", deadline=0.0))
    assert failed.value.code == "not_settled" and "web.2 is exited" in str(failed.value)


def test_nginx_that_refuses_has_what_was_set_before_again(host: Host, tmp_path: Path) -> None:
    report = {"access-log-format": "", "computed-access-log-format": "", "hsts": "true", "computed-hsts": "true"}
    emerg = 'nginx: [emerg] unknown log format "nosuch" in /home/dokku/store/nginx.conf:9\n'
    refused = (1, "-----> Creating http nginx.conf\n", f" !     Failed to validate nginx config for store.\n{emerg}")
    dokku = host(
        {
            "nginx:report store --format json": json.dumps(report),
            "nginx:validate-config": "",
            "nginx:set store access-log-format nosuch": "=====> Setting access-log-format to nosuch\n",
            "nginx:set store hsts false": "=====> Setting hsts to false\n",
            "nginx:set store access-log-format": "=====> Unsetting access-log-format\n",
            "nginx:set store hsts true": "=====> Setting hsts to true\n",
            "proxy:build-config store": refused,
        }
    )
    with pytest.raises(Problem) as failed:
        desired_state.bring(dokku, NginxState("store", {"access-log-format": "nosuch", "hsts": "false"}))
    assert failed.value.code == "nginx_refuses" and "unknown log format" in str(failed.value)
    assert asked(tmp_path)[-4:] == [
        "nginx:set store access-log-format",
        "nginx:set store hsts true",
        "proxy:build-config store",
        "nginx:validate-config",
    ]


def test_nginx_that_refuses_already_is_left_alone(host: Host, tmp_path: Path) -> None:
    dokku = host(
        {
            "nginx:report store --format json": '{"hsts":"","computed-hsts":"true"}',
            "nginx:validate-config": (1, "", "nginx: configuration file /etc/nginx/nginx.conf test failed\n"),
        }
    )
    with pytest.raises(Problem) as failed:
        desired_state.bring(dokku, NginxState("store", {"hsts": "false"}))
    assert failed.value.code == "nginx_broken" and not failed.value.touched
    assert asked(tmp_path)[-1] == "nginx:validate-config"


def test_an_app_that_exists_although_its_creation_failed(host: Host) -> None:
    dokku = host(
        {
            "apps:report blog --format json": MISSING,
            "apps:create blog": (1, "-----> Creating blog...\n", " !     nginx: configuration file test failed\n"),
        }
    )
    with pytest.raises(Problem) as failed:
        desired_state.bring(dokku, AppState("blog"))
    assert failed.value.touched and "blog does not exist" in str(failed.value)


def test_nothing_is_destroyed_by_a_client_that_may_not(host: Host, tmp_path: Path) -> None:
    dokku = host({"apps:report blog --format json": '{"locked":"false"}'})
    with pytest.raises((Problem, DokkuError)):
        desired_state.bring(dokku, AppState("blog", "absent", "blog"))
    assert not [call for call in asked(tmp_path) if "destroy" in call]


def test_the_feature_apps_of_a_host(host: Host) -> None:
    address = "mysql://mysql:S3cret@dokku-mysql-restant-db:3306/restant_db"
    made = {"apps:list --format json": '["restant-main","restant-feature-xyz","blog"]'}
    for app, config in (("restant-main", {"DATABASE_URL": address}), ("restant-feature-xyz", {"DB_URL": address})):
        made |= {
            f"apps:report {app} --format json": '{"created-at":"1000000"}',
            f"ps:report {app} --format json": json.dumps(PS),
            f"domains:report {app} --format json": '{"app-vhosts":"xyz.example.com"}',
            f"config:export {app} --format json": json.dumps(config),
            f"letsencrypt:report {app} --format json": '{"active":"true","expiration":"2000000"}',
        }
    now = 1000000.0 + 20 * 86400
    (found,) = features.find(host(made), "restant-", ["restant-main", "gone"], now, 14)
    assert (found.app, found.age, found.old) == ("restant-feature-xyz", 20 * 86400, True)
    assert found.services == found.shared == ("mysql/restant-db",)
    assert found.certificate_days == (2000000 - int(now)) // 86400
    assert "S3cret" not in repr(found)


FAILED_DEPLOY = {
    "config:export web --format json": "{}",
    "ps:report web --format json": json.dumps({**PS, "running": "true"}),
    "ps:scale web --format json": '[{"process_type":"web","quantity":2}]',
    "releases:report web --format json": '{"live":"7","live-image":"3f2a","latest-is-live":"false"}',
}
CALL = {"app": "web", "user": getpass.getuser(), "timeout": 60.0, "deadline": 0.0, "redeploy": True}


def settled(dokku: Dokku, check_mode: bool = False) -> dict[str, object]:
    params = {**CALL, "command": dokku.command}
    return module.settle(params, lambda _params: ConfigState("web", {"A": "1"}), check_mode, lambda _present: {})


@pytest.mark.parametrize("check_mode", [False, True])
def test_an_app_that_must_not_restart_is_named_before_anything_is_set(
    host: Host, tmp_path: Path, check_mode: bool
) -> None:
    with pytest.raises(Problem) as refused:
        settled(host(FAILED_DEPLOY), check_mode)
    assert refused.value.code == "latest_not_live" and not refused.value.touched
    assert not [call for call in asked(tmp_path) if "import" in call]


def test_a_restart_that_fails_says_that_the_rest_is_done(host: Host, tmp_path: Path) -> None:
    answers: dict[str, str | tuple[int, str, str]] = {
        **FAILED_DEPLOY,
        "releases:report web --format json": NO_PLUGIN,
        "config:import --no-restart --format json web -": "-----> Setting config vars\n",
        "ps:restart web": (1, " !     Could not start due to 1 failed checks (web.1)\n", ""),
    }
    # The answers do not change by what is set: what is read back is not what this is about.
    dokku = host({**answers, "config:export web --format json": '{"A":"1"}'})
    with pytest.raises(Problem) as failed:
        ps.restart(dokku, "web", 0.0)
    assert failed.value.code == "restart_failed" and failed.value.touched and "failed checks" in str(failed.value)
