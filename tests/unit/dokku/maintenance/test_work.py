"""The items of a maintenance, on a `dokku` that answers from a table: what each does, and what it does not do."""

from __future__ import annotations

import gzip
import json
import os
import pwd
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.dokku.context import Context
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance import work
from ansible_collections.ops.runbook.plugins.module_utils.dokku.maintenance.items import Outcome
from ansible_collections.ops.runbook.plugins.module_utils.dokku.options import Database
from ansible_collections.ops.runbook.plugins.module_utils.dokku.service import Description, DokkuService
from ansible_collections.ops.runbook.plugins.module_utils.guard.guard import Guard

Answers = Mapping[str, object]
CANARY = "k9Q!canary-7f3a/zz"


def listed(*states: str) -> str:
    """Releases 14, 13, ... in these states, each with an image of its own."""
    return json.dumps([{"number": 14 - at, "state": state, "image_id": f"i{at}"} for at, state in enumerate(states)])


def report(held: int, **changes: str) -> str:
    return json.dumps(
        {"live": "14", "live-image": "i0", "keep-images": "5", "held": str(held), "pinned": "", **changes}
    )


def letsencrypt(days: float, **changes: str) -> str:
    end = str(int(time.time() + days * 86400 + 21600))
    said = {"active": "true", "autorenew": "true", "expiration": end, "computed-graceperiod": "2592000"}
    return json.dumps({**said, **changes})


