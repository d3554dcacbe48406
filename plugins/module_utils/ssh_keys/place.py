# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that hold the keys of one account, the key to be rotated, and reasons why it can't be."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils.sshd import authorized_keys, key_file
from ansible_collections.ops.runbook.plugins.module_utils.sshd import files as sshd_files
from ansible_collections.ops.runbook.plugins.module_utils.sshd.authorized_keys import Key, Line
from ansible_collections.ops.runbook.plugins.module_utils.sshd.files import Account, Configuration
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

#: Programs that run the command they are given. Another one, like git-shell or nologin, does something of its own.
SHELLS = frozenset("sh bash dash ash zsh ksh mksh fish csh tcsh rbash".split())

_ACCOUNT = ("ssh_key_account", "in the inventory: the account that CI logs in to")


@dataclass(frozen=True)
class Place:
    """One file that sshd reads for the account, and is there. refused: why it takes nothing from it, or empty."""

    path: str
    lines: tuple[Line, ...]
    refused: str = ""

    def holds(self, fingerprint: str) -> list[Line]:
        return [line for line in self.lines if line.key is not None and line.key.fingerprint == fingerprint]


@dataclass(frozen=True)
class Places:
    """All files of the account, in the order in which sshd asks them."""

    account: Account
    configuration: Configuration
    files: tuple[Place, ...]

    def with_key(self, fingerprint: str) -> list[Place]:
        return [place for place in self.files if place.holds(fingerprint)]

    def in_force(self, fingerprint: str, now: float) -> list[tuple[Place, Line]]:
        """The lines by which sshd lets this key in, in the order in which it reads them.

        It skips a line that refuses. A line with from= lets in from those addresses alone, and sshd reads on for all
        others; so these are the lines with from=, each list once, and the first line without it.
        """
        found: list[tuple[Place, Line]] = []
        sources: set[str] = set()
        for place in self.files:
            for line in place.holds(fingerprint):
                key = line.key
                if key is None or self.why_not(place, key, now) or key.source in sources:
                    continue
                found.append((place, line))
                if key.source is None:
                    return found
                sources.add(key.source)
        return found

    def why_not(self, place: Place, key: Key, now: float) -> str:
        """Why sshd does not let this key in by a line of its; empty where it does."""
        if key.is_authority:
            return "it is a CA (cert-authority)"
        expired = "it expired" if key.expired(now) else ""
        return place.refused or key.problem or self.configuration.refuses(key) or expired

    def lets_in(self, fingerprint: str, now: float) -> bool:
        """True if sshd lets this key in, as far as its files say."""
        return bool(self.in_force(fingerprint, now))

    def runs_commands(self, fingerprint: str, now: float) -> bool:
        """True if a login with this key runs what it asks for, by each line that lets the key in."""
        own = [line.key.command for _place, line in self.in_force(fingerprint, now) if line.key is not None]
        asks_a_shell = os.path.basename(self.account.shell) in SHELLS
        return asks_a_shell and not self.configuration.forced_command and all(command is None for command in own)

    def public(self, fingerprint: str) -> str:
        """Type and blob of a key in these files; empty if they do not have it."""
        for place in self.files:
            for line in place.holds(fingerprint):
                if line.key is not None:
                    return f"{line.key.kind} {base64.b64encode(line.key.blob).decode('ascii')}"
        return ""

    def listed(self, now: float) -> list[str]:
        """The keys for a person, each once: by a line that lets it in, where there is one."""
        found: dict[str, str] = {}
        dead: dict[str, str] = {}
        for place in self.files:
            for line in place.lines:
                if line.key is None or line.key.is_authority:
                    continue
                why = self.why_not(place, line.key, now)
                comment = authorized_keys.shown(line.key.comment) or "without a comment"
                known = f"{line.key.fingerprint}  {comment}  ({place.path}"
                text = f"{known}, lets nobody in: {why})" if why else f"{known})"
                (dead if why else found).setdefault(line.key.fingerprint, text)
        return list({**dead, **found}.values())


def look(name: str, environment: Mapping[str, str], sshd_config: str = "") -> Places:
    """Raises Problem where it is not known what sshd reads."""
    try:
        account = sshd_files.account(name)
    except sshd_files.NotRead as error:
        way = ("ssh_key_account", "in the inventory: an account that the host has; `getent passwd` shows them")
        raise Problem("account_unknown", str(error), (way,)) from error
    configuration = sshd_files.ask(name, environment, config=sshd_config)
    if not configuration.known:
        # Its defaults would do for a list of keys; what removes one has to be sure.
        raise Problem(
            "sshd_unknown",
            f"which files sshd reads for {name} is not known: {'; '.join(configuration.doubts)}",
            (("--become", "asks sshd as root"),),
        )
    if not configuration.public_keys:
        text = f"sshd takes no keys for {name} (PubkeyAuthentication no)"
        raise Problem(
            "keys_off", text, (("sudo sshd -T", "on the host, shows the setting; `yes` lets keys in"), _ACCOUNT)
        )
    found = []
    for path in sshd_files.paths(configuration, account):
        try:
            lines = tuple(authorized_keys.parse(key_file.read(path)))
            found.append(Place(path, lines, "; ".join(sshd_files.problems(path, configuration, account))))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Problem(
                "keys_not_read",
                f"{path}, which sshd reads for {name}, can't be read: {error.strerror}",
                (("--become", "reads it as root"),),
            ) from error
    keys = [line.key for place in found for line in place.lines if line.key is not None]
    return Places(account, sshd_files.with_revocations(configuration, keys), tuple(found))


