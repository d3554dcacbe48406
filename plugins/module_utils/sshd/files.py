# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files from which sshd reads an account's keys, as sshd reports them, and why it would refuse one."""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.ops.runbook.plugins.module_utils.host import owned_folder
from ansible_collections.ops.runbook.plugins.module_utils.sshd import revocations as key_revocations
from ansible_collections.ops.runbook.plugins.module_utils.sshd.authorized_keys import Key
from ansible_collections.ops.runbook.plugins.module_utils.sshd.revocations import Revocations
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt

#: OpenSSH's behaviour where its configuration is silent.
DEFAULT_FILES = (".ssh/authorized_keys", ".ssh/authorized_keys2")

_SECONDS = 20

#: Before, a wildcard in AuthorizedKeysFile was a letter of a name.
_WILDCARDS_SINCE = (10, 0)
#: One of several letters, or with an exclamation mark none of them; the first one may be a bracket.
_BRACKET = re.compile(r"\[(!?)(\]?(?:\[:[a-z]+:\]|\\[^/]|[^\]/\\])*)\]")
_NAMED = re.compile(r"\[:([a-z]+):\]")
_LETTERS = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
    "blank": " \t",
    "space": " \t\n\v\f\r",
    "punct": "!-/:-@[-`{-~",
}

#: Names of the algorithms with which keys of a type sign, where that is not the type's own name.
_SIGNS_WITH = {
    "ssh-rsa": ("ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"),
    "sk-ecdsa-sha2-nistp256@openssh.com": (
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    ),
}


class NotRead(Exception):
    """sshd did not say what it does. The text says why."""


@dataclass(frozen=True)
class Account:
    """An account as the host knows it. real_home: the folder with its links followed. shell: a path, or empty."""

    name: str
    uid: int
    home: str
    real_home: str
    shell: str = ""


@dataclass(frozen=True)
class Configuration:
    """Settings of sshd for one account.

    files: paths as configured, with their tokens. command: a program that gives keys too.
    strict: whether StrictModes is on. public_keys: whether keys are taken at all.
    authorities: the file of CAs whose certificates are let in, which no authorized_keys shows.
    version: of OpenSSH, (0, 0) where it is not known. algorithms: what a key may sign with, and authority_algorithms
    what a CA may, each empty where that is not known. rsa_least: bits. debian: whether it is Debian's or Ubuntu's sshd.
    forced_command: ForceCommand, or empty. root_login: PermitRootLogin. is_root: whether the account is root.
    besides: further conditions of a login, in words.
    revoked_keys: a file, and revocations what it says of the keys that were looked at.
    known: sshd reported them; otherwise they are OpenSSH's defaults. doubts: notes for the reader.
    """

    files: tuple[str, ...] = DEFAULT_FILES
    command: str = ""
    strict: bool = True
    public_keys: bool = True
    authorities: str = ""
    version: tuple[int, int] = (0, 0)
    algorithms: tuple[str, ...] = ()
    authority_algorithms: tuple[str, ...] = ()
    rsa_least: int = 0
    debian: bool = False
    forced_command: str = ""
    root_login: str = ""
    is_root: bool = False
    besides: tuple[str, ...] = ()
    revoked_keys: str = ""
    revocations: Revocations = Revocations()
    known: bool = True
    doubts: tuple[str, ...] = ()

    def refuses(self, key: Key) -> str:
        """Why this sshd does not take a key that OpenSSH can read; empty where it does."""
        if not self.public_keys:
            return "sshd takes no keys for this account (PubkeyAuthentication no)"
        if self.is_root and self.root_login == "no":
            return "sshd lets root in by no key (PermitRootLogin no)"
        if self.is_root and self.root_login == "forced-commands-only" and not key.is_authority and key.command is None:
            return "sshd lets root in by keys with command= alone (PermitRootLogin forced-commands-only)"
        if self.revocations.every:
            return self.revocations.every
        if key.fingerprint in self.revocations.fingerprints:
            return f"it is revoked ({self.revoked_keys})"
        if self.version != (0, 0) and key.since > self.version:
            since, own = (".".join(map(str, version)) for version in (key.since, self.version))
            return f"it has an option of OpenSSH {since}, and sshd is of OpenSSH {own}"
        option = "CASignatureAlgorithms" if key.is_authority else "PubkeyAcceptedAlgorithms"
        taken = self.authority_algorithms if key.is_authority else self.algorithms
        if taken and not any(name in taken for name in _SIGNS_WITH.get(key.kind, (key.kind,))):
            return f"sshd takes no signature of a key of the type {key.kind} ({option})"
        if key.kind == "ssh-rsa" and key.bits < self.rsa_least:
            return f"sshd takes no RSA key of fewer than {self.rsa_least} bits (RequiredRSASize)"
        return ""


