"""Files of keys as people and tools leave them: what a rotation changes in them, to the byte, and who gets in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moments import at
from ssh_keys_lab import KEYS, LETS_IN, NEAR, SECOND, KeysHost, World
from ways import go_on

from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys import pair as ssh_key_pair
from ansible_collections.ops.runbook.plugins.module_utils.ssh_keys.pair import Pair

FORCED = 'command="echo \\"the deploy, of CI\\"",restrict'

MEANWHILE = "# written meanwhile\n"

#: Python of the account reads this as it starts. It simulates another writer who edits authorized_keys between
#: our writing the new file and renaming it into place: once in each process, so once in each of our edits.
MEDDLER = f"""
import tempfile
make = tempfile.mkstemp
def meddle(suffix=None, prefix=None, dir=None, text=False):
    made = make(suffix, prefix, dir, text)
    if (prefix or "").startswith(".authorized_keys."):
        tempfile.mkstemp = make
        with open("{KEYS}", "a") as handle:
            handle.write({MEANWHILE!r})
    return made
tempfile.mkstemp = meddle
"""


def behind_it(world: World, new: Pair) -> str:
    """The comment and date that stand behind the new key."""
    for line in world.hosts[0].read().splitlines():
        if new.public in line:
            return line.partition(new.public)[2]
    raise AssertionError("the new key is not there")


@contextmanager
def meddled(host: KeysHost) -> Iterator[None]:
    folder = host.deploy("python3 -m site --user-site", check=False)
    host.deploy(f"mkdir -p {folder} && printf %s {shlex.quote(MEDDLER)} > {folder}/usercustomize.py")
    try:
        yield
    finally:
        host.deploy(f"rm {folder}/usercustomize.py")


def test_no_byte_of_others_changes(world: World) -> None:
    """CRLF and a forced command; keys that stand there twice, in two files; no newline at the end of any."""
    anna, ben, cleo = (ssh_key_pair.generate() for _who in range(3))
    old, (first, second) = world.old.public, world.hosts
    before = (
        f"# CI and people\r\n\r\n\t{NEAR},no-pty {anna.public}   anna@example.com  \r\n"
        f"{FORCED} {old} ci deploy 2026-08-01\r\n{world.operator}\r\n#{old} of last year\r\nno key\r\n"
        f'permitopen="192.0.2.1:5432" {ben.public} ben # no comment'
    )
    first.write(before)
    options = f"{NEAR},no-pty"
    twice = (
        f"{options} {old} ci deploy 2026-08-01\n{anna.public} anna\n{anna.public} anna\n\n{world.operator}\n"
        f'restrict {old} again\n  command="/bin/echo ben" {ben.public} ben'
    )
    other = f"# robots\nrestrict {old} once more\n{cleo.public} cleo"
    second.write(twice)
    second.write(other, SECOND)

    run = world.rotate()

    assert run.green, run.text
    for said in (
        f"{KEYS} line 4",
        f"{KEYS} line 1, {KEYS} line 6, {SECOND} line 2",
        "by one of 2 lines, which it chooses by from=",
        f"{SECOND} line 2 has no effect",
    ):
        assert said in run.text, run.text
    new = world.ci_key()
    behind = behind_it(world, new)
    assert behind.startswith(" ci deploy 20") and behind != " ci deploy 2026-08-01"
    kept = before.replace(f"{FORCED} {old} ci deploy 2026-08-01\r\n", "")
    assert first.read() == f"{kept}\r\n{FORCED} {new.public}{behind.rstrip()}\r\n"
    kept = twice.replace(f"{options} {old} ci deploy 2026-08-01\n", "").replace(f"restrict {old} again\n", "")
    # From near, and from anywhere else.
    added = f"{options} {new.public}{behind.rstrip()}\nrestrict {new.public}{behind.rstrip()}\n"
    assert second.read() == f"{kept}\n{added}"
    assert second.read(SECOND) == f"# robots\n{cleo.public} cleo"
    # Who is let in, and to what.
    assert first.says(new, "id -un") == "the deploy, of CI"
    assert second.says(new, "id -un") == "deploy"
    assert second.says(ben, "id -un") == "ben"
    for host in world.hosts:
        assert not host.lets_in(world.old)
        assert all(host.lets_in(pair) for pair in (anna, ben))
    assert second.lets_in(cleo) and not first.lets_in(cleo)


def test_the_key_is_changed_in_the_file_that_has_it(world: World) -> None:
    """A second AuthorizedKeysFile, and a file that is a link with a mode of its own: both stay what they are."""
    first, second = world.hosts
    first.write(f"{world.operator}\n")
    first.write(f"# robots\n{world.line()}\n", SECOND)
    second.root(f"cd /home/deploy/.ssh && mv {KEYS} all && ln -s all {KEYS} && chmod 640 all")
    people = first.root(f"stat -c '%i %Y' {KEYS}")

    run = world.rotate()

    assert run.green, run.text
    new = world.ci_key()
    assert f"{SECOND} line 2" in run.text
    assert first.read() == f"{world.operator}\n"
    assert first.root(f"stat -c '%i %Y' {KEYS}") == people, "it was not even touched"
    assert first.read(SECOND).startswith(f"# robots\n{NEAR},no-pty {new.public} ci deploy 20")
    assert second.root(f"readlink {KEYS}; stat -c '%a %U %G' /home/deploy/.ssh/all") == "all\n640 deploy deploy"
    assert second.root("ls -A /home/deploy/.ssh").split() == ["all", "authorized_keys"]
    for host in world.hosts:
        assert host.lets_in(new) and not host.lets_in(world.old)


def test_nothing_of_another_admin_is_lost(world: World) -> None:
    """He adds keys after the plan, while CI works, and within each of our writes."""
    dora, emil, ordinary = ssh_key_pair.generate(), ssh_key_pair.generate(), world.hub.on_dispatch
    first, second = world.hosts

    def after_the_plan() -> None:
        # One appends, as a shell does; the other puts a new file in its place, as an editor does.
        first.deploy(f"echo '{dora.public} dora' >> {KEYS}")
        second.deploy(f"sed -i '1i {dora.public} dora' {KEYS}")

    def while_ci_works(run: dict[str, Any]) -> None:
        ordinary(run)
        for host in world.hosts:
            host.deploy(f"echo '{emil.public} emil' >> {KEYS}")

    world.hub.on_dispatch = while_ci_works
    with at(LETS_IN, after_the_plan) as problems, meddled(first), meddled(second):
        run = world.rotate()
    assert problems == [] and run.green, run.text
    new = world.ci_key()
    plain = f"# CI and people\n\nnot a key at all\n{world.operator}\n"
    for host, planned in zip(
        world.hosts, (f"{plain}{dora.public} dora\n", f"{dora.public} dora\n{plain}"), strict=True
    ):
        lines = [line for line in host.read().splitlines(keepends=True) if new.public not in line]
        assert "".join(lines) == f"{planned}{MEANWHILE}{emil.public} emil\n{MEANWHILE}"
        assert all(host.lets_in(pair) for pair in (new, dora, emil)) and not host.lets_in(world.old)


def test_the_old_key_stays_where_the_new_one_was_taken_out_meanwhile(world: World) -> None:
    """A program that keeps the file in its own state, such as Puppet, puts back the one that it knows."""
    ordinary, host = world.hub.on_dispatch, world.hosts[1]
    before = host.read()

    def puppet(run: dict[str, Any]) -> None:
        ordinary(run)
        host.write(before)

    world.hub.on_dispatch = puppet
    run = world.rotate()
    assert not run.green and "is not let in any more" in run.text, run.text
    assert host.read() == before and host.lets_in(world.old)
    world.working()
    world.hub.on_dispatch = ordinary
    go_on(world, "resume")
    world.rotated()


def test_the_options_of_the_line_in_force_are_taken_over(world: World) -> None:
    """sshd passes over a line that refuses: its options are those of nobody, and the next one says what CI may do."""
    old = world.old.public
    dead = 'expiry-time="20200101"', 'from="10.0.0.0/33",command="/bin/false"', "allow-all"
    forced = 'command="echo in force",no-pty'
    for host in world.hosts:
        lines = "".join(f"{options} {old} ci\n" for options in dead)
        host.write(f"{world.operator}\n{lines}{forced} {old} ci deploy 2026-08-01\n{old} ci\n")
        assert host.says(world.old, "id -un") == "in force"

    run = world.rotate()

    assert run.green, run.text
    assert "it expired; its options are not taken over" in run.text, run.text
    new = world.ci_key()
    for host in world.hosts:
        assert [line for line in host.read().splitlines() if new.public in line] == [
            f"{forced} {new.public}{behind_it(world, new)}"
        ]
        assert host.says(new, "id -un") == "in force"
        assert not host.lets_in(world.old) and old not in host.read()


def test_from_where_somebody_comes_decides_for_the_new_key_as_it_did_for_the_old_one(world: World) -> None:
    """A line for another network comes first: sshd passes over it from here, and both are taken over."""
    old = world.old.public
    for host in world.hosts:
        host.write(f'{world.operator}\nfrom="198.51.100.0/24" {old} ci\ncommand="echo from here",restrict {old} ci\n')

    run = world.rotate()

    assert run.green, run.text
    new = world.ci_key()
    for host in world.hosts:
        lines = [line.partition(new.public)[0] for line in host.read().splitlines() if new.public in line]
        assert lines == ['from="198.51.100.0/24" ', 'command="echo from here",restrict ']
        assert host.says(new, "id -un") == "from here"
        assert not host.lets_in(world.old)


def test_a_key_of_dead_lines_alone_is_refused(world: World) -> None:
    """CI said that it has it, and no line lets it in: its options are those of nobody, and nothing is changed."""
    for host in world.hosts:
        host.write(f'{world.operator}\nexpiry-time="20200101" {world.old.public} ci\nallow-all {world.old.public} ci\n')
    before = world.files()

    run = world.rotate()

    assert not run.green and "lets nobody into deploy" in run.text and "it expired" in run.text, run.text
    world.untouched(before)
