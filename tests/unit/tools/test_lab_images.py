"""The lab's images stand on one another: what they share is built once, and a change builds anew what stands on it."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "molecule/images"
NAMES = sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))

_spec = importlib.util.spec_from_file_location("lab_images", ROOT / "molecule/shared/hosts/images.py")
assert _spec is not None and _spec.loader is not None
builder = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(builder)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(IMAGES, tmp_path / "images")
    return tmp_path / "images"


def hashes(folder: Path) -> dict[str, str]:
    return {name: builder.sources(name, "sha256:base", folder) for name in NAMES}


def test_a_host_stands_on_the_base_and_an_engine_where_it_has_one() -> None:
    assert {name: builder.parents(name) for name in NAMES} == {
        "packages": [],
        "base": ["packages"],
        "engine": ["base"],
        "stack": ["packages"],
        "compose": ["engine", "stack"],
        "dokku": ["engine", "packages"],
        "laravel": ["base"],
        "mesh": ["base"],
        "postgres": ["base"],
        "ssh_keys": ["base"],
    }


@pytest.mark.parametrize(
    ("path", "changed"),
    {
        "laravel/build-releases": {"laravel"},
        "stack/shop/web/index.html": {"stack", "compose"},
        "engine/Dockerfile": {"engine", "compose", "dokku"},
        "packages/Dockerfile": {*NAMES},
    }.items(),
)
def test_a_change_builds_anew_what_stands_on_it(copy: Path, path: str, changed: set[str]) -> None:
    before = hashes(copy)
    (copy / path).write_text((copy / path).read_text() + "\n")
    assert {name for name, found in hashes(copy).items() if found != before[name]} == changed


def test_a_mode_is_a_part_of_the_sources(copy: Path) -> None:
    before = hashes(copy)
    (copy / "ssh_keys/host/usr/local/sbin/lab-reset").chmod(0o644)
    assert {name for name, found in hashes(copy).items() if found != before[name]} == {"ssh_keys"}


def test_another_base_builds_everything_anew() -> None:
    assert not {*hashes(IMAGES).values()} & {builder.sources(name, "sha256:other") for name in NAMES}


def test_packages_are_installed_by_one_program() -> None:
    """It has apt's lists at hand; each `apt-get update` of its own would cost a download."""
    for name in NAMES:
        text = (IMAGES / name / "Dockerfile").read_text()
        assert name == "packages" or ("apt-get" not in text and not re.search(r"^FROM debian", text, re.MULTILINE)), (
            name
        )


def test_no_file_is_in_two_images() -> None:
    """A file that two hosts share belongs into the image that both stand on."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in sorted(IMAGES.glob("*/host/**/*")):
        if path.is_file():
            image, inside = path.relative_to(IMAGES).as_posix().split("/host/")
            found[inside, hashlib.sha256(path.read_bytes()).hexdigest()].append(image)
    assert not {inside: images for (inside, _), images in found.items() if len(images) > 1}


def test_every_host_of_an_inventory_has_an_image() -> None:
    files = [*(ROOT / "inventories").glob("*/hosts.yml"), *(ROOT / "inventories").glob("*/group_vars/lab.yml")]
    named = {found for path in files for found in re.findall(r"\blab_image: (\w+)", path.read_text())}
    assert named and named <= {*NAMES}


def test_an_unknown_image_is_refused_by_name() -> None:
    with pytest.raises(SystemExit, match=r"nothing is not an image of the lab; these are: base, compose"):
        builder.main(["nothing"])


def test_create_builds_the_images_that_its_hosts_have() -> None:
    play = yaml.safe_load((ROOT / "molecule/shared/hosts/create.yml").read_text())[0]
    assert play["ansible.builtin.import_playbook"] == "images.yml" and "lab_images" in play["vars"]
