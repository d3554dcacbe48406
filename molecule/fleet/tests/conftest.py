"""The hosts of this scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab import HOSTS, Lab


def at_once(hosts: Sequence[Lab], act: Callable[[Lab], object]) -> None:
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        list(pool.map(act, hosts))


@pytest.fixture(scope="session")
def hosts() -> Iterator[list[Lab]]:
    hosts = [Lab(name) for name in HOSTS]
    at_once(hosts, lambda host: host.root("rm -rf /srv/lab/state-*"))
    yield hosts
    at_once(hosts, lambda host: (host.root("rm -rf /srv/lab/state-*"), host.reset()))


def deployed(hosts: list[Lab]) -> list[Lab]:
    at_once(hosts, lambda host: host.at("v1.0.0", "v1.1.0"))
    return hosts


@pytest.fixture
def fleet(hosts: list[Lab]) -> list[Lab]:
    """All of them at v1.1.0, deployed after v1.0.0."""
    return deployed(hosts)


@pytest.fixture(scope="module")
def fleet_of_file(hosts: list[Lab]) -> list[Lab]:
    """The same, once for all tests of a file."""
    return deployed(hosts)
