from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .core import DOCKER, HOME, LIB, OWNER, Command, Failure, docker, info, say, state, warn


@contextlib.contextmanager
def deploy_lock(app: str) -> Iterator[None]:
    path = LIB / "data/apps" / app / ".deploy.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("w")
    os.set_inheritable(lock.fileno(), True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        warn(f"{app} currently has a deploy lock in place. Exiting...")
        raise Failure("Run 'apps:unlock' to release the existing deploy lock") from None
    lock.write(os.environ.get("DOKKU_BUILD_ID", ""))
    lock.flush()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.close()


def build_image(app: str, rev: str) -> None:
    """Cleans up, builds the revision, and tags it before anybody knows whether it runs."""
    cleanup_app(app)
    info(f"Building {app} from Dockerfile")
    reference = f"dokku/{app}:latest"
    released = docker(
        "image",
        "ls",
        "--filter",
        "label=com.dokku.image-stage=release",
        "--filter",
        f"label=com.dokku.app-name={app}",
        "--format",
        "{{.ID}}",
    )
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.Popen(["git", "--git-dir", str(HOME / app), "archive", rev], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=True)
        archive.wait()
        labels = [
            "com.dokku.image-stage=build",
            "com.dokku.builder-type=dockerfile",
            f"com.dokku.app-name={app}",
            "dokku=",
            OWNER,
        ]
        built = subprocess.run(
            [DOCKER, "image", "build", *(f"--label={label}" for label in labels), "--tag", reference, folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=builder_environment(),
        )
    # The builder's own progress; the replay does not compare it.
    for line in built.stdout.splitlines():
        say(f"#1 {line}")
    if built.returncode:
        if released:
            # With several released images Dokku prints and tags them all as one word, which fails, and is ignored.
            warn(f"Retagging old image {released} as {reference}")
            docker("image", "tag", released, reference, check=False)
        else:
            warn(f"Removing invalid image tag {reference}")
            docker("image", "remove", "--force", "--no-prune", reference, check=False)
        raise Failure("App build failed")
    exposed = (
        json.loads(docker("image", "inspect", "--format", "{{json .Config.ExposedPorts}}", reference) or "null") or {}
    )
    ports = sorted(port.split("/")[0] for port in exposed)
    with state(app) as known:
        known["ports_detected"] = [f"http:{port}:{port}" for port in ports] or ["http:80:5000"]


def builder_environment() -> dict[str, str]:
    return {**os.environ, "DOCKER_BUILDKIT": "0" if os.environ.get("DOKKU_SIMULATOR_BUILDER") == "legacy" else "1"}


def release_image(app: str, tag: str) -> None:
    reference = f"dokku/{app}:{tag}"
    labels = [f"com.dokku.app-name={app}", "com.dokku.image-stage=release", "dokku=", OWNER]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text("ARG APP_IMAGE\nFROM $APP_IMAGE\n")
        docker(
            "image",
            "build",
            *(f"--label={label}" for label in labels),
            "--build-arg",
            f"APP_IMAGE={reference}",
            "-t",
            reference,
            folder,
            env=builder_environment(),
        )


def cleanup_app(app: str) -> None:
    info("Cleaning up...")
    label = [f"label=com.dokku.app-name={app}"] if app else []
    for status in ("exited", "dead"):
        filters = [f"status={status}", "label=dokku", f"label={OWNER}", *label]
        found = docker("container", "ls", "-aq", *(word for one in filters for word in ("--filter", one))).split()
        if found:
            docker("container", "rm", *found, check=False)
    filters = ["dangling=true", f"label={OWNER}", *label]
    for image in docker("image", "ls", "-q", *(word for one in filters for word in ("--filter", one))).split():
        docker("image", "rm", image, check=False)
    if app:
        docker("image", "prune", "--all", "--force", "--filter", label[0], check=False)


def extracted(app: str) -> dict[str, Path]:
    return {"Procfile": LIB / "data/ps" / app / "Procfile", "app.json": LIB / "data/app-json" / app / "app.json"}


def extract(app: str, rev: str) -> None:
    """Files that Dokku takes out of the source before the build, and puts in place once the deploy has gone well."""
    for name, path in extracted(app).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        ran = subprocess.run(["git", "--git-dir", str(HOME / app), "show", f"{rev}:{name}"], capture_output=True)
        waiting = path.with_name(f"{name}.{os.environ['DOKKU_BUILD_ID']}")
        waiting.write_bytes(ran.stdout if ran.returncode == 0 else b"")


def current_file(app: str, name: str) -> str:
    """As the deploy under way has it; a restart has none of its own, and reads what the last good deploy left."""
    path = extracted(app)[name]
    waiting = path.with_name(f"{name}.{os.environ.get('DOKKU_BUILD_ID')}")
    for file in (waiting, path):
        if file.exists():
            return file.read_text()
    return ""


def keep_extracted(app: str) -> None:
    for name, path in extracted(app).items():
        waiting = path.with_name(f"{name}.{os.environ.get('DOKKU_BUILD_ID')}")
        if waiting.exists():
            if waiting.stat().st_size:
                waiting.replace(path)
            else:
                waiting.unlink()
                path.unlink(missing_ok=True)


COMMANDS: dict[str, Command] = {
    "cleanup": lambda argv: cleanup_app(argv[0] if argv and argv[0] != "--global" else ""),
}
