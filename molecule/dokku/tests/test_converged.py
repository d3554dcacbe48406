"""The state after converge: the plugin, two apps that serve, and a release for each way in which they were deployed."""

from __future__ import annotations

import pytest
from dokku_lab import DokkuLab


@pytest.mark.core("deploy")
def test_apps_are_deployed_and_recorded(lab: DokkuLab) -> None:
    assert (lab.serves("restant-main"), lab.serves("restant-staging")) == ("2", "2")
    assert [release["revision"] for release in lab.releases("restant-main")] == [
        lab.root(f"git -C /srv/git/restant.git rev-parse '{tag}^{{commit}}'") for tag in ("v2", "v1")
    ]
    assert lab.numbers("restant-staging") == [1]


def test_the_operator_may_call_dokku_and_nothing_else(lab: DokkuLab) -> None:
    assert lab.ssh("deploy", "sudo -n -u dokku -- /usr/bin/dokku apps:list").rc == 0
    secret = "/var/lib/dokku/data/releases/restant-main/1.json"
    for refused in ("sudo -n id", "sudo -n -u dokku id", "dokku apps:list", f"cat {secret}"):
        assert lab.ssh("deploy", refused).rc != 0, refused
