"""A rollback over the mesh, and what becomes of it when a part of the mesh dies."""

from __future__ import annotations

import json
import re

import pytest
from gate import Gate
from mesh_lab import REASON, RESULTS, RUNNER, SOCKET, Mesh, Node
from waiting import wait_for

BACK = "-e to=v1.0.0"
TLS = "/etc/receptor/tls"
#: The last day of the certificate with which the hop answers the control node.
SHOWN = (
    f"openssl s_client -connect hop.example.com:27199 -CAfile {TLS}/ca.crt -cert {TLS}/node.crt -key {TLS}/node.key"
    " </dev/null 2>/dev/null | openssl x509 -noout -enddate"
)


def held(gate: Gate, options: str = BACK) -> str:
    return f"{options} -e {json.dumps(json.dumps(gate.inputs))}"


@pytest.mark.core("rollback")
def test_a_rollback_goes_over_the_hop_and_its_results_come_back(mesh: Mesh) -> None:
    # No other way leads there: the control node does not even know the host's name.
    assert not mesh.control.run("getent hosts mesh-app || getent hosts execution.example.com").green
    assert not mesh.hop.run("test -e /home/deploy/id_ed25519 || test -e /etc/receptor/tls/work-signing.key").green
    ran = mesh.run("laravel_rollback", f"-e reason={REASON}")
    assert ran.green, ran.text
    assert mesh.app.version() == "1.0.0"
    record = mesh.app.ledger()[-1]
    assert (record["procedure"], record["outcome"], record["reason"]) == ("rollback", "succeeded", REASON)
    assert record["actor"] == {"user": "alice", "controller": "mesh-execution", "via": "ansible-runner", "job": ""}
    found = re.search(r"unit (\w+);", ran.text)
    assert found, ran.text
    artifacts = f"{RESULTS}/{found[1]}/artifacts"
    assert mesh.control.read(f"cat {artifacts}/rc") == "0"
    assert "PLAY RECAP" in mesh.control.read(f"cat {artifacts}/stdout")
    assert "playbook_on_stats" in mesh.control.read(f"grep -ho playbook_on_stats {artifacts}/job_events/*.json | uniq")
    # Neither the work nor what was sent stays behind.
    assert mesh.units() == {}
    for node in (mesh.control, mesh.execution):
        assert node.read("find /tmp -mindepth 1 -maxdepth 1 -user deploy -name 'tmp*'") == ""


@pytest.mark.core("refusal")
def test_a_run_that_is_refused_ends_red_at_the_control_node(mesh: Mesh) -> None:
    ran = mesh.run("laravel_rollback", "-e to=v9.9.9")
    assert ran.code == 2, ran.text
    assert "v9.9.9" in ran.text
    assert mesh.app.version() == "1.1.0"
    assert mesh.units() == {}


def test_work_goes_on_while_the_hop_is_dead_and_its_results_come_afterwards(mesh: Mesh) -> None:
    with Gate(mesh.app, "extra") as gate, mesh.start("laravel_rollback", held(gate)) as unit:
        gate.reached()
        mesh.stop(mesh.hop)
        try:
            gate.open()
            wait_for("the host was rolled back", lambda: mesh.app.ledger()[-1]["procedure"], "rollback")
            assert mesh.app.version() == "1.0.0"
            assert not unit.ended, unit.wait().text
        finally:
            mesh.start_again(mesh.hop)
        ran = unit.wait()
    assert ran.green, ran.text
    assert "PLAY RECAP" in ran.text
    assert mesh.app.outcomes()[-1] == ("rollback", "succeeded")


def test_a_person_who_goes_away_can_fetch_the_results_later(mesh: Mesh) -> None:
    with Gate(mesh.app, "extra") as gate, mesh.start("laravel_rollback", held(gate)) as unit:
        gate.reached()
        mesh.control.read("pkill -TERM -f '[m]esh/over-mesh'; pkill -TERM -f '[w]ork results'")
        left = unit.wait()
        assert left.code == 7, left.text
        gate.open()
    found = re.search(r"--fetch (\w+)", left.text)
    assert found, left.text
    ran = mesh.control.run(f"{RUNNER}/mesh/over-mesh --fetch {found[1]}")
    assert ran.green, ran.text
    assert "PLAY RECAP" in ran.text
    assert mesh.app.version() == "1.0.0"


@pytest.mark.core("resume")
def test_a_worker_that_is_killed_is_told_and_the_next_run_goes_on(mesh: Mesh) -> None:
    with Gate(mesh.app, "php") as gate, mesh.start("laravel_rollback", held(gate)) as unit:
        gate.reached()
        mesh.execution.read("pkill -KILL -f '[a]nsible-runner worker|[a]nsible-playbook'", "root")
        ran = unit.wait()
        assert ran.code == 7, ran.text
        assert "was cut off" in ran.text
        gate.open()
        planned = f"cat {mesh.app.state}/journal.jsonl"
        wait_for("the host planned to the end", lambda: "phase_end" in mesh.app.root(planned))
    assert mesh.app.version() == "1.1.0"
    refused = mesh.run("laravel_rollback", BACK)
    assert refused.code == 2, refused.text
    way = re.search(r"-e (lock_takeover=\S+)", refused.text)
    assert way, refused.text
    again = mesh.run("laravel_rollback", f"{BACK} -e {way[1]}")
    assert again.green, again.text
    assert mesh.app.version() == "1.0.0"
    assert [outcome for _, outcome in mesh.app.outcomes()[-2:]] == ["interrupted", "succeeded"]


