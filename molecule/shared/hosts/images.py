#!/usr/bin/env python3
"""Builds the images of the lab that are missing or whose sources changed: images.py [NAME...]

Without names it builds all of them: each after the one that it stands on, and independent ones side by side. Two runs
on one machine never build the same image at once. Prints what it built; silent when all images are there.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[2] / "images"
BASE = "debian:trixie-slim"
#: LAB_TAG: another tag, to build beside the images that are in use.
TAG = os.environ.get("LAB_TAG", "trixie")
#: The label that holds the hash of an image's sources.
LABEL = "ops-runbook.sources"
PARENT = re.compile(r"^FROM ops-runbook/(\w+):", re.MULTILINE)


def reference(name: str) -> str:
    return f"ops-runbook/{name}:{TAG}"


def parents(name: str, images: Path = IMAGES) -> list[str]:
    """The images of the lab that this one stands on."""
    return sorted(set(PARENT.findall((images / name / "Dockerfile").read_text())))


def inspected(image: str, field: str) -> str:
    """A field of an image by its template; empty if the engine has no such image."""
    asked = ["docker", "image", "inspect", "--format", field, image]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def sources(name: str, base: str, images: Path = IMAGES) -> str:
    """A hash over the sources of an image and all that it stands on. base: the id of the base image."""
    found = hashlib.sha256(base.encode())
    for parent in parents(name, images):
        found.update(sources(parent, base, images).encode())
    folder = images / name
    for path in sorted(folder.rglob("*")):
        found.update(f"\0{path.relative_to(folder)}\0{path.lstat().st_mode:o}\0".encode())
        if path.is_symlink():
            found.update(os.readlink(path).encode())
        elif path.is_file():
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Nobody else of this user builds the image meanwhile, whatever their checkout."""
    with (Path(tempfile.gettempdir()) / f"ops-runbook-image-{name}-{TAG}.{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(name: str, base: str) -> None:
    wanted = sources(name, base)
    with alone(name):
        if inspected(reference(name), f'{{{{index .Config.Labels "{LABEL}"}}}}') == wanted:
            return
        options = ["--quiet", "--build-arg", f"TAG={TAG}", "--label", f"{LABEL}={wanted}", "--tag", reference(name)]
        done = subprocess.run(
            ["docker", "build", *options, str(IMAGES / name)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"images.py: {reference(name)} can't be built:\n{done.stdout}{done.stderr}")
        print(f"Built {reference(name)}", flush=True)


def main(names: list[str]) -> None:
    known = sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))
    for name in sorted({*names} - {*known}):
        sys.exit(f"images.py: {name} is not an image of the lab; these are: {', '.join(known)}")
    base = inspected(BASE, "{{.Id}}")
    if not base:
        sys.exit(f"images.py: the engine has no image {BASE}; run molecule/shared/hosts/engine.sh first.")
    with ThreadPoolExecutor(max_workers=16) as pool:

        @functools.cache
        def started(name: str) -> Future[None]:
            above = [started(parent) for parent in parents(name)]

            def after() -> None:
                for parent in above:
                    parent.result()
                build(name, base)

            return pool.submit(after)

        for building in [started(name) for name in names or known]:
            building.result()


if __name__ == "__main__":
    main(sys.argv[1:])
