"""Runs every part of the tests, prints the seconds of each, and fails if any failed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PARTS = ("lint", "types", "unit", "simulator", "packaging", "molecule")
COUNTS = Path(".cache/counts")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Molecule draws a box around what its verifier prints.
BOX = re.compile(r"^ *│ ?", re.MULTILINE)
CLOSING_LINE = re.compile(r"^=* *((?:\d+ [a-z]+, )*\d+ [a-z]+) in [\d.]+s\b", re.MULTILINE)
# With up to three lines that the box has folded it into; a long name begins a line of its own.
FAILURE = re.compile(r"^(?:FAILED|ERROR|RERUN)\s+\S+::.*(?:\n(?![A-Z]{5,}|=).+){0,3}", re.MULTILINE)
#: What pytest says of why, and how much of it is repeated.
CAUSE = re.compile(r"^E {3}.*", re.MULTILINE)
CAUSES = 40


@dataclass(frozen=True)
class Result:
    """How one part went; a part without tests of pytest counts as one check."""

    part: str
    ok: bool
    seconds: float
    passed: int
    failed: int
    told: tuple[str, ...]


def plain(output: bytes) -> str:
    return BOX.sub("", COLOUR.sub("", output.decode(errors="replace")))


def count(output: str) -> tuple[int, int]:
    """Tests that passed and failed, by the closing lines of pytest."""
    found = [item.split() for line in CLOSING_LINE.findall(output) for item in line.split(", ")]
    passed = sum(int(number) for number, word in found if word == "passed")
    failed = sum(int(number) for number, word in found if word in {"failed", "error", "errors"})
    return passed, failed


def run(part: str) -> Result:
    started = time.monotonic()
    output = bytearray()
    with subprocess.Popen(
        ["make", "--no-print-directory", part], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        while chunk := os.read(process.stdout.fileno(), 65536):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            output += chunk
    ok = process.returncode == 0
    text = plain(bytes(output))
    passed, failed = count(text)
    if ok and not passed:
        passed = 1
    if not ok and not failed:
        failed = 1
    told = (*FAILURE.findall(text), *CAUSE.findall(text)[:CAUSES])
    return Result(part, ok, time.monotonic() - started, passed, failed, told)


def main() -> int:
    results = []
    for part in sys.argv[1:] or PARTS:
        print(f"\n== {part}", flush=True)
        results.append(run(part))
    print("\npart        result  checks  seconds")
    for result in results:
        print(
            f"{result.part:<10}  {'passed' if result.ok else 'FAILED'}  {result.passed + result.failed:>6}"
            f"  {result.seconds:>7.1f}"
        )
    print(f"{'all':<10}  {'':<6}  {'':>6}  {sum(result.seconds for result in results):>7.1f}")
    # A server shows the end of what it ran, so what failed, or had to be run twice, stands there.
    for line in (line for result in results for line in result.told):
        print(line)
    counts = f"{sum(r.passed for r in results)} passed, {sum(r.failed for r in results)} failed"
    COUNTS.parent.mkdir(exist_ok=True)
    COUNTS.write_text(counts + "\n")
    print(f"\n{counts}", flush=True)
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
