# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text about an operation: the plan, the refusal, the summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.ops.runbook.plugins.module_utils.console import fleet
from ansible_collections.ops.runbook.plugins.module_utils.console.fleet import Outcomes, Plans
from ansible_collections.ops.runbook.plugins.module_utils.console.table import table
from ansible_collections.ops.runbook.plugins.module_utils.guard import release_name
from ansible_collections.ops.runbook.plugins.module_utils.guard.journal import NO_PLAN
from ansible_collections.ops.runbook.plugins.module_utils.guard.release_name import label
from ansible_collections.ops.runbook.plugins.module_utils.health.blame import SURROUNDINGS
from ansible_collections.ops.runbook.plugins.module_utils.text.screen_text import told
from ansible_collections.ops.runbook.plugins.module_utils.text.ways import typed

if TYPE_CHECKING:
    from ansible_collections.ops.runbook.plugins.module_utils.guard.contract import (
        MigrationsRecord,
        Outcome,
        Plan,
        Planned,
        Record,
        RefusalRecord,
        Way,
    )

# -- the plan ------------------------------------------------------------------------------------


def plan_lines(results: Plans, migrate_on: str = "each") -> list[str]:
    """The plan of all hosts. Hosts with the same plan are shown together."""
    planned = {host: result for host, result in results.items() if result.get("plan")}
    rows = []
    for host, result in planned.items():
        plan = result.get("plan") or NO_PLAN
        if result.get("direction") == "back":
            rows.append((host, "between two releases", label(plan.get("from")), _amount(plan)))
        else:
            rows.append((host, label(plan.get("from")), label(plan.get("to")), _amount(plan)))
    lines = table(("host", "from", "to", "plan"), rows)
    if migrate_on == "first" and len(results) > 1 and fleet.migrating(planned):
        lines += ["", f"migrations: once, on {next(iter(results))}, for all of these hosts"]
    shown: list[tuple[list[str], list[str]]] = []
    for host, result in planned.items():
        details = plan_details(result)
        for hosts, known in shown:
            if known == details:
                hosts.append(host)
                break
        else:
            shown.append(([host], details))
    for hosts, details in shown:
        lines += [""] + ([f"on {', '.join(hosts)}:"] if len(shown) > 1 else []) + details
    return lines


def _amount(plan: Plan) -> str:
    if "remaining" in plan:
        return f"{len(plan['remaining'])} steps remain"
    if not plan["steps"]:
        return "nothing to do: it is there already"
    return f"{len(plan['steps'])} steps"


def plan_details(result: Planned) -> list[str]:
    """Facts of one host's plan beside the two releases."""
    plan = result.get("plan") or NO_PLAN
    lines = [f"{plan['procedure']}, operation {result['operation']}", f"chosen    {plan['chosen']}"]
    back = result.get("direction") == "back"
    if plan.get("proven") and plan["proven"] not in plan["chosen"] and not back:
        lines.append(f"proven    {plan['proven']}")
    if not back:
        lines += _going_lines(plan)
    steps = plan["undo"] if back else plan["steps"]
    remaining = plan.get("remaining")
    titles = [step["title"] for step in steps if remaining is None or step["id"] in remaining]
    if titles and not back:
        titles += [f"{step['title']}, once that is verified" for step in plan.get("afterwards") or []]
    lines += _titled("steps", [f"{number}. {title}" for number, title in enumerate(titles, start=1)])
    lines += [f"WARNING   {warning}" for warning in plan.get("warnings") or []]
    return lines


def _going_lines(plan: Plan) -> list[str]:
    """Lines about the way forward; a way back has none of them."""
    lines = _migration_lines(plan.get("migrations"))
    for title, entries in plan.get("also") or []:
        lines += _titled(title, entries)
    return lines + _titled("commits", plan.get("commits") or [])


def _titled(title: str, entries: Sequence[str]) -> list[str]:
    width = max(10, len(title) + 2)
    return [f"{title if index == 0 else '':<{width}}{entry}" for index, entry in enumerate(entries)]


