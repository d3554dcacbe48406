"""A host whose uploads lie on a data volume behind a link: no procedure loses sight of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import APP, OWN, Lab

VOLUME = "/mnt/data/storage"


@pytest.fixture
def volume() -> Iterator[Lab]:
    """storage is a link to a data volume, and an upload lies there."""
    host = Lab(OWN)
    host.at("v1.0.0")
    host.root(
        f"rm -rf /mnt/data; mkdir -p /mnt/data && mv {APP}/storage {VOLUME} && ln -s {VOLUME} {APP}/storage && "
        f"chown -h deploy:deploy {APP}/storage && chown deploy: /mnt/data"
    )
    host.deploy(f"mkdir -p {VOLUME}/app/public && echo photo > {VOLUME}/app/public/a.jpg")
    host.deploy(f"ln -sfn {APP}/storage/app/public {APP}/public/storage")
    yield host
    host.root("rm -rf /mnt/data /etc/app.env")


def photo(lab: Lab) -> str:
    return lab.root("curl -s http://127.0.0.1/storage/a.jpg")


def test_a_checkout_in_place_is_deployed_and_rolled_back_around_the_link(volume: Lab) -> None:
    run = volume.play("laravel_deploy", to="v1.1.0", discard_local_changes=True)
    assert run.green, run.text
    assert (volume.root(f"readlink {APP}/storage"), photo(volume)) == (VOLUME, "photo")
    run = volume.play("laravel_rollback")
    assert run.green, run.text
    assert (volume.root(f"readlink {APP}/storage"), photo(volume)) == (VOLUME, "photo")
    assert volume.version() == "1.0.0"


def test_a_link_is_shared_as_a_link_and_put_back_as_it_was(volume: Lab) -> None:
    checked = volume.play("laravel_convert", "--check")
    assert f"share storage as the link to {VOLUME} that it is" in checked.text
    assert volume.play("laravel_convert").green
    after = Lab(volume.name, "releases")
    assert after.root(f"readlink {APP}/shared/storage") == VOLUME
    assert photo(after) == "photo"
    run = after.play("laravel_deploy", to="v1.1.0")
    assert run.green, run.text
    assert after.root(f"readlink -f {APP}/current/storage") == VOLUME
    assert photo(after) == "photo"
    # What the new release writes lies on the volume.
    after.deploy(f"echo new > {APP}/current/storage/app/public/b.jpg")
    assert after.root(f"cat {VOLUME}/app/public/b.jpg") == "new"
    run = after.play("laravel_convert", state="in_place")
    assert run.green, run.text
    assert volume.root(f"readlink {APP}/storage") == VOLUME
    assert (volume.version(), photo(volume)) == ("1.1.0", "photo")


def test_a_conversion_that_goes_back_leaves_the_link(volume: Lab) -> None:
    checks = [{"url": "http://127.0.0.1/api/v1/health", "contains": "releases/"}]
    run = volume.play("laravel_convert", laravel_health=checks, laravel_health_deadline=1)
    assert not run.green
    assert volume.root(f"readlink {APP}/storage; test ! -e {APP}/current && echo none") == f"{VOLUME}\nnone"
    assert photo(volume) == "photo"


def test_settings_behind_a_link_stay_the_settings(volume: Lab) -> None:
    volume.root(f"mv {APP}/.env /etc/app.env && ln -s /etc/app.env {APP}/.env && chown -h deploy: {APP}/.env")
    assert volume.play("laravel_convert").green
    after = Lab(volume.name, "releases")
    assert after.root(f"readlink {APP}/shared/.env") == "/etc/app.env"
    assert after.version() == "1.0.0"
    assert after.play("laravel_convert", state="in_place").green
    assert volume.root(f"readlink {APP}/.env") == "/etc/app.env"
    assert volume.version() == "1.0.0"


def test_a_public_folder_behind_a_link_is_not_taken_for_ours(volume: Lab) -> None:
    volume.deploy(f"cd {APP} && mv public public_html && ln -s public_html public")
    run = volume.play("laravel_convert")
    assert not run.green
    assert "face_is_link" in run.text
    assert volume.version() == "1.0.0"
