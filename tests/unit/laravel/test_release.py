# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a deploy and of a rollback, their way back, and when neither is begun."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.laravel import reload as laravel_reload
from ansible_collections.ops.runbook.plugins.module_utils.laravel.release import (
    Facts,
    Room,
    also,
    label,
    migrations_record,
    refuse_local_changes,
    refuse_migrations,
    refuse_room,
    steps,
    undo,
)
from ansible_collections.ops.runbook.plugins.module_utils.laravel.vendor import class_map_differs
from ansible_collections.ops.runbook.plugins.module_utils.migrations.verdict import Comparison, Loss, Undoing
from ansible_collections.ops.runbook.plugins.module_utils.text.problem import Problem

V1, V2 = {"id": "a" * 40, "name": "v1"}, {"id": "b" * 40, "name": "v2"}
SAME, NONE = Comparison("same"), Undoing((), {}, {}, ())
AHEAD = Comparison("ahead", ahead=("m3", "m2"))
BEHIND = Comparison("behind", behind=("m4", "m5"))
UNKNOWN = Comparison("unknown", ahead=("m3",), error="connection refused")
DIVERGED = Comparison("diverged", ahead=("m3",), behind=("m4",))
FOREIGN = Comparison("same", foreign=("m1", "m0"))
UNSURE = Comparison("unknown", error="package acme/bill is another one in the target: m3", unsure=("m3",))
SQL = {"m3": ("drop table `t`",), "m2": ("alter table `u` drop `note`",)}
DOWN = Undoing(("m3", "m2"), {}, SQL, (Loss("t"), Loss("u", "note")))
STUCK = Undoing(("m3", "m2"), {"m2": "it has no down()"}, {"m3": SQL["m3"]}, (Loss("t"),))
UNTRIED = Undoing(("m3", "m2"), {}, {"m2": SQL["m2"]}, (Loss("u", "note"),), {"m3": "it uses Storage in line 9"})


def facts(procedure: str = "rollback", **more: Any) -> Facts:
    source, target = (V2, V1) if procedure == "rollback" else (V1, V2)
    given: dict[str, Any] = {
        "source": source,
        "target": target,
        "migrations": "refuse" if procedure == "rollback" else "run",
        "comparison": SAME,
        "undoing": NONE,
        "reload": "php8.3-fpm",
        **more,
    }
    return Facts(procedure=procedure, **given)


REBUILD = ["caches", "reload_php"]
CODE = ["code", "vendor"]

