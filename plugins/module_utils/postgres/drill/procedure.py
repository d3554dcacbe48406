# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore drill: planned by the repository, climbed on a restored cluster, and destroyed again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.guard import procedure
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import BACK, Step
from ansible_collections.ops.runbook.plugins.module_utils.guard.procedure import Acts
from ansible_collections.ops.runbook.plugins.module_utils.health import blame
from ansible_collections.ops.runbook.plugins.module_utils.health.rows import size
from ansible_collections.ops.runbook.plugins.module_utils.host import durable_file
from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed
from ansible_collections.ops.runbook.plugins.module_utils.postgres import archive as wal_archive
from ansible_collections.ops.runbook.plugins.module_utils.postgres import pgbackrest
from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill import decide, ladder, report
from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill.ladder import Rung
from ansible_collections.ops.runbook.plugins.module_utils.postgres.drill.program import Program
from ansible_collections.ops.runbook.plugins.module_utils.postgres.service import Cluster
from ansible_collections.ops.runbook.plugins.module_utils.postgres.status.figures import moment
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem, must_pass

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.postgres.contract import PostgresPlan

Context = procedure.Context[Cluster]
#: The steps that make the cluster that is asked; a failure of one leaves the other rungs unclimbed.
_NEEDED = ("restore", "recover", "start")
_CLIMBED = ("databases", "rows", "heartbeat", "sequences", "amcheck", "integrity", "probe", "checksums")
_TITLES = {
    "restore": "restore the backup into a folder of the drill",
    "recover": "replay the archive, promote, and stop",
    "start": "start the cluster without network, repository and production's files",
    "databases": "compare databases, roles, extensions, encodings and collations",
    "rows": "count the rows of the expected tables",
    "heartbeat": "read the newest heartbeat",
    "sequences": "compare sequences with their columns",
    "amcheck": "check every table and index",
    "integrity": "run the integrity command of the setup",
    "probe": "write a row, and read it again",
    "checksums": "stop the cluster, and check every page",
    "start:again": "start the cluster again, which is kept",
    "destroy": "stop the cluster, and remove its folder",
    "report": "write the report",
}


def plan(context: Context) -> PostgresPlan:
    """Decide by the repository and the drill folder, and change nothing there. Raises Problem."""
    inputs, program, now = context.inputs, Program(context.service), time.time()
    must_pass(decide.refuse_dumps(context.service.description.dumps))
    wanted = decide.databases(context.service.description.databases)
    target = decide.until(str(inputs["to_time"] or ""), now)
    must_pass(program.refusal())
    stanza_name = context.service.description.stanza_name
    try:
        looked = program.ask("look")
        must_pass(decide.refusal(looked, program.name, stanza_name))
        stanza = pgbackrest.read_info(program.text("info"), stanza_name)
        listed = wal_archive.of_listing(program.text("archive"), stanza.folder, int(inputs["wal_size"]) << 20)
        backup = decide.chosen(stanza, listed, str(inputs["backup"] or "latest"), target)
        must_pass(decide.room(looked, backup, int(inputs["disk_reserve"])))
        if not context.check_mode:
            must_pass(writable(program.ask("canary", context.operation)))
    except (CommandFailed, ValueError, KeyError, TypeError) as error:
        way = ("postgres_backup_status", "shows what is missing, where the repository is on this host")
        raise Problem("repository_unreadable", f"the drill can't be planned: {error}", (way,)) from error
    keep, beat = bool(inputs["keep_restored"]), dict(inputs["heartbeat"] or {})
    first = [
        ladder.judged(
            "repository", decide.repository_trouble(stanza), f"stanza {stanza.name}, cluster {stanza.system}"
        ),
        ladder.judged("gap", decide.repository_gap(listed, backup), "no WAL file is missing after the backup"),
    ]
    ids = [one for one in _TITLES if one != ("destroy" if keep else "start:again")]
    here = {"id": backup.label, "name": backup.kind}
    end = f"to {moment(target)}" if target else "to the end of the archive"
    return {
        "from": here,
        "to": here,
        "chosen": f"{backup.label} ({backup.kind}), replayed {end}",
        "proven": "by a restored cluster, which is asked and then destroyed",
        "steps": [Step(one, _TITLES[one]).to_dict() for one in ids],
        "undo": [Step("destroy", _TITLES["destroy"]).to_dict()],
        "also": [
            [
                "restored into",
                [f"{looked['setup']['folder']}, {size(int(looked['free']))} free, {size(backup.size)} needed"],
            ],
            ["not climbed", [f"{rung}: {why}" for rung, why in ladder.NEVER.items()]],
        ],
        "warnings": [f"{one.rung}: {one.text}" for one in first if one.verdict == ladder.BAD],
        "halfway": "The drill is cut off, and its cluster may still be there; production is as it was.",
        "facts": {"backup": backup.label},
        "drill": {
            "label": backup.label,
            "target": decide.as_target(target) if target else "",
            "until": target or now,
            "system": stanza.system,
            "databases": [{"name": one.name, "tables": dict(one.tables), "empty": one.empty} for one in wanted],
            "heartbeat": beat,
            "rto_goal": int(inputs["rto_goal"]),
            "rpo_goal": int(inputs["rpo_goal"]),
            "keep": keep,
            "first": [one.document() for one in first],
        },
    }


