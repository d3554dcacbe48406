"""The screen of ansible.cfg, as a person has it."""

from __future__ import annotations

from lab import OPERATOR, Host, Run


def seen(lab: Host, procedure: str, *options: str, **inputs: object) -> Run:
    """Run a procedure with that screen, which shows none of Ansible's own lines."""
    run = lab.play(procedure, *options, screen=OPERATOR, **inputs)
    for unwanted in ("TASK [", "PLAY", "[ERROR]", "\\n", "Traceback", "censored"):
        assert unwanted not in run.text, run.text
    return run


def goes_back_once(lab: Host, procedure: str, **inputs: object) -> None:
    """A rollback to the only release before, and a second one, which is refused."""
    run = seen(lab, procedure, **inputs)
    assert run.green and f"{lab.name}: verified" in run.text, run.text
    assert [line for line in run.text.splitlines() if line.split()[:2] == [lab.name, "succeeded"]], run.text
    refused = seen(lab, procedure, **inputs)
    assert not refused.green and f"REFUSED on {lab.name} (nothing_before)" in refused.text, refused.text
    assert refused.text.count("Nothing was changed") == 1, refused.text
