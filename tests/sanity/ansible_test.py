"""Runs `ansible-test sanity` on a copy of this working tree, and what runs on hosts also under their oldest Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".cache/ansible-test"
# ansible-test works only below such a path, and refuses links to folders.
COPY = WORK / "ansible_collections/ops/runbook"
OLDEST = "3.9"
# What is left out: pylint, pep8, yamllint and shellcheck ask what `make lint` and `make types` ask, and pslint asks
# about PowerShell.
TESTS = (
    "action-plugin-docs",
    "ansible-doc",
    "changelog",
    "compile",
    "empty-init",
    "import",
    "line-endings",
    "no-assert",
    "no-get-exception",
    "no-illegal-filenames",
    "no-smart-quotes",
    "replace-urlopen",
    "runtime-metadata",
    "shebang",
    "symlinks",
    "use-argspec-type-path",
    "use-compat-six",
    "validate-modules",
)
# Links that it refuses, what is for tests on hosts only, and what the collection lies beside.
LEFT_OUT = (":!collections", ":!molecule", ":!runner", ":!tests/dokku_simulator")


def copy_tree() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *LEFT_OUT],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)
    # Without a repository of its own, the checkout's is found, which ignores this folder.
    subprocess.run(["git", "init", "--quiet", COPY], check=True)
    (COPY / "tests/config.yml").write_text(f'modules:\n  python_requires: ">={OLDEST}"\n')


def provide_pip() -> None:
    """Each of its environments begins with a script from the internet, unless that lies in its cache already."""
    requirements = Path(sysconfig.get_path("purelib")) / "ansible_test/_internal/python_requirements.py"
    cache = WORK / "home/.ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"\bpip='([\d.]+)'", requirements.read_text()):
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        script.write_text("import ensurepip\n\nensurepip.bootstrap()\n")


def oldest_python() -> Path | None:
    found = shutil.which(f"python{OLDEST}")
    # A shim of pyenv is there also where the version that it stands for is switched off.
    if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
        return Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return next(iter(sorted(pyenv.glob(f"versions/{OLDEST}.*/bin/python{OLDEST}"), reverse=True)), None)


def sanity(python: str, tests: tuple[str, ...], path: str) -> bool:
    print(f"ansible-test sanity under Python {python}", flush=True)
    command = [Path(sys.executable).parent / "ansible-test", "sanity", "--python", python, "--requirements"]
    for test in tests:
        command += ["--test", test]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    ran = subprocess.run(
        command,
        cwd=COPY,
        env={**env, "HOME": str(WORK / "home"), "PATH": path, "LC_ALL": "C.UTF-8"},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    good = ran.returncode == 0 and "All targets skipped" not in ran.stdout
    if not good:
        print(ran.stdout)
    return good


def main() -> int:
    copy_tree()
    provide_pip()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    good = sanity("{}.{}".format(*sys.version_info), TESTS, path)
    oldest = oldest_python()
    if oldest is None:
        print(f"Python {OLDEST} is not installed: what runs on hosts was not tried under it")
    else:
        good &= sanity(OLDEST, ("compile", "import"), os.pathsep.join([path, str(oldest.parent)]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
