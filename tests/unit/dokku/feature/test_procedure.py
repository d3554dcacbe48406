# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps that may be made or destroyed as a feature, data that one may share, and the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.dokku import tune
from ansible_collections.ops.runbook.plugins.module_utils.dokku.feature import features, screen
from ansible_collections.ops.runbook.plugins.module_utils.dokku.feature.procedure import (
    Service,
    Wish,
    must_be_a_feature,
    must_be_shareable,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state import steps as dokku_parts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import ConfigPresent, ConfigState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.domains import DomainsPresent
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.link import LinkPresent
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.nginx import PROPERTIES, NginxPresent
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.resource import ResourcePresent
from ansible_collections.ops.runbook.plugins.module_utils.dokku.tune import Seen
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

WISH = Wish(
    app="restant-feature-xyz",
    name="xyz",
    prefix="restant-feature-",
    state="present",
    confirm="",
    domains=("xyz.feature.example.com",),
    production=("restant-main", "restant-staging"),
    databases=("restant-db", "restant-cache"),
    links=(),
    share=(),
    destroy_services=False,
)
DATABASE = Service("mysql", "restant-db")


def code(make: Any) -> str:
    with pytest.raises(Problem) as refused:
        make()
    return refused.value.code


def test_a_feature_app_is_one() -> None:
    must_be_a_feature(WISH, ("restant.example.com",))


@pytest.mark.parametrize(
    "wish",
    [
        replace(WISH, app="restant-main", name="main", prefix="restant-"),
        replace(WISH, app="restant-staging", name="staging", prefix="restant-"),
        replace(WISH, app="another-app"),
    ],
)
def test_an_app_of_production_is_no_feature(wish: Wish) -> None:
    assert code(lambda: must_be_a_feature(wish)) == "production_app"


def test_a_domain_of_production_is_not_given_to_a_feature() -> None:
    assert code(lambda: must_be_a_feature(WISH, ("xyz.feature.example.com",))) == "production_domain"


@pytest.mark.parametrize(
    ("service", "linked", "share", "whose"),
    [
        (Service("mysql", "xyz-db"), [], (), ""),
        (DATABASE, ["restant-main"], ("restant-db",), "restant-main"),
        (DATABASE, [], ("restant-db",), "restant-main"),
        (Service("redis", "common"), ["restant-feature-abc"], ("common",), "restant-feature-abc"),
    ],
)
def test_the_owner_of_shared_data_is_named(
    service: Service, linked: list[str], share: tuple[str, ...], whose: str
) -> None:
    assert must_be_shareable(replace(WISH, share=share), service, linked) == whose


@pytest.mark.parametrize(
    ("service", "linked", "expected"),
    [
        (DATABASE, ["restant-main", "other"], "production_service"),
        # Its name is enough: production may be linked to it tomorrow.
        (DATABASE, [], "production_service"),
        (Service("redis", "unnamed"), ["restant-staging"], "production_service"),
        (Service("redis", "common"), ["restant-feature-abc"], "linked_elsewhere"),
    ],
)
def test_data_of_others_is_not_shared_unless_somebody_says_so(
    service: Service, linked: list[str], expected: str
) -> None:
    assert code(lambda: must_be_shareable(replace(WISH, share=("another",)), service, linked)) == expected


# -- the way back --------------------------------------------------------------------------------


def back(part: str, wanted: dict[str, Any], present: Any) -> dict[str, Any] | None:
    state = dokku_parts.state_of("shop", part, wanted)
    return dokku_parts.way_back(part, wanted, present, state.plan(present))


OWN = dict.fromkeys(PROPERTIES, "")


@pytest.mark.parametrize(
    ("part", "wanted", "present", "expected"),
    [
        (
            "domains",
            {"domains": ["new.example.com"], "how": "present"},
            DomainsPresent({"old.example.com": "OLD.example.com"}),
            {"domains": ["OLD.example.com"], "how": "exactly"},
        ),
        ("domains", {"domains": ["new.example.com"]}, DomainsPresent({}), None),
        (
            "link",
            {"plugin": "mysql", "service": "db", "alias": "SECOND"},
            LinkPresent(False),
            {"plugin": "mysql", "service": "db", "alias": "", "wanted": "absent"},
        ),
        (
            "link",
            {"plugin": "mysql", "service": "db", "alias": "SECOND"},
            LinkPresent(True, ("x",), ("DATABASE_URL",), frozenset({"DATABASE_URL"})),
            {"plugin": "mysql", "service": "db", "alias": "DATABASE", "shared": True},
        ),
        (
            "resource",
            {"limits": {"cpu": "2", "memory": "1g"}, "process": "web"},
            ResourcePresent({"web": {"memory": "512m"}, "_default_": {"cpu": "1"}}),
            {"limits": {"cpu": "", "memory": "512m"}, "reserve": {}, "process": "web"},
        ),
        # What Docker refuses is not put back: the next deploy would fail again.
        ("resource", {"limits": {"cpu": "2"}}, ResourcePresent({"_default_": {"cpu": "2000m"}}), None),
        (
            "nginx",
            {"properties": {"hsts": "false", "client-max-body-size": "50m"}},
            NginxPresent({**OWN, "client-max-body-size": "5m"}, {**OWN, "hsts": "true", "client-max-body-size": "5m"}),
            {"properties": {"hsts": "", "client-max-body-size": "5m"}},
        ),
    ],
)
def test_the_way_back_of_a_part(part: str, wanted: dict[str, Any], present: Any, expected: dict[str, Any]) -> None:
    assert back(part, wanted, present) == expected


def test_the_steps_of_a_configuration_have_names_alone() -> None:
    present = ConfigPresent({"OLD": "canary-old", "SAME": "canary-same"})
    state = ConfigState("shop", {"OLD": "canary-new", "SAME": "canary-same", "NEW": "canary-added"})
    steps, undo = dokku_parts.config_steps(present, state.plan(present))
    assert [step.data for step in steps] == [{"keys": ["NEW", "OLD"]}]
    assert [step.data for step in undo] == [{"keys": ["NEW", "OLD"], "added": ["NEW"], "after": "config"}]
    assert "canary" not in repr((steps, undo))
    assert dokku_parts.config_steps(present, ConfigState("shop", {"OLD": "canary-old"}).plan(present)) == ([], [])


def test_values_are_filled_with_what_is_known_of_the_feature() -> None:
    values = {"APP_URL": "https://{domain}", "JSON": '{"a": {"b": 1}}', "PORT": 80}
    assert dokku_parts.filled(values, {"domain": "xyz.example.com", "name": "xyz"}) == {
        "APP_URL": "https://xyz.example.com",
        "JSON": '{"a": {"b": 1}}',
        "PORT": "80",
    }


# -- tuning --------------------------------------------------------------------------------------


def test_limits_may_be_of_all_processes_or_of_one() -> None:
    inputs = {"limits": {"cpu": 2, "memory": None, "worker": {"memory_swap": "1g"}}, "reserve": {"memory": "64m"}}
    assert tune.limits_of(inputs) == {
        "_default_": {"limits": {"cpu": "2", "memory": ""}, "reserve": {"memory": "64m"}},
        "worker": {"limits": {"memory-swap": "1g"}},
    }
    assert tune.limits_of({}) == {}


@pytest.mark.parametrize(
    ("hsts", "certificate", "said"),
    [("true", True, "HSTS, for 600"), ("true", False, "once the app has a certificate"), ("false", True, "is off")],
)
def test_a_setting_that_is_on_already_is_seen(hsts: str, certificate: bool, said: str) -> None:
    lines = tune.already({"hsts": hsts, "hsts-max-age": "600"}, certificate)
    assert said in lines[1] and "gzip" in lines[0]


def test_settings_of_caches_and_of_opcache_are_read() -> None:
    assert "could not be seen" in tune.about_caches(Seen())[0]
    assert tune.about_caches(Seen(caches=()))[0].endswith("none")
    assert "config:cache" in tune.about_caches(Seen(caches=("config:cache",)))[0]
    assert "php.ini" in tune.about_opcache(Seen("Off"))[0]
    assert "nothing is to be set" in tune.about_opcache(Seen("On"))[0]
    assert "did not say" in tune.about_opcache(Seen())[0]


# -- the list ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "unknown"), (-5, "0 min"), (59, "0 min"), (3600, "60 min"), (7200, "2 h"), (172800, "2 days")],
)
def test_an_age(seconds: int | None, text: str) -> None:
    assert features.age(seconds) == text


def test_the_list_of_feature_apps() -> None:
    old = features.Feature(
        "restant-feature-xyz",
        20 * 86400,
        True,
        "true",
        ("xyz.feature.example.com",),
        ("mysql/restant-db",),
        ("mysql/restant-db",),
        61,
        True,
    )
    new = features.Feature("restant-feature-abc", 60, False, "false", (), (), (), None, False)
    lines = screen.lines({"dokku-1": {"features": [old.to_dict(), new.to_dict()]}, "dokku-2": {"msg": "unreachable"}})
    text = "\n".join(lines)
    assert "20 days !" in text and "mysql/restant-db (production's)" in text and "61 days" in text
    assert (
        "not deployed" in text and "old (!): restant-feature-xyz" in text and "dokku-2: not read: unreachable" in text
    )
    assert screen.lines({"dokku-1": {"features": []}}) == ["no feature apps"]
