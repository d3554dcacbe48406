# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a part of a Dokku app to a state: the differences, the commands, and refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.desired_state.state import Change
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import AppMissing, Dokku
from ansible_collections.ops.runbook.plugins.module_utils.dokku.module import problems
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.app import AppPresent, AppState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import (
    ConfigPresent,
    ConfigState,
    is_own,
    service_of,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.config import texts as config_texts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.domains import (
    DomainsPresent,
    DomainsState,
    normal,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.letsencrypt import (
    LetsencryptPresent,
    LetsencryptState,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.link import LinkPresent, LinkState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.nginx import PROPERTIES, NginxPresent, NginxState
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.nginx import texts as nginx_texts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Plan, State
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.ps import PsPresent, PsState, counts
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.resource import (
    ResourcePresent,
    ResourceState,
    cpu,
    memory,
    parse,
)
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import mask_named
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

DATABASE = "mysql://mysql:S3cretS3cret@dokku-mysql-restant-db:3306/restant_db"
CACHE = "redis://:S3cretS3cret@dokku-redis-restant-cache:6379"


def commands(plan: Plan) -> list[str]:
    return [" ".join(command.arguments) for command in plan.acts]


def refusal(make: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        make()
    assert not refused.value.touched
    assert "Nothing was changed." in refused.value.paragraph()
    return refused.value


# -- the app -------------------------------------------------------------------------------------


def test_an_app_is_made_once() -> None:
    assert commands(AppState("shop").plan(AppPresent(False))) == ["apps:create shop"]
    assert AppState("shop").plan(AppPresent(True)) == Plan()


@pytest.mark.parametrize("name", ["Bad_Name", "UPPER", "under_score", "-dash", "", "a b", "a" * 64, "a;b"])
def test_a_name_that_no_app_can_have(name: str) -> None:
    assert refusal(lambda: AppState(name)).code == "bad_name"


@pytest.mark.parametrize("name", ["blog", "a.b", "9lives", "a" * 63])
def test_a_name_that_an_app_can_have(name: str) -> None:
    assert AppState(name).app == name


def test_an_app_is_destroyed_only_when_its_name_is_given_twice() -> None:
    for confirm in ("", "shop-2", "Shop"):
        assert refusal(lambda c=confirm: AppState("shop", "absent", c).plan(AppPresent(True))).code == "not_confirmed"
    assert commands(AppState("shop", "absent", "shop").plan(AppPresent(True))) == ["apps:destroy shop --force"]
    assert AppState("shop", "absent").plan(AppPresent(False)) == Plan()


def test_an_app_with_the_deploy_lock_is_not_destroyed() -> None:
    error = refusal(lambda: AppState("shop", "absent", "shop").plan(AppPresent(True, locked=True)))
    assert error.code == "locked" and "apps:unlock shop" in error.paragraph()


# -- the configuration ---------------------------------------------------------------------------

NOW = {"A": "1", "B": "two", "GIT_REV": "abc", "DOKKU_APP_TYPE": "herokuish", "DATABASE_URL": DATABASE}


def config(**how: Any) -> Plan:
    return ConfigState("shop", **how).plan(ConfigPresent(NOW))


@pytest.mark.parametrize(
    ("how", "expected", "stdin"),
    [
        ({"values": {"A": "1"}}, [], None),
        ({"values": {"A": "2", "B": "two"}}, ["config:import --no-restart --format json shop -"], {"A": "2"}),
        ({"values": {"NEW": ""}}, ["config:import --no-restart --format json shop -"], {"NEW": ""}),
        ({"absent": ("B", "NOPE")}, ["config:unset --no-restart shop B"], None),
        ({"values": {"A": "1"}, "purge": True}, ["config:unset --no-restart shop B"], None),
        (
            {"values": {"C": "3"}, "absent": ("A",)},
            ["config:import --no-restart --format json shop -", "config:unset --no-restart shop A"],
            {"C": "3"},
        ),
    ],
)
def test_commands_for_a_configuration(how: dict[str, Any], expected: list[str], stdin: dict[str, str] | None) -> None:
    plan = config(**how)
    assert commands(plan) == expected
    assert [json.loads(command.stdin) for command in plan.acts if command.stdin] == ([stdin] if stdin else [])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"9BAD": "1"}, "bad_key"),
        ({"BAD-KEY": "1"}, "bad_key"),
        ({"A": True}, "not_a_text"),
        ({"A": None}, "not_a_text"),
        ({"A": ["x"]}, "not_a_text"),
        ({"A": "a\0b"}, "not_a_text"),
    ],
)
def test_a_value_that_no_variable_can_have(values: dict[str, Any], code: str) -> None:
    assert refusal(lambda: config_texts(values)).code == code


