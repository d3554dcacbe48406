# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a release is called: for people, as an input, and as the id that says what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def label(release: Mapping[str, Any] | None) -> str:
    """A release for people: its name and the beginning of its id."""
    if not release or not release.get("id"):
        return "-"
    identity = str(release["id"])
    # An image is known by its name, a commit by its beginning.
    short = re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]+", r"\1", identity) if ":" in identity else identity[:10]
    return f"{release['name']} ({short})" if release.get("name") else short


def typed(release: Mapping[str, Any]) -> str:
    """A release as it is typed: a name may be a branch that has moved since, an id means the same for good."""
    identity = str(release["id"])
    if release.get("images"):
        # A host where it never ran does not know a release of images by its id.
        images = (f"{image['reference']}@{image['digest']}" for image in release["images"].values())
        return ",".join(dict.fromkeys(images))
    return identity[:10] if re.fullmatch("[0-9a-f]{40}", identity) else identity


def anew(release: Mapping[str, Any] | None) -> str:
    """A deploy to a release, as `anew` of a plan has it. Empty for a release that is not known.

    Processes may still serve another release than the one that is there: a deploy makes anew what belongs to it.
    """
    return f"deploy -e to={typed(release)}" if release and identity(release) else ""


def identity(release: Mapping[str, Any] | None) -> str:
    """The id of a release: a commit, or digests. Empty without one."""
    return str((release or {}).get("id") or "")
