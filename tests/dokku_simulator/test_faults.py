"""The state after the plugin dies, finds no room, or is not alone. No fault may make a deploy fail."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand import HERE, Result, Stand
from waiting import END, wait_for

pytestmark = pytest.mark.usefixtures("demo_images")

# A tool of the same name that stands before the real one, and kills the process group of its caller at the call that
# the test names. The group is that of the trigger, or of the command.
ASSASSIN = """#!/bin/bash
tool="${0##*/}"
PATH="${PATH//"${0%/*}:"/}"
if [[ -z $VICTIM_WHEN || ! "$tool $*" =~ $VICTIM ]]; then exec "$tool" "$@"; fi
if [[ $VICTIM_WHEN == after ]]; then "$tool" "$@" >/dev/null 2>&1; fi
kill -9 0
"""


@pytest.fixture
def assassin(dokku: Stand, tmp_path: Path) -> Path:
    folder = tmp_path / "assassin"
    folder.mkdir()
    for tool in ("docker", "dokku", "jq", "mv", "sync", "git", "rm"):
        (folder / tool).write_text(ASSASSIN)
        (folder / tool).chmod(0o755)
    # The client is asked for by its path; here by its name, so that what stands before it is found.
    (tmp_path / "real").mkdir()
    (tmp_path / "real/docker").symlink_to(dokku.client)
    dokku.env["PATH"] = f"{folder}:{tmp_path}/real:{dokku.env['PATH']}"
    dokku.env["DOCKER_BIN"] = "docker"
    return folder


def numbers(dokku: Stand, app: str) -> list[int]:
    return [release["number"] for release in reversed(dokku.releases(app))]


@pytest.mark.parametrize(
    ("victim", "when"),
    [
        ("docker container create --name dokku-releases", "before"),
        ("docker container create --name dokku-releases", "after"),
        ("jq -n --arg app", "before"),
        ("sync .*record.json", "before"),
        (r"mv .*record.json .*/2\.json", "before"),
        (r"mv .*record.json .*/2\.json", "after"),
        ("mv .*/last .*/.last", "before"),
    ],
)
def test_a_record_that_is_killed_costs_no_deploy(
    dokku: Stand, app: str, assassin: Path, victim: str, when: str
) -> None:
    dokku.deploy(app, 1)
    dokku.load(2)
    killed = dokku.run("git:from-image", app, "local/demo:2", VICTIM=victim, VICTIM_WHEN=when)
    assert killed.rc == 0, killed
    assert "was not recorded" in killed.stdout and "Application deployed" in killed.stdout
    assert dokku.answer(app).startswith("version=2 ") and dokku.latest(app) == dokku.live(app)
    recorded = (dokku.records / app / "2.json").exists()
    assert recorded == ((victim.startswith("mv .*record") and when == "after") or victim.startswith("mv .*/last"))
    if not recorded:
        assert "What is live is not recorded" in dokku.ok("releases", app).stderr
        dokku.ok("releases:record", app)
    assert numbers(dokku, app) == [1, 2]
    dokku.ok("cleanup", app)
    assert [release["state"] for release in dokku.releases(app)] == ["live", "held"]


def test_a_source_that_is_not_added_costs_no_deploy(dokku: Stand, app: str, assassin: Path) -> None:
    dokku.deploy(app, 1)
    dokku.load(2)
    killed = dokku.run("git:from-image", app, "local/demo:2", VICTIM="jq --arg type", VICTIM_WHEN="before")
    assert killed.rc == 0 and "the source of this deploy" in killed.stdout
    assert numbers(dokku, app) == [1, 2]
    shown = dokku.ok("releases:info", app, "2", "--format", "json").json()
    assert shown["image_id"] == dokku.live(app) and shown["deploy_source"] is None


@pytest.mark.parametrize("victim", ["rm -rf .*/releases/", "docker container rm dokku-releases"])
def test_a_removal_that_is_killed_costs_no_destroy(dokku: Stand, app: str, assassin: Path, victim: str) -> None:
    dokku.deploy(app, 1)
    killed = dokku.run("apps:destroy", "--force", app, VICTIM=victim + ".*", VICTIM_WHEN="before")
    assert killed.rc == 0 and "not wholly removed" in killed.stderr
    assert (dokku.records / app).exists() == victim.startswith("rm ")


