# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failure of a task whose text is written for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.loader import callback_loader


class Refused(AnsibleActionFail):  # type: ignore[misc]
    """Fails a task with lines to read, which Ansible shows once.

    Ansible shows a failed task twice: as an error, with an excerpt of the file that the task is from, and as its
    result, where a text of several lines is one line with the letters of `\\n` in it. Whoever reads a refusal did not
    write that file. Here the result has no exception, so that the first is left out, and the text has a shape that
    every callback shows one line below the other.

    refused: nothing was begun, for this reason. Otherwise something was done, or looked at, and is not well.
    """

    refused = False

    @property
    def result_contribution(self) -> Mapping[str, Any]:
        """The result of the task."""
        return {
            "failed": True,
            "msg": _lines(str(self._original_message)),
            "refused": self.refused,
            "_ansible_verbose_always": True,
        }

    @property
    def omit_exception_key(self) -> bool:
        return True


def _lines(text: str) -> str | list[str]:
    """A text as the callback shows it line by line, with each command as a person can copy it.

    JSON has a list of lines; YAML would put a line of a list between quotes, and double those in it, so there it is a
    block, which a line end makes.
    """
    # Its options are known once it is loaded. Others that show results have the same one.
    callback_loader.get("default", class_only=True)
    form = constants.config.get_config_value("result_format", plugin_type="callback", plugin_name="default")
    return f"{text}\n" if form == "yaml" else text.splitlines()
