"""Runs Galaxy's own importer on the collection as it is built, in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".cache/galaxy-importer"
NEEDS = ("galaxy-importer>=0.4.30", "ansible-core>=2.19,<2.22")
# What it would ask beside that is asked by `make lint` and `make sanity`, in newer versions.
SETTINGS = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
CHECK_CHANGELOG = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = False
RUN_FLAKE8 = False
"""


def main() -> int:
    python = HOME / "venv/bin/python"
    if not (HOME / ".installed").is_file():
        venv.EnvBuilder(with_pip=True, clear=True).create(HOME / "venv")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *NEEDS], check=True)
        (HOME / ".installed").touch()
    (HOME / "settings.cfg").write_text(SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        build = [Path(sys.executable).parent / "ansible-galaxy", "collection", "build", "--output-path", folder]
        subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        (built,) = Path(folder).glob("*.tar.gz")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        ran = subprocess.run(
            [python, "-m", "galaxy_importer.main", built],
            cwd=folder,
            env={
                **kept,
                "GALAXY_IMPORTER_CONFIG": str(HOME / "settings.cfg"),
                "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            },
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    said = re.findall(r"^(?:ERROR|WARNING|Importer).*", ran.stdout, re.MULTILINE)
    print("\n".join(said))
    return ran.returncode or any(line.startswith(("ERROR", "WARNING")) for line in said)


if __name__ == "__main__":
    sys.exit(main())
