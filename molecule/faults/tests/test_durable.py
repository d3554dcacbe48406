"""A file is on the disk before a mark, a stamp, a name or the journal vouches for it: system calls of whole operations.

A container that is killed keeps its page cache, so no lab can show a lost one. The order of the calls can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from lab import APP, STATE, Lab
from laravel_driver import Driver
from stories import STORIES, Story

TRACE = "/tmp/ops-runbook.strace"
CALLS = "openat,creat,rename,renameat,renameat2,syncfs,sync,fsync,write"
STRACE = ("strace", "-f", "-qq", "-y", "-s", "200", "-e", f"trace={CALLS}", "-o", TRACE)

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
FOLDER = re.compile(r"AT_FDCWD<([^>]*)>|AT_FDCWD|\d+<([^>]*)>")
#: Requests, the worker and php-fpm write there too, and nothing vouches for it.
THEIRS = (f"{APP}/storage/logs", f"{APP}/storage/framework", f"{APP}/shared/storage")
MARKS = (".ops-runbook-release.json", ".ops-runbook.json")


@dataclass(frozen=True)
class Call:
    """A system call that ended well: its name, the paths in it, and its arguments as strace prints them."""

    name: str
    paths: tuple[str, ...]
    text: str


def calls(trace: str) -> Iterator[Call]:
    pending: dict[str, str] = {}
    for line in trace.splitlines():
        process, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            pending[process] = rest.removesuffix("<unfinished ...>")
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        if resumed:
            rest = pending.pop(process, "") + resumed[1]
        found = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)", rest)
        if found is None or found[3].startswith("-"):
            continue
        yield Call(found[1], tuple(paths(found[2])), found[2])


def paths(arguments: str) -> Iterator[str]:
    """The paths of a call, absolute: each name with the folder that stands before it."""
    folder = ""
    for word in re.finditer(rf"{FOLDER.pattern}|{QUOTED.pattern}", arguments):
        if word[3] is None:
            folder = word[1] or word[2] or ""
        else:
            yield word[3] if word[3].startswith("/") else f"{folder}/{word[3]}"


def unsynced(trace: str) -> tuple[list[str], int]:
    """Files that were vouched for too early, and how often one was vouched for at all."""
    dirty: set[str] = set()
    early: list[str] = []
    being_changed: set[str] = set()
    vouched = 0
    for call in calls(trace):
        if call.name in ("syncfs", "sync"):
            dirty.clear()
            continue
        renamed = call.name.startswith("rename")
        journalled = call.name == "write" and "journal.jsonl>" in call.text and r"\"event\":\"done\"" in call.text
        # A stamp without a key says that its tree is being changed.
        if call.name == "write" and r"{\"key\": \"\"" in call.text:
            being_changed |= set(re.findall(r"<([^>]*)>", call.text))
        marked = renamed and call.paths[-1].endswith(MARKS) and call.paths[0] not in being_changed
        named = renamed and (call.paths[0].endswith(".part") or "EXCHANGE" in call.text)
        if call.name == "fsync":
            dirty -= set(re.findall(r"<([^>]*)>", call.text))
        elif journalled or marked or named:
            vouched += 1
            if dirty:
                early.append(f"{call.name}({call.text}) before {len(dirty)} files were synced, such as {min(dirty)}")
                dirty.clear()
        # A folder or link has no content that could come later than its name.
        if call.name == "creat" or (call.name == "openat" and "O_CREAT" in call.text):
            dirty |= {path for path in call.paths[-1:] if counts(path)}
    return early, vouched


def counts(path: str) -> bool:
    """True if a mark or the journal vouches for this file; what is synced by itself has a name of its own."""
    if path.startswith(THEIRS) or any(f"/.{name.lstrip('.')}." in path or f"/.{name}." in path for name in MARKS):
        return False
    return path.startswith((f"{APP}/", f"{STATE}/vendor/", f"{STATE}/discarded/"))


@pytest.mark.parametrize("name", ["deploy", "rollback", "deploy (releases)", "convert"])
def test_no_tree_counts_before_it_is_on_the_disk(lab: Lab, driver: Driver, name: str) -> None:
    story: Story = STORIES[name]
    Lab(lab.name, story.service.strategy).at(*story.start)
    if name == "deploy":
        lab.deploy(f"echo 'by hand' >> {APP}/README.md")
    lab.root(f"rm -f {TRACE}")
    with Driver(lab, story.service, *STRACE) as traced:
        ended = traced.run(story, **({"discard_local_changes": True} if name == "deploy" else {}))
    assert ended.get("outcome") == "succeeded", ended
    early, vouched = unsynced(lab.root(f"cat {TRACE}"))
    assert vouched > 3, ended
    assert early == []
