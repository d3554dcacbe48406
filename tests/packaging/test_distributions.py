"""The shipped files are complete, and work in an empty folder, far from the checkout."""

from __future__ import annotations

import json
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from installation import INSTALLED, Installation

PARTS = ("meta", "playbooks", "plugins", "roles")
COMMAND = "ops_runbook"
DOCUMENTS = {"CHANGELOG.rst", "CONTRIBUTING.md", "LICENSE", "README.md"}


def known_to_git(checkout: Path, *paths: str) -> set[str]:
    """Files of the working tree that are tracked or would be with the next `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listed.stdout.split("\0") if name and (checkout / name).is_file()}


def files_of_tar(path: Path) -> set[str]:
    with tarfile.open(path) as archive:
        return {member.name.removeprefix("./") for member in archive if not member.isdir()}


def files_below(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_tarball_holds_the_parts_and_the_documents(checkout: Path, tarball: Path) -> None:
    expected = known_to_git(checkout, *PARTS, *DOCUMENTS, "docs", "changelogs")
    assert files_of_tar(tarball) - {"MANIFEST.json", "FILES.json"} == expected


def test_the_wheel_holds_the_parts_below_the_namespace(checkout: Path, wheel: Path) -> None:
    expected = known_to_git(checkout, *PARTS, "LICENSE", "README.md", "galaxy.yml")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {str(INSTALLED / name) for name in expected} | known_to_git(checkout, COMMAND)


def test_the_sdist_holds_what_the_wheel_is_built_from(checkout: Path, sdist: Path) -> None:
    names = {name.split("/", 1)[1] for name in files_of_tar(sdist)}
    expected = known_to_git(checkout, *PARTS, *DOCUMENTS, COMMAND, "galaxy.yml", "docs", "pyproject.toml", ".gitignore")
    assert names == expected | {"PKG-INFO"}


def test_one_version_everywhere(checkout: Path, tarball: Path, wheel: Path) -> None:
    galaxy = yaml.safe_load((checkout / "galaxy.yml").read_text())
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    assert galaxy["version"] == project["version"]
    assert tarball.name == f"ops-runbook-{galaxy['version']}.tar.gz"
    assert wheel.name == f"ops_runbook-{project['version']}-py3-none-any.whl"


def test_one_range_of_ansible_everywhere(checkout: Path) -> None:
    runtime = yaml.safe_load((checkout / "meta/runtime.yml").read_text())
    requirement = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["dependencies"][0]
    name, wanted = requirement[:12], requirement[12:]
    assert name == "ansible-core"
    assert wanted.split(",") == [part.removesuffix(".0") for part in runtime["requires_ansible"].split(",")]


def test_installed_from_galaxy_nothing_is_missing(tarball: Path, from_galaxy: Installation) -> None:
    assert files_below(from_galaxy.collection) == files_of_tar(tarball)


def test_without_the_collection_its_procedures_are_unknown(without_collection: Installation) -> None:
    ran = without_collection.playbook("ops.runbook.data_safety_check", "--list-tasks")
    assert ran.returncode != 0
    assert "ops.runbook.data_safety_check could not be found" in " ".join((ran.stdout + ran.stderr).split())


@pytest.fixture(params=["from_galaxy", "from_wheel"])
def installation(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.getfixturevalue(request.param)
    return found


def test_every_procedure_loads_by_its_full_name(checkout: Path, installation: Installation) -> None:
    names = sorted(path.stem for path in checkout.glob("playbooks/*.yml") if path.stem != "operate")
    ran = installation.playbook("--syntax-check", *(f"ops.runbook.{name}" for name in names))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("playbook: ") == len(names)


def test_the_guard_refuses_what_is_not_there(installation: Installation, tmp_path: Path) -> None:
    """A refusal needs the roles, the action, the module and the rules of the collection, but no service."""
    inventory = tmp_path / "hosts.yml"
    here = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "laravel_service": "shop",
        "laravel_path": str(tmp_path / "nothing"),
        "operation_state_dir": str(tmp_path / "state"),
    }
    inventory.write_text(json.dumps({"laravel": {"hosts": {"here": here}}}))
    ran = installation.playbook("ops.runbook.laravel_rollback", "-i", str(inventory))
    assert ran.returncode != 0
    assert "REFUSED on here (no_such_path)" in ran.stdout + ran.stderr, ran.stdout + ran.stderr
    (record,) = map(json.loads, (tmp_path / "state/ledger.jsonl").read_text().splitlines())
    assert (record["service"], record["procedure"], record["outcome"]) == ("shop", "rollback", "refused")


@pytest.fixture
def clean_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "composer.json").write_text(json.dumps({"scripts": {"deploy": "@php artisan migrate --force"}}, indent=2))
    return folder


@pytest.fixture
def destructive_folder(clean_folder: Path) -> Path:
    scripts = {"scripts": {"post-install-cmd": ["@php artisan migrate:fresh --force"]}}
    (clean_folder / "composer.json").write_text(json.dumps(scripts, indent=2))
    return clean_folder


def test_a_procedure_is_green_where_all_is_well(installation: Installation, clean_folder: Path) -> None:
    ran = installation.playbook("ops.runbook.data_safety_check", "-e", f"path={clean_folder}")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_procedure_fails_and_says_where(installation: Installation, destructive_folder: Path) -> None:
    ran = installation.playbook("ops.runbook.data_safety_check", "-e", f"path={destructive_folder}")
    assert ran.returncode != 0
    assert "composer.json:4" in ran.stdout, ran.stdout + ran.stderr
    assert "migrate:fresh" in ran.stdout


def test_the_wheel_brings_the_command(from_wheel: Installation) -> None:
    """It finds the collection beside itself, far from the checkout."""
    command = from_wheel.python.parent / "ops-runbook"
    listed = subprocess.run(
        [command, "list", "--json"], cwd=from_wheel.home, env=from_wheel.env, check=True, capture_output=True, text=True
    )
    names = {procedure["name"] for procedure in json.loads(listed.stdout)}
    assert names == {path.stem for path in (from_wheel.collection / "playbooks").glob("*.yml")} - {"operate"}