def test_work_that_could_not_begin_in_time_never_begins(mesh: Mesh) -> None:
    before = mesh.app.fingerprint()
    mesh.stop(mesh.hop)
    try:
        ran = mesh.run("laravel_rollback", BACK, MESH_BEGIN_WITHIN="5s")
    finally:
        mesh.start_again(mesh.hop)
    assert ran.code == 6, ran.text
    assert "it did not begin" in ran.text
    mesh.wait_joined()
    # Work that came late would be at the execution node now.
    assert mesh.execution.read("ps -e -o args").count("ansible-runner worker") == 0
    assert mesh.app.fingerprint() == before


@pytest.mark.parametrize(
    ("options", "expect"),
    [
        pytest.param("--tls-client mesh --ttl 900s", "signature", id="unsigned"),
        # Without one it is tried until its time is over.
        pytest.param("--signwork --ttl 30s", "", id="without a certificate"),
    ],
)
@pytest.mark.core("alone")
def test_work_that_is_not_vouched_for_is_refused(mesh: Mesh, options: str, expect: str) -> None:
    line = f"receptorctl --socket {SOCKET} work submit ansible-runner --node execution {options} -l x --follow"
    refused = mesh.control.run(f"timeout 1200 {line}")
    told = json.dumps(mesh.units())
    assert "eof" not in refused.text, refused.text
    assert all(unit["StateName"] == "Failed" for unit in mesh.units().values()), told
    assert expect in (told + refused.text).lower(), told + refused.text
    assert mesh.app.version() == "1.1.0"


def test_a_node_of_another_authority_does_not_join(mesh: Mesh) -> None:
    mesh.control.read("rm -rf /tmp/stranger; mkdir /tmp/stranger")
    mesh.control.read("/root/certificates /tmp/stranger/tls; chown -R deploy: /tmp/stranger", "root")
    here = "/tmp/stranger"
    changes = (f"/etc/receptor/tls#{here}/tls/control", f"{SOCKET}#{here}/sock", "id: control#id: stranger")
    script = "; ".join(f"s#{change}#" for change in (*changes, f"/var/lib/receptor#{here}"))
    mesh.control.read(f"sed '{script}' {RUNNER}/mesh/control.yml > /tmp/stranger/conf")
    # Its own authority vouches for the name that it gives itself.
    ended = mesh.control.run("timeout 600 receptor --config /tmp/stranger/conf 2>&1 | grep -m 1 certificate")
    assert "certificate" in ended.text, ended.text
    assert "stranger" not in mesh.control.read(f"receptorctl --socket {SOCKET} status --json")
    mesh.control.read("rm -rf /tmp/stranger", "root")


def renew(mesh: Mesh, node: Node) -> None:
    """Bring a node the new certificate of /tmp/renewed, and restart it."""
    certificate = mesh.control.read(f"cat /tmp/renewed/{node.name.removeprefix('mesh-')}/node.crt", "root")
    node.read(f"printf '%s\\n' '{certificate}' > {TLS}/node.crt", "root")
    assert "2031" in node.read(f"openssl x509 -noout -enddate -in {TLS}/node.crt", "root")
    mesh.stop(node)
    mesh.start_again(node)


def test_a_renewed_certificate_works_beside_those_of_before(mesh: Mesh) -> None:
    """The real receptor signs it, for the same key and by the same authority."""
    mesh.control.read("rm -rf /tmp/renewed; cp -r /root/tls /tmp/renewed", "root")
    mesh.control.read("/root/certificates --renew --until 2031-01-31 /tmp/renewed", "root")
    for node in ("control", "hop", "execution"):
        here, before = f"/tmp/renewed/{node}", f"/root/tls/{node}"
        assert "2031" in mesh.control.read(f"openssl x509 -noout -enddate -in {here}/node.crt", "root")
        assert "OK" in mesh.control.read(f"openssl verify -CAfile /root/tls/ca.crt {here}/node.crt", "root")
        keys = [mesh.control.read(f"openssl x509 -noout -pubkey -in {one}/node.crt", "root") for one in (here, before)]
        assert keys[0] == keys[1]
    # The hop has the new one, and the nodes on both sides of it theirs of before.
    renew(mesh, mesh.hop)
    wait_for("the hop shows the new certificate", lambda: "2031" in mesh.control.run(SHOWN).text)
    ran = mesh.run("laravel_rollback", BACK)
    assert ran.green, ran.text
    assert mesh.app.version() == "1.0.0"
    # And now the control node is the only one that still has one of before.
    renew(mesh, mesh.execution)
    mesh.wait_joined()
    ran = mesh.run("laravel_status")
    assert ran.green, ran.text
    mesh.control.read("rm -rf /tmp/renewed", "root")
