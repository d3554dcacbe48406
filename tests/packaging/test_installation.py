"""Uses of an installed collection besides running it: look at it, install it again, take it away."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from installation import INSTALLED, Installation, bare_environment, call, fresh_python


@pytest.fixture(params=["from_galaxy", "from_wheel"])
def installation(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.getfixturevalue(request.param)
    return found


def test_a_rollback_lists_the_plays_of_the_guard(installation: Installation) -> None:
    ran = installation.playbook("ops.runbook.laravel_rollback", "--list-tasks")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    plays = [line.split(": ", 1)[1].split("\t")[0] for line in ran.stdout.splitlines() if " play #" in line]
    assert plays[-3:] == ["Open and plan", "Apply and verify", "Close"]
    assert str(installation.collection) in ran.stdout


def test_a_run_leaves_nothing_in_the_folder_it_was_started_in(installation: Installation) -> None:
    installation.playbook("ops.runbook.laravel_rollback", "--list-tasks")
    assert list((installation.home / "empty").iterdir()) == []


def test_ansible_galaxy_lists_its_version(checkout: Path, installation: Installation) -> None:
    listed = call(
        installation.python,
        *("-m", "ansible", "galaxy", "collection", "list", "ops.runbook", "--format", "yaml"),
        cwd=installation.home,
        env=installation.env,
    )
    (found,) = yaml.safe_load(listed).values()
    version = yaml.safe_load((checkout / "galaxy.yml").read_text())["version"]
    assert found == {"ops.runbook": {"version": version}}


def test_the_tarball_installs_over_itself(tarball: Path, tmp_path: Path) -> None:
    collections = tmp_path / "collections"
    install = ("galaxy", "collection", "install", "--offline", "--force", "--collections-path", str(collections))
    for _ in range(2):
        call(sys.executable, "-m", "ansible", *install, tarball, cwd=tmp_path, env=bare_environment(tmp_path))
        rule = collections / INSTALLED / "plugins/module_utils/guard/ledger.py"
        assert rule.read_text()
        rule.write_text("")
    assert {path.name for path in collections.iterdir()} <= {"ansible_collections"}


def test_the_wheel_leaves_the_namespaces_to_others(wheel: Path) -> None:
    """An `__init__.py` of ours above the collection would be one file of two packages, ours and that of `ansible`."""
    with zipfile.ZipFile(wheel) as archive:
        names = [Path(name) for name in archive.namelist()]
    above = {str(parent) for parent in INSTALLED.parents}
    assert [name for name in names if str(name.parent) in above] == []
    own = {wheel.name[:17] + ".dist-info", "ops_runbook"}
    assert {name.parts[0] for name in names if not name.is_relative_to(INSTALLED)} == own


def test_the_wheel_can_be_taken_away(wheel: Path, tmp_path: Path) -> None:
    python = fresh_python(tmp_path / "venv")
    pip = (sys.executable, "-m", "pip", "--python", python)
    quiet = ("--quiet", "--disable-pip-version-check")
    call(*pip, "install", *quiet, "--no-deps", "--no-index", wheel, cwd=tmp_path)
    (galaxy,) = tmp_path.glob(f"venv/lib/python*/site-packages/{INSTALLED}/galaxy.yml")
    call(*pip, "uninstall", *quiet, "--yes", "ops-runbook", cwd=tmp_path)
    assert [path for path in galaxy.parents[2].rglob("*") if path.is_file()] == []
