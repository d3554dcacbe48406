# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of a service: in the engine of this host, and in their registry."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import threading
import time
from collections.abc import Container, Iterable, Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose.alembic import Graph, graph
from ansible_collections.ops.runbook.plugins.module_utils.compose.release import Asked, registry_refusal
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Description
from ansible_collections.ops.runbook.plugins.module_utils.docker import engine as docker_engine
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference, registry_login
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import Engine, EngineError, RegistryProblem
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.docker.registry_login import BadLogin, Login
from ansible_collections.ops.runbook.plugins.module_utils.guard import disk_room
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_MIB = 1024 * 1024


class ImageStore:
    """Answers of engine and registry about images; each question is asked once.

    password: of the registry's user. logins: of other registries, as registry_login.listed takes them. Passwords are
    handed to the engine in a header, and written nowhere.
    """

    def __init__(
        self,
        engine: Engine,
        description: Description,
        state_dir: str,
        password: str = "",
        logins: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self.engine = engine
        self.description = description
        self.state_dir = state_dir
        self._logins, self.login_warning = self._placed(password, logins)
        self._images: dict[str, dict[str, Any] | None] = {}
        self._auth: dict[str, str] = {}
        self._lock = threading.Lock()

    # -- here ------------------------------------------------------------------------------------

    def image(self, reference: str) -> dict[str, Any] | None:
        """The engine's description of an image; None if it is not here."""
        if self._images.get(reference) is None:
            self._images[reference] = self.engine.image(reference)
        return self._images[reference]

    def has(self, image: Reference) -> bool:
        """True if the image is on this host, by its digest."""
        return self.image(image.by_digest) is not None

    def labels(self, image: Reference) -> dict[str, str]:
        """Labels of the image; empty if it is not here."""
        found = (self.image(image.by_digest) or {}).get("Config") or {}
        return dict(found.get("Labels") or {})

    def architecture(self, image: Reference) -> str:
        """Architecture of the image; empty if it is not here, or does not name one."""
        return str((self.image(image.by_digest) or {}).get("Architecture") or "")

    def digest_of_tag(self, repository: str, tag: str) -> str:
        """The digest that this host knows by that tag; empty without one."""
        found = self.image(Reference(repository, tag).text)
        return digest_in((found or {}).get("RepoDigests") or (), repository)

    # -- the registry ----------------------------------------------------------------------------

    def _placed(self, password: str, given: Iterable[Mapping[str, Any]]) -> tuple[tuple[Login, ...], str]:
        """Each login with its registry. Raises Problem for one of which that is not known."""
        registries = [Reference(name).registry for name in self.description.images.values()]
        try:
            logins = registry_login.listed(given)
        except BadLogin as error:
            raise Problem(
                "bad_login", str(error), (("compose_registry_logins", "in the inventory: one for each registry"),)
            ) from None
        described = self.description
        options = ("compose_registry_host", "compose_registry_logins")
        return registry_login.placed(
            described.registry_user, password, described.registry_host, registries, logins, options
        )

    def _credentials(self, registry: str) -> str:
        """The header that introduces this host to a registry: its login alone, else what `docker login` left."""
        with self._lock:
            if registry not in self._auth:
                login = registry_login.login_of(self._logins, registry)
                user, password = (login.username, login.password) if login else ("", "")
                self._auth[registry] = docker_engine.credentials(registry, user, password)[0]
            return self._auth[registry]

    def ask(self, image: Reference) -> Asked:
        """The digest that the registry has for a reference."""
        registry = image.registry
        try:
            digest = self.engine.digest_of(
                image.text, registry, self._credentials(registry), self.description.registry_timeout
            )
        except RegistryProblem as problem:
            return Asked("", problem.kind, registry, self._clean(problem.text))
        return Asked(digest)

    def _clean(self, text: str) -> str:
        return redact.Redactor([one.password for one in self._logins if one.password])(text)

    def pull(self, image: Reference) -> None:
        """Download an image by its digest. Raises Problem; the engine throws away what is not whole."""
        folder, reserve = self.engine.root(), self.description.disk_reserve * _MIB
        looked = 0.0

        def watch() -> None:
            # The database writes to the same disk: it must not learn first that it is full.
            nonlocal looked
            if time.monotonic() - looked < 0.2:
                return
            looked = time.monotonic()
            free = disk_room.room_in(folder, 0, 0, 0).free_bytes
            if free < reserve // 2:
                raise RegistryProblem("no_space", image.registry, f"only {free // _MIB} MiB were left on the disk")

        try:
            self.engine.pull(
                image.repository,
                image.digest,
                image.registry,
                self._credentials(image.registry),
                self.description.command_timeout,
                watch,
            )
        except RegistryProblem as problem:
            answer = Asked("", problem.kind, image.registry, self._clean(problem.text))
            raise registry_refusal(answer, image.text, (("to=<another release>", "that is whole"),)) from problem
        self._images.clear()
        if not self.has(image):
            raise Problem(
                "image_not_proven",
                f"{image.text} was downloaded, but the engine does not have it by that digest",
                (
                    ("the same command again", "downloads it anew"),
                    (f"docker image ls --digests {shlex.quote(image.repository)}", "on the host, shows what it has"),
                ),
            )

    def must_have_room(self, what: str) -> None:
        """Raise Problem where the disk has less free than must stay free."""
        room = disk_room.room_in(self.engine.root(), 0, 0, self.description.disk_reserve)
        refusal = disk_room.refuse(
            room,
            what,
            (
                ("docker system df", "on the host, shows what fills the disk"),
                ("compose_keep_releases=2", "keeps fewer releases; images beyond are removed after the next good one"),
                ("compose_disk_reserve=0", "uses the last of it"),
            ),
        )
        if refusal is not None:
            raise refusal

    # -- what an image was once asked ------------------------------------------------------------

    def _graph_file(self, image: Reference) -> str:
        return os.path.join(self.state_dir, "alembic", f"{image.digest.partition(':')[2]}.json")

    def graph(self, image: Reference) -> Graph | None:
        """The revisions of an image that was asked before: a digest always has the same ones."""
        try:
            return graph(foreign_json.loads(durable_file.read_state(self._graph_file(image))))
        except (ValueError, OSError):
            return None

    def keep_graph(self, image: Reference, known: Graph) -> None:
        entries = [
            {"id": one.id, "down": one.down, "depends": one.depends, "title": one.title} for one in known.values()
        ]
        path = self._graph_file(image)
        with contextlib.suppress(OSError):
            owned_folder.make(os.path.dirname(path))
            durable_file.replace(path, json.dumps(entries).encode())

    def forget_graphs(self, ours: Container[str], wanted: Container[str]) -> None:
        """Forget what is known of the images that are ours and that no kept release needs."""
        folder = os.path.join(self.state_dir, "alembic")
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            digest = f"sha256:{name[: -len('.json')]}"
            if name.endswith(".json") and digest in ours and digest not in wanted:
                durable_file.remove(os.path.join(folder, name))

    # -- retention -------------------------------------------------------------------------------

    def remove(self, identity: str, names: Iterable[str]) -> str:
        """Remove an image by all these names. Returns why it stays; empty where it is gone."""
        for name in names:
            try:
                self.engine.remove_image(name)
            except EngineError as error:
                if error.status != 404:
                    return f"{name}: {error.message}"
        return ""


def emulations(folder: str = "/proc/sys/fs/binfmt_misc") -> list[str]:
    """The names of the foreign programs that the kernel of this host hands to an emulation."""
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with contextlib.suppress(OSError):
            if name != "status" and durable_file.read_bytes(os.path.join(folder, name)).startswith(b"enabled"):
                found.append(name)
    return found


def digest_in(digests: Iterable[str], repository: str) -> str:
    """The digest of a repository among an image's `repository@digest` names; empty without one."""
    for name in digests:
        known, _, digest = name.partition("@")
        with contextlib.suppress(image_reference.BadReference):
            if image_reference.same_repository(known, repository):
                return digest
    return ""
