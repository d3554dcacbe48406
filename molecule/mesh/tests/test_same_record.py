"""The same rollback, from the same state, in each way to run it: one ledger record, but for who and via."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab import INVENTORIES, ROOT, Run
from mesh_lab import INVENTORY, REASON, Mesh

EE = "ops-runbook-ee"
BINARIES = Path(sys.executable).parent
PLAYBOOK = "playbooks/laravel_rollback.yml"
# What AWX adds to the answers of the survey (awx/main/models/jobs.py, awx/main/models/unified_jobs.py of 24.6.1).
AWX_VARIABLES = {
    f"{prefix}_{name}": value
    for prefix in ("awx", "tower")
    for name, value in {
        "job_id": 42,
        "job_launch_type": "manual",
        "job_template_id": 7,
        "job_template_name": "laravel_rollback",
        "inventory_id": 3,
        "inventory_name": "production",
        "project_revision": "0" * 40,
        "project_scm_branch": "main",
        "user_id": 5,
        "user_name": "carol",
        "user_email": "carol@example.com",
        "user_first_name": "Carol",
        "user_last_name": "",
    }.items()
}
# And to the environment (awx/main/tasks/jobs.py).
AWX_ENVIRONMENT = {
    "ANSIBLE_FORCE_COLOR": "True",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "ANSIBLE_COLLECTIONS_PATH": "/runner/requirements_collections:collections:/usr/share/ansible/collections",
    "AWX_HOST": "https://awx.example.com",
    "AWX_PRIVATE_DATA_DIR": "/tmp/awx_42_lab",
    "INVENTORY_ID": "3",
    "JOB_ID": "42",
    "MAX_EVENT_RES": "700000",
    "PROJECT_REVISION": "0" * 40,
}
Way = Callable[[Mesh, Path], Run]


def runner(*words: str | Path, stdin: bytes = b"", home: Path) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment = {**kept, "HOME": str(home), "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [BINARIES / "ansible-runner", *words],
        input=stdin,
        env=environment,
        capture_output=True,
        check=False,
        timeout=240,
    )


def by_playbook(mesh: Mesh, _folder: Path) -> Run:
    return mesh.app.play("laravel_rollback", reason=REASON)


def by_runner(_mesh: Mesh, folder: Path) -> Run:
    """`runner/` as it is, with another inventory named."""
    words = ("--artifact-dir", folder / "artifacts", "--inventory", ROOT / INVENTORIES[0], "--cmdline")
    done = runner(
        "run", ROOT / "runner", "--omit-env-files", "-p", PLAYBOOK, *words, f"-e reason={REASON}", home=folder
    )
    return Run(done.returncode, (done.stdout + done.stderr).decode())


def by_mesh(mesh: Mesh, _folder: Path) -> Run:
    return mesh.run("laravel_rollback", f"-e reason={REASON}")


def by_awx(mesh: Mesh, folder: Path) -> Run:
    """As AWX does it: transmit, a worker in the execution environment with the directory at /runner, process."""
    data = folder / "awx_42_lab"
    for part in ("env", "inventory/group_vars"):
        (data / part).mkdir(parents=True)
    # AWX copies the repository of the project. Its links are relative, and this is all that they lead to.
    (data / "project").mkdir()
    for part in ("ansible.cfg", "galaxy.yml", "meta", "playbooks", "plugins", "roles", "collections"):
        subprocess.run(["cp", "-a", ROOT / part, data / "project"], check=True)
    (data / "env/extravars").write_text(json.dumps({"reason": REASON, **AWX_VARIABLES}))
    (data / "env/envvars").write_text(json.dumps(AWX_ENVIRONMENT))
    (data / "env/settings").write_text(json.dumps({"idle_timeout": 0, "job_timeout": 0}))
    # A credential of the type Machine, for which ansible-runner starts an ssh-agent.
    shutil.copy(ROOT / ".lab/id_ed25519", data / "env/ssh_key")
    hosts = INVENTORY.replace("    ansible_ssh_private_key_file: /home/deploy/id_ed25519\n", "").replace(
        "-o UserKnownHostsFile=/home/deploy/known_hosts -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
        "-o UserKnownHostsFile=/dev/null",
    )
    (data / "inventory/hosts.yml").write_text(hosts)
    shutil.copy(ROOT / "inventories/demo/group_vars/laravel.yml", data / "inventory/group_vars/laravel.yml")
    sent = runner("transmit", data, "-p", PLAYBOOK, "--ident", "42", home=folder)
    assert sent.returncode == 0, sent.stderr
    container = ("docker", "run", "--rm", "-i", "--network", "ops-runbook-mesh-back", EE)
    worked = subprocess.run(
        [*container, "ansible-runner", "worker", "--private-data-dir", "/runner"],
        input=sent.stdout,
        capture_output=True,
        check=False,
        timeout=240,
    )
    back = folder / "back"
    back.mkdir()
    processed = runner("process", back, "--ident", "42", stdin=worked.stdout, home=folder)
    code = back / "artifacts/42/rc"
    text = (processed.stdout + worked.stderr).decode()
    return Run(int(code.read_text()) if code.is_file() else worked.returncode, text)


def normal(record: dict[str, Any]) -> dict[str, Any]:
    """The parts of a record that are the same for the same rollback.

    Left out are who and via, which are asked for by themselves; the id, which has the moment in it; moments and
    seconds; the ids and latencies of health requests, which are new each time.
    """

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items() if key not in TRANSIENT}
        return [clean(item) for item in value] if isinstance(value, list) else value

    found: dict[str, Any] = clean({key: value for key, value in record.items() if key not in ("actor", "id")})
    return found


TRANSIENT = {"started", "finished", "seconds", "latency", "request_id"}
WAYS: dict[str, tuple[Way, dict[str, str]]] = {
    "ansible-playbook": (by_playbook, {"via": "ansible-playbook", "job": ""}),
    "ansible-runner": (by_runner, {"via": "ansible-runner", "job": ""}),
    "the mesh": (by_mesh, {"via": "ansible-runner", "job": "", "user": "alice"}),
    "AWX": (by_awx, {"via": "awx", "job": "42", "user": "carol"}),
}


@pytest.fixture(scope="module")
def records() -> dict[str, dict[str, Any]]:
    """Ledger records of each way, by its name."""
    return {}


@pytest.mark.parametrize("name", WAYS)
def test_each_way_leaves_the_same_record(
    mesh: Mesh, tmp_path: Path, records: dict[str, dict[str, Any]], name: str
) -> None:
    way, actor = WAYS[name]
    if way is by_awx:
        image = subprocess.run(["docker", "image", "inspect", EE], capture_output=True, check=False)
        if image.returncode:
            pytest.skip(f"there is no image {EE}: `make ee` builds it")
    before = mesh.app.ledger()
    ran = way(mesh, tmp_path)
    assert ran.green, ran.text
    assert mesh.app.version() == "1.0.0"
    *same, record = mesh.app.ledger()
    assert same == before
    assert {key: record["actor"][key] for key in actor} == actor
    assert (record["reason"], record["outcome"]) == (REASON, "succeeded")
    records[name] = record
    first = next(iter(records.values()))
    # The state before is a copy, so even the chain is the same up to here.
    assert record.keys() == first.keys()
    assert {"from", "to", "migrations", "steps", "health", "reason", "outcome"} <= normal(record).keys()
    assert normal(record) == normal(first)
