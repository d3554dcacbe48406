# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failure of a task whose text is written for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail


class Refused(AnsibleActionFail):  # type: ignore[misc]
    """Fails a task with lines to read, which Ansible shows once.

    Ansible shows a failed task twice: as an error, with an excerpt of the file that the task is from, and as its
    result, where a text of several lines is one line with the letters of `\\n` in it. Whoever reads a refusal did not
    write that file. Here the result has no exception, so that the first is left out, and the text is a list of lines,
    which every callback shows one below the other.

    refused: nothing was begun, for this reason. Otherwise something was done, or looked at, and is not well.
    """

    refused = False

    @property
    def result_contribution(self) -> Mapping[str, Any]:
        """The result of the task. `msg` is a list of lines."""
        return {
            "failed": True,
            "msg": str(self._original_message).splitlines(),
            "refused": self.refused,
            "_ansible_verbose_always": True,
        }

    @property
    def omit_exception_key(self) -> bool:
        return True