def test_numbers_are_taken_as_texts() -> None:
    assert config_texts({"A": 1, "B": 0.5, "C": "x"}) == {"A": "1", "B": "0.5", "C": "x"}


def test_variables_of_dokku_and_its_links_are_left_alone() -> None:
    assert commands(config(purge=True)) == ["config:unset --no-restart shop A B"]
    assert refusal(lambda: config(values={"GIT_REV": "x"})).code == "own_key"
    assert refusal(lambda: config(absent=("GIT_REV",))).code == "own_key"
    assert refusal(lambda: config(values={"DATABASE_URL": "mysql://elsewhere"})).code == "linked_key"
    assert refusal(lambda: config(absent=("DATABASE_URL",))).code == "linked_key"
    assert refusal(lambda: config(values={"A": "1"}, absent=("A",))).code == "contradiction"


@pytest.mark.parametrize(
    ("value", "service"),
    [
        (DATABASE, ("mysql", "restant-db")),
        (CACHE, ("redis", "restant-cache")),
        ("postgres://postgres:x@dokku-postgres-a-b-c:5432/a", ("postgres", "a-b-c")),
        ("mysql://root:x@db.example.com:3306/shop", None),
        ("dokku-mysql-db", None),
        ("", None),
    ],
)
def test_the_address_of_a_service(value: str, service: tuple[str, str] | None) -> None:
    assert service_of(value) == service


KEYS = st.sampled_from(["A", "B", "C", "SECRET_KEY", "GIT_REV", "DOKKU_X", "DATABASE_URL"])
PLAIN = st.sampled_from(["A", "B", "C", "SECRET_KEY", "D"])
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)


def carried_out(plan: Plan, before: Mapping[str, str]) -> dict[str, str]:
    """The configuration that dokku makes of the commands, as it was recorded: import merges, unset removes."""
    after = dict(before)
    for command in plan.acts:
        if command.arguments[0] == "config:import":
            document = json.loads(command.stdin or "")
            assert document and all(isinstance(value, str) for value in document.values())
            after.update(document)
        else:
            assert command.arguments[:3] == ("config:unset", "--no-restart", "shop") and len(command.arguments) > 3
            for key in command.arguments[3:]:
                del after[key]
    return after


@given(
    st.dictionaries(KEYS, st.one_of(VALUES, st.just(DATABASE))),
    st.dictionaries(PLAIN, VALUES),
    st.sets(PLAIN),
    st.booleans(),
)
def test_a_configuration_is_brought_to_what_is_wanted_and_nothing_else_moves(
    before: dict[str, str], values: dict[str, str], absent: set[str], purge: bool
) -> None:
    state = ConfigState("shop", values, tuple(sorted(absent - {*values})), purge)
    try:
        plan = state.plan(ConfigPresent(before))
    except Problem as error:
        assert error.code == "linked_key"
        return
    after = carried_out(plan, before)
    assert state.plan(ConfigPresent(after)) == Plan()
    assert {**after, **values} == after and not (absent - {*values}) & {*after}
    for key, value in before.items():
        if is_own(key) or service_of(value) or (not purge and key not in values and key not in absent):
            assert after[key] == value
    shown = repr(plan) + json.dumps(desired_state.diff(plan.changes, "shop"))
    assert not [value for value in (*before.values(), *values.values()) if len(value) > 8 and value in shown]


