"""The host as a person finds it before the first operation: asked from inside, and over HTTP."""

from __future__ import annotations

import json

import pytest
from compose_lab import RELEASES, STORAGE
from lab import HOSTS
from testinfra.host import Host

testinfra_hosts = [f"docker://{name}" for name in HOSTS]
REGISTRY = "https://registry.example.com:5000/v2"


@pytest.fixture(autouse=True, scope="module")
def initial(host: Host) -> None:
    """Back to the first state, which the scenario's own procedures have left."""
    host.check_output("lab-reset")


def answer(host: Host, path: str) -> tuple[int, dict[str, object]]:
    body, status = host.check_output(f"curl -s -w '\\n%{{http_code}}' http://127.0.0.1{path}").rsplit("\n", 1)
    return int(status), json.loads(body)


@pytest.mark.parametrize("unit", ["ssh", "docker", "docker-registry"])
def test_service_runs_and_starts_at_boot(host: Host, unit: str) -> None:
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


def test_health_names_the_release(host: Host) -> None:
    status, body = answer(host, "/api/v1/health")
    assert (status, body["status"], body["version"], body["schema"]) == (200, "ok", "0.1.0", "0001")
    assert str(body["release"]).startswith("c0ffee1")
    label = '{{index .Config.Labels "org.opencontainers.image.revision"}}'
    images = "$(docker inspect --format '{{.Image}}' shop-backend-1 shop-worker-1)"
    assert set(host.check_output(f"docker image inspect --format '{label}' {images}").split()) == {body["release"]}


def test_orders_are_counted(host: Host) -> None:
    assert answer(host, "/api/v1/orders") == (200, {"count": 3, "total": 1000})


def test_worker_tells_its_release(host: Host) -> None:
    query = "select release from heartbeats where at > now() - interval '10 seconds'"
    said = host.check_output(f'docker exec shop-db-1 psql -U postgres -h /tmp shop -Atc "{query}"')
    assert said.startswith("c0ffee1")


def test_every_service_is_healthy(host: Host) -> None:
    lines = host.check_output("docker ps --format '{{.Names}} {{.Status}}'").splitlines()
    assert sorted(line.split()[0] for line in lines) == [
        f"shop-{name}-1" for name in ("backend", "db", "proxy", "web", "worker")
    ]
    assert all(line.endswith("(healthy)") for line in lines), lines


def test_registry_asks_for_a_login(host: Host) -> None:
    tags = f"curl -s -o /dev/null -w '%{{http_code}}' {REGISTRY}/acme/shop-backend/tags/list"
    assert host.check_output(tags) == "401"
    assert host.check_output(f"{tags} -u ops:wrong") == "401"
    assert host.check_output(f'{tags} -u "ops:$(cat /srv/lab/registry-password)"') == "200"


def test_registry_has_every_release(host: Host) -> None:
    listed = f'curl -s -u "ops:$(cat /srv/lab/registry-password)" {REGISTRY}/acme/shop-backend/tags/list'
    tags = set(json.loads(host.check_output(listed))["tags"])
    assert {release.tag for release in RELEASES.values()} | {release.version for release in RELEASES.values()} == tags
    assert host.file(STORAGE).user == "docker-registry"


def test_operator_is_unprivileged_but_for_the_engine(host: Host) -> None:
    assert "docker" in host.user("deploy").groups
    assert "not allowed" in host.check_output("sudo -l -U deploy")
    assert host.check_output("runuser -u deploy -- docker compose version --short").startswith("2.")


def test_nothing_but_the_first_release_is_there(host: Host) -> None:
    tags = set(host.check_output("docker image ls --format '{{.Tag}}'").split())
    assert tags == {"sha-c0ffee1", "1.26", "17"}
    assert not host.file("/home/deploy/.docker").exists
    state = host.file("/var/lib/ops-runbook")
    assert (state.user, state.mode, state.listdir()) == ("deploy", 0o700, [])
    env = host.file("/srv/shop/.env")
    assert (env.user, env.mode) == ("deploy", 0o600)
