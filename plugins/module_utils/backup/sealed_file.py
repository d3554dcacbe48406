# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that only the holder of a private key can read, and that nobody can change unseen, made with openssl.

Each file has a random key of its own. That key, the SHA-256 of the encrypted file and the file's name are in a seal
beside it: a CMS message for a public RSA key, with AES-256-GCM, which openssl 3.0 and later write and read. So a
host that makes backups can't read them, and a file of which one bit was changed is refused before any of it is used.
Nothing secret is ever an argument of a command: keys go through descriptors.

`openssl cms` holds a message in memory, and prints text before it has checked it. So the message is the small seal and
not the file, its output is used only when openssl has ended well, and the file is checked whole before it is decrypted.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file, owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json

#: The ending of a seal, and of a wrapped key as older versions wrote it.
SEAL, WRAPPED = ".seal", ".key"

_BLOCK = 1 << 18
#: A pipe takes so much at once; the longest private key is a quarter of it.
_LARGEST_KEY = 32 * 1024
# The key is random and 256 bits long: nothing is gained by deriving it slowly. A salt of its own gives each file its
# own counter.
_CIPHER = ("enc", "-aes-256-ctr", "-pbkdf2", "-iter", "1", "-md", "sha256")
_OAEP = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256")

# Marks of a valid seal: an authenticated message, with AES-256-GCM, and with a whole tag at its end. Openssl decrypts
# others too, and those can be changed unseen.
_AUTHENTICATED = bytes.fromhex("060b2a864886f70d0109100117")
_AES_256_GCM = bytes.fromhex("060960864801650304012e")
_TAG = bytes.fromhex("0410")


class SealError(Exception):
    """A file could not be encrypted or decrypted. The text says why, and quotes no key."""


class WrongKey(SealError):
    """The private key is not the one that belongs to the backup."""


class Changed(SealError):
    """A file is not as it was when it was sealed. Nothing of it was used."""


@dataclass(frozen=True)
class Seal:
    """key: of the file. sha256: of the encrypted file. about: what it is a part of."""

    key: bytes
    sha256: str
    about: str


def fingerprint(public_key: str) -> str:
    """SHA-256 of a public key (PEM, "BEGIN PUBLIC KEY"). Raises SealError for anything else."""
    found = re.search(r"-----BEGIN PUBLIC KEY-----\s+(.+?)-----END PUBLIC KEY-----", public_key, re.DOTALL)
    if found is None:
        other = re.search(r"-----BEGIN ([A-Z ]+)-----", public_key)
        named = f"it is a {other[1].lower()}" if other else "it is not PEM"
        raise SealError(f"the public key of backups is not one: {named}; `openssl pkey -pubout` writes one")
    try:
        return hashlib.sha256(base64.b64decode("".join(found[1].split()), validate=True)).hexdigest()
    except binascii.Error as error:
        raise SealError("the public key of backups is damaged: its base64 can't be read") from error


@contextlib.contextmanager
def _handed(content: bytes) -> Iterator[int]:
    """A descriptor from which a child reads a secret. Small: a pipe takes it whole. Raises WrongKey for more."""
    if len(content) > _LARGEST_KEY:
        raise WrongKey(f"the private key of backups has {len(content)} bytes, and a key is never so long")
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
        raise SealError(f"openssl {argv[0]} {_end(ran.returncode)}")
    return ran.stdout


def _end(code: int) -> str:
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def public_of(private_key: str) -> str:
    """The public key of a private one. Raises SealError."""
    try:
        # An empty passphrase, or openssl would ask the terminal for one.
        return _openssl(["pkey", "-in", "KEY", "-pubout", "-passin", "pass:"], b"", private_key.encode()).decode()
    except WrongKey:
        raise
    except SealError as error:
        raise WrongKey("the private key of backups can't be read: not a key, or it has a passphrase") from error


def unwrap(wrapped: bytes, private_key: str) -> bytes:
    """The key of a file of before there were seals. Raises WrongKey."""
    options = [word for option in _OAEP for word in ("-pkeyopt", option)]
    try:
        opened = _openssl(["pkeyutl", "-decrypt", "-inkey", "KEY", *options], wrapped, private_key.encode())
    except SealError as error:
        raise WrongKey("the private key does not open the backup") from error
    if not re.fullmatch(rb"[0-9a-f]{64}", opened):
        raise WrongKey("the private key does not open the backup")
    return opened


# -- seals -----------------------------------------------------------------------------------------


def certificate(public_key: str) -> bytes:
    """A certificate for a public key, because `openssl cms` takes no bare one. Its signature means nothing."""
    throwaway = _openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], b"", b"")
    made = ["x509", "-new", "-subj", "/CN=ops-runbook backup", "-set_serial", "1", "-days", "36500"]
    return _openssl([*made, "-key", "KEY", "-force_pubkey", "/dev/stdin"], public_key.encode(), throwaway)


def seal(found: Seal, recipient: bytes) -> bytes:
    """recipient: the certificate. Raises SealError."""
    text = json.dumps({"key": found.key.decode(), "sha256": found.sha256, "about": found.about}).encode()
    options = [word for option in _OAEP for word in ("-keyopt", option)]
    words = ["cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-recip", "KEY", *options]
    return _openssl(words, text, recipient)