# -- domains -------------------------------------------------------------------------------------


def domains(now: list[str], wanted: list[str], how: str = "present", **elsewhere: str) -> Plan:
    taken = {domain.replace("_", "."): app for domain, app in elsewhere.items()}
    return DomainsState("shop", tuple(wanted), how).plan(DomainsPresent({name.lower(): name for name in now}, taken))


@pytest.mark.parametrize(
    ("now", "wanted", "how", "expected"),
    [
        (["a.b"], ["a.b"], "present", []),
        (["a.b"], ["A.b."], "present", []),
        (["a.b"], ["c.d", "e.f"], "present", ["domains:add shop c.d e.f"]),
        ([], ["*.a.b"], "present", ["domains:add shop *.a.b"]),
        (["a.b", "UPPER.c"], ["upper.c"], "absent", ["domains:remove shop UPPER.c"]),
        (["a.b"], ["c.d"], "absent", []),
        (["a.b", "c.d"], ["c.d"], "exactly", ["domains:remove shop a.b"]),
        (["a.b"], ["c.d", "a.b"], "exactly", ["domains:add shop c.d"]),
        (["a.b"], ["c.d"], "exactly", ["domains:set shop c.d"]),
        (["c.d", "a.b"], ["a.b", "c.d"], "exactly", []),
    ],
)
def test_commands_for_domains(now: list[str], wanted: list[str], how: str, expected: list[str]) -> None:
    assert commands(domains(now, wanted, how)) == expected


@pytest.mark.parametrize(
    ("domain", "hint"),
    [
        ("http://x.example.com", "the domain alone"),
        ("x.example.com/a", "the domain alone"),
        ("x.example.com:80", "ports:add"),
        ("under_score.example.com", "underscore"),
        ("bäcker.example.com", "xn--"),
        ("two words", ""),
        ("-a.example.com", ""),
        ("a..b", ""),
        ("*", ""),
        ("a.*.b", ""),
        ("", ""),
    ],
)
def test_an_invalid_domain_is_refused(domain: str, hint: str) -> None:
    error = refusal(lambda: normal(domain))
    assert error.code == "bad_domain" and hint in str(error)


def test_a_domain_of_another_app_is_refused() -> None:
    error = refusal(lambda: domains(["a.b"], ["c.d"], c_d="blog"))
    assert error.code == "domain_taken" and "c.d (blog)" in str(error)
    assert domains(["c.d"], ["c.d"], c_d="blog") == Plan()


def test_an_app_is_not_left_without_a_domain() -> None:
    assert refusal(lambda: domains(["a.b"], ["a.b"], "absent")).code == "last_domain"
    assert refusal(lambda: DomainsState("shop", ())).code == "no_domain"


NAMES = st.sets(st.sampled_from(["a.b", "c.d", "e.f", "*.g.h"]))


@given(NAMES, NAMES.filter(bool), st.sampled_from(["present", "absent", "exactly"]))
def test_domains_are_brought_to_what_is_wanted(now: set[str], wanted: set[str], how: str) -> None:
    try:
        plan = domains(sorted(now), sorted(wanted), how)
    except Problem as error:
        assert error.code == "last_domain" and how == "absent" and now <= wanted
        return
    after = set(now)
    for command in plan.acts:
        names = {*command.arguments[2:]}
        after = {"domains:add": after | names, "domains:remove": after - names, "domains:set": names}[
            command.arguments[0]
        ]
    assert after == {"present": now | wanted, "absent": now - wanted, "exactly": wanted}[how]
    assert len(plan.acts) <= 1


# -- links ---------------------------------------------------------------------------------------

LINK = "mysql:link restant-db shop --no-restart"
UNLINK = "mysql:unlink restant-db shop --no-restart"
LINKED = LinkPresent(True, (), ("DATABASE_URL",), frozenset({"DATABASE_URL"}))


def link(present: LinkPresent, **how: Any) -> Plan:
    return LinkState("shop", "mysql", "restant-db", **how).plan(present)


