"""One simulated Dokku server: a folder with its state, and the engine of this machine."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waiting import END

HERE = Path(__file__).resolve().parent
PLUGIN = HERE.parents[1] / "roles/dokku/files/releases"

SERVER = r"""
$| = 1;
use IO::Socket::INET;
open(my $file, '<', '/app/VERSION'); chomp(my $version = <$file>);
if ($version eq 'crash' || $ENV{CRASH_ON_BOOT}) { print STDERR "fatal: crash requested\n"; exit 3 }
my $port = defined $ENV{PORT} ? $ENV{PORT} : 5000;
if ($port eq '') { print STDERR "fatal: no port\n"; exit 1 }
my $greeting = defined $ENV{GREETING} ? $ENV{GREETING} : '-';
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 16, ReuseAddr => 1) or die;
$SIG{TERM} = sub { print "got SIGTERM, bye\n"; exit 0 };
print "boot version=$version port=$port\n";
print STDERR "warn: demo line on stderr\n";
while (my $client = $listener->accept) {
  my $line = <$client>; my (undef, $path) = split ' ', $line;
  while (my $head = <$client>) { last if $head =~ /^\r?$/ }
  my $body = "version=$version path=$path greeting=$greeting\n";
  my $status = $version eq 'hc-bad' && $path eq '/health' ? 500 : 200;
  print $client "HTTP/1.0 $status X\r\nContent-Length: " . length($body) . "\r\n\r\n" . $body; close $client;
  print "GET $path $status\n";
}
"""


# Another's image of the same name is not taken for ours.
OURS = "com.example.demo=" + hashlib.sha256(SERVER.encode()).hexdigest()[:12]
CHECK = {"type": "startup", "name": "health endpoint", "path": "/health", "attempts": 2, "timeout": 2, "wait": 1}
APP_JSON: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("hc-ok", "hc-bad"), {"healthchecks": {"web": [CHECK]}}),
    "rel": {"scripts": {"dokku": {"predeploy": "echo predeploy-ran", "postdeploy": "echo postdeploy-ran"}}},
    "rel-bad": {"scripts": {"dokku": {"predeploy": "echo predeploy-fails; exit 4"}}},
}
PROCFILES = {"worker": "web: perl /app/server.pl\nworker: sleep 1000\n"}


@dataclass(frozen=True)
class Result:
    rc: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)


def clients() -> list[str]:
    """Docker clients of this machine: one of them may know BuildKit where another doesn't."""
    return [name for name in (shutil.which("docker"), "/usr/bin/docker") if name and os.access(name, os.X_OK)]


def engine_answers() -> bool:
    return any(subprocess.run([client, "version"], capture_output=True).returncode == 0 for client in clients()[:1])


def build(client: str, builder: str, folder: Path, tag: str) -> bool:
    env = {**os.environ, "DOCKER_BUILDKIT": "0" if builder == "legacy" else "1"}
    ran = subprocess.run([client, "image", "build", "--tag", tag, str(folder)], capture_output=True, text=True, env=env)
    return ran.returncode == 0


def client_for(builder: str, folder: Path) -> str | None:
    """A client that builds with this builder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\nLABEL com.example.probe=1\n")
    for client in clients():
        if build(client, builder, folder, f"dokku-simulator-probe:{builder}"):
            subprocess.run([client, "image", "rm", f"dokku-simulator-probe:{builder}"], capture_output=True)
            return client
    return None


@functools.cache
def demo_builder() -> tuple[str, str]:
    """BuildKit where it can be had: it makes the same image, of the same id, once more."""
    with tempfile.TemporaryDirectory() as folder:
        found = client_for("buildkit", Path(folder))
    return (found, "buildkit") if found else (clients()[0], "legacy")


def demo_image(folder: Path, version: str) -> None:
    """local/demo:VERSION, a server that says which version it is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.pl").write_text(SERVER)
    (folder / "VERSION").write_text(f"{version}\n")
    if version in APP_JSON:
        (folder / "app.json").write_text(json.dumps(APP_JSON[version]))
    procfile = PROCFILES.get(version, "")
    (folder / "Procfile").write_text(procfile)
    keep = "" if procfile else "RUN rm /app/Procfile\n"
    (folder / "Dockerfile").write_text(
        f"FROM debian:trixie-slim\nWORKDIR /app\nCOPY . /app/\n{keep}EXPOSE 5000\n"
        f'LABEL {OURS}\nCMD ["perl", "/app/server.pl"]\n'
    )
    assert build(*demo_builder(), folder, f"local/demo:{version}"), (
        "the base image debian:trixie-slim is missing: molecule/shared/hosts/engine.sh"
    )