STEPS: dict[str, tuple[Facts, list[str], list[str]]] = {
    "a rollback": (facts(), [*CODE, *REBUILD], [*CODE, *REBUILD]),
    "a deploy": (facts("deploy"), ["keep", *CODE, "clear", "migrate", *REBUILD], [*CODE, *REBUILD]),
    "a deploy that keeps a database that is ahead": (
        facts("deploy", comparison=AHEAD, migrations="keep"),
        ["keep", *CODE, "clear", "migrate", *REBUILD],
        [*CODE, *REBUILD],
    ),
    "a deploy with migrations": (
        facts("deploy", comparison=BEHIND),
        ["keep", *CODE, "clear", "migrate", *REBUILD],
        [*CODE, *REBUILD],
    ),
    "a deploy that skips them": (
        facts("deploy", comparison=BEHIND, migrations="skip"),
        ["keep", *CODE, *REBUILD],
        [*CODE, *REBUILD],
    ),
    "a rollback that undoes migrations, newest first and before the code moves": (
        facts(comparison=AHEAD, migrations="down", undoing=DOWN),
        ["migrate_down:m3", "migrate_down:m2", *CODE, *REBUILD],
        [*CODE, "clear", "migrate_up:m2", "migrate_up:m3", *REBUILD],
    ),
    "a rollback that keeps them": (
        facts(comparison=AHEAD, migrations="keep"),
        [*CODE, *REBUILD],
        [*CODE, *REBUILD],
    ),
    "a rollback never migrates": (
        facts(comparison=BEHIND, migrations="keep"),
        [*CODE, *REBUILD],
        [*CODE, *REBUILD],
    ),
    "changes are saved before anything moves": (
        facts(changes=[" M a"], comparison=AHEAD, migrations="down", undoing=DOWN),
        ["save_changes", "migrate_down:m3", "migrate_down:m2", *CODE, *REBUILD],
        [*CODE, "clear", "migrate_up:m2", "migrate_up:m3", *REBUILD],
    ),
    "files in the way too": (facts(in_the_way=["x"]), ["save_changes", *CODE, *REBUILD], [*CODE, *REBUILD]),
    "no php-fpm": (
        facts(reload=""),
        [*CODE, *REBUILD[:1]],
        [*CODE, *REBUILD[:1]],
    ),
    "further commands come before the reload": (
        facts(extra_commands=[["npm", "ci"], ["true"]]),
        [*CODE, *REBUILD[:1], "extra:1", "extra:2", *REBUILD[1:]],
        [*CODE, *REBUILD[:1], "extra:1", "extra:2", *REBUILD[1:]],
    ),
    "what reloads comes after the code and the caches, on both ways": (
        facts(extra_commands=[["npm", "ci"]], reload_commands=[["supervisorctl", "restart", "x"], ["true"]]),
        [*CODE, "caches", "extra:1", "reload:1", "reload:2", "reload_php"],
        [*CODE, "caches", "extra:1", "reload:1", "reload:2", "reload_php"],
    ),
    "it is there already": (facts(target=V2), [], []),
    "it is there already, and nobody has verified it": (
        facts(target=V2, doubted=True, reload_commands=[["true"]], extra_commands=[["npm", "ci"]]),
        ["keep_caches", "vendor", "caches", "extra:1", "reload:1", "reload_php"],
        ["put_back_caches", "restart", "reload:1", "reload_php"],
    ),
    "it is there already, with other settings": (
        facts("deploy", source=V2, settings_changed=True, reload_commands=[["true"]], extra_commands=[["npm", "ci"]]),
        ["keep_caches", "caches", "reload:1", "reload_php"],
        ["put_back_caches", "restart", "reload:1", "reload_php"],
    ),
}


SWITCH = ["switch", "reload_php"]
BUILD = ["release", "vendor", "caches", "seal"]


def beside(procedure: str = "rollback", **more: Any) -> Facts:
    given = {"in_releases": True, "made": procedure == "rollback", "realpath_root": True, **more}
    return facts(procedure, **given)


