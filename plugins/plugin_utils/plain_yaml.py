# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML as plain data, without what Ansible adds to it."""

from __future__ import annotations

from typing import Any

import yaml

#: The parser in C, where there is one, takes a tenth of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXTS = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def load(text: str) -> Any:
    """The document in a text. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_LOADER)


def load_texts(text: str) -> Any:
    """The same with each number, date, truth and null as the text that is written there."""
    # The parser in C takes no subclass of str, as Ansible has them.
    return yaml.load(text.encode(), Loader=_TEXTS)
