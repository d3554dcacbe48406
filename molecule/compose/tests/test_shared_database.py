"""Two hosts with one database (compose_migrate_on: first): one migrates for both, before the other is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from compose_lab import PROJECT, RELEASES, ComposeLab, tag
from lab import Run, play

FILES = ["docker-compose.prod.yml", "docker-compose.shared.yml"]
UP = f"cd {PROJECT} && docker compose --progress quiet {' '.join(f'-f {name}' for name in FILES)} up -d --wait"
# A gate that only the first release passes.
ONLY_GOOD = {
    "compose_health": [
        {"name": "health", "url": "http://127.0.0.1/api/v1/health", "json": {"version": RELEASES["good"].version}}
    ],
}


@dataclass(frozen=True)
class Pair:
    """first: the host that has the database, and comes first in a run."""

    first: ComposeLab
    second: ComposeLab

    def play(self, procedure: str, *options: str, **inputs: object) -> Run:
        both = f"{self.first.name},{self.second.name}"
        given = {"compose_files": FILES, "compose_migrate_on": "first", "target": both}
        return play(procedure, *options, **{**given, **inputs})

    def migrations(self) -> list[tuple[list[str], list[str]]]:
        """Migrations that the last operation of each host has run and undone."""
        plans: list[dict[str, Any]] = [host.ledger()[-1]["migrations"] for host in (self.first, self.second)]
        return [(plan["run"], plan["down"]) for plan in plans]

    def stands(self, name: str, schema: str) -> None:
        for host in (self.first, self.second):
            status, body = host.get("/api/v1/health")
            assert (status, body["version"], body["schema"]) == (200, RELEASES[name].version, schema), host.name
            assert host.runs(name), host.name
            assert host.get("/api/v1/orders") == (200, {"count": 3, "total": 1000}), host.name
            assert not host.has_lease(), host.name


@pytest.fixture
def pair(lab: ComposeLab, other: ComposeLab) -> Iterator[Pair]:
    """Both at the release `good`, the second one with the database of the first."""
    for host in (lab, other):
        host.at("good")
    password = lab.root(f"sed -n 's/^POSTGRES_PASSWORD=//p' {PROJECT}/.env")
    address = lab.root("hostname -i").split()[0]
    url = "postgresql+psycopg://shop:${SHARED_PASSWORD}@" + address + ":5432/shop"
    services = "".join(f"  {name}:\n    environment:\n      DATABASE_URL: {url}\n" for name in ("backend", "worker"))
    for host, text in ((lab, 'services:\n  db:\n    ports: ["5432:5432"]\n'), (other, f"services:\n{services}")):
        write = f"cat > {FILES[1]} <<'END'\n{text}END\necho 'SHARED_PASSWORD={password}' >> .env"
        host.deploy(f"cd {PROJECT}; {write}; {UP}")
    pair = Pair(lab, other)
    pair.stands("good", "0001")
    yield pair
    # What is done to the database of a state needs it without visitors from elsewhere.
    other.at("good")


def test_the_first_host_migrates_for_both(pair: Pair) -> None:
    planned = pair.play("compose_deploy", "--check", to=tag("additive"))
    assert planned.green, planned.text
    run = pair.play("compose_deploy", to=tag("additive"))
    assert run.green, run.text
    pair.stands("additive", "0002")
    assert pair.migrations() == [(["0002"], []), ([], [])]
    steps = {host.name: [step["step"] for step in host.ledger()[-1]["steps"]] for host in (pair.first, pair.second)}
    assert "migrate" in steps[pair.first.name]
    assert "migrate" not in steps[pair.second.name]
    # The other host's own database, which nothing uses here, was left alone.
    assert pair.second.schema() == "0001"

    pair.first.sql("update orders set note = 'kept' where id = (select min(id) from orders)")
    back = pair.play("compose_rollback", migrations="down")
    assert back.green, back.text
    assert "column orders.note (1 rows)" in back.text, "what the way down destroys is counted"
    pair.stands("good", "0001")
    assert pair.migrations() == [([], ["0002"]), ([], [])]


def test_canary_that_fails_after_it_migrated_goes_back_and_the_other_is_not_touched(pair: Pair) -> None:
    before = pair.second.fingerprint()
    run = pair.play("compose_deploy", to=tag("additive"), **ONLY_GOOD)
    assert not run.green
    assert pair.first.outcomes()[-1] == ("deploy", "reverted"), run.text
    pair.stands("good", "0002")
    after = pair.second.fingerprint()
    # The plan has downloaded images; of the service nothing has changed.
    assert {**after, "images": []} == {**before, "images": []}
    record = pair.second.ledger()[-1]
    assert (record["procedure"], record["outcome"]) == ("deploy", "refused")
    assert pair.first.name in record["error"], record["error"]
    assert re.search(rf"{pair.second.name} .* untouched", run.text), run.text
    assert "0002" in run.text.rpartition("Show what happened")[2], "what the canary left in the database is said"

    again = pair.play("compose_deploy", to=tag("additive"))
    assert again.green, again.text
    pair.stands("additive", "0002")


def test_canary_that_never_gets_well_goes_back_and_the_other_is_not_touched(pair: Pair) -> None:
    before = pair.second.containers()
    run = pair.play("compose_deploy", to=tag("unhealthy"))
    assert not run.green
    assert pair.first.outcomes()[-1] == ("deploy", "reverted"), run.text
    assert pair.second.outcomes()[-1] == ("deploy", "refused"), run.text
    assert pair.second.containers() == before
    pair.stands("good", "0001")


def test_both_at_once_are_refused_where_one_migrates(pair: Pair) -> None:
    before = pair.first.containers(), pair.second.containers()
    run = pair.play("compose_deploy", to=tag("additive"), batch="100%")
    assert not run.green
    assert "migrations_need_canary" in run.text, run.text
    assert (pair.first.containers(), pair.second.containers()) == before
    pair.stands("good", "0001")
