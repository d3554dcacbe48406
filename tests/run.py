"""Runs every part of the tests, prints the seconds of each, and fails if any failed.

    run.py                    all parts of `make test`
    run.py lint unit          these parts
    run.py --all              all parts and every test of every scenario, and goes on where it was cut off

SCENARIOS names scenarios of the part molecule, and TESTS=all runs more of them than their cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from suite import junit, kept, lanes, scenarios
from suite.lanes import Ended

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("lint", "types", "unit", "simulator", "packaging", "molecule")
#: `make test-all` runs these too.
MORE = ("plugin", "contract")
#: Parts without tests of pytest: each is one check.
CHECKS = ("lint", "types")
#: Parts that need no engine, beside which the images are built.
WITHOUT_ENGINE = ("lint", "types", "unit")
RESULTS = ROOT / ".cache/results"
COUNTS = ROOT / ".cache/counts"
#: Lines of causes that are repeated at the end.
CAUSES = 40


@dataclass(frozen=True)
class Result:
    """The end of one part. cases: its tests. problem: why it is red beside them. scenarios: of the part molecule."""

    part: str
    seconds: float
    cases: tuple[junit.Case, ...] = ()
    problem: str = ""
    scenarios: tuple[Ended, ...] = field(default=())

    @property
    def failed(self) -> int:
        return sum(case.outcome == "failed" for case in self.cases) + bool(self.problem)

    @property
    def passed(self) -> int:
        passed = sum(case.outcome == "passed" for case in self.cases)
        return passed or int(not self.cases and not self.problem)

    @property
    def skipped(self) -> int:
        return sum(case.outcome == "skipped" for case in self.cases)

    @property
    def ok(self) -> bool:
        return not self.failed


def run(part: str, results: Path) -> Result:
    """Run a part by its target of the Makefile."""
    path = results / f"{part}.xml"
    path.unlink(missing_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    code = subprocess.run(
        ["make", "--no-print-directory", part], cwd=ROOT, env={**os.environ, "RESULTS": str(results)}, check=False
    ).returncode
    return ended(part, path, code, time.monotonic() - started)


def ended(part: str, path: Path, code: int, seconds: float) -> Result:
    """The result of a part, by its file of results and the exit code of make."""
    if part in CHECKS:
        return Result(part, seconds, problem=f"make {part} ended with {code}" if code else "")
    try:
        report = junit.read(path)
    except junit.Unreadable as problem:
        return Result(part, seconds, problem=f"{problem}; make {part} ended with {code}")
    problem = f"make {part} ended with {code}" if code and not report.count("failed") else ""
    return Result(part, seconds, report.cases, problem)


@contextmanager
def images(parts: Sequence[str]) -> Iterator[subprocess.Popen[bytes] | None]:
    """Build the images of all scenarios beside the parts that need none of them."""
    if not {"molecule", "simulator"} & {*parts}:
        yield None
        return
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / "images.log").open("wb") as output:
        building = subprocess.Popen(
            ["make", "--no-print-directory", "images"], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield building
        finally:
            if building.poll() is None:
                building.terminate()
                building.wait()


def built(building: subprocess.Popen[bytes]) -> Result:
    """Wait for the images. seconds: those of the waiting."""
    log = RESULTS / "images.log"
    print(f"\n== images; what their building prints: {log}", flush=True)
    started = time.monotonic()
    code = building.wait()
    if code:
        print(log.read_text(errors="replace"), flush=True)
    return Result("images", time.monotonic() - started, problem=f"make images ended with {code}" if code else "")


def molecule(chosen: Sequence[scenarios.Scenario], core: bool) -> Result:
    """Run scenarios, two lanes at a time."""
    started = time.monotonic()
    marks = {"SUITE_MARKS": "core"} if core else {}
    found = lanes.Lanes(ROOT, RESULTS, marks).run(scenarios.lanes(chosen))
    return of_scenarios(found, time.monotonic() - started)


def of_scenarios(found: Sequence[Ended], seconds: float) -> Result:
    cases = tuple(case for one in found if one.report is not None for case in one.report.cases)
    problems = [f"{one.name}: {one.problem}" for one in found if one.problem]
    return Result("molecule", seconds, cases, "; ".join(problems), tuple(found))


def everything(parts: Sequence[str]) -> list[Result]:
    """Run parts one after the other."""
    core = os.environ.get("TESTS", "core") != "all"
    names = os.environ.get("SCENARIOS", "").split()
    chosen = scenarios.chosen(scenarios.everything(ROOT), names, core) if "molecule" in parts else []
    results = []
    with images(parts) as building:
        for part in parts:
            if building is not None and part not in WITHOUT_ENGINE:
                results.append(built(building))
                building = None
            print(f"\n== {part}", flush=True)
            results.append(molecule(chosen, core) if part == "molecule" else run(part, RESULTS))
    return results


def test_all() -> list[Result]:
    """Run what has not passed on this tree: parts, and the tests of scenarios one scenario at a time."""
    folder = RESULTS / kept.tree(ROOT)
    path = folder / "tests.jsonl"
    print(f"Results of this tree are kept in {folder}; what passed there is not run again.", flush=True)
    results = []
    for part in [one for one in PARTS if one != "molecule"] + list(MORE):
        print(f"\n== {part}", flush=True)
        before = kept.read(path).get(f"part {part}")
        whole = part in CHECKS or (folder / f"{part}.xml").exists()
        if whole and before is not None and before.outcome == "passed":
            print("passed on this tree before", flush=True)
            results.append(ended(part, folder / f"{part}.xml", 0, before.seconds))
            continue
        result = run(part, folder)
        kept.add(path, junit.Case(f"part {part}", "passed" if result.ok else "failed", result.seconds))
        results.append(result)
    print("\n== molecule", flush=True)
    return [*results, _whole_scenarios(folder, path)]


def _whole_scenarios(folder: Path, path: Path) -> Result:
    started = time.monotonic()
    found = []
    known = {scenario.name: (scenario, collected(scenario)) for scenario in scenarios.everything(ROOT)}
    print("left: " + ", ".join(f"{name} {len(left(tests, path))}" for name, (_, tests) in known.items()), flush=True)
    for name, (scenario, tests) in known.items():
        one = Ended(name, None, "", 0.0, 0.0)
        if left(tests, path):
            runner = lanes.Lanes(ROOT, RESULTS, {"SUITE_KEPT": str(path)})
            (one,) = runner.run([[scenario]])
        cases = [case for test, case in kept.read(path).items() if test in tests]
        unfinished = left(tests, path) - {case.name for case in cases}
        problem = one.problem or (f"{len(unfinished)} tests did not end" if unfinished else "")
        seconds = sum(case.seconds for case in cases)
        began = one.report.began if one.report is not None else time.time()
        junit.write(folder / f"{name}.xml", cases, began, seconds)
        report = junit.Report(tuple(cases), began, seconds)
        found.append(Ended(name, report, problem, one.create, one.seconds))
    print("left: " + ", ".join(f"{name} {len(left(tests, path))}" for name, (_, tests) in known.items()), flush=True)
    return of_scenarios(found, time.monotonic() - started)


def collected(scenario: scenarios.Scenario) -> set[str]:
    """The ids of a scenario's tests."""
    words = ["pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(scenario.folder / "tests")]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **scenario.environment}, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"the tests of {scenario.name} can't be collected:\n{done.stdout}")
    return {line for line in done.stdout.splitlines() if line.startswith("molecule/") and "::" in line}


def left(tests: Iterable[str], path: Path) -> set[str]:
    """Tests that have not come to an end that counts: those that failed are run again."""
    done = {name for name, case in kept.read(path).items() if case.outcome != "failed"}
    return {*tests} - done


def table(results: Sequence[Result]) -> Iterator[str]:
    """The closing table: a line for each part, and one for each scenario."""
    yield f"{'part':<12} result  passed  failed  skipped  seconds"
    for result in results:
        yield (
            f"{result.part:<12} {'passed' if result.ok else 'FAILED'}  {result.passed:>6}  {result.failed:>6}"
            f"  {result.skipped:>7}  {result.seconds:>7.1f}"
        )
    yield f"{'all':<12} {'':<6}  {'':>6}  {'':>6}  {'':>7}  {sum(result.seconds for result in results):>7.1f}"
    found = [one for result in results for one in result.scenarios]
    if not found:
        return
    yield ""
    yield f"{'scenario':<12} result  passed  failed  skipped   create    reset     test  seconds"
    for one in found:
        report = one.report or junit.Report((), 0.0, 0.0)
        counts = [report.count(outcome) for outcome in ("passed", "failed", "skipped")]
        yield (
            f"{one.name:<12} {'passed' if one.ok else 'FAILED'}  {counts[0]:>6}  {counts[1]:>6}  {counts[2]:>7}"
            f"  {one.create:>7.1f}  {report.reset:>7.1f}  {report.seconds:>7.1f}  {one.seconds:>7.1f}"
        )
    yield "create: hosts made, prepared and converged. reset: hosts brought back, within test, summed over workers."


def told(results: Sequence[Result]) -> Iterator[str]:
    """Lists the slowest tests, then the failures with their causes: a server shows the end of its output."""
    cases = [case for result in results for case in result.cases]
    if cases:
        yield "ten slowest tests, in seconds"
    for case in junit.slowest(cases):
        yield f"{case.seconds:>9.1f}  {case.name}"
    causes = 0
    for case in cases:
        if case.outcome == "failed":
            yield f"FAILED {case.name}"
            lines = case.cause[: max(0, CAUSES - causes)]
            causes += len(lines)
            yield from (f"  {line}" for line in lines)
    for result in results:
        if result.problem:
            yield f"FAILED {result.part}: {result.problem}"


def main(words: Sequence[str]) -> int:
    try:
        results = test_all() if "--all" in words else everything(tuple(words) or PARTS)
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return 2
    print()
    for line in (*table(results), "", *told(results)):
        print(line)
    counts = f"{sum(r.passed for r in results)} passed, {sum(r.failed for r in results)} failed"
    COUNTS.parent.mkdir(exist_ok=True)
    COUNTS.write_text(counts + "\n")
    print(f"\n{counts}", flush=True)
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