@pytest.mark.parametrize(
    ("present", "how", "expected"),
    [
        (LinkPresent(False), {}, [LINK]),
        (LINKED, {}, []),
        (LINKED, {"alias": "DATABASE"}, []),
        (LINKED, {"alias": "SECOND"}, [UNLINK, f"{LINK} --alias SECOND"]),
        (LinkPresent(True), {}, [UNLINK, LINK]),
        (LinkPresent(False, ("main",)), {"shared": True}, [LINK]),
        (LinkPresent(True, ("main",), ("DATABASE_URL",)), {}, []),
        (LINKED, {"wanted": "absent"}, [UNLINK]),
        (LinkPresent(True), {"wanted": "absent"}, [UNLINK]),
        (LinkPresent(False, ("main",)), {"wanted": "absent"}, []),
    ],
)
def test_commands_for_a_link(present: LinkPresent, how: dict[str, Any], expected: list[str]) -> None:
    assert commands(link(present, **how)) == expected


def test_a_service_that_is_linked_elsewhere_is_said() -> None:
    error = refusal(lambda: link(LinkPresent(False, ("restant-main",))))
    assert error.code == "linked_elsewhere" and "restant-main" in str(error) and "shared: true" in error.paragraph()


def test_half_a_link_is_said() -> None:
    half = LinkPresent(False, (), ("DATABASE_URL",), frozenset({"DATABASE_URL"}))
    assert refusal(lambda: link(half)).code == "half_linked"
    assert refusal(lambda: link(half, wanted="absent")).code == "half_linked"
    other = LinkPresent(False, (), (), frozenset({"SECOND_URL"}))
    assert refusal(lambda: link(other, alias="SECOND")).code == "alias_taken"


def test_the_variable_of_a_second_link() -> None:
    plan = link(LinkPresent(False, (), (), frozenset({"DATABASE_URL"})))
    assert plan.changes == (Change("mysql service restant-db", "", "linked as DOKKU_MYSQL_<colour>_URL"),)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"plugin": "oracle"}, "bad_plugin"),
        ({"service": "--force"}, "bad_service"),
        ({"service": "bad.name"}, "bad_service"),
        ({"alias": "lower"}, "bad_alias"),
        ({"alias": "SECOND_URL"}, "bad_alias"),
    ],
)
def test_a_link_that_can_not_be(how: dict[str, str], code: str) -> None:
    assert refusal(lambda: LinkState(**{"app": "shop", "plugin": "mysql", "service": "db", **how})).code == code


# -- certificates --------------------------------------------------------------------------------

DAY = 86400
GOOD = LetsencryptPresent(
    True, True, "ops@example.com", 60 * DAY, domains=("a.example.com",), hostnames=("a.example.com",), now=0
)
NONE = LetsencryptPresent(False, False, "ops@example.com", domains=("a.example.com",))


def letsencrypt(present: LetsencryptPresent, **how: Any) -> Plan:
    return LetsencryptState("shop", **how).plan(present)


@pytest.mark.parametrize(
    ("changed", "how", "expected"),
    [
        ({}, {}, []),
        ({"expires": 5 * DAY}, {}, []),
        ({"now": 61 * DAY}, {}, ["letsencrypt:enable shop"]),
        ({"domains": ("a.example.com", "b.example.com")}, {}, ["letsencrypt:enable shop"]),
        ({"domains": ("x.a.example.com",), "hostnames": ("*.a.example.com",)}, {}, []),
        ({"domains": ("y.x.a.example.com",), "hostnames": ("*.a.example.com",)}, {}, ["letsencrypt:enable shop"]),
        ({"hostnames": ()}, {}, []),
        ({"active": False}, {}, ["letsencrypt:enable shop"]),
        ({}, {"email": "a@example.com"}, ["letsencrypt:set shop email a@example.com"]),
        ({}, {"wanted": "disabled"}, ["letsencrypt:disable shop"]),
        ({"active": False}, {"wanted": "disabled"}, []),
        ({}, {"auto_renew": True}, []),
        ({"auto_renew": False}, {"auto_renew": True}, ["letsencrypt:cron-job --add"]),
        ({}, {"wanted": "", "auto_renew": False}, ["letsencrypt:cron-job --remove"]),
    ],
)
def test_commands_for_a_certificate(changed: dict[str, Any], how: dict[str, Any], expected: list[str]) -> None:
    assert commands(letsencrypt(LetsencryptPresent(**{**vars(GOOD), **changed}), **how)) == expected


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"email": ""}, "no_email"),
        ({"domains": ()}, "no_domain"),
        ({"domains": ("*.example.com",)}, "wildcard"),
    ],
)
def test_a_certificate_that_would_not_be_issued_is_not_asked_for(changed: dict[str, Any], code: str) -> None:
    assert refusal(lambda: letsencrypt(LetsencryptPresent(**{**vars(NONE), **changed}))).code == code


