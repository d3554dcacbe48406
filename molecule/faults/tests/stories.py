"""The operations that the faults hit, and what stands after each.

Another strategy is one more Service, and stories of it. Which steps there are is read from the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from lab import APP, DATABASE, STATE, Lab

HEALTH = "http://127.0.0.1/api/v1/health"
CHECK = {"name": "health", "url": HEALTH, "json": {"status": "ok"}, "release": "release"}


@dataclass(frozen=True)
class Service:
    """A service of the lab as the modules are told of it.

    kept: folders that a snapshot holds, by name. checkout: the folder whose commit is what is deployed.
    """

    name: str
    options: dict[str, Any]
    kept: dict[str, str]
    checkout: str = APP
    strategy: str = "in_place"
    state_dir: str = STATE
    module: str = "laravel_operation"
    endpoints: list[dict[str, Any]] = field(default_factory=lambda: [CHECK])


IN_PLACE = Service(
    name="in place",
    options={
        "name": "vertex",
        "path": APP,
        "php_fpm_unit": "php8.4-fpm",
        "queue_unit": "vertex-queue",
        "units": ["nginx"],
    },
    kept={"app": APP, "state": "/var/lib/ops-runbook", "database": DATABASE},
)
RELEASES = replace(
    IN_PLACE,
    name="releases",
    options={**IN_PLACE.options, "strategy": "releases", "realpath_root": True},
    checkout=f"{APP}/current",
    strategy="releases",
)
#: In place before, and releases afterwards.
CONVERTED = replace(
    IN_PLACE, name="converted", checkout=f"$(test -L {APP}/current && echo {APP}/current || echo {APP})"
)


@dataclass(frozen=True)
class Story:
    """start: releases that were deployed before. The operation goes from the last of them, `first`, to `second`."""

    procedure: str
    start: tuple[str, ...]
    to: str
    second: str
    migrations: str
    service: Service = IN_PLACE
    inputs: dict[str, object] = field(default_factory=dict)

    @property
    def first(self) -> str:
        return self.start[-1]

    @property
    def snapshot(self) -> str:
        return Lab("", self.service.strategy).kept(*self.start)


#: What the site's own answer says of its dependencies, by release.
GREETER = {"v1.0.0": "1.0.0", "v1.1.0": "1.1.0", "v1.2.0": "1.1.0"}
#: What v1.2.0 brings.
MIGRATIONS = {"2026_01_19_000001_add_note_to_orders_table", "2026_01_19_000002_create_refunds_table"}

STORIES = {
    # Other dependencies and two migrations: every step there is.
    "deploy": Story("deploy", ("v1.0.0",), "v1.2.0", "v1.2.0", "run"),
    "rollback": Story("rollback", ("v1.0.0", "v1.2.0"), "previous", "v1.0.0", "down"),
    "deploy (releases)": Story("deploy", ("v1.0.0",), "v1.2.0", "v1.2.0", "run", RELEASES),
    "rollback (releases)": Story("rollback", ("v1.0.0", "v1.2.0"), "previous", "v1.0.0", "down", RELEASES),
    "convert": Story("convert", ("v1.0.0",), "", "v1.0.0", "", CONVERTED, {"state": "releases"}),
    "convert back": Story(
        "convert",
        ("v1.0.0", "v1.2.0"),
        "",
        "v1.2.0",
        "",
        replace(CONVERTED, strategy="releases"),
        {"state": "in_place"},
    ),
}
DEPLOY = STORIES["deploy"]
