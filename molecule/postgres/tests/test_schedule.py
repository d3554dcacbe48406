"""Timers that `ops-runbook schedule` writes are run by a real systemd: that of the machine, and that of a user."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from lab import ROOT
from postgres_lab import Database

NAME = "ops-runbook-postgresql-backups-read-through"
TOLD = '[Service]\nType=oneshot\nExecStart=/usr/bin/touch "/var/tmp/told-{}-%i"\n'
#: Of each scope: the folder of its units, the user who runs them, the folder of the stamps, and its systemctl.
SCOPES = {
    "system": ("/etc/systemd/system", "root", "/var/lib/systemd/timers", "systemctl"),
    "user": (
        "/home/deploy/.config/systemd/user",
        "deploy",
        "/home/deploy/.local/share/systemd/timers",
        "runuser -u deploy -- env XDG_RUNTIME_DIR=/run/lab-user HOME=/home/deploy systemctl --user",
    ),
}


def written(folder: Path, scope: str) -> list[Path]:
    """The units, as the command writes them. The command that they run fails."""
    asked = ["--systemd", "--scope", scope, "--procedure", "postgres_backup_status", "--on-failure", "told@%n.service"]
    site = ["--command", "/usr/bin/false", "--folder", "/", "-i", "molecule", "--timezone", "UTC"]
    user = ["--run-as", "root"] if scope == "system" else []
    line = [sys.executable, "-m", "ops_runbook", "schedule", *asked, *site, *user, "--output", str(folder)]
    subprocess.run(line, cwd=ROOT, check=True, capture_output=True)
    return [path for path in folder.iterdir() if path.stem == NAME]


@pytest.fixture(params=SCOPES)
def scope(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[str]:
    """A systemd that has the units, of the machine or of the operator."""
    folder, user, stamps, systemctl = SCOPES[request.param]
    database.root(f"install -d -o {user} -g {user} {folder}; rm -f /var/tmp/told-*")
    for path in [*written(tmp_path, request.param)]:
        database.root(f"cat > {folder}/{path.name} <<'END'\n{path.read_text()}END")
    database.root(f"cat > {folder}/told@.service <<'END'\n{TOLD.format(request.param)}END")
    if request.param == "user":
        # As logind starts it, which the lab's hosts don't have.
        database.root("install -d -o deploy -m 700 /run/lab-user; chown -R deploy: /home/deploy/.config")
        own = "--uid=deploy -p Delegate=yes --setenv=XDG_RUNTIME_DIR=/run/lab-user --setenv=HOME=/home/deploy"
        database.root(f"systemd-run --quiet {own} --unit=lab-user /usr/lib/systemd/systemd --user")
        database.until(f"{systemctl} is-system-running 2>/dev/null | grep -qE 'running|degraded'")
    database.root(f"{systemctl} daemon-reload")
    yield request.param
    database.root(f"{systemctl} disable --now {NAME}.timer; rm -f {folder}/{NAME}.* {folder}/told@.service")
    database.root(f"rm -f {stamps}/stamp-ops-runbook-*; {systemctl} daemon-reload; systemctl reset-failed")
    if request.param == "user":
        database.root("systemctl stop lab-user.service; rm -rf /run/lab-user /home/deploy/.config/systemd")


def test_a_timer_waits_for_its_day_tells_of_a_failure_and_catches_up(database: Database, scope: str) -> None:
    _folder, _user, stamps, systemctl = SCOPES[scope]
    told = f"/var/tmp/told-{scope}-{NAME}.service"
    database.root(f"{systemctl} enable --now {NAME}.timer")
    shown = database.root(f"{systemctl} show {NAME}.timer -p NextElapseUSecRealtime --value").strip()
    next_run = datetime.strptime(shown, "%a %Y-%m-%d %H:%M:%S UTC")
    assert (next_run.isoweekday(), next_run.hour, next_run.minute) == (7, 6, 0)
    database.root(f"[ ! -e {told} ]; ! {systemctl} start {NAME}.service")
    database.until(f"[ -e {told} ]")

    database.root(f"{systemctl} stop {NAME}.timer; rm {told}; touch -d '10 days ago' {stamps}/stamp-{NAME}.timer")
    database.root(f"{systemctl} start {NAME}.timer")
    database.until(f"[ -e {told} ]")
