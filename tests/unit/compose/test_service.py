# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose service on a host: its files, its pins, its containers. `docker` is a script that says what it is told."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose import env_file
from ansible_collections.ops.runbook.plugins.module_utils.compose.health import problem_of
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations import alembic_probe
from ansible_collections.ops.runbook.plugins.module_utils.compose.options import SERVICE
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import files as compose_pins
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import (
    ComposeService,
    Container,
    Description,
    describe,
)
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import Engine
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference, parse
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

BACKEND = "registry.example.com/acme/backend"
NEW = f"{BACKEND}:0.2.0@sha256:{'b' * 64}"
TEXT = f"""\
# The shop. password: in .env
services:
  backend:
    image: "{BACKEND}:0.1.0"   # pinned
    environment: {{KEY: "${{KEY}}"}}
  web:
    image: nginx
"""

#: Reads the last file that it is given, as far as images go.
DOCKER = """\
#!/usr/bin/env python3
import json, os, re, sys
words = sys.argv[1:]
if words[:3] == ["compose", "version", "--short"]:
    print(os.environ.get("COMPOSE_VERSION", "2.26.1"))
    sys.exit(0 if os.environ.get("COMPOSE_VERSION") != "none" else 1)
services = {}
for place, word in enumerate(words):
    if word == "-f":
        name = None
        for line in open(words[place + 1], encoding="utf-8"):
            found = re.match(r'  "?(\\w+)"?:$', line)
            name = found[1] if found else name
            found = re.match(r'    (image|build): *"?([^"\\s]+)', line)
            if found:
                services.setdefault(name, {})[found[1]] = found[2]
            if "invalid" in line:
                sys.exit("yaml: the file is not valid, KEY=hunter2-the-secret")
services["backend"] = {**services.get("backend", {}), "environment": {"API_KEY": "hunter2-the-secret"}}
print(json.dumps({"name": "shop", "services": services}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "shop"
    found.mkdir()
    (found / "compose.yaml").write_text(TEXT)
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    return found


class Answering(Engine):
    """An engine that is there, and has nothing."""

    def request(self, method: str, path: str, headers: Any = None, timeout: Any = None) -> Any:
        return [] if path.startswith("/containers") else {}


def service(folder: Path, **more: Any) -> ComposeService:
    given = {"images": {"backend": BACKEND}, **more}
    description = Description("shop", str(folder), docker=(str(folder.parent / "docker"),), **given)
    return ComposeService(description, str(folder.parent / "state"), engine=Answering())


# -- description ---------------------------------------------------------------------------------


def test_every_key_of_the_option_is_read() -> None:
    options = SERVICE["service"]["options"]
    raw = {name: option.get("default") for name, option in options.items()}
    raw |= {"name": "shop", "project_dir": "/srv/shop/", "images": {"backend": BACKEND}}
    found = describe(raw)
    assert found == Description("shop", "/srv/shop", {"backend": BACKEND})
    assert set(vars(found)) == set(options)


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "env", "files", "expected"),
    [
        (["compose.yaml"], "", (), ["compose.yaml"]),
        (
            ["docker-compose.yml", "docker-compose.override.yml"],
            "",
            (),
            ["docker-compose.yml", "docker-compose.override.yml"],
        ),
        (["compose.yaml", "docker-compose.yml"], "", (), ["compose.yaml"]),
        (["a.yml", "b.yml"], "COMPOSE_FILE=a.yml:b.yml\n", (), ["a.yml", "b.yml"]),
        (["a.yml"], "COMPOSE_FILE=a.yml:docker-compose.pin.yml\n", (), ["a.yml"]),
        (["a.yml"], "COMPOSE_FILE=x.yml\n", ("a.yml",), ["a.yml"]),
        (["a.yml", "b.yml"], "COMPOSE_PATH_SEPARATOR=;\nCOMPOSE_FILE=a.yml;b.yml\n", (), ["a.yml", "b.yml"]),
        ([], "", (), []),
    ],
)
def test_the_files_are_those_that_compose_reads(
    tmp_path: Path, there: list[str], env: str, files: tuple[str, ...], expected: list[str]
) -> None:
    for name in there:
        (tmp_path / name).write_text("services: {}\n")
    (tmp_path / ".env").write_text(env)
    assert service(tmp_path, files=files).files() == expected


def test_the_file_of_the_pins_comes_last(folder: Path) -> None:
    (folder / "docker-compose.pin.yml").write_text("services: {}\n")
    names = [Path(path).name for path in service(folder, pin="override").all_files()]
    assert names == ["compose.yaml", "docker-compose.pin.yml"]
    assert [Path(path).name for path in service(folder).all_files()] == ["compose.yaml"]


# -- preconditions -------------------------------------------------------------------------------

REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "another folder": ({"project_dir": "/nowhere"}, "no_such_path", "/nowhere"),
    "a file that is not there": ({"files": ("prod.yml",)}, "no_compose_file", "prod.yml"),
    "a service that is not there": ({"images": {"worker": "acme/worker"}}, "images_wrong", "no service worker"),
    "another repository": ({"images": {"backend": "acme/other"}}, "images_wrong", "acme/other"),
    "a repository with a tag": ({"images": {"backend": f"{BACKEND}:1"}}, "images_wrong", "has a tag"),
    "no repository": ({"images": {"backend": "A B"}}, "images_wrong", "is not an image reference"),
    "no images": ({"images": {}}, "images_wrong", "names no service"),
    "migrations of another service": ({"migration_service": "web"}, "images_wrong", "web"),
    "no docker": ({"docker": ("/nowhere/docker",)}, "docker_missing", "/nowhere/docker"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_wrong_description_is_refused(folder: Path, name: str) -> None:
    more, code, says = REFUSALS[name]
    description = {
        "images": {"backend": BACKEND},
        "docker": (str(folder.parent / "docker"),),
        "project_dir": str(folder),
    }
    found = ComposeService(Description("shop", **{**description, **more}), "/state", engine=Answering())  # type: ignore[arg-type]
    with pytest.raises(Problem) as raised:
        found.must_be_operable()
    assert raised.value.code == code
    assert says in raised.value.text
    assert raised.value.ways


@pytest.mark.parametrize("version", ["1.29.2", "2.16.0", "none"])
def test_an_old_compose_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("COMPOSE_VERSION", version)
    with pytest.raises(Problem) as raised:
        service(folder).must_be_operable()
    assert raised.value.code == "compose_too_old"


def test_a_service_that_is_built_is_refused(folder: Path) -> None:
    (folder / "compose.yaml").write_text(TEXT.replace(f'image: "{BACKEND}:0.1.0"', "build: ."))
    with pytest.raises(Problem) as raised:
        service(folder).must_be_operable()
    assert raised.value.code == "service_is_built"


def test_an_engine_that_is_down_is_refused(folder: Path) -> None:
    found = service(folder)
    found.engine = Engine(f"unix://{folder}/none")
    with pytest.raises(Problem) as raised:
        found.must_be_operable()
    assert raised.value.code == "engine_down"


def test_an_invalid_file_is_refused_without_its_secrets(folder: Path) -> None:
    (folder / ".env").write_text("API_KEY=hunter2-the-secret\n")
    (folder / "compose.yaml").write_text(TEXT + "invalid\n")
    with pytest.raises(Problem) as raised:
        service(folder).must_be_operable()
    assert raised.value.code == "compose_invalid"
    assert "hunter2" not in raised.value.text


def test_secrets_in_a_containers_environment_are_masked(folder: Path) -> None:
    assert service(folder).redact("it said hunter2-the-secret") == "it said ********"


# -- pins ----------------------------------------------------------------------------------------


def pinned(found: ComposeService) -> compose_pins.Pins:
    return compose_pins.prepare(found, found.config(), {"backend": parse(NEW)})


def test_the_pin_changes_the_image_and_no_other_byte(folder: Path) -> None:
    found = service(folder)
    pins = pinned(found)
    assert (folder / "compose.yaml").read_text() == TEXT, "a plan writes nothing"
    compose_pins.write(found, {"backend": NEW}, pins.to_dict(), str(folder / "kept"))
    assert (folder / "compose.yaml").read_text() == TEXT.replace(f"{BACKEND}:0.1.0", NEW)


def test_mode_and_link_stay_as_they_were(folder: Path) -> None:
    (folder / "compose.yaml").rename(folder / "real.yaml")
    (folder / "compose.yaml").symlink_to("real.yaml")
    (folder / "real.yaml").chmod(0o640)
    found = service(folder)
    compose_pins.write(found, {"backend": NEW}, pinned(found).to_dict(), str(folder / "kept"))
    assert (folder / "compose.yaml").is_symlink()
    assert stat.S_IMODE((folder / "real.yaml").stat().st_mode) == 0o640
    assert NEW in (folder / "real.yaml").read_text()


@pytest.mark.parametrize("pin", ["file", "override"])
def test_it_is_put_back_byte_for_byte_and_may_be_done_again(folder: Path, pin: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = service(folder, pin=pin)
    pins, kept = pinned(found).to_dict(), str(folder.parent / "kept")
    for _ in range(2):
        compose_pins.write(found, {"backend": NEW}, pins, kept)
    assert found.config()["services"]["backend"]["image"] == NEW
    for _ in range(2):
        compose_pins.put_back(found, pins, kept)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_override_leaves_the_compose_file_alone(folder: Path) -> None:
    found = service(folder, pin="override")
    pins = pinned(found)
    compose_pins.write(found, {"backend": NEW}, pins.to_dict(), str(folder / "kept"))
    assert (folder / "compose.yaml").read_text() == TEXT
    assert "COMPOSE_FILE=compose.yaml:docker-compose.pin.yml" in (folder / "docker-compose.pin.yml").read_text()
    assert "by hand does not read" in pins.warnings[0]
    (folder / ".env").write_text("COMPOSE_FILE=compose.yaml:docker-compose.pin.yml\n")
    assert pinned(service(folder, pin="override")).warnings == ()


def test_the_pins_go_to_the_file_that_the_inventory_names(folder: Path) -> None:
    found = service(folder, pin="override", pin_file="pins.yml")
    compose_pins.write(found, {"backend": NEW}, pinned(found).to_dict(), str(folder / "kept"))
    assert "COMPOSE_FILE=compose.yaml:pins.yml" in (folder / "pins.yml").read_text()
    assert [Path(path).name for path in found.all_files()] == ["compose.yaml", "pins.yml"]
    assert not (folder / "docker-compose.pin.yml").exists()


def test_a_file_that_was_changed_meanwhile_is_left_alone(folder: Path) -> None:
    found = service(folder)
    pins = pinned(found).to_dict()
    (folder / "compose.yaml").write_text(TEXT + "# somebody\n")
    with pytest.raises(CommandFailed, match="was changed since the plan"):
        compose_pins.write(found, {"backend": NEW}, pins, str(folder / "kept"))
    # It was never written, so there is nothing to put back, and nothing that would stop the way back.
    compose_pins.put_back(found, pins, str(folder / "kept"))
    assert (folder / "compose.yaml").read_text() == TEXT + "# somebody\n"


def test_an_image_made_of_a_variable_is_refused_with_the_other_way(folder: Path) -> None:
    (folder / "compose.yaml").write_text(TEXT.replace(":0.1.0", ":${TAG:-0.1.0}"))
    with pytest.raises(Problem) as raised:
        pinned(service(folder))
    assert raised.value.ways[0][0] == "compose_pin=override"


def test_a_pin_that_changes_more_than_images_is_refused(folder: Path) -> None:
    found = service(folder)
    config = json.loads(json.dumps(found.config()))
    config["services"]["web"]["image"] = "other"
    with pytest.raises(Problem) as raised:
        compose_pins.prepare(found, config, {"backend": parse(NEW)})
    assert raised.value.code == "pin_differs"


# -- containers ----------------------------------------------------------------------------------

WANTED = Reference("acme/app", "1", "sha256:" + "a" * 64)


def test_alembic_is_told_which_configuration_to_take(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both the command that migrates and the probe that looks afterwards."""
    programs: list[str] = []

    def run(_service: Any, _image: Any, _argv: Any, _purpose: str, program: str, _timeout: float) -> Any:
        programs.append(program)
        return SimpleNamespace(stdout="", stderr="", code=1)

    monkeypatch.setattr(alembic_probe, "run", run)
    for config, words in (("db/alembic.ini", '["alembic", "-c", "db/alembic.ini", "upgrade", "head"]'), ("", None)):
        with pytest.raises(alembic_probe.ProbeFailed):
            alembic_probe.migrate(service(folder, alembic_config=config), parse(NEW), ["upgrade", "head"])
        assert (words or '["alembic", "upgrade", "head"]') in programs[-1]
        assert f'"config": "{config}"' in programs[-1]


