"""The hosts of this scenario, and CI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ssh_keys_lab import World
from ssh_keys_lab import world as make_world


@pytest.fixture(scope="session")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture
def world(lasting: World) -> World:
    for path in lasting.kept():
        path.unlink()
    lasting.reset()
    return lasting
