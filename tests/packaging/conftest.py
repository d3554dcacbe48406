"""The three ways to have the collection without its checkout: a Galaxy tarball, a wheel, and no way at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from installation import INSTALLED, Installation, bare_environment, call, fresh_python, installed_wheel


@pytest.fixture(scope="session")
def tarball(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Galaxy tarball of this working tree."""
    folder = tmp_path_factory.mktemp("galaxy")
    call(sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", folder, cwd=checkout)
    (built,) = folder.glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def distributions(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist of this working tree, and with the wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp("pypi")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, checkout, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def sdist(distributions: Path) -> Path:
    (built,) = distributions.glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    (built,) = distributions.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def without_collection(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A Python with Ansible and without the collection."""
    home = tmp_path_factory.mktemp("bare")
    return Installation(fresh_python(home / "venv"), home, home / "none", bare_environment(home))


@pytest.fixture(scope="session")
def from_galaxy(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The tarball installed into a folder of collections."""
    home = tmp_path_factory.mktemp("from_galaxy")
    python, collections = fresh_python(home / "venv"), home / "collections"
    env = {**bare_environment(home), "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    install = ("galaxy", "collection", "install", "--offline", "--no-deps", "--collections-path", str(collections))
    call(python, "-m", "ansible", *install, tarball, cwd=home, env=env)
    return Installation(python, home, collections / INSTALLED, env)


@pytest.fixture(scope="session")
def from_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel installed into a virtual environment."""
    return installed_wheel(wheel, tmp_path_factory.mktemp("from_wheel"))
