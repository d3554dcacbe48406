"""A checkout works as it is: by path and by full name, with its own ansible.cfg and nothing installed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from installation import INSTALLED, bare_environment, call, cloned

# Each is a file of the collection that would ship what nobody may have, or nothing but weight.
LEFTOVERS = (
    ".ansible/collections/left",
    ".cache/left",
    ".git/config",
    ".hypothesis/left",
    ".lab/id_ed25519",
    ".mypy_cache/left",
    ".pytest_cache/left",
    ".ruff_cache/left",
    ".venv-3.13/bin/left",
    ".venv/bin/left",
    "changelogs/.plugin-cache.yaml",
    "dist/ops_runbook-0.0.1-py3-none-any.whl",
    "ops_runbook-0.0.1.tar.gz",
    "plugins/modules/__pycache__/left.cpython-311.pyc",
    "tests/output/left",
)
PROCEDURES = ("playbooks/{}.yml", "ops.runbook.{}")


@pytest.fixture(scope="session")
def clone(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this working tree that git knows of, elsewhere."""
    return cloned(checkout, tmp_path_factory.mktemp("clone") / "checkout")


def playbook(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", *arguments],
        cwd=clone,
        env=bare_environment(clone.parent),
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("form", PROCEDURES)
def test_every_procedure_loads(clone: Path, form: str) -> None:
    names = sorted(path.stem for path in clone.glob("playbooks/*.yml") if path.stem != "operate")
    ran = playbook(clone, "--syntax-check", *map(form.format, names))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("playbook: ") == len(names)


@pytest.mark.parametrize("form", PROCEDURES)
@pytest.mark.parametrize(("script", "expected"), [("migrate", 0), ("migrate:fresh", 2)])
def test_a_procedure_runs(clone: Path, tmp_path: Path, form: str, script: str, expected: int) -> None:
    scripts = {"scripts": {"post-install-cmd": [f"@php artisan {script} --force"]}}
    (tmp_path / "composer.json").write_text(json.dumps(scripts, indent=2))
    ran = playbook(clone, form.format("data_safety_check"), "-e", f"path={tmp_path}")
    assert ran.returncode == expected, ran.stdout + ran.stderr
    assert ("composer.json:4" in ran.stdout) == bool(expected)


def contents(folder: Path) -> dict[str, str]:
    """Sums of the files in a folder by their path; links to folders are not followed."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def apart_from_collections(folder: Path) -> dict[str, str]:
    return {name: sha for name, sha in contents(folder).items() if not name.startswith("collections/")}


def test_a_galaxy_install_into_a_checkout_spares_it(clone: Path, tarball: Path, tmp_path: Path) -> None:
    """`collections_path = collections` is where ansible-galaxy installs to; what the links lead to must survive it."""
    own = tmp_path / "checkout"
    shutil.copytree(clone, own, symlinks=True)
    before = apart_from_collections(own)
    install = ("galaxy", "collection", "install", "--offline", "--force", "--collections-path", "collections")
    for _ in range(2):
        call(sys.executable, "-m", "ansible", *install, tarball, cwd=own, env=bare_environment(tmp_path))
    assert apart_from_collections(own) == before
    assert (own / "collections" / INSTALLED / "MANIFEST.json").is_file()


@pytest.fixture(scope="session")
def used(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which work was done: environments, caches, the keys of the lab, older builds."""
    folder = tmp_path_factory.mktemp("used") / "checkout"
    shutil.copytree(clone, folder, symlinks=True)
    for name in LEFTOVERS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("left behind\n")
    return folder


def members(archive: Path) -> dict[str, bytes]:
    """The members of an archive, by name; without names that the build adds, its times and the sums of all others."""
    found: dict[str, bytes] = {}
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            found = {name: opened.read(name) for name in opened.namelist()}
    else:
        with tarfile.open(archive) as opened_tar:
            for member in opened_tar:
                data = opened_tar.extractfile(member) if member.isfile() else None
                found[member.name] = data.read() if data else member.linkname.encode()
    return {name: data for name, data in found.items() if not name.endswith(("FILES.json", "MANIFEST.json"))}


def test_leftovers_of_work_are_not_in_the_tarball(used: Path, tarball: Path, tmp_path: Path) -> None:
    build = ("galaxy", "collection", "build", "--output-path", str(tmp_path / "out"))
    call(sys.executable, "-m", "ansible", *build, cwd=used, env=bare_environment(tmp_path))
    (built,) = (tmp_path / "out").iterdir()
    assert members(built) == members(tarball)


def test_leftovers_of_work_are_not_in_the_wheel(used: Path, distributions: Path, tmp_path: Path) -> None:
    """Also one that is built without an sdist, as `pip install .` does."""
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "out"))
    call(*build, "--sdist", "--wheel", used, cwd=tmp_path, env=bare_environment(tmp_path))
    for pattern in ("*.whl", "*.tar.gz"):
        (built,), (known,) = (tmp_path / "out").glob(pattern), distributions.glob(pattern)
        assert members(built) == members(known)
