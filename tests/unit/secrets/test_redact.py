# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: whatever form a program prints them in, they do not leave the host."""

from __future__ import annotations

import base64
import json
import shlex
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import (
    MASK,
    Redactor,
    parse_dotenv,
    plain_words,
    secret_values,
    without_login,
)

SECRET = "s3cr3t/p@ss w0rd's+&\"x\\="

FORMS = {
    "plain": SECRET,
    "in an address": urllib.parse.quote(SECRET, safe=""),
    "in a form": urllib.parse.quote_plus(SECRET),
    "in JSON": json.dumps(SECRET),
    "quoted for a shell, by Python": shlex.quote(SECRET),
    "quoted for a shell, by others": shlex.quote(SECRET).replace("'\"'\"'", "'\\''"),
    "in basic authentication": base64.b64encode(SECRET.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_each_form(form: str) -> None:
    masked = Redactor([SECRET])(f"could not connect: {FORMS[form]} was refused")
    assert "w0rd" not in masked and FORMS[form] not in masked
    assert MASK in masked
    assert masked.startswith("could not connect: ") and masked.endswith(" was refused")


def test_the_key_of_laravel_is_masked_with_and_without_its_prefix() -> None:
    key = base64.b64encode(b"k" * 32).decode()
    redact = Redactor([f"base64:{key}"])
    assert redact(f"a base64:{key} b {key} c {key.rstrip('=')}.") == f"a {MASK} b {MASK} c {MASK}."


def test_the_longest_is_masked_first() -> None:
    assert Redactor(["abcdef", "abcdefghij"])("abcdefghij") == MASK


def test_nothing_to_mask_masks_nothing() -> None:
    assert Redactor([])("null root true") == "null root true"
    assert Redactor(["", "null", "root"])("null root") == "null root"


@settings(max_examples=100)
@given(st.lists(st.text(min_size=6, max_size=20), min_size=1, max_size=4), st.data())
def test_no_secret_survives(secrets: list[str], data: st.DataObject) -> None:
    text = "".join(data.draw(st.lists(st.sampled_from([*secrets, " ", "x"]), max_size=8)))
    masked = Redactor(secrets)(text)
    assert not any(secret in masked for secret in secrets if "*" not in secret)


DOTENV = r"""
# a comment=1
APP_NAME=Shop
APP_KEY="base64:abc="   # the key
 export DB_PASSWORD='it is # long'
DB_HOST = db.example.com # inline
EMPTY=
ESCAPED="a \"b\" c"
HASH=ab#cd
SPACED="  two  "
not a setting
URL=mysql://shop:hunter2222@db.example.com/shop
LAST=1"""


def test_a_dotenv_is_read() -> None:
    assert parse_dotenv(DOTENV) == {
        "APP_NAME": "Shop",
        "APP_KEY": "base64:abc=",
        "DB_PASSWORD": "it is # long",
        "DB_HOST": "db.example.com",
        "EMPTY": "",
        "ESCAPED": 'a "b" c',
        "HASH": "ab#cd",
        "SPACED": "  two  ",
        "URL": "mysql://shop:hunter2222@db.example.com/shop",
        "LAST": "1",
    }


def test_windows_lines_and_an_open_quote_are_no_obstacle() -> None:
    assert parse_dotenv('A=1\r\nB="2"\r\nC="open\r\nD=4\r\n') == {"A": "1", "B": "2", "C": '"open', "D": "4"}


def test_a_value_of_several_lines_is_one_setting_and_each_of_its_lines_is_secret() -> None:
    settings = parse_dotenv('A=1\nJWT_PRIVATE_KEY="first line of it\nsecond line of it\n"\nB=2')
    assert settings == {"A": "1", "JWT_PRIVATE_KEY": "first line of it\nsecond line of it\n", "B": "2"}
    redact = Redactor(secret_values(settings))
    assert redact("error near: second line of it!") == f"error near: {MASK}!"


SECRET_NAMES = [
    "APP_KEY",
    "DB_PASSWORD",
    "DB_PASS",
    "REDIS_PWD",
    "MAIL_PASSWD",
    "SIGNING_PASSPHRASE",
    "STRIPE_SECRET",
    "GITHUB_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "SENTRY_LARAVEL_DSN",
    "DATABASE_URL",
    "JWT_PRIVATE",
    "hash_salt",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_says_that_its_value_is_secret(name: str) -> None:
    assert secret_values({name: "long enough"}) == ["long enough"]


@pytest.mark.parametrize("name", ["APP_NAME", "DB_HOST", "APP_URL", "LOG_CHANNEL", "CACHE_STORE"])
def test_other_settings_are_shown(name: str) -> None:
    assert secret_values({name: "long enough"}) == []


def test_short_values_would_mask_every_sentence() -> None:
    assert secret_values({"DB_PASSWORD": "root", "APP_KEY": "", "X_TOKEN": "null"}) == []


def test_the_password_in_an_address_is_secret_by_itself() -> None:
    settings = {"REDIS_ADDRESS": "redis://:hunter2222@cache.example.com:6379", "APP_URL": "https://example.com:8080/a"}
    assert secret_values(settings) == ["hunter2222"]


def test_plain_words_are_short_values_that_no_secret_has() -> None:
    settings = {
        "APP_ENV": "staging",
        "DB_PASSWORD": "hunter2",
        "COPY": "hunter2",
        "URL": "https://shop.example.com",
        "N": 5,
    }
    assert plain_words(settings) == {"staging", "5"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://user:secret-pass@git.example.com/a/b.git", "https://git.example.com/a/b.git"),
        ("https://somebody@git.example.com/a.git", "https://git.example.com/a.git"),
        # A slash or hash in a password does not end the host for a person's eye, though it does for a parser.
        ("https://user:p/w@git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://user:p#w@git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://user:p@ss@git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://git.example.com/a.git?token=abcdef123456", "https://git.example.com/a.git?token=********"),
        ("git@git.example.com:a/b.git", "git@git.example.com:a/b.git"),
        ("/srv/git/a@b.git", "/srv/git/a@b.git"),
        ("https://git.example.com/@scope/a.git", "https://git.example.com/@scope/a.git"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_login(address: str, expected: str) -> None:
    assert without_login(address) == expected
