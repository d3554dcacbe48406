"""Writes each file, or part of one, that follows from another file of this repository: `make generate`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from tools.generate import architecture, inventory, pages, periods, service_options  # noqa: E402

# Pages follow from argument specs, so those are written before.
for module in (service_options, periods, pages, inventory, architecture):
    for path, text in module.files():
        path.write_text(text, encoding="utf-8")
