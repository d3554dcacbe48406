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
    assert key.expires is not None
    assert [key.expired(key.expires + more) for more in (-1, 0, 0.9, 1)] == [False, False, False, True]


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


def test_of_a_line_to_add_only_blanks_and_line_ends_around_it_go() -> None:
    for comment in ("aX", "a\v"):
        assert authorized_keys.add(b"", f" \t{A} {comment} \t\r\n".encode()) == f"{A} {comment}\n".encode()


NO_KEY_TO_ADD = "the line to add is not a key that sshd takes"
OTHER_OPTIONS = f"{A_PRINT} is in line 1 with other options: remove it first, or keep them"


@pytest.mark.parametrize(
    ("before", "line", "why"),
    [
        (f"restrict {A}\n", A, OTHER_OPTIONS),
        (f"no-such-option {A}\n", A, OTHER_OPTIONS),
        ("", "hello", f"{NO_KEY_TO_ADD}: no key in it that sshd knows"),
        ("", f"{A}\n{B}", f"{NO_KEY_TO_ADD}: it is not one line"),
        ("", "# x", f"{NO_KEY_TO_ADD}: it is a comment"),
        ("", "\0", f"{NO_KEY_TO_ADD}: it holds a control character"),
        ("", "", f"{NO_KEY_TO_ADD}: it is not one line"),
        ("", f"nonsense {A}", f"{NO_KEY_TO_ADD}: it has the option nonsense, which sshd refuses"),
        ("", f"{A} a\rb", f"{NO_KEY_TO_ADD}: it holds a control character"),
        ("", f"{A} a\0b", f"{NO_KEY_TO_ADD}: it holds a control character"),
    ],
)
def test_a_line_that_can_t_be_added_is_refused(before: str, line: str, why: str) -> None:
    with pytest.raises(NotEdited) as caught:
        authorized_keys.add(before.encode(), line.encode())
    assert str(caught.value) == why


def test_every_line_of_a_key_is_removed_and_nothing_else() -> None:
    content = f'# {A}\n{A} one\r\n{B}\nfrom="x" {A} two\nnonsense {A}\nhello\n{B}'.encode()
    assert authorized_keys.remove(content, A_PRINT) == f"# {A}\n{B}\nhello\n{B}".encode()


@pytest.mark.parametrize("wanted", ["", "SHA256:", "MD5:00:11", A_PRINT + "=", A_PRINT.lower().replace("sha256", "x")])
def test_an_invalid_fingerprint_removes_nothing(wanted: str) -> None:
    with pytest.raises(NotEdited, match="invalid fingerprint"):
        authorized_keys.remove(A.encode(), wanted)


