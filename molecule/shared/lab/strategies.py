"""The ways in which a host keeps its releases, and how the lab's hosts are brought to each."""

from __future__ import annotations

from collections.abc import Callable

from lab import Run, counted_reset

STRATEGIES = ("in_place", "releases")


def inputs(strategy: str) -> dict[str, object]:
    """The inputs that are typed with every procedure if the releases are kept so."""
    return {} if strategy == "in_place" else {"laravel_strategy": strategy}


@counted_reset()
def bring(play: Callable[..., Run], strategy: str, *tags: str) -> None:
    """From the initial state, with the first release: adopt it, convert the hosts, deploy the other releases."""
    runs = [play("laravel_adopt")]
    if strategy == "releases":
        runs.append(play("laravel_convert"))
    runs += [play("laravel_deploy", to=tag, **inputs(strategy)) for tag in tags[1:]]
    for run in runs:
        assert run.green, run.text
