# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each expression needs a time that grows with its text and no faster, whatever a stranger has written into it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from code_files import COMMAND, RULES, stem

ROOT = Path(__file__).resolve().parents[2]
PLACES = [*RULES, *COMMAND]
METHODS = ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")

#: Expressions over a text that is short by itself: what gives it, and its longest length.
SHORT: dict[str, tuple[int, str]] = {
    "destructive/pipeline:_ADDRESS_NAME": (80, "the beginning of a name, which is cut there"),
    "destructive/code:_CALLEE": (160, "the end of what is before a text, which is cut there"),
    "console/procedures:SAID_ALREADY": (2048, "a description of an input, of this collection itself"),
    "text/ways:_INPUT": (2048, "a way that this collection prints"),
}

#: Tries expressions on hostile texts. A text eight times as long takes eight times as long where an expression is
#: linear, and sixty-four times where it is quadratic. Both times are those of many calls in turn, until they are far
#: above what the clock of CPU time can tell (10 ms where it is coarse): a short one says nothing.
TRY = r"""
import json, re, resource, sys, time
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
SEEDS = ["a", "A", "0", "_", "-", ".", " ", "\t", "\n", "/", "\\", "'", '"', "`", ":", "=", "[", "(", "{", "@", ",",
         "a-", "a.", "a ", "a=", "a/", "a,", "a:", "1.", "x\n", "''", '\\"', "a'", 'a"', "$(", "${", "://", "a@", "<a",
         "a b ", "- ", "# ", "--", "&&", "|"]

def texts(source, size):
    words = re.findall(r"[A-Za-z]{3,}(?: [A-Za-z]{2,})*", source)[:6]
    for seed in [*SEEDS, *words, *(word + " " for word in words), *(word + "'" for word in words)]:
        for begin in ("", *words[:1]):
            yield begin + seed * (size // len(seed)) + "!"

def called(compiled, method, text):
    call = getattr(compiled, method)
    if method in ("sub", "subn"):
        call("", text)
    elif method == "finditer":
        for _ in call(text):
            pass
    else:
        call(text)

# Seconds of one call, waiting included: at least what it needs.
def at_once(compiled, method, text):
    started = time.perf_counter()
    called(compiled, method, text)
    return time.perf_counter() - started

# True if one of three calls takes less than some seconds; one that needs more is called three times.
def quick(compiled, method, text, seconds):
    return any(at_once(compiled, method, text) < seconds for _ in range(3))

# CPU seconds between two readings of the clock that differ: the longest of some, as the first may be shorter.
def tick():
    steps, last = [], time.process_time()
    while len(steps) < 3:
        now = time.process_time()
        if now != last:
            steps.append(now - last)
        last = now
    return max(steps)

# CPU seconds of one call, from as many as fill a time.
def took(compiled, method, text, fill):
    calls, started = 0, time.process_time()
    while time.process_time() - started < fill:
        called(compiled, method, text)
        calls += 1
    return (time.process_time() - started) / calls

AT_LEAST = max(0.004, 6 * tick())

for line in sys.stdin:
    one = json.loads(line)
    try:
        compiled = re.compile(one["source"].encode() if one["bytes"] else one["source"], one["flags"])
    except re.error:
        continue
    limit = one["limit"]
    slow = None
    for method in one["methods"]:
        for number, text in enumerate(texts(one["source"], min(limit, 2048))):
            given = text.encode() if one["bytes"] else text
            if quick(compiled, method, given, 0.0002 if limit > 2048 else 0.04):
                continue
            if limit <= 2048:
                short = took(compiled, method, given, 0.06)
                if short > 0.05:
                    slow = f"{method}: {short * 1000:.0f} ms for {len(text)} letters of {text[:12]!r}"
                    break
                continue
            long = text[: len(text) // 2] * 16 + text[-1]
            long = long.encode() if one["bytes"] else long
            # Less than twenty times the least of a short one.
            if quick(compiled, method, long, 0.004):
                continue
            # What looks slow is measured once more, at length.
            for fill in (AT_LEAST, 0.06):
                short, longer = (took(compiled, method, what, fill) for what in (given, long))
                if longer <= max(0.002, 24 * short):
                    break
            else:
                slow = f"{method}: {text[:12]!r}, {len(text)} letters {short * 1000:.2f} ms, "
                slow += f"{len(long)} letters {longer * 1000:.0f} ms"
                break
        if slow:
            break
    if slow:
        print(json.dumps({"name": one["name"], "slow": slow}), flush=True)
"""


