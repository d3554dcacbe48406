"""docs/adopt.md, typed line by line on a host that was deployed by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from lab import INVENTORIES, OWN, ROOT, STATE, Lab, operator_environment

PAGE = ROOT / "docs/adopt.md"
#: What is another on the lab's host. Its v1.2.0 brings migrations that v1.0.0 does not know.
HERE = {"php8.3": "php8.4", "v1.2.0": "v1.1.0"}
RULES = "/etc/sudoers.d/ops-runbook"
MINUTES = 10


def blocks() -> tuple[str, list[str], str]:
    """Commands of an administrator on the host, commands on the bastion, and the inventory in between."""
    text = PAGE.read_text()
    for there, here in HERE.items():
        text = text.replace(there, here)
    (inventory,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    typed = [
        [line[4:] for line in part.splitlines() if line.startswith("    ")]
        for part in re.split(
            r"^## ", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), flags=re.MULTILINE
        )
    ]
    administrator, *bastion = [part for part in typed if part]
    return "\n".join(administrator), [line for part in bastion for line in part], inventory


#: What stands in the settings of ssh for a real host.
REACHED = (
    "ansible_host",
    "ansible_port",
    "ansible_ssh_private_key_file",
    "ansible_ssh_common_args",
    "ansible_python_interpreter",
)


def connection() -> dict[str, Any]:
    """How the lab's host is reached."""
    loader = DataLoader()
    inventory = InventoryManager(loader, [str(ROOT / one) for one in INVENTORIES])
    known = VariableManager(loader, inventory).get_vars(host=inventory.get_host(OWN))
    templar = Templar(loader, variables=known)
    return {name: templar.template(known[name]) for name in REACHED}


@pytest.fixture
def by_hand(lab: Lab) -> Iterator[Lab]:
    """Deployed with git by somebody who has never heard of this: no folder for records, no right to reload."""
    lab.reset()
    lab.root(f"mv {RULES} /root/; rm -rf /var/lib/ops-runbook")
    yield lab
    lab.root(f"install -d -o deploy -g deploy -m 0700 /var/lib/ops-runbook; mv /root/ops-runbook {RULES}")


def test_the_page_leads_to_a_safe_rollback(by_hand: Lab, tmp_path: Path) -> None:
    administrator, bastion, inventory = blocks()
    began = time.monotonic()
    by_hand.root(administrator)
    folder = tmp_path / "inventory"
    (folder / "host_vars").mkdir(parents=True)
    (folder / "hosts.yml").write_text(inventory)
    (folder / "host_vars/api1.example.com.json").write_text(json.dumps(connection()))
    script = "".join(f"echo {textwrap.shorten(line, 60)!r}\n{line}\n" for line in bastion)
    ran = subprocess.run(
        ["bash", "-euc", script],
        cwd=ROOT,
        # The path of a socket may have 107 letters; a folder of a test has most of them.
        env={
            **operator_environment(),
            "HOME": str(tmp_path),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": os.path.expanduser("~/.ansible/cp"),
        },
        capture_output=True,
        text=True,
        timeout=MINUTES * 60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    took = time.monotonic() - began
    assert by_hand.outcomes() == [
        ("adopt", "succeeded"),
        ("deploy", "succeeded"),
        ("rollback", "succeeded"),
        ("deploy", "succeeded"),
    ]
    assert by_hand.version() == "1.1.0" and not by_hand.has_lease()
    assert by_hand.root(f"stat -c %U:%a {STATE}") == "deploy:700"
    assert len([line for line in bastion if line.startswith("ansible-playbook")]) >= 8
    print(f"docs/adopt.md: {len(bastion)} lines on the bastion, {took:.0f} s")
