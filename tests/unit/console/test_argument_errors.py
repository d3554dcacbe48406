# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value of a wrong type in the inventory is named with what to write, and without Python's words for it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.ops.runbook.plugins.module_utils.console import argument_errors

SPEC: dict[str, dict[str, Any]] = {
    "shop_keep": {"type": "int"},
    "shop_images": {"type": "dict"},
    "shop_units": {"type": "list", "elements": "str"},
    "shop_token": {"type": "int", "no_log": True},
    "shop_health": {
        "type": "list",
        "elements": "dict",
        "options": {
            "url": {"type": "str"},
            "deadline": {"type": "float"},
            "codes": {"type": "list", "elements": "int"},
        },
    },
}
#: What the inventory has -> what is said of it.
SAID: dict[str, tuple[str, Any, str]] = {
    "a list for a number": (
        "shop_keep",
        ["a"],
        "shop_keep is '['a']'; it must be a whole number. Write shop_keep: <a whole number> in the inventory",
    ),
    "true for a mapping": (
        "shop_images",
        True,
        "shop_images is 'true'; it must be a mapping of names to values. "
        "Write shop_images: <a mapping of names to values> in the inventory",
    ),
    "a text for a list of mappings": (
        "shop_health",
        "http://x",
        "shop_health has an entry that is a text; each of its entries must be a mapping of names to values. "
        "Write shop_health: [<a mapping of names to values>, …] in the inventory",
    ),
    "a mapping for a list": (
        "shop_units",
        {"a": 1},
        "shop_units is '{'a': 1}'; it must be a list. Write shop_units: <a list> in the inventory",
    ),
    "a field of an entry": (
        "shop_health",
        [{"url": "http://x", "deadline": "soon"}],
        "deadline of shop_health is a text; it must be a number. Correct shop_health in the inventory",
    ),
    "an entry of a field of an entry": (
        "shop_health",
        [{"url": "http://x", "codes": ["ok"]}],
        "codes of shop_health has an entry that is a text; each of its entries must be a whole number. "
        "Correct shop_health in the inventory",
    ),
    "a secret": (
        "shop_token",
        "CANARY-7",
        "shop_token is a text; it must be a whole number. Write shop_token: <a whole number> in the inventory",
    ),
}


@pytest.mark.parametrize(("name", "value", "said"), SAID.values(), ids=SAID)
def test_a_value_of_a_wrong_type(name: str, value: Any, said: str) -> None:
    """By the words of the Ansible that is installed, which its versions may change."""
    messages = ArgumentSpecValidator(SPEC).validate({name: value}).error_messages
    assert messages
    assert argument_errors.sentences(messages, SPEC, {name: value}) == [said]


def test_a_template_is_not_shown_for_its_value() -> None:
    messages = ArgumentSpecValidator(SPEC).validate({"shop_keep": ["a"]}).error_messages
    assert argument_errors.sentences(messages, SPEC, {"shop_keep": "{{ x + 1 }}"})[0].startswith(
        "shop_keep is a list; it"
    )


def test_a_forwarded_option_has_its_name_in_the_inventory() -> None:
    messages = ArgumentSpecValidator(SPEC).validate({"shop_keep": ["a"]}).error_messages
    for template in ("{{ store_keep | default([]) }}", "{{ store_keep }}"):
        assert argument_errors.sentences(messages, SPEC, {"shop_keep": template}) == [
            "store_keep is a list; it must be a whole number. Write store_keep: <a whole number> in the inventory"
        ]


def test_a_failure_without_a_type_is_shown_unchanged() -> None:
    message = "value of shop_state must be one of: on, off, got: <class 'str'>"
    assert argument_errors.sentences([message, message], {}, {}) == ["value of shop_state must be one of: on, off, got"]
