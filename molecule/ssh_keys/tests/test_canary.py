"""No key, token or password on any surface: what a run prints with -vvv and --diff, the process lists of all machines
while it works, the files that it leaves, its records and the hosts' logs."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ssh_keys_lab import World
from watch import leaks, show_canaries, watched

#: What every private key of OpenSSH begins with, so also the one that the run is about to make. In two pieces, since no
#: file of the repository may look as if it held a key.
ANY_KEY = ("BEGIN OPENSSH " + "PRIVATE KEY", "b3BlbnNzaC1rZXk" + "tdjE")


def body(private: bytes) -> list[str]:
    """The lines of a private key that hold it; the first is the same in all of them."""
    return [line for line in private.decode().splitlines() if line and not line.startswith("-----")][1:]


def files(*folders: Path) -> str:
    found = []
    for folder in folders:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            found.append(path.read_text(errors="replace"))
    return "\n".join(found)


@pytest.mark.core("canary")
def test_no_secret_on_any_surface(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch, home = tmp_path / "tmp", tmp_path / "ansible"
    for folder in (scratch, home):
        folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("ANSIBLE_HOME", str(home))
    monkeypatch.setenv("ANSIBLE_LOCAL_TEMP", str(home / "tmp"))
    monkeypatch.setenv("ANSIBLE_KEEP_REMOTE_FILES", "1")
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN", "ansible.builtin.jsonfile")
    monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(home / "facts"))
    old = world.old
    known = [*body(old.private), os.environ["GITHUB_TOKEN"], world.password]
    since = [host.root("date -u +%s").strip() for host in world.hosts]
    with contextlib.ExitStack() as stack:
        seen = [stack.enter_context(watched(host, [*ANY_KEY, *known])) for host in world.hosts]
        run = world.rotate("-vvv", "--diff")
    assert run.green, run.text
    # sshd -T wants a host key: one that was made for it, and opens nothing.
    assert [line for line in sum(seen, []) if not re.match(r"/tmp/ops-runbook-\w+/key: needle [01]$", line)] == []

    (kept,) = world.kept()
    plain = VaultLib([("default", VaultSecret(world.password.encode()))]).decrypt(kept.read_bytes())
    new = world.rotated()
    assert body(new.private)[0] in plain.decode(), "the kept key is the one that CI has"
    needles = [*ANY_KEY, *known, *body(new.private)]
    assert leaks(run.text, needles) == []
    assert leaks(files(scratch, home), needles) == []
    assert leaks(kept.read_text(), needles) == []
    for host, start in zip(world.hosts, since, strict=True):
        # Some files are not text; what is searched for is.
        every = f"find {host.state} /home/deploy /tmp -type f -exec cat {{}} + 2>/dev/null"
        assert leaks(host.root(f"{every} | LC_ALL=C tr -c '[:print:][:space:]' '?'"), needles) == []
        logs = host.root(f"journalctl --since @{start} --no-pager -o cat; cat /var/log/*.log 2>/dev/null", check=False)
        assert leaks(logs, needles) == []


def test_the_watch_sees_what_is_there(world: World) -> None:
    """Else the test above proves nothing."""
    host = world.hosts[0]
    with watched(host, ["canary-in-argv", "canary-in-file"]) as seen:
        show_canaries(host)
    assert any("process list" in line and line.endswith("needle 0") for line in seen), seen
    assert "/tmp/lab-canary: needle 1" in seen