def test_days_left_and_the_warning_about_renewal() -> None:
    assert (GOOD.days_left, NONE.days_left) == (60, None)
    assert letsencrypt(NONE).warnings and not letsencrypt(NONE, auto_renew=True).warnings
    assert commands(letsencrypt(LetsencryptPresent(**{**vars(NONE), "email": ""}), email="a@example.com")) == [
        "letsencrypt:set shop email a@example.com",
        "letsencrypt:enable shop",
    ]
    assert refusal(lambda: LetsencryptState("shop", email="nobody")).code == "bad_email"


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2000m", "the right form is 2"),
        ("500m", "the right form is 0.5"),
        ("1500m", "the right form is 1.5"),
        ("two", ""),
        ("-1", ""),
        ("0", "0.01"),
        ("1/2", ""),
        ("1e3", ""),
        ("", ""),
    ],
)
def test_an_invalid_cpu_limit_is_refused(text: str, right: str) -> None:
    assert right in str(refusal(lambda: cpu(text)))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("2Gi", "the right form is 2g"),
        ("2GiB", "the right form is 2g"),
        ("2G", "the right form is 2g"),
        ("512MB", "the right form is 512m"),
        ("1t", "the right form is 1024g"),
        ("lots", ""),
        ("5m", "6m and more"),
        ("100k", "6m and more"),
        ("-1", ""),
    ],
)
def test_an_invalid_memory_limit_is_refused(text: str, right: str) -> None:
    assert right in str(refusal(lambda: memory(text)))


@pytest.mark.parametrize(
    ("one", "other"), [("2048m", "2g"), ("512", "512m"), ("1.5g", "1536m"), ("1048576k", "1g"), ("8388608b", "8m")]
)
def test_sizes_are_compared_by_what_they_mean(one: str, other: str) -> None:
    assert memory(one) == memory(other)
    present = ResourcePresent({"_default_": {"memory": one}})
    assert ResourceState("shop", {"memory": other}).plan(present) == Plan()


#: As Dokku 0.38.27 answered `resource:report store --format json`, without the keys that come twice.
REPORT = {
    "_default_.limit.cpu": "2",
    "_default_.limit.memory": "300m",
    "_default_.reserve.memory": "128m",
    "web.limit.memory": "256m",
}


def test_the_report_of_limits_is_read() -> None:
    limits, reserve = parse(REPORT)
    assert limits == {"_default_": {"cpu": "2", "memory": "300m"}, "web": {"memory": "256m"}}
    assert reserve == {"_default_": {"memory": "128m"}}
    assert parse({}) == ({}, {})
    assert parse({"my.worker.limit.cpu": "1"})[0] == {"my.worker": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ResourceState("shop", {"cpu": "2.0", "memory": "300m"}), []),
        (ResourceState("shop", {"cpu": "1", "memory": "2g"}), ["resource:limit --cpu 1 --memory 2g shop"]),
        (ResourceState("shop", {"memory": ""}), ["resource:limit --memory clear shop"]),
        (ResourceState("shop", {"memory": ""}, process="worker"), []),
        (
            ResourceState("shop", {"cpu": "1"}, {"memory": "64m"}, "web"),
            ["resource:limit --cpu 1 --process-type web shop", "resource:reserve --memory 64m --process-type web shop"],
        ),
    ],
)
def test_commands_for_limits(state: ResourceState, expected: list[str]) -> None:
    limits, reserve = parse(REPORT)
    assert commands(state.plan(ResourcePresent(limits, reserve, cpus=4))) == expected


