"""authorized_keys is read as OpenSSH reads it, and an edit touches no line that was not meant."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys, key_options
from ansible_collections.ops.runbook.plugins.module_utils.sshd.authorized_keys import Key, NotEdited
from ansible_collections.ops.runbook.plugins.module_utils.sshd.key_options import Option

KEYGEN = shutil.which("ssh-keygen")
NOW = 1_790_000_000.0


def part(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def encoded(*parts: bytes) -> str:
    return base64.b64encode(b"".join(map(part, parts))).decode()


def ed25519(seed: int) -> str:
    return f"ssh-ed25519 {encoded(b'ssh-ed25519', seed.to_bytes(32, 'big'))}"


def rsa(bits: int) -> str:
    modulus = b"\0" + (1 << bits - 1 | 1).to_bytes(bits // 8, "big")
    return f"ssh-rsa {encoded(b'ssh-rsa', bytes([1, 0, 1]), modulus)}"


def only(text: str | bytes) -> Key:
    [(_, key)] = authorized_keys.keys(text if isinstance(text, bytes) else text.encode())
    return key


A, B = ed25519(1), ed25519(2)
A_PRINT, B_PRINT = only(A).fingerprint, only(B).fingerprint

OPTIONS = {
    "none": ("", ()),
    "a flag": ("restrict ", (Option("restrict"),)),
    "names are compared without case": ("No-PTY ", (Option("no-pty"),)),
    "a quoted comma": ('from="10.0.0.1,*.example.com" ', (Option("from", "10.0.0.1,*.example.com"),)),
    "a quoted space": ('command="run it now" ', (Option("command", "run it now"),)),
    "a quoted quote": ('command="echo \\"a, b\\"",no-pty ', (Option("command", 'echo "a, b"'), Option("no-pty"))),
    "a tab before the key": ("restrict,pty\t", (Option("restrict"), Option("pty"))),
    "several of one": (
        'permitopen="a:1",permitopen="b:2" ',
        (Option("permitopen", "a:1"), Option("permitopen", "b:2")),
    ),
    "a key type as a command": ('command="ssh-rsa AAAA" ', (Option("command", "ssh-rsa AAAA"),)),
    "leading blanks": (" \t restrict ", (Option("restrict"),)),
}


@pytest.mark.parametrize(("before", "options"), OPTIONS.values(), ids=OPTIONS)
def test_options_are_read(before: str, options: tuple[Option, ...]) -> None:
    key = only(f"{before}{A} anna@example.com\n")
    assert (key.options, key.problem, key.fingerprint, key.comment) == (options, "", A_PRINT, "anna@example.com")


REFUSED = {
    "an unknown option": ("allow-all ", "option allow-all"),
    "an unknown option with a value": ('colour="red" ', "option colour"),
    "no quotes": ("from=10.0.0.1 ", "is not in quotes"),
    "no value": ("command ", "option command has no value"),
    "a value where none belongs": ('restrict="yes" ', "option restrict"),
    "twice": ('from="a",from="b" ', "option from twice"),
    "an expiry that is not a time": ('expiry-time="next week" ', "not a time that sshd knows"),
}


@pytest.mark.parametrize(("before", "why"), REFUSED.values(), ids=REFUSED)
def test_a_line_that_sshd_refuses_for_its_options_is_a_key_with_a_problem(before: str, why: str) -> None:
    key = only(f"{before}{A}\n")
    assert why in key.problem and not key.lets_in(NOW) and key.fingerprint == A_PRINT


NO_KEY = {
    "a word": ("hello\n", "no key"),
    "a quote that is never closed": (f'command="a {A}\n', "never closed"),
    "cut short": (A[:-8] + "\n", "not followed by a key"),
    "another type's blob": (A.replace("ssh-ed25519", "ssh-rsa") + "\n", "not followed by a key"),
    "no blob": ("ssh-ed25519\n", "no key|not followed"),
    "a certificate": (f"ssh-ed25519-cert-v01@openssh.com {A.split()[1]}\n", "certificate"),
    "a short RSA key": (rsa(768) + "\n", "not followed by a key"),
    "a byte order mark": ("\ufeff" + A + "\n", "no key|not followed"),
    "bytes behind": (f"ssh-ed25519 {encoded(b'ssh-ed25519', bytes(32), b'x')}\n", "not followed by a key"),
}


@pytest.mark.parametrize(("text", "why"), NO_KEY.values(), ids=NO_KEY)
def test_a_line_that_is_not_a_key_is_reported_without_its_text(text: str, why: str) -> None:
    [line] = authorized_keys.parse(text.encode())
    assert line.key is None
    assert any(one in line.problem for one in why.split("|"))
    assert A.split()[1][10:30] not in repr(line)


def test_comments_and_blank_lines_are_nothing() -> None:
    lines = authorized_keys.parse(f"# {A}\n\n \t\n\r\n  # x\n".encode())
    assert [(line.key, line.problem) for line in lines] == [(None, "")] * 5


SHAPES = {
    "crlf": f"{A}\r\n{B} b\r\n".encode(),
    "no end": f"{A}\n{B} b".encode(),
    "a null byte": f"{A}\n{B} b\0 c\n".encode(),
    "a comment in latin-1": f"{A}\n{B} b".encode() + b"\xe9\n",
    "unknown lines between": f"{A}\nhello\n# x\n\n{B} b\n".encode(),
}


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES)
def test_keys_are_found_in_every_shape_of_file(content: bytes) -> None:
    assert [key.fingerprint for _, key in authorized_keys.keys(content)] == [A_PRINT, B_PRINT]


def test_nothing_shows_a_blob() -> None:
    key = only(f"{A} x\n")
    assert key.blob and A.split()[1] not in repr(key) and repr(key.blob) not in repr(key)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20261121Z", 1795219200.0),
        ("202611210102Z", 1795222920.0),
        ("20261121010203Z", 1795222923.0),
        ("20261321Z", None),
        ("2026-11-21", None),
        ("202611210Z", None),
        ("", None),
    ],
)
def test_an_expiry_is_read(text: str, seconds: float | None) -> None:
    assert key_options.expiry(text) == seconds


def test_the_earliest_of_two_expiries_counts() -> None:
    key = only(f'expiry-time="20270101Z",expiry-time="20260101Z" {A}\n')
    assert key.expires == key_options.expiry("20260101Z")
    assert key.expired(NOW) and not key.lets_in(NOW)


def test_an_authority_lets_nobody_in_by_itself() -> None:
    assert not only(f"cert-authority {A}\n").lets_in(NOW)
    assert only(f"{A}\n").lets_in(NOW)


@pytest.mark.parametrize(
    ("line", "weak"),
    [(rsa(1024), "RSA of 1024 bits"), (rsa(2048), "RSA of 2048"), (rsa(3072), ""), (A, "")],
)
def test_weak_types_are_named(line: str, weak: str) -> None:
    assert authorized_keys.weakness(only(line)).startswith(weak) and bool(authorized_keys.weakness(only(line))) is bool(
        weak
    )


def test_options_are_shown_without_what_they_may_hide() -> None:
    key = only(f'from="10.0.0.1",command="/bin/deploy --token s3cret",environment="TOKEN=s3cret",no-pty {A} c\n')
    said = authorized_keys.shown_options(key)
    assert said == 'from="10.0.0.1",command="/bin/deploy …",environment="TOKEN=…",no-pty'


@pytest.mark.parametrize("text", [A.split()[1], f"a {A.split()[1]} b", "\x1b[31mred", "a\udce9"])
def test_a_comment_is_shown_without_keys_and_control_characters(text: str) -> None:
    said = authorized_keys.shown(text)
    assert A.split()[1][:40] not in said and said.isprintable()
    said.encode()


# -- edits ---------------------------------------------------------------------------------------

ADDED = {
    "to an empty file": (b"", f"{A}\n"),
    "to a file": (f"{B} b\n".encode(), f"{B} b\n{A}\n"),
    "behind a line without end": (f"{B} b".encode(), f"{B} b\n{A}\n"),
    "in a file with carriage returns": (f"{B} b\r\n".encode(), f"{B} b\r\n{A}\r\n"),
    "there already": (f"{A} other comment\n{B}\n".encode(), f"{A} other comment\n{B}\n"),
}


@pytest.mark.parametrize(("before", "after"), ADDED.values(), ids=ADDED)
def test_a_key_is_added(before: bytes, after: str) -> None:
    assert authorized_keys.add(before, A.encode()) == after.encode()


@pytest.mark.parametrize(
    ("before", "line", "why"),
    [
        (f"restrict {A}\n", A, "line 1 with other options"),
        (f"no-such-option {A}\n", A, "line 1 with other options"),
        ("", "hello", "not a key"),
        ("", f"{A}\n{B}", "not one line"),
        ("", "# x", "not a key that sshd takes"),
        ("", "", "not a key that sshd takes"),
        ("", f"nonsense {A}", "option nonsense"),
        ("", f"{A} a\rb", "control character"),
    ],
)
def test_a_line_that_can_t_be_added_is_refused(before: str, line: str, why: str) -> None:
    with pytest.raises(NotEdited, match=why) as caught:
        authorized_keys.add(before.encode(), line.encode())
    assert A.split()[1] not in str(caught.value)


def test_every_line_of_a_key_is_removed_and_nothing_else() -> None:
    content = f'# {A}\n{A} one\r\n{B}\nfrom="x" {A} two\nnonsense {A}\nhello\n{B}'.encode()
    assert authorized_keys.remove(content, A_PRINT) == f"# {A}\n{B}\nhello\n{B}".encode()


@pytest.mark.parametrize("wanted", ["", "SHA256:", "MD5:00:11", A_PRINT + "=", A_PRINT.lower().replace("sha256", "x")])
def test_an_invalid_fingerprint_removes_nothing(wanted: str) -> None:
    with pytest.raises(NotEdited, match="invalid fingerprint"):
        authorized_keys.remove(A.encode(), wanted)


# -- laws ----------------------------------------------------------------------------------------

SEEDS = st.integers(min_value=1, max_value=6)
COMMENTS = st.binary(max_size=12).filter(lambda text: b"\n" not in text)
BEFORE = st.sampled_from([b"", b"restrict ", b'from="a,b" ', b'command="x \\"y\\" z",no-pty ', b"nonsense ", b'a="b '])
KEY_LINES = st.builds(
    lambda before, seed, comment: before + ed25519(seed).encode() + b" " + comment, BEFORE, SEEDS, COMMENTS
)
LINES = st.one_of(KEY_LINES, st.binary(max_size=40).filter(lambda text: b"\n" not in text), st.just(b"# comment"))
ENDS = st.sampled_from([b"\n", b"\r\n"])
FILES = st.builds(
    lambda lines, last: b"".join(line + end for line, end in lines) + last,
    st.lists(st.tuples(LINES, ENDS), max_size=8),
    st.one_of(st.just(b""), LINES),
)


@given(st.one_of(FILES, st.binary(max_size=300)))
def test_reading_loses_no_byte(content: bytes) -> None:
    lines = authorized_keys.parse(content)
    assert b"".join(line.raw for line in lines) == content
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))


@given(FILES, SEEDS)
def test_removing_leaves_every_other_line_byte_for_byte(content: bytes, seed: int) -> None:
    wanted = only(ed25519(seed)).fingerprint
    after = authorized_keys.remove(content, wanted)
    kept = [line.raw for line in authorized_keys.parse(content) if not line.key or line.key.fingerprint != wanted]
    assert [line.raw for line in authorized_keys.parse(after)] == kept
    assert wanted not in [key.fingerprint for _, key in authorized_keys.keys(after)]
    assert authorized_keys.remove(after, wanted) == after


@given(FILES, SEEDS)
def test_adding_leaves_every_other_line_byte_for_byte(content: bytes, seed: int) -> None:
    line = ed25519(seed).encode() + b" new"
    try:
        after = authorized_keys.add(content, line)
    except NotEdited:
        assert only(line).fingerprint in [key.fingerprint for _, key in authorized_keys.keys(content)]
        return
    assert after.startswith(content)
    assert after == content or after[len(content) :].lstrip(b"\r\n").rstrip(b"\r\n") == line
    found = [key.fingerprint for _, key in authorized_keys.keys(after) if key.lets_in(NOW)]
    assert only(line).fingerprint in found
    assert authorized_keys.add(after, line) == after


@given(FILES)
def test_a_key_that_was_added_and_removed_leaves_the_file_with_at_most_a_line_end_more(content: bytes) -> None:
    new = ed25519(99)
    there = authorized_keys.remove(authorized_keys.add(content, new.encode()), only(new).fingerprint)
    assert there in (content, content + b"\n", content + b"\r\n")


# -- an outside authority ------------------------------------------------------------------------


def listed(path: Path) -> list[tuple[str, str]]:
    """(bits, fingerprint) of each key, as ssh-keygen sees them."""
    ran = subprocess.run([str(KEYGEN), "-lf", str(path)], check=False, capture_output=True)
    # A comment may hold a carriage return, which ends a line only where text is read.
    words = [line.split(b" ") for line in ran.stdout.split(b"\n") if line]
    return [(bits.decode(), found.decode()) for bits, found, *_ in words]


@pytest.mark.skipif(KEYGEN is None, reason="ssh-keygen is not there")
@pytest.mark.parametrize(
    ("kind", "bits"),
    [("ed25519", 256), ("rsa", 1024), ("rsa", 2048), ("rsa", 3072), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521)],
)
def test_ssh_keygen_sees_the_same_key(tmp_path: Path, kind: str, bits: int) -> None:
    made = tmp_path / "key"
    subprocess.run([str(KEYGEN), "-q", "-t", kind, "-b", str(bits), "-N", "", "-C", "x", "-f", str(made)], check=True)
    public = (tmp_path / "key.pub").read_text()
    path = tmp_path / "authorized_keys"
    for shape in (public, public.rstrip(), public.replace("\n", "\r\n"), f'from="a,b",command="c \\"d\\" e" {public}'):
        path.write_bytes(shape.encode())
        key = only(shape)
        assert [(str(key.bits), key.fingerprint)] == listed(path)
        assert (key.bits, key.problem) == (bits, "")


@pytest.mark.skipif(KEYGEN is None, reason="ssh-keygen is not there")
def test_ssh_keygen_sees_the_same_keys_in_odd_files(tmp_path: Path) -> None:
    path = tmp_path / "authorized_keys"
    odd = [text for text, _ in NO_KEY.values()] + [f"{before}{A} c\n" for before, _ in OPTIONS.values()]
    odd += [f"{before}{B}\n" for before, _ in REFUSED.values()] + ["# x\n", "\n", f"{A}\r\n", rsa(1024)]
    for content in ["".join(odd), *odd]:
        path.write_bytes(content.encode())
        found = [(str(key.bits), key.fingerprint) for _, key in authorized_keys.keys(content.encode())]
        assert found == listed(path), content