def constant(node: ast.expr | None) -> Any:
    """The value of an expression that has one without running anything; None for others."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = constant(node.left), constant(node.right)
        return left + right if isinstance(left, type(right)) and isinstance(left, (str, bytes)) else None
    return None


def flags_of(node: ast.Call, place: int) -> int:
    given = [*node.args[place : place + 1], *(word.value for word in node.keywords if word.arg == "flags")]
    found = 0
    for one in given:
        for name in re.findall(r"\bre\.([A-Z]+)\b", ast.unparse(one)):
            found |= int(getattr(re, name))
    return found


def used(source: str, name: str) -> list[str]:
    """The methods that are called of an expression with a name; all where that can't be seen."""
    found = (
        re.findall(rf"\b{re.escape(name)}(?: if [^\n]{{1,40}} else \w+\))?\.({'|'.join(METHODS)})\b", source)
        if name
        else []
    )
    return sorted(set(found)) or ["match", "search"]


def expressions(path: Path) -> list[dict[str, Any]]:
    """The expressions of a file: those with a name, and those inside of functions."""
    text = path.read_text()
    tree = ast.parse(text)
    named = {
        id(node.value): target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    called = {
        id(node.func.value): node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re") or not node.args:
            continue
        call, source = node.func.attr, constant(node.args[0])
        if source is None or call not in ("compile", *METHODS):
            continue
        name = named.get(id(node), "")
        place = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(call, 2)
        found.append(
            {
                "name": f"{stem(path)}:{name or source[:40]}",
                "source": source if isinstance(source, str) else source.decode(),
                "bytes": isinstance(source, bytes),
                "flags": flags_of(node, place),
                "methods": [called.get(id(node), call)]
                if call != "compile" or id(node) in called
                else used(text, name),
            }
        )
    return found


FOUND = [one for path in PLACES for one in expressions(path)]


def slow(found: list[dict[str, Any]], seconds: int = 60) -> dict[str, str]:
    given = "\n".join(json.dumps({**one, "limit": SHORT.get(one["name"], (65536, ""))[0]}) for one in found)
    ran = subprocess.run(
        [sys.executable, "-c", TRY, str(seconds)], input=given, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"an expression needed too much time or memory: {ran.stdout} {ran.stderr[-600:]}"
    return {one["name"]: one["slow"] for one in map(json.loads, ran.stdout.splitlines())}


@pytest.mark.parametrize("part", range(4))
def test_no_expression_is_slow_on_a_hostile_text(part: int) -> None:
    assert slow(FOUND[part::4]) == {}


def test_the_expressions_are_found() -> None:
    assert len(FOUND) > 250
    assert {name for name in SHORT if name not in {one["name"] for one in FOUND}} == set()


@pytest.mark.parametrize(
    "source", [r"\b([\w-]*(?:token|key)[\w-]*\s*=)", r"\s*(\{).*$", r"(?:a+)+b", r"a*a*a*b", r"[\w.]+@[\w.]+z"]
)
def test_a_slow_expression_is_seen(source: str) -> None:
    one = {"name": "x", "source": source, "bytes": False, "flags": 0, "methods": ["search"]}
    try:
        assert slow([one], seconds=1)
    except AssertionError as error:
        assert "too much time" in str(error)
