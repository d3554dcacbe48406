"""A stand-in for the `dokku` command, for tests only.

It keeps its state in files under $DOKKU_SIMULATOR_ROOT, builds and runs real images and containers on the Docker
engine that is there, and calls the triggers of the plugins in lib/plugins/enabled as plugn does. What it says, its exit
codes and its quirks are those of Dokku 0.38.27, as recorded; a command that it does not know ends with 97 and says so.

Differences that are meant: time (checks last $DOKKU_SIMULATOR_UPTIME seconds, old containers are stopped at once,
wait-to-retire is over at once), no nginx, and `cleanup` without an app leaves other people's dangling images alone.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(os.environ.get("DOKKU_SIMULATOR_ROOT", "/nonexistent"))
COMMAND = Path(__file__).resolve().with_name("dokku")
HOME = ROOT / "home"
LIB = ROOT / "lib"
ENABLED = LIB / "plugins/enabled"
UPTIME = float(os.environ.get("DOKKU_SIMULATOR_UPTIME", "0.6"))
OWNER = "com.example.dokku-simulator=" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
DOCKER = os.environ.get("DOCKER_BIN", "docker")
NOT_IMPLEMENTED = 97
SCRIPTS = "/var/lib/dokku/plugins/available/scheduler-docker-local/bin"


class Failure(Exception):
    """A message on stderr, and an exit code."""

    def __init__(self, message: str = "", code: int = 1, bare: bool = False, repeated: str = "") -> None:
        super().__init__(message)
        # What a restart says once more, at its end.
        self.message, self.code, self.bare, self.repeated = message, code, bare, repeated


# What is said.


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f" !     {text}\n")
    sys.stderr.flush()


def info(text: str) -> None:
    say(f"-----> {text}")


def header(text: str) -> None:
    if not os.environ.get("DOKKU_QUIET_OUTPUT"):
        say(f"=====> {text}")


def verbose(text: str) -> None:
    say(f"       {text}")


def refuse(what: str) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write(f"dokku simulator: not implemented: {what}\n")
    sys.exit(NOT_IMPLEMENTED)


def show_json(value: Any) -> None:
    say(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


# State.


def create_state(app: str) -> dict[str, Any]:
    return {
        "created_at": int(time.time()),
        "scale": {"web": 1},
        "domains": [app if "." in app else f"{app}.dokku.example.com"],
        "ports": [],
        "ports_detected": [],
        "wait_to_retire": "",
        "ps": {},
        "docker_options": {"build": [], "deploy": [], "run": []},
        "resource": {},
        "deploy_source": ["", ""],
        "postdeploy_asked": False,
        "running_wanted": True,
        "deploy_branch": "",
        "source_image": "",
        "last_updated": "",
        "locked_by_hand": False,
    }


def state_file(app: str) -> Path:
    return LIB / "data/simulator" / f"{app}.json"


def read_state(app: str) -> dict[str, Any]:
    return json.loads(state_file(app).read_text())  # type: ignore[no-any-return]


@contextlib.contextmanager
def state(app: str) -> Iterator[dict[str, Any]]:
    with state_file(app).with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        value = read_state(app)
        yield value
        replace(state_file(app), json.dumps(value))


def replace(path: Path, text: str) -> None:
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    scratch.write_text(text)
    scratch.replace(path)


def apps() -> list[str]:
    return sorted(path.name for path in HOME.iterdir() if path.is_dir() and (path / "ENV").exists())


def verify(app: str) -> str:
    if not app:
        raise Failure("Please specify an app to run the command on")
    if app not in apps():
        raise Failure(f"App {app} does not exist", 20)
    return app


def read_config(app: str) -> dict[str, str]:
    path = (HOME / app / "ENV") if app != "--global" else HOME / "ENV"
    return json.loads(path.read_text()) if path.exists() else {}


@contextlib.contextmanager
def config(app: str) -> Iterator[dict[str, str]]:
    path = (HOME / app / "ENV") if app != "--global" else HOME / "ENV"
    with (LIB / "data/simulator" / f"{app}.env.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        value = read_config(app)
        yield value
        replace(path, json.dumps(dict(sorted(value.items())), ensure_ascii=False))


# Docker and git.


def docker(*args: str, check: bool = True, merged: bool = False, env: dict[str, str] | None = None) -> str:
    ran = subprocess.run([DOCKER, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    if check and ran.returncode:
        raise Failure(ran.stderr.strip(), 1, bare=True)
    return (ran.stdout + (ran.stderr if merged else "")).strip() if not ran.returncode else ""


def image_id(reference: str) -> str:
    return docker("image", "inspect", "--format", "{{.Id}}", reference, check=False)


def inspect(container: str, field: str) -> str:
    return docker("container", "inspect", "--format", field, container, check=False)


def containers(app: str) -> dict[str, str]:
    """Which container stands for web.1 and so on."""
    found = {
        path.name.removeprefix("CONTAINER."): path.read_text().strip() for path in (HOME / app).glob("CONTAINER.*")
    }
    return dict(sorted(found.items(), key=lambda item: (item[0].split(".")[0], int(item[0].split(".")[1]))))


def git(app: str, *args: str, check: bool = True, **more: Any) -> str:
    ran = subprocess.run(["git", "--git-dir", str(HOME / app), *args], capture_output=True, text=True, **more)
    if check and ran.returncode:
        raise Failure(ran.stderr.strip(), 1, bare=True)
    return ran.stdout.strip() if not ran.returncode else ""


def branch(app: str) -> str:
    return read_state(app)["deploy_branch"] or "master"


# Triggers, as plugn calls them: every enabled plugin that has one, in the order of their names.


def plugin_environment() -> dict[str, str]:
    env = dict(os.environ)
    env.update(
        DOKKU_ROOT=str(HOME),
        DOKKU_LIB_ROOT=str(LIB),
        PLUGIN_PATH=str(LIB / "plugins"),
        PLUGIN_ENABLED_PATH=str(ENABLED),
        PLUGIN_AVAILABLE_PATH=str(LIB / "plugins/available"),
        PLUGIN_CORE_AVAILABLE_PATH=str(LIB / "core-plugins/available"),
        DOCKER_BIN=DOCKER,
        DOKKU_NOT_IMPLEMENTED_EXIT="10",
        DOKKU_VALID_EXIT="0",
        DOKKU_API_VERSION="1",
        DOKKU_SYSTEM_USER=os.environ.get("DOKKU_SYSTEM_USER", "dokku"),
        DOKKU_PID=os.environ.get("DOKKU_PID", str(os.getpid())),
        SSH_USER=os.environ.get("SSH_USER", "root"),
        SSH_NAME=os.environ.get("NAME", "default"),
    )
    own = str(COMMAND.parent)
    if own not in env["PATH"].split(":"):
        env["PATH"] = f"{own}:{env['PATH']}"
    return env


def trigger(name: str, *args: str) -> int:
    sys.stdout.flush()
    for script in sorted(ENABLED.glob(f"*/{name}")):
        if os.access(script, os.X_OK):
            code = subprocess.run([str(script), *args], env=plugin_environment()).returncode
            if code:
                return code
    return 0


# Records of builds. From the moment that one exists, stderr goes where stdout goes.


def builds(app: str) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (LIB / "data/builds" / app).glob("*.json")]
    return sorted(found, key=lambda build: (build["started_at"], build["id"]), reverse=True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 10**9:09d}Z"


def begin_build(app: str, source: str) -> None:
    if os.environ.get("DOKKU_BUILD_ID"):
        return
    # Ids sort by the time at which they were given.
    build = f"{time.time_ns() // 1000:014d}"[-14:]
    folder = LIB / "data/builds" / app
    folder.mkdir(parents=True, exist_ok=True)
    kind = "deploy" if source in ("ps:restart", "config-redeploy", "deploy") else "build"
    record = {
        "id": build,
        "app": app,
        "kind": kind,
        "pid": os.getpid(),
        "started_at": now(),
        "status": "running",
        "source": source,
    }
    replace(folder / f"{build}.json", json.dumps(record))
    os.environ.update(
        DOKKU_BUILD_ID=build,
        DOKKU_BUILD_SOURCE=source,
        DOKKU_REDIRECT_OUTPUT="true",
        DOKKU_BUILD_LOG_FILE=str(folder / f"{build}.log"),
    )
    trigger("builds-record-start", app, build, str(os.getpid()), source)
    sys.stdout.flush()
    os.dup2(1, 2)


def end_build(app: str, code: int) -> None:
    build = os.environ.get("DOKKU_BUILD_ID")
    if not build:
        return
    path = LIB / "data/builds" / app / f"{build}.json"
    if path.exists():
        record = json.loads(path.read_text())
        record.update(status="failed" if code else "succeeded", exit_code=code, finished_at=now())
        replace(path, json.dumps(record))
    # Records whose process is gone, a successful restart's too, are taken for failed once another build ends.
    for old in builds(app):
        if old["status"] == "running" and not alive(old["pid"]):
            old.update(status="failed", exit_code=-1, finished_at=now())
            replace(LIB / "data/builds" / app / f"{old['id']}.json", json.dumps(old))
    trigger("builds-record-finalize", app, build, str(code))


def shown_build(build: dict[str, Any]) -> dict[str, Any]:
    display = build["status"]
    if display == "running" and not alive(build["pid"]):
        display = "abandoned"
    shown = {
        key: build[key]
        for key in ("id", "app", "kind", "pid", "started_at", "finished_at", "status", "source", "exit_code")
        if key in build
    }
    return {
        **shown,
        "display_status": display,
        "duration": "1s",
        "log_path": f"/var/lib/dokku/data/builds/{build['app']}/{build['id']}.log",
    }


def builds_list(argv: list[str]) -> None:
    words, flags = parse(argv, "format=")
    app = words[0] if words else ""
    if not app:
        say("[]" if flags.get("format") == "json" else "No builds currently running")
        return
    found = [shown_build(build) for build in builds(verify(app))]
    if flags.get("format") == "json":
        show_json(found)
        return
    table = [["Build ID", "Kind", "Status", "PID", "Source", "Started", "Duration"]]
    table += [
        [b["id"], b["kind"], b["display_status"], str(b["pid"]), b["source"], b["started_at"][:19], b["duration"]]
        for b in found
    ]
    widths = [max(len(row[i]) for row in table) for i in range(7)]
    for row in table:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


# The lock of a deploy: its holder is who has the flock; whether it is there is asked of the file.


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


# Images.


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


def register_retired(app: str, cid: str) -> None:
    """What the timer is to remove: the container, its image, and the source image that Dokku has moved on from."""
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


# Release and deploy.


def release_and_deploy(app: str, tag: str, source: str) -> None:
    begin_build(app, source)
    if not image_id(f"dokku/{app}:{tag}"):
        raise Failure(f"App image (dokku/{app}:{tag}) not found")
    info(f"Releasing {app}...")
    first = not read_state(app)["postdeploy_asked"]
    release_image(app, tag)
    trigger("post-release-builder", "dockerfile", app, f"dokku/{app}:{tag}")
    info("Checking for predeploy task")
    verbose("No predeploy task found, skipping")
    info("Checking for release task")
    verbose("No release task found, skipping")
    if first and os.environ["DOKKU_BUILD_SOURCE"] != "config-redeploy":
        info("Checking for heroku.postdeploy task")
        verbose("No heroku.postdeploy task found, skipping")
        with state(app) as known:
            known["postdeploy_asked"] = True
    say("=====> Processing deployment checks")
    say("\x1b[1m\x1b[31m !     \x1b[0m\x1b[0mNo healthchecks found in app.json for web process type")
    verbose("No web healthchecks found in app.json. Simple container checks will be performed.")
    verbose(
        "For more efficient zero downtime deployments, add healthchecks to your app.json. See https://dokku.com/docs/deployment/zero-downtime-deploys/ for examples"
    )
    info(f"Deploying {app} via the docker-local scheduler...")
    scheduler_deploy(app, tag)
    say("=====> Application deployed:")
    for url in urls(app):
        verbose(url)
    say()


def urls(app: str) -> list[str]:
    known = read_state(app)
    ports = known["ports"] or known["ports_detected"]
    return [
        f"http://{domain}" + ("" if port.split(":")[1] == "80" else f":{port.split(':')[1]}")
        for domain in known["domains"]
        for port in ports
    ]


def configure_proxy(app: str) -> None:
    for domain in sorted(read_state(app)["domains"]):
        info(f"Configuring {domain}...(using built-in template)")
    info("Creating http nginx.conf")
    verbose("Reloading nginx")


def scheduler_deploy(app: str, tag: str, only: str = "") -> None:
    known = read_state(app)
    reference = f"dokku/{app}:{tag}"
    old = dict(containers(app))
    wait = known["wait_to_retire"] or "60"
    retired = []
    configured = (HOME / app / "nginx.conf").exists()
    for process, count in sorted(known["scale"].items(), key=lambda item: (item[0] != "web", item[0])):
        if only and process != only:
            continue
        info(f"Deploying {process} (count={count})")
        for index in range(1, count + 1):
            retired += start_container(app, reference, process, index, wait)
        if process == "web":
            say("=====> Triggering early nginx proxy rebuild")
            if configured or known["ports"]:
                info(f"Ensuring network configuration is in sync for {app}")
                configure_proxy(app)
        for dyno, cid in old.items():
            if dyno.split(".")[0] == process and int(dyno.split(".")[1]) > count:
                verbose(f"Scheduling orphaned container shutdown in {wait} seconds ({dyno})")
                register_retired(app, cid)
                (HOME / app / f"CONTAINER.{dyno}").unlink(missing_ok=True)
                retired.append(cid)
    info("Running post-deploy")
    if containers(app):
        info(f"Ensuring network configuration is in sync for {app}")
    (HOME / app / "nginx.conf").touch()
    configure_proxy(app)
    if not any(dyno.startswith("web.") for dyno in containers(app)):
        warn(f"No web listeners specified for {app}")
    keep_extracted(app)
    rename_containers(app)
    info("Checking for postdeploy task")
    verbose("No postdeploy task found, skipping")
    # A trigger that fails leaves the new code live and the old container not retired.
    code = trigger("post-deploy", app, "", "", tag)
    if code:
        raise Failure("", code, bare=True)
    with state(app) as changed:
        changed["running_wanted"] = True
    still = [cid for cid in retired if inspect(cid, "{{.State.Status}}")]
    if old and still:
        info(f"Shutting down old containers in {wait} seconds")
        for cid in still:
            docker("container", "update", "--restart=no", cid, check=False)
            docker("container", "kill", cid, check=False)


def start_container(app: str, reference: str, process: str, index: int, wait: str) -> list[str]:
    dyno = f"{process}.{index}"
    file = HOME / app / f"CONTAINER.{dyno}"
    variables = read_config("--global") | read_config(app)
    known = read_state(app)
    port = (
        ((known["ports"] or known["ports_detected"] or ["http:80:5000"])[0].split(":")[2]) if process == "web" else ""
    )
    limits = known["resource"].get("limit", {})
    resources = [f"--{'cpus' if name == 'cpu' else name}={value}" for name, value in sorted(limits.items())]
    labels = [
        f"com.dokku.app-name={app}",
        "com.dokku.container-type=deploy",
        f"com.dokku.process-type={process}",
        f"com.dokku.dyno={dyno}",
        "dokku",
        OWNER,
    ]
    # A value is handed over in the environment, and named only by its key.
    environment = {**os.environ, **variables}
    ran = subprocess.run(
        [
            DOCKER,
            "container",
            "create",
            "--restart=on-failure:10",
            f"--env=DYNO={dyno}",
            f"--env=PORT={port}",
            *resources,
            *(f"--label={label}" for label in labels),
            f"--name={app}.{dyno}.upcoming-{random.randint(1, 32767)}",
            *(f"--env={key}" for key in variables),
            reference,
        ],
        capture_output=True,
        text=True,
        env=environment,
    )
    job = f"{SCRIPTS}/scheduler-deploy-process-container {app} dockerfile {reference} latest {process} {index} {index}"
    if ran.returncode:
        sys.stderr.write(ran.stderr)
        say("parallel: This job failed:")
        raise Failure(f"{job}\n", 1, True, f"{ran.stderr}parallel: This job failed:\n{job}\n")
    cid = ran.stdout.strip()
    docker("container", "start", cid, check=False)
    verbose(f"Attempting pre-flight checks ({dyno})")
    info(f"Executing {2 if process == 'web' else 1} healthchecks")
    verbose("Running healthcheck name='default' type='uptime' uptime=10")
    if process == "web":
        verbose(
            f"Running healthcheck name='port listening check' attempts=3 port={port} retries=2 timeout=5 type='listening' wait=5"
        )
        verbose("Healthcheck succeeded name='port listening check'")
    for _ in range(100):
        if inspect(cid, "{{.RestartCount}} {{.State.Running}}") == "0 true" or inspect(
            cid, "{{.RestartCount}}"
        ) not in ("", "0"):
            break
        time.sleep(0.05)
    time.sleep(UPTIME)
    # On a busy machine an application may not have said anything by then; the ten seconds of the real thing are enough.
    for _ in range(100):
        if docker("container", "logs", cid, merged=True):
            break
        time.sleep(0.1)
    restarts = inspect(cid, "{{.RestartCount}}")
    logs = subprocess.run([DOCKER, "container", "logs", cid], capture_output=True, text=True)
    if restarts != "0" or inspect(cid, "{{.State.Running}}") != "true":
        say("=====> Start healthcheck output")
        verbose("state=restarting")
        say("=====> End healthcheck output")
        say(f"\x1b[1m\x1b[31m !     \x1b[0m\x1b[0mFailure in name='default': container has restarted {restarts} times")
        docker("container", "update", "--restart=no", cid, check=False)
        docker("container", "kill", cid, check=False)
        say(cid)
        warn(f"Could not start due to 1 failed checks ({dyno})")
        for _ in range(2):
            container_output(app, cid, dyno, logs.stdout + logs.stderr)
        say("parallel: This job failed:")
        failed = (
            f"\x1b[1m\x1b[31m !     \x1b[0m\x1b[0mFailure in name='default': container has restarted {restarts} times"
        )
        could_not = f" !     Could not start due to 1 failed checks ({dyno})"
        raise Failure(f"{job}\n", 1, True, f"{failed}\n{could_not}\nparallel: This job failed:\n{job}\n")
    verbose("Healthcheck succeeded name='default'")
    verbose(f"All checks successful ({dyno})")
    container_output(app, cid, dyno, logs.stdout + logs.stderr)
    retired = []
    if file.exists():
        before = file.read_text().strip()
        verbose(f"Scheduling old container shutdown in {wait} seconds ({dyno})")
        register_retired(app, before)
        retired.append(before)
    replace(file, cid)
    return retired


def container_output(app: str, cid: str, dyno: str, text: str) -> None:
    say(f"=====> Start of {app} container output ({cid[:11]} {dyno})")
    for line in text.splitlines():
        verbose(line)
    say(f"=====> End of {app} container output ({cid[:11]} {dyno})")


def rename_containers(app: str) -> None:
    info("Renaming containers")
    for dyno, cid in containers(app).items():
        name = f"{app}.{dyno}"
        before = inspect(name, "{{.Id}}")
        if before:
            verbose(f"Found previous container(s) ({before[:12]}) named {name}")
            aside = f"{name}.{int(time.time())}"
            verbose(f"Renaming container ({before[:12]}) {name} to {aside}")
            docker("container", "rename", name, aside, check=False)
        current = (inspect(cid, "{{.Name}}") if before != cid else aside).removeprefix("/")
        verbose(f"Renaming container {current} ({cid[:12]}) to {name}")
        docker("container", "rename", cid, name, check=False)


def extracted(app: str) -> dict[str, Path]:
    return {"Procfile": LIB / "data/ps" / app / "Procfile", "app.json": LIB / "data/app-json" / app / "app.json"}


def extract(app: str, rev: str) -> None:
    """Files that Dokku takes out of the source before the build, and puts in place once the deploy has gone well."""
    for name, path in extracted(app).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        ran = subprocess.run(["git", "--git-dir", str(HOME / app), "show", f"{rev}:{name}"], capture_output=True)
        waiting = path.with_name(f"{name}.{os.environ['DOKKU_BUILD_ID']}")
        waiting.write_bytes(ran.stdout if ran.returncode == 0 else b"")


def keep_extracted(app: str) -> None:
    for name, path in extracted(app).items():
        waiting = path.with_name(f"{name}.{os.environ.get('DOKKU_BUILD_ID')}")
        if waiting.exists():
            if waiting.stat().st_size:
                waiting.replace(path)
            else:
                waiting.unlink()
                path.unlink(missing_ok=True)


# Sources of a deploy.


def set_revision(app: str, rev: str) -> None:
    with config(app) as variables:
        variables["GIT_REV"] = rev
    trigger("post-config-update", app, "set", "GIT_REV")


def receive(app: str, rev: str, known: bool = False) -> None:
    """A revision that is built once more is not set anew, though a rollback may have set another one."""
    with deploy_lock(app):
        if not known:
            set_revision(app, rev)
        extract(app, rev)
        build_image(app, rev)
        release_and_deploy(app, "latest", os.environ["DOKKU_BUILD_SOURCE"])


def from_image(argv: list[str]) -> None:
    words, flags = parse(argv, "build-dir=")
    if flags:
        refuse(f"git:from-image {' '.join(argv)}")
    app = verify(words[0] if words else "")
    if len(words) < 2:
        raise Failure("Please specify a docker image")
    image = words[1]
    begin_build(app, "git:from-image")
    info("Generating build context")
    if image_id(image):
        info("Image exists on host, skipping pull")
    else:
        info("Pulling image")
        ran = subprocess.run([DOCKER, "image", "pull", image], capture_output=True, text=True)
        say(ran.stderr.strip())
        raise Failure(f"Failed to pull image: {image}")
    info("Updating git repository with specified build context")
    with state(app) as known:
        known["source_image"] = image
    dockerfile = f'FROM {image}\nLABEL com.dokku.docker-image-labeler/alternate-tags=[\\"{image}\\"]\n'
    head = git(app, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch(app)}", check=False)
    if not head:
        verbose("Detected branch, setting deploy-branch to master")
        with state(app) as known:
            known["deploy_branch"] = "master"
    elif git(app, "show", f"{head}:Dockerfile", check=False).strip() == dockerfile.strip():
        warn("No changes detected, skipping git commit")
        raise Failure("Call 'ps:rebuild' on app to rebuild the app from existing source")
    blob = git(app, "hash-object", "-w", "--stdin", input=dockerfile)
    files = f"100644 blob {blob}\tDockerfile\n" + files_of(app, image)
    tree = git(app, "mktree", input=files)
    person = {
        "NAME": words[2] if len(words) > 2 else "Dokku",
        "EMAIL": words[3] if len(words) > 3 else "automated@dokku.sh",
    }
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
    message = f"Automated commit @ {int(time.time())}" if head else "Initial commit"
    rev = git(app, "commit-tree", tree, *(("-p", head) if head else ()), "-m", message, env={**os.environ, **who})
    git(app, "update-ref", f"refs/heads/{branch(app)}", rev)
    with state(app) as known:
        known["last_updated"] = str(int(time.time()))
    try:
        receive(app, rev)
    except Failure as failure:
        if "apps:unlock" not in failure.message:
            if head:
                git(app, "update-ref", f"refs/heads/{branch(app)}", head)
            else:
                git(app, "update-ref", "-d", f"refs/heads/{branch(app)}")
                with state(app) as known:
                    known["last_updated"] = ""
            end_build(app, 1)
        raise
    end_build(app, 0)
    with state(app) as known:
        known["deploy_source"] = ["docker-image", image]
    trigger("deploy-source-set", app, "docker-image", image)


def files_of(app: str, image: str) -> str:
    """app.json and Procfile that an image brings along, as lines for mktree."""
    cid = docker("container", "create", image, "true")
    workdir = docker("image", "inspect", "--format", "{{.Config.WorkingDir}}", image) or "/"
    lines = ""
    try:
        for name in ("Procfile", "app.json"):
            ran = subprocess.run([DOCKER, "container", "cp", f"{cid}:{workdir}/{name}", "-"], capture_output=True)
            if ran.returncode == 0:
                text = subprocess.run(["tar", "-xO"], input=ran.stdout, capture_output=True).stdout
                blob = git(app, "hash-object", "-w", "--stdin", input=text.decode())
                lines += f"100644 blob {blob}\t{name}\n"
    finally:
        docker("container", "rm", cid, check=False)
    return lines


def git_hook(argv: list[str]) -> None:
    """Called by the pre-receive hook of the app's repository, with the pushed references on standard input."""
    app = verify(argv[0] if argv else "")
    begin_build(app, "git-hook")
    for line in sys.stdin.read().splitlines():
        _, new, reference = line.split()
        if reference != f"refs/heads/{branch(app)}":
            say(f"\x1b[1G\x1b[K-----> WARNING: deploy did not complete, you must push to {branch(app)}.")
            say(
                f"\x1b[1G\x1b[K-----> for example, try 'git push <dokku> {reference.removeprefix('refs/heads/')}:{branch(app)}'"
            )
            continue
        with state(app) as known:
            known["last_updated"] = str(int(time.time()))
        receive(app, new)
        end_build(app, 0)
        with state(app) as known:
            known["deploy_source"] = ["git-push", new]
        trigger("deploy-source-set", app, "git-push", new)


