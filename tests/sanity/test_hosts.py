"""Inventories and documents name no host of anybody, and no file names this machine's sources of packages."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
# RFC 5737 and RFC 2606; 0.0.0.0 is not an address of anybody.
EXAMPLES = [
    IPv4Network(net) for net in ("127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/32")
]
EXAMPLE_NAMES = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost)$")
# Where the software that is operated, and this project, are described.
PUBLIC = {
    "api.github.com",
    "docs.ansible.com",
    "galaxy.ansible.com",
    "getcomposer.org",
    "git-scm.com",
    "github.com",
    "laravel.com",
    "pypi.org",
    "www.gnu.org",
    "www.php.net",
    # The names of XML.
    "www.w3.org",
}
ADDRESS = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?![\w.]*\w)")
WEB = re.compile(r"\bhttps?://[^\s\"'`<>)\]}]+")
USER_AT = re.compile(r"(?<![\w.%+!-])[\w.+-]+@((?:[a-z0-9-]+\.)+[a-z]{2,})\b", re.IGNORECASE)
REACHED = re.compile(r"^\s*ansible_host:\s*[\"']?([\w.:-]+)", re.MULTILINE)


def strangers(text: str) -> set[str]:
    """Hosts in a text that are neither examples nor public documentation."""
    found = {item for item in ADDRESS.findall(text) if not any(IPv4Address(item) in net for net in EXAMPLES)}
    named = {urlsplit(address).hostname or "" for address in WEB.findall(text)} - PUBLIC
    # A placeholder such as https://{domain} or https://<host> is nobody's.
    named = {name for name in named if not name.startswith(("{", "<"))}
    named |= {*USER_AT.findall(text), *REACHED.findall(text)} - {"github.com"}
    return found | {name for name in named if not ADDRESS.fullmatch(name) and not EXAMPLE_NAMES.search(name.lower())}


def listed(*paths: str) -> list[str]:
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [name for name in names.split("\0") if (ROOT / name).is_file()]


@pytest.mark.parametrize("path", listed("inventories", "docs", "README.md"))
def test_hosts_are_examples(path: str) -> None:
    assert strangers((ROOT / path).read_text()) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curl https://api.example.com/up http://127.0.0.1:8081/up https://laravel.com/docs", set()),
        ("ansible_host: web1.example.com\nansible_host: 192.0.2.7\nroot@db.example.org:/srv", set()),
        ("git@github.com:example/vertex.git, version 1.2.3, pip 24.2", set()),
        ("https://api.somebody.io/up", {"api.somebody.io"}),
        ("ansible_host: web1.prod", {"web1.prod"}),
        ("ssh 10.1.2.3", {"10.1.2.3"}),
        ("http://10.1.2.3:8080/x", {"10.1.2.3"}),
        ("deploy@somebody.io", {"somebody.io"}),
        ("https://notexample.com/", {"notexample.com"}),
    ],
)
def test_a_stranger_is_seen(text: str, expected: set[str]) -> None:
    assert strangers(text) == expected


def own_sources(said: str) -> set[str]:
    """Hosts, of the addresses in a text, that are not where everybody gets packages from."""
    hosts = {urlsplit(address).netloc.rpartition("@")[2] for address in WEB.findall(said)}
    public = re.compile(r"(?:^|\.)(?:debian\.org|ubuntu\.com|pypi\.org|pythonhosted\.org|localhost)(?::\d+)?$")
    return {host for host in hosts if host and not public.search(host)}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("http://deb.debian.org/debian\nhttp://security.debian.org/debian-security", set()),
        ("http://mirror.somebody.io/debian", {"mirror.somebody.io"}),
        ("global.index-url='https://user:word@pip.somebody.io:8443/simple'", {"pip.somebody.io:8443"}),
    ],
)
def test_a_source_of_packages_is_seen(said: str, expected: set[str]) -> None:
    assert own_sources(said) == expected


def test_no_file_names_where_this_machine_gets_packages() -> None:
    ask = [[sys.executable, "-m", "pip", "config", "list"]]
    if shutil.which("apt-get"):
        ask.append(["apt-get", "indextargets", "--format", "$(SITE)"])
    said = [subprocess.run(command, check=False, capture_output=True, text=True).stdout for command in ask]
    own = own_sources("\n".join(said))
    texts = {name: (ROOT / name).read_text(errors="replace") for name in listed()}
    assert [name for name, text in texts.items() if any(host in text for host in own)] == []
