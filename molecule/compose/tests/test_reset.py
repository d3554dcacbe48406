"""A reset takes back whatever a test has done: project, records, database, images, and what runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from compose_lab import PROJECT, REGISTRY, STORAGE, ComposeLab

PSQL = "docker exec shop-db-1 psql -X -q -U postgres -h /tmp shop -c"
#: Changes that leave every container as it is, and changes of what runs.
DIRT = {
    "data": f"""
{PSQL} 'drop table orders; create table stray (a int)'
cd {PROJECT}; touch -r .env /tmp/times; sed -i 's/^LOG_LEVEL=info/LOG_LEVEL=warn/' .env; touch -r /tmp/times .env
touch new; chmod 0644 .env; mkdir -p /var/lib/ops-runbook/shop /home/deploy/.docker
rm -r {STORAGE}/shop-web/_manifests/tags
docker tag {REGISTRY}/acme/proxy:1.26 local/stray:1
docker commit shop-worker-1
""",
    "containers": f"""
docker rm --force shop-worker-1 shop-web-1; docker stop --time 1 shop-db-1
sed -i 's/^GREETING=.*/GREETING=bye/' {PROJECT}/.env
docker run --detach --name stray --label com.docker.compose.project=shop {REGISTRY}/acme/proxy:1.26
docker compose -f {PROJECT}/docker-compose.prod.yml up --detach --no-deps backend
""",
}


def whole(lab: ComposeLab) -> dict[str, Any]:
    """All but which containers they are: a reset makes those anew that differ."""
    found = lab.fingerprint()
    found["containers"] = lab.root("docker ps --all --format '{{.Names}} {{.Image}}' | sort")
    tags = (
        f"find {STORAGE} -path '*/_manifests/*' -printf '%p %m %u\\n' -type f -exec sha256sum {{}} + | sort | sha256sum"
    )
    return {**found, "tags": lab.root(tags)}


def first(lab: ComposeLab) -> None:
    lab.reset()


def kept(lab: ComposeLab) -> None:
    # The one in the middle does not run, and has no tag: an engine that prunes takes it for waste.
    lab.at("good", "good2", "unlabelled")


@pytest.mark.parametrize("dirt", DIRT)
@pytest.mark.parametrize("bring", [first, kept])
def test_a_reset_takes_everything_back(lab: ComposeLab, bring: Callable[[ComposeLab], None], dirt: str) -> None:
    bring(lab)
    before = whole(lab)
    lab.root(DIRT[dirt])
    assert whole(lab) != before
    bring(lab)
    assert whole(lab) == before
    assert lab.sql("select count(*), sum(amount) from orders") == "3|1000"