def must_be_read(places: Places, path: str) -> None:
    """Raises Problem for a file that sshd does not read: a key in it lets nobody in."""
    wanted = os.path.realpath(os.path.join(places.account.home, path))
    read = sshd_files.paths(places.configuration, places.account)
    if path and wanted not in [os.path.realpath(one) for one in read]:
        raise Problem(
            "file_not_read",
            f"sshd does not read {path} for {places.account.name}: AuthorizedKeysFile names {', '.join(read)}",
            (("ssh_key_file", "in the inventory: one of these, or nothing, which takes the one that has the key"),),
        )


@dataclass(frozen=True)
class Said:
    """The key that CI names. used: fingerprint, or empty. where: the run that named it.

    trusted: nobody else can have written it. put_in: when an earlier rotation put this key in, or empty.
    """

    used: str = ""
    where: str = ""
    trusted: bool = False
    put_in: str = ""

    @property
    def is_believed(self) -> bool:
        return self.trusted or bool(self.put_in)


def choose(places: Places, asked: str, said: Said, now: float) -> tuple[str, str, tuple[str, ...]]:
    """The fingerprint that is rotated, why it is that one, and warnings. Raises Problem. asked: by the operator."""
    listed = tuple(places.listed(now))
    if not listed:
        text = f"{places.account.name} has no key in any file that sshd reads"
        raise Problem("no_keys", text, (_ACCOUNT,))
    _must_be_named(places, asked, said, listed)
    chosen = asked or said.used
    _must_be_there(places, chosen, said, listed)
    must_let_in(places, chosen, now)
    if not said.used:
        text = f"none of the newest runs says which key CI has: that it is {chosen} is only said by old_key="
        return chosen, "named by old_key=", (text,)
    if chosen != said.used:
        text = (
            f"{said.where} names {said.used} in its log, where others may write: that CI has {chosen} is only said by"
        )
        return chosen, "named by old_key=", (f"{text} old_key=",)
    if said.trusted or not said.put_in:
        return chosen, f"{said.where} logged in with it{'' if said.trusted else ', and old_key= names it'}", ()
    return chosen, f"{said.where} logged in with it, and the rotation of {said.put_in[:10]} put it in", ()


def _must_be_named(places: Places, asked: str, said: Said, listed: tuple[str, ...]) -> None:
    """Raises Problem where it is not sure which key CI has."""
    name = places.account.name
    if asked and said.used and asked != said.used and said.is_believed:
        raise Problem(
            "key_not_used_by_ci",
            f"CI does not log in with {asked}: {said.where} says {said.used}",
            (("the same command without old_key=", f"rotates {said.used}"),),
            listed,
        )
    if not asked and not said.used:
        ways = (("old_key=SHA256:…", "names the key that CI has, as ssh-keygen -lf shows it"),)
        raise Problem(
            "old_unknown",
            f"none of the newest runs says which of {name}'s keys CI has, and none was named",
            ways,
            listed,
        )
    if not asked and not said.is_believed:
        raise Problem(
            "old_unproven",
            f"only the log of {said.where} says that CI has {said.used}, and others may write into it: a push or a "
            "schedule started that run, or it failed. A run that is dispatched by hand and succeeds is believed",
            ((f"old_key={said.used}", "if that is the key that CI has, as ssh-keygen -lf shows it"),),
            listed,
        )


def _must_be_there(places: Places, chosen: str, said: Said, listed: tuple[str, ...]) -> None:
    """Raises Problem for a key that is in no file."""
    if places.with_key(chosen):
        return
    name = places.account.name
    if chosen != said.used:
        ways = (("old_key=SHA256:…", "names the key that CI has, as ssh-keygen -lf shows it"),)
        raise Problem(
            "old_not_found", f"{chosen} lets nobody into {name}: no file that sshd reads has it", ways, listed
        )
    raise Problem(
        "key_not_used_by_ci",
        f"{chosen} is in no file that sshd reads for {name}, and yet {said.where} says that CI has it",
        (_ACCOUNT,),
        listed,
    )


def must_let_in(places: Places, chosen: str, now: float) -> None:
    """Raises Problem for a key that has a CA's line, or no line by which sshd lets it in: nothing can be taken over."""
    lines = [(place, line) for place in places.files for line in place.holds(chosen)]
    if any(line.key is not None and line.key.is_authority for _place, line in lines):
        raise Problem(
            "old_is_authority",
            f"{chosen} is a CA (cert-authority): its certificates are not rotated this way",
            (("old_key=SHA256:…", "names the key that CI has, as ssh-keygen -lf shows it"),),
            tuple(places.listed(now)),
        )
    if not places.in_force(chosen, now):
        raise Problem(
            "old_lets_nobody_in",
            f"{chosen} lets nobody into {places.account.name}: {'; '.join(dead(places, chosen, now))}",
            (_ACCOUNT,),
            tuple(places.listed(now)),
        )


def dead(places: Places, fingerprint: str, now: float) -> list[str]:
    """The lines of a key by which sshd lets nobody in, and why."""
    found = []
    for place in places.files:
        for line in place.holds(fingerprint):
            why = places.why_not(place, line.key, now) if line.key is not None else ""
            if why:
                found.append(f"{place.path} line {line.number}: {why}")
    return found
