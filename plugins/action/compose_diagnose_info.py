# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of M(ops.runbook.compose_diagnose_info): writes the bundle, so that the host keeps nothing."""

from __future__ import annotations

import io
import os
import tarfile
import time
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis import bundle, screen


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module, and packs what it read."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        result.update(self._execute_module("ops.runbook.compose_diagnose_info", task_vars=variables))
        files = result.pop("files", None)
        path = str(self._task.args.get("bundle") or "")
        if path and files is not None:
            host = str(variables.get("inventory_hostname") or "host")
            # Two hosts that are looked at in one run would write the same file.
            path = bundle.file_for(path, host, len(variables.get("ansible_play_hosts_all") or ()) > 1)
            # A relative name counts from the person's current folder, not from the playbook.
            path = os.path.join(os.environ.get("PWD", os.getcwd()), os.path.expanduser(path))
            files["verdict.txt"] = "\n".join(screen.diagnosis_lines({host: result})) + "\n"
            try:
                _write(path, host, files)
            except OSError as error:
                result.update(failed=True, msg=f"the bundle {path} can't be written: {error.strerror}")
            else:
                result["bundle"] = path
        return result


def _write(path: str, host: str, files: dict[str, str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "wb") as handle, tarfile.open(fileobj=handle, mode="w:gz") as archive:
        folder = bundle.folder_of(host)
        for name, text in sorted(files.items()):
            # The names come from the host, and whoever unpacks them is somebody else.
            if not bundle.is_safe_name(name):
                continue
            content = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
            archive.addfile(entry, io.BytesIO(content))
