"""Every recorded step of a real Dokku is typed on the simulator: it answers the same, or says loudly that it can't."""

from __future__ import annotations

from pathlib import Path

import pytest
import transcripts
from differences import KNOWN, REFUSED_AT_MOST
from stand import Stand, client_for

pytestmark = pytest.mark.usefixtures("demo_images")

# The recordings begin where these left the server.
BEFORE = dict.fromkeys(
    (
        "09-domains",
        "10-nginx",
        "11-resource",
        "11b-resource-failed-restart",
        "12-logs",
        "14-run-enter",
        "15-events-plugins",
        "18-letsencrypt",
    ),
    "08-deploy-base",
)

SERVICES = ("16-mysql", "17-redis")


@pytest.mark.skipif(transcripts.folder() is None, reason="no recordings: name their folder in DOKKU_TRANSCRIPTS")
@pytest.mark.parametrize("name", transcripts.names())
def test_a_transcript(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if name in SERVICES:
        request.getfixturevalue("service_images")
    # What was recorded was built by BuildKit, and the ids of its images show it.
    client = client_for("buildkit", tmp_path / "probe")
    if client is None:
        pytest.skip("no client of this machine builds with BuildKit")
    dokku = Stand(tmp_path / "server", client, "buildkit", plugins=False)
    replay = transcripts.Replay(dokku)
    counts = dict.fromkeys(("equal", "refused", "outside", "lost", "known"), 0)
    wrong = []
    try:
        for step in transcripts.steps(BEFORE[name]) if name in BEFORE else []:
            replay.run(step)
        for index, step in enumerate(transcripts.steps(name)):
            verdict = replay.verdict(step)
            if verdict not in counts and index in KNOWN.get(name, {}):
                verdict = "known"
            if verdict in counts:
                counts[verdict] += 1
            else:
                wrong.append(f"[{index}] {' '.join(step['argv'])}\n{verdict}")
    finally:
        dokku.remove()
    print(name, counts)
    assert not wrong, "\n\n".join(wrong)
    # What the simulator refuses is compared with nothing: no more of it than is known.
    assert counts["refused"] <= REFUSED_AT_MOST.get(name, 0), counts
