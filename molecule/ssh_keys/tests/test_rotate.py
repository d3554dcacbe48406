"""A rotation on two hosts, from its plan to its record."""

from __future__ import annotations

from keys_lab import KEYS, OTHERS, World


def test_a_key_is_rotated_on_both_hosts_and_the_next_audit_knows_it(world: World) -> None:
    plan = world.rotate("--check")
    assert plan.green, plan.text
    for word in (world.old.fingerprint, f"{KEYS} line 5", "no-pty", "run 5000 of deploy.yml", "secret PROD_SSH_KEY"):
        assert word in plan.text, plan.text
    world.as_before()
    assert not world.kept() and not world.hub.writes()
    before = [host.root(f"stat -c '%a %U %G' {KEYS}") for host in world.hosts]

    run = world.rotate(reason="quarterly")

    assert run.green, run.text
    new = world.rotated()
    assert [one.split(" ")[0] for one in world.hub.writes()] == ["PUT", "POST"]
    for host, mode in zip(world.hosts, before, strict=True):
        # The options of the old key are those of the new one, to the letter, and no other line was touched.
        first, last = host.read().rstrip("\n").rpartition("\n")[::2]
        assert first == f"{OTHERS}{world.operator}"
        assert last.startswith(world.line().partition(" ssh-")[0] + " ssh-ed25519 ")
        assert "ci deploy 20" in last and "2026-08-01" not in last
        assert host.root(f"stat -c '%a %U %G' {KEYS}") == mode
        assert host.root("ls -A /home/deploy/.ssh") == "authorized_keys"
        record = host.ledger()[-1]
        assert (record["procedure"], record["outcome"], record["reason"]) == ("rotate", "succeeded", "quarterly")
        assert (record["from"]["id"], record["to"]["id"]) == (world.old.fingerprint, new.fingerprint)
        for pair in (world.old, new):
            assert pair.public.split()[1] not in host.root(f"cat {host.state}/*")
            assert pair.public.split()[1] not in run.text
    (kept,) = world.kept()
    assert kept.read_text().startswith("$ANSIBLE_VAULT")
    assert kept.stat().st_mode & 0o777 == 0o600

    again = world.rotate()
    assert again.green, again.text
    assert world.rotated().fingerprint != new.fingerprint
    assert len(world.kept()) == 2
