# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes and notes of the modules of one part of a Dokku app, and the options of a restart.

The fragment `dokku.call` has the options by which they call dokku.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Returns what differs, without values that are secret.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
notes:
  - The present state is read from the reports of C(dokku) in JSON, and read again after a change. An exit code of 0
    is not a proof, and an error that C(dokku) prints with an exit code of 0 counts as one.
"""

    REDEPLOY = r"""
options:
  redeploy:
    description:
      - Restart the app after a change, so that its containers take it. Problem where C(dokku/APP:latest) is not what
        runs, because a deploy failed since. An app that is stopped stays stopped.
      - Without it the change waits for the next deploy or restart.
    type: bool
    default: false
  deadline:
    description:
      - For O(redeploy=true), seconds in which all containers must run once the restart has ended.
    type: float
    default: 60
"""
