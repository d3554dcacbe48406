"""Pinning changes the image references of a compose file, and no other byte."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import text as compose_pin
from ansible_collections.ops.runbook.plugins.module_utils.text import yaml_spans

NEW = "registry.example.com/shop-backend:sha-abc1234"


class ComposeLoader(yaml.SafeLoader):
    """PyYAML that reads Compose's own tags as what they are on."""


ComposeLoader.add_multi_constructor("!", lambda loader, _suffix, node: yaml.serialize(node))


def read_by_pyyaml(text: str) -> list[Any]:
    return [document for document in yaml.load_all(text, ComposeLoader) if document is not None]


def read_by_ruamel(text: str) -> list[Any]:
    """A second opinion: YAML 1.2, as Compose's own parser has it."""
    return [document for document in YAML(typ="safe", pure=True).load_all(io.StringIO(text)) if document is not None]


# -- what is edited ------------------------------------------------------------------------------

PRODUCTION = """\
# Production. Edit with care: https://docs.example.com/compose
name: shop
x-logging: &logging
  driver: json-file
  options: {max-size: "10m", max-file: '3'}   # kept short

x-env: &env
  DATABASE_URL: "postgresql://shop:${DB_PASSWORD:?set it in .env}@db/shop"
  GREETING: >-
    backend:
      image: not an image # nor a comment

services:
  proxy:
    image: registry.example.com/shop-proxy:1.4
    ports: ["80:80", 443:443]
    logging: *logging

  backend:
    # the release
    image:   registry.example.com/shop-backend:sha-0000000   # pinned by hand
    environment:
      <<: *env
      IMAGE: "${IMAGE:-registry.example.com/shop-backend:latest}"
    command:
    - uvicorn
    - "app:app # not a comment"
    logging: *logging
  "worker" :
    image: 'registry.example.com/shop-worker:sha-0000000'
    command: celery
      --loglevel info
    depends_on: {backend: {condition: service_healthy}}
  web:
    image: "registry.example.com/shop-web:latest"
volumes:
  data:
"""

