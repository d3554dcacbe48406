"""The mesh of this scenario."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mesh_lab import Mesh


@pytest.fixture(scope="session")
def lasting() -> Iterator[Mesh]:
    mesh = Mesh()
    mesh.bring()
    mesh.app.root("rm -rf /srv/lab/state-*")
    yield mesh
    mesh.app.root("rm -rf /srv/lab/state-*")
    mesh.app.reset()


@pytest.fixture
def mesh(lasting: Mesh) -> Mesh:
    """The mesh whole and idle, and a release behind the host's."""
    lasting.wait_joined()
    lasting.forget()
    lasting.app.at("v1.0.0", "v1.1.0")
    return lasting
