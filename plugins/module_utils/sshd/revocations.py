# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that sshd refuses in every file (RevokedKeys): a list of keys, or a KRL, which ssh-keygen reads.

sshd reads the file as root. Where it can't, it refuses every key.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys, key_file
from ansible_collections.ops.runbook.plugins.module_utils.sshd.authorized_keys import Key

_KRL = b"SSHKRL\n\0"
_SECONDS = 20


@dataclass(frozen=True)
class Revocations:
    """fingerprints: of those that are revoked. every: why all are, or empty. doubt: why it is not known, or empty."""

    fingerprints: frozenset[str] = frozenset()
    every: str = ""
    doubt: str = ""


def read(
    path: str, keys: Iterable[Key], run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
) -> Revocations:
    """The revoked ones of these keys. path: of RevokedKeys, empty without one."""
    if not path:
        return Revocations()
    try:
        content = key_file.read(path)
    except OSError as error:
        if isinstance(error, PermissionError) and os.geteuid() != 0:
            return Revocations(doubt=f"which keys are revoked is not known: {path} can't be read by this user")
        return Revocations(every=f"sshd can't read {path} (RevokedKeys), and then refuses every key")
    if not content.startswith(_KRL):
        return Revocations(frozenset(authorized_keys.bare(content)))
    return _asked(path, {key.fingerprint: key for key in keys}, run)


def _asked(path: str, keys: dict[str, Key], run: Callable[..., subprocess.CompletedProcess[str]]) -> Revocations:
    """ssh-keygen says for each key whether the KRL has it."""
    with tempfile.TemporaryDirectory(prefix="ops-runbook-") as folder:
        files = {}
        for number, key in enumerate(keys.values()):
            name = os.path.join(folder, f"key{number}")
            files[name] = key.fingerprint
            with open(name, "w", encoding="ascii") as handle:
                handle.write(f"{key.kind} {base64.b64encode(key.blob).decode('ascii')}\n")
        argv = ["ssh-keygen", "-Q", "-f", path, *files]
        try:
            ran = run(argv, check=False, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            return Revocations(doubt=f"which keys are revoked is not known: ssh-keygen could not be run: {error}")
    said = dict(re.findall(r"(?m)^(\S+)(?: \(.*\))?: (ok|REVOKED)$", ran.stdout))
    unknown = [name for name in files if name not in said]
    if unknown:
        return Revocations(doubt=f"which keys are revoked is not known: ssh-keygen does not read {path}")
    return Revocations(frozenset(known for name, known in files.items() if said[name] == "REVOKED"))
