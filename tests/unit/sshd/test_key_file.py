"""An edit changes its line, and nothing that anybody else did at the same moment."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys, key_file

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def test_owner_mode_and_place_stay(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert key_file.edit(str(link), lambda content: content + b"b\n") == (b"a\n", b"a\nb\n")
    assert path.read_bytes() == b"a\nb\n" and link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["keys", "link"]


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    before = path.stat().st_ino
    key_file.edit(str(path), lambda content: content)
    assert path.stat().st_ino == before


@pytest.mark.parametrize("how", ["in place", "by rename"])
@pytest.mark.parametrize("atomic", [True, False])
def test_an_edit_by_somebody_else_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, atomic: bool
) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    if not atomic:
        monkeypatch.setattr(key_file, "exchange", lambda _first, _second: False)
    theirs = [b"theirs\n", b"again\n"]

    def change(content: bytes) -> bytes:
        if theirs:
            text = content + theirs.pop(0)
            if how == "in place":
                path.write_bytes(text)
            else:
                (tmp_path / "other").write_bytes(text)
                (tmp_path / "other").rename(path)
        return content + b"ours\n"

    key_file.edit(str(path), change)
    assert path.read_bytes() == b"a\ntheirs\nagain\nours\n"
    assert os.listdir(tmp_path) == ["keys"]


def test_a_writer_that_never_stops_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")

    def change(content: bytes) -> bytes:
        path.write_bytes(content + b"theirs\n")
        return content + b"ours\n"

    with pytest.raises(key_file.EditFailed, match="by somebody else"):
        key_file.edit(str(path), change)
    assert path.read_bytes() == b"a\n" + b"theirs\n" * key_file.TRIES
    assert os.listdir(tmp_path) == ["keys"]


def test_a_second_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    os.link(path, tmp_path / "second")
    with pytest.raises(key_file.EditFailed, match="hard links"):
        key_file.edit(str(path), lambda content: content + b"b\n")
    assert path.read_bytes() == b"a\n"


def test_a_full_disk_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        key_file.edit(str(path), lambda content: content + b"b\n")
    assert path.read_bytes() == b"a\n" and os.listdir(tmp_path) == ["keys"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys")
    with pytest.raises(OSError, match="not a regular file"):
        key_file.read(str(tmp_path / "keys"))


SUCCESSORS = {
    "bare": (KEY + " a", "new-type AAAA c"),
    "options": (f'from="192.0.2.1, 192.0.2.2",no-pty {KEY} a', 'from="192.0.2.1, 192.0.2.2",no-pty new-type AAAA c'),
    "a command with quotes": (f'command="say \\"hi, all\\"" {KEY}', 'command="say \\"hi, all\\"" new-type AAAA c'),
    "its time is its own": (f'no-pty,expiry-time="20200101" {KEY}', "no-pty new-type AAAA c"),
    "CRLF": (f"restrict {KEY} a\r\n", "restrict new-type AAAA c"),
}


@pytest.mark.parametrize(("old", "new"), SUCCESSORS.values(), ids=SUCCESSORS)
def test_the_options_are_carried_over(old: str, new: str) -> None:
    (line,) = authorized_keys.parse(old.encode())
    assert authorized_keys.successor(line, "new-type AAAA", "c").decode() == new


def test_an_expiry_time_may_be_given() -> None:
    (line,) = authorized_keys.parse(f"restrict {KEY}".encode())
    assert authorized_keys.successor(line, "t b", "c", "20270101") == b'restrict,expiry-time="20270101" t b c'


@given(st.lists(st.sampled_from(["# c", "", KEY + " admin", "junk", "x\r"]), max_size=6), st.booleans())
def test_adding_and_removing_leaves_the_lines_of_others(lines: list[str], ended: bool) -> None:
    content = "\n".join(lines).encode() + (b"\n" if ended and lines else b"")
    new = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA new"
    ((_number, key),) = authorized_keys.keys(new.encode())
    back = authorized_keys.remove(authorized_keys.add(content, new.encode()), key.fingerprint)
    assert back.rstrip(b"\r\n") == content.rstrip(b"\r\n") and back.startswith(content)
