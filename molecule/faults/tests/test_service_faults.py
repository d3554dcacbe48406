"""php-fpm that does not come back, and a health answer that comes and goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from lab import APP, Lab
from observer import code, settled, start, typed
from waiting import wait_for

UNIT = "/etc/systemd/system/php8.4-fpm.service.d/lab.conf"
POOL = "/etc/php/8.4/fpm/pool.d/broken.conf"
RELOAD = "/usr/local/bin/lab-reload"


@pytest.fixture
def php(lab: Lab) -> Iterator[Lab]:
    yield lab
    lab.root(f"rm -f {UNIT} {POOL} {RELOAD}; systemctl daemon-reload; systemctl reset-failed php8.4-fpm")
    lab.root("systemctl restart php8.4-fpm")


def reload_fails(lab: Lab, times: int) -> None:
    """php-fpm refuses so many reloads, and then takes them."""
    lab.root(
        f"cat > {RELOAD} <<'END'\n#!/bin/bash\nif [ -s /run/lab-refuse ]; then sed -i 1d /run/lab-refuse; exit 1; fi\n"
        f'kill -USR2 "$1"\nEND\nchmod 755 {RELOAD}; seq {times} > /run/lab-refuse; '
        f"printf '[Service]\\nExecReload=\\nExecReload={RELOAD} $MAINPID\\n' > {UNIT}; systemctl daemon-reload"
    )


def test_php_fpm_refuses_one_reload(php: Lab, row: Callable[..., None]) -> None:
    start(php, "v1.0.0")
    reload_fails(php, 1)
    run = php.play("laravel_deploy", to="v1.1.0")
    assert not run.green
    assert "v1.0.0" in run.text.rpartition("again, verified")[0].splitlines()[-1], run.text
    settled(php, "v1.0.0", "succeeded", "reverted")
    again = php.play("laravel_deploy", to="v1.1.0")
    assert again.green, again.text
    settled(php, "v1.1.0", "reverted", "succeeded")
    row(
        "service",
        fault="php-fpm refuses one reload",
        when="the last step of a deploy",
        holds="it goes back by itself, and that is verified",
        outcome="reverted, v1.0.0; then succeeded, v1.1.0",
        command="`laravel_deploy` -e to=v1.1.0",
        mutation="a failed step does not make it go back (`carry_out`)",
    )


def test_php_fpm_refuses_every_reload(php: Lab, row: Callable[..., None]) -> None:
    start(php, "v1.0.0")
    reload_fails(php, 1000)
    run = php.play("laravel_deploy", to="v1.1.0")
    assert not run.green
    assert "the way back is not complete" in run.text, run.text
    assert not php.has_lease()
    refused = php.play("laravel_deploy", to="v1.1.0")
    assert code(refused) == "interrupted"
    php.root("truncate -s 0 /run/lab-refuse")
    again = php.play("laravel_deploy", to="v1.1.0", **typed(refused, "interrupted=undo"))
    assert again.green, again.text
    settled(php, "v1.0.0", "succeeded", "failed", "reverted")
    row(
        "service",
        fault="php-fpm refuses every reload",
        when="the last step of a deploy, and of the way back",
        holds="the run does not claim to be back; the next one says where it stopped",
        outcome="failed (the way back is not complete); refused (interrupted); reverted, v1.0.0",
        command="`laravel_deploy` -e interrupted=undo, once php-fpm can be reloaded",
        mutation="an incomplete way back counts as done (`journal.ending`)",
    )


def test_php_fpm_dies_of_its_reload(php: Lab, row: Callable[..., None]) -> None:
    """A setting that php-fpm does not take: the reload kills it, and systemd starts it in vain."""
    start(php, "v1.0.0")
    # A reload that is still under way would read the setting.
    php.root("systemctl restart php8.4-fpm")
    php.root(f"echo '[broken]\nno_such_setting = 1' > {POOL}")
    assert php.version() == "1.0.0"
    run = php.play("laravel_deploy", to="v1.1.0", laravel_health_deadline=2)
    assert not run.green
    assert php.outcomes()[-1] == ("deploy", "failed"), run.text
    assert "php8.4-fpm" in run.text
    assert not php.has_lease()
    assert php.get("/api/v1/health")[0] == 502
    php.root(f"rm {POOL}; systemctl reset-failed php8.4-fpm; systemctl restart php8.4-fpm")
    refused = php.play("laravel_deploy", to="v1.1.0")
    assert code(refused) == "interrupted"
    again = php.play("laravel_deploy", to="v1.1.0", **typed(refused, "interrupted=undo"))
    assert again.green, again.text
    settled(php, "v1.0.0", "succeeded", "failed", "reverted")
    row(
        "service",
        fault="php-fpm dies of its reload and does not start again",
        when="the last step of a deploy",
        holds="the run says that it is down, and does not claim to be back",
        outcome="failed, the site answers 502; refused (interrupted); reverted, v1.0.0",
        command="`laravel_deploy` -e interrupted=undo, once php-fpm runs",
        mutation="the gate does not look at units and answers (`laravel/health.verify`)",
    )


FLAP = r"""<?php
// Good on the first release. On any other one, good and bad in turn.
$first = str_contains(file_get_contents('APPLICATION/app/Version.php'), "'1.0.0'");
$count = fopen('/tmp/lab-flap', 'c+');
flock($count, LOCK_EX);
$asked = (int) stream_get_contents($count) + 1;
rewind($count);
fwrite($count, (string) $asked);
http_response_code($first || $asked % 2 === 1 ? 200 : 500);
header('Content-Type: application/json');
echo '{"status":"ok"}';
""".replace("APPLICATION", APP)


@pytest.fixture
def flapping(lab: Lab) -> Iterator[dict[str, object]]:
    lab.root(
        f"install -d /srv/lab/flap; cat > /srv/lab/flap/index.php <<'END'\n{FLAP}\nEND\n"
        "printf '%s\\n' 'server { listen 83; location / { include fastcgi_params;"
        " fastcgi_param SCRIPT_FILENAME /srv/lab/flap/index.php; fastcgi_pass unix:/run/php/vertex.sock; } }'"
        " > /etc/nginx/conf.d/flap.conf; systemctl reload nginx"
    )
    asked = "curl -s -o /dev/null -w '%{http_code}' 127.0.0.1:83"
    wait_for("nginx has the new site", lambda: lab.root(asked, False), "200")
    yield {"laravel_health": [{"name": "flap", "url": "http://127.0.0.1:83/"}]}
    lab.root("rm -rf /etc/nginx/conf.d/flap.conf /srv/lab/flap; systemctl reload nginx")


def test_health_that_flaps(lab: Lab, flapping: dict[str, object], row: Callable[..., None]) -> None:
    start(lab, "v1.0.0")
    run = lab.play("laravel_deploy", to="v1.1.0", **flapping)
    assert not run.green
    settled(lab, "v1.0.0", "succeeded", "reverted")
    again = lab.play("laravel_deploy", to="v1.1.0")
    assert again.green, again.text
    settled(lab, "v1.1.0", "reverted", "succeeded")
    row(
        "service",
        fault="health flaps: good, bad, good, bad",
        when="after a deploy",
        holds="one good answer proves nothing: several in a row are asked for",
        outcome="reverted, v1.0.0; once it is steady: succeeded, v1.1.0",
        command="`laravel_deploy` -e to=v1.1.0",
        mutation="one good round is enough (`gate.gate`)",
    )
