"""Surroundings of a release condemn none and stop no rollback: workers, files of root, disks, certificates."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from lab import APP, SOON, Lab

ADDRESS = "https://localhost/api/v1/health"
# A worker ends when it looks at what queue:restart left, and not before: a gate that comes earlier finds it at work.
ENDED = "timeout 600 bash -c 'while systemctl is-active --quiet vertex-queue; do sleep 0.1; done'"


@contextlib.contextmanager
def prepared(lab: Lab, before: str, after: str) -> Iterator[None]:
    lab.root(before)
    try:
        yield
    finally:
        lab.root(after)


def test_a_worker_that_was_stopped_before_neither_stops_a_deploy_nor_sends_the_rollback_too_far(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    with prepared(lab, "systemctl stop vertex-queue", "systemctl start vertex-queue"):
        plan = lab.play("laravel_deploy", "--check", to="v1.7.0")
        assert plan.green and "vertex-queue is not running" in plan.text, plan.text
        deploy = lab.play("laravel_deploy", to="v1.7.0")
        assert deploy.green, deploy.text
        assert "WARNING   vertex-queue is not running (inactive, dead), as before the change" in deploy.text
        record = lab.ledger()[-1]
        assert (record["outcome"], record["surroundings"]) == (
            "succeeded",
            ["vertex-queue is not running (inactive, dead), as before the change: not judged"],
        )
        back = lab.play("laravel_rollback")
        assert back.green, back.text
        assert lab.version() == "1.1.0"


def test_a_worker_that_was_stopped_before_condemns_no_good_release(lab: Lab) -> None:
    """Seen before: deployed, taken back, failed for the worker, and the next rollback went two releases back."""
    lab.at("v1.0.0", "v1.1.0", "v1.7.0")
    with prepared(lab, "systemctl stop vertex-queue", "systemctl start vertex-queue"):
        again = lab.play("laravel_deploy", to="v1.1.0")
        assert again.green, again.text
    assert lab.play("laravel_deploy", to="v1.7.0").green
    back = lab.play("laravel_rollback")
    assert back.green and lab.version() == "1.1.0", back.text


def test_a_worker_that_does_not_come_back_is_still_seen(lab: Lab) -> None:
    """It ran before the change, so what stopped it came with the change."""
    lab.at("v1.0.0", "v1.1.0")
    stop = "mkdir -p /run/systemd/system/vertex-queue.service.d; printf '[Service]\\nRestart=no\\n' > "
    undo = "rm -r /run/systemd/system/vertex-queue.service.d; systemctl daemon-reload; systemctl restart vertex-queue"
    place = "/run/systemd/system/vertex-queue.service.d/no-restart.conf"
    with prepared(lab, f"{stop}{place}; systemctl daemon-reload", undo):
        told = {"laravel_reload_commands": [ENDED], "laravel_health_deadline": 1}
        run = lab.play("laravel_deploy", to="v1.7.0", on_unhealthy="hold", **told)
    assert not run.green and "vertex-queue is not running" in run.text, run.text
    assert lab.ledger()[-1]["about"] == "release"


def test_a_line_that_left_the_crontab_is_named_and_not_judged(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    with prepared(
        lab,
        "crontab -u deploy -l > /root/crontab; crontab -u deploy -r",
        "crontab -u deploy /root/crontab",
    ):
        run = lab.play("laravel_rollback")
    assert run.green and "the crontab has no line that runs schedule:run" in run.text, run.text
    assert lab.ledger()[-1]["surroundings"]


def changed_folder(lab: Lab) -> str:
    """A folder of the application with a file that differs between the two releases."""
    names = lab.deploy(f"git -C {APP} diff --name-only v1.0.0 v1.1.0").splitlines()
    return next(name.rpartition("/")[0] for name in names if "/" in name)


HELD = {
    "a folder of the code": "chown root:root {app}/{folder}; chmod 755 {app}/{folder}",
    "objects of git": "chown -R root:root {app}/.git/objects/??; chmod 755 {app}/.git/objects/??",
    "what git writes into": "cd {app}/.git; touch FETCH_HEAD; chown root:root FETCH_HEAD; chmod 644 FETCH_HEAD",
    "the list of classes": "chown root:root {app}/vendor/composer; chmod 755 {app}/vendor/composer",
}


@pytest.mark.parametrize("what", HELD)
def test_files_of_root_are_found_before_anything_is_changed(lab: Lab, what: str) -> None:
    """Somebody typed `sudo git pull`. The printed line lets the same command go on."""
    lab.at("v1.0.0", "v1.1.0")
    lab.root(HELD[what].format(app=APP, folder=changed_folder(lab)))
    refused = lab.play("laravel_rollback")
    assert not refused.green and "not_writable" in refused.text, refused.text
    assert lab.ledger()[-1]["outcome"] == "refused" and lab.version() == "1.1.0"
    (line,) = {line.strip() for line in refused.text.splitlines() if line.strip().startswith("sudo chown")}
    lab.root(line.partition("  ")[0])
    again = lab.play("laravel_rollback")
    assert again.green and lab.version() == "1.0.0", again.text


def test_a_deploy_in_place_keeps_the_reserve_of_the_disk_and_a_rollback_goes_on(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    size = int(lab.root(f"du -sm {APP}").split()[0]) + 30
    lab.root(
        f"set -e; systemctl stop vertex-queue php8.4-fpm; rm -rf /srv/lab/under; cp -a {APP} /srv/lab/under; "
        f"mount -t tmpfs -o size={size}m tmpfs {APP}; cp -a /srv/lab/under/. {APP}/; "
        f"chown --reference=/srv/lab/under {APP}; chmod --reference=/srv/lab/under {APP}; "
        "systemctl start php8.4-fpm vertex-queue"
    )
    try:
        free = lab.root(f"df --output=avail {APP} | tail -1")
        refused = lab.play("laravel_deploy", to="v1.7.0")
        assert not refused.green and "disk_space" in refused.text, refused.text
        assert lab.root(f"df --output=avail {APP} | tail -1") == free
        back = lab.play("laravel_rollback")
        assert back.green and "is too full" in back.text and lab.version() == "1.0.0", back.text
        assert lab.play("laravel_deploy", to="v1.1.0", laravel_disk_reserve=0).green
    finally:
        lab.root(f"systemctl stop vertex-queue php8.4-fpm; umount -l {APP}; systemctl start php8.4-fpm vertex-queue")


TLS = f"""set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 4 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout /etc/nginx/aged.key -out /etc/nginx/aged.pem 2>/dev/null
chmod 644 /etc/nginx/aged.pem
sed 's/listen 80 default_server;/listen 443 ssl; ssl_certificate aged.pem; ssl_certificate_key aged.key;/' \
  /etc/nginx/sites-enabled/default > /etc/nginx/sites-enabled/aged