def point(curve: str, x: int) -> tuple[int, int]:
    """A point of a curve whose x is at least this."""
    _, prime, b = authorized_keys._CURVES[curve]
    while True:
        square = (x**3 - 3 * x + b) % prime
        y = pow(square, (prime + 1) // 4, prime)
        if y * y % prime == square:
            return x, y
        x += 1


def ecdsa(curve: str, form: bytes, *coordinates: int, size: int = 0) -> str:
    kind = f"ecdsa-sha2-{curve}".encode()
    size = size or (authorized_keys._CURVES[curve][0] + 7) // 8
    blob = form + b"".join(one.to_bytes(size, "big") for one in coordinates)
    return f"{kind.decode()} {encoded(kind, curve.encode(), blob)}"


def on(curve: str, x: int = 5) -> str:
    return ecdsa(curve, b"\4", *point(curve, x))


def dss(prime: int = 1 << 1023 | 1, kind: bytes = b"ssh-dss", zeros: bytes = b"") -> str:
    parts = [b"\0" + zeros + prime.to_bytes(128, "big"), b"\7", b"\5", zeros + b"\3"]
    return f"ssh-dss {encoded(kind, *parts)}"


X, Y = point("nistp256", 5)
POINT = b"\4" + X.to_bytes(32, "big") + Y.to_bytes(32, "big")
PRIME = authorized_keys._CURVES["nistp256"][1]
POINTS = {
    "on its curve": (on("nistp256"), 256),
    "on a longer curve": (on("nistp384"), 384),
    "on the longest curve": (on("nistp521"), 521),
    "beside its curve": (ecdsa("nistp256", b"\4", X, Y + 1), None),
    "the other root": (ecdsa("nistp256", b"\4", X, PRIME - Y), 256),
    "of the compressed form": (ecdsa("nistp256", b"\2", X), None),
    "said to be compressed": (ecdsa("nistp256", b"\2", X, Y), None),
    "with a byte more": (ecdsa("nistp256", b"\4", X, Y, size=33), None),
    "with a coordinate beyond the prime": (ecdsa("nistp256", b"\4", *[0 + PRIME, point("nistp256", 0)[1]]), None),
    "of no curve": (ecdsa("nistp256", b"\4", X, Y).replace("nistp256", "nistp25"), None),
    "of another curve than its type": (
        f"ecdsa-sha2-nistp384 {encoded(b'ecdsa-sha2-nistp384', b'nistp256', b'x')}",
        None,
    ),
    "on another curve than its type says": (
        f"ecdsa-sha2-nistp384 {encoded(b'ecdsa-sha2-nistp384', b'nistp256', POINT)}",
        None,
    ),
    "of a type that is newer than this": (f"ssh-new@example.com {encoded(b'ssh-new@example.com', b'x')}", 0),
    "of an unknown type": (f"ssh_new {encoded(b'ssh_new', b'x')}", None),
    "a certificate": (f"ssh-new-cert-v01@openssh.com {encoded(b'ssh-new-cert-v01@openssh.com', b'x')}", None),
    "behind two blanks": (A.replace(" ", " \t"), 256),
    "behind a form feed": (A.replace(" ", " \f "), None),
    "with a letter that is not of base64": (A.replace("AAAA", "AA-AA"), None),
    "of a curve that is not text": (f"ecdsa-sha2-nistp256 {encoded(b'ecdsa-sha2-nistp256', b'%c' % 255, b'x')}", None),
    "of a type that is not text": (f"ssh-ed25519 {encoded(b'%c' % 255, bytes(32))}", None),
    "DSA": (dss(), 1024),
    "DSA whose blob is of another type": (dss(kind=b"ssh-rsa"), None),
    "RSA of the least length": (rsa(1024), 1024),
    "RSA of the greatest length": (rsa(16384), 16384),
    "RSA that is longer": (rsa(16392), None),
    "RSA with an exponent of 7 bits": (
        f"ssh-rsa {encoded(b'ssh-rsa', b'a', bytes(1) + (1 << 2047).to_bytes(256, 'big'))}",
        2048,
    ),
    "RSA with a negative exponent": (
        f"ssh-rsa {encoded(b'ssh-rsa', bytes([0x80]), bytes(1) + (1 << 2047).to_bytes(256, 'big'))}",
        None,
    ),
    "RSA with a negative modulus": (
        f"ssh-rsa {encoded(b'ssh-rsa', bytes([1, 0, 1]), (1 << 2047 | 1).to_bytes(256, 'big'))}",
        None,
    ),
}


@pytest.mark.parametrize(("line", "bits"), POINTS.values(), ids=POINTS)
def test_a_key_has_to_be_one_of_its_type(line: str, bits: int | None) -> None:
    assert [key.bits for _, key in authorized_keys.keys(line.encode())] == ([] if bits is None else [bits])


def test_a_comment_loses_only_blanks_and_line_ends() -> None:
    for comment in ("\v a \v", "Xa X", ""):
        assert only(f"{A} \t{comment} \t\r\n").comment == comment
    assert only(A).comment == ""


def test_the_fingerprint_is_that_of_the_key_as_sshd_writes_it() -> None:
    """Zeros before an integer, and the other names of a type, are of the file and not of the key."""
    modulus = (1 << 2047 | 1).to_bytes(256, "big")
    exponent = bytes([1, 0, 1])
    plain = only(f"ssh-rsa {encoded(b'ssh-rsa', exponent, b'%c' % 0 + modulus)}")
    zeros = only(f"ssh-rsa {encoded(b'ssh-rsa', bytes(2) + exponent, bytes(9) + modulus)}")
    newer = only(f"rsa-sha2-512 {encoded(b'rsa-sha2-256', exponent, bytes(1) + modulus)}")
    assert (plain.bits, plain.kind) == (2048, "ssh-rsa")
    assert plain == zeros == newer
    assert only(dss()) == only(dss(zeros=bytes(3)))
    high = only(f"ssh-rsa {encoded(b'ssh-rsa', b'%c' % 0 + bytes([0x80]), bytes(1) + modulus)}")
    assert (
        high.fingerprint
        == only(f"ssh-rsa {encoded(b'ssh-rsa', bytes(5) + bytes([0x80]), bytes(1) + modulus)}").fingerprint
    )
    assert high.blob.count(b"\0\0\0\2\0\x80") == 1
    assert only(f"ssh-rsa {encoded(b'ssh-rsa', bytes(2) + b'XZ', bytes(1) + modulus)}").blob.count(b"\0\0\0\2XZ") == 1


def test_the_weakness_of_dsa_is_named() -> None:
    assert authorized_keys.weakness(only(dss())).startswith("DSA has 1024 bits")
    assert authorized_keys.weakness(only(rsa(3064))) == "RSA of 3064 bits; 3072 are asked for"
    assert authorized_keys.weakness(only(rsa(3072)), 4096) == "RSA of 3072 bits; 4096 are asked for"


SHOWN = {
    "a command without arguments": ('command="/bin/deploy" ', 'command="/bin/deploy"'),
    "a command after blanks": ('command=" run it" ', 'command="run …"'),
    "a variable whose value has an equals sign": ('environment="A=B=C" ', 'environment="A=…"'),
    "an empty value": ('from="" ', 'from=""'),
}


@pytest.mark.parametrize(("before", "said"), SHOWN.values(), ids=SHOWN)
def test_an_option_is_shown(before: str, said: str) -> None:
    assert authorized_keys.shown_options(only(f"{before}{A}\n")) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("AAAA" + "a" * 15, "AAAA" + "a" * 15),
        ("AAAA" + "aZ0+/=" * 3, "…"),
        ("x AAAA" + "z" * 16 + " y", "x … y"),
        ("q" * 63, "q" * 63),
        ("aZ0+/q" * 11 + "==", "…"),
        ("B" * 64 + "=", "…"),
        ("b" * 64, "…"),
    ],
)
def test_a_word_that_looks_like_a_key_is_not_shown(text: str, said: str) -> None:
    assert authorized_keys.shown(text) == said


