"""GitHub's own description of its API, and Prism, which holds requests and answers against it.

Both are fetched with npm when the tests run, into .cache/contract, and are never part of this repository.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from waiting import END, wait_for

PRISM = "@stoplight/prism-cli@5.14.2"
DESCRIPTION = "@octokit/openapi@23.0.2"
MEMBER = "package/generated/api.github.com.json"
FETCH_SECONDS = 300


class Missing(Exception):
    """A missing need of the lane, in words."""


def _npm(folder: Path, *arguments: str) -> str:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Missing("npm and node are not installed (Node 20 or newer)")
    try:
        ran = subprocess.run(
            [npm, *arguments, "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"npm {' '.join(arguments)} was not done after {FETCH_SECONDS} s") from None
    if ran.returncode != 0:
        said = [line for line in ran.stderr.splitlines() if "error" in line.lower()]
        raise Missing(f"npm {' '.join(arguments)} failed: {' '.join(said[:3]) or ran.stderr[-300:]}")
    return ran.stdout


def fetch(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Prism's command, and the description. Raises Missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    prism = folder / "node_modules/.bin/prism"
    if not prism.exists():
        _npm(folder, "install", PRISM)
    kept = folder / f"{DESCRIPTION.rpartition('@')[2]}.json"
    if not kept.exists():
        # The package has 390 MB of variants; one file of 13 MB is what is needed.
        packed = folder / _npm(folder, "pack", DESCRIPTION).strip().splitlines()[-1]
        with tarfile.open(packed) as archive:
            member = archive.extractfile(MEMBER)
            if member is None:
                raise Missing(f"{DESCRIPTION} has no {MEMBER}")
            kept.write_bytes(member.read())
        packed.unlink()
    return prism, json.loads(kept.read_text())


def template_of(description: Mapping[str, Any], path: str) -> str | None:
    """The path of the description that a path is of: the one with the fewest parameters."""
    parts = path.split("/")
    fitting = [
        template
        for template in description["paths"]
        if len(pieces := template.split("/")) == len(parts)
        and all(re.fullmatch(r"\{[^}]+\}", piece) or piece == part for piece, part in zip(pieces, parts, strict=True))
    ]
    return min(fitting, key=lambda template: template.count("{"), default=None)


def slim(description: Mapping[str, Any], templates: set[str]) -> dict[str, Any]:
    """The description of these paths alone, with what they refer to: Prism starts with it in 3 s instead of 12."""
    paths = {template: description["paths"][template] for template in sorted(templates)}
    kept: dict[str, Any] = {"openapi": description["openapi"], "info": description["info"], "paths": paths}
    todo, seen = [paths], set()
    components: dict[str, dict[str, Any]] = {}
    while todo:
        for reference in _references(todo.pop()):
            if reference in seen:
                continue
            seen.add(reference)
            _hash, _components, kind, name = reference.split("/")
            found = description["components"][kind][name]
            components.setdefault(kind, {})[name] = found
            todo.append(found)
    return {**kept, "components": components}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def proxying(prism: Path, document: Path, upstream: str, instead: bool = True) -> Iterator[str]:
    """Prism before an upstream. It says what is not as described instead of the answer, or in a header of it."""
    port = free_port()
    place = ["--host", "127.0.0.1", "--port", str(port)]
    command = [str(prism), "proxy", *(["--errors"] if instead else []), *place, str(document), upstream]
    log = document.with_suffix(".log")
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "NO_COLOR": "1"})
    try:

        def answers() -> bool:
            if process.poll() is not None:
                raise Missing(f"Prism does not start: {log.read_text()[-500:]}")
            with contextlib.suppress(urllib.error.HTTPError, OSError), socket.create_connection(("127.0.0.1", port)):
                return True
            return False

        wait_for("Prism listens", answers)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(END)
