"""Two owners in one folder: what a retention removes is named by its own record, and all else stays.

RETENTIONS has one scenario for each function that removes the older of several things. tests/sanity/test_retentions.py
looks that there is one for each.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.backup import expiry, retention
from ansible_collections.ops.runbook.plugins.module_utils.backup.manifest import Manifest, Part
from ansible_collections.ops.runbook.plugins.module_utils.backup.retention import Keep, Owner
from ansible_collections.ops.runbook.plugins.module_utils.backup.store import Store
from ansible_collections.ops.runbook.plugins.module_utils.compose import release as compose_release
from ansible_collections.ops.runbook.plugins.module_utils.compose.images import ImageStore
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.steps import SecretsSteps
from ansible_collections.ops.runbook.plugins.module_utils.compose.steps import ComposeSteps
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state import steps as dokku_parts
from ansible_collections.ops.runbook.plugins.module_utils.guard import ledger, ledger_keys
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host import log_archive
from ansible_collections.ops.runbook.plugins.module_utils.laravel import settings as laravel_settings
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_folders import ReleaseStore
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release_steps import ReleaseSteps
from ansible_collections.ops.runbook.plugins.module_utils.laravel.steps import LaravelSteps
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor_store import STAMP, VendorStore

NOW = "2026-11-21T12:00:00Z"


def operation(owner: int, number: int) -> str:
    return f"20261120T0000{number:02d}Z-{owner:06x}"


@dataclass(frozen=True)
class Owned:
    """Backups of one owner in the folder, and its operations, the oldest first."""

    owner: int
    count: int

    @property
    def operations(self) -> list[str]:
        return [operation(self.owner, number) for number in range(self.count)]

    @property
    def commits(self) -> list[str]:
        return [f"{self.owner:x}{number:x}" * 20 for number in range(self.count)]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [
            {"id": one, "to": {"id": commit, "images": {"web": image(commit)}}, "outcome": "succeeded", "steps": [1]}
            for one, commit in zip(self.operations, self.commits)
        ]

    @property
    def book(self) -> ledger.Ledger:
        return ledger.Ledger(records=tuple(self.records))


def digest(commit: str) -> str:
    return "sha256:" + (commit + commit)[:64]


def image(commit: str) -> dict[str, str]:
    return {"reference": f"registry.example.com/acme/web@{digest(commit)}", "digest": digest(commit)}


def fake(folder: Path, mine: Owned) -> Any:
    """The guard of a service whose state folder is this one."""
    return SimpleNamespace(
        state_dir=str(folder), path=lambda name: str(folder / name), ledger=lambda: mine.book, progress=lambda: None
    )


#: A scenario puts the things of both owners into a folder, lets the first one's retention remove all that it may, and
#: returns what is left.
Scenario = Callable[[Path, Owned, Owned], list[str]]


def of_backups(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    store = Store(str(folder))
    for one in (mine, theirs):
        for number, identity in enumerate(one.operations):
            store.begin(identity)
            part = store.write(identity, "c", "", lambda take: take(b"{}") or {}, "config", "")  # type: ignore[func-returns-value]
            made = f"2026-11-20T00:00:{number:02d}Z"
            store.seal(Manifest(identity, "web", "h", "", made, "requested", "", {}, {}, (part,)), ["c"])
            store.begin(identity.replace("20261120", "20261119"))
    half = [identity.replace("20261120", "20261119") for identity in mine.operations]
    owner = Owner("web", (*half, *mine.operations), NOW)
    expiry.retain(store, Keep(last=1, daily=0, weekly=0, monthly=0), "", owner)
    return os.listdir(folder)


def of_kept_settings(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    for one in (*mine.operations, *theirs.operations):
        (folder / f"config-{one}.json").write_text("{}")
    values = {"KEY": "value"}
    present = SimpleNamespace(values=values)
    context: Any = SimpleNamespace(
        guard=fake(folder, mine), service=SimpleNamespace(app="web", hide=lambda _values: None, dokku=None)
    )
    bring, read = dokku_parts.desired_state.bring, dokku_parts.ConfigState.read
    nothing: Any = SimpleNamespace(changed=False)
    try:
        dokku_parts.desired_state.bring = lambda *_: nothing
        dokku_parts.ConfigState.read = lambda *_: present  # type: ignore[method-assign, assignment]
        plan = {"saved_as": mine.operations[-1], "undo": []}
        dokku_parts.write_config(context, plan, Step("config", "", data={"keys": ["KEY"]}), values)
    finally:
        dokku_parts.desired_state.bring, dokku_parts.ConfigState.read = bring, read  # type: ignore[method-assign]
    return os.listdir(folder)


def of_kept_secrets(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    (folder / "secrets").mkdir()
    for one in (*mine.operations, *theirs.operations):
        (folder / "secrets" / f"{one}.env").write_text("A=1\n")
    steps: Any = object.__new__(SecretsSteps)
    steps.guard, steps.path = fake(folder, mine), str(folder / ".env")
    Path(steps.path).write_text("A=1\n")
    from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.steps import sha256

    steps.plan = {"saved_as": mine.operations[-1], "env": {"before": sha256("A=1\n"), "keys": ["A"]}}
    steps.keep_env(None)
    return os.listdir(folder / "secrets")


def of_kept_files(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    for one in (*mine.operations, *theirs.operations):
        (folder / "files" / one).mkdir(parents=True)
        (folder / "files" / one / "compose.yml").write_text("")
    steps: Any = object.__new__(ComposeSteps)
    steps.guard, steps.plan = fake(folder, mine), {"saved_as": mine.operations[-1]}
    steps._forget_files(None)
    return os.listdir(folder / "files")


def of_kept_caches(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    for one in (*mine.operations, *theirs.operations):
        (folder / "caches" / one).mkdir(parents=True)
    service: Any = SimpleNamespace(
        app=str(folder / "app"),
        file=lambda *names: str(folder.joinpath("app", *names)),
        settings=lambda: b"",
        description=SimpleNamespace(in_releases=False, php="php"),
    )
    ended = mine.book.named(ledger_keys.OPERATION)
    laravel_settings.keep_caches(service, str(folder / "caches" / mine.operations[-1]), ended)
    return os.listdir(folder / "caches")


def of_graphs(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    (folder / "alembic").mkdir()
    for commit in (*mine.commits, *theirs.commits):
        (folder / "alembic" / f"{digest(commit).partition(':')[2]}.json").write_text("[]")
    store: Any = object.__new__(ImageStore)
    store.state_dir = str(folder)
    store.forget_graphs(compose_release.Brought(mine.book), {digest(mine.commits[-1])})
    return os.listdir(folder / "alembic")


def of_images(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    every = [(*one.commits,) for one in (mine, theirs)]
    images = [
        {"Id": commit, "RepoDigests": [f"registry.example.com/acme/web@{digest(commit)}"], "Created": 0}
        for commits in every
        for commit in commits
    ]
    ours = compose_release.Brought(mine.book)
    wanted = [digest(mine.commits[-1])]
    gone = compose_release.removable(images, ["registry.example.com/acme/web"], wanted, [], ours)
    return sorted({str(one["Id"]) for one in images} - {identity for identity, _ in gone})


def of_vendor_trees(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    store = VendorStore(str(folder / "vendor"), str(folder / "kept"))
    for commit in (*mine.commits, *theirs.commits):
        (folder / "kept" / commit).mkdir(parents=True)
        (folder / "kept" / commit / STAMP).write_text(json.dumps({"key": commit, "commit": commit}))
    store.prune({mine.commits[-1]}, mine.book.named(ledger_keys.RELEASE))
    return os.listdir(folder / "kept")


def of_releases(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    """The other owner is a person, or another tool: what it makes has no mark."""
    store = ReleaseStore(str(folder))
    for commit in mine.commits:
        os.makedirs(store.begin(commit, "op"))
    for commit in theirs.commits:
        (folder / "releases" / commit[:12]).mkdir(parents=True, exist_ok=True)
        # It may begin like a release of ours.
        (folder / "releases" / f"{Owned(1, 1).commits[0][:12]}-{commit[:4]}").mkdir(parents=True, exist_ok=True)
    store.prune([])
    return os.listdir(folder / "releases")


class Refs:
    """The commits that are kept in a repository which two services share."""

    def __init__(self, commits: list[str]) -> None:
        self.commits = commits

    def kept(self) -> list[str]:
        return list(self.commits)

    def keep(self, commit: str) -> None:
        pass

    def has(self, commit: str) -> bool:
        return False

    def forget(self, commit: str) -> None:
        self.commits.remove(commit)


def of_refs(kind: type) -> Scenario:
    def scenario(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
        refs = Refs([*mine.commits, *theirs.commits])
        steps: Any = object.__new__(kind)
        steps.guard = fake(folder, replace(mine))
        vendor = SimpleNamespace(prune=lambda *_: [], stamp=lambda: None)
        description = SimpleNamespace(keep_releases=0)
        store = SimpleNamespace(prune=lambda _wanted: [])
        steps.service = SimpleNamespace(checkout=refs, vendor=vendor, description=description, store=store)
        steps.plan = {"from": {"id": mine.commits[-1]}, "php": "8.4"}
        try:
            steps.keep_releases(Step("keep", "", data={"release": {"id": mine.commits[-1]}}))
        except AttributeError:
            # What follows looks at the live tree; the references are settled by then.
            assert len(refs.commits) < len(mine.commits) + len(theirs.commits) or mine.count < 3
        return refs.commits

    return scenario


def of_logs(folder: Path, mine: Owned, theirs: Owned) -> list[str]:
    """The names of apps may begin alike."""
    for app, owned in (("web", mine), ("web-20261101", theirs)):
        for number in range(owned.count):
            log_archive.write(str(folder), app, f"202611{number + 1:02d}", ["line"])
    log_archive.rotate(str(folder), "web", 1, "20261121")
    return os.listdir(folder)


RETENTIONS: dict[str, Scenario] = {
    "backup/expiry.retain": of_backups,
    "backup/retention.expired": of_backups,
    "backup/store.Store.sweep": of_backups,
    "dokku/state/steps.write_config": of_kept_settings,
    "compose/secrets/steps.SecretsSteps.keep_env": of_kept_secrets,
    "compose/steps.ComposeSteps._forget_files": of_kept_files,
    "laravel/settings.keep_caches": of_kept_caches,
    "compose/images.ImageStore.forget_graphs": of_graphs,
    "compose/release.removable": of_images,
    "laravel/vendor_store.VendorStore.prune": of_vendor_trees,
    "laravel/release_folders.ReleaseStore.prune": of_releases,
    "laravel/steps.LaravelSteps.keep_releases": of_refs(LaravelSteps),
    "laravel/release_steps.ReleaseSteps.keep_releases": of_refs(ReleaseSteps),
    "host/log_archive.rotate": of_logs,
    "host/log_archive.outdated": of_logs,
}


@pytest.mark.parametrize("name", RETENTIONS)
def test_a_retention_removes_only_what_its_own_record_names(name: str, tmp_path: Path) -> None:
    """Of each number of own things, and of another owner's."""

    @functools.cache
    def left(mine: Owned, theirs: Owned) -> set[str]:
        folder = tmp_path / f"{mine.owner}-{mine.count}-{theirs.owner}-{theirs.count}"
        folder.mkdir()
        return set(RETENTIONS[name](folder, mine, theirs))

    for mine, theirs in itertools.product(range(1, 6), range(6)):
        alone, shared = left(Owned(1, mine), Owned(2, 0)), left(Owned(1, mine), Owned(2, theirs))
        others = left(Owned(3, 1), Owned(2, theirs)) - left(Owned(3, 1), Owned(2, 0))
        # All of the other owner's is there, and of the own one what is left without it.
        assert shared == alone | others, (mine, theirs)
        assert len(others) >= theirs, (mine, theirs)


