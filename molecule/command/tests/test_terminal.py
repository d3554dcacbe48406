"""The picture on a terminal during a step that takes long."""

from __future__ import annotations

import pytest
from lab import APP, STATE, Lab
from terminal import terminal

SLOW = "/usr/local/bin/lab-slow"
#: The step takes as long as the test looks at it.
HELD = "for turn in $(seq 6000); do [ -e /tmp/lab-held ] || break; sleep 0.1; done"


@pytest.mark.core("deploy", "screen", "canary")
def test_a_terminal_has_the_last_line_of_a_long_step(lab: Lab) -> None:
    """The key of the application is printed by the step, and is nowhere on the screen."""
    lab.at("v1.0.0")
    key = lab.root(f"sed -n 's/^APP_KEY=//p' {APP}/.env")
    said = f'echo "warming 1 of 2"; echo "with key $(cat .env | sed -n s/^APP_KEY=//p)"; {HELD}'
    lab.root(f"touch /tmp/lab-held; cat > {SLOW} <<'END'\n#!/bin/sh\n{said}\nEND\nchmod 755 {SLOW}")
    with terminal(lab, "laravel_deploy", to="v1.1.0", laravel_extra_commands=[SLOW]) as screen:
        screen.shows(r"lab-slow: with key \*{8}")
        assert lab.root(f"stat -c %a:%U {STATE}/last_line") == "600:deploy"
        lab.root("rm /tmp/lab-held")
        assert screen.ends() == 0, screen.seen
    assert key not in screen.seen and len(key) > 20
    assert "last_line" not in lab.root(f"ls {STATE}")
