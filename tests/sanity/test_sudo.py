"""A host needs the rights of docs/reference/sudo.md and no others: the lab's hosts have these, and texts name them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rights

from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = rights.of_page()
EVERYTHING = {rule for found in PAGE.values() for rule in found}
#: The image of a system's hosts, and the rows of the page that its operator has from the start.
IMAGES = {
    "laravel": ["Laravel"],
    "compose": ["Docker Compose"],
    "dokku": ["Dokku"],
    "ssh_keys": [],
    "postgres": ["PostgreSQL, backups", "PostgreSQL, making backups", "PostgreSQL, restore drills"],
}
#: Rules of others: of an administrator, and of Dokku itself.
OTHERS = ("admin", "%dokku")
#: Tasks that need root, by the procedures that an administrator runs, as the page says.
ADMINISTRATORS = ("releases", "backup_setup", "drill_setup")


def sudoers(image: str) -> list[str]:
    files = [path for path in (ROOT / f"molecule/images/{image}").rglob("*") if path.is_file()]
    found = [rule for path in files for rule in rights.rules(path.read_text(errors="replace"))]
    return [rule for rule in found if not rule.startswith(OTHERS)]


def test_the_table_of_the_page_is_read() -> None:
    assert {
        "Laravel": ["deploy ALL=(root) NOPASSWD: /usr/bin/systemctl reload phpX-fpm.service"],
        "Docker Compose": [],
        "Dokku": ["deploy ALL=(dokku) NOPASSWD: /usr/bin/dokku"],
        "Dokku, backups": ["deploy ALL=(root) NOPASSWD: /usr/local/sbin/dokku-parts"],
        "PostgreSQL, backups": [
            f"deploy ALL=(postgres) NOPASSWD: /usr/bin/timeout {call}"
            for call in (
                "60 /usr/bin/pgbackrest --stanza shop --output json info",
                "60 /usr/bin/pgbackrest --stanza shop --output json --recurse repo-ls archive/shop",
                "14400 /usr/bin/pgbackrest --stanza shop --output text --verbose verify",
            )
        ],
        "PostgreSQL, making backups": [
            f"deploy ALL=(postgres) NOPASSWD: /usr/bin/timeout 86400 /usr/bin/pgbackrest {words}"
            for words in (f"--stanza shop --type {kind} backup" for kind in ("full", "diff", "incr"))
        ],
        "PostgreSQL, restore drills": ["deploy ALL=(root) NOPASSWD: /usr/local/sbin/postgres-drill"],
        "SSH keys of all accounts": [],
    } == PAGE


@pytest.mark.parametrize("image", IMAGES)
def test_a_host_of_the_lab_has_the_rights_of_the_page(image: str) -> None:
    assert sudoers(image) == [rule for row in IMAGES[image] for rule in PAGE[row]]


def test_every_image_of_a_host_is_looked_at() -> None:
    images = {path.parent.name for path in ROOT.glob("molecule/images/*/Dockerfile")}
    # A node of the mesh, and what the hosts' images stand on.
    assert {image: sudoers(image) for image in images - {*IMAGES}} == {
        image: [] for image in ("base", "engine", "mesh", "packages", "stack")
    }


def test_a_role_installs_a_rule_of_the_page() -> None:
    found = set()
    for path in ROOT.glob("roles/*/tasks/*.yml"):
        role = path.parents[1]
        names = plain_yaml.load((role / "defaults/main.yml").read_text())
        names |= {"postgres_drill_operator": "deploy", "dokku_backup_user": "deploy", "dokku_operator": "deploy"}
        for line in [line for line in path.read_text().splitlines() if "NOPASSWD" in line]:
            for name in re.findall(r"\{\{ (\w+) \}\}", line):
                line = line.replace(f"{{{{ {name} }}}}", str(names[name]))
            found |= {*rights.rules(line)}
    assert found == {*PAGE["Dokku"], *PAGE["Dokku, backups"], *PAGE["PostgreSQL, restore drills"]}


PATTERNS = ("*.md", "docs/**/*.md", "inventories/**/*.yml", "roles/**/*.yml", "roles/**/*.md", "plugins/**/*.py")
FILES = [path for pattern in PATTERNS for path in sorted(ROOT.glob(pattern))]
TEXTS = [path for path in FILES if path != rights.PAGE and "NOPASSWD" in path.read_text()]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_text_names_no_other_rule(path: Path) -> None:
    # Those with a variable in them are made at runtime: the tests of those modules have their texts.
    assert [rule for rule in rights.rules(path.read_text()) if "{" not in rule and rule not in EVERYTHING] == []


def test_only_an_administrator_s_procedures_become_root() -> None:
    becoming = {path.stem for path in ROOT.glob("roles/*/tasks/*.yml") if "become: true" in path.read_text()}
    assert {name for name in becoming if not name.startswith(ADMINISTRATORS)} == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo 'deploy ALL=(root) NOPASSWD: /usr/bin/systemctl reload php8.4-fpm.service' | sudo tee x", 1),
        ("such as C(deploy ALL=(dokku\\) NOPASSWD: /usr/bin/dokku).", 1),
        ("deploy ALL=(ALL) NOPASSWD: ALL\n", 0),
        ("deploy ALL=(root) NOPASSWD: /usr/bin/systemctl\n", 0),
        ("deploy ALL=(dokku) NOPASSWD: /usr/bin/dokku, /bin/sh\n", 0),
    ],
)
def test_a_wider_rule_is_seen(text: str, expected: int) -> None:
    found = rights.rules(text)
    assert len(found) == 1 and len([rule for rule in found if rule in EVERYTHING]) == expected


def test_the_output_of_sudo_is_read() -> None:
    rule = "    (root) NOPASSWD: /usr/bin/systemctl reload php8.4-fpm.service\n"
    listed = f"User deploy may run the following commands on web1:\n{rule}"
    assert rights.of_sudo(listed) == PAGE["Laravel"]