EDITED = {
    "production": (PRODUCTION, {"backend": NEW, "worker": NEW, "web": NEW}),
    "crlf": (PRODUCTION.replace("\n", "\r\n"), {"backend": NEW}),
    "a byte order mark": ("\ufeff" + PRODUCTION, {"worker": NEW}),
    "no final newline": ("services:\n  backend:\n    image: a/b:1", {"backend": NEW}),
    "spaces at the end": ("services:\n  backend:\n    image: a/b:1   \n    \n", {"backend": NEW}),
    "flow style": ("services: {backend: {image: a/b:1, ports: [80:80]}, web: {image: 'a/c:1'}}\n", {"backend": NEW}),
    "flow style on lines": ("services:\n  backend: {\n    image: a/b:1, # why\n    init: true}\n", {"backend": NEW}),
    "quoted in flow style": ('services: {backend: {"image":"a/b:1"}}\n', {"backend": NEW}),
    "a value on the next line": ("services:\n  backend:\n    image:\n      a/b:1\n    init: true\n", {"backend": NEW}),
    "a tag and an anchor": ("services:\n  backend:\n    image: &b !!str a/b:1\n", {"backend": NEW}),
    "deep indentation": (
        "services:\n      backend:\n         image: a/b:1\n         init: true\n",
        {"backend": NEW},
    ),
    "a document marker": ("---\nservices:\n  backend:\n    image: a/b:1\n...\n", {"backend": NEW}),
    "a text that looks like a service": (
        "configs:\n  a:\n    content: |2\n          services:\n       b\n\n      image: c\n"
        "services:\n  backend: {image: a/b:1}\n",
        {"backend": NEW},
    ),
    "the second document decides": (
        "services:\n  backend:\n    image: a/b:1\n---\nservices:\n  backend:\n    image: a/b:2\n",
        {"backend": NEW},
    ),
    "an anchor of two services that both go there": (
        "x-base: &base\n  image: a/b:1\nservices:\n  backend:\n    <<: *base\n  worker:\n    <<: [*base]\n    tty: x\n",
        {"backend": NEW, "worker": NEW},
    ),
    "an anchored image of two services that both go there": (
        "services:\n  backend:\n    image: &i a/b:1\n  worker:\n    image: *i\n",
        {"backend": NEW, "worker": NEW},
    ),
    "an own image over a merged one": (
        "x-base: &base {image: a/b:1}\nservices:\n  backend:\n    <<: *base\n    image: a/b:2\n  web:\n    <<: *base\n",
        {"backend": NEW},
    ),
    "a service that extends another, both": (
        "services:\n  backend:\n    image: a/b:1\n  worker:\n    extends: {service: backend}\n",
        {"backend": NEW, "worker": NEW},
    ),
    "a reference with a digest": (
        "services:\n  backend:\n    image: a/b:1\n",
        {"backend": f"registry.example.com:5000/shop:1@sha256:{'0a' * 32}"},
    ),
    "a reference that YAML 1.1 reads as a number": (
        "services:\n  backend:\n    image: a/b:1\n",
        {"backend": "12:30"},
    ),
    "a byte order mark before a marker": ("\ufeff---\nservices:\n  backend:\n    image: a/b:1\n", {"backend": NEW}),
    "a marker with a comment behind a byte order mark": (
        "\ufeff--- # prod\r\nservices:\r\n  backend:\r\n    image: a/b:1\r\n",
        {"backend": NEW},
    ),
    "a merge key with its tag": (
        "x-base: &base\n  image: a/b:1\nservices:\n  backend:\n    !!merge <<: *base\n    tty: true\n",
        {"backend": NEW},
    ),
    "a merge key with its tag, later and in brackets": (
        "x-base: &base {image: a/b:1}\nservices:\n  backend:\n    tty: true\n    !!merge <<: [*base]\n"
        "  web: {tty: true, !!merge <<: *base, image: a/c:1}\n",
        {"backend": NEW},
    ),
    "a long line": (f"services:\n  backend:\n    image: a/b:1 # {'why ' * 5000}\n", {"backend": NEW}),
    "build beside image": ("services:\n  backend:\n    build: .\n    image: a/b:1\n", {"backend": NEW}),
}


def without_images(documents: list[Any], names: set[str]) -> list[Any]:
    """The parts that must not change. A service that takes its image from a template counts with the template."""
    for document in documents:
        for name, service in (document.get("services") or {}).items():
            if name in names and isinstance(service, dict):
                service.pop("image", None)
        for key, value in document.items():
            if key.startswith("x-") and isinstance(value, dict):
                value.pop("image", None)
    return documents


@pytest.mark.parametrize(("text", "references"), EDITED.values(), ids=EDITED)
def test_an_image_is_pinned(text: str, references: dict[str, str]) -> None:
    pinned = compose_pin.pin(text, references)
    for read in (read_by_pyyaml, read_by_ruamel):
        merged: dict[str, Any] = {}
        for document in read(pinned):
            for name, service in document["services"].items():
                merged.setdefault(name, {}).update(service)
        for name, reference in references.items():
            assert merged[name].get("image", reference) == reference
        assert without_images(read(pinned), set(references)) == without_images(read(text), set(references))
    assert {name: compose_pin.images(pinned)[name] for name in references} == references


@pytest.mark.parametrize(("text", "references"), EDITED.values(), ids=EDITED)
def test_pinned_twice_is_pinned_once_and_pinned_back_is_as_before(text: str, references: dict[str, str]) -> None:
    pinned = compose_pin.pin(text, references)
    assert compose_pin.pin(pinned, references) == pinned
    before = compose_pin.images(text)
    if "12:30" not in references.values():
        assert compose_pin.pin(pinned, {name: before[name] for name in references}) == text


def test_each_other_byte_is_kept() -> None:
    pinned = compose_pin.pin(PRODUCTION, {"backend": NEW, "worker": NEW})
    expected = PRODUCTION.replace("registry.example.com/shop-backend:sha-0000000", NEW)
    assert pinned == expected.replace("registry.example.com/shop-worker:sha-0000000", NEW)


# -- what is refused -----------------------------------------------------------------------------

