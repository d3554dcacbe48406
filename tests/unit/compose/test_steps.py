"""Commands of the way back: services that ran are brought up, others are stopped, and orphans are left."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.compose import before
from ansible_collections.ops.runbook.plugins.module_utils.compose.alembic import Revision
from ansible_collections.ops.runbook.plugins.module_utils.compose.before import Was
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations import alembic_probe
from ansible_collections.ops.runbook.plugins.module_utils.compose.migrations.alembic_probe import Answer
from ansible_collections.ops.runbook.plugins.module_utils.compose.pins import files
from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets.steps import SecretsSteps
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import Container
from ansible_collections.ops.runbook.plugins.module_utils.compose.steps import ComposeSteps
from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import Step
from ansible_collections.ops.runbook.plugins.module_utils.host import load
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Output

RAN, DOWN = Was(True, ("sha256:old",)), Was(False, ("sha256:old",), "exited, exit code 0")
DONE, NEVER = Was(False, ("sha256:old",), "exited, exit code 0", "no", once=True), Was(False)
UP = ["up", "-d", "--wait", "--wait-timeout", "9", "--pull", "never", "--no-build"]
MAKE = ["up", "--no-start", "--no-deps", "--pull", "never", "--no-build"]
BACK = Step("up", "", data={"after": "pin"})


@dataclass
class Host:
    """here: the images that the host has. typed: what `docker compose` was given."""

    here: tuple[str, ...] = ()
    typed: list[list[str]] = field(default_factory=list)
    description: Any = field(
        default_factory=lambda: SimpleNamespace(
            wait_timeout=9, command_timeout=9.0, settle=0.0, images={"api": "shop/api", "jobs": "shop/api"}
        )
    )

    def compose(self, *arguments: str, **_options: Any) -> Output:
        self.typed.append(list(arguments))
        return Output(0, "", "")

    def config(self) -> dict[str, Any]:
        return {"services": {"api": {"image": "shop/api:built"}, "jobs": {"image": f"shop/api:1@sha256:{'a' * 64}"}}}

    def containers(self, _project: str) -> list[Any]:
        return []

    def image(self, reference: str) -> dict[str, str] | None:
        return {"Id": "x"} if reference in self.here else None


def done(step: Step, record: dict[str, Was] | None, here: tuple[str, ...] = ()) -> list[list[str]]:
    host = Host(here)
    plan: dict[str, Any] = {"procedure": "deploy", "project": "shop", "from": None, "saved_as": "op-1"}
    if record is not None:
        plan["before"] = before.to_dict(record)
    guard = SimpleNamespace(progress=lambda: SimpleNamespace(ever_begun=["pin", "up"]))
    procedure.do(ComposeSteps(host, guard, plan, host).acts, step)  # type: ignore[arg-type]
    return host.typed


@pytest.mark.parametrize(
    ("record", "stop", "up"),
    [
        ({"api": RAN, "jobs": RAN}, [], [UP]),
        ({"api": RAN, "jobs": RAN, "migrate": DONE}, [], [UP]),
        (
            {"api": RAN, "jobs": DOWN, "db": RAN},
            [["rm", "--stop", "--force", "jobs"], [*MAKE, "jobs"]],
            [[*UP, "api", "db"]],
        ),
        ({"api": RAN, "jobs": NEVER}, [["rm", "--stop", "--force", "jobs"]], [[*UP, "api"]]),
    ],
    ids=["all ran", "one had done its work", "one was stopped", "one is new"],
)
def test_the_commands_of_the_way_back(record: dict[str, Was], stop: list[list[str]], up: list[list[str]]) -> None:
    assert done(Step("stop", ""), record) == stop
    assert done(BACK, record) == up


@pytest.mark.parametrize(
    ("here", "typed"),
    [
        (("shop/api:built", f"shop/api@sha256:{'a' * 64}"), [[*UP, "api", "jobs"]]),
        (("shop/api:built",), [["rm", "--stop", "--force", "jobs"], [*UP, "api"]]),
        ((), [["rm", "--stop", "--force", "api", "jobs"]]),
    ],
    ids=["both can have run", "one can have run", "a new host"],
)
def test_a_plan_of_a_version_without_a_record_brings_up_what_the_files_name(
    here: tuple[str, ...], typed: list[list[str]]
) -> None:
    """That version removed all of them, also those that had run."""
    assert done(Step("stop", "stop what did not run before", data={"after": "up"}), None, here) == typed


KNOWN = {"a": Revision("a"), "b": Revision("b", ("a",))}
UNDO = Step(
    "undo_migrations",
    "",
    data={"image": f"shop/api:2@sha256:{'b' * 64}", "heads": ["a"], "itself": "entry.sh", "shared": False},
)


@dataclass
class Database:
    """The database of the service, as the newer image answers about it. rows: in what undoing would drop."""

    heads: tuple[str, ...] = ("b",)
    rows: str = "0 rows"
    fails: bool = False

    def settle(self, *_: object) -> None:
        pass

    def ask(self, *_: object, **_options: object) -> Answer:
        return Answer(KNOWN, self.heads, downs={"b": {"kind": "ok", "sql": ["DROP TABLE plans"]}})

    def count(self, *_: object) -> dict[str, str]:
        return {"table plans": self.rows}

    def migrate(self, _service: object, _image: object, *commands: tuple[str, str]) -> Answer:
        if self.fails:
            return Answer(KNOWN, self.heads, failed="alembic downgrade ended with 1")
        assert commands == (("downgrade", "a"),)
        self.heads = ("a",)
        return Answer(KNOWN, self.heads)


def undone(
    monkeypatch: pytest.MonkeyPatch, database: Database, begun: list[str], migrations: str = "run", step: Step = UNDO
) -> tuple[object, list[list[str]]]:
    """The result of undoing the migrations, or its error, and the other commands."""
    for name in ("settle", "ask", "count", "migrate"):
        monkeypatch.setattr(alembic_probe, name, getattr(database, name))
    host = Host()
    host.graph = lambda _image: KNOWN  # type: ignore[attr-defined]
    guard = SimpleNamespace(progress=lambda: SimpleNamespace(ever_begun=begun))
    plan: dict[str, Any] = {"procedure": "deploy", "project": "shop", "from": None, "before": {}}
    steps = ComposeSteps(host, guard, plan, host, migrations)  # type: ignore[arg-type]
    try:
        return procedure.do(steps.acts, step), host.typed
    except CommandFailed as error:
        return str(error), host.typed


STOP, START = ["stop", "api", "jobs"], ["start", "api", "jobs"]


@pytest.mark.parametrize(
    ("database", "begun", "migrations", "note", "typed"),
    [
        (Database(), ["images"], "run", None, []),
        # Before `up` the release before is the one that runs: nothing is stopped.
        (Database(), ["images", "migrate"], "run", {"undone": ["b"]}, []),
        (Database(), ["images", "migrate", "pin", "up"], "run", {"undone": ["b"]}, [STOP]),
        (Database(heads=("a",)), ["images", "up"], "run", {"undone": []}, []),
        (Database(rows="3 rows"), ["images", "up"], "down", {"undone": ["b"]}, [STOP]),
        (Database(rows="3 rows"), ["images", "up"], "keep", {"left": ["b"], "why": "migrations=keep"}, []),
    ],
)
def test_the_migrations_of_the_deploy_are_undone(
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
    begun: list[str],
    migrations: str,
    note: object,
    typed: list[list[str]],
) -> None:
    assert undone(monkeypatch, database, begun, migrations) == (note, typed)


#: A plan that found neither a migration to run nor a word of one in the entrypoint.
UNFORESEEN = replace(UNDO, data={**UNDO.data, "itself": "", "planned": []})


@pytest.mark.parametrize(
    ("database", "begun", "note", "typed"),
    [
        (Database(), ["images", "pin"], None, []),
        (Database(), ["images", "pin", "up"], {"undone": ["b"]}, [STOP]),
        (Database(heads=("a",)), ["images", "pin", "up"], {"undone": []}, []),
    ],
    ids=["nothing was started", "the new images migrated", "they did not"],
)
def test_migrations_that_nobody_foresaw_are_undone(
    monkeypatch: pytest.MonkeyPatch, database: Database, begun: list[str], note: object, typed: list[list[str]]
) -> None:
    assert undone(monkeypatch, database, begun, step=UNFORESEEN) == (note, typed)


def test_migrations_that_nobody_foresaw_hold_where_rows_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    told, _typed = undone(monkeypatch, Database(rows="3 rows"), ["up"], step=UNFORESEEN)
    assert "(the database has b, which this deploy did not run)" in str(told)
    assert "interrupted=undo migrations=down" in str(told)


def test_a_migration_of_the_plan_is_not_taken_for_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    step = replace(UNDO, data={**UNDO.data, "itself": "", "planned": ["b"]})
    told, typed = undone(monkeypatch, Database(rows="3 rows"), ["migrate", "up"], step=step)
    assert (told, typed) == ({"left": ["b"], "why": "undoing b would destroy table plans (3 rows)"}, [])


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (Answer(KNOWN, ("a",)), None),
        (Answer(KNOWN, ("b",)), {"by_itself": ["b"], "before": ["a"], "heads": ["b"]}),
        (Answer(KNOWN, None, "connection refused"), "the database can't be read: connection refused"),
    ],
    ids=["they ran none", "they ran one", "the database does not answer"],
)
def test_the_release_of_good_images_is_noted(monkeypatch: pytest.MonkeyPatch, answer: Answer, note: object) -> None:
    monkeypatch.setattr(alembic_probe, "ask", lambda *_args, **_options: answer)
    host, step = Host(), Step("schema", "", data={"image": UNDO.data["image"], "heads": ["a"]})
    steps = ComposeSteps(host, SimpleNamespace(), {"project": "shop"}, host)  # type: ignore[arg-type]
    try:
        told = procedure.do(steps.acts, step)
    except CommandFailed as error:
        told = str(error)
    assert told == note


def test_the_files_are_put_back_only_once_no_migration_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(alembic_probe, "settle", lambda *_: order.append("settled"))
    monkeypatch.setattr(files, "put_back", lambda *_: order.append("put back"))
    host = Host()
    host.description.migration_service = "api"
    plan = {"procedure": "deploy", "project": "shop", "from": None, "saved_as": "op-1"}
    steps = ComposeSteps(host, SimpleNamespace(state_dir="/x"), plan, host)  # type: ignore[arg-type]
    procedure.do(steps.acts, Step("unpin", "", data={"files": {}}))
    assert order == ["settled", "put back"]


def test_a_loss_of_rows_keeps_the_new_release_and_names_the_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    told, typed = undone(monkeypatch, Database(rows="3 rows"), ["images", "migrate", "up"])
    assert "table plans (3 rows)" in str(told) and "interrupted=undo migrations=down" in str(told)
    assert typed == []


def test_a_failed_downgrade_starts_the_new_release_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told, typed = undone(monkeypatch, Database(fails=True), ["images", "migrate", "up"])
    assert str(told).startswith("alembic downgrade ended with 1. Of b the database has b now")
    assert typed == [STOP, START]


def test_no_container_of_another_file_is_ever_removed() -> None:
    folder = Path(__file__).parents[3] / "plugins"
    found = {
        f"{file.name}: {line.strip()}"
        for file in folder.rglob("*.py")
        for line in file.read_text().splitlines()
        if re.search(r"[\"' ]--remove-orphans|COMPOSE_REMOVE_ORPHANS", line)
    }
    assert found == {
        'service.py: _ORPHANS = {"COMPOSE_REMOVE_ORPHANS": "false", "COMPOSE_IGNORE_ORPHANS": "true"}',
        # Advice of the rule against `down -v`, not a call.
        'rules.py: "docker compose down, or up -d --remove-orphans; volumes stay",',
    }


# -- `up --wait` that calls a service unhealthy ---------------------------------------------------------

UNHEALTHY, CRASHED = {"health": "unhealthy"}, {"state": "exited", "exit_code": 1, "health": ""}


@dataclass
class Slow(Host):
    """A host whose `up --wait` gives up. looks: the state of the service at each look; the last one stays."""

    looks: list[dict[str, Any]] = field(default_factory=list)

    def compose(self, *arguments: str, **options: Any) -> Output:
        if arguments[0] != "up":
            return Output(0, "", "")
        if options.get("check", True):
            raise CommandFailed("docker compose up ended with 1: container shop-api-1 is unhealthy")
        return Output(1, "", "container shop-api-1 is unhealthy")

    def containers(self, _project: str) -> list[Any]:
        changed = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        known = Container("1", "shop-api-1", "api", "running", "healthy", 0, 0, False, "", "", "shop/api", ())
        return [replace(known, **changed), replace(known, name="shop-jobs-1", service="jobs")]

    def redact(self, text: str) -> str:
        return text


@pytest.mark.parametrize(
    ("busy", "looks", "passes"),
    [
        (1.0, [UNHEALTHY, UNHEALTHY, {}], False),
        (2.0, [UNHEALTHY, {"health": "starting"}, {}], True),
        (2.0, [CRASHED, {}, {}], False),
        (2.0, [UNHEALTHY, CRASHED, {}], False),
    ],
    ids=["an idle host", "a busy host", "a busy host, a crash", "a busy host, a crash after it"],
)
@pytest.mark.parametrize("act", ["up", "recreate"])
def test_a_new_release_that_may_only_be_slow_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, act: str, busy: float, looks: list[dict[str, Any]], passes: bool
) -> None:
    """On a busy host `up --wait` calls a good release unhealthy: its first health checks came too early."""
    monkeypatch.setattr(load, "busy", lambda: busy)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    host = Slow(looks=list(looks))
    plan: dict[str, Any] = {"procedure": "deploy", "project": "shop", "from": None, "saved_as": "op-1"}
    step = Step(act, "", data={"services": ["api"], "by_hand": []} if act == "recreate" else {})
    steps = SecretsSteps.__new__(SecretsSteps) if act == "recreate" else ComposeSteps.__new__(ComposeSteps)
    ComposeSteps.__init__(steps, host, SimpleNamespace(), plan, host)  # type: ignore[arg-type]
    do = getattr(steps, {"recreate": "recreate", "up": "bring_up"}[act])
    if passes:
        do(step)
    else:
        with pytest.raises(CommandFailed, match="docker compose up ended with 1"):
            do(step)
