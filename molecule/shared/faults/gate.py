"""A gate on the host that holds an operation at one place."""

from __future__ import annotations

from lab import Lab
from waiting import wait_for

GATE = "/usr/local/bin/lab-gate"
GATES = {
    # As a step of its own, before PHP, and before Composer.
    "extra": {"laravel_extra_commands": [GATE]},
    "php": {"laravel_php": f"{GATE}-php"},
    "composer": {"laravel_composer": f"{GATE}-composer"},
}
SCRIPT = r"""#!/bin/bash
# Whoever comes while there is /tmp/gate/closed says so, and waits until it is gone.
if [ -e /tmp/gate/closed ]; then
    touch /tmp/gate/waiting
    for _ in $(seq 12000); do [ -e /tmp/gate/closed ] || break; sleep 0.05; done
fi
"""


class Gate:
    """Holds an operation on the host at one place, until it is opened."""

    def __init__(self, lab: Lab, place: str) -> None:
        self.lab, self.inputs = lab, GATES[place]

    def __enter__(self) -> Gate:
        scripts = {"": "exit 0", "-php": 'exec php "$@"', "-composer": 'exec composer "$@"'}
        for suffix, end in scripts.items():
            self.lab.root(f"cat > {GATE}{suffix} <<'END'\n{SCRIPT}{end}\nEND\nchmod 755 {GATE}{suffix}")
        self.lab.root("rm -rf /tmp/gate; install -d -m 1777 /tmp/gate; touch /tmp/gate/closed")
        return self

    def __exit__(self, *_problem: object) -> None:
        self.open()

    def reached(self) -> None:
        wait_for(
            "an operation at the gate",
            lambda: self.lab.root("ls /tmp/gate", check=False),
            lambda seen: "waiting" in seen,
        )

    def open(self) -> None:
        self.lab.root("rm -rf /tmp/gate")
