"""The morning's look: right when all is well, when half is down, and when nothing can be asked. It changes nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from dokku_maintenance_lab import APP, CANARY, STAGING, Cared, screen
from lab import HOSTS


@pytest.fixture(scope="module")
def host() -> Cared:
    found = Cared(HOSTS[0])
    found.reset("apps")
    return found


def figures(host: Cared, folder: Path, **inputs: object) -> tuple[int, dict[str, Any]]:
    """The exit code, and the document that a program reads."""
    path = folder / "status.json"
    run = host.play("dokku_status", format="json", output=str(path), **inputs)
    assert path.exists(), run.text
    found: dict[str, Any] = json.loads(path.read_text())["hosts"][host.name]
    return run.code, found


def levels(found: dict[str, Any]) -> dict[str, str]:
    return {row["topic"]: row["level"] for row in found["rows"]}


def test_a_good_morning_is_one_screen_and_changes_nothing(host: Cared) -> None:
    before = host.everything()
    run = host.play("dokku_status")
    assert run.green, run.text
    assert run.changed == 0
    lines = screen(run)
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 40
    assert host.everything() == before


def test_the_figures_are_a_file_for_its_owner(host: Cared, tmp_path: Path) -> None:
    code, found = figures(host, tmp_path)
    assert code == 0
    assert stat.S_IMODE((tmp_path / "status.json").stat().st_mode) == 0o600
    app = found["facts"]["apps"][APP]
    assert (app["running"], app["latest_is_live"], app["holds_missing"]) == (True, True, [])
    assert app["usage"]["web.1"]["memory"] > 0
    assert found["facts"]["apps"][STAGING]["role"] == "staging"
    assert [one["status"] for one in found["facts"]["endpoints"]["controller"]] == [200]
    assert [one["status"] for one in found["facts"]["endpoints"]["host"]] == [200]


def test_an_app_that_is_stopped_is_bad_and_the_run_fails(host: Cared, tmp_path: Path) -> None:
    with host.changed(f"dokku ps:stop {APP}", f"dokku ps:start {APP}"):
        code, found = figures(host, tmp_path)
    assert code != 0
    assert found["verdict"]["level"] == "bad"
    assert f"{APP} processes" in found["verdict"]["bad"]
    assert levels(found)[f"{STAGING} processes"] == "ok"


def test_staging_that_is_stopped_is_a_warning(host: Cared, tmp_path: Path) -> None:
    with host.changed(f"dokku ps:stop {STAGING}", f"dokku ps:start {STAGING}"):
        code, found = figures(host, tmp_path)
    assert code == 0
    assert levels(found)[f"{STAGING} processes"] == "warn"


def test_a_tag_that_is_not_what_runs_is_bad(host: Cared, tmp_path: Path) -> None:
    """As after a deploy that failed: the next restart would put the other image live."""
    live = host.live_image()
    other = next(image for image in host.holds().values() if image != live)
    with host.changed(f"docker tag {other} dokku/{APP}:latest", f"docker tag {live} dokku/{APP}:latest"):
        code, found = figures(host, tmp_path)
    assert (code != 0, levels(found)[f"{APP} image"]) == (True, "bad")
    assert found["facts"]["apps"][APP]["latest_is_live"] is False
    assert f"dokku releases:rollback {APP}" in json.dumps(found["rows"])


def test_a_hold_that_is_gone_is_seen(host: Cared, tmp_path: Path) -> None:
    host.drop_hold()
    number = next(number for number, state in host.releases().items() if state == "unheld")
    try:
        _, found = figures(host, tmp_path)
    finally:
        host.dokku("releases:hold", APP, str(number))
        host.dokku("releases:hold", APP, str(number), "--off")
    assert levels(found)[f"{APP} holds"] == "warn"
    assert found["facts"]["apps"][APP]["holds_missing"] == [number]


@pytest.mark.parametrize(("days", "level"), [(60, "ok"), (12, "warn"), (5, "bad")])
def test_the_days_of_a_certificate(host: Cared, tmp_path: Path, days: int, level: str) -> None:
    folder = f"/home/dokku/{APP}/tls"
    make = (
        f"mkdir -p {folder}; openssl req -x509 -newkey rsa:2048 -nodes -keyout {folder}/server.key "
        f"-out {folder}/server.crt -days {days} -subj /CN={APP}.dokku.example.com 2>/dev/null; chown -R dokku: {folder}"
    )
    with host.changed(make, f"rm -rf {folder}; dokku proxy:build-config {APP}"):
        code, found = figures(host, tmp_path)
    row = next(row for row in found["rows"] if row["topic"] == f"{APP} certificate")
    assert (row["level"], code != 0) == (level, level == "bad")
    assert f"{days - 1} days left" in row["text"]


def test_a_limit_that_docker_will_refuse_is_named_before_the_deploy(host: Cared, tmp_path: Path) -> None:
    set_it = f"dokku resource:limit --cpu 2000m {APP}"
    with host.changed(set_it, f"dokku resource:limit-clear {APP}"):
        _, found = figures(host, tmp_path)
    row = next(row for row in found["rows"] if row["topic"] == f"{APP} resources")
    assert (row["level"], "Docker refuses cpu 2000m" in " ".join(row["details"])) == ("warn", True)


def test_no_secret_of_the_log_is_on_any_surface(host: Cared, tmp_path: Path) -> None:
    assert CANARY not in host.dokku("logs", APP, "-n", "500", "-q")
    write = f"docker exec {APP}.web.1 sh -c 'echo \"ERROR the key is {CANARY}\" > /proc/1/fd/1'"
    set_it = f"dokku config:set --no-restart {APP} CARE_KEY={CANARY} >/dev/null"
    with host.changed(f"{set_it}; {write}", f"dokku config:unset --no-restart {APP} CARE_KEY >/dev/null"):
        assert CANARY in host.dokku("logs", APP, "-n", "500", "-q")
        run = host.play("dokku_status", "-vvv")
        _, found = figures(host, tmp_path)
    assert "the key is ********" in run.text
    assert CANARY not in run.text
    assert CANARY not in json.dumps(found)
    assert found["facts"]["apps"][APP]["log"]["counts"]["error"] >= 1


def test_without_the_plugin_the_builds_are_shown(host: Cared, tmp_path: Path) -> None:
    link = "/var/lib/dokku/plugins/enabled/releases"
    with host.changed(f"mv {link} /root/releases-away", f"mv /root/releases-away {link}"):
        _, found = figures(host, tmp_path)
    row = next(row for row in found["rows"] if row["topic"] == f"{APP} release")
    assert (row["level"], "dokku_releases.yml" in row["text"]) == ("warn", True)
    assert found["facts"]["apps"][APP]["running"] is True


def test_the_rest_is_seen_if_dokku_may_not_be_called(host: Cared, tmp_path: Path) -> None:
    # One rule is the lab's, and the other one that of dokku_releases_install.
    both = "mkdir /root/rules && mv $(ls /etc/sudoers.d/{deploy,ops-runbook-dokku} 2>/dev/null) /root/rules/"
    with host.changed(both, "mv /root/rules/* /etc/sudoers.d/ && rmdir /root/rules"):
        code, found = figures(host, tmp_path)
    assert code != 0
    assert "NOPASSWD" in json.dumps(found["rows"][0])
    assert levels(found)["endpoint health"] == "ok"
    assert "disk" in levels(found)


def test_with_the_engine_down_there_is_a_screen(host: Cared, tmp_path: Path) -> None:
    stop, start = "systemctl stop docker.socket docker", "systemctl start docker"
    with host.changed(stop, f"{start}; dokku ps:restart --all >/dev/null 2>&1 || true"):
        code, found = figures(host, tmp_path)
    assert (code != 0, found["verdict"]["level"]) == (True, "bad")
    assert {"disk", "lease"} <= set(levels(found))


def test_an_app_that_is_not_there_says_so(host: Cared, tmp_path: Path) -> None:
    code, found = figures(host, tmp_path, dokku_app="restant-nope", dokku_staging_app="")
    assert code != 0
    assert "there is no app of that name" in json.dumps(found["rows"])
