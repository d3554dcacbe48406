"""The bundle of a host is a file of its own."""

from __future__ import annotations

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis.bundle import file_for


@pytest.mark.parametrize(
    ("path", "host", "several", "file"),
    [
        ("shop.tar.gz", "web1", False, "shop.tar.gz"),
        ("shop.tar.gz", "web1", True, "shop-web1.tar.gz"),
        ("/a.b/shop.tar.gz", "web1.example.com", True, "/a.b/shop-web1.example.com.tar.gz"),
        ("~/shop", "web1", True, "~/shop-web1"),
        ("{host}/shop.tar.gz", "web1", True, "web1/shop.tar.gz"),
        ("shop-{host}.tar.gz", "web1", False, "shop-web1.tar.gz"),
        ("{host}.tar.gz", "../../etc/x", True, "host.tar.gz"),
    ],
)
def test_the_file_of_a_host(path: str, host: str, several: bool, file: str) -> None:
    assert file_for(path, host, several) == file


def test_two_hosts_never_write_the_same_file() -> None:
    for path in ("shop.tar.gz", "shop", ".shop", "{host}.tgz", "a/b.c/d"):
        assert len({file_for(path, host, True) for host in ("web1", "web2", "web1.a", "web1.b")}) == 4, path
