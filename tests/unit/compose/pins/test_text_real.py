"""Compose itself reads pinned files: each pinned service has exactly its image, and nothing else came out otherwise."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_program import COUNT, Answer, Folder, ask

from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import text as compose_pin
from unit.compose.pins.test_text import read_by_pyyaml

ROOT = Path(__file__).resolve().parents[4]
NEW = "registry.example.com/acme/new:2@sha256:" + "ab" * 32

#: What may stand at a service beside its image. {i}: the indentation of its keys; {n}: the service's name.
BESIDE = [
    "{i}command: [\"sh\", '-c', 'a: b # c']\n",
    "{i}command: >-\n{i}  image: not/an:image\n{i}  # no comment\n\n{i}  more words\n",
    "{i}# image: old/old:1\n",
    "{i}#image:old\n",
    "\n",
    "{i}environment:\n{i}  A: \"x: '#' y\"\n{i}  B: 'it''s: #'\n{i}  IMAGE: image:tag\n",
    "{i}labels:\n{i}- a.image=x/y:1\n{i}-   b=image\n",
    '{i}labels: {{image: \'x/y:1\', "long":"' + "word " * 300 + '"}}\n',
    "{i}healthcheck:\n{i}  test: |\n{i}    image: x/y:1\n{i}    # no comment\n\n{i}      deep\n{i}  retries: 3\n",
    "{i}build: &{n}-build\n{i}  context: .\n{i}  dockerfile: image\n",
    "{i}deploy:\n{i}  replicas: 2\n{i}  labels: {{a: b}}\t# behind a tab\n",
    "{i}volumes:\n{i}  - type: bind\n{i}    source: ./image\n{i}    target: /image\n",
    "{i}ports: [ \"80{n}\",\n{i}  '8080:80' ]\n".replace("80{n}", "8081:81"),
    "{i}logging: *logging\n",
    "{i}hostname:\t{n}\n",
    "{i}stop_signal: !!str SIGINT\n",
    '{i}user: "1000:1000"   \n',
    "{i}entrypoint: 'two\n\n{i}  lines'\n",
    "{i}working_dir: /grüße/日本\n",
    "{i}extra_hosts:\n{i}  image: 10.0.0.1\n",
]
FIRST = [
    "name: shop\n",
    "# image: x/y:1\n",
    "x-list:\n- image: x\n- |\n  image: y\n",
    "x-other: {image: 'x/y:1', services: {api: {image: no/no:1}}}\n",
    "\n",
    'x-text: "services:\\n  api:\\n    image: x"\n',
    "networks:\n  default: {}\n",
    "volumes:\n  image:\n",
]
LOGGING = 'x-logging: &logging\n  driver: json-file\n  options: {max-size: "10m"}\n'
IMAGES = [
    "nginx",
    "a/b:1",
    "registry.example.com:5000/a/b",
    "redis:8",
    "a/b@sha256:" + "0a" * 32,
    "postgres:17.2-alpine",
]
NAMES = ["api", "jobs", "web", "db", "'quoted'", '"double"']


def written(random_: random.Random, image: str) -> str:
    return (
        random_.choice(["{}", "{}", "'{}'", '"{}"', "!!str {}", "&img{} {}"])
        .replace("&img{}", f"&img{random_.randint(0, 10**9)}")
        .format(image)
    )


def made_up(random_: random.Random) -> tuple[str, dict[str, str]]:
    """A compose file in odd clothes, and the image of each service."""
    images: dict[str, str] = {}
    inner = " " * random_.randint(1, 4)
    lines = [random_.choice(["services:", "'services':", "services:   # all of them", "services:\t"]) + "\n"]
    templates = ""
    for name in random_.sample(NAMES, random_.randint(1, 4)):
        plain = name.strip("'\"")
        image = images[plain] = random_.choice(IMAGES)
        deep = inner + " " * random_.randint(1, 4)
        comment = random_.choice(["", "", "  # pinned by hand", "\t# tab", "   "])
        shape = random_.randint(0, 9)
        if shape == 0:
            lines.append(f"{inner}{name}: {{ init: true,image: {written(random_, image)} }}{comment}\n")
            continue
        if shape == 1:
            lines.append(f"{inner}{name}: {{\n{deep}image: {written(random_, image)}, # why\n{deep}init: true}}\n")
            continue
        tag = random_.choice(["", "!!merge "])
        if shape == 2:
            templates += f"x-{plain}: &t-{plain}\n  image: {written(random_, image)}{comment}\n  init: true\n"
            lines.append(f"{inner}{name}:\n{deep}{tag}<<: *t-{plain}\n{deep}tty: true\n")
            continue
        if shape == 3:
            templates += f"x-{plain}: &t-{plain} {{init: true, image: no/no:1}}\n"
            lines.append(
                f"{inner}{name}:\n{deep}tty: true\n{deep}{tag}<<: [*t-{plain}]\n{deep}image: {image}{comment}\n"
            )
            continue
        beside = once_each(text.format(i=deep, n=plain) for text in random_.sample(BESIDE, random_.randint(0, 5)))
        at = random_.randint(0, len(beside))
        gap = random_.choice(["", "", "  ", f"\n{deep}  "])
        said = f"{deep}image: {gap}{written(random_, image)}{comment}\n"
        lines.append(f"{inner}{name}:{random_.choice(['', '  # why'])}\n" + "".join([*beside[:at], said, *beside[at:]]))
    around = random_.sample(FIRST, random_.randint(0, 4))
    at = random_.randint(0, len(around))
    text = "".join([LOGGING, templates, *around[:at], *lines, *around[at:]])
    if random_.random() < 0.3:
        text = "---\n" + text + random_.choice(["", "...\n"])
    if random_.random() < 0.2:
        first = next(iter(images))
        text = text.removesuffix("...\n") + f"---\nservices:\n  {first}:\n    image: later/one:1\n"
        images[first] = "later/one:1"
    if random_.random() < 0.3:
        text = text.rstrip("\n")
    if random_.random() < 0.3:
        text = text.replace("\n", "\r\n")
    if random_.random() < 0.2:
        text = "\ufeff" + text
    return text, images


def once_each(pieces: Iterable[str]) -> list[str]:
    """Of two pieces with the same key the first: Compose takes a key once."""
    found: dict[str, str] = {}
    for number, piece in enumerate(pieces):
        key = piece.strip().partition(":")[0]
        found.setdefault(f"{key} {number}" if not key or key.startswith("#") else key, piece)
    return list(found.values())


def folder(text: str) -> Folder:
    return Folder({"compose.yaml": text.encode()}, ("--project-name", "shop"))


def with_images(config: dict[str, Any], images: dict[str, str]) -> dict[str, Any]:
    services = {
        name: {**body, "image": images[name]} if name in images else body for name, body in config["services"].items()
    }
    return {**config, "services": services}


def test_compose_reads_a_pinned_file_as_it_was_meant() -> None:
    random_ = random.Random(5)
    drawn = [made_up(random_) for _ in range(COUNT * 2)]
    wanted = [
        {name: random_.choice([NEW, NEW, "redis", "x/y:1", "12:30"]) for name in images if random_.random() < 0.7}
        for _text, images in drawn
    ]
    pinned = [compose_pin.pin(text, some) for (text, _images), some in zip(drawn, wanted)]
    answers = ask([folder(text) for text in [*[text for text, _images in drawn], *pinned]])
    for (text, images), some, changed, was, now in zip(drawn, wanted, pinned, answers, answers[len(drawn) :]):
        assert {name: body["image"] for name, body in was.services.items()} == images, text
        assert _comparable(now) == with_images(_comparable(was), some), (text, changed)
        assert compose_pin.images(changed) == {**images, **some}
        assert by_yaml(changed) == by_yaml(text, some), (text, changed)
        # Written back, each byte is as it was; what had to be quoted stays so.
        back = {name: image for name, image in images.items() if some.get(name) != "12:30"}
        assert compose_pin.pin(changed, images) == text or len(back) < len(images), (text, changed)


# -- what is refused -----------------------------------------------------------------------------

#: By reason of a refusal: what its line has, so that the reason is true of it. Of a reason that is not here Compose
#: itself reads no file.
TRUE_OF = {
    "a tab in the indentation": r" *\t",
    "an anchor or a tag before a key": r".*[&!]\S* .*:",
    "an alias as a key": r".*\*[\w-]+ *:",
    "a collection as a key": r".*[]}] *:",
    "a key after a question mark": r".*\?",
    "a directive": "%",
    "a value on the line of a document marker": r"\ufeff?(---|\.\.\.) *\S",
    "the head of a block of text": ".*[|>]",
    "a tag of another shape than ! and a name": ".*!",
    "two anchors or two tags at one value": ".*([&!]).*\\1",
    "a key of another shape than a name": r".*([&!?,{\[|>@%`*]|- ).*:|.*:\s",
    "the name of an anchor or an alias": r".*[&*]",
    "'?' in brackets": r".*\?",
    "an anchor or a tag at an alias": r".*[&!].*\*",
}
ODD = {
    "a tag before a key": ("x-a:\n  !!str b: c\n", "line 2: an anchor or a tag before a key"),
    "an anchor before a key": ("x-a:\n  &b b: c\n", "line 2: an anchor or a tag before a key"),
    "an alias as a key": ("x-a: &a b\nx-c:\n  *a : d\n", "line 3: an alias as a key"),
    "an alias as a later key": ("x-a: &a b\nx-c:\n  e: f\n  *a : d\n", "line 4: an alias as a key"),
    "a key after a question mark": ("? x-a\n: b\n", "line 1: a key after a question mark"),
    "a directive": ("%YAML 1.1\n---\n", "line 1: a directive"),
    "a value behind a marker": ("--- {x-a: b}\n---\n", "line 1: a value on the line of a document marker"),
    "a tag in brackets": ("x-a: !<tag:yaml.org,2002:str> b\n", "line 1: a tag of another shape"),
    "a tag behind a tag": ("x-a: !!merge !!str b\n", ""),
}
SERVICE = "services:\n  api:\n    image: a/b:1\n"
ODD_IMAGES = {
    "a block of text": ("image: >-\n      a/b:1\n", "line 3: the image of api is written as a block of text"),
    "an escape": ('image: "a/b\\x3a1"\n', "line 3: the image of api is written with escapes or on several lines"),
    "two lines": ("image: 'a/\\\n\n      b:1'\n", "line 3: the image of api is written with escapes or on several"),
    "an escaped line end": (
        'image: "a/\\\n      b:1"\n',
        "line 3: the image of api is written with escapes or on several",
    ),
    "a variable": ("image: a/b:${TAG:-1}\n", "line 3: the image of api is made of a variable"),
}


def test_a_file_that_compose_reads_is_refused_for_its_true_reason() -> None:
    texts = {name: (odd + SERVICE, said) for name, (odd, said) in ODD.items()}
    texts.update({name: ("services:\n  api:\n    " + odd, said) for name, (odd, said) in ODD_IMAGES.items()})
    answers = ask([folder(text) for text, _said in texts.values()])
    for (name, (text, said)), answer in zip(texts.items(), answers):
        assert (answer.config is not None) is bool(said), (name, answer.said)
        with pytest.raises(compose_pin.CannotPin, match=re.escape(said) or None):
            compose_pin.pin(text, {"api": NEW})


BITS = (
    ["a", "b", ":", ": ", ": ", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "- ", "'", '"', "#", " #", "{", "}", "[", "]"]
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
        "---\n",
        "...\n",
        "?",
        "? ",
        "$$",
        "1",
    ]
    + ["a: b\n", "  c: d\n", "    e: f\n", "  - g\n", "- h\n", "x: |\n", "x: &x\n", "y: *x\n", "i: 'j'\n", "~"]
    + ["!!str ", "!!merge ", "*x : ", "k: {a: b}\n", "%YAML 1.2\n---\n", "x: [a,\n  b]\n", "p: >\n\n  q\n", "'r' : s\n"]
)


def odd_file(random_: random.Random) -> str:
    """A compose file with bits of YAML thrown together in it; Compose reads some of them."""
    bits = "".join(random_.choice(BITS) for _ in range(random_.randint(1, 5)))
    form = random_.randint(0, 3)
    if form == 0:
        return f"x-odd: {bits}\n{SERVICE}"
    if form == 1:
        return "x-odd:\n" + "".join(f"  {line}\n" for line in bits.split("\n")) + SERVICE
    if form == 2:
        return SERVICE + "    labels:\n" + "".join(f"      {line}\n" for line in bits.split("\n"))
    return bits + ("" if bits.endswith("\n") else "\n") + SERVICE


def test_a_file_that_compose_reads_is_pinned_or_refused_truly() -> None:
    random_ = random.Random(17)
    texts = [odd_file(random_) for _ in range(COUNT * 6)]
    read = [(text, answer) for text, answer in zip(texts, ask([folder(text) for text in texts])) if answer.config]
    pinned: list[tuple[str, str, Answer]] = []
    for text, answer in read:
        try:
            pinned.append((text, compose_pin.pin(text, {"api": NEW}), answer))
        except compose_pin.CannotPin as error:
            assert error.code == "pin_shape", (text, str(error))
            found = re.search(r"line (\d+): (.*)", str(error))
            assert found, (text, str(error))
            line = text.split("\n")[int(found.group(1)) - 1]
            pattern = TRUE_OF.get(found.group(2))
            assert pattern and re.match(pattern, line), (text, str(error))
    after = ask([folder(changed) for _text, changed, _answer in pinned])
    for (text, changed, was), now in zip(pinned, after):
        assert now.config == {**(was.config or {}), **with_images(was.config or {}, {"api": NEW})}, (text, changed)
    assert len(pinned) > COUNT


# -- files that include others -------------------------------------------------------------------


INCLUDING = {
    "a list": "include:\n  - more/jobs.yaml\n",
    "on one line": "include: [more/jobs.yaml]\n",
    "with a path": "include:\n- path: more/jobs.yaml\n  project_directory: more\n",
    "with paths": "include:\n- path:\n  - more/none.yaml\n  - 'more/jobs.yaml'\n",
}


def test_a_service_of_an_included_file_is_pinned_beside() -> None:
    jobs = b'services:\n  jobs:\n    image: a/b:1\n    command: ["x"]\n'
    files = {"more/jobs.yaml": jobs, "more/none.yaml": b"services: {}\n"}
    pins = {"pins.yaml": compose_pin.override({"jobs": NEW, "api": "redis"}).encode()}
    plain: list[Folder] = []
    for including in INCLUDING.values():
        text = including + SERVICE
        with pytest.raises(compose_pin.ServiceIncluded, match=r"line \d includes .*more/jobs.yaml") as caught:
            compose_pin.pin(text, {"jobs": NEW})
        assert caught.value.ways[0][0] == "compose_pin=override"
        here = {**files, "compose.yaml": text.encode()}
        plain.append(Folder(here, ("--project-name", "shop", "-f", "compose.yaml")))
        plain.append(Folder({**here, **pins}, ("--project-name", "shop", "-f", "compose.yaml", "-f", "pins.yaml")))
    answers = ask(plain)
    for was, now in zip(answers[::2], answers[1::2]):
        assert now.config == with_images(was.config or {}, {"jobs": NEW, "api": "redis"})


# -- files of this machine -----------------------------------------------------------------------


def corpus() -> list[tuple[str, str]]:
    """Compose files that were not made up: this repository's, its pages', and those of a folder of one's own."""
    found: dict[str, str] = {}
    own = os.environ.get("OPS_RUNBOOK_COMPOSE_CORPUS")
    for root in [ROOT, *([Path(own)] if own else [])]:
        for path in sorted(root.rglob("*")):
            if path.suffix in (".yml", ".yaml", ".md") and path.is_file() and not {".venv", ".git"} & set(path.parts):
                text = path.read_text("utf-8", "surrogateescape")
                texts = re.findall(r"^```ya?ml\n(.*?)^```", text, re.M | re.S) if path.suffix == ".md" else [text]
                for one in texts:
                    if re.search(r"^services:", one, re.M) and "{%" not in one:
                        found.setdefault(one, f"{path.name}")
    return [(name, text) for text, name in found.items()]


