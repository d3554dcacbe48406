"""The next step about a container is one that can help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis.judge import Seen
from ansible_collections.ops.runbook.plugins.module_utils.compose.diagnosis.next_steps import of_container
from ansible_collections.ops.runbook.plugins.module_utils.compose.typed_line import Lines

EXITED = Seen("shop-jobs-1", "jobs", "exited")
LINES = Lines("cd /srv/shop && sudo docker compose", "sudo docker")
LOGS = "cd /srv/shop && sudo docker compose logs --tail 50 jobs"
FAILED = f"{LOGS}: to start it again changes nothing before its cause is mended"
START = "cd /srv/shop && sudo docker compose up -d jobs"
LOST = ("INFO  [alembic]", "FAILED: Can't locate revision identified by 'a2'")

STEPS = {
    "none": (None, False, False, START),
    "made and not started": (replace(EXITED, state="created"), False, False, START),
    "stopped": (EXITED, False, False, START),
    "stopped by a signal": (replace(EXITED, exit_code=143), False, False, START),
    "killed": (replace(EXITED, exit_code=137), False, False, START),
    "failed": (replace(EXITED, exit_code=1), False, False, FAILED),
    "a one-shot that failed": (replace(EXITED, exit_code=1), True, False, FAILED),
    "a one-shot that was killed": (replace(EXITED, exit_code=137), True, False, FAILED),
    "a one-shot of another build": (
        replace(EXITED, exit_code=255, log=LOST),
        True,
        True,
        "name jobs in compose_images, so that the next compose_deploy brings it along",
    ),
    "an old image on a newer database": (
        replace(EXITED, state="restarting", exit_code=255, log=LOST),
        False,
        False,
        "compose_deploy with a release whose image has the migration a2",
    ),
    "out of memory": (
        replace(EXITED, exit_code=137, oom_killed=True),
        False,
        False,
        "give jobs more memory in the compose file, or find what fills it: sudo docker stats",
    ),
    "a port that is taken": (
        replace(EXITED, state="created", error="listen tcp4 0.0.0.0:8080: bind: address already in use"),
        False,
        False,
        f"ss -ltnp sport = :8080 shows what has that port; stop it, then {START}",
    ),
    "a port of another container": (
        replace(EXITED, state="created", error="Bind for 0.0.0.0:8080 failed: port is already allocated"),
        False,
        False,
        f"ss -ltnp sport = :8080 shows what has that port; stop it, then {START}",
    ),
    "no such command": (
        replace(EXITED, state="created", exit_code=127, error="exec: x: not found"),
        False,
        False,
        FAILED,
    ),
    "paused": (replace(EXITED, state="paused"), False, False, "cd /srv/shop && sudo docker compose unpause jobs"),
    "starts again and again": (replace(EXITED, state="restarting", exit_code=1), False, False, ""),
    "unhealthy": (replace(EXITED, state="running", health="unhealthy"), False, False, ""),
}


@pytest.mark.parametrize(("seen", "once", "left_behind", "step"), STEPS.values(), ids=STEPS)
def test_a_next_step(seen: Seen | None, once: bool, left_behind: bool, step: str) -> None:
    assert of_container("jobs", seen, once, left_behind, LINES) == step
