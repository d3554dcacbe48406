"""The host of this scenario."""

from __future__ import annotations

import pytest
from lab import OWN
from postgres_lab import Database


@pytest.fixture
def database() -> Database:
    host = Database(OWN)
    host.reset()
    return host