def _migration_lines(migrations: MigrationsRecord | None) -> list[str]:
    if not migrations:
        return []
    verdict, lines = migrations["verdict"], []
    text = {
        "same": "the database is where the target expects it",
        "ahead": f"the database has {len(migrations['ahead'])} that the target does not know",
        "behind": f"the target brings {len(migrations['behind'])} that the database does not have",
        "diverged": f"{len(migrations['ahead'])} unknown to the target, {len(migrations['behind'])} missing",
        "unknown": "where the database stands can't be told"
        + (f": {migrations['error']}" if migrations.get("error") else ""),
    }[verdict]
    if migrations["down"]:
        lines = [f"database  {text}; they are undone before the switch:"]
        lines += _sql_lines(migrations["down"], migrations["sql"])
        lines.append(f"DESTROYS  {', '.join(migrations['losses']) or 'no table and no column'}")
    elif migrations["run"]:
        lines = [f"database  {text}; they are run:", *_sql_lines(migrations["run"], migrations["sql"])]
    else:
        kept = {"keep": "; kept as it is", "skip": "; none is run"}.get(migrations["mode"], "")
        lines = [f"database  {text}{kept if verdict != 'same' else ''}"]
    if migrations.get("foreign"):
        names = ", ".join(migrations["foreign"])
        lines.append(f"          in the database, and in neither release, which says nothing about the two: {names}")
    lines += [f"unasked   {text}" for text in migrations.get("unasked") or ()]
    return lines


def _sql_lines(names: Sequence[str], sql: Mapping[str, Sequence[str]]) -> list[str]:
    lines: list[str] = []
    for name in names:
        lines += [f"          {name}", *[f"            {statement}" for statement in sql.get(name, [])]]
    return lines


# -- refusals ------------------------------------------------------------------------------------


def refusal_lines(results: Plans, together: RefusalRecord | None = None, by_command: bool = False) -> list[str]:
    """Why nothing was changed, on which host, and what to type next.

    together: a refusal of all hosts at once. by_command: whether `ops-runbook` is what is typed, and not Ansible.
    """
    if together:
        return [
            f"REFUSED on {', '.join(results)} ({together['code']}): {together['text']}",
            *_advice(together, by_command),
            *_unchanged([str(together["text"])], []),
        ]
    unfinished = _where_unfinished(results)
    lines: list[str] = []
    for host, result in results.items():
        problem = fleet.problem(result)
        if not problem:
            continue
        refusal = result.get("refusal")
        if refusal and refusal.get("code") == "nothing_interrupted" and unfinished:
            refusal = {**refusal, "ways": [unfinished]}
        code = f" ({refusal['code']})" if refusal and not result.get("unreachable") else ""
        lines += [f"REFUSED on {host}{code}: {problem}", *_advice(refusal, by_command)]
    good = [host for host, result in results.items() if not fleet.problem(result)]
    return lines + _unchanged(lines, good)


def _unchanged(lines: Sequence[str], good: Sequence[str]) -> list[str]:
    """The last line of a refusal, unless its text has it already."""
    if good:
        return [f"Nothing was changed, nor on {', '.join(good)}."]
    return (
        []
        if any(re.search(r"\bNothing was (changed|contacted)\b", line) for line in lines)
        else ["Nothing was changed."]
    )


def _where_unfinished(results: Plans) -> Way | None:
    """The next command if only some hosts were cut off: with `interrupted` the others refuse, without it these do."""
    others = [
        host
        for host, result in results.items()
        if not (refusal := result.get("refusal")) or refusal["code"] != "nothing_interrupted"
    ]
    if not others or len(others) == len(results):
        return None
    return {"input": f"target={','.join(others)}", "effect": "with the same inputs: only where something is unfinished"}


def _advice(refusal: RefusalRecord | None, by_command: bool) -> list[str]:
    if not refusal:
        return []
    lines = [f"  {detail}" for detail in refusal.get("details", [])]
    ways = refusal.get("ways", [])
    if ways:
        lines.append("  To go on, give one of:")
        lines += _aligned((typed(way["input"], way["effect"], by_command), way["effect"]) for way in ways)
    return lines


#: Letters of a command up to which its effect is beside it. The effect of a longer one is below.
_BESIDE = 76


def _aligned(ways: Iterable[tuple[str, str]]) -> list[str]:
    """Commands, each on a line of its own that can be copied, with the effect beside or below it."""
    found = list(ways)
    width = max((len(text) for text, _ in found if len(text) <= _BESIDE), default=0)
    lines: list[str] = []
    for text, effect in found:
        beside = len(text) <= _BESIDE
        lines += [f"    {text.ljust(width)}  {effect}"] if beside else [f"    {text}", f"      {effect}"]
    return lines


# -- the summary ---------------------------------------------------------------------------------


