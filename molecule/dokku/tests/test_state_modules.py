"""The modules that bring one part of an app to a state: check mode changes nothing, nor does a second run, what is
there is what was wanted, and bad input is told with nothing changed. No value of a configuration is on any surface."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dokku_state_lab import CANARY, Apps
from lab import HOSTS
from waiting import wait_for

MAIN = "restant-main"
FEATURE = "restant-feature-state"


@pytest.fixture(scope="module")
def host() -> Apps:
    found = Apps(HOSTS[0])
    found.reset("apps")
    found.load_services()
    return found


@pytest.fixture
def app(host: Apps) -> Iterator[str]:
    """An app that nothing was deployed to."""
    if FEATURE not in host.apps():
        host.dokku("apps:create", FEATURE)
    yield FEATURE
    host.dokku("apps:destroy", FEATURE, "--force", check=False)


def settles(host: Apps, name: str, **arguments: Any) -> dict[str, Any]:
    """Check mode says what differs and changes nothing, a run does it, and the next has nothing to do."""
    before = host.state()
    promised = host.module(name, "--check", "--diff", **arguments)
    assert promised.changed and promised.found["changes"]
    assert host.state() == before
    done = host.module(name, "--diff", **arguments)
    assert done.changed and done.found["changes"] == promised.found["changes"]
    after = host.state()
    assert after != before
    again = host.module(name, **arguments)
    assert not again.changed and not again.found["commands"]
    assert host.state() == after
    return done.found


# -- what is wanted is there ---------------------------------------------------------------------


def test_an_app_is_made_and_destroyed(host: Apps) -> None:
    settles(host, "dokku_app", app=FEATURE)
    assert FEATURE in host.apps()
    settles(host, "dokku_app", app=FEATURE, state="absent", confirm=FEATURE)
    assert FEATURE not in host.apps()


def test_a_configuration_is_set_and_the_containers_are_left_alone(host: Apps) -> None:
    before, running = host.config(MAIN), host.containers(MAIN)
    values = {"SPACES": "two words", "LINES": "a\nb", "QUOTES": "\"'$HOME`", "EMPTY": "", "NUMBER": 5}
    found = settles(host, "dokku_config", app=MAIN, values=values)
    assert found["restart_needed"] and not found["restarted"]
    assert host.config(MAIN) == {**before, **values, "NUMBER": "5"}
    assert host.containers(MAIN) == running
    settles(host, "dokku_config", app=MAIN, absent=list(values))
    assert host.config(MAIN) == before


def test_a_configuration_is_taken_at_once_where_that_is_asked_for(host: Apps) -> None:
    before = host.containers(MAIN)
    found = host.module("dokku_config", app=MAIN, values={"GREETING": "good-day"}, redeploy=True)
    assert found.changed and found.found["restarted"] and not found.found["restart_needed"]
    after = host.containers(MAIN)
    assert {*after.values()}.isdisjoint(before.values()) and f"{MAIN}.web.1" in after
    assert "good-day" in host.root(f"curl -s -m 60 -H 'Host: {MAIN}.dokku.example.com' http://127.0.0.1/")
    assert not host.module("dokku_config", app=MAIN, values={"GREETING": "good-day"}, redeploy=True).changed
    assert host.containers(MAIN) == after
    host.module("dokku_config", app=MAIN, absent=["GREETING"], redeploy=True)


def test_other_variables_go_and_those_of_dokku_stay(host: Apps) -> None:
    before = host.config(MAIN)
    host.dokku("config:set", "--no-restart", MAIN, "STRAY=1")
    kept = {key: value for key, value in before.items() if not key.startswith(("GIT_", "DOKKU_"))}
    settles(host, "dokku_config", app=MAIN, values=kept, purge=True)
    assert host.config(MAIN) == before and "GIT_REV" in before


def test_domains_are_added_removed_and_set(host: Apps, app: str) -> None:
    settles(host, "dokku_domains", app=app, domains=["a.example.com", "B.example.com"])
    settles(host, "dokku_domains", app=app, domains=["b.example.com"], state="absent")
    settles(host, "dokku_domains", app=app, domains=["c.example.com"], state="exactly")
    assert host.report(app, "domains")["app-vhosts"] == "c.example.com"


def test_limits_are_set_and_docker_has_them_after_the_restart(host: Apps) -> None:
    found = settles(host, "dokku_resource", app=MAIN, limits={"cpu": 1, "memory": "512m"}, reserve={"memory": "64m"})
    assert found["restart_needed"]
    assert host.module("dokku_resource", app=MAIN, limits={"memory": "0.5g"}).changed is False
    assert host.module("dokku_ps", app=MAIN, state="restarted").changed
    shape = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.MemoryReservation}}"
    assert host.root(f"docker inspect --format '{shape}' {MAIN}.web.1") == "536870912 1000000000 67108864"
    cleared = {"cpu": "", "memory": ""}
    settles(host, "dokku_resource", app=MAIN, limits=cleared, reserve={"memory": ""})
    assert host.report(MAIN, "resource") == {}


def test_nginx_properties_are_set_and_served(host: Apps) -> None:
    assert not host.module("dokku_nginx", app=MAIN, properties={"hsts": True}).changed
    settles(host, "dokku_nginx", app=MAIN, properties={"client-max-body-size": "42m", "proxy-buffering": False})
    built = host.dokku("nginx:show-config", MAIN)
    assert "client_max_body_size 42m;" in built and "proxy_buffering off;" in built
    settles(host, "dokku_nginx", app=MAIN, properties={"client-max-body-size": "", "proxy-buffering": ""})
    assert "client_max_body_size 1m;" in host.dokku("nginx:show-config", MAIN)


def test_processes_are_scaled_stopped_and_started(host: Apps) -> None:
    settles(host, "dokku_ps", app=MAIN, scale={"web": 2})
    assert {f"{MAIN}.web.1", f"{MAIN}.web.2"} <= {*host.containers(MAIN)}
    settles(host, "dokku_ps", app=MAIN, state="stopped")
    assert host.containers(MAIN) == {}
    settles(host, "dokku_ps", app=MAIN, state="started")
    settles(host, "dokku_ps", app=MAIN, scale={"web": 1})
    assert f"{MAIN}.web.2" not in host.containers(MAIN)


def test_a_service_is_linked_and_who_else_has_it_is_said(host: Apps, app: str) -> None:
    host.dokku("redis:create", "state-cache")
    try:
        settles(host, "dokku_link", app=app, plugin="redis", service="state-cache")
        assert "REDIS_URL" in host.config(app)
        settles(host, "dokku_link", app=app, plugin="redis", service="state-cache", alias="CACHE")
        assert {key for key in host.config(app) if key.endswith("_URL")} == {"CACHE_URL"}
        # Somebody removes the variable, and the service still lists the app.
        host.dokku("config:unset", "--no-restart", app, "CACHE_URL")
        settles(host, "dokku_link", app=app, plugin="redis", service="state-cache")
        refused = host.module("dokku_link", app=MAIN, plugin="redis", service="state-cache")
        assert refused.refused == "linked_elsewhere" and app in refused.msg
        host.module("dokku_link", app=MAIN, plugin="redis", service="state-cache", shared=True)
        assert host.dokku("redis:links", "state-cache").split() == [app, MAIN]
        settles(host, "dokku_link", app=MAIN, plugin="redis", service="state-cache", state="absent")
        settles(host, "dokku_link", app=app, plugin="redis", service="state-cache", state="absent")
        assert not [key for key in host.config(app) if key.endswith("_URL")]
    finally:
        host.dokku("redis:destroy", "state-cache", "--force", check=False)


def test_certificates_are_renewed_once(host: Apps) -> None:
    settles(host, "dokku_letsencrypt", app=MAIN, state="unchanged", email="ops@example.com", auto_renew=True)
    found = host.module("dokku_letsencrypt", app=MAIN, state="unchanged").found
    assert found["auto_renew"] and not found["active"] and found["days_left"] is None
    settles(host, "dokku_letsencrypt", app=MAIN, state="unchanged", auto_renew=False)
    host.dokku("letsencrypt:set", MAIN, "email")


# -- bad input -----------------------------------------------------------------------------------

BAD: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a missing app": ("dokku_config", {"app": "nope", "values": {"A": "1"}}, "app_missing", "apps:list"),
    "nginx of a missing app, for which dokku says 0": (
        "dokku_nginx",
        {"app": "nope", "properties": {"hsts": "false"}},
        "app_missing",
        "nope",
    ),
    "a name that no app can have": ("dokku_app", {"app": "Bad_Name"}, "bad_name", "lower-case"),
    "destroyed without its name": ("dokku_app", {"app": MAIN, "state": "absent"}, "not_confirmed", f"confirm={MAIN}"),
    "destroyed with another name": (
        "dokku_app",
        {"app": MAIN, "state": "absent", "confirm": "restant-staging"},
        "not_confirmed",
        f"confirm={MAIN}",
    ),
    "a revision of one's own": ("dokku_config", {"app": MAIN, "values": {"GIT_REV": "x"}}, "own_key", "GIT_REV"),
    "a key that can't be": ("dokku_config", {"app": MAIN, "values": {"A-B": "x"}}, "bad_key", "A-B"),
    "a boolean": ("dokku_config", {"app": MAIN, "values": {"APP_DEBUG": True}}, "not_a_text", "APP_DEBUG"),
    "an address for a domain": (
        "dokku_domains",
        {"app": MAIN, "domains": ["https://x.example.com"]},
        "bad_domain",
        "https",
    ),
    "a domain of another app": (
        "dokku_domains",
        {"app": MAIN, "domains": ["restant-staging.dokku.example.com"]},
        "domain_taken",
        "restant-staging",
    ),
    "thousandths of a processor": (
        "dokku_resource",
        {"app": MAIN, "limits": {"memory": "2048m", "cpu": "2000m"}},
        "bad_resource",
        "the right form is 2",
    ),
    "more processors than there are": (
        "dokku_resource",
        {"app": MAIN, "limits": {"cpu": "4096"}},
        "bad_resource",
        "this host has",
    ),
    "units that Dokku spoils": ("dokku_resource", {"app": MAIN, "limits": {"memory": "2Gi"}}, "bad_resource", "2g"),
    "gzip": ("dokku_nginx", {"app": MAIN, "properties": {"gzip": True}}, "no_property", "compresses already"),
    "a value that nginx refuses": (
        "dokku_nginx",
        {"app": MAIN, "properties": {"hsts": "maybe"}},
        "bad_value",
        "true or false",
    ),
    "a process that there is none of": ("dokku_ps", {"app": MAIN, "scale": {"nosuch": 1}}, "no_process", "nosuch"),
    "a number below nothing": ("dokku_ps", {"app": MAIN, "scale": {"web": -1}}, "bad_scale", "web=-1"),
    "a service that is missing": (
        "dokku_link",
        {"app": MAIN, "plugin": "redis", "service": "nope"},
        "no_service",
        "redis:create nope",
    ),
    "a certificate without an address": ("dokku_letsencrypt", {"app": MAIN}, "no_email", "email: <address>"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_and_changes_nothing(host: Apps, name: str) -> None:
    module, arguments, code, said = BAD[name]
    before = host.state()
    refused = host.module(module, **arguments)
    assert refused.refused == code, refused.found
    assert said in refused.msg and "Nothing was changed." in refused.msg
    assert host.state() == before


@pytest.mark.parametrize("wanted", ["started", "stopped", "restarted", "rebuilt"])
def test_an_app_that_was_never_deployed_is_told(host: Apps, app: str, wanted: str) -> None:
    """Dokku says so with an exit code of 0."""
    assert host.module("dokku_ps", app=app, state=wanted).refused == "not_deployed"
    assert host.module("dokku_ps", app=app, scale={"web": 2}).changed


def test_a_locked_app_is_not_destroyed(host: Apps, app: str) -> None:
    host.dokku("apps:lock", app)
    assert host.module("dokku_app", app=app, state="absent", confirm=app).refused == "locked"
    assert app in host.apps()


def test_a_configuration_that_nginx_refuses_already_is_not_added_to(host: Apps) -> None:
    folder = "/home/dokku/restant-staging/nginx.conf.d"
    host.root(f"mkdir -p {folder} && echo 'nonsense on;' > {folder}/bad.conf")
    try:
        refused = host.module("dokku_nginx", app=MAIN, properties={"client-max-body-size": "2m"})
        assert refused.refused == "nginx_broken" and "Nothing was changed." in refused.msg
        assert host.report(MAIN, "nginx")["client-max-body-size"] == ""
    finally:
        host.root(f"rm -f {folder}/bad.conf")


def test_a_setting_that_nginx_refuses_is_put_back(host: Apps) -> None:
    """A log_format that does not exist can only be known by nginx."""
    served = host.dokku("nginx:show-config", MAIN)
    refused = host.module("dokku_nginx", app=MAIN, properties={"access-log-format": "nosuch", "hsts": False})
    assert refused.refused == "nginx_refuses" and "is set again" in refused.msg
    report = host.report(MAIN, "nginx")
    assert (report["access-log-format"], report["hsts"]) == ("", "")
    assert host.dokku("nginx:show-config", MAIN) == served
    host.root("nginx -t")


# -- secrets -------------------------------------------------------------------------------------


@contextmanager
def process_lists(host: Apps, needle: str) -> Iterator[list[str]]:
    """The command lines with the needle in them, on the host and on this machine, during the block."""
    seen: list[str] = []
    over = threading.Event()

    # The hosts of the lab are containers of this machine: its own process list has theirs in it.
    def look() -> None:
        while not over.wait(0.005):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                if needle.encode() in line:
                    seen.append(repr(line[:120]))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_no_value_is_on_any_surface(host: Apps, app: str) -> None:
    since = host.root("date -u +%s")
    values = {"APP_KEY": f"{CANARY}one", "DATABASE_PASSWORD": f"{CANARY}two", "PLAIN": f"{CANARY}three"}
    runs = []
    with process_lists(host, CANARY) as seen:
        runs.append(host.module("dokku_config", "-vvv", "--diff", "--check", app=app, values=values))
        runs.append(host.module("dokku_config", "-vvv", "--diff", app=app, values=values))
        runs.append(host.module("dokku_config", "-vvv", "--diff", app=app, values={**values, "PLAIN": f"{CANARY}four"}))
        runs.append(host.module("dokku_config", "-vvv", "--diff", app=app, values={**values, "9BAD": "x"}))
        runs.append(host.module("dokku_config", "-vvv", "--diff", app="nope", values=values))
        runs.append(host.module("dokku_config", "-vvv", "--diff", app=app, absent=list(values)))
    assert seen == []
    assert [run.refused for run in runs] == ["", "", "", "bad_key", "app_missing", ""]
    for run in runs:
        assert CANARY not in run.text and CANARY not in str(run.found)
        assert "PLAIN" in run.text
    journal = host.root(f"journalctl --since @{since} --no-pager -o cat; cat /var/log/*.log 2>/dev/null", check=False)
    assert CANARY not in journal
    left = host.root(f"grep -rls {CANARY} /tmp /var/tmp /dev/shm /home/deploy /var/lib/ops-runbook || true")
    assert left == ""


def test_the_watch_sees_what_is_there(host: Apps) -> None:
    with process_lists(host, CANARY) as seen:
        line = ["docker", "exec", "-i", host.name, "sh", "-c", "read end; :", CANARY]
        with subprocess.Popen(line, stdin=subprocess.PIPE) as held:
            wait_for("the line of the held process", lambda: [line for line in seen if "read end" in line])
            held.communicate()


def test_the_password_of_a_link_is_not_told(host: Apps, app: str) -> None:
    host.dokku("redis:create", "state-secret")
    try:
        linked = host.module("dokku_link", "-vvv", "--diff", app=app, plugin="redis", service="state-secret")
        assert linked.changed
        password = re.search(r"://:([^@]+)@", host.config(app)["REDIS_URL"])
        assert password and password[1] not in linked.text + str(linked.found)
    finally:
        host.dokku("redis:unlink", "state-secret", app, "--no-restart", check=False)
        host.dokku("redis:destroy", "state-secret", "--force", check=False)
