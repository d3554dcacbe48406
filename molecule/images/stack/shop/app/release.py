"""The release of this image, from its release.json."""

from __future__ import annotations

import json
from pathlib import Path

RELEASE: dict[str, str] = json.loads(Path(__file__).with_name("release.json").read_text())
