# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The backup of a restore or a rebuild: chosen, opened and proven before anything is changed."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

from ansible_collections.ops.runbook.plugins.module_utils.backup import database_dump, retention, sealed_file
from ansible_collections.ops.runbook.plugins.module_utils.backup import manifest as backup_manifest
from ansible_collections.ops.runbook.plugins.module_utils.backup import store as backup_store
from ansible_collections.ops.runbook.plugins.module_utils.backup.contents import BadDump
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Owner
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.dokku.backup import database
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Answers
from ansible_collections.ops.runbook.plugins.module_utils.host import byte_stream
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.dokku.contract import DokkuPlan


@dataclass(frozen=True)
class Backups:
    """The backups in a folder. here: those with a good manifest; bad: by name, why the others have none."""

    folder: str
    here: tuple[Manifest, ...] = ()
    bad: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """The private key that was given, if any. fingerprint: of its public key; error: why it has none."""

    fingerprint: str = ""
    error: str = ""


def key_of(private_key: str) -> Key:
    """The key in a text."""
    try:
        return Key(sealed_file.fingerprint(sealed_file.public_of(private_key)) if private_key else "")
    except sealed_file.SealError as error:
        return Key(error=str(error))


def chosen(backups: Backups, wanted: str, owner: Owner) -> Manifest:
    """The backup that is asked for. Raises Problem, naming what there is."""
    here, bad = backups.here, backups.bad
    app = owner.app
    found = retention.choose(here, wanted, owner)
    if found is not None:
        return found
    known = tuple(f"{one.id}  {one.made}  of {one.app}  {one.reason}" for one in here)
    details = known + tuple(f"{name} is not a backup: {why}" for name, why in bad.items())
    details += tuple(retention.ahead_lines(here, owner))
    own = [one for one in here if one.app == app]
    ways = tuple((f"backup={one.id}", f"made {one.made} ({one.reason})") for one in own[-3:])
    make = ("dokku_backup", "makes one")
    foreign = next((one for one in here if one.id == wanted), None)
    if foreign is not None:
        text = f"the backup {wanted} is of the app {foreign.app}, and not of {app}"
        raise Problem("backup_foreign", text, ways or (make,), details)
    if wanted in bad:
        text = f"{os.path.join(backups.folder, wanted)} is not a backup that can be trusted: {bad[wanted]}"
        raise Problem("backup_damaged", text, ways or (make,), details)
    what = "no backup" if wanted == "latest" else f"no backup {wanted}"
    raise Problem("backup_missing", f"there is {what} of {app} in {backups.folder}", ways or (make,), details)


_KEY = (("backup_key_file=<file>", "names the private key, on the controller"),)


def must_open(manifest: Manifest, key: Key) -> None:
    """Raise Problem unless the private key is the one of the backup."""
    wanted = manifest.recipient
    if not wanted or key.fingerprint == wanted:
        return
    if key.error:
        raise Problem("wrong_key", key.error, _KEY)
    encrypted = f"the backup {manifest.id} is encrypted"
    if not key.fingerprint:
        text = f"{encrypted}, to the key {wanted[:16]}, and no private key was given"
        raise Problem("key_missing", text, _KEY)
    raise Problem("wrong_key", f"{encrypted} to the key {wanted[:16]}; the one given is {key.fingerprint[:16]}", _KEY)


def must_be_kept_readable(recipient: str, key: Key) -> None:
    """Raise Problem where the present data would be encrypted to a key that nobody here could open them with."""
    if recipient and key.fingerprint != recipient:
        text = f"the present data are kept encrypted to the key {recipient[:16]}, whose private key opens them again"
        raise Problem("wrong_key" if key.fingerprint else "key_missing", text, _KEY)


def must_be_whole(manifest: Manifest, problems: Sequence[str]) -> None:
    """Raise Problem for a backup with problems."""
    if problems:
        ways = (("backup=<another>", "uses another one"), ("dokku_backup", "makes a new one"))
        text = f"the backup {manifest.id} can't be trusted: {problems[0]}"
        raise Problem("backup_damaged", text, ways, tuple(problems))


