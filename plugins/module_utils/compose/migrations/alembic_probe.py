# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers that are run once from an image of the service: to ask its Alembic, and to let it migrate."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.compose.alembic import Graph, applied, graph
from ansible_collections.ops.runbook.plugins.module_utils.compose.service import ComposeService
from ansible_collections.ops.runbook.plugins.module_utils.docker.engine import EngineUnreachable
from ansible_collections.ops.runbook.plugins.module_utils.docker.image_reference import Reference
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Output
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Loss
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt

#: Marks of our containers, and of their work: a container that outlived its module is found by them.
LABEL = "ops.runbook.once"

#: A migration may take as long as it takes; stopped halfway it would leave the most work.
_UNLIMITED = float(7 * 24 * 3600)

#: Seconds for an answer about migrations; a database that does not answer is the usual cause of more.
_PROBE_SECONDS = 90.0

_MARK = "ops-runbook-alembic:"

#: Runs in the image, with its Python (3.7 and newer), its Alembic and its settings. It runs the commands that it is
#: given, and then looks: the database is read as `alembic current` reads it, SQL is made as `alembic downgrade --sql`
#: makes it. One container for both, because the start of one costs more than all the rest.
_PROBE = r'''
import ast, io, json, os, shutil, subprocess, sys

request = json.loads(%(request)r)
answer = {}


def body(script, name):
    """missing, empty or ok: what a migration's function does."""
    with open(script.path, encoding="utf-8") as handle:
        tree = ast.parse(handle.read())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            rest = [one for one in node.body if not isinstance(one, ast.Pass)
                    and not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
            return "ok" if rest else "empty"
    return "ok" if hasattr(script.module, name) else "missing"


def names(value):
    return [value] if isinstance(value, str) else list(value or ())


answer["entry"] = []
for word in request["entry"]:
    path = word if "/" in word or os.path.isfile(word) else shutil.which(word) or ""
    try:
        if os.path.isfile(path) and os.path.getsize(path) < 200000:
            with open(path, "rb") as handle:
                if b"alembic" in handle.read():
                    answer["entry"].append(path)
    except OSError:
        pass

answer["commands"] = []
for argv in request["commands"]:
    try:
        done = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = b""
        for line in done.stdout:
            said += line
            # For who waits.
            sys.stderr.buffer.write(line)
            sys.stderr.flush()
        # The cause may stand first, or last.
        said = said if len(said) <= 16000 else said[:8000] + b"\n" + said[-8000:]
        answer["commands"].append([done.wait(), said.decode("utf-8", "replace")])
    except OSError as error:
        answer["commands"].append([127, str(error)])
    if answer["commands"][-1][0]:
        break

try:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationStep
    from alembic.script import ScriptDirectory

    real, sys.stdout = sys.stdout, io.StringIO()
    config = Config(request["config"] or "alembic.ini", stdout=sys.stdout)
    scripts = ScriptDirectory.from_config(config)
    every = {script.revision: script for script in scripts.walk_revisions()}
    answer["revisions"] = [
        {"id": name, "title": (script.doc or "").splitlines()[0] if script.doc else "",
         "down": names(script.down_revision),
         # A dependency may be named by a branch label or the beginning of an id.
         "depends": [scripts.get_revision(other).revision for other in names(script.dependencies)]}
        for name, script in every.items()
    ]

    def environment(buffer=None, **options):
        config.output_buffer = buffer
        return EnvironmentContext(config, scripts, **options)

    seen = {"version_table": "alembic_version"}

    def counted(connection, loss):
        """How many rows a table has, or have a value in a column; bounded, so that nobody waits for a large one."""
        from sqlalchemy import text

        quote = connection.dialect.identifier_preparer.quote
        rows = "select 1 as one from " + ".".join(quote(part) for part in loss["table"].split("."))
        if loss["column"]:
            rows += " where " + quote(loss["column"]) + " is not null"
        try:
            # One that fails takes nothing else of this transaction with it.
            with connection.begin_nested():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("set local statement_timeout = 5000"))
                limited = "select count(*) from (" + rows + " limit 10001) counted"
                return int(connection.execute(text(limited)).scalar())
        except Exception:
            return None

    def look(heads, context):
        seen["heads"] = list(context.get_current_heads())
        seen["transactional"] = bool(context.impl.transactional_ddl)
        seen["version_table"] = getattr(context, "version_table", "alembic_version")
        answer["counts"] = [counted(context.connection, loss) for loss in request["count"]]
        return []

    if request["database"]:
        try:
            with environment(fn=look, dont_mutate=True):
                scripts.run_env()
            answer["heads"], answer["transactional"] = seen.get("heads", []), seen.get("transactional", False)
        except BaseException as error:
            answer["database_error"] = type(error).__name__ + ": " + str(error).strip()

    def offline(name, make, source, destination):
        """The SQL of one migration: (statements, error)."""
        buffer = io.StringIO()
        try:
            with environment(buffer, fn=lambda heads, context: [make(scripts.revision_map, scripts.get_revision(name))],
                             as_sql=True, starting_rev=source, destination_rev=destination, dont_mutate=True):
                scripts.run_env()
        except BaseException as error:
            said = str(error).strip().splitlines()
            return [], ": ".join([type(error).__name__, *said[:1]])
        lines = [line for line in buffer.getvalue().splitlines() if not line.strip().startswith("--")]
        found = [part.strip() for part in "\n".join(lines).split(";\n")]
        skip = ("BEGIN", "COMMIT", "")
        return [part.rstrip(";") for part in found
                if part.rstrip(";").upper() not in skip and seen["version_table"] not in part], ""

    below = {name: names(script.down_revision) for name, script in every.items()}
    above = set()
    if "heads" in answer:
        # What is applied, by everything below the heads.
        needs = {entry["id"]: entry["down"] + entry["depends"] for entry in answer["revisions"]}
        waiting = [head for head in answer["heads"] if head in needs]
        while waiting:
            name = waiting.pop()
            if name not in above:
                above.add(name)
                waiting += [other for other in needs[name] if other in needs]
    answer["downs"], answer["ups"] = {}, {}
    known = set(request["known"] or [])
    for name, script in every.items():
        if request["known"] is not None and name in above and name not in known:
            kind = body(script, "downgrade")
            if kind == "empty" and body(script, "upgrade") == "empty":
                # A merge of branches does nothing in either direction.
                kind = "ok"
            entry = {"kind": kind}
            if kind == "ok":
                sql, problem = offline(name, MigrationStep.downgrade_from_script, name, (below[name] or [None])[0])
                entry["sql"] = sql
                if problem:
                    entry.update(kind="error", error=problem)
            answer["downs"][name] = entry
        elif request["ups"] and "heads" in answer and name not in above:
            sql, problem = offline(name, MigrationStep.upgrade_from_script, (below[name] or [None])[0], name)
            answer["ups"][name] = {"sql": sql, "error": problem, "down": body(script, "downgrade")}
            if body(script, "upgrade") == "empty":
                answer["ups"][name]["down"] = "ok"
except BaseException as error:
    answer["error"] = type(error).__name__ + ": " + str(error).strip()
sys.__stdout__.write("\n%(mark)s" + json.dumps(answer) + "\n")
sys.__stdout__.flush()
'''


