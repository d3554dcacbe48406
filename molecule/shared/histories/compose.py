"""Histories of a Compose service: its operations, faults, changes by hand, and what a person types."""

from __future__ import annotations

import contextlib
import json
import shlex
import tempfile
from pathlib import Path

from compose_lab import COMPOSE, PROJECT, REGISTRY, ComposeLab, tag
from small_disk import small_disk

from histories import faults
from histories.base import FAULTS, WRITES, OnHost
from histories.draw import Kinds

KINDS = Kinds(
    system="compose",
    starts=("good", "good,good2", "good,additive"),
    operations={
        "deploy": (
            "good=sha-c0ffee1",
            "good=c0ffee2",
            "good=0.9.0",
            "good=sha-fa7fa70",
            "additive=sha-add1111",
            "additive=sha-b4a4c4e",
            "destructive=sha-2222222",
            "one_way=0e0e0e0",
            "unhealthy=sha-bad0001",
            "unhealthy=sha-dead001",
            "unhealthy=sha-dead002",
            "failing=sha-bad0002",
            "refused=sha-5a5a5a5",
            "refused=sha-f00d001",
            "refused=sha-1234567",
        ),
        "rollback": (
            "previous",
            "tag=sha-c0ffee1",
            "tag=sha-c0ffee2",
            "tag=sha-add1111",
            "commit=c0ffee1",
            "commit=2222222",
            "digest=good",
            "digest=good2",
            "recorded=good",
            "recorded=good2",
        ),
        "adopt": (),
        "rotate": ("made=SECRET_KEY", "given=OPENAI_API_KEY", "wrong=POSTGRES_PASSWORD"),
        "diagnose": (),
    },
    faults={
        **FAULTS,
        "engine_restarted": WRITES,
        "registry_stopped": WRITES,
    },
    changes=(
        "checkout",
        "file_edited",
        "env_edited",
        "images_removed",
        "container_stopped",
        "container_removed",
        "engine_stopped",
        "registry_stopped",
        "ledger_torn",
        "ledger_edited",
    ),
)
#: A server that answers well and badly by turns.
_FLAP = """
import http.server
class Flap(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Flap.asked += 1
        self.send_response(200 if Flap.asked % 2 else 500)
        self.end_headers()
        self.wfile.write(b"ok")
http.server.ThreadingHTTPServer(("127.0.0.1", 83), Flap).serve_forever()
"""
#: Nobody waits two minutes for what never gets well.
SOON = ("-e", "compose_health_deadline=8")
WAITS = ("compose_deploy", "compose_rollback", "compose_rotate_secrets")
#: Containers that somebody stopped by hand.
STOPPED = "/srv/lab/stopped"


