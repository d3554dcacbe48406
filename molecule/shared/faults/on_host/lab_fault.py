"""Plants the fault of /srv/lab/fault/order.json into each module that Ansible starts here, and moves its clock.

`lab_fault.pth` beside it makes Python load it at its start. Ansible sends the modules with the process that runs them,
 so the fault is planted when that process loads `durable_file`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Any

import fault

TARGET = "ansible_collections.ops.runbook.plugins.module_utils.host.durable_file"
CLOCK = f"{fault.HELD}/clock"
LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def counted() -> int:
    """The number of this write among those of all processes since the order was given."""
    with open(f"{fault.HELD}/count", "a+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        number = int(handle.read() or 0) + 1
        handle.truncate(0)
        handle.write(str(number))
    return number


class Loader:
    """Loads the module as its own loader does, and then plants the fault. One loader loads a whole archive."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def exec_module(self, module: Any) -> None:
        self._inner.exec_module(module)
        with open(f"{fault.HELD}/order.json") as handle:
            order = json.load(handle)
        state = order.pop("state")
        fault.Fault(**order, counted=counted).plant(module, state)


class Planter:
    """Finds durable_file as everybody does, and gives it the loader that plants the fault."""

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        if name != TARGET:
            return None
        sys.meta_path.remove(self)  # type: ignore[arg-type]
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = Loader(spec.loader)  # type: ignore[assignment]
        return spec


def move_clock() -> None:
    """Begin this process anew with the clock that was asked for. The count from the boot stays, as do files' times."""
    with contextlib.suppress(OSError):
        with open(CLOCK) as handle:
            shift = handle.read().strip()
        if shift and os.environ.get("FAKETIME") != shift:
            environment = {
                **os.environ,
                "LD_PRELOAD": LIBRARY,
                "FAKETIME": shift,
                "DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
            os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


if os.environ.get("USER") == "deploy" or os.environ.get("SUDO_USER") == "deploy":
    move_clock()
    if os.path.exists(f"{fault.HELD}/order.json"):
        sys.meta_path.insert(0, Planter())  # type: ignore[arg-type]