def unseal(content: bytes, private_key: str) -> Seal:
    """The content of a seal. Raises WrongKey for another key, or Changed."""
    if _AUTHENTICATED not in content[:32] or _AES_256_GCM not in content or content[-18:-16] != _TAG:
        raise Changed("the seal is not an authenticated CMS message with AES-256-GCM")
    words = ["cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", "KEY", "-passin", "pass:"]
    try:
        opened = _openssl(words, content, private_key.encode())
    except SealError as error:
        raise WrongKey("the private key does not open the seal, or the seal was changed") from error
    try:
        raw = foreign_json.loads(opened)
        found = Seal(str(raw["key"]).encode(), str(raw["sha256"]), str(raw["about"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Changed("the seal is not one of this program") from error
    if not re.fullmatch(rb"[0-9a-f]{64}", found.key) or not re.fullmatch(r"[0-9a-f]{64}", found.sha256):
        raise Changed("the seal is not one of this program")
    return found


# -- writing ---------------------------------------------------------------------------------------


class Writer:
    """A file that is written once, encrypted and sealed where there is a public key, and synced at its end.

    about: what the file is a part of, which the seal says too. size and sha256 are of what lies on the disk.
    """

    def __init__(self, path: str, public_key: str = "", about: str = "") -> None:
        self.path = path
        self.size = 0
        self.sha256 = ""
        self._about = about
        self._recipient = certificate(public_key) if public_key else b""
        self._key = secrets.token_hex(32).encode()
        # Leftovers of a killed operation are not part of this; a link of somebody else's is not written through.
        durable_file.remove(path)
        self._file = os.fdopen(owned_folder.open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")
        self._child: subprocess.Popen[bytes] | None = None
        if public_key:
            self._encrypt()

    def _encrypt(self) -> None:
        with _handed(self._key + b"\n") as descriptor:
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
            raise self._died() from error

    def _died(self) -> Exception:
        """Why openssl ended before its input did: the disk takes no more, as another write shows, or something else."""
        code = self._child.wait() if self._child is not None else 0
        try:
            os.write(self._file.fileno(), bytes(1 << 16))
        except OSError as error:
            error.filename = self.path
            return error
        return SealError(f"{os.path.basename(self.path)} is not written: openssl {_end(code)}")

    def close(self) -> None:
        """Everything is on the disk, or an error is raised."""
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
            if self._child.wait():
                raise self._died()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.size, self.sha256 = digest(self.path)
        if self._recipient:
            found = Seal(self._key, self.sha256, self._about)
            durable_file.replace(f"{self.path}{SEAL}", seal(found, self._recipient))

    def abandon(self) -> None:
        """Stop, leaving whatever lies there."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        with contextlib.suppress(OSError):
            self._file.close()


# -- reading ---------------------------------------------------------------------------------------


def digest(path: str) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    with open(path, "rb") as handle:
        return os.fstat(handle.fileno()).st_size, _measured(handle)[0]


def _measured(handle: IO[bytes]) -> tuple[str, list[bytes]]:
    """The SHA-256 of a file, and that of each block of it."""
    whole, blocks = hashlib.sha256(), []
    while piece := handle.read(_BLOCK):
        whole.update(piece)
        blocks.append(hashlib.sha256(piece).digest())
    return whole.hexdigest(), blocks


def _again(handle: IO[bytes], blocks: list[bytes], name: str) -> Iterator[bytes]:
    """The file once more. A block that is not as it was when the whole was checked is not handed on."""
    handle.seek(0)
    for block in blocks:
        piece = handle.read(_BLOCK)
        if hashlib.sha256(piece).digest() != block:
            raise Changed(f"{name} was changed while it was read")
        yield piece


def read(path: str, sha256: str, key: bytes = b"") -> Iterator[bytes]:
    """The content of a file, piece by piece, once the whole was checked. key: empty where it is not encrypted.

    Raises Changed before the first piece where the file has another SHA-256.
    """
    name = os.path.basename(path)
    with open(path, "rb") as handle:
        found, blocks = _measured(handle)
        if found != sha256:
            raise Changed(f"{name} was changed: its SHA-256 is another one")
        pieces = _again(handle, blocks, name)
        yield from _decrypted(pieces, key, name) if key else pieces


def _decrypted(pieces: Iterator[bytes], key: bytes, name: str) -> Iterator[bytes]:
    with _handed(key + b"\n") as descriptor:
        child = subprocess.Popen(
            ["openssl", *_CIPHER, "-d", "-pass", f"fd:{descriptor}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(descriptor,),
        )
    source, output = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)
    failed: list[BaseException] = []

    def fill() -> None:
        try:
            with source:
                for piece in pieces:
                    source.write(piece)
        except BrokenPipeError:
            # The reader exited; its own error explains why.
            pass
        except BaseException as error:
            failed.append(error)

    filling = threading.Thread(target=fill)
    filling.start()
    try:
        while piece := output.read(_BLOCK):
            yield piece
        filling.join()
        if failed:
            raise failed[0]
        if child.wait():
            raise SealError(f"{name} can't be decrypted: openssl {_end(child.returncode)}")
    finally:
        child.kill()
        output.close()
        child.wait()
        filling.join()
