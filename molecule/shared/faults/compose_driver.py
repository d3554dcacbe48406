"""The driver on a host with the shop: its snapshots, and the operations that the faults hit."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from compose_lab import PROJECT, REGISTRY, STATE, ComposeLab, tag
from lab import counted_reset
from module_driver import ModuleDriver


@dataclass(frozen=True)
class Service:
    """The shop as the module is told of it."""

    module: str = "compose_operation"
    state_dir: str = STATE
    options: dict[str, Any] = field(
        default_factory=lambda: {
            "name": "shop",
            "project_dir": PROJECT,
            "files": ["docker-compose.prod.yml"],
            "images": {name: f"{REGISTRY}/acme/shop-{name}" for name in ("backend", "worker")},
            "migration_service": "backend",
            "registry_user": "ops",
        }
    )
    endpoints: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": "health", "url": "http://127.0.0.1/api/v1/health", "json": {"status": "ok"}, "release": "release"}
        ]
    )


@dataclass(frozen=True)
class Story:
    """start: releases that were deployed before. The operation goes from the last of them to another one."""

    procedure: str
    start: tuple[str, ...]
    goal: str
    migrations: str
    schemas: tuple[str, str]
    inputs: dict[str, object] = field(default_factory=dict)

    @property
    def first(self) -> str:
        return self.start[-1]

    @property
    def second(self) -> str:
        return self.goal

    @property
    def to(self) -> str:
        return "previous" if self.procedure == "rollback" else tag(self.goal)


STORIES = {
    "deploy": Story("deploy", ("good",), "additive", "run", ("0001", "0002")),
    "rollback": Story("rollback", ("good", "two"), "good", "down", ("0004", "0001")),
}


class ComposeDriver(ModuleDriver):
    """A driver whose snapshots are the host's own."""

    def __init__(self, lab: ComposeLab) -> None:
        super().__init__(lab, Service())
        self.lab = lab
        self._password = lab.password()

    def order(
        self, module: str, operation: str, fault: dict[str, Any] | None = None, **arguments: object
    ) -> dict[str, Any]:
        if module == self.service.module:
            arguments = {"registry_password": self._password, **arguments}
        return super().order(module, operation, fault, **arguments)

    def keep(self, snapshot: str) -> None:
        self.shell(f"lab-keep {os.path.basename(snapshot)}")

    @counted_reset()
    def restore(self, snapshot: str) -> None:
        self.shell(f"lab-restore {os.path.basename(snapshot)}")
