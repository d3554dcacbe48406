"""Ways to install the collection, and to run a procedure in each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

INSTALLED = Path("ansible_collections/ops/runbook")


def call(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """The output of a command that has to succeed."""
    ran = subprocess.run(command, cwd=cwd, env=env, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def bare_environment(home: Path) -> dict[str, str]:
    """An environment in which nothing leads Ansible back to this checkout or to the collections of the user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    # The callback that the ansible.cfg of a checkout names has tests of its own.
    return {**kept, "HOME": str(home), "LC_ALL": "C.UTF-8", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}


def cloned(checkout: Path, folder: Path) -> Path:
    """A folder with the files of a working tree that git knows of; links stay links."""
    listed = call("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=checkout)
    for name in filter(None, listed.split("\0")):
        if os.path.lexists(checkout / name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, folder / name, follow_symlinks=False)
    # Ansible does not read the ansible.cfg of a folder that anyone may write to.
    folder.chmod(0o755)
    return folder


@dataclass(frozen=True)
class Installation:
    """A Python that runs Ansible, its environment, and where the collection was put."""

    python: Path
    home: Path
    collection: Path
    env: dict[str, str]

    def playbook(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ansible-playbook in an empty folder."""
        empty = self.home / "empty"
        empty.mkdir(exist_ok=True)
        return subprocess.run(
            [self.python, "-m", "ansible", "playbook", *arguments],
            cwd=empty,
            env=self.env,
            check=False,
            capture_output=True,
            text=True,
        )


def fresh_python(folder: Path) -> Path:
    """A new virtual environment that also sees the packages of the running one, which saves installing Ansible."""
    venv.EnvBuilder(with_pip=False).create(folder)
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder / "bin" / "python"


def built_wheel(checkout: Path, folder: Path) -> Path:
    """The wheel of a working tree, in a folder."""
    call(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, checkout, cwd=checkout)
    (built,) = folder.glob("*.whl")
    return built


def installed_wheel(wheel: Path, home: Path) -> Installation:
    """A wheel in a new virtual environment, with the programs that pip makes where it installs Ansible too."""
    python = fresh_python(home / "venv")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    call(*pip, "--no-deps", "--no-index", "--disable-pip-version-check", wheel, cwd=home)
    program = python.parent / "ansible-playbook"
    program.write_text(f"#!{python}\nfrom ansible.cli.playbook import main\n\nmain()\n")
    program.chmod(0o755)
    (galaxy,) = home.glob(f"venv/lib/python*/site-packages/{INSTALLED}/galaxy.yml")
    return Installation(python, home, galaxy.parent, bare_environment(home))