class ProbeFailed(Exception):
    """An image could not be asked about its migrations."""


@dataclass(frozen=True)
class Answer:
    """The answer of an image. heads: of the database; None if it was not asked or can't be read.

    downs and ups: by revision, as migrations/verdict.py wants them, and the SQL of what an upgrade would run.
    failed: the command that did not end with 0, and its output. counts: rows of the asked tables; None if that failed,
    and 10001 for more than can be counted quickly. entry: of the words that were given, the files of the image
    that name Alembic.
    """

    graph: Graph
    heads: tuple[str, ...] | None = None
    database_error: str = ""
    transactional: bool = False
    downs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: str = ""
    counts: tuple[int | None, ...] = ()
    entry: tuple[str, ...] = ()

    @property
    def applied(self) -> list[str]:
        """Applied revisions that this image brings."""
        return applied(self.graph, self.heads or ())


def ask(
    service: ComposeService,
    image: Reference,
    database: bool = True,
    known: Sequence[str] | None = None,
    ups: bool = False,
    entry: Sequence[str] = (),
) -> Answer:
    """Ask an image about its migrations, in one container. Raises ProbeFailed.

    database: the database's heads too. known: the revisions of the target, to be told how those that are
    applied and not among them would be undone. ups: the SQL of what is not applied. entry: words of the command that
    the image is started with, to be told which of them are files that name Alembic.
    """
    request = {
        "database": database,
        "known": None if known is None else list(known),
        "ups": ups,
        "entry": list(entry),
    }
    return _asked(service, image, request, "probe", _PROBE_SECONDS)


def count(service: ComposeService, image: Reference, losses: Sequence[Loss]) -> dict[str, str]:
    """How many rows each loss concerns, by its text; what can't be counted is left out. Raises ProbeFailed."""
    request = {"database": True, "count": [{"table": loss.table, "column": loss.column} for loss in losses]}
    counts = _asked(service, image, request, "probe", _PROBE_SECONDS).counts
    found = {loss.text: rows for loss, rows in zip(losses, counts) if rows is not None}
    return {text: "more than 10000 rows" if rows > 10000 else f"{rows} rows" for text, rows in found.items()}