def test_a_retention_does_remove_what_its_own_rules_let_go(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A scenario that removes nothing would prove nothing."""
    for name, scenario in RETENTIONS.items():
        assert len(scenario(tmp_path_factory.mktemp("own"), Owned(1, 5), Owned(2, 0))) <= 2, name


def test_a_backup_under_the_id_of_an_earlier_operation_is_found() -> None:
    first, second, third = operation(1, 1), operation(1, 2), operation(1, 3)
    records = [
        {"id": second, "continues": first},
        {"id": third, "continues": second, "saved_as": first, "notes": {"seal": {"backup": f"{first}-before"}}},
    ]
    named = ledger.Ledger(records=tuple(records)).named(ledger_keys.OPERATION)
    assert sorted((first, third, second), key=named.place) == [first, second, third]


def test_an_archive_of_a_wrong_clock_is_never_counted() -> None:
    names = ["web-20990101.log.gz", *(f"web-2026110{day}.log.gz" for day in range(1, 4))]
    assert log_archive.outdated(names, "web", 2, "20261121") == ["web-20261101.log.gz"]


def test_the_rules_are_those_of_the_newest_backups(tmp_path: Path) -> None:
    part = Part("config", "", "c", 1, "0" * 64)
    some = [Manifest(one, "web", "h", "", NOW, "requested", "", {}, {}, (part,)) for one in Owned(1, 4).operations]
    assert retention.expired(some, Keep(2, 0, 0, 0), Owner("web", [one.id for one in some], NOW)) == [
        some[0].id,
        some[1].id,
    ]
