# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The source repository of a service, asked about hotfixes where the host has no checkout of it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands, Output
from ansible_collections.ops.runbook.plugins.module_utils.hotfix import merges
from ansible_collections.ops.runbook.plugins.module_utils.hotfix.merges import Git, Hotfix, Standing
from ansible_collections.ops.runbook.plugins.module_utils.secrets.redact import passwords_in_addresses

#: Seconds for one call of git. A person waits for the plan or for the screen.
_TIMEOUT = 30.0
#: The one who is asked must not wait for a password that nobody types.
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10", "LC_ALL": "C"}
#: Addresses that git takes, and no option of it.
_ADDRESS = re.compile(r"(?:https?|ssh|git|file)://\S+|/\S+|(?:[\w.-]+@)?[\w.-]+:[\w./~-]+")


@contextmanager
def history_of(repository: str, names: Sequence[str]) -> Iterator[tuple[Git, dict[str, str]]]:
    """git in a copy of a repository's history, and the branches with these names, each with its commit.

    Commits alone are fetched; what they changed only where two histories are compared. The copy is thrown away. Raises
    CommandFailed where the repository can't be read, and OSError where there is no place for the copy.
    """
    with tempfile.TemporaryDirectory(prefix="ops-runbook-history-") as folder:
        commands = Commands(folder, timeout=_TIMEOUT)

        def git(*arguments: str, check: bool = True, stdin: str | None = None) -> Output:
            return commands.run(["git", *arguments], env=_QUIET, stdin=stdin, check=check)

        git("init", "--quiet", "--bare")
        git("config", "remote.origin.url", repository)
        listed = git("ls-remote", "--heads", "origin", *(f"refs/heads/{name}" for name in names)).stdout
        lines = (line.partition("\t") for line in listed.splitlines())
        tips = {name.removeprefix("refs/heads/"): commit for commit, _tab, name in lines}
        if tips:
            git("fetch", "--quiet", "--no-tags", "--filter=tree:0", "origin", *(f"+refs/heads/{name}" for name in tips))
        yield git, tips


def standings(repository: str, hotfixes: Sequence[Hotfix], into: Sequence[str]) -> tuple[Standing, ...]:
    """Relations of the source repository's branches to hotfixes; unknown, with the cause, if it can't be asked."""
    if not repository:
        return _unknown(hotfixes, into, "no source repository is known")
    if passwords_in_addresses(repository) or not _ADDRESS.fullmatch(repository):
        return _unknown(hotfixes, into, "the address of the source repository is not one that may be asked")
    try:
        names = dict.fromkeys([*into, *(one.branch for one in hotfixes if one.branch)])
        with history_of(repository, list(names)) as (git, tips):
            return tuple(merges.standing(git, one, into, tips) for one in hotfixes)
    except (CommandFailed, OSError) as error:
        return _unknown(hotfixes, into, f"{error}")


def _unknown(hotfixes: Sequence[Hotfix], into: Sequence[str], why: str) -> tuple[Standing, ...]:
    return tuple(merges.unknown(one, into, why) for one in hotfixes)


def due(
    repository: str, hotfix: Hotfix, into: Sequence[str], known: Sequence[Hotfix] = ()
) -> tuple[list[dict[str, str]], list[str], tuple[Hotfix, ...]]:
    """The merges that are due for a hotfix, a warning if it is not known which are done, and the earlier ones due.

    known: the earlier hotfixes of the ledger.
    """
    if not hotfix.commit:
        return (merges.merges(repository, hotfix, into, into) if hotfix.branch else []), [], tuple(known)
    one, *others = standings(repository, [hotfix, *known], into)
    names = one.those(merges.LACKS, merges.UNKNOWN)
    warnings = [f"it is not known whether {' and '.join(names)} have the hotfix already: {one.why}"] if one.why else []
    return merges.merges(repository, hotfix, names, into), warnings, merges.due_still(others)
