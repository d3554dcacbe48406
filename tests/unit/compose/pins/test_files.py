"""The files of a service with other images in them, as far as they are read from the host."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import files as compose_pins
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins.files import File, Pins, sha256
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

API = "services:\n  api:\n    image: a/b:1\n"
JOBS = API.replace("api", "jobs")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"more/a.yaml": API.replace("api", "web"), "more/b.yaml": JOBS}, "; jobs is in more/b.yaml"),
        # Whose file can't be read may still have it.
        ({"more/a.yaml": "services: [", "more/b.yaml": API}, "and no pin is written into an included file"),
        ({}, "and no pin is written into an included file"),
    ],
)
def test_a_service_of_an_included_file_is_refused_with_its_file(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    (tmp_path / "more").mkdir()
    for name, text in {**files, "compose.yaml": "include:\n- more/a.yaml\n- path: more/b.yaml\n" + API}.items():
        (tmp_path / name).write_text(text)
    service = SimpleNamespace(
        description=SimpleNamespace(pin="file"),
        files=lambda: ["compose.yaml"],
        path=lambda name: str(tmp_path / name),
    )
    with pytest.raises(Problem) as caught:
        compose_pins.edited(service, {"jobs": "x/y:1"})  # type: ignore[arg-type]
    refusal = caught.value
    assert refusal.code == "service_included"
    assert "includes more/a.yaml, more/b.yaml" in refusal.text and refusal.text.endswith(said)
    assert refusal.ways[0][0] == "compose_pin=override"


# -- a project whose configuration is what its files say -----------------------------------------------


class Project:
    """A compose project as the pins need it. Its configuration is each file's, the later over the earlier."""

    def __init__(
        self, folder: Path, texts: Mapping[str, str], pin: str = "file", settings: dict[str, str] | None = None
    ) -> None:
        self.folder, self.names = folder, list(texts)
        self.description = SimpleNamespace(pin=pin, pin_file="pins.yaml", project_dir=str(folder))
        self._settings = settings or {}
        self.asked: list[list[str]] = []
        for name, text in texts.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))

    def files(self) -> list[str]:
        return [name for name in self.names if name != self.description.pin_file]

    def all_files(self) -> list[str]:
        return [self.path(name) for name in self.names]

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def settings(self) -> dict[str, str]:
        return self._settings

    def config(self, paths: list[str]) -> dict[str, Any]:
        self.asked.append(paths)
        services: dict[str, dict[str, Any]] = {}
        for path in paths:
            for name, body in yaml.safe_load(Path(path).read_text(errors="replace"))["services"].items():
                services.setdefault(name, {}).update(body)
        if "broken" in services:
            raise CommandFailed("services.broken is wrong")
        return {"name": "shop", "services": services}

    def prepare(self, **images: str) -> Pins:
        config = self.config(self.all_files())
        self.asked.clear()
        wanted: Any = {name: SimpleNamespace(text=text) for name, text in images.items()}
        return compose_pins.prepare(self, config, wanted)  # type: ignore[arg-type]

    def write(self, hashes: Mapping[str, Sequence[str]], **images: str) -> None:
        compose_pins.write(self, images, hashes, str(self.folder / "kept"))  # type: ignore[arg-type]

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


WEB = "# caf\udce9\nservices:\n  web: {image: a/c:1}\n"
HEADER = (
    "# The images of the release that runs here, written by compose_deploy and compose_rollback (ops.runbook).\n"
    "# `docker compose` by hand reads it if .env has COMPOSE_FILE=compose.yaml:pins.yaml\n"
)
PINS = 'services:\n  "api":\n    image: x/y:2\n'
BY_HAND = "`docker compose` by hand does not read pins.yaml: put COMPOSE_FILE=compose.yaml:pins.yaml into .env"
TWO = {"compose.yaml": API, "more/web.yaml": WEB}