def summary_lines(results: Outcomes, system: str = "") -> list[str]:
    """One table: host, from, to, outcome, seconds, request ids; then what needs a word."""
    rows = []
    for host, result in results.items():
        record, plan = result.get("record") or {}, fleet.plan_of(result)
        rows.append(
            (
                host,
                label(record.get("from") or plan.get("from")),
                label(record.get("to") or plan.get("to")),
                outcome_of(result),
                seconds_of(result),
                ", ".join(request_ids(result)) or "-",
            )
        )
    lines = table(("host", "from", "to", "outcome", "seconds", "request id"), rows) + notes(results)
    operations = sorted({str(result["operation"]) for result in results.values() if result.get("operation")})
    operations += [ended["id"] for result in results.values() if (ended := result.get("record"))]
    if operations:
        lines.append(f"recorded as operation {operations[-1]}")
    # If the run failed, trouble_lines() already prints this.
    return lines if trouble_lines(results) else lines + _mix_lines(results, system)


def request_ids(result: Outcome) -> list[str]:
    """The ids of the answers that count."""
    record = result.get("record") or {}
    # Of a release that failed, the failed answer is what the incident notes want.
    answers = record.get("failed_health") or record.get("health") or []
    answers = answers or (result.get("verified") or {}).get("health") or []
    return list(dict.fromkeys(str(check["request_id"]) for check in answers if check.get("request_id")))


def seconds_of(result: Outcome) -> str:
    """Seconds of the finished steps of a host; empty without one, since that does not measure the run."""
    record = result.get("record") or {}
    if not record.get("steps") or result.get("untouched"):
        return "-"
    return f"{sum(step['seconds'] for step in record.get('steps') or []):.1f}"


def notes(results: Outcomes) -> list[str]:
    """Notes beside the outcomes."""
    lines: list[str] = []
    for result in results.values():
        said = _notes(record) if (record := result.get("record")) else []
        lines += [note for note in said if note not in lines]
    for host, result in results.items():
        passed = (result.get("verified") or {}).get("surroundings") or []
        prefix = f"{host}: " if len(results) > 1 else ""
        lines += [f"WARNING   {prefix}{text}" for text in passed]
    for result in results.values():
        note = (result.get("verified") or {}).get("note")
        if note and note not in lines:
            lines.append(note)
    return lines


def _notes(record: Record) -> list[str]:
    migrations = record.get("migrations")
    lines = _merge_lines(record)
    done = (record.get("notes") or {}).get("migrate")
    undone = (record.get("notes") or {}).get("undo_migrations")
    ran = list(done["ran"]) if isinstance(done, Mapping) and "ran" in done else []
    failed = str(record.get("error")).startswith("step 'migrate'")
    begun = any(step.get("step") == "migrate" for step in record.get("steps") or ())
    if failed or begun or record.get("continues") or "steps" not in record:
        ran = ran or list(migrations.get("run") or () if migrations else ())
    if record["outcome"] == "reverted" and isinstance(undone, Mapping):
        lines += _undone(undone)
    elif record["outcome"] == "reverted" and ran:
        lines += _left_in_database(ran, str(record.get("error") or ""))
    if record["outcome"] == "succeeded" and migrations and migrations["mode"] == "keep" and migrations["ahead"]:
        lines.append("the database stays ahead by: " + ", ".join(migrations["ahead"]))
    for step, note in (record.get("notes") or {}).items():
        if isinstance(note, Mapping) and "saved" in note:
            lines.append(f"discarded changes are in {note['saved']}")
        elif isinstance(note, Mapping) and "kept" in note:
            lines.append(f"the damaged ledger is kept as {note['kept']}")
        elif isinstance(note, Mapping) and "left_to_do" in note and record["outcome"] == "succeeded":
            lines += _titled("to do", note["left_to_do"])
        elif isinstance(note, Mapping) and "by_itself" in note and record["outcome"] == "succeeded":
            lines.append(_by_itself(note))
        elif isinstance(note, Mapping) and "failed" in note:
            lines.append(f"{step} failed, which changes nothing about the result: {note['failed']}")
        elif step == "adopt":
            lines.append(str(note))
    return lines


