# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pins of a service's compose files: prepared and proven while planning, written and put back by the steps."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import text as compose_pin
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_HEADER = """\
# The images of the release that runs here, written by compose_deploy and compose_rollback (ops.runbook).
# `docker compose` by hand reads it if .env has COMPOSE_FILE={files}
"""

_OVERRIDE = ("compose_pin=override", "leaves the compose file as it is, and pins in a file of its own beside it")


@dataclass(frozen=True)
class File:
    """A file that is written. name: relative to the service's folder. before: empty without an earlier one."""

    name: str
    before: str
    after: str

    @property
    def hashes(self) -> tuple[str, str]:
        return sha256(self.before), sha256(self.after)


@dataclass(frozen=True)
class Pins:
    """Files to write, and warnings for a person."""

    files: tuple[File, ...]
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        return [file.name for file in self.files]

    @property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of each file once it is written."""
        return {file.name: file.hashes[1] for file in self.files}

    def to_dict(self) -> dict[str, list[str]]:
        """For the journal: the SHA-256 of each file before and after."""
        return {file.name: list(file.hashes) for file in self.files}


def sha256(text: str) -> str:
    """Of a file's content; empty for a file that is not there."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() if text else ""


def read(path: str) -> str:
    """A file's text, every byte of it."""
    return durable_file.read_bytes(path).decode("utf-8", "surrogateescape")


def edited(service: ComposeService, images: Mapping[str, str]) -> list[File]:
    """The files with other images in them. images: service -> reference. Raises Problem."""
    description = service.description
    try:
        if description.pin == "override":
            text = _HEADER.format(
                files=os.pathsep.join([*service.files(), description.pin_file])
            ) + compose_pin.override(images)
            return [File(description.pin_file, read(service.path(description.pin_file)), text)]
        names = service.files()
        before = [read(service.path(name)) for name in names]
        after = compose_pin.pin_files(before, images)
    except compose_pin.CannotPin as error:
        raise Problem(error.code, error.text + _where_it_is(service, error), error.ways) from error
    return [File(name, one, other) for name, one, other in zip(names, before, after) if one != other]


def _where_it_is(service: ComposeService, error: compose_pin.CannotPin) -> str:
    """The included file that has a service, if that is known."""
    if not isinstance(error, compose_pin.ServiceIncluded):
        return ""
    having = []
    for path in error.paths:
        with contextlib.suppress(compose_pin.CannotPin, OSError):
            if error.service in compose_pin.services(read(service.path(path))):
                having.append(path)
    return f"; {error.service} is in {', '.join(having)}" if having else ""


def place_of(service: ComposeService, name: str) -> str:
    """The place of a service's image, for people: file and line, as far as they are known."""
    for file in reversed(service.files()):
        with contextlib.suppress(compose_pin.CannotPin, OSError):
            line = compose_pin.line_of_image(read(service.path(file)), name)
            if line:
                return f"{file}, line {line}"
    return ", ".join(service.files())


def prepare(service: ComposeService, config: Mapping[str, Any], images: Mapping[str, Reference]) -> Pins:
    """The files to write, proven: only the images of these services change by them. Raises Problem."""
    references = {name: image.text for name, image in images.items()}
    files = edited(service, references)
    try:
        with _beside(service, files) as paths:
            found = service.config(paths)
    except CommandFailed as error:
        raise Problem(
            "compose_invalid", f"with the new images the compose files are not valid: {error}", (_OVERRIDE,)
        ) from error
    if _without_images(found, references) != _without_images(config, references):
        raise Problem("pin_differs", "with the new images more than the images would come out otherwise", (_OVERRIDE,))
    wrong = [name for name, text in references.items() if found["services"][name]["image"] != text]
    if wrong:
        text = (
            f"the image of {', '.join(wrong)} would still not be the one that is wanted: another file decides about it"
        )
        raise Problem("pin_differs", text, (_OVERRIDE,))
    return Pins(tuple(files), tuple(_by_hand(service)))


