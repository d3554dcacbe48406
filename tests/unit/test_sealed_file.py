"""What is sealed is opened by its private key alone, and nothing of it stands in an argument."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils import byte_stream, sealed_file
from ansible_collections.ops.runbook.plugins.module_utils.sealed_file import SealError, Writer, WrongKey


def key(*more: str) -> str:
    made = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", *more]
    return subprocess.run(made, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def private() -> str:
    return key()


@pytest.mark.parametrize("size", [0, 1, 17, 300_000])
@pytest.mark.parametrize("sealed", [True, False])
def test_what_was_written_is_read(private: str, sealed: bool, size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    path = str(tmp_path / "part")
    writer = Writer(path, sealed_file.public_of(private) if sealed else "")
    writer.write(content)
    writer.close()
    wrapped = (tmp_path / "part.key").read_bytes() if sealed else b""
    assert b"".join(sealed_file.read(path, wrapped, private)) == content
    assert (writer.size, writer.sha256) == sealed_file.digest(path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert not sealed or content[:64] not in (tmp_path / "part").read_bytes() or size < 17


def test_another_key_does_not_open_it(private: str, tmp_path: Path) -> None:
    writer = Writer(str(tmp_path / "part"), sealed_file.public_of(private))
    writer.write(b"secret")
    writer.close()
    wrapped = (tmp_path / "part.key").read_bytes()
    for other in (key(), "no key at all", ""):
        with pytest.raises(WrongKey):
            list(sealed_file.read(str(tmp_path / "part"), wrapped, other))
    with pytest.raises(WrongKey):
        list(sealed_file.read(str(tmp_path / "part"), wrapped[:-1], private))


def test_a_key_with_a_passphrase_is_refused_and_asks_nobody() -> None:
    with pytest.raises(WrongKey, match="passphrase"):
        sealed_file.public_of(key("-aes-256-cbc", "-pass", "pass:x"))


def test_what_is_no_public_key_is_named(private: str) -> None:
    with pytest.raises(SealError, match="private key"):
        sealed_file.fingerprint(private)
    with pytest.raises(SealError, match="no PEM"):
        sealed_file.fingerprint("ssh-rsa AAAA")
    assert sealed_file.fingerprint(sealed_file.public_of(private)) != sealed_file.fingerprint(
        sealed_file.public_of(key())
    )


def test_two_parts_have_two_keys(private: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        writer = Writer(str(tmp_path / name), sealed_file.public_of(private))
        writer.write(b"the same")
        writer.close()
    assert sealed_file.unwrap((tmp_path / "a.key").read_bytes(), private) != sealed_file.unwrap(
        (tmp_path / "b.key").read_bytes(), private
    )
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


def test_an_error_of_who_takes_ends_who_writes() -> None:
    def full(piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        byte_stream.collect(lambda out: subprocess.run(["yes"], stdout=out), full)


def test_an_error_of_the_pieces_counts_though_the_reader_was_content() -> None:
    def pieces():  # type: ignore[no-untyped-def]
        yield b"x"
        raise SealError("damaged")

    with pytest.raises(SealError):
        byte_stream.supply(pieces(), lambda source: subprocess.run(["cat"], stdin=source, stdout=subprocess.DEVNULL))


def test_a_reader_that_ends_early_is_no_error() -> None:
    done = byte_stream.supply([b"x" * 65536] * 64, lambda source: subprocess.run(["true"], stdin=source))
    assert done.returncode == 0
