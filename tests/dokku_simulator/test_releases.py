"""The plugin `releases`, unmodified, on the simulated server: what it records, and how it goes back."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from stand import Stand

pytestmark = pytest.mark.usefixtures("demo_images")


def numbers(dokku: Stand, app: str) -> list[tuple[int, str]]:
    return [(release["number"], release["source"]) for release in reversed(dokku.releases(app))]


def test_every_deploy_is_recorded_whoever_made_it(dokku: Stand, app: str, tmp_path: Path) -> None:
    dokku.ok("config:set", "--no-restart", app, "GREETING=one")
    dokku.ok("git:from-image", app, "local/demo:1", NAME="github-actions")
    dokku.ok("config:set", app, "GREETING=two")
    source = tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM local/demo:3\nRUN echo pushed > /app/VERSION\n")
    (source / "Procfile").write_text("web: perl /app/server.pl\n")

    def git(*argv: str) -> subprocess.CompletedProcess[str]:
        who = {f"GIT_{role}_{key}": "you@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        return subprocess.run(
            ["git", *argv], cwd=source, capture_output=True, text=True, env={**dokku.env, **who, "NAME": "jane"}
        )

    git("init", "--initial-branch=master")
    git("add", "--all")
    git("commit", "--message", "pushed")
    pushed = git("push", "--force", str(dokku.root / "home" / app), "master")
    assert pushed.returncode == 0, pushed.stderr
    assert dokku.answer(app) == "version=pushed path=/ greeting=two\n"
    assert numbers(dokku, app) == [(1, "git:from-image"), (2, "config-redeploy"), (3, "git-hook")]
    first, second, third = reversed(dokku.releases(app))
    assert (first["by"], third["by"]) == ("github-actions", "jane")
    assert third["revision"] == git("rev-parse", "HEAD").stdout.strip()
    assert (first["source_image"], second["source_image"], third["source_image"]) == ("local/demo:1",) * 2 + ("",)
    shown = dokku.ok("releases:info", app, "3", "--format", "json").json()
    assert shown["deploy_source"] == {"type": "git-push", "metadata": third["revision"]}
    assert shown["config_keys"] == ["GIT_REV", "GREETING"] and shown["files"] == ["Procfile"]
    assert shown["scale"] == {"web": 1} and shown["domains"] == [f"{app}.dokku.example.com"] and shown["missing"] == []


def test_a_restart_that_changed_nothing_is_no_release(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    dokku.ok("ps:restart", app)
    dokku.ok("ps:stop", app)
    dokku.ok("ps:start", app)
    assert len(dokku.releases(app)) == 1
    dokku.ok("config:set", "--no-restart", app, "GREETING=two")
    dokku.ok("ps:restart", app)
    assert numbers(dokku, app) == [(1, "git:from-image"), (2, "ps:restart")]


def test_back_to_the_previous_with_its_configuration_and_twice_goes_further(dokku: Stand, app: str) -> None:
    for version in (1, 2, 3):
        dokku.ok("config:set", "--no-restart", app, f"GREETING=g{version}", f"ONLY_{version}=x")
        dokku.deploy(app, version)
        dokku.ok("config:unset", "--no-restart", app, f"ONLY_{version}")
    for version, number in ((2, 4), (1, 5)):
        back = dokku.ok("releases:rollback", app, "previous", "--reason", "INC-7")
        assert f"runs release {version} again, recorded as release {number}" in back.stdout
        assert dokku.answer(app) == f"version={version} path=/ greeting=g{version}\n"
        assert sorted(dokku.ok("config:keys", app).stdout.split()) == ["GIT_REV", "GREETING", f"ONLY_{version}"]
    refused = dokku.run("releases:rollback", app, "previous")
    assert refused.rc == 1 and "no release before" in refused.stderr
    newest, before = dokku.releases(app)[:2]
    assert (newest["number"], newest["state"], newest["rollback_to"], before["rollback_to"]) == (5, "live", 1, 2)
    info = dokku.ok("releases:info", app, "5", "--format", "json").json()
    assert info["rollback"] == {"from": 4, "to": 1, "reason": "INC-7"}
    # The code is everywhere: for `dokku run`, for a rebuild, for a later change of the configuration.
    assert dokku.ok("run", app, "cat", "/app/VERSION").stdout.strip() == "1"
    dokku.ok("config:set", app, "GREETING=later")
    assert dokku.answer(app) == "version=1 path=/ greeting=later\n"
    dokku.ok("ps:rebuild", app)
    assert dokku.answer(app).startswith("version=1 ")
    # And forward again, which Dokku alone would call no change.
    dokku.deploy(app, 3)
    assert dokku.answer(app).startswith("version=3 ")


def test_the_emergency_of_the_runbook_as_typed(dokku: Stand, app: str) -> None:
    for version in (1, 2):
        dokku.deploy(app, version)
    typed = subprocess.run(f"dokku releases {app} | head -5", shell=True, capture_output=True, text=True, env=dokku.env)
    assert typed.returncode == 0 and "2       live" in typed.stdout
    dokku.ok("ps:stop", app)
    dokku.ok("releases:rollback", app, "1")
    dokku.ok("ps:start", app)
    assert dokku.answer(app).startswith("version=1 ")
    assert numbers(dokku, app)[-1] == (3, "rollback")


def test_held_images_outlive_retire_cleanup_and_later_builds(dokku: Stand, app: str) -> None:
    for version in (1, 2, 3, 4):
        dokku.deploy(app, version)
        dokku.run("ps:retire")
        dokku.ok("cleanup", app)
        dokku.ok("cleanup")
        assert dokku.latest(app) == dokku.live(app)
    assert [release["state"] for release in dokku.releases(app)] == ["live", "held", "held", "held"]
    dokku.ok("releases:rollback", app, "1")
    dokku.run("ps:retire")
    dokku.ok("cleanup", app)
    dokku.ok("ps:restart", app)
    assert dokku.answer(app).startswith("version=1 ")
    assert [release["state"] for release in dokku.releases(app)] == ["live", "held", "held", "held", "held"]


def test_the_number_of_kept_images_is_bounded(dokku: Stand, app: str) -> None:
    dokku.ok("releases:set", app, "keep-images", "2")
    dokku.deploy(app, 1)
    dokku.ok("releases:hold", app, "1")
    for version in (2, 3, 4):
        dokku.deploy(app, version)
    dokku.ok("cleanup", app)
    assert {release["number"]: release["state"] for release in dokku.releases(app)} == {
        1: "pinned",
        2: "gone",
        3: "held",
        4: "live",
    }
    gone = dokku.run("releases:rollback", app, "2")
    assert gone.rc == 1 and "image of release 2" in gone.stderr and f"dokku releases:rollback {app} 1" in gone.stderr
    assert dokku.answer(app).startswith("version=4 ")
    dokku.ok("releases:hold", app, "1", "--off")
    pruned = dokku.ok("releases:prune", app, "--format", "json").json()
    assert pruned["records"] == [] and len(pruned["images"]) == 1
    dokku.ok("releases:set", app, "keep-records", "2")
    assert dokku.ok("releases:prune", app, "--format", "json").json()["records"] == [1, 2]
    dokku.deploy(app, 1)
    assert [release["number"] for release in dokku.releases(app)] == [5, 4]


def test_a_broken_deploy_is_no_release_and_the_rollback_mends_what_it_left(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    dokku.deploy(app, 2)
    broken = dokku.run("git:from-image", app, "local/demo:crash")
    assert broken.rc == 1 and dokku.latest(app) != dokku.live(app)
    listed = dokku.ok("releases", app)
    assert "is not the image that is live" in listed.stderr
    report = dokku.ok("releases:report", app, "--format", "json").json()
    assert (report["live"], report["latest-is-live"], report["previous"], report["config-drift"]) == (
        "2",
        "false",
        "1",
        "GIT_REV",
    )
    dokku.ok("releases:rollback", app, "2")
    assert dokku.latest(app) == dokku.live(app)
    dokku.ok("ps:restart", app)
    assert dokku.answer(app).startswith("version=2 ")


def test_a_rollback_that_does_not_come_up_changes_nothing(dokku: Stand, app: str) -> None:
    dokku.ok("config:set", "--no-restart", app, "GREETING=good")
    dokku.deploy(app, 1)
    dokku.ok("config:set", app, "GREETING=now")
    # What release 1 was recorded with no longer runs.
    record = dokku.records / app / "1.json"
    changed = json.loads(record.read_text())
    changed["config"]["CRASH_ON_BOOT"] = "1"
    record.write_text(json.dumps(changed))
    before = dokku.ok("config:export", "--format", "json", app).stdout
    failed = dokku.run("releases:rollback", app, "1")
    assert (
        failed.rc == 1 and "did not come up" in failed.stderr and "runs what it ran before: release 2" in failed.stderr
    )
    assert dokku.ok("config:export", "--format", "json", app).stdout == before
    assert dokku.latest(app) == dokku.live(app) and dokku.answer(app) == "version=1 path=/ greeting=now\n"
    assert len(dokku.releases(app)) == 2 and not (dokku.records / app / "rollback.json").exists()


def test_drift_is_told_and_put_back_only_when_asked(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    dokku.deploy(app, 2)
    dokku.ok("ps:scale", app, "web=2")
    dokku.ok("domains:add", app, "www.example.com")
    plan = dokku.ok("releases:rollback", app, "1", "--dry-run", "--format", "json").json()
    assert [drift["what"] for drift in plan["drift"]] == ["scale", "domains"] and plan["config"]["changed"] == [
        "GIT_REV"
    ]
    told = dokku.ok("releases:rollback", app, "1")
    assert "scale stays web=2; release 1 was recorded with web=1" in told.stderr and "domains stays" in told.stderr
    assert dokku.ok("ps:scale", app, "--format", "json").json() == [{"process_type": "web", "quantity": 2}]
    # Of what Dokku tells of a part, only what is another now.
    dokku.ok("checks:set", app, "wait-to-retire", "3")
    plan = dokku.ok("releases:rollback", app, "2", "--dry-run", "--format", "json").json()
    assert {"what": "checks", "now": "wait-to-retire=3", "recorded": "wait-to-retire="} in plan["drift"]
    dokku.ok("releases:rollback", app, "2", "--restore-scale", "--restore-domains")
    assert dokku.ok("ps:scale", app, "--format", "json").json() == [{"process_type": "web", "quantity": 1}]
    assert dokku.ok("domains:report", app, "--format", "json").json()["app-vhosts"] == f"{app}.dokku.example.com"


def test_a_key_can_stay_as_it_is(dokku: Stand, app: str) -> None:
    dokku.ok("config:set", "--no-restart", app, "GREETING=old", "DATABASE_URL=mysql://old")
    dokku.deploy(app, 1)
    dokku.ok("config:set", "--no-restart", app, "GREETING=new", "DATABASE_URL=mysql://rotated")
    dokku.deploy(app, 2)
    dokku.ok("releases:rollback", app, "1", "--keep", "DATABASE_URL")
    assert dokku.ok("config:get", app, "DATABASE_URL").stdout.strip() == "mysql://rotated"
    assert dokku.answer(app).endswith("greeting=old\n")
    dokku.ok("releases:rollback", app, "2", "--keep-config")
    assert dokku.answer(app) == "version=2 path=/ greeting=old\n"


def test_the_address_of_a_linked_service_is_of_the_host(dokku: Stand, app: str, service_images: None) -> None:
    dokku.deploy(app, 1)
    cache = f"cache-{app}"
    dokku.ok("redis:create", cache)
    dokku.ok("redis:link", cache, app, "--no-restart")
    other = "redis://:x@dokku-redis-other:6379"
    dokku.ok("config:set", "--no-restart", app, "GREETING=two", f"OTHER_URL={other}")
    dokku.deploy(app, 2)
    plan = dokku.ok("releases:rollback", app, "previous", "--dry-run", "--format", "json").json()
    assert plan["addresses"] == ["REDIS_URL"] and plan["config"]["dropped"] == ["GREETING", "OTHER_URL"]
    told = dokku.ok("releases:rollback", app, "previous").stdout
    assert "configuration stays: REDIS_URL, of services that are linked" in told
    assert dokku.ok("config:keys", app).stdout.split() == ["GIT_REV", "REDIS_URL"]


def test_a_service_that_is_down_ends_a_rollback_before_anything_is_changed(
    dokku: Stand, app: str, service_images: None
) -> None:
    """Docker says it last: "Cannot link to a non running container", with the new configuration already there."""
    dokku.deploy(app, 1)
    cache = f"cache-{app}"
    dokku.ok("redis:create", cache)
    dokku.ok("redis:link", cache, app, "--no-restart")
    dokku.deploy(app, 2)
    dokku.ok("redis:stop", cache)
    plan = dokku.ok("releases:rollback", app, "1", "--dry-run", "--format", "json").json()
    assert plan["services_down"] == [f"dokku.redis.{cache}"]
    before = dokku.ok("releases", app, "--format", "json").stdout
    failed = dokku.run("releases:rollback", app, "1", "--brief")
    assert failed.rc == 1 and f"dokku redis:start {cache}" in failed.stderr and "Nothing was changed" in failed.stderr
    assert dokku.ok("releases", app, "--format", "json").stdout == before
    dokku.ok("redis:start", cache)
    dokku.ok("releases:rollback", app, "1", "--brief")
    assert dokku.answer(app).startswith("version=1 ")


def test_the_state_is_what_the_single_commands_say(dokku: Stand, app: str) -> None:
    """One call of the plugin in the place of three, of which one is Dokku's own."""

    def same() -> None:
        state = dokku.ok("releases:state", app, "--format", "json").json()
        report = dokku.ok("releases:report", app, "--format", "json").json()
        ps = dokku.ok("ps:report", app, "--format", "json").json()
        assert state["releases"] == dokku.ok("releases", app, "--format", "json").json()
        assert state["report"] == {key: value for key, value in report.items() if key != "drift"}
        told = {key: value for key, value in ps.items() if key.startswith("status-") or key in ("deployed", "running")}
        assert state["ps"] == told

    same()
    for version in (1, 2):
        dokku.deploy(app, version)
    same()
    dokku.ok("config:set", "--no-restart", app, "GREETING=two")
    same()
    dokku.ok("ps:stop", app)
    same()
    dokku.ok("ps:scale", "--skip-deploy", app, "web=0")
    same()
    assert dokku.run("releases:state", "nosuch", "--format", "json").rc == 20


