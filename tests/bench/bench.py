"""A rollback of one host, side by side with what a person would do instead, in one run and in turn.

(a) the runbook's commands as one script over ssh, (b) a naive playbook of seven shell tasks, (c) ours; and the
time to refuse. Every round rolls the same host from v1.1.0 to v1.7.0's sibling state and back, so that each does
the same work; medians of the rounds are printed, and the ratio that matters.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST, APP = "laravel1", "/var/www/vertex-laravel-api"
RUNBOOK = (
    "git reset --hard {commit}",
    "composer install --no-dev --optimize-autoloader --no-interaction",
    "php artisan optimize:clear",
    "php artisan config:cache",
    "php artisan route:cache",
    "php artisan view:cache",
    "php artisan queue:restart",
)
ENVIRONMENT = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}


def timed(command: list[str], expect: int = 0, stdin: str | None = None) -> float:
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, input=stdin, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if (done.returncode == 0) is not (expect == 0):
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def play(procedure: str, *options: str, expect: int = 0) -> float:
    return timed(["ansible-playbook", f"playbooks/{procedure}.yml", *options], expect)


def naive(commit: str, folder: Path) -> Path:
    """The playbook that a person writes from the runbook: one shell task a line."""
    path = folder / "naive.yml"
    tasks = "".join(
        f"    - name: {line.split('{')[0].strip()}\n      ansible.builtin.shell: {line.format(commit=commit)}\n"
        f"      args: {{chdir: {APP}}}\n"
        for line in RUNBOOK
    )
    path.write_text(f"- hosts: laravel\n  gather_facts: false\n  tasks:\n{tasks}")
    return path


def commit_of(tag: str) -> str:
    command = ["docker", "exec", "-u", "deploy", HOST, "git", "-C", APP, "rev-parse", f"{tag}^{{commit}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for playbook in ("create", "prepare"):
        timed(["ansible-playbook", "-i", "inventories/demo", f"molecule/shared/{playbook}.yml"])
    play("laravel_adopt")
    for tag in ("v1.1.0", "v1.7.0"):
        play("laravel_deploy", "-e", f"to={tag}")
    old, new = commit_of("v1.1.0"), commit_of("v1.7.0")
    script = "set -e; cd {path}; {lines}"
    ssh = [
        "ssh", "-i", ".lab/id_ed25519", "-o", "UserKnownHostsFile=.lab/known_hosts", "-o", "IdentitiesOnly=yes",
        "-o", "StrictHostKeyChecking=yes", "-p", "2201", "deploy@127.0.0.1", "bash", "-s",
    ]  # fmt: skip
    samples: dict[str, list[float]] = {"ssh": [], "naive": [], "ours": [], "ping": [], "refuse": []}
    with tempfile.TemporaryDirectory() as folder:
        playbook = naive(old, Path(folder))
        for number in range(rounds):
            lines = "; ".join(RUNBOOK).format(commit=old)
            samples["ssh"].append(timed(ssh, stdin=script.format(path=APP, lines=lines)))
            play("laravel_rollback", "-e", f"to={new}", "-e", "migrations=keep")
            samples["naive"].append(timed(["ansible-playbook", str(playbook)]))
            play("laravel_rollback", "-e", f"to={new}", "-e", "migrations=keep")
            samples["ours"].append(play("laravel_rollback", "-e", f"to={old}"))
            samples["ping"].append(timed(["ansible", "laravel", "-m", "ansible.builtin.ping"]))
            samples["refuse"].append(play("laravel_rollback", "-e", "to=v9.9.9", expect=2))
            play("laravel_rollback", "-e", f"to={new}", "-e", "migrations=keep")
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    middle = {name: statistics.median(values) for name, values in samples.items()}
    rows = [
        ("(a) the runbook's commands, one ssh script", "ssh", "no plan, no check, no record, old code still served"),
        ("(b) naive playbook, seven shell tasks", "naive", "the same"),
        ("(c) laravel_rollback", "ours", "lease, plan, journal, php-fpm reload, health gate, ledger"),
        ("    time to refuse", "refuse", "an unknown release"),
        ("    one ping", "ping", "what a single module call costs"),
    ]
    print(f"{'what':<46} {'median s':>8} {'min':>6} {'max':>6} {'to (b)':>7}  with")
    for title, name, remark in rows:
        values = samples[name]
        print(
            f"{title:<46} {middle[name]:>8.2f} {min(values):>6.2f} {max(values):>6.2f} "
            f"{middle[name] / middle['naive']:>7.2f}  {remark}"
        )


if __name__ == "__main__":
    main()
