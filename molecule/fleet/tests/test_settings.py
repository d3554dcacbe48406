"""A person's own settings change nothing about an operation: not its order of hosts, nor its records."""

from __future__ import annotations

import subprocess

import pytest
from lab import APP, ROOT, Lab, Run, command, operator_environment

NEW = "v1.7.0"

#: Settings of an ansible.cfg or the environment that Ansible would follow.
SETTINGS = {
    "each host by itself": {"ANSIBLE_STRATEGY": "free"},
    "each host by itself, without a break": {"ANSIBLE_STRATEGY": "host_pinned"},
    "one error ends all": {"ANSIBLE_ANY_ERRORS_FATAL": "true"},
    "tasks end after a second": {"ANSIBLE_TASK_TIMEOUT": "1"},
}


def deploy(hosts: list[Lab], setting: dict[str, str], **inputs: object) -> Run:
    done = subprocess.run(
        command("laravel_deploy", target=",".join(host.name for host in hosts), **{"to": NEW, **inputs}),
        cwd=ROOT,
        env={**operator_environment(), **setting},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_changes_nothing_about_a_deploy(fleet: list[Lab], name: str) -> None:
    run = deploy(fleet[:2], SETTINGS[name])
    assert run.green, run.text
    assert [host.version() for host in fleet[:2]] == ["1.7.0"] * 2
    assert not any(host.has_lease() for host in fleet), run.text
    # One decision, and one plan for all hosts together.
    assert run.text.count("open | Show the plan") == 1


@pytest.mark.parametrize("name", ["each host by itself", "each host by itself, without a break"])
def test_a_refusal_of_one_host_leaves_no_lease_on_the_other(fleet: list[Lab], name: str) -> None:
    changed, other = fleet[:2]
    changed.deploy(f"echo '# edited at night' >> {APP}/routes/api.php")
    before = [host.commit() for host in (changed, other)]
    run = deploy([changed, other], SETTINGS[name])
    assert not run.green and "local_changes" in run.text, run.text
    assert [host.commit() for host in (changed, other)] == before
    assert not any(host.has_lease() for host in fleet), run.text
    assert other.ledger()[-1]["outcome"] == "refused"
