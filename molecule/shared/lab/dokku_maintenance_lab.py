"""A Dokku host as whoever looks after it finds it."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from typing import Any

from lab import Host, Run

APP, STAGING = "restant-main", "restant-staging"
DOMAIN = f"{APP}.dokku.example.com"

#: What is secret in these tests, on whatever surface it might come up.
CANARY = "canary/" + "5ecret+" * 3


class Cared(Host):
    """The host, with the app, its staging app, and one endpoint that somebody outside can ask too."""

    state = f"/var/lib/ops-runbook/{APP}"

    @property
    def inputs(self) -> dict[str, Any]:
        address = self.root("hostname -i").split()[0]
        return {
            "dokku_app": APP,
            "dokku_staging_app": STAGING,
            "dokku_databases": [],
            "dokku_health": [{"name": "health", "url": f"http://{DOMAIN}/health", "connect_to": f"{address}:80"}],
        }

    def play(self, procedure: str, *options: str, **inputs: object) -> Run:
        return super().play(procedure, *options, **{**self.inputs, **inputs})

    def dokku(self, *arguments: str, check: bool = True) -> str:
        """The output of dokku, called as the connecting user calls it."""
        return self.deploy(f"sudo -n -u dokku -- /usr/bin/dokku {shlex.join(arguments)} 2>&1", check)

    def releases(self, app: str = APP) -> dict[int, str]:
        """The state of each release."""
        found = json.loads(self.dokku("releases", app, "--format", "json"))
        return {release["number"]: release["state"] for release in found}

    def live_image(self, app: str = APP) -> str:
        return self.root(f"docker inspect --format '{{{{.Image}}}}' {app}.web.1")

    def holds(self, app: str = APP) -> dict[str, str]:
        """Image by name of the container that holds it."""
        shown = self.root(
            f"docker ps -a --no-trunc --filter label=com.dokku.releases.app={app} "
            "--format '{{.Names}} {{.Label \"com.dokku.releases.image\"}}'"
        )
        return dict(line.split() for line in shown.splitlines())

    def drop_hold(self, app: str = APP) -> str:
        """Remove the hold of an image that nothing else holds, as `docker container prune` does. Returns the image."""
        live = self.live_image(app)
        name, image = next((name, image) for name, image in self.holds(app).items() if image != live)
        self.root(f"docker rm {name}")
        return image

    def loose_image(self, name: str) -> str:
        """An image without a tag, which a cleanup takes. The simulator's takes only those that bear its own label."""
        shown = self.root(f"docker image inspect --format '{{{{json .Config.Labels}}}}' dokku/{APP}:latest")
        labels = {key: value for key, value in json.loads(shown).items() if key.startswith("com.example.")}
        words = " ".join(f"{key}={value}" for key, value in {"care": name, **labels}.items())
        return self.root(f"printf 'FROM scratch\\nLABEL {words}\\n' | docker build -q -")

    def everything(self) -> str:
        """All that a procedure which only looks might change."""
        return self.root(
            "cd / && for part in home/dokku var/lib/dokku/config var/lib/dokku/data var/lib/ops-runbook; do "
            "find $part -type f ! -name '*.log' -exec sha256sum {} + 2>/dev/null | sort -k 2; done; "
            "docker ps -a --no-trunc --format '{{.Names}} {{.ID}} {{.State}}' | sort; "
            "docker image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sort"
        )

    @contextlib.contextmanager
    def changed(self, before: str, after: str) -> Iterator[None]:
        """A host that is not as it should be, for a while."""
        self.root(before)
        try:
            yield
        finally:
            self.root(after)


def screen(run: Run) -> list[str]:
    """The lines that the status showed, without what Ansible puts around them."""
    lines = run.text.partition('"msg": [')[2].partition("\n    ]")[0].splitlines()
    return [line for line in lines if line.strip()]