STEPS |= {
    "the release is there, and an earlier deploy left migrations pending": (
        facts("deploy", target=V1, comparison=BEHIND),
        ["migrate"],
        [],
    ),
    "they stay pending where none is to run": (
        facts("deploy", target=V1, comparison=BEHIND, migrations="skip"),
        [],
        [],
    ),
    "releases: the release is there, and an earlier deploy left migrations pending": (
        beside("deploy", target=V1, comparison=BEHIND),
        ["migrate"],
        [],
    ),
    "releases: a rollback is the switch alone": (beside(), SWITCH, SWITCH),
    "releases: a deploy makes everything before the switch": (
        beside("deploy"),
        ["keep", *BUILD, "migrate", *SWITCH],
        SWITCH,
    ),
    "releases: a release that is there is not made again": (
        beside("deploy", made=True),
        ["keep", "migrate", *SWITCH],
        SWITCH,
    ),
    "releases: one that was removed is": (beside(made=False), [*BUILD, *SWITCH], SWITCH),
    "releases: other settings ask for other caches": (beside(warm=False), ["caches", *SWITCH], SWITCH),
    "releases: migrations run when the release is whole, before it is served": (
        beside("deploy", comparison=BEHIND),
        ["keep", *BUILD, "migrate", *SWITCH],
        SWITCH,
    ),
    "releases: migrations are undone at the last moment, and run again before going back": (
        beside(made=False, comparison=AHEAD, migrations="down", undoing=DOWN),
        [*BUILD, "migrate_down:m3", "migrate_down:m2", *SWITCH],
        ["migrate_up:m2", "migrate_up:m3", *SWITCH],
    ),
    "releases: further commands belong to making it": (
        beside("deploy", extra_commands=[["npm", "ci"]]),
        ["keep", *BUILD[:3], "extra:1", "seal", "migrate", *SWITCH],
        SWITCH,
    ),
    "releases: a rollback does not run them again": (beside(extra_commands=[["npm", "ci"]]), SWITCH, SWITCH),
    "releases: what reloads comes after the switch, also to a release that is there": (
        beside(extra_commands=[["npm", "ci"]], reload_commands=[["php", "artisan", "octane:reload"]]),
        ["switch", "reload:1", "reload_php"],
        ["switch", "reload:1", "reload_php"],
    ),
    "releases: what builds comes before it, and what reloads after": (
        beside("deploy", extra_commands=[["npm", "ci"]], reload_commands=[["true"]], reload=""),
        ["keep", *BUILD[:3], "extra:1", "seal", "migrate", "switch", "reload:1"],
        ["switch", "reload:1"],
    ),
    "it is there already, and does not boot": (
        facts(target=V2, broken=True),
        ["keep_caches", "vendor", "caches", "reload_php"],
        ["put_back_caches", "restart", "reload_php"],
    ),
    "releases: it is there already, and does not boot": (
        beside(target=V2, broken=True),
        ["keep_caches", "vendor", "caches", *SWITCH],
        ["put_back_caches", "restart", "reload_php"],
    ),
    "releases: the one that is left does not boot, and would not take the commands of the switch back to it": (
        beside("deploy", broken=True),
        ["keep", *BUILD, "migrate", *SWITCH],
        ["vendor", *SWITCH],
    ),
    "releases: it is there already, and nobody has verified it": (
        beside(target=V2, doubted=True, extra_commands=[["npm", "ci"]]),
        ["keep_caches", "caches", *SWITCH],
        ["put_back_caches", "restart", "reload_php"],
    ),
    "releases: it is there already, with other settings": (
        beside("deploy", source=V2, made=True, settings_changed=True),
        ["keep_caches", "caches", *SWITCH],
        ["put_back_caches", "restart", "reload_php"],
    ),
    "releases: no php-fpm": (beside(reload=""), SWITCH[:1], SWITCH[:1]),
    "another host runs the migrations": (
        facts("deploy", comparison=BEHIND, migrate_here=False),
        ["keep", *CODE, *REBUILD],
        [*CODE, *REBUILD],
    ),
    "another host undoes the migrations": (
        facts(comparison=AHEAD, migrations="down", undoing=DOWN, migrate_here=False),
        [*CODE, *REBUILD],
        [*CODE, *REBUILD],
    ),
}


RELOADS = {
    "a rollback between whole releases": (beside(), True),
    "a deploy: OPcache must not fill up": (beside("deploy"), False),
    "a web server that passes the link": (beside(realpath_root=False), False),
    "caches built anew under a known name": (beside(warm=False), False),
    "a release made anew under a known name": (beside(made=False), False),
}


@pytest.mark.parametrize("name", RELOADS)
def test_php_is_reloaded_only_where_the_switch_does_not_do(name: str) -> None:
    given, stale_only = RELOADS[name]
    assert [step.data["stale_only"] for step in steps(given) if step.id == "reload_php"] == [stale_only]


@pytest.mark.parametrize("name", STEPS)
def test_steps_and_the_way_back(name: str) -> None:
    given, forward, back = STEPS[name]
    assert [step.id for step in steps(given)] == forward
    assert [step.id for step in undo(given)] == back


MIB = 1024 * 1024
ROOMS = {
    "enough": (Room("/srv", 50 * MIB, 10, 200 * MIB, 100, 100), None),
    "exactly enough": (Room("/srv", 100 * MIB, 10, 200 * MIB, 10, 100), None),
    "a byte too few": (Room("/srv", 100 * MIB + 1, 10, 200 * MIB, 100, 100), "101 MiB are needed"),
    "enough, but nothing would stay free": (Room("/srv", 50 * MIB, 10, 60 * MIB, 100, 100), "100 MiB are to stay free"),
    "no inodes": (Room("/srv", 1, 11, 900 * MIB, 10, 0), "11 files are needed"),
    "a file system that counts no inodes": (Room("/srv", 1, 11, 900 * MIB, 0, 0), None),
}


@pytest.mark.parametrize("name", ROOMS)
def test_a_disk_that_would_fill_up_is_refused(name: str) -> None:
    room, text = ROOMS[name]
    refusal = refuse_room(facts("deploy", room=room))
    assert (refusal is None) is (text is None)
    if refusal is not None and text is not None:
        assert refusal.code == "disk_space"
        assert text in refusal.text