class Host:
    """A dokku that answers these calls. (code, text) is how a call ends; {call: ...} answers so once that was made."""

    def __init__(self, folder: Path, answers: Answers) -> None:
        self.calls = folder / "calls"
        script = folder / "dokku"
        lines = ["#!/bin/sh", f'echo "$*" >> {self.calls}', 'case "$*" in']
        for at, (call, answer) in enumerate(answers.items()):
            forms = dict(answer) if isinstance(answer, Mapping) else {"": answer}
            lines.append(f"{json.dumps(call)})")
            for nth, (after, form) in enumerate(sorted(forms.items(), reverse=True)):
                code, text = form if isinstance(form, tuple) else (0, form)
                (folder / f"{at}-{nth}").write_text(f"{text}\n")
                asked = f"grep -qx {json.dumps(after)} {self.calls} && " if after else ""
                lines.append(f"{asked}{{ cat {folder}/{at}-{nth}; exit {code}; }}")
            lines.append(";;")
        lines += ['*) echo " !     \\`$*\\` is not a dokku command." >&2; exit 1 ;;', "esac"]
        script.write_text("\n".join(lines) + "\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        databases = (Database("mysql", "db"),)
        user = pwd.getpwuid(os.geteuid()).pw_name
        description = Description("app", str(script), user, databases=databases)
        self.guard = Guard(str(folder / "state"))
        self.context = Context(DokkuService(description), self.guard)

    def do(self, item: str, **settings: Any) -> Outcome:
        found = work.Settings(**{"databases": (("mysql", "db"),), **settings})
        return work.Work(self.context, found, "weekly").do(item)

    def called(self, call: str) -> bool:
        return self.calls.exists() and call in self.calls.read_text().splitlines()


APPS = {"apps:list --format json": '["app"]'}
CONFIG = {"config:export --merged app --format json": json.dumps({"APP_KEY": CANARY})}


# -- holds ---------------------------------------------------------------------------------------


def test_an_image_that_nothing_holds_is_held_again(tmp_path: Path) -> None:
    host = Host(
        tmp_path,
        {
            **APPS,
            "releases app --format json": listed("live", "unheld", "held"),
            "releases:report app --format json": report(2),
            "releases:hold app 13": "",
            "releases:hold app 13 --off": "",
        },
    )
    found = host.do("holds")
    assert (found.status, found.details) == ("done", ("release 13 of app",))
    # The pin that the first call sets is taken off again: what was not pinned is not kept for ever.
    assert host.called("releases:hold app 13 --off")


def test_a_pinned_release_stays_pinned(tmp_path: Path) -> None:
    host = Host(
        tmp_path,
        {
            **APPS,
            "releases app --format json": listed("live", "unheld"),
            "releases:report app --format json": report(1, pinned="13"),
            "releases:hold app 13": "",
        },
    )
    assert host.do("holds").status == "done"
    assert not host.called("releases:hold app 13 --off")


def test_a_hold_that_fails_is_a_failure(tmp_path: Path) -> None:
    host = Host(
        tmp_path,
        {
            **APPS,
            "releases app --format json": listed("live", "unheld"),
            "releases:report app --format json": report(1),
            "releases:hold app 13": (1, " !     no space left on device"),
        },
    )
    found = host.do("holds")
    assert found.status == "failed"
    assert "no space left on device" in found.details[0]


def test_without_the_plugin_nothing_is_held_and_nothing_is_cleaned(tmp_path: Path) -> None:
    host = Host(tmp_path, {**APPS, "cleanup": ""})
    assert host.do("holds").status == "skipped"
    found = host.do("cleanup")
    assert (found.status, found.again, found.attention) == ("skipped", True, True)
    assert not host.called("cleanup")


# -- cleanup -------------------------------------------------------------------------------------


def test_a_cleanup_is_proven_by_the_images_that_are_still_there(tmp_path: Path) -> None:
    host = Host(
        tmp_path,
        {
            **APPS,
            "releases app --format json": listed("live", "held", "held"),
            "releases:report app --format json": report(3),
            "cleanup": "",
        },
    )
    found = host.do("cleanup")
    assert (found.status, found.data["images"]) == ("done", 3)
    assert host.called("cleanup")


def test_nothing_is_cleaned_while_an_image_is_not_held(tmp_path: Path) -> None:
    host = Host(
        tmp_path,
        {
            **APPS,
            "releases app --format json": listed("live", "unheld", "held"),
            "releases:report app --format json": report(2),
            "cleanup": "",
        },
    )
    found = host.do("cleanup")
    assert (found.status, found.details, found.again) == ("skipped", ("release 13 of app",), True)
    assert not host.called("cleanup")


def test_a_cleanup_that_took_an_image_is_a_failure(tmp_path: Path) -> None:
    host = Host(
        tmp_path,
        {
            **APPS,
            "releases app --format json": {"": listed("live", "held"), "cleanup": listed("live", "gone")},
            "releases:report app --format json": report(2),
            "cleanup": "",
        },
    )
    found = host.do("cleanup")
    assert (found.status, found.details) == ("failed", ("app: i1",))


# -- certificates --------------------------------------------------------------------------------


def test_a_renewal_that_failed_is_named_by_app(tmp_path: Path) -> None:
    said = "-----> other needs renewal\n-----> Certificate retrieved.\n-----> app needs renewal\n       rate limited"
    host = Host(
        tmp_path,
        {
            "apps:list --format json": '["app", "other", "none"]',
            "letsencrypt:report app --format json": letsencrypt(5),
            "letsencrypt:report other --format json": {"": letsencrypt(5), "letsencrypt:auto-renew": letsencrypt(89)},
            "letsencrypt:report none --format json": letsencrypt(0, active="false", expiration=""),
            "letsencrypt:auto-renew": (1, f"{said}\n !     One or more apps failed to have their certificates renewed"),
        },
    )
    found = host.do("certificates")
    assert (found.status, found.text) == ("failed", "not renewed: app")
    assert found.details[0].startswith("app: rate limited")


def test_a_renewal_that_ends_with_0_and_renews_nothing_failed(tmp_path: Path) -> None:
    host = Host(
        tmp_path,
        {**APPS, "letsencrypt:report app --format json": letsencrypt(5), "letsencrypt:auto-renew": "Finished"},
    )
    assert host.do("certificates").status == "failed"


@pytest.mark.parametrize(("autorenew", "called"), [("true", False), ("false", True)])
def test_the_daily_renewal_is_set_once(tmp_path: Path, autorenew: str, called: bool) -> None:
    host = Host(
        tmp_path,
        {
            **APPS,
            "letsencrypt:report app --format json": letsencrypt(60, autorenew=autorenew),
            "letsencrypt:cron-job --add": "",
        },
    )
    assert host.do("renewal").status == "done"
    assert host.called("letsencrypt:cron-job --add") == called


# -- the schedule of backups ---------------------------------------------------------------------

LINE = "0 2 * * * dokku /usr/bin/dokku mysql:backup db bucket"


@pytest.mark.parametrize(
    ("stands", "settings", "status", "set_anew"),
    [
        ((0, LINE), {"bucket": "bucket"}, "done", False),
        ((1, " !     There is no scheduled backup for db."), {"bucket": "bucket"}, "done", True),
        ((0, LINE.replace("0 2", "0 3")), {"bucket": "bucket"}, "done", True),
        ((1, ""), {}, "skipped", False),
        ((1, ""), {"bucket": "bucket", "schedule": "bogus schedule"}, "failed", False),
        ((1, ""), {"bucket": "bucket", "databases": ()}, "skipped", False),
    ],
)
def test_the_schedule_of_backups_is_set_once(
    tmp_path: Path, stands: tuple[int, str], settings: dict[str, Any], status: str, set_anew: bool
) -> None:
    call = "mysql:backup-schedule db 0 2 * * * bucket"
    host = Host(tmp_path, {"mysql:backup-schedule-cat db": stands, call: ""})
    assert host.do("schedule", **settings).status == status
    assert host.called(call) == set_anew


# -- logs ----------------------------------------------------------------------------------------


def test_an_archive_has_no_secret_and_old_ones_go(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "logs"
    folder.mkdir(parents=True)
    for day in (20260101, 20260108):
        (folder / f"app-{day}.log.gz").write_bytes(b"")
    host = Host(tmp_path, {**CONFIG, "logs app -n 10000": f"2026 app[web.1]: key {CANARY}"})
    found = host.do("logs", log_keep=2)
    assert found.text == "1 logs archived, 1 old archives removed"
    names = sorted(os.listdir(folder))
    assert names[0] == "app-20260108.log.gz"
    assert gzip.decompress((folder / names[1]).read_bytes()) == b"2026 app[web.1]: key ********\n"


def test_a_log_that_cannot_be_masked_is_not_written(tmp_path: Path) -> None:
    host = Host(tmp_path, {"logs app -n 10000": CANARY})
    assert host.do("logs").status == "failed"
    assert not (tmp_path / "state" / "logs").exists()


# -- audits --------------------------------------------------------------------------------------

PS = {"ps:report app --format json": json.dumps({"running": "true", "status-web.1": "running (CID: 0123456789a)"})}
COMPOSER = "enter app web composer audit --locked --no-interaction --format=json"
NPM = "enter app web npm audit --omit=dev --json"


@pytest.mark.parametrize(
    ("item", "call", "answer", "status", "attention"),
    [
        ("composer_audit", COMPOSER, (126, 'exec: "composer": executable file not found in $PATH'), "skipped", False),
        ("composer_audit", COMPOSER, (0, '{"advisories": []}'), "done", False),
        ("composer_audit", COMPOSER, (1, '{"advisories": {"a/b": [{"title": "hole", "cve": "CVE-1"}]}}'), "done", True),
        ("composer_audit", COMPOSER, (1, "Valid composer.json and composer.lock files are required"), "skipped", False),
        ("composer_audit", COMPOSER, (100, "The following exception is caused by a lack of network"), "failed", False),
        ("npm_audit", NPM, (127, "sh: npm: not found"), "skipped", False),
        ("npm_audit", NPM, (1, '{"error": {"code": "ENOLOCK", "summary": "no lockfile"}}'), "skipped", False),
        ("npm_audit", NPM, (1, '{"error": {"code": "ENOTFOUND", "summary": "no network"}}'), "failed", False),
        ("npm_audit", NPM, (1, '{"vulnerabilities": {"left-pad": {"severity": "high"}}}'), "done", True),
        ("npm_audit", NPM, (0, '{"vulnerabilities": {}}'), "done", False),
    ],
)
def test_an_audit_says_what_it_found_or_why_it_did_not(
    tmp_path: Path, item: str, call: str, answer: tuple[int, str], status: str, attention: bool
) -> None:
    found = Host(tmp_path, {**PS, call: answer}).do(item)
    assert (found.status, found.attention) == (status, attention)


def test_an_audit_of_an_app_that_is_down_fails(tmp_path: Path) -> None:
    host = Host(tmp_path, {"ps:report app --format json": '{"running": "false"}'})
    assert host.do("npm_audit").status == "failed"
