# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a log that anybody may have written decide nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.github.client import GitHubError
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_log import output_of_commands, plain
from ansible_collections.ops.runbook.plugins.module_utils.github.workflow_run import evidence
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import ci as ssh_key_ci
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.ci import Seen

ROOT = Path(__file__).resolve().parents[3]
DEFAULTS = yaml.safe_load((ROOT / "roles/github/defaults/main.yml").read_text())
REQUIRED, FORBIDDEN = DEFAULTS["github_deploy_lines"], DEFAULTS["github_deploy_forbidden_lines"]
CI, ANNA = "SHA256:" + "c" * 43, "SHA256:" + "a" * 43
NEVER_RAN = """##[group]Run if [ "$DEPLOY" = yes ]; then
\x1b[36;1mif [ "$DEPLOY" = yes ]; then\x1b[0m
\x1b[36;1m  php artisan migrate --force\x1b[0m
\x1b[36;1m  php artisan config:cache # Configuration cached successfully, Nothing to migrate\x1b[0m
\x1b[36;1m  php artisan queue:restart # Broadcasting queue restart signal\x1b[0m
\x1b[36;1mfi\x1b[0m
shell: /usr/bin/bash -e {0}
##[endgroup]
"""
RAN = {
    "laravel 8": "Nothing to migrate.\nConfiguration cached successfully!\nBroadcasting queue restart signal.\n",
    "laravel 11": (
        "   INFO  Running migrations.  \n\n  2026_01_01_000000_create_users ... 12ms DONE\n"
        "   INFO  Caching framework bootstrap, configuration, and metadata.  \n  config ... 1ms DONE\n"
        "   INFO  Broadcasting queue restart signal.  \n"
    ),
}


def stamped(text: str) -> str:
    return "".join(f"2026-11-21T08:00:00.1234567Z {line}\n" for line in text.splitlines())


def test_the_echo_of_a_script_does_not_prove_that_it_ran() -> None:
    found = evidence({"deploy": stamped(NEVER_RAN)}, REQUIRED, FORBIDDEN)
    assert found.missing == tuple(REQUIRED)


@pytest.mark.parametrize("version", RAN)
def test_only_the_output_of_commands_is_proof(version: str) -> None:
    found = evidence({"deploy": stamped(NEVER_RAN + RAN[version])}, REQUIRED, FORBIDDEN)
    assert found.good, found


@pytest.mark.parametrize(
    "line",
    [
        "HEAD is now at 3f2a91c {}",
        "remote: HEAD is now at 3f2a91c {}",
        "Previous HEAD position was 3f2a91c {}",
        "[main 3f2a91c] {}",
        "[main (root-commit) 3f2a91c] {}",
        "* 3f2a91c (HEAD -> main) {}",
        "3f2a91c0 {}",
        "[command]/usr/bin/git commit -m {}",
    ],
)
def test_the_subject_of_a_commit_is_neither_for_nor_against_a_deploy(line: str) -> None:
    for words in ("Nothing to migrate", "docs: never run migrate:fresh in production", f"ops-runbook-key {ANNA}"):
        log = stamped(line.format(words))
        assert output_of_commands(log) == [""]
        found = evidence({"deploy": log}, REQUIRED, FORBIDDEN)
        assert found.missing == tuple(REQUIRED) and not found.forbidden
        assert ssh_key_ci.said([log]) == []


@pytest.mark.parametrize("line", ["php artisan migrate:fresh --force", "  Dropping all tables ... 5ms DONE"])
def test_a_command_that_destroyed_data_is_found(line: str) -> None:
    assert evidence({"deploy": stamped(line)}, [], FORBIDDEN).forbidden


def test_the_line_of_a_key_is_a_line_of_its_own() -> None:
    honest = f"ops-runbook-key {CI} ops-runbook-nonce n1"
    log = stamped(
        f"##[group]Run echo\nops-runbook-key {ANNA}\n##[endgroup]\n{honest}\n"
        f"HEAD is now at 3f2a91c docs: ops-runbook-key {ANNA}\nsee ops-runbook-key {ANNA}\n ops-runbook-key {ANNA}\n"
        f"ops-runbook-key {ANNA} and more\n"
    )
    assert ssh_key_ci.said([log]) == [Seen(CI, "n1")]


def test_a_run_that_names_two_keys_names_none() -> None:
    assert ssh_key_ci.only([Seen(CI, ""), Seen(CI, "n")], "run 1") == CI
    with pytest.raises(GitHubError) as error:
        ssh_key_ci.only([Seen(CI, ""), Seen(ANNA, "")], "run 1")
    assert error.value.code == "key_said_twice" and CI in str(error.value) and ANNA in str(error.value)


@given(st.lists(st.sampled_from([*NEVER_RAN.splitlines(), "a", "##[group]Other", "HEAD is now at 3f2a91c b"])))
def test_a_line_keeps_its_number_and_its_text(lines: list[str]) -> None:
    log = stamped("\n".join(lines))
    own = output_of_commands(log)
    assert len(own) == len(plain(log))
    assert all(one in ("", other) for one, other in zip(own, plain(log)))
