"""Containers that Dokku does not count: what a cut-off step has left is seen and removed, and nothing else is."""

from __future__ import annotations

import subprocess

import pytest
from stand import Stand
from waiting import END, wait_for

pytestmark = pytest.mark.usefixtures("demo_images")


def names(dokku: Stand, app: str) -> list[str]:
    """All containers of an app that run."""
    return dokku.docker(
        "container", "ls", "--filter", f"label=com.dokku.app-name={app}", "--format", "{{.Names}}"
    ).split()


def upcoming(dokku: Stand, app: str) -> list[str]:
    return [name for name in names(dokku, app) if ".upcoming-" in name]


def report(dokku: Stand, app: str) -> dict[str, str]:
    return dokku.ok("releases:report", app, "--format", "json").json()  # type: ignore[no-any-return]


def cut(dokku: Stand, app: str, *argv: str) -> str:
    """A command that is killed, with all below it, while a new container is upcoming. Returns its name."""
    before = upcoming(dokku, app)
    with dokku.held():
        process = dokku.start(*argv)
        wait_for("an upcoming container", lambda: [name for name in upcoming(dokku, app) if name not in before])
        dokku.kill(process)
    (new,) = [name for name in upcoming(dokku, app) if name not in before]
    return new


def stray(dokku: Stand, app: str, name: str) -> str:
    """A container with the app's labels that Dokku never made."""
    labels = [f"--label=com.dokku.app-name={app}", "--label=com.dokku.container-type=deploy", f"--label={dokku.owner}"]
    words = [*labels, f"--name={name}", "--restart=on-failure:10", "--entrypoint=sleep", "local/demo:1", "1000"]
    return dokku.docker("container", "run", "--detach", *words)


def test_containers_of_a_killed_rollback_are_seen_and_removed_by_the_next_one(dokku: Stand, app: str) -> None:
    for version in (1, 2):
        dokku.deploy(app, version)
    assert report(dokku, app)["strays"] == ""
    left = cut(dokku, app, "releases:rollback", app, "1")
    assert report(dokku, app)["strays"] == left and report(dokku, app)["under-way"] == ""
    told = dokku.ok("releases", app).stderr
    assert left in told and f"releases:strays {app} --remove" in told
    # A second one that is cut leaves its own beside it.
    again = cut(dokku, app, "releases:rollback", app, "1")
    assert report(dokku, app)["strays"].split() == sorted([left, again])
    done = dokku.ok("releases:rollback", app, "1", "--format", "json").json()
    assert sorted(done["strays_removed"]) == sorted([left, again])
    assert names(dokku, app) == [f"{app}.web.1"] and report(dokku, app)["strays"] == ""
    assert dokku.answer(app).startswith("version=1 ")


def test_a_rollback_that_goes_on_is_told_and_no_repair(dokku: Stand, app: str) -> None:
    """Somebody on call reads this in the middle of a colleague's rollback."""
    for version in (1, 2):
        dokku.deploy(app, version)
    with dokku.held():
        process = dokku.start("releases:rollback", app, "1")
        wait_for("an upcoming container", lambda: upcoming(dokku, app))
        told = dokku.ok("releases", app).stderr
        assert "Under way: a rollback to release 1 since 20" in told
        assert "To " not in told and "dokku " not in told.replace(f"dokku/{app}", "")
        state = dokku.ok("releases:state", app, "--format", "json").json()["report"]
        assert state["under-way"].startswith("a rollback to release 1 since 20") and state["strays"] == ""
        dokku.kill(process)
    assert "did not end. To finish it" in dokku.ok("releases", app).stderr


def test_one_that_stopped_would_come_back_at_the_next_boot(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    left = cut(dokku, app, "ps:restart", app)
    dokku.docker("container", "kill", left)
    found = report(dokku, app)
    assert (found["strays"], found["strays-stopped"]) == ("", left)
    assert dokku.ok("releases:strays", app, "--remove", "--format", "json").json()["removed"] == [left]
    assert dokku.docker("container", "inspect", "--format", "{{.Id}}", left) == ""


@pytest.mark.parametrize("work", ["git:from-image", "ps:restart"])
def test_a_container_that_is_being_made_is_left_alone(dokku: Stand, app: str, work: str) -> None:
    """A deploy holds Dokku's lock; a restart takes none."""
    dokku.deploy(app, 1)
    dokku.load(2)
    words = [work, app, *(["local/demo:2"] if work == "git:from-image" else [])]
    with dokku.held():
        process = dokku.start(*words)
        (new,) = wait_for("an upcoming container", lambda: upcoming(dokku, app))
        identity = dokku.docker("container", "inspect", "--format", "{{.Id}}", new)
        found = report(dokku, app)
        assert (found["strays"], found["strays-stopped"]) == ("", "") and found["under-way"].startswith(work), found
        refused = dokku.run("releases:strays", app, "--remove")
        assert refused.rc == 1 and "is under way" in refused.stderr, refused
        told = dokku.ok("releases", app).stderr
        assert "Under way" in told and "To mend it" not in told, told
    assert process.wait(timeout=END) == 0
    assert dokku.docker("container", "inspect", "--format", "{{.Name}}", identity) == f"/{app}.web.1"
    assert report(dokku, app)["under-way"] == ""


def test_a_container_that_dokku_counts_is_never_removed(dokku: Stand, app: str) -> None:
    """A deploy whose nginx step fails leaves the container that Dokku counts with the name of one that is made."""
    dokku.deploy(app, 1)
    dokku.docker("container", "rename", f"{app}.web.1", f"{app}.web.1.upcoming-77")
    found = dokku.ok("releases:strays", app, "--remove", "--format", "json").json()
    assert (found["removed"], found["strays"]) == ([], []) and dokku.answer(app).startswith("version=1 ")


def test_a_foreign_container_is_named_and_stays(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    dokku.load(1)
    stray(dokku, app, f"{app}.by-hand")
    try:
        found = dokku.ok("releases:strays", app, "--remove", "--format", "json").json()
        assert found["removed"] == [] and [one["name"] for one in found["strays"]] == [f"{app}.by-hand"]
        assert f"{app}.by-hand" in report(dokku, app)["strays"]
    finally:
        dokku.docker("container", "rm", "--force", f"{app}.by-hand")


def test_the_old_container_of_a_deploy_that_went_well_is_no_stray(dokku: Stand, app: str) -> None:
    """Dokku stops it a minute later, and its timer removes it."""
    dokku.deploy(app, 1)
    old = dokku.docker("container", "inspect", "--format", "{{.Id}}", f"{app}.web.1")
    dokku.deploy(app, 2)
    dokku.docker("container", "update", "--restart=on-failure:10", old)
    subprocess.run([dokku.client, "container", "start", old], check=True, capture_output=True)
    assert report(dokku, app)["strays"] == ""
    assert dokku.ok("releases:strays", app, "--remove", "--format", "json").json()["removed"] == []
