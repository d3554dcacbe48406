"""An edit changes its line, and nothing that anybody else did at the same moment."""

from __future__ import annotations

import contextlib
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


@pytest.mark.parametrize("atomic", [True, False])
def test_a_link_that_somebody_puts_in_the_place_of_the_file_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, atomic: bool
) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    if not atomic:
        monkeypatch.setattr(key_file, "exchange", lambda _first, _second: False)

    def change(content: bytes) -> bytes:
        path.rename(tmp_path / "moved")
        path.symlink_to("moved")
        return content + b"ours\n"

    with pytest.raises(OSError, match="symbolic links"):
        key_file.edit(str(path), change)
    assert path.is_symlink() and path.read_bytes() == b"a\n"
    assert sorted(os.listdir(tmp_path)) == ["keys", "moved"]


def test_a_writer_that_never_stops_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")

    def change(content: bytes) -> bytes:
        path.write_bytes(content + b"theirs\n")
        return content + b"ours\n"

    with pytest.raises(key_file.EditFailed) as caught:
        key_file.edit(str(path), change)
    assert str(caught.value) == (
        f"{path} is being changed by somebody else: 5 times it was another file than a moment ago"
    )
    assert path.read_bytes() == b"a\n" + b"theirs\n" * key_file.TRIES
    assert os.listdir(tmp_path) == ["keys"]


def test_a_second_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    os.link(path, tmp_path / "second")
    with pytest.raises(
        key_file.EditFailed, match=r"keys has 2 names \(hard links\), and only one of them would be changed$"
    ):
        key_file.edit(str(path), lambda content: content + b"b\n")
    assert path.read_bytes() == b"a\n"


def test_two_who_write_within_one_moment_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    theirs, exchange = [b"first\n", b"second\n"], key_file.exchange

    def exchanged(one: str, other: str) -> bool:
        path.write_bytes(theirs.pop(0))
        return exchange(one, other)

    monkeypatch.setattr(key_file, "exchange", exchanged)
    with pytest.raises(key_file.EditFailed) as caught:
        key_file.edit(str(path), lambda content: content + b"ours\n")
    [kept] = [name for name in os.listdir(tmp_path) if name != "keys"]
    said, _, where = str(caught.value).rpartition(" ")
    assert said.endswith("keys was changed twice within one moment; one of the versions is in")
    assert os.path.basename(where) == kept
    assert (path.read_bytes(), (tmp_path / kept).read_bytes()) == (b"first\n", b"second\n")


@pytest.mark.parametrize("gone", [False, True], ids=["the new file is there", "somebody removed the new file"])
def test_a_full_disk_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")

    def full(_descriptor: int) -> None:
        for new in tmp_path.glob(".keys.*") if gone else ():
            new.unlink()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        key_file.edit(str(path), lambda content: content + b"b\n")
    assert path.read_bytes() == b"a\n" and os.listdir(tmp_path) == ["keys"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys")
    with pytest.raises(OSError) as caught:
        key_file.read(str(tmp_path / "keys"))
    assert caught.value.args == (0, "it is not a regular file, and sshd reads no key from it")
    assert caught.value.filename == str(tmp_path / "keys")


def test_a_file_is_read_up_to_a_length_that_no_person_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "LARGEST", 3)
    path = tmp_path / "keys"
    path.write_bytes(b"abc")
    assert key_file.read(str(path)) == b"abc"
    path.write_bytes(b"abcd")
    with pytest.raises(OSError) as caught:
        key_file.read(str(path))
    assert (caught.value.args, caught.value.filename) == ((0, "it is longer than any file of keys"), str(path))


def test_a_link_is_followed_only_where_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"a")
    (tmp_path / "link").symlink_to("keys")
    assert key_file.read(str(tmp_path / "link")) == b"a"
    assert key_file.read(str(tmp_path / "keys"), follow=False) == b"a"
    with pytest.raises(OSError, match="symbolic links"):
        key_file.read(str(tmp_path / "link"), follow=False)


