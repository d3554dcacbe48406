# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that settles something ends in one way."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.desired_state.module import run
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem


class Ended(Exception):
    pass


class Module:
    def __init__(self) -> None:
        self.said: list[Any] = []

    def warn(self, warning: str) -> None:
        self.said.append(warning)

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        raise Ended("failed", {"msg": msg, **result})

    def exit_json(self, **result: Any) -> NoReturn:
        raise Ended("ended", result)


def settled() -> dict[str, Any]:
    return {"changed": True, "warnings": ["mind the dial"]}


def refused() -> dict[str, Any]:
    raise Problem("refused", "not today", [("tomorrow", "works")])


def test_a_result_has_no_warnings_beside_those_that_are_shown() -> None:
    module = Module()
    with pytest.raises(Ended) as end:
        run(module, settled, invocation={})
    assert end.value.args == ("ended", {"invocation": {}, "changed": True}) and module.said == ["mind the dial"]


def test_a_result_needs_no_warnings() -> None:
    with pytest.raises(Ended) as end:
        run(Module(), lambda: {"changed": False})
    assert end.value.args == ("ended", {"changed": False})


def test_a_problem_is_told_with_its_code_and_its_ways() -> None:
    with pytest.raises(Ended) as end:
        run(Module(), refused, invocation={})
    ways = [{"input": "tomorrow", "effect": "works"}]
    said = {
        "invocation": {},
        "msg": "not today. Nothing was changed. tomorrow: works.",
        "code": "refused",
        "ways": ways,
    }
    assert end.value.args == ("failed", said)
