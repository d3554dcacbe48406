# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker Compose service on this host: what it is, and the preconditions of every operation on it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import env_file, typed_line
from ansible_collections.ops.runbook.plugins.module_utils.compose.options import Options
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import Engine, EngineUnreachable, default_host
from ansible_collections.ops.runbook.plugins.module_utils.guard.options import described
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, held_path, last_line
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands, Output
from ansible_collections.ops.runbook.plugins.module_utils.host.last_line import LastLine
from ansible_collections.ops.runbook.plugins.module_utils.host.user_name import user_name
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import Redactor, parse_dotenv, secret_values
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json, ways
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: `up --wait-timeout` came with 2.17, and nothing before it is still maintained.
OLDEST_COMPOSE = (2, 17)

#: Files that Compose itself looks for, in its order; an override beside one is read too.
_FOUND = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")

_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"

#: Containers of another compose file of the same project are not this service's to remove, whatever .env says.
_ORPHANS = {"COMPOSE_REMOVE_ORPHANS": "false", "COMPOSE_IGNORE_ORPHANS": "true"}

_SET_DIR = ("compose_project_dir=<folder>", "names the folder of the service")


class Description(Options):
    """The service as the inventory describes it. See the role compose's argument specs for the meaning."""


def describe(raw: Mapping[str, Any]) -> Description:
    """The description in a module's `service` option."""
    return described(Description, {**raw, "project_dir": raw["project_dir"].rstrip("/") or "/"})


@dataclass(frozen=True)
class Container:
    """A container of the service. state: running, restarting, exited, ... health: empty where it has no check.

    digests: those of its image, as `repository@sha256:...`. reference: what it was made from. started: RFC 3339.
    """

    id: str
    name: str
    service: str
    state: str
    health: str
    exit_code: int
    restarts: int
    oom_killed: bool
    started: str
    image: str
    reference: str
    digests: tuple[str, ...]
    restart_policy: str = ""