def unsealed(manifest: Manifest) -> list[str]:
    """A warning about a backup whose encryption does not show a change."""
    if not any(part.key and not backup_store.is_sealed(part) for part in manifest.parts):
        return []
    return [
        f"the backup {manifest.id} was encrypted by an earlier version, without seals: only its manifest and "
        "the ledger of the host that made it show that nobody changed it. `dokku_backup` makes one with seals"
    ]


class Source:
    """One backup, and the private key that opens it."""

    def __init__(self, store: Store, manifest: Manifest, private_key: str) -> None:
        self.store, self.manifest, self.private_key = store, manifest, private_key

    # -- proofs ----------------------------------------------------------------------------------

    def must_open(self) -> None:
        """Raise Problem unless the private key is the one of the backup."""
        must_open(self.manifest, key_of(self.private_key))

    def problems(self, parts: Iterable[Part], ledger: Answers) -> list[str]:
        """Differences of the parts from what the manifest says, and of the manifest from what the ledger has of it."""
        several = list(parts)
        problems = self.store.problems(self.manifest, several)
        recorded = self._recorded(ledger)
        path = self.store.path(self.manifest.id, backup_manifest.NAME)
        if recorded and sealed_file.digest(path)[1] != recorded:
            problems.insert(0, f"{backup_manifest.NAME} was changed since it was made: the ledger has another SHA-256")
        for part in several if not problems else []:
            try:
                self.store.must_open(self.manifest, part, self.private_key)
            except (sealed_file.SealError, OSError) as error:
                problems.append(f"{part.title}: {error}")
        for part in several if not problems else []:
            if part.kind == "database":
                problem = self._dump_problem(part)
                if problem:
                    problems.append(f"{part.title}: {problem}")
        return problems

    def _recorded(self, ledger: Answers) -> str:
        """The manifest's SHA-256 as this host's ledger has it; empty where it was made elsewhere."""
        for record in ledger.of([(ledger_keys.BACKUP, self.manifest.id)]):
            for note in (record.get("notes") or {}).values():
                if isinstance(note, dict) and note.get("backup") == self.manifest.id:
                    return str(note.get("manifest_sha256") or "")
        return ""

    def _dump_problem(self, part: Part) -> str:
        """The reason why the dump in a part is not the one that it should be; empty where it is."""
        plugin, _, name = part.name.partition(".")
        try:
            reader = database_dump.reader(plugin)
            for piece in self.read(part):
                reader.feed(piece)
        except (BadDump, sealed_file.SealError, OSError) as error:
            return str(error)
        contents = reader.contents()
        wanted = name.replace("-", "_").replace(".", "_")
        if contents.database and contents.database.replace("-", "_") != wanted:
            return f"it is a dump of the database {contents.database}, and {name} has the database {wanted}"
        return database.proven(contents, part.facts)

    # -- reading ---------------------------------------------------------------------------------

    def read(self, part: Part) -> Iterator[bytes]:
        return self.store.read(self.manifest, part, self.private_key)

    def document(self, kind: str) -> Any:
        """The content of a part of JSON. It may hold secrets."""
        (part,) = self.manifest.of(kind)
        return foreign_json.loads(b"".join(self.read(part)))

    def config(self) -> dict[str, str]:
        return {str(key): str(value) for key, value in self.document("config").items()}

    def members(self, part: Part) -> dict[str, int]:
        """The files in a tar part, and their sizes."""

        def listed(source: IO[bytes]) -> dict[str, int]:
            with tarfile.open(fileobj=source, mode="r|") as archive:
                return {member.name: member.size for member in archive if not member.isdir()}

        return byte_stream.supply(self.read(part), listed)

    def files(self, part: Part, prefix: str) -> dict[str, bytes]:
        """The content of the small files of a tar part whose names begin so."""

        def taken(source: IO[bytes]) -> dict[str, bytes]:
            found = {}
            with tarfile.open(fileobj=source, mode="r|") as archive:
                for member in archive:
                    if member.isreg() and member.name.startswith(prefix):
                        found[member.name[len(prefix) :]] = cast("IO[bytes]", archive.extractfile(member)).read()
            return found

        return byte_stream.supply(self.read(part), taken)


def again(plan: DokkuPlan, private_key: str) -> Source:
    """The backup of a plan that was made, in a later phase of it."""
    store = Store(str(plan["backup"]["folder"]))
    return Source(store, store.manifest(str(plan["source"])), private_key)
