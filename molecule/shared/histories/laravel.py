"""Histories of a Laravel service: its operations, faults, changes by hand, and what a person types."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from lab import APP, Lab
from small_disk import small_disk

from histories import faults
from histories.base import FAULTS, OnHost
from histories.draw import Kinds

KINDS = Kinds(
    system="laravel",
    starts=("in_place,v1.0.0", "in_place,v1.0.0,v1.2.0", "releases,v1.0.0,v1.1.0"),
    operations={
        "deploy": (
            "good=v1.0.0",
            "good=v1.1.0",
            "good=v1.2.0",
            "good=v1.3.0",
            "good=v1.7.0",
            "unhealthy=v1.4.0",
            "failing=v1.5.0",
            "one_way=v1.6.0",
            "refused=bad-env",
            "refused=bad-scripts",
        ),
        "rollback": (
            "previous",
            "tag=v1.0.0",
            "tag=v1.1.0",
            "tag=v1.2.0",
            "commit=v1.0.0",
            "commit=v1.1.0",
            "branch=main",
        ),
        "convert": ("releases", "in_place"),
        "maintenance": ("down", "up"),
        "adopt": (),
    },
    faults={
        **FAULTS,
        "reload_refused": ("times.1", "times.1000"),
    },
    changes=(
        "checkout",
        "env_edited",
        "file_edited",
        "vendor_removed",
        "ledger_torn",
        "ledger_edited",
        "php_stopped",
        "nginx_stopped",
        "worker_stopped",
        "git_locked",
    ),
)
#: Seconds for which a run waits for a service that does not get well; up to four times as many on a busy machine.
DEADLINE = 4
SERVICES = "ssh nginx php8.4-fpm vertex-queue"
#: A release that is whole and that every database of the lab's releases can serve.
GOOD = ("v1.0.0", "v1.1.0", "v1.2.0")
#: Changes after which the service can't be well before somebody mends them.
TROUBLE = ("php_stopped", "nginx_stopped", "vendor_removed")
_UNIT, _RELOAD = "/etc/systemd/system/php8.4-fpm.service.d/lab.conf", "/usr/local/bin/lab-reload"
_FLAP = r"""<?php
$count = fopen('/tmp/lab-flap', 'c+');
flock($count, LOCK_EX);
$asked = (int) stream_get_contents($count) + 1;
rewind($count);
fwrite($count, (string) $asked);
http_response_code($asked % 2 === 1 ? 200 : 500);
header('Content-Type: application/json');
echo '{"status":"ok"}';
"""


class Laravel(OnHost):
    """A host with the service `vertex`."""

    kinds = KINDS
    name = "laravel"
    services, units = "vertex-queue php8.4-fpm", SERVICES
    releases, trouble, moves = GOOD, TROUBLE, ("checkout",)
    spare = ("-e", "laravel_disk_reserve=0")
    ends_at = "1.2.0"
    #: Refusals of a release that is never served, so that the wish ends with them.
    final_refusals = ("env_tracked", "destructive_scripts")

    def __init__(self, host: str) -> None:
        self.host = Lab(host)

    def start(self, start: str) -> None:
        strategy, *tags = start.split(",")
        self.mend()
        self.host.root(f"rm -f {faults.PACKAGES}/lab_fault.pth; systemctl reset-failed", check=False)
        host = Lab(self.host.name, strategy)
        if not host.comes_back(*tags):
            host.at(*tags)
        # Each minute of it costs as much as a deploy, and no history needs what it does.
        self.host.root("systemctl stop cron.service; pkill -9 -f schedule:run", check=False)
        faults.install(self.host)

    @property
    def strategy(self) -> str:
        """The layout that the inventory says: the one that the host has, as somebody saw it last."""
        return self.host.root(f"test -L {APP}/current && echo releases || echo in_place")

    def line(self, act: str, argument: str) -> tuple[str, list[str]]:
        """The procedure and its inputs for an operation."""
        kind, _, value = argument.partition("=")
        if act == "deploy":
            return "laravel_deploy", ["-e", f"to={value}"]
        if act == "rollback":
            to = {"previous": "", "commit": self.host.id(value) if kind == "commit" else ""}.get(kind, value)
            return "laravel_rollback", ["-e", f"to={to}"] if to else []
        if act in ("convert", "maintenance"):
            return f"laravel_{act}", ["-e", f"state={argument}"]
        return f"laravel_{act}", []

    def given(self, procedure: str) -> list[str]:
        """Variables of this host beside those of the lab's inventory."""
        if not procedure.startswith("laravel_"):
            return []
        return ["-e", f"laravel_strategy={self.strategy}", "-e", f"laravel_health_deadline={DEADLINE}"]

    def good(self) -> tuple[str, list[str]]:
        """The line that brings the service to a good release, from wherever it is."""
        return "laravel_deploy", ["-e", "to=v1.2.0"]

    def closing(self) -> Iterator[tuple[str, list[str]]]:
        """The lines typed at the end of each history: the service is well afterwards, and visitors see it."""
        yield self.good()
        # The way to a good release may bring back a storage folder that was in maintenance.
        if self.host.root(f"test -e {self.app}/storage/framework/down && echo yes", check=False):
            yield "laravel_maintenance", ["-e", "state=up"]

    def tidy(self) -> None:
        super().tidy()
        self.host.root("systemctl start cron.service")

    # -- by hand -------------------------------------------------------------------------------

    @property
    def app(self) -> str:
        return f"{APP}/current" if self.strategy == "releases" else APP

    def by_hand(self, name: str) -> None:
        app = self.app
        root, deploy = self.host.root, self.host.deploy
        if name == "checkout":
            # Of what is there: a person who goes back by hand.
            deploy(
                f"cd {app} && git checkout -q -f v1.0.0 2>/dev/null || git -C {app} checkout -q -f HEAD~0", check=False
            )
        elif name == "env_edited":
            deploy(f"echo LAB_EDITED=$(date +%s%N) >> $(readlink -f {app}/.env)")
        elif name == "file_edited":
            deploy(f"echo '// by hand' >> {app}/routes/web.php")
        elif name == "vendor_removed":
            deploy(f"mv {app}/vendor {app}/storage/vendor-by-hand || true", check=False)
        elif name == "git_locked":
            deploy(f"touch $(git -C {app} rev-parse --absolute-git-dir)/index.lock")
        else:
            root(
                "systemctl stop "
                + {"php": "php8.4-fpm", "nginx": "nginx", "worker": "vertex-queue"}[name.partition("_")[0]]
            )

    def mend(self) -> None:
        """Do by hand what no procedure does: units are started, what was moved away is brought back."""
        self.host.root(
            f"rm -f {_UNIT} {_RELOAD} /etc/nginx/conf.d/flap.conf; systemctl daemon-reload; "
            "systemctl reset-failed 2>/dev/null; "
            f"for app in {APP} {APP}/current; do if [ -d $app/storage/vendor-by-hand ]; then "
            "[ -d $app/vendor ] && rm -rf $app/storage/vendor-by-hand || mv $app/storage/vendor-by-hand $app/vendor; "
            "fi; done; "
            f"systemctl start {SERVICES}",
            check=False,
        )

    # -- faults around a whole run ---------------------------------------------------------------

    def prepared(self, fault: str, moment: str, stack: contextlib.ExitStack) -> list[str]:
        if fault == "app_full":
            stack.enter_context(small_disk(self.host, APP, 48, self.services, keep=True))
            self.host.root("systemctl restart php8.4-fpm")
            return list(self.spare)
        if fault == "health_flaps":
            return self._flap(stack)
        if fault == "reload_refused":
            self._refuse_reload(int(moment.partition(".")[2] or 1))
        return []

    def fill(self) -> None:
        """Fill the disk of the application, as the user of the service may."""
        self.host.deploy(f"cat /dev/zero > $(readlink -f {self.app}/storage)/app/filler", check=False)

    def _flap(self, stack: contextlib.ExitStack) -> list[str]:
        self.host.root(
            f"install -d /srv/lab/flap; cat > /srv/lab/flap/index.php <<'END'\n{_FLAP}\nEND\n"
            "printf '%s\\n' 'server { listen 83; location / { include fastcgi_params;"
            " fastcgi_param SCRIPT_FILENAME /srv/lab/flap/index.php; fastcgi_pass unix:/run/php/vertex.sock; } }'"
            " > /etc/nginx/conf.d/flap.conf; systemctl reload-or-restart nginx"
        )
        stack.callback(self.host.root, "rm -f /etc/nginx/conf.d/flap.conf; systemctl reload nginx", False)
        return ["-e", json.dumps({"laravel_health": [{"name": "flap", "url": "http://127.0.0.1:83/"}]})]

    def _refuse_reload(self, times: int) -> None:
        self.host.root(
            f"cat > {_RELOAD} <<'END'\n#!/bin/bash\n"
            "if [ -s /run/lab-refuse ]; then sed -i 1d /run/lab-refuse; exit 1; fi\n"
            f'kill -USR2 "$1"\nEND\nchmod 755 {_RELOAD}; seq {times} > /run/lab-refuse; '
            f"printf '[Service]\\nExecReload=\\nExecReload={_RELOAD} $MAINPID\\n' > {_UNIT}; systemctl daemon-reload"
        )