@dataclass(frozen=True)
class Fact:
    """One component of a path, with its links followed. alone: whether nobody but the account is in its group."""

    path: str
    uid: int
    mode: int
    alone: bool = False


# -- what sshd says ------------------------------------------------------------------------------


def parse(dump: str, version: str = "") -> Configuration:
    """Settings from the answers of `sshd -T` and `sshd -V`. Raises NotRead if the first is not such an answer."""
    said: dict[str, str] = {}
    all_said: dict[str, list[str]] = {}
    for line in dump.splitlines():
        name, _, value = line.strip().partition(" ")
        said.setdefault(name.lower(), value.strip())
        all_said.setdefault(name.lower(), []).append(value.strip())
    if "authorizedkeysfile" not in said:
        raise NotRead("sshd -T did not say which AuthorizedKeysFile it reads")
    return Configuration(
        files=tuple(path for path in said["authorizedkeysfile"].split() if path.lower() != "none"),
        command=_named(said.get("authorizedkeyscommand", "")),
        strict=said.get("strictmodes", "yes") != "no",
        public_keys=said.get("pubkeyauthentication", "yes") != "no",
        authorities=_named(said.get("trustedusercakeys", "")),
        version=_version(version),
        algorithms=_list(said.get("pubkeyacceptedalgorithms") or said.get("pubkeyacceptedkeytypes", "")),
        authority_algorithms=_list(said.get("casignaturealgorithms", "")),
        rsa_least=_number(said.get("requiredrsasize", "")),
        debian="debianbanner" in said,
        forced_command=_named(said.get("forcecommand", "")),
        root_login=said.get("permitrootlogin", ""),
        besides=_besides(all_said),
        revoked_keys=_named(said.get("revokedkeys", "")),
    )


