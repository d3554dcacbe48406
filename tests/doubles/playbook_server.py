# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks, two at a time, each in a copy of one process that has loaded Ansible already.

It reads lines of JSON from its standard input, each a list of jobs, and answers each line with the list of their exit
codes. A job has the `arguments` of ansible-playbook, its whole environment `env`, its folder `cwd`, and the files `out`
and `err`, which may be the same.

The payloads of modules have the compiled code beside the sources: a module compiles what it imports otherwise, which
is three quarters of the CPU time of one that works on a host of this machine.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import marshal
import os
import sys
import zipfile
from types import SimpleNamespace
from typing import Any

import ansible.cli.playbook
import ansible.constants
import ansible.executor.module_common
import ansible.executor.playbook_executor
import ansible.plugins.callback.default
import ansible.plugins.connection.local
import ansible.plugins.strategy.linear  # noqa: F401
from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader as plugins
from ansible.template import Templar, trust_as_template

AT_ONCE = 2
#: Seconds between two looks for the results of tasks. Ansible looks each millisecond, which on a busy machine is an
#: eighth of the CPU time of a run.
LOOKS = 0.01
#: A template that has Ansible look for all filters and tests, and load the lookups of a procedure's first play.
FILTERS = "{{ 1 | ops.runbook.operation_batches }}"
#: PEP 552: a compiled file that is taken without a look at its source. Another Python reads the source.
UNCHECKED = (1).to_bytes(4, "little")


class CompiledZip(zipfile.ZipFile):
    """An archive that has the compiled code of each Python file too."""

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **kwargs: Any) -> None:
        super().writestr(zinfo_or_arcname, data, *args, **kwargs)
        name = getattr(zinfo_or_arcname, "filename", zinfo_or_arcname)
        if name.endswith(".py"):
            source = data.encode() if isinstance(data, str) else bytes(data)
            code = marshal.dumps(compile(source, name, "exec", dont_inherit=True))
            head = importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source)
            super().writestr(f"{name}c", head + code)


def run(job: dict[str, Any]) -> None:
    """Become the process of a job, and end as it does."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
    os.dup2(os.open(job["out"], flags, 0o600), 1)
    os.dup2(os.open(job["err"], flags, 0o600), 2)
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["cwd"])
    code = 250
    try:
        found = ansible.cli.playbook.PlaybookCLI(["ansible-playbook", *job["arguments"]])
        found.parse()
        code = int(found.run() or 0)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except Exception as error:
        print(f"ERROR {type(error).__name__}: {error}")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_all(jobs: list[dict[str, Any]]) -> list[int]:
    places: dict[int, int] = {}
    codes = [0] * len(jobs)

    def wait() -> None:
        pid, status = os.wait()
        codes[places.pop(pid)] = os.waitstatus_to_exitcode(status)

    for place, job in enumerate(jobs):
        if len(places) == AT_ONCE:
            wait()
        pid = os.fork()
        if pid == 0:
            run(job)
        places[pid] = place
    while places:
        wait()
    return codes


def load() -> None:
    """Load what each run of a procedure loads. Nothing of it knows how Ansible was called."""
    plugins.init_plugin_loader()
    # It would warn about a second time.
    ansible.cli.init_plugin_loader = lambda *_paths: None
    for name in ("ansible.builtin", "ops.runbook"):
        importlib.import_module(f"ansible_collections.{name}")
    for name in ("host_list", "script", "auto", "yaml", "ini", "toml"):
        plugins.inventory_loader.get(name)
    for name in ("input", "operation_call"):
        plugins.lookup_loader.get(f"ops.runbook.{name}")
    for loader in (plugins.connection_loader, plugins.shell_loader, plugins.become_loader, plugins.callback_loader):
        list(loader.all(class_only=True))
    plugins.vars_loader.get("host_group_vars")
    Templar(DataLoader()).template(trust_as_template(FILTERS))


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    # What Ansible says while it loads is not an answer.
    os.dup2(2, 1)
    ansible.executor.module_common.zipfile = SimpleNamespace(
        **{name: getattr(zipfile, name) for name in dir(zipfile) if name != "ZipFile"}, ZipFile=CompiledZip
    )
    load()
    ansible.constants.DEFAULT_INTERNAL_POLL_INTERVAL = LOOKS
    # None of them lives long enough to need it.
    gc.disable()
    for line in sys.stdin:
        print(json.dumps(run_all(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
