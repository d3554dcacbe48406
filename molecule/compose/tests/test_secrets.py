"""No secret on any surface: what a run prints with -vvv and --diff, its records, the process lists of both machines
while it works, the files it leaves, the engine's login file, and the logs of the host."""

from __future__ import annotations

import base64
import re

import pytest
from compose_lab import PROJECT, ComposeLab, tag
from watch import leaks, show_canaries, watched


def secrets(lab: ComposeLab) -> list[str]:
    """The password of the registry, also as a login file has it, and every value of .env that is one."""
    password = lab.password()
    login = base64.b64encode(f"ops:{password}".encode()).decode()
    env = lab.root(f"cat {PROJECT}/.env")
    values = re.findall(r"[0-9a-f]{48}", env)
    assert len(values) == 4, "the host's .env has four generated values"
    return [password, login, *values]


@pytest.mark.core("deploy", "rollback", "canary")
def test_no_secret_on_any_surface(lab: ComposeLab) -> None:
    lab.at("good")
    needles = secrets(lab)
    since = lab.root("date -u +%s")
    runs = []
    with watched(lab, needles) as seen:
        for procedure, inputs in (
            ("compose_deploy", {"to": tag("additive")}),
            ("compose_rollback", {"migrations": "down"}),
            ("compose_deploy", {"to": tag("failing")}),
            ("compose_deploy", {"to": tag("crash")}),
        ):
            runs.append(lab.play(procedure, "-vvv", "--diff", **inputs))
    assert [run.green for run in runs] == [True, True, False, False], runs[0].text
    assert seen == []
    for run in runs:
        assert leaks(run.text, needles) == []
    records = lab.root("find /var/lib/ops-runbook -type f -exec cat {} +")
    assert leaks(records, needles) == []
    journal = lab.root(f"journalctl --since @{since} --no-pager -o cat; cat /var/log/*.log 2>/dev/null", check=False)
    assert leaks(journal, needles) == []
    assert lab.root("cat /home/deploy/.docker/config.json 2>/dev/null", check=False) == ""


def test_the_watch_sees_what_is_there(lab: ComposeLab) -> None:
    """A needle on a command line, and one in a file: else the test above proves nothing."""
    with watched(lab, ["canary-in-argv", "canary-in-file"]) as seen:
        show_canaries(lab)
    assert any("process list" in line and line.endswith("needle 0") for line in seen), seen
    assert "/tmp/lab-canary: needle 1" in seen
