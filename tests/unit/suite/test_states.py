"""A state that hosts begin a test with is made by one of them, and copied by the others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import states


class Hosts:
    """Hosts with their folders of states. made: the hosts on which a state was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.have: set[str] = set()
        self.made: list[str] = []
        monkeypatch.setattr(states, "_copied", self.copied)

    def copied(self, owner: str, host: str, folder: str) -> bool:
        found = owner in self.have
        self.have |= {host} if found else set()
        return found

    def need(self, record: Path, host: str, run: str = "one") -> bool:
        def make() -> None:
            self.made.append(host)
            self.have.add(host)

        return states.once(record, host, "/srv/lab/state", make, run)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(monkeypatch)


def test_the_second_host_copies_the_state_of_the_first(hosts: Hosts, tmp_path: Path) -> None:
    assert [hosts.need(tmp_path / "states/a", host) for host in ("h1", "h2", "h3")] == [False, True, True]
    assert hosts.made == ["h1"]


def test_another_run_of_tests_makes_its_own(hosts: Hosts, tmp_path: Path) -> None:
    """Procedures have changed since."""
    assert not hosts.need(tmp_path / "a", "h1")
    assert not hosts.need(tmp_path / "a", "h2", run="another")
    assert hosts.made == ["h1", "h2"]


def test_a_state_that_its_host_has_no_longer_is_made_again(hosts: Hosts, tmp_path: Path) -> None:
    hosts.need(tmp_path / "a", "h1")
    hosts.have.clear()
    assert not hosts.need(tmp_path / "a", "h1")
    hosts.have.clear()
    assert not hosts.need(tmp_path / "a", "h2") and hosts.need(tmp_path / "a", "h1")
    assert hosts.made == ["h1", "h1", "h2"]


def test_a_host_that_can_not_make_it_leaves_it_to_the_next(hosts: Hosts, tmp_path: Path) -> None:
    def fails() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        states.once(tmp_path / "a", "h1", "/srv/lab/state", fails, "one")
    assert not hosts.need(tmp_path / "a", "h2")


def test_hosts_that_need_it_at_once_wait_for_the_one_that_makes_it(hosts: Hosts, tmp_path: Path) -> None:
    together = threading.Barrier(3)

    def need(host: str) -> bool:
        together.wait()
        return hosts.need(tmp_path / "a", host)

    with ThreadPoolExecutor(max_workers=3) as pool:
        assert sorted(pool.map(need, ("h1", "h2", "h3"))) == [False, True, True]
    assert len(hosts.made) == 1
