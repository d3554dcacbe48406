"""A key is kept where it can be read back, and in clear nowhere."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import vault as key_keep
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.vault import Age, Command, NotKept, Vault

PAIR = ssh_key_pair.generate()
#: In two pieces, since no file of the repository may look as if it held a key.
BEGINS = b"-----BEGIN OPENSSH " + b"PRIVATE KEY-----\n"


def vault(folder: Path, password: bytes = b"secret") -> Vault:
    lib = VaultLib([("default", VaultSecret(password))])
    return Vault(str(folder), lambda content: lib.encrypt(content, lib.secrets[0][1]), lib.decrypt, True)


def test_a_pair_is_what_ssh_reads() -> None:
    assert PAIR.private.startswith(BEGINS) and PAIR.private.endswith(b"-----\n")
    assert ssh_key_pair.pair_of(PAIR.private).fingerprint == PAIR.fingerprint
    assert "PRIVATE" not in repr(PAIR)
    with pytest.raises(ssh_key_pair.NoPair):
        ssh_key_pair.pair_of(BEGINS + b"x\n")


def test_a_vault_file_holds_it_and_only_the_password_opens_it(tmp_path: Path) -> None:
    keep = vault(tmp_path / "kept")
    keep.ready()
    assert not (tmp_path / "kept").exists()
    where = keep.keep("PROD-1", PAIR.private)
    assert keep.read(where) == PAIR.private
    assert stat.S_IMODE(Path(where).stat().st_mode) == 0o600
    assert b"PRIVATE" not in Path(where).read_bytes()
    with pytest.raises(NotKept, match="this run's passwords"):
        vault(tmp_path / "kept", b"other").read(where)


def test_no_key_takes_the_place_of_another(tmp_path: Path) -> None:
    keep = vault(tmp_path)
    where = keep.keep("PROD-1", PAIR.private)
    with pytest.raises(NotKept, match="File exists"):
        keep.keep("PROD-1", b"another")
    assert keep.read(where) == PAIR.private


def test_without_a_password_it_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(NotKept, match="--vault-id"):
        Vault(str(tmp_path), lambda content: content, lambda content: content, False).ready()


def test_a_key_that_can_not_be_read_back_is_not_kept(tmp_path: Path) -> None:
    keep = Vault(str(tmp_path), lambda content: content[:-1], lambda content: content, True)
    with pytest.raises(NotKept, match="did not return it"):
        keep.ready()
    with pytest.raises(NotKept, match="is not what was kept"):
        keep.keep("PROD-1", PAIR.private)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!{sys.executable}\nimport sys\n{text}\n")
    path.chmod(0o700)
    return str(path)


def test_a_command_gets_it_on_its_standard_input_alone(tmp_path: Path) -> None:
    store = script(
        tmp_path / "store",
        f"open({str(tmp_path)!r} + '/' + sys.argv[1], 'wb').write(sys.stdin.buffer.read())\n"
        f"open({str(tmp_path / 'argv')!r}, 'w').write(' '.join(sys.argv))",
    )
    show = script(
        tmp_path / "show", f"sys.stdout.buffer.write(open({str(tmp_path)!r} + '/' + sys.argv[1], 'rb').read())"
    )
    keep = Command([store, "{name}"], [show, "{name}"])
    keep.ready()
    assert keep.keep("PROD-1", PAIR.private) == "PROD-1"
    assert keep.read("PROD-1") == PAIR.private
    assert "PRIVATE" not in (tmp_path / "argv").read_text()


COMMANDS = {
    "none": ([], [], "ssh_key_keep_command is not given"),
    "not there": (["/no/such", "{name}"], ["/bin/cat", "{name}"], "is not there"),
    "no name": (["/bin/cat"], ["/bin/cat"], "no {name}"),
    "no way back": (["/bin/cat", "{name}"], [], "ssh_key_keep_read_command is not given"),
}


@pytest.mark.parametrize(("store", "read", "says"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_can_not_work_is_seen_before(store: list[str], read: list[str], says: str) -> None:
    with pytest.raises(NotKept, match=says):
        Command(store, read).ready()


def test_a_command_that_fails_says_nothing_of_the_key(tmp_path: Path) -> None:
    loud = script(tmp_path / "loud", "print(sys.stdin.read()); sys.stderr.write('PRIVATE'); sys.exit(3)")
    with pytest.raises(NotKept) as caught:
        Command([loud, "{name}"], [loud, "{name}"]).keep("PROD-1", PAIR.private)
    assert str(caught.value) == f"{loud} ended with 3"


def test_age_is_given_recipients_and_the_identity(tmp_path: Path) -> None:
    # Stands in for age: what is behind its options decides what it does.
    age = script(
        tmp_path / "age",
        "data = sys.stdin.buffer.read()\n"
        "sys.stdout.buffer.write(bytes(b ^ 7 for b in data)) if sys.argv[1:] in "
        "(['-e', '-r', 'age1x'], ['-d', '-i', '/id']) else sys.exit(2)",
    )
    keep = Age(str(tmp_path / "kept"), ["age1x"], "/id", age)
    keep.ready()
    where = keep.keep("PROD-1", PAIR.private)
    assert where.endswith("PROD-1.age") and b"PRIVATE" not in Path(where).read_bytes()
    for recipients, identity, says in (
        ([], "/id", "recipients"),
        (["age1x"], "", "identity"),
        (["no"], "/id", "ended with 2"),
    ):
        with pytest.raises(NotKept, match=says):
            Age(str(tmp_path), recipients, identity, age).ready()


def test_a_name_is_new_with_each_rotation() -> None:
    assert key_keep.name_of("PROD_SSH/KEY", "20261121T0-ab") == "PROD_SSH_KEY-20261121T0-ab"
