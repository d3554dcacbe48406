# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the modules of GitHub reach it, and what they all return."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - Address of the API; of a GitHub Enterprise Server C(https://<host>/api/v3).
    type: str
    default: https://api.github.com
  token:
    description:
      - A token with the permissions that C(docs/systems/github.md) names for this module.
      - Where it is not given, E(GITHUB_TOKEN) or E(GH_TOKEN) of the environment is taken. It is sent to the host of
        O(api_url) and to no other, also where GitHub redirects there.
    type: str
  timeout:
    description:
      - Seconds after which one request counts as lost.
    type: float
    default: 30
  patience:
    description:
      - Seconds that may be waited in all for GitHub's limits, or for GitHub to come back. Reads are then repeated. A
        write is repeated only where GitHub said that it did not carry it out.
    type: float
    default: 300
  validate_certs:
    description:
      - Whether the certificate of the API is verified.
    type: bool
    default: true
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
  - It runs where it is called; C(delegate_to=localhost) is what one wants.
  - A written setting is read back. An answer of GitHub without an error is not a proof.
"""

    REPOSITORY = r"""
options:
  repository:
    description:
      - The repository as C(owner/name).
    type: str
    required: true
"""

    RECORD = r"""
options:
  record_dir:
    description:
      - Folder of the machine that the module runs on. The ledger of the repository is in C(github/<owner>/<name>) below
        it, with its lease and its journal, as M(ops.runbook.operation_history_info) reads them. It holds who changed
        what and why, and GitHub's ids of the requests, and never what was sent.
      - While one run changes a repository, another one with the same folder waits for a minute and then refuses.
      - Empty records nothing.
    type: path
    default: ""
  reason:
    description:
      - The reason, for the record.
    type: str
    default: ""
  launched_by:
    description:
      - The variables by which AWX says who launched the job, C(awx_job_id) and C(awx_user_name). Without them it is who
        runs the play, or whom the environment of a CI system names.
    type: dict
    default: {}
"""
