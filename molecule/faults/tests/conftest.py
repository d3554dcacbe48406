"""One host of the lab for each worker, and the table that a whole green run writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import HOSTS, OWN, ROOT, WORKER, Lab
from laravel_driver import Driver
from module_driver import install
from reliability import Row, write
from stories import IN_PLACE

ROWS: list[Row] = []
#: Tests of this scenario that were left out, by a choice or since they passed before.
LEFT_OUT: set[str] = set()


@contextlib.contextmanager
def alone(*names: str) -> Iterator[None]:
    """Nobody else uses these hosts meanwhile. Taken in one order by all, so that nobody waits in a circle."""
    folder = ROOT / ".cache"
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as held:
        for name in sorted(names):
            handle = held.enter_context((folder / f"lab-{name}.lock").open("w"))
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def prepared(name: str) -> Lab:
    host = Lab(name)
    # systemd refuses a service that was started five times in ten seconds, and each test begins anew.
    host.root("systemctl reset-failed php8.4-fpm", check=False)
    return host


@pytest.fixture(scope="session", autouse=True)
def _fresh() -> Iterator[None]:
    for name in HOSTS if WORKER == "gw0" and "PYTEST_XDIST_WORKER" not in os.environ else [OWN]:
        with alone(name):
            Lab(name).root("rm -rf /srv/lab/state-* /srv/lab/case-*")
    yield
    with alone(OWN):
        Lab(OWN).root("rm -rf /srv/lab/state-* /srv/lab/case-* /opt/ops-runbook")
        prepared(OWN).reset()


@pytest.fixture
def lab() -> Iterator[Lab]:
    """This worker's host."""
    with alone(OWN):
        yield prepared(OWN)


@pytest.fixture
def fleet() -> Iterator[list[Lab]]:
    """All hosts of the lab."""
    with alone(*HOSTS):
        yield [prepared(name) for name in HOSTS]


@pytest.fixture(scope="session")
def _installed() -> None:
    install(Lab(OWN))


@pytest.fixture
def driver(lab: Lab, _installed: None) -> Iterator[Driver]:
    """Modules on this worker's host."""
    with Driver(lab, IN_PLACE) as running:
        yield running


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Adds a row to the table. It is written only if every test of the scenario was green."""
    place = request.session.items.index(request.node)

    def add(section: str, **cells: str) -> None:
        ROWS.append(Row(section=section, order=(place, len(ROWS)), **cells))

    return add


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left alone with one of them at the end."""
    items.sort(key=lambda item: "test_killed_module" not in item.nodeid)


def _is_whole(config: pytest.Config) -> bool:
    """True if this run has all tests of the scenario, and not a choice of them."""
    options = config.option
    here = Path(__file__).parent
    given = {Path(argument) for argument in config.args}
    chosen = {path.name for path in given} >= {path.name for path in here.glob("test_*.py")}
    everything = chosen or any((config.invocation_params.dir / path).resolve() == here for path in given)
    return everything and not LEFT_OUT and not getattr(options, "lf", False)


def pytest_deselected(items: list[pytest.Item]) -> None:
    LEFT_OUT.update(item.nodeid for item in items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """On the controller of the workers: what one of them saw."""
    told = getattr(node, "workeroutput", {})
    LEFT_OUT.update(told.get("left_out", []))
    for raw in told.get("rows", []):
        ROWS.append(Row(**{**raw, "order": tuple(raw["order"])}))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["rows"] = [found.to_dict() for found in ROWS]
        session.config.workeroutput["left_out"] = sorted(LEFT_OUT)
    elif exitstatus == 0 and ROWS and _is_whole(session.config):
        write(ROOT / "docs/proof/reliability.md", ROWS)
