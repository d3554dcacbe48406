"""Bad input, one case each: a clear error, the way forward, and nothing changed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from compose_lab import COMPOSE, PROJECT, REGISTRY, STATE, ComposeLab, tag

PLUGIN = "/usr/libexec/docker/cli-plugins/docker-compose"


@dataclass(frozen=True)
class Case:
    """prepare and restore are run as root on the host. expect: what a person must read."""

    procedure: str
    inputs: dict[str, object]
    expect: tuple[str, ...]
    prepare: str = ""
    restore: str = ""
    contacted: bool = True


def edit(script: str) -> str:
    """An edit of the compose file that keeps its owner, and of a copy to come back to."""
    return f"cp -a {COMPOSE} /tmp/compose.yml; sed -i {script} {COMPOSE}; chown deploy: {COMPOSE}"


BACK = f"cp -a /tmp/compose.yml {COMPOSE}"
NEW = {"to": tag("additive")}
CASES = {
    "a tag that is not in the registry": Case(
        "compose_deploy", {"to": "sha-0000000"}, ("image_not_found", "sha-0000000", REGISTRY)
    ),
    "a digest that is not in the registry": Case(
        "compose_deploy",
        {"to": f"{REGISTRY}/acme/shop-backend@sha256:{'0' * 64}"},
        ("image_not_found", "sha256:0000000"),
    ),
    "an invalid name": Case("compose_deploy", {"to": "Sha C0ffee"}, ("bad_reference",)),
    "an image of another repository": Case(
        "compose_deploy", {"to": f"{REGISTRY}/acme/proxy@sha256:{'0' * 64}"}, ("not_of_this_service", "acme/proxy")
    ),
    "an image that is not of this service": Case(
        "compose_deploy",
        {"to": tag("stranger")},
        ("not_of_this_service", "git.example.com/acme/blog"),
    ),
    "backend and worker of different builds": Case(
        "compose_deploy",
        {"to": tag("mixed")},
        ("not_one_build", "backend", "worker", "c0ffee2", "5a5a5a5"),
    ),
    "a wrong password": Case(
        "compose_deploy", {**NEW, "compose_registry_password": "canary-wrong"}, ("registry_denied", REGISTRY)
    ),
    "no credentials": Case(
        "compose_deploy",
        {**NEW, "compose_registry_user": "", "compose_registry_password": ""},
        ("registry_denied", REGISTRY),
    ),
    "the registry is down": Case(
        "compose_deploy",
        NEW,
        ("registry_down", REGISTRY),
        prepare="systemctl stop docker-registry",
        restore="systemctl start docker-registry",
    ),
    "no project folder": Case("compose_deploy", {**NEW, "compose_project_dir": "/srv/nowhere"}, ("no_such_path",)),
    "no compose file": Case(
        "compose_deploy", {**NEW, "compose_files": ["nowhere.yml"]}, ("no_compose_file", "nowhere.yml")
    ),
    "a compose file that is not valid": Case(
        "compose_deploy", NEW, ("compose_invalid",), prepare=edit("'s/^services:/services: [/'"), restore=BACK
    ),
    "a service that the compose file has not": Case(
        "compose_deploy",
        {**NEW, "compose_images": {"api": f"{REGISTRY}/acme/shop-backend"}, "compose_migration_service": "api"},
        ("images_wrong", "api", "backend"),
    ),
    "build: instead of image:": Case(
        "compose_deploy",
        NEW,
        ("service_is_built", "build:", "worker"),
        prepare=edit('"s|^    image: .*shop-worker.*|    build: .|"'),
        restore=BACK,
    ),
    "no .env": Case(
        "compose_deploy",
        NEW,
        (".env",),
        prepare=f"mv {PROJECT}/.env /tmp/dotenv",
        restore=f"mv /tmp/dotenv {PROJECT}/.env",
    ),
    "compose v1 only": Case(
        "compose_deploy",
        NEW,
        ("compose_too_old",),
        prepare=f"mv {PLUGIN} /tmp/plugin; printf '#!/bin/sh\\necho docker-compose version 1.29.2\\n' > "
        "/usr/local/bin/docker-compose; chmod 755 /usr/local/bin/docker-compose",
        restore=f"mv /tmp/plugin {PLUGIN}; rm /usr/local/bin/docker-compose",
    ),
    "no docker": Case("compose_deploy", {**NEW, "compose_docker": "/usr/bin/dockr"}, ("docker_missing", "dockr")),
    "no right to the engine": Case(
        "compose_deploy",
        NEW,
        ("engine_denied", "docker"),
        prepare="chgrp root /run/docker.sock",
        restore="chgrp docker /run/docker.sock",
    ),
    "the database is down": Case(
        "compose_rollback",
        {},
        ("database_down", "docker compose ps"),
        prepare="docker stop --time 5 shop-db-1",
        restore="docker start shop-db-1",
    ),
    "too little disk": Case("compose_deploy", {**NEW, "compose_disk_reserve": 10**9}, ("disk_space", "MiB")),
    "a compose file of another user": Case(
        "compose_deploy",
        NEW,
        ("not_writable", PROJECT),
        prepare=f"chown root {COMPOSE}; chmod 644 {COMPOSE}; chown root {PROJECT}",
        restore=f"chown deploy {COMPOSE} {PROJECT}; chmod 644 {COMPOSE}",
    ),
    "state folder not writable": Case(
        "compose_rollback",
        {},
        ("state_dir_not_writable", f"sudo chown -R deploy: {STATE} "),
        prepare=f"chown root {STATE}",
        restore=f"chown deploy {STATE}",
    ),
    "a resume of nothing": Case("compose_rollback", {"interrupted": "resume"}, ("nothing_interrupted",)),
    "unknown migrations value": Case(
        "compose_rollback", {"migrations": "bogus"}, ("bogus", "refuse", "keep", "down"), contacted=False
    ),
    "a mistyped input": Case("compose_rollback", {"too": "0.1.0"}, ("did you mean 'to'",), contacted=False),
    "deploy without a release": Case("compose_deploy", {}, ("-e to=",), contacted=False),
}


@pytest.fixture(scope="module")
def _placed(lab: ComposeLab) -> None:
    lab.at("good", "good2")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.core("refusal", only="a tag that is not in the registry")
def test_bad_input_is_refused_and_changes_nothing(lab: ComposeLab, _placed: None, name: str) -> None:
    case = CASES[name]
    before, records = lab.fingerprint(), lab.ledger()
    if case.prepare:
        lab.root(case.prepare)
    try:
        run = lab.play(case.procedure, **case.inputs)
    finally:
        if case.restore:
            lab.root(case.restore)
    assert not run.green, run.text
    for text in case.expect:
        assert text in run.text, run.text
    if "canary-wrong" in str(case.inputs):
        assert "canary-wrong" not in run.text
    if "db" in case.prepare:
        # It was stopped and started again for the test.
        lab.at("good", "good2")
    else:
        assert lab.fingerprint() == before
    assert not lab.has_lease()
    new = lab.ledger()[len(records) :]
    assert [record["outcome"] for record in new] == (["refused"] if new else [])
    if not case.contacted:
        assert new == []


#: Somebody pushes the images of a release for another processor.
FOREIGN = """
import hashlib, json, os

