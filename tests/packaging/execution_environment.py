"""Builds the image of execution-environment.yml, and looks whether a procedure is ready in it.

Where no Docker engine answers or its base can't be had, it says so and builds nothing; dist/ee is written all the same.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ROOT / "execution-environment.yml"
IMAGE = "ops-runbook-ee"
# Debian trixie's. Wheels for it are fetched here, where pip has the settings of this machine.
PYTHON = "3.13"
PLATFORMS = ("manylinux1", "manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")
# What ansible-builder installs by itself: into the stage that builds, and as the first process of the image.
ITS_OWN = ("bindep", "pyyaml", "packaging", "dumb-init==1.2.5")


def wanted() -> list[str]:
    needs = yaml.safe_load(DEFINITION.read_text())["dependencies"]
    return [needs["ansible_core"]["package_pip"], needs["ansible_runner"]["package_pip"], *needs["python"], *ITS_OWN]


def fetch_wheels(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    machine = platform.machine()
    words = [word for name in PLATFORMS for word in ("--platform", f"{name}_{machine}")]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--dest", folder]
        + ["--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp", *words, *wanted()],
        check=True,
    )


def create_context(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    builder = Path(sys.executable).parent / "ansible-builder"
    subprocess.run(
        [builder, "create", "--file", DEFINITION, "--context", folder, "--output-filename", "Containerfile"],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    return folder / "Containerfile"


def cannot() -> str:
    """Why no image can be built here; empty when one can."""
    if not shutil.which("docker"):
        return "there is no docker on the PATH"
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        return "no Docker engine answers"
    base = yaml.safe_load(DEFINITION.read_text())["images"]["base_image"]["name"]
    for verb in (["image", "inspect"], ["pull", "--quiet"]):
        if not subprocess.run(["docker", *verb, base], capture_output=True, check=False).returncode:
            return ""
    return f"its base {base} is neither here nor can it be pulled; molecule/shared/hosts/engine.sh makes one on Debian"


def look() -> str:
    """The content of the image, asked in a container without any network."""
    asked = """
        set -eo pipefail
        ansible --version | sed q
        ansible-runner --version
        ansible-galaxy collection list ops.runbook | tail -n 1
        mkdir /tmp/sound && echo 'php artisan migrate --force' > /tmp/sound/deploy.sh
        ansible-playbook ops.runbook.data_safety_check -e path=/tmp/sound 2>/dev/null | tail -n 2
        # Nothing of how this image got its wheels is left to whoever builds on it.
        test -z "$PIP_NO_INDEX$PIP_FIND_LINKS"
    """
    return subprocess.run(
        ["docker", "run", "--rm", "--network", "none", IMAGE, "bash", "-c", asked],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def main() -> int:
    fetch_wheels(ROOT / "dist/wheels")
    containerfile = create_context(ROOT / "dist/ee")
    print(containerfile.relative_to(ROOT))
    if reason := cannot():
        print(f"the image was not built: {reason}")
        return 0
    started = time.monotonic()
    built = subprocess.run(
        ["docker", "build", "--tag", IMAGE, "--file", containerfile, containerfile.parent],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if built.returncode:
        print(built.stdout)
        return 1
    size = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Size}}", IMAGE], check=True, capture_output=True, text=True
    ).stdout
    print(f"{IMAGE}: {int(size) / 1e6:.0f} MB, built in {time.monotonic() - started:.0f} s")
    print(look())
    return 0


if __name__ == "__main__":
    sys.exit(main())
