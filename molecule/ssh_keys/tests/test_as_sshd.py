"""The keys that let somebody in, by the audit, are those that the host's own sshd lets in: by AuthorizedKeysFile with
tokens and wildcards, by StrictModes, and by what else its configuration says of a key."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from module_driver import PLACE, install
from ssh_keys_lab import KEYS, KeysHost, World

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import login_probe
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys

READER = f"""
import json, sys, time
sys.path.insert(0, {PLACE!r})
from ansible_collections.ops.runbook.plugins.module_utils.sshd import audit
found = audit.read_account(sys.argv[1], audit.Policy(time.time()), {{}}, "")
print(json.dumps(found))
"""
#: So many keys are offered in one connection.
MANY = "MaxAuthTries 100\n"
_ACCEPTED = re.compile(r"^debug1: Server accepts key: (\S+) ", re.M)


@pytest.fixture(scope="module")
def equipped(lasting: World) -> KeysHost:
    host = lasting.hosts[0]
    install(host)
    return host


@pytest.fixture
def host(equipped: KeysHost, world: World) -> Iterator[KeysHost]:
    """As it was after each test: home, folders of keys, configuration."""
    yield equipped
    equipped.root(
        "rm -rf /etc/ssh/keys /etc/ssh/closed /etc/ssh/1000 '/etc/ssh/100%' /srv/keys /etc/ssh/test.d /etc/ssh/revoked"
    )


def audit(host: KeysHost, account: str = "deploy") -> dict[str, Any]:
    """The audit's answer about the account, read on the host as root."""
    found: dict[str, Any] = json.loads(host.root(f"python3 -c {shlex.quote(READER)} {account}"))
    assert found["configuration_known"], found
    return found


def usable(host: KeysHost, account: str = "deploy") -> set[str]:
    """The keys that let somebody in, by the audit."""
    lines = audit(host, account)["key_lines"]
    return {line["fingerprint"] for line in lines if not line["unusable"] and not line["authority"]}


