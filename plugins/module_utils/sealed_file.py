# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that only the holder of a private key can read, made with openssl, which every Dokku host has.

Each file has a random key of its own, wrapped to a public RSA key; so a host that makes backups can't read them, and
whoever takes the host can't either. Nothing secret is ever an argument of a command: keys go through descriptors.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from typing import IO, cast

from ansible_collections.ops.runbook.plugins.module_utils import durable_file

_BLOCK = 1 << 18
# The key is random and 256 bits long: nothing is gained by deriving it slowly. A salt of its own gives each file its
# own counter.
_CIPHER = ("enc", "-aes-256-ctr", "-pbkdf2", "-iter", "1", "-md", "sha256")
_OAEP = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256")


class SealError(Exception):
    """A file could not be encrypted or decrypted. The text says why, and quotes no key."""


class WrongKey(SealError):
    """The private key is not the one that belongs to the backup."""


def fingerprint(public_key: str) -> str:
    """SHA-256 of a public key (PEM, "BEGIN PUBLIC KEY"). Raises SealError for anything else."""
    found = re.search(r"-----BEGIN PUBLIC KEY-----\s+(.+?)-----END PUBLIC KEY-----", public_key, re.DOTALL)
    if found is None:
        other = re.search(r"-----BEGIN ([A-Z ]+)-----", public_key)
        named = f"it is a {other[1].lower()}" if other else "it is no PEM"
        raise SealError(f"the public key of backups is not one: {named}; `openssl pkey -pubout` writes one")
    try:
        return hashlib.sha256(base64.b64decode("".join(found[1].split()), validate=True)).hexdigest()
    except binascii.Error as error:
        raise SealError("the public key of backups is damaged: its base64 can't be read") from error


@contextlib.contextmanager
def _handed(content: bytes) -> Iterator[int]:
    """A descriptor from which a child reads a secret. Small: a pipe takes it whole."""
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def _openssl(argv: list[str], stdin: bytes, secret: bytes) -> bytes:
    """A short call; the word KEY in it becomes the path of a descriptor that has the secret."""
    with _handed(secret) as descriptor:
        words = [f"/dev/fd/{descriptor}" if word == "KEY" else word for word in argv]
        try:
            ran = subprocess.run(["openssl", *words], input=stdin, capture_output=True, pass_fds=(descriptor,))
        except OSError as error:
            raise SealError(f"openssl is not there: {error.strerror}") from error
    if ran.returncode:
        raise SealError(f"openssl {argv[0]} ended with {ran.returncode}")
    return ran.stdout


def public_of(private_key: str) -> str:
    """The public key of a private one. Raises SealError."""
    try:
        # An empty passphrase, or openssl would ask the terminal for one.
        return _openssl(["pkey", "-in", "KEY", "-pubout", "-passin", "pass:"], b"", private_key.encode()).decode()
    except SealError as error:
        raise WrongKey("the private key of backups can't be read: it is none, or has a passphrase") from error


def unwrap(wrapped: bytes, private_key: str) -> bytes:
    """The key of one file. Raises WrongKey."""
    try:
        opened = _openssl(["pkeyutl", "-decrypt", "-inkey", "KEY", *_OAEP], wrapped, private_key.encode())
    except SealError as error:
        raise WrongKey("the private key does not open the backup") from error
    if not re.fullmatch(rb"[0-9a-f]{64}", opened):
        raise WrongKey("the private key does not open the backup")
    return opened


class Writer:
    """A file that is written once, encrypted where there is a public key, and synced at its end.

    size and sha256 are of what lies on the disk.
    """

    def __init__(self, path: str, public_key: str = "") -> None:
        self.path = path
        self.size = 0
        self.sha256 = ""
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
        self._child: subprocess.Popen[bytes] | None = None
        if public_key:
            self._encrypt(public_key)

    def _encrypt(self, public_key: str) -> None:
        key = secrets.token_hex(32).encode()
        wrapped = _openssl(["pkeyutl", "-encrypt", "-pubin", "-inkey", "KEY", *_OAEP], key, public_key.encode())
        durable_file.replace(f"{self.path}.key", wrapped)
        with _handed(key + b"\n") as descriptor:
            self._child = subprocess.Popen(
                ["openssl", *_CIPHER, "-salt", "-pass", f"fd:{descriptor}"],
                stdin=subprocess.PIPE,
                stdout=self._file,
                stderr=subprocess.DEVNULL,
                pass_fds=(descriptor,),
            )

    def write(self, piece: bytes) -> None:
        target: IO[bytes] = self._file
        if self._child is not None and self._child.stdin is not None:
            target = self._child.stdin
        try:
            target.write(piece)
        except BrokenPipeError as error:
            # Only a full disk ends openssl before its input does.
            raise OSError(28, os.strerror(28), self.path) from error

    def close(self) -> None:
        """Everything is on the disk, or an error is raised."""
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
            if self._child.wait():
                raise OSError(28, os.strerror(28), self.path)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.size, self.sha256 = digest(self.path)

    def abandon(self) -> None:
        """Stop, leaving whatever lies there."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        with contextlib.suppress(OSError):
            self._file.close()


def digest(path: str) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    found, size = hashlib.sha256(), 0
    with open(path, "rb") as handle:
        while piece := handle.read(_BLOCK):
            found.update(piece)
            size += len(piece)
    return size, found.hexdigest()


def read(path: str, wrapped: bytes = b"", private_key: str = "") -> Iterator[bytes]:
    """The content of a file, piece by piece. wrapped: its key file's content, empty where it is not encrypted."""
    if not wrapped:
        with open(path, "rb") as handle:
            while piece := handle.read(_BLOCK):
                yield piece
        return
    key = unwrap(wrapped, private_key)
    with _handed(key + b"\n") as descriptor, open(path, "rb") as handle:
        child = subprocess.Popen(
            ["openssl", *_CIPHER, "-d", "-pass", f"fd:{descriptor}"],
            stdin=handle,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(descriptor,),
        )
    output = cast("IO[bytes]", child.stdout)
    try:
        while piece := output.read(_BLOCK):
            yield piece
        if child.wait():
            raise SealError(f"{os.path.basename(path)} can't be decrypted: it is damaged")
    finally:
        output.close()
        child.kill()
        child.wait()