def test_the_containers_that_nginx_sends_requests_to_are_named(dokku: Stand, app: str) -> None:
    """After a reboot the file may be missing, and after a rename that failed its address is another app's."""

    def told() -> str:
        return str(dokku.ok("releases:state", app, "--format", "json").json()["report"]["nginx-config"])

    address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    assert told() == ""
    dokku.deploy(app, 1)
    conf = dokku.root / "home" / app / "nginx.conf"
    conf.unlink(missing_ok=True)
    assert told() == "missing"
    own = dokku.docker("container", "inspect", "--format", address, f"{app}.web.1")
    upstream = "upstream x {{\n  server {}:5000;\n}}\nserver {{\n}}\n"
    conf.write_text(upstream.format(own))
    assert told() == ""
    other = dokku.create(f"{app}-other")
    dokku.deploy(other, 1)
    conf.write_text(upstream.format(dokku.docker("container", "inspect", "--format", address, f"{other}.web.1")))
    assert told().startswith("stale ") and told().endswith(f" {other}.web.1")
    # An address that nobody has now serves no visitor.
    conf.write_text(upstream.format("192.0.2.1"))
    assert told() == ""


def test_an_unreadable_record_costs_that_release_alone(dokku: Stand, app: str) -> None:
    for version in (1, 2, 3):
        dokku.deploy(app, version)
    (dokku.root / "lib/data/releases" / app / "2.json").write_text('{"number": 2')
    found = dokku.ok("releases", app, "--format", "json")
    assert [one["number"] for one in found.json()] == [3, 1]
    assert f"release 2 of {app} cannot be read" in found.stderr