def collected(text: str) -> Folder:
    """A file with every variable that it asks for."""
    names = sorted(set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", text)))
    settings = "".join(f"{name}=1\n" for name in names if not name.startswith(("COMPOSE_", "DOCKER_")))
    files = {"compose.yaml": text.encode("utf-8", "surrogateescape"), ".env": settings.encode()}
    return Folder(files, ("--project-name", "shop", "--profile", "*"))


def test_compose_reads_collected_files_as_it_was_meant() -> None:
    files = corpus()
    asked = ask([collected(text) for _name, text in files])
    pinned: list[tuple[str, str, dict[str, str], Answer]] = []
    for (name, text), was in zip(files, asked):
        here: dict[str, str] = {}
        for service in was.services if was.config is not None else ():
            try:
                compose_pin.pin(text, {service: NEW})
                here[service] = NEW
            except compose_pin.CannotPin as error:
                assert REASONS[error.code](text, was, service), (name, service, str(error))
        if here:
            pinned.append((name, compose_pin.pin(text, here), here, was))
    after = ask([collected(text) for _name, text, _here, _was in pinned])
    for (name, _text, here, was), now in zip(pinned, after):
        assert _comparable(now) == with_images(_comparable(was), here), name
    print(f"{len(files)} files, {len(pinned)} pinned, {sum(len(here) for _, _, here, _ in pinned)} services")
    assert pinned


#: What is true of a service that is not pinned, by the code of the refusal.
REASONS: dict[str, Callable[[str, Answer, str], bool]] = {
    "no_image": lambda text, was, service: "build" in was.services[service] or "extends" in text,
    "image_variable": lambda text, was, service: bool(re.search(r"image: *[\"']?[^\n]*\$", text)),
    "image_shared": lambda text, was, service: "*" in text or "extends" in text,
    "service_included": lambda text, was, service: bool(re.search("^include:", text, re.M)),
}


def by_yaml(text: str, images: dict[str, str] | None = None) -> dict[str, Any] | None:
    """The documents as PyYAML reads them, later over earlier ones, with other images; None for what it can't read."""
    merged: dict[str, Any] = {}
    try:
        documents = read_by_pyyaml(text.removeprefix("\ufeff"))
    except yaml.YAMLError:
        # Of a tab behind a colon or before a comment.
        return None
    for document in documents:
        for name, service in document.pop("services").items():
            merged.setdefault(name, {}).update(service)
        merged.update({key: value for key, value in document.items() if not str(key).startswith("x-")})
    for name, image in (images or {}).items():
        merged[name]["image"] = image
    return merged


def _comparable(answer: Answer) -> dict[str, Any]:
    """A configuration without templates, where an image may be written."""
    assert answer.config is not None, answer.said
    return {key: value for key, value in answer.config.items() if not key.startswith("x-")}
