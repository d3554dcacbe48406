"""The diagnosis names the cause, works when half of the stack is down, changes nothing, and shows no secret."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from compose_lab import COMPOSE, PROJECT, ComposeLab, tag
from test_secrets import leaks, secrets

ENV = f"{PROJECT}/.env"
#: How a line begins that a person types on this host.
LINE = f"cd {PROJECT} && docker compose -f docker-compose.prod.yml"
AGAIN = (
    "docker exec shop-db-1 sh -c 'psql -X -U postgres -h /tmp -c \"alter role shop password "
    "'\"'\"'$POSTGRES_PASSWORD'\"'\"'\"'"
)
UNPROXY = f"cp -p /tmp/proxy.conf {PROJECT}/proxy.conf; docker restart -t 1 shop-proxy-1"


@pytest.fixture(autouse=True)
def _well_again(lab: ComposeLab) -> Iterator[None]:
    lab.at("good")
    lab.root(f"cp -p {PROJECT}/proxy.conf /tmp/proxy.conf")
    yield
    # A state that is kept has neither a role's password nor what nginx has read.
    lab.root(f"{AGAIN}; cmp -s /tmp/proxy.conf {PROJECT}/proxy.conf || {{ {UNPROXY}; }}", check=False)
    lab.root("docker rm -f squatter", check=False)
    lab.root("systemctl start docker.socket docker.service; docker start shop-db-1", check=False)
    # A worker that saw no database for a while would be unhealthy just when the next state is awaited.
    lab.root("docker restart -t 1 shop-worker-1", check=False)


def test_all_is_well_and_nothing_is_changed(lab: ComposeLab) -> None:
    before = lab.fingerprint()
    run = lab.play("compose_diagnose")
    assert run.green, run.text
    assert "OK: " in run.text and "all is well" in run.text
    assert run.changed == 0
    assert lab.fingerprint() == before


def test_records_of_another_service_are_told_and_left_alone(lab: ComposeLab) -> None:
    """A name that two services share is seen before one of them is operated in the folder of the other."""
    lab.root(f"sed -i 's,{PROJECT},/srv,' {lab.state}/service.json")
    run = lab.play("compose_diagnose")
    assert run.green, run.text
    said = f"{lab.state} holds the records of compose /srv (production), and this is compose {PROJECT}"
    assert f"WARN: {lab.name}: it works; to look at: {said}" in run.text
    assert f"next  operation_state_dir={lab.state}-compose" in run.text


def pinned(name: str) -> str:
    """Somebody edits the compose file by hand, and brings it up."""
    return (
        f"sed -i 's/shop-backend:sha-c0ffee1/shop-backend:{tag(name)}/' {COMPOSE}; cd {PROJECT}; "
        f"export DOCKER_CONFIG=/srv/lab/docker; docker compose -f {COMPOSE} up -d --no-deps backend"
    )


#: Until it was started again often enough.
CRASHES = (
    "timeout 600 sh -c 'until test $(docker inspect --format {{.RestartCount}} shop-backend-1) -ge 2; "
    "do sleep 0.2; done'"
)


#: Until the engine itself has seen it often enough.
UNHEALTHY = (
    "timeout 600 sh -c 'until docker inspect --format {{.State.Health.Status}} shop-backend-1 | grep -qx unhealthy; "
    "do sleep 0.5; done'"
)


#: The proxy's configuration is a file beside the compose file.
PROXY = f"sed -i {{}} {PROJECT}/proxy.conf; docker restart -t 1 shop-proxy-1"

#: nginx that looks the name up once, and a backend that gets another address afterwards.
MOVED = (
    PROXY.format("'s,set .backend .*,,; s,proxy_pass .backend;,proxy_pass http://backend:8000;,'")
    + "; docker inspect --format '{{.Image}}' shop-web-1 > /tmp/image; docker rm -f shop-backend-1; "
    "docker run -d --rm --name squatter --network shop_default --entrypoint sleep $(cat /tmp/image) infinity; "
    f"cd {PROJECT}; docker compose -f {COMPOSE} up -d --no-deps --wait backend; docker rm -f squatter"
)

#: The database's password changes, and nobody tells the application.
PASSWORD = (
    "docker exec shop-db-1 psql -X -U postgres -h /tmp -c \"alter role shop password 'another'\"; "
    "docker restart -t 1 shop-backend-1"
)

#: The backend itself is well; what it says of itself is not.
FAILS = (
    "timeout 600 sh -c 'until curl -s -o /dev/null -w %{http_code} http://127.0.0.1/api/v1/health | grep -qx 503; "
    "do sleep 0.5; done'"
)

#: Another container has the port.
PORT = (
    "docker inspect --format '{{.Image}}' shop-web-1 > /tmp/image; docker rm -f shop-proxy-1; "
    "docker run -d --rm --name squatter -p 80:3000 $(cat /tmp/image); "
    f"cd {PROJECT}; docker compose -f {COMPOSE} up -d --no-deps proxy || true"
)


@dataclass(frozen=True)
class Case:
    """first: what the verdict begins with, behind the address that fails."""

    broken: str
    expect: tuple[str, ...]
    first: str = ""


CASES = {
    "the proxy asks on a wrong port": Case(
        PROXY.format("s,backend:8000,backend:9001,"),
        (
            "where backend does not answer",
            "while connecting to upstream",
            "next  compare the port in the configuration",
        ),
        "expected status 200, got 502: 502 Bad Gateway. proxy asks ",
    ),
    "the proxy asks for a wrong name": Case(
        PROXY.format("s,backend:8000,backendd:8000,"),
        ("could not be resolved", "next  correct that name in the configuration of proxy"),
        "expected status 200, got 502: 502 Bad Gateway. proxy finds no address for the name backendd; ",
    ),
    "the proxy still asks a container that is gone": Case(
        MOVED,
        ("an address that no container of this project has now", f"next  {LINE} restart proxy"),
        "expected status 200, got 50",
    ),
    "the database has another password": Case(
        f"{PASSWORD}; {FAILS}",
        ("FATAL:  password authentication failed for user", "next  compare the password"),
        "db runs, and turns its clients away: ",
    ),
    "the database was stopped in order": Case(
        "docker stop shop-db-1", (f"next  {LINE} up -d db",), "db is not running: exit code 0"
    ),
    "another container has the port": Case(PORT, ("next  ss -ltnp sport = :80 ",), "proxy was never started: "),
    "the backend crashes": Case(
        f"{pinned('crash')}; {CRASHES}",
        ("health answers 502: backend is restarting again and again", "its log ends with:", "inside proxy"),
    ),
    "the database had another password a while ago": Case(
        f"{PASSWORD}; {FAILS}; {AGAIN}; {pinned('crash')}; {CRASHES}",
        ("health answers 502: backend is restarting again and again", "its log ends with:"),
        "health answers 502: backend is restarting again and again",
    ),
    "the backend is unhealthy": Case(
        f"{pinned('unhealthy')}; {UNHEALTHY}", ("backend runs, but its health check fails",)
    ),
    "the database was killed": Case(
        f"docker kill shop-db-1; {FAILS}", ("health answers 503: db is not running: exit code 137", "up -d db")
    ),
    "a container was removed": Case(
        "docker rm -f shop-web-1", ("web has no container", f"{LINE} up -d web", "no container")
    ),
    "somebody edited a tag by hand": Case(
        f"sed -i 's/shop-backend:sha-c0ffee1/shop-backend:{tag('good2')}/' {COMPOSE}",
        ("backend runs sha256:", "which the files pin, is not on this host"),
    ),
    "the engine is down": Case(
        "systemctl stop docker.service docker.socket", ("the Docker engine can't be asked", "systemctl status docker")
    ),
    "the compose file is broken": Case(
        f"echo '  x: [' >> {COMPOSE}; docker stop -t 1 shop-backend-1",
        ("the compose files are not valid", "health answers 502: backend is not running"),
    ),
    "no .env": Case(f"rm {ENV}", ("the compose files are not valid", "POSTGRES_PASSWORD", f"there is no {ENV}")),
    "everything was removed": Case(
        f"cd {PROJECT}; docker compose -f {COMPOSE} down", ("db has no container", "backend", "proxy")
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_named(lab: ComposeLab, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    needles = secrets(lab)
    lab.root(case.broken)
    bundle = tmp_path / "shop.tar.gz"
    run = lab.play("compose_diagnose", "-vvv", bundle=bundle)
    assert not run.green, run.text
    for text in case.expect:
        assert text in run.text, run.text
    verdict = run.text.partition("BAD: ")[2].partition("\n")[0]
    assert case.first in verdict, verdict
    assert leaks(run.text, needles) == []
    assert bundle.stat().st_mode & 0o777 == 0o600
    with tarfile.open(bundle) as archive:
        files = {member.name: archive.extractfile(member).read().decode() for member in archive}  # type: ignore[union-attr]
    assert {f"{lab.name}/verdict.txt", f"{lab.name}/facts.json"} <= set(files)
    assert leaks("\n".join(files.values()), needles) == []


def test_a_secret_in_a_log_is_masked(lab: ComposeLab, tmp_path: Path) -> None:
    needles = secrets(lab)
    lab.root("docker exec shop-backend-1 sh -c 'echo password is $POSTGRES_PASSWORD $OPENAI_API_KEY > /proc/1/fd/1'")
    lab.root("docker stop -t 1 shop-backend-1")
    bundle = tmp_path / "shop.tar.gz"
    run = lab.play("compose_diagnose", bundle=bundle)
    assert "password is ********" in run.text
    assert leaks(run.text, needles) == []
    with tarfile.open(bundle) as archive:
        log = archive.extractfile(f"{lab.name}/logs/shop-backend-1.log").read().decode()  # type: ignore[union-attr]
    assert "password is ********" in log
    assert leaks(log, needles) == []