def test_a_restart_after_a_rollback_is_recorded_with_the_image_it_runs(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    dokku.deploy(app, 2)
    dokku.ok("releases:rollback", app, "previous")
    dokku.ok("config:set", app, "GREETING=three")
    # Dokku itself names what the rollback left.
    assert dokku.ok("git:report", app, "--git-source-image").stdout == "local/demo:2\n"
    newest = dokku.releases(app)[0]
    assert (newest["number"], newest["source_image"]) == (4, "local/demo:1")


def test_the_procfile_goes_back_with_the_code(dokku: Stand, app: str) -> None:
    dokku.deploy(app, "worker")
    procfile = dokku.root / "lib/data/ps" / app / "Procfile"
    recorded = procfile.read_text()
    dokku.deploy(app, 2)
    assert not procfile.exists()
    dokku.ok("releases:rollback", app, "previous")
    assert procfile.read_text() == recorded


def test_bad_words_are_refused_and_nothing_is_changed(dokku: Stand, app: str) -> None:
    for argv, rc, message in (
        (("releases", "nope"), 20, "App nope does not exist"),
        (("releases:rollback", "nope", "1"), 20, "App nope does not exist"),
        (("releases",), 1, "Please specify an app"),
        (("releases:rollback", app, "1"), 1, "has not been deployed"),
        (("releases", "../../etc"), 20, "does not exist"),
        (("releases:nosuch", app), 1, "is not a dokku command"),
    ):
        refused = dokku.run(*argv)
        assert (refused.rc, message in refused.stderr) == (rc, True), (argv, refused)
    dokku.deploy(app, 1)
    live = dokku.live(app)
    for argv, rc, message in (
        (("releases:rollback", app, "9"), 1, "Release 9"),
        (("releases:rollback", app), 1, "specify a release"),
        (("releases:rollback", app, "latest"), 1, "Not a release"),
        (("releases:rollback", app, "1", "--nosuch"), 2, "unknown flag: --nosuch"),
        (("releases", app, "--format", "yaml"), 2, "Invalid format"),
        (("releases:set", app, "keep-images", "none"), 1, "Not a count"),
        (("releases:info", app, "9"), 1, "Release 9"),
    ):
        refused = dokku.run(*argv)
        assert (refused.rc, message in refused.stderr) == (rc, True), (argv, refused)
    assert dokku.live(app) == live and len(dokku.releases(app)) == 1


def test_no_value_is_shown_and_no_record_is_open(dokku: Stand, app: str, tmp_path: Path) -> None:
    canary = "canary-9f2c-with'quote\"and $HOME"
    dokku.ok("config:set", "--no-restart", app, f"SECRET={canary}")
    dokku.ok("docker-options:add", app, "build", "--build-arg TOKEN=canary-9f2c-token")
    watcher = subprocess.Popen(
        [
            "bash",
            "-c",
            "while :; do tr '\\0' ' ' </proc/[0-9]*/cmdline; cat /proc/[0-9]*/cmdline; sleep 0.02; done 2>/dev/null",
        ],
        stdout=(tmp_path / "ps").open("w"),
        start_new_session=True,
    )
    said = ""
    try:
        dokku.deploy(app, 1)
        dokku.ok("config:set", "--no-restart", app, "GREETING=two")
        dokku.deploy(app, 2)
        for argv in (
            ("releases", app),
            ("releases", app, "--format", "json"),
            ("releases:info", app, "1"),
            ("releases:report", app),
            ("releases:info", app, "1", "--format", "json"),
            ("releases:rollback", app, "1", "--dry-run"),
            ("releases:rollback", app, "1", "--format", "json"),
            ("releases:rollback", app, "2"),
            ("releases:prune", app),
        ):
            result = dokku.ok(*argv)
            said += result.stdout + result.stderr
        result = dokku.ok("releases", app, DOKKU_TRACE="1")
        said += result.stdout + result.stderr
    finally:
        os.killpg(watcher.pid, 9)
        watcher.wait()
    assert "canary-9f2c" not in said
    # config:set itself was called by the test before the watcher.
    seen = (tmp_path / "ps").read_text(errors="replace")
    assert "releases" in seen and "canary-9f2c" not in seen
    assert "canary-9f2c" in (dokku.records / app / "1.json").read_text()
    for path in [dokku.records / app, *(dokku.records / app).rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert not list((dokku.records / app).glob(".work.*"))


def test_with_the_app_go_its_records_and_holds(dokku: Stand, app: str) -> None:
    dokku.deploy(app, 1)
    dokku.deploy(app, 2)
    dokku.ok("apps:destroy", "--force", app)
    assert not (dokku.records / app).exists()
    assert dokku.docker("container", "ls", "-aq", "--filter", f"label=com.dokku.releases.app={app}") == ""


def test_the_history_of_an_app_that_was_there_before_the_plugin(dokku: Stand, app: str) -> None:
    link = dokku.root / "lib/plugins/enabled/releases"
    plugin = link.readlink()
    link.unlink()
    dokku.deploy(app, 1)
    assert dokku.run("releases", app).rc == 1
    link.symlink_to(plugin)
    assert "No release of" in dokku.ok("releases", app).stderr
    assert dokku.ok("releases:record", app, "--format", "json").json() == {"app": app, "number": 1}
    dokku.deploy(app, 2)
    dokku.ok("releases:rollback", app, "previous")
    assert dokku.answer(app).startswith("version=1 ")


def test_the_history_goes_with_a_renamed_app(dokku: Stand, app: str) -> None:
    for version in (1, 2):
        dokku.deploy(app, version)
    # The simulator renames no deployed app; the trigger is called as Dokku does, after the new app was made.
    new = dokku.create(f"{app}-new")
    call_trigger(dokku, "post-app-rename-setup", app, new)
    assert not (dokku.records / app).exists() and sorted(
        path.name for path in (dokku.records / new).glob("*.json")
    ) == ["1.json", "2.json"]
    assert dokku.docker("container", "ls", "-aq", "--filter", f"label=com.dokku.releases.app={app}") == ""
    assert len(dokku.docker("container", "ls", "-aq", "--filter", f"label=com.dokku.releases.app={new}").split()) == 2


def test_an_app_that_a_rename_left_without_anything_comes_back(dokku: Stand, app: str) -> None:
    """A rename builds anew. Where that fails, there is neither a container nor dokku/APP:latest."""
    dokku.ok("config:set", "--no-restart", app, "GREETING=one")
    dokku.deploy(app, 1)
    dokku.deploy(app, 2)
    new = dokku.create(f"{app}-new")
    call_trigger(dokku, "post-app-rename-setup", app, new)
    assert dokku.answer(new) == "" and dokku.ok("ps:report", new, "--deployed").stdout == "false\n"
    dokku.ok("releases:rollback", new, "2")
    assert dokku.answer(new) == "version=2 path=/ greeting=one\n"
    assert numbers(dokku, new)[-1] == (3, "rollback")
    dokku.ok("releases:rollback", new, "previous")
    assert dokku.answer(new) == "version=1 path=/ greeting=one\n"


def test_the_build_of_a_rename_is_recorded_with_what_it_built(dokku: Stand, app: str) -> None:
    """Dokku builds the branch, and leaves the revision that a push before it had tried in vain."""
    dokku.deploy(app, 1)
    new = dokku.create(f"{app}-new")
    link = dokku.root / "lib/plugins/enabled/releases"
    plugin = link.readlink()
    link.unlink()
    dokku.deploy(new, 2)
    link.symlink_to(plugin)
    built = dokku.ok("config:get", new, "GIT_REV").stdout.strip()
    call_trigger(dokku, "post-app-rename-setup", app, new, DOKKU_PID="77")
    dokku.ok("config:set", "--no-restart", new, f"GIT_REV={'f' * 40}")
    call_trigger(dokku, "post-deploy", new, "", "", "latest", DOKKU_PID="77", DOKKU_BUILD_SOURCE="git-hook")
    newest = dokku.releases(new)[0]
    assert (newest["number"], newest["source"], newest["revision"]) == (2, "apps:rename", built)
    # Said of that one only.
    call_trigger(dokku, "post-deploy", new, "", "", "latest", DOKKU_PID="77", DOKKU_BUILD_SOURCE="git-hook")
    newest = dokku.releases(new)[0]
    assert (newest["number"], newest["source"], newest["revision"]) == (3, "git-hook", "f" * 40)


def call_trigger(dokku: Stand, name: str, *argv: str, **env: str) -> None:
    """The plugin's trigger, as Dokku calls it."""
    plugin = dokku.root / "lib/plugins/enabled/releases"
    roots = {"DOKKU_ROOT": str(dokku.root / "home"), "DOKKU_LIB_ROOT": str(dokku.root / "lib")}
    subprocess.run([str(plugin / name), *argv], check=True, env={**dokku.env, **roots, **env})