def rebuild(argv: list[str]) -> None:
    app = argv[0] if argv else ""
    begin_build(app, "ps:rebuild")
    verify(app)
    head = git(app, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch(app)}", check=False)
    if not head:
        say(
            f"\x1b[1G\x1b[K-----> WARNING: Cannot build from '{branch(app)}' as there are no commits stored at that branch."
        )
        end_build(app, 1)
        sys.exit(1)
    try:
        receive(app, head, known=True)
    except Failure as failure:
        if "apps:unlock" not in failure.message:
            end_build(app, 1)
            raise
        warn(failure.message)
        warn(f" !     {app} currently has a deploy lock in place. Exiting...")
        raise
    end_build(app, 0)


def restart(argv: list[str]) -> None:
    """No lock, no end of the record, and whatever image has the tag."""
    words, _ = parse(argv, "")
    app = words[0] if words else ""
    begin_build(app, "ps:restart")
    verify(app)
    if not deployed(app):
        warn(f"App {app} has not been deployed")
        return
    if not image_id(f"dokku/{app}:latest"):
        warn(f"App image (dokku/{app}:latest) not found")
        raise Failure(f" !     App image (dokku/{app}:latest) not found")
    try:
        scheduler_deploy(app, "latest", words[1] if len(words) > 1 else "")
    except Failure as failure:
        if failure.repeated:
            say(failure.message)
            raise Failure(failure.repeated, failure.code) from None
        raise


