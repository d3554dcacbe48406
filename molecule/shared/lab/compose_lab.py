"""The lab's host for Compose, as an operator and as an observer use it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from lab import Host, counted_reset

PROJECT = "/srv/shop"
COMPOSE = f"{PROJECT}/docker-compose.prod.yml"
STATE = "/var/lib/ops-runbook/shop"
REGISTRY = "registry.example.com:5000"
STORAGE = "/var/lib/docker-registry/docker/registry/v2/repositories/acme"


@dataclass(frozen=True)
class Release:
    """version: what the backend says of itself. schema: where a deploy from `good` brings the database."""

    tag: str
    version: str
    schema: str = "0001"


RELEASES = {
    "good": Release("sha-c0ffee1", "0.1.0"),
    "good2": Release("sha-c0ffee2", "0.2.0"),
    "additive": Release("sha-add1111", "0.3.0", "0002"),
    "two": Release("sha-2222222", "0.4.0", "0004"),
    "oneway": Release("sha-0e0e0e0", "0.5.0", "0005"),
    "unhealthy": Release("sha-bad0001", "0.6.0"),
    "crash": Release("sha-dead001", "0.7.0"),
    "worker-crash": Release("sha-dead002", "0.7.1"),
    "mixed": Release("sha-5a5a5a5", "0.8.0"),
    "stranger": Release("sha-f00d001", "0.8.1"),
    "unlabelled": Release("sha-0ab0ab0", "0.9.0"),
    "branched": Release("sha-b4a4c4e", "0.10.0", "0007,0008"),
    "failing": Release("sha-bad0002", "0.11.0"),
    "heavy": Release("sha-fa7fa70", "0.12.0"),
}


def tag(name: str) -> str:
    return RELEASES[name].tag


class ComposeLab(Host):
    """A host that runs the shop, with the registry that its images come from."""

    state = STATE

    def password(self) -> str:
        """The password that the registry wants from the operator `ops`."""
        return self.root("cat /srv/lab/registry-password")

    # -- what an observer finds ------------------------------------------------------------------

    def running(self) -> dict[str, str]:
        """The digest of the image that each service runs."""
        lines = self.root(
            "docker ps --quiet --filter label=com.docker.compose.project=shop | xargs --no-run-if-empty docker inspect "
            "--format '{{index .Config.Labels \"com.docker.compose.service\"}} {{.Image}}' | while read -r service id; "
            "do echo \"$service $(docker image inspect --format '{{index .RepoDigests 0}}' $id)\"; done"
        ).splitlines()
        return {service: name.partition("@")[2] for service, name in map(str.split, lines)}

    def digest(self, service: str, name: str) -> str:
        """The digest that the registry has for a release."""
        return self.root(f"cat {STORAGE}/shop-{service}/_manifests/tags/{tag(name)}/current/link")

    def runs(self, name: str) -> bool:
        """True if backend and worker are of the release."""
        running = self.running()
        return all(running.get(service) == self.digest(service, name) for service in ("backend", "worker"))

    def containers(self) -> list[str]:
        """Every container of the host, with the moment of its start: another one shows."""
        return sorted(
            self.root(
                "docker ps --all --quiet | xargs docker inspect --format '{{.Name}} {{.Id}} {{.State.StartedAt}}'"
            ).splitlines()
        )

    def images(self) -> list[str]:
        """Images in the engine's store, by repository, tag and digest."""
        return sorted(
            self.root("docker image ls --digests --format '{{.Repository}}:{{.Tag}}@{{.Digest}}'").splitlines()
        )

    def pins(self) -> dict[str, str]:
        """The image that the resolved project has for each service."""
        document = self.deploy(f"cd {PROJECT} && docker compose -f {COMPOSE} config --format json")
        return {name: service["image"] for name, service in json.loads(document)["services"].items()}

    def file(self) -> str:
        """The compose file, byte for byte."""
        return self.root(f"cat {COMPOSE}; echo .")[:-1]

    def sql(self, query: str) -> str:
        return self.root(f"docker exec shop-db-1 psql -X -U postgres -h /tmp shop -Atc {shlex.quote(query)}")

    def schema(self) -> str:
        return self.sql("select string_agg(version_num, ',' order by version_num) from alembic_version")

    def columns(self, table: str) -> list[str]:
        return self.sql(f"select column_name from information_schema.columns where table_name = '{table}'").split()

    def worker_release(self) -> str:
        """The revision that the worker wrote into its last heartbeat."""
        return self.sql("select release from heartbeats where name = 'worker' and at > now() - interval '10 seconds'")

    def fingerprint(self) -> dict[str, Any]:
        """All that an operation could change, but for its own records."""
        return {
            "files": self.root(
                f"find {PROJECT} /home/deploy -path '*/.ansible*' -prune -o -printf '%p %m %u %l\\n' -type f "
                "-exec sha256sum {} + | sort"
            ),
            "containers": self.containers(),
            "images": self.images(),
            "database": self.root(
                "docker exec shop-db-1 pg_dump -U postgres -h /tmp --exclude-table-data=heartbeats shop"
                " | grep -v '^.\\(un\\)\\?restrict' | sha256sum",
                check=False,
            ),
        }

    # -- states ----------------------------------------------------------------------------------

    def keep(self, name: str) -> None:
        self.root(f"lab-keep {name}")

    @counted_reset()
    def restore(self, name: str) -> None:
        self.root(f"lab-restore {name}")

    @counted_reset()
    def at(self, *names: str) -> None:
        """Bring the host to a release by adoption and deploys, and keep that state to come back to.

        It begins at the state before the last deploy.
        """
        kept, (*before, last) = "-".join(names), names
        if self.root(f"test -e /srv/lab/state-{kept} && echo yes", check=False) == "yes":
            self.restore(kept)
            return
        if before:
            self.at(*before)
            run = self.play("compose_deploy", to=tag(last))
        else:
            self.reset()
            run = self.play("compose_adopt")
        assert run.green, run.text
        self.keep(kept)

    def move(self, name: str, to: str) -> None:
        """Somebody pushes other images under a release's tag."""
        for service in ("backend", "worker", "web"):
            folder = f"{STORAGE}/shop-{service}/_manifests/tags"
            self.root(f"cp {folder}/{tag(to)}/current/link {folder}/{tag(name)}/current/link")

    def forget(self, name: str) -> None:
        """Remove what a release has of its own from the engine's store, under all its names."""
        for service in ("backend", "worker"):
            image = f"{REGISTRY}/acme/shop-{service}@{self.digest(service, name)}"
            self.root(f"docker image rm --force $(docker image inspect --format '{{{{.Id}}}}' {image})")