@pytest.mark.parametrize(
    ("victim", "when"),
    [
        ("sync .*journal", "before"),
        ("mv .*journal", "after"),
        ("docker image tag", "before"),
        ("docker image tag", "after"),
        ("dokku config:import", "before"),
        ("dokku config:import", "after"),
        ("dokku ps:restart", "before"),
        ("dokku ps:restart", "after"),
        ("git .*update-ref", "before"),
    ],
)
def test_a_rollback_that_is_killed_is_seen_and_finished(
    dokku: Stand, app: str, assassin: Path, victim: str, when: str
) -> None:
    for version in (1, 2):
        dokku.ok("config:set", "--no-restart", app, f"GREETING=g{version}")
        dokku.deploy(app, version)
    killed = dokku.run("releases:rollback", app, "1", VICTIM=victim, VICTIM_WHEN=when)
    assert killed.rc == -9
    # Something serves, all the while.
    assert dokku.answer(app) in ("version=1 path=/ greeting=g1\n", "version=2 path=/ greeting=g2\n")
    listed = dokku.ok("releases", app)
    begun = (
        not victim.startswith("sync")
        and not (victim.startswith("dokku ps:restart") and when == "after")
        and not victim.startswith("git")
    )
    assert (f"did not end. To finish it: dokku releases:rollback {app} 1" in listed.stderr) == begun, listed
    dokku.ok("releases:rollback", app, "1")
    assert dokku.answer(app) == "version=1 path=/ greeting=g1\n" and dokku.latest(app) == dokku.live(app)
    newest = dokku.releases(app)[0]
    assert newest["rollback_to"] == 1 and newest["state"] == "live"
    assert "did not end" not in dokku.ok("releases", app).stderr
    assert not (dokku.root / "lib/data/apps" / app / ".deploy.lock").exists()


def test_a_killed_rollback_that_then_fails_leaves_what_was_set_before_it(
    dokku: Stand, app: str, assassin: Path
) -> None:
    dokku.ok("config:set", "--no-restart", app, "GREETING=g1", "CRASH_ON_BOOT=")
    dokku.deploy(app, 1)
    dokku.ok("config:set", "--no-restart", app, "GREETING=g2")
    dokku.deploy(app, 2)
    killed = dokku.run("releases:rollback", app, "1", VICTIM="dokku ps:restart", VICTIM_WHEN="before")
    assert killed.rc == -9 and dokku.ok("config:get", app, "GREETING").stdout.strip() == "g1"
    # Now release 1 would come up no more.
    record = dokku.records / app / "1.json"
    document = json.loads(record.read_text())
    document["config"]["CRASH_ON_BOOT"] = "1"
    record.write_text(json.dumps(document))
    failed = dokku.run("releases:rollback", app, "1")
    assert failed.rc == 1 and "did not come up" in failed.stderr, failed
    assert dokku.answer(app) == "version=2 path=/ greeting=g2\n" and dokku.latest(app) == dokku.live(app)
    assert dokku.ok("config:get", app, "GREETING").stdout.strip() == "g2"
    assert dokku.ok("config:get", app, "CRASH_ON_BOOT").stdout.strip() == ""


@pytest.fixture
def small_disk(dokku: Stand) -> Iterator[Path]:
    dokku.records.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(dokku.records)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    yield dokku.records
    subprocess.run(["umount", "-l", str(dokku.records)], check=True)


def test_a_full_disk_costs_the_record_and_not_the_deploy(dokku: Stand, app: str, small_disk: Path) -> None:
    dokku.deploy(app, 1)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"\0" * 4096)
            except OSError:
                break
    full = dokku.deploy(app, 2)
    assert "was not recorded" in full.stdout and dokku.answer(app).startswith("version=2 ")
    refused = dokku.run("releases:rollback", app, "1")
    assert refused.rc == 1 and "Nothing was changed" in refused.stderr and dokku.answer(app).startswith("version=2 ")
    ballast.unlink()
    assert numbers(dokku, app) == [1]
    dokku.ok("releases:record", app)
    assert numbers(dokku, app) == [1, 2]
    dokku.ok("releases:rollback", app, "previous")
    assert dokku.answer(app).startswith("version=1 ")
    assert not [path for path in small_disk.rglob("*") if path.name.startswith(".work")]


