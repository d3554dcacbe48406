"""Base of every plugin of the simulator: messages, the state of an app, Docker, git, triggers, reports.

A simulator of the `dokku` command, for tests only. It keeps its state in files, builds and runs real images and
containers on the Docker engine that is there, and calls the triggers of the plugins in plugins/enabled as plugn does.
What it says, its exit codes and its quirks are those of Dokku 0.38.27, as recorded; what it does not know ends with 99
and says so. A module beside this one is a plugin; its COMMANDS are what `dokku` is called with.

Differences that are meant: time (checks last $DOKKU_SIMULATOR_UPTIME seconds, or while the file HELD is there; old containers are stopped at once,
wait-to-retire is over at once), nginx only on a host that is nothing else, and there too with a plainer configuration.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

# A test's own server lives in a folder; a host that is nothing else has it where Dokku has it.
HOST = "DOKKU_SIMULATOR_ROOT" not in os.environ
ROOT = Path(os.environ.get("DOKKU_SIMULATOR_ROOT", "/"))
COMMAND = Path("/usr/bin/dokku") if HOST else Path(__file__).resolve().parents[1] / "dokku"
HOME = Path("/home/dokku") if HOST else ROOT / "home"
LIB = Path("/var/lib/dokku") if HOST else ROOT / "lib"
ENABLED = LIB / "plugins/enabled"
#: While this file is there, checks go on: a test holds a deploy by it as long as it looks.
HELD = LIB / "data/simulator/held"
UPTIME = float(os.environ.get("DOKKU_SIMULATOR_UPTIME", "0.6"))
OWNER = "com.example.dokku-simulator=" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
DOCKER = os.environ.get("DOCKER_BIN", "docker")
NOT_IMPLEMENTED = 99
SCRIPTS = "/var/lib/dokku/plugins/available/scheduler-docker-local/bin"

Command = Callable[[list[str]], object]


class Failure(Exception):
    """A message on stderr, and an exit code."""

    def __init__(self, message: str = "", code: int = 1, bare: bool = False, repeated: str = "") -> None:
        super().__init__(message)
        # What a restart says once more, at its end.
        self.message, self.code, self.bare, self.repeated = message, code, bare, repeated


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
        "resources": {},
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
    """Every folder is one, but for hidden ones and those with a capital."""
    return sorted(path.name for path in HOME.iterdir() if path.is_dir() and not re.match(r"[.A-Z]", path.name))


def verify(app: str) -> str:
    if not app:
        raise Failure("Please specify an app to run the command on")
    if app not in apps():
        raise Failure(f"App {app} does not exist", 20)
    return app


def env_file(app: str) -> Path:
    """Since 0.38 the configuration lies beside the properties of the plugins, and not in the app's folder."""
    return LIB / "config" / app / "ENV"


def read_config(app: str) -> dict[str, str]:
    path = env_file(app)
    return json.loads(path.read_text()) if path.exists() else {}


@contextlib.contextmanager
def config(app: str) -> Iterator[dict[str, str]]:
    path = env_file(app)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (LIB / "data/simulator" / f"{app}.env.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        value = read_config(app)
        yield value
        replace(path, json.dumps(dict(sorted(value.items())), ensure_ascii=False))


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
    """The container of each process, such as web.1."""
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


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 10**9:09d}Z"


def deployed(app: str) -> bool:
    return bool(containers(app)) or (HOME / app / "nginx.conf").exists()


def report(
    app: str,
    name: str,
    values: dict[str, str],
    flags: dict[str, str],
    extra: dict[str, str] | None = None,
    title: str = "",
    short: bool = False,
) -> None:
    """JSON has every key with and without the plugin's name; text the first; one flag gives one value, two none."""
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
        unprefixed = {key.removeprefix(f"{name}-"): value for key, value in values.items()}
        show_json(unprefixed if short else dict(sorted({**values, **unprefixed, **(extra or {})}.items())))
    else:
        header(f"{app} {title or name} information")
        lines = {**values, **(extra or {})}
        named = {
            re.sub("[-.]", " ", key).capitalize(): value
            for key, value in (lines if short else dict(sorted(lines.items()))).items()
        }
        width = max(len(key) for key in named) + 1
        for key, value in named.items():
            verbose(f"{key + ':':<{width}} {value}")


def some_apps() -> bool:
    if not apps():
        warn("You haven't deployed any applications yet")
    return bool(apps())


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
