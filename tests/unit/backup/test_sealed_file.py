"""A sealed file is opened by its private key alone, and no argument holds any of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup import sealed_file
from ansible_collections.ops.runbook.plugins.module_utils.backup.sealed_file import Changed, SealError, Writer, WrongKey
from ansible_collections.ops.runbook.plugins.module_utils.host import byte_stream


def key(*more: str) -> str:
    made = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", *more]
    return subprocess.run(made, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def private() -> str:
    return key()


def written(path: Path, public: str, content: bytes, about: str = "a part") -> Writer:
    writer = Writer(str(path), public, about)
    writer.write(content)
    writer.close()
    return writer


def opened(path: Path, private: str) -> bytes:
    seal = sealed_file.unseal(path.with_name(f"{path.name}.seal").read_bytes(), private)
    return b"".join(sealed_file.read(str(path), seal.sha256, seal.key))


@pytest.mark.parametrize("size", [0, 1, 17, 300_000])
@pytest.mark.parametrize("sealed", [True, False])
def test_a_sealed_file_reads_back(private: str, sealed: bool, size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    path = tmp_path / "part"
    writer = written(path, sealed_file.public_of(private) if sealed else "", content)
    assert (opened(path, private) if sealed else b"".join(sealed_file.read(str(path), writer.sha256))) == content
    assert (writer.size, writer.sha256) == sealed_file.digest(str(path))
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    assert not sealed or content[:64] not in path.read_bytes() or size < 17


def test_another_key_does_not_open_it(private: str, tmp_path: Path) -> None:
    written(tmp_path / "part", sealed_file.public_of(private), b"secret")
    for other in (key(), "no key at all", ""):
        with pytest.raises(WrongKey):
            opened(tmp_path / "part", other)


def test_the_seal_names_the_part(private: str, tmp_path: Path) -> None:
    written(tmp_path / "part", sealed_file.public_of(private), b"secret", "20261129T000000Z-abcdef database mysql.db")
    assert sealed_file.unseal((tmp_path / "part.seal").read_bytes(), private).about.endswith("database mysql.db")


def test_a_person_opens_it_with_openssl_alone(private: str, tmp_path: Path) -> None:
    """As the docs say it: nothing of this program is needed to read a backup."""
    written(tmp_path / "part", sealed_file.public_of(private), b"content" * 1000)
    (tmp_path / "backup.pem").write_text(private)
    docs = (Path(__file__).parents[3] / "docs/systems/dokku/backups.md").read_text()
    commands = docs.partition("    openssl cms -decrypt")[2].partition("\n\n")[0]
    script = ("openssl cms -decrypt" + commands).replace("config.json.enc", "part")
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout.endswith(b"content" * 1000)) == (0, True), done


# -- changed ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def part(private: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sealed") / "part"
    written(path, sealed_file.public_of(private), b"INSERT INTO users VALUES (1, 'anna', 0);" * 10)
    return path


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_with_any_bit_changed_is_refused_before_a_byte_of_it_is_used(
    private: str, part: Path, place: int, bit: int
) -> None:
    content = bytearray(part.read_bytes())
    content[place % len(content)] ^= 1 << bit
    changed = part.with_name("changed")
    changed.write_bytes(content)
    seal = sealed_file.unseal(part.with_name("part.seal").read_bytes(), private)
    with pytest.raises(Changed):
        next(sealed_file.read(str(changed), seal.sha256, seal.key))


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_seal_with_any_bit_changed_says_the_same_or_is_refused(
    private: str, part: Path, place: int, bit: int
) -> None:
    """The seal does not authenticate the recipient's name; it authenticates all that is used."""
    content = bytearray(part.with_name("part.seal").read_bytes())
    whole = sealed_file.unseal(bytes(content), private)
    content[place % len(content)] ^= 1 << bit
    with contextlib.suppress(SealError):
        assert sealed_file.unseal(bytes(content), private) == whole


@pytest.mark.parametrize("cut", [1, 17, 100])
def test_a_part_that_is_cut_off_or_longer_is_refused(private: str, part: Path, cut: int) -> None:
    seal = sealed_file.unseal(part.with_name("part.seal").read_bytes(), private)
    for content in (part.read_bytes()[:-cut], part.read_bytes() + b"x" * cut, b""):
        part.with_name("cut").write_bytes(content)
        with pytest.raises(Changed):
            next(sealed_file.read(str(part.with_name("cut")), seal.sha256, seal.key))


