"""Several hosts in one run: none is changed unless all can be, and none is left on another release in silence."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lab import APP, SOON, STATE, Lab, Run, command, operator_environment, plain, play
from waiting import END, wait_for

OLD, NEW = "v1.1.0", "v1.7.0"
MIX = "THE HOSTS ARE ON DIFFERENT RELEASES"


def on(*hosts: Lab) -> str:
    return ",".join(host.name for host in hosts)


def versions(hosts: list[Lab]) -> list[str]:
    return [host.version() for host in hosts]


def last(hosts: list[Lab]) -> list[tuple[str, str]]:
    return [(host.ledger()[-1]["outcome"], host.ledger()[-1]["error"]) for host in hosts]


def no_lease(hosts: list[Lab]) -> bool:
    return not any(host.has_lease() for host in hosts)


def deploy(hosts: list[Lab], *options: str, **inputs: object) -> Run:
    return play("laravel_deploy", *options, target=on(*hosts), **{"to": NEW, **inputs})


@contextmanager
def sick(host: Lab, version: str) -> Iterator[None]:
    """The host answers 500 while it runs that release, and no other host does."""
    code = (
        f'<?php if (str_contains(file_get_contents("{APP}/app/Version.php"), "{version}")) '
        '{ http_response_code(500); exit("sick"); }'
    )
    ini = "/etc/php/8.4/fpm/conf.d/98-sick.ini"
    host.root(
        f"echo {shlex.quote(code)} > /srv/lab/sick.php; "
        f"echo auto_prepend_file=/srv/lab/sick.php > {ini}; systemctl reload php8.4-fpm"
    )
    try:
        yield
    finally:
        host.root(f"rm {ini}; systemctl reload php8.4-fpm")


@pytest.mark.core("deploy", "rollback")
def test_healthy_deploy_and_rollback_are_recorded_on_each_host(fleet: list[Lab]) -> None:
    run = deploy(fleet)
    assert run.green, run.text
    assert versions(fleet) == ["1.7.0"] * 3
    back = play("laravel_rollback", target=on(*fleet), batch="100%", reason="INC-7")
    assert back.green, back.text
    assert versions(fleet) == ["1.1.0"] * 3
    for host in fleet:
        assert host.outcomes()[-2:] == [("deploy", "succeeded"), ("rollback", "succeeded")]
        assert re.search(rf"{host.name} +v1.7.0 \(\w+\) +v1.1.0 \(\w+\) +succeeded +[\d.]+ +[\w-]{{36}}", back.text)
    assert len({host.ledger()[-1]["id"] for host in fleet}) == 1
    assert MIX not in back.text
    assert no_lease(fleet)


def test_failing_canary_goes_back_and_the_rest_is_untouched(fleet: list[Lab]) -> None:
    others = [host.root(f"find {APP} -newer {STATE}/ledger.jsonl -name '*.php'") for host in fleet[1:]]
    run = deploy(fleet, to="v1.4.0", **SOON)
    assert not run.green
    assert versions(fleet) == ["1.1.0"] * 3
    (canary, error), *rest = last(fleet)
    assert (canary, "got 500" in error) == ("reverted", True)
    for (outcome, why), host in zip(rest, fleet[1:]):
        assert outcome == "refused"
        assert why.startswith(f"another_host: {fleet[0].name} failed: health: expected status 200, got 500")
        assert re.search(rf"{host.name} .* untouched ", run.text)
    assert [host.root(f"find {APP} -newer {STATE}/ledger.jsonl -name '*.php'") for host in fleet[1:]] == others
    assert MIX not in run.text
    assert no_lease(fleet)


@pytest.mark.core("plan")
def test_later_failure_takes_the_others_back(fleet: list[Lab]) -> None:
    with sick(fleet[2], "1.7.0"):
        run = deploy(fleet, **SOON)
        assert versions(fleet) == ["1.1.0"] * 3
    assert not run.green
    cause = f"{fleet[2].name} failed: health: expected status 200, got 500: sick"
    assert last(fleet) == [
        ("reverted", cause),
        ("reverted", cause),
        ("reverted", "health: expected status 200, got 500: sick"),
    ]
    record = fleet[0].ledger()[-1]
    assert {step["direction"] for step in record["steps"] if "direction" in step} == {"back"}
    assert "failed_health" not in record
    assert record["left"] == record["from"]
    assert MIX not in run.text
    assert no_lease(fleet)
    # What was left is known: `previous` is the same on each, and is not the release that failed.
    again = play("laravel_rollback", "--check", target=on(*fleet))
    assert again.green, again.text
    assert again.text.count("v1.0.0 (") >= 3


def test_later_failure_that_stops_names_the_mix_and_both_ways_on(fleet: list[Lab]) -> None:
    with sick(fleet[1], "1.7.0"):
        run = deploy(fleet, on_partial="stop", on_unhealthy="hold", batch="1", **SOON)
    assert not run.green
    assert versions(fleet) == ["1.7.0", "1.7.0", "1.1.0"]
    assert [outcome for outcome, _ in last(fleet)] == ["succeeded", "failed", "refused"]
    assert no_lease(fleet)
    mix = run.text[run.text.rindex(MIX) :]
    assert re.search(rf"v1.7.0 \(\w+\) +{fleet[0].name}, {fleet[1].name}\n", mix)
    assert re.search(rf"v1.1.0 \(\w+\) +{fleet[2].name}\n", mix)
    forth, back = (line.split("  all of them")[0].strip() for line in mix.splitlines() if "ansible-playbook" in line)
    assert ("laravel_deploy" in forth, "laravel_rollback" in back) == (True, True)
    # Typed as they are shown, each brings all hosts together.
    for shown, version in ((back, "1.1.0"), (forth, "1.7.0")):
        typed = [*command("x")[:-1], *shlex.split(shown)[1:]]
        done = subprocess.run(typed, env=operator_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert versions(fleet) == [version] * 3


@pytest.mark.core("undo")
def test_host_that_dies_in_a_later_batch(fleet: list[Lab]) -> None:
    dying, alive = fleet[1], [fleet[0], fleet[2]]
    dying.deploy("rm -f /tmp/at-work; touch /tmp/hang")
    hang = "if [ -e /tmp/hang ]; then touch /tmp/at-work; sleep infinity; fi"
    line = command(
        "laravel_deploy", target=on(*fleet), to=NEW, batch="1,100%", laravel_extra_commands=[f"bash -c '{hang}'"]
    )
    run = subprocess.Popen(
        line, env=operator_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_for(
            "the step of the dying host, or the end of the run",
            lambda: (dying.root("ls /tmp/at-work", check=False), run.poll()),
            lambda seen: seen[0] or seen[1] is not None,
        )
        assert run.poll() is None, run.communicate()[0]
        subprocess.run(["docker", "kill", dying.name], check=True, capture_output=True)
        text = plain(run.communicate(timeout=2 * END)[0])
        ends = last(alive)
        unreachable = play("laravel_rollback", target=on(*fleet))
    finally:
        run.kill()
        subprocess.run(["docker", "start", dying.name], check=True, capture_output=True)
    assert run.returncode == 2
    assert versions(alive) == ["1.1.0"] * 2
    assert ends == [("reverted", f"{dying.name} can't be reached any more")] * 2
    assert no_lease(alive)
    assert re.search(rf"{dying.name} .* unreachable ", text)
    assert re.search(r"It was at v1.1.0 \(\w+\), on its way to v1.7.0 \(\w+\).", text)
    assert re.search(r"Its lease ends by itself at about \d{4}-\d\d-\d\d \d\d:\d\d UTC", text)
    assert re.search(rf"THE HOSTS MAY BE ON DIFFERENT RELEASES:\n.*\n +not known +{dying.name}\n", text)
    # As long as it is away, and as long as it is halfway, no host of the fleet is changed.
    assert f"REFUSED on {dying.name}: it can't be reached" in unreachable.text
    assert f"Nothing was changed, nor on {alive[0].name}, {alive[1].name}." in unreachable.text
    dying.root("timeout 600 sh -c 'until systemctl is-active ssh php8.4-fpm nginx vertex-queue; do sleep 0.2; done'")
    refused = play("laravel_rollback", target=on(*fleet))
    assert f"REFUSED on {dying.name} (interrupted)" in refused.text
    assert no_lease(alive)
    undone = dying.play("laravel_rollback", interrupted="undo")
    assert undone.green, undone.text
    assert versions(fleet) == ["1.1.0"] * 3


def test_hosts_on_different_releases_need_a_named_one(fleet: list[Lab]) -> None:
    assert fleet[1].play("laravel_deploy", to=NEW).green
    refused = play("laravel_rollback", target=on(*fleet))
    assert not refused.green
    assert versions(fleet) == ["1.1.0", "1.7.0", "1.1.0"]
    assert f"REFUSED on {', '.join(host.name for host in fleet)} (hosts_diverged)" in refused.text
    assert re.search(rf"{fleet[1].name} +is at v1.7.0 \(\w+\), previous is v1.1.0", refused.text)
    for way in (f"-e to={fleet[0].id('v1.0.0')[:10]}", f"-e to={fleet[0].id(OLD)[:10]}", f"-l {fleet[1].name}"):
        assert way in refused.text
    assert [error.partition(":")[0] for _, error in last(fleet)] == ["hosts_diverged"] * 3
    assert no_lease(fleet)
    named = play("laravel_rollback", target=on(*fleet), to=fleet[0].id(OLD)[:10])
    assert named.green, named.text
    assert versions(fleet) == ["1.1.0"] * 3
    assert len(re.findall(r" unchanged ", named.text)) == 2


def test_one_host_migrates_for_all(fleet: list[Lab]) -> None:
    inputs = {"to": "v1.2.0", "laravel_migrate_on": "first"}
    beside = deploy(fleet, batch="2", **inputs)
    assert "(migrations_need_canary)" in beside.text
    assert no_lease(fleet)
    before = fleet[0].migrations()
    # What the first host runs is in a shared database for all. The other ones of the lab have the rows in their own.
    brought = ["2026_01_19_000001_add_note_to_orders_table", "2026_01_19_000002_create_refunds_table"]
    for host in fleet[1:]:
        for name in brought:
            host.sql(f"insert into migrations (migration, batch) values ('{name}', 9)")
    run = deploy(fleet, **inputs)
    assert run.green, run.text
    assert f"migrations: once, on {fleet[0].name}, for all of these hosts" in run.text
    assert versions(fleet) == ["1.2.0"] * 3
    assert fleet[0].migrations() == [*before, *brought]
    steps = [{step["step"] for step in host.ledger()[-1]["steps"]} for host in fleet]
    assert ["migrate" in names for names in steps] == [True, False, False]


@pytest.mark.core("refusal")
def test_refusal_on_one_host_gives_back_every_lease(fleet: list[Lab]) -> None:
    fleet[1].deploy(f"echo '# edited at night' >> {APP}/routes/api.php")
    run = play("laravel_rollback", target=on(*fleet))
    assert not run.green
    assert f"REFUSED on {fleet[1].name} (local_changes)" in run.text
    assert f"Nothing was changed, nor on {fleet[0].name}, {fleet[2].name}." in run.text
    assert versions(fleet) == ["1.1.0"] * 3
    assert [outcome for outcome, _ in last(fleet)] == ["refused"] * 3
    assert last(fleet)[0][1].startswith(f"another_host: {fleet[1].name}: 1 files")
    assert no_lease(fleet)


def test_batch_that_is_no_size_is_refused_before_a_host_is_contacted(fleet: list[Lab]) -> None:
    run = play("laravel_rollback", target=on(*fleet), batch="1,all", ansible_port=1)
    assert not run.green
    assert "batch is '1,all'" in run.text
    assert "Nothing was contacted" in run.text


def test_runs_that_overlap_change_all_of_their_hosts_or_none(fleet: list[Lab]) -> None:
    pairs = [fleet[:2], fleet[1:]]
    runs = [
        subprocess.Popen(
            command("laravel_deploy", target=on(*pair), to=to),
            env=operator_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for pair, to in zip(pairs, (NEW, "v1.0.0"))
    ]
    texts = [run.communicate(timeout=2 * END)[0] for run in runs]
    green = [run.returncode == 0 for run in runs]
    assert sum(green) <= 1, texts
    for text, won in zip(texts, green):
        assert won or "(lease_held)" in text, text
        if not won:
            assert "Nothing was changed" in text
    expected = ["1.1.0"] * 3
    if green[0]:
        expected = ["1.7.0", "1.7.0", "1.1.0"]
    elif green[1]:
        expected = ["1.1.0", "1.0.0", "1.0.0"]
    assert versions(fleet) == expected
    assert no_lease(fleet)
    assert not any(host.root(f"ls {STATE}/journal.jsonl", check=False) for host in fleet)


def test_runs_that_wait_for_each_other_end(fleet: list[Lab]) -> None:
    """Each holds what the other waits for: the one whose patience ends first gives way."""
    pair = fleet[:2]
    runs = [
        subprocess.Popen(
            command("laravel_deploy", target=on(*pair), to=to, lock_wait=wait),
            env=operator_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for to, wait in ((NEW, 3), ("v1.0.0", 900))
    ]
    texts = [run.communicate(timeout=2 * END)[0] for run in runs]
    assert any(run.returncode == 0 for run in runs), texts
    assert len(set(versions(pair))) == 1
    assert no_lease(pair)
