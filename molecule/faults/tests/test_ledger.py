"""The ledger is torn by a power cut, or edited by somebody."""

from __future__ import annotations

from collections.abc import Callable

from lab import STATE, Lab
from observer import code, settled, start


def test_last_line_is_cut(lab: Lab, row: Callable[..., None]) -> None:
    """A cut can only hit a line that was being written: nothing of it was promised to anybody."""
    start(lab, "v1.0.0", "v1.2.0")
    records = len(lab.ledger())
    lab.deploy(f"tail -n 1 {STATE}/ledger.jsonl | head -c 300 > /tmp/part; cat /tmp/part >> {STATE}/ledger.jsonl")
    run = lab.play("laravel_rollback", migrations="down")
    assert run.green, run.text
    assert lab.root(f"cat {STATE}/ledger.jsonl.torn-* | head -c 300 | cmp - /tmp/part && echo same") == "same"
    assert len(lab.ledger()) == records + 1
    settled(lab, "v1.0.0", "succeeded", "succeeded")
    row(
        "ledger",
        fault="the last line of the ledger is cut in half",
        when="before a rollback",
        holds="the next run continues; the torn bytes are kept as `ledger.jsonl.torn-<hash>`",
        outcome="succeeded, v1.0.0",
        command="`laravel_rollback` -e migrations=down",
        mutation="a torn line counts as damage (`ledger.parse`)",
    )


def test_line_in_the_midst_is_edited(lab: Lab, row: Callable[..., None]) -> None:
    start(lab, "v1.0.0", "v1.2.0")
    lab.deploy(f"sed -i '1s/succeeded/failed/' {STATE}/ledger.jsonl")
    before = lab.fingerprint()
    refused = lab.play("laravel_rollback", migrations="down")
    assert code(refused) == "ledger_damaged"
    assert lab.fingerprint() == before
    assert lab.version() == "1.2.0"
    adopted = lab.play("laravel_adopt", set_aside_ledger="true")
    assert adopted.green, adopted.text
    assert lab.root(f"grep -c failed {STATE}/ledger.jsonl.damaged-*") == "1"
    settled(lab, "v1.2.0", "succeeded")
    row(
        "ledger",
        fault="a line in the middle of the ledger is edited",
        when="before a rollback",
        holds="no decision uses an edited ledger, and not one byte is changed",
        outcome="refused (ledger_damaged); then verified, v1.2.0, with a new ledger; the old one is kept",
        command="`laravel_adopt` -e set_aside_ledger=true",
        mutation="a hash that does not fit is accepted (`ledger.parse`)",
    )