def container(**more: Any) -> Container:
    given = {
        "id": "1",
        "name": "shop-backend-1",
        "service": "backend",
        "state": "running",
        "health": "healthy",
        "exit_code": 0,
        "restarts": 0,
        "oom_killed": False,
        "started": "",
        "image": "sha256:ffff",
        "reference": "acme/app:1",
        "digests": (WANTED.by_digest,),
    }
    return Container(**{**given, **more})


CONTAINERS: dict[str, tuple[Container, Reference | None, float | None, str]] = {
    "well": (container(), WANTED, 1.0, ""),
    "without a check, for a while": (container(health=""), WANTED, 5.0, ""),
    "without a check, just started": (container(health="", restarts=3), WANTED, 1.0, "for 1.0 s only, with 3 restarts"),
    "another digest": (container(digests=("acme/app@sha256:" + "b" * 64,)), WANTED, 5.0, "and not sha256:aaaaaaaaaaaa"),
    "built on the host": (container(digests=()), WANTED, 5.0, "runs sha256:ffff"),
    "not one of the pinned": (container(digests=()), None, 5.0, ""),
    "unhealthy": (container(health="unhealthy"), None, 5.0, "is unhealthy"),
    "still starting": (container(health="starting"), None, 5.0, "is starting"),
    "crashing": (container(state="restarting", exit_code=1, restarts=4), WANTED, 0.0, "exit code 1, 4 restarts"),
    "killed": (container(state="exited", exit_code=137, oom_killed=True), WANTED, 0.0, "OOM"),
    "had one thing to do": (container(state="exited", restart_policy="no"), None, 0.0, ""),
    "ended, and should not": (container(state="exited", restart_policy="always"), None, 0.0, "is exited"),
    "a pinned service that ended": (container(state="exited", restart_policy="no"), WANTED, 0.0, "is exited"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_faults_of_a_container_are_named(name: str) -> None:
    found, wanted, seconds_up, expected = CONTAINERS[name]
    problem = problem_of(found, wanted, seconds_up, 3.0)
    assert expected in problem
    assert bool(problem) is bool(expected)


@pytest.mark.parametrize("value", ["it's-$5-whole", "lines$\nand-lines", "back\\slash-$\\"])
def test_a_secret_is_masked_however_it_is_written(folder: Path, value: str) -> None:
    for quote in ("", "'", '"'):
        (folder / ".env").write_text(f"API_SECRET={env_file.written(value, quote)}\n")
        assert service(folder).redact(f"it said {value}!") == "it said ********!"
