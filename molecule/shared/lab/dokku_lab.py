"""The lab's host for Dokku, as an operator and as an observer use it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from lab import HOSTS, INVENTORIES, ROOT, Host, counted_reset
from waiting import END

STATE = "/var/lib/ops-runbook/restant-main"
RECORDS = "/var/lib/dokku/data/releases"
REPOSITORY = "/srv/git/restant.git"
# What stands before a tool, and kills the process group of its caller at the call that is named.
ASSASSIN = """#!/bin/bash
tool="${0##*/}"
PATH="${PATH//"${0%/*}:"/}"
if [[ -z $VICTIM_WHEN || ! "$tool $*" =~ $VICTIM ]]; then exec "$tool" "$@"; fi
if [[ $VICTIM_WHEN == after ]]; then "$tool" "$@" >/dev/null 2>&1; fi
kill -9 0
"""


@dataclass(frozen=True)
class Answer:
    """The output of a command. text: both streams, as a person sees them."""

    rc: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def json(self) -> Any:
        return json.loads(self.out)


class DokkuLab(Host):
    """A host that runs the Dokku simulator with the plugin `releases`."""

    state = STATE

    def __init__(self, name: str = HOSTS[0]) -> None:
        super().__init__(name)
        folder = Path(ROOT / INVENTORIES[0])
        known = yaml.safe_load((folder / "hosts.yml").read_text())["lab"]["children"]["dokku"]["hosts"][name]
        self.port, self.http = known["lab_ssh_port"], known["lab_http_port"]
        shared = yaml.safe_load((folder / "group_vars/lab.yml").read_text())["lab_dir"]
        self.keys = Path(shared.replace("{{ inventory_dir }}", str(folder))).resolve()

    # -- as the operator -------------------------------------------------------------------------

    def ssh_options(self) -> list[str]:
        # One connection for all of a test run's commands.
        control = f"/tmp/dokku-lab-{os.getpid()}-%r"
        return (
            ["-i", str(self.keys / "id_ed25519"), "-o", f"UserKnownHostsFile={self.keys}/known_hosts"]
            + ["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-p", str(self.port)]
            + ["-o", "ControlMaster=auto", "-o", f"ControlPath={control}", "-o", "ControlPersist=30"]
        )

    def ssh(self, user: str, command: str, stdin: str | None = None) -> Answer:
        done = subprocess.run(
            ["ssh", *self.ssh_options(), f"{user}@127.0.0.1", command],
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=END,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def run(self, *argv: str, stdin: str | None = None) -> Answer:
        """`dokku` as the operator `deploy`, with the one right that is granted."""
        return self.ssh("deploy", f"sudo -n -u dokku -- /usr/bin/dokku {shlex.join(argv)}", stdin)

    def ok(self, *argv: str, stdin: str | None = None) -> Answer:
        answer = self.run(*argv, stdin=stdin)
        assert answer.rc == 0, f"{argv}: {answer}"
        return answer

    def push(self, app: str, release: str, force: bool = True) -> Answer:
        """`git push` from a clone on the bastion."""
        clone = self.keys / self.name / "restant"
        if not clone.exists():
            clone.parent.mkdir(parents=True, exist_ok=True)
            packed = subprocess.run(
                ["docker", "exec", self.name, "git", "-C", REPOSITORY, "bundle", "create", "--quiet", "-", "--all"],
                capture_output=True,
                check=True,
            ).stdout
            (clone.parent / "bundle").write_bytes(packed)
            subprocess.run(["git", "clone", "--quiet", str(clone.parent / "bundle"), str(clone)], check=True)
        done = subprocess.run(
            ["git", "push", *(["--force"] if force else []), f"dokku@127.0.0.1:{app}", f"{release}^{{commit}}:main"]
            if self.root(f"git -C /home/dokku/{app} rev-parse --verify --quiet main", check=False)
            else ["git", "push", f"dokku@127.0.0.1:{app}", f"{release}^{{commit}}:refs/heads/main"],
            cwd=clone,
            capture_output=True,
            text=True,
            timeout=END,
            env={**os.environ, "GIT_SSH_COMMAND": shlex.join(["ssh", *self.ssh_options()])},
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    # -- states ----------------------------------------------------------------------------------

    @counted_reset()
    def app(self, name: str) -> str:
        """An app that is there and was never deployed."""
        if self.run("apps:exists", name).rc == 0:
            self.ok("apps:destroy", "--force", name)
        self.ok("apps:create", name)
        self.ok("ports:set", name, "http:80:5000")
        self.ok("git:set", name, "deploy-branch", "main")
        return name

    def deploy_image(self, app: str, release: str) -> Answer:
        """From an image, which ps:retire may have removed since."""
        self.root(f"lab-images {release}")
        return self.run("git:from-image", app, f"local/restant:{release}")

    @counted_reset()
    def at(self, app: str, *releases: str) -> None:
        for release in releases:
            answer = self.deploy_image(app, release)
            assert answer.rc == 0, answer

    def as_dokku(self, *argv: str, **env: str) -> Answer:
        """`dokku` by its own user, with an environment: what sits between it and its tools."""
        given = [word for key, value in env.items() for word in ("-e", f"{key}={value}")]
        done = subprocess.run(
            ["docker", "exec", "-w", "/", "-u", "dokku", *given, self.name, "/usr/bin/dokku", *argv],
            capture_output=True,
            text=True,
            timeout=END,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def killed(self, victim: str, when: str, *argv: str) -> Answer:
        """The command, killed before or after the named call of one of its tools."""
        self.root(
            "install -d -m 0755 /srv/lab/assassin; for tool in docker dokku jq mv sync git rm; do "
            f"printf %s {shlex.quote(ASSASSIN)} > /srv/lab/assassin/$tool; chmod 0755 /srv/lab/assassin/$tool; done"
        )
        path = "/srv/lab/assassin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return self.as_dokku(*argv, PATH=path, DOCKER_BIN="docker", VICTIM=victim, VICTIM_WHEN=when)

    # -- what an observer finds ------------------------------------------------------------------

    def releases(self, app: str) -> list[dict[str, Any]]:
        return self.ok("releases", app, "--format", "json").json()  # type: ignore[no-any-return]

    def numbers(self, app: str) -> list[int]:
        return [release["number"] for release in reversed(self.releases(app))]

    def states(self, app: str) -> dict[int, str]:
        return {release["number"]: release["state"] for release in self.releases(app)}

    def answer(self, app: str, path: str = "/") -> str:
        """The answer to a visitor, through the host's nginx."""
        done = subprocess.run(
            ["curl", "-s", "-m", "5", "-H", f"Host: {app}.dokku.example.com", f"http://127.0.0.1:{self.http}{path}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def serves(self, app: str) -> str:
        """The release that a visitor meets, by its own word."""
        return self.answer(app).partition(" ")[0].removeprefix("version=")

    def live(self, app: str) -> str:
        return self.root(f"docker container inspect --format '{{{{.Image}}}}' {app}.web.1")

    def latest(self, app: str) -> str:
        return self.root(f"docker image inspect --format '{{{{.Id}}}}' dokku/{app}:latest")

    def holds(self, app: str) -> list[str]:
        return self.root(f"docker container ls -aq --filter label=com.dokku.releases.app={app}").split()
