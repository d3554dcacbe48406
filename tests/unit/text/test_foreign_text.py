# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and answers of others: each parser gives a value or its one error, and needs no time that a line decides."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose import env_file
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import text as compose_pin
from ansible_collections.ops.runbook.plugins.module_utils.destructive import scan as destructive
from ansible_collections.ops.runbook.plugins.module_utils.docker import image_reference
from ansible_collections.ops.runbook.plugins.module_utils.host import systemd_units
from ansible_collections.ops.runbook.plugins.module_utils.laravel.status import log as laravel_log
from ansible_collections.ops.runbook.plugins.module_utils.secrets import redact
from ansible_collections.ops.runbook.plugins.module_utils.security import dependencies
from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys, key_options
from ansible_collections.ops.runbook.plugins.module_utils.sshd import files as sshd_files
from ansible_collections.ops.runbook.plugins.module_utils.text import log_errors, yaml_spans

PIECES = st.sampled_from(
    [
        *("a", "A", "1", " ", "\n", "\t", "=", ":", "#", "'", '"', "\\", "$", "{", "}", "[", "]", "- ", ",", "|", ">"),
        *(
            "&a",
            "*a",
            "<<",
            "---",
            "services:\n",
            "  image: x\n",
            "export ",
            "ssh-ed25519 AAAA",
            'from="',
            "\x00",
            "\r\n",
        ),
        *("é", "२", "\ufeff", "\x1b[2J", "[2026-13-40 00:00:00] a.ERROR: ", '"id":', "0" * 20, "sha256:", "@"),
    ]
)
TEXTS = st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60)

ACCOUNT = sshd_files.Account("nobody", 65534, "/nonexistent", "/nonexistent")

PARSERS: dict[str, tuple[Callable[[str], object], tuple[type[Exception], ...]]] = {
    "keys": (lambda text: authorized_keys.parse(text.encode()), ()),
    "a key's lines": (lambda text: authorized_keys.keys(text.encode()), ()),
    "options of a key": (key_options.read, ()),
    "an expiry": (key_options.expiry, ()),
    "from where": (lambda text: key_options.from_lets_in(text, "127.0.0.1"), ()),
    "revoked keys": (lambda text: authorized_keys.bare(text.encode()), ()),
    "files of keys": (
        lambda text: sshd_files.paths(sshd_files.Configuration(files=(text,)), ACCOUNT),
        (sshd_files.NotRead, ValueError),
    ),
    "an env file": (env_file.parse, (env_file.NotRead,)),
    "a dotenv": (redact.parse_dotenv, ()),
    "secrets of a dotenv": (lambda text: redact.maskable(redact.parse_dotenv(text)), ()),
    "a compose file": (yaml_spans.documents, (yaml_spans.NotRead,)),
    "images of a compose file": (compose_pin.images, (compose_pin.CannotPin, yaml_spans.NotRead)),
    "an image": (image_reference.parse, (image_reference.BadReference,)),
    "a log": (lambda text: log_errors.search(text, str), ()),
    "a log of Laravel": (lambda text: list(laravel_log.parse_log(text, 0.0)), ()),
    "settings of sshd": (sshd_files.parse, (sshd_files.NotRead,)),
    "units": (lambda text: systemd_units.parse_show(text, ["a.service"]), (systemd_units.SystemdError,)),
    **{
        f"a file of the kind {kind}": (
            lambda text, kind=kind: destructive.scan_text(text, kind),  # type: ignore[misc]
            (destructive.DestructiveScanError,),
        )
        for kind in destructive.KINDS
    },
}


@pytest.mark.parametrize("name", PARSERS)
@given(text=TEXTS)
def test_a_parser_gives_a_value_or_its_one_error(name: str, text: str) -> None:
    parse, errors = PARSERS[name]
    with contextlib.suppress(*errors):
        parse(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["advisories", "abandoned", "packages", "vulnerabilities", "dependencies", "vulns", "via", "a"])
SHAPED = st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=4)


@given(SHAPED, st.integers(0, 2))
def test_an_audit_of_any_answer_is_judged(body: Any, code: int) -> None:
    for tool in dependencies.TOOLS:
        dependencies.judged(tool, json.dumps(body), code, json.dumps(body), "")


# -- time ----------------------------------------------------------------------------------------

READERS: dict[str, Callable[[str], object]] = {
    "options of a key": key_options.read,
    "from where": lambda text: key_options.from_lets_in(text.replace('"', ""), "127.0.0.1"),
    "kind": log_errors.kind,
    "shorten": log_errors.shorten,
    "search": lambda text: log_errors.search(text, redact.mask_named),
    "a log of Laravel": lambda text: list(laravel_log.parse_log(f"[2026-11-29 00:00:00] a.ERROR: {text}", 0.0)),
}
UNITS = [
    "token-",
    "password=",
    "a://b:c@d ",
    "key=",
    " ",
    "mysql -pa ",
    "eyJ",
    "[",
    "\\",
    "'",
    '"',
    "(SQL: ",
    "GET ",
    "exception",
    'expiry-time="20991231",',
    'environment="A=1",',
    "1*",
    "no-pty,",
]


@pytest.mark.parametrize("name", READERS)
def test_a_line_of_64_kilobytes_takes_no_reader_50_milliseconds(name: str) -> None:
    for unit in UNITS:
        line = unit * (65536 // len(unit))
        # The better of some, in time of this process: others may be at work on this machine.
        took = []
        for _ in range(5):
            started = time.process_time()
            READERS[name](line)
            took.append(time.process_time() - started)
            if took[-1] < 0.05:
                break
        assert min(took) < 0.05, unit


def test_masking_needs_a_time_that_grows_with_the_text() -> None:
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
        "from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import mask_named, parse_dotenv\n"
        f"for unit in {UNITS!r}:\n"
        "    for begin in ('', 'password=', 'mysql '):\n"
        "        mask_named(begin + unit * (65536 // len(unit)))\n"
        "        parse_dotenv(begin + unit * (65536 // len(unit)))\n"
    )
    root = Path(__file__).resolve().parents[3] / "collections"
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


SHELL = ("$(", "$((", '"$(', "a=$(", "{{", "{{ a", "${", "`", "'", '"', "<<E\n", "$(\"'", "{{\n", '"\\"')


def test_a_script_is_read_in_a_time_that_grows_with_its_length() -> None:
    """Marks that are opened and never closed, once a letter: 1 MiB is the longest file that is read."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (40, 40))\n"
        "from ansible_collections.ops.runbook.plugins.module_utils.destructive.shell import ShellReader\n"
        f"for unit in {SHELL!r}:\n"
        "    ShellReader(unit * (262144 // len(unit)), 1).read()\n"
    )
    root = Path(__file__).resolve().parents[3] / "collections"
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
