"""These tests need a Docker engine; without one they are skipped, and say so."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import stand as stands  # noqa: E402

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    if not stands.engine_answers():
        pytest.skip("no Docker engine answers")


@pytest.fixture(scope="session")
def demo_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For the tests of one file, which one worker runs: it makes them, and removes them when it has done."""
    client = stands.clients()[0]
    versions = ("1", "2", "3", "4", "crash", "worker")
    for version in versions:
        stands.demo_image(tmp_path_factory.mktemp("demo"), version)
    yield
    for version in versions:
        subprocess.run([client, "image", "rm", f"local/demo:{version}"], capture_output=True)


@pytest.fixture(scope="session")
def service_images() -> None:
    """The database servers behind the plugins mysql and redis, made once for a machine."""
    client, made = stands.clients()[0], "ops-runbook/dokku-services:trixie"
    subprocess.run([client, "image", "build", "--tag", made, str(stands.HERE / "service_image")], check=True)
    for name in ("mysql:9.7.0", "redis:8.8.0"):
        # One of the real images, pulled by somebody, is left as it is.
        if subprocess.run([client, "image", "inspect", name], capture_output=True).returncode:
            subprocess.run([client, "image", "tag", made, name], check=True)


@pytest.fixture(scope="session", params=["buildkit", "legacy"])
def builder(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def client(builder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    found = stands.client_for(builder, tmp_path_factory.mktemp("probe"))
    if found is None:
        pytest.skip(f"no client of this machine builds with {builder}")
    return found


@pytest.fixture
def dokku(builder: str, client: str, tmp_path: Path) -> Iterator[stands.Stand]:
    made = stands.Stand(tmp_path / "server", client, builder)
    yield made
    made.remove()


@pytest.fixture
def app(dokku: stands.Stand, tmp_path: Path) -> str:
    """An app of a name of its own, since all share one engine."""
    return dokku.create(f"rel{abs(hash(str(tmp_path))) % 10**6}-{next(NUMBERS)}")
