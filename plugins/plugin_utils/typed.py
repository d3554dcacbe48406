# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Extra variables, with the texts of their files."""

from __future__ import annotations

import os
from typing import Any

from ansible import context
from ansible.utils.vars import load_extra_vars

from ansible_collections.ops.runbook.plugins.module_utils.console import written
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml


def extra(loader: Any) -> dict[str, Any]:
    """The extra variables of this run, each number, date and truth in them as the text that was written.

    loader: that of the run; it decrypts files.
    """
    known: dict[str, Any] = load_extra_vars(loader)
    if written.is_text(known):
        return known
    sources = _sources(loader)
    return {name: written.as_written(found, sources.get(name)) for name, found in known.items()}


def value(loader: Any, name: str, found: Any) -> Any:
    """The value of a variable as a person wrote it, if they gave it as an extra variable.

    found: its value in the play
    """
    if written.is_text(found) or name not in load_extra_vars(loader):
        return found
    return extra(loader)[name]


def _sources(loader: Any) -> dict[str, Any]:
    """Names and texts in the files and documents behind C(-e); of one name the last text."""
    found: dict[str, Any] = {}
    for option in context.CLIARGS.get("extra_vars") or ():
        text = str(option)
        if text.startswith("@") and not os.path.isfile(loader.path_dwim(text[1:])):
            # A pipe was read to its end, and may have had any of the names.
            found.clear()
        elif text.startswith(("@", "{", "[")):
            text = loader.get_text_file_contents(text[1:]) if text.startswith("@") else text
            document = written.read(text, plain_yaml.load_texts)
            found.update(document if isinstance(document, dict) else {})
    return found
