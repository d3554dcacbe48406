"""Deploys of commits and images: staging first, verified, and back by themselves where the result is not good."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from dokku_lab import REPOSITORY, STATE, DokkuLab
from lab import Run

MAIN, STAGING = "restant-main", "restant-staging"
# The new release is never well. The one before is up when Dokku's own command ends.
SOON = {"dokku_health_deadline": 5}


@pytest.fixture(autouse=True)
def deployed(lab: DokkuLab) -> Iterator[None]:
    """restant-main runs v2, with v1 before it; restant-staging runs the image of v2."""
    lab.reset("apps")
    yield


def staging(lab: DokkuLab, to: str) -> Run:
    """A deploy of the staging app, which is an app like any other."""
    health = {"name": "health", "url": f"http://{STAGING}.dokku.example.com/health", "connect_to": "127.0.0.1:80"}
    return lab.play("dokku_deploy", to=to, dokku_app=STAGING, dokku_staging_app="", dokku_health=[health])


def records(lab: DokkuLab) -> list[dict[str, object]]:
    return [json.loads(line) for line in lab.root(f"cat {STATE}/ledger.jsonl").splitlines()]


def branch(lab: DokkuLab) -> str:
    """The branch that `dokku ps:rebuild` would build."""
    return lab.root(f"git --git-dir /home/dokku/{MAIN} log -1 --format=%s main")


def test_a_release_goes_to_staging_and_then_to_production(lab: DokkuLab) -> None:
    before = lab.releases(MAIN)
    refused = lab.play("dokku_deploy", to="v3")
    assert not refused.green and "not_on_staging" in refused.text and "-e hotfix=true" in refused.text
    assert staging(lab, "v3").green and lab.serves(STAGING) == "3"
    checked = lab.play("dokku_deploy", "--check", to="v3")
    assert (
        checked.green
        and checked.changed == 1
        and "the same release is live and well on restant-staging" in checked.text
    )
    assert (lab.releases(MAIN), lab.serves(MAIN)) == (before, "2")
    done = lab.play("dokku_deploy", to="v3", reason="OPS-7")
    assert done.green and done.changed == 1, done.text
    assert (lab.serves(MAIN), lab.latest(MAIN)) == ("3", lab.live(MAIN))
    again = lab.play("dokku_deploy", to="v3")
    assert again.green and again.changed == 0 and len(lab.releases(MAIN)) == len(before) + 1, again.text
    record = records(lab)[-1]
    assert (record["outcome"], record["reason"]) == ("succeeded", "OPS-7")
    assert record["to"]["name"] == "v3"  # type: ignore[index]


@pytest.mark.core("deploy")
def test_a_hotfix_goes_by_staging_and_says_so(lab: DokkuLab) -> None:
    done = lab.play("dokku_deploy", to="v3", hotfix=True)
    assert done.green and "hotfix=true: restant-staging was not asked" in done.text
    facts = records(lab)[-1]["facts"]
    assert facts["hotfix"] is True and len(facts["commit"]) == 40


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("unhealthy", "503"),
        ("crash", "fatal: crash requested"),
        ("unbuildable", "App build failed"),
        ("predeploy-bad", "Execution of predeploy task failed: php artisan migrate"),
        ("queue-bad", "the queue:"),
    ],
)
@pytest.mark.core("alone", only="unhealthy-503")
def test_a_broken_release_goes_back_and_leaves_nothing(lab: DokkuLab, to: str, why: str) -> None:
    run = lab.play("dokku_deploy", to=to, hotfix=True, **SOON)
    assert not run.green and "reverted" in run.text and why in run.text, run.text
    assert (lab.serves(MAIN), lab.latest(MAIN)) == ("2", lab.live(MAIN))
    assert branch(lab) == "Greet customers warmly"
    # Neither a restart nor a rebuild brings the broken one back.
    lab.ok("ps:restart", MAIN)
    lab.ok("ps:rebuild", MAIN)
    assert lab.serves(MAIN) == "2"


def test_a_broken_release_stays_where_that_is_asked_for(lab: DokkuLab) -> None:
    run = lab.play("dokku_deploy", to="unhealthy", hotfix=True, on_unhealthy="hold", **SOON)
    assert not run.green and "failed" in run.text and lab.serves(MAIN) == "unhealthy", run.text


def test_an_image_is_deployed_again_after_a_rollback(lab: DokkuLab) -> None:
    """Dokku compares with what it was given last, and would answer: No changes detected."""
    lab.root("lab-images v4")
    assert lab.play("dokku_deploy", to="local/restant:v4", hotfix=True).green and lab.serves(MAIN) == "4"
    assert lab.play("dokku_deploy", to="local/restant:v4", hotfix=True).changed == 0
    lab.root("lab-images v4")
    assert lab.play("dokku_rollback", migrations="keep").green and lab.serves(MAIN) == "2"
    lab.root("lab-images v4")
    again = lab.play("dokku_deploy", to="local/restant:v4", hotfix=True)
    assert again.green and lab.serves(MAIN) == "4", again.text


def test_settings_survive_a_broken_deploy(lab: DokkuLab) -> None:
    lab.ok("config:set", "--no-restart", MAIN, "GREETING=later")
    assert not lab.play("dokku_deploy", to="unhealthy", hotfix=True, **SOON).green
    assert lab.ok("config:get", MAIN, "GREETING").out.strip() == "later"


def test_an_app_is_deployed_for_the_first_time(lab: DokkuLab) -> None:
    lab.app("fresh")
    health = {"name": "health", "url": "http://fresh.dokku.example.com/health", "connect_to": "127.0.0.1:80"}
    lab.ok("domains:set", "fresh", "fresh.dokku.example.com")
    fresh = {"dokku_app": "fresh", "dokku_staging_app": "", "dokku_health": [health], "dokku_queue_probe": ""}
    broken = lab.play("dokku_deploy", to="unhealthy", **fresh, **SOON)
    assert not broken.green and "reverted" in broken.text and "version" not in lab.answer("fresh"), broken.text
    assert "fresh is stopped; it ran nothing before" in broken.text, broken.text
    assert "as it was before" not in broken.text, broken.text
    done = lab.play("dokku_deploy", to="v1", **fresh)
    assert done.green and lab.serves("fresh") == "1", done.text


def test_a_tag_of_a_repository_that_only_dokku_can_read_is_deployed_and_stays(lab: DokkuLab) -> None:
    """Also as the first deploy of an app, whose way back would stop it."""
    private = "/srv/git/private.git"
    lab.root(f"rm -rf {private} && cp -r {REPOSITORY} {private} && chown -R dokku: {private} && chmod 0700 {private}")
    commit = lab.root(f"git -c safe.directory='*' -C {private} rev-parse 'v3^{{commit}}'").strip()
    assert lab.ssh("deploy", f"git ls-remote {private}").rc != 0
    lab.app("hidden")
    lab.ok("domains:set", "hidden", "hidden.dokku.example.com")
    health = {"name": "health", "url": "http://hidden.dokku.example.com/health", "connect_to": "127.0.0.1:80"}
    first = {"dokku_app": "hidden", "dokku_staging_app": "", "dokku_health": [health], "dokku_queue_probe": ""}
    for options, app, state in ((first, "hidden", "/var/lib/ops-runbook/hidden"), ({"hotfix": True}, MAIN, STATE)):
        done = lab.play("dokku_deploy", to="v3", dokku_repository=private, **options)
        assert done.green and lab.serves(app) == "3", done.text
        assert "can't be read by this user" in done.text, done.text
        record = json.loads(lab.root(f"tail -n 1 {state}/ledger.jsonl"))
        assert (record["to"]["id"], record["to"]["name"], record["outcome"]) == (commit, "v3", "succeeded"), record
    # Dokku gave the app the id of the annotated tag as its revision; a rollback brings that back with the code.
    assert lab.play("dokku_rollback", migrations="keep").green and lab.serves(MAIN) != "3"
    again = lab.play("dokku_rollback", to=commit[:12], migrations="keep")
    assert again.green and lab.serves(MAIN) == "3", again.text


def test_migrations_that_wait_are_said(lab: DokkuLab) -> None:
    run = lab.play("dokku_deploy", to="unmigrated", hotfix=True)
    assert run.green and "2026_02_07_000001_create_coupons_table" in run.text, run.text
