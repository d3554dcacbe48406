# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image references: what is one, what it means, and that it comes back as it went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import (
    BadReference,
    Reference,
    is_tag,
    parse,
    same_repository,
)

DIGEST = "sha256:" + "ab" * 32

REFERENCES = {
    "nginx": Reference("nginx"),
    "nginx:1.26": Reference("nginx", "1.26"),
    "registry.example.com:5000/acme/shop:sha-abc1234": Reference("registry.example.com:5000/acme/shop", "sha-abc1234"),
    f"ghcr.io/acme/shop@{DIGEST}": Reference("ghcr.io/acme/shop", "", DIGEST),
    f"ghcr.io/acme/shop:0.1.0@{DIGEST}": Reference("ghcr.io/acme/shop", "0.1.0", DIGEST),
    "localhost/a__b/c-d.e": Reference("localhost/a__b/c-d.e"),
}


@pytest.mark.parametrize("text", REFERENCES)
def test_parse(text: str) -> None:
    assert parse(text) == REFERENCES[text]
    assert REFERENCES[text].text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme/UPPER",
        "name:",
        "name@sha256:abc",
        f"name@{DIGEST}0",
        "a b",
        "name:tag:tag",
        "name:${TAG}",
        "/name",
        "name/",
        "name:.tag",
        "-name",
        "https://example.com/name",
    ],
)
def test_an_invalid_reference_is_refused(text: str) -> None:
    with pytest.raises(BadReference):
        parse(text)


@pytest.mark.parametrize(
    ("text", "registry", "canonical"),
    [
        ("nginx", "docker.io", "docker.io/library/nginx"),
        ("acme/shop", "docker.io", "docker.io/acme/shop"),
        ("docker.io/nginx", "docker.io", "docker.io/library/nginx"),
        ("docker.io/acme/shop", "docker.io", "docker.io/acme/shop"),
        ("localhost/shop", "localhost", "localhost/shop"),
        ("ghcr.io/acme/shop", "ghcr.io", "ghcr.io/acme/shop"),
        ("registry:5000/shop", "registry:5000", "registry:5000/shop"),
    ],
)
def test_the_registry_of_an_image_is_found(text: str, registry: str, canonical: str) -> None:
    assert (parse(text).registry, parse(text).canonical) == (registry, canonical)


def test_two_spellings_of_one_repository() -> None:
    assert same_repository("nginx", "docker.io/library/nginx")
    assert not same_repository("acme/shop", "ghcr.io/acme/shop")


def test_the_two_names_of_an_image() -> None:
    reference = parse(f"ghcr.io/acme/shop:0.1.0@{DIGEST}")
    assert reference.by_digest == f"ghcr.io/acme/shop@{DIGEST}"
    assert reference.by_tag == "ghcr.io/acme/shop:0.1.0"
    assert parse(f"ghcr.io/acme/shop@{DIGEST}").by_tag == "ghcr.io/acme/shop:latest"


@pytest.mark.parametrize(("text", "tag"), [("0.1.0", True), ("a" * 128, True), ("a" * 129, False), (".a", False)])
def test_tags(text: str, tag: bool) -> None:
    assert is_tag(text) is tag


@given(st.text(alphabet="ab0./:@-_", max_size=30))
def test_a_parsed_reference_is_written_unchanged(text: str) -> None:
    try:
        found = parse(text)
    except BadReference:
        return
    assert found.text == text
