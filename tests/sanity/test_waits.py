"""No test waits for time: it waits for conditions, by one helper, with ends that only a fault reaches."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
#: Seconds. What ends sooner is reached on a busy machine without a fault.
SHORTEST = 60.0

#: Programs that stand in for real ones, or run on hosts: they take their time as those do.
PROGRAMS = ("molecule/images/", "tests/dokku_simulator/simulator/")
#: Files that may sleep, and why.
SLEEPS = {
    "molecule/shared/lab/waiting.py": "the one helper",
    "molecule/shared/lab/traffic.py": "requests have moments of their own",
    "molecule/shared/lab/watch.py": "a program on a host that looks again and again, until it is told to end",
    "molecule/shared/faults/on_host/fault.py": "a program on a host, which holds a process until it is let go",
    "molecule/shared/histories/faults.py": "a process in a container sees that it is to end; nothing depends on it",
    "molecule/shared/histories/warm.py": "stands in for subprocess.Popen, with its error",
    "tests/doubles/ask_sshd.py": "a program of its own, which a container runs without the helper",
    "tests/unit/suite/test_lanes.py": "a stand-in for molecule, whose create takes so long that two at once show",
    "tests/packaging/test_new_system.py": "a program of its own, which waits for a file of the test",
}
#: Ends that are reached on purpose, or that only repeat a look, and why: by file, the words of the line.
SHORT = {
    ("tests/unit/dokku/test_client.py", 'dokku.run("until"'): "a command that goes on is left",
    ("tests/unit/host/test_last_line.py", "timeout=1.0"): "a command that goes on is stopped",
    ("tests/unit/health/test_gate.py", ".wait(0.3)"): "a server whose answer takes longer than its limit",
}

FILES = sorted(
    path
    for folder in ("tests", "molecule")
    for path in (ROOT / folder).rglob("*.py")
    if not str(path.relative_to(ROOT)).startswith(PROGRAMS) and path != Path(__file__)
)
PLAYS = sorted((ROOT / "molecule").rglob("*.yml"))
PLAYS = [path for path in PLAYS if not str(path.relative_to(ROOT)).startswith(PROGRAMS)]
SCRIPTS = sorted(
    path
    for path in (ROOT / "molecule").rglob("*")
    if path.is_file() and path.suffix in ("", ".sh") and re.match(rb"#!\S*(sh|env bash)\n", path.read_bytes()[:30])
)

CLOCKS = {"monotonic", "perf_counter", "process_time", "time", "monotonic_ns", "time_ns"}
#: Calls that wait, and have an end.
WAITS = {
    *("run", "call", "check_call", "check_output", "communicate", "wait", "join", "select", "spawn", "expect", "get"),
    *(
        "urlopen",
        "create_connection",
        "settimeout",
        "HTTPConnection",
        "HTTPSConnection",
        "acquire",
        "wait_for",
        "until",
    ),
}
ENDS = {"timeout", "end", "deadline", "seconds", "limit"}
#: A sleep of shell that is not between two looks of a loop.
_SLEEP = re.compile(r"(?<![\w.-])sleep (\d+(?:\.\d+)?)(?![\d.])(?!\s*;?\s*done)")
_SHELL_END = re.compile(
    r"(?<![\w-])timeout (?:-\S+ )*(\d+)\b|\bcurl [^;|&]*?(?:-m|--max-time|--connect-timeout) (\d+)\b"
)
_TURNS = re.compile(r"seq (\d+)\).*?sleep (\d+(?:\.\d+)?)", re.DOTALL)


def called(path: Path) -> str:
    return str(path.relative_to(ROOT))


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def number(node: ast.expr | None) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The texts of a file with their lines, but for docstrings."""
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.lineno, node.value


def sleeps(source: str) -> list[int]:
    """Lines that wait for time: in Python, in a program within a text, in shell (but between two looks of a loop)."""
    tree = ast.parse(source)
    found = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and name_of(node) == "sleep"
        and ast.unparse(node.func) in ("time.sleep", "sleep", "asyncio.sleep")
    }
    for line, text in texts(tree):
        short = any(float(seconds) < SHORTEST for seconds in _SLEEP.findall(text))
        if short or "time.sleep(" in text:
            found.add(line)
    return sorted(found)


def clocked(node: ast.AST, known: set[str]) -> bool:
    """Tell if an expression is a moment or a duration by a clock. What a clock was given to is not."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            return ast.unparse(node.func.value) == "time"
        return name_of(node) in ("min", "max", "abs", "round") and any(clocked(one, known) for one in node.args)
    if isinstance(node, ast.Name):
        return node.id in known
    if isinstance(node, ast.BinOp):
        return clocked(node.left, known) or clocked(node.right, known)
    return isinstance(node, ast.UnaryOp) and clocked(node.operand, known)


def timed_asserts(source: str) -> list[int]:
    """Lines of asserts that compare a duration."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        known: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and clocked(node.value, known):
                known |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        for node in ast.walk(function):
            if isinstance(node, ast.Assert):
                compared = [one for one in ast.walk(node.test) if isinstance(one, ast.Compare)]
                # The bound of a wait is not a claim about what took so long.
                if any(clocked(side, known) for one in compared for side in (one.left, *one.comparators)):
                    found.append(node.lineno)
    return sorted(set(found))