def deploy_tag(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    tag = argv[1] if len(argv) > 1 else "latest"
    if not image_id(f"dokku/{app}:{tag}"):
        raise Failure(f"App image (dokku/{app}:{tag}) not found")
    with deploy_lock(app):
        try:
            release_and_deploy(app, tag, "deploy")
        except Failure:
            end_build(app, 1)
            raise
        end_build(app, 0)


# ps


def deployed(app: str) -> bool:
    return bool(containers(app)) or (HOME / app / "nginx.conf").exists()


def status(app: str) -> dict[str, tuple[str, str]]:
    return {dyno: (inspect(cid, "{{.State.Status}}") or "missing", cid) for dyno, cid in containers(app).items()}


def ps_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    if not words and not some_apps():
        return
    for app in [verify(words[0])] if words else apps():
        states = status(app)
        running = sum(1 for value, _ in states.values() if value == "running")
        own = read_state(app)["ps"]
        values = {
            "deployed": str(deployed(app)).lower(),
            "processes": str(len(containers(app))),
            "ps-can-scale": "true",
            "ps-computed-dockerfile-start-cmd": "",
            "ps-computed-procfile-path": "Procfile",
            "ps-computed-restart-policy": own.get("restart-policy", "on-failure:10"),
            "ps-computed-skip-deploy": "false",
            "ps-computed-start-cmd": "",
            "ps-computed-stop-timeout-seconds": own.get("stop-timeout-seconds", "30"),
            "ps-dockerfile-start-cmd": "",
            "ps-global-procfile-path": "",
            "ps-global-restart-policy": "",
            "ps-global-skip-deploy": "",
            "ps-global-stop-timeout-seconds": "",
            "ps-procfile-path": "",
            "ps-restart-policy": own.get("restart-policy", ""),
            "ps-skip-deploy": "",
            "ps-start-cmd": "",
            "ps-stop-timeout-seconds": own.get("stop-timeout-seconds", ""),
            "restore": str(read_state(app)["running_wanted"]).lower(),
            "running": "false" if not running else "true" if running == len(states) else "mixed",
        }
        states_shown = {f"status-{dyno}": f"{value} (CID: {cid[:11]})" for dyno, (value, cid) in states.items()}
        report(app, "ps", values, flags, states_shown)


def report(
    app: str,
    name: str,
    values: dict[str, str],
    flags: dict[str, str],
    extra: dict[str, str] | None = None,
    title: str = "",
) -> None:
    """JSON has every key with and without the plugin's name; text only the first; one flag gives one value, two none."""
    wanted = [flag for flag in flags if flag != "format"]
    chosen = flags.get("format", "stdout")
    if wanted and any(flag not in values for flag in wanted):
        raise Failure("Invalid flag passed, valid flags: " + ", ".join(f"--{key}" for key in sorted(values)))
    if chosen not in ("stdout", "json"):
        raise Failure(f'Format must be "stdout" or "json": "{chosen}"')
    if len(wanted) == 1:
        say(values[wanted[0]])
    elif wanted:
        return
    elif chosen == "json":
        both = {**values, **{key.removeprefix(f"{name}-"): value for key, value in values.items()}, **(extra or {})}
        show_json(dict(sorted(both.items())))
    else:
        header(f"{app} {title or name} information")
        lines = {**values, **(extra or {})}
        named = {re.sub("[-.]", " ", key).capitalize(): value for key, value in sorted(lines.items())}
        width = max(len(key) for key in named) + 1
        for key, value in named.items():
            verbose(f"{key + ':':<{width}} {value}")


def ps_scale(argv: list[str]) -> None:
    words, flags = parse(argv, "format= skip-deploy")
    app = verify(words[0] if words else "")
    pairs = words[1:]
    known = read_state(app)["scale"]
    if not pairs:
        if flags.get("format") == "json":
            show_json([{"process_type": name, "quantity": count} for name, count in sorted(known.items())])
            return
        info(f"Scaling for {app}")
        width = max(len("proctype"), *(len(name) for name in known)) - 2
        say("proctype: qty")
        say("--------: ---")
        for name, count in sorted(known.items()):
            say(f"{name + ':':<{width}} {count}")
        return
    info(f"Scaling {app} processes: {' '.join(pairs)}")
    wanted = {}
    for pair in pairs:
        name, found, count = pair.partition("=")
        if not found:
            raise Failure(f"Missing count for process type {name}")
        if not re.fullmatch(r"-?\d+", count):
            raise Failure(f"Invalid count for process type {name}")
        wanted[name] = int(count)
    changed = [name for name, count in wanted.items() if known.get(name, 0) != count]
    with state(app) as value:
        value["scale"].update(wanted)
    if deployed(app) and changed and "skip-deploy" not in flags:
        for name in changed:
            scheduler_deploy(app, "latest", name)


def ps_stop(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not deployed(app):
        warn(f"App {app} has not been deployed")
        return
    info(f"Stopping {app}")
    for cid in containers(app).values():
        docker("container", "update", "--restart=no", cid, check=False)
        docker("container", "kill", cid, check=False)
    with state(app) as known:
        known["running_wanted"] = False
    trigger("post-stop", app)


def ps_start(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not deployed(app):
        warn(f"App {app} has not been deployed")
        return
    if any(value == "running" for value, _ in status(app).values()):
        warn(f"App {app} already running")
        info(f"Ensuring network configuration is in sync for {app}")
        configure_proxy(app)
        return
    warn("App has been detected as not running, releasing")
    try:
        release_and_deploy(app, "latest", "deploy")
    except Failure:
        end_build(app, 1)
        raise
    end_build(app, 0)
    info(f"Ensuring network configuration is in sync for {app}")
    configure_proxy(app)


def ps_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    valid = [
        "dockerfile-start-cmd",
        "procfile-path",
        "restart-policy",
        "restore",
        "skip-deploy",
        "start-cmd",
        "stop-timeout-seconds",
    ]
    name, value = (argv[1:] + ["", ""])[:2]
    if name not in valid:
        raise Failure(f"Invalid property specified, valid properties include: {', '.join(valid)}")
    if name not in ("restart-policy", "stop-timeout-seconds"):
        refuse(f"ps:set {name}")
    if name == "restart-policy" and value and not re.fullmatch(r"no|always|unless-stopped|on-failure(:\d+)?", value):
        raise Failure("Invalid restart-policy specified")
    with state(app) as known:
        known["ps"].pop(name, None)
        if value:
            known["ps"][name] = value
    header(f"Setting {name} to {value}" if value else f"Unsetting {name}")


# apps


def check_name(app: str) -> None:
    if not app:
        raise Failure("Please specify an app to run the command on")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", app):
        raise Failure(
            "App name must begin with lowercase alphanumeric character, and may only contain lowercase alphanumerics, dots, and hyphens"
        )


def make_app(app: str) -> None:
    folder = HOME / app
    info(f"Creating {app}...")
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=master", str(folder)], check=True)
    hook = folder / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec '{COMMAND}' git-hook {app}\n")
    hook.chmod(0o755)
    (LIB / "data/simulator").mkdir(parents=True, exist_ok=True)
    state_file(app).write_text(json.dumps(create_state(app)))
    (folder / "ENV").write_text("{}")
    info("Creating new app virtual host file...")
    configure_proxy(app)
    warn(f"No web listeners specified for {app}")
    trigger("post-create", app)


def apps_create(argv: list[str]) -> None:
    for word in argv:
        if re.match(r"-[^-]", word):
            message = f"unknown shorthand flag: '{word[1]}' in {word}"
            say(message)
            sys.stderr.write(f"{message}\nUsage of apps:create:\n")
            sys.exit(2)
    app = argv[0] if argv else ""
    check_name(app)
    if app in apps():
        raise Failure("Name is already taken")
    make_app(app)


def apps_list(argv: list[str]) -> None:
    _, flags = parse(argv, "format=")
    if flags.get("format") == "json":
        show_json(apps())
        return
    if not some_apps():
        return
    header("My Apps")
    for app in apps():
        say(app)


def some_apps() -> bool:
    if not apps():
        warn("You haven't deployed any applications yet")
    return bool(apps())


def apps_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    if not words and not some_apps():
        return
    for app in [verify(words[0])] if words else apps():
        known = read_state(app)
        values = {
            "app-created-at": str(known["created_at"]),
            "app-deploy-source": known["deploy_source"][0],
            "app-deploy-source-metadata": known["deploy_source"][1],
            "app-dir": f"/home/dokku/{app}",
            "app-global-disable-autocreation": "",
            "app-locked": str(lock_file(app).exists()).lower(),
        }
        report(app, "app", values, flags)


def lock_file(app: str) -> Path:
    return LIB / "data/apps" / app / ".deploy.lock"


def apps_lock(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    lock_file(app).parent.mkdir(parents=True, exist_ok=True)
    lock_file(app).touch()
    info("Deploy lock created")


def apps_unlock(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not lock_file(app).exists():
        raise Failure("Unable to remove deploy lock")
    warn("A deploy may be in progress.")
    warn("Removing the app lock will not stop in progress deploys.")
    lock_file(app).unlink()
    info("Deploy lock removed")


def apps_locked(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if not lock_file(app).exists():
        raise Failure("Deploy lock does not exist")
    say("Deploy lock exists")


def apps_destroy(argv: list[str]) -> None:
    words, flags = parse(argv, "force")
    app = verify(words[0] if words else "")
    if "force" not in flags and not os.environ.get("DOKKU_APPS_FORCE_DELETE"):
        warn("WARNING: Potentially Destructive Action")
        warn(f"This command will destroy app {app}.")
        warn(f'To proceed, type "{app}"')
        sys.stdout.write("> ")
        sys.stdout.flush()
        answer = sys.stdin.readline()
        if not answer:
            say()
            raise Failure("EOF")
        if answer.strip() != app:
            say()
            raise Failure("Confirmation did not match test. Aborted.", 1, bare=True)
    unmake_app(app)


def unmake_app(app: str) -> None:
    info(f"Destroying {app} (including all add-ons)")
    for cid in containers(app).values():
        docker("container", "rm", "--force", cid, check=False)
    found = docker(
        "container",
        "ls",
        "-aq",
        "--filter",
        f"label=com.dokku.app-name={app}",
        "--filter",
        "label=com.dokku.container-type=deploy",
    ).split()
    if found:
        docker("container", "rm", "--force", *found, check=False)
    docker("image", "rm", f"dokku/{app}:latest", check=False)
    cleanup_app(app)
    retire_now(app)
    subprocess.run(
        [
            "rm",
            "-rf",
            str(HOME / app),
            str(LIB / "data/builds" / app),
            str(LIB / "data/apps" / app),
            str(LIB / "data/ps" / app),
            str(LIB / "data/app-json" / app),
        ],
        check=True,
    )
    state_file(app).unlink()
    trigger("post-delete", app, "latest")


def apps_copy(argv: list[str], move: bool) -> None:
    words, flags = parse(argv, "skip-deploy ignore-existing")
    old = verify(words[0] if words else "")
    new = words[1] if len(words) > 1 else ""
    if not new:
        raise Failure("Please specify an new app name")
    check_name(new)
    if new in apps():
        if "ignore-existing" in flags:
            warn("Name is already taken")
            return
        raise Failure("Name is already taken")
    if deployed(old):
        refuse(f"{'rename' if move else 'clone'} of a deployed app")
    info(f"{'Renaming' if move else 'Cloning'} {old} to {new}")
    make_app(new)
    with config(new) as variables:
        variables.update(read_config(old))
    if move:
        trigger("post-app-rename-setup", old, new)
        unmake_app(old)


# config

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def config_words(argv: list[str], known: str) -> tuple[str, list[str], dict[str, str]]:
    words, flags = parse(argv, known + " global merged format= no-restart quoted")
    if "global" in flags:
        return "--global", words, flags
    return verify(words[0] if words else ""), words[1:], flags


def show_pairs(pairs: dict[str, str]) -> None:
    width = max((len(key) for key in pairs), default=0) + 1
    for key, value in sorted(pairs.items()):
        verbose(f"{key + ':':<{width}}  {value}".replace("\n", "\n"))


def store(app: str, pairs: dict[str, str], flags: dict[str, str], fresh: bool = False) -> None:
    for key in pairs:
        if not KEY.fullmatch(key):
            raise Failure(f"Invalid key name: '{key}'")
    with config(app) as variables:
        if fresh:
            variables.clear()
        variables.update(pairs)
    info("Setting config vars")
    show_pairs({key: value.strip() for key, value in pairs.items()})
    if app != "--global":
        trigger("post-config-update", app, "set", *sorted(pairs))
    restart_after(app, flags)


def restart_after(app: str, flags: dict[str, str]) -> None:
    """A restart that fails is told on stderr, and the command succeeds."""
    if app == "--global" or "no-restart" in flags or not deployed(app):
        return
    if not any(value == "running" for value, _ in status(app).values()):
        return
    info(f"Restarting app {app}")
    # The build record, and so the joined output, belongs to another process.
    if subprocess.run([str(COMMAND), "_redeploy", app]).returncode:
        warn("Failure while restarting app: ")


def redeploy(argv: list[str]) -> None:
    try:
        release_and_deploy(argv[0], "latest", "config-redeploy")
    except Failure:
        end_build(argv[0], 1)
        raise
    end_build(argv[0], 0)


def config_set(argv: list[str]) -> None:
    app, words, flags = config_words(argv, "encoded")
    if not words:
        raise Failure("At least one env pair must be given")
    pairs = {}
    for word in words:
        key, found, value = word.partition("=")
        if not found:
            raise Failure(f"Invalid env pair: {word}")
        pairs[key] = decoded(key, value) if "encoded" in flags else value
    store(app, pairs, flags)


def decoded(key: str, value: str) -> str:
    odd = re.search(r"[^A-Za-z0-9+/=]", value)
    if odd:
        # Go says up to where it read, in whole groups of four.
        raise Failure(f"illegal base64 data at input byte {odd.start() - odd.start() % 4 + 3} for key '{key}'")
    return base64.b64decode(value).decode()


def config_unset(argv: list[str]) -> None:
    app, words, flags = config_words(argv, "")
    if not words:
        raise Failure("At least one key must be given")
    with config(app) as variables:
        for key in words:
            if key in variables:
                info(f"Unsetting {key}")
                del variables[key]
            else:
                info(f"Skipping {key}, it is not set in the environment")
    if app != "--global":
        trigger("post-config-update", app, "unset", *words)
    restart_after(app, flags)


def config_clear(argv: list[str]) -> None:
    app, _, flags = config_words(argv, "")
    with config(app) as variables:
        for key in sorted(variables):
            info(f"Unsetting {key}")
        variables.clear()
    trigger("post-config-update", app, "clear")
    restart_after(app, flags)


def config_get(argv: list[str]) -> None:
    app, words, flags = config_words(argv, "")
    if not words:
        raise Failure("Expected: key")
    if len(words) > 1:
        raise Failure(f"Unexpected argument(s): [{' '.join(words[1:])}]")
    variables = read_config(app)
    if words[0] not in variables:
        sys.exit(1)
    value = variables[words[0]]
    say(quoted(value) if "quoted" in flags else value)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def config_keys(argv: list[str]) -> None:
    app, _, flags = config_words(argv, "")
    for key in sorted(merged(app, flags)):
        say(key)


def merged(app: str, flags: dict[str, str]) -> dict[str, str]:
    return (read_config("--global") if "merged" in flags else {}) | read_config(app)


def config_show(argv: list[str]) -> None:
    app, _, flags = config_words(argv, "")
    variables = merged(app, flags)
    header(f"{'global' if app == '--global' else app} env vars")
    pretty(variables)
    if not variables and os.environ.get("DOKKU_QUIET_OUTPUT"):
        say()


def pretty(variables: dict[str, str]) -> None:
    width = max((len(key) for key in variables), default=0) + 1
    for key, value in sorted(variables.items()):
        say(f"{key + ':':<{width}}  {value.strip()}")


def config_export(argv: list[str]) -> None:
    app, _, flags = config_words(argv, "")
    variables = dict(sorted(merged(app, flags).items()))
    chosen = flags.get("format", "exports")
    if chosen == "json":
        show_json(variables)
    elif chosen == "json-list":
        show_json([{"name": key, "value": value} for key, value in variables.items()])
    elif chosen == "exports":
        for key, value in variables.items():
            say(f"export {key}={quoted(value)}")
    elif chosen == "envfile":
        for key, value in variables.items():
            shown = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"').replace("$", "\\$")
            say(f"{key}={value}" if re.fullmatch(r"-?\d+", value) else f'{key}="{shown}"')
    elif chosen == "shell":
        sys.stdout.write("".join(f"{key}={quoted(value)} " for key, value in variables.items()) + "\n")
    elif chosen == "pretty":
        pretty(variables)
    elif chosen == "docker-args":
        say(" ".join(f"--env={key}={quoted(value)}" for key, value in variables.items()))
    elif chosen == "docker-args-keys":
        say(" ".join(f"--env={key}" for key in variables))
    elif chosen == "pack-keys":
        say(" ".join(f"--env {key}" for key in variables))
    else:
        raise Failure(f"Unknown export format: {chosen}")


def config_import(argv: list[str]) -> None:
    app, words, flags = config_words(argv, "replace")
    source = words[0] if words else ""
    if source == "-":
        info("Reading config vars from stdin")
        text = sys.stdin.read()
    else:
        try:
            text = Path(source).read_text() if source else Path("").joinpath("").read_text()
        except OSError:
            raise Failure(f"open {source}: no such file or directory") from None
    chosen = flags.get("format", "envfile")
    if chosen == "json":
        pairs = read_json_pairs(text)
    elif chosen == "envfile":
        pairs = read_envfile(text)
    else:
        raise Failure(f"Unknown format: {chosen}")
    if not pairs:
        raise Failure("No config vars to set")
    for key, value in pairs.items():
        info(f"Setting config var {key}={value}")
    store(app, pairs, flags, fresh="replace" in flags)


def read_json_pairs(text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
    except ValueError:
        if text.startswith("not"):
            raise Failure("invalid character 'o' in literal null (expecting 'u')") from None
        refuse("config:import of that malformed JSON")
    for key, one in value.items():
        if not isinstance(one, str):
            kind = {int: "number", float: "number", bool: "bool"}.get(type(one), "object")
            raise Failure(f"json: cannot unmarshal {kind} into Go struct field .{key} of type string")
    return value  # type: ignore[no-any-return]


def read_envfile(text: str) -> dict[str, str]:
    pairs = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            key, _, value = line.removeprefix("export ").partition("=")
            pairs[key] = value[1:-1] if value[:1] == value[-1:] == '"' else value
    return pairs


# Other properties.


def domains_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format= global", lenient=True)
    if "global" in flags:
        refuse("domains:report --global")
    for app in [verify(words[0])] if words else apps():
        names = " ".join(read_state(app)["domains"])
        values = {
            "domains-app-enabled": "true",
            "domains-app-vhosts": names,
            "domains-global-enabled": "true",
            "domains-global-vhosts": "dokku.example.com",
        }
        if flags.get("format") == "json":
            show_json({key.removeprefix("domains-"): value for key, value in values.items()})
        else:
            report(app, "domains", values, flags)


def domains_change(argv: list[str], how: str) -> None:
    app = verify(argv[0])
    if not argv[1:]:
        refuse(f"domains:{how} without a domain")
    for name in argv[1:]:
        if how != "remove" and not re.fullmatch(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*\.)*[A-Za-z0-9-]+", name):
            refuse(f"domains:{how} of {name}")
    with state(app) as known:
        if how == "set":
            known["domains"] = argv[1:]
            info(f"Set {' '.join(argv[1:])} for {app}")
        for name in argv[1:] if how != "set" else []:
            if how == "remove":
                known["domains"] = [one for one in known["domains"] if one != name]
                info(f"Removed {name} from {app}")
            elif name in known["domains"]:
                info(f"Skipping: {name} already added to {app}")
            else:
                known["domains"].append(name)
                info(f"Added {name} to {app}")
    if how != "remove":
        warn("Please run dokku letsencrypt:enable to add https support to the new domain")
    configure_proxy(app)
    if not containers(app):
        warn(f"No web listeners specified for {app}")
    trigger("post-domains-update", app, how, *argv[1:])


def ports_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    with state(app) as known:
        known["ports"] = argv[1:]
    configure_proxy(app)
    if not containers(app):
        warn(f"No web listeners specified for {app}")


def ports_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    known = read_state(app)
    values = {}
    for name, ports in (("map", known["ports"]), ("map-detected", known["ports_detected"] or ["http:80:5000"])):
        values[f"ports-{name}"] = " ".join(ports)
        split = [port.split(":") for port in ports]
        values[f"ports-{name}-json"] = json.dumps(
            [
                {"container_port": int(inner), "host_port": int(outer), "scheme": scheme}
                for scheme, outer, inner in split
            ]
            or None,
            separators=(",", ":"),
        )
    report(app, "ports", values, flags)


def checks_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if len(argv) < 2 or argv[1] != "wait-to-retire":
        refuse(f"checks:set {' '.join(argv[1:])}")
    value = argv[2] if len(argv) > 2 else ""
    with state(app) as known:
        known["wait_to_retire"] = value
    header(f"Setting wait-to-retire to {value}" if value else "Unsetting wait-to-retire")


def checks_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    value = read_state(app)["wait_to_retire"]
    values = {
        "computed-wait-to-retire": value or "60",
        "disabled-list": "none",
        "global-wait-to-retire": "",
        "skipped-list": "none",
        "wait-to-retire": value,
    }
    if flags.get("format") == "json":
        show_json(values)
    else:
        report(app, "checks", {f"checks-{key}": one for key, one in values.items()}, flags)


def docker_options_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    options = read_state(app)["docker_options"]
    if flags.get("format") == "json":
        values: dict[str, Any] = {f"docker-options-{phase}": " ".join(options[phase]) for phase in options}
        values |= {phase: " ".join(options[phase]) for phase in options} | {
            f"{phase}-list": options[phase] for phase in options
        }
        show_json(dict(sorted(values.items())))
    else:
        report(app, "docker-options", {f"docker-options-{phase}": " ".join(options[phase]) for phase in options}, flags)


def docker_options_add(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    if len(argv) != 3:
        refuse("docker-options:add of several words")
    with state(app) as known:
        for phase in argv[1].split(","):
            known["docker_options"][phase].append(argv[2])


def resource_limit(argv: list[str]) -> None:
    words, flags = parse(argv, "memory= cpu=")
    app = verify(words[0] if words else "")
    if not flags:
        refuse("resource:limit without a limit")
    with state(app) as known:
        known["resource"].setdefault("limit", {}).update(flags)
    header(f"Setting resource limits for {app}")
    for name, value in flags.items():
        verbose(f"{name}: {value}")


def resource_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format=", lenient=True)
    app = verify(words[0] if words else "")
    if flags.get("format") != "json":
        refuse("resource:report as text")
    show_json(
        {
            f"_default_.limit.{name}": value
            for name, value in sorted(read_state(app)["resource"].get("limit", {}).items())
        }
    )


def git_report(argv: list[str]) -> None:
    words, flags = parse(argv, "format= global", lenient=True)
    if "global" in flags:
        refuse("git:report --global")
    app = verify(words[0] if words else "")
    known = read_state(app)
    values = {
        "git-computed-archive-max-files": "10000",
        "git-computed-archive-max-size": "1073741824",
        "git-computed-deploy-branch": branch(app),
        "git-computed-keep-git-dir": "false",
        "git-deploy-branch": known["deploy_branch"],
        "git-global-archive-max-files": "",
        "git-global-archive-max-size": "",
        "git-global-deploy-branch": "",
        "git-global-keep-git-dir": "",
        "git-keep-git-dir": "",
        "git-last-updated-at": known["last_updated"],
        "git-rev-env-var": "GIT_REV",
        "git-sha": git(app, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch(app)}", check=False) or "HEAD",
        "git-source-image": known["source_image"],
    }
    if flags.get("format") == "json":
        show_json({key.removeprefix("git-"): value for key, value in values.items()})
    else:
        report(app, "git", values, flags)


def git_set(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    name, value = (argv[1:] + ["", ""])[:2]
    valid = ["archive-max-files", "archive-max-size", "deploy-branch", "keep-git-dir", "rev-env-var", "source-image"]
    if name not in valid:
        raise Failure(f"Invalid key specified, valid keys include: {', '.join(valid)}")
    if name != "deploy-branch":
        refuse(f"git:set {name}")
    with state(app) as known:
        known["deploy_branch"] = value
    header(f"Setting {name} to {value}")


def run(argv: list[str]) -> None:
    if argv[0].startswith("-"):
        refuse(f"run {argv[0]}")
    app = verify(argv[0])
    if not argv[1:] or argv[1].startswith("-"):
        refuse("run without a command of its own")
    reference = f"dokku/{app}:latest"
    if not image_id(reference):
        warn(f"App image ({reference}) not found")
        sys.stderr.write("Error: No such image: \n")
        warn("Invalid image stage detected: expected 'release', got ''")
        raise Failure("Successfully deploy your app to fix dokku run calls")
    stage = docker("image", "inspect", "--format", '{{index .Config.Labels "com.dokku.image-stage"}}', reference)
    if stage != "release":
        warn(f"Invalid image stage detected: expected 'release', got '{stage}'")
        raise Failure("Successfully deploy your app to fix dokku run calls")
    variables = read_config(app)
    code = subprocess.run(
        [DOCKER, "run", "--rm", f"--label={OWNER}", *(f"--env={key}" for key in variables), reference, *argv[1:]],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **variables},
    ).returncode
    if code in (125, 126, 127):
        refuse("run of a command that cannot be started")
    sys.exit(code)


def parse(argv: list[str], known: str, lenient: bool = False) -> tuple[list[str], dict[str, str]]:
    words: list[str] = []
    flags: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            words.append(word)
            continue
        name, given, value = word[2:].partition("=")
        if f"{name}=" in known.split():
            flags[name] = value if given else (rest.pop(0) if rest else "")
        elif name in known.split() or lenient:
            flags[name] = "true"
        else:
            refuse(f"flag {word}")
    return words, flags


COMMANDS = {
    "apps": apps_list,
    "apps:create": apps_create,
    "apps:list": apps_list,
    "apps:exists": lambda argv: verify(argv[0] if argv else "") and None,
    "apps:report": apps_report,
    "apps:lock": apps_lock,
    "apps:unlock": apps_unlock,
    "apps:locked": apps_locked,
    "apps:destroy": apps_destroy,
    "apps:clone": lambda argv: apps_copy(argv, False),
    "apps:rename": lambda argv: apps_copy(argv, True),
    "config": config_show,
    "config:show": config_show,
    "config:set": config_set,
    "config:unset": config_unset,
    "config:get": config_get,
    "config:keys": config_keys,
    "config:export": config_export,
    "config:import": config_import,
    "config:clear": config_clear,
    "ps:report": ps_report,
    "ps:scale": ps_scale,
    "ps:stop": ps_stop,
    "ps:start": ps_start,
    "ps:restart": restart,
    "ps:rebuild": rebuild,
    "ps:retire": retire,
    "ps:set": ps_set,
    "deploy": deploy_tag,
    "_redeploy": redeploy,
    "git:from-image": from_image,
    "git:report": git_report,
    "git:set": git_set,
    "git-hook": git_hook,
    "builds:list": builds_list,
    "cleanup": lambda argv: cleanup_app(argv[0] if argv and argv[0] != "--global" else ""),
    "domains:report": domains_report,
    "domains:add": lambda argv: domains_change(argv, "add"),
    "domains:set": lambda argv: domains_change(argv, "set"),
    "domains:remove": lambda argv: domains_change(argv, "remove"),
    "ports:set": ports_set,
    "ports:report": ports_report,
    "checks:set": checks_set,
    "checks:report": checks_report,
    "docker-options:report": docker_options_report,
    "docker-options:add": docker_options_add,
    "resource:limit": resource_limit,
    "resource:report": resource_report,
    "run": run,
    "version": lambda argv: say("dokku version 0.38.27"),
    "--version": lambda argv: say("dokku version 0.38.27"),
    "-v": lambda argv: say("dokku version 0.38.27"),
}
# What is not known of these is refused.
NO_FLAGS = {
    "cleanup",
    "ps:retire",
    "deploy",
    "git:set",
    "ps:stop",
    "ps:start",
    "ps:rebuild",
    "ps:set",
    "ports:set",
    "checks:set",
    "domains:add",
    "domains:set",
    "domains:remove",
    "apps:lock",
    "apps:unlock",
    "apps:locked",
    "apps:exists",
}
NOT_BARE = {
    "ps:restart",
    "ps:rebuild",
    "run",
    "domains:add",
    "domains:set",
    "domains:remove",
    "resource:report",
    "git:from-image",
    "ps:stop",
    "ps:start",
    "ps:set",
    "ports:set",
    "deploy",
    "git-hook",
}
NO_GLOBAL = {
    "ps:report",
    "apps:report",
    "checks:report",
    "ports:report",
    "resource:report",
    "docker-options:report",
    "git:set",
    "ps:set",
    "ports:set",
    "checks:set",
    "domains:add",
    "domains:set",
    "domains:remove",
    "ps:stop",
    "ps:start",
    "ps:restart",
    "ps:rebuild",
    "resource:limit",
}
# Commands that were asked for and are none: Dokku says so, and so it is no gap of this stand-in.
NO_COMMANDS = {
    "nosuch",
    "nosuch:sub",
    "apps:nosuch",
    "ps:nosuch",
    "config:nosuch",
    "ps:rollback",
    "git:rollback",
    "rollback",
    "deploy:rollback",
    "tags",
    "tags:deploy",
    "restart",
    "status",
    "shell:nosuch",
}


def plugin_command(command: str, argv: list[str]) -> int | None:
    name, _, sub = command.partition(":")
    script = ENABLED / name / "subcommands" / (sub or "default")
    if name and os.access(script, os.X_OK):
        return subprocess.run([str(script), command, *argv], env=plugin_environment()).returncode
    for script in sorted(ENABLED.glob("*/commands")):
        code = subprocess.run([str(script), command, *argv], env=plugin_environment()).returncode
        if code != 10:
            return code
    return None


def main(argv: list[str]) -> int:
    if not ROOT.is_dir():
        refuse("a run without DOKKU_SIMULATOR_ROOT")
    while argv and argv[0] in ("--quiet", "--force", "--app"):
        flag = argv.pop(0)
        if flag == "--quiet":
            os.environ["DOKKU_QUIET_OUTPUT"] = "1"
        elif flag == "--force":
            os.environ["DOKKU_APPS_FORCE_DELETE"] = "1"
        else:
            os.environ["DOKKU_APP_NAME"] = argv.pop(0)
    # Over ssh the words come in a variable.
    if os.environ.get("SSH_ORIGINAL_COMMAND"):
        import shlex

        argv = shlex.split(os.environ.pop("SSH_ORIGINAL_COMMAND"))
    command, rest = (argv[0], argv[1:]) if argv else ("", [])
    known = COMMANDS.get(command)
    try:
        if known is not None:
            if os.environ.get("DOKKU_APP_NAME"):
                rest = [os.environ["DOKKU_APP_NAME"], *rest]
            if command in NO_FLAGS and any(word.startswith("--") and word != "--global" for word in rest):
                refuse(" ".join(argv))
            if command in NOT_BARE and not rest:
                refuse(command)
            if command in NO_GLOBAL and "--global" in rest:
                refuse(" ".join(argv))
            known(rest)
            return 0
        code = plugin_command(command, rest)
        if code is not None:
            return code
        if command in NO_COMMANDS or command.partition(":")[0] == "releases":
            warn(f"`{' '.join(argv)}` is not a dokku command.")
            warn("See `dokku help` for a list of available commands.")
            return 1
        refuse(" ".join(argv))
    except Failure as failure:
        sys.stdout.flush()
        if failure.message:
            sys.stderr.write(failure.message + "\n" if failure.bare else f" !     {failure.message}\n")
        return failure.code