def refusal_of(action: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(Problem) as caught:
        action()
    return {name: getattr(caught.value, name) for name in ("code", "text", "ways")}


OVERRIDE = (("compose_pin=override", "leaves the compose file as it is, and pins in a file of its own beside it"),)


def test_only_files_whose_images_change_are_prepared(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO)
    after = API.replace("a/b:1", "x/y:2")
    pins = project.prepare(api="x/y:2", web="a/c:1")
    assert pins == Pins((File("compose.yaml", API, after),))
    assert (pins.names, pins.hashes) == (["compose.yaml"], {"compose.yaml": sha256(after)})
    assert pins.to_dict() == {"compose.yaml": [sha256(API), sha256(after)]}
    assert project.prepare(web="a/c:2").names == ["more/web.yaml"]
    assert project.prepare(api="a/b:1") == Pins(())
    assert sha256("") == "" and sha256("\udce9") == hashlib.sha256(b"\xe9").hexdigest()


def test_a_plan_asks_compose_about_copies_and_touches_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO)
    project.prepare(web="x/z:2")
    [[api, web]] = project.asked
    assert api == str(tmp_path / "compose.yaml")
    assert (Path(web).name, Path(web).parent.name[:12]) == ("1-web.yaml", "ops-runbook-")
    assert not Path(web).exists()
    assert project.read("more/web.yaml") == WEB.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("earlier", ["", PINS.replace("x/y:2", "x/y:1")])
def test_the_pins_of_a_file_of_their_own_are_its_whole_content(tmp_path: Path, earlier: str) -> None:
    texts = {"compose.yaml": API, **({"pins.yaml": earlier} if earlier else {})}
    project = Project(tmp_path, texts, pin="override")
    pins = project.prepare(api="x/y:2")
    assert pins == Pins((File("pins.yaml", earlier, HEADER + PINS),), (BY_HAND,))
    assert [Path(path).name for path in project.asked[0]] == ["compose.yaml", "1-pins.yaml"]


@pytest.mark.parametrize(
    ("listed", "warned"),
    [("compose.yaml:pins.yaml", False), ("pins.yaml", False), ("compose.yaml", True), ("more-pins.yaml", True)],
)
def test_a_person_who_would_not_get_the_pins_is_warned(tmp_path: Path, listed: str, warned: bool) -> None:
    project = Project(tmp_path, {"compose.yaml": API}, "override", {"COMPOSE_FILE": listed})
    assert project.prepare(api="x/y:2").warnings == ((BY_HAND,) if warned else ())


def test_pins_that_compose_does_not_read_as_they_are_meant_are_refused(tmp_path: Path) -> None:
    project = Project(tmp_path, {"compose.yaml": API})
    config, wanted = project.config(project.all_files()), {"api": SimpleNamespace(text="x/y:2")}

    def prepared(answer: Callable[[list[str]], Any]) -> dict[str, Any]:
        project.config = answer  # type: ignore[method-assign]
        return refusal_of(lambda: compose_pins.prepare(project, config, wanted))  # type: ignore[arg-type]

    def fails(_paths: list[str]) -> Any:
        raise CommandFailed("services.api is wrong")

    invalid = "with the new images the compose files are not valid: services.api is wrong"
    assert prepared(fails) == {"code": "compose_invalid", "text": invalid, "ways": OVERRIDE}
    more = "with the new images more than the images would come out otherwise"
    differs = {"code": "pin_differs", "text": more, "ways": OVERRIDE}
    assert prepared(lambda _paths: {"name": "other", "services": {"api": {"image": "x/y:2"}}}) == differs
    assert prepared(lambda _paths: {"name": "shop", "services": {"api": {"image": "x/y:2", "tty": True}}}) == differs
    assert prepared(lambda _paths: {"name": "shop", "services": {"api": {"image": "x/y:2"}, "web": {}}}) == differs
    still = "the image of api would still not be the one that is wanted: another file decides about it"
    same = {"name": "shop", "services": {"api": {"image": "a/b:1"}}}
    assert prepared(lambda _paths: same) == {"code": "pin_differs", "text": still, "ways": OVERRIDE}


