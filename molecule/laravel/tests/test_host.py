"""The host as a person finds it before the first operation: asked from inside, and over HTTP and SSH."""

from __future__ import annotations

import json

import pytest
import testinfra
from lab import OWN
from testinfra.host import Host

APP = "/var/www/vertex-laravel-api"


@pytest.fixture(scope="module")
def host() -> Host:
    """This worker's."""
    return testinfra.get_host(f"docker://{OWN}")


@pytest.fixture(autouse=True, scope="module")
def initial(host: Host) -> None:
    """Back to the first state, which the scenario's own procedures have left."""
    host.check_output("lab-reset")


def answer(host: Host, path: str, *options: str) -> tuple[int, dict[str, object]]:
    """Ask the host's own web server; return the status and the JSON body."""
    run = host.run(f"curl -s {' '.join(options)} -w '\\n%{{http_code}}' http://127.0.0.1{path}")
    body, status = run.stdout.rsplit("\n", 1)
    return int(status), json.loads(body)


@pytest.mark.parametrize("unit", ["ssh", "nginx", "php8.4-fpm", "vertex-queue", "cron"])
def test_service_runs_and_starts_at_boot(host: Host, unit: str) -> None:
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


def test_health_names_the_release(host: Host) -> None:
    status, body = answer(host, "/api/v1/health")
    commit = host.check_output(f"git -c safe.directory='*' -C {APP} rev-parse 'v1.0.0^{{commit}}'")
    assert (status, body["status"], body["release"]) == (200, "ok", commit)
    assert (body["version"], body["greeter"]) == ("1.0.0", "1.0.0")


@pytest.mark.parametrize("path", ["/up", "/ready"])
def test_probe_answers(host: Host, path: str) -> None:
    assert answer(host, path)[0] == 200


def test_orders_are_counted(host: Host) -> None:
    assert answer(host, "/api/v1/orders") == (200, {"count": 3, "total": 1000})


@pytest.mark.parametrize(("password", "status"), [("lab-only", 200), ("wrong", 422)])
def test_login(host: Host, password: str, status: int) -> None:
    assert answer(host, "/api/v1/login", "-d email=probe@example.com", f"-d password={password}")[0] == status


def test_checkout_is_clean_and_knows_only_its_release(host: Host) -> None:
    git = f"runuser -u deploy -- git -C {APP}"
    assert host.check_output(f"{git} status --porcelain") == ""
    assert host.check_output(f"{git} branch --show-current") == "main"
    assert host.check_output(f"{git} tag") == "v1.0.0"
    origin = host.check_output(f"{git} ls-remote --tags --refs origin").split()[1::2]
    assert len(origin) == 10


def test_operator_may_only_reload_php(host: Host) -> None:
    allowed = [line.strip() for line in host.check_output("sudo -l -U deploy").splitlines() if "(" in line]
    assert allowed == ["(root) NOPASSWD: /usr/bin/systemctl reload php8.4-fpm.service"]


def test_no_operation_was_recorded(host: Host) -> None:
    state = host.file("/var/lib/ops-runbook")
    assert (state.user, state.mode, state.listdir()) == ("deploy", 0o700, [])


def test_operator_and_web_server_share_what_they_write(host: Host) -> None:
    env = host.file(f"{APP}/.env")
    assert (env.user, env.group, env.mode) == ("deploy", "www-data", 0o640)
    database = host.file("/var/lib/vertex/database.sqlite")
    assert (database.user, database.group, database.mode) == ("deploy", "www-data", 0o664)
    for folder in ("storage/logs", "bootstrap/cache"):
        assert (host.file(f"{APP}/{folder}").group, host.file(f"{APP}/{folder}").mode) == ("www-data", 0o2775)


def test_scheduler_is_in_the_crontab(host: Host) -> None:
    assert "php artisan schedule:run" in host.check_output("crontab -l -u deploy")
