"""Histories of an app of Dokku's stand-in: its operations, faults, changes by hand, and what a person types.

The host is not restarted, nor its engine: the stand-in does not bring the proxy to the new addresses, as Dokku does.
"""

from __future__ import annotations

import contextlib
import json

from dokku_lab import DokkuLab

from histories import faults
from histories.base import WRITES, OnHost
from histories.draw import Kinds

APP = "restant-main"
#: Nobody waits two minutes for what never gets well.
SOON = ("-e", "dokku_health_deadline=20")
KINDS = Kinds(
    system="dokku",
    starts=("apps",),
    operations={
        "deploy": (
            "good=v1",
            "good=v2",
            "good=v3",
            "migrated=v4",
            "unhealthy=unhealthy",
            "unhealthy=queue-bad",
            "failing=crash",
            "failing=predeploy-bad",
            "failing=unbuildable",
            "unmigrated=unmigrated",
            "refused=nowhere",
        ),
        "rollback": ("previous", "number=1", "number=2", "commit=v1", "commit=v2", "emergency=true"),
        "tune": ("limits=256m", "limits=512m"),
        "maintenance": ("weekly",),
        "backup": ("storage",),
        "restore": ("drill", "storage"),
        "status": (),
    },
    faults={
        "kill_module": ("before.#", "half.#", "after.#"),
        "kill_controller": (*WRITES, "task.plan", "task.apply", "task.close"),
        "cut_session": WRITES,
        "cut_connection": WRITES,
        "cut_way": WRITES,
        "state_full": WRITES,
        "read_only": (),
        "second_operator": WRITES,
    },
    changes=(
        "checkout",
        "config_set",
        "hold_dropped",
        "container_stopped",
        "nginx_stopped",
        "ledger_torn",
        "ledger_edited",
    ),
)


class Dokku(OnHost):
    """A host with the app `restant-main`, which Dokku's stand-in runs."""

    kinds = KINDS
    name = "dokku"
    units = "ssh docker nginx"
    releases = ("v1", "v2", "v3")
    trouble = ("container_stopped", "nginx_stopped")
    moves = ("checkout",)
    looks = ("dokku_status",)
    ends_at = "3"
    #: Refusals of a release that is never served, so that the wish ends with them.
    final_refusals = ("unknown_release", "backup_missing", "no_backup")

    def __init__(self, host: str) -> None:
        self.host = DokkuLab(host)

    def start(self, _start: str) -> None:
        self.mend()
        self.host.root(f"rm -f {faults.PACKAGES}/lab_fault.pth", check=False)
        self.host.reset("apps")
        faults.install(self.host)

    def line(self, act: str, argument: str) -> tuple[str, list[str]]:
        """The procedure and its inputs for an operation."""
        kind, _, value = argument.partition("=")
        words: dict[str, list[str]] = {
            "deploy": ["-e", f"to={value}", "-e", "hotfix=true", *(SOON if kind == "unhealthy" else ())],
            "tune": ["-e", json.dumps({"dokku_tune_limits": {"memory": value}})],
            "maintenance": ["-e", f"cadence={kind}"],
            "backup": ["-e", "parts=storage"],
            "restore": ["-e", "verify_only=true"] if kind == "drill" else ["-e", "parts=storage"],
        }
        if act == "rollback":
            given = {"previous": [], "emergency": ["-e", "emergency=true"]}
            commit = self._commit(value) if kind == "commit" else value
            return "dokku_rollback", given.get(kind, ["-e", f"to={commit}"])
        return f"dokku_{act}", words.get(act, [])

    def _commit(self, tag: str) -> str:
        return self.host.root(f"git -c safe.directory=* -C /srv/git/restant.git rev-parse '{tag}^{{commit}}'")

    def given(self, procedure: str) -> list[str]:
        # It needs root, once: whoever may become root types it.
        return ["-e", "ansible_user=admin", "-e", "dokku_operator=deploy"] if procedure == "dokku_backup_setup" else []

    def good(self) -> tuple[str, list[str]]:
        """The line that brings the app to a good release, from wherever it is."""
        return "dokku_deploy", ["-e", "to=v3", "-e", "hotfix=true"]

    def history_inputs(self) -> list[str]:
        return ["-e", f"service={APP}", "-e", "target=dokku"]

    # -- by hand -------------------------------------------------------------------------------

    def by_hand(self, name: str) -> None:
        root = self.host.root
        if name == "checkout":
            # `git push` of another release, as a person deploys.
            other = "v2" if self.host.serves(APP) == "1" else "v1"
            root(
                f"runuser -u dokku -- git -C /srv/git/restant.git push --quiet --force /home/dokku/{APP} "
                f"'{other}^{{commit}}:refs/heads/main'",
                check=False,
            )
        elif name == "config_set":
            self.host.as_dokku("config:set", "--no-restart", APP, "LAB_EDITED=1")
        elif name == "hold_dropped":
            root(f"docker rm $(docker ps -aq --filter label=com.dokku.releases.app={APP} | tail -n 1)", check=False)
        elif name == "container_stopped":
            root(f"docker stop {APP}.web.1", check=False)
        elif name == "nginx_stopped":
            root("systemctl stop nginx.service")

    def mend(self) -> None:
        """Do by hand what no procedure does: units and the app's containers are started."""
        self.host.root(
            "systemctl reset-failed 2>/dev/null; systemctl start ssh docker.socket docker.service nginx.service; "
            f"docker ps -aq --filter name='^{APP}.(web|worker).1$' --filter status=exited | xargs -r docker start",
            check=False,
        )

    def prepared(self, _fault: str, _moment: str, _stack: contextlib.ExitStack) -> list[str]:
        return []
