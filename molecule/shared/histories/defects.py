"""Defects that take a protection out of a copy of the product, so that the checker proves itself by finding them.

`make histories DEFECT=<name>` copies the checkout, changes the copy, and plays histories with it until one is red.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_GUARD = "plugins/module_utils/guard"


class Stale(Exception):
    """The text that a defect replaces is not in the product any more."""


@dataclass(frozen=True)
class Defect:
    """A protection that is taken out. before: the text as the product has it, exactly once; after: what replaces it.

    system: the one whose histories find it.
    """

    name: str
    protection: str
    path: str
    before: str
    after: str
    system: str = "laravel"

    def changed(self, text: str) -> str:
        """The file with the defect. Raises Stale."""
        if text.count(self.before) != 1:
            raise Stale(f"defect {self.name}: {self.path} has its text {text.count(self.before)} times, and not once")
        return text.replace(self.before, self.after)


DEFECTS = {
    defect.name: defect
    for defect in (
        Defect(
            "lease_not_checked",
            "a held lease refuses",
            f"{_GUARD}/opening.py",
            'if lease is None or standing in ("free", "died", "expired"):',
            "if True:",
        ),
        Defect(
            "journal_after_act",
            "a step is journalled before it is done",
            f"{_GUARD}/guard.py",
            """            if step.id != progress.begun:
                self.write({"event": "begin", "step": step.id})
            started = self._timer()
            try:
                note = execute(step)
                durable_tree.sync(*trees)
""",
            """            started = self._timer()
            try:
                note = execute(step)
                durable_tree.sync(*trees)
                self.write({"event": "begin", "step": step.id})
""",
        ),
        Defect(
            "gate_not_waited_for",
            "a release that is not well does not count as good",
            f"{_GUARD}/carry_out.py",
            '        guard.write({"event": "verified", "result": verified})\n',
            '        verified = cast("Verification", {**verified, "ok": True, "reason": ""})\n'
            '        guard.write({"event": "verified", "result": verified})\n',
        ),
        Defect(
            "way_back_counts_as_done",
            "an incomplete way back is not an end",
            f"{_GUARD}/journal.py",
            'return Ending("failed", False, None, f"the way back is not complete: {stopped}")',
            'return Ending("reverted", True, "from", progress.cause)',
        ),
        Defect(
            "previous_by_date",
            "the order of releases is that of the records, and not of their dates",
            f"{_GUARD}/release_choice.py",
            """        return History(
            tuple(self._in_order()),
""",
            """        return History(
            tuple(sorted(self._in_order(), key=lambda one: one.since)),
""",
        ),
        Defect(
            "condemned_is_offered",
            "a release that was rolled back is not gone to again by itself",
            f"{_GUARD}/release_choice.py",
            "self._releases[release] = replace(found, good=False,",
            "self._releases[release] = replace(found, good=True,",
        ),
        Defect(
            "losses_unannounced",
            "the plan names the tables that undoing migrations drops, with their rows",
            "plugins/module_utils/migrations/plan.py",
            "            for loss in self.undoing.losses\n",
            "            for loss in ()\n",
        ),
        Defect(
            "torn_line_trusted",
            "the torn line of a ledger is moved out of the way",
            f"{_GUARD}/ledger_book.py",
            "        if self.torn:\n            durable_file.replace(",
            "        if False:\n            durable_file.replace(",
        ),
        Defect(
            "edited_ledger_trusted",
            "no operation is recorded in an edited ledger",
            f"{_GUARD}/ledger.py",
            "            if record.get(PREVIOUS) != head:\n",
            "            if False:\n",
        ),
        Defect(
            "lease_kept",
            "an operation that ended gives its lease back",
            f"{_GUARD}/guard.py",
            """            finally:
                self._give_back(progress.operation)
            if end.settled:
""",
            """            finally:
                pass
            if end.settled:
""",
        ),
        Defect(
            "end_not_recorded",
            "an operation that ended is in the ledger",
            f"{_GUARD}/guard.py",
            "                    if record is None and not (end.outcome",
            '                    if end.outcome == "refused" and not (end.outcome',
        ),
        Defect(
            "interrupted_forgotten",
            "an operation without an end asks for a decision",
            f"{_GUARD}/guard.py",
            " or not journal.ending(progress).settled or self.recorded(progress.operation) is None:\n",
            ":\n",
        ),
        Defect(
            "reload_left_out",
            "php-fpm serves the new code",
            "plugins/module_utils/laravel/steps.py",
            '        self.service.commands.run(["sudo", "-n", *self.service.reload_command(step.data["unit"])])\n',
            "",
        ),
        Defect(
            "others_taken_out",
            "lines that are not of the key that is rotated stay as they are",
            "plugins/module_utils/sshd/authorized_keys.py",
            "for line in parse(content) if line.key is None or line.key.fingerprint != wanted)",
            "for line in parse(content) if line.key is not None and line.key.fingerprint != wanted)",
            "ssh_keys",
        ),
        Defect(
            "new_key_stays",
            "a rotation that is undone takes its key out",
            "plugins/module_utils/ssh_keys/steps.py",
            '        self._restore("authorise")\n        return None',
            "        return None",
            "ssh_keys",
        ),
        Defect(
            "destroyed_column_unannounced",
            "the plan names the columns that a migration drops",
            "plugins/module_utils/compose/planning/schema.py",
            """            warnings.append(f"migration {name} destroys {loss.text}: going back can't restore it")
""",
            """            pass
""",
            "compose",
        ),
    )
}


def copied(defect: Defect, place: Path) -> Path:
    """A copy of the checkout's files with the defect in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        source, target = ROOT / name, place / name
        if not name or not (source.is_symlink() or source.is_file()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    path = place / defect.path
    path.write_text(defect.changed(path.read_text()))
    return place


def begin_again(name: str, arguments: Sequence[str]) -> int:
    """Run the same command with a copy that has the defect. Returns its exit code."""
    if name not in DEFECTS:
        print(f"no such defect: {name}; there are {', '.join(sorted(DEFECTS))}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="ops-runbook-defect-") as folder:
        copy = copied(DEFECTS[name], Path(folder))
        inventories = os.environ["LAB_INVENTORY"].split(",")
        environment = {
            **os.environ,
            "HISTORIES_DEFECT": name,
            "HISTORIES_PARENT": str(os.getpid()),
            "MOLECULE_PROJECT_DIRECTORY": str(copy),
            "LAB_INVENTORY": ",".join(str(ROOT / inventory) for inventory in inventories),
            "ANSIBLE_CONFIG": str(copy / "ansible.cfg"),
        }
        return subprocess.run([sys.executable, *arguments], env=environment, check=False).returncode
