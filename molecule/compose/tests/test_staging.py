"""Images that ran on staging before production gets them: by digest and ledger there; a way back needs neither."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from compose_lab import STATE, ComposeLab, tag
from lab import Run


@pytest.fixture
def staging(other: ComposeLab) -> Iterator[ComposeLab]:
    yield other
    other.root("systemctl start ssh")


def shut(host: ComposeLab) -> None:
    """No way in any more, and none that is open already."""
    host.root("systemctl stop ssh ssh.socket; pkill sshd-session; true")


def state(host: ComposeLab) -> dict[str, Any]:
    return {**host.fingerprint(), "images": []}


def deploy(lab: ComposeLab, staging: ComposeLab, name: str, *options: str, **inputs: object) -> Run:
    return lab.play("compose_deploy", *options, to=tag(name), compose_staging_host=staging.name, **inputs)


def found(lab: ComposeLab) -> str:
    """The staging result in the record of the last operation."""
    return str(lab.ledger()[-1]["facts"]["staging"]["found"])


def refused(run: Run, *texts: str) -> None:
    assert not run.green
    for text in ("not_on_staging", "compose_staging_required=false", "Nothing was changed", *texts):
        assert text in run.text, run.text


def test_deploy_shows_that_the_same_digests_passed(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good", "good2")
    lab.at("good")
    operation = staging.ledger()[-1]["id"]
    planned = deploy(lab, staging, "good2", "--check", compose_staging_required=True)
    says = f"these digests passed on {staging.name}"
    assert planned.green, planned.text
    assert says in planned.text
    run = deploy(lab, staging, "good2", compose_staging_required=True)
    assert run.green, run.text
    line = next(line for line in run.text.splitlines() if says in line)
    assert operation in line
    assert line.rstrip('"').endswith("and run there now"), line
    assert lab.runs("good2")
    assert lab.ledger()[-1]["facts"]["staging"] == {"host": staging.name, "operation": operation, "found": "passed"}


def test_rollback_shows_that_the_same_digests_passed(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good", "good2")
    lab.at("good", "good2")
    run = lab.play("compose_rollback", compose_staging_host=staging.name, compose_staging_required=True)
    assert run.green, run.text
    assert f"these digests passed on {staging.name}" in run.text
    assert staging.ledger()[0]["id"] in run.text
    assert lab.runs("good")


def test_images_unknown_to_staging_are_refused_if_it_is_required(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good")
    lab.at("good")
    before = state(lab)
    run = deploy(lab, staging, "good2", compose_staging_required=True)
    refused(run, "never passed on", f"ops.runbook.compose_deploy -e target={staging.name} -e to={tag('good2')}")
    assert state(lab) == before
    # The way that the refusal names, then the same command again. Staging has nobody to ask.
    given = {"compose_staging_host": staging.name, "compose_staging_required": True}
    first = staging.play("compose_deploy", to=tag("good2"), **given)
    assert first.green, first.text
    again = deploy(lab, staging, "good2", compose_staging_required=True)
    assert again.green, again.text
    assert lab.runs("good2")


def test_images_unknown_to_staging_give_a_warning_if_it_is_not_required(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good")
    lab.at("good")
    run = deploy(lab, staging, "good2")
    assert run.green, run.text
    assert re.search(rf"WARNING +these digests never passed on {staging.name}", run.text), run.text
    assert found(lab) == "never"


def test_other_images_by_the_same_tag_are_no_proof(lab: ComposeLab, staging: ComposeLab) -> None:
    """A tag was moved between the two: what staging tried is not what production would get."""
    staging.at("good")
    lab.at("good")
    staging.move("good2", "unlabelled")
    tried = staging.play("compose_deploy", to=tag("good2"))
    assert tried.green, tried.text
    before = state(lab)
    run = deploy(lab, staging, "good2", compose_staging_required=True)
    there, here = staging.running()["backend"], lab.digest("backend", "good2")
    assert there != here
    refused(run, f"by the name {tag('good2')}", f"backend was {there[:19]} there and is {here[:19]} here")
    assert state(lab) == before
    # By the tag the first way would try the wrong images once more: it names them by digest.
    way = re.search(rf"ops.runbook.compose_deploy -e target={staging.name} -e to=(\S+)", run.text)
    assert way, run.text
    assert here in way[1]
    first = staging.play("compose_deploy", to=way[1])
    assert first.green, first.text
    again = deploy(lab, staging, "good2", compose_staging_required=True)
    assert again.green, again.text
    assert lab.runs("good2")


def test_a_release_that_staging_left_proves_nothing(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good", "good2")
    back = staging.play("compose_rollback")
    assert back.green, back.text
    lab.at("good")
    before = state(lab)
    run = deploy(lab, staging, "good2", compose_staging_required=True)
    refused(run, "were not good there", staging.ledger()[-1]["id"])
    assert state(lab) == before


def test_an_edited_ledger_is_no_proof(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good")
    lab.at("good")
    forged = {**staging.ledger()[0], "to": {"id": "rel-0", "name": "x", "images": {}}}
    forged["to"]["images"] = {name: {"digest": lab.digest(name, "good2")} for name in ("backend", "worker")}
    line = json.dumps(forged).replace("'", "")
    staging.root(f"echo '{line}' >> {STATE}/ledger.jsonl")
    refused(deploy(lab, staging, "good2", compose_staging_required=True), "edited or is incomplete")


def test_staging_that_is_down_stops_a_deploy_where_it_is_required(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good", "good2")
    lab.at("good")
    before = state(lab)
    shut(staging)
    refused(deploy(lab, staging, "good2", compose_staging_required=True), f"{staging.name} could not be asked")
    assert state(lab) == before
    run = deploy(lab, staging, "good2")
    assert run.green, run.text
    assert re.search(rf"WARNING +{staging.name} could not be asked", run.text), run.text
    assert found(lab) == "unasked"


@pytest.mark.parametrize("required", [True, False])
def test_staging_that_is_down_never_stops_a_way_back(lab: ComposeLab, staging: ComposeLab, required: bool) -> None:
    lab.at("good", "good2")
    shut(staging)
    given = {"compose_staging_host": staging.name, "compose_staging_required": required}
    planned = lab.play("compose_rollback", "--check", **given)
    assert planned.green, planned.text
    run = lab.play("compose_rollback", **given)
    assert run.green, run.text
    assert re.search(rf"WARNING +{staging.name} could not be asked", run.text), run.text
    assert ("this release was good on this host" in run.text) is required
    assert lab.runs("good")
    assert lab.outcomes()[-1] == ("rollback", "succeeded")


def test_a_rollback_to_what_never_ran_here_needs_the_proof(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good")
    lab.at("good", "good2")
    before = state(lab)
    given = {"compose_staging_host": staging.name, "compose_staging_required": True}
    refused(lab.play("compose_rollback", to=tag("unlabelled"), **given), "never passed on")
    assert state(lab) == before


def test_a_service_of_another_name_on_staging(lab: ComposeLab, staging: ComposeLab) -> None:
    staging.at("good")
    lab.at("good")
    for procedure, inputs in (("compose_adopt", {}), ("compose_deploy", {"to": tag("good2")})):
        run = staging.play(procedure, compose_service="shop-staging", **inputs)
        assert run.green, run.text
    refused(deploy(lab, staging, "good2", compose_staging_required=True))
    run = deploy(lab, staging, "good2", compose_staging_required=True, compose_staging_service="shop-staging")
    assert run.green, run.text
    assert lab.runs("good2")


def test_both_in_one_run_are_refused_before_either_is_changed(lab: ComposeLab, staging: ComposeLab) -> None:
    """The proof is what was on staging before the run: one that goes to both at once has none."""
    staging.at("good")
    lab.at("good")
    before = state(lab), state(staging)
    given = {"compose_staging_host": staging.name, "compose_staging_required": True}
    both = ("-e", f"target={lab.name},{staging.name}", "-l", f"{lab.name},{staging.name}")
    run = lab.play("compose_deploy", *both, to=tag("good2"), **given)
    refused(run, "never passed on")
    assert (state(lab), state(staging)) == before
    assert not lab.has_lease()
    assert not staging.has_lease()