def _by_itself(note: Mapping[str, Any]) -> str:
    """A database that moved under an operation that was to leave it alone."""
    names = ", ".join(note["by_itself"])
    what = f"migrated the database when they started: {names}" if names else "moved the database when they started"
    there = ", ".join(note["heads"]) or "no migration"
    return (
        f"WARNING   the images of this release {what}. This operation ran no migration, and the database is at {there} "
        "now; a rollback looks at that, and asks what is to be done about it"
    )


def _merge_lines(record: Record) -> list[str]:
    """The merges that are due for a hotfix, as commands."""
    known = record.get("facts") or {}
    if record.get("outcome") != "succeeded" or not known.get("hotfix"):
        return []
    due = [one for one in known.get("merges") or () if isinstance(one, Mapping)]
    lines = _titled("to merge", [f"into {one.get('into')}: {one.get('command')}" for one in due])
    return [*lines, *([str(known["merges_unknown"])] if known.get("merges_unknown") else [])]


def _left_in_database(ran: Sequence[str], error: str) -> list[str]:
    """Migrations that going back left. error: of the step that ran them, which looked at the database."""
    names = ", ".join(ran)
    if "In the database now: " in error:
        said = error.rpartition("In the database now: ")[2].partition(". ")[0].split(", ")
        there = [name for name in ran if name in said]
        return [f"going back undid no migration; in the database: {', '.join(there)}"] if there else []
    if error.startswith("step 'migrate'"):
        return [f"going back undid no migration; which of these are in the database can't be told: {names}"]
    return [f"going back undid no migration; those of this deploy: {names}"]


def _undone(note: Mapping[str, Any]) -> list[str]:
    """Migrations that going back found in the database and undid."""
    if note.get("undone"):
        return ["going back undid, from the new image: " + ", ".join(note["undone"])]
    if note.get("left"):
        return [f"going back left these migrations in the database: {', '.join(note['left'])}: {note['why']}"]
    if note.get("unseen"):
        return [f"which migrations going back has left in the database can't be told: {note['unseen']}"]
    return []


def outcome_of(result: Outcome) -> str:
    """The one word for how it ended on a host."""
    if result.get("untouched"):
        return "untouched"
    if result.get("unreachable"):
        return "unreachable"
    return str(result.get("outcome") or "unknown")


def trouble_lines(results: Outcomes, system: str = "") -> list[str]:
    """Why the run is not green, host by host; empty when every host was verified.

    system: what the names of its procedures begin with, such as ops.runbook.laravel.
    """
    troubled: dict[tuple[str, ...], list[str]] = {}
    for host, result in results.items():
        words = _trouble(host, result, len(results) > 1)
        if words:
            # Of hosts with nothing of their own to say one line is enough.
            troubled.setdefault(tuple(words), []).append(host)
    lines: list[str] = []
    for (first, *rest), hosts in troubled.items():
        lines += [f"{', '.join(hosts)}: {first}", *[f"  {word}" for word in rest]]
    return lines + (_mix_lines(results, system) or _failed_lines(results, system)) if lines else []


def _trouble(host: str, result: Outcome, several: bool) -> list[str]:
    outcome, plan, record = outcome_of(result), fleet.plan_of(result), result.get("record") or {}
    undone = outcome == "reverted" and (result.get("planned") or {}).get("direction") == "back"
    if outcome in ("succeeded", "unchanged") or undone:
        return []
    ends = f"ends by itself at about {result['lease_ends']}." if result.get("lease_ends") else ""
    here, look = f"-e target={host} " if several else "", f"-e target={host}"
    words = [f"{outcome}: {_why(result, outcome)}"]
    if record.get("about") == SURROUNDINGS and outcome in ("failed", "reverted"):
        words.append("That is about the surroundings of the release, and condemns none.")
    if outcome == "untouched":
        words.append(f"Nothing was changed there; {label(plan.get('from'))} runs as before.")
        if result.get("outcome") != "refused":
            words.append(f"The lease could not be given back: {_why(result, 'unknown')}. It {ends}".rstrip())
    elif outcome == "reverted":
        before = label(record.get("from"))
        proof = "no endpoint was asked" if (result.get("verified") or {}).get("unasked") else "verified"
        # A first deploy has no release to go back to, and may leave something.
        at_start = f"{host} is as it was before, {proof}."
        words.append(plan.get("left_over") or at_start if before == "-" else f"{host} runs {before} again, {proof}.")
    elif outcome in ("unreachable", "unknown"):
        going = f"It was at {label(plan.get('from'))}, on its way to {label(plan.get('to'))}. "
        words.append(f"{'' if plan is NO_PLAN else going}It may have gone on by itself.")
        if ends:
            words.append(f"Its lease {ends}")
        words.append(f"Before the same command again, look: ansible-playbook ops.runbook.operation_history {look}")
    elif outcome in ("refused", "interrupted") and result.get("settled", True):
        words.append("Nothing was changed on it. The same command again continues, or says what can be done.")
    elif not result.get("settled", True):
        between = plan.get("halfway") or "The host is between two releases."
        words.append(f"{between} The same command again says what can be done:")
        back = "" if plan.get("halfway") else f", {here}-e interrupted=undo goes back"
        words.append(f"{here}-e interrupted=resume goes on{back}.")
    else:
        there = label(_place(result))
        words.append(f"{host} is {'' if there == '-' else f'at {there}, and '}not well.")
    return words