def short_ends(source: str) -> list[int]:
    """Lines of waits that end before a busy machine is done."""
    tree = ast.parse(source)
    # `while not over.wait(0.01)` only looks again and again.
    looks = {id(one) for node in ast.walk(tree) if isinstance(node, ast.While) for one in ast.walk(node.test)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node) in WAITS and id(node) not in looks:
            ends = [number(word.value) for word in node.keywords if word.arg in ENDS]
            if name_of(node) in ("wait", "join", "settimeout", "communicate") and node.args:
                ends.append(number(node.args[0]))
            if any(end is not None and 0 < end < SHORTEST for end in ends):
                found.add(node.lineno)
    return sorted(found | {line for line, text in texts(tree) if short_ends_of_shell(text)})


def short_ends_of_shell(text: str) -> list[float]:
    """The seconds of the waits in a piece of shell that end too soon: timeout, curl, and loops that count."""
    given = [float(a or b) for a, b in _SHELL_END.findall(text)]
    given += [float(turns) * float(every) for turns, every in _TURNS.findall(text)]
    return [seconds for seconds in given if 0 < seconds < SHORTEST]


def short_plays(text: str) -> list[int]:
    """Lines of tasks that give up before a busy machine is done."""

    def tasks(node: yaml.Node) -> Iterator[dict[str, yaml.Node]]:
        if isinstance(node, yaml.MappingNode):
            yield {str(key.value): value for key, value in node.value}
        for child in getattr(node, "value", None) or [] if not isinstance(node, yaml.ScalarNode) else []:
            for one in child if isinstance(child, tuple) else (child,):
                yield from tasks(one)

    found = []
    for task in (one for document in yaml.compose_all(text) if document for one in tasks(document)):
        if "until" in task or "retries" in task:
            given = {key: float(task[key].value) for key in ("retries", "delay") if key in task}
            if given.get("retries", 3.0) * given.get("delay", 5.0) < SHORTEST:
                found.append((task.get("retries") or task["until"]).start_mark.line + 1)
    return found


def excused(path: Path, line: int, used: set[tuple[str, str]] | None = None) -> bool:
    text = path.read_text().splitlines()[line - 1]
    keys = [key for key in SHORT if key[0] == called(path) and key[1] in text]
    if used is not None:
        used.update(keys)
    return bool(keys)


@pytest.mark.parametrize("path", FILES, ids=called)
def test_a_test_waits_for_conditions_and_never_for_time(path: Path) -> None:
    source = path.read_text()
    assert called(path) in SLEEPS or sleeps(source) == [], "waiting.wait_for waits for a condition"
    assert timed_asserts(source) == [], (
        "a busy machine takes longer: look at what was done, or count on a clock of its own"
    )
    wrong = [line for line in short_ends(source) if not excused(path, line)]
    assert wrong == [], (
        f"on a busy machine {SHORTEST:g} s are over without a fault: give a generous end, or say why here"
    )


@pytest.mark.parametrize("path", PLAYS, ids=called)
def test_a_playbook_of_the_lab_does_not_give_up_early(path: Path) -> None:
    assert short_plays(path.read_text()) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=called)
def test_a_script_of_the_lab_does_not_give_up_early(path: Path) -> None:
    assert short_ends_of_shell(path.read_text()) == []


def test_each_exception_is_still_needed() -> None:
    assert {name for name in SLEEPS if not sleeps((ROOT / name).read_text())} == set()
    used: set[tuple[str, str]] = set()
    for path in FILES:
        for line in short_ends(path.read_text()):
            excused(path, line, used)
    assert set(SHORT) - used == set()


@pytest.mark.parametrize(
    ("source", "sleeping", "timed", "short"),
    [
        ("time.sleep(1)", True, False, False),
        ("x = 'import time; time.sleep(60)'", True, False, False),
        ("lab.root('start; sleep 3')", True, False, False),
        ("lab.root('until test -e x; do sleep 0.1; done; sleep 600')", False, False, False),
        ("def f():\n took = time.monotonic() - began\n assert took < 5", False, True, False),
        ("def f():\n assert all(x) and time.monotonic() - began < 1", False, True, False),
        ("def f():\n assert ask(time.time()) == []", False, False, False),
        ("run(x, timeout=30)", False, False, True),
        ("run(x, timeout=300)", False, False, False),
        ("process.wait(20)", False, False, True),
        ("while not over.wait(0.01): pass", False, False, False),
        ("host.root('timeout 30 sh -c x')", False, False, True),
        ("host.root('curl -s -m 10 x')", False, False, True),
        ("host.root('for i in $(seq 100); do x && exit; sleep 0.1; done')", False, False, True),
    ],
)
def test_the_guard_sees_what_it_is_for(source: str, sleeping: bool, timed: bool, short: bool) -> None:
    assert (bool(sleeps(source)), bool(timed_asserts(source)), bool(short_ends(source))) == (sleeping, timed, short)


def test_a_wait_that_fails_says_its_condition_and_what_was_seen() -> None:
    assert wait_for("an answer", iter([0, 3, 5]).__next__, lambda seen: seen > 3) == 5
    assert wait_for("an answer", iter(["no", "yes"]).__next__, "yes") == "yes"
    with pytest.raises(AssertionError, match="not within 0 s: an answer; seen last: 'no'"):
        wait_for("an answer", lambda: "no", "yes", 0)


def test_the_guard_sees_a_playbook_that_gives_up_early() -> None:
    assert short_plays("- until: x\n  retries: 20\n  delay: 1\n") == [2]
    assert short_plays("- until: x\n  retries: 200\n  delay: 1\n") == []
