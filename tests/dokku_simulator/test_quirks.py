"""The ways in which a real Dokku surprises, each by itself: who mends one in the simulator by mistake sees it here."""

from __future__ import annotations

import subprocess

import pytest
from stand import Stand, client_for
from waiting import END

pytestmark = pytest.mark.usefixtures("demo_images")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """One for all of these: each looks at another side of it."""
    folder = tmp_path_factory.mktemp("quirks")
    builder = "buildkit" if client_for("buildkit", folder / "probe") else "legacy"
    client = client_for(builder, folder / "probe")
    assert client, "no client of this machine builds"
    return Stand(folder / "server", client, builder, plugins=False)


@pytest.fixture(scope="module")
def odd(server: Stand) -> str:
    app = server.create("odd")
    server.deploy(app, 1)
    return app


@pytest.fixture(scope="module", autouse=True)
def removed(server: Stand) -> object:
    yield
    server.remove()


def test_two_flags_of_a_report_are_answered_by_nothing(server: Stand, odd: str) -> None:
    both = server.ok("ps:report", odd, "--running", "--deployed")
    assert both.stdout == both.stderr == "" and server.ok("ps:report", odd, "--running").stdout == "true\n"


def test_nginx_set_takes_an_app_that_is_not_there(server: Stand) -> None:
    answer = server.ok("nginx:set", "nowhere", "hsts", "true")
    assert answer.stdout == "=====> Setting hsts to true\n" and (server.root / "lib/config/nginx/nowhere").is_dir()
    assert server.run("nginx:report", "nowhere").rc == 20


def test_the_lock_locks_nothing_and_a_deploy_takes_it_away(server: Stand, odd: str) -> None:
    server.ok("apps:lock", odd)
    assert server.ok("apps:locked", odd).stdout == "Deploy lock exists\n"
    server.deploy(odd, 2)
    assert server.answer(odd).startswith("version=2 ") and server.run("apps:locked", odd).rc == 1


def test_a_restart_that_went_well_is_shown_as_abandoned(server: Stand, odd: str) -> None:
    server.ok("ps:restart", odd)
    newest = server.ok("builds:list", odd, "--format", "json").json()[0]
    assert (newest["source"], newest["status"], newest["display_status"]) == ("ps:restart", "running", "abandoned")
    # Until another build ends.
    server.ok("config:set", odd, "A=1")
    found = {build["id"]: build for build in server.ok("builds:list", odd, "--format", "json").json()}
    assert (found[newest["id"]]["status"], found[newest["id"]]["exit_code"]) == ("failed", -1)


def test_retire_removes_an_image_that_a_tag_names(server: Stand) -> None:
    app = server.create("retired")
    server.deploy(app, 1)
    first = server.latest(app)
    server.docker("image", "tag", first, "kept/by-a-tag:1")
    # Its source would be shared with another app's, and kept for that.
    server.deploy(app, 3)
    said = server.ok("ps:retire", app).stdout
    assert "Attempting to retire" in said
    assert server.docker("image", "inspect", "--format", "{{.Id}}", first) == ""
    assert server.docker("image", "inspect", "--format", "{{.Id}}", "kept/by-a-tag:1") == ""


def test_a_tail_takes_no_count_and_does_not_end(server: Stand, odd: str) -> None:
    following = server.start("logs", odd, "--tail", "1")
    assert following.stdout is not None
    # A count of one would end after the first.
    said = [following.stdout.readline() for _ in range(2)]
    assert all(said) and following.poll() is None
    following.terminate()
    _, error = following.communicate(timeout=END)
    assert error == " !     context canceled\n"


def test_logs_are_coloured_where_no_terminal_is(server: Stand, odd: str) -> None:
    assert server.ok("logs", odd, "-n", "1").stdout.startswith("\x1b[36m")
    assert "\x1b" not in server.ok("logs", odd, "-n", "1", "-q").stdout


def test_from_a_build_record_on_errors_are_told_on_stdout(server: Stand) -> None:
    answer = server.run("ps:restart", "nowhere")
    assert (answer.rc, answer.stdout, answer.stderr) == (20, " !     App nowhere does not exist\n", "")