@pytest.mark.parametrize(
    ("limits", "reserve", "cpus", "why"),
    [
        ({"cpu": "8"}, {}, 2, "this host has 2"),
        ({"memory": "100m"}, {}, 2, "above the limit"),
        ({}, {"memory": "400m"}, 2, "above the limit"),
        ({"memory-swap": "200m"}, {}, 2, "less than the memory"),
        ({"memory-swap": "2g", "memory": ""}, {}, 2, "together with a limit"),
        ({"network": "1g"}, {}, 2, "has no effect"),
        ({}, {"cpu": "1"}, 2, "has no effect"),
        ({"nvidia-gpu": "some"}, {}, 2, "or all"),
    ],
)
def test_limits_that_docker_refuses_together(
    limits: dict[str, str], reserve: dict[str, str], cpus: int, why: str
) -> None:
    now = ResourcePresent(*parse(REPORT), cpus=cpus)
    assert why in str(refusal(lambda: ResourceState("shop", limits, reserve).plan(now)))


def test_an_invalid_limit_can_be_mended() -> None:
    broken = ResourcePresent({"_default_": {"cpu": "2000m"}}, cpus=4)
    assert commands(ResourceState("shop", {"cpu": "2"}).plan(broken)) == ["resource:limit --cpu 2 shop"]
    assert commands(ResourceState("shop", {"cpu": ""}).plan(broken)) == ["resource:limit --cpu clear shop"]


@given(
    st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["", "7", "9", "512"])),
    st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["9", "10", "256"])),
)
def test_limits_are_brought_to_what_is_wanted(wanted: dict[str, str], now: dict[str, str]) -> None:
    state = ResourceState("shop", wanted)
    plan = state.plan(ResourcePresent({"_default_": now}, cpus=1024))
    after = dict(now)
    for command in plan.acts:
        flags = command.arguments[1:-1]
        for flag, value in zip(flags[::2], flags[1::2]):
            after.pop(flag[2:], None)
            if value != "clear":
                after[flag[2:]] = value
    assert state.plan(ResourcePresent({"_default_": after}, cpus=1024)) == Plan()
    assert {key: value for key, value in after.items() if key not in wanted} == {
        key: value for key, value in now.items() if key not in wanted
    }


# -- nginx ---------------------------------------------------------------------------------------

OWN = dict.fromkeys(PROPERTIES, "")
EFFECTIVE = {
    **OWN,
    "hsts": "true",
    "client-max-body-size": "1m",
    "proxy-buffers": "8 4k",
    "proxy-buffer-size": "4k",
    "proxy-busy-buffers-size": "8k",
}


def nginx(properties: dict[str, Any], own: Mapping[str, str] = OWN) -> Plan:
    effective = {**EFFECTIVE, **{key: value for key, value in own.items() if value}}
    return NginxState("shop", nginx_texts(properties)).plan(NginxPresent(own, effective))


@pytest.mark.parametrize(
    ("properties", "own", "expected"),
    [
        ({"hsts": True}, {}, []),
        ({"hsts": False}, {}, ["nginx:set shop hsts false"]),
        ({"hsts": ""}, {}, []),
        ({"hsts": None}, {"hsts": "false"}, ["nginx:set shop hsts"]),
        ({"client-max-body-size": "50m"}, {}, ["nginx:set shop client-max-body-size 50m"]),
        ({"client-max-body-size": "50m"}, {"client-max-body-size": "50m"}, []),
        ({"proxy-buffering": False}, {}, ["nginx:set shop proxy-buffering off"]),
        ({"hsts-max-age": 600}, {}, ["nginx:set shop hsts-max-age 600"]),
    ],
)
def test_commands_for_nginx(properties: dict[str, Any], own: dict[str, str], expected: list[str]) -> None:
    built = ["proxy:build-config shop"] if expected else []
    assert commands(nginx(properties, {**OWN, **own})) == [*expected, *built]


