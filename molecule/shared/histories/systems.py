"""The systems that have histories, by name. Each is one file, and reads the lab of its own."""

from __future__ import annotations

import importlib
import os
from typing import Any

#: The class of each system, and where its hosts come from if nothing else is said.
SYSTEMS = {"laravel": "Laravel"}
HOSTS = {"laravel": ("laravel1", "laravel2", "laravel3")}


def system_of(name: str, host: str) -> Any:
    """A system on one of its hosts."""
    return getattr(importlib.import_module(f"histories.{name}"), SYSTEMS[name])(host)


def kinds_of(name: str) -> Any:
    return importlib.import_module(f"histories.{name}").KINDS


def hosts_of(name: str) -> list[str]:
    given = os.environ.get("LAB_HOSTS")
    return given.split(",") if given else list(HOSTS[name])
