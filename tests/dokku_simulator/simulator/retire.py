from __future__ import annotations

import json
import subprocess
import time

from .core import DOCKER, LIB, Command, docker, image_id, info, inspect, read_state, verbose, warn


def register_retired(app: str, cid: str) -> None:
    """Things that the timer is to remove: the container, its image, and the source image that Dokku has left."""
    folder = LIB / "data/scheduler-docker-local"
    folder.mkdir(parents=True, exist_ok=True)

    def add(kind: str, what: str) -> None:
        path = folder / f"dead-{kind}"
        known = path.read_text() if path.exists() else ""
        if what not in known:
            path.write_text(known + f"{app} {what} {int(time.time())}\n")

    image = inspect(cid, "{{.Image}}").removeprefix("sha256:")
    source = (
        docker(
            "image",
            "inspect",
            "--format",
            '{{index .Config.Labels "com.dokku.docker-image-labeler/alternate-tags"}}',
            image,
            check=False,
        )
        if image
        else ""
    )
    add("containers", cid)
    if image and not in_use(app, image, cid):
        add("images", image)
    if source:
        tag = json.loads(source)[0]
        other = image_id(tag).removeprefix("sha256:")
        if read_state(app)["source_image"] != tag and other and not in_use(app, other, cid):
            add("images", other)


def in_use(app: str, image: str, but: str) -> bool:
    dead = LIB / "data/scheduler-docker-local/dead-containers"
    known = dead.read_text() if dead.exists() else ""
    running = docker("container", "ls", "-q", "--no-trunc", "--filter", f"label=com.dokku.app-name={app}").split()
    return any(
        cid != but and cid[:12] not in known and inspect(cid, "{{.Image}}").removeprefix("sha256:") == image
        for cid in running
    )


def retire(argv: list[str]) -> None:
    retire_now(argv[0] if argv else "")
    info("Retiring expired run and cron containers")
    info("Retiring all run and cron containers")


def retire_now(only: str = "") -> None:
    info("Retiring old containers and images")
    folder = LIB / "data/scheduler-docker-local"
    for kind in ("containers", "images"):
        path = folder / f"dead-{kind}"
        left = []
        for line in path.read_text().splitlines() if path.exists() else []:
            app, what, _ = line.split()
            if only and only != app:
                left.append(line)
                continue
            gone = retire_container(app, what) if kind == "containers" else retire_image(app, what)
            if not gone:
                left.append(line)
        if path.exists():
            path.write_text("".join(f"{line}\n" for line in left))


def retire_container(app: str, cid: str) -> bool:
    verbose(f"Attempting to retire {app} container {cid}")
    if inspect(cid, "{{.State.Status}}"):
        docker("container", "rm", "--force", cid, check=False)
    return True


def retire_image(app: str, image: str) -> bool:
    if not image_id(image):
        return True
    verbose(f"Attempting to retire {app} image {image}")
    ran = subprocess.run([DOCKER, "image", "remove", image], capture_output=True, text=True)
    if ran.returncode == 0:
        return True
    if (
        "image is being used by running container" in ran.stderr
        or "container is using its referenced image" in ran.stderr
    ):
        if in_use(app, image, ""):
            warn(f"Image {image} is still in use by {app}, removing from retire list")
            return True
        if "running container" in ran.stderr:
            warn(f"Image {image} has running containers, skipping rm")
            return False
    if "image has dependent child images" in ran.stderr:
        warn(f"Image {image} has children images and is untagged, skipping rm and marking dead")
        return True
    if in_use(app, image, ""):
        warn(f"Image {image} is still in use by {app}, removing from retire list")
        return True
    warn(f"Image {image} still running")
    return False


COMMANDS: dict[str, Command] = {
    "ps:retire": retire,
}
