# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the keys of one account stand, which of them is to be rotated, and why it can't be."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.ops.runbook.plugins.module_utils import authorized_keys, key_file, sshd_files
from ansible_collections.ops.runbook.plugins.module_utils.authorized_keys import Line
from ansible_collections.ops.runbook.plugins.module_utils.opening import Refusal, Refused
from ansible_collections.ops.runbook.plugins.module_utils.sshd_files import Account, Configuration


@dataclass(frozen=True)
class Place:
    """One file that sshd reads for the account, and is there."""

    path: str
    lines: tuple[Line, ...]

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

    def lets_in(self, fingerprint: str, now: float) -> bool:
        """Whether sshd lets this key in, as far as its files say."""
        lines = [line for place in self.files for line in place.holds(fingerprint)]
        # sshd takes the first line that fits.
        return bool(lines) and lines[0].key is not None and lines[0].key.lets_in(now)

    def public(self, fingerprint: str) -> str:
        """Type and blob of a key that stands there; empty where it does not."""
        for place in self.files:
            for line in place.holds(fingerprint):
                if line.key is not None:
                    return f"{line.key.kind} {base64.b64encode(line.key.blob).decode('ascii')}"
        return ""

    def listed(self) -> list[str]:
        """The keys for a person, each once."""
        found: dict[str, str] = {}
        for place in self.files:
            for line in place.lines:
                if line.key is not None and not line.key.is_authority:
                    comment = authorized_keys.shown(line.key.comment) or "without a comment"
                    found.setdefault(line.key.fingerprint, f"{line.key.fingerprint}  {comment}  ({place.path})")
        return list(found.values())


def look(name: str, environment: Mapping[str, str], sshd_config: str = "") -> Places:
    """Raises Refused where it is not known what sshd reads."""
    try:
        account = sshd_files.account(name)
    except sshd_files.NotRead as error:
        raise Refused(Refusal("account_unknown", str(error))) from error
    configuration = sshd_files.ask(name, environment, config=sshd_config)
    if not configuration.known:
        # Its defaults would do for a list of keys; what removes one has to be sure.
        raise Refused(
            Refusal(
                "sshd_unknown",
                f"which files sshd reads for {name} is not known: {'; '.join(configuration.doubts)}",
                (("--become", "asks sshd as root"),),
            )
        )
    if not configuration.public_keys:
        raise Refused(Refusal("keys_off", f"sshd takes no keys for {name} (PubkeyAuthentication no)"))
    found = []
    for path in sshd_files.paths(configuration, account):
        try:
            found.append(Place(path, tuple(authorized_keys.parse(key_file.read(path)))))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Refused(
                Refusal(
                    "keys_not_read",
                    f"{path}, which sshd reads for {name}, can't be read: {error.strerror}",
                    (("--become", "reads it as root"),),
                )
            ) from error
    return Places(account, configuration, tuple(found))


def must_be_read(places: Places, path: str) -> None:
    """Raises Refused for a file that sshd does not read: a key in it lets nobody in."""
    wanted = os.path.realpath(os.path.join(places.account.home, path))
    read = sshd_files.paths(places.configuration, places.account)
    if path and wanted not in [os.path.realpath(one) for one in read]:
        raise Refused(
            Refusal(
                "file_not_read",
                f"sshd does not read {path} for {places.account.name}: AuthorizedKeysFile names {', '.join(read)}",
                (("ssh_key_file", "in the inventory: one of these, or nothing, which takes the one that has the key"),),
            )
        )


def choose(places: Places, asked: str, used: str, where: str) -> tuple[str, str, tuple[str, ...]]:
    """The fingerprint that is rotated, why it is that one, and warnings. Raises Refused.

    asked: by the operator. used: the one that CI logged in with last, as far as a run said so. where: which run.
    """
    name = places.account.name
    listed = tuple(places.listed())
    ways = (("old_key=SHA256:…", "names the key that CI has, as ssh-keygen -lf shows it"),)
    if not listed:
        raise Refused(Refusal("no_keys", f"{name} has no key in any file that sshd reads"))
    if asked and used and asked != used:
        raise Refused(
            Refusal(
                "key_not_used_by_ci",
                f"CI does not log in with {asked}: {where} says {used}",
                (("the same command without old_key=", f"rotates {used}"),),
                listed,
            )
        )
    chosen = asked or used
    if not chosen:
        raise Refused(
            Refusal("old_unknown", f"no run says which of {name}'s keys CI has, and none was named", ways, listed)
        )
    if not places.with_key(chosen):
        origin = f"{where} says that CI has it" if used else "old_key= names it"
        raise Refused(
            Refusal("old_not_found", f"{chosen} lets nobody into {name}: no file that sshd reads has it", ways, listed)
            if asked and not used
            else Refusal(
                "key_not_used_by_ci",
                f"{chosen} stands in no file that sshd reads for {name}, and yet {origin}",
                (("ssh_key_account", "in the inventory: the account that CI logs in to"),),
                listed,
            )
        )
    if used:
        return chosen, f"{where} logged in with it", ()
    return chosen, "named by old_key=", (f"no run says which key CI has: that it is {chosen} is only said by old_key=",)
