"""A small AWX on a real socket: it keeps what the modules of awx.awx send, and refuses what AWX 24 would refuse.

It is stricter than AWX in one thing: a field that it does not know is an error, where AWX would drop it in silence.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from dateutil.rrule import rrulestr

#: The folder of the modules of awx.awx.
MODULES = next(
    (one for entry in sys.path if (one := Path(entry) / "ansible_collections/awx/awx/plugins/modules").is_dir()), None
)
# The package `ansible` has it no more since version 14, which is the one for ansible-core 2.21.
needs_modules = pytest.mark.skipif(MODULES is None, reason="the collection awx.awx is not installed")

API = "/api/v2/"
EVENTS = ("notification_templates_started", "notification_templates_success", "notification_templates_error")
ASKS = (
    *("scm_branch", "diff_mode", "variables", "limit", "tags", "skip_tags", "job_type", "verbosity", "inventory"),
    *("credential", "execution_environment", "labels", "forks", "job_slice_count", "timeout", "instance_groups"),
)
SURVEY_TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": (list, tuple, str),
    "integer": int,
    "float": (float, int),
}


class Refused(Exception):
    """A request that AWX answers with 400."""

    def __init__(self, **errors: Any) -> None:
        self.errors = errors


@dataclass(frozen=True)
class Kind:
    """One kind of object of AWX: each field with its type, its choices or the kind that it refers to."""

    type: str
    fields: dict[str, Any]
    required: tuple[str, ...] = ("name",)
    #: Sent by the modules, and worked out by AWX itself.
    ignored: tuple[str, ...] = ()
    associations: dict[str, str] = field(default_factory=dict)
    unique: tuple[str, ...] = ("name",)
    #: What AWX says of such an object by itself.
    own: dict[str, Any] = field(default_factory=dict)


TEXT = {"name": str, "description": str}
KINDS: dict[str, Kind] = {
    "organizations": Kind("organization", {**TEXT, "max_hosts": int}),
    "credential_types": Kind(
        "credential_type",
        {**TEXT, "kind": {"cloud", "net"}, "inputs": dict, "injectors": dict},
        required=("name", "kind"),
        ignored=("managed",),
        own={"managed": False},
    ),
    "credentials": Kind("credential", {**TEXT, "organization": "organizations"}),
    "execution_environments": Kind(
        "execution_environment",
        {**TEXT, "organization": "organizations", "image": str, "pull": {"", "always", "missing", "never"}},
        required=("name", "image"),
    ),
    "notification_templates": Kind(
        "notification_template",
        {
            **TEXT,
            "organization": "organizations",
            "notification_type": {"email", "slack", "webhook", "mattermost", "pagerduty"},
            "notification_configuration": dict,
        },
        required=("name", "organization", "notification_type"),
    ),
    "projects": Kind(
        "project",
        {
            **TEXT,
            "organization": "organizations",
            "scm_type": {"", "git"},
            "scm_url": str,
            "scm_branch": str,
            "scm_clean": bool,
            "credential": "credentials",
            "default_environment": "execution_environments",
        },
        required=("name", "organization"),
        own={"scm_revision": "3f2a9c1", "status": "successful", "summary_fields": {}},
    ),
    "inventories": Kind(
        "inventory",
        {**TEXT, "organization": "organizations", "kind": {"", "smart", "constructed"}, "host_filter": str},
        required=("name", "organization"),
        unique=("name", "organization"),
    ),
    "inventory_sources": Kind(
        "inventory_source",
        {
            **TEXT,
            "inventory": "inventories",
            "source": {"scm"},
            "source_project": "projects",
            "source_path": str,
            "overwrite": bool,
            "overwrite_vars": bool,
            "update_on_launch": bool,
        },
        required=("name", "inventory", "source", "source_project"),
        unique=("name", "inventory"),
    ),
    "job_templates": Kind(
        "job_template",
        {
            **TEXT,
            "job_type": {"run", "check"},
            "project": "projects",
            "playbook": str,
            "inventory": "inventories",
            "execution_environment": "execution_environments",
            "allow_simultaneous": bool,
            "survey_enabled": bool,
            **{f"ask_{name}_on_launch": bool for name in ASKS},
        },
        required=("name", "project", "playbook"),
        ignored=("organization",),
        associations={"credentials": "credentials", **dict.fromkeys(EVENTS, "notification_templates")},
    ),
    "workflow_job_templates": Kind(
        "workflow_job_template",
        {
            **TEXT,
            "organization": "organizations",
            "allow_simultaneous": bool,
            "survey_enabled": bool,
            "ask_inventory_on_launch": bool,
        },
        associations=dict.fromkeys((*EVENTS, "notification_templates_approvals"), "notification_templates"),
    ),
    "workflow_job_template_nodes": Kind(
        "workflow_job_template_node",
        {
            "identifier": str,
            "workflow_job_template": "workflow_job_templates",
            "unified_job_template": "unified_job_templates",
            "extra_data": dict,
            "job_type": {"run", "check"},
        },
        required=("workflow_job_template",),
        ignored=("type",),
        associations=dict.fromkeys(("success_nodes", "failure_nodes", "always_nodes"), "workflow_job_template_nodes"),
        unique=("identifier", "workflow_job_template"),
    ),
    "workflow_approval_templates": Kind(
        "workflow_approval_template",
        {**TEXT, "timeout": int},
        unique=(),
    ),
    "schedules": Kind(
        "schedule",
        {**TEXT, "unified_job_template": "unified_job_templates", "rrule": str, "extra_data": dict, "enabled": bool},
        required=("name", "unified_job_template", "rrule"),
        unique=("unified_job_template", "name"),
    ),
}
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")


def refuse_survey(spec: Any) -> None:
    """As AWX does when a survey is saved."""
    if not isinstance(spec, dict) or {type(spec.get(name)) for name in ("name", "description")} != {str}:
        raise Refused(error="name and description of a survey are strings")
    if not isinstance(spec.get("spec"), list) or not spec["spec"]:
        raise Refused(error="'spec' doesn't contain any items.")
    seen: set[str] = set()
    for place, item in enumerate(spec["spec"]):
        for name, kind in (("type", str), ("question_name", str), ("variable", str), ("required", bool)):
            if not isinstance(item.get(name), kind):
                raise Refused(error=f"'{name}' missing from survey question {place}, or of another type")
        if item["variable"] in seen:
            raise Refused(error=f"'variable' '{item['variable']}' duplicated in survey question {place}.")
        seen.add(item["variable"])
        if item["type"] not in SURVEY_TYPES:
            raise Refused(error=f"'{item['type']}' in survey question {place} is not an allowed question type")
        default = item.get("default", "")
        if default != "" and not isinstance(default, SURVEY_TYPES[item["type"]]):
            raise Refused(error=f"Default value {default!r} in survey question {place} is of another type")
        if any(item.get(name) is not None and not isinstance(item[name], int) for name in ("min", "max")):
            raise Refused(error=f"min and max of survey question {place} are integers")
        if item["type"] in {"multiplechoice", "multiselect"}:
            if "choices" not in item:
                raise Refused(error=f"Survey question {place} must specify choices.")
            chosen = default.splitlines() if isinstance(default, str) else default
            if item["type"] == "multiplechoice" and len(chosen) > 1:
                raise Refused(error="Multiple Choice (Single Select) can only have one default value.")
            if any(one not in item["choices"] for one in chosen):
                raise Refused(error="Default choice must be answered from the choices listed.")


def answer_problem(item: dict[str, Any], answers: dict[str, Any]) -> str:
    """As AWX holds an answer against its question; empty where it is good."""
    name, kind = item["variable"], item["type"]
    if name not in answers:
        return f"'{name}' value missing" if item["required"] else ""
    value = answers[name]
    if kind in {"text", "textarea", "password"}:
        if not isinstance(value, str):
            return f"Value {value!r} for '{name}' expected to be a string."
        if item.get("min") not in ("", None) and len(value) < item["min"]:
            return f"'{name}' value {value!r} is too small"
    elif kind == "integer" and type(value) is not int:
        return f"Value {value!r} for '{name}' expected to be an integer."
    elif kind == "float" and type(value) not in (float, int):
        return f"Value {value!r} for '{name}' expected to be a numeric type."
    elif kind == "multiselect" and (not isinstance(value, list) or any(one not in item["choices"] for one in value)):
        return f"Value {value!r} for '{name}' expected to be some of {item['choices']}."
    elif kind == "multiplechoice" and value not in item["choices"]:
        return f"Value {value!r} for '{name}' expected to be one of {item['choices']}."
    return ""


def job_variables(survey: dict[str, Any], answers: dict[str, Any], ask_variables: bool = False) -> dict[str, Any]:
    """The extra variables of a job: what was answered, over the defaults of the survey."""
    items = survey.get("spec", [])
    problems = [problem for item in items if (problem := answer_problem(item, answers))]
    if problems:
        raise Refused(variables_needed_to_start=problems)
    unknown = {*answers} - {item["variable"] for item in items}
    if unknown and not ask_variables:
        raise Refused(extra_vars=[f"Variables {', '.join(sorted(unknown))} are not allowed on launch."])
    defaults = {
        item["variable"]: item["default"]
        for item in items
        if item.get("default") is not None and not answer_problem(item, {item["variable"]: item["default"]})
    }
    return {**defaults, **answers}


def refuse_rule(rule: str) -> None:
    """As AWX does when a schedule is saved."""
    starts = re.findall(r"DTSTART(?:;[^:]+)?:[0-9]+T[0-9]+Z?", rule)
    if len(starts) != 1:
        raise Refused(rrule=["Valid DTSTART required in rrule."])
    if re.fullmatch(r"DTSTART:[0-9]+T[0-9]+", starts[0]):
        raise Refused(rrule=["DTSTART cannot be a naive datetime."])
    rules = re.findall(r"RULE:[^\s]*", rule)
    if not rules or re.search(r"EXDATE:|RDATE:", rule):
        raise Refused(rrule=["One or more rule required in rrule, and EXDATE and RDATE are not allowed."])
    for one in rules:
        if "INTERVAL" not in one or "SECONDLY" in one:
            raise Refused(rrule=[f"INTERVAL required in rrule: {one}"])
        if re.search(r"BYDAY[:=][0-9]+[a-zA-Z]{2}", one):
            raise Refused(rrule=[f"BYDAY with numeric prefix not supported: {one}"])
    try:
        rrulestr(rule.replace(" ", "\n"), forceset=True)
    except ValueError as wrong:
        raise Refused(rrule=[f"rrule parsing failed validation: {wrong}"]) from wrong


class Controller:
    """The objects of AWX. `playbooks` are those that the project's repository has."""

    def __init__(self, playbooks: set[str]) -> None:
        self.token = secrets.token_hex(20)
        self.playbooks = playbooks
        self.requests: list[tuple[str, str, Any]] = []
        self.objects: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in KINDS}
        self.surveys: dict[int, dict[str, Any]] = {}
        self.related: dict[tuple[int, str], list[int]] = {}
        self.last = 0
        self.url = ""

    # What a test asks

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path, _body in self.requests if method != "GET"]

    def named(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = (one for one in self.objects[kind].values() if one.get("name") == name)
        return found

    def add_credential(self, name: str) -> None:
        self._keep("credentials", {"name": name})

    def nodes(self, workflow: str) -> dict[str, dict[str, Any]]:
        number = self.named("workflow_job_templates", workflow)["id"]
        return {
            one["identifier"]: {
                **one,
                "then": [self._name(n) for n in self.related.get((one["id"], "success_nodes"), [])],
            }
            for one in self.objects["workflow_job_template_nodes"].values()
            if one["workflow_job_template"] == number
        }

    def _name(self, number: int) -> str:
        return str(self.objects["workflow_job_template_nodes"][number]["identifier"])

    # What a client asks

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        parts = path[len(API) :].strip("/").split("/")
        if parts[0] == "unified_job_templates":
            if len(parts) == 1:
                return 200, self._list([one for kind in UNIFIED for one in self.objects[kind].values()], query)
            kind = next(kind for kind in UNIFIED if int(parts[1]) in self.objects[kind])
            parts[0] = kind
        kind = parts[0]
        if kind not in KINDS:
            return 404, {"detail": "Not found."}
        if len(parts) == 1:
            if method == "GET":
                return 200, self._list([*self.objects[kind].values()], query)
            return 201, self._keep(kind, body)
        number = int(parts[1])
        if number not in self.objects[kind]:
            return 404, {"detail": "Not found."}
        if len(parts) == 2:
            return 200, self.objects[kind][number] if method == "GET" else self._keep(kind, body, number)
        return self._below(method, kind, number, parts[2], body)

    def _below(self, method: str, kind: str, number: int, name: str, body: Any) -> tuple[int, Any]:
        if name == "survey_spec":
            if method == "GET":
                return 200, self.surveys.get(number, {})
            refuse_survey(body)
            self.surveys[number] = body
            return 200, {}
        if name == "create_approval_template":
            made = self._keep("workflow_approval_templates", body)
            node = self.objects["workflow_job_template_nodes"][number]
            node["unified_job_template"] = made["id"]
            node["related"]["unified_job_template"] = made["url"]
            return 201, made
        if name == "launch":
            template = self.objects[kind][number]
            answers = body.get("extra_vars", {})
            return 201, {
                "extra_vars": json.dumps(
                    job_variables(self.surveys.get(number, {}), answers, template["ask_variables_on_launch"])
                )
            }
        other = KINDS[kind].associations.get(name)
        if other is None:
            return 404, {"detail": "Not found."}
        held = self.related.setdefault((number, name), [])
        if method == "GET":
            return 200, self._list([self.objects[other][one] for one in held], {})
        if body.get("disassociate"):
            held.remove(body["id"])
        elif body["id"] not in self.objects[other]:
            raise Refused(msg=f"{name}: there is no {body['id']}")
        else:
            held.append(body["id"])
            if name.endswith("_nodes"):
                self._refuse_circle(number, number)
        return 204, None

    def _refuse_circle(self, start: int, number: int) -> None:
        for name in ("success_nodes", "failure_nodes", "always_nodes"):
            for following in self.related.get((number, name), []):
                if following == start:
                    raise Refused(error="Cycle detected.")
                self._refuse_circle(start, following)

    def _list(self, found: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        either = {name[4:]: value for name, value in query.items() if name.startswith("or__")}
        for name, value in query.items():
            if not name.startswith("or__"):
                found = [one for one in found if str(one.get(name)) == value]
        if either:
            found = [one for one in found if any(str(one.get(name)) == value for name, value in either.items())]
        return {"count": len(found), "next": None, "previous": None, "results": found}

    def _keep(self, name: str, body: dict[str, Any], number: int = 0) -> dict[str, Any]:
        kind = KINDS[name]
        body = {key: value for key, value in body.items() if key not in kind.ignored}
        for key, value in body.items():
            if key not in kind.fields:
                raise Refused(**{key: [f"{kind.type} has no such field"]})
            self._refuse_value(key, value, kind.fields[key])
        whole = {**(self.objects[name][number] if number else self._empty(kind)), **body}
        for key in kind.required:
            if whole.get(key) in (None, ""):
                raise Refused(**{key: ["This field is required."]})
        for other in self.objects[name].values():
            if kind.unique and other["id"] != number and all(other[key] == whole[key] for key in kind.unique):
                raise Refused(__all__=[f"{kind.type} with this {' and '.join(kind.unique)} already exists."])
        self._refuse_whole(name, whole)
        if not number:
            self.last += 1
            number = self.last
            url = f"{API}{name}/{number}/"
            related = {"survey_spec": f"{url}survey_spec/"} if "survey_enabled" in kind.fields else {}
            whole |= {"id": number, "type": kind.type, "url": url, "related": related, **kind.own}
        self.objects[name][number] = whole
        return whole

    @staticmethod
    def _empty(kind: Kind) -> dict[str, Any]:
        empty: dict[Any, Any] = {str: "", bool: False, int: 0, dict: None}
        return {
            key: empty[known] if isinstance(known, type) else "" if isinstance(known, set) else None
            for key, known in kind.fields.items()
        }

    def _refuse_value(self, key: str, value: Any, known: Any) -> None:
        if value is None:
            return
        if isinstance(known, set):
            if value not in known:
                raise Refused(**{key: [f'"{value}" is not a valid choice.']})
        elif isinstance(known, type):
            if type(value) is not known:
                raise Refused(**{key: [f"{value!r} is not a {known.__name__}"]})
            if known is str and key == "name" and len(value) > 512:
                raise Refused(**{key: ["longer than 512 characters"]})
        else:
            kinds = UNIFIED if known == "unified_job_templates" else (known,)
            if not any(value in self.objects[kind] for kind in kinds):
                raise Refused(**{key: [f'Invalid pk "{value}" - object does not exist.']})

    def _refuse_whole(self, name: str, whole: dict[str, Any]) -> None:
        if name == "job_templates":
            if whole["playbook"] not in self.playbooks:
                raise Refused(playbook=["Playbook not found for project."])
            if whole["inventory"] is None and not whole["ask_inventory_on_launch"]:
                raise Refused(inventory=["You must either set a default value or ask to prompt on launch."])
            whole["organization"] = self.objects["projects"][whole["project"]]["organization"]
        if name == "credential_types":
            self._refuse_injectors(whole)
        if name == "schedules":
            refuse_rule(whole["rrule"])
        if name in {"schedules", "workflow_job_template_nodes"} and whole["unified_job_template"] is not None:
            self._refuse_prompts(name, whole)

    def _refuse_prompts(self, name: str, whole: dict[str, Any]) -> None:
        template = self.objects["job_templates"].get(whole["unified_job_template"])
        if template is None:
            return
        if whole.get("job_type") and not template["ask_job_type_on_launch"]:
            raise Refused(job_type=["Field is not configured to prompt on launch."])
        survey = self.surveys.get(template["id"], {})
        items = [{**one, "required": one["required"] and name == "schedules"} for one in survey.get("spec", [])]
        job_variables({"spec": items}, whole["extra_data"] or {}, template["ask_variables_on_launch"])

    @staticmethod
    def _refuse_injectors(whole: dict[str, Any]) -> None:
        known = {one["id"] for one in whole["inputs"]["fields"]} | {"tower"}
        if {*whole["inputs"].get("required", [])} - known:
            raise Refused(inputs=["required names a field that is not there"])
        if {*whole["injectors"]} - {"env", "file", "extra_vars"}:
            raise Refused(injectors=["Additional properties are not allowed"])
        for name in re.findall(r"\{\{\s*(\w+)", json.dumps(whole["injectors"])):
            if name not in known:
                raise Refused(injectors=[f"Variable {name} is not among the inputs"])
        if "tower.filename" in json.dumps(whole["injectors"]) and "file" not in whole["injectors"]:
            raise Refused(injectors=["Must define unnamed file injector in order to reference `tower.filename`."])


@contextmanager
def running(playbooks: set[str]) -> Iterator[Controller]:
    controller = Controller(playbooks)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(text) if text else {}
            split = urlsplit(self.path)
            with lock:
                controller.requests.append((self.command, split.path, body))
                if self.headers.get("Authorization") != f"Bearer {controller.token}":
                    status, said = 401, {"detail": "Authentication credentials were not provided."}
                else:
                    try:
                        status, said = controller.answer(self.command, split.path, dict(parse_qsl(split.query)), body)
                    except Refused as refused:
                        status, said = 400, refused.errors
                data = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    controller.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield controller
    finally:
        server.shutdown()
        server.server_close()