# -- the new file is like the old one ------------------------------------------------------------


def test_the_new_file_is_written_beside_the_old_one_and_is_on_the_disk_before_they_are_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    path.chmod(0o4640)
    said: list[object] = []
    fsync, exchange = os.fsync, key_file.exchange

    def synced(descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        said.append((os.pread(descriptor, 9, 0), stat.S_IMODE(mode)) if stat.S_ISREG(mode) else "the folder")
        fsync(descriptor)

    def exchanged(one: str, other: str) -> bool:
        said.append((os.path.dirname(one) == os.path.dirname(other), os.path.basename(one)[:6]))
        return exchange(one, other)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(key_file, "exchange", exchanged)
    key_file.edit(str(path), lambda content: content + b"b\n")
    assert said == [(b"a\nb\n", 0o640), (True, ".keys."), "the folder"]


def test_a_new_file_is_renamed_durably_if_files_are_not_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    renamed: list[str] = []
    rename = key_file.durable_tree.rename
    monkeypatch.setattr(key_file, "exchange", lambda _one, _other: False)
    monkeypatch.setattr(
        key_file.durable_tree,
        "rename",
        lambda one, other: (renamed.append(os.path.basename(other)), rename(one, other)),
    )
    assert key_file.edit(str(path), lambda content: content + b"b\n") == (b"a\n", b"a\nb\n")
    assert (renamed, path.read_bytes(), os.listdir(tmp_path)) == (["keys"], b"a\nb\n", ["keys"])


def test_the_owner_is_kept_or_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    owners: list[tuple[int, int]] = []

    def give(descriptor: int, user: int, group: int) -> None:
        assert os.fstat(descriptor).st_ino != path.stat().st_ino
        owners.append((user, group))

    monkeypatch.setattr(os, "fchown", give)
    key_file.edit(str(path), lambda content: content + b"b\n")
    assert owners == []
    found = path.stat()
    for name, own in (("getegid", found.st_gid), ("geteuid", found.st_uid)):
        with monkeypatch.context() as other:
            other.setattr(os, name, lambda own=own: own + 1)
            other.setattr(key_file, "_held", contextlib.nullcontext)
            key_file.edit(str(path), lambda content: content + b"c\n")
    assert owners == [(found.st_uid, found.st_gid)] * 2

    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", forbidden)
    monkeypatch.setattr(os, "getegid", lambda: found.st_gid + 1)
    with pytest.raises(key_file.EditFailed) as caught:
        key_file.edit(str(path), lambda content: content + b"d\n")
    assert str(caught.value).endswith(f"keys belongs to {found.st_uid}:{found.st_gid}, and only root could keep it so")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"a\nb\nc\nc\n", ["keys"])


def test_labels_are_taken_over_as_far_as_the_file_system_lets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"a\n")
    labelled: list[tuple[str, bytes]] = []

    def label(descriptor: int, name: str, value: bytes) -> None:
        assert os.fstat(descriptor).st_ino != path.stat().st_ino
        if name == "security.selinux":
            raise OSError(95, "Operation not supported")
        labelled.append((name, value))

    def named(where: str) -> list[str]:
        return ["security.selinux", "user.a", "user.b"] if os.path.samefile(where, path) else []

    monkeypatch.setattr(os, "listxattr", named)
    monkeypatch.setattr(os, "getxattr", lambda where, name: (os.path.basename(where) + name).encode())
    monkeypatch.setattr(os, "setxattr", label)
    key_file.edit(str(path), lambda content: content + b"b\n")
    assert labelled == [("user.a", b"keysuser.a"), ("user.b", b"keysuser.b")]

    def none(_path: str) -> list[str]:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "listxattr", none)
    assert key_file.edit(str(path), lambda content: content + b"c\n")[1] == b"a\nb\nc\n"


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
