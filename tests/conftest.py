from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

pytest_plugins = ["pytester"]

# The tests look at the results of tasks; the screen that ansible.cfg has instead has tests of its own.
os.environ["ANSIBLE_STDOUT_CALLBACK"] = "ansible.builtin.default"
# YAML folds long lines.
os.environ["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"

# Nothing of whoever runs the tests: settings of git, a repository that a hook works on, a language, a umask.
for name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[name]
os.environ.update(
    GIT_CONFIG_GLOBAL=str(Path(__file__).with_name("gitconfig")), GIT_CONFIG_NOSYSTEM="1", LC_ALL="C.UTF-8"
)
os.umask(0o022)
# A job in the background of a shell ignores Ctrl+C, and so does all that it begins.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Python keeps the compiled code of the suite, also where the environment says that it keeps none: compiling is most of
# what a short process costs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A process that a test waits for says each line at once because its code says so, and not because this is set.
os.environ.pop("PYTHONUNBUFFERED", None)

# A busy machine does not fail a law.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `make mutations` asks only if a test fails: neither for the smallest example, nor for one of an earlier run. Each
# survivor runs all examples.
settings.register_profile(
    "mutations",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("default")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parents[1]
