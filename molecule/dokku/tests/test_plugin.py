"""The plugin `releases` on a host, as a person uses it: what is recorded, and how it goes back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from dokku_lab import RECORDS, Answer, DokkuLab


def test_the_runbooks_two_missing_commands_as_typed(lab: DokkuLab) -> None:
    """`dokku releases restant-main | head -5`, and the emergency with the number that the list shows."""
    app = "restant-main"
    lab.push(app, "v2")
    assert lab.push(app, "v3").rc == 0 and lab.serves(app) == "3"
    typed = lab.ssh("admin", f"sudo dokku releases {app} | head -5")
    assert typed.rc == 0 and typed.err == "" and len(typed.out.splitlines()) <= 5
    newest = typed.out.splitlines()[2].split()
    assert newest[1] == "live" and "git-hook" in newest
    # The runbook's emergency, word by word, but for its number: 1 is the oldest.
    before = int(newest[0]) - 1
    for command in (f"ps:stop {app}", f"releases:rollback {app} {before}", f"ps:start {app}"):
        answer = lab.ssh("dokku", command)
        assert answer.rc == 0, answer
    assert lab.serves(app) == "2" and json.loads(lab.answer(app, "/health"))["status"] == "ok"
    assert lab.releases(app)[0]["rollback_to"] == before
    unknown = lab.ssh("dokku", f"releases:rollback {app} 99")
    assert unknown.rc == 1 and "Release 99" in unknown.err and lab.serves(app) == "2"
    assert lab.ssh("dokku", "releases:rollback nope 1").rc == 20


@pytest.mark.parametrize("screen", ["ops.runbook.operator", "ansible.builtin.default"])
def test_installing_it_says_what_was_done_and_what_would_be(lab: DokkuLab, screen: str) -> None:
    """The first command of a new user, on a host on which all is there and on one without."""
    admin = {"ansible_user": "admin", "dokku_operator": "deploy", "screen": screen}
    plugin, rule = "/var/lib/dokku/plugins/available/releases/commands", "/etc/sudoers.d/ops-runbook-dokku"
    done = lab.play("dokku_releases", **admin)
    assert done.green and done.text.count("up to date") == 3, done.text
    lab.root(f"echo >> {plugin}; rm {rule}")
    planned = lab.play("dokku_releases", "--check", **admin)
    assert planned.green and "plugins: would be changed" in planned.text, planned.text
    assert f"in {rule}: would be changed" in planned.text and "records /var/lib/ops-runbook: up to date" in planned.text
    done = lab.play("dokku_releases", **admin)
    assert done.green and "plugins: changed" in done.text and f"in {rule}: changed" in done.text, done.text
    setup = {"ansible_user": "admin", "screen": screen}
    assert lab.play("dokku_backup_setup", **setup).green
    again = lab.play("dokku_backup_setup", **setup)
    assert again.green and again.text.count("up to date") == 2, again.text
    lab.root("rm /etc/sudoers.d/ops-runbook-parts")
    planned = lab.play("dokku_backup_setup", "--check", **setup)
    assert "in /etc/sudoers.d/ops-runbook-parts: would be changed" in planned.text, planned.text
    assert lab.play("dokku_backup_setup", **setup).green


def test_whatever_was_deployed_is_recorded_with_who_and_how(lab: DokkuLab) -> None:
    app = lab.app("recorded")
    pushed = lab.push(app, "v1")
    assert pushed.rc == 0, pushed
    lab.ok("config:set", app, "GREETING=changed")
    lab.at(app, "v2")
    lab.ok("git:sync", "--build", app, "/srv/git/restant.git", "v3")
    found = [(release["source"], release["by"]) for release in reversed(lab.releases(app))]
    assert found == [
        ("git-hook", "ops"),
        ("config-redeploy", "deploy"),
        ("git:from-image", "deploy"),
        ("git:sync", "deploy"),
    ]
    assert lab.answer(app) == "version=3 path=/ greeting=changed\n"
    # A restart that changed nothing does not count, and neither does a push of the same.
    lab.ok("ps:restart", app)
    assert lab.numbers(app) == [1, 2, 3, 4]
    assert lab.root(f"stat -c %a:%U {RECORDS}/{app} {RECORDS}/{app}/4.json").split() == ["700:dokku", "600:dokku"]


@pytest.fixture
def three(lab: DokkuLab) -> str:
    """v1, v2 and v3, each with a greeting of its own."""
    app = lab.app("three")
    for number in (1, 2, 3):
        lab.ok("config:set", "--no-restart", app, f"GREETING=g{number}")
        lab.at(app, f"v{number}")
    return app


def test_previous_twice_by_number_and_after_retire_and_cleanup(lab: DokkuLab, three: str) -> None:
    for command in (("ps:retire",), ("cleanup", three), ("cleanup",)):
        lab.ok(*command)
    assert lab.states(three) == {1: "held", 2: "held", 3: "live"}
    for number, made in ((2, 4), (1, 5)):
        back = lab.ok("releases:rollback", three, "previous", "--reason", "INC-7")
        assert f"runs release {number} again, recorded as release {made}" in back.out
        assert lab.answer(three) == f"version={number} path=/ greeting=g{number}\n"
        lab.ok("ps:retire")
        lab.ok("cleanup", three)
        assert lab.latest(three) == lab.live(three)
    refused = lab.run("releases:rollback", three, "previous")
    assert refused.rc == 1 and "no release before" in refused.err
    lab.ok("releases:rollback", three, "3")
    assert lab.answer(three) == "version=3 path=/ greeting=g3\n"
    # It is the code everywhere: for a command of its own, and for a rebuild.
    assert lab.ok("run", three, "cat", "/app/VERSION").out == "3\n"
    lab.ok("ps:rebuild", three)
    assert lab.serves(three) == "3"


@pytest.mark.parametrize("release", ["crash", "checked-bad", "predeploy-bad"])
def test_a_broken_deploy_is_no_release_and_going_back_mends_what_it_left(lab: DokkuLab, release: str) -> None:
    app = lab.app("broken")
    lab.at(app, "v1", "v2")
    broken = lab.deploy_image(app, release)
    assert broken.rc == 1 and lab.serves(app) == "2" and lab.numbers(app) == [1, 2]
    assert lab.latest(app) != lab.live(app)
    assert "is not the image that is live" in lab.ok("releases", app).err
    lab.ok("releases:rollback", app, "2")
    assert lab.latest(app) == lab.live(app)
    # What a restart would else have put live.
    lab.ok("ps:restart", app)
    assert lab.serves(app) == "2"


def test_a_push_that_does_not_build_leaves_all_as_it_was(lab: DokkuLab) -> None:
    app = lab.app("unbuilt")
    assert lab.push(app, "v1").rc == 0
    refused = lab.push(app, "unbuildable")
    assert refused.rc == 1 and "App build failed" in refused.err
    assert lab.serves(app) == "1" and lab.numbers(app) == [1]
    assert lab.push(app, "v2").rc == 0 and lab.numbers(app) == [1, 2]


def test_an_image_that_is_gone_is_refused_with_the_nearest(lab: DokkuLab, three: str) -> None:
    assert len(lab.holds(three)) == 3
    # What `docker system prune` does to containers that do not run.
    oldest = lab.holds(three)[-1]
    lab.root(f"docker container rm {oldest}")
    lab.ok("ps:retire")
    lab.ok("cleanup", three)
    states = lab.states(three)
    gone = [number for number, state in states.items() if state == "gone"]
    assert len(gone) == 1 and states[3] == "live"
    refused = lab.run("releases:rollback", three, str(gone[0]))
    nearest = 3 - gone[0] if gone[0] in (1, 2) else 1
    assert refused.rc == 1 and f"The image of release {gone[0]}" in refused.err
    assert f"The nearest that can be had is {nearest}" in refused.err
    assert lab.serves(three) == "3"
    # Holds that are lost while the image is there are made again by the next that goes there.
    lab.root("docker container rm " + " ".join(lab.holds(three)))
    lab.ok("releases:rollback", three, str(nearest))
    assert lab.serves(three) == str(nearest)


def test_an_unreadable_record_costs_that_release_only(lab: DokkuLab, three: str) -> None:
    lab.root(f"printf '{{\"number\": 1,' > {RECORDS}/{three}/1.json")
    listed = lab.ok("releases", three)
    assert "release 1 of" in listed.err and "cannot be read" in listed.err
    assert lab.run("releases:rollback", three, "1").rc == 1 and lab.serves(three) == "3"
    lab.ok("releases:rollback", three, "previous")
    assert lab.serves(three) == "2" and lab.numbers(three) == [2, 3, 4]


def test_two_deploys_at_once_make_one_release(lab: DokkuLab) -> None:
    app = lab.app("race")
    lab.at(app, "v1")
    lab.root("lab-images v2 v3")
    typed = "sudo -n -u dokku -- /usr/bin/dokku git:from-image"
    commands = [
        ["ssh", *lab.ssh_options(), "deploy@127.0.0.1", f"{typed} {app} local/restant:{release}"]
        for release in ("v2", "v3")
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for command in commands]
    said = [process.communicate(timeout=120)[0].decode() for process in running]
    assert sorted(process.returncode for process in running) == [0, 1], said
    assert "deploy lock in place" in "".join(said)
    assert lab.numbers(app) == [1, 2] and lab.states(app)[2] == "live"


@pytest.fixture
def small_disk(lab: DokkuLab) -> Iterator[str]:
    """Room for a few records."""
    lab.root(f"mount -t tmpfs -o size=256k,mode=700,uid=$(id -u dokku),gid=$(id -g dokku) tmpfs {RECORDS}")
    yield RECORDS
    lab.root(f"umount -l {RECORDS}")


def test_a_full_disk_costs_the_record_and_not_the_deploy(lab: DokkuLab, small_disk: str) -> None:
    app = lab.app("full")
    lab.at(app, "v1")
    lab.root(f"dd if=/dev/zero of={small_disk}/ballast bs=4k 2>/dev/null", check=False)
    full = lab.deploy_image(app, "v2")
    assert full.rc == 0 and "was not recorded" in full.text and lab.serves(app) == "2"
    refused = lab.run("releases:rollback", app, "1")
    assert refused.rc == 1 and "Nothing was changed" in refused.err and lab.serves(app) == "2"
    lab.root(f"rm {small_disk}/ballast")
    assert "What is live is not recorded" in lab.ok("releases", app).err and lab.numbers(app) == [1]
    lab.ok("releases:record", app)
    assert lab.numbers(app) == [1, 2]
    lab.ok("releases:rollback", app, "previous")
    assert lab.serves(app) == "1"
    assert lab.root(f"find {small_disk} -name '.work*'") == ""


def test_another_plugins_failing_trigger_and_ours_that_never_fails(lab: DokkuLab) -> None:
    app = lab.app("trigger")
    broken = "/var/lib/dokku/plugins/enabled/zz-broken"
    lab.root(f"mkdir {broken}; printf '#!/bin/sh\\nexit 3\\n' > {broken}/post-deploy; chmod -R 0755 {broken}")
    try:
        failed = lab.deploy_image(app, "v1")
    finally:
        lab.root(f"rm -rf {broken}")
    assert failed.rc == 3 and lab.serves(app) == "1" and lab.numbers(app) == [1]
    # jq is what the plugin can't do without.
    lab.root("mv /usr/bin/jq /usr/bin/jq.away")
    try:
        without = lab.deploy_image(app, "v2")
    finally:
        lab.root("mv /usr/bin/jq.away /usr/bin/jq")
    assert without.rc == 0 and "was not recorded" in without.text and lab.serves(app) == "2"


def test_records_go_with_a_renamed_app_and_end_with_a_destroyed_one(lab: DokkuLab, three: str) -> None:
    new = lab.app("renamed")
    # As Dokku does it, after the new app was made: the simulator renames no deployed app.
    given = "DOKKU_ROOT=/home/dokku DOKKU_LIB_ROOT=/var/lib/dokku DOCKER_BIN=docker PLUGIN_PATH=/var/lib/dokku/plugins"
    trigger = "/var/lib/dokku/plugins/enabled/releases/post-app-rename-setup"
    lab.root(f"cd / && runuser -u dokku -- env {given} {trigger} {three} {new}")
    found = lab.root(f"ls {RECORDS}/{new}").split()
    assert [name for name in found if name.endswith(".json")] == ["1.json", "2.json", "3.json"]
    assert lab.holds(three) == [] and len(lab.holds(new)) == 3
    lab.ok("apps:destroy", "--force", new)
    assert lab.root(f"ls -d {RECORDS}/{new} 2>/dev/null", check=False) == "" and lab.holds(new) == []


def test_no_value_of_the_configuration_is_shown(lab: DokkuLab) -> None:
    app, canary = lab.app("secret"), "canary-7d1e"
    lab.ok("config:import", "--no-restart", "--format", "json", app, "-", stdin=json.dumps({"SECRET": canary}))
    lab.at(app, "v1")
    lab.ok("config:import", "--no-restart", "--format", "json", app, "-", stdin=json.dumps({"SECRET": canary + "2"}))
    lab.at(app, "v2")
    answers: list[Answer] = [
        lab.ok(*argv)
        for argv in (
            ("releases", app),
            ("releases:info", app, "1"),
            ("releases:info", app, "1", "--format", "json"),
            ("releases:report", app),
            ("releases:rollback", app, "1", "--dry-run"),
            ("releases:rollback", app, "1"),
        )
    ]
    assert canary not in "".join(answer.text for answer in answers)
    assert lab.ok("config:get", app, "SECRET").out == f"{canary}\n"
