"""The checker: looks at a host after a step, and judges it by what the run said.

It shares no code with the product nor with the drivers of the faults. It asks by HTTP, /proc, SQL, git and docker, and
reads the ledger by the format that docs/reference/operations.md has. tests/sanity holds what it may import.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FIRST = "0" * 64


@dataclass(frozen=True)
class Keys:
    """Keys by fingerprint. valid: those that must log in. let_in: each whose private half is known, and if it logs in.

    listed: those in the files that sshd reads.
    """

    valid: frozenset[str]
    let_in: Mapping[str, bool]
    listed: frozenset[str]


@dataclass(frozen=True)
class Facts:
    """A host at one moment, as an observer finds it.

    answers: each answer of the service: (status, release it names). page: the maintenance page is on.
    release: commit, or digests, of what is deployed. rows: by table, the canary rows. ledger: the raw file.
    lease: the document, None if there is none. lease_lives: a process that works holds it. journal: the raw file.
    aside: ledgers that were moved out of the way, whole. rows_seen: False if the database did not answer.
    keys: the SSH keys, of a system that changes who may log in; None of the others.
    """

    answers: tuple[tuple[int, str], ...]
    release: str
    rows: Mapping[str, frozenset[int]]
    ledger: bytes
    lease: Mapping[str, Any] | None = None
    lease_lives: bool = False
    journal: bytes = b""
    page: bool = False
    aside: tuple[bytes, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    rows_seen: bool = True
    keys: Keys | None = None

    @property
    def one(self) -> str:
        """The release that answers every request; empty if there is not exactly one."""
        found = set(self.answers)
        if len(found) != 1 or next(iter(found))[0] != 200:
            return ""
        return next(iter(found))[1]


def records(raw: bytes) -> tuple[list[dict[str, Any]], list[str], bytes]:
    """Records of a ledger, what is wrong with its chain, and a last line that is not whole."""
    whole, _, torn = raw.rpartition(b"\n")
    found, wrong, head = [], [], FIRST
    for number, line in enumerate(whole.split(b"\n") if whole else [], 1):
        try:
            record = json.loads(line)
        except ValueError:
            wrong.append(f"line {number} is not JSON")
            break
        if record.get("previous_hash") != head:
            wrong.append(f"line {number} does not follow from the line before it")
        found.append(record)
        head = hashlib.sha256(line).hexdigest()
    return found, wrong, torn


def overtaken(raw: bytes, first: str, second: str) -> bool:
    """True if an operation that came while another one was at work is recorded, and that one had no end before it.

    Only an operation that found nothing to do ends without a record. The second one may record the first as cut off.
    """
    found = records(raw)[0]
    ids = [record["id"] for record in found]
    if second not in ids:
        return False
    before = [record for record in found[: ids.index(second)] if record["id"] == first]
    return not before or before[0]["outcome"] == "interrupted"


def previous(found: Sequence[Mapping[str, Any]]) -> str:
    """The release that a rollback goes to, by what docs/reference/operations.md says of good and condemned releases."""
    order: list[str] = []
    good: dict[str, bool] = {}
    here = ""
    for record in found:
        target, source = ((record.get(end) or {}).get("id", "") for end in ("to", "from"))
        procedure, outcome = record["procedure"], record["outcome"]
        began = outcome == "succeeded" or record.get("steps") or record.get("continues") or not record.get("left")
        if outcome in ("refused", "unchanged") or procedure not in ("deploy", "adopt", "rollback"):
            continue
        if not target or not began:
            continue
        here = (record.get("left") or {}).get("id", "")
        if source == target and outcome != "succeeded":
            continue
        if outcome == "succeeded":
            _arrived(order, good, procedure, source, target)
        else:
            _not_arrived(order, good, record, source, target)
    if here and here not in order:
        return ""
    before = order[: order.index(here)] if here else order
    return next((one for one in reversed(before) if good.get(one)), "")


def _arrived(order: list[str], good: dict[str, bool], procedure: str, source: str, target: str) -> None:
    if procedure == "rollback":
        good[source] = False
        if target not in order:
            order.insert(order.index(source) if source in order else len(order), target)
    else:
        if target in order:
            order.remove(target)
        order.append(target)
    good[target] = True


def _not_arrived(order: list[str], good: dict[str, bool], record: Mapping[str, Any], source: str, target: str) -> None:
    outcome, about = record["outcome"], record.get("about")
    left = (record.get("left") or {}).get("id", "")
    if record["procedure"] == "rollback":
        if about == "release":
            good[target] = False
        if outcome == "failed" and not (left == source and about == "surroundings"):
            good[source] = False
        return
    if not (about == "surroundings" or (about == "cut" and outcome == "reverted")):
        good[target] = False
    if left != source and target in order:
        order.remove(target)
        order.append(target)


@dataclass(frozen=True)
class Run:
    """The words of a run, for the checker: see said.Said.

    plans: the screens on which the loss of data may be announced: those of this run, and of the runs before it that
    were cut off and that it finishes. killed: it did not come to its end, or its host lost it.
    """

    green: bool
    refused: bool
    outcome: str
    code: str
    operation: str
    plans: str
    names_a_way: bool
    killed: bool = False


@dataclass(frozen=True)
class Surroundings:
    """Changes that the player made to the host beside the operation.

    troubled: by hand or by a fault the service can't be well now. edited: somebody edited the ledger by hand.
    moved: somebody moved the code by hand. paged: maintenance mode may be on. alone: no other run is at work.
    """

    troubled: bool = False
    edited: bool = False
    moved: bool = False
    paged: bool = False
    alone: bool = True


Announced = Callable[[str, str], int]


def judge(before: Facts, after: Facts, run: Run | None, around: Surroundings, announced: Announced) -> list[str]:
    """List the faults after a typed line. announced: the rows of a table whose loss a text announces."""
    return [
        *_ledger(before, after, around),
        *_vanished(before, after),
        *_unsaid(before, after, around),
        *(_edited(before, after) if run else []),
        *_rows(before, after, run, announced),
        *_keys(after, run, around),
        *(_answers(before, after, run, around) if run else []),
        *(_recorded(after, run, around) if run else []),
        *(_held(after, run, around) if run else []),
        *(_way(run) if run else []),
    ]


def _ledger(before: Facts, after: Facts, around: Surroundings) -> list[str]:
    if around.edited:
        return []
    found, wrong, _ = records(after.ledger)
    problems = [f"chain: {problem}" for problem in wrong]
    whole = before.ledger[: before.ledger.rfind(b"\n") + 1]
    if not after.ledger.startswith(whole) and whole not in after.aside:
        problems.append("chain: records that were there before are missing or changed")
    ids = [record["id"] for record in found]
    if len(set(ids)) != len(ids):
        problems.append("chain: an operation is recorded twice")
    return problems


def _vanished(before: Facts, after: Facts) -> list[str]:
    """An operation that had begun to change the host is in the journal until it is in the ledger."""
    operation, begun = at_work(before.journal)
    if not begun or operation == at_work(after.journal)[0]:
        return []
    found, wrong, _ = records(after.ledger)
    if wrong or any(record["id"] == operation for record in found):
        return []
    if any(json.loads(line).get("continues") == operation for line in _lines(after.journal)):
        return []
    return [f"journal: operation {operation} had begun, and neither the journal nor the ledger has it"]


def _lines(journal: bytes) -> list[bytes]:
    found = []
    for line in journal.split(b"\n"):
        try:
            if isinstance(json.loads(line), dict):
                found.append(line)
        except ValueError:
            continue
    return found


def at_work(journal: bytes) -> tuple[str, bool]:
    """The operation of a journal, and True if a step of it was begun."""
    events = [json.loads(line) for line in _lines(journal)]
    operation = next((str(event["operation"]) for event in events if event.get("event") == "open"), "")
    return operation, any(event.get("event") in ("begin", "carry") for event in events)


def _unsaid(before: Facts, after: Facts, around: Surroundings) -> list[str]:
    """The release changes only by a step that the journal had before."""
    if around.moved or not before.release or before.release == after.release or not after.journal:
        return []
    found, _, _ = records(after.ledger)
    known, _, _ = records(before.ledger)
    if len(found) > len(known) or at_work(after.journal)[1]:
        return []
    return ["journal: the release was changed, and no step was journalled"]


def _edited(before: Facts, after: Facts) -> list[str]:
    if records(before.ledger)[1] and after.ledger != before.ledger and after.ledger.startswith(before.ledger):
        return ["ledger: it was edited, and a record was added to it"]
    return []


def _rows(before: Facts, after: Facts, run: Run | None, announced: Announced) -> list[str]:
    problems = []
    for table, rows in before.rows.items():
        missing = rows - after.rows.get(table, frozenset())
        said = announced(run.plans, table) if run is not None else 0
        if len(missing) > said:
            problems.append(
                f"rows: {len(missing)} rows of {table} are missing, and the plans announced {said or 'none'}"
            )
    return problems


def _keys(after: Facts, run: Run | None, around: Surroundings) -> list[str]:
    """A valid key always logs in, also in the midst of an operation; one that a run took out never does."""
    keys = after.keys
    if keys is None:
        return []
    problems = []
    if not around.troubled:
        problems += [f"keys: {one} is valid, and does not log in" for one in sorted(keys.valid) if not keys.let_in[one]]
    found, _, _ = records(after.ledger)
    if run is None or not run.operation or not found or found[-1]["id"] != run.operation:
        return problems
    kept, out = (found[-1].get("to") or {}).get("id"), (found[-1].get("from") or {}).get("id")
    if run.outcome == "reverted":
        kept, out = out, kept
    elif run.outcome != "succeeded":
        return problems
    if out and (out in keys.listed or keys.let_in.get(out)):
        problems.append(f"keys: the run says {run.outcome}, and {out} is not out")
    if kept and kept not in keys.listed and not around.troubled:
        problems.append(f"keys: the run says {run.outcome}, and {kept} is not in")
    return problems


def _answers(before: Facts, after: Facts, run: Run, around: Surroundings) -> list[str]:
    if around.troubled or not around.alone:
        return ["answers: a green run, and the service does not answer"] if _silent(after, run) and around.alone else []
    if after.page or before.page:
        return (
            [] if around.paged or not after.page else ["answers: the maintenance page is on, and nobody asked for it"]
        )
    name = after.names.get(after.release, after.release)
    if after.one:
        problems = []
        if not _same(after.one, after.release, name) and (run.green or run.outcome == "reverted"):
            problems.append(f"answers: {after.one} answers, and {name} is deployed")
        return problems
    said = not run.green and run.outcome not in ("reverted", "refused", "untouched") and not run.refused
    unchanged = (run.refused or run.outcome in ("refused", "untouched")) and set(after.answers) == set(before.answers)
    if said or unchanged or run.killed or (run.refused and not before.one):
        return []
    return [f"answers: {sorted(set(after.answers))}, and the run said {run.outcome or run.code or 'nothing'}"]


def _silent(after: Facts, run: Run) -> bool:
    return run.green and not after.page and all(status in (0, 502, 503, 504) for status, _ in after.answers)


def _same(answer: str, release: str, name: str) -> bool:
    return answer in (release, name, name.removeprefix("v")) or not answer


def _recorded(after: Facts, run: Run, around: Surroundings) -> list[str]:
    found, _, _ = records(after.ledger)
    problems = []
    its = [record for record in found if run.operation and record["id"] == run.operation]
    if run.green and run.outcome in ("succeeded", "reverted") or run.outcome == "reverted":
        if not run.operation:
            problems.append(f"record: the run says {run.outcome} and names no operation")
        elif not its:
            problems.append(f"record: the run says {run.outcome}, and the ledger has no operation {run.operation}")
    if its and run.outcome and its[-1]["outcome"] != run.outcome and run.outcome != "untouched":
        problems.append(f"record: the run says {run.outcome}, and the ledger {its[-1]['outcome']}")
    if its and its[-1] is found[-1] and around.alone and not around.moved and run.outcome in ("succeeded", "reverted"):
        left = (its[-1].get("left") or {}).get("id")
        if left and after.release and left != after.release:
            problems.append(f"record: the ledger says that the host was left at {left}, and it is at {after.release}")
    if run.green and run.outcome in ("succeeded", "reverted", "unchanged") and after.journal and around.alone:
        problems.append(f"record: the run says {run.outcome}, and a journal is left")
    return problems


def _held(after: Facts, run: Run, around: Surroundings) -> list[str]:
    if after.lease is None or after.lease_lives or run.killed or not around.alone:
        return []
    if run.refused and run.code in ("lease_held", "takeover_of_another", "takeover_pending"):
        return []
    if run.refused and after.lease.get("operation") == at_work(after.journal)[0]:
        # It was cut off, and its run may still come back to it: the decision about it ends the lease.
        return []
    return [f"lease: operation {after.lease.get('operation')} holds it, and nobody lives who may give it back"]


def _way(run: Run) -> list[str]:
    # What was verified where it came from needs nothing.
    if run.green or run.killed or run.names_a_way or run.outcome == "reverted":
        return []
    return [f"ways: the run is red ({run.outcome or run.code or 'without an outcome'}) and names nothing to type"]


def history(after: Facts, shown: Mapping[str, Any]) -> list[str]:
    """Compare the answer of `operation_history` with the ledger's own lines. shown: its document for this host."""
    found, wrong, _ = records(after.ledger)
    problems = []
    if [record.get("id") for record in shown.get("records", [])] != [record.get("id") for record in found]:
        problems.append("history: it shows other records than the ledger has")
    if bool(shown.get("chain", {}).get("ok")) is bool(wrong):
        problems.append(
            f"history: it says of the chain {shown.get('chain')}, and the ledger has {wrong or 'a whole chain'}"
        )
    said = (shown.get("previous") or {}).get("id", "")
    if not wrong and (said or "") != previous(found):
        problems.append(
            f"history: it says that previous is {said or 'none'}, and the records say {previous(found) or 'none'}"
        )
    return problems
