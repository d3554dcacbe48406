"""A disk that gets full while images are downloaded: nothing was stopped, and what is not whole is not left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from compose_lab import ComposeLab, tag

DOWNLOADS = "/var/lib/docker/tmp"


@pytest.fixture
def small(lab: ComposeLab) -> Iterator[ComposeLab]:
    """The engine downloads to a real file system of a megabyte."""
    lab.at("good", "good2")
    lab.root(f"mkdir -p {DOWNLOADS}; mount -t tmpfs -o size=1m tmpfs {DOWNLOADS}")
    yield lab
    lab.root(f"umount -l {DOWNLOADS}", check=False)


def test_disk_that_gets_full_at_the_pull(small: ComposeLab) -> None:
    before = small.fingerprint()
    run = small.play("compose_deploy", to=tag("heavy"))
    assert not run.green
    assert "disk_space" in run.text, run.text
    assert "no space left on device" in run.text
    assert small.fingerprint() == before
    assert not small.has_lease()
    small.root(f"umount -l {DOWNLOADS}")
    again = small.play("compose_deploy", to=tag("heavy"))
    assert again.green, again.text
    assert (small.version(), small.runs("heavy")) == ("0.12.0", True)