def test_an_operation_without_a_new_release_needs_no_room() -> None:
    assert refuse_room(facts()) is None


def test_each_way_moves_the_code_to_its_own_end() -> None:
    given = facts(comparison=AHEAD, migrations="down", undoing=DOWN)
    assert {step.data["commit"] for step in steps(given) if step.id in ("code", "vendor")} == {V1["id"]}
    assert {step.data["commit"] for step in undo(given) if step.id in ("code", "vendor")} == {V2["id"]}


def test_a_migration_is_repeatable_only_in_a_transaction() -> None:
    for transactional in (True, False):
        deploy = facts("deploy", comparison=BEHIND, transactional=transactional)
        down = facts(comparison=AHEAD, migrations="down", undoing=DOWN, transactional=transactional)
        for step in [*steps(deploy), *steps(down), *undo(down)]:
            assert step.repeatable is (transactional or not step.id.startswith("migrate"))


AMOUNTS: dict[str, tuple[Facts, str, bool]] = {
    "some": (facts("deploy", comparison=BEHIND), "2 pending", False),
    "none": (facts("deploy"), "none pending", True),
    "a package that is not here yet": (
        facts("deploy", unasked=["packages: acme/bill"]),
        "none known to be pending",
        False,
    ),
    "a folder that only the target may look into": (
        facts("deploy", elsewhere=["modules/new/2024_m.php"]),
        "none known to be pending",
        False,
    ),
    "it can't be told": (
        facts("deploy", comparison=Comparison("unknown", unsure=("m3",))),
        "none known to be pending",
        False,
    ),
}


@pytest.mark.parametrize("name", AMOUNTS)
def test_a_deploy_always_migrates_and_says_what_is_known(name: str) -> None:
    given, amount, repeatable = AMOUNTS[name]
    (step,) = [step for step in steps(given) if step.id == "migrate"]
    assert step.title == f"artisan migrate --force ({amount})"
    # What runs nothing may be done twice.
    assert step.repeatable is repeatable


def test_the_way_back_runs_only_undone_migrations_again() -> None:
    given = facts(comparison=AHEAD, migrations="down", undoing=DOWN)
    forward = {step.id for step in steps(given)}
    ups = [step for step in undo(given) if step.id.startswith("migrate_up:")]
    assert {step.data["after"] for step in ups} == {name for name in forward if name.startswith("migrate_down:")}


some = st.lists(st.sampled_from(["m1", "m2", "m3", "m4"]), unique=True).map(tuple)


@given(
    st.sampled_from(["deploy", "rollback"]),
    st.sampled_from(["run", "skip", "keep", "refuse", "down"]),
    some,
    some,
    st.booleans(),
)
def test_laws_of_every_plan(
    procedure: str, mode: str, ahead: tuple[str, ...], behind: tuple[str, ...], reload: bool
) -> None:
    given = facts(
        procedure,
        migrations=mode,
        comparison=Comparison("diverged", ahead=ahead, behind=behind),
        reload="php-fpm" if reload else "",
        changes=[" M x"],
    )
    for way in (steps(given), undo(given)):
        ids = [step.id for step in way]
        assert len(ids) == len(set(ids))
        assert ids.index("code") < ids.index("vendor") < ids.index("caches")
        if "clear" in ids:
            assert ids.index("vendor") < ids.index("clear") < ids.index("caches")
        commands = next(step for step in way if step.id == "caches").data["commands"]
        assert commands == ["optimize:clear", "config:cache", "route:cache", "view:cache", "queue:restart"]
        assert ("reload_php" in ids) is reload
        if reload:
            assert ids.index("reload_php") > ids.index("caches")
    ids = [step.id for step in steps(given)]
    assert ids.index("save_changes") < ids.index("code")
    assert all(ids.index(name) < ids.index("code") for name in ids if name.startswith("migrate_down:"))
    assert not any("password" in str(step.data).lower() for step in steps(given))


RELEASE_COMMANDS = [["supervisorctl", "restart", "vertex:*"], ["php", "artisan", "octane:reload"]]