def _place(result: Outcome) -> Mapping[str, Any] | None:
    """The release at which an operation that failed has left its host; None where none is known."""
    record, plan = result.get("record") or {}, fleet.plan_of(result)
    return next((one for one in (record.get("left"), record.get("to"), plan.get("to"), plan.get("from")) if one), None)


def _failed_lines(results: Outcomes, system: str) -> list[str]:
    """The lines to type after an operation that failed: where it left the hosts nothing waits for a decision."""
    failed = {host: one for host, one in results.items() if outcome_of(one) == "failed" and one.get("settled", True)}
    if not failed:
        return []
    first = next(iter(failed.values()))
    plan, there = fleet.plan_of(first), _place(first)
    procedure, source = plan.get("procedure"), plan.get("from")
    mend = "repair what is named above, then the same command again."
    target = ",".join(failed)
    if plan.get("anew"):
        name, _, inputs = str(plan["anew"]).partition(" ")
        anew = (f"{_going(system, name, target)} {inputs}", f"brings {label(there)} up again; then the same command")
        return ["  To go on, one of:", *_aligned([anew]), f"  Or {mend}"]
    if procedure not in ("deploy", "rollback") or not release_name.identity(there):
        return [f"  To go on: {mend}"]
    # The same command again would go on from here: `previous` is another release now.
    ways = [
        (_going(system, str(procedure), target, there or {}), f"verifies {label(there)} again, once that is repaired")
    ]
    if release_name.identity(source) not in ("", release_name.identity(there)):
        other = "deploy" if procedure == "rollback" else "rollback"
        ways.append((_going(system, other, target, source or {}), f"goes back to {label(source)}"))
    elif source:
        # The release that it came from is not well either.
        ways.append((_going(system, "rollback", target), "goes back to the release before it"))
    return ["  To go on, one of:", *_aligned(ways)]


def _going(system: str, procedure: str, target: str, release: Mapping[str, Any] | None = None) -> str:
    """The command that brings hosts to a release; without one to the release that the procedure chooses."""
    to = f" -e to={release_name.typed(release)}" if release is not None else ""
    return f"ansible-playbook {system}_{procedure} -e target={target}{to}"


def _mix_lines(results: Outcomes, system: str) -> list[str]:
    """Loud where the hosts are not on one release: which host is on which, and what to type to bring them together."""
    mix = fleet.mix(results)
    if not mix:
        return []
    rows = [(f"  {label(release) if release else 'not known'}", ", ".join(hosts)) for release, hosts in mix]
    sure = len([release for release, _ in mix if release]) > 1
    lines = [f"THE HOSTS {'ARE' if sure else 'MAY BE'} ON DIFFERENT RELEASES:", *table(rows[0], rows[1:])]
    plans = [fleet.plan_of(result) for result in results.values()]
    targets = {release_name.identity(plan.get("to")) for plan in plans}
    rollback = any(plan.get("procedure") == "rollback" for plan in plans)
    ways = []
    for release in fleet.ends(plans):
        # To the target the same way again; to where a host came from, the other way.
        name = "rollback" if rollback is (release_name.identity(release) in targets) else "deploy"
        ways.append((_going(system, name, ",".join(results), release), f"all of them to {label(release)}"))
    return [*lines, "  To bring them together, one of:", *_aligned(ways)]


def _why(result: Outcome, outcome: str) -> str:
    if outcome in ("unreachable", "unknown"):
        return str(told(result.get("msg")) or "the host did not answer")
    if outcome == "untouched":
        return str(result["untouched"])
    return str(result.get("error") or "no reason was recorded")
