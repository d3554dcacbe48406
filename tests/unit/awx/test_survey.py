"""Surveys, held against what AWX lets through and what it makes of an answer that nobody gave."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from awx_controller import Refused, answer_problem, job_variables, refuse_survey
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.awx import survey as awx_survey
from ansible_collections.ops.runbook.plugins.module_utils.console import procedures
from ansible_collections.ops.runbook.plugins.module_utils.console.procedures import Input, Procedure
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[3]
FOUND = {one.name: one for one in procedures.read(ROOT, plain_yaml.load) if one.role != "awx"}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (Input("to", default="previous"), {"type": "text", "default": "previous", "min": 1}),
        (Input("reason", default=""), {"type": "text", "default": ""}),
        (Input("path", "path", default="~/x"), {"type": "text", "default": "~/x", "min": 1}),
        (Input("limit", "int", default=20), {"type": "integer", "default": 20}),
        (Input("lock_wait", "float", default=0), {"type": "float", "default": 0.0}),
        (Input("limit", "int", default=""), {"type": "text", "default": ""}),
        (Input("limit", "int", required=True), {"type": "text", "required": True, "min": 1}),
        (Input("parts", "raw", default=["a", "b"]), {"type": "text", "default": "a,b", "min": 1}),
        (Input("labels", "dict", default={"a": 1}), {"type": "textarea", "default": '{"a": 1}'}),
        (
            Input("hotfix", "bool", default=False),
            {"type": "multiplechoice", "choices": ["false", "true"], "default": "false"},
        ),
        (
            Input("state", choices=("down", "up"), required=True, default=""),
            {"type": "multiplechoice", "choices": ["down", "up"], "required": True},
        ),
        (
            Input("interrupted", choices=("", "resume", "undo"), default=""),
            {"type": "multiplechoice", "choices": ["", "resume", "undo"], "default": ""},
        ),
        (
            Input("on_unhealthy", choices=("revert", "hold"), computed=True, empty_is_none=True),
            {"type": "multiplechoice", "choices": ["", "revert", "hold"], "default": ""},
        ),
        (
            Input("fail_on", "list", "str", ("overdue", "weak"), default=[]),
            {"type": "multiselect", "choices": ["overdue", "weak"], "default": []},
        ),
        (Input("secret", secret=True, default=""), {"type": "password"}),
    ],
)
def test_an_input_becomes_a_question(one: Input, expected: dict[str, Any]) -> None:
    common = {"question_name": one.name, "question_description": "", "variable": one.name, "required": False}
    assert awx_survey.question(one) == {**common, **expected}


def test_an_input_that_an_empty_answer_would_spoil_is_refused() -> None:
    with pytest.raises(awx_survey.SurveyError, match=r"service is worked out .* default\(\.\.\., true\)"):
        awx_survey.question(Input("service", computed=True))


def test_a_file_on_the_controller_is_not_asked_for() -> None:
    """A job's container has none. What says so is typed in a list, so the descriptions are held against it."""
    where = re.compile(r"(?:file|folder)\b.*\b(?:on the controller|where Ansible runs)", re.IGNORECASE)
    files = {one.name for found in FOUND.values() for one in found.inputs if where.search(one.description)}
    assert files == {*awx_survey.FILES}


@pytest.mark.parametrize("name", FOUND)
def test_the_survey_of_each_procedure_is_one_that_awx_takes(name: str) -> None:
    survey = awx_survey.survey(FOUND[name])
    refuse_survey(survey)
    assert all(item["question_description"] for item in survey["spec"])


def rendered(text: str, answers: dict[str, Any]) -> str:
    """A value of a playbook, as Ansible works it out; what stands in the inventory keeps its name."""

    class Named(jinja2.ChainableUndefined):
        def __str__(self) -> str:
            return f"<{self._undefined_name}>"

        def __bool__(self) -> bool:
            return True

    def lookup(plugin: str, name: str, default: Any = "") -> Any:
        assert plugin == "ops.runbook.input"
        return answers.get(name, default)

    env = jinja2.Environment(undefined=Named)
    env.filters |= {
        "bool": lambda value: str(value).lower() == "true",
        "ternary": lambda value, yes, no: yes if value else no,
        "regex_replace": lambda value, this, that: re.sub(this, that, value),
        "basename": posixpath.basename,
        "ops.runbook.shown": str,
    }
    env.globals |= {"query": lambda *words, **options: words, "lookup": lookup}
    return env.from_string(text).render(answers)


