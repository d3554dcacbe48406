"""Whatever is killed or fails, and when, CI has a key that every host lets in, and the next run comes to an end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from github_fake import running
from rotation_world import FAULTS, Killer, World, install, killed_run, place

__all__ = ["place"]

#: Of the writes of a run, one in so many, and the first of them. KILLS=all takes every one, and KILLS=2/3 the second of
#: three parts of all of them.
PART, _, EVERY = os.environ.get("KILLS", "1/26").replace("all", "1/1").partition("/")


def never_locked_out(world: World, told: object) -> None:
    """CI can log in everywhere with what its secret has; where that is the new key, it is kept."""
    pair = world.ci()
    for host in world.hosts.values():
        assert host.lets_in(pair.fingerprint), (told, host.name)
        assert "admin" in host.keys.read_text(), told
        assert host.keys.read_text().startswith("# keys\n"), told
    if pair.fingerprint != world.old.fingerprint:
        assert list((world.folder / "kept").iterdir()), told


def rotated(world: World, told: object) -> None:
    new = world.ci().fingerprint
    assert new != world.old.fingerprint, told
    for host in world.hosts.values():
        assert host.lets_in(new) and not host.lets_in(world.old.fingerprint), told
        assert not (host.state / "lease.json").exists(), told


def as_before(world: World, told: object) -> None:
    assert world.ci().fingerprint == world.old.fingerprint, told
    for name, host in world.hosts.items():
        assert host.keys.read_bytes() == world.before[name], told


def go_on(world: World, way: str, told: object) -> str:
    """Type the command that the next run names. Returns the way that was taken."""
    inputs: dict[str, str] = {}
    for _try in range(4):
        result = world.rotate(**inputs)
        never_locked_out(world, (told, inputs))
        if not result["refused"]:
            assert set(result["outcomes"]) <= {"succeeded", "unchanged", "reverted"}, (told, inputs, result)
            return inputs.get("interrupted", "")
        offered = [one["input"] for refusal in result["refused"].values() for one in refusal["ways"]]
        takeover = [word for text in offered for word in text.split() if word.startswith("lock_takeover=")]
        if takeover and "lock_takeover" not in inputs:
            inputs["lock_takeover"] = takeover[0].partition("=")[2]
        elif any(f"interrupted={way}" in text for text in offered) and "interrupted" not in inputs:
            inputs["interrupted"] = way
        else:
            assert any("interrupted=resume" in text for text in offered), (told, inputs, result)
            inputs["interrupted"] = "resume"
    raise AssertionError((told, inputs, result))


@pytest.mark.parametrize("way", ["resume", "undo"])
def test_no_fault_at_any_write_locks_anybody_out(
    place: Path, monkeypatch: pytest.MonkeyPatch, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cases, states, number, came = 0, set(), int(PART) - 1, True
    with running() as hub:
        while came:
            for fault in FAULTS:
                folder = place / f"{number}-{fault}"
                folder.mkdir()
                hub.runs.clear()
                world = World(hub, folder)
                with monkeypatch.context() as patch:
                    install(world, patch)
                    came, _names = killed_run(world, Killer(number, fault))
                    told = f"{fault}: write {number}, then {way}"
                    never_locked_out(world, told)
                    if not came:
                        rotated(world, told)
                        break
                    journals = [host.state / "journal.jsonl" for host in world.hosts.values()]
                    states.add(tuple(one.read_text().count("\n") if one.exists() else 0 for one in journals))
                    cases += 1
                    if go_on(world, way, told) == "undo":
                        as_before(world, told)
                    else:
                        rotated(world, told)
            number += int(EVERY)
    with capsys.disabled():
        print(f"\n{cases} faults in {len(states)} states of two hosts ({PART}/{EVERY}), each gone on with by {way}")
    assert cases > 15