BACKEND = "services:\n  backend:\n    image: a/b:1\n"
REFUSED = {
    "no such service": (BACKEND, {"api": NEW}, "service_missing", "has no service api; it has backend"),
    "no services": ("name: shop\n", {"api": NEW}, "service_missing", "it has none"),
    "built": ("services:\n  backend:\n    build: .\n", {"backend": NEW}, "no_image", "build: and no image:"),
    "nothing of it": ("services:\n  backend:\n", {"backend": NEW}, "no_image", "has no image:"),
    "an empty image": (
        "services:\n  backend:\n    image:\n    tty: true\n",
        {"backend": NEW},
        "no_image",
        "no image:",
    ),
    "extends another file": (
        "services:\n  backend:\n    extends:\n      file: base.yml\n      service: app\n",
        {"backend": NEW},
        "no_image",
        "another file",
    ),
    "extends itself": ("services:\n  backend:\n    extends: backend\n", {"backend": NEW}, "no_image", "by extends"),
    "a variable": (
        "services:\n  backend:\n    image: a/b:${TAG:-latest}\n",
        {"backend": NEW},
        "image_variable",
        "line 3: the image of backend is made of a variable, a/b:${TAG:-latest}",
    ),
    "a template shared with another service": (
        "x-base: &base\n  image: a/b:1\nservices:\n  backend:\n    <<: *base\n  worker:\n    <<: *base\n",
        {"backend": NEW},
        "image_shared",
        "line 2: the image of backend is also that of worker",
    ),
    "a template whose services go to different images": (
        "x-base: &base\n  image: a/b:1\nservices:\n  backend:\n    <<: *base\n  worker:\n    <<: *base\n",
        {"backend": NEW, "worker": "a/b:2"},
        "image_shared",
        "also that of worker",
    ),
    "an alias of another service's image": (
        "services:\n  web:\n    image: &i a/b:1\n  backend:\n    image: *i\n",
        {"backend": NEW},
        "image_shared",
        "also that of web",
    ),
    "a whole service shared": (
        "services:\n  backend: &b\n    image: a/b:1\n  worker: *b\n",
        {"backend": NEW},
        "image_shared",
        "also that of worker",
    ),
    "an image that is also a setting": (
        "services:\n  backend:\n    image: &i a/b:1\n    environment:\n      RUNS: *i\n",
        {"backend": NEW},
        "image_shared",
        "line 5: *i uses the image of backend elsewhere",
    ),
    "a service that another extends": (
        "services:\n  backend:\n    image: a/b:1\n  worker:\n    extends: backend\n",
        {"backend": NEW},
        "image_shared",
        "also that of worker",
    ),
    "a key that is there twice": (
        BACKEND + "    image: a/b:2\n",
        {"backend": NEW},
        "pin_shape",
        "line 4: the key",
    ),
    "a block of text": (
        "services:\n  backend:\n    image: >-\n      a/b:1\n",
        {"backend": NEW},
        "pin_shape",
        "line 3: the image of backend is written as a block of text",
    ),
    "two lines": (
        "services:\n  backend:\n    image: a/b\n      c\n",
        {"backend": NEW},
        "pin_shape",
        "line 3: the image of backend is written with escapes or on several lines",
    ),
    "an escape": (
        'services:\n  backend:\n    image: "a/b\\x3a1"\n',
        {"backend": NEW},
        "pin_shape",
        "line 3: the image of backend is written with escapes or on several lines",
    ),
    "a reset image": (
        "services:\n  backend:\n    image: !reset a\n",
        {"backend": NEW},
        "pin_shape",
        "has the tag !reset",
    ),
    "a list of services": ("services:\n- backend\n", {"backend": NEW}, "pin_shape", "a mapping was expected"),
    "a tab": ("services:\n\tbackend:\n", {"backend": NEW}, "pin_shape", "line 2: a tab"),
    "a key after a question mark": ("services:\n  ? backend\n  : image: a\n", {"backend": NEW}, "pin_shape", "line 2"),
    "an anchor before a key": (
        "services:\n  &a backend:\n    image: a/b\n",
        {"backend": NEW},
        "pin_shape",
        "line 2: an anchor or a tag before",
    ),
    "an included file": (
        "include: [more/jobs.yaml]\n" + BACKEND,
        {"jobs": NEW},
        "service_included",
        "has no service jobs itself: line 1 includes more/jobs.yaml, and no pin is written into an included file",
    ),
    "an alias of nothing": ("services:\n  backend: *a\n", {"backend": NEW}, "pin_shape", "*a stands for nothing"),
    "a service within itself": ("services:\n  backend: &b\n    <<: *b\n", {"backend": NEW}, "pin_shape", "a part of"),
    "an anchor at an alias": (
        "a: &a b\nservices: &s *a\n",
        {"backend": NEW},
        "pin_shape",
        "an anchor or a tag",
    ),
    "a directive": ("%YAML 1.1\n---\n" + BACKEND, {"backend": NEW}, "pin_shape", "a directive"),
    "a carriage return alone": (BACKEND.replace("\n", "\r"), {"backend": NEW}, "pin_shape", "the character '\\r'"),
    "quotes never closed": ("services:\n  backend:\n    image: 'a\n", {"backend": NEW}, "pin_shape", "line 3"),
    "brackets never closed": ("services: {backend: {image: a\n", {"backend": NEW}, "pin_shape", "never closed"),
    "no reference": (BACKEND, {"backend": "a b"}, "bad_reference", "'a b' is not an image reference"),
    "a reference that is a variable": (
        BACKEND,
        {"backend": "a/b:${TAG}"},
        "bad_reference",
        "is not an image reference",
    ),
    "an empty reference": (BACKEND, {"backend": ""}, "bad_reference", "is not an image reference"),
}


