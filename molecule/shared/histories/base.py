"""The part of a system that every system on hosts of the lab has: its state folder, a small disk, an edited ledger."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from small_disk import small_disk

from histories import check, faults, observe
from histories.check import Facts
from histories.draw import Kinds

#: Each moment of a write of the state folder.
WRITES = ("before.#", "after.#")
#: What may happen to each service on hosts of the lab, and when.
FAULTS: dict[str, tuple[str, ...]] = {
    "kill_module": ("before.#", "half.#", "after.#"),
    "kill_controller": (*WRITES, "task.plan", "task.apply", "task.close"),
    "power_off": WRITES,
    "reboot": WRITES,
    "cut_session": WRITES,
    "cut_connection": WRITES,
    "cut_way": WRITES,
    "state_full": WRITES,
    "app_full": WRITES,
    "read_only": (),
    "clock_back": WRITES,
    "clock_forward": WRITES,
    "second_operator": WRITES,
    "health_flaps": (),
}


class OnHost:
    """A system on one host. A class of its own has what `play.System` lists and this one does not.

    folder: of the state of all services. services: they are stopped while a disk is exchanged. moves: changes by hand
    after which another release is there. looks: procedures that change nothing and record nothing. spare: the inputs
    with which a run begins on a small disk.
    """

    kinds: Kinds
    host: Any
    name = ""
    folder, services = "/var/lib/ops-runbook", ""
    units = ""
    trouble: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    final_refusals: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()
    tasks: Mapping[str, str] = {
        "plan": "plan | Take the lease and plan the {procedure}",
        "apply": "apply | Do the steps, verify the result, go back if it is not good",
        "close": "close | Close the operations that a host could not close itself",
    }

    def look(self, plant: bool = False) -> Facts:
        """The host as the checker finds it. plant: put one more canary row into each table first."""
        return observe.look(self.host.name, self.name, plant)

    def records(self) -> list[dict[str, Any]]:
        """The whole lines of the ledger."""
        return check.records(self.host.root(f"cat {self.host.state}/ledger.jsonl", check=False).encode() + b"\n")[0]

    def given(self, _procedure: str) -> list[str]:
        """Variables of this host beside those of the lab's inventory."""
        return []

    def good(self) -> tuple[str, list[str]]:
        raise NotImplementedError

    def closing(self) -> Iterable[tuple[str, list[str]]]:
        """The lines typed at the end of each history: the service is well afterwards, and visitors see it."""
        return [self.good()]

    def history_inputs(self) -> list[str]:
        return []

    def change(self, name: str) -> None:
        """A change by hand, without a record."""
        ledger = f"{self.host.state}/ledger.jsonl"
        if name == "ledger_torn":
            # The part of a line, as a power cut leaves it.
            self.host.deploy(f"tail -n 1 {ledger} | head -c 300 > /tmp/part; cat /tmp/part >> {ledger}", check=False)
        elif name == "ledger_edited":
            self.host.deploy(f"sed -i '1s/succeeded/failed/' {ledger}", check=False)
        else:
            self.by_hand(name)

    def by_hand(self, name: str) -> None:
        raise NotImplementedError

    @contextlib.contextmanager
    def around(self, fault: str, moment: str) -> Iterator[list[str]]:
        """Prepare a fault before the run begins. Returns the inputs that are typed because of it."""
        with contextlib.ExitStack() as stack:
            given: list[str] = []
            if fault in ("state_full", "read_only"):
                stack.enter_context(small_disk(self.host, self.folder, 16, self.services, keep=True))
                given = list(self.spare)
                if fault == "read_only":
                    # Before it begins: the kernel refuses it while a file is open for writing.
                    self.host.root(f"mount -o remount,ro {self.folder}")
            else:
                given = self.prepared(fault, moment, stack)
            yield given

    def prepared(self, _fault: str, _moment: str, _stack: contextlib.ExitStack) -> list[str]:
        """Prepare a fault that only this system has."""
        return []

    def leave(self) -> None:
        """Close what the history had open on this machine."""

    def tidy(self) -> None:
        """Bring the host back to where other tests begin with it: no fault strikes there any more."""
        faults.remove(self.host)

    def fill(self) -> None:
        """Fill the disk of the application, as the user of the service may."""
