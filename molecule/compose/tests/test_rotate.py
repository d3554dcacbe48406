"""New values for keys of .env: what is recreated, what is verified, what goes back, and what nobody ever sees."""

from __future__ import annotations

import json
import os
import secrets as random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from compose_driver import ComposeDriver, Story
from compose_lab import COMPOSE, PROJECT, STATE, ComposeLab
from kills import BOTH, PLANNED, kill, killed, ways
from module_driver import install
from test_secrets import leaks, secrets, watched

ENV = f"{PROJECT}/.env"
KEPT = f"{STATE}/secrets"
#: What a person may have to type into a file: every character that somebody reads as something else.
ODD = 'it\'s #1 "quoted" $HOME ${X:-y} $$ back\\slash\\ end\\'


def env(lab: ComposeLab) -> str:
    return lab.root(f"cat {ENV}; echo .")[:-1]


def inside(lab: ComposeLab, service: str, key: str) -> str:
    """The environment of the first process of a container."""
    return lab.root(f"docker exec shop-{service}-1 cat /proc/1/environ | tr '\\0' '\\n' | sed -n 's/^{key}=//p'")


def started(lab: ComposeLab) -> dict[str, str]:
    return {line.split()[0][6:-2]: line for line in lab.containers()}


def test_only_what_uses_a_key_gets_the_new_value(lab: ComposeLab, tmp_path: Path) -> None:
    lab.at("good")
    before, containers = env(lab), started(lab)
    file = tmp_path / "new.yml"
    file.write_text(json.dumps({"OPENAI_API_KEY": ODD, "UNASKED": "x"}))
    file.chmod(0o600)
    run = lab.play("compose_rotate_secrets", rotate="SECRET_KEY,OPENAI_API_KEY", values_file=file)
    assert run.green, run.text
    assert "OPENAI_API_KEY: revoke the old value" in run.text

    assert inside(lab, "backend", "OPENAI_API_KEY") == ODD
    new = inside(lab, "backend", "SECRET_KEY")
    assert len(new) == 64 and new not in before
    assert (inside(lab, "worker", "OPENAI_API_KEY"), inside(lab, "worker", "SECRET_KEY")) == (ODD, new)
    changed = {name for name, line in started(lab).items() if containers[name] != line}
    assert changed == {"backend", "worker", "web"}
    # Of the file, two values and no other byte.
    kept = [line for line in env(lab).splitlines() if not line.startswith(("SECRET_KEY", "OPENAI_API_KEY"))]
    assert kept == [line for line in before.splitlines() if not line.startswith(("SECRET_KEY", "OPENAI_API_KEY"))]
    assert lab.root(f"stat -c '%a %U %G' {ENV}") == "600 deploy deploy"
    assert lab.root(f"ls -A {KEPT}") == ""
    record = lab.ledger()[-1]
    assert (record["procedure"], record["outcome"]) == ("rotate_secrets", "succeeded")
    assert set(record["notes"]["write_env"]["keys"]) == {"SECRET_KEY", "OPENAI_API_KEY"}
    assert leaks(run.text + json.dumps(lab.ledger()), [new, ODD, json.dumps(ODD)[1:-1]]) == []

    again = lab.play("compose_rotate_secrets", "--check", rotate="SECRET_KEY")
    assert again.green, again.text
    assert "SECRET_KEY: 0 days" in again.text
    assert "FIRECRAWL_API_KEY: unknown" in again.text


def test_check_mode_changes_nothing(lab: ComposeLab) -> None:
    lab.at("good")
    before, records = lab.fingerprint(), lab.ledger()
    run = lab.play("compose_rotate_secrets", "--check", "--diff", rotate="SECRET_KEY")
    assert run.green, run.text
    assert "recreate backend, web, worker" in run.text
    assert (lab.fingerprint(), lab.ledger(), lab.has_lease()) == (before, records, False)


def test_a_value_with_which_it_is_not_well_goes_back(lab: ComposeLab, tmp_path: Path) -> None:
    """The database does not know the password: only the health gate can tell."""
    lab.at("good")
    before = env(lab)
    file = tmp_path / "new.env"
    file.write_text("POSTGRES_PASSWORD=wrong-password-of-nobody\n")
    file.chmod(0o600)
    run = lab.play(
        "compose_rotate_secrets",
        rotate="POSTGRES_PASSWORD",
        values_file=file,
        role_password="changed",
    )
    assert not run.green, run.text
    assert "reverted" in run.text
    assert env(lab) == before
    assert lab.get("/api/v1/orders")[0] == 200
    assert lab.root(f"ls -A {KEPT}") == ""
    assert lab.outcomes()[-1] == ("rotate_secrets", "reverted")
    assert "wrong-password-of-nobody" not in run.text + json.dumps(lab.ledger())


