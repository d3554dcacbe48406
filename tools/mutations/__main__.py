"""Changes the product in small ways, one at a time, and lists each change that no test notices: `make mutations`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

from tools.mutations import table, workspace

ROOT = Path(__file__).resolve().parents[2]
NAMED = Path(__file__).parent / "survivors.yml"


def chosen(known: list[str], asked: list[str]) -> list[str]:
    """The files of the settings that are asked for: by a whole name, a folder or the end of a name; or all."""
    found = [file for file in known if not asked or any(fits(file, one) for one in asked)]
    unknown = [one for one in asked if not any(fits(file, one) for file in known)]
    if unknown:
        sys.exit(
            f"[tool.mutations.tests] of pyproject.toml has no file {', '.join(unknown)}. "
            "Add it there with its tests, or type one of these:\n  " + "\n  ".join(known)
        )
    return found


def fits(file: str, asked: str) -> bool:
    asked = asked.strip("/")
    return file == asked or file.startswith(f"{asked}/") or f"/{asked}/" in file or file.endswith(f"/{asked}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutations", description=__doc__)
    parser.add_argument("files", nargs="*", help="files or folders of [tool.mutations.tests]; all without it")
    parser.add_argument("--show", action="store_true", help="only print the table and the survivors of earlier runs")
    arguments = parser.parse_args()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tests = settings["tool"]["mutations"]["tests"]
    files = chosen(list(tests), arguments.files)
    results = []
    for file in files:
        space = workspace.Workspace(ROOT, file, tests[file], settings)
        if not arguments.show:
            print(f"== {file}", flush=True)
            space.prepare()
            done = subprocess.run(space.command, cwd=space.folder, env=space.environment, check=False)
            if done.returncode:
                print(f"{file}: mutmut ended with {done.returncode}; its output is above", file=sys.stderr)
                return 1
        results.append(space.result())
    return table.report(results, table.read_named(NAMED), settings["tool"]["mutations"]["floor"])


if __name__ == "__main__":
    sys.exit(main())
