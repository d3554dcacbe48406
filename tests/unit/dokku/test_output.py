# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error of Dokku is read by where it stands: its marks are on notices too, and not on the words of Docker."""

from __future__ import annotations

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.dokku import output
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Answer, DokkuError, error_of
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.letsencrypt import (
    Command,
    LetsencryptPresent,
    LetsencryptState,
)
from ansible_collections.ops.runbook.plugins.module_utils.dokku.state.part import Plan
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

DESTROY = (
    " !     Service is already paused\n"
    "Unable to find image 'busybox:1.37.0-uclibc' locally\n"
    'docker: Error response from daemon: Get "https://registry-1.example.com/v2/": dial tcp: no such host.\n'
    "See 'docker run --help'.\n"
)
ENABLE = (
    "Unable to find image 'goacme/lego:v4.25.2' locally\n"
    "docker: Error response from daemon: toomanyrequests: You have reached your pull rate limit.\n"
    " !     Failed to setup letsencrypt\n"
    " !     Check log output for further information on failure\n"
)
NGINX = (
    " !     Failed to validate nginx config for other. Contents below...\n"
    'nginx: [emerg] "client_max_body_size" directive invalid value in /home/dokku/other/nginx.conf.d/bad.conf:1\n'
    "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
)
BUILD = "".join(f"Step {n}/90 : COPY . .\n" for n in range(90))

#: rc, stdout and stderr of a call, what is quoted first, and what else has to be in.
CASES: dict[str, tuple[int, str, str, str, tuple[str, ...]]] = {
    "a notice, and then Docker's error": (
        125,
        "",
        DESTROY,
        "Unable to find image 'busybox:1.37.0-uclibc' locally | docker: Error response from daemon: Get",
        ("no such host", "Service is already paused"),
    ),
    "a mark after Docker's error": (
        125,
        "-----> Enabling letsencrypt for shop\n",
        ENABLE,
        "Unable to find image 'goacme/lego:v4.25.2' locally | docker: Error response from daemon: toomanyrequests",
        ("Failed to setup letsencrypt",),
    ),
    "nginx, after Dokku has announced a file": (
        1,
        "server {\n}\n",
        NGINX,
        "Failed to validate nginx config for other. | nginx: [emerg]",
        ("/home/dokku/other/nginx.conf.d/bad.conf:1", "test failed"),
    ),
    "an announcement, and the contents on stdout alone": (
        1,
        "server {\n  listen 80\n}\n",
        " !     Failed to validate nginx config for other. Contents below...\n",
        "Failed to validate nginx config for other. Contents below... | server {",
        ("listen 80",),
    ),
    "another program's error before the mark, with a code of Dokku's": (
        1,
        "",
        "Error response from daemon: driver failed: port is already allocated\n !     App web failed to start\n",
        "Error response from daemon: driver failed: port is already allocated | App web failed to start",
        (),
    ),
    "marks on stdout, at the end of a build": (
        1,
        BUILD + "npm error code E401\n" + BUILD.replace("/90", "/91") + " !     App build failed\n",
        "",
        "npm error code E401 | App build failed",
        (),
    ),
    "the same line on both, once": (1, " !     No such app\n", " !     No such app\n", "No such app", ()),
    "a command in the container that is not there": (
        127,
        "",
        'docker: Error response from daemon: exec: "php": executable file not found in $PATH\n !     failed\n',
        'docker: Error response from daemon: exec: "php": executable file not found',
        ("failed",),
    ),
    "a code of the app that docker has too": (126, "", "php: cannot execute\n", "php: cannot execute", ()),
    "no mark": (3, "out\n", "psql: error: connection refused\n", "psql: error: connection refused", ()),
    "nothing": (1, "", "", "it printed nothing", ()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_excerpt_holds_the_cause(case: tuple[int, str, str, str, tuple[str, ...]]) -> None:
    rc, out, err, first, more = case
    found = output.quoted(rc, out, err)
    assert found.startswith(first), found
    assert all(text in found for text in more), found
    assert len(found.split(" | ")) <= 16


def test_a_missing_image_is_named_with_what_fetches_it() -> None:
    error = error_of(Answer(("mysql:destroy", "restant-db-check-d82185", "--force"), 125, "", DESTROY))
    assert "ended with 125: Unable to find image" in str(error)
    assert str(error).endswith(
        "It needs the image busybox:1.37.0-uclibc, which is not on the host: docker pull busybox:1.37.0-uclibc"
    )


def test_a_kind_of_error_is_told_by_dokku_s_own_lines() -> None:
    """An app may print the words of an error of Dokku."""
    err = "nginx says: app x is not a dokku command\n !     App build failed\n"
    assert type(error_of(Answer(("git:sync", "web"), 1, "", err))) is DokkuError


def test_a_secret_is_masked_before_its_line_is_cut() -> None:
    err = " !     " + "x" * 300 + "hunter2222" + "y" * 300 + "\n"
    for width in range(0, 300, 7):
        found = output.quoted(1, "", err.replace("x" * 300, "x" * width), lambda text: text.replace("hunter2222", "*"))
        assert "hunter" not in found and "2222" not in found


class Refusing:
    """A dokku whose letsencrypt:enable fails in this way."""

    def __init__(self, rc: int, err: str) -> None:
        self.answer = Answer(("letsencrypt:enable", "web"), rc, "", err)

    def run(self, *args: str, **_more: object) -> Answer:
        error = error_of(self.answer)
        assert error is not None
        raise error


ISSUED = {
    "an image that can't be fetched": (125, ENABLE, "docker pull goacme/lego:v4.25.2"),
    "an engine that starts nothing": (
        125,
        "docker: Error response from daemon: no space left on device\n",
        "docker info",
    ),
    "a domain that leads elsewhere": (1, " !     Failed to setup letsencrypt\n", "dig +short '<domain>'"),
}


@pytest.mark.parametrize("case", ISSUED.values(), ids=ISSUED)
def test_a_certificate_that_was_not_issued_sends_nobody_to_dns_for_docker_s_error(case: tuple[int, str, str]) -> None:
    rc, err, way = case
    state = LetsencryptState("web", email="ops@example.com")
    present = LetsencryptPresent(False, False, "ops@example.com", None, 0, ("web.example.com",), (), "", 0)
    with pytest.raises(Problem) as caught:
        state.apply(Refusing(rc, err), Plan((), (Command(("letsencrypt:enable", "web")),), ()), present)  # type: ignore[arg-type]
    assert caught.value.ways[0][0] == way