def test_a_databases_password_that_the_database_has_is_rotated(lab: ComposeLab, tmp_path: Path) -> None:
    lab.at("good")
    old, new = inside(lab, "backend", "POSTGRES_PASSWORD"), random.token_hex(24)
    role_password(lab, new)
    try:
        file = tmp_path / "new.env"
        file.write_text(f"POSTGRES_PASSWORD={new}\n")
        file.chmod(0o600)
        run = lab.play("compose_rotate_secrets", rotate="POSTGRES_PASSWORD", values_file=file, role_password="changed")
        assert run.green, run.text
        assert new in inside(lab, "backend", "DATABASE_URL")
        assert lab.get("/api/v1/orders")[0] == 200
    finally:
        # Roles belong to no database, and so to no kept state.
        role_password(lab, old)


def role_password(lab: ComposeLab, password: str) -> None:
    lab.root(
        f"docker exec -i shop-db-1 psql -X -q -U postgres -h /tmp shop <<< \"alter role shop password '{password}'\""
    )


@dataclass(frozen=True)
class Case:
    inputs: dict[str, object]
    expect: tuple[str, ...]
    prepare: str = ""
    restore: str = ""


SAVE, BACK = (
    f"cp -a {ENV} /root/env; cp -a {COMPOSE} /root/compose.yml",
    f"cp -a /root/env {ENV}; cp -a /root/compose.yml {COMPOSE}",
)
OWN = f"chown deploy: {ENV} {COMPOSE}"
CASES = {
    "no key": Case({}, ("keys_missing", "-e rotate=", "SECRET_KEY: unknown")),
    "a key that is not there": Case({"rotate": "SECRETKEY"}, ("unknown_key", "SECRETKEY")),
    "a key that is there twice": Case(
        {"rotate": "SECRET_KEY"},
        ("duplicate_key", "line "),
        f"{SAVE}; echo SECRET_KEY=other >> {ENV}; {OWN}",
        BACK,
    ),
    "a key that nothing uses": Case(
        {"rotate": "SECRET_KEY"},
        ("unused_key",),
        f"{SAVE}; sed -i '/env_file:/d' {COMPOSE}; {OWN}",
        BACK,
    ),
    "a key that is made of others": Case(
        {"rotate": "SECRET_KEY"},
        ("not_a_value",),
        f"{SAVE}; sed -i 's/^SECRET_KEY=.*/SECRET_KEY=$LOG_LEVEL/' {ENV}; {OWN}",
        BACK,
    ),
    "no value": Case({"rotate": "OPENAI_API_KEY"}, ("value_missing", "values_file=<file")),
    "a database's password": Case(
        {"rotate": "POSTGRES_PASSWORD", "compose_secrets": {"POSTGRES_PASSWORD": {"generate": "hex:24"}}},
        ("database_password", "role_password=changed", "backend: DATABASE_URL"),
    ),
    "a value that was typed": Case(
        {"rotate": "OPENAI_API_KEY", "OPENAI_API_KEY": "canary-typed"}, ("extra variable", "-e values_file=")
    ),
    "values that were typed": Case(
        {"rotate": "OPENAI_API_KEY", "compose_secret_values": {"OPENAI_API_KEY": "canary-typed"}}, ("extra variable",)
    ),
    "an unknown recipe": Case(
        {"rotate": "SECRET_KEY", "compose_secrets": {"SECRET_KEY": {"generate": "dice"}}}, ("dice", "urlsafe")
    ),
    "a file of values that is not there": Case(
        {"rotate": "OPENAI_API_KEY", "values_file": "/nowhere/new.env"}, ("/nowhere/new.env", "can't be read")
    ),
    "no .env": Case({"rotate": "SECRET_KEY"}, ("env_missing", ENV), f"{SAVE}; rm {ENV}", BACK),
    "an .env of somebody else": Case(
        {"rotate": "SECRET_KEY"},
        ("env_owner", "sudo chown deploy"),
        f"chown www-data {ENV}; chmod 644 {ENV}",
        f"chown deploy {ENV}; chmod 600 {ENV}",
    ),
    "an .env that is broken": Case(
        {"rotate": "SECRET_KEY"}, ("env_not_read", "line "), f'{SAVE}; echo "X=\'open" >> {ENV}; {OWN}', BACK
    ),
}


@pytest.fixture(scope="module")
def _placed(lab: ComposeLab) -> None:
    lab.at("good")


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_and_changes_nothing(lab: ComposeLab, _placed: None, name: str) -> None:
    case = CASES[name]
    before = lab.fingerprint()
    if case.prepare:
        lab.root(case.prepare)
    try:
        run = lab.play("compose_rotate_secrets", **case.inputs)
    finally:
        if case.restore:
            lab.root(case.restore)
    assert not run.green, run.text
    for text in case.expect:
        assert text in run.text, run.text
    assert "canary-typed" not in run.text
    assert lab.fingerprint() == before
    assert not lab.has_lease()