def test_a_config_whose_restart_fails_succeeds(server: Stand, odd: str) -> None:
    answer = server.ok("config:set", odd, "CRASH_ON_BOOT=1")
    assert "Failure while restarting app" in answer.stderr and server.answer(odd).startswith("version=")
    assert server.ok("config:get", odd, "CRASH_ON_BOOT").stdout == "1\n"
    server.ok("config:unset", "--no-restart", odd, "CRASH_ON_BOOT")


def test_a_limit_that_the_engine_refuses_is_taken_and_fails_later(server: Stand, odd: str) -> None:
    server.ok("resource:limit", "--cpu", "2000m", odd)
    failed = server.run("ps:restart", odd)
    assert failed.rc == 1 and 'invalid argument "2000m"' in failed.stdout and failed.stderr == ""
    assert server.answer(odd).startswith("version=")
    server.ok("resource:limit-clear", odd)


def test_a_failed_deploy_leaves_its_image_for_the_next_restart(server: Stand, odd: str) -> None:
    server.load("crash")
    before = server.live(odd)
    assert server.run("git:from-image", odd, "local/demo:crash").rc == 1
    assert server.latest(odd) != server.live(odd) == before != "" and server.answer(odd).startswith("version=")
    assert server.ok("git:report", odd, "--git-source-image").stdout == "local/demo:crash\n"


def test_the_same_image_again_is_no_change_and_an_error(server: Stand) -> None:
    app = server.create("same")
    server.deploy(app, 4)
    again = server.run("git:from-image", app, "local/demo:4")
    assert again.rc == 1 and "No changes detected" in again.stdout


def test_the_configuration_does_not_lie_in_the_app_s_folder(server: Stand, odd: str) -> None:
    assert (server.root / "lib/config" / odd / "ENV").exists()
    assert not (server.root / "home" / odd / "ENV").exists()


def test_the_links_of_a_service(server: Stand, service_images: None) -> None:
    app, other = server.create("linked"), server.create("unlinked")
    server.ok("redis:create", "my_cache")
    server.ok("config:set", "--no-restart", app, "REDIS_DATABASE_SCHEME=rediss")
    server.ok("redis:link", "my_cache", app, "--no-restart")
    address = server.ok("config:get", app, "REDIS_URL").stdout
    # The scheme is the app's; what the service says of itself does not know it.
    assert address.startswith("rediss://:") and address.endswith("@dokku-redis-my-cache:6379\n")
    assert server.ok("redis:info", "my_cache", "--dsn").stdout == address.replace("rediss", "redis")
    server.ok("redis:linked", "my_cache", app)
    # Whether it is linked is asked of the configuration alone, the list of apps of the service alone.
    server.ok("config:unset", "--no-restart", app, "REDIS_URL")
    assert server.run("redis:linked", "my_cache", app).rc == 1
    assert server.ok("redis:links", "my_cache").stdout == f"{app}\n"
    assert "Unlinking from my_cache" in server.ok("apps:destroy", other, "--force").stdout
    server.ok("apps:destroy", app, "--force")
    server.ok("redis:destroy", "my_cache", "--force")


def test_the_simulator_names_commands_that_it_lacks(server: Stand, odd: str) -> None:
    for argv in (("git:auth", "host"), ("apps:rename", odd, "even"), ("config:set", "--nosuch", odd, "A=1"), ("tags",)):
        answer = server.run(*argv)
        if argv == ("tags",):
            assert answer.rc == 1 and "is not a dokku command" in answer.stderr
        else:
            assert answer.rc == 99 and "not implemented" in answer.stderr and answer.stdout == "", (argv, answer)


def test_a_release_that_is_asked_of_dokku_alone_is_no_command(server: Stand, odd: str) -> None:
    typed = subprocess.run(
        f"dokku releases {odd} | head -5", shell=True, capture_output=True, text=True, env=server.env
    )
    assert typed.stdout == "" and "is not a dokku command" in typed.stderr
