# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a rotation. Each may be cut off at any point and done again.

The old file is kept, 0600, in the state folder until the new values are verified or undone, and no longer.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.compose import env_file
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets import value as secret_value
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.plan import read, sha256
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.usage import undoubled
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService, Container
from ansible_collections.ops.runbook.plugins.module_utils.compose.steps import ComposeSteps
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, durable_tree, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.text import bounded

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.compose.contract import ComposePlan


class SecretsSteps(ComposeSteps):
    """The steps, by id. values: the new ones; needed only until they are in the file."""

    def __init__(
        self,
        service: ComposeService,
        guard: Guard,
        plan: ComposePlan,
        store: ImageStore,
        values: Mapping[str, str],
    ) -> None:
        super().__init__(service, guard, plan, store)
        self.values = values
        self.path = os.path.realpath(service.path(service.description.env_file))
        # Neither an old value nor a new one may come back in a command's output.
        service.hide([*values.values(), *self._literals(self._kept_env), *self._literals(self.path)])

    @property
    def acts(self) -> dict[str, Callable[[Step], object]]:
        return {
            **super().acts,
            "keep_env": self.keep_env,
            "write_env": self.write_env,
            "recreate": self.recreate,
            "inside": self.verify_inside,
            "restore_env": self.restore_env,
            "forget_env": self.forget_env,
            "recreate_back": self.recreate,
        }

    def _literals(self, path: str) -> Iterable[str]:
        with contextlib.suppress(OSError, env_file.NotRead):
            named = self.plan["env"]["keys"]
            return [item.literal for item in env_file.parse(read(path)) if item.key in named and item.literal]
        return []

    @property
    def _kept_env(self) -> str:
        return os.path.join(self.guard.state_dir, "secrets", f"{self.plan['saved_as']}.env")

    # -- forward ---------------------------------------------------------------------------------

    def keep_env(self, _step: Step) -> object:
        present = read(self.path)
        if sha256(present) != self.plan["env"]["before"]:
            raise CommandFailed(f"{self.path} was changed since the plan was made; the same command again plans anew")
        folder = os.path.dirname(self._kept_env)
        owned_folder.make(folder)
        ended = self.guard.ledger().named(ledger_keys.OPERATION)
        for name in os.listdir(folder):
            # Its operation can't be undone any more. What this ledger does not name is somebody else's.
            if name.endswith(".env") and name[: -len(".env")] in ended:
                durable_file.remove(os.path.join(folder, name))
        durable_file.replace(self._kept_env, present.encode("utf-8", "surrogateescape"))
        return None

    def write_env(self, _step: Step) -> object:
        keys = self.plan["env"]["keys"]
        missing = [key for key in keys if not self.values.get(key)]
        if missing:
            raise CommandFailed(
                f"no new value for {', '.join(missing)} came with this call: "
                f"type rotate={','.join(keys)} again, or interrupted=undo"
            )
        kept = self._must_be_kept()
        self._must_be_ours(kept)
        # From the kept text, so that a second go ends where one would have.
        changed = env_file.change(kept, {key: self.values[key] for key in keys})
        self._replace(changed, 0o600)
        return {"keys": {key: secret_value.fingerprint(self.values[key]) for key in keys}}

    def _must_be_kept(self) -> str:
        if not os.path.isfile(self._kept_env):
            raise CommandFailed(f"the kept copy {self._kept_env} is gone, so what the file held before is not known")
        return read(self._kept_env)

    def _must_be_ours(self, kept: str) -> None:
        """Between the kept file and the present one only the values of the keys may differ."""
        keys = set(self.plan["env"]["keys"])

        def others(text: str) -> list[tuple[str, str | None, bool]]:
            return [(item.key, item.literal, item.inherited) for item in env_file.parse(text) if item.key not in keys]

        try:
            same = others(read(self.path)) == others(kept)
        except env_file.NotRead:
            same = False
        if not same:
            raise CommandFailed(f"{self.path} was changed by somebody meanwhile, and is left as it is")

    def _replace(self, text: str, mode: int) -> None:
        """Write the file whole: its owner stays, and nobody else can read it at any moment."""
        before = os.stat(self.path)
        folder = os.path.dirname(self.path)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(self.path)}.", dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(text.encode("utf-8", "surrogateescape"))
                handle.flush()
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    with contextlib.suppress(PermissionError):
                        os.fchown(handle.fileno(), before.st_uid, before.st_gid)
                os.fchmod(handle.fileno(), mode)
                with contextlib.suppress(OSError):
                    label = os.getxattr(self.path, "security.selinux")
                    os.setxattr(handle.fileno(), "security.selinux", label)
                os.fsync(handle.fileno())
            durable_tree.rename(temporary, self.path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def recreate(self, step: Step) -> object:
        """`restart` would keep the old values. Compose sees what changed, except in a file that is mounted."""
        wait = self.service.description.wait_timeout
        common = ["up", "-d", "--no-deps", "--wait", "--wait-timeout", str(wait), "--pull", "never", "--no-build"]
        by_hand = list(step.data["by_hand"])
        seen = [name for name in step.data["services"] if name not in by_hand]
        for more, names in ([], seen), (["--force-recreate"], by_hand):
            if not names:
                continue
            deadline = time.monotonic() + wait
            try:
                self.service.compose(*common, *more, *names, timeout=wait + self.service.description.command_timeout)
            except CommandFailed as error:
                if self._settled(partial(self._unwell_of, names), deadline, step.id == "recreate_back")[0]:
                    continue
                raise CommandFailed("; ".join([*self._troubled(), str(error)])) from error
        return None

    def _unwell_of(self, names: Sequence[str]) -> dict[str, str]:
        return {name: text for name, text in self._unwell(False).items() if name in names}

    def verify_inside(self, step: Step) -> object:
        """The values of the processes, read from inside and compared by hash."""
        config = self.service.config()
        containers = self.service.containers(str(self.plan["project"]))
        text = read(self.path)
        literals = {item.key: item.literal or "" for item in env_file.parse(text)}
        note: dict[str, list[str]] = {}
        for service, name, key in step.data["seen"]:
            environment = (config["services"].get(service) or {}).get("environment") or {}
            if not name.startswith("/"):
                wanted = undoubled(str(environment.get(name, "")))
            elif (config.get("secrets") or {}) and f"environment: {key}" in _sources(config, service, name):
                wanted = literals[key]
            else:
                wanted = text
            for container in containers:
                if container.service == service and container.state == "running":
                    self._must_have(container, name, wanted)
                    note.setdefault(service, []).append(name)
        return {"verified": {service: sorted(set(names)) for service, names in note.items()}}

    def _must_have(self, container: Container, name: str, wanted: str) -> None:
        found = self._file(container, name) if name.startswith("/") else self._variable(container, name)
        if not hmac.compare_digest(_digest(found), _digest(wanted)):
            raise CommandFailed(f"{container.name} does not have the new value of {name}")

    def _file(self, container: Container, path: str) -> str:
        argv = [*self.service.description.docker, "exec", container.id, "cat", path]
        return self.service.commands.run(argv, timeout=30.0, most=bounded.SHOWN).stdout

    def _variable(self, container: Container, name: str) -> str:
        """The environment of the first process; its configured one if it can't be read or was wiped, as by nginx."""
        argv = [*self.service.description.docker, "exec", container.id, "cat", "/proc/1/environ"]
        found = self.service.commands.run(argv, check=False, timeout=30.0, most=bounded.SHOWN)
        entries = found.stdout.split("\0") if found.code == 0 else []
        given = (self.service.engine.container(container.id).get("Config") or {}).get("Env") or []
        values = dict(entry.partition("=")[::2] for entry in [*given, *entries])
        if name not in values:
            raise CommandFailed(f"{container.name} has no {name}")
        return str(values[name])

    # -- back, and the end -----------------------------------------------------------------------

    def restore_env(self, _step: Step) -> object:
        kept = self._must_be_kept()
        self._must_be_ours(kept)
        self._replace(kept, int(self.plan["env"]["mode"]))
        return None

    def forget_env(self, _step: Step) -> object:
        durable_file.remove(self._kept_env)
        # Only now is the new value proven, so that the old one can be revoked.
        return {"left_to_do": self.plan.get("reminders") or []}


def _sources(config: Mapping[str, Any], service: str, path: str) -> list[str]:
    """The parts of the secret at a path of a container."""
    found = []
    for used in (config["services"].get(service) or {}).get("secrets") or ():
        target = str(used.get("target") or used.get("source"))
        if path in (target, f"/run/secrets/{target}"):
            defined = (config.get("secrets") or {}).get(used.get("source")) or {}
            found += [f"{kind}: {value}" for kind, value in defined.items()]
    return found


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
