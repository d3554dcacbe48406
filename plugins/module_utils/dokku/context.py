# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of a procedure on an app of Dokku; guard/procedure.py has the contract."""

from __future__ import annotations

from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure

Context = procedure.Context[DokkuService]
