"""A play at -vvv --diff: neither the token nor a secret is in what it says, nor on the disk after it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from github_fake import FakeGitHub
from github_run import disguises, hub

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("faults", "green"),
    [([], True), ([("PUT", "secrets", "drop")], False), ([("PUT", "secrets", "ignore")], False)],
)
def test_no_surface_of_a_play_shows_a_secret(
    hub: FakeGitHub, tmp_path: Path, faults: list[tuple[str, str, str]], green: bool
) -> None:
    value = f'canary-{secrets.token_hex(12)} "$#'
    hub.faults = list(faults)
    (tmp_path / "value").write_text(value)
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {
                    "ops.runbook.github_secret": {
                        "api_url": hub.url,
                        "repository": "example/shop",
                        "name": "KEY",
                        "value": "{{ lookup('ansible.builtin.file', value_file) }}",
                    },
                    "register": "result",
                },
                {"ansible.builtin.debug": {"var": "result"}},
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    (tmp_path / "home").mkdir()
    env = {name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOG_PATH": str(tmp_path / "home/log"),
        "ANSIBLE_KEEP_REMOTE_FILES": "0",
        "HOME": str(tmp_path / "home"),
        "GITHUB_TOKEN": hub.token,
    }
    arguments = ["-vvv", "--diff", "-i", "localhost,", "-c", "local", "-e", f"value_file={tmp_path}/value"]
    arguments += ["-e", f"ansible_python_interpreter={sys.executable}"]
    ran = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", *arguments, str(tmp_path / "play.yml")],
        env=env,
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ran.returncode == 0) is green, ran.stdout + ran.stderr
    assert "secret KEY of example/shop" in ran.stdout + ran.stderr
    left = [path.read_text(errors="replace") for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert left
    for text in (ran.stdout, ran.stderr, *left):
        for secret in (value, hub.token):
            assert not [form for form in disguises(secret) if form in text]
    if green:
        assert hub.secrets["repo"]["KEY"]["value"] == value
