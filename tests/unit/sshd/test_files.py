"""The authorized_keys that sshd reads, by its own answer, and refusals of StrictModes."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import key_lines
import pytest
import real_sshd

from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys, files
from ansible_collections.ops.runbook.plugins.module_utils.sshd.files import Account, Fact, NotRead

DEPLOY = Account("deploy", 1000, "/home/deploy", "/srv/home/deploy")
ME = pwd.getpwuid(os.geteuid()).pw_name
FROM = {"SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 22"}
needs_sshd = pytest.mark.skipif(real_sshd.MISSING, reason="sshd is not there")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        (".ssh/authorized_keys", "/home/deploy/.ssh/authorized_keys"),
        ("%h/keys", "/home/deploy/keys"),
        ("/etc/ssh/keys/%u", "/etc/ssh/keys/deploy"),
        ("/etc/ssh/keys/%U.pub", "/etc/ssh/keys/1000.pub"),
        ("/keys/100%%/%u", "/keys/100%/deploy"),
        ("/keys/%%u", "/keys/%u"),
    ],
)
def test_a_pattern_means_a_path(pattern: str, path: str) -> None:
    assert files.expand(pattern, DEPLOY) == path


@pytest.mark.parametrize("pattern", ["/keys/%x", "/keys/%"])
def test_a_token_that_sshd_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(NotRead, match="does not know"):
        files.expand(pattern, DEPLOY)


def test_an_answer_is_read() -> None:
    read = files.parse(
        "port 22\nstrictmodes no\npubkeyauthentication yes\nauthorizedkeysfile .ssh/a /etc/b/%u .ssh/a\n"
        "authorizedkeyscommand /usr/bin/keys %u\ntrustedusercakeys /etc/ssh/ca.pub\n"
    )
    assert files.paths(read, DEPLOY) == ["/home/deploy/.ssh/a", "/etc/b/deploy"]
    assert (read.command, read.strict, read.authorities) == ("/usr/bin/keys %u", False, "/etc/ssh/ca.pub")


def test_none_is_no_file() -> None:
    read = files.parse("authorizedkeysfile none\nauthorizedkeyscommand none\ntrustedusercakeys none\n")
    assert (read.files, read.command, read.authorities, read.strict) == ((), "", "", True)


def test_an_answer_without_the_file_is_none() -> None:
    with pytest.raises(NotRead):
        files.parse("port 22\n")


STRICT = {
    "all is well": ([("/srv/home/deploy/.ssh/a", 1000, 0o600), ("/srv/home/deploy/.ssh", 1000, 0o700)], []),
    "root's file": ([("/etc/keys/deploy", 0, 0o644), ("/etc/keys", 0, 0o755), ("/etc", 0, 0o755)], []),
    "somebody else's file": ([("/srv/home/deploy/.ssh/a", 1001, 0o600)], ["belongs to uid 1001"]),
    "everybody writes": ([("/srv/home/deploy/.ssh/a", 1000, 0o666)], ["its group and everybody may write"]),
    "the group writes to the folder": (
        [("/srv/home/deploy/.ssh/a", 1000, 0o600), ("/srv/home/deploy/.ssh", 1000, 0o770)],
        ["folder /srv/home/deploy/.ssh has mode 0770: its group may write"],
    ),
    "the home counts, what is above does not": (
        [("/srv/home/deploy/a", 1000, 0o600), ("/srv/home/deploy", 1000, 0o777), ("/srv/home", 5, 0o777)],
        ["folder /srv/home/deploy has mode 0777"],
    ),
}


@pytest.mark.parametrize(("walk", "said"), STRICT.values(), ids=STRICT)
def test_a_refusal_of_strictmodes_is_named(walk: list[tuple[str, int, int]], said: list[str]) -> None:
    found = files.strict_problems([Fact(*one) for one in walk], DEPLOY, debian=False)
    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


def test_the_walk_follows_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o750)
    (tmp_path / "real/keys").touch(0o640)
    (tmp_path / "link").symlink_to("real")
    walk = files.facts(str(tmp_path / "link/keys"), files.account(ME))
    assert [fact.path for fact in walk[:3]] == [str(tmp_path / "real/keys"), str(tmp_path / "real"), str(tmp_path)]
    assert walk[-1].path == "/"


def failing(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], 1, "", "/etc/ssh/sshd_config.d/50.conf: Permission denied\n")


def test_without_an_answer_of_sshd_its_defaults_are_taken_with_a_doubt() -> None:
    read = files.ask("deploy", FROM, sshd="/usr/sbin/sshd", run=failing)
    assert not read.known and read.files == files.DEFAULT_FILES
    assert "is not known" in read.doubts[0]
    assert files.ask("deploy", FROM, sshd="/nowhere/sshd").known is False


def test_an_account_that_is_not_there_is_named() -> None:
    with pytest.raises(NotRead, match="no account nobody-here"):
        files.account("nobody-here")


@needs_sshd
def test_sshd_itself_says_which_files_it_reads_for_whom_and_from_where(tmp_path: Path) -> None:
    real_sshd.make_key(tmp_path / "host_key")
    config = tmp_path / "sshd_config"
    config.write_text(
        f"HostKey {tmp_path / 'host_key'}\nAuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u\n"
        f"Match User {ME} Address 192.0.2.0/24\n  AuthorizedKeysFile %h/far\n"
    )
    if os.geteuid() == 0:
        real_sshd.PRIVSEP.mkdir(mode=0o755, exist_ok=True)
    me = files.account(ME)
    near = files.ask(ME, {}, config=str(config))
    far = files.ask(ME, FROM, config=str(config))
    assert near.known, near.doubts
    assert files.paths(near, me) == [f"{me.home}/.ssh/authorized_keys", f"/etc/ssh/keys/{ME}"]
    assert files.paths(far, me) == [f"{me.home}/far"]
    assert "127.0.0.1" in near.doubts[0] and far.doubts == ()


DUMP = (
    "authorizedkeysfile .ssh/a\npubkeyacceptedalgorithms ssh-ed25519,rsa-sha2-512\n"
    "casignaturealgorithms ssh-ed25519\nrequiredrsasize 2048\n"
)
TAKEN = {
    "a type that it takes": (key_lines.ed25519("1"), "10.0", ""),
    "RSA by one of its names": (key_lines.rsa("1", 2048), "10.0", ""),
    "RSA that is too short": (key_lines.rsa("1", 1024), "10.0", "fewer than 2048 bits (RequiredRSASize)"),
    "DSA": (key_lines.dsa("1"), "10.0", "type ssh-dss (PubkeyAcceptedAlgorithms)"),
    "a type that came later": (key_lines.public("ssh-new@example.com", b"x"), "10.0", "type ssh-new@example.com"),
    "a CA of RSA": (f"cert-authority {key_lines.rsa('1', 2048)}", "10.0", "(CASignatureAlgorithms)"),
    "an option that it does not know": (f'expiry-time="20991231Z" {key_lines.ed25519("1")}', "8.9", "OpenSSH 9.1"),
    "the same where it does": (f'expiry-time="20991231Z" {key_lines.ed25519("1")}', "9.2", ""),
    "the same where it is not known": (f'expiry-time="20991231Z" {key_lines.ed25519("1")}', "", ""),
}


@pytest.mark.parametrize(("line", "version", "why"), TAKEN.values(), ids=TAKEN)
def test_a_key_that_this_sshd_does_not_take_is_told(line: str, version: str, why: str) -> None:
    said = f"unknown option -- V\nOpenSSH_{version}p1 Debian-1, OpenSSL 3.0.2\nusage: sshd" if version else ""
    [(_, key)] = authorized_keys.keys(line.encode())
    refused = files.parse(DUMP, said).refuses(key)
    assert why in refused and bool(refused) is bool(why)


ROOTS = {"no": (False, False), "forced-commands-only": (False, True), "without-password": (True, True)}


@pytest.mark.parametrize(("setting", "taken"), ROOTS.items(), ids=ROOTS)
def test_a_refusal_of_permitrootlogin_concerns_roots_keys_alone(setting: str, taken: tuple[bool, bool]) -> None:
    read = files.parse(f"authorizedkeysfile .ssh/a\npermitrootlogin {setting}\n", "OpenSSH_10.0p2")
    text = f'{key_lines.ed25519("1")}\ncommand="" {key_lines.ed25519("2")}\n'
    keys = [key for _, key in authorized_keys.keys(text.encode())]
    assert [not replace(read, is_root=True).refuses(key) for key in keys] == list(taken)
    assert [read.refuses(key) for key in keys] == ["", ""]


@pytest.mark.parametrize(
    ("dump", "said"),
    [
        ("authenticationmethods any\n", ""),
        ("authenticationmethods publickey password\n", ""),
        ("authenticationmethods publickey,password\n", "more than a key (AuthenticationMethods publickey,password)"),
        ("allowusers deploy\nallowusers anna@10.*\n", "AllowUsers deploy anna@10.*"),
        ("denygroups ci\n", "DenyGroups ci"),
    ],
)
def test_further_conditions_of_a_login_are_named(dump: str, said: str) -> None:
    found = " ".join(files.parse(f"authorizedkeysfile .ssh/a\n{dump}").besides)
    assert said in found and bool(found) is bool(said)


@needs_sshd
def test_blocks_on_the_address_port_and_routing_domain_of_the_host_do_not_keep_sshd_from_answering(
    tmp_path: Path,
) -> None:
    real_sshd.make_key(tmp_path / "host_key")
    config = tmp_path / "sshd_config"
    config.write_text(
        f"HostKey {tmp_path / 'host_key'}\nAuthorizedKeysFile %h/near\n"
        "Match LocalAddress 192.0.2.1 LocalPort 22 RDomain other\n  AuthorizedKeysFile %h/far\n"
        "Match LocalPort 2222\n  AuthorizedKeysFile %h/far\n"
    )
    if os.geteuid() == 0:
        real_sshd.PRIVSEP.mkdir(mode=0o755, exist_ok=True)
    for environment in ({}, FROM):
        read = files.ask(ME, environment, config=str(config))
        assert read.known and read.files == ("%h/near",), read
        assert read.version >= (8, 0) and "ssh-ed25519" in read.algorithms


# -- wildcards -------------------------------------------------------------------------------------

TREE = ("k/deploy_ci", "k/deploy_anna", "k/other_ci", "k/.deploy_hidden", "k/ax", "k/bx", "k/7x", "k/lit*x", "k/litax")
#: Held against a real sshd by molecule/ssh_keys/tests/test_as_sshd.py.
WILDCARDS = {
    "k/%u_*": ["k/deploy_anna", "k/deploy_ci"],
    "k/[ab]x": ["k/ax", "k/bx"],
    "k/[!ab]x": ["k/7x"],
    "k/[]a]x": ["k/ax"],
    "k/[\\]a]x": ["k/ax"],
    "k/[[:digit:]]x": ["k/7x"],
    "k/lit\\*x": ["k/lit*x"],
    "k/lit*x": ["k/lit*x", "k/litax"],
    "k/.*": ["k/.deploy_hidden"],
    "*/ax": ["k/ax"],
    "k/none*": [],
    "k/none": ["k/none"],
    "k/[ax": ["k/[ax"],
    "k/{a,b}x": ["k/{a,b}x"],
}


@pytest.mark.parametrize(("pattern", "names"), WILDCARDS.items(), ids=WILDCARDS)
def test_a_wildcard_means_the_files_that_are_there(tmp_path: Path, pattern: str, names: list[str]) -> None:
    for name in TREE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    deploy = Account("deploy", os.geteuid(), str(tmp_path), str(tmp_path))
    read = files.parse(f"authorizedkeysfile {pattern}\n", "OpenSSH_10.0p2")
    assert files.paths(read, deploy) == [str(tmp_path / name) for name in names]


def test_an_older_sshd_takes_a_wildcard_for_a_letter() -> None:
    read = files.parse("authorizedkeysfile /etc/ssh/keys/%u_*\n", "OpenSSH_9.6p1 Ubuntu-3ubuntu13")
    assert files.paths(read, DEPLOY) == ["/etc/ssh/keys/deploy_*"]


def test_debians_sshd_lets_the_accounts_own_group_write() -> None:
    walk = [Fact("/srv/home/deploy/.ssh/a", 1000, 0o660, alone=True), Fact("/srv/home/deploy/.ssh", 1000, 0o777, True)]
    assert len(files.strict_problems(walk, DEPLOY, debian=False)) == 2
    [said] = files.strict_problems(walk, DEPLOY, debian=True)
    assert said == "folder /srv/home/deploy/.ssh has mode 0777: everybody may write"


# -- revoked keys ----------------------------------------------------------------------------------


def revoked(path: str, *lines: str) -> tuple[list[bool], str]:
    keys = [key for _, key in authorized_keys.keys("".join(f"{line}\n" for line in lines).encode())]
    read = files.with_revocations(
        files.parse(f"authorizedkeysfile .ssh/a\nrevokedkeys {path}\n", "OpenSSH_10.0p2"), keys
    )
    return [bool(read.refuses(key)) for key in keys], " ".join(read.doubts)


def test_revoked_keys_of_a_list_are_refused(tmp_path: Path) -> None:
    one, two, three = (key_lines.ed25519(name) for name in ("one", "two", "three"))
    path = tmp_path / "revoked"
    path.write_text(f"# gone\n{one} c\n  {three}\nrestrict {two}\nhello\n")
    assert revoked(str(path), f"no-pty {one} x", two, three) == ([True, False, True], "")
    assert revoked("none", one) == ([False], "")
    assert revoked(str(tmp_path / "missing"), one, two) == ([True, True], "")


@pytest.mark.skipif(real_sshd.shutil.which("ssh-keygen") is None, reason="ssh-keygen is not there")
def test_revoked_keys_of_a_krl_are_refused(tmp_path: Path) -> None:
    one, two = key_lines.ed25519("one"), key_lines.rsa("two", 2048)
    (tmp_path / "one.pub").write_text(f"{one}\n")
    path = tmp_path / "krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(path), str(tmp_path / "one.pub")], check=True)
    assert revoked(str(path), one, two) == ([True, False], "")
    path.write_bytes(path.read_bytes()[:20])
    refused, doubt = revoked(str(path), one, two)
    assert refused == [False, False] and "is not known" in doubt