BARE = {
    "a key": (A.encode(), {A_PRINT}),
    "after blanks": (b" \t" + A.encode(), {A_PRINT}),
    "after a blank line": (b"\n" + A.encode() + b"\n", {A_PRINT}),
    "after another control character": (b"\f" + A.encode(), set()),
    "behind options": (b"restrict " + A.encode(), set()),
    "with a comment in latin-1": (A.encode() + b" caf\xe9", {A_PRINT}),
    "up to a null byte": (A.encode() + b"\0" + B.encode(), {A_PRINT}),
    "behind a null byte": (b"\0" + A.encode(), set()),
    "two": (f"{A}\n{B}\n".encode(), {A_PRINT, B_PRINT}),
}


@pytest.mark.parametrize(("content", "found"), BARE.values(), ids=BARE)
def test_a_list_of_revoked_keys_has_no_options(content: bytes, found: set[str]) -> None:
    assert authorized_keys.bare(content) == found


PUT_BACK = {
    "gone": (f"{B}\n".encode(), f"{A} aX\n{B}\n".encode(), f"{B}\n{A} aX\n".encode()),
    "all of its lines, to the letter": (
        f"{B}\n".encode(),
        f'from="x"  {A} one \t\r\n{B}\n no-pty {A}'.encode(),
        f'{B}\nfrom="x"  {A} one \t\n no-pty {A}\n'.encode(),
    ),
    "there": (f"{A} b\n".encode(), f"{A} a\n".encode(), f"{A} b\n".encode()),
    "never there": (f"{B}".encode(), f"{B}\n# {A}\nhello\n".encode(), f"{B}".encode()),
    "into a file with carriage returns": (f"{B}\r\n".encode(), f"{A}\n".encode(), f"{B}\r\n{A}\r\n".encode()),
}


