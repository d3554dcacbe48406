"""Deploys and rollbacks as a person runs them, and what is found on the host afterwards."""

from __future__ import annotations

import re

import pytest
from compose_lab import REGISTRY, RELEASES, ComposeLab, tag


def stands(lab: ComposeLab, name: str, schema: str = "0001") -> None:
    """The stack answers as this release, and what runs is what is pinned."""
    assert (lab.version(), lab.schema()) == (RELEASES[name].version, schema)
    assert lab.runs(name)
    assert lab.get("/api/v1/orders") == (200, {"count": 3, "total": 1000})
    assert lab.worker_release().startswith(tag(name).removeprefix("sha-"))
    pins = lab.pins()
    for service in ("backend", "worker"):
        assert pins[service].endswith(f"@{lab.digest(service, name)}"), pins
    assert not lab.has_lease()


@pytest.mark.parametrize("to", ["sha-c0ffee2", "c0ffee2", "0.2.0"])
def test_deploy_by_any_name_of_a_release(lab: ComposeLab, to: str) -> None:
    lab.at("good")
    before = lab.file()
    run = lab.play("compose_deploy", to=to, reason="INC-7")
    assert run.green, run.text
    stands(lab, "good2")
    record = lab.ledger()[-1]
    assert (record["procedure"], record["outcome"], record["reason"]) == ("deploy", "succeeded", "INC-7")
    digests = {service: image["digest"] for service, image in record["to"]["images"].items()}
    assert digests == {service: lab.digest(service, "good2") for service in ("backend", "worker")}
    # All but two references is as it was, byte for byte.
    changed = [(old, new) for old, new in zip(before.splitlines(True), lab.file().splitlines(True)) if old != new]
    assert len(changed) == 2
    for old, new in changed:
        for service in ("backend", "worker"):
            old = re.sub(rf"{REGISTRY}/acme/shop-{service}[^'\" \n]*", "IMAGE", old)
            new = re.sub(rf"{REGISTRY}/acme/shop-{service}[^'\" \n]*", "IMAGE", new)
        assert old == new


def test_deploy_by_digest(lab: ComposeLab) -> None:
    lab.at("good")
    run = lab.play("compose_deploy", to=f"{REGISTRY}/acme/shop-backend@{lab.digest('backend', 'good2')}")
    assert run.green, run.text
    stands(lab, "good2")


def test_deploy_pinned_by_an_override_leaves_the_main_file_alone(lab: ComposeLab) -> None:
    lab.at("good")
    before = lab.file()
    given = {"compose_pin": "override", "compose_files": ["docker-compose.prod.yml", "docker-compose.pin.yml"]}
    run = lab.play("compose_deploy", to=tag("good2"), **given)
    assert run.green, run.text
    assert lab.file() == before
    assert (lab.version(), lab.runs("good2")) == ("0.2.0", True)
    back = lab.play("compose_rollback", **given)
    assert back.green, back.text
    assert lab.file() == before
    assert (lab.version(), lab.runs("good")) == ("0.1.0", True)


def test_services_beside_the_build_are_not_touched(lab: ComposeLab) -> None:
    lab.at("good")

    def others() -> list[str]:
        return [line for line in lab.containers() if not line.startswith(("/shop-backend", "/shop-worker"))]

    before = others()
    assert lab.play("compose_deploy", to=tag("good2")).green
    assert others() == before


def test_rollback_to_previous_goes_further_back_each_time(lab: ComposeLab) -> None:
    lab.at("good", "good2", "unlabelled")
    run = lab.play("compose_rollback")
    assert run.green, run.text
    stands(lab, "good2")
    run = lab.play("compose_rollback")
    assert run.green, run.text
    stands(lab, "good")
    run = lab.play("compose_rollback")
    assert not run.green
    assert "nothing_before" in run.text
    stands(lab, "good")


def test_rollback_to_a_named_release(lab: ComposeLab) -> None:
    lab.at("good", "good2", "unlabelled")
    run = lab.play("compose_rollback", to=tag("good"))
    assert run.green, run.text
    stands(lab, "good")


def test_the_same_again_changes_nothing(lab: ComposeLab) -> None:
    lab.at("good", "good2")
    before, records = lab.fingerprint(), lab.ledger()
    run = lab.play("compose_deploy", to=tag("good2"))
    assert (run.green, run.changed) == (True, 0), run.text
    assert (lab.fingerprint(), lab.ledger()) == (before, records)


@pytest.mark.parametrize(
    ("procedure", "inputs"),
    [
        ("compose_deploy", {"to": "sha-add1111"}),
        ("compose_rollback", {}),
        ("compose_rollback", {"to": "sha-c0ffee1"}),
    ],
)
@pytest.mark.core("plan", only="compose_deploy-inputs0")
def test_check_mode_shows_the_plan_and_changes_nothing(lab: ComposeLab, procedure: str, inputs: dict[str, str]) -> None:
    lab.at("good", "good2")
    before = lab.fingerprint(), lab.root("cd /var/lib/ops-runbook && find . -type f -exec sha256sum {} + | sort")
    run = lab.play(procedure, "--check", "--diff", **inputs)
    assert run.green, run.text
    wanted = inputs.get("to", "sha-c0ffee1")
    assert wanted in run.text
    assert "+    image: " in run.text, "the diff shows the new pin"
    after = lab.fingerprint(), lab.root("cd /var/lib/ops-runbook && find . -type f -exec sha256sum {} + | sort")
    assert after == before


