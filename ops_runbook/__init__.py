# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `ops-runbook`: procedures of the collection for a person on a bastion and for a job of CI."""

from __future__ import annotations

import sys
from pathlib import Path

#: The namespace folder of a checkout; an installed package finds the collection beside itself.
_LINKS = Path(__file__).resolve().parents[1] / "collections"

if (_LINKS / "ansible_collections/ops/runbook/galaxy.yml").is_file() and str(_LINKS) not in sys.path:
    sys.path.insert(0, str(_LINKS))