def test_a_file_that_others_can_read_is_refused(lab: ComposeLab, _placed: None, tmp_path: Path) -> None:
    file = tmp_path / "new.env"
    file.write_text("OPENAI_API_KEY=canary-open\n")
    file.chmod(0o644)
    run = lab.play("compose_rotate_secrets", rotate="OPENAI_API_KEY", values_file=file)
    assert not run.green
    assert "chmod 600" in run.text and "canary-open" not in run.text


# -- kills ---------------------------------------------------------------------------------------

NEW = {"SECRET_KEY": random.token_hex(24), "FIRECRAWL_API_KEY": random.token_hex(24)}


class RotatingDriver(ComposeDriver):
    """Each call has the values, as the controller would send them."""

    def order(self, module: str, operation: str, fault: object = None, **arguments: object) -> dict[str, object]:
        if module == self.service.module:
            arguments = {"secret_keys": list(NEW), "secret_values": NEW, **arguments}
        return super().order(module, operation, fault, **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def driver(lab: ComposeLab) -> Iterator[RotatingDriver]:
    install(lab)
    with RotatingDriver(lab) as running:
        yield running
    lab.root("rm -rf /opt/ops-runbook")


def test_kill_at_every_journalled_step(lab: ComposeLab, driver: RotatingDriver) -> None:
    story = Story("rotate_secrets", ("good",), "good", "", ("0001", "0001"))
    lab.at("good")
    before = env(lab)
    operation = driver.new_operation()
    decided = driver.plan(story, operation)
    assert decided.get("plan"), decided
    driver.keep(PLANNED)

    def verified(driver: ComposeDriver, _story: Story, went_back: bool, told: object) -> None:
        for key, new in NEW.items():
            wanted = next(line for line in before.splitlines() if line.startswith(key)) if went_back else new
            assert (inside(lab, "backend", key) in wanted) and inside(lab, "worker", key) in wanted, told
        assert (env(lab) == before) is went_back, told
        assert lab.root(f"ls -A {KEPT} 2>/dev/null", check=False) == "", told
        assert lab.root(f"cd {STATE}; ls journal.jsonl lease.json 2>/dev/null", check=False) == "", told
        assert lab.get("/api/v1/orders")[0] == 200, told

    every = os.environ.get("KILLS") == "all"
    for step in [step["id"] for step in decided["plan"]["steps"]]:
        for number, (when, event) in enumerate((("after", "begin"), ("before", "done"))):
            fault = kill(when, f"{event}:{step}")
            killed(driver, operation, fault, keep=every)
            ways(driver, story, fault, BOTH if every else (BOTH[number],), verified)


# -- nobody sees a value -------------------------------------------------------------------------


def test_no_value_on_any_surface(lab: ComposeLab, tmp_path: Path) -> None:
    lab.at("good")
    new = {"OPENAI_API_KEY": f"sk-{random.token_hex(24)}", "POSTGRES_PASSWORD": random.token_hex(24)}
    file = tmp_path / "new.env"
    file.write_text("".join(f"{key}={value}\n" for key, value in new.items()))
    file.chmod(0o600)
    needles = [*secrets(lab), *new.values()]
    since = lab.root("date -u +%s")
    runs = []
    with watched(lab, needles) as seen:
        for inputs in (
            {"rotate": "OPENAI_API_KEY,SECRET_KEY"},
            # It fails on the way, with commands that print their arguments, and goes back.
            {"rotate": "POSTGRES_PASSWORD", "role_password": "changed"},
            {"rotate": "OPENAI_API_KEY", "compose_docker": "/usr/bin/false"},
        ):
            runs.append(lab.play("compose_rotate_secrets", "-vvv", "--diff", values_file=file, **inputs))
    assert [run.green for run in runs] == [True, False, False], runs[0].text
    # The old file is kept, for its owner only, until the new values are verified. And whenever anything is run in a
    # container, as by a health check, the engine writes its environment into a file of root's for a moment.
    assert {line for line in seen if not line.startswith((f"{KEPT}/", "/tmp/runc-process"))} == set()
    fresh = [value for key in ("SECRET_KEY",) if (value := inside(lab, "backend", key))]
    for run in runs:
        assert leaks(run.text, [*needles, *fresh]) == []
    assert leaks(lab.root("find /var/lib/ops-runbook -type f -exec cat {} +"), [*needles, *fresh]) == []
    journal = lab.root(f"journalctl --since @{since} --no-pager -o cat; cat /var/log/*.log 2>/dev/null", check=False)
    assert leaks(journal, [*needles, *fresh]) == []
    assert lab.root(f"find /home/deploy/.ansible /tmp -newermt @{since} -type f 2>/dev/null | head", check=False) == ""
    lab.reset()
