"""A registry that is away, and tags that somebody moved: a rollback goes by what is on the host, and by digest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from compose_lab import ComposeLab, tag


@pytest.fixture
def down(lab: ComposeLab) -> Iterator[ComposeLab]:
    lab.at("good", "good2")
    lab.root("systemctl stop docker-registry")
    yield lab
    lab.root("systemctl start docker-registry")


@pytest.mark.parametrize("to", ["previous", "sha-c0ffee1"])
def test_rollback_without_a_registry_takes_what_is_on_the_host(down: ComposeLab, to: str) -> None:
    run = down.play("compose_rollback", to=to)
    assert run.green, run.text
    assert (down.version(), down.runs("good")) == ("0.1.0", True)
    assert "not known" in run.text, "whether the tag was moved is not known, and that is said"


def test_rollback_without_a_registry_and_without_the_image_stops_nothing(down: ComposeLab) -> None:
    down.forget("good")
    before = down.fingerprint()
    run = down.play("compose_rollback")
    assert not run.green
    assert "registry_down" in run.text, run.text
    assert down.fingerprint() == before


def test_image_that_is_gone_from_the_host_comes_from_the_registry(lab: ComposeLab) -> None:
    lab.at("good", "good2")
    lab.forget("good")
    run = lab.play("compose_rollback")
    assert run.green, run.text
    assert (lab.version(), lab.runs("good")) == ("0.1.0", True)


def test_moved_tag_is_refused_with_both_digests(lab: ComposeLab) -> None:
    lab.at("good", "good2")
    was = lab.digest("backend", "good")
    lab.move("good", "additive")
    before = lab.fingerprint()
    run = lab.play("compose_rollback")
    assert not run.green
    for text in ("tag_moved", tag("good"), was, lab.digest("backend", "additive")):
        assert text in run.text, run.text
    assert lab.fingerprint() == before
    # The way that the refusal names: by what the release was.
    release = lab.ledger()[0]["to"]["id"]
    assert release in run.text
    again = lab.play("compose_rollback", to=release)
    assert again.green, again.text
    assert lab.version() == "0.1.0"
    assert lab.running()["backend"] == was
