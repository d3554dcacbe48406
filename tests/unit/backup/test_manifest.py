"""A manifest is believed only if it is whole."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup import manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import BadManifest, Manifest, Part

PART = Part("database", "mysql.db", "database.sql", 12, "0" * 64, "", {"rows": {"t": 2}})
GOOD = Manifest(
    id="20261121T031502Z-4f2a9c",
    app="shop",
    host="one",
    environment="production",
    made="2026-11-21T03:15:02.000Z",
    reason="requested",
    recipient="",
    versions={"dokku": "0.38.27"},
    release={"sha": "abc"},
    parts=(PART, Part("config", "", "config.json", 3, "1" * 64)),
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert manifest.parse(GOOD.to_bytes()) == GOOD
    assert GOOD.size == 15 and [part.title for part in GOOD.of("database", "config")] == ["database mysql.db", "config"]


def test_an_image_has_a_name_of_its_own_kind() -> None:
    image = Part("image", "dokku/shop:latest", "image-dokku-shop-latest.tar", 1, "0" * 64)
    assert manifest.parse(replace(GOOD, parts=(image,)).to_bytes()).parts == (image,)


def changed(**change: Any) -> bytes:
    return json.dumps({**GOOD.to_dict(), **change}).encode()


def part(**change: Any) -> list[dict[str, Any]]:
    return [{**PART.to_dict(), **change}]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "not JSON"),
        (GOOD.to_bytes()[:-40], "not JSON"),
        (b"[]", "not a JSON object"),
        (changed(schema=2), "schema 2"),
        (changed(id="../etc"), "invalid id"),
        (changed(app="../etc"), "invalid name of a service"),
        (changed(app=3), "app is not a text"),
        (changed(made="yesterday"), "invalid time"),
        (changed(recipient="x"), "invalid fingerprint"),
        (changed(parts=[]), "no parts"),
        (changed(parts=["x"]), "not an object"),
        (changed(parts=part() + part()), "twice"),
        (changed(parts=part(kind="other")), "unknown kind"),
        (changed(parts=part(file="../../etc/passwd")), "file name"),
        (changed(parts=part(file="manifest.json")), "file name"),
        (changed(parts=part(name="a/b")), "invalid name"),
        (changed(parts=part(kind="image", name="../x:y")), "invalid name"),
        (changed(parts=part(kind="image", name="-x")), "invalid name"),
        (changed(parts=part(key="k")), "is encrypted"),
        (changed(recipient="0" * 64), "not encrypted"),
        (changed(parts=part(size=-1)), "size"),
        (changed(parts=part(size=True)), "size"),
        (changed(parts=part(sha256="0")), "sha256"),
        (changed(parts=part(facts=[])), "facts"),
        (changed(parts=part(facts={"rows": {"t": "2"}})), "number of rows for 't'"),
        (changed(versions=[]), "versions"),
    ],
)
def test_a_bad_manifest_says_what_is_wrong(content: bytes, why: str) -> None:
    with pytest.raises(BadManifest, match=why):
        manifest.parse(content)


@given(st.binary(max_size=200))
def test_nothing_else_is_a_manifest(content: bytes) -> None:
    with pytest.raises(BadManifest):
        manifest.parse(content)


def test_a_configuration_has_names_of_variables_and_a_database_numbers_of_keys() -> None:
    def content(kind: str, keys: object) -> bytes:
        part = Part(kind, "" if kind == "config" else "redis.cache", "part", 1, "a" * 64, "", {"keys": keys})
        made = "2026-11-21T03:15:02.000Z"
        identity = "20261121T031502Z-4f2a9c"
        return Manifest(identity, "shop", "web1", "", made, "requested", "", {}, {}, (part,)).to_bytes()

    for kind, keys in (("config", ["APP_KEY", "GREETING"]), ("config", []), ("database", {"0": [3, 3]})):
        assert manifest.parse(content(kind, keys)).parts[0].facts["keys"] == keys
    for kind, wrong in (("config", {"APP_KEY": 1}), ("config", [1]), ("config", "APP_KEY"), ("database", ["0"])):
        with pytest.raises(BadManifest):
            manifest.parse(content(kind, wrong))
