from __future__ import annotations

import os
import subprocess
import sys

from .core import DOCKER, OWNER, Command, Failure, docker, image_id, read_config, refuse, verify, warn


def run(argv: list[str]) -> None:
    if argv[0].startswith("-"):
        refuse(f"run {argv[0]}")
    app = verify(argv[0])
    if not argv[1:] or argv[1].startswith("-"):
        refuse("run without a command of its own")
    reference = f"dokku/{app}:latest"
    if not image_id(reference):
        warn(f"App image ({reference}) not found")
        sys.stderr.write("Error: No such image: \n")
        warn("Invalid image stage detected: expected 'release', got ''")
        raise Failure("Successfully deploy your app to fix dokku run calls")
    stage = docker("image", "inspect", "--format", '{{index .Config.Labels "com.dokku.image-stage"}}', reference)
    if stage != "release":
        warn(f"Invalid image stage detected: expected 'release', got '{stage}'")
        raise Failure("Successfully deploy your app to fix dokku run calls")
    variables = read_config(app)
    code = subprocess.run(
        [DOCKER, "run", "--rm", f"--label={OWNER}", *(f"--env={key}" for key in variables), reference, *argv[1:]],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **variables},
    ).returncode
    if code in (125, 126, 127):
        refuse("run of a command that cannot be started")
    sys.exit(code)


COMMANDS: dict[str, Command] = {
    "run": run,
}
