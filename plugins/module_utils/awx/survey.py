# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The survey of a job template, from the inputs of its procedure.

AWX gives the default of a question to the job as a value, the empty one too, and an answer that was left blank as an
empty text. So a question must be worded such that what comes of it is what a person means who types nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Input, Procedure

#: AWX's word for a type of Ansible. Lists and what may be either are typed with commas between, as on a command line.
QUESTIONS = {"int": "integer", "float": "float", "dict": "textarea"}
SWITCH = ["false", "true"]
#: Inputs that name a file on the controller. The job's container is thrown away with its files, so these are not asked:
#: what is read comes by a credential, and what is written is in the job's output.
FILES = ("backup_from", "backup_key_file", "bundle", "fetch_to", "output", "values_file")


class SurveyError(ValueError):
    """An input that no question of AWX can ask."""


def asked(inputs: Iterable[Input]) -> list[Input]:
    return [one for one in inputs if one.name not in FILES]


def survey(procedure: Procedure, without: Iterable[str] = ()) -> dict[str, Any]:
    """The survey as AWX takes it; empty where nothing is asked.

    :param without: inputs that are settled already
    """
    spec = [question(one) for one in asked(procedure.inputs) if one.name not in without]
    return {"name": procedure.title, "description": procedure.section, "spec": spec} if spec else {}


def question(one: Input) -> dict[str, Any]:
    """One question. Whether it is required, what it begins with and what it lets through belong together."""
    if one.computed and not one.empty_is_none:
        raise SurveyError(
            f"the default of {one.name} is worked out on the host, and an empty answer would take its place; its "
            "playbook must say default(..., true)"
        )
    found: dict[str, Any] = {
        "question_name": one.name,
        "question_description": one.description,
        "variable": one.name,
        "required": one.required,
        "type": _type(one),
    }
    if found["type"] in {"multiplechoice", "multiselect"}:
        found["choices"] = _choices(one)
    if one.required:
        return {**found, "min": 1} if found["type"] in {"text", "password", "textarea"} else found
    if found["type"] == "password":
        # A default would be encrypted, and then differ from itself at each run.
        return found
    found["default"] = _default(one, found["type"])
    if found["type"] == "text" and found["default"]:
        # Otherwise a cleared field would reach the procedure as an empty value, and not as its default.
        found["min"] = 1
    return found


def _type(one: Input) -> str:
    if one.secret:
        return "password"
    if one.choices:
        return "multiselect" if one.type == "list" else "multiplechoice"
    if one.type == "bool":
        return "multiplechoice"
    if one.type in QUESTIONS and one.default in ("", None):
        # A number that may be left out can only be typed as text.
        return "textarea" if one.type == "dict" else "text"
    return QUESTIONS.get(one.type, "text")


def _choices(one: Input) -> list[str]:
    choices = SWITCH if one.type == "bool" else [str(choice) for choice in one.choices]
    empty = one.type != "list" and not one.required and one.default in ("", None)
    return ["", *choices] if empty and "" not in choices else choices


def _default(one: Input, kind: str) -> Any:
    default = one.default
    if default is None:
        return [] if kind == "multiselect" else ""
    if kind == "integer":
        return int(default)
    if kind == "float":
        return float(default)
    if kind == "multiselect":
        return [str(value) for value in default] if default else []
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, Mapping):
        return json.dumps(default) if default else ""
    if isinstance(default, (list, tuple)):
        return ",".join(str(value) for value in default)
    return str(default)