def _besides(said: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Conditions of sshd beside a key that is let in; a key that it takes may not be enough."""
    found = []
    methods = " ".join(said.get("authenticationmethods", ()))
    if methods not in ("", "any") and "publickey" not in methods.split():
        found.append(f"sshd asks for more than a key (AuthenticationMethods {methods})")
    for name in ("AllowUsers", "DenyUsers", "AllowGroups", "DenyGroups"):
        if values := said.get(name.lower()):
            found.append(f"sshd also looks at {name} {' '.join(values)}: whom that shuts out, no key lets in")
    return tuple(found)


def with_revocations(configuration: Configuration, keys: Iterable[Key]) -> Configuration:
    """The same, with what RevokedKeys says of these keys."""
    found = key_revocations.read(configuration.revoked_keys, keys)
    doubts = (*configuration.doubts, *([found.doubt] if found.doubt else []))
    return replace(configuration, revocations=found, doubts=doubts)


def _version(text: str) -> tuple[int, int]:
    """Of what `sshd -V` says; older ones do not know -V, and say their version with their usage."""
    match = re.search(r"(?:OpenSSH_|^)(\d{1,4})\.(\d{1,4})", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _number(value: str) -> int:
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else 0


def _list(value: str) -> tuple[str, ...]:
    return tuple(name for name in value.split(",") if name)


def _named(value: str) -> str:
    return "" if value.lower() == "none" else value


def expand(pattern: str, account: Account) -> str:
    """The path that a word of AuthorizedKeysFile means for this account: one that is not absolute lies in its home."""
    tokens = {"%": "%", "h": account.home, "u": account.name, "U": str(account.uid)}
    path, position = "", 0
    while position < len(pattern):
        if pattern[position] == "%":
            token = pattern[position + 1 : position + 2]
            if token not in tokens:
                raise NotRead(f"AuthorizedKeysFile has %{token}, which sshd does not know there")
            path += tokens[token]
            position += 2
        else:
            path += pattern[position]
            position += 1
    return path if path.startswith("/") else f"{account.home}/{path}"


def paths(configuration: Configuration, account: Account) -> list[str]:
    """The files, each once, in the order in which sshd asks them. One of a name without wildcards may be missing."""
    found: list[str] = []
    for pattern in configuration.files:
        path = expand(pattern, account)
        if configuration.version != (0, 0) and configuration.version < _WILDCARDS_SINCE:
            found.append(path)
        else:
            found += _matches(path, account)
    return list(dict.fromkeys(found))


def _matches(pattern: str, account: Account) -> list[str]:
    """The files of a pattern of glob(3), as OpenSSH has it: with a backslash before a letter that is meant, classes of
    letters, and no tilde and no braces. sshd looks for them with the rights of the account.
    """
    words, wild = _for_python(pattern)
    if not wild:
        return [words]
    with _reading_as(account):
        return sorted(glob.glob(words), key=os.fsencode)


def _for_python(pattern: str) -> tuple[str, bool]:
    """The same for Python's glob, which knows no backslash; the name itself, and False, where it has no wildcard."""
    plain, words, wild, position = "", "", False, 0
    while position < len(pattern):
        letter = pattern[position]
        bracket = _BRACKET.match(pattern, position)
        if letter == "\\" and position + 1 < len(pattern):
            letter = pattern[position + 1]
            plain, words, position = plain + letter, words + glob.escape(letter), position + 2
        elif bracket:
            words, wild, position = words + f"[{bracket[1]}{_letters(bracket[2])}]", True, bracket.end()
        elif letter in "*?":
            words, wild, position = words + letter, True, position + 1
        else:
            plain, words, position = plain + letter, words + glob.escape(letter), position + 1
    return (words, True) if wild else (plain, False)


def _letters(inner: str) -> str:
    """The content of brackets, for Python: without classes and backslashes, and with a bracket in the first place."""
    named = _NAMED.sub(lambda match: _LETTERS.get(match[1], ""), inner)
    bare = re.sub(r"\\(.)", r"\1", named)
    return "]" + bare.replace("]", "") if "]" in bare else bare


@contextlib.contextmanager
def _reading_as(account: Account) -> Iterator[None]:
    """sshd reads an account's files as that account, in all of its groups."""
    try:
        groups = os.getgrouplist(account.name, pwd.getpwuid(account.uid).pw_gid)
    except KeyError:
        groups = []
    with owned_folder.acting_as(account.uid, groups):
        yield


def problems(path: str, configuration: Configuration, account: Account) -> list[str]:
    """Why sshd takes nothing from a file that is there. Raises OSError."""
    found = []
    if configuration.strict:
        found += strict_problems(facts(path, account), account, configuration.debian)
    if os.geteuid() == 0:
        try:
            with _reading_as(account):
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except PermissionError:
            found.append(f"{account.name} may not read file {path}, and sshd reads it with the rights of the account")
    return found


# -- what StrictModes refuses --------------------------------------------------------------------


def strict_problems(facts: Sequence[Fact], account: Account, debian: bool) -> list[str]:
    """Why sshd refuses the file. facts: the file, then its folders upwards; sshd stops at the account's home.

    debian: whether it is the sshd of Debian or Ubuntu, which lets a group write that has nobody but the account in it.
    """
    found = []
    for number, fact in enumerate(facts):
        what = "file" if number == 0 else "folder"
        if fact.uid not in (0, account.uid):
            found.append(f"{what} {fact.path} belongs to uid {fact.uid}, which is neither root nor {account.name}")
        bits = ((0o020, "its group"), (0o002, "everybody"))
        writers = [who for bit, who in bits if fact.mode & bit and not (debian and bit == 0o020 and fact.alone)]
        if writers:
            found.append(f"{what} {fact.path} has mode {fact.mode:04o}: {' and '.join(writers)} may write")
        if number and fact.path == account.real_home:
            break
    return found


# -- the host ------------------------------------------------------------------------------------


def account(name: str) -> Account:
    """Raises NotRead for an account that the host does not have."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise NotRead(f"this host has no account {name}") from error
    return Account(name, entry.pw_uid, entry.pw_dir, os.path.realpath(entry.pw_dir), entry.pw_shell)


def facts(path: str, account: Account) -> list[Fact]:
    """The file and its folders up to the root, links followed, as sshd walks them. Raises OSError."""
    current = os.path.realpath(path)
    found = []
    while True:
        state = os.stat(current)
        alone = bool(state.st_mode & 0o020) and _is_alone(state, account)
        found.append(Fact(current, state.st_uid, stat.S_IMODE(state.st_mode), alone))
        if current == "/":
            return found
        current = os.path.dirname(current)


def _is_alone(state: os.stat_result, account: Account) -> bool:
    """True if the account is in the group of this file, and nobody else is, as Debian's sshd asks."""
    try:
        members = grp.getgrgid(state.st_gid).gr_mem
        owner = pwd.getpwuid(state.st_uid).pw_name
    except KeyError:
        return False
    own = {entry.pw_uid for entry in pwd.getpwall() if entry.pw_gid == state.st_gid}
    return bool(own or members) and own <= {account.uid} and members in ([], [owner])


def program() -> str:
    """Path of sshd, or empty; an account that is not root's often has no sbin on its path."""
    return (
        shutil.which("sshd", path=os.pathsep.join(["/usr/sbin", "/sbin", "/usr/local/sbin", os.environ["PATH"]])) or ""
    )


def ask(
    name: str,
    environment: Mapping[str, str],
    sshd: str = "",
    config: str = "",
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run,
) -> Configuration:
    """Settings of sshd for this account; OpenSSH's defaults, and why they are not sure, if sshd can't be asked.

    environment: that of the session; its SSH_CONNECTION says from where Match blocks are judged.
    """
    connection = environment.get("SSH_CONNECTION", "").split()
    doubts = []
    if len(connection) != 4:
        # sshd does not answer if a Match block needs a value that it was not given.
        connection = ["127.0.0.1", "0", "127.0.0.1", "22"]
        doubts.append(
            "Match blocks on an address were judged for 127.0.0.1: this session does not say where it is from"
        )
    address, _port, own_address, own_port = connection
    spec = f"user={name},host={address},addr={address},laddr={own_address},lport={own_port},rdomain="
    try:
        where = sshd or program()
        read = parse(_dump(where, config, spec, run), _said_version(where, run))
    except NotRead as error:
        doubt = f"which files sshd reads is not known, its defaults were taken: {error}"
        return Configuration(known=False, doubts=(doubt,))
    return replace(read, doubts=tuple(doubts), is_root=_is_root(name))


def _is_root(name: str) -> bool:
    try:
        return pwd.getpwnam(name).pw_uid == 0
    except KeyError:
        return False


def _said_version(sshd: str, run: Callable[..., subprocess.CompletedProcess[str]]) -> str:
    try:
        ran = run([sshd, "-V"], check=False, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout + ran.stderr


def _dump(sshd: str, config: str, spec: str, run: Callable[..., subprocess.CompletedProcess[str]]) -> str:
    if not sshd:
        raise NotRead("there is no sshd in /usr/sbin, /sbin or /usr/local/sbin")
    argv = [sshd, "-T", "-C", spec, *(["-f", config] if config else [])]
    # sshd reads its host keys first, which only root can. A key that is thrown away does as well.
    with tempfile.TemporaryDirectory(prefix="ops-runbook-") as folder:
        if os.geteuid() != 0:
            argv += ["-h", _throwaway_key(folder, run)]
        try:
            ran = run(argv, check=False, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotRead(f"{sshd} -T could not be run: {error}") from error
    if ran.returncode != 0:
        said = excerpt(ran.stderr, nothing="it said nothing")
        hint = "" if os.geteuid() == 0 else "; with become this is read as root"
        raise NotRead(f"{sshd} -T ended with {ran.returncode}: {said}{hint}")
    return ran.stdout


def _throwaway_key(folder: str, run: Callable[..., subprocess.CompletedProcess[str]]) -> str:
    path = os.path.join(folder, "key")
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path]
    try:
        ran = run(argv, check=False, capture_output=True, text=True, errors="replace", timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRead(f"ssh-keygen could not be run: {error}") from error
    if ran.returncode != 0:
        raise NotRead(f"ssh-keygen ended with {ran.returncode}, and without a host key sshd does not answer")
    return path
