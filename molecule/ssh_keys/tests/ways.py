"""Commands that a person types after a run without an end, as the run itself names them."""

from __future__ import annotations

from lab import Run
from ssh_keys_lab import World


def typed(text: str, way: str) -> dict[str, str]:
    """The inputs that a refusal names for one way on."""
    lines = [line.strip().split("  ")[0] for line in text.splitlines() if line.strip().startswith("-e ")]
    # A lease may have to be taken over first; the journal is judged then.
    line = next((line for line in lines if f"interrupted={way}" in line), None) or next(
        line for line in lines if "lock_takeover=" in line
    )
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def as_said(world: World, run: Run, **inputs: str) -> None:
    """Type what a run that is held says in its last lines, and come to the end."""
    assert "-e interrupted=resume goes on" in run.text and "interrupted=undo" not in run.text, run.text
    world.working()
    again = world.rotate(interrupted="resume", **inputs)
    assert again.green, again.text
    world.rotated()


def go_on(world: World, way: str) -> dict[str, str]:
    """As a person does: run it again, and give what the refusals name until there is none."""
    given: dict[str, str] = {}
    for _again in range(3):
        run = world.rotate(**given)
        world.working()
        if "REFUSED" not in run.text:
            assert run.green or way == "undo", run.text
            return given
        given |= typed(run.text, way)
    raise AssertionError(run.text)