@given(
    st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["deploy", "rollback"]), st.booleans()
)
def test_every_change_tells_the_workers_and_reloads_what_runs(
    in_releases: bool, made: bool, warm: bool, php_fpm: bool, procedure: str, settings: bool
) -> None:
    """In both strategies, on every way, and after the code has moved."""
    more = {"source": V2, "target": V2, "settings_changed": True} if settings else {}
    given = facts(
        procedure,
        in_releases=in_releases,
        made=made,
        warm=warm,
        reload="php-fpm" if php_fpm else "",
        extra_commands=[["npm", "ci"]],
        reload_commands=RELEASE_COMMANDS,
        **more,
    )
    for way, end in ((steps(given), given.target["id"]), (undo(given), given.source["id"])):
        moved = max(
            index for index, step in enumerate(way) if step.id in ("code", "caches", "switch", "put_back_caches")
        )
        told = [index for index, step in enumerate(way) if "queue:restart" in step.data.get("commands", ())]
        reloads = [(index, step) for index, step in enumerate(way) if step.id.startswith("reload:")]
        assert told and max(told) >= moved
        assert [step.data["command"] for _, step in reloads] == RELEASE_COMMANDS
        assert all(index > moved and step.data["in"] == end for index, step in reloads)


RELOADERS = {
    "php artisan octane:reload": True,
    "/usr/bin/php8.4 artisan --no-interaction horizon:terminate": True,
    "php artisan queue:restart": True,
    "sudo supervisorctl restart vertex:*": True,
    "sudo -n systemctl restart vertex-octane": True,
    "systemctl --user reload caddy": True,
    "sudo service php8.4-fpm reload": True,
    "pm2 reload all": True,
    "npm ci": False,
    "npm run build": False,
    "php artisan storage:link": False,
    "php artisan octane:status": False,
    "php artisan event:cache": False,
    "systemctl is-active nginx": False,
}


@pytest.mark.parametrize("command", RELOADERS)
def test_a_command_that_reloads_is_known(command: str) -> None:
    found = laravel_reload.warnings([shlex.split(command)], [], "php-fpm", True)
    assert (len(found) == 1 and "move it to laravel_reload_commands" in found[0]) is RELOADERS[command]


def test_a_plan_in_which_nothing_is_reloaded_says_so() -> None:
    assert "nothing is reloaded" in laravel_reload.warnings([], [], "", False)[0]
    assert laravel_reload.warnings([], [["true"]], "", False) == []


# -- refusals --------------------------------------------------------------------------------------


def ways(refusal: Problem | None) -> list[str]:
    return [way for way, _ in refusal.ways] if refusal else []


