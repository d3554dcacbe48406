"""Dokku checks the whole host last; here that is checked first, and containers that nobody counts are seen."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from dokku_lab import DokkuLab

MAIN, OTHER = "restant-main", "other"
BAD = f"/home/dokku/{OTHER}/nginx.conf.d/bad.conf"


@pytest.fixture(scope="module")
def broken(lab: DokkuLab) -> Iterator[DokkuLab]:
    """Another app has a file that nginx refuses."""
    lab.reset("apps")
    lab.app(OTHER)
    lab.at(OTHER, "v1")
    lab.root(
        f"mkdir -p {BAD.rpartition('/')[0]} && echo 'client_max_body_size 1x;' > {BAD} && "
        f"chown -R dokku: /home/dokku/{OTHER}"
    )
    yield lab
    lab.root(f"rm -f {BAD}")
    lab.ok("apps:destroy", "--force", OTHER)


def containers(lab: DokkuLab) -> str:
    return lab.root(f"docker ps --filter label=com.dokku.app-name={MAIN} --format '{{{{.Names}}}} {{{{.ID}}}}' | sort")


@pytest.mark.parametrize(
    ("procedure", "inputs"),
    [
        ("dokku_deploy", {"to": "v3", "hotfix": True}),
        ("dokku_rollback", {"migrations": "keep"}),
        ("dokku_tune", {"dokku_tune_limits": {"web": {"memory": "256m"}}}),
    ],
)
def test_a_file_of_another_app_is_refused_before_anything_is_built(
    broken: DokkuLab, procedure: str, inputs: dict[str, object]
) -> None:
    before = (containers(broken), broken.releases(MAIN))
    run = broken.play(procedure, **inputs)
    assert not run.green and "(nginx_broken)" in run.text and "Nothing was changed" in run.text, run.text
    assert f"the file of {OTHER}" in run.text and "directive invalid value in" in run.text, run.text
    assert f"sudo mv {BAD} {BAD}.broken" in run.text, run.text
    assert (containers(broken), broken.releases(MAIN)) == before


def test_status_names_it(broken: DokkuLab) -> None:
    run = broken.play("dokku_status")
    assert not run.green and "nginx" in run.text and "directive invalid value" in run.text, run.text


def test_a_restart_that_dokku_itself_lets_fail_leaves_what_it_counts(broken: DokkuLab) -> None:
    """As on a real one: the new container is counted, has the name of one that is made, and is never removed."""
    failed = broken.run("ps:restart", MAIN)
    assert failed.rc != 0 and f"Failed to validate nginx config for {OTHER}" in failed.text, failed
    counted = broken.root(f"cat /home/dokku/{MAIN}/CONTAINER.web.1").strip()
    assert ".upcoming-" in broken.root(f"docker inspect --format '{{{{.Name}}}}' {counted}")
    told = json.loads(broken.ok("releases:strays", MAIN, "--remove", "--format", "json").out)
    assert told["removed"] == []
    assert broken.root(f"docker inspect --format '{{{{.State.Running}}}}' {counted}").strip() == "true"
