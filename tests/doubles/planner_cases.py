# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of a planner, one file each: the facts of a host, and the plan or the refusal that they lead to.

A case has exactly the facts that the decision takes: a fact that is missing fails the test, and so does one that the
decision never asked for. That holds a plan to the questions that it needs.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.ops.runbook.plugins.module_utils.guard.facts import Unread, decided
from ansible_collections.ops.runbook.plugins.module_utils.guard.ledger import Ledger
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_choice import History, history
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

_MAPPINGS = ("facts", "wish", "service")
KEYS = {"like", "check_mode", "wish", "service", "facts", "history", "asked", "plan", "refusal"}


def files(folder: Path) -> list[Any]:
    """The parameters of a test, one for each case of a folder."""
    found = sorted(folder.glob("*.yml"))
    assert found, f"no case in {folder}"
    return [pytest.param(path, id=path.stem) for path in found]


@dataclass(frozen=True)
class Case:
    """A case as its file has it; see the README.md of its folder for the keys."""

    name: str
    raw: Mapping[str, Any]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The ledger of the host, the oldest record first."""
        return list(_long(self.raw.get("history") or ()))

    @property
    def ledger(self) -> Ledger:
        return Ledger(records=tuple(self.records))

    @property
    def past(self) -> History:
        return history(self.records)

    def build(self, kind: Any, key: str) -> Any:
        """The value of a key as the decision takes it."""
        return build(kind, _long(self.raw.get(key) or {}))

    def holds(self, facts: type, decide: Callable[[Any], Mapping[str, Any]]) -> None:
        """Assert that a decision over the facts of the case comes to its plan or its refusal."""
        raw = _long(self.raw["facts"])
        asked: list[str] = []
        hints = typing.get_type_hints(facts)

        def read(_facts: Any, question: Unread) -> Any:
            asked.append(str(question))
            found, kind = raw.get(question.name), hints[question.name]
            if question.keys and isinstance(found, Mapping) and set(question.keys) <= set(found):
                return build(kind, {key: found[key] for key in question.keys})
            if question.keys or found is None:
                pytest.fail(f"{self.name}: the decision asks for {str(question)!r}, and the case has no such fact")
            return build(kind, found)

        given = {one.name for one in fields(facts) if one.default is MISSING and one.default_factory is MISSING}
        try:
            found, _facts = decided(decide, build(facts, {name: raw[name] for name in given}), read)
        except Problem as refused:
            assert "refusal" in self.raw, f"{self.name}: refused: {plain(refused)}"
            assert _short(plain(refused)) == {"ways": [], "details": [], "touched": False, **self.raw["refusal"]}
        else:
            assert "plan" in self.raw, f"{self.name}: not refused"
            wanted = self.raw["plan"]
            assert {name: _short(shown(name, found.get(name))) for name in wanted} == wanted
        taken = {(name, key) for name, *keys in map(str.split, asked) for key in keys or [""]}
        keyed = {name for name, key in taken if key}
        has = {(name, key) for name, value in raw.items() for key in (value if name in keyed else [""])}
        unused = sorted(f"{name} {key}" for name, key in has - taken if name not in given)
        assert not unused, f"{self.name}: facts that no decision asked for: {unused}"
        if "asked" in self.raw:
            assert [question.split()[0] for question in asked] == self.raw["asked"]


def case(path: Path) -> Case:
    """Read a case. One that is `like` another has what that one has, but for what it says itself."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(raw) <= KEYS, f"{path.name}: unknown keys {sorted(set(raw) - KEYS)}"
    if "like" in raw:
        like = dict(case(path.with_name(f"{raw['like']}.yml")).raw)
        for outcome in ("plan", "refusal", "asked", "check_mode"):
            like.pop(outcome, None)
        merged = {name: {**like.get(name, {}), **raw.get(name, {})} for name in _MAPPINGS if name in {*like, *raw}}
        merged = {name: {key: one for key, one in value.items() if one is not None} for name, value in merged.items()}
        raw = {**like, **raw, **merged}
    return Case(path.stem, raw)


def build(kind: Any, raw: Any) -> Any:
    """A value of a type from what YAML has: the opposite of `plain`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _one_of([one for one in arguments if one is not type(None)], raw)
    if raw is None or kind is Any:
        return raw
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        assert isinstance(raw, Mapping), f"{kind.__name__} is a mapping, and not {raw!r}"
        return kind(**{name: build(hints[name], value) for name, value in raw.items()})
    if origin is tuple and arguments[-1:] != (...,):
        return tuple(build(one, value) for one, value in zip(arguments, raw, strict=True))
    if origin is tuple:
        return tuple(build(arguments[0], value) for value in raw)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {name: build(arguments[1], value) for name, value in raw.items()}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return [build(arguments[0], value) for value in raw]
    return raw


def _one_of(kinds: Sequence[Any], raw: Any) -> Any:
    """Of several dataclasses the one that has all the keys."""
    if len(kinds) == 1:
        return build(kinds[0], raw)
    fitting = [kind for kind in kinds if set(raw) <= {one.name for one in fields(kind)}]
    assert len(fitting) == 1, f"{sorted(raw)} are fields of {len(fitting)} of {kinds}"
    return build(fitting[0], raw)


def plain(value: Any) -> Any:
    """A value as YAML has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def shown(name: str, value: Any) -> Any:
    """A part of a plan as a case has it, without what goes without saying."""
    if name == "migrations":
        return {key: one for key, one in plain(value).items() if one} if value else None
    if name not in ("steps", "undo", "afterwards"):
        return plain(value)
    left_out = {"repeatable": True, "data": {}}
    return [{key: one for key, one in plain(step).items() if left_out.get(key) != one} for step in value or ()]


def _long(value: Any) -> Any:
    """A value whose short digests, such as sha256:b2, are as long as real ones."""
    return _replaced(re.compile(r"sha256:([0-9a-f]{1,40})(?![0-9a-f])"), lambda found: f"sha256:{found[1]:0<64}", value)


def _short(value: Any) -> Any:
    """The opposite of `_long`."""
    return _replaced(re.compile(r"sha256:([0-9a-f]*?)0{20,}"), lambda found: f"sha256:{found[1]}", value)


def _replaced(pattern: re.Pattern[str], by: Callable[[re.Match[str]], str], value: Any) -> Any:
    if isinstance(value, str):
        return pattern.sub(by, value)
    if isinstance(value, Mapping):
        return {_replaced(pattern, by, key): _replaced(pattern, by, one) for key, one in value.items()}
    return [_replaced(pattern, by, one) for one in value] if isinstance(value, (list, tuple)) else value