class Compose(OnHost):
    """A host with the shop."""

    kinds = KINDS
    name = "compose"
    units = "ssh docker docker-registry"
    releases = ("sha-c0ffee1", "sha-c0ffee2")
    trouble = ("container_stopped", "container_removed", "engine_stopped")
    moves = ("checkout", "file_edited")
    looks = ("compose_diagnose",)
    spare = ("-e", "compose_disk_reserve=0")
    ends_at = "0.2.0"
    #: Refusals of a release that is never served, so that the wish ends with them.
    final_refusals = (
        "not_one_build",
        "not_of_this_service",
        "image_not_found",
        "release_incomplete",
        "unknown_release",
    )

    def __init__(self, host: str) -> None:
        self.host = ComposeLab(host)
        self.open = contextlib.ExitStack()
        self.folder_here = Path(self.open.enter_context(tempfile.TemporaryDirectory(prefix="lab-")))

    def leave(self) -> None:
        self.open.close()

    def start(self, start: str) -> None:
        self.mend()
        self.host.root(f"rm -f {faults.PACKAGES}/lab_fault.pth", check=False)
        self.host.at(*start.split(","))
        faults.install(self.host)

    def given(self, procedure: str) -> list[str]:
        # A line that a screen names waits as long as this for a release that is never well.
        return ["-e", "compose_health_deadline=25"] if procedure in WAITS else []

    def line(self, act: str, argument: str) -> tuple[str, list[str]]:
        """The procedure and its inputs for an operation."""
        kind, _, value = argument.partition("=")
        if act == "deploy":
            return "compose_deploy", ["-e", f"to={value}", *(SOON if kind == "unhealthy" else ())]
        if act == "rollback":
            to = self._target(kind, value)
            return "compose_rollback", ["-e", f"to={to}"] if to else []
        if act == "rotate":
            return "compose_rotate_secrets", ["-e", f"rotate={value}", *self._values(kind, value)]
        return f"compose_{act}", []

    def _target(self, kind: str, value: str) -> str:
        if kind == "digest":
            return ",".join(
                f"{REGISTRY}/acme/shop-{name}@{self.host.digest(name, value)}" for name in ("backend", "worker")
            )
        if kind == "recorded":
            named = [record.get("to") or {} for record in self.records()]
            return next((one["id"] for one in named if one.get("name") == tag(value)), tag(value))
        return value

    def _values(self, kind: str, key: str) -> list[str]:
        if kind == "made":
            return []
        path = self.folder_here / f"{kind}.env"
        path.write_text(f"{key}=of-nobody\n")
        path.chmod(0o600)
        more = ["-e", "role_password=changed", *SOON] if kind == "wrong" else []
        return ["-e", f"values_file={path}", *more]

    def good(self) -> tuple[str, list[str]]:
        """The line that brings the service to a good release, from wherever it is."""
        return "compose_deploy", ["-e", "to=sha-c0ffee2"]

    def history_inputs(self) -> list[str]:
        return ["-e", "service=shop", "-e", "target=compose"]

    # -- by hand -------------------------------------------------------------------------------

    def by_hand(self, name: str) -> None:
        root = self.host.root
        if name in ("checkout", "file_edited"):
            other = "good" if self.host.version() == "0.2.0" else "good2"
            self._pin(tag(other))
            if name == "checkout":
                root(
                    f"cd {PROJECT} && DOCKER_CONFIG=/srv/lab/docker docker compose -f {COMPOSE} --progress quiet "
                    "up --detach --wait",
                    check=False,
                )
        elif name == "env_edited":
            self.host.deploy(f"echo 'LAB_EDITED={len(self.records())}' >> {PROJECT}/.env")
        elif name == "images_removed":
            root("docker image prune --all --force", check=False)
        elif name == "container_stopped":
            root(f"echo shop-backend-1 > {STOPPED}; docker stop shop-backend-1", check=False)
        elif name == "container_removed":
            root("docker rm --force shop-worker-1", check=False)
        elif name == "engine_stopped":
            root("systemctl stop docker.socket docker.service")
        elif name == "registry_stopped":
            root("systemctl stop docker-registry.service")

    def _pin(self, name: str) -> None:
        """As a person does with an editor: both images of the file name another tag."""
        self.host.deploy(f"sed -i -E 's#(acme/shop-(backend|worker))[:@][^ \"'\\'']*#\\1:{name}#' {COMPOSE}")

    def mend(self) -> None:
        """Do by hand what no procedure does: units and stopped containers are started."""
        self.host.root(
            "systemctl stop lab-flap.service 2>/dev/null; systemctl reset-failed 2>/dev/null; "
            "systemctl start ssh docker.socket docker.service docker-registry.service; "
            f"if [ -e {STOPPED} ]; then docker start $(cat {STOPPED}); rm {STOPPED}; fi",
            check=False,
        )

    # -- faults around a whole run ---------------------------------------------------------------

    def prepared(self, fault: str, _moment: str, stack: contextlib.ExitStack) -> list[str]:
        if fault == "app_full":
            stack.enter_context(small_disk(self.host, PROJECT, 1, keep=True))
        elif fault == "health_flaps":
            self.host.root(f"systemd-run --unit=lab-flap python3 -c {shlex.quote(_FLAP)}")
            stack.callback(self.host.root, "systemctl stop lab-flap.service", False)
            return ["-e", json.dumps({"compose_health": [{"name": "flap", "url": "http://127.0.0.1:83/"}]}), *SOON]
        return []

    def fill(self) -> None:
        """Fill the disk of the project, as the user of the service may."""
        self.host.deploy(f"cat /dev/zero > {PROJECT}/filler", check=False)
