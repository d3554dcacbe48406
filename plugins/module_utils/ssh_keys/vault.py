# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps a new private key, encrypted and in a place of its own, before anybody else has it, and reads it back.

GitHub gives a secret to nobody. So a key that is only in its secret is lost with the next change of it, and an
interrupted rotation could not be resumed.
"""

from __future__ import annotations

import hmac
import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file

_SECONDS = 120


class NotKept(Exception):
    """The key is not kept, or can't be read. The text holds nothing of it."""


class Keep(ABC):
    """A place for keys. what: the place in words."""

    what: str

    @abstractmethod
    def ready(self) -> None:
        """Raises NotKept where a key could not be kept here and read back, as far as that is known before."""

    @abstractmethod
    def store(self, name: str, private: bytes) -> str:
        """Keep it under a name that is new. Returns what `read` needs. Raises NotKept."""

    @abstractmethod
    def read(self, where: str) -> bytes:
        """Raises NotKept."""

    def keep(self, name: str, private: bytes) -> str:
        """Keep it, and prove that it was. Returns what `read` needs. Raises NotKept."""
        where = self.store(name, private)
        if not hmac.compare_digest(self.read(where), private):
            raise NotKept(f"{self.what}: what is read back from {where} is not what was kept")
        return where


class _Files(Keep):
    """Encrypted files in a folder of the controller, one for each key, never one over another."""

    suffix = ""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @abstractmethod
    def _encrypt(self, content: bytes) -> bytes:
        """Raises NotKept."""

    @abstractmethod
    def _decrypt(self, content: bytes, path: str) -> bytes:
        """Raises NotKept."""

    def ready(self) -> None:
        probe = b"can this be read back?"
        if self._decrypt(self._encrypt(probe), self.folder) != probe:
            raise NotKept(
                f"{self.what}: decrypting a test value did not return it; the vault password or recipient is wrong"
            )
        parent = self.folder
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent) or "/"
        if not os.access(parent, os.W_OK | os.X_OK):
            raise NotKept(f"{self.what}: {parent} can't be written")

    def store(self, name: str, private: bytes) -> str:
        path = os.path.join(self.folder, f"{name}.{self.suffix}")
        encrypted = self._encrypt(private)
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(encrypted)
                handle.flush()
                os.fsync(handle.fileno())
            durable_file.sync_folder(self.folder)
        except OSError as error:
            raise NotKept(f"{path} can't be written: {error.strerror}") from error
        return path

    def read(self, where: str) -> bytes:
        try:
            with open(where, "rb") as handle:
                content = handle.read()
        except OSError as error:
            raise NotKept(f"{where} can't be read: {error.strerror}") from error
        return self._decrypt(content, where)


class Vault(_Files):
    """Files of ansible-vault. encrypt and decrypt: Ansible's own, with the passwords of this run; both may raise."""

    suffix = "vault"

    def __init__(
        self, folder: str, encrypt: Callable[[bytes], bytes], decrypt: Callable[[bytes], bytes], known: bool
    ) -> None:
        super().__init__(folder)
        self.what = f"ansible-vault file in {folder}"
        self._encrypt_with, self._decrypt_with, self._known = encrypt, decrypt, known

    def _encrypt(self, content: bytes) -> bytes:
        if not self._known:
            raise NotKept("this run has no password of ansible-vault to keep the new key with; give --vault-id <file>")
        try:
            return self._encrypt_with(content)
        except Exception as error:
            raise NotKept(f"ansible-vault can't encrypt: {type(error).__name__}") from None

    def _decrypt(self, content: bytes, path: str) -> bytes:
        try:
            return self._decrypt_with(content)
        except Exception as error:
            raise NotKept(f"{path} can't be decrypted with this run's passwords: {type(error).__name__}") from None


class Age(_Files):
    """Files of age. recipients: public keys; identity: the file that decrypts, needed to read back."""

    suffix = "age"

    def __init__(self, folder: str, recipients: Sequence[str], identity: str, program: str = "age") -> None:
        super().__init__(folder)
        self.what = f"age file in {folder}"
        self.recipients, self.identity, self.program = recipients, identity, program

    def _encrypt(self, content: bytes) -> bytes:
        if not self.recipients:
            raise NotKept("age needs somebody to encrypt for: ssh_key_keep_age_recipients")
        words = [word for recipient in self.recipients for word in ("-r", recipient)]
        return _run([self.program, "-e", *words], content)

    def _decrypt(self, content: bytes, path: str) -> bytes:
        if not self.identity:
            raise NotKept("age files must be read back, and that needs ssh_key_keep_age_identity")
        return _run([self.program, "-d", "-i", self.identity], content)


class Command(Keep):
    """A program of the user's, such as a password manager: the key comes on its standard input, and goes out again.

    `{name}` in a word is the name of the key.
    """

    def __init__(self, store: Sequence[str], read: Sequence[str]) -> None:
        self.what = f"the command {store[0] if store else '(none)'}"
        self._store, self._read = store, read

    def ready(self) -> None:
        for option, argv in (("ssh_key_keep_command", self._store), ("ssh_key_keep_read_command", self._read)):
            if not argv:
                raise NotKept(f"{option} is not given: one keeps the key, the other reads it back")
            if shutil.which(argv[0]) is None:
                raise NotKept(f"{option}: {argv[0]} is not there")
            if not any("{name}" in word for word in argv):
                raise NotKept(f"{option} has no {{name}}, so one key would take the place of another")

    def store(self, name: str, private: bytes) -> str:
        _run([word.replace("{name}", name) for word in self._store], private)
        return name

    def read(self, where: str) -> bytes:
        return _run([word.replace("{name}", where) for word in self._read], b"")


def chosen(
    given: Mapping[str, Any], encrypt: Callable[[bytes], bytes], decrypt: Callable[[bytes], bytes], known: bool
) -> Keep:
    """The place that an inventory names. given: the option `keeping`. encrypt, decrypt, known: for a Vault."""
    folder = os.path.expanduser(given["folder"])
    if given["kind"] == "age":
        identity = os.path.expanduser(given["age_identity"]) if given["age_identity"] else ""
        return Age(folder, given["age_recipients"], identity)
    if given["kind"] == "command":
        return Command(given["command"], given["read_command"])
    return Vault(folder, encrypt, decrypt, known)


def _run(argv: Sequence[str], content: bytes) -> bytes:
    """The output of a program. Its error text is not repeated: it may hold the key."""
    try:
        ran = subprocess.run(argv, input=content, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotKept(f"{argv[0]} could not be run: {type(error).__name__}") from None
    if ran.returncode:
        raise NotKept(f"{argv[0]} ended with {ran.returncode}")
    return ran.stdout


def name_of(secret: str, operation: str) -> str:
    """A name for a key, new with each rotation."""
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', secret)}-{operation}"