def test_additive_migration_is_run_kept_and_undone(lab: ComposeLab) -> None:
    lab.at("good", "additive")
    stands(lab, "additive", "0002")
    kept = lab.play("compose_rollback", migrations="keep")
    assert kept.green, kept.text
    stands(lab, "good", "0002")
    lab.at("good", "additive")
    lab.sql("update orders set note = 'gift'")
    down = lab.play("compose_rollback", migrations="down")
    assert down.green, down.text
    assert "orders.note" in down.text, "the plan names what is lost"
    stands(lab, "good", "0001")
    assert "note" not in lab.columns("orders")


def test_migrations_can_be_skipped(lab: ComposeLab) -> None:
    lab.at("good")
    run = lab.play("compose_deploy", to=tag("additive"), migrations="skip")
    assert run.green, run.text
    stands(lab, "additive", "0001")


def test_several_heads_are_run_and_undone(lab: ComposeLab) -> None:
    lab.at("good")
    run = lab.play("compose_deploy", to=tag("branched"))
    assert run.green, run.text
    stands(lab, "branched", "0007,0008")
    down = lab.play("compose_rollback", migrations="down")
    assert down.green, down.text
    stands(lab, "good", "0001")


def test_migration_without_a_way_back_refuses(lab: ComposeLab) -> None:
    lab.at("good", "oneway")
    before = lab.fingerprint()
    run = lab.play("compose_rollback", migrations="down")
    assert not run.green
    assert "migrations_irreversible" in run.text, run.text
    assert "0005" in run.text
    assert "migrations=keep" in run.text
    assert lab.fingerprint() == before
    kept = lab.play("compose_rollback", migrations="keep")
    assert kept.green, kept.text
    stands(lab, "good", "0005")


@pytest.mark.parametrize("name", ["unhealthy", "crash", "worker-crash"])
def test_broken_release_goes_back_by_itself(lab: ComposeLab, name: str) -> None:
    lab.at("good", "good2")
    before = lab.file()
    run = lab.play("compose_deploy", to=tag(name))
    assert not run.green
    assert lab.outcomes()[-1] == ("deploy", "reverted"), run.text
    stands(lab, "good2")
    assert lab.file() == before
    again = lab.play("compose_rollback", "--check")
    assert again.green and tag("good") in again.text, again.text
    target, passed_over, why = again.text.partition("passes over")
    assert passed_over and tag(name) in why and tag(name) not in target, "the plan goes past what was never good"


def test_broken_release_is_held_where_that_is_asked_for(lab: ComposeLab) -> None:
    lab.at("good", "good2")
    run = lab.play("compose_deploy", to=tag("unhealthy"), on_unhealthy="hold", compose_health_deadline=1)
    assert not run.green
    assert lab.outcomes()[-1] == ("deploy", "failed"), run.text
    assert lab.runs("unhealthy")
    back = lab.play("compose_deploy", to=tag("unhealthy"), interrupted="undo")
    assert back.green, back.text
    stands(lab, "good2")


def test_migration_that_fails_leaves_the_release_that_ran(lab: ComposeLab) -> None:
    lab.at("good", "good2")
    before = lab.file()
    run = lab.play("compose_deploy", to=tag("failing"))
    assert not run.green
    assert "no_such_column" in run.text
    stands(lab, "good2")
    assert lab.file() == before


def test_retention_keeps_what_runs_and_what_a_rollback_needs(lab: ComposeLab) -> None:
    lab.at("good", "good2", "unlabelled")
    # One more than what runs and what `previous` goes to.
    run = lab.play("compose_deploy", to=tag("additive"), compose_keep_releases=3)
    assert run.green, run.text
    here = "\n".join(lab.images())
    for name in ("additive", "unlabelled", "good2"):
        for service in ("backend", "worker"):
            assert lab.digest(service, name) in here
    for service in ("backend", "worker"):
        assert lab.digest(service, "good") not in here
    # What is not of this build is nobody's business here.
    for repository in ("acme/proxy", "acme/postgres", "acme/shop-web"):
        assert repository in here
    back = lab.play("compose_rollback", migrations="down")
    assert back.green, back.text
    stands(lab, "unlabelled")


@pytest.mark.parametrize(
    ("start", "procedure", "inputs"),
    [
        (("good", "additive"), "compose_rollback", {"migrations": "down"}),
        (("good",), "compose_deploy", {"to": tag("additive")}),
    ],
)
def test_a_run_has_at_most_five_calls_of_a_module(
    lab: ComposeLab, start: tuple[str, ...], procedure: str, inputs: dict[str, str]
) -> None:
    lab.at(*start)
    run = lab.play(procedure, "-vvv", **inputs)
    assert run.green, run.text
    calls = re.findall(r"SSH: EXEC .*?python3", run.text)
    assert 0 < len(calls) <= 5, len(calls)
