"""Workers and servers that keep the code in memory, and are not units of systemd: they take each release up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import APP, OWN, Lab
from waiting import wait_for

#: A server that loads the code at its start, as Octane does; whoever ends it has it started anew.
SERVER = """
import http.server, os, re
open('/tmp/octane.pid', 'w').write(str(os.getpid()))
version = re.search("NUMBER = '([^']*)'", open('{app}/app/Version.php').read()).group(1)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(version.encode())
    def log_message(self, *_): pass
http.server.HTTPServer(('127.0.0.1', 8900), Answer).serve_forever()
"""
RELOAD = "bash -c 'kill $(cat /tmp/octane.pid)'"


def served(lab: Lab) -> str:
    return lab.root("curl -s -m 300 http://127.0.0.1:8900/", check=False)


@pytest.fixture(params=["in_place", "releases"])
def octane(request: pytest.FixtureRequest) -> Iterator[Lab]:
    host = Lab(OWN, request.param)
    host.at("v1.0.0")
    host.deploy(f"cat > /tmp/octane.py <<'END'\n{SERVER.replace('{app}', host.app)}\nEND")
    host.root(
        "systemd-run --quiet --collect --unit=stand-in --uid=deploy -p Restart=always -p RestartSec=0 "
        "-p StartLimitIntervalSec=0 -p SuccessExitStatus=SIGTERM python3 /tmp/octane.py"
    )
    wait_for("the server has the first release", lambda: served(host), "1.0.0")
    yield host
    host.root("systemctl stop stand-in")


def test_a_server_that_keeps_the_code_serves_the_release_that_was_gone_to(octane: Lab) -> None:
    told: dict[str, object] = {"laravel_reload_commands": [RELOAD]}
    if octane.strategy == "releases":
        # In place php-fpm has to reload too, since it checks no file again.
        told["laravel_php_fpm_unit"] = ""
    run = octane.play("laravel_deploy", to="v1.1.0", **told)
    assert run.green, run.text
    wait_for("the server has the next release", lambda: served(octane), "1.1.0")
    run = octane.play("laravel_rollback", **told)
    assert run.green, run.text
    wait_for("the server has the release of before", lambda: served(octane), "1.0.0")
    # It is there whole by now, so that nothing of it is built again; and it is not healthy, so it is gone back from.
    checks = [{"url": "http://127.0.0.1/api/v1/health", "contains": "never"}]
    run = octane.play("laravel_deploy", to="v1.1.0", laravel_health=checks, laravel_health_deadline=1, **told)
    assert not run.green
    wait_for("the server has the release that was gone back to", lambda: served(octane), "1.0.0")


@pytest.fixture
def supervised() -> Iterator[Lab]:
    """Workers that something else than systemd keeps running; the inventory names no unit."""
    host = Lab(OWN)
    host.at("v1.0.0")
    host.root("systemctl stop vertex-queue")
    loop = f"while :; do cd {APP} && php artisan queue:work --sleep=1; sleep 0.2; done"
    host.root(f"systemd-run --quiet --collect --unit=supervisor --uid=www-data -p UMask=0002 bash -c '{loop}'")
    yield host
    host.root("systemctl stop supervisor; systemctl start vertex-queue")


def test_a_worker_under_supervisor_takes_each_release_up(supervised: Lab) -> None:
    def worker() -> str:
        return supervised.root("pgrep -u www-data -f 'artisan queue:work' | sort | tail -1", check=False)

    wait_for("the worker", worker)
    for procedure, inputs in (("laravel_deploy", {"to": "v1.1.0"}), ("laravel_rollback", {})):
        before = supervised.root("pgrep -u www-data -f '^php artisan queue:work' | sort | tail -1")
        run = supervised.play(procedure, laravel_queue_unit="", **inputs)
        assert run.green, run.text
        wait_for(
            "another worker",
            lambda before=before: (
                before not in supervised.root("pgrep -u www-data -f '^php artisan queue:work'", check=False).split()
            ),
        )
