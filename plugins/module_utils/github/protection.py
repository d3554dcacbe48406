# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository as a whole: every setting is read and planned before the first one is written.

An audit continues after a setting that can't be read, and says so in its row. A change does not begin if one setting
can't be read or must not be made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.desired_state import state as desired_state
from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHub, GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.secret import Secret, SecretPresent, Wanted
from ansible_collections.ops.runbook.plugins.module_utils.github.state import Plan, State

#: State of a row: as wanted; not as wanted; not as wanted and not to be mended here; not known; worth knowing.
SAME, DIFFERS, MISSING, UNKNOWN, NOTE = "same", "differs", "missing", "unknown", "note"


@dataclass(frozen=True)
class Setting:
    """One wanted setting: what it is of (branch, ruleset, environment, security), which one, and its state."""

    kind: str
    name: str
    state: State[Any]


@dataclass(frozen=True)
class SecretName:
    """A secret that must be there; which value it has GitHub tells nobody."""

    name: str
    environment: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: str
    name: str
    level: str
    subject: str = ""
    before: str = ""
    after: str = ""
    code: str = ""
    ways: Sequence[tuple[str, str]] = ()

    def record(self) -> dict[str, Any]:
        ways = [{"input": what, "effect": effect} for what, effect in self.ways]
        return {**asdict(self), "ways": ways}


@dataclass(frozen=True)
class Survey:
    """The settings as they were read. settings: with the plan of each, None for one that could not be read."""

    settings: tuple[tuple[Setting, Plan | None], ...] = ()
    rows: tuple[Row, ...] = ()

    @property
    def differs(self) -> bool:
        return any(plan and plan.changes for _setting, plan in self.settings)

    @property
    def unknown(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.level == UNKNOWN)

    @property
    def missing(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.level == MISSING)


def distinct(settings: Sequence[Setting]) -> Sequence[Setting]:
    """Settings of which none is wanted twice. Raises GitHubError."""
    names = [(one.kind, one.name) for one in settings]
    for kind, name in names:
        if names.count((kind, name)) > 1:
            raise GitHubError("bad_input", f"{kind} {name} is wanted twice", [(kind, "say once how it is to be")])
    return settings


def rows_of(setting: Setting, plan: Plan) -> tuple[Row, ...]:
    """The lines of one setting. Pure."""
    changes = tuple(
        Row(setting.kind, setting.name, DIFFERS, change.subject, change.before, change.after) for change in plan.changes
    )
    notes = tuple(Row(setting.kind, setting.name, NOTE, after=warning) for warning in plan.warnings)
    return (*(changes or (Row(setting.kind, setting.name, SAME),)), *notes)


def trouble(kind: str, name: str, error: GitHubError) -> Row:
    """The line of what can't be read, or must not be made so."""
    return Row(kind, name, UNKNOWN, after=str(error), code=error.code, ways=error.ways)


def survey(github: GitHub, repository: str, settings: Sequence[Setting], secrets: Sequence[SecretName]) -> Survey:
    """Read everything, write nothing. Raises GitHubError only for what holds for all of it, such as a bad token."""
    planned: list[tuple[Setting, Plan | None]] = []
    rows: list[Row] = []
    for setting in distinct(settings):
        try:
            plan = setting.state.plan(setting.state.read(github))
        except GitHubError as error:
            if error.code in ("bad_token", "unreachable", "rate_limited", "unavailable"):
                raise
            planned.append((setting, None))
            rows.append(trouble(setting.kind, setting.name, error))
        else:
            planned.append((setting, plan))
            rows += rows_of(setting, plan)
    rows += [_secret(github, repository, one) for one in secrets]
    return Survey(tuple(planned), tuple(rows))


def _secret(github: GitHub, repository: str, wanted: SecretName) -> Row:
    name = f"{wanted.name} of {wanted.environment}" if wanted.environment else wanted.name
    try:
        found: SecretPresent = Secret(
            Wanted(name=wanted.name, repository=repository, environment=wanted.environment)
        ).read(github)
    except GitHubError as error:
        if error.code == "environment_missing":
            return Row("secret", name, MISSING, "secret", "", "set", error.code, error.ways)
        return trouble("secret", name, error)
    if not found.updated:
        way = ("ops.runbook.github_secret", "sets it; its value is known to nobody here")
        return Row("secret", name, MISSING, "secret", "", "set", "secret_missing", (way,))
    return Row("secret", name, SAME, "secret", f"last written {found.updated}")


def refuse(repository: str, found: Survey) -> None:
    """Refuse a change where a setting is not known: a repository half brought to its state is not protected."""
    if not found.unknown:
        return
    first = found.unknown[0]
    raise GitHubError(
        first.code,
        f"{len(found.unknown)} settings of {repository} can't be brought to their state: "
        + "; ".join(f"{row.kind} {row.name}: {row.after}" for row in found.unknown),
        tuple(dict.fromkeys(way for row in found.unknown for way in row.ways)),
    )


def bring(github: GitHub, found: Survey) -> tuple[list[str], list[str]]:
    """Bring to its state what differs. Gives the requests that changed something, and warnings. Raises GitHubError."""
    requests: list[str] = []
    warnings: list[str] = []
    todo = [setting for setting, plan in found.settings if plan and plan.changes]
    for number, setting in enumerate(todo):
        try:
            brought = desired_state.bring(github, setting.state)
        except GitHubError as error:
            raise _stopped(error, setting, todo[:number], todo[number + 1 :]) from None
        requests += [write.line() for write in brought.plan.acts]
        warnings += [text for text in brought.warnings if text not in brought.plan.warnings]
    return requests, warnings


def _stopped(error: GitHubError, at: Setting, done: Sequence[Setting], left: Sequence[Setting]) -> GitHubError:
    """An error in the midst of it, with what is done and what is left."""
    text = f"{at.kind} {at.name}: {error}"
    if done:
        text += f". Done before it: {_listed(done)}"
    if left:
        text += f". Not begun: {_listed(left)}"
    ways = (*error.ways, ("the same again", "does what is left"))
    return replace(error, text=text, ways=ways, touched=error.touched or bool(done))


def _listed(settings: Sequence[Setting]) -> str:
    return ", ".join(f"{one.kind} {one.name}" for one in settings)


def counted(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Number of settings by state; one with several differences counts once. Pure."""
    found: dict[str, set[tuple[str, str]]] = {level: set() for level in (SAME, DIFFERS, MISSING, UNKNOWN, NOTE)}
    for row in rows:
        found[row["level"]].add((row["kind"], row["name"]))
    return {level: len(names) for level, names in found.items()}