def test_the_image_of_another_service_must_not_change(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO)
    config = project.config(project.all_files())
    config["services"]["web"]["image"] = "a/c:0"
    wanted: Any = {"api": SimpleNamespace(text="x/y:2")}
    assert refusal_of(lambda: compose_pins.prepare(project, config, wanted))["code"] == "pin_differs"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        ({"compose.yaml": API}, "compose.yaml, line 3"),
        ({"compose.yaml": API, "over.yaml": "services: {api: {image: a/b:2}}\n"}, "over.yaml, line 1"),
        ({"compose.yaml": API, "over.yaml": WEB}, "compose.yaml, line 3"),
        ({"compose.yaml": API, "over.yaml": "services: ["}, "compose.yaml, line 3"),
        ({"compose.yaml": WEB, "over.yaml": WEB}, "compose.yaml, over.yaml"),
    ],
)
def test_the_place_of_an_image_is_named_as_far_as_it_is_known(
    tmp_path: Path, texts: dict[str, str], place: str
) -> None:
    assert compose_pins.place_of(Project(tmp_path, texts), "api") == place  # type: ignore[arg-type]


# -- the files are written -----------------------------------------------------------------------------


def test_the_pins_are_written_and_each_file_is_kept_as_it_was(tmp_path: Path) -> None:
    project = Project(tmp_path, TWO)
    hashes = project.prepare(api="x/y:2", web="x/z:2").to_dict()
    for _again in range(2):
        project.write(hashes, api="x/y:2", web="x/z:2")
        assert project.read("compose.yaml") == API.replace("a/b:1", "x/y:2").encode()
        assert project.read("more/web.yaml") == WEB.replace("a/c:1", "x/z:2").encode("utf-8", "surrogateescape")
        kept = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
        assert kept == {"compose.yaml": API.encode(), "more%2Fweb.yaml": WEB.encode("utf-8", "surrogateescape")}


def test_of_a_file_that_was_not_there_nothing_is_kept(tmp_path: Path) -> None:
    project = Project(tmp_path, {"compose.yaml": API}, pin="override")
    project.write(project.prepare(api="x/y:2").to_dict(), api="x/y:2")
    assert project.read("pins.yaml") == (HEADER + PINS).encode()
    assert list((tmp_path / "kept").iterdir()) == []


def test_names_of_files_that_are_kept_do_not_meet() -> None:
    names = ["a/b.yaml", "a%2Fb.yaml", "a%252Fb.yaml", "a.yaml"]
    assert [compose_pins._flat(name) for name in names] == [
        "a%2Fb.yaml",
        "a%252Fb.yaml",
        "a%25252Fb.yaml",
        "a.yaml",
    ]


def failure_of(action: Callable[[], object]) -> str:
    with pytest.raises(CommandFailed) as caught:
        action()
    return str(caught.value)


def test_a_file_that_changed_since_the_plan_is_left(tmp_path: Path) -> None:
    project = Project(tmp_path, {"compose.yaml": API})
    hashes = project.prepare(api="x/y:2").to_dict()
    path = tmp_path / "compose.yaml"
    path.write_text(API + "# mine\n")
    assert failure_of(lambda: project.write(hashes, api="x/y:2")) == (
        f"{path} was changed since the plan was made, and is left as it is: "
        "interrupted=undo goes back, interrupted=accept keeps the change and lets you plan anew"
    )
    assert path.read_text() == API + "# mine\n"


def test_pins_that_come_out_otherwise_than_planned_are_not_written(tmp_path: Path) -> None:
    project = Project(tmp_path, {"compose.yaml": API})
    hashes = project.prepare(api="x/y:2").to_dict()
    otherwise = f"the pins of {tmp_path}/compose.yaml do not come out as planned"
    assert failure_of(lambda: project.write(hashes, api="x/y:3")) == otherwise
    assert failure_of(lambda: project.write(hashes, api="a/b:1")) == otherwise
    missing = "the compose file has no service web; it has api"
    assert failure_of(lambda: project.write(hashes, web="x/y:2")) == missing
    assert project.read("compose.yaml") == API.encode()
