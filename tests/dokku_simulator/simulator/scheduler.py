from __future__ import annotations

import os
import random
import subprocess
import sys
import time

from .builder import keep_extracted, release_image
from .builds import begin_build
from .core import (
    DOCKER,
    HELD,
    HOME,
    OWNER,
    SCRIPTS,
    UPTIME,
    Command,
    Failure,
    containers,
    docker,
    image_id,
    info,
    inspect,
    read_config,
    read_state,
    replace,
    say,
    state,
    trigger,
    verbose,
    verify,
    warn,
)
from .nginx import configure_proxy, urls
from .resource import limits
from .retire import register_retired
from .tasks import check_line, checks, options, processes, run_check, run_script

# What the engine calls it; the others are for other schedulers.
FLAGS = {"cpu": "cpus", "memory": "memory", "memory-swap": "memory-swap"}
RED = "\x1b[1m\x1b[31m !     \x1b[0m\x1b[0m"


def release_and_deploy(app: str, tag: str, source: str) -> None:
    begin_build(app, source)
    if not image_id(f"dokku/{app}:{tag}"):
        raise Failure(f"App image (dokku/{app}:{tag}) not found")
    info(f"Releasing {app}...")
    first = not read_state(app)["postdeploy_asked"]
    reference = f"dokku/{app}:{tag}"
    trigger("post-release-builder", "dockerfile", app, reference)
    run_script(app, "predeploy", reference)
    info("Checking for release task")
    verbose("No release task found, skipping")
    release_image(app, tag)
    if first and os.environ["DOKKU_BUILD_SOURCE"] != "config-redeploy":
        info("Checking for heroku.postdeploy task")
        verbose("No heroku.postdeploy task found, skipping")
        with state(app) as known:
            known["postdeploy_asked"] = True
    with state(app) as known:
        known["scale"] = {**dict.fromkeys(processes(app), 0), **known["scale"]}
    say("=====> Processing deployment checks")
    if not checks(app, "web"):
        say(f"{RED}No healthchecks found in app.json for web process type")
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
    run_script(app, "postdeploy", reference)
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
    resources = [f"--{FLAGS[name]}={value}" for name, value in sorted(limits(app, process).items()) if name in FLAGS]
    reserved = limits(app, process, "reserve").get("memory")
    # The only reservation that Docker knows; Dokku leaves the others out.
    resources += [f"--memory-reservation={reserved}"] if reserved else []
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
            *options(app, "deploy"),
            reference,
            *processes(app).get(process, []),
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
    own = checks(app, process)
    info(f"Executing {2 if process == 'web' else 1} healthchecks")
    for check in own:
        verbose(check_line(check))
    if not own:
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
    failed = shown = ""
    for check in own:
        failed, shown = run_check(check, cid, port)
        if failed:
            failed = f"{RED}Failure in name='{check.get('name', 'default')}': {failed}"
            break
    if not own:
        time.sleep(UPTIME)
    while HELD.exists():
        time.sleep(0.05)
    # On a busy machine an application may not have said anything by then; the ten seconds of the real thing are enough.
    for _ in range(100):
        if docker("container", "logs", cid, merged=True):
            break
        time.sleep(0.1)
    restarts = inspect(cid, "{{.RestartCount}}")
    if restarts != "0" or inspect(cid, "{{.State.Running}}") != "true":
        failed, shown = f"{RED}Failure in name='default': container has restarted {restarts} times", "state=restarting"
    if failed:
        say("=====> Start healthcheck output")
        verbose(shown.rstrip("\n"))
        say("=====> End healthcheck output")
        say(failed)
        docker("container", "update", "--restart=no", cid, check=False)
        docker("container", "stop", "--time", "2", cid, check=False)
    logs = subprocess.run([DOCKER, "container", "logs", cid], capture_output=True, text=True)
    if failed:
        say(cid)
        could_not = f"Could not start due to 1 failed checks ({dyno})"
        warn(could_not)
        for _ in range(2):
            container_output(app, cid, dyno, logs.stdout + logs.stderr)
        say("parallel: This job failed:")
        again = f"{failed}\n !     {could_not}\nparallel: This job failed:\n{job}\n"
        raise Failure(f"{job}\n", 1, True, again)
    for check in own or [{}]:
        verbose(f"Healthcheck succeeded name='{check.get('name', 'default')}'")
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


def deploy_tag(argv: list[str]) -> None:
    app = verify(argv[0] if argv else "")
    tag = argv[1] if len(argv) > 1 else "latest"
    if not image_id(f"dokku/{app}:{tag}"):
        raise Failure(f"App image (dokku/{app}:{tag}) not found")
    # No lock, no release and no record of a build, as seen on a real one.
    scheduler_deploy(app, tag)


COMMANDS: dict[str, Command] = {
    "deploy": deploy_tag,
}
