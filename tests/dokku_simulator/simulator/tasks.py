"""app.json and Procfile of the release that is being deployed: scripts, health checks, processes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

from .builder import current_file
from .core import DOCKER, OWNER, Failure, docker, info, inspect, read_config, read_state, say, verbose, warn


def app_json(app: str) -> dict[str, Any]:
    text = current_file(app, "app.json")
    value: dict[str, Any] = json.loads(text) if text else {}
    return value


def processes(app: str) -> dict[str, list[str]]:
    """Processes of the Procfile; without one the image's own command."""
    lines = (line.partition(":") for line in current_file(app, "Procfile").splitlines() if ":" in line)
    return {name.strip(): shlex.split(command) for name, _, command in lines if not name.startswith("#")}


def options(app: str, phase: str) -> list[str]:
    return [word for option in read_state(app)["docker_options"][phase] for word in shlex.split(option)]


def script(app: str, name: str) -> str:
    return str(app_json(app).get("scripts", {}).get("dokku", {}).get(name, ""))


def run_script(app: str, name: str, reference: str) -> None:
    """predeploy changes the image; postdeploy runs beside the new containers and leaves nothing."""
    info(f"Checking for {name} task")
    command = script(app, name)
    if not command:
        verbose(f"No {name} task found, skipping")
        return
    ephemeral = " in ephemeral container" if name == "postdeploy" else ""
    verbose(f"Executing {name} task from app.json{ephemeral}: {command}")
    variables = read_config("--global") | read_config(app)
    named = [f"--env={key}" for key in variables]
    image = json.loads(docker("image", "inspect", "--format", "{{json .Config}}", reference))
    entrypoint = image.get("Entrypoint") or []
    # An entrypoint that was set for the run alone would be hard to take off what is committed.
    shell = ["--entrypoint", "/bin/sh", reference, "-c"] if entrypoint else [reference, "/bin/sh", "-c"]
    created = subprocess.run(
        [DOCKER, "container", "create", f"--label={OWNER}", *named, *options(app, "deploy"), *shell, command],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    if created.returncode:
        raise Failure(created.stderr.strip(), 1, bare=True)
    cid = created.stdout.strip()
    ran = subprocess.run(
        [DOCKER, "container", "start", "--attach", cid], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    say(f"=====> Start of {app} {name} task ({cid[:9]}) output")
    for line in ran.stdout.splitlines():
        verbose(line)
    say(f"=====> End of {app} {name} task ({cid[:9]}) output")
    if not ran.returncode and name == "predeploy":
        changes = [f"CMD {json.dumps(image.get('Cmd'))}"]
        changes += [f"ENTRYPOINT {json.dumps(entrypoint)}"] if entrypoint else []
        docker("container", "commit", *(word for one in changes for word in ("--change", one)), cid, reference)
    docker("container", "rm", "--force", cid, check=False)
    if ran.returncode:
        warn(f"Execution of {name} task failed: {command}")
        raise Failure()


def checks(app: str, process: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = app_json(app).get("healthchecks", {}).get(process, [])
    return [check for check in found if check.get("type") == "startup"]


def check_line(check: dict[str, Any]) -> str:
    retries = int(check.get("attempts", 3)) - 1
    return (
        f"Running healthcheck name='{check.get('name', 'default')}' delay={check.get('initialDelay', 0)} "
        f"path='{check.get('path', '/')}' retries={retries} timeout={check.get('timeout', 5)} type='path'"
    )


def run_check(check: dict[str, Any], cid: str, port: str) -> tuple[str, str]:
    """The fault and the answer; both empty if all is well."""
    address = inspect(cid, "{{.NetworkSettings.IPAddress}}")
    wrong, body = "", ""
    for attempt in range(int(check.get("attempts", 3))):
        if attempt:
            time.sleep(min(float(check.get("wait", 5)), 1))
        try:
            # A moment for what has only just been started.
            for _ in range(20):
                try:
                    with urllib.request.urlopen(f"http://{address}:{port}{check.get('path', '/')}", timeout=5) as got:
                        status, body = got.status, got.read().decode(errors="replace")
                    break
                except urllib.error.HTTPError as error:
                    status, body = error.code, error.read().decode(errors="replace")
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                wrong = "connection refused"
                continue
        except ValueError as error:
            wrong = str(error)
            continue
        if not 200 <= status < 400:
            wrong = f"unexpected status code: {status}"
        elif check.get("content") and check["content"] not in body:
            wrong = f"unable to find expected content in response body: {check['content']}"
        else:
            return "", ""
    return wrong, body