def migrate(service: ComposeService, image: Reference, *arguments: Sequence[str]) -> Answer:
    """Let an image's Alembic change the database, one command after the other, and look at what came of it.

    Raises ProbeFailed; CommandFailed for a command that destroys data, which is never run.
    """
    description = service.description
    config = ("-c", description.alembic_config) if description.alembic_config else ()
    commands = [[*description.alembic, *config, *some] for some in arguments]
    for argv in commands:
        service.commands.must_not_destroy(argv)
    request = {"database": True, "commands": commands}
    return _asked(service, image, request, "migration", _UNLIMITED)


def _asked(
    service: ComposeService, image: Reference, request: Mapping[str, Any], purpose: str, timeout: float
) -> Answer:
    full: dict[str, Any] = {"known": None, "ups": False, "count": [], "commands": [], "entry": []}
    full.update(request, config=service.description.alembic_config)
    source = _PROBE % {"request": json.dumps(full), "mark": _MARK}
    try:
        found = run(service, image, [*service.description.python, "-"], purpose, source, timeout)
    except CommandFailed as error:
        raise ProbeFailed(str(error)) from error
    line = next((line for line in reversed(found.stdout.splitlines()) if line.startswith(_MARK)), "")
    if not line:
        said = excerpt(found.stderr, found.stdout, redact=service.redact)
        raise ProbeFailed(f"{' '.join(service.description.python)} in {image.text} ended with {found.code}: {said}")
    answer = json.loads(line[len(_MARK) :])
    failed = ""
    for argv, (code, said) in zip(full["commands"], answer["commands"]):
        if code:
            failed = service.commands.describe(argv, code, said, "")
    if answer.get("error"):
        text = f"Alembic in {image.text}: {answer['error']}"
        raise ProbeFailed(service.redact(f"{failed}. {text}" if failed else text))
    return Answer(
        graph(answer["revisions"]),
        tuple(answer["heads"]) if "heads" in answer else None,
        service.redact(_first_lines(str(answer.get("database_error", "")))),
        bool(answer.get("transactional")),
        _on_one_line(answer.get("downs") or {}),
        _on_one_line(answer.get("ups") or {}),
        failed,
        tuple(answer.get("counts") or ()),
        tuple(answer.get("entry") or ()),
    )


def _on_one_line(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """SQL as a plan shows it: one line for each statement."""
    return {
        name: {**one, "sql": [" ".join(statement.split()) for statement in one.get("sql") or ()]}
        for name, one in found.items()
    }


def _first_lines(text: str) -> str:
    return excerpt(text, first=4, last=2, nothing="").replace(" | ", " ")


def run(
    service: ComposeService,
    image: Reference,
    argv: Sequence[str],
    purpose: str,
    stdin: str | None = None,
    timeout: float | None = None,
) -> Output:
    """Run a command in a container of the migration service, made from an image, which is removed afterwards."""
    name = service.description.migration_service
    override = {"services": {name: {"image": image.text, "pull_policy": "never"}}}
    title = f"{service.description.name}-ops-{purpose}-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="ops-runbook-") as folder:
        path = os.path.join(folder, "image.json")
        with open(path, "w", encoding="utf-8") as handle:
            json.dump(override, handle)
        arguments = ["run", "--rm", "--no-deps", "-T", "--name", title, "--label", f"{LABEL}={purpose}"]
        try:
            return service.compose(
                *arguments,
                *("--entrypoint", argv[0], name, *argv[1:]),
                files=[*service.all_files(), path],
                stdin=stdin,
                timeout=timeout,
                check=False,
                tell=purpose == "migration",
            )
        except CommandFailed:
            # The timeout killed the docker client, not the container, which keeps running.
            if purpose == "probe":
                _remove(service, title)
            raise


def _remove(service: ComposeService, container: str) -> None:
    try:
        service.engine.remove_container(container)
    except EngineUnreachable:
        return


def at_work(service: ComposeService, project: str) -> list[str]:
    """The names of containers in which migrations run now, whoever began them."""
    return [
        str((container.get("Names") or [container["Id"]])[0]).lstrip("/")
        for container in service.engine.containers(_labels(service, project))
        if (container.get("Labels") or {}).get(LABEL) == "migration" and container.get("State") == "running"
    ]


def _labels(service: ComposeService, project: str) -> list[str]:
    return [
        f"com.docker.compose.project={project}",
        f"com.docker.compose.service={service.description.migration_service}",
    ]


def settle(service: ComposeService, project: str) -> None:
    """Wait for a migration whose module was killed, and remove what such modules left."""
    for container in service.engine.containers(_labels(service, project)):
        purpose = (container.get("Labels") or {}).get(LABEL)
        if purpose == "migration" and container.get("State") == "running":
            service.engine.wait(container["Id"], _UNLIMITED)
        if purpose:
            service.engine.remove_container(container["Id"])