@pytest.mark.parametrize(
    ("properties", "code", "why"),
    [
        ({"hsts": "maybe"}, "bad_value", "true or false"),
        ({"proxy-read-timeout": "abc"}, "bad_value", "a time"),
        ({"proxy-read-timeout": "60 s"}, "bad_value", "a time"),
        ({"client-max-body-size": "50mb"}, "bad_value", "a size"),
        ({"client-max-body-size": "1m; deny all"}, "bad_value", "a size"),
        ({"proxy-buffering": "true"}, "bad_value", "on or off"),
        ({"bind-address-ipv4": "::1"}, "bad_value", "IPv4"),
        ({"access-log-path": "relative.log"}, "bad_value", "absolute"),
        ({"access-log-path": "/var/log/x.log; }"}, "bad_value", "absolute"),
        ({"x-forwarded-for-value": "a b"}, "bad_value", "one word"),
        ({"gzip": True}, "no_property", "compresses already"),
        ({"http2": True}, "no_property", "HTTP/2 on"),
        ({"client_max_body_size": "1m"}, "no_property", "client-max-body-size"),
        ({"proxy-busy-buffers-size": "64k"}, "bad_value", "all of these but one"),
        ({"proxy-buffer-size": "16k"}, "bad_value", "at least the larger"),
        ({"hsts": ["true"]}, "bad_value", "one text"),
    ],
)
def test_a_property_that_nginx_or_dokku_would_refuse_is_refused(
    properties: dict[str, Any], code: str, why: str
) -> None:
    error = refusal(lambda: nginx(properties))
    assert error.code == code and why in str(error)


def test_buffers_that_fit_together() -> None:
    assert len(nginx({"proxy-buffer-size": "16k", "proxy-busy-buffers-size": "24k"}).changes) == 2


# -- processes -----------------------------------------------------------------------------------

RUNS = PsPresent(True, "true", {"web": 1, "worker": 0}, {"web.1": "running"})
STOPPED = PsPresent(True, "false", {"web": 1, "worker": 0}, {"web.1": "exited"})
NEVER = PsPresent(False, "false", {"web": 1})


@pytest.mark.parametrize(
    ("present", "wanted", "scale", "expected"),
    [
        (RUNS, "", {"web": 1}, []),
        (RUNS, "", {"web": 2}, ["ps:scale shop web=2"]),
        (RUNS, "", {"web": 2, "worker": 1}, ["ps:scale shop web=2 worker=1"]),
        (RUNS, "restarted", {"web": 2}, ["ps:scale --skip-deploy shop web=2", "ps:restart shop"]),
        (RUNS, "stopped", {"web": 2}, ["ps:scale --skip-deploy shop web=2", "ps:stop shop"]),
        (STOPPED, "", {"web": 2}, ["ps:scale --skip-deploy shop web=2"]),
        (STOPPED, "started", {"web": 2}, ["ps:scale --skip-deploy shop web=2", "ps:restart shop"]),
        (NEVER, "", {"web": 2, "cron": 1}, ["ps:scale --skip-deploy shop cron=1 web=2"]),
        (NEVER, "", {"cron": 0}, []),
        (RUNS, "started", {}, []),
        (STOPPED, "started", {}, ["ps:start shop"]),
        (RUNS, "stopped", {}, ["ps:stop shop"]),
        (STOPPED, "stopped", {}, []),
        (RUNS, "restarted", {}, ["ps:restart shop"]),
        (RUNS, "rebuilt", {}, ["ps:rebuild shop"]),
    ],
)
def test_commands_for_processes(present: PsPresent, wanted: str, scale: dict[str, int], expected: list[str]) -> None:
    assert commands(PsState("shop", wanted, scale).plan(present)) == expected