@pytest.mark.parametrize(("content", "before", "after"), PUT_BACK.values(), ids=PUT_BACK)
def test_the_lines_of_a_key_are_put_back(content: bytes, before: bytes, after: bytes) -> None:
    assert authorized_keys.put_back(content, before, A_PRINT) == after


SUCCESSORS = {
    "a bare key": (A, "", f"{B} new one"),
    "its options to the letter": (f'From="a, b",no-PTY\t{A} old', "", f'From="a, b",no-PTY {B} new one'),
    "never its expiry": (f'expiry-time="20990101",pty,EXPIRY-time="x=y",restrict {A}', "", f"pty,restrict {B} new one"),
    "blanks before its options": (f" \t no-pty {A}", "", f"no-pty {B} new one"),
    "a form feed before its options": (f"\fno-pty {A}", "", f"\fno-pty {B} new one"),
    "an expiry of its own": (f"restrict {A}", "20300101", f'restrict,expiry-time="20300101" {B} new one'),
    "an expiry alone": (f" \t{A}", "20300101", f'expiry-time="20300101" {B} new one'),
    "an option that only ends so": (f'environment="A=expiry-time" {A}', "", f'environment="A=expiry-time" {B} new one'),
}


@pytest.mark.parametrize(("line", "expires", "after"), SUCCESSORS.values(), ids=SUCCESSORS)
def test_a_successor_has_the_options_and_another_key(line: str, expires: str, after: str) -> None:
    [read] = authorized_keys.parse(line.encode())
    assert authorized_keys.successor(read, f" {B} ", "  new \t one\n", expires) == after.encode()


def test_a_successor_keeps_bytes_that_are_not_text() -> None:
    [line] = authorized_keys.parse(b'environment="A=\xe9",no-pty ' + A.encode() + b"\0no")
    assert authorized_keys.successor(line, B, "") == b'environment="A=\xe9",no-pty ' + B.encode()


def test_a_line_without_a_key_has_no_successor() -> None:
    [line] = authorized_keys.parse(b"# x\n")
    with pytest.raises(NotEdited, match="line 1 holds no key"):
        authorized_keys.successor(line, B, "")


@pytest.mark.parametrize(
    ("before", "added"),
    [
        (f'from="a",from="b" {A}\n', f'from="a" {A}'),
        (f"restrict {A}\n", f"no-pty {A}"),
        (f"no-pty,restrict {A}\nno-pty {A}\n", f"pty {A}"),
    ],
)
def test_a_key_is_not_added_behind_one_with_other_options(before: str, added: str) -> None:
    with pytest.raises(NotEdited, match="is in line 1 with other options"):
        authorized_keys.add(before.encode(), added.encode())


def test_a_key_with_the_same_options_in_another_order_is_there() -> None:
    content = f'no-pty,from="a",restrict {A}\n'.encode()
    assert authorized_keys.add(content, f'restrict,no-pty,from="a" {A} x'.encode()) == content


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ssh-ed25519 x y", "ssh-ed25519 is not followed by a key of that type"),
        ("ssh-ed25519\tx", "ssh-ed25519 is not followed by a key of that type"),
        ("ssh-ed25519\r", "ssh-ed25519 is not followed by a key of that type"),
        ("restrict ssh-rsa x", "ssh-rsa is not followed by a key of that type"),
        ("restrict ssh-rsa-cert-v01@openssh.com x", "a certificate, which sshd does not look for here"),
        ("hello ssh ed", "no key in it that sshd knows"),
        (f"no-pty \f{A}", "no key in it that sshd knows"),
        (f'no-pty,from="a {A}', "a quote in its options is never closed"),
        (" \t", ""),
        ("\t\0x", ""),
    ],
)
def test_why_a_line_is_no_key(line: str, why: str) -> None:
    assert [one.problem for one in authorized_keys.parse(line.encode())] == [why]


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
