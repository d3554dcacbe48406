"""The systems that have histories, by name. Each is one file, and reads the lab of its own."""

from __future__ import annotations

import importlib
import os
from typing import Any

#: The class of each system, and where its hosts come from if nothing else is said.
SYSTEMS = {"laravel": "Laravel", "ssh_keys": "Keys", "compose": "Compose", "dokku": "Dokku"}
HOSTS = {
    "laravel": ("laravel1", "laravel2", "laravel3"),
    "ssh_keys": ("keys1", "keys2"),
    "compose": ("compose1", "compose2"),
    "dokku": ("dokku1",),
}
INVENTORIES = {
    "laravel": "inventories/demo,molecule/shared/fleet.yml",
    "ssh_keys": "inventories/ssh_keys",
    "compose": "inventories/compose",
    "dokku": "inventories/dokku",
}


def choose(name: str) -> None:
    """Name the inventory and the hosts of a system to the lab, where nobody has named others. Before it is imported."""
    os.environ.setdefault("LAB_INVENTORY", INVENTORIES[name])
    os.environ.setdefault("LAB_HOSTS", ",".join(HOSTS[name]))


def system_of(name: str, host: str) -> Any:
    """A system on one of its hosts."""
    return getattr(importlib.import_module(f"histories.{name}"), SYSTEMS[name])(host)


def kinds_of(name: str) -> Any:
    return importlib.import_module(f"histories.{name}").KINDS


def hosts_of(name: str) -> list[str]:
    given = os.environ.get("LAB_HOSTS")
    return given.split(",") if given else list(HOSTS[name])
