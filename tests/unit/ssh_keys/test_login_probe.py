"""A key is called let in, or refused, only where sshd said so to this key; Ansible's ping says so of any."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import real_sshd

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import login_probe
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.login_probe import Login

ROOT = Path(__file__).resolve().parents[3]
ANSIBLE = shutil.which("ansible", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))

LET_IN = 'Authenticated to a ([192.0.2.1]:22) using "publickey".\n'
SAID = {
    "let in, and the session answered": (
        f"{LET_IN}channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed\n",
        "accepted",
    ),
    "let in, and nothing more": (LET_IN, "no_session"),
    "let in, and then cut off": (f"{LET_IN}Read from remote host a: Connection reset by peer\n", "no_session"),
    "let in, and a host that claims a refusal": (f"{LET_IN}deploy@a: Permission denied (publickey).\n", "no_session"),
    "an answer of nobody": (f"channel 0: open failed: x\n{LET_IN}", "no_session"),
    "one of two ways is done": (
        'Authenticated using "publickey" with partial success.\ndeploy@a: Permission denied (password).\n',
        "refused",
    ),
    "let in without a key": (
        'Authenticated to a ([192.0.2.1]:22) using "none".\nchannel 0: open failed: x\n',
        "unreachable",
    ),
    "refused": ("deploy@a: Permission denied (publickey).\n", "refused"),
    "a key that could not be read": (
        'Load key "/k": error in libcrypto\ndeploy@a: Permission denied (publickey).\n',
        "key_unreadable",
    ),
    "no key there": (
        "no such identity: /k: No such file\ndeploy@a: Permission denied (publickey).\n",
        "key_unreadable",
    ),
    "another host": ("Host key verification failed.\n", "host_key"),
    "nobody": ("ssh: connect to host a port 22: Connection refused\n", "unreachable"),
    "cut off": ("Connection closed by 192.0.2.1 port 22\n", "unreachable"),
    "too many": ("Received disconnect from a: Too many authentication failures\n", "unreachable"),
    "a banner that lies": ("welcome: Permission denied (publickey).\nConnection closed\n", "unreachable"),
    "nothing": ("", "unreachable"),
}


@pytest.mark.parametrize(("said", "outcome"), SAID.values(), ids=SAID)
def test_the_words_of_ssh_are_judged(said: str, outcome: str) -> None:
    assert login_probe.judge(said).outcome == outcome


@pytest.mark.parametrize(
    "option",
    [
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "CertificateFile=none",
        "ControlMaster=no",
        "ControlPath=none",
        "PreferredAuthentications=publickey",
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        'UserKnownHostsFile="/known 100%%"',
        'IdentityFile="/the key"',
    ],
)
def test_no_other_way_in_is_left_open(option: str) -> None:
    words = login_probe.argv(Login("a.example.com", "deploy", "/known 100%"), "/the key")
    assert ("-o", option) in list(zip(words, words[1:], strict=False))
    assert words[1:3] == ["-F", "/dev/null"] and words[-2:] == ["--", "a.example.com"] and "-N" in words


@pytest.mark.parametrize(("alias", "words"), [("", []), ("bastion.example.com", ["HostKeyAlias=bastion.example.com"])])
def test_a_host_key_is_looked_up_by_the_name_that_the_inventory_has_for_it(alias: str, words: list[str]) -> None:
    found = login_probe.argv(Login("10.0.0.7", "deploy", "/known", host_key_alias=alias), "/the key")
    assert [word for word in found if word.startswith("HostKeyAlias")] == words


needs_sshd = pytest.mark.skipif(real_sshd.MISSING, reason="sshd is not there")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[real_sshd.Server]:
    with real_sshd.running(tmp_path) as found:
        yield found


def login(server: real_sshd.Server, **changes: str | int | bool) -> Login:
    wanted = {"host": "127.0.0.1", "user": server.user, "known_hosts": str(server.known_hosts), "port": server.port}
    return Login(**{**wanted, **changes})  # type: ignore[arg-type]


@needs_sshd
def test_a_key_is_let_in_from_a_file_and_from_memory_and_another_is_refused(server: real_sshd.Server) -> None:
    old, new = server.folder / "old", server.folder / "new"
    server.authorized.write_text(f'command="touch {server.folder}/ran" {real_sshd.make_key(old)}')
    real_sshd.make_key(new)
    assert login_probe.probe(login(server), str(old)).outcome == "accepted"
    assert login_probe.probe_key(login(server), old.read_bytes()).outcome == "accepted"
    assert login_probe.probe(login(server), str(new)).outcome == "refused"
    assert login_probe.probe_key(login(server), new.read_bytes()).outcome == "refused"
    assert not (server.folder / "ran").exists()


@needs_sshd
def test_a_login_is_proven_by_the_word_of_a_command_that_ran(server: real_sshd.Server) -> None:
    key = server.folder / "key"
    public = real_sshd.make_key(key)
    server.authorized.write_text(f"restrict {public}")
    assert login_probe.probe(login(server, runs_commands=True), str(key)).outcome == "accepted"
    # It repeats what it was asked for, and ran none of it.
    server.authorized.write_text(f'command="printf %s \\"$SSH_ORIGINAL_COMMAND\\"" {public}')
    repeated = login_probe.probe(login(server, runs_commands=True), str(key))
    assert repeated.outcome == "no_session" and "echo '" in repeated.text
    server.authorized.write_text(f'command="echo This account is closed." {public}')
    closed = login_probe.probe(login(server, runs_commands=True), str(key))
    assert closed.outcome == "no_session" and "This account is closed." in closed.text


@needs_sshd
def test_a_session_that_sshd_does_not_open_is_no_login(tmp_path: Path) -> None:
    with real_sshd.running(tmp_path, "MaxSessions 0") as server:
        server.authorized.write_text(real_sshd.make_key(tmp_path / "key"))
        assert login_probe.probe(login(server, runs_commands=True), str(tmp_path / "key")).outcome == "no_session"


@needs_sshd
@pytest.mark.parametrize("forwarding", ["yes", "no"])
def test_the_session_answers_without_running_a_forced_command(tmp_path: Path, forwarding: str) -> None:
    with real_sshd.running(
        tmp_path, f"AllowTcpForwarding {forwarding}", f"ForceCommand touch {tmp_path}/ran"
    ) as server:
        server.authorized.write_text(real_sshd.make_key(tmp_path / "key"))
        assert login_probe.probe(login(server), str(tmp_path / "key")).outcome == "accepted"
    assert not (tmp_path / "ran").exists()


@needs_sshd
@pytest.mark.skipif(os.geteuid() != 0, reason="sshd lets in its own account alone, and this is about root")
@pytest.mark.parametrize("runs_commands", [False, True])
def test_root_is_not_let_in_where_sshd_says_so_and_then_cuts_the_connection(
    tmp_path: Path, runs_commands: bool
) -> None:
    """One process of sshd 10.0 tells the client that it is in, and the other one refuses it."""
    plain, forced = tmp_path / "plain", tmp_path / "forced"
    with real_sshd.running(tmp_path, "PermitRootLogin forced-commands-only") as server:
        server.authorized.write_text(
            f'{real_sshd.make_key(plain)}command="touch {tmp_path}/ran" {real_sshd.make_key(forced)}'
        )
        refused = login_probe.probe(login(server, runs_commands=runs_commands), str(plain))
        assert refused.outcome in ("refused", "no_session"), refused
        assert login_probe.probe(login(server), str(forced)).outcome == "accepted"
    assert not (tmp_path / "ran").exists()


@needs_sshd
def test_a_host_that_never_stops_talking_is_not_listened_to_for_ever(server: real_sshd.Server) -> None:
    key = server.folder / "key"
    server.authorized.write_text(f'command="yes" {real_sshd.make_key(key)}')
    assert login_probe.probe(login(server, runs_commands=True), str(key)).outcome == "no_session"


@needs_sshd
def test_a_banner_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    banner = tmp_path / "banner"
    banner.write_text('Authenticated to 127.0.0.1 ([127.0.0.1]:22) using "publickey".\n')
    with real_sshd.running(tmp_path, f"Banner {banner}") as server:
        real_sshd.make_key(tmp_path / "new")
        assert login_probe.probe(login(server), str(tmp_path / "new")).outcome == "refused"


@needs_sshd
def test_a_doubt_is_no_refusal(server: real_sshd.Server) -> None:
    old = server.folder / "old"
    server.authorized.write_text(real_sshd.make_key(old))
    cut = old.read_bytes()[:-60]
    assert login_probe.probe_key(login(server), cut).outcome == "key_unreadable"
    assert login_probe.probe(login(server), str(server.folder / "none")).outcome == "key_unreadable"
    assert login_probe.probe(login(server, known_hosts="/dev/null"), str(old)).outcome == "host_key"
    other = real_sshd.make_key(server.folder / "other")
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {' '.join(other.split()[:2])}\n")
    assert login_probe.probe(login(server), str(old)).outcome == "host_key"
    assert login_probe.probe(login(server, port=1), str(old)).outcome == "unreachable"


@needs_sshd
@pytest.mark.skipif(ANSIBLE is None, reason="ansible is not installed")
def test_ansible_s_ping_passes_with_a_key_that_was_never_let_in_and_the_probe_refuses(server: real_sshd.Server) -> None:
    """The false proof: the ping of the new key is answered through the connection that the old one opened."""
    old, new = server.folder / "old", server.folder / "new"
    server.authorized.write_text(real_sshd.make_key(old))
    real_sshd.make_key(new)
    # A socket's path may not be longer than 108 bytes, and pytest's folders are.
    sockets = Path("/tmp") / f"cp{os.getpid()}"
    sockets.mkdir(mode=0o700)
    empty = server.folder / "empty.cfg"
    empty.touch()
    variables = {
        "ansible_host": "127.0.0.1",
        "ansible_port": server.port,
        "ansible_user": server.user,
        "ansible_python_interpreter": sys.executable,
        "ansible_ssh_common_args": f"-F /dev/null -o IdentitiesOnly=yes -o IdentityAgent=none "
        f"-o UserKnownHostsFile={server.known_hosts}",
    }
    (server.folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"a": variables}}}))

    def ping(key: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(ANSIBLE), "a", "-i", str(server.folder / "hosts.json"), "-m", "ping", "--private-key", str(key)],
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(empty),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
                "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s",
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    try:
        alone = ping(new)
        assert "UNREACHABLE" in alone.stdout and "Permission denied" in alone.stdout, alone.stdout
        assert "pong" in ping(old).stdout
        assert "pong" in ping(new).stdout
        assert login_probe.probe(login(server), str(new)).outcome == "refused"
        assert login_probe.probe(login(server), str(old)).outcome == "accepted"
    finally:
        for socket in sockets.iterdir():
            subprocess.run(
                ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "x"],
                check=False,
                capture_output=True,
            )
        shutil.rmtree(sockets, ignore_errors=True)
