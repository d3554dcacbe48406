"""Lines of authorized_keys in every form that sshd(8) has, and many that it has not: what the reader says of each is
held against a real sshd, by the tests of this folder and by those on the hosts of molecule/.

A template has {key} (type and blob), or {type} and {blob}. Every line gets a key of its own, so one sshd is asked for
all of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.place import Place, Places
from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys
from ansible_collections.ops.runbook.plugins.module_utils.sshd import files as sshd_files

ASK = Path(__file__).with_name("ask_sshd.py")
#: What sshd of Debian 13 said of the table: where there is no sshd, the reader is held against that.
RECORDED = Path(__file__).with_name("key_lines.json")
#: What older versions do otherwise, and from which on it is as here. Nobody writes such lines.
OLDER = {
    "from '::/129,127.0.0.1' 16": (9, 8),
    "from '127.0.0.1/+32' 13": (9, 8),
    "from '127.0.0.1/ 32' 13": (9, 8),
    "expiry-time '209912312360' 12": (9, 0),
}
#: From where sshd is asked.
ADDRESS = "127.0.0.1"

# -- keys ------------------------------------------------------------------------------------------


def part(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def public(name: str, *parts: bytes, inner: str = "") -> str:
    blob = b"".join(map(part, ((inner or name).encode(), *parts)))
    return f"{name} {base64.b64encode(blob).decode()}"


def ed25519(seed: str) -> str:
    return public("ssh-ed25519", hashlib.sha256(seed.encode()).digest())


def _number(seed: str, bits: int) -> bytes:
    """An odd integer of so many bits; OpenSSH does not ask whether it has two factors."""
    digits = b"".join(hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(bits // 256 + 1))
    number = int.from_bytes(digits, "big") % (1 << bits) | 1 << (bits - 1) | 1
    return number.to_bytes(bits // 8 + 1, "big")


def rsa(seed: str, bits: int, name: str = "ssh-rsa", inner: str = "ssh-rsa") -> str:
    return public(name, b"\x01\x00\x01", _number(seed, bits), inner=inner)


def _point(seed: str, curve: ec.EllipticCurve) -> bytes:
    secret = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") >> 8
    form = serialization.PublicFormat.UncompressedPoint
    return ec.derive_private_key(secret, curve).public_key().public_bytes(serialization.Encoding.X962, form)


_CURVES: Mapping[str, ec.EllipticCurve] = {
    "nistp256": ec.SECP256R1(),
    "nistp384": ec.SECP384R1(),
    "nistp521": ec.SECP521R1(),
}


def ecdsa(seed: str, curve: str) -> str:
    return public(f"ecdsa-sha2-{curve}", curve.encode(), _point(seed, _CURVES[curve]))


def dsa(seed: str) -> str:
    return public("ssh-dss", *(_number(f"{seed} {bits}", bits) for bits in (1024, 160, 1024, 1016)))


def sk_ed25519(seed: str) -> str:
    return public("sk-ssh-ed25519@openssh.com", hashlib.sha256(seed.encode()).digest(), b"ssh:")


def sk_ecdsa(seed: str, name: str = "sk-ecdsa-sha2-nistp256@openssh.com", inner: str = "") -> str:
    return public(name, b"nistp256", _point(seed, ec.SECP256R1()), b"ssh:", inner=inner)


# -- the table -------------------------------------------------------------------------------------

_FLAGS = ("restrict", "cert-authority")
_SWITCHES = (
    "port-forwarding",
    "agent-forwarding",
    "x11-forwarding",
    "touch-required",
    "verify-required",
    "pty",
    "user-rc",
)
_VALUED = (
    "command",
    "principals",
    "from",
    "expiry-time",
    "environment",
    "permitopen",
    "permitlisten",
    "tunnel",
)

_VALUES = {
    "from": (
        *("127.0.0.1", "127.0.0.0/8", "127.0.0.0/32", "127.0.0.1/32", "127.0.0.1/33", "127.0.0.1/8", "127.1", "127.*"),
        *("*", "?27.0.0.1", "127.0.0.?", "*,!127.0.0.1", "!127.0.0.1,*", "!10.0.0.0/8", "!10.0.0.0/8,127.0.0.1", ""),
        *("127.0.0.1,", ",127.0.0.1", "127.0.0.1,,10.0.0.1", "!", "127.0.0.1,!", "10.0.0.1", "10.0.0.0/8,127.0.0.0/8"),
        *("10.0.0.0/8,127.0.0.1/33", "127.0.0.1,10.0.0.0/33", "!127.0.0.1,10.0.0.0/33", "::1", "::1,127.0.0.1", "::/0"),
        *("::/129,127.0.0.1", "fe80::/10,127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0/0", "0/0", "0.0.0.0", "127.0.0.1/"),
        *("127.0.0.1/a,127.0.0.1", "127.0.0.1/+32", "127.0.0.1/ 32", "127.0.0.1/032", "127.0.0.1/-1", "localhost"),
        *(
            "LOCALHOST,127.0.0.1",
            "*.example.com",
            "*.example.com,127.0.0.1",
            "127.0.0.1 ",
            " 127.0.0.1",
            "a b,127.0.0.1",
        ),
        *("host/8", "host/8,127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1%lo", "[127.0.0.1]", "*/8"),
        *("\u00e9.example.com,127.0.0.1", "x" * 1100, "x" * 1100 + ",127.0.0.1", "127.0.0.1," + "x" * 1100, "1" * 70),
        *(
            "1.2.3.4/0",
            "0.0.0.0/00",
            "127.0.0.1/99999999999,127.0.0.1",
            "*127*",
            "**",
            "127.0.0.1*",
            "!*",
            "!*,127.0.0.1",
        ),
        *("!?,127.0.0.1", "!10.*,127.0.0.1", "!127.*,127.0.0.1", "127.0.0.1;10.0.0.1"),
    ),
    "expiry-time": (
        *(
            "20991231",
            "20991231Z",
            "20991231z",
            "20991231UTC",
            "20991231utc",
            "20991231 Z",
            "209912312359",
            "20991231235959",
        ),
        *("209912312359Z", "20991231235959Z", "20991231235960Z", "20991231235961Z", "20991231235962Z", "209912312400"),
        *("209912312360", "20200101", "20200101Z", "202001010000Z", "20990231", "20990230Z", "20990431Z", "20991301"),
        *(
            "20990001",
            "20990100",
            "20990132",
            "19700101Z",
            "19700102Z",
            "19691231Z",
            "19000101Z",
            "00010101Z",
            "00000101Z",
        ),
        *(
            "99991231Z",
            "",
            "Z",
            "UTC",
            "never",
            "forever",
            "+52w",
            "2099-12-31",
            "2099123",
            "209912310",
            "2099123100000",
        ),
        *("20991231T2359", "209912312359595", "2099 1 1", "20 91231", "    0101", "2099010 ", "2099 101", "209901 1Z"),
        *("0x991231", "-9991231", "20991231+01", "20380120Z", "21060208Z", "99991231235959"),
    ),
    "environment": (
        *(
            "A=b",
            "A=",
            "A",
            "=x",
            "",
            "A B=c",
            "A-B=c",
            "A.B=c",
            "1=2",
            "_=1",
            "A=b=c",
            "A= b",
            " A=b",
            "\u00c4=b",
            "A=\u00e4",
        ),
        *("PATH=/bin", 'A=\\"b\\"', "A\tB=c", "LD_PRELOAD=/x"),
    ),
    "permitopen": (
        *(
            "host:22",
            "host",
            "host:",
            "host:0",
            "host:-1",
            "host:65535",
            "host:65536",
            "host:*",
            "*:*",
            "*:22",
            ":22",
            "",
        ),
        *(
            "any",
            "none",
            "[::1]:22",
            "[::1]",
            "[::1",
            "::1:22",
            "host/22",
            "host:22:23",
            "host: 22",
            "host:22 ",
            "host:+22",
        ),
        *(
            "host:022",
            "host:0x16",
            "host:ssh",
            "host:no-such-service",
            "[]:22",
            "[a]b:22",
            "a[b]:22",
            "/22",
            "/",
            ":",
            "*",
        ),
        *("h" * 1024 + ":22", "h" * 1025 + ":22", "10.0.0.1:5432", "host:22,host:23"),
    ),
    "permitlisten": (
        *(
            "8080",
            "0",
            "x",
            "*",
            "",
            "localhost:8080",
            "*:8080",
            "host:0",
            "65536",
            "-1",
            "[::1]:8080",
            "::1",
            "ssh",
            " 80",
        ),
        *("host:", ":8080", "host/8080", "/8080", "any", "none", "[::1]"),
    ),
    "tunnel": (
        *(
            "0",
            "1",
            "any",
            "ANY",
            "Any",
            "-1",
            "x",
            "",
            "0:0",
            "any:any",
            "2147483645",
            "2147483646",
            "2147483647",
            " 1",
            "1 ",
        ),
        *("+1", "-0", "01", "0x1", "none"),
    ),
    "command": (
        "",
        "x",
        "a b",
        'echo \\"x, y\\"',
        "\\\\",
        "a\\",
        "a\\\\",
        "#",
        "ssh-rsa AAAA",
        "\u00e9",
        "\t",
        "\r",
        "a=b,c",
    ),
    "principals": ("", "deploy", "a,b"),
}

_SHAPES = {
    "nothing": "{key}",
    "a comment": "{key} anna@example.com",
    "a comment of several words": "{key} a b  c # d",
    "a comment with quotes": '{key} "a',
    "a carriage return": "{key}\r",
    "a comment and a carriage return": "{key} c\r",
    "blanks before": "  \t {key}",
    "a form feed before": "\f{key}",
    "a vertical tab before": "\v{key}",
    "a carriage return before": "\r{key}",
    "a byte order mark": "\ufeff{key}",
    "a no-break space before": "\u00a0{key}",
    "a tab between": "{type}\t{blob}",
    "several blanks between": "{type}  \t {blob}",
    "a carriage return between": "{type}\r{blob}",
    "a no-break space between": "{type}\u00a0{blob}",
    "a tab behind": "{key}\tc",
    "a blank behind": "{key} ",
    "commented out": "#{key}",
    "commented out behind blanks": "  # {key}",
    "a null byte behind": "{key} \0 c",
    "a null byte at once behind": "{key}\0",
    "a null byte in the blob": "{type} {blob:.30}\0{key}",
    "a null byte before": "\0{key}",
    "a null byte in the options": "no-pty\0 {key}",
    "the type alone": "{type}",
    "the type and a blank": "{type} ",
    "the blob alone": "{blob}",
    "no type": " {blob} c",
    "two types": "{type} {key}",
    "another type": "ssh-rsa {blob}",
    "another type's name as an option": "ssh-rsa {key}",
    "a type in capitals": "SSH-ED25519 {blob}",
    "an unknown type": "ssh-foo {blob}",
    "a short name": "ed25519 {blob}",
    "a certificate's type": "ssh-ed25519-cert-v01@openssh.com {blob}",
    "the blob in quotes": '{type} "{blob}"',
    "the key in quotes": '"{key}"',
    "behind another key": "{other} {key}",
    "behind another key and options": "{other} no-pty {key}",
    "the number of version 1": "2048 35 {key}",
    "PuTTY's export": "---- BEGIN SSH2 PUBLIC KEY ----",
    "padding behind": "{key}=",
    "a blank in the blob": "{type} {blob:.20} {blob}",
    "a line of a private key": "-----BEGIN OPENSSH " + "PRIVATE" + " KEY-----",
    "options and a tab": "no-pty\t{key}",
    "options and several blanks": "no-pty   {key}",
    "options behind a blank": " no-pty {key}",
    "options and a carriage return": "no-pty\r {key}",
    "a blank after a comma": "no-pty, no-user-rc {key}",
    "a blank before a comma": "no-pty ,no-user-rc {key}",
    "a tab after a comma": "no-pty,\tno-user-rc {key}",
    "options behind the key": "{key} no-pty",
    "options and another key first": "no-pty {other} {key}",
    "a comma before": ",no-pty {key}",
    "a comma behind": "no-pty, {key}",
    "two commas": "no-pty,,no-user-rc {key}",
    "commas alone": ",,, {key}",
    "a comma alone": ", {key}",
    "a comma before a value": ',command="x" {key}',
    "a comma behind a value": 'command="x", {key}',
    "a comma at once before the key": "no-pty,{key}",
    "a quote in place of an option": '"" {key}',
    "a quoted option": '"no-pty" {key}',
    "a quote behind an option": 'no-pty" {key}',
    "two quotes behind an option": 'no-pty"" {key}',
    "an equals sign alone": "= {key}",
    "an unknown option": "allow-all {key}",
    "an unknown option with a value": 'colour="red" {key}',
    "an unknown option behind known ones": "no-pty,allow-all {key}",
    "an option with letters behind": "no-ptyx {key}",
    "no twice": "no-no-pty {key}",
    "no restrict": "no-restrict {key}",
    "no cert-authority": "no-cert-authority {key}",
    "no command": 'no-command="x" {key}',
    "no alone": "no- {key}",
    "an option of the server": 'PermitTTY="no" {key}',
    "an underscore": "no_pty {key}",
    "an option twice": "no-pty,no-pty {key}",
    "restrict and then more": 'restrict,pty,command="x" {key}',
    "letters behind a value": 'command="x"y {key}',
    "a value behind a value": 'command="x""y" {key}',
    "a value that is cut in two": 'command="x" y" {key}',
    "a quote that is never closed": 'command="x {key}',
    "an escaped quote at the end": 'command="x\\" {key}',
    "an escaped quote outside": 'no-pty,\\" {key}',
    "a single quote": "command='x' {key}",
    "a value without quotes": "command=x {key}",
    "a value that begins without quotes": 'command=x"y" {key}',
    "a blank after the equals sign": 'command= "x" {key}',
    "a blank before the equals sign": 'command ="x" {key}',
    "two expiries, one over": 'expiry-time="20991231",expiry-time="20200101" {key}',
    "two expiries, none over": 'expiry-time="20991231",expiry-time="20981231Z" {key}',
    "two expiries, one of them no time": 'expiry-time="20991231",expiry-time="x" {key}',
    "two expiries, one before 1970": 'expiry-time="19600101Z",expiry-time="20200101Z" {key}',
    "two permits, one wrong": 'permitopen="a:1",permitopen="b" {key}',
    "principals of a CA": 'cert-authority,principals="deploy" {key}',
    "a variable twice": 'environment="A=1",environment="A=2" {key}',
    "from and an expiry that is over": 'from="127.0.0.1",expiry-time="20200101" {key}',
    "a problem behind a wrong list": 'from="10.0.0.1",allow-all {key}',
    "1024 variables": ",".join(f'environment="A{number}=1"' for number in range(1024)) + " {key}",
    "1025 variables": ",".join(f'environment="A{number}=1"' for number in range(1025)) + " {key}",
    "1026 variables": ",".join(f'environment="A{number}=1"' for number in range(1026)) + " {key}",
    "one variable 2000 times": ",".join(['environment="A=1"'] * 2000) + " {key}",
    "1025 variables and one of them again": ",".join(f'environment="A{number % 1025}=1"' for number in range(1026))
    + " {key}",
    "4097 permits": ",".join(['permitopen="a:1"'] * 4097) + " {key}",
    "4098 permits": ",".join(['permitopen="a:1"'] * 4098) + " {key}",
    "4097 permits of each sort": ",".join(['permitopen="a:1",permitlisten="1"'] * 4097) + " {key}",
    "a long command": 'command="' + "x" * 100_000 + '" {key}',
    "a long comment": "{key} " + "x" * 100_000,
    "a comment in latin-1": "{key} caf\udce9",
    "bytes that are not text in a value": 'command="caf\udce9" {key}',
    "bytes that are not text in an option": "caf\udce9 {key}",
    "bytes that are not text in a host": 'from="caf\udce9,127.0.0.1" {key}',
    "bytes that are not text in a port": 'permitopen="a:caf\udce9" {key}',
    "bytes that are not text before": "\udcff{key}",
}


@dataclass(frozen=True)
class Case:
    """A line, without its end, and the key that sshd is asked about."""

    name: str
    line: bytes
    key: str


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _case(name: str, template: str, key: str = "") -> Case:
    key = key or ed25519(name)
    kind, blob = key.split()
    text = template.replace("{blob:.30}", blob[:30]).replace("{blob:.20}", blob[:20])
    text = text.replace("{other}", ed25519(f"other {name}"))
    text = text.replace("{key}", key).replace("{type}", kind).replace("{blob}", blob)
    return Case(name, _encoded(text), key)


def _options() -> Iterator[Case]:
    for name in (*_FLAGS, *_SWITCHES):
        for said in (name, f"no-{name}", name.upper(), f"No-{name.title()}", f'{name}="yes"', f"{name}=", f"{name}x"):
            yield _case(f"option {said}", f"{said} {{key}}")
    for name in _VALUED:
        yield _case(f"{name} without a value", f"{name} {{key}}")
        yield _case(f"{name} with nothing", f"{name}= {{key}}")
        good = _VALUES[name][1] if name == "command" else _VALUES[name][0]
        for said in (
            f'{name.upper()}="{good}"',
            f"{name}={good}",
            f'{name}="{good}",{name}="{good}"',
            f'no-{name}="{good}"',
        ):
            yield _case(f"option {said}", f"{said} {{key}}")
        for value in _VALUES[name]:
            yield _case(f"{name} {value[:40]!r} {len(value)}", f'{name}="{value}" {{key}}')


def _types() -> Iterator[Case]:
    for bits in (768, 1016, 1024, 2048, 3072, 4096):
        yield _case(f"RSA of {bits} bits", "{key} c", rsa(f"rsa {bits}", bits))
    for name in ("ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"):
        for inner in ("ssh-rsa", "rsa-sha2-256"):
            seed = f"{name} {inner}"
            line = rsa(seed, 2048, name, inner)
            yield Case(f"{name} before {inner}", _encoded(f"{line} c"), rsa(seed, 2048))
    plain = public("ssh-rsa", b"\x01\x00\x01", b"\0\0" + _number("zeros", 2048))
    yield Case("RSA with zeros before it", _encoded(plain), rsa("zeros", 2048))
    negative = public("ssh-rsa", b"\x01\x00\x01", _number("negative", 2048)[1:])
    yield Case("RSA below zero", _encoded(negative), rsa("negative", 2048))
    for curve in _CURVES:
        yield _case(f"ECDSA on {curve}", "no-pty {key} c", ecdsa(curve, curve))
        other = next(one for one in _CURVES if one != curve)
        wrong = f"ecdsa-sha2-{other} {ecdsa(f'wrong {curve}', curve).split()[1]}"
        yield Case(f"ECDSA on {curve} called {other}", _encoded(wrong), ecdsa(f"wrong {curve}", curve))
    point = bytearray(_point("off", ec.SECP256R1()))
    point[-1] ^= 1
    yield Case(
        "ECDSA off its curve",
        _encoded(public("ecdsa-sha2-nistp256", b"nistp256", bytes(point))),
        ecdsa("off", "nistp256"),
    )
    yield _case("DSA", "{key} c", dsa("dsa"))
    yield _case("a security key", "{key} c", sk_ed25519("sk"))
    yield _case("a security key without a touch", "no-touch-required,verify-required {key}", sk_ed25519("sk 2"))
    yield _case("a security key of ECDSA", "{key} c", sk_ecdsa("sk"))
    webauthn = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"
    yield Case(
        "a security key of a browser",
        _encoded(sk_ecdsa("web", webauthn, "sk-ecdsa-sha2-nistp256@openssh.com")),
        sk_ecdsa("web"),
    )
    yield _case("a type that nobody knows", "{key}", public("ssh-new@example.com", b"x" * 32))


def _blobs() -> Iterator[Case]:
    def of(name: str, text: str) -> Case:
        return Case(name, _encoded(text), ed25519(name))

    def blob(name: str) -> str:
        return ed25519(name).split()[1]

    raw = base64.b64decode(blob("x"))
    yield of("cut short", ed25519("cut short")[:-4])
    yield of("one letter short", ed25519("one letter short")[:-1])
    yield of("a letter more", ed25519("a letter more") + "A")
    yield of("four letters more", ed25519("four letters more") + "AAAA")
    yield of("a byte behind", public("ssh-ed25519", raw[-32:], b"x"))
    yield of("31 bytes", public("ssh-ed25519", raw[-31:]))
    yield of("a comma in it", f"ssh-ed25519 {blob('a comma in it')[:-1]},")
    yield of(
        "of the other alphabet",
        f"ssh-ed25519 {blob('of the other alphabet')}".replace("+", "-").replace("/", "_") + "-",
    )
    for letter in ("\v", "\f", "\r"):
        name = f"{letter!r} in it"
        yield of(name, f"ssh-ed25519 {blob(name)[:40]}{letter}{blob(name)[40:]}")
    yield of(
        "a no-break space in it",
        f"ssh-ed25519 {blob('a no-break space in it')[:40]}\u00a0{blob('a no-break space in it')[40:]}",
    )
    padded = base64.b64encode(b"".join(map(part, (b"ssh-ed25519", b"y" * 33)))).decode()
    yield of("padded, of 33 bytes", f"ssh-ed25519 {padded}")
    # 280 bytes, so two letters of padding.
    for name, change in _PADDINGS.items():
        one = rsa(f"padding {name}", 2056)
        yield Case(f"RSA {name}", _encoded(f"{change(one)} c"), one)


_PADDINGS: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda one: one,
    "without its padding": lambda one: one.rstrip("="),
    "with half its padding": lambda one: one[:-1],
    "with more padding": lambda one: f"{one}=",
    "with letters behind its padding": lambda one: f"{one}A",
    "with blanks in its padding": lambda one: one.replace("=", " ="),
    "with a carriage return in its padding": lambda one: one.replace("==", "=\r="),
    "with a carriage return before its padding": lambda one: one.replace("==", "\r=="),
    "with bits behind its last byte": lambda one: f"{one[:-3]}B==",
}


def table() -> list[Case]:
    """All that was collected, each with a key of its own."""
    found = [*(_case(name, template) for name, template in _SHAPES.items()), *_options(), *_types(), *_blobs()]
    assert len({case.name for case in found}) == len(found)
    return found


# -- made up ---------------------------------------------------------------------------------------

_PIECES = (
    *_FLAGS,
    *_SWITCHES,
    *(f"no-{name}" for name in _SWITCHES),
    *(
        "",
        "",
        "allow-all",
        "no-",
        '"',
        '""',
        "=",
        "\\",
        '\\"',
        " ",
        "\t",
        "x",
        "#",
        "\r",
        "\0",
        "\u00e9",
        "ssh-rsa",
        "No-PTY",
    ),
)
_LETTERS = 'ax0 19,:/*?!."\\=\t-[]#\r\u00e9'


def _made_value(random: random.Random, name: str) -> str:
    value = random.choice(_VALUES[name])
    for _change in range(random.choice((0, 0, 1, 1, 2))):
        place = random.randrange(len(value) + 1)
        cut = random.choice((0, 0, 1))
        value = value[:place] + random.choice(_LETTERS) + value[place + cut :]
    return value


def _made_list(random: random.Random) -> str:
    entries = [random.choice(_VALUES["from"]) for _entry in range(random.choice((1, 2, 3)))]
    return ",".join(random.choice(("", "", "!")) + entry for entry in entries)


def _made_option(random: random.Random) -> str:
    if random.random() < 0.45:
        return random.choice(_PIECES)
    name = random.choice(_VALUED)
    value = _made_list(random) if name == "from" and random.random() < 0.5 else _made_value(random, name)
    shape = random.choice(('{}="{}"',) * 12 + ("{}={}", '{}"{}"', '{}="{}', '{}="{}"x', '{} ="{}"', '{}= "{}"'))
    return shape.format(random.choice((name, name, name.upper())), value)


def made_up(seed: int, many: int) -> list[Case]:
    """Lines put together by chance; the same for the same seed."""
    chance = random.Random(seed)
    found = []
    for number in range(many):
        options = ",".join(_made_option(chance) for _option in range(chance.choice((1, 1, 1, 2, 2, 3))))
        blank = chance.choice((" ",) * 12 + ("\t", "  ", "", "\r ", ", "))
        behind = chance.choice(("", "", " c", "\r", "\0", "=", " no-pty"))
        key = ed25519(f"{seed} {number}")
        if chance.random() < 0.1:
            place = chance.randrange(len(key))
            key = key[:place] + chance.choice(_LETTERS) + key[place + 1 :]
        line = _encoded(f"{options}{blank}{key}{behind}").replace(b"\n", b"")
        found.append(Case(f"seed {seed}, number {number}", line, ed25519(f"{seed} {number}")))
    return found


# -- both answers ----------------------------------------------------------------------------------


def ask(cases: Sequence[Case], command: Sequence[str] = (sys.executable, str(ASK))) -> dict[str, Any]:
    """The answer of sshd to these lines."""
    question = {
        "lines": [base64.b64encode(case.line).decode() for case in cases],
        "keys": [case.key for case in cases],
    }
    done = subprocess.run(
        list(command), input=json.dumps(question), capture_output=True, text=True, timeout=570, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def in_container(host: str) -> tuple[str, ...]:
    """The command that asks the sshd of a host of the lab."""
    return ("docker", "exec", "-i", host, "python3", "-c", ASK.read_text())


def recorded(cases: Sequence[Case]) -> dict[str, Any]:
    """The answer that was kept."""
    kept: dict[str, Any] = json.loads(RECORDED.read_text())
    accepted = set(kept["accepted"])
    assert accepted <= {case.name for case in cases}, (
        "record the table anew: PYTHONPATH=collections python tests/doubles/key_lines.py HOST"
    )
    return {**kept, "lines": [number if case.name in accepted else 0 for number, case in enumerate(cases, start=1)]}


def record(host: str) -> None:
    """Keep what the sshd of a host of the lab says of the table."""
    cases = table()
    answer = ask(cases, in_container(host))
    accepted = [case.name for number, case in enumerate(cases, start=1) if answer["lines"][number - 1] == number]
    words = ("authorizedkeysfile ", "pubkeyacceptedalgorithms ", "requiredrsasize ", "debianbanner ")
    dump = "".join(f"{line}\n" for line in answer["dump"].splitlines() if line.startswith(words))
    dump = re.sub(r"(?m)^authorizedkeysfile .*", "authorizedkeysfile .ssh/authorized_keys", dump)
    kept = {"version": answer["version"], "dump": dump, "accepted": accepted}
    RECORDED.write_text(json.dumps(kept, indent=1) + "\n")


def differences(cases: Sequence[Case], answer: Mapping[str, Any], now: float) -> list[str]:
    """Differences between the reader and sshd, both ways."""
    configuration = sshd_files.parse(answer["dump"], answer["version"])
    lines = authorized_keys.parse(b"".join(case.line + b"\n" for case in cases))
    found = []
    for number, (case, said) in enumerate(zip(cases, answer["lines"], strict=True), start=1):
        if said < 0 or configuration.version < OLDER.get(case.name, (0, 0)):
            # ssh itself does not know the type, or an older sshd reads it otherwise.
            continue
        sshd = said == number
        key = lines[number - 1].key
        same = key is not None and key.fingerprint == _fingerprint(case.key)
        refused = configuration.refuses(key) if key is not None else ""
        ours = key is not None and same and not refused and key.lets_in(now, ADDRESS)
        if ours != sshd:
            why = refused or (key.problem if key is not None else lines[number - 1].problem)
            verdict = "lets in, and the reader does not" if sshd else "refuses, and the reader lets in"
            found.append(f"{case.name}: sshd {verdict} ({why or 'it says nothing of it'}): {case.line[:160]!r}")
    return found


def groups(seed: int, many: int, options: Sequence[str]) -> list[list[Case]]:
    """Several lines of one key, one group behind the other."""
    chance = random.Random(seed)
    found = []
    for number in range(many):
        key = ed25519(f"group {seed} {number}")
        lines = [chance.choice(options) for _line in range(chance.choice((2, 3, 4)))]
        found.append([Case(f"{number} {text}", _encoded(f"{text} {key}".strip()), key) for text in lines])
    return found


def other_lines(groups: Sequence[Sequence[Case]], answer: Mapping[str, Any], now: float) -> list[str]:
    """Keys that sshd lets in by another line than the reader says."""
    configuration = sshd_files.parse(answer["dump"], answer["version"])
    account = sshd_files.Account("deploy", 0, "/", "/")
    found, before = [], 0
    for group in groups:
        lines = tuple(authorized_keys.parse(b"".join(case.line + b"\n" for case in group)))
        places = Places(account, configuration, (Place("keys", lines),))
        known = places.in_force(_fingerprint(group[0].key), now)
        here = [line.number for _place, line in known if line.key is not None and line.key.lets_in(now, ADDRESS)]
        ours = here[0] if here else 0
        said = answer["lines"][before] - before if answer["lines"][before] else 0
        before += len(group)
        if ours != said:
            found.append(f"sshd: line {said}, the reader: line {ours} of {[case.line[:60] for case in group]}")
    return found


def _fingerprint(key: str) -> str:
    return authorized_keys.fingerprint(base64.b64decode(key.split()[1]))


if __name__ == "__main__":
    record(sys.argv[1])
