"""The driver on a host with Laravel: its snapshots, and what an observer finds."""

from __future__ import annotations

import json
from typing import Any

from lab import counted_reset
from module_driver import ModuleDriver
from stories import Service


class Driver(ModuleDriver):
    service: Service

    @counted_reset()
    def restore(self, snapshot: str) -> None:
        copies = "; ".join(f"restore {snapshot}/{name} {path}" for name, path in self.service.kept.items())
        # The queue worker exits by itself when the restart timestamp in the cache changes.
        self.shell(
            "set -e; restore() { find $2 -mindepth 1 -delete; cp -a $1/. $2/; }; "
            f"{copies}; systemctl reload php8.4-fpm"
        )

    def keep(self, snapshot: str) -> None:
        copies = "; ".join(f"cp -a {path} {snapshot}/{name}" for name, path in self.service.kept.items())
        self.shell(f"set -e; rm -rf {snapshot}; mkdir -p {snapshot}; {copies}")

    def marks(self) -> str:
        """Marks of the steps of an operation, one after the other; a reload shows nothing from outside."""
        app = self.service.kept["app"]
        # What requests and the worker write by themselves is left out.
        own = "-name storage -o -name .git -o -path '*/bootstrap/cache/packages.php' -o -path '*/cache/services.php'"
        return self.shell(
            f"git -c safe.directory='*' -C {self.service.checkout} for-each-ref; "
            f"git -c safe.directory='*' -C {self.service.checkout} rev-parse HEAD; "
            f"cd {app}; find . \\( {own} \\) -prune -o -printf '%p %l\\n' | LC_ALL=C sort; "
            "find . -path ./storage -prune -o \\( -name installed.php -o -path '*/bootstrap/cache/config.php' \\) "
            "-exec sha256sum {} + | LC_ALL=C sort; "
            f"ls {self.service.state_dir}/vendor; sqlite3 /var/lib/vertex/database.sqlite .dump | sha256sum",
            check=False,
        )

    def observe(self) -> dict[str, Any]:
        checkout, state = self.service.checkout, self.service.state_dir
        answer = self.service.endpoints[0]["url"]
        seen = self.shell(
            f"git() {{ command git -c safe.directory='*' -C {checkout} \"$@\"; }}; "
            "git describe --tags --exact-match HEAD; "
            # What releases share is a link in each, and no change.
            "git status --porcelain --untracked-files=no -- . ':(exclude)storage' | wc -l; "
            f"curl -s -m 300 -w '\\n%{{http_code}}\\n' {answer}; "
            "sqlite3 /var/lib/vertex/database.sqlite 'select group_concat(migration) from migrations'; "
            f"cd {state}; ls journal.jsonl lease.json 2>/dev/null; true"
        ).splitlines()
        release, dirty, body, status, migrations, *left = seen
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        return {
            "release": release,
            "dirty": int(dirty),
            "status": int(status),
            "version": f"v{document.get('version')}",
            "greeter": document.get("greeter"),
            "migrations": set(migrations.split(",")),
            "left": left,
            "chain": self.module("operation_history_info").get("chain", {}),
        }
