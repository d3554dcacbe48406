"""The files of a service with other images in them, as far as they are read from the host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import files as compose_pins
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

API = "services:\n  api:\n    image: a/b:1\n"
JOBS = API.replace("api", "jobs")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"more/a.yaml": API.replace("api", "web"), "more/b.yaml": JOBS}, "; jobs is in more/b.yaml"),
        # Whose file can't be read may still have it.
        ({"more/a.yaml": "services: [", "more/b.yaml": API}, "and no pin is written into an included file"),
        ({}, "and no pin is written into an included file"),
    ],
)
def test_a_service_of_an_included_file_is_refused_with_its_file(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    (tmp_path / "more").mkdir()
    for name, text in {**files, "compose.yaml": "include:\n- more/a.yaml\n- path: more/b.yaml\n" + API}.items():
        (tmp_path / name).write_text(text)
    service = SimpleNamespace(
        description=SimpleNamespace(pin="file"),
        files=lambda: ["compose.yaml"],
        path=lambda name: str(tmp_path / name),
    )
    with pytest.raises(Problem) as caught:
        compose_pins.edited(service, {"jobs": "x/y:1"})  # type: ignore[arg-type]
    refusal = caught.value
    assert refusal.code == "service_included"
    assert "includes more/a.yaml, more/b.yaml" in refusal.text and refusal.text.endswith(said)
    assert refusal.ways[0][0] == "compose_pin=override"
