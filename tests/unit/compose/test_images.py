"""The images of a stack: a download proves itself by the digest, and leaves the disk what it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose import images as compose_images
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.docker import engine as docker_engine
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.guard.disk_room import Room
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

MIB = 1024 * 1024
IMAGE = Reference("registry.example.com/acme/backend", "0.2.0", f"sha256:{'b' * 64}")


class Engine:
    """Downloads in three pieces, which the disk pays for."""

    def __init__(self, free: list[int], arrives: bool = True) -> None:
        self.free, self.arrives, self.images = free, arrives, set[str]()

    def root(self) -> str:
        return "/var/lib/docker"

    def image(self, reference: str) -> dict[str, Any] | None:
        return {"Id": "sha256:image"} if reference in self.images else None

    def pull(
        self, repository: str, digest: str, _registry: str, _auth: str, _timeout: float, watch: Callable[[], None]
    ) -> None:
        for _ in range(3):
            watch()
            self.free.pop(0)
        if self.arrives:
            self.images.add(f"{repository}@{digest}")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ImageStore]:
    def made(free: list[int], reserve: int = 1000, arrives: bool = True) -> ImageStore:
        engine = Engine([mib * MIB for mib in free], arrives)
        monkeypatch.setattr(
            compose_images.disk_room,
            "room_in",
            lambda folder, _bytes, _files, kept: Room(folder, 0, 0, engine.free[0], 10**6, kept),
        )
        monkeypatch.setattr(docker_engine, "credentials", lambda *_: ("", ""))
        # Each look is one of its own.
        ticks = iter(range(1000))
        monkeypatch.setattr(compose_images.time, "monotonic", lambda: float(next(ticks)))
        description: Any = SimpleNamespace(
            images={"backend": IMAGE.repository},
            registry_user="",
            registry_host="",
            registry_timeout=5.0,
            command_timeout=60.0,
            disk_reserve=reserve,
        )
        return ImageStore(engine, description, str(tmp_path))  # type: ignore[arg-type]

    return made


def test_a_download_that_leaves_enough_goes_to_its_end(store: Callable[..., ImageStore]) -> None:
    found = store([2000, 1500, 501, 501])
    found.pull(IMAGE)
    assert found.has(IMAGE)


def test_a_download_stops_before_the_database_is_without_a_disk(store: Callable[..., ImageStore]) -> None:
    """Half of what must stay free may be lent for the time of a download, and no more."""
    found = store([2000, 499, 0, 0])
    with pytest.raises(Problem) as caught:
        found.pull(IMAGE)
    assert caught.value.code == "disk_space"
    assert "only 499 MiB were left" in caught.value.text
    assert not found.has(IMAGE)


def test_an_image_that_the_engine_reports_is_checked(store: Callable[..., ImageStore]) -> None:
    with pytest.raises(Problem) as caught:
        store([2000, 2000, 2000, 2000], arrives=False).pull(IMAGE)
    assert caught.value.code == "image_not_proven"


@pytest.mark.parametrize(("free", "enough"), [(1000, True), (999, False)])
def test_room_is_asked_for_before_a_download(store: Callable[..., ImageStore], free: int, enough: bool) -> None:
    found = store([free])
    if enough:
        found.must_have_room(IMAGE.text)
        return
    with pytest.raises(Problem) as caught:
        found.must_have_room(IMAGE.text)
    assert caught.value.code == "disk_space"
    assert "compose_disk_reserve=0" in str(caught.value.ways)


GHCR, HUB, OURS = "ghcr.io/acme/web", "acme/worker", "registry.example.com:5000/acme/backend"


def logged_in(
    monkeypatch: pytest.MonkeyPatch, images: list[str], logins: list[dict[str, str]], **service: str
) -> tuple[dict[str, str], ImageStore]:
    """The user that each registry is asked with; empty for what `docker login` left on the host."""
    monkeypatch.setattr(docker_engine, "credentials", lambda _registry, user, password: (f"{user}:{password}", True))
    description: Any = SimpleNamespace(
        images={str(number): name for number, name in enumerate(images)},
        **{"registry_user": "shop", "registry_host": "", **service},
    )
    store = ImageStore(SimpleNamespace(), description, "", "pw", logins)  # type: ignore[arg-type]
    asked = {Reference(name).registry: store._credentials(Reference(name).registry) for name in images}
    return {registry: said.partition(":")[0] for registry, said in asked.items()}, store


def one(registry: str, username: str) -> dict[str, str]:
    return {"registry": registry, "username": username, "password": f"pw-{username}"}


@pytest.mark.parametrize(
    ("images", "service", "logins", "expected", "warned"),
    [
        ([GHCR], {}, [], {"ghcr.io": "shop"}, ""),
        ([HUB], {}, [], {"docker.io": "shop"}, ""),
        ([GHCR, HUB], {}, [], {"ghcr.io": "shop", "docker.io": ""}, ""),
        # Two private registries: the login goes to the one whose name it has, or each has one of its own.
        (
            [GHCR, OURS],
            {"registry_host": "ghcr.io"},
            [],
            {"ghcr.io": "shop", "registry.example.com:5000": ""},
            "",
        ),
        (
            [GHCR, OURS],
            {"registry_user": ""},
            [one("ghcr.io", "robot"), one("https://registry.example.com:5000/v2/", "ops")],
            {"ghcr.io": "robot", "registry.example.com:5000": "ops"},
            "",
        ),
        ([GHCR, OURS], {}, [one("ghcr.io", "robot")], {"ghcr.io": "robot", "registry.example.com:5000": "shop"}, ""),
        ([GHCR, HUB], {}, [one("index.docker.io", "robot")], {"ghcr.io": "shop", "docker.io": "robot"}, ""),
        # A login that goes nowhere is said.
        ([GHCR, OURS], {}, [], {"ghcr.io": "", "registry.example.com:5000": ""}, "sent to none of ghcr.io, registry."),
        ([GHCR], {"registry_host": "quay.io"}, [], {"ghcr.io": ""}, "is for quay.io, and no image"),
        ([GHCR], {}, [one("ghcr.io", "robot")], {"ghcr.io": "robot"}, "sent to no registry"),
        ([GHCR, OURS], {"registry_user": ""}, [], {"ghcr.io": "", "registry.example.com:5000": ""}, ""),
    ],
)
def test_each_registry_gets_its_own_login(
    monkeypatch: pytest.MonkeyPatch,
    images: list[str],
    service: dict[str, str],
    logins: list[dict[str, str]],
    expected: dict[str, str],
    warned: str,
) -> None:
    found, store = logged_in(monkeypatch, images, logins, **service)
    assert found == expected
    assert warned in store.login_warning and bool(store.login_warning) is bool(warned)


def test_a_registry_with_two_logins_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problem) as caught:
        logged_in(monkeypatch, [GHCR], [one("ghcr.io", "a"), one("GHCR.io", "b")])
    assert caught.value.code == "bad_login"


def test_no_password_of_a_registry_is_in_what_the_engine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    _found, store = logged_in(monkeypatch, [GHCR, OURS], [one("ghcr.io", "canary")])
    assert store._clean("denied for pw-canary") == "denied for ********"