@pytest.mark.parametrize("wanted", ["started", "stopped", "restarted", "rebuilt"])
def test_an_app_that_was_never_deployed_is_told(wanted: str) -> None:
    assert refusal(lambda: PsState("shop", wanted).plan(NEVER)).code == "not_deployed"


@pytest.mark.parametrize("count", [-1, "x", "-1", True, None, 1.5, ""])
def test_a_number_of_containers_that_can_not_be(count: Any) -> None:
    assert refusal(lambda: counts({"web": count})).code == "bad_scale"


def test_a_scaling_that_would_break_the_app_is_refused() -> None:
    assert refusal(lambda: PsState("shop", scale={"nosuch": 1}).plan(RUNS)).code == "no_process"
    by_app = PsPresent(**{**vars(RUNS), "can_scale": False})
    assert refusal(lambda: PsState("shop", scale={"web": 2}).plan(by_app)).code == "scaled_by_app"


def test_an_image_that_failed_is_not_put_live_by_a_restart() -> None:
    failed = PsPresent(**{**vars(RUNS), "latest_live": False, "live": "7"})
    for state in (PsState("shop", "restarted"), PsState("shop", scale={"web": 2})):
        error = refusal(lambda state=state: state.plan(failed))
        assert error.code == "latest_not_live" and "releases:rollback shop 7" in error.paragraph()
    assert commands(PsState("shop", "rebuilt").plan(failed)) == ["ps:rebuild shop"]
    assert commands(PsState("shop", "stopped").plan(failed)) == ["ps:stop shop"]


@pytest.mark.parametrize(
    ("state", "present", "settled"),
    [
        (PsState("shop", "restarted"), RUNS, True),
        (PsState("shop", "restarted"), STOPPED, False),
        (PsState("shop", "stopped"), STOPPED, True),
        (PsState("shop", "stopped"), RUNS, False),
        (PsState("shop", scale={"web": 2}), RUNS, False),
        (PsState("shop", scale={"web": 1}), PsPresent(True, "mixed", {"web": 1}, {"web.1": "exited"}), False),
        (PsState("shop", scale={"web": 2}), PsPresent(True, "true", {"web": 2}, {"web.1": "running"}), False),
        (PsState("shop", scale={"web": 1}), STOPPED, True),
        (PsState("shop", scale={"web": 1}), NEVER, True),
        (PsState("shop", scale={"web": 0}), PsPresent(True, "false", {"web": 0}), True),
    ],
)
def test_when_processes_are_as_they_are_to_be(state: PsState, present: PsPresent, settled: bool) -> None:
    assert state.settled(present) is settled


# -- what is shared ------------------------------------------------------------------------------


class Deaf(State[int]):
    """A Dokku that says 0 and does nothing."""

    app = "shop"

    def read(self, dokku: Dokku) -> int:
        return 0

    def plan(self, present: int) -> Plan:
        return Plan((Change("answer", str(present), "42"),))


def test_that_dokku_said_0_is_no_proof() -> None:
    with pytest.raises(Problem) as found:
        desired_state.bring(Dokku(), Deaf())
    assert found.value.code == "not_taken" and "answer: 0 -> 42" in str(found.value)
    assert "Nothing was changed" not in found.value.paragraph()


def test_an_error_says_what_to_type() -> None:
    with pytest.raises(Problem) as found, problems("nope"):
        raise AppMissing("dokku ps:report nope ended with 20: App nope does not exist")
    told: dict[str, Any] = found.value.to_failure()
    assert told["code"] == "app_missing" and "dokku apps:list" in told["msg"] and "Nothing was changed" in told["msg"]


@pytest.mark.parametrize("address", [DATABASE, CACHE])
def test_no_password_of_an_address_is_told(address: str) -> None:
    told = mask_named(f"dokku mysql:link: DATABASE_URL:  {address}")
    assert "S3cret" not in told and "dokku-" in told
