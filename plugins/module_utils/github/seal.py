# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sealed box: what only the holder of a repository's private key can open."""

from __future__ import annotations

import base64
import binascii
import importlib

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError


def seal(value: str, public_key: str) -> str:
    """A value for the holder of a key. Both keys and boxes are in base64, as GitHub has them.

    PyNaCl is on the controller alone, where a secret is put; so it is loaded when it is needed.
    """
    try:
        public = importlib.import_module("nacl.public")
    except ImportError as error:
        raise GitHubError(
            "pynacl_missing",
            f"a secret can't be sealed, because Python has no PyNaCl here ({error})",
            [
                (
                    "pip install 'ops-runbook[github]'",
                    "with the Python that Ansible runs modules with",
                ),
                ("delegate_to: localhost", "where only the controller has it"),
            ],
        ) from None
    try:
        raw = base64.b64decode(public_key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise GitHubError(
            "unexpected",
            "the public key that GitHub gave is not 32 bytes in base64",
            [("api_url", "check it, and the proxy: what answered is not GitHub's API")],
        )
    sealed: bytes = public.SealedBox(public.PublicKey(raw)).encrypt(value.encode())
    return base64.b64encode(sealed).decode("ascii")
