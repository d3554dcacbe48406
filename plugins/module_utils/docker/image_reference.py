# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image references: `registry/name:tag@digest`, taken apart and put together. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

#: The registry of a name that says none, and where Docker looks for it.
DOCKER_HUB = "docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class BadReference(ValueError):
    """A text is not an image reference."""


@dataclass(frozen=True)
class Reference:
    """An image. repository: as it is written, with the registry where one is named."""

    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def registry(self) -> str:
        """The registry's host, and its port where one is named."""
        first, slash, _ = self.repository.partition("/")
        named = slash and ("." in first or ":" in first or first == "localhost")
        return first if named else DOCKER_HUB

    @property
    def canonical(self) -> str:
        """The repository with its registry: two spellings of one repository are equal in it."""
        if self.registry != DOCKER_HUB or self.repository.startswith(f"{DOCKER_HUB}/"):
            path = self.repository.partition("/")[2]
        else:
            path = self.repository
        if self.registry == DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        return f"{self.registry}/{path}"

    @property
    def text(self) -> str:
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"

    @property
    def by_digest(self) -> str:
        """The reference that means the same image for good."""
        return replace(self, tag="").text

    @property
    def by_tag(self) -> str:
        """The reference as it was published."""
        return replace(self, digest="", tag=self.tag or "latest").text


def parse(text: str) -> Reference:
    """A reference from its text. Raises BadReference."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise BadReference(f"'{text}' is not an image reference: write name:tag or name@sha256:<64 hex digits>")
    return Reference(match["repository"], match["tag"] or "", match["digest"] or "")


def is_tag(text: str) -> bool:
    """True if a text may be a tag."""
    return _TAG.fullmatch(text) is not None


def same_repository(one: str, other: str) -> bool:
    """True if two repositories are one, however they are spelt."""
    return Reference(one).canonical == Reference(other).canonical