REFUSALS: dict[str, tuple[Facts, str | None, list[str]]] = {
    "the same": (facts(), None, []),
    "ahead": (
        facts(comparison=AHEAD, undoing=DOWN),
        "migrations_ahead",
        ["migrations=keep", "migrations=down"],
    ),
    "ahead, and one of them stuck": (
        facts(comparison=AHEAD, undoing=STUCK),
        "migrations_ahead",
        ["migrations=keep"],
    ),
    "ahead, kept": (facts(comparison=AHEAD, undoing=DOWN, migrations="keep"), None, []),
    "ahead, down": (facts(comparison=AHEAD, undoing=DOWN, migrations="down"), None, []),
    "ahead, down, and one of them stuck": (
        facts(comparison=AHEAD, undoing=STUCK, migrations="down"),
        "migrations_irreversible",
        ["migrations=keep"],
    ),
    "behind": (
        facts(comparison=BEHIND),
        "migrations_behind",
        [f"laravel_deploy with to={'a' * 10}", "migrations=keep"],
    ),
    "behind, down": (
        facts(comparison=BEHIND, migrations="down"),
        "migrations_behind",
        [f"laravel_deploy with to={'a' * 10}", "migrations=keep"],
    ),
    "behind, kept": (facts(comparison=BEHIND, migrations="keep"), None, []),
    "unknown": (facts(comparison=UNKNOWN), "migrations_unknown", ["migrations=keep"]),
    "unknown, down": (facts(comparison=UNKNOWN, migrations="down"), "migrations_unknown", ["migrations=keep"]),
    "unknown, kept": (facts(comparison=UNKNOWN, migrations="keep"), None, []),
    "diverged": (facts(comparison=DIVERGED, undoing=DOWN), "migrations_ahead", ["migrations=keep"]),
    "diverged, down": (
        facts(comparison=DIVERGED, undoing=DOWN, migrations="down"),
        "migrations_diverged",
        ["migrations=keep"],
    ),
    "a deploy": (facts("deploy"), None, []),
    "a deploy that brings some": (facts("deploy", comparison=BEHIND), None, []),
    "a deploy of older code": (
        facts("deploy", comparison=AHEAD),
        "migrations_ahead",
        ["migrations=keep", f"laravel_rollback with to={'b' * 10}"],
    ),
    "a deploy of older code, kept": (facts("deploy", comparison=AHEAD, migrations="keep"), None, []),
    "a deploy of older code, none run": (
        facts("deploy", comparison=AHEAD, migrations="skip"),
        "migrations_ahead",
        ["migrations=keep", f"laravel_rollback with to={'b' * 10}"],
    ),
    "a deploy on a side branch": (
        facts("deploy", comparison=DIVERGED),
        "migrations_ahead",
        ["migrations=keep", f"laravel_rollback with to={'b' * 10}"],
    ),
    "rows that neither release knows": (facts(comparison=FOREIGN), None, []),
    "rows that neither release knows, down": (facts(comparison=FOREIGN, migrations="down"), None, []),
    "a deploy over rows that neither release knows": (facts("deploy", comparison=FOREIGN), None, []),
    "a deploy with a package of another version": (facts("deploy", comparison=UNSURE), None, []),
    "a rollback with a package of another version": (
        facts(comparison=UNSURE),
        "migrations_unknown",
        ["migrations=keep"],
    ),
    "ahead, down, and one that was not tried": (
        facts(comparison=AHEAD, undoing=UNTRIED, migrations="down"),
        None,
        [],
    ),
    "a deploy without a database": (
        facts("deploy", comparison=Comparison("unknown", error="refused")),
        "migrations_unknown",
        ["migrations=skip", "migrations=keep"],
    ),
    "a deploy without a database, none run": (
        facts("deploy", comparison=Comparison("unknown", error="refused"), migrations="skip"),
        None,
        [],
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refuse_migrations(name: str) -> None:
    given, code, expected = REFUSALS[name]
    refusal = refuse_migrations(given)
    assert (refusal.code if refusal else None, ways(refusal)) == (code, expected)


def test_a_database_ahead_shows_the_sql_and_what_it_destroys() -> None:
    refusal = refuse_migrations(facts(comparison=AHEAD, undoing=DOWN, row_counts={"table t": "7 rows"}))
    assert refusal is not None
    assert refusal.text == "the database has 2 migrations that v1 (aaaaaaaaaa) does not know"
    assert dict(refusal.ways)["migrations=down"].endswith("destroys: table t (7 rows), column u.note")
    assert refusal.details == (
        "m3:",
        "  drop table `t`",
        "m2:",
        "  alter table `u` drop `note`",
    )


def test_an_irreversible_migration_says_why() -> None:
    refusal = refuse_migrations(facts(comparison=AHEAD, undoing=STUCK))
    assert refusal is not None and "m2: can't be undone: it has no down()" in refusal.details


def test_a_deploy_of_older_code_does_not_promise_that_a_rollback_undoes_what_has_no_down() -> None:
    refusal = refuse_migrations(facts("deploy", comparison=AHEAD, undoing=STUCK))
    assert refusal is not None
    effect = dict(refusal.ways)[f"laravel_rollback with to={'b' * 10}"]
    assert effect == "says which of them can be undone, and at what cost"
    # The rollback that is typed then offers no way that it would refuse.
    assert ways(refuse_migrations(facts(comparison=AHEAD, undoing=STUCK))) == ["migrations=keep"]


def test_an_untried_down_is_named_with_the_cost() -> None:
    refusal = refuse_migrations(facts(comparison=AHEAD, undoing=UNTRIED))
    assert refusal is not None
    assert "m3: its down() was not tried: it uses Storage in line 9" in refusal.details
    assert dict(refusal.ways)["migrations=down"].endswith("column u.note, what can't be told of m3")


def test_an_unknown_position_names_its_cause() -> None:
    refusal = refuse_migrations(facts(comparison=UNKNOWN))
    assert refusal is not None and "connection refused" in refusal.text


def test_local_changes_refuse_until_they_may_be_discarded() -> None:
    given = facts(changes=[" M app.php"], in_the_way=["new.php"])
    refusal = refuse_local_changes(given)
    assert refusal is not None
    assert (refusal.code, refusal.details) == ("local_changes", (" M app.php", "?? new.php"))
    assert ways(refusal) == ["discard_local_changes=true"]
    assert refuse_local_changes(facts(changes=[" M app.php"], discard=True)) is None
    assert refuse_local_changes(facts()) is None


def test_a_long_list_of_changes_is_cut_and_counted() -> None:
    refusal = refuse_local_changes(facts(changes=[f" M {number}" for number in range(45)]))
    assert refusal is not None
    assert (len(refusal.details), refusal.details[-1]) == (41, "... and 5 more")


# -- the record ------------------------------------------------------------------------------------


def test_the_record_says_what_was_done_to_the_database() -> None:
    down = migrations_record(facts(comparison=AHEAD, undoing=DOWN, migrations="down"))
    assert (down["down"], down["run"], down["losses"]) == (["m3", "m2"], [], ["table t", "column u.note"])
    assert down["sql"]["m3"] == ["drop table `t`"]
    kept = migrations_record(facts(comparison=AHEAD, undoing=DOWN, migrations="keep"))
    assert (kept["down"], kept["run"], kept["sql"], kept["losses"]) == ([], [], {}, [])
    deploy = migrations_record(facts("deploy", comparison=BEHIND, ups={"m4": ["create table x"]}))
    assert (deploy["run"], deploy["down"], deploy["sql"]) == (["m4", "m5"], [], {"m4": ["create table x"]})
    skipped = migrations_record(facts("deploy", comparison=BEHIND, migrations="skip"))
    assert (skipped["run"], skipped["behind"], skipped["sql"]) == ([], ["m4", "m5"], {})


@pytest.mark.parametrize(
    ("release", "expected"),
    [(V1, "v1 (aaaaaaaaaa)"), ({"id": "c" * 40}, "c" * 10), (None, "unknown"), ({}, "unknown")],
)
def test_label(release: dict[str, str] | None, expected: str) -> None:
    assert label(release) == expected


CLASS_MAPS = {
    "nothing": ([], False),
    "a changed class": ([("M", "app/Models/User.php")], False),
    "a new class": ([("A", "app/Models/Note.php")], True),
    "a removed class": ([("D", "app/Models/Note.php")], True),
    "a class that became a link": ([("T", "app/Models/Note.php")], True),
    "a new seeder": ([("A", "database/seeders/Notes.php")], True),
    "other rules": ([("M", "composer.json")], True),
    "a new migration": ([("A", "database/migrations/2026_note.php")], False),
    "a new view": ([("A", "resources/views/x.blade.php")], False),
    "a new file that is not PHP": ([("A", "app/readme.md")], False),
    "one among many": ([("M", "app/A.php"), ("A", "config/x.php"), ("D", "app/B.php")], True),
}


@pytest.mark.parametrize("name", CLASS_MAPS)
def test_class_map_differs(name: str) -> None:
    changes, expected = CLASS_MAPS[name]
    assert class_map_differs(changes) is expected


ALSO: dict[str, tuple[dict[str, Any], list[list[Any]]]] = {
    "nothing": ({}, []),
    "a tree that is kept": (
        {"vendor": "kept"},
        [["vendor", ["from the tree kept on this host, Composer is not needed"]]],
    ),
    "maintenance, and edited files": (
        {"maintenance": True, "local_changes": [" M a", " M b"]},
        [
            ["down", ["the application is in maintenance mode, and stays in it"]],
            ["discards", ["2 changed files, saved beside the ledger first"]],
        ],
    ),
    "the maintenance that is the procedure": ({"maintenance": True, "procedure": "maintenance"}, []),
}


@pytest.mark.parametrize("name", ALSO)
def test_a_plan_says_where_vendor_comes_from_and_what_is_down_or_discarded(name: str) -> None:
    plan, expected = ALSO[name]
    assert also({"procedure": "deploy", **plan}) == expected
