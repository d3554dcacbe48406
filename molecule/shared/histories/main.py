"""`make histories`: draws, plays, checks and shortens histories on the lab's hosts. See docs/develop/histories.md."""

from __future__ import annotations

import argparse
import os
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "lab"), str(HERE.parent / "faults"), str(ROOT / "collections")]

from histories import defects, draw, results, shorten, systems, warm_server  # noqa: E402
from histories.draw import History  # noqa: E402
from histories.played import Played  # noqa: E402

KEPT = ROOT / ".cache/histories"
PAGE = ROOT / "docs/proof/reliability.md"
_TELLING = threading.Lock()


def tell(text: str) -> None:
    with _TELLING:
        print(text, flush=True)


def play(history: History, host: str, tell: Callable[[str], None] = lambda _text: None) -> Played:
    # The lab reads its inventory as it is imported.
    from histories.play import play as played

    return played(systems.system_of(history.system, host), history, tell)


def play_all(
    histories: list[History], hosts: list[str], first_red: bool, until: float, ended: Callable[[Played], None]
) -> list[Played]:
    """Play histories side by side, one on each host. first_red: stop at the first failure. until: the last begin.

    ended: is called with each that has ended, one at a time.
    """
    from histories import warm

    waiting: queue.SimpleQueue[History] = queue.SimpleQueue()
    for history in histories:
        waiting.put(history)
    done: list[Played] = []
    over = threading.Event()

    def worker(host: str) -> None:
        while not over.is_set() and time.time() < until:
            try:
                history = waiting.get_nowait()
            except queue.Empty:
                return
            played = play(history, host, tell)
            done.append(played)
            mark = "RED  " if played.problems else "green"
            tell(f"{mark} {len(done)}/{len(histories)} {played.seconds:.0f} s  seed {history.seed}: {history}")
            for problem in played.problems:
                tell(f"      {problem}")
            if played.problems:
                keep(played)
                if first_red:
                    over.set()
            with _TELLING:
                ended(played)

    # Whoever types Ctrl+C wants all of them to end, not the histories that wait as well.
    threads = [threading.Thread(target=worker, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    warm.stop()
    return done


def keep(played: Played) -> None:
    """Keep a failing history with its lines and its screens."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{played.history.system}-{played.history.seed}.txt"
    path.write_text(
        "\n".join([str(played.history), "", *played.lines, "", *played.problems, "", *played.screens]) + "\n"
    )


def shorter(played: Played, host: str, most: int) -> History:
    """A shorter history with the same kind of problem."""
    kind = played.problems[0].partition(":")[0]

    def fails(history: History) -> bool:
        again = play(history, host)
        return any(problem.startswith(kind) for problem in again.problems)

    return shorten.shortened(played.history, fails, most)


def as_test(history: History, problems: list[str]) -> Path:
    """Keep a history as a file that can become a test: move it to molecule/<scenario>/tests/histories."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{history.system}-{abs(history.seed)}.yml"
    found = "; ".join(problems).replace("\n", " ")[:400]
    path.write_text(f"# {found}\nhistory: >-\n  {history}\n")
    return path


def report(played: list[Played], kinds: draw.Kinds) -> None:
    drawn: Counter[str] = Counter()
    struck: Counter[str] = Counter()
    for one in played:
        for step in one.history.steps:
            drawn.update(step.kinds)
        struck.update(one.struck)
    tell("\n".join(results.table(kinds.all(), drawn, struck)))
    red = sum(bool(one.problems) for one in played)
    checked = sum(one.checked for one in played)
    tell(
        f"{len(played)} histories of {kinds.system}, {checked} states checked, {sum(struck.values())} faults struck, "
        f"{red} red"
    )
    fewest = min((drawn[kind] for kind in kinds.all()), default=0)
    if fewest < results.COVERED:
        tell(f"The kind that was drawn least was drawn {fewest} times; {results.COVERED} need more histories.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", default="laravel", choices=sorted(systems.SYSTEMS))
    parser.add_argument("-n", type=int, default=10, help="how many histories")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first one")
    parser.add_argument("--replay", default="", help="the line of a history")
    parser.add_argument("--defect", default="", help="plant this defect into a copy of the product, and look for it")
    parser.add_argument("--shorten", type=int, default=12, help="replays to shorten the first red history; 0: none")
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no history later than that")
    parser.add_argument(
        "--write",
        action="store_true",
        help="add the results to the reliability page; what was green is not played again",
    )
    return parser.parse_args()


def main() -> int:
    if parent := os.environ.get("HISTORIES_PARENT"):
        warm_server.end_with_parent(int(parent))
    given = arguments()
    system = given.replay.partition("/")[0] if given.replay else given.system
    if given.defect in defects.DEFECTS:
        system = defects.DEFECTS[given.defect].system
    systems.choose(system)
    if given.defect and os.environ.get("HISTORIES_DEFECT") != given.defect:
        return defects.begin_again(given.defect, sys.argv)
    kinds, hosts = systems.kinds_of(system), systems.hosts_of(system)
    histories = [draw.parse(given.replay)] if given.replay else draw.drawn(kinds, given.seed, given.n)
    writes = given.write and not given.defect
    if writes and not given.replay:
        # A run that was cut off continues where it was.
        green = results.green(results.read(results.PATH), system)
        histories = [history for history in histories if str(history) not in green]

    def ended(one: Played) -> None:
        if writes:
            results.write(results.PATH, PAGE, system, [one])

    played = play_all(histories, hosts, bool(given.defect), time.time() + given.minutes * 60, ended)
    report(played, kinds)
    red = [one for one in played if one.problems]
    if given.defect:
        tell(
            f"defect {given.defect}: "
            + (f"found after {len(played)} histories: {red[0].problems[0]}" if red else "NOT FOUND")
        )
        return 0 if red else 1
    if red and given.shorten:
        history = shorter(red[0], hosts[0], given.shorten)
        tell(f"kept in {as_test(history, red[0].problems)}; one line replays it:\n  make histories REPLAY='{history}'")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
