# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key pair that is made in memory, on the controller, and written to no file until it is encrypted."""

from __future__ import annotations

import base64
import importlib
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys


class NoPair(Exception):
    """There is no key pair. The text holds none of it."""


@dataclass(frozen=True)
class Pair:
    """private: OpenSSH's own format, without a passphrase, since CI has nobody to type one. public: type and blob."""

    public: str
    fingerprint: str
    private: bytes = field(repr=False)


def generate() -> Pair:
    """A new pair of ed25519. Raises NoPair."""
    ed25519, _serialization = _cryptography()
    return _pair(ed25519.Ed25519PrivateKey.generate())


def pair_of(private: bytes) -> Pair:
    """The pair of a private key that was kept. Raises NoPair."""
    _ed25519, serialization = _cryptography()
    try:
        key = serialization.load_ssh_private_key(private, password=None)
    except (ValueError, TypeError) as error:
        raise NoPair("the kept text is not a private key of OpenSSH without a passphrase") from error
    return _pair(key)


def _pair(key: Any) -> Pair:
    _ed25519, serialization = _cryptography()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    return Pair(public, authorized_keys.fingerprint(base64.b64decode(public.split()[1])), private)


def _cryptography() -> tuple[Any, Any]:
    """Ansible needs it too, so it is there."""
    base = "cryptography.hazmat.primitives"
    try:
        return importlib.import_module(f"{base}.asymmetric.ed25519"), importlib.import_module(f"{base}.serialization")
    except ImportError as error:
        raise NoPair(f"no key can be made: Python has no cryptography here ({error})") from error
