"""The effects of a rollback and of a deploy on people who use the service."""

from __future__ import annotations

import itertools
import os
from typing import Any

import pytest
from lab import Lab
from strategies import STRATEGIES, bring, inputs
from traffic import Change, Release, Report, Traffic, published_port

# What is in place is known to disturb: fewer requests tell how much, and LOAD_REQUESTS asks for more.
REQUESTS = {"in_place": int(os.environ.get("LOAD_REQUESTS", "2000")), "releases": 5000}
START = ("v1.0.0", "v1.1.0", "v1.7.0")
# Two rollbacks and two deploys; two of the four change vendor/ as well.
CYCLE = (
    ("laravel_rollback", "v1.7.0", "v1.1.0"),
    ("laravel_rollback", "v1.1.0", "v1.0.0"),
    ("laravel_deploy", "v1.0.0", "v1.1.0"),
    ("laravel_deploy", "v1.1.0", "v1.7.0"),
)


def start(lab: Lab, strategy: str) -> None:
    if strategy == "in_place":
        lab.at(*START)
    else:
        lab.reset()
        bring(lab.play, strategy, *START)


def release(lab: Lab, tag: str) -> Release:
    return Release(tag.removeprefix("v"), lab.id(tag))


def told(report: Report) -> str:
    lines = [str(report.figures())]
    for seen in report.changes:
        lines.append(
            f"{seen.change.name}: {seen.requests} requests, lost {len(seen.lost)}, wrong {len(seen.wrong)}, "
            f"turned away {len(seen.away)}, window {seen.window}, switched {seen.switched}"
        )
        lines += [f"  {answer}" for answer in (*seen.lost, *seen.wrong)[:5]]
    return "\n".join(lines)


def during(change: Change, moment: float) -> bool:
    return change.began <= moment <= change.ended


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_traffic_over_rollbacks_and_deploys(lab: Lab, figures: dict[str, Any], strategy: str) -> None:
    start(lab, strategy)
    releases = {tag: release(lab, tag) for tag in START}
    with Traffic(published_port(lab.name)) as traffic:
        for procedure, old, new in itertools.cycle(CYCLE):
            if len(traffic.answers) >= REQUESTS[strategy] and len(traffic.changes) >= len(CYCLE):
                break
            with traffic.change(f"{procedure} to {new}", releases[old], releases[new]):
                run = lab.play(procedure, to=new, **inputs(strategy))
            assert run.green, run.text
        traffic.settle()
    report = traffic.report()
    figures[strategy] = report.figures()
    print(told(report))
    assert report.total >= REQUESTS[strategy]
    for seen in report.changes:
        assert seen.switched is not None, told(report)
        for answer in (*seen.lost, *seen.wrong):
            assert during(seen.change, answer.sent), told(report)
        assert not seen.away, told(report)
    if strategy == "releases":
        assert not report.lost, told(report)
        assert not report.wrong, told(report)


def test_traffic_over_a_rollback_behind_the_maintenance_page(lab: Lab, figures: dict[str, Any]) -> None:
    start(lab, "in_place")
    old, new = release(lab, "v1.7.0"), release(lab, "v1.1.0")
    with Traffic(published_port(lab.name)) as traffic:
        with traffic.change("maintenance, rollback, up", old, new):
            runs = [
                lab.play("laravel_maintenance", state="down", retry=60),
                lab.play("laravel_rollback"),
                lab.play("laravel_maintenance", state="up"),
            ]
        traffic.settle()
    for run in runs:
        assert run.green, run.text
    report = traffic.report()
    figures["maintenance"] = report.figures()
    print(told(report))
    (seen,) = report.changes
    assert seen.away, told(report)
    assert seen.switched is not None, told(report)
    assert not seen.wrong, told(report)
    for answer in (*seen.lost, *seen.away):
        assert during(seen.change, answer.sent), told(report)
