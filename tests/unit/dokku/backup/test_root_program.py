# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`dokku-parts` works as root for somebody who is not: no archive and no file makes it reach beyond its folders."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PROGRAM = Path(__file__).parents[4] / "roles" / "dokku" / "files" / "dokku-parts"
ID = "20261129T000000Z-abcdef"
Add = Callable[[tarfile.TarFile], None]


class Host:
    """The program, with its folders in a place of the test."""

    def __init__(self, program: ModuleType, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program, self.root = program, root
        self.storage, self.outside = root / "storage", root / "outside"
        self.loaded = root / "loaded.tar"
        for folder in (self.storage, self.outside, root / "home" / "app", root / "bin", root / "lib" / "data"):
            folder.mkdir(parents=True)
        (self.outside / "secret").write_text("only root reads this\n")
        monkeypatch.setattr(program, "STORAGE", str(self.storage))
        monkeypatch.setattr(program, "HOME", str(root / "home"))
        monkeypatch.setattr(program, "LIB", str(root / "lib"))
        docker = root / "bin" / "docker"
        docker.write_text(f"#!/bin/sh\ncat > {self.loaded}\n")
        docker.chmod(0o755)
        monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
        self._monkeypatch = monkeypatch

    def call(self, *words: str, given: bytes = b"") -> tuple[int, bytes, str]:
        """Its exit code, what it wrote, and what it said."""
        out, said = io.TextIOWrapper(io.BytesIO()), io.StringIO()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", said)
            try:
                code = self.program.main(list(words))
            except SystemExit as end:
                code = int(end.code or 0)
        return code, out.buffer.getvalue(), said.getvalue()

    def unpack(self, archive: bytes) -> tuple[int, str]:
        code, _, said = self.call("write", "storage", "app", ID, given=archive)
        return code, said

    def beyond(self) -> list[str]:
        """New files outside the storage."""
        return sorted(path.name for path in self.outside.iterdir() if path.name != "secret")


@pytest.fixture(scope="module")
def program() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("dokku_parts_program", str(PROGRAM))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


@pytest.fixture
def host(program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    umask = os.umask(0o077)
    yield Host(program, tmp_path, monkeypatch)
    os.umask(umask)


# -- archives --------------------------------------------------------------------------------------


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", to: str = "", mode: int = 0o644) -> Add:
    def add(archive: tarfile.TarFile) -> None:
        found = tarfile.TarInfo(name)
        found.type, found.linkname, found.size, found.mode = kind, to, len(content), mode
        found.uid, found.gid = os.getuid(), os.getgid()
        archive.addfile(found, io.BytesIO(content))

    return add


def folder(name: str) -> Add:
    return member(name, tarfile.DIRTYPE, mode=0o755)


def link(name: str, to: str) -> Add:
    return member(name, tarfile.SYMTYPE, to=to)


def hard(name: str, to: str) -> Add:
    return member(name, tarfile.LNKTYPE, to=to)


def packed(*adds: Add) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for add in adds:
            add(archive)
    return made.getvalue()


def hostile(outside: Path) -> dict[str, Sequence[Add]]:
    to, app = str(outside), folder("app")
    return {
        "a link through a link": [app, link("app/e", to), link("app/e/planted", "/etc/passwd")],
        "a hard link through a link": [app, member("app/x"), link("app/e", to), hard("app/e/planted", "app/x")],
        "a hard link to a file behind a link": [app, link("app/e", to), hard("app/got", "app/e/secret")],
        "a hard link to a link": [app, link("app/e", f"{to}/secret"), hard("app/got", "app/e")],
        "a hard link to a path outside": [app, hard("app/got", f"{to}/secret")],
        "a hard link upwards": [app, hard("app/got", "app/../../outside/secret")],
        "a hard link to what comes later": [app, hard("app/got", "app/later"), member("app/later")],
        "a file behind a link": [app, link("app/e", to), member("app/e/planted", content=b"x")],
        "a folder behind a link": [app, link("app/e", to), folder("app/e/planted")],
        "a folder in place of a link": [app, link("app/e", to), folder("app/e"), member("app/e/planted")],
        "a file in place of a link": [app, link("app/e", f"{to}/planted"), member("app/e", content=b"x")],
        "two links of one name": [app, link("app/e", "one"), link("app/e", to)],
        "a file upwards": [app, member("app/../planted", content=b"x")],
        "an absolute file": [app, member(f"{to}/planted", content=b"x")],
        "a top that is a link": [link("app", to), member("app/planted", content=b"x")],
        "a top that is a file": [member("app", content=b"x")],
        "a file without its folder": [member("app/planted", content=b"x")],
        "another top": [folder("other"), member("other/planted")],
        "a device": [app, member("app/sda", tarfile.BLKTYPE)],
        "a pipe": [app, member("app/pipe", tarfile.FIFOTYPE)],
        "nothing": [],
    }


@pytest.mark.parametrize("case", hostile(Path("/")))
def test_a_hostile_archive_is_refused_and_leaves_nothing(host: Host, case: str) -> None:
    (host.storage / "app").mkdir()
    (host.storage / "app" / "mine").write_text("as it was")
    code, said = host.unpack(packed(*hostile(host.outside)[case]))
    assert code == 1, said
    assert said.startswith("dokku-parts: ")
    assert host.beyond() == []
    assert os.stat(host.outside / "secret").st_nlink == 1
    assert [path.name for path in host.storage.iterdir()] == ["app"]
    assert (host.storage / "app" / "mine").read_text() == "as it was"


_PLACE = st.sampled_from(["app", "app/a", "app/a/b", "app/c", "app/a/c", "app/../x", "other", "/x", "app/a/b/c"])
_TARGET = st.one_of(_PLACE, st.sampled_from(["OUTSIDE", "OUTSIDE/secret", ".", "..", "../..", "a", "a/b"]))
_MEMBER = st.tuples(st.sampled_from("fdsh"), _PLACE, _TARGET)


@given(members=st.lists(_MEMBER, max_size=8))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_archive_at_all_reaches_out_of_its_folder(program: ModuleType, members: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        host = Host(program, Path(root), patch)
        outside = str(host.outside)
        kinds: dict[str, Callable[[str, str], Add]] = {
            "f": lambda name, _: member(name, content=b"planted"),
            "d": lambda name, _: folder(name),
            "s": link,
            "h": hard,
        }
        adds = [kinds[kind](name, to.replace("OUTSIDE", outside)) for kind, name, to in members]
        code, _ = host.unpack(packed(folder("app"), *adds))
        assert host.beyond() == []
        assert os.stat(host.outside / "secret").st_nlink == 1
        assert (host.outside / "secret").read_text() == "only root reads this\n"
        assert sorted(path.name for path in host.storage.iterdir()) == (["app"] if code == 0 else [])


def test_an_honest_archive_comes_back_as_it_was(host: Host) -> None:
    app = host.storage / "app"
    (app / "up" / "deep").mkdir(parents=True)
    (app / "up" / "one").write_text("content")
    (app / "up" / "one").chmod(0o640)
    os.link(app / "up" / "one", app / "up" / "same")
    (app / "abroad").symlink_to("/etc")
    (app / "down").symlink_to("up/one")
    os.utime(app / "up" / "deep", (1, 1))
    os.utime(app / "up" / "one", (1700000000.5, 1700000000.5))
    code, archive, said = host.call("read", "storage", "app")
    assert code == 0, said
    (app / "up" / "one").write_text("changed")
    assert host.unpack(archive) == (0, "")
    assert (app / "up" / "one").read_text() == "content"
    assert (app / "up" / "one").stat().st_mode & 0o7777 == 0o640
    assert (app / "up" / "one").samefile(app / "up" / "same")
    assert os.readlink(app / "abroad") == "/etc"
    assert os.readlink(app / "down") == "up/one"
    assert (app / "up" / "deep").stat().st_mtime == 1
    assert (app / "up" / "one").stat().st_mtime == 1700000000.5
    code, _, _ = host.call("back", "storage", "app", ID)
    assert code == 0
    assert (app / "up" / "one").read_text() == "changed"


# -- reading ---------------------------------------------------------------------------------------


def contents(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as read:
        return {one.name: read.extractfile(one).read() for one in read if one.isreg()}  # type: ignore[union-attr]


def test_a_file_that_becomes_a_link_between_two_looks_is_never_followed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = host.storage / "app"
    app.mkdir()
    (app / "f").write_text("mine")
    real = os.lstat, os.stat

    def swapped(look: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def then(path: Any, *words: Any, **named: Any) -> os.stat_result:
            found = look(path, *words, **named)
            if str(path).endswith("f") and not (app / "f").is_symlink():
                (app / "f").unlink()
                (app / "f").symlink_to(host.outside / "secret")
            return found

        return then

    monkeypatch.setattr(os, "lstat", swapped(real[0]))
    monkeypatch.setattr(os, "stat", swapped(real[1]))
    _, archive, _ = host.call("read", "storage", "app")
    monkeypatch.undo()
    assert b"only root reads this" not in archive


def test_no_read_has_anything_from_outside_while_the_app_swaps_its_files(host: Host) -> None:
    app = host.storage / "app"
    app.mkdir()
    (app / "sub").mkdir()
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            for here, to in ((app / "f", host.outside / "secret"), (app / "sub" / "d", host.outside)):
                for make in (lambda at: at.write_text("mine"), lambda at, to=to: at.symlink_to(to)):
                    beside = here.with_name("beside")
                    make(beside)
                    os.rename(beside, here)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(200):
            _, archive, _ = host.call("read", "storage", "app")
            assert b"only root reads this" not in archive
            host.call("size", "storage", "app")
    finally:
        ended.set()
        swapping.join()


def test_a_file_that_vanishes_while_it_is_read_is_left_out(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    app = host.storage / "app"
    app.mkdir()
    for name in ("a", "b"):
        (app / name).write_text(name)
    opened = os.open

    def going(path: Any, *words: Any, **named: Any) -> int:
        if path == "a":
            (app / "a").unlink(missing_ok=True)
        return opened(path, *words, **named)

    monkeypatch.setattr(os, "open", going)
    code, archive, said = host.call("read", "storage", "app")
    assert code == 0, said
    assert contents(archive) == {"app/b": b"b"}


# -- images ----------------------------------------------------------------------------------------

LAYER, CONFIG = b"layer" * 1000, b'{"os": "linux"}'


def manifest(*tags: str, config: str = "c.json", layer: str = "l/layer.tar") -> bytes:
    return json.dumps([{"Config": config, "RepoTags": list(tags), "Layers": [layer]}]).encode()


def image(name: str = "manifest.json", content: bytes = b"", *more: Add) -> bytes:
    parts = [member("c.json", content=CONFIG), folder("l"), member("l/layer.tar", content=LAYER)]
    return packed(*parts, member(name, content=content or manifest("dokku/app:latest")), *more)


FOREIGN = manifest("someone-elses:latest")
WRONG_IMAGES = {
    "another image": image(content=FOREIGN),
    "no tag": image(content=manifest()),
    "a second manifest under another spelling": image("manifest.json", b"", member("./manifest.json", content=FOREIGN)),
    "a second manifest of the same name": image("manifest.json", b"", member("manifest.json", content=FOREIGN)),
    "only the other spelling, twice": image("./manifest.json", b"", member("a/../manifest.json", content=FOREIGN)),
    "a manifest that is a link": image("x", FOREIGN, link("manifest.json", "x")),
    "a layer that is not there": image(content=manifest("dokku/app:1", layer="gone")),
    "a config outside": image(content=manifest("dokku/app:1", config="../../outside/secret")),
    "a layer that is a link outside": packed(
        member("c.json", content=CONFIG),
        link("l", "../../outside/secret"),
        member("manifest.json", content=manifest("dokku/app:1", layer="l")),
    ),
    "a layer twice": image("manifest.json", b"", member("l/layer.tar", content=b"other")),
    "no json": image(content=b"{"),
    "no list": image(content=b'{"RepoTags": ["dokku/app:1"]}'),
    "deep json": image(content=b"[" * 200000),
    "no archive": b"x" * 10240,
}


@pytest.mark.parametrize("case", WRONG_IMAGES)
def test_an_image_that_is_not_the_apps_alone_is_refused(host: Host, case: str) -> None:
    code, _, said = host.call("write", "image", "app", given=WRONG_IMAGES[case])
    assert code == 1
    assert said.startswith("dokku-parts: ")
    assert not host.loaded.exists()


def test_docker_gets_the_manifest_that_was_read_and_nothing_else_that_names_an_image(host: Host) -> None:
    index = b'{"manifests": [{"annotations": {"io.containerd.image.name": "docker.io/library/evil:latest"}}]}'
    spelled = json.dumps(
        [
            {
                "Config": "c.json",
                "RepoTags": ["dokku/app:latest"],
                "repotags": ["evil:latest"],
                "Layers": ["l/layer.tar"],
            }
        ]
    ).encode()
    extra = (
        member("index.json", content=index),
        member("oci-layout", content=b'{"imageLayoutVersion": "1.0.0"}'),
        member("repositories", content=b'{"evil": {"latest": "0"}}'),
    )
    code, _, said = host.call("write", "image", "app", given=image("manifest.json", spelled, *extra))
    assert code == 0, said
    found = contents(host.loaded.read_bytes())
    assert b"evil" not in host.loaded.read_bytes()
    (only,) = json.loads(found.pop("manifest.json"))
    assert only["RepoTags"] == ["dokku/app:latest"]
    assert found[only["Config"]] == CONFIG
    assert [found[layer] for layer in only["Layers"]] == [LAYER]


def test_an_older_dockers_links_between_layers_are_loaded(host: Host) -> None:
    archive = packed(
        member("c.json", content=CONFIG),
        member("one/layer.tar", content=LAYER),
        link("two/layer.tar", "../one/layer.tar"),
        member(
            "manifest.json",
            content=json.dumps(
                [
                    {
                        "Config": "c.json",
                        "RepoTags": ["dokku/app:1"],
                        "Layers": ["one/layer.tar", "two/layer.tar"],
                    }
                ]
            ).encode(),
        ),
    )
    code, _, said = host.call("write", "image", "app", given=archive)
    assert code == 0, said
    found = contents(host.loaded.read_bytes())
    (only,) = json.loads(found["manifest.json"])
    assert [found[layer] for layer in only["Layers"]] == [LAYER, LAYER]


# -- the other files -------------------------------------------------------------------------------


def test_a_link_in_the_place_of_the_bundle_is_replaced_and_not_followed(host: Host) -> None:
    bundle = host.root / "home" / "app" / "restored.bundle"
    bundle.symlink_to(host.outside / "secret")
    code, _, said = host.call("write", "repository", "app", given=b"bundle")
    assert code == 0, said
    assert bundle.read_bytes() == b"bundle"
    assert not bundle.is_symlink()
    assert (host.outside / "secret").read_text() == "only root reads this\n"


def test_records_go_into_a_folder_and_never_behind_a_link(host: Host) -> None:
    releases = host.root / "lib" / "data" / "releases"
    releases.mkdir()
    (releases / "app").symlink_to(host.outside)
    archive = packed(member(f"{str(host.root / 'lib').lstrip('/')}/data/releases/app/1.json", content=b"{}"))
    code, _, _ = host.call("write", "records", "app", given=archive)
    assert code == 1
    assert host.beyond() == []
    (releases / "app").unlink()
    code, _, said = host.call("write", "records", "app", given=archive)
    assert code == 0, said
    assert (releases / "app" / "1.json").read_bytes() == b"{}"