def accepted(host: KeysHost, publics: list[str]) -> set[str]:
    """Those of these keys that sshd would let in, asked in one connection."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        paths = {}
        for number, public in enumerate(publics):
            path = Path(folder) / f"key{number}"
            path.write_text(f"{public}\n")
            paths[str(path)] = fingerprint(public)
        words = login_probe.argv(host.login(), next(iter(paths)), log_level="DEBUG1")
        # This ssh signs with SHA-1 only where it is asked to; sshd may take that still.
        more = ["-o", "PubkeyAcceptedAlgorithms=*", *(word for path in list(paths)[1:] for word in ("-i", path))]
        done = subprocess.run([*words[:1], *more, *words[1:]], capture_output=True, text=True, timeout=120, check=False)
    assert "Permission denied" in done.stdout, done.stdout[-2000:]
    return {paths[path] for path in _ACCEPTED.findall(done.stdout)}


def fingerprint(public: str) -> str:
    [(_, key)] = authorized_keys.keys(public.encode())
    return key.fingerprint


# -- AuthorizedKeysFile ----------------------------------------------------------------------------

NAMES = (
    *("/etc/ssh/keys/deploy_ci", "/etc/ssh/keys/deploy_anna", "/etc/ssh/keys/other_ci", "/etc/ssh/keys/.deploy_hidden"),
    *("/etc/ssh/keys/ax", "/etc/ssh/keys/bx", "/etc/ssh/keys/cx", "/etc/ssh/keys/7x", "/etc/ssh/keys/lit*x"),
    *("/etc/ssh/keys/litaax", "/etc/ssh/keys/]x", "/etc/ssh/keys/one/deploy", "/etc/ssh/keys/two/deploy"),
    *("/etc/ssh/closed/deploy", "/etc/ssh/1000/a", "/etc/ssh/100%/deploy", "/home/deploy/.ssh/keys.d/a"),
    *("/home/deploy/.ssh/keys.d/b", "/home/deploy/.ssh/authorized_keys.old", "/home/deploy/keys"),
)
PATTERNS = (
    "/etc/ssh/keys/%u_*",
    "/etc/ssh/keys/*",
    "/etc/ssh/keys/.*",
    "/etc/ssh/keys/[ab]x",
    "/etc/ssh/keys/[!ab]x",
    "/etc/ssh/keys/[^ab]x",
    "/etc/ssh/keys/[]a]x",
    "/etc/ssh/keys/[a-b]? /etc/ssh/keys/deploy_ci",
    "/etc/ssh/keys/[[:digit:]]x",
    "/etc/ssh/keys/[[:alpha:]_]x",
    "/etc/ssh/keys/lit\\\\*x",
    "/etc/ssh/keys/lit*x",
    "/etc/ssh/keys/[ax",
    "/etc/ssh/keys/*/%u",
    "/etc/ssh/k?ys/deploy_ci .ssh/authorized_keys",
    "/etc/ssh/closed/*",
    "/etc/ssh/closed/%u",
    "/etc/ssh/%U/*",
    "/etc/ssh/100%%/%u",
    "%h/.ssh/keys.d/*",
    ".ssh/keys.d/[b]",
    ".ssh/authorized_keys*",
    "keys",
    "/etc/ssh/keys/{a,b}x",
    "~/keys /home/*/keys",
    "/etc/ssh/keys/** none",
    "none",
    "/etc/ssh/keys/none-such-* /etc/ssh/keys/none-such",
)


def test_the_files_of_every_pattern_are_those_that_sshd_reads(host: KeysHost) -> None:
    pairs = {name: ssh_key_pair.generate() for name in NAMES}
    for name, pair in pairs.items():
        owner = "deploy" if name.startswith("/home") else "root"
        host.root(
            f"mkdir -p {shlex.quote(str(Path(name).parent))}; echo {shlex.quote(pair.public)} > {shlex.quote(name)}; "
            f"chown {owner}: {shlex.quote(name)}; chmod 644 {shlex.quote(name)}"
        )
    # Whoever knows the name of a file in it gets it, and nobody may list them.
    host.root(
        "chmod -R go-w /etc/ssh/keys /etc/ssh/closed /etc/ssh/1000 '/etc/ssh/100%' /home/deploy/.ssh; "
        "chmod 711 /etc/ssh/closed; chown -R deploy: /home/deploy/.ssh; chmod 700 /home/deploy/.ssh"
    )
    ours = {pair.fingerprint for pair in pairs.values()}
    publics = [pair.public for pair in pairs.values()]
    seen: set[str] = set()
    for pattern in PATTERNS:
        host.sshd(f"{MANY}AuthorizedKeysFile {pattern}\n")
        sshd = accepted(host, publics)
        assert usable(host) & ours == sshd, pattern
        seen |= sshd
    assert ours == seen, "a file that no pattern reads proves nothing"


def test_a_block_and_an_included_file_decide_as_sshd_reads_them(host: KeysHost) -> None:
    one, two = ssh_key_pair.generate(), ssh_key_pair.generate()
    host.root("mkdir -p /etc/ssh/test.d /etc/ssh/keys")
    host.root(f"echo '{one.public}' > /etc/ssh/keys/deploy_one; echo '{two.public}' > /etc/ssh/keys/two_deploy")
    block = "Match User dep*,!other LocalPort 22\n AuthorizedKeysFile /etc/ssh/keys/*_%u\n"
    host.root(f"printf %s {shlex.quote(block)} > /etc/ssh/test.d/1.conf; chmod -R go-w /etc/ssh/keys")
    own = "AuthorizedKeysFile /etc/ssh/keys/%u_*\n"
    for text, pair in (
        (own, one),
        (f"Include /etc/ssh/test.d/*.conf\n{own}", two),
        (f"Match Group deploy User !deploy\n AuthorizedKeysFile none\nMatch all\n {own}", one),
    ):
        host.sshd(MANY + text)
        assert accepted(host, [one.public, two.public]) == {pair.fingerprint} == usable(host), text


def test_a_key_in_a_file_of_a_pattern_is_rotated(world: World) -> None:
    pattern = "AuthorizedKeysFile .ssh/authorized_keys .ssh/keys.d/%u_*\n"
    for host in world.hosts:
        host.write(f"{world.operator}\n")
        host.deploy("mkdir -m 700 -p ~/.ssh/keys.d")
        host.write(f"# robots\n{world.line()}\n", "/home/deploy/.ssh/keys.d/deploy_ci")
        host.sshd(pattern)
        assert host.lets_in(world.old)

    run = world.rotate()

    assert run.green, run.text
    new = world.ci_key()
    assert "/home/deploy/.ssh/keys.d/deploy_ci line 2" in run.text
    for host in world.hosts:
        assert host.read() == f"{world.operator}\n"
        assert new.public in host.read("/home/deploy/.ssh/keys.d/deploy_ci")
        assert host.lets_in(new) and not host.lets_in(world.old)
        assert host.deploy("ls -A ~/.ssh/keys.d") == "deploy_ci"
        host.deploy("rm -r ~/.ssh/keys.d")


# -- StrictModes -----------------------------------------------------------------------------------

HOME, SSH = "/home/deploy", "/home/deploy/.ssh"
RIGHTS = {
    "as it should be": "",
    "the group writes to the folder": f"chmod 770 {SSH}",
    "the group writes to the file": f"chmod 660 {KEYS}",
    "the group writes to the home": f"chmod 775 {HOME}",
    "a group with somebody else in it": f"usermod -aG deploy nobody; chmod 770 {SSH}",
    "a group that is somebody else's own": f"useradd -g deploy second; chmod 770 {SSH}",
    "a group of which it is the only member": (
        f"groupadd alone; usermod -aG alone deploy; chgrp alone {SSH}; chmod 770 {SSH}"
    ),
    "a group of nobody": f"groupadd empty; chgrp empty {SSH}; chmod 770 {SSH}",
    "root's group": f"chgrp root {KEYS}; chmod 660 {KEYS}",
    "everybody writes to the file": f"chmod 606 {KEYS}",
    "everybody writes to the folder": f"chmod 707 {SSH}",
    "everybody writes to the home": f"chmod 757 {HOME}",
    "everybody writes above the home": "chmod 777 /home",
    "root's file": f"chown root:root {KEYS}; chmod 644 {KEYS}",
    "root's file, which the account can't read": f"chown root:root {KEYS}; chmod 600 {KEYS}",
    "root's file, which its group can read": f"chown root:deploy {KEYS}; chmod 640 {KEYS}",
    "somebody else's file": f"chown nobody {KEYS}; chmod 644 {KEYS}",
    "somebody else's folder": f"chown nobody {SSH}; chmod 755 {SSH}",
    "root's folder, closed": f"chown root:root {SSH}; chmod 700 {SSH}",
    "a link to root's folder": (
        f"mv {SSH} /srv/keys; chown root:root /srv/keys; chmod 755 /srv/keys; ln -s /srv/keys {SSH}"
    ),
    "a link into a folder of everybody": (
        f"mkdir -m 777 /srv/keys; mv {KEYS} /srv/keys/; ln -s /srv/keys/authorized_keys {KEYS}"
    ),
    "a pipe": f"rm {KEYS}; mkfifo {KEYS}; chown deploy {KEYS}",
}
AGAIN = (
    f"rm -rf {SSH} /srv/keys; mkdir -m 700 {SSH}; chown deploy: {SSH}; chmod 755 {HOME} /home; chown deploy: {HOME}; "
    "gpasswd -d nobody deploy; userdel second; groupdel alone; groupdel empty; true"
)


def test_rights_of_files_and_folders_are_judged_as_sshd_judges_them(host: KeysHost, world: World) -> None:
    pair = world.old
    answers: dict[str, tuple[bool, bool]] = {}
    for name, change in RIGHTS.items():
        host.root(f"{{ {AGAIN}; }} >/dev/null 2>&1")
        host.write(f"{pair.public}\n")
        host.root(change or "true")
        answers[name] = (pair.fingerprint in usable(host), host.lets_in(pair))
    host.root(f"{{ {AGAIN}; }} >/dev/null 2>&1")
    assert {name: said for name, said in answers.items() if said[0] != said[1]} == {}
    assert {sshd for _ours, sshd in answers.values()} == {True, False}


def test_without_strictmodes_no_rights_are_judged_but_those_of_the_account(host: KeysHost, world: World) -> None:
    host.sshd("StrictModes no\n")
    for name in ("everybody writes to the folder", "root's file, which the account can't read", "somebody else's file"):
        host.root(f"{{ {AGAIN}; }} >/dev/null 2>&1")
        host.write(f"{world.old.public}\n")
        host.root(RIGHTS[name])
        assert (world.old.fingerprint in usable(host)) == host.lets_in(world.old), name
    host.root(f"{{ {AGAIN}; }} >/dev/null 2>&1")


# -- what else the configuration says --------------------------------------------------------------


def keys_of(host: KeysHost) -> dict[str, str]:
    """Public keys of several types, made on the host."""
    made = host.root(
        "rm -rf /tmp/made; mkdir /tmp/made; cd /tmp/made; "
        "for kind in ed25519 'rsa -b 2048' 'rsa -b 3072' 'ecdsa -b 256'; do "
        "ssh-keygen -q -t $kind -N '' -C '' -f \"${kind// /_}\"; done; "
        'for file in *.pub; do echo "$file $(cat $file)"; done'
    )
    return {line.split()[0]: " ".join(line.split()[1:3]) for line in made.splitlines()}


CONFIGURATIONS = {
    "nothing": "",
    "one type": "PubkeyAcceptedAlgorithms ssh-ed25519\n",
    "one type less": "PubkeyAcceptedAlgorithms -ecdsa-sha2-*\n",
    "RSA by its old name alone": "PubkeyAcceptedAlgorithms ssh-rsa,ssh-ed25519\n",
    "longer keys": "RequiredRSASize 3000\n",
    "no keys": "PubkeyAuthentication no\n",
    "revoked ones, in a list": "RevokedKeys /etc/ssh/revoked\n",
    "revoked ones, in a KRL": "RevokedKeys /etc/ssh/revoked.krl\n",
    "a list that is missing": "RevokedKeys /etc/ssh/revoked.missing\n",
}


def test_types_lengths_and_revoked_keys_are_judged_as_sshd_judges_them(host: KeysHost) -> None:
    publics = keys_of(host)
    host.write("".join(f"{public} x\n" for public in publics.values()))
    host.root(
        "cd /tmp/made; { echo '# gone'; cut -d' ' -f1,2 ecdsa_-b_256.pub; } > /etc/ssh/revoked; "
        "ssh-keygen -q -k -f /etc/ssh/revoked.krl ed25519.pub rsa_-b_2048.pub; chmod 644 /etc/ssh/revoked*"
    )
    seen = set()
    for name, text in CONFIGURATIONS.items():
        host.sshd(MANY + text)
        sshd = frozenset(accepted(host, list(publics.values())))
        assert usable(host) == sshd, name
        seen.add(sshd)
    assert len(seen) > 5
    host.root("rm -rf /tmp/made /etc/ssh/revoked.krl")


def test_root_is_let_in_as_sshd_lets_it_in(host: KeysHost) -> None:
    plain, forced = ssh_key_pair.generate(), ssh_key_pair.generate()
    host.root("mkdir -m 700 -p /root/.ssh")
    content = f'{plain.public} a\ncommand="echo forced" {forced.public} b\n'
    host.root(f"printf %s {shlex.quote(content)} > /root/.ssh/authorized_keys; chmod 600 /root/.ssh/authorized_keys")
    seen = set()
    for setting in ("no", "forced-commands-only", "prohibit-password", "yes"):
        host.sshd(f"PermitRootLogin {setting}\n")
        # Whoever is refused by the one process of sshd may be told by the other that they are in, so a command is run.
        sshd = frozenset(pair.fingerprint for pair in (plain, forced) if host.says(pair, "echo in", "root"))
        assert usable(host, "root") == sshd, setting
        seen.add(sshd)
    assert len(seen) == 3
    host.root("rm -r /root/.ssh")


def test_further_conditions_of_a_login_are_named(host: KeysHost, world: World) -> None:
    host.write(f"{world.old.public}\n")
    host.sshd("AuthenticationMethods publickey,publickey\nDenyUsers anna deploy\n")
    assert not host.lets_in(world.old)
    notes = " ".join(audit(host)["notes"])
    assert "AuthenticationMethods publickey,publickey" in notes and "DenyUsers anna deploy" in notes


def test_a_file_is_read_for_the_audit_though_sshd_takes_nothing_from_it(host: KeysHost, world: World) -> None:
    """A key that lets nobody in today may do so after the next chmod: it is listed, with the reason."""
    host.write(f"{world.old.public}\n")
    host.root(f"chmod 707 {SSH}")
    [line] = audit(host)["key_lines"]
    assert line["fingerprint"] == world.old.fingerprint and "everybody may write" in line["unusable"]
    host.root(f"chmod 700 {SSH}")