def at_once(*commands: tuple[Stand, tuple[str, ...]]) -> list[Result]:
    found: list[Result | None] = [None] * len(commands)

    def one(index: int, dokku: Stand, argv: tuple[str, ...]) -> None:
        found[index] = dokku.run(*argv)

    threads = [threading.Thread(target=one, args=(index, *command)) for index, command in enumerate(commands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [result for result in found if result is not None]


def test_two_deploys_at_once_make_one_release(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    dokku.load(2), dokku.load(3)
    results = at_once(
        (dokku, ("git:from-image", app, "local/demo:2")), (dokku, ("git:from-image", app, "local/demo:3"))
    )
    assert sorted(result.rc for result in results) == [0, 1]
    assert numbers(dokku, app) == [1, 2] and dokku.releases(app)[0]["state"] == "live"


def test_two_changes_of_configuration_at_once_lose_no_record(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    results = at_once(*((dokku, ("config:set", app, f"KEY{index}=x")) for index in range(3)))
    assert [result.rc for result in results] == [0, 0, 0]
    found = numbers(dokku, app)
    assert found == list(range(1, len(found) + 1)) and len(found) >= 2
    assert len(list((dokku.records / app).glob("[0-9]*.json"))) == len(found)


def test_a_deploy_and_a_rollback_keep_out_of_each_others_way(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    dokku.deploy(app, 2)
    lock = dokku.root / "lib/data/apps" / app / ".deploy.lock"
    dokku.load(3)
    with dokku.held():
        deploying = dokku.start("git:from-image", app, "local/demo:3")
        wait_for("the deploy has its lock", lock.exists)
        refused = dokku.run("releases:rollback", app, "1")
        assert refused.rc == 1 and "a deploy is under way" in refused.stderr and "Nothing was changed" in refused.stderr
    assert deploying.communicate(timeout=END) and deploying.returncode == 0
    dokku.load(4)
    with dokku.held():
        back = dokku.start("releases:rollback", app, "1")
        wait_for("the rollback is on record", (dokku.records / app / "rollback.json").exists)
        wait_for("the rollback has its lock", lock.exists)
        second = dokku.run("releases:rollback", app, "2")
        assert second.rc == 1 and "A rollback of" in second.stderr and "to release 1" in second.stderr
        deploy = dokku.run("git:from-image", app, "local/demo:4")
        assert deploy.rc == 1 and "deploy lock in place" in deploy.stdout
    assert back.communicate(timeout=END) and back.returncode == 0
    assert dokku.answer(app).startswith("version=1 ") and not lock.exists()


def test_holds_that_somebody_removed(dokku: Stand, app: str) -> None:
    for version in (1, 2, 3):
        dokku.deploy(app, version)
    keepers = dokku.docker("container", "ls", "-aq", "--filter", f"label=com.dokku.releases.app={app}").split()
    assert len(keepers) == 3
    dokku.docker("container", "rm", *keepers)
    assert {release["state"] for release in dokku.releases(app)} == {"live", "unheld"}
    dokku.ok("releases:rollback", app, "2")
    assert dokku.answer(app).startswith("version=2 ")
    dokku.ok("cleanup", app)
    states = {release["number"]: release["state"] for release in dokku.releases(app)}
    assert states == {1: "gone", 2: "held", 3: "gone", 4: "live"}
    refused = dokku.run("releases:rollback", app, "previous")
    assert (
        refused.rc == 1
        and "The image of release 1" in refused.stderr
        and "The nearest that can be had is 2" in refused.stderr
    )
    assert dokku.run("releases:hold", app, "3").rc == 1


def test_a_record_that_cannot_be_read_costs_that_release_only(dokku: Stand, app: str) -> None:
    for version in (1, 2):
        dokku.deploy(app, version)
    (dokku.records / app / "1.json").write_text('{"number": 1,')
    listed = dokku.ok("releases", app)
    assert "release 1 of" in listed.stderr and "cannot be read" in listed.stderr
    dokku.deploy(app, 3)
    assert numbers(dokku, app) == [2, 3]
    dokku.ok("releases:rollback", app, "previous")
    assert dokku.answer(app).startswith("version=2 ")


def test_a_failing_trigger_would_mark_the_deploy_failed(dokku: Stand, app: str) -> None:
    """The failure that the plugin must never cause, shown with another plugin."""
    broken = dokku.root / "lib/plugins/enabled/zz-broken"
    broken.mkdir()
    (broken / "post-deploy").write_text("#!/bin/sh\nexit 3\n")
    (broken / "post-deploy").chmod(0o755)
    assert dokku.run("git:from-image", app, "local/demo:1").rc == 3
    assert dokku.answer(app).startswith("version=1 ")


def test_the_plugin_passes_shellcheck() -> None:
    plugin = HERE.parents[1] / "roles/dokku/files/releases"
    scripts = [str(path) for path in sorted(plugin.rglob("*")) if path.is_file() and os.access(path, os.X_OK)]
    assert len(scripts) >= 15
    try:
        ran = subprocess.run(["shellcheck", "-x", *scripts], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("shellcheck is not installed")
    assert ran.returncode == 0, ran.stdout
