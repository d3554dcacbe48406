"""The sshd of this host reads lines of authorized_keys as it was recorded, and the reader with it. More of it:
molecule/ssh_keys/tests/test_lines.py."""

from __future__ import annotations

import sys
import time

from lab import OWN, ROOT

sys.path.insert(0, str(ROOT / "tests/doubles"))
import key_lines  # noqa: E402


def test_lines_of_keys_are_read_as_sshd_reads_them() -> None:
    cases = [*key_lines.table(), *key_lines.made_up(1, 200)]
    assert key_lines.differences(cases, key_lines.ask(cases, key_lines.in_container(OWN)), time.time()) == []