def texts_of(name: str) -> list[str]:
    text = (ROOT / f"playbooks/{name}.yml").read_text()
    guard = (ROOT / "roles/operation/defaults/main.yml").read_text()
    inputs = {one.option: one.name for one in FOUND[name].inputs}
    found = []

    def walk(value: Any) -> None:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, (dict, list)):
            for inner in value.values() if isinstance(value, dict) else value:
                walk(inner)

    walk(yaml.safe_load(text))
    if FOUND[name].guarded:
        walk([value for key, value in yaml.safe_load(guard).items() if key in inputs and f"{key}:" not in text])
    return [one for one in found if "{{" in one]


@pytest.mark.parametrize("name", FOUND)
def test_a_launch_without_an_answer_is_a_run_without_an_input(name: str) -> None:
    survey = awx_survey.survey(FOUND[name])
    needed = {item["variable"]: (item.get("choices") or ["x"])[0] for item in survey["spec"] if item["required"]}
    answers = job_variables(survey, needed)
    assert texts_of(name)
    for text in texts_of(name):
        # An option is converted to its type by the role: these are one value in two spellings.
        plain = rendered(text, needed).replace("False", "false").replace("[]", "").replace("0.0", "0")
        asked = rendered(text, answers).replace("False", "false").replace("[]", "").replace(".0", "")
        assert asked == plain, text


@pytest.mark.parametrize("name", FOUND)
def test_a_field_that_was_cleared_is_no_other_input(name: str) -> None:
    """An empty answer either means what no answer means, or AWX refuses it."""
    for item in awx_survey.survey(FOUND[name])["spec"]:
        one = FOUND[name].input(item["variable"])
        assert one is not None
        if not answer_problem(item, {one.name: ""}):
            assert one.default in ("", None) or one.computed and one.empty_is_none


WORDS = st.text(alphabet="abcdefgh_-", min_size=1, max_size=8)
TYPES = st.sampled_from(["str", "int", "float", "bool", "list", "dict", "path", "raw"])


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    kind = draw(TYPES)
    choices: tuple[Any, ...] = ()
    if kind in {"str", "list", "raw"} and draw(st.booleans()):
        choices = tuple(draw(st.lists(WORDS, min_size=1, max_size=4, unique=True)))
    computed = draw(st.booleans())
    values: dict[str, Any] = {
        "str": draw(st.sampled_from(["", *choices])) if choices else draw(WORDS | st.just("")),
        "raw": draw(st.sampled_from(["", *choices])) if choices else draw(WORDS | st.just("")),
        "path": draw(WORDS | st.just("")),
        "int": draw(st.integers(-5, 9000) | st.just("")),
        "float": draw(st.floats(0, 900) | st.integers(0, 9) | st.just("")),
        "bool": draw(st.booleans()),
        "list": draw(st.lists(st.sampled_from(choices), unique=True)) if choices else draw(st.lists(WORDS)),
        "dict": draw(st.just({}) | st.dictionaries(WORDS, WORDS)),
    }
    default = None if computed else values[kind]
    return Input(
        draw(WORDS),
        kind,
        "str" if kind == "list" else "",
        choices,
        default,
        computed,
        empty_is_none=computed,
        required=draw(st.booleans()) and default in ("", None) and kind != "bool" and not computed,
        secret=draw(st.booleans()) and not choices,
    )


@given(st.lists(inputs(), min_size=1, max_size=6, unique_by=lambda one: one.name))
def test_any_inputs_make_a_survey_that_awx_takes(found: list[Input]) -> None:
    survey = awx_survey.survey(Procedure("x", "An x", "why", "r", "e", True, tuple(found)))
    refuse_survey(survey)
    assert [item["variable"] for item in survey["spec"]] == [one.name for one in found]
    assert [item["required"] for item in survey["spec"]] == [one.required for one in found]
    for item, one in zip(survey["spec"], found, strict=True):
        # What a question begins with is an answer that it lets through, and no secret has one.
        assert ("default" in item) is not (one.required or one.secret)
        if "default" in item:
            assert answer_problem(item, {one.name: item["default"]}) == ""
        if one.choices and not one.secret:
            assert {*one.choices} <= {*item["choices"]} <= {*one.choices, ""}


@given(inputs())
def test_a_missing_required_input_is_found(one: Input) -> None:
    survey = awx_survey.survey(Procedure("x", "An x", "why", "r", "e", True, (one,)))
    if one.required:
        with pytest.raises(Refused):
            job_variables(survey, {})
        with pytest.raises(Refused):
            job_variables(survey, {one.name: ""})
    else:
        assert {*job_variables(survey, {})} == (set() if one.secret else {one.name})