def test_a_part_that_changes_while_it_is_read_is_not_read_on(private: str, tmp_path: Path) -> None:
    path = tmp_path / "part"
    writer = written(path, "", os.urandom(2_000_000))
    pieces = sealed_file.read(str(path), writer.sha256)
    next(pieces)
    with path.open("r+b") as handle:
        handle.seek(1_500_000)
        handle.write(b"x" * 16)
    with pytest.raises(Changed, match="while it was read"):
        list(pieces)


def test_a_message_that_shows_nothing_about_its_content_is_no_seal(private: str, part: Path) -> None:
    """openssl decrypts messages without authentication too, and with a tag of one byte."""
    recipient = part.with_name("cert.pem")
    recipient.write_bytes(sealed_file.certificate(sealed_file.public_of(private)))
    words = ["openssl", "cms", "-encrypt", "-binary", "-aes-256-cbc", "-outform", "DER", "-recip", str(recipient)]
    made = subprocess.run(words, input=b"{}", capture_output=True, check=True).stdout
    seal = part.with_name("part.seal").read_bytes()
    for wrong in (made, seal[:-18] + b"\x04\x01" + seal[-16:-15], b"", seal[:-1], seal + b"x"):
        with pytest.raises(SealError):
            sealed_file.unseal(wrong, private)


# -- of before there were seals --------------------------------------------------------------------


def test_a_part_of_an_earlier_version_is_read(private: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32)
    (tmp_path / "public").write_text(sealed_file.public_of(private))
    oaep = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"]
    wrap = ["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", "public", *oaep, "-in", "key", "-out", "part.key"]
    subprocess.run(wrap, cwd=tmp_path, check=True)
    encrypt = ["openssl", "enc", "-aes-256-ctr", "-pbkdf2", "-iter", "1", "-md", "sha256", "-salt"]
    subprocess.run([*encrypt, "-pass", "file:key", "-out", "part"], cwd=tmp_path, input=b"rows", check=True)
    found = sealed_file.unwrap((tmp_path / "part.key").read_bytes(), private)
    _, sha256 = sealed_file.digest(str(tmp_path / "part"))
    assert b"".join(sealed_file.read(str(tmp_path / "part"), sha256, found)) == b"rows"
    with pytest.raises(WrongKey):
        sealed_file.unwrap((tmp_path / "part.key").read_bytes()[:-1], private)


# -- openssl and the disk --------------------------------------------------------------------------


def test_a_key_that_is_far_too_long_is_refused_and_waits_for_nobody() -> None:
    with pytest.raises(WrongKey, match="never so long"):
        sealed_file.public_of("x" * 200_000)


def test_an_end_of_openssl_is_no_full_disk(private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(str(tmp_path / "part"), sealed_file.public_of(private))
    child = writer._child
    assert child is not None
    child.kill()
    child.wait()
    with pytest.raises(SealError, match="SIGKILL"):
        for _ in range(100):
            writer.write(b"x" * 65536)
    writer.abandon()


def test_a_full_disk_is_one(private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(sealed_file.owned_folder, "open_file", lambda path, flags: full)
    writer = Writer(str(tmp_path / "part"), sealed_file.public_of(private))
    with pytest.raises(OSError, match="No space left"):
        for _ in range(100):
            writer.write(b"x" * 65536)
        writer.close()
    writer.abandon()


def test_a_link_in_the_place_of_a_part_is_not_written_through(private: str, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("as it was")
    (tmp_path / "part").symlink_to("target")
    written(tmp_path / "part", "", b"content")
    assert (tmp_path / "target").read_text() == "as it was"
    assert (tmp_path / "part").read_bytes() == b"content" and not (tmp_path / "part").is_symlink()


def test_a_key_with_a_passphrase_is_refused_and_asks_nobody() -> None:
    with pytest.raises(WrongKey, match="passphrase"):
        sealed_file.public_of(key("-aes-256-cbc", "-pass", "pass:x"))


def test_an_invalid_public_key_is_named(private: str) -> None:
    with pytest.raises(SealError, match="private key"):
        sealed_file.fingerprint(private)
    with pytest.raises(SealError, match="not PEM"):
        sealed_file.fingerprint("ssh-rsa AAAA")
    assert sealed_file.fingerprint(sealed_file.public_of(private)) != sealed_file.fingerprint(
        sealed_file.public_of(key())
    )


def test_two_parts_have_two_keys(private: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name, sealed_file.public_of(private), b"the same")
    keys = {sealed_file.unseal((tmp_path / f"{name}.seal").read_bytes(), private).key for name in ("a", "b")}
    assert len(keys) == 2
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