class Stand:
    def __init__(self, root: Path, client: str, builder: str, plugins: bool = True) -> None:
        self.root, self.client, self.builder = root, client, builder
        for folder in ("home", "lib/plugins/enabled", "lib/data/simulator", "lib/core-plugins/available"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("DOKKU_", "SSH_", "GIT_"))},
            "DOKKU_SIMULATOR_ROOT": str(root),
            "DOKKU_SIMULATOR_BUILDER": builder,
            "DOCKER_BIN": client,
            "DOKKU_SYSTEM_USER": "root",
            "DOKKU_SYSTEM_GROUP": "root",
            # Not a shim of a version manager: it costs more than all that the simulator does.
            "PATH": f"{HERE}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
        }
        if plugins:
            (root / "lib/plugins/enabled/releases").symlink_to(PLUGIN)

    @property
    def owner(self) -> str:
        return "com.example.dokku-simulator=" + hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    @property
    def records(self) -> Path:
        return self.root / "lib/data/releases"

    def start(self, *argv: str, stdin: str | None = None, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(HERE / "dokku"), *argv],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.env, **env},
            start_new_session=True,
        )

    @contextmanager
    def held(self) -> Iterator[Path]:
        """Deploys do not end in the block: their checks go on. Yields the file that holds them."""
        file = self.root / "lib/data/simulator/held"
        file.touch()
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)

    def run(self, *argv: str, stdin: str | None = None, **env: str) -> Result:
        process = self.start(*argv, stdin=stdin, **env)
        out, err = process.communicate(stdin, timeout=END)
        return Result(process.returncode, out, err)

    def ok(self, *argv: str, stdin: str | None = None, **env: str) -> Result:
        result = self.run(*argv, stdin=stdin, **env)
        assert result.rc == 0, f"{argv}: {result}"
        return result

    def docker(self, *argv: str) -> str:
        return subprocess.run([self.client, *argv], capture_output=True, text=True, env=self.env).stdout.strip()

    def create(self, app: str) -> str:
        self.ok("apps:create", app)
        self.ok("ports:set", app, "http:80:5000")
        return app

    def load(self, version: str | int) -> None:
        """The source image, which ps:retire removes once another one is deployed."""
        name = f"local/demo:{version}"
        label = self.docker("image", "inspect", "--format", '{{index .Config.Labels "com.example.demo"}}', name)
        if label != OURS.partition("=")[2]:
            demo_image(self.root / f"demo/{version}", str(version))

    def deploy(self, app: str, version: str | int) -> Result:
        self.load(version)
        return self.ok("git:from-image", app, f"local/demo:{version}")

    def answer(self, app: str, path: str = "/") -> str:
        """The answer of the app's first web container to a request; empty without one."""
        file = self.root / "home" / app / "CONTAINER.web.1"
        if not file.exists():
            return ""
        address = self.docker(
            "container", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", file.read_text().strip()
        )
        ran = subprocess.run(
            ["curl", "--silent", "--max-time", "5", f"http://{address}:5000{path}"], capture_output=True, text=True
        )
        return ran.stdout

    def releases(self, app: str) -> list[dict[str, Any]]:
        return self.ok("releases", app, "--format", "json").json()  # type: ignore[no-any-return]

    def latest(self, app: str) -> str:
        return self.docker("image", "inspect", "--format", "{{.Id}}", f"dokku/{app}:latest")

    def live(self, app: str) -> str:
        return self.docker("container", "inspect", "--format", "{{.Image}}", f"{app}.web.1")

    def kill(self, process: subprocess.Popen[str]) -> None:
        """SIGKILL to the whole process tree of one command."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=END)

    def remove(self) -> None:
        for kind in ("app", "owner"):
            names = {path.name for path in (self.root / "home").iterdir()} if kind == "app" else {""}
            for name in names:
                wanted = f"label=com.dokku.releases.app={name}" if kind == "app" else f"label={self.owner}"
                found = self.docker("container", "ls", "-aq", "--filter", wanted).split()
                if found:
                    self.docker("container", "rm", "--force", *found)
        for _ in range(3):
            found = self.docker("image", "ls", "-aq", "--filter", f"label={self.owner}").split()
            if not found:
                break
            self.docker("image", "rm", "--force", *found)