class ComposeService:
    """The service, and the tools with which an operation reads and changes it."""

    def __init__(
        self, description: Description, state_dir: str, inherited: Sequence[int] = (), engine: Engine | None = None
    ) -> None:
        self.description = description
        self.state_dir = state_dir
        self.engine = engine or Engine(default_host(description.docker[0]))
        self._redactor: Redactor | None = None
        self._hidden: list[str] = []
        self.commands = Commands(
            description.project_dir,
            inherited,
            self.redact,
            description.command_timeout,
            description.data_disposable,
            # Only who holds the guard's lock writes into its folder.
            LastLine(os.path.join(state_dir, last_line.NAME), self.redact) if inherited else None,
        )

    def path(self, name: str) -> str:
        """A file of the service, by its name relative to the folder."""
        return os.path.join(self.description.project_dir, name)

    def settings(self) -> dict[str, str]:
        """Settings of the .env file; empty without a readable one."""
        try:
            text = durable_file.read_bytes(self.path(self.description.env_file)).decode("utf-8", "replace")
        except OSError:
            return {}
        found = parse_dotenv(text)
        # As Compose reads it, where it does; what is made of variables has no value of its own there.
        with contextlib.suppress(env_file.NotRead):
            found.update({item.key: item.literal for item in env_file.parse(text) if item.literal is not None})
        return found

    # -- files -----------------------------------------------------------------------------------

    def files(self) -> list[str]:
        """The compose files that a person's `docker compose` would read, without the file of the pins."""
        named = list(self.description.files)
        if not named:
            listed = os.environ.get("COMPOSE_FILE") or self.settings().get("COMPOSE_FILE", "")
            separator = self.settings().get("COMPOSE_PATH_SEPARATOR") or os.pathsep
            named = [name for name in listed.split(separator) if name]
        if not named:
            found = next((name for name in _FOUND if os.path.isfile(self.path(name))), "")
            stem, extension = os.path.splitext(found)
            named = [found] if found else []
            named += [
                name
                for name in (f"{stem}.override{extension}", f"{stem}.override.yml", f"{stem}.override.yaml")
                if found and os.path.isfile(self.path(name))
            ][:1]
        return [name for name in dict.fromkeys(named) if name != self.description.pin_file]

    def all_files(self) -> list[str]:
        """The compose files of every call, as full paths: the pins come last, and win."""
        names = self.files()
        if self.description.pin == "override" and os.path.isfile(self.path(self.description.pin_file)):
            names.append(self.description.pin_file)
        return [self.path(name) for name in names]

    def hashes(self) -> dict[str, str]:
        """The ledger's hashes of the service's files: their names and SHA-256."""
        found: dict[str, str] = {}
        for path in [*self.all_files(), self.path(self.description.env_file)]:
            with contextlib.suppress(OSError):
                content = durable_file.read_bytes(path)
                if content:
                    found[os.path.relpath(path, self.description.project_dir)] = hashlib.sha256(content).hexdigest()
        return found

    # -- docker compose --------------------------------------------------------------------------

    def compose(
        self,
        *arguments: str,
        files: Sequence[str] | None = None,
        check: bool = True,
        stdin: str | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        tell: bool = False,
    ) -> Output:
        """Run `docker compose` on the service. files: instead of the service's own, as full paths.

        env: variables of the call, which come before what .env says. tell: see Commands.run.
        """
        chosen = [option for path in (files if files is not None else self.all_files()) for option in ("-f", path)]
        argv = [
            *self.description.docker,
            "compose",
            "--ansi=never",
            "--project-directory",
            self.description.project_dir,
        ]
        env_file = self.path(self.description.env_file)
        if self.description.env_file != ".env" and os.path.isfile(env_file):
            argv += ["--env-file", env_file]
        if self.description.project:
            argv += ["-p", self.description.project]
        variables = {**(env or {}), "DOCKER_HOST": self.engine.host, "COMPOSE_MENU": "false", **_ORPHANS}
        return self.commands.run([*argv, *chosen, *arguments], variables, stdin, check, timeout, tell)

    def config(self, files: Sequence[str] | None = None) -> dict[str, Any]:
        """The configuration with everything filled in. It holds secrets: it is read here, and never shown.

        Raises CommandFailed where Compose finds it invalid.
        """
        found = self.compose("config", "--format", "json", files=files, timeout=60.0)
        document: dict[str, Any] = foreign_json.loads(found.stdout)
        return document

    def redact(self, text: str) -> str:
        """A text without the secrets of the service: those in .env, and those that are given to containers."""
        if self._redactor is None:
            # The next file to read may fail, and its error is to be redacted too.
            self._redactor = Redactor([*secret_values(self.settings()), *self._hidden])
            with contextlib.suppress(CommandFailed, ValueError):
                self._forget_secrets_of(self.config())
        return self._redactor(text)

    def hide(self, values: Iterable[str]) -> None:
        """Values that must not come back in any text, whatever the settings say of them."""
        self._hidden += values
        self._redactor = None

    def _forget_secrets_of(self, config: Mapping[str, Any]) -> None:
        values = secret_values(self.settings())
        for service in (config.get("services") or {}).values():
            given = service.get("environment") or {}
            values += secret_values({str(name): str(value) for name, value in given.items() if value is not None})
        self._redactor = Redactor([*values, *self._hidden])

    # -- preconditions ---------------------------------------------------------------------------

    def must_be_operable(self) -> dict[str, Any]:
        """Check what every operation needs. Returns the resolved configuration. Raises Problem."""
        folder = self.description.project_dir
        if not os.path.isdir(folder):
            raise Problem("no_such_path", f"there is no folder {folder}", (_SET_DIR,))
        self._must_stay_in_its_folder()
        self._must_have_images()
        self._must_have_compose()
        self._must_have_engine()
        names = self.files()
        missing = [name for name in names if not os.path.isfile(self.path(name))]
        if missing or not names:
            what = f"{', '.join(missing)} is not in {folder}" if missing else f"{folder} holds no compose file"
            way = (
                ways.given("compose_files", ["docker-compose.prod.yml"]),
                "names the compose files, relative to that folder",
            )
            raise Problem("no_compose_file", what, (way, _SET_DIR))
        self._must_be_writable()
        return self._must_resolve()

    def _must_stay_in_its_folder(self) -> None:
        """The role's own check is on the controller; who calls the module has this one."""
        named = {
            "compose_files": self.description.files,
            "compose_pin_file": self.description.pin_file,
            "compose_env_file": self.description.env_file,
        }
        kinds = {"compose_files": "paths", "compose_pin_file": "path", "compose_env_file": "path"}
        for wrong in held_path.inventory_problems(named, kinds):
            way = (f"{wrong.partition(':')[0]}=<name>", f"names a file in {self.description.project_dir}")
            raise Problem("path_outside", wrong, (way,))

    def _must_have_images(self) -> None:
        for service, repository in self.description.images.items():
            try:
                found = image_reference.parse(repository)
            except image_reference.BadReference as error:
                raise _images_wrong(f"compose_images: {service}: {error}") from error
            if found.tag or found.digest:
                raise _images_wrong(f"compose_images: {service}: {repository} has a tag or a digest")
        if not self.description.images:
            raise _images_wrong("compose_images names no service, so there is nothing to pin")
        service = self.description.migration_service
        if service and service not in self.description.images:
            raise _images_wrong(f"compose_migration_service is {service}, which compose_images does not name")

    def _must_have_compose(self) -> None:
        argv = [*self.description.docker, "compose", "version", "--short"]
        try:
            found = self.commands.run(argv, check=False, timeout=60.0)
        except CommandFailed as error:
            raise Problem(
                "docker_missing", str(error), (("compose_docker=<path>", "names the docker command"),)
            ) from error
        version = re.match(r"v?(\d+)\.(\d+)", found.stdout.strip())
        if found.code != 0 or version is None:
            old = _on_path("docker-compose")
            text = "docker has no `compose` command" + (
                f"; {old} is Compose v1, which is not maintained" if old else ""
            )
            raise Problem("compose_too_old", text, (_INSTALL_COMPOSE,))
        if (int(version[1]), int(version[2])) < OLDEST_COMPOSE:
            oldest = ".".join(map(str, OLDEST_COMPOSE))
            text = f"docker compose is {found.stdout.strip()}, and {oldest} or newer is needed"
            raise Problem("compose_too_old", text, (_INSTALL_COMPOSE,))

    def _must_have_engine(self) -> None:
        try:
            self.engine.request("GET", "/_ping", timeout=10.0)
        except EngineUnreachable as error:
            user = user_name()
            if error.denied:
                way = (f"sudo usermod -aG docker {user}", "once, on the host; such a user can become root there")
                text = f"{user} may not use the Docker engine: {error}"
                raise Problem("engine_denied", text, (way,)) from error
            way = ("sudo systemctl start docker", "on the host, starts it; systemctl status docker shows why it ended")
            raise Problem("engine_down", f"the Docker engine does not answer: {error}", (way,)) from error

    def _must_be_writable(self) -> None:
        """The file that is edited is replaced whole, so its folder is written too."""
        for path in (self.description.project_dir, *(self.path(name) for name in self.files())):
            if not os.access(path, os.W_OK):
                user = user_name()
                way = (f"sudo chown {user} {shlex.quote(path)}", "on the host")
                raise Problem("not_writable", f"{user} may not write {path}", (way,))

    def _must_resolve(self) -> dict[str, Any]:
        """The configuration, with every service that is to be pinned. Raises Problem."""
        try:
            config = self.config()
        except (CommandFailed, ValueError) as error:
            way = (typed_line.line(self.description, "config", "-q"), "on the host, says the same")
            text = f"the compose files are not valid: {error}"
            if "env file" in str(error).lower() or not os.path.isfile(self.path(self.description.env_file)):
                text += f" ({self.path(self.description.env_file)} is missing)" * (
                    not os.path.isfile(self.path(self.description.env_file))
                )
            raise Problem("compose_invalid", text, (way,)) from error
        self._forget_secrets_of(config)
        services = config.get("services") or {}
        for service, repository in self.description.images.items():
            if service not in services:
                known = ", ".join(sorted(services))
                raise _images_wrong(f"the compose files have no service {service}; they have {known}")
            self._must_pull(service, repository, services[service])
        for check in self.description.inside_health:
            if check.service not in services:
                text = f"compose_inside_health asks in {check.service}, which the compose files do not have"
                raise Problem(
                    "service_missing", text, (("compose_inside_health", "in the inventory, names other services"),)
                )
        return config

    def _must_pull(self, service: str, repository: str, found: Mapping[str, Any]) -> None:
        image = str(found.get("image") or "")
        if found.get("build") or not image:
            raise Problem(
                "service_is_built",
                f"{service} is built on the host (build:), so there is no image to pin",
                (
                    (f"image: {repository}:<tag>", f"in the compose file, instead of build:, for {service}"),
                    ("compose_images", f"in the inventory, without {service}"),
                ),
            )
        with contextlib.suppress(image_reference.BadReference):
            if image_reference.same_repository(image_reference.parse(image).repository, repository):
                return
        text = f"the compose files give {service} the image {image}, and compose_images says {repository}"
        raise _images_wrong(text)

    # -- what runs -------------------------------------------------------------------------------

    def containers(self, project: str) -> list[Container]:
        """The containers of the project's services; not those of `docker compose run`."""
        found: list[Container] = []
        digests: dict[str, tuple[str, ...]] = {}
        labels = [f"{_PROJECT}={project}", "com.docker.compose.oneoff=False"]
        for listed in self.engine.containers(labels):
            raw = self.engine.container(listed["Id"])
            state, image = raw.get("State") or {}, str(raw.get("Image") or "")
            if image not in digests:
                known = self.engine.image(image)
                digests[image] = tuple((known or {}).get("RepoDigests") or ())
            found.append(
                Container(
                    id=str(raw["Id"]),
                    name=str(raw.get("Name", "")).lstrip("/"),
                    service=str((listed.get("Labels") or {}).get(_SERVICE, "")),
                    state=str(state.get("Status") or ""),
                    health=str((state.get("Health") or {}).get("Status") or ""),
                    exit_code=int(state.get("ExitCode") or 0),
                    restarts=int(raw.get("RestartCount") or 0),
                    oom_killed=bool(state.get("OOMKilled")),
                    started=str(state.get("StartedAt") or ""),
                    image=image,
                    reference=str((raw.get("Config") or {}).get("Image") or ""),
                    digests=digests[image],
                    restart_policy=str(((raw.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or ""),
                )
            )
        return sorted(found, key=lambda container: container.name)


_INSTALL_COMPOSE = (
    "sudo apt-get install docker-compose-plugin",
    "on the host, from Docker's own packages; Debian 13 has it as docker-compose",
)


def _images_wrong(text: str) -> Problem:
    return Problem(
        "images_wrong",
        text,
        (("compose_images={<service>: <repository>}", "in the inventory, names what a release pins"),),
    )


def _on_path(name: str) -> str:
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return next((path for path in (os.path.join(folder, name) for folder in folders) if os.access(path, os.X_OK)), "")