systemctl reload nginx; for turn in $(seq 6000); do curl -sk {ADDRESS} >/dev/null && exit; sleep 0.1; done
"""


@pytest.fixture
def aged(lab: Lab) -> Iterator[list[dict[str, Any]]]:
    """The site by a real nginx with a certificate that ends in four days, and its description."""
    lab.at("v1.0.0", "v1.1.0")
    with prepared(lab, TLS, "rm -f /etc/nginx/sites-enabled/aged /etc/nginx/aged.*; systemctl reload nginx"):
        yield [
            {"name": "site", "url": ADDRESS, "ca_file": "/etc/nginx/aged.pem", "tls_min_days": 14, "release": "release"}
        ]


def test_a_certificate_that_ends_soon_is_a_warning_everywhere(lab: Lab, aged: list[dict[str, Any]]) -> None:
    deploy = lab.play("laravel_deploy", to="v1.7.0", laravel_health=aged)
    assert deploy.green and "days, at least 14 are asked for" in deploy.text, deploy.text
    back = lab.play("laravel_rollback", laravel_health=aged)
    assert back.green and "days, at least 14 are asked for" in back.text and lab.version() == "1.1.0", back.text
    assert "about" not in lab.ledger()[-1] and lab.ledger()[-1]["surroundings"]
    further = lab.play("laravel_rollback", laravel_health=aged)
    assert further.green and lab.version() == "1.0.0", further.text
    assert "v1.7.0" in lab.play("operation_history").text
    status = lab.play("laravel_status", laravel_health=aged)
    assert status.green and "certificate ends in" in status.text, status.text
    asked = lab.play("health_check", health_endpoints=aged)
    assert asked.green and "WARNING: the certificate ends in" in asked.text, asked.text


def test_a_slow_machine_is_no_fault_of_the_release(lab: Lab) -> None:
    """No answer of this host is as fast as that, of whatever release."""
    lab.at("v1.0.0", "v1.1.0")
    check = {"name": "site", "url": "http://127.0.0.1/api/v1/health", "max_seconds": 0.0005, "release": "release"}
    run = lab.play("laravel_rollback", laravel_health=[check])
    assert run.green and "before the change it took" in run.text and lab.version() == "1.0.0", run.text


def test_previous_says_why_it_passes_over_a_release(lab: Lab) -> None:
    lab.at("v1.0.0", "v1.1.0")
    assert not lab.play("laravel_deploy", to="v1.4.0", **SOON).green
    plan = lab.play("laravel_rollback", "--check")
    assert plan.green and "passes over" in plan.text and "expected status 200, got 500" in plan.text, plan.text
    assert lab.version() == "1.1.0"
