"""Results of tests, as pytest writes them with --junitxml."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

#: The property of a test with the seconds in which hosts were reset for it.
RESET = "reset_seconds"


class Unreadable(Exception):
    """A file of results that is missing, torn, or without a test."""


@dataclass(frozen=True)
class Case:
    """One test. outcome: passed, failed or skipped. cause: the lines of its failures that begin with E.

    seconds: of the whole test; reset: the part of them in which hosts were reset.
    """

    name: str
    outcome: str
    seconds: float
    reset: float = 0.0
    cause: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """A run of pytest. began: seconds since the epoch. seconds: of the whole run, whose tests may lie side by side."""

    cases: tuple[Case, ...]
    began: float
    seconds: float

    def count(self, outcome: str) -> int:
        return sum(case.outcome == outcome for case in self.cases)

    @property
    def reset(self) -> float:
        return sum(case.reset for case in self.cases)


def read(path: Path) -> Report:
    """Read a file of results.

    :raises Unreadable: if the file is missing, pytest wrote only a part of it, or it holds no test.
    """
    try:
        suites = list(ElementTree.parse(path).getroot().iter("testsuite"))
    except FileNotFoundError:
        raise Unreadable(f"{path} is missing: pytest was killed, or never began") from None
    except ElementTree.ParseError as error:
        raise Unreadable(f"{path} is torn: {error}") from None
    elements = [element for suite in suites for element in suite.iter("testcase")]
    if not elements:
        raise Unreadable(f"{path} has no test in it")
    declared = sum(int(suite.get("tests", 0)) for suite in suites)
    if len(elements) < declared:
        raise Unreadable(f"{path} is torn: {declared} tests were run, and {len(elements)} are in it")
    began = min(datetime.fromisoformat(suite.get("timestamp", "")).timestamp() for suite in suites)
    return Report(tuple(_joined(map(_case, elements))), began, sum(_seconds(suite) for suite in suites))


def write(path: Path, cases: Sequence[Case], began: float, seconds: float) -> None:
    """Write a file that `read` reads, with the same cases."""
    counts = {"tests": len(cases), "failures": sum(case.outcome == "failed" for case in cases)}
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": "pytest",
            **{name: str(count) for name, count in counts.items()},
            "skipped": str(sum(case.outcome == "skipped" for case in cases)),
            "time": f"{seconds:.3f}",
            "timestamp": datetime.fromtimestamp(began).astimezone().isoformat(),
        },
    )
    for case in cases:
        classname, _, name = case.name.partition("::")
        element = ElementTree.SubElement(suite, "testcase", classname=classname, name=name, time=f"{case.seconds:.3f}")
        if case.reset:
            properties = ElementTree.SubElement(element, "properties")
            ElementTree.SubElement(properties, "property", name=RESET, value=f"{case.reset:.3f}")
        if case.outcome == "failed":
            ElementTree.SubElement(element, "failure").text = "\n".join(case.cause)
        elif case.outcome == "skipped":
            ElementTree.SubElement(element, "skipped")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def slowest(cases: Iterable[Case], number: int = 10) -> list[Case]:
    return sorted(cases, key=lambda case: -case.seconds)[:number]


def _seconds(element: ElementTree.Element) -> float:
    return float(element.get("time", "0"))


def _case(element: ElementTree.Element) -> Case:
    problems = [*element.iter("failure"), *element.iter("error")]
    outcome = "failed" if problems else "skipped" if element.find("skipped") is not None else "passed"
    lines = [line for problem in problems for line in (problem.text or problem.get("message", "")).splitlines()]
    reset = sum(float(one.get("value", "0")) for one in element.iter("property") if one.get("name") == RESET)
    return Case(
        f"{element.get('classname')}::{element.get('name')}",
        outcome,
        _seconds(element),
        reset,
        tuple(line for line in lines if line.startswith("E ")) or tuple(lines[-1:]),
    )


def _joined(cases: Iterable[Case]) -> list[Case]:
    """A test that fails, and whose end fails too, is in the file twice."""
    found: dict[str, Case] = {}
    for case in cases:
        first = found.get(case.name)
        if first is not None:
            outcome = "failed" if "failed" in (first.outcome, case.outcome) else first.outcome
            seconds, reset = first.seconds + case.seconds, max(first.reset, case.reset)
            case = Case(case.name, outcome, seconds, reset, first.cause + case.cause)
        found[case.name] = case
    return list(found.values())
