"""An error of nginx about the whole host names the app, the file and nginx's own words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.dokku import nginx_check
from ansible_collections.ops.runbook.plugins.module_utils.dokku.client import Answer
from ansible_collections.ops.runbook.plugins.module_utils.dokku.nginx_check import Broken
from ansible_collections.ops.runbook.plugins.module_utils.dokku.procedures import DOKKU

EMERG = 'nginx: [emerg] "client_max_body_size" directive invalid value in {}:1\n'
FAILED = "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
NAMED = " !     Failed to validate nginx config for {}. Contents below...\n"
DROPPED = "/home/dokku/other/nginx.conf.d/bad.conf"

ANSWERS: dict[str, tuple[int, str, str, Broken | None]] = {
    "all is well": (0, "", "", None),
    "a warning of one that is taken": (0, "", "nginx: [warn] conflicting server name\n", None),
    "no nginx on the host": (1, "", "", None),
    "an older Dokku": (1, "", " !     `nginx:validate-config` is not a dokku command.\n", None),
    "a file that was dropped beside another app's": (
        1,
        "server {\n}\n",
        NAMED.format("other") + EMERG.format(DROPPED) + FAILED,
        Broken(f'[emerg] "client_max_body_size" directive invalid value in {DROPPED}:1', DROPPED, ("other",)),
    ),
    "an app whose name has dots, on stdout, in colour": (
        1,
        "\x1b[1m" + NAMED.format("shop.example.com") + EMERG.format("/home/dokku/shop.example.com/nginx.conf"),
        "",
        Broken(
            '[emerg] "client_max_body_size" directive invalid value in /home/dokku/shop.example.com/nginx.conf:1',
            "/home/dokku/shop.example.com/nginx.conf",
            ("shop.example.com",),
        ),
    ),
    "a file of nobody's app": (
        1,
        "",
        EMERG.format("/etc/nginx/conf.d/x.conf").replace("[emerg] ", "[emerg] 26886#26886: "),
        Broken(
            '[emerg] "client_max_body_size" directive invalid value in /etc/nginx/conf.d/x.conf:1',
            "/etc/nginx/conf.d/x.conf",
        ),
    ),
}


@pytest.mark.parametrize("case", ANSWERS.values(), ids=ANSWERS)
def test_an_error_of_nginx_names_app_and_file(case: tuple[int, str, str, Broken | None]) -> None:
    rc, out, err, broken = case
    assert nginx_check.judge(Answer(("nginx:validate-config",), rc, out, err)) == broken


def test_the_refusal_names_whose_file_it_is_and_what_mends_it() -> None:
    broken = ANSWERS["a file that was dropped beside another app's"][3]
    assert broken is not None
    refusal = nginx_check.refusal(broken, "shop")
    assert "the file of other" in refusal.text and "directive invalid value" in refusal.text
    assert f"sudo mv {DROPPED} {DROPPED}.broken" in [way for way, _ in refusal.ways]


@pytest.mark.parametrize(
    ("report", "proxied"),
    [
        ({}, True),
        ({"computed-type": "nginx", "enabled": "true"}, True),
        ({"computed-type": "traefik", "enabled": "true"}, False),
        ({"computed-type": "nginx", "computed-disabled": "true", "enabled": "false"}, False),
    ],
)
def test_an_app_without_nginx_needs_none(report: dict[str, str], proxied: bool) -> None:
    assert nginx_check.proxied(report) is proxied


#: Procedures that start no container of an app, so that Dokku asks nginx nothing.
STARTS_NOTHING = {"backup", "maintenance"}


@pytest.mark.parametrize("name", sorted({*DOKKU.procedures} - STARTS_NOTHING))
def test_each_procedure_that_starts_an_app_asks_nginx_in_its_plan(name: str) -> None:
    """Dokku asks last; a new procedure that does not ask first is found here."""
    file = Path(str(DOKKU.procedures[name]().__file__))
    # Where a plan is decided from facts, a file beside the procedure decides it.
    decides = file.with_name(f"{name}_plan.py")
    tree = ast.parse((decides if decides.exists() else file).read_text())
    asked = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "nginx_check"
    }
    assert asked & {"must_be_taken", "refusal"}, f"the plan of {name} does not ask whether nginx takes the host"