root = "/var/lib/docker-registry/docker/registry/v2"

def blob(digest):
    return f"{root}/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"

def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(content)

def put(content):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    write(blob(digest), content)
    return digest

for service in ("backend", "worker"):
    repository = f"{root}/repositories/acme/shop-{service}"
    manifest = json.load(open(blob(open(f"{repository}/_manifests/tags/OLD/current/link").read())))
    config = {**json.load(open(blob(manifest["config"]["digest"]))), "architecture": "s390x"}
    content = json.dumps(config).encode()
    manifest["config"].update(digest=put(content), size=len(content))
    named = {"_layers": manifest["config"]["digest"], "_manifests/revisions": put(json.dumps(manifest).encode())}
    for folder, digest in named.items():
        write(f"{repository}/{folder}/sha256/{digest[7:]}/link", digest.encode())
    write(f"{repository}/_manifests/tags/sha-f0e1111/current/link", digest.encode())
"""


def test_images_for_another_processor_are_refused_before_anything_stops(lab: ComposeLab) -> None:
    lab.at("good")
    before = lab.fingerprint()
    lab.root(f"python3 - <<'END'\n{FOREIGN.replace('OLD', tag('good2'))}\nEND")
    run = lab.play("compose_deploy", to="sha-f0e1111")
    assert not run.green
    assert "wrong_architecture" in run.text and "for s390x, this host is" in run.text, run.text
    # What was downloaded for the look at it is thrown away.
    assert lab.fingerprint() == before
    assert not lab.has_lease()


def test_engine_down(lab: ComposeLab) -> None:
    lab.at("good", "good2")
    records = lab.ledger()
    lab.root("systemctl stop docker.service docker.socket")
    try:
        run = lab.play("compose_rollback")
    finally:
        lab.root("systemctl start docker.socket docker.service")
    assert not run.green
    for text in ("engine_down", "systemctl"):
        assert text in run.text, run.text
    assert not lab.has_lease()
    assert [record["outcome"] for record in lab.ledger()[len(records) :]] in ([], ["refused"])


def test_no_ledger(lab: ComposeLab) -> None:
    lab.reset()
    run = lab.play("compose_rollback")
    assert not run.green
    assert "no_ledger" in run.text
    assert "compose_adopt" in run.text
    assert lab.runs("good")


def test_unreachable_host_is_named(lab: ComposeLab) -> None:
    run = lab.play("compose_rollback", ansible_port="1")
    assert not run.green
    assert "can't be reached" in run.text
    assert "Nothing was changed" in run.text
