"""Two operators on one stack: the second is told who is at work, and nothing of the first one's is disturbed."""

from __future__ import annotations

from compose_lab import ComposeLab, tag
from controller import Controller
from test_killed_at_work import begun, stands
from waiting import wait_for

UP = "compose.* up "


def test_the_second_operator_is_refused_by_name(lab: ComposeLab) -> None:
    lab.at("good")
    with Controller(lab.name, "compose_deploy", to=tag("additive"), reason="INC-1") as first:
        wait_for("containers are made anew", lambda: begun(lab, "up"))
        # It stands still until the other one has had his answer, on a slow machine too.
        lab.root(f"pkill -STOP -u deploy -f '{UP}'")
        try:
            second = lab.play("compose_rollback", to=tag("good"), reason="INC-2")
        finally:
            lab.root(f"pkill -CONT -u deploy -f '{UP}'")
        won = first.wait()
    assert won.green, won.text
    stands(lab, "additive")
    record = lab.ledger()[-1]
    assert (record["procedure"], record["outcome"], record["reason"]) == ("deploy", "succeeded", "INC-1")
    assert not second.green
    for told in ("lease_held", record["id"], "INC-1"):
        assert told in second.text, second.text
    # What was refused goes through once the first one is done.
    again = lab.play("compose_rollback", to=tag("good"), migrations="keep")
    assert again.green, again.text
    stands(lab, "good")