def writable(answer: Mapping[str, Any]) -> Problem | None:
    if not answer["wrote"]:
        return None
    text = "the drill can write into the repository, so a mistake in it could reach production's backups"
    way = ("postgres_drill_config", "in the inventory names a configuration with a key that can only read and list")
    return Problem("repository_writable", text, (way,), ["a canary was written there, and removed"])


def steps(context: Context, plan: PostgresPlan) -> Acts:
    """The function of each step. A rung that is bad raises nothing: the others are climbed, and all is removed."""
    drill = Drill(context, plan)
    return {
        **dict.fromkeys(_NEEDED, drill.needed),
        **dict.fromkeys(_CLIMBED, drill.climbed),
        "destroy": lambda _step: drill.ask("destroy"),
        "report": drill.write_report,
    }


class Drill:
    """The steps of one drill, as its plan has them."""

    def __init__(self, context: Context, plan: PostgresPlan) -> None:
        self._guard, self._program = context.guard, Program(context.service)
        self._plan, self._wish = plan, plan["drill"]
        self._operation = str(plan["saved_as"])
        self._databases = [decide.Database(one["name"], one["tables"], one["empty"]) for one in self._wish["databases"]]

    def ask(self, verb: str, *words: str, given: str | None = None) -> Mapping[str, Any]:
        return self._program.ask(verb, self._operation, *words, given=given)

    def needed(self, step: Step) -> object:
        """A step of which all others need the result."""
        verb = step.id.partition(":")[0]
        if self._broken():
            return None
        words = (
            [self._wish["label"], *([self._wish["target"]] if self._wish["target"] else [])]
            if verb == "restore"
            else []
        )
        return self._timed(verb, lambda: self._reached(verb, self.ask(verb, *words)))

    def _reached(self, verb: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        if verb == "restore":
            return {"rungs": [ladder.judged("restored", "", f"{self._wish['label']} in a folder of the drill")]}
        if verb == "recover":
            return {"rungs": [ladder.restored(answer, self._wish["system"])]}
        rung, rto = ladder.ready(answer, self._wish["rto_goal"])
        return {"rungs": [rung], "rto": rto}

    def climbed(self, step: Step) -> object:
        """A rung on the cluster that runs; after a reboot it is started anew."""
        if self._broken():
            return {"rungs": [ladder.not_climbed(step.id, "the cluster was not restored").document()]}
        climb = self._climbs()[step.id]

        def on_running() -> dict[str, Any]:
            # The last rung looks at the stopped cluster.
            if step.id != "checksums":
                self.ask("start")
            return climb()

        return self._timed(step.id, on_running)

    def _timed(self, rung: str, climb: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        started = time.monotonic()
        try:
            found = climb()
        except (CommandFailed, KeyError, TypeError, ValueError) as error:
            found = {"rungs": [ladder.judged(rung, str(error), "")]}
        seconds = round(time.monotonic() - started, 2)
        return {**found, "rungs": [{**one.document(), "seconds": seconds} for one in found["rungs"]]}

    def _broken(self) -> bool:
        notes = _notes(self._guard)
        return any(
            one["verdict"] == ladder.BAD and one["rung"] != "ready" for step in _NEEDED for one in _rungs(notes, step)
        )

    def _climbs(self) -> Mapping[str, Callable[[], dict[str, Any]]]:
        return {
            "databases": self._climb_databases,
            "rows": self._climb_rows,
            "heartbeat": self._climb_heartbeat,
            "sequences": self._climb_sequences,
            "amcheck": self._climb_amcheck,
            "integrity": self._climb_integrity,
            "probe": self._climb_probe,
            "checksums": self._climb_checksums,
        }

    # -- the rungs ---------------------------------------------------------------------------------

    def _before(self) -> Mapping[str, Any]:
        for record in self._guard.ledger().backwards():
            found = ((record.get("notes") or {}).get("databases") or {}).get("facts")
            if found:
                return dict(found)
        return {}

    def _climb_databases(self) -> dict[str, Any]:
        answer = self.ask("facts")
        return {"rungs": [ladder.databases(answer, self._databases, self._before())], "facts": answer}

    def _climb_rows(self) -> dict[str, Any]:
        expected = {one.name: dict(one.tables) for one in self._databases if one.tables}
        answer = self.ask("rows", given=json.dumps(expected))
        filled = {one.name: self.ask("filled", one.name)["tables"] for one in self._databases if one.empty}
        return {"rungs": [ladder.rows(answer, self._databases, filled)]}

    def _climb_heartbeat(self) -> dict[str, Any]:
        beat = self._wish["heartbeat"]
        if not beat:
            return {
                "rungs": [ladder.not_climbed("heartbeat", "postgres_heartbeat names no table: lost time is not known")]
            }
        newest = self.ask("heartbeat", beat["database"], beat["table"], beat["column"])["newest"]
        rung, rpo = ladder.heartbeat(newest, self._wish["until"], int(beat["seconds"]), self._wish["rpo_goal"])
        return {"rungs": [rung], "rpo": rpo}

    def _climb_sequences(self) -> dict[str, Any]:
        return {"rungs": [ladder.sequences(self.ask("sequences"))]}

    def _climb_amcheck(self) -> dict[str, Any]:
        return {"rungs": [ladder.tool("amcheck", self.ask("amcheck"), "every table and index is consistent")]}

    def _climb_integrity(self) -> dict[str, Any]:
        return {"rungs": [ladder.tool("integrity", self.ask("integrity"), "the command of the setup ended with 0")]}

    def _climb_probe(self) -> dict[str, Any]:
        wrong = "" if self.ask("probe", self._databases[0].name)["read"] else "the row that was written is not there"
        return {"rungs": [ladder.judged("probe", wrong, "a row was written, and read in another session")]}

    def _climb_checksums(self) -> dict[str, Any]:
        return {"rungs": [ladder.tool("checksums", self.ask("checksums"), "every page has its checksum")]}

    # -- the report --------------------------------------------------------------------------------

    def write_report(self, _step: Step) -> object:
        """Write the report beside the ledger, and give the ledger its figures."""
        document = report.of(self._plan, _notes(self._guard))
        durable_file.rewrite(self._guard.path("last_drill.json"), durable_file.encode(document))
        durable_file.rewrite(self._guard.path("last_drill.md"), report.markdown(document).encode())
        return {key: document[key] for key in ("verdict", "backup", "rto", "rpo", "climbed", "not_climbed")}


def _notes(guard: Guard) -> Mapping[str, Any]:
    progress = guard.progress()
    return progress.notes if progress else {}


def _rungs(notes: Mapping[str, Any], step: str) -> list[dict[str, Any]]:
    return list((notes.get(step) or {}).get("rungs") or [])


def verify(context: Context, plan: PostgresPlan, direction: str) -> dict[str, Any]:
    """Judge the ladder, and look that nothing of the drill is left."""
    notes, operation, wish = _notes(context.guard), str(plan["saved_as"]), plan["drill"]
    try:
        left = ladder.gone(Program(context.service).ask("look"), operation, wish["keep"] and direction != BACK)
    except CommandFailed as error:
        left = str(error)
    document = report.of(plan, notes)
    if direction == BACK:
        return blame.answer(left, note="" if left else "the restored cluster is gone")
    red = ladder.verdict(Rung(**one) for one in document["rungs"])
    reason = "; ".join(part for part in (red, left) if part)
    return blame.answer(reason, note=report.line(document))
