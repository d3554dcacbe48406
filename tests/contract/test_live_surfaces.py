"""Surfaces on which a token and a secret could be seen, during a procedure and after it: they are on none.

What Ansible prints at -vvv --diff, its log, fact cache and temporary files, the arguments of every process of this
machine, what ansible-runner leaves behind, and the host that logs lie on.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from github_fake import FakeGitHub
from github_run import disguises
from live import DEPLOYED, MAIN, ROOT, Stage, book, green, play, surroundings

PROTECT: dict[str, Any] = {"github_reviewers": ["anna"], "github_required_checks": ["test"]}


def showing(text: str, canaries: tuple[str, ...]) -> list[str]:
    return [canary for canary in canaries if any(form in text for form in disguises(canary))]


@contextmanager
def watched(folder: Path, canaries: tuple[str, ...]) -> Iterator[set[str]]:
    """Places that show a canary meanwhile: a file below the folder, or the arguments of a process."""
    seen: set[str] = set()
    looks = 0
    ended = threading.Event()

    def look() -> None:
        nonlocal looks
        while not ended.wait(0.003):
            looks += 1
            places = [path for path in folder.rglob("*") if path.is_file()]
            if looks % 10 == 0:
                places += Path("/proc").glob("[0-9]*/cmdline")
            for path in places:
                with contextlib.suppress(OSError):
                    if showing(path.read_bytes().decode("utf-8", "replace").replace("\0", " "), canaries):
                        seen.add(f"{path.parent.name}/{path.name}")

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield seen
    finally:
        ended.set()
        watch.join()
    assert looks > 20


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "tmp").mkdir(parents=True)
    return folder


def around(home: Path) -> dict[str, str]:
    """Everything that Ansible writes, below one folder."""
    return {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "ANSIBLE_LOCAL_TEMP": str(home / "local"),
        "ANSIBLE_REMOTE_TEMP": str(home / "remote"),
        "ANSIBLE_LOG_PATH": str(home / "log"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(home / "facts"),
    }


def typed(folder: Path, name: str, value: str) -> str:
    """A value as an inventory has it that does not hold it."""
    (folder / name).write_text(value)
    return "{{ lookup('ansible.builtin.file', '%s') }}" % (folder / name)


def test_the_procedures_show_no_token_and_no_password(
    stage: Stage, hub: FakeGitHub, tmp_path: Path, home: Path
) -> None:
    password = f"canary-{secrets.token_hex(12)}"
    canaries = (hub.token, password)
    hub.checks[MAIN] = [{"name": "test", "status": "completed", "conclusion": "success"}]
    green(hub, "ci.yml", "main")
    green(hub, "deploy.yml", "main", DEPLOYED)
    given = {"environ": around(home), "token": "", "github_token": typed(tmp_path, "token", hub.token)}
    registry = {"github_registry_username": "x", "github_registry_password": typed(tmp_path, "password", password)}
    images = {"github_release_images": ["127.0.0.1:9/shop/app:sha-{short}"], "github_registry_plain_http": True}
    with watched(home, canaries) as seen:
        ran = [
            play(stage, "github_protect.yml", **given, **PROTECT),
            play(stage, "deploy_verify.yml", **given, commit=MAIN),
            play(stage, "security_audit.yml", **given),
            # Nothing listens there, so the password is given and refused.
            play(stage, "release_tag.yml", **given, **registry, **images, tag="v1.4.0"),
        ]
    assert [one.returncode == 0 for one in ran] == [True, True, False, False]
    assert [one.stdout for one in ran if showing(one.stdout + one.stderr, canaries)] == []
    assert seen == set()
    assert list(home.rglob("log")) and showing(str(hub.store_requests), canaries) == []


@pytest.mark.parametrize("lost", ["", "lose", "drop"])
def test_a_secret_is_seen_nowhere(stage: Stage, hub: FakeGitHub, tmp_path: Path, home: Path, lost: str) -> None:
    value = f'canary-{secrets.token_hex(12)} "$#'
    stage.lost = [("PUT", "secrets", lost)] if lost else []
    options = {"api_url": stage.url, "repository": "example/shop", "name": "KEY"}
    path = book(
        tmp_path,
        {
            "ops.runbook.github_secret": {**options, "value": typed(tmp_path, "value", value)},
            "vars": {"ansible_pipelining": True},
            "register": "found",
        },
        {"ansible.builtin.debug": {"var": "found"}},
    )
    with watched(home, (value, hub.token)) as seen:
        done = play(stage, path, environ=around(home))
    assert (done.returncode == 0) is (lost != "drop"), done.stdout
    assert showing(done.stdout + done.stderr, (value,)) == [] and seen == set()
    assert hub.secrets["repo"].get("KEY", {"value": value})["value"] == value


def test_files_of_ansible_runner_hold_no_secret(stage: Stage, hub: FakeGitHub, tmp_path: Path, home: Path) -> None:
    """It writes down the environment of a run, so a token that shall be in no artifact comes by a variable."""
    subprocess.run(["cp", "-rL", str(ROOT / "runner"), str(tmp_path / "runner")], check=True)
    inputs = {"repository": "example/shop", "github_api_url": stage.url, "github_patience": 0, **PROTECT}
    variables = tmp_path / "inputs.json"

    def kept(ident: str, token: str, **more: Any) -> dict[str, int]:
        variables.write_text(json.dumps({**inputs, **more}))
        # The same again changes nothing, and goes the same way.
        words = ["run", str(tmp_path / "runner"), "--omit-env-files", "--ident", ident]
        words += ["-p", "playbooks/github_protect.yml", "--cmdline", f"-e @{variables} -vvv --diff"]
        ran = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-runner"), *words],
            cwd=tmp_path,
            env={**surroundings(token), "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        assert showing(ran.stdout + ran.stderr, (hub.token,)) == []
        files = [path for path in (tmp_path / "runner").rglob("*") if path.is_file() and not path.is_symlink()]
        assert len(list((tmp_path / "runner/artifacts" / ident).rglob("*.json"))) > 3
        return {
            path.name: path.stat().st_mode & 0o777
            for path in files
            if showing(path.read_text(errors="replace"), (hub.token,))
        }

    assert kept("by-variable", "", github_token=typed(tmp_path, "token", hub.token)) == {}
    assert kept("by-environment", hub.token) == {"command": 0o600}