def _without_images(config: Mapping[str, Any], references: Mapping[str, str]) -> dict[str, Any]:
    services = {
        name: {key: value for key, value in body.items() if key != "image" or name not in references}
        for name, body in config["services"].items()
    }
    return {**config, "services": services}


def _by_hand(service: ComposeService) -> list[str]:
    """Warnings if a person who types `docker compose` does not get the pins."""
    if service.description.pin != "override":
        return []
    listed = service.settings().get("COMPOSE_FILE", "")
    if service.description.pin_file in listed.split(os.pathsep):
        return []
    names = os.pathsep.join([*service.files(), service.description.pin_file])
    return [
        f"`docker compose` by hand does not read {service.description.pin_file}: put COMPOSE_FILE={names} into .env"
    ]


@contextlib.contextmanager
def _beside(service: ComposeService, files: Sequence[File]) -> Iterator[list[str]]:
    """The compose files as they will be, outside the service's folder: nothing there is touched by a plan."""
    changed = {file.name: file for file in files}
    here = [os.path.relpath(path, service.description.project_dir) for path in service.all_files()]
    with tempfile.TemporaryDirectory(prefix="ops-runbook-") as folder:
        paths = []
        for number, name in enumerate(dict.fromkeys([*here, *changed])):
            path = service.path(name)
            if name in changed:
                path = os.path.join(folder, f"{number}-{os.path.basename(name)}")
                with open(path, "wb") as handle:
                    handle.write(changed[name].after.encode("utf-8", "surrogateescape"))
            paths.append(path)
        yield paths


# -- steps ---------------------------------------------------------------------------------------


def write(service: ComposeService, images: Mapping[str, str], hashes: Mapping[str, Sequence[str]], kept: str) -> None:
    """Write the pins. hashes: by file, before and after. kept: folder for the files as they were.

    Raises CommandFailed where a file is neither as it was planned nor as it is to be.
    """
    owned_folder.make(kept)
    for name, (before, after) in hashes.items():
        present = read(service.path(name))
        if sha256(present) == after:
            continue
        if sha256(present) != before:
            raise CommandFailed(
                f"{service.path(name)} was changed since the plan was made, and is left as it is: "
                "interrupted=undo goes back, interrupted=accept keeps the change and lets you plan anew"
            )
        if before:
            durable_file.replace(os.path.join(kept, _flat(name)), present.encode("utf-8", "surrogateescape"))
        try:
            found = next((file for file in edited(service, images) if file.name == name), None)
        except Problem as refused:
            raise CommandFailed(refused.text) from refused
        if found is None or found.hashes[1] != after:
            raise CommandFailed(f"the pins of {service.path(name)} do not come out as planned")
        durable_file.rewrite(service.path(name), found.after.encode("utf-8", "surrogateescape"))


def put_back(service: ComposeService, hashes: Mapping[str, Sequence[str]], kept: str) -> None:
    """Put the files back as they were, every byte. Raises CommandFailed where somebody changed one since."""
    for name, (before, after) in hashes.items():
        path, copy = service.path(name), os.path.join(kept, _flat(name))
        present = sha256(read(path))
        if present == before or (before and present != after and not os.path.isfile(copy)):
            # A file is kept before it is written: without a copy, what was changed here was not changed by this.
            continue
        if present != after:
            raise CommandFailed(_changed_since(path, copy if before else ""))
        if before:
            durable_file.rewrite(path, durable_file.read_bytes(copy))
        else:
            durable_file.remove(path)


def _changed_since(path: str, copy: str) -> str:
    """Why a file is not put back, and each way out: the state must not lock the service."""
    if copy:
        back = (
            f"the file as it was before is {copy}: type `cp {shlex.quote(copy)} {shlex.quote(path)}` on the host and "
            "then interrupted=undo"
        )
    else:
        back = f"there was no such file before: type `rm {shlex.quote(path)}` on the host and then interrupted=undo"
    return (
        f"{path} was changed after the pins were written, and is left as it is. To go back, {back}. Where the change "
        "is a repair and the host is to stay as it is, type interrupted=accept"
    )


def _flat(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")