@pytest.mark.parametrize(("text", "references", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_an_ambiguous_text_is_refused(text: str, references: dict[str, str], code: str, said: str) -> None:
    with pytest.raises(compose_pin.CannotPin, match=re.escape(said)) as caught:
        compose_pin.pin(text, references)
    assert caught.value.code == code
    assert caught.value.ways or code in ("bad_reference", "pin_shape")


# -- several files, and the override -------------------------------------------------------------


def test_of_several_files_the_last_that_names_an_image_is_edited() -> None:
    base = "services:\n  backend:\n    image: a/b:1\n  web:\n    image: a/c:1\n"
    over = "services:\n  backend:\n    image: a/b:2\n  web:\n    init: true\n"
    assert compose_pin.pin_files([base, over], {"backend": NEW, "web": "a/c:9"}) == [
        base.replace("a/c:1", "a/c:9"),
        over.replace("a/b:2", NEW),
    ]


def test_of_several_files_the_one_that_includes_is_named() -> None:
    with pytest.raises(compose_pin.ServiceIncluded) as caught:
        compose_pin.pin_files([BACKEND, "include:\n- a.yaml\n- path: [b.yaml, c.yaml]\n"], {"api": NEW})
    assert caught.value.paths == ("a.yaml", "b.yaml", "c.yaml")


@pytest.mark.parametrize(("image", "quoted"), [("nginx", False), ("a1", False), ("no", True), ("123", True)])
def test_one_word_has_quotes_where_it_needs_them(image: str, quoted: bool) -> None:
    before = "services:\n  backend:\n    image: a/b:1\n"
    written = f'"{image}"' if quoted else image
    assert compose_pin.pin(before, {"backend": image}) == before.replace("a/b:1", written)


def test_of_several_files_a_missing_service_is_named() -> None:
    with pytest.raises(compose_pin.CannotPin, match="has no service"):
        compose_pin.pin_files([BACKEND, BACKEND], {"api": NEW})


@pytest.mark.parametrize("references", [{}, {"backend": NEW, "no": "12:30", "1": "postgres:17"}])
def test_the_override_says_only_the_images(references: dict[str, str]) -> None:
    text = compose_pin.override(references)
    for read in (read_by_pyyaml, read_by_ruamel):
        assert read(text) == [{"services": {name: {"image": image} for name, image in references.items()}}]
    assert compose_pin.images(text) == references


def test_the_override_takes_only_references() -> None:
    with pytest.raises(compose_pin.CannotPin, match="image reference"):
        compose_pin.override({"backend": "a\nb"})


# -- laws ----------------------------------------------------------------------------------------

names = st.sampled_from(["backend", "worker", "web", "db", "proxy"])
tags = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
references = st.builds("registry.example.com/{}:{}".format, names, tags)
comments = st.sampled_from(["", "", "  # why", " #", " # it's {odd: [", " # image: x/y:1", "   "])
quotes = st.sampled_from(["{}", "'{}'", '"{}"'])
#: What may stand at a service beside its image; {i} is the indentation of its keys.
others = st.sampled_from(
    [
        "{i}command: sh -c 'a: b'\n",
        "{i}command: a b\n{i}   c:d # e\n",
        "{i}# image: x/y:1\n",
        "\n",
        "   \n",
        "{i}environment:\n{i}  A: \"x: '#' y\"\n{i}  B: 'it''s: #'\n{i}  C: ${{C:-image: x}}x\n".replace(
            "image: x", "x"
        ),
        "{i}environment:\n{i}- A=1\n{i}-   B=image\n",
        "{i}labels: {{image: 'x/y:1', a: [b, {{c: d}}], \"e\":f}}\n",
        "{i}labels: [a,\n {i} b # c\n {i}, 'd\n\n {i}e']\n",
        "{i}healthcheck:\n{i}  test: |\n{i}    image: x/y:1\n{i}    # no comment\n\n{i}      deep\n{i}  retries: 3\n",
        "{i}x-note: >2-\n{i}   image: x\n{i}  y\n",
        '{i}x-note: "two\n{i}  lines: \\" # \\\\"\n',
        "{i}build: &{n}-build\n{i}  context: .\n{i}x-again: *{n}-build\n",
        "{i}deploy: !override\n{i}  replicas: 2\n",
        "{i}volumes:\n{i}  - type: bind\n{i}    image: x/y:1\n{i}  - - a\n{i}    - b: c\n{i}      d:\n"
        "{i}  -\n{i}    e: f\n",
        "{i}stop_signal:\n",
        "{i}url: http://example.com:80/#a:b\n",
    ]
)
tops = st.sampled_from(
    [
        "# image: x/y:1\n",
        "name: shop\n",
        "x-a: &a {image: x/y:1}\n",
        "volumes:\n  data:\n",
        "\n",
        "x-b:\n- image: x\n- |\n  image: y\n",
    ]
)


@st.composite
def compose_texts(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A compose file in odd clothes, and the image of each service."""
    inner = " " * draw(st.integers(1, 5))
    chosen = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    images: dict[str, str] = {}
    lines = [draw(st.sampled_from(["services:", "'services':", "services :", "services:  # all"])) + "\n"]
    for name in chosen:
        key = inner + draw(quotes).format(name) + ":"
        images[name] = draw(references)
        if draw(st.integers(0, 5)) == 0:
            lines.append(f"{key} {{ init: true,image: {draw(quotes).format(images[name])} }}{draw(comments)}\n")
            continue
        deep = inner + " " * draw(st.integers(1, 4))
        before = [text.format(i=deep, n=name) for text in draw(st.lists(others, max_size=3, unique=True))]
        kept = [text for text in before if len({text.split(":")[0]} & {"".join(lines)}) == 0]
        gap = draw(st.sampled_from([" ", "   ", f"\n{deep}  ", " !!str ", f" &{name} "]))
        image = f"{deep}image:{gap}{draw(quotes).format(images[name])}{draw(comments)}\n"
        at = draw(st.integers(0, len(kept)))
        lines += [key + draw(comments) + "\n", *kept[:at], image, *kept[at:]]
    around = draw(st.lists(tops, max_size=4, unique=True))
    at = draw(st.integers(0, len(around)))
    text = "".join([*around[:at], *lines, *around[at:]])
    if draw(st.booleans()):
        text = text.rstrip("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text, images


def duplicate_keys(text: str) -> bool:
    """ruamel refuses a key that is there twice, as Compose does; PyYAML takes the last."""
    try:
        read_by_ruamel(text.replace("!override", ""))
    except YAMLError:
        return True
    return False


@settings(max_examples=400, deadline=None)
@given(compose_texts(), st.data())
def test_only_the_named_images_change(drawn: tuple[str, dict[str, str]], data: st.DataObject) -> None:
    text, images = drawn
    assume(not duplicate_keys(text))
    assert compose_pin.images(text) == images
    wanted = {name: data.draw(references) for name in data.draw(st.sets(st.sampled_from(sorted(images))))}
    pinned = compose_pin.pin(text, wanted)

    expected = read_by_pyyaml(text)
    for name, reference in wanted.items():
        expected[0]["services"][name]["image"] = reference
    assert read_by_pyyaml(pinned) == expected
    assert compose_pin.pin(pinned, wanted) == pinned
    assert compose_pin.pin(pinned, images) == text
    # What is left when the spans are cut out of both is the same, byte for byte.
    assert cut(pinned, {**images, **wanted}) == cut(text, images)


def cut(text: str, images: dict[str, str]) -> str:
    compose = compose_pin._Compose(text)
    nodes = [compose.must_be_editable(name).node for name in images]
    for node in sorted(nodes, key=lambda item: item.start, reverse=True):
        assert text[node.start : node.end].strip("'\"") in images.values()
        text = text[: node.start] + text[node.end :]
    return text


#: Bits of YAML, thrown together: most are not YAML, and the rest must be read as others read it.
bits = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "services",
            ":",
            ": ",
            "\n",
            "\n  ",
            "\n    ",
            "\n- ",
            "\n  - ",
            "- ",
            "'",
            '"',
            "#",
            " #",
            "{",
            "}",
            "[",
            "]",
        ]
        + [
            ",",
            ", ",
            "&x ",
            "*x",
            "!t ",
            "|",
            ">-\n",
            "|2\n",
            "\\",
            "<<",
            " ",
            "\t",
            "\r\n",
            "---\n",
            "...\n",
            "?",
            "$",
            "1",
        ]
        + ["a: b\n", "  c: d\n", "    e: f\n", "  - g\n", "- h\n", "x: |\n", "x: &x\n", "y: *x\n", "i: 'j'\n", "~"]
    ),
    max_size=14,
).map("".join)


def shape(text: str, node: yaml_spans.Node) -> Any:
    """The tree of the reader, comparable with PyYAML's nodes."""
    if node.kind == "alias":
        assert node.target is not None
        return shape(text, node.target)
    if node.kind == "mapping":
        return [(shape(text, key), shape(text, value)) for key, value in node.entries]
    if node.kind == "sequence":
        return ["-", *(shape(text, item) for item in node.items)]
    return node.value


def same_shape(mine: Any, theirs: yaml.Node) -> bool:
    if isinstance(theirs, yaml.MappingNode):
        return (
            isinstance(mine, list)
            and len(mine) == len(theirs.value)
            and all(
                isinstance(pair, tuple) and same_shape(pair[0], key) and same_shape(pair[1], value)
                for pair, (key, value) in zip(mine, theirs.value)
            )
        )
    if isinstance(theirs, yaml.SequenceNode):
        return (
            isinstance(mine, list)
            and mine[:1] == ["-"]
            and len(mine) - 1 == len(theirs.value)
            and all(same_shape(item, other) for item, other in zip(mine[1:], theirs.value))
        )
    return mine is None or mine == theirs.value


@settings(max_examples=1500, deadline=None)
@given(bits)
@example("a: |\n\n  b\n c: d\n")
@example("- &x\n  a: b\n- *x\n")
@example("a:\n- b\n- c: d\n  e:\n  - f\ng: h\n")
def test_the_reader_agrees_with_pyyaml(text: str) -> None:
    try:
        mine = [shape(text, node) for node in yaml_spans.documents(text) if node.style != "empty"]
    except yaml_spans.NotRead:
        return
    try:
        theirs = [node for node in yaml.compose_all(text, yaml.SafeLoader) if node is not None]
    except yaml.YAMLError:
        # What no parser takes never comes to Compose; an edit of it is harmless.
        return
    theirs = [
        node for node in theirs if not (isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style)
    ]
    assert len(mine) == len(theirs)
    assert all(same_shape(one, other) for one, other in zip(mine, theirs))
